//! A Mosquitto of one's own on a port of one's own, and its clients.

use crate::process::{Process, command};
use socket2::{Domain, Socket, Type};
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
};
use tempfile::TempDir;

/// A port that is this test's: nobody is given it while this is held, and who connects to it is refused until a broker
/// listens there.
pub struct Port {
    pub number: u16,
    _held: Socket,
}

impl Port {
    pub fn free() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
        // Without `SO_REUSEADDR` it is given no port that somebody else holds so; with it, a broker may listen there.
        socket.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into()).expect("there is a port");
        socket.set_reuse_address(true).expect("it is a TCP socket");
        let address = socket.local_addr().expect("it has an address").as_socket().expect("it is one of the internet");
        Port { number: address.port(), _held: socket }
    }
}

pub struct Broker {
    pub port: u16,
    process: Process,
    directory: TempDir,
    _held: Option<Port>,
}

/// A client that has subscribed.
pub struct Subscriber(Process);

/// Tells values from what the client prints about itself.
const CAME: &str = "came: ";

/// Subscribes at the broker that listens on `port`.
pub fn subscribe(port: u16, topic: &str) -> Subscriber {
    let (port, format) = (port.to_string(), format!("{CAME}%t %p"));
    // `stdbuf`: a pipe would get its lines in blocks.
    let arguments =
        ["-oL", "mosquitto_sub", "-d", "-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", topic, "-F", &format];
    let process = Process::start("stdbuf", &arguments, Path::new("/"));
    process.prints("Subscribed (mid: ");
    Subscriber(process)
}

impl Subscriber {
    /// Waits for the next value: `topic payload`.
    pub fn next(&self) -> String {
        self.0.prints(CAME).trim_start_matches(CAME).to_owned()
    }
}

impl Broker {
    pub fn start() -> Self {
        let port = Port::free();
        let broker = Self::at(&port);
        Broker { _held: Some(port), ..broker }
    }

    /// The port has to be held as long as the broker is used.
    pub fn at(port: &Port) -> Self {
        let port = port.number;
        let directory = tempfile::tempdir().expect("there is room");
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\n");
        fs::write(directory.path().join("broker.conf"), text).expect("there is room");
        // `-v` says what it does, and that it runs.
        let process = Process::start("mosquitto", &["-v", "-c", "broker.conf"], directory.path());
        process.says(" running");
        Broker { port, process, directory, _held: None }
    }

    /// A client that has subscribed.
    pub fn subscribe(&self, topic: &str) -> Subscriber {
        subscribe(self.port, topic)
    }

    pub fn publish(&self, topic: &str, payload: &str) {
        let port = self.port.to_string();
        let arguments = ["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", topic, "-m", payload];
        let published = command("mosquitto_pub", &arguments, Path::new("/")).status();
        assert!(published.expect("it starts").success());
    }

    /// Publishes `{"n": 0}`, `{"n": 1}` and so on, while the test goes on.
    pub fn publish_lines(&self, topic: &str, count: usize) -> Process {
        let lines: String = (0..count).map(|n| format!("{{\"n\": {n}}}\n")).collect();
        let file = self.directory.path().join("lines");
        fs::write(&file, lines).expect("there is room");
        let port = self.port.to_string();
        let arguments = ["-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", topic, "-l"];
        let mut publishes = command("mosquitto_pub", &arguments, Path::new("/"));
        publishes.stdin(File::open(&file).expect("it was written"));
        Process::of("mosquitto_pub", publishes)
    }

    pub fn end(self) {
        self.process.signal("TERM");
        self.process.end();
    }
}
