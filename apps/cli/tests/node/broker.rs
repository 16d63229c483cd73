//! A Mosquitto of one's own on a free port, and its clients.

use crate::process::{Process, command};
use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

pub struct Broker {
    pub port: u16,
    process: Process,
}

/// A client that has subscribed.
pub struct Subscriber(Process);

/// Tells values from what the client prints about itself.
const CAME: &str = "came: ";

impl Subscriber {
    /// Waits for the next value: `topic payload`.
    pub fn next(&self) -> String {
        self.0.prints(CAME).trim_start_matches(CAME).to_owned()
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a port");
    listener.local_addr().expect("it has an address").port()
}

impl Broker {
    pub fn start() -> Self {
        // Somebody else may take a port that was free.
        (0..10).find_map(|_| Self::at(free_port())).expect("one of ten ports stays free")
    }

    /// `None` when the port is taken.
    pub fn at(port: u16) -> Option<Self> {
        // `-v` says what it does, and that it runs; without a config it listens on this machine alone.
        let process = Process::start("mosquitto", &["-v", "-p", &port.to_string()], Path::new("/"));
        process.says_before_its_end(" running").then_some(Broker { port, process })
    }

    /// A client that has subscribed.
    pub fn subscribe(&self, topic: &str) -> Subscriber {
        let format = &format!("{CAME}%t %p");
        // `stdbuf`: a pipe would get its lines in blocks.
        let arguments = ["-oL", "mosquitto_sub", "-d", "-q", "1", "-t", topic, "-F", format, "-p"];
        let process = Process::start("stdbuf", &[&arguments[..], &[&self.port.to_string()]].concat(), Path::new("/"));
        process.prints("Subscribed (mid: ");
        Subscriber(process)
    }

    pub fn publish(&self, topic: &str, payload: &str) {
        let port = self.port.to_string();
        let arguments = ["-q", "1", "-t", topic, "-m", payload, "-p", &port];
        let published = command("mosquitto_pub", &arguments, Path::new("/")).status();
        assert!(published.expect("it starts").success());
    }

    /// Publishes `{"n": 0}`, `{"n": 1}` and so on, while the test goes on.
    pub fn publish_lines(&self, topic: &str, count: usize) -> Process {
        let lines = format!("i=0; while [ $i -lt {count} ]; do echo \"{{\\\"n\\\": $i}}\"; i=$((i + 1)); done");
        let pipe = format!("{lines} | mosquitto_pub -q 1 -l -t {topic} -p {}", self.port);
        Process::start("sh", &["-c", &pipe], Path::new("/"))
    }

    pub fn end(self) {
        self.process.signal("TERM");
        self.process.end();
    }
}
