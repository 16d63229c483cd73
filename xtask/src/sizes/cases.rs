//! What is measured, a line a case: what it builds, and the case that it is measured beyond.

use super::Size;

/// A program, and what it shall be compared with.
#[derive(Clone, Copy)]
pub struct Case {
    /// What the table, the budget and `--accept` call it.
    pub name: &'static str,
    /// The folder of its package.
    pub folder: &'static str,
    /// The package's features, with commas between.
    pub features: &'static str,
    /// The case before it that it builds on: only what it takes beyond that one counts. `None`: all of it counts.
    pub beyond: Option<&'static str>,
    /// What it may never take, whatever its budget says.
    pub bound: Option<Size>,
    /// Whether the storage of each of its static services is a line of its own.
    pub shows_tasks: bool,
}

/// The package whose features are the cases.
pub const PROGRAMS: &str = "tests/firmware-sizes";

const BARE: &str = "bare executor";
/// Over TCP, with DHCP, MQTT and JSON, and nothing of ours but the signal.
const BY_HAND: &str = "sensors-to-alerts over MQTT by hand";

/// To measure one thing more: a line here, a feature in `tests/firmware-sizes`, and
/// `cargo xtask sizes --accept NAME --because "…"`.
pub const CASES: &[Case] = &[
    Case::new(BARE, ""),
    Case::new("ring", "ring").beyond(BARE),
    Case::new("latest", "latest").beyond(BARE),
    Case::new("mailbox", "mailbox").beyond(BARE),
    Case::new("queue", "queue").beyond(BARE),
    Case::new("all four buffers", "ring,latest,mailbox,queue").beyond(BARE),
    Case::new("records", "tasks").beyond(BARE),
    Case::new("services", "services").beyond("records").showing_tasks(),
    Case::new("records and services", "services").beyond(BARE).bound(12_000, 12_000),
    // With all that an example prints, its panics among it.
    Case::new("sensors-to-alerts", "").of("examples/sensors-to-alerts/embassy").beyond(BARE),
    Case::new("links", "links").beyond(BARE),
    Case::new("MQTT", "mqtt").beyond("links"),
    Case::new("JSON", "json").beyond(BARE),
    Case::new("CBOR", "cbor").beyond(BARE),
    Case::new("postcard", "postcard").beyond(BARE),
    Case::new(BY_HAND, "").of("tests/firmware-bare-mqtt"),
    Case::new("sensors-to-alerts over MQTT", "")
        .of("examples/embassy-sensors-to-alerts")
        .beyond(BY_HAND)
        .bound(20_000, 4_000),
];

impl Case {
    /// The program of `tests/firmware-sizes` with these features.
    const fn new(name: &'static str, features: &'static str) -> Self {
        Self { name, folder: PROGRAMS, features, beyond: None, bound: None, shows_tasks: false }
    }

    /// The program of another package.
    const fn of(self, folder: &'static str) -> Self {
        Self { folder, ..self }
    }

    const fn beyond(self, before: &'static str) -> Self {
        Self { beyond: Some(before), ..self }
    }

    const fn bound(self, flash: u64, ram: u64) -> Self {
        Self { bound: Some(Size { flash, ram }), ..self }
    }

    const fn showing_tasks(self) -> Self {
        Self { shows_tasks: true, ..self }
    }

    /// Its name, with what it is measured beyond.
    pub fn title(&self) -> String {
        match self.beyond {
            Some(before) => format!("{}, beyond {before}", self.name),
            None => self.name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_name_of_its_own_and_stands_after_the_one_it_builds_on() {
        for (place, case) in CASES.iter().enumerate() {
            let before = &CASES[..place];
            assert!(before.iter().all(|other| other.name != case.name), "{} stands twice", case.name);
            assert!(case.beyond.is_none_or(|name| before.iter().any(|case| case.name == name)), "{}", case.title());
        }
    }

    #[test]
    fn a_case_is_said_with_what_it_builds_on() {
        let case = Case::new("an application", "mqtt").of("examples/it").beyond("the same by hand");
        assert_eq!((case.title().as_str(), case.folder), ("an application, beyond the same by hand", "examples/it"));
    }
}
