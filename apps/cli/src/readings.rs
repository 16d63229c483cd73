//! The values that pass through the demo's records, and how each is said in words.

use std::{fmt, ops::RangeInclusive, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// A value and when it was measured. Outside it is one object: the time stands beside the value's fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading<T> {
    pub time: Timestamp,
    #[serde(flatten)]
    pub value: T,
}

/// How busy the processor was since the reading before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cpu {
    pub percent: f64,
    pub busiest_core_percent: f64,
    pub cores: usize,
}

/// How much memory is in use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    pub percent: f64,
    pub used_bytes: u64,
    pub total_bytes: u64,
    pub swap_used_bytes: u64,
    pub swap_total_bytes: u64,
}

/// The fullest disk, and what went to and from all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    pub percent: f64,
    pub used_bytes: u64,
    pub total_bytes: u64,
    pub mount_point: Arc<str>,
    pub read_bytes_per_second: f64,
    pub written_bytes_per_second: f64,
}

/// What went through all interfaces but the loopback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    pub received_bytes_per_second: f64,
    pub sent_bytes_per_second: f64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
}

/// The hottest sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Temperature {
    pub celsius: f64,
    pub sensor: Arc<str>,
    pub sensors: usize,
}

/// How near the machine is to its limits: the higher of processor and memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    pub percent: f64,
    pub bound_by: Quantity,
}

impl Load {
    pub fn of(cpu: &Cpu, memory: &Memory) -> Self {
        if cpu.percent >= memory.percent {
            Load { percent: cpu.percent, bound_by: Quantity::Cpu }
        } else {
            Load { percent: memory.percent, bound_by: Quantity::Memory }
        }
    }
}

/// What has a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Quantity {
    Cpu,
    Memory,
    Disk,
    Temperature,
}

impl Quantity {
    pub const ALL: [Quantity; 4] = [Quantity::Cpu, Quantity::Memory, Quantity::Disk, Quantity::Temperature];

    pub fn unit(self) -> &'static str {
        match self {
            Quantity::Cpu | Quantity::Memory | Quantity::Disk => "%",
            Quantity::Temperature => "°C",
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Quantity::Cpu => "cpu",
            Quantity::Memory => "memory",
            Quantity::Disk => "disk",
            Quantity::Temperature => "temperature",
        })
    }
}

/// One quantity's value, as it was measured or smoothed, beside its limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Level {
    pub of: Quantity,
    pub value: f64,
    pub limit: f64,
}

impl Level {
    /// How near it is to its limit, in per cent.
    pub fn share(&self) -> f64 {
        if self.limit > 0.0 { 100.0 * self.value / self.limit } else { 100.0 }
    }
}

/// A smoothed quantity went over its limit, or came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    pub of: Quantity,
    pub state: AlertState,
    pub value: f64,
    /// The line that it crossed: the limit when raised, the limit less the hysteresis when cleared.
    pub line: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AlertState {
    Raised,
    Cleared,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Alert { of, state, value, line } = self;
        let (unit, side) = match state {
            AlertState::Raised => (of.unit(), "is above"),
            AlertState::Cleared => (of.unit(), "is back below"),
        };
        write!(f, "{of} {side} {line} {unit}: {value:.1} {unit}")
    }
}

/// Above what a smoothed level raises an alert.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    #[serde(rename = "cpu")]
    pub cpu_percent: f64,
    #[serde(rename = "memory")]
    pub memory_percent: f64,
    #[serde(rename = "disk")]
    pub disk_percent: f64,
    #[serde(rename = "temperature")]
    pub celsius: f64,
}

/// What limits can be.
pub const PERCENT: RangeInclusive<f64> = 0.0..=100.0;
pub const CELSIUS: RangeInclusive<f64> = -273.15..=1000.0;

/// Limits that somebody asks for from outside: `{"cpu":50}`. What it does not name is as it was at the start, so that a
/// command that comes twice, or is retained, says the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
}

/// A command that cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("it is no command ({0}): send {{\"cpu\":50}}, or nothing for the limits of the start")]
    NoCommand(#[from] serde_json::Error),
    #[error("{of} cannot be limited to {limit}: from {} to {} {}", .range.start(), .range.end(), .of.unit())]
    OutOfRange { of: Quantity, limit: f64, range: RangeInclusive<f64> },
}

impl Command {
    /// Reads a message: JSON, or nothing at all, which is what a retained message becomes when it is taken back.
    pub fn read(payload: &[u8]) -> Result<Self, Refusal> {
        if payload.is_empty() {
            return Ok(Command::default());
        }
        let command: Command = serde_json::from_slice(payload)?;
        let Command { cpu, memory, disk, temperature } = command;
        let ranges = [
            (Quantity::Cpu, cpu, PERCENT),
            (Quantity::Memory, memory, PERCENT),
            (Quantity::Disk, disk, PERCENT),
            (Quantity::Temperature, temperature, CELSIUS),
        ];
        for (of, limit, range) in ranges {
            if let Some(limit) = limit.filter(|limit| !range.contains(limit)) {
                return Err(Refusal::OutOfRange { of, limit, range });
            }
        }
        Ok(command)
    }

    /// What the limits are by it, when they were these at the start.
    pub fn applied_to(self, begun: Limits) -> Limits {
        Limits {
            cpu_percent: self.cpu.unwrap_or(begun.cpu_percent),
            memory_percent: self.memory.unwrap_or(begun.memory_percent),
            disk_percent: self.disk.unwrap_or(begun.disk_percent),
            celsius: self.temperature.unwrap_or(begun.celsius),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = [self.cpu, self.memory, self.disk, self.temperature];
        let mut named = Quantity::ALL.into_iter().zip(of).filter_map(|(of, limit)| Some((of, limit?)));
        let Some((of, limit)) = named.next() else { return f.write_str("as at the start") };
        write!(f, "{of} {limit} {}", of.unit())?;
        named.try_for_each(|(of, limit)| write!(f, ", {of} {limit} {}", of.unit()))
    }
}

/// How long a reading took from where it was measured over the broker and back, beside those before it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Crossing {
    pub milliseconds: f64,
    /// Half of the newest took no longer.
    pub p50_milliseconds: f64,
    /// All but a hundredth of the newest took no longer.
    pub p99_milliseconds: f64,
    /// How many are the newest.
    pub among: usize,
}

/// Any of them: what an output is handed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    Cpu(Cpu),
    Memory(Memory),
    Disk(Disk),
    Network(Network),
    Temperature(Temperature),
    Load(Load),
    Level(Level),
    Alert(Alert),
    Limits(Limits),
    Command(Command),
    Crossing(Crossing),
}

macro_rules! value_from {
    ($($ty:ident),*) => {$(
        impl From<$ty> for Value {
            fn from(value: $ty) -> Self {
                Value::$ty(value)
            }
        }
    )*};
}
value_from!(Cpu, Memory, Disk, Network, Temperature, Load, Level, Alert, Limits, Command, Crossing);

/// How a value is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plotted {
    /// On a scale from 0 to 100.
    OfHundred(f64),
    /// On the scale of what was seen.
    Free(f64),
    /// Not at all.
    Not,
}

impl Plotted {
    pub fn number(self) -> f64 {
        match self {
            Plotted::OfHundred(number) | Plotted::Free(number) => number,
            Plotted::Not => 0.0,
        }
    }
}

impl Value {
    /// It in a few words: at most 19 characters.
    pub fn short(&self) -> String {
        match self {
            Value::Cpu(cpu) => percent(cpu.percent),
            Value::Memory(memory) => percent(memory.percent),
            Value::Disk(disk) => percent(disk.percent),
            Value::Network(network) => {
                let both = [network.received_bytes_per_second, network.sent_bytes_per_second];
                let (unit, divisor) = scale(both[0].max(both[1]));
                format!("↓{} ↑{} {unit}/s", digits(both[0] / divisor), digits(both[1] / divisor))
            }
            Value::Temperature(temperature) => format!("{:.1} °C", temperature.celsius),
            Value::Load(load) => format!("{} {}", percent(load.percent), load.bound_by),
            Value::Level(level) => format!("{} {:.1} {}", level.of, level.value, level.of.unit()),
            Value::Alert(alert) => {
                let state = match alert.state {
                    AlertState::Raised => "raised",
                    AlertState::Cleared => "cleared",
                };
                format!("{} {state}", alert.of)
            }
            Value::Limits(limits) => format!("cpu {} %", limits.cpu_percent),
            Value::Command(command) => command.to_string(),
            Value::Crossing(crossing) => {
                format!("{} ms, p99 {}", millis(crossing.milliseconds), millis(crossing.p99_milliseconds))
            }
        }
    }

    /// What else there is to say.
    pub fn more(&self) -> String {
        match self {
            Value::Cpu(Cpu { busiest_core_percent, cores, .. }) => {
                format!("{cores} cores, busiest {busiest_core_percent:.0} %")
            }
            Value::Memory(memory) => of_bytes(memory.used_bytes, memory.total_bytes),
            Value::Disk(disk) => format!(
                "{} on {}, reads {}/s, writes {}/s",
                of_bytes(disk.used_bytes, disk.total_bytes),
                disk.mount_point,
                bytes(disk.read_bytes_per_second),
                bytes(disk.written_bytes_per_second),
            ),
            Value::Network(Network { received_bytes, sent_bytes, .. }) => {
                format!("{} in, {} out in all", bytes(*received_bytes as f64), bytes(*sent_bytes as f64))
            }
            Value::Temperature(Temperature { sensor, sensors, .. }) => format!("{sensor}, hottest of {sensors}"),
            Value::Load(load) => format!("bound by {}", load.bound_by),
            Value::Level(level) => format!("{:.0} % of its limit", level.share()),
            Value::Alert(alert) => alert.to_string(),
            Value::Limits(Limits { memory_percent, disk_percent, celsius, .. }) => {
                format!("memory {memory_percent} %, disk {disk_percent} %, temperature {celsius} °C")
            }
            Value::Command(_) => "came from the broker".to_owned(),
            Value::Crossing(Crossing { p50_milliseconds, among, .. }) => {
                format!("p50 {} of {among}, cpu to the broker and back", millis(*p50_milliseconds))
            }
        }
    }

    pub fn plotted(&self) -> Plotted {
        match self {
            Value::Cpu(cpu) => Plotted::OfHundred(cpu.percent),
            Value::Memory(memory) => Plotted::OfHundred(memory.percent),
            Value::Disk(disk) => Plotted::OfHundred(disk.percent),
            Value::Network(net) => Plotted::Free(net.received_bytes_per_second + net.sent_bytes_per_second),
            Value::Temperature(temperature) => Plotted::OfHundred(temperature.celsius),
            Value::Load(load) => Plotted::OfHundred(load.percent),
            Value::Level(level) => Plotted::OfHundred(level.share()),
            Value::Crossing(crossing) => Plotted::Free(crossing.milliseconds),
            Value::Alert(_) | Value::Limits(_) | Value::Command(_) => Plotted::Not,
        }
    }
}

/// A value that passed through a record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seen {
    pub record: &'static str,
    pub time: Timestamp,
    pub value: Value,
}

/// Milliseconds with the digits that tell something.
fn millis(millis: f64) -> String {
    match millis {
        short if short < 9.995 => format!("{short:.2}"),
        middle if middle < 99.95 => format!("{middle:.1}"),
        long => format!("{long:.0}"),
    }
}

/// Right-aligned to three digits before the point, so that a column of them is one.
fn percent(percent: f64) -> String {
    format!("{percent:5.1} %")
}

fn of_bytes(used: u64, total: u64) -> String {
    let (unit, divisor) = scale(total as f64);
    format!("{} of {} {unit}", digits(used as f64 / divisor), digits(total as f64 / divisor))
}

/// An amount with its unit.
pub fn bytes(bytes: f64) -> String {
    let (unit, divisor) = scale(bytes);
    format!("{} {unit}", digits(bytes / divisor))
}

/// The unit in which `bytes` has at most four digits before the point.
fn scale(bytes: f64) -> (&'static str, f64) {
    const UNITS: [(&str, f64); 4] = [
        ("TiB", 1_099_511_627_776.0),
        ("GiB", 1_073_741_824.0),
        ("MiB", 1_048_576.0),
        // Less than a KiB is said as a part of one: a column that jumps between units cannot be read.
        ("KiB", 1024.0),
    ];
    UNITS.into_iter().find(|(_, size)| bytes >= *size).unwrap_or(UNITS[3])
}

/// One digit after the point where there are less than three before it.
fn digits(number: f64) -> String {
    if number < 99.95 { format!("{number:.1}") } else { format!("{number:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_a_unit_and_few_digits() {
        assert_eq!(bytes(0.0), "0.0 KiB");
        assert_eq!(bytes(512.0), "0.5 KiB");
        assert_eq!(bytes(1023.0 * 1024.0), "1023 KiB");
        assert_eq!(bytes(1.5 * 1_073_741_824.0), "1.5 GiB");
        assert_eq!(of_bytes(1_073_741_824, 100 * 1_073_741_824), "1.0 of 100 GiB");
    }

    #[test]
    fn short_values_keep_to_their_column() {
        let network = |rate| {
            let network = Network {
                received_bytes_per_second: rate,
                sent_bytes_per_second: rate,
                received_bytes: 0,
                sent_bytes: 0,
            };
            Value::from(network).short()
        };
        for rate in [0.0, 1023.9 * 1024.0, 1e9, 1.09e12] {
            assert!(network(rate).chars().count() <= 19, "{}", network(rate));
        }
        let crossing = Crossing { milliseconds: 59_999.9, p50_milliseconds: 1.0, p99_milliseconds: 59_999.9, among: 1 };
        assert!(Value::from(crossing).short().chars().count() <= 19);
        let level = Level { of: Quantity::Temperature, value: 100.0, limit: 80.0 };
        assert!(Value::from(level).short().chars().count() <= 20);
    }

    #[test]
    fn an_alert_says_which_line_was_crossed() {
        let alert = Alert { of: Quantity::Temperature, state: AlertState::Raised, value: 81.26, line: 80.0 };
        assert_eq!(alert.to_string(), "temperature is above 80 °C: 81.3 °C");
    }

    #[test]
    fn a_command_names_limits_and_the_rest_is_as_at_the_start() {
        let begun = Limits { cpu_percent: 80.0, memory_percent: 90.0, disk_percent: 95.0, celsius: 70.0 };
        let by = |payload: &[u8]| Command::read(payload).map(|command| command.applied_to(begun)).ok();
        assert_eq!(by(br#"{"cpu":50}"#), Some(Limits { cpu_percent: 50.0, ..begun }));
        assert_eq!(
            by(br#"{"disk":12.5,"temperature":-5}"#),
            Some(Limits { disk_percent: 12.5, celsius: -5.0, ..begun })
        );
        assert_eq!(by(b""), Some(begun));
        assert_eq!(Command::read(br#"{"cpu":50,"disk":9}"#).unwrap().to_string(), "cpu 50 %, disk 9 %");
    }

    #[test]
    fn a_command_that_cannot_be_carried_out_says_what_to_send() {
        for (wrong, says) in [
            ("50", "send {\"cpu\":50}"),
            ("{\"cpus\":50}", "unknown field `cpus`, expected one of `cpu`"),
            ("{\"cpu\":\"high\"}", "expected f64"),
            ("{\"cpu\":101}", "cpu cannot be limited to 101: from 0 to 100 %"),
            ("{\"temperature\":-300}", "from -273.15 to 1000 °C"),
        ] {
            let refusal = Command::read(wrong.as_bytes()).unwrap_err().to_string();
            assert!(refusal.contains(says), "{wrong}: {refusal}");
        }
    }

    #[test]
    fn load_is_the_higher_of_both() {
        let cpu = |percent| Cpu { percent, busiest_core_percent: percent, cores: 1 };
        let memory = Memory { percent: 30.0, used_bytes: 0, total_bytes: 0, swap_used_bytes: 0, swap_total_bytes: 0 };
        assert_eq!(Load::of(&cpu(20.0), &memory), Load { percent: 30.0, bound_by: Quantity::Memory });
        assert_eq!(Load::of(&cpu(40.0), &memory), Load { percent: 40.0, bound_by: Quantity::Cpu });
    }
}
