//! What can be typed, and what is said to what cannot.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{
    check::Check,
    completions::Completions,
    readings::{CELSIUS, Limits, PERCENT},
    run::Run,
    services::{LEAST_PERIOD, Watching},
    store, tell,
    watch::Watch,
};

const EXAMPLES: &str = "\
Examples:
  anabranch demo                       watch this machine live
  anabranch run                        run a node from anabranch.toml
  anabranch check                      say what is wrong with that, or what it describes
  anabranch watch temperature          follow a record of that node
  anabranch demo --plain --for 10s     a line a reading, for ten seconds
  anabranch put rooms kitchen 21.5     keep a value, as one more version of its key
  anabranch get rooms kitchen --at 2026-01-31T08:05:00Z
  anabranch history rooms kitchen      all that it ever was
  anabranch diff rooms kitchen '1 h ago' now
  anabranch watch rooms/ --from '1 h ago'
  anabranch export rooms.anb           all of a store in one file
  anabranch run --help                 a config to begin with

Exit codes: 0 done, 1 failed, 2 wrong use or a wrong config, 3 not found, 4 conflict";

/// Anabranch: one live data engine for every place where data lives.
#[derive(Debug, Parser)]
#[command(name = "anabranch", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this machine live: real readings through records, services and a broker
    Demo(Demo),
    Run(Run),
    Check(Check),
    Watch(Watch),
    Put(store::Put),
    Get(store::Get),
    Delete(store::Delete),
    History(store::History),
    List(store::List),
    Diff(store::DiffOf),
    Why(store::Why),
    Stats(store::StatsOf),
    Verify(store::Verify),
    Export(store::Export),
    Import(store::Import),
    Completions(Completions),
}

const DEMO_EXAMPLES: &str = "\
What happens: cpu, memory, disk, network, and temperature where the machine has sensors, are measured and flow
through typed records. Joins make levels and the load of them, and a supervised service smooths the levels and
raises alerts. All of it goes out over MQTT, to a broker in the process or to yours; the readings of the processor
come back from there, and are timed; and limits can be set from outside. What is measured and made of it is kept on
disk, and the next demo begins with it; of each key the newest 86,400 versions stay, a day's at one a second.

Examples:
  anabranch demo                              the live view: g shows the graph, p pauses, q ends
  anabranch demo --cpu-above 50               an alert as soon as half of the processor is busy
  anabranch demo --every 250ms --for 1min     four readings a second, for a minute
  anabranch demo --plain | tee readings.txt   a line a reading
  anabranch demo --json | jq 'select(.record == \"cpu\").value.percent'
  anabranch demo --graph > flow.mmd           the records, services and links as Mermaid text
  anabranch demo --broker mqtt://127.0.0.1    through a broker that runs already

Beside it, with the port that it shows (Debian: mosquitto-clients) and the name of this machine:
  mosquitto_sub -p PORT -t 'anabranch/#' -v
  mosquitto_pub -p PORT -t anabranch/HOST/limits/set -r -m '{\"cpu\":50}'     limits: cpu, memory, disk, temperature
  mosquitto_pub -p PORT -t anabranch/HOST/limits/set -r -n                   as they were at the start

What is kept, while no demo runs, with the directory that it says:
  anabranch list --data DIR                              one namespace a record
  anabranch history cpu cpu --data DIR                   what the processor did

Each JSON line is one value: {\"record\": \"cpu\", \"time\": \"2026-01-31T08:05:09.123456789Z\", \"value\": {…}}; the first and
the last say in the same form how much is kept: {\"record\": \"store\", …}.";

#[derive(Debug, Args)]
#[command(after_help = DEMO_EXAMPLES)]
pub struct Demo {
    /// How often to measure, as 250ms, 1s or 2min
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = period)]
    pub every: Duration,

    /// End by itself after this time, as 10s, 5min or 1h
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub run_for: Option<Duration>,

    /// Print a line a reading; chosen by itself when the output is no terminal
    #[arg(long)]
    pub plain: bool,

    /// Print one JSON object a line, for each value of each record
    #[arg(long)]
    pub json: bool,

    /// Go through this broker, as mqtt://host or mqtts://user:password@host:8883, and not through one in the process
    #[arg(long, value_name = "URL", conflicts_with = "no_mqtt")]
    pub broker: Option<String>,

    /// Publish nothing and take no commands
    #[arg(long)]
    pub no_mqtt: bool,

    /// Keep what is measured in this directory, and go on with what is there; one demo at a time has it
    ///
    /// Of each key the newest 86,400 versions are kept, compressed after 10 minutes: some 60 MB of disk at most.
    ///
    /// [default: anabranch/demo in $XDG_STATE_HOME or ~/.local/state; where that is in use, this demo says so and keeps nothing]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Keep nothing
    #[arg(long, conflicts_with = "data")]
    pub no_data: bool,

    /// Print the records, services and links as Mermaid text, and end
    #[arg(long, conflicts_with_all = ["plain", "json", "run_for"])]
    pub graph: bool,

    /// Raise an alert when the smoothed processor use is above this
    #[arg(long, value_name = "PERCENT", default_value = "80", value_parser = percent)]
    pub cpu_above: f64,

    /// Raise an alert when memory is fuller than this
    #[arg(long, value_name = "PERCENT", default_value = "90", value_parser = percent)]
    pub memory_above: f64,

    /// Raise an alert when a disk is fuller than this
    #[arg(long, value_name = "PERCENT", default_value = "90", value_parser = percent)]
    pub disk_above: f64,

    /// Raise an alert when the hottest sensor is above this
    #[arg(long, value_name = "CELSIUS", default_value = "80", value_parser = celsius, allow_negative_numbers = true)]
    pub temperature_above: f64,

    /// How far below its limit a level has to come for its alert to clear
    #[arg(long, value_name = "POINTS", default_value = "5", value_parser = percent)]
    pub hysteresis: f64,

    /// Over what time levels are smoothed; 0s smooths nothing
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub smooth_over: Duration,
}

impl Demo {
    pub fn limits(&self) -> Limits {
        Limits {
            cpu_percent: self.cpu_above,
            memory_percent: self.memory_above,
            disk_percent: self.disk_above,
            celsius: self.temperature_above,
        }
    }

    pub fn watching(&self) -> Watching {
        Watching { smooth_over: self.smooth_over, hysteresis: self.hysteresis }
    }
}

/// The units of time that can be written, the longer names first.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("min", 60_000), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

fn duration(text: &str) -> Result<Duration, String> {
    let how = "write a number and a unit: 250ms, 10s, 5min or 1h";
    let (number, millis) = UNITS
        .into_iter()
        .find_map(|(unit, millis)| Some((text.strip_suffix(unit)?, millis)))
        .ok_or_else(|| format!("it has no unit; {how}"))?;
    let number: u64 = number.trim().parse().map_err(|_| format!("`{number}` is no whole number; {how}"))?;
    number.checked_mul(millis).map(Duration::from_millis).ok_or_else(|| format!("that is too long; {how}"))
}

fn period(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every < LEAST_PERIOD {
        let least = LEAST_PERIOD.as_millis();
        return Err(format!("the system's processor counters move too little in that time; write {least}ms or more"));
    }
    Ok(every)
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.trim_end_matches('%').trim().parse().map_err(|_| "write a number, as 80".to_owned())?;
    PERCENT.contains(&number).then_some(number).ok_or_else(|| "write a number from 0 to 100".to_owned())
}

fn celsius(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a number, as 80".to_owned())?;
    CELSIUS.contains(&number).then_some(number).ok_or_else(|| "write degrees Celsius, as 80".to_owned())
}

/// Commands that are designed and not there yet.
const LATER: [&str; 2] = ["query", "vector"];

impl Arguments {
    /// What was typed.
    ///
    /// # Errors
    /// Help and version are errors, too, as they end the program.
    pub fn read(typed: impl IntoIterator<Item = OsString>) -> Result<Self, Refused> {
        Self::try_parse_from(typed).map_err(Refused)
    }
}

/// What was typed is no command to carry out.
pub struct Refused(clap::Error);

impl Refused {
    /// Says why, or what was asked for, and gives the exit code.
    pub fn say(&self) -> u8 {
        match (self.0.kind(), self.0.get(ContextKind::InvalidSubcommand)) {
            (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name))) => tell(unknown(name, &self.0)),
            // A closed pipe has nobody to tell.
            _ => drop(self.0.print()),
        }
        u8::try_from(self.0.exit_code()).unwrap_or(2)
    }
}

fn unknown(name: &str, error: &clap::Error) -> String {
    let what = match (LATER.contains(&name), error.get(ContextKind::SuggestedSubcommand)) {
        (true, _) => format!("`anabranch {name}` is not there yet"),
        (false, Some(ContextValue::Strings(similar))) if !similar.is_empty() => {
            format!("there is no command `{name}`; did you mean `{}`?", similar[0])
        }
        (false, _) => format!("there is no command `{name}`"),
    };
    format!(
        "error: {what}\n\nThis version has:\n  \
         anabranch demo     watch this machine live\n  \
         anabranch run      run a node from a config\n  \
         anabranch check    say what is wrong with a config\n  \
         anabranch watch    follow a record of a running node, or what is written to a store\n  \
         anabranch put, get, delete, history, list, diff, why     a store: every version of every key\n  \
         anabranch stats, verify, export, import                  a store as a whole\n  \
         anabranch completions    what shells need\n\nFor more, try `anabranch --help`."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_has_no_fault() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("2m"), duration("2min"));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for wrong in ["", "10", "s", "-1s", "1.5s", "99999999999999999h", "10 parsecs"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_machine_is_not_asked_faster_than_it_counts() {
        assert_eq!(period("200ms"), Ok(LEAST_PERIOD));
        assert!(period("199ms").unwrap_err().contains("200ms"));
    }

    #[test]
    fn limits_are_numbers_that_can_be_reached() {
        assert_eq!(percent("80"), Ok(80.0));
        assert_eq!(percent("80%"), Ok(80.0));
        assert_eq!(celsius("-10"), Ok(-10.0));
        for wrong in ["-1", "101"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
        for wrong in ["NaN", "inf", "many", "1e9"] {
            assert!(percent(wrong).is_err() && celsius(wrong).is_err(), "{wrong}");
        }
    }
}
