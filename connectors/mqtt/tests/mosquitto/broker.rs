//! A Mosquitto of a test's own: on a free port, with its files in a folder that goes with it.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// How long anything real may take here. Only a failure waits so long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running broker, or one that was stopped.
pub struct Mosquitto {
    process: Option<Child>,
    pub port: u16,
    folder: PathBuf,
}

impl Mosquitto {
    /// One with these lines in its configuration.
    pub fn start(name: &str, config: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("anabranch-mqtt-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let mut broker = Mosquitto { process: None, port, folder };
        broker.configure(config);
        broker.restart();
        broker
    }

    /// The same broker with another configuration.
    pub fn with_config(mut self, config: &str) -> Self {
        self.kill();
        self.configure(config);
        self.restart();
        self
    }

    /// Where a file of this name is, among its own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn configure(&self, config: &str) {
        let Mosquitto { port, folder, .. } = self;
        let config = format!(
            "listener {port} 127.0.0.1\nset_tcp_nodelay true\npersistence true\npersistence_location {}/\n{config}\n",
            folder.display()
        );
        std::fs::write(folder.join("mosquitto.conf"), config).expect("a file");
    }

    /// Starts it again, and waits until it can be connected to.
    pub fn restart(&mut self) {
        let mut process = Command::new(program("mosquitto"))
            .arg("-c")
            .arg(self.folder.join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mosquitto runs: Debian's package is `mosquitto`");
        // It says so when it listens.
        let mut words = BufReader::new(process.stderr.take().expect("its words"));
        let (said, running) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            let (mut line, mut said) = (String::new(), Some(said));
            while words.read_line(&mut line).is_ok_and(|read| read > 0) {
                if line.contains("running") {
                    said.take();
                }
                line.clear();
            }
        });
        assert_eq!(running.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected), "it starts");
        self.process = Some(process);
        assert!(TcpStream::connect(("127.0.0.1", self.port)).is_ok(), "it listens");
    }

    /// Ends it, as a power failure does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it runs");
            process.wait().expect("it ends");
        }
    }

    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    fn client(&self, program_name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program(program_name));
        command.args(["-h", "127.0.0.1", "-V", "5", "-p", &self.port.to_string()]).args(arguments);
        command
    }

    /// Publishes one value, and waits until the broker has it.
    pub fn publish(&self, topic: &str, qos: u8, payload: &str) {
        let qos = qos.to_string();
        let done = self.client("mosquitto_pub", &["-t", topic, "-q", &qos, "-m", payload]).output().expect("it runs");
        assert!(done.status.success(), "{done:?}");
    }

    /// Publishes a line for each value, on one connection.
    pub fn publisher(&self, topic: &str, qos: u8) -> Publisher {
        let mut command = self.client("mosquitto_pub", &["-t", topic, "-q", &qos.to_string(), "-l"]);
        let mut process = command.stdin(Stdio::piped()).spawn().expect("it runs");
        Publisher { lines: process.stdin.take(), process }
    }

    /// Subscribes, and gives what comes as `topic payload`, once it is subscribed.
    pub fn subscriber(&self, topic: &str, qos: u8) -> Subscriber {
        let qos = qos.to_string();
        let mut process = Command::new("stdbuf")
            .args(["-oL", &program("mosquitto_sub"), "-h", "127.0.0.1", "-V", "5", "-p", &self.port.to_string()])
            .args(["-t", topic, "-q", &qos, "-d", "-F", "got %q %r %t %p"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("mosquitto_sub runs: Debian's package is `mosquitto-clients`");
        let lines = BufReader::new(process.stdout.take().expect("its output"));
        let (said, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        let subscriber = Subscriber { process, heard };
        while !subscriber.line().starts_with("Subscribed") {}
        subscriber
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn program(name: &str) -> String {
    // Debian has the broker where only an administrator's shell looks.
    let beside = format!("/usr/sbin/{name}");
    if Path::new(&beside).exists() { beside } else { name.into() }
}

/// A `mosquitto_pub` that publishes what it is given.
pub struct Publisher {
    lines: Option<ChildStdin>,
    process: Child,
}

impl Publisher {
    pub fn say(&mut self, payload: &str) {
        let lines = self.lines.as_mut().expect("it is open");
        writeln!(lines, "{payload}").and_then(|()| lines.flush()).expect("it takes lines");
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        drop(self.lines.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A `mosquitto_sub` that is subscribed.
pub struct Subscriber {
    process: Child,
    heard: mpsc::Receiver<String>,
}

impl Subscriber {
    fn line(&self) -> String {
        self.heard.recv_timeout(PATIENCE).expect("mosquitto_sub says something")
    }

    /// The next value, as `qos retained topic payload`.
    pub fn got(&self) -> String {
        loop {
            if let Some(got) = self.line().strip_prefix("got ") {
                return got.into();
            }
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
