//! A board: QEMU with firmware.

use crate::{FIRMWARE, Monitor, built};
use anabranch_brokers::Process;
use rustix::process::Signal;
use std::process::Command;
use tempfile::TempDir;

/// What the board's cable leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wire {
    /// A network with a DHCP server, from which this machine is 10.0.2.2.
    #[default]
    Network,
    /// The same, but the cable is not plugged in until the test does it.
    Unplugged,
    /// A switch at which there is nobody else.
    Silence,
}

/// What the board's clock goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Clock {
    /// The time of this machine, as whatever it talks to.
    #[default]
    Real,
    /// Instructions, and when there are none to execute, the time of the next timer: an hour passes in seconds.
    Virtual,
}

/// A running board.
pub struct Board {
    process: Process,
    /// Where its cable is pulled.
    pub monitor: Monitor,
    _folder: TempDir,
}

impl Board {
    /// Starts the firmware with the scenarios; `words` are its command line.
    pub async fn start(words: &[&str]) -> Self {
        Self::with(FIRMWARE, Wire::Network, Clock::Real, words).await
    }

    /// Starts `firmware`, at this wire and clock.
    ///
    /// # Panics
    /// When QEMU is not there.
    pub async fn with(firmware: &'static str, wire: Wire, clock: Clock, words: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder for the monitor's socket");
        let socket = folder.path().join("monitor");
        let mut semihosting = "enable=on,target=native,arg=board".to_owned();
        words.iter().for_each(|word| semihosting += &format!(",arg={word}"));
        let nic = match wire {
            Wire::Network | Wire::Unplugged => "user,model=lan9118,id=cable",
            Wire::Silence => "hubport,hubid=7,model=lan9118,id=cable",
        };
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-M", "mps2-an385", "-nographic", "-monitor", "none", "-serial", "null", "-S"])
            .args(["-semihosting-config", &semihosting, "-nic", nic])
            .args(["-qmp", &format!("unix:{},server=on,wait=off", socket.display())])
            .arg("-kernel")
            .arg(built(firmware));
        if clock == Clock::Virtual {
            qemu.args(["-icount", "shift=7,sleep=off"]);
        }
        let process = Process::spawn(qemu).expect("qemu-system-arm (Debian: qemu-system-arm) runs");
        let mut monitor = Monitor::connect(&socket).await;
        if wire == Wire::Unplugged {
            monitor.pull_the_cable().await;
        }
        monitor.go_on().await;
        Board { process, monitor, _folder: folder }
    }

    /// A broker of this machine, as the board reaches it.
    pub fn url(port: u16) -> String {
        format!("mqtt://10.0.2.2:{port}")
    }

    /// Waits until it has printed a line with these words, and gives the line.
    ///
    /// # Panics
    /// When it has ended without.
    pub async fn says(&self, words: &str) -> String {
        self.says_after(0, words).await
    }

    /// The same, from the `start`th line on.
    ///
    /// # Panics
    /// When it has ended without.
    pub async fn says_after(&self, start: usize, words: &str) -> String {
        let said = self.process.says_after(start, |line| line.contains(words)).await;
        said.unwrap_or_else(|| panic!("the board has ended, and did not say `{words}`"))
    }

    /// How many lines it has printed: a place to [listen from](Self::says_after).
    pub fn said(&self) -> usize {
        self.process.said()
    }

    /// Waits until it ends by itself, which has to be well; gives what it has printed.
    ///
    /// # Panics
    /// When its exit code is another than 0.
    pub async fn ends(mut self) -> Vec<String> {
        let status = self.process.ended().await;
        assert!(status.success(), "the board ends by itself, and well; it ended with {status}");
        self.process.log()
    }

    /// Its power is cut.
    pub async fn dies(mut self) {
        self.process.end(Signal::KILL).await;
    }
}
