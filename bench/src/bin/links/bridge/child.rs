//! A bridge is a process of its own, this program again, so that its CPU time is its own.

use super::{aimdb, by_hand, ours};
use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

/// What makes this program a bridge.
const ARGUMENT: &str = "--bridge";

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    ByHand,
    AimDb,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Ours, Kind::ByHand, Kind::AimDb];

    /// What its topics begin with: all alike long.
    pub fn prefix(self) -> &'static str {
        match self {
            Kind::Ours => "ours",
            Kind::ByHand => "hand",
            Kind::AimDb => "aimd",
        }
    }
}

/// One that runs.
pub struct Bridge {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Bridge {
    /// Starts one from the broker on the first port of this machine to the one on the second, which may be the same.
    pub fn start(kind: Kind, ports: [u16; 2], qos: u8) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let [from, to] = ports.map(|port| port.to_string());
        command.args([ARGUMENT, kind.prefix(), &from, &to, &qos.to_string()]);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(questions), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("its pipes were asked for"));
        };
        Ok(Bridge { process, questions, answers: BufReader::new(answers) })
    }

    /// The CPU time that it has taken, all its threads together, in the kernel too.
    pub fn cpu(&mut self) -> io::Result<Duration> {
        self.questions.write_all(b"\n")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        answer.trim().parse().map(Duration::from_nanos).map_err(|_| io::Error::other("the bridge has ended"))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Is a bridge, if that is what this process was started for.
pub fn be_a_bridge() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, prefix, from, to, qos] = arguments.as_slice() else { return false };
    if first != ARGUMENT {
        return false;
    }
    let ports = [from, to].map(|port| port.parse().expect("a port"));
    let qos = qos.parse().expect("a quality of service");
    thread::spawn(|| {
        for _ in io::stdin().lines() {
            let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
            println!("{}", time.tv_sec * 1_000_000_000 + time.tv_nsec);
        }
        // Whoever asked is not there any more.
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let prefix = prefix.clone();
    // A task of its own, as the two others have them: what `block_on` runs is woken from another thread each time.
    let bridge = runtime.spawn(async move {
        match Kind::ALL.into_iter().find(|kind| kind.prefix() == prefix) {
            Some(Kind::Ours) => ours::run(ports, &prefix, qos).await,
            Some(Kind::ByHand) => by_hand::run(ports, &prefix, qos).await,
            Some(Kind::AimDb) => aimdb::run(ports[0], &prefix, qos).await,
            None => panic!("there is no bridge {prefix}"),
        }
    });
    runtime.block_on(bridge).expect("the bridge does not panic");
    true
}
