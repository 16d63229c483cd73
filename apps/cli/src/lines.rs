//! The plain output: a line a reading, or one JSON object a line.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use anabranch::{ConnectionState, ConnectorStatus, LinkDirection, prelude::*};
use serde::Serialize;

use crate::{
    demo::{Database, Output},
    flow,
    mqtt::Mqtt,
    past::{Extent, Past},
    readings::Seen,
    tell,
    timestamp::Timestamp,
};

/// Writes what is seen as lines. Standard output hands on each line when it ends; what is to be said beside the values goes
/// to standard error.
pub struct Lines<W> {
    to: W,
    json: bool,
    alerts: u64,
    /// Whether it was last said that the broker is there.
    reached: Option<bool>,
    /// How many values from outside were said to be refused.
    refused: u64,
    past: Option<Past>,
}

/// How much is kept, as a line among those of the values.
#[derive(Serialize)]
struct Kept<'a> {
    record: &'static str,
    time: Timestamp,
    value: Described<'a>,
}

#[derive(Serialize)]
struct Described<'a> {
    directory: Cow<'a, str>,
    #[serde(flatten)]
    extent: Extent,
    /// Values that are not in the store: there was no room any more, or it could not take them.
    lost: u64,
}

impl<W: Write> Lines<W> {
    pub fn new(to: W, json: bool, mqtt: Option<&Mqtt>, past: Option<&Past>) -> Self {
        if let Some(past) = past.filter(|_| !json) {
            let (directory, extent) = (past.directory.display(), past.extent().in_words());
            tell(format_args!("note: what is measured is kept in {directory}: {extent}"));
        }
        if let Some(mqtt) = mqtt {
            tell(format_args!("note: values cross a broker; look on:   {}", mqtt.how_to_look()));
            tell(format_args!("note: limits can be set from outside:   {}", mqtt.how_to_command()));
        }
        // That a broker in the process is there need not be said.
        let reached = mqtt.filter(|mqtt| mqtt.is_in_process()).map(|_| true);
        Lines { to, json, alerts: 0, reached, refused: 0, past: past.cloned() }
    }

    /// Says how much is kept.
    fn kept(&mut self, db: &Database) -> io::Result<()> {
        let Some(past) = &self.past else { return Ok(()) };
        let lost = db.keeps().iter().map(|keep| keep.lost + keep.failed).sum();
        let extent = past.extent();
        if !self.json {
            let lost = if lost > 0 { format!(", {lost} values lost to it") } else { String::new() };
            return writeln!(self.to, "kept: {}{lost}, in {}", extent.in_words(), past.directory.display());
        }
        let value = Described { directory: past.directory.to_string_lossy(), extent, lost };
        let time = Timestamp::from_unix(db.runtime().unix_time().unwrap_or_default());
        let mut line = serde_json::to_vec(&Kept { record: "store", time, value })?;
        line.push(b'\n');
        self.to.write_all(&line)
    }

    /// Says once when the broker is there, when it is not, and what came from outside and made no sense.
    fn notes(&mut self, db: &Database) {
        for ConnectorStatus { peer, state, last_error, .. } in db.connectors() {
            match (state, last_error) {
                (ConnectionState::Online, _) if self.reached != Some(true) => {
                    self.reached = Some(true);
                    tell(format_args!("note: connected to {peer}"));
                }
                (ConnectionState::Offline, Some(why)) if self.reached != Some(false) => {
                    self.reached = Some(false);
                    tell(format_args!("note: no connection to {peer}: {why} (the newest values are kept for it)"));
                }
                _ => {}
            }
        }
        let links = db.links();
        let inbound = links.iter().filter(|link| link.direction == LinkDirection::In);
        let refused = inbound.clone().map(|link| link.failed).sum();
        if refused > self.refused {
            self.refused = refused;
            for why in inbound.filter_map(|link| link.last_error.as_ref()) {
                tell(format_args!("note: refused: {why}"));
            }
        }
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
            flow::LEVELS | flow::SMOOTH | flow::RETURNED => Ok(()),
            flow::ALERTS => {
                self.alerts += 1;
                writeln!(self.to, "{time}  ALERT        {}", value.more())
            }
            record => writeln!(self.to, "{time}  {record:<11}  {:<20}  {}", value.short(), value.more()),
        }
    }

    fn tick(&mut self, db: &Database) -> io::Result<()> {
        self.notes(db);
        Ok(())
    }

    /// In JSON only: for people it was said beside the values.
    fn begin(&mut self, db: &Database) -> io::Result<()> {
        if self.json { self.kept(db) } else { Ok(()) }
    }

    /// A summary, for people.
    fn finish(&mut self, db: &Database) -> io::Result<()> {
        self.kept(db)?;
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
