//! Measuring ours beside a peer's: interleaved rounds, medians, a ratio against a bound, a table and JSON.
//!
//! Only ratios of one run count: the machine is as noisy for the one as for the other, since each round runs all
//! contestants one after the other.

use serde_json::{Value, json};
use std::{io, path::Path};

/// How ours must stand to the named peer, or a figure to its number.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    /// Ours ÷ peer's, or the figure, at most this (times, instructions, bytes).
    AtMost(f64),
    /// Ours ÷ peer's, or the figure, at least this (values a second, speed-up).
    AtLeast(f64),
    /// Nothing was promised: shown, so that whoever chooses knows what it costs.
    Shown,
}

impl Bound {
    fn holds(self, ratio: f64) -> bool {
        match self {
            Bound::AtMost(bound) => ratio <= bound,
            Bound::AtLeast(bound) => ratio >= bound,
            Bound::Shown => true,
        }
    }

    fn text(self) -> String {
        match self {
            Bound::AtMost(bound) => format!("<= {bound}"),
            Bound::AtLeast(bound) => format!(">= {bound}"),
            Bound::Shown => "shown".into(),
        }
    }
}

/// One line of a report.
#[derive(Debug, Clone)]
pub struct Row {
    /// What was done.
    pub case: String,
    /// In which unit `ours` and `peer` are.
    pub unit: &'static str,
    /// Our median.
    pub ours: f64,
    /// The peer's name and median.
    pub peer: (&'static str, f64),
    /// What the ratio must keep.
    pub bound: Bound,
    /// What else belongs to the case: losses, conditions.
    pub note: String,
    /// Whether a condition beside the ratio holds (no more loss, say).
    pub also: bool,
}

impl Row {
    /// Ours to the peer's.
    pub fn ratio(&self) -> f64 {
        self.ours / self.peer.1
    }

    /// Whether the bound and the condition hold.
    pub fn holds(&self) -> bool {
        self.bound.holds(self.ratio()) && self.also
    }

    fn json(&self) -> Value {
        json!({
            "case": self.case, "unit": self.unit, "ours": self.ours, "peers": { self.peer.0: self.peer.1 },
            "ratio": self.ratio(), "bound": self.bound.text(), "holds": self.holds(), "note": self.note,
        })
    }
}

/// A line of a report that stands by itself: a promise that names a number, and no peer.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was done.
    pub case: String,
    /// In which unit `ours` and the bound are.
    pub unit: &'static str,
    /// Our median.
    pub ours: f64,
    /// What `ours` must keep.
    pub bound: Bound,
    /// What else belongs to the case.
    pub note: String,
}

impl Figure {
    fn json(&self) -> Value {
        json!({
            "case": self.case, "unit": self.unit, "ours": self.ours, "peers": {}, "ratio": null,
            "bound": self.bound.text(), "holds": self.bound.holds(self.ours), "note": self.note,
        })
    }
}

/// The rows of one bench.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Value>,
    foreign: Vec<Value>,
}

impl Report {
    /// Adds and prints a row.
    pub fn add(&mut self, row: Row) {
        println!(
            "{:4} {:58} {:>10.1} {:>10.1} {:<26} ratio {:>6.3} ({}) {}",
            if row.holds() { "ok" } else { "FAIL" },
            row.case,
            row.ours,
            row.peer.1,
            format!("{} ({})", row.peer.0, row.unit),
            row.ratio(),
            row.bound.text(),
            row.note,
        );
        self.rows.push(row.json());
    }

    /// Adds and prints a figure.
    pub fn figure(&mut self, figure: Figure) {
        println!(
            "{:4} {:58} {:>10.1} {:>10} {:<26} ({}) {}",
            if figure.bound.holds(figure.ours) { "ok" } else { "FAIL" },
            figure.case,
            figure.ours,
            "",
            figure.unit,
            figure.bound.text(),
            figure.note,
        );
        self.rows.push(figure.json());
    }

    /// Adds and prints a row that another program measured, in the JSON form.
    pub fn add_foreign(&mut self, row: Value) {
        println!("{:4} {}", if row["holds"] == true { "ok" } else { "FAIL" }, row);
        self.foreign.push(row);
    }

    /// Writes `NAME.json` into `folder`, and says how many rows hold and how many there are.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> io::Result<(usize, usize)> {
        std::fs::create_dir_all(folder)?;
        let rows: Vec<Value> = self.rows.iter().chain(&self.foreign).cloned().collect();
        let holding = rows.iter().filter(|row| row["holds"] == true).count();
        std::fs::write(folder.join(format!("{name}.json")), format!("{:#}\n", Value::from(rows.clone())))?;
        Ok((holding, rows.len()))
    }
}

/// The median of `values`.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Runs `ours` and `peer` in turn, `rounds` times, after one round that does not count; gives both medians.
pub fn interleaved(rounds: usize, mut ours: impl FnMut() -> f64, mut peer: impl FnMut() -> f64) -> (f64, f64) {
    ours();
    peer();
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // who goes first changes, so that neither has the warmer or the cooler machine
        if round % 2 == 0 {
            a.push(ours());
            b.push(peer());
        } else {
            b.push(peer());
            a.push(ours());
        }
    }
    (median(a), median(b))
}
