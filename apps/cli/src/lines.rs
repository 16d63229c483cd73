//! The plain output: a line a reading, or one JSON object a line.

use std::io::{self, Write};

use crate::{
    demo::{Database, Output},
    flow,
    readings::Seen,
};

/// Writes what is seen as lines. Standard output hands on each line when it ends.
pub struct Lines<W> {
    to: W,
    json: bool,
    alerts: u64,
}

impl<W: Write> Lines<W> {
    pub fn new(to: W, json: bool) -> Self {
        Lines { to, json, alerts: 0 }
    }
}

impl<W: Write> Output for Lines<W> {
    fn seen(&mut self, seen: Seen) -> io::Result<()> {
        if self.json {
            // Whole lines at once, so that a reader never gets half a value.
            let mut line = serde_json::to_vec(&seen)?;
            line.push(b'\n');
            return self.to.write_all(&line);
        }
        let (time, value) = (seen.time.clock(), &seen.value);
        match seen.record {
            // The readings again, on their way to the alerts: for programs, which have `--json`.
            flow::LEVELS | flow::SMOOTH => Ok(()),
            flow::ALERTS => {
                self.alerts += 1;
                writeln!(self.to, "{time}  ALERT        {}", value.more())
            }
            record => writeln!(self.to, "{time}  {record:<11}  {:<20}  {}", value.short(), value.more()),
        }
    }

    /// A summary, for people.
    fn finish(&mut self, db: &Database) -> io::Result<()> {
        if self.json {
            return self.to.flush();
        }
        let records = db.records();
        let status = |name: &str| records.iter().find(|record| record.name == name).map(|record| record.status);
        let measured = flow::IN_ORDER.into_iter().filter(|name| *name != flow::ALERTS);
        let values: Vec<String> =
            measured.filter_map(|name| Some(format!("{name} {}", status(name)?.produced))).collect();
        let lost: u64 = records.iter().map(|record| record.status.lost).sum();
        let alerts = match self.alerts {
            1 => "1 alert".to_owned(),
            several => format!("{several} alerts"),
        };
        writeln!(self.to, "summary: {} values; {alerts}; {lost} lagged", values.join(", "))?;
        self.to.flush()
    }
}
