//! Running a command: its words as data, its output kept or let through, and a bound on its time.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, PipeReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::lanes::Priority;
use crate::priority;

/// What takes only what others leave may take so many times as long.
const PATIENCE: u32 = 4;

/// How long the system may take to end what was killed.
const PIPE_ENDS_WITHIN: Duration = Duration::from_secs(5);

/// A command that is to be run from the root of the workspace.
#[derive(Debug, Clone)]
pub struct Run {
    program: OsString,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    within: Duration,
    must_fail_saying: Option<&'static str>,
    priority: Priority,
}

/// What a command did.
pub struct Ran {
    /// Both of its outputs, in the order they were written.
    pub output: String,
    /// Why it counts as failed, when it does; which command it was stands before its output.
    pub fault: Option<String>,
}

impl Run {
    pub fn new<A: Into<OsString>>(program: impl Into<OsString>, args: impl IntoIterator<Item = A>) -> Self {
        let args = args.into_iter().map(Into::into).collect();
        let within = Duration::from_secs(30 * 60);
        Self {
            program: program.into(),
            args,
            env: Vec::new(),
            within,
            must_fail_saying: None,
            priority: Priority::Normal,
        }
    }

    pub fn cargo<A: Into<OsString>>(args: impl IntoIterator<Item = A>) -> Self {
        Self::new("cargo", args)
    }

    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// Bounds the time: a firmware that hangs must not hang the run.
    pub fn within(mut self, seconds: u64) -> Self {
        self.within = Duration::from_secs(seconds);
        self
    }

    /// Runs it as urgently as this, and all that it starts.
    pub fn at(mut self, priority: Priority) -> Self {
        if priority == Priority::Lowest {
            self.within *= PATIENCE;
        }
        self.priority = priority;
        self
    }

    /// It passes by failing, and by saying this: failing for another reason does not count.
    pub fn must_fail_saying(mut self, text: &'static str) -> Self {
        self.must_fail_saying = Some(text);
        self
    }

    /// Runs it with this terminal for its own.
    pub fn through(&self, root: &Path) -> Result<(), Failure> {
        match self.command(root).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(Failure::new(format!("`{self}` ended with {status}; what it printed says why"))),
            Err(error) => Err(Failure::new(self.not_started(&error))),
        }
    }

    /// Runs it and keeps what it prints, showing each line as it comes when `echo` is set.
    pub fn captured(&self, root: &Path, echo: bool) -> Ran {
        let mut output = String::new();
        let fault = self.capture(root, &mut |line| {
            if echo {
                print!("{line}");
            }
            output.push_str(line);
        });
        let fault = match (self.must_fail_saying, fault.err()) {
            (None, fault) => fault,
            (Some(_), None) => Some("it succeeded, and must not".to_owned()),
            (Some(text), Some(_)) if output.contains(text) => None,
            (Some(text), Some(fault)) => Some(format!("it has to fail saying `{text}`, and failed otherwise: {fault}")),
        };
        Ran { output, fault }
    }

    fn capture(&self, root: &Path, seen: &mut dyn FnMut(&str)) -> Result<(), String> {
        let (mut child, reader) = self.start(root).map_err(|error| self.not_started(&error))?;
        let deadline = Instant::now() + self.within;
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in Lines(BufReader::new(reader)) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => seen(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    end_with_descendants(&mut child);
                    let seconds = self.within.as_secs();
                    // The pipe ends when the last process that writes to it has ended.
                    let rest = std::iter::from_fn(|| Some(lines.recv_timeout(PIPE_ENDS_WITHIN)));
                    return Err(match rest.filter_map(Result::err).next() {
                        Some(RecvTimeoutError::Timeout) => {
                            format!(
                                "`{self}` took longer than its {seconds} s, and what it started goes on: end it yourself"
                            )
                        }
                        _ => format!("it was ended: it took longer than its {seconds} s"),
                    });
                }
            }
        }
        match child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(plainly(status)),
            Err(error) => Err(format!("it cannot be waited for: {error}")),
        }
    }

    /// Starts it with both outputs in one pipe, so that they stay in order.
    fn start(&self, root: &Path) -> std::io::Result<(Child, PipeReader)> {
        let (reader, writer) = std::io::pipe()?;
        let mut command = self.command(root);
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).env("CARGO_TERM_COLOR", "never");
        // The command holds the pipe's writing end: it goes with it here, so that the pipe ends with the child.
        command.spawn().map(|child| (child, reader))
    }

    fn command(&self, root: &Path) -> Command {
        let before = match self.priority {
            Priority::Normal => &[],
            Priority::Lowest => priority::lowest(),
        };
        let mut words = before.iter().map(OsStr::new).chain([self.program.as_os_str()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value))).current_dir(root);
        command
    }

    fn not_started(&self, error: &std::io::Error) -> String {
        format!("`{}` does not start ({error}): run `cargo xtask setup`", self.program.display())
    }
}

/// As one would type it.
impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(&value.to_string_lossy()))?;
        }
        write!(f, "{}", quoted(&self.program.to_string_lossy()))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quoted(&arg.to_string_lossy())))?;
        self.must_fail_saying.map_or(Ok(()), |text| write!(f, "    # must fail: {text}"))
    }
}

fn quoted(word: &str) -> String {
    match word.contains([' ', '"', '$', '*', '(']) || word.is_empty() {
        true => format!("'{word}'"),
        false => word.to_owned(),
    }
}

fn plainly(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"))
}

/// Lines with their ends, whatever bytes they hold.
struct Lines(BufReader<PipeReader>);

impl Iterator for Lines {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = self.0.read_until(b'\n', &mut line).ok()?;
        (read > 0).then(|| String::from_utf8_lossy(&line).into_owned())
    }
}

/// Ends a child and what it has started: `cargo test` alone would leave the hanging test behind.
fn end_with_descendants(child: &mut Child) {
    let mut ending = VecDeque::from([child.id()]);
    let mut descendants = Vec::new();
    while let Some(parent) = ending.pop_front() {
        for found in children_of(parent) {
            ending.push_back(found);
            descendants.push(found.to_string());
        }
    }
    // The parent first, so that it starts nothing more; both may have ended by themselves meanwhile, which is as well.
    let _ = child.kill();
    if !descendants.is_empty() {
        let _ = Command::new("kill").arg("-KILL").args(descendants).stderr(Stdio::null()).status();
    }
    let _ = child.wait();
}

/// The children of a process, where the system tells them in `/proc`; none elsewhere.
fn children_of(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|number| parent_of(*number) == Some(parent)).collect()
}

/// The fourth field of `/proc/N/stat`; the second, a name in brackets, may hold anything.
fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        Run::new("sh", ["-c", script])
    }

    #[test]
    fn both_outputs_come_in_order() {
        let ran = shell("echo one; echo two >&2; echo three").captured(Path::new("."), false);
        assert_eq!((ran.output.as_str(), ran.fault), ("one\ntwo\nthree\n", None));
    }

    #[test]
    fn a_failure_says_its_code() {
        let ran = shell("exit 3").captured(Path::new("."), false);
        assert_eq!(ran.fault.unwrap(), "exit code 3");
    }

    #[test]
    fn what_must_fail_has_to_fail_for_its_reason() {
        let fault = |script: &str| shell(script).must_fail_saying("no allocator").captured(Path::new("."), false).fault;
        assert_eq!(fault("echo error: no allocator found; exit 1"), None);
        assert_eq!(fault("echo no allocator").unwrap(), "it succeeded, and must not");
        assert!(fault("echo no space left; exit 2").unwrap().ends_with("failed otherwise: exit code 2"));
    }

    #[test]
    fn what_does_not_start_says_what_to_do() {
        let ran = Run::new("no-such-program", [""; 0]).captured(Path::new("."), false);
        assert!(ran.fault.unwrap().ends_with("run `cargo xtask setup`"));
    }

    #[test]
    fn what_takes_too_long_is_ended_with_what_it_started() {
        let ran =
            shell("echo started; sh -c 'sleep 600; echo late'; echo later").within(1).captured(Path::new("."), false);
        assert_eq!(ran.output, "started\n");
        assert!(ran.fault.unwrap().ends_with("it was ended: it took longer than its 1 s"));
    }

    #[test]
    fn at_the_lowest_priority_it_is_the_same_command_with_more_time() {
        let run = shell("echo $0 $1; exit 3").args(["zero", "one"]).within(2);
        let lowest = run.clone().at(Priority::Lowest);
        assert_eq!((lowest.to_string(), lowest.within.as_secs()), (run.to_string(), 8));
        let [ran, lowest] = [run, lowest].map(|run| run.captured(Path::new("."), false));
        assert_eq!((lowest.output.as_str(), lowest.fault), ("zero one\n", ran.fault));
        assert_eq!(ran.output, "zero one\n");
    }

    #[test]
    fn a_run_reads_as_one_would_type_it() {
        let run = Run::cargo(["test", "-p", "x"]).env("RUSTFLAGS", "--cfg loom");
        assert_eq!(run.to_string(), "RUSTFLAGS='--cfg loom' cargo test -p x");
    }
}
