//! Debian's Mosquitto, with a configuration of the test's own.

use crate::{Authority, Papers, Process, free_port, process::program};
use rustix::process::Signal;
use std::{
    fmt::Write,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// How a Mosquitto is set up. What is not said is as its own defaults have it, but that no queue of its drops anything.
#[derive(Default)]
pub struct Setup {
    persistence: bool,
    password: Option<(String, String)>,
    tls: Option<Tls>,
    settings: String,
    quiet: bool,
}

struct Tls {
    papers: Papers,
    /// The CA that clients' certificates must be signed by.
    clients: Option<String>,
}

impl Setup {
    /// It remembers sessions, retained messages and what is under way when it is stopped, and knows it when it is started again.
    #[must_use]
    pub fn remembers(mut self) -> Self {
        self.persistence = true;
        self
    }

    /// The guarded listener asks for this user and password.
    #[must_use]
    pub fn password(mut self, user: &str, password: &str) -> Self {
        self.password = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// The guarded listener speaks TLS, and shows these papers.
    #[must_use]
    pub fn tls(mut self, papers: Papers) -> Self {
        self.tls = Some(Tls { papers, clients: None });
        self
    }

    /// As [`tls`](Self::tls), and asks clients for papers that this CA has signed.
    #[must_use]
    pub fn tls_both_ways(mut self, papers: Papers, clients: &Authority) -> Self {
        self.tls = Some(Tls { papers, clients: Some(clients.pem.clone()) });
        self
    }

    /// It does not log each packet, of which there would be too many.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// It is for clients of MQTT 3.1.1, who cannot be told how many values they may have under way. Mosquitto 2.0.11 cuts off one
    /// that has more than 20 of QoS 2, and loses some of those that it has received.
    #[must_use]
    pub fn for_older_clients(self) -> Self {
        self.setting("max_inflight_messages 0")
    }

    /// A line of its configuration that is about the whole broker.
    #[must_use]
    pub fn setting(mut self, line: &str) -> Self {
        self.settings.push_str(line);
        self.settings.push('\n');
        self
    }
}

/// A running Mosquitto, or one that was stopped and will be started again on the same port.
///
/// It has a listener for everybody, and a guarded one if it was given a password or papers.
pub struct Mosquitto {
    config: PathBuf,
    port: u16,
    guarded: u16,
    process: Option<Process>,
    // Dropped last: the process uses it.
    _folder: TempDir,
}

impl Mosquitto {
    /// Starts one, and waits until it can be connected to.
    pub async fn start(setup: Setup) -> Self {
        let folder = TempDir::new().expect("a folder for the broker");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("the broker's folder can be written to");
            path.display().to_string()
        };
        let (port, guarded) = (free_port(), free_port());
        let mut config = String::new();
        // Whoever is not root stays who he is.
        config += "user root\nper_listener_settings true\nlog_dest stderr\nlog_timestamp false\n";
        config +=
            if setup.quiet { "log_type error\nlog_type notice\nlog_type information\n" } else { "log_type all\n" };
        config += "max_queued_messages 0\nset_tcp_nodelay true\n";
        if setup.persistence {
            let _ = writeln!(config, "persistence true\npersistence_location {}/", folder.path().display());
        }
        let _ = writeln!(config, "{}listener {port} 127.0.0.1\nallow_anonymous true", setup.settings);
        if setup.password.is_some() || setup.tls.is_some() {
            let _ = writeln!(config, "listener {guarded} 127.0.0.1");
        }
        if let Some(Tls { papers, clients }) = &setup.tls {
            let (certificate, key) = (file("certificate.pem", &papers.certificate), file("key.pem", &papers.key));
            let _ = writeln!(config, "certfile {certificate}\nkeyfile {key}");
            if let Some(ca) = clients {
                let _ = writeln!(config, "cafile {}\nrequire_certificate true", file("clients.pem", ca));
            }
        }
        match &setup.password {
            Some((user, password)) => {
                let passwords = file("passwords", "");
                let made = Command::new("mosquitto_passwd")
                    .args(["-b", &passwords, user, password])
                    .stdin(Stdio::null())
                    .status()
                    .expect("mosquitto_passwd (Debian: mosquitto) runs");
                assert!(made.success(), "a password file can be made");
                let _ = writeln!(config, "allow_anonymous false\npassword_file {passwords}");
            }
            None if setup.tls.is_some() => config += "allow_anonymous true\n",
            None => {}
        }
        let config = PathBuf::from(file("mosquitto.conf", &config));
        let mut broker = Self { config, port, guarded, process: None, _folder: folder };
        broker.start_again().await;
        broker
    }

    /// Starts it again, with what it remembers.
    ///
    /// # Panics
    /// When it does not start: not installed, its configuration wrong.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "one broker at a time can be on a port");
        let mut command = Command::new(program("mosquitto"));
        command.arg("-c").arg(&self.config);
        let process = Process::spawn(command).expect("mosquitto (Debian: mosquitto) runs");
        let up = process.says_after(0, |line| line.contains(" running")).await.is_some();
        assert!(up, "mosquitto starts; it says {:#?}", process.log());
        // It says so a moment before it heeds signals; when it has taken a connection, it does.
        let taken = TcpStream::connect(("127.0.0.1", self.port)).await;
        assert!(taken.is_ok(), "mosquitto listens; it says {:#?}", process.log());
        process.says_after(0, |line| line.starts_with("New connection from")).await;
        self.process = Some(process);
    }

    /// Stops it: it writes down what it has to remember.
    pub async fn stop(&mut self) {
        self.end(Signal::TERM).await;
    }

    /// Ends it, and gives its log. With `KILL` it cannot say a word, nor write anything down.
    pub async fn end(&mut self, signal: Signal) -> Vec<String> {
        let mut process = self.process.take().expect("the broker runs");
        process.end(signal).await;
        process.log()
    }

    /// Whether it was not stopped.
    pub fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// The broker holds its breath: its connections stay, and nothing is read or answered.
    pub fn freeze(&self) {
        self.process().signal(Signal::STOP);
    }

    /// It goes on.
    pub fn thaw(&self) {
        self.process().signal(Signal::CONT);
    }

    /// Its process.
    pub fn process(&self) -> &Process {
        self.process.as_ref().expect("the broker runs")
    }

    /// The port that everybody may connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port that asks for a password or speaks TLS.
    pub fn guarded_port(&self) -> u16 {
        self.guarded
    }

    /// Where everybody may connect to.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }
}
