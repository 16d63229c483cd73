//! The tests' Mosquitto, which loses nothing and holds nobody up, and how much of a processor it takes.

use anabranch_brokers::Setup;
use std::{fs, io, time::Duration};

pub struct Mosquitto {
    broker: anabranch_brokers::Mosquitto,
    pub port: u16,
}

impl Mosquitto {
    /// One that lets each client have so many values under way.
    pub fn start(in_flight: u16) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let setup = Setup::default().quiet().setting(&format!("max_inflight_messages {in_flight}"));
        let broker = runtime.block_on(anabranch_brokers::Mosquitto::start(setup));
        let port = broker.port();
        Ok(Mosquitto { broker, port })
    }

    /// The CPU time that it has taken, to a hundredth of a second.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.broker.process().id())).unwrap_or_default();
        // After the name, which may hold spaces: the state is the third field, the two times are the 14th and 15th.
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }
}
