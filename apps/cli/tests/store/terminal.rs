//! What is seen on a terminal, and there alone: colours, how long ago, how far long work is.

use super::{place, put, says, text};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use std::{
    fs::File,
    io::{BufRead, BufReader, ErrorKind, Read},
    path::Path,
    process::{Command, Stdio},
};

/// What the program shows on a terminal.
fn shows(place: &Path, arguments: &[&str], no_color: &str) -> String {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags).expect("there are terminals");
    grantpt(&master).expect("it is ours");
    unlockpt(&master).expect("it is ours");
    let screen = || File::from(ioctl_tiocgptpeer(&master, flags).expect("it has another end"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(arguments).current_dir(place).env("NO_COLOR", no_color).env("TERM", "xterm");
    command.stdin(screen()).stdout(screen()).stderr(screen());
    let mut running = command.spawn().expect("it starts");
    // It holds the other end as well.
    drop(command);
    let (mut shown, mut piece, mut master) = (Vec::new(), [0; 4096], File::from(master));
    loop {
        match master.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => shown.extend_from_slice(&piece[..length]),
            // So it is said on Linux that the other end is closed.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(running.wait().expect("it ends").success());
    String::from_utf8(shown).expect("it is text").replace("\r\n", "\n")
}

#[test]
fn a_terminal_has_colours_and_how_long_ago_it_was_and_others_have_not() {
    let place = place();
    let version = put(&place, "rooms", "hall", "1");
    let (time, id) = (text(&version, "timestamp"), text(&version, "versionId"));
    let plain = says(&place, &["history", "rooms", "hall"]);
    assert_eq!(plain, format!("{time}  {id}  1"));
    let shown = shows(place.path(), &["history", "rooms", "hall"], "");
    assert!(shown.contains(&format!("\u{1b}[36m{time}\u{1b}[0m (")), "{shown}");
    assert!(shown.contains("ago)") || shown.contains("(just now)"), "{shown}");
    let shown = shows(place.path(), &["history", "rooms", "hall"], "1");
    assert!(shown.starts_with(&format!("{time} (")) && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn long_work_shows_how_far_it_is_and_its_rate() {
    let place = place();
    let input: String =
        (0..5_000).map(|number| format!("{{\"key\":\"k{}\",\"value\":{number}}}\n", number % 7)).collect();
    let put = super::anabranch(place.path(), &["put", "readings", "--stdin"], &input);
    assert!(put.status.success());
    let checked = shows(place.path(), &["verify"], "1");
    assert!(
        checked.contains("checking [") && checked.contains("of 5,000 versions, ") && checked.contains("/s"),
        "{checked}"
    );
    assert!(checked.contains("whole: 5,000 versions of 7 keys"), "{checked}");
    let exported = shows(place.path(), &["export", "all.anb"], "1");
    assert!(exported.contains("exporting ["), "{exported}");
    let imported = shows(place.path(), &["import", "all.anb", "--data", "other"], "1");
    assert!(imported.contains("importing [") && imported.contains("B/s"), "{imported}");
    assert!(imported.contains("imported 5,000 versions; 0 were here already"), "{imported}");
    // Beside the output, and on a terminal alone.
    let plain = super::anabranch(place.path(), &["verify"], "");
    assert_eq!(String::from_utf8_lossy(&plain.stderr), "");
}

#[test]
fn a_check_by_a_node_shows_how_far_it_is_as_well() {
    let place = place();
    std::fs::write(place.path().join("anabranch.toml"), "[node]\ndata = 'data'\n").expect("there is room");
    let input: String = (0..5_000).map(|number| format!("{{\"key\":\"k\",\"value\":{number}}}\n")).collect();
    assert!(super::anabranch(place.path(), &["put", "readings", "--stdin"], &input).status.success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.arg("run").current_dir(place.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut node = command.spawn().expect("it starts");
    let mut says = BufReader::new(node.stderr.take().expect("it is piped")).lines();
    assert!(says.any(|line| line.expect("it is text").contains("it is talked to over")), "it does not start");
    let checked = shows(place.path(), &["verify"], "1");
    let ended = Command::new("kill").args(["-TERM", &node.id().to_string()]).status();
    assert!(ended.expect("there is a kill").success());
    says.for_each(drop);
    assert!(node.wait().expect("it ends").success());
    assert!(checked.contains("checking [") && checked.contains("of 5,000 versions, "), "{checked}");
    assert!(checked.contains("whole: 5,000 versions of 1 key are as they were written"), "{checked}");
}

#[test]
fn whoever_watches_on_a_terminal_reads_words() {
    let place = place();
    put(&place, "rooms", "hall", r#"{"celsius":21.5}"#);
    let shown = shows(place.path(), &["watch", "rooms", "--from", "1 h ago"], "1");
    let line = shown.lines().next().expect("one");
    assert!(line.ends_with(r#"rooms  hall  {"celsius":21.5}"#), "{shown}");
}
