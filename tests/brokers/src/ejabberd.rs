//! Debian's ejabberd, whose `mod_mqtt` speaks MQTT 5: run by Erlang itself, so that it needs neither root nor a service.

use crate::{Process, free_port};
use rustix::process::Signal;
use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

/// A running ejabberd, or one that was stopped and will be started again on the same port.
pub struct Ejabberd {
    port: u16,
    process: Option<Process>,
    // Dropped last: the process uses it.
    folder: TempDir,
}

impl Ejabberd {
    /// The user that may do everything.
    pub const USER: &'static str = "me@localhost";
    /// Its password.
    pub const PASSWORD: &'static str = "secret";

    /// Starts one, and waits until it can be connected to.
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a folder for the broker");
        let port = free_port();
        let config = format!(
            "hosts: [localhost]\n\
             loglevel: info\n\
             auth_method: [internal]\n\
             listen:\n  - {{port: {port}, ip: \"127.0.0.1\", module: mod_mqtt}}\n\
             modules:\n  mod_mqtt:\n    \
             access_publish: {{\"#\": [{{allow: all}}]}}\n    \
             access_subscribe: {{\"#\": [{{allow: all}}]}}\n"
        );
        fs::write(folder.path().join("ejabberd.yml"), config).expect("the broker's folder can be written to");
        let mut broker = Self { port, process: None, folder };
        broker.start_again().await;
        broker
    }

    /// Starts it again.
    ///
    /// # Panics
    /// When it does not start, or is not installed.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "one broker at a time can be on a port");
        let at = |name: &str| self.folder.path().join(name);
        let register = format!(
            "ejabberd_auth:try_register(<<\"me\">>, <<\"localhost\">>, <<\"{}\">>), io:format(\"can be used~n\").",
            Self::PASSWORD
        );
        let mut command = Command::new("erl");
        command
            .args(["-noinput", "-mnesia", "dir", &format!("{:?}", at("spool")), "-s", "ejabberd", "-eval", &register])
            .env("ERL_LIBS", libraries())
            .env("ERL_CRASH_DUMP", at("crash"))
            .env("EJABBERD_CONFIG_PATH", at("ejabberd.yml"))
            .env("EJABBERD_LOG_PATH", at("ejabberd.log"))
            .env("HOME", self.folder.path())
            .current_dir(self.folder.path());
        let process = Process::spawn(command).expect("erl (Debian: ejabberd) runs");
        let listens = process.says_after(0, |line| line.contains("Start accepting TCP connections")).await;
        let knows = process.says_after(0, |line| line.contains("can be used")).await;
        assert!(listens.is_some() && knows.is_some(), "ejabberd starts; it says {:#?}", process.log());
        self.process = Some(process);
    }

    /// Kills it.
    pub async fn kill(&mut self) {
        self.process.take().expect("the broker runs").end(Signal::KILL).await;
    }

    /// Where to connect to, as [`USER`](Self::USER).
    pub fn port(&self) -> u16 {
        self.port
    }
}

/// Where Debian keeps Erlang's libraries of this architecture: `ejabberdctl` is told the same.
fn libraries() -> PathBuf {
    let holds = |folder: &PathBuf| {
        let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.into_iter().any(|name| name.to_string_lossy().starts_with("ejabberd-"))
    };
    let folders = fs::read_dir("/usr/lib").expect("a file system as Debian has it").flatten().map(|entry| entry.path());
    folders.into_iter().find(holds).expect("ejabberd (Debian: ejabberd) is installed")
}
