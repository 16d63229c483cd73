//! How versions are shown: one JSON object a line for programs, words for people.

use anabranch::store::Timestamp;
use anabranch_node::shown::Version;
use anabranch_value::{Value, json};
use serde::Serialize;

use super::place::{Place, now};
use crate::{
    failure::Failure,
    look::{GONE, ID, Look},
    output::Output,
};

/// Shows what a command has found.
pub struct Shower {
    output: Output,
    json: bool,
    pub look: Look,
    pub now: Timestamp,
}

impl Shower {
    pub fn of(place: &Place) -> Self {
        Shower { output: Output::new(), json: place.json, look: Look::of_output(), now: now() }
    }

    /// With JSON also where nobody asked for it, if the output is no terminal.
    pub fn for_programs(self) -> Self {
        Shower { json: self.json || !self.look.on_terminal, ..self }
    }

    /// A line: `object` for programs, `words` for people.
    pub fn show<W: AsRef<str>>(
        &mut self,
        object: &impl Serialize,
        words: impl FnOnce(Look) -> W,
    ) -> Result<(), Failure> {
        if self.json {
            return self.output.line(serde_json::to_string(object).map_err(Failure::Shown)?);
        }
        self.words(words)
    }

    /// A line for people alone.
    pub fn words<W: AsRef<str>>(&mut self, words: impl FnOnce(Look) -> W) -> Result<(), Failure> {
        if self.json { Ok(()) } else { self.output.line(words(self.look).as_ref()) }
    }

    /// A version, as a line that is seen at once.
    pub fn show_now(&mut self, version: &Version) -> Result<(), Failure> {
        let line = if self.json {
            object(version)?
        } else {
            let Version { namespace, key, timestamp, .. } = version;
            let (time, what) = (self.look.time(*timestamp, now()), what(version, self.look));
            format!("{time}  {namespace}  {}  {what}", self.look.paint(crate::look::KEY, key))
        };
        self.output.line_now(line)
    }

    /// A version, with other words for people than its line.
    pub fn version<W: AsRef<str>>(
        &mut self,
        version: &Version,
        words: impl FnOnce(&Version, Look) -> W,
    ) -> Result<(), Failure> {
        let line = if self.json { object(version)? } else { words(version, self.look).as_ref().to_owned() };
        self.output.line(line)
    }

    pub fn end(self) -> Result<(), Failure> {
        self.output.end()
    }

    /// Whether it is people who read.
    pub fn is_for_people(&self) -> bool {
        !self.json
    }
}

/// A version with the field names of the JavaScript API.
pub fn object(version: &Version) -> Result<String, Failure> {
    serde_json::to_string(version).map_err(Failure::Shown)
}

/// A value as JSON. The JSON of crates/value keeps 64-bit integers and the order of keys.
pub fn shown(value: &Value) -> String {
    json::to_string(value).unwrap_or_else(|why| format!("(not to be shown: {why})"))
}

/// What a version says.
pub fn what(version: &Version, look: Look) -> String {
    version.value.as_ref().map_or_else(|| look.paint(GONE, "(deleted)").to_string(), shown)
}

/// `time  id  what`
pub fn in_history(version: &Version, look: Look, now: Timestamp) -> String {
    let Version { timestamp, version_id, .. } = version;
    format!("{}  {}  {}", look.time(*timestamp, now), look.paint(ID, version_id), what(version, look))
}
