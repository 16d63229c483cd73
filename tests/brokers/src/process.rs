//! A child process whose words are kept line by line, and which ends with the test.

use rustix::process::{Pid, Signal, kill_process};
use std::{
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};
use tokio::sync::watch;

/// Where a program is: Debian has servers where only an administrator's shell looks.
pub(crate) fn program(name: &str) -> PathBuf {
    let beside = Path::new("/usr/sbin").join(name);
    if beside.exists() { beside } else { name.into() }
}

/// A child process. It is killed when it is dropped; when that is because a test failed, its last words are printed.
pub struct Process {
    name: String,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// How many lines there are, and whether there will be no more.
    said: watch::Receiver<(usize, bool)>,
}

impl Process {
    /// Starts `command`, and listens to what it says on both its outputs.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let (reader, writer) = io::pipe()?;
        let child = command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
        // Else this process would hold the pipe open, too, and never see its end.
        drop(command);
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let (says, said) = watch::channel((0, false));
        let lines = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push(String::from_utf8_lossy(&line).into_owned());
                says.send_replace((lines.len(), false));
            }
            says.send_modify(|(_, ended)| *ended = true);
        });
        Ok(Self { name, child, log, said })
    }

    /// What the system calls it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has said so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How much it has said: a place to [listen from](Self::says_after).
    pub fn said(&self) -> usize {
        self.said.borrow().0
    }

    /// Waits for a line, from the `start`th on, for which `holds`. `None`: it ended without.
    pub async fn says_after(&self, start: usize, holds: impl Fn(&str) -> bool) -> Option<String> {
        let mut said = self.said.clone();
        let mut next = start;
        loop {
            let (count, ended) = *said.borrow_and_update();
            {
                let lines = self.log.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(line) = lines[next.min(count)..].iter().find(|line| holds(line)) {
                    return Some(line.clone());
                }
            }
            if ended || said.changed().await.is_err() {
                return None;
            }
            next = count;
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap_or_else(|error| panic!("{} takes {signal:?}: {error}", self.name));
    }

    /// Sends it a signal that ends it, and waits until it has ended.
    pub async fn end(&mut self, signal: Signal) {
        self.signal(signal);
        self.ended().await;
    }

    /// Waits until it has ended, and says how.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut said = self.said.clone();
        // The one who says it lives until then.
        let _ = said.wait_for(|(_, ended)| *ended).await;
        self.child.wait().expect("a child can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended, which is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log();
            eprintln!("the last words of {}:", self.name);
            for line in &log[log.len().saturating_sub(60)..] {
                eprintln!("  {line}");
            }
        }
    }
}
