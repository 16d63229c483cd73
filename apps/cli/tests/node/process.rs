//! A process that runs beside the test: what it prints is waited for, line by line.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

/// Longer than anything takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// Long enough for what was said already to arrive.
const SHORT: Duration = Duration::from_secs(1);

pub fn command(program: &str, arguments: &[&str], directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(directory).env_remove("ANABRANCH_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub struct Process {
    child: Mutex<Child>,
    prints: Lines,
    says: Lines,
    name: String,
}

/// The lines of an output, as they come.
struct Lines(Receiver<String>);

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            // Who is not read any more goes on all the same: the pipe does not fill.
            BufReader::new(output).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        Lines(lines)
    }

    /// The next line that holds `words`, or those that came instead.
    fn with(&self, words: &str) -> Result<String, Vec<String>> {
        let mut passed = Vec::new();
        while let Ok(line) = self.0.recv_timeout(LONG) {
            if line.contains(words) {
                return Ok(line);
            }
            passed.push(line);
        }
        Err(passed)
    }
}

impl Process {
    pub fn start(program: &str, arguments: &[&str], directory: &Path) -> Self {
        Self::of(program, command(program, arguments, directory))
    }

    pub fn of(program: &str, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let prints = Lines::of(child.stdout.take().expect("it is piped"));
        let says = Lines::of(child.stderr.take().expect("it is piped"));
        Process { child: Mutex::new(child), prints, says, name: format!("{command:?}") }
    }

    /// Waits for a line of its output that holds `words`.
    pub fn prints(&self, words: &str) -> String {
        self.prints.with(words).unwrap_or_else(|instead| {
            let said: Vec<String> = std::iter::from_fn(|| self.says.0.recv_timeout(SHORT).ok()).collect();
            panic!("{}: does not print {words:?}, but {instead:#?}, and says {said:#?}", self.name)
        })
    }

    /// Waits for a line that it says beside its output.
    pub fn says(&self, words: &str) -> String {
        self.says
            .with(words)
            .unwrap_or_else(|instead| panic!("{}: does not say {words:?}, but {instead:#?}", self.name))
    }

    /// The lines of its output until it ends.
    pub fn rest(&self) -> Vec<String> {
        let line = || match self.prints.0.recv_timeout(LONG) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{} does not end", self.name),
        };
        std::iter::from_fn(line).collect()
    }

    pub fn signal(&self, signal: &str) {
        let id = self.child.lock().unwrap_or_else(PoisonError::into_inner).id();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id.to_string()]).status();
        assert!(sent.expect("there is a kill").success());
    }

    /// Waits for its end: its code, or `None` when a signal ended it.
    pub fn end(&self) -> Option<i32> {
        // Its outputs close when it ends; to wait for that has a limit.
        self.rest();
        self.child.lock().unwrap_or_else(PoisonError::into_inner).wait().expect("it ends").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already.
        let _ = child.kill();
        let _ = child.wait();
    }
}
