//! MQTT in → record → MQTT out: our bridge beside the same bridge by hand on `rumqttc`, and beside AimDB's.
//!
//! Each bridge is a process of its own ([`child`]) and does the same: it decodes JSON from a hundred topics into a struct,
//! and publishes the struct as JSON to a hundred others. One load ([`load`]) drives all of them, through a real Mosquitto,
//! through two, and alone. One Mosquitto, which has one thread and through which every value goes twice, holds all bridges up
//! alike; with one on either side the machine is full: of some 45 us that two processors spend on a value a bridge by hand
//! takes 10, so that one that took nothing at all would have 1.3 times its rate. What a bridge itself can do shows alone, where
//! the load is its broker: there, and in CPU time a value, it is held to a bound.

mod aimdb;
mod by_hand;
mod child;
mod load;
mod mosquitto;
mod ours;
mod packets;
mod reading;

pub use child::be_a_bridge;

use crate::asked;
use anabranch_bench::{Bound, Report, Row, median};
use child::{Bridge, Kind};
use load::{Load, Pace, Ran};
use mosquitto::Mosquitto;
use std::{io, net::TcpListener, time::Duration};

/// How many values may be under way to a bridge and from it: all bridges, and Mosquitto, have room for so many.
const IN_FLIGHT: u16 = 1000;
const ROUNDS: usize = 7;
/// How long a round lasts in which as many values are sent as a bridge takes.
const FLOOD: Duration = Duration::from_millis(400);
/// Values of the first such round, which finds out how many those are.
const FIRST: u64 = 20_000;
/// How long a round lasts in which one value is sent after the other.
const ONE_BY_ONE: Duration = Duration::from_millis(250);
/// Rounds in which values come at a pace: the time between two of them, and how many there are. 2,000 a second, which leaves
/// time between any two, and 20,000, where they come faster than each can be dealt with by itself for nothing.
const PACES: [(Duration, u64); 2] = [(Duration::from_micros(500), 1_000), (Duration::from_micros(50), 10_000)];

/// A bridge, its load, and what was measured.
struct Contestant {
    kind: Kind,
    bridge: Bridge,
    load: Load,
    /// How many it takes in a round, as the round before has shown.
    values: u64,
    flood: Figures,
    one_by_one: Vec<Duration>,
    paced: [Figures; PACES.len()],
}

#[derive(Default)]
struct Figures {
    /// Of each round.
    rates: Vec<f64>,
    /// Microseconds of CPU time a value, of each round.
    cpu: Vec<f64>,
    /// Of all rounds.
    latencies: Vec<Duration>,
    lost: u64,
    values: u64,
}

impl Figures {
    fn add(&mut self, values: u64, ran: Ran, cpu: Duration) {
        let returned = (values - ran.lost) as f64;
        self.rates.push(returned / ran.took.as_secs_f64());
        self.cpu.push(cpu.as_secs_f64() * 1e6 / returned);
        self.latencies.extend(ran.latencies);
        self.lost += ran.lost;
        self.values += values;
    }

    /// What is said of a median latency beside it: the slowest, and how many a second did come back.
    fn tail(&self) -> String {
        let rate = median(self.rates.clone()) / 1e3;
        format!(" p99 {:.0} at {rate:.1}k/s{}", percentile(&self.latencies, 99), self.losses())
    }

    fn losses(&self) -> String {
        match self.lost {
            0 => String::new(),
            lost => format!(", loses {:.2} %", lost as f64 * 100.0 / self.values as f64),
        }
    }
}

impl Contestant {
    fn start(kind: Kind, qos: u8, brokers: Option<[&Mosquitto; 2]>) -> io::Result<Self> {
        let (bridge, mut load) = match brokers.map(|brokers| brokers.map(|broker| broker.port)) {
            Some(ports) => (Bridge::start(kind, ports, qos)?, Load::through(ports, kind.prefix(), qos)?),
            None => {
                let listener = TcpListener::bind(("127.0.0.1", 0))?;
                let bridge = Bridge::start(kind, [listener.local_addr()?.port(); 2], qos)?;
                (bridge, Load::alone(&listener, kind.prefix(), qos)?)
            }
        };
        load.is_right()?;
        let (flood, paced) = Default::default();
        Ok(Contestant { kind, bridge, load, values: FIRST, flood, one_by_one: Vec::new(), paced })
    }

    /// One round of as many as it takes.
    fn flood(&mut self) -> io::Result<()> {
        let values = self.values;
        let before = self.bridge.cpu()?;
        let ran = self.load.run(values, Pace::Flood)?;
        self.values = FIRST.max((FLOOD.as_secs_f64() / ran.took.as_secs_f64() * (values - ran.lost) as f64) as u64);
        self.flood.add(values, ran, self.bridge.cpu()? - before);
        Ok(())
    }

    /// One round of each kind of latency.
    fn latency(&mut self) -> io::Result<()> {
        self.one_by_one.extend(self.load.one_by_one(ONE_BY_ONE)?);
        for ((pace, values), paced) in PACES.into_iter().zip(&mut self.paced) {
            let before = self.bridge.cpu()?;
            let ran = self.load.run(values, Pace::Every(pace))?;
            paced.add(values, ran, self.bridge.cpu()? - before);
        }
        Ok(())
    }
}

/// Rounds in which all take their turn, of which the first does not count.
fn rounds(all: &mut [Contestant], round: impl Fn(&mut Contestant) -> io::Result<()>) -> io::Result<()> {
    for number in 0..=ROUNDS {
        for turn in 0..all.len() {
            // who goes first changes, so that none has the warmer or the cooler machine
            let turn = (turn + number) % all.len();
            round(&mut all[turn])?;
        }
        if number == 0 {
            for contestant in all.iter_mut() {
                (contestant.flood, contestant.paced) = Default::default();
                contestant.one_by_one.clear();
            }
        }
    }
    Ok(())
}

/// Microseconds, of which so many in a hundred are below.
fn percentile(latencies: &[Duration], percent: usize) -> f64 {
    let mut sorted = latencies.to_vec();
    sorted.sort();
    sorted.get(sorted.len() * percent / 100).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
}

/// What is compared.
#[derive(Clone, Copy)]
struct Measure {
    words: &'static str,
    unit: &'static str,
    bound: Bound,
    figure: fn(&Contestant) -> f64,
    /// What is said of each beside it.
    beside: fn(&Contestant) -> String,
}

/// Through brokers, which are the limit: their rate is what is measured, so it has no bound.
const THROUGH_BROKERS: [Measure; 2] = [Measure { bound: Bound::Shown, ..CAPACITY[0] }, CAPACITY[1]];

const CAPACITY: [Measure; 2] = [
    Measure {
        words: "values a second",
        unit: "1/s",
        bound: Bound::AtLeast(1.2),
        figure: |of| median(of.flood.rates.clone()),
        beside: |of| of.flood.losses(),
    },
    Measure {
        words: "CPU time a value",
        unit: "us",
        bound: Bound::AtMost(0.8),
        figure: |of| median(of.flood.cpu.clone()),
        beside: |of| of.flood.losses(),
    },
];

const LATENCY: [Measure; 5] = [
    Measure {
        words: "latency, one at a time, p50",
        unit: "us",
        bound: Bound::AtMost(1.1),
        figure: |of| percentile(&of.one_by_one, 50),
        beside: |of| format!(" p99 {:.0}", percentile(&of.one_by_one, 99)),
    },
    Measure {
        words: "latency, 2,000 a second, p50",
        unit: "us",
        bound: Bound::AtMost(1.1),
        figure: |of| percentile(&of.paced[0].latencies, 50),
        beside: |of| of.paced[0].tail(),
    },
    Measure {
        // Each comes alone: what is measured is the system's calls to wait, to read and to write, which are the same for all.
        words: "CPU time a value, 2,000 a second",
        unit: "us",
        bound: Bound::Shown,
        figure: |of| median(of.paced[0].cpu.clone()),
        beside: |of| of.paced[0].losses(),
    },
    Measure {
        words: "latency, 20,000 a second, p50",
        unit: "us",
        bound: Bound::AtMost(1.1),
        figure: |of| percentile(&of.paced[1].latencies, 50),
        beside: |of| of.paced[1].tail(),
    },
    Measure {
        words: "CPU time a value, 20,000 a second",
        unit: "us",
        bound: Bound::AtMost(0.8),
        figure: |of| median(of.paced[1].cpu.clone()),
        beside: |of| of.paced[1].losses(),
    },
];

/// Ours beside each peer.
fn compare(report: &mut Report, case: &str, all: &[Contestant], measures: &[Measure], note: &str) {
    let Some((ours, peers)) = all.split_first() else { return };
    for Measure { words, unit, bound, figure, beside } in measures {
        for peer in peers {
            let name = if peer.kind == Kind::ByHand { "rumqttc by hand" } else { "AimDB" };
            let said = [beside(ours), beside(peer)];
            let said = if said.iter().all(String::is_empty) {
                String::new()
            } else {
                format!("ours{}, peer{}", said[0], said[1])
            };
            report.add(Row {
                case: format!("{case}: {words}"),
                unit,
                ours: figure(ours),
                peer: (name, figure(peer)),
                bound: *bound,
                note: [said, note.to_owned()].join(" ").trim().to_owned(),
                also: ours.flood.lost + ours.paced.iter().map(|paced| paced.lost).sum::<u64>() == 0,
            });
        }
    }
}

/// How busy the bridges are while they are flooded, of one processor.
fn busy(all: &[Contestant]) -> String {
    let of = |one: &Contestant| {
        format!("{} {:.0} %", one.kind.prefix(), median(one.flood.cpu.clone()) * median(one.flood.rates.clone()) / 1e4)
    };
    all.iter().map(of).collect::<Vec<_>>().join(", ")
}

fn through_mosquitto(report: &mut Report, qos: u8) -> io::Result<()> {
    let case = format!("MQTT bridge, QoS {qos}, Mosquitto");
    let (capacity, latency) = (asked(&format!("{case}: values a second")), asked(&format!("{case}: latency")));
    if !capacity && !latency {
        return Ok(());
    }
    let broker = Mosquitto::start(IN_FLIGHT)?;
    let mut all = Vec::new();
    for kind in Kind::ALL {
        all.push(Contestant::start(kind, qos, Some([&broker; 2]))?);
    }
    if capacity {
        let note = flood(&mut all, &[&broker])?;
        compare(report, &case, &all, &THROUGH_BROKERS, &note);
    }
    if latency {
        rounds(&mut all, Contestant::latency)?;
        compare(report, &case, &all, &LATENCY, "");
    }
    Ok(())
}

/// Floods all of them, and says how busy they and the brokers were.
fn flood(all: &mut [Contestant], brokers: &[&Mosquitto]) -> io::Result<String> {
    let cpu = || brokers.iter().map(|broker| broker.cpu()).sum::<Duration>();
    let (before, begun) = (cpu(), std::time::Instant::now());
    rounds(all, Contestant::flood)?;
    let theirs = (cpu() - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    Ok(format!("busy: Mosquitto {:.0} %, {}", theirs * 100.0, busy(all)))
}

/// From one Mosquitto to another. AimDB has no two brokers in one database.
fn through_two(report: &mut Report, qos: u8) -> io::Result<()> {
    let case = format!("MQTT bridge, QoS {qos}, two Mosquittos");
    if !asked(&format!("{case}: values a second")) {
        return Ok(());
    }
    let (from, to) = (Mosquitto::start(IN_FLIGHT)?, Mosquitto::start(IN_FLIGHT)?);
    let mut all = Vec::new();
    for kind in [Kind::Ours, Kind::ByHand] {
        all.push(Contestant::start(kind, qos, Some([&from, &to]))?);
    }
    let note = flood(&mut all, &[&from, &to])?;
    compare(report, &case, &all, &THROUGH_BROKERS, &note);
    Ok(())
}

fn alone(report: &mut Report, qos: u8) -> io::Result<()> {
    let case = format!("MQTT bridge, QoS {qos}, alone");
    if !asked(&format!("{case}: values a second")) {
        return Ok(());
    }
    let mut all = Vec::new();
    for kind in Kind::ALL {
        all.push(Contestant::start(kind, qos, None)?);
    }
    rounds(&mut all, Contestant::flood)?;
    let note = format!("busy: {}", busy(&all));
    compare(report, &case, &all, &CAPACITY, &note);
    Ok(())
}

pub fn run(report: &mut Report) {
    for qos in [0, 1] {
        for part in [through_mosquitto, through_two, alone] {
            if let Err(error) = part(report, qos) {
                eprintln!("the bridges at QoS {qos} could not be measured: {error}");
            }
        }
    }
}
