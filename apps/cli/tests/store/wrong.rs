//! What cannot be done: each says why, what to do, and by its exit code of what kind it is.

use super::{anabranch, json, lines, place, put, refuses, says, text};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

#[test]
fn what_cannot_be_done_says_why_and_by_its_exit_code() {
    let place = place();
    let id = says(&place, &["put", "rooms", "hall", "1"]);
    let second = put(&place, "rooms", "hall", "2");
    let of_kitchen = says(&place, &["put", "rooms", "kitchen", "3"]);
    let another = if id.ends_with('0') { "1" } else { "0" };
    let another = format!("{}{another}", &id[..63]);
    let is_now = format!("is now at version {}; read it again, and decide anew: it is 2", text(&second, "versionId"));
    let (long, longer) = ("n".repeat(256), "k".repeat(4097));
    let not_a_time = "write a time as 2026-01-31T08:05:09Z, or how long ago as '10 min ago'";
    for (arguments, code, words) in [
        // A key that is not there.
        (&["get", "rooms", "attic"][..], 3, "\"rooms\" has no key \"attic\"; `list` shows those that it has"),
        (&["history", "rooms", "attic"], 3, "has no key"),
        (&["diff", "rooms", "attic", "now", "now"], 3, "has no key"),
        (&["delete", "rooms", "attic"], 3, "has no key"),
        // A time before the first version.
        (&["get", "rooms", "hall", "--at", "1999-01-01T00:00:00Z"], 3, "its first version is of"),
        (&["history", "rooms", "hall", "--at", "1999-01-01T00:00:00Z"], 3, "ask for that time or a later one"),
        // What is no time.
        (&["get", "rooms", "hall", "--at", "yesterday"], 2, not_a_time),
        (&["list", "rooms", "--at", "2026-13-01T00:00:00Z"], 2, not_a_time),
        (&["diff", "rooms", "hall", "10 parsecs ago", "now"], 2, "no length of time"),
        (&["watch", "rooms", "--from", "soon"], 2, not_a_time),
        // A version id that is none, is of no version, or of another key.
        (&["get", "rooms", "hall", "--version", "17"], 2, "64 hexadecimal digits"),
        (&["get", "rooms", "hall", "--version", &id[1..]], 2, "64 hexadecimal digits"),
        (&["diff", "rooms", "hall", &id[1..], "now"], 2, "64 hexadecimal digits"),
        (&["why", "17"], 2, "64 hexadecimal digits"),
        (&["get", "rooms", "hall", "--version", &another], 3, "has no version"),
        (&["diff", "rooms", "hall", &another, "now"], 3, "`history` lists those that it has"),
        (&["why", &another], 3, "there is no version"),
        (&["watch", "rooms", "--from", &another], 3, "there is no version"),
        (&["get", "rooms", "hall", "--version", &of_kitchen], 3, "that is one of \"kitchen\" of \"rooms\""),
        (&["diff", "rooms", "hall", &of_kitchen, "now"], 3, "that is one of \"kitchen\" of \"rooms\""),
        // A write that has lost says what is there now.
        (&["put", "rooms", "hall", "3", "--if-version", &id], 4, &is_now),
        (&["put", "rooms", "hall", "3", "--if", &id], 4, &is_now),
        (&["put", "rooms", "hall", "3", "--if-absent"], 4, &is_now),
        (&["delete", "rooms", "hall", "--if-version", &id], 4, &is_now),
        (&["put", "rooms", "attic", "3", "--if-version", &id], 4, "is not there now"),
        // Names.
        (&["put", "", "hall", "1"], 2, "the namespace is empty; give it a name"),
        (&["put", "rooms", "", "1"], 2, "the key is empty; give it a name"),
        (&["put", &long, "hall", "1"], 2, "has 256 bytes, and 255 are the most; shorten it"),
        (&["put", "rooms", &longer, "1"], 2, "has 4097 bytes, and 4096 are the most; shorten it"),
        (&["get", "", "hall"], 2, "the namespace is empty"),
        (&["list", ""], 2, "the namespace is empty"),
        // Limits.
        (&["history", "rooms", "hall", "--limit", "0"], 2, "the limit is 0; ask for 1 or more"),
        (&["list", "rooms", "--limit", "0"], 2, "the limit is 0"),
        (&["list", "--limit", "0"], 2, "the limit is 0"),
        (&["why", &id, "--limit", "0"], 2, "the limit is 0"),
        (&["watch", "rooms", "--from", "now", "--limit", "0"], 2, "0 is not in 1.."),
        // Values.
        (&["put", "rooms", "hall", "warm"], 2, "write text in quotes"),
    ] {
        let (ended, said) = refuses(&place, arguments);
        assert_eq!(ended, code, "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    assert_eq!(says(&place, &["get", "rooms", "hall"]), "2", "nothing of that was written");
}

#[test]
fn a_wrong_line_ends_the_reading_and_those_before_are_written() {
    let place = place();
    let output = anabranch(place.path(), &["put", "rooms", "--stdin"], "{\"key\":\"a\",\"value\":1}\nnonsense\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("line 2"), "{said}");
    let told = json(String::from_utf8(output.stdout).expect("it is text").trim_end());
    assert_eq!((&told["key"], &told["value"]), (&"a".into(), &1.into()), "what stands before a wrong line is written");
    assert_eq!(says(&place, &["get", "rooms", "a"]), "1");
}

/// What the program says, run so that a sealed directory is sealed to it, too.
fn refuses_in(directory: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(arguments).current_dir(directory).stdin(Stdio::null());
    if rustix::process::geteuid().is_root() {
        // Nothing is sealed to root: as nobody.
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
    }
    let output = command.output().expect("it starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("it is text"))
}

#[test]
fn a_directory_that_cannot_be_written_says_which_and_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    let sealed = place.path().join("sealed");
    fs::create_dir(&sealed).expect("there is room");
    for folder in [place.path(), &sealed] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).expect("it is ours");
    }
    let (code, said) = refuses_in(place.path(), &["put", "rooms", "hall", "1", "--data", "sealed"]);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    assert!(code == Some(1) && said.contains("sealed/LOCK") && said.contains("let this user write there"), "{said}");
}

#[test]
fn a_directory_that_another_process_has_open_says_so() {
    let place = place();
    put(&place, "rooms", "hall", "1");
    let mut holder = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    holder.args(["put", "rooms", "--stdin"]).current_dir(place.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().expect("it starts");
    let mut input = holder.stdin.take().expect("it was asked for");
    writeln!(input, "{{\"key\":\"hall\",\"value\":2}}").expect("it reads");
    let mut told = [0];
    std::io::Read::read_exact(&mut holder.stdout.take().expect("it was asked for"), &mut told).expect("it has it open");
    for command in [&["get", "rooms", "hall"][..], &["put", "rooms", "hall", "3"], &["verify"], &["stats"]] {
        let (code, said) = refuses(&place, command);
        assert!(code == 1 && said.contains("data: the database is in use by another process"), "{said}");
        assert!(said.contains("talk to that one, or end it"), "{said}");
    }
    drop(input);
    assert!(holder.wait().expect("it ends").success());
    assert_eq!(says(&place, &["get", "rooms", "hall"]), "2");
}

#[test]
fn what_is_no_database_is_left_as_it_is() {
    let place = place();
    fs::write(place.path().join("data"), "mine").expect("there is room");
    for command in [&["get", "rooms", "hall"][..], &["put", "rooms", "hall", "1"], &["stats"]] {
        let (code, said) = refuses(&place, command);
        assert!(code == 1 && said.contains("no database of Anabranch") && said.contains("with `--data`"), "{said}");
    }
    assert_eq!(fs::read(place.path().join("data")).expect("it is there"), b"mine");
    let other = place.path().join("other");
    fs::create_dir(&other).expect("there is room");
    fs::write(other.join("store.redb"), "SQLite format 3\0").expect("there is room");
    let (code, said) = refuses(&place, &["list", "--data", "other"]);
    assert!(code == 1 && said.contains("no database of Anabranch"), "{said}");
}

#[test]
fn a_database_of_a_later_format_is_refused_by_its_number() {
    let place = place();
    put(&place, "rooms", "hall", "1");
    let file = place.path().join("data/store.redb");
    let mut bytes = fs::read(&file).expect("it is there");
    // As docs/guide/format.md has it: the format, and the sum of what stands before the sum.
    bytes[16] = 3;
    let sum = twox_hash::XxHash3_64::oneshot(&bytes[..24]);
    bytes[24..32].copy_from_slice(&sum.to_le_bytes());
    fs::write(&file, bytes).expect("there is room");
    let (code, said) = refuses(&place, &["get", "rooms", "hall"]);
    assert!(code == 1 && said.contains("has format 3, and this program knows up to 2: use a newer one"), "{said}");
}

#[test]
fn who_only_reads_makes_no_store() {
    let place = place();
    for command in [
        &["get", "rooms", "hall"][..],
        &["history", "rooms", "hall"],
        &["list"],
        &["diff", "rooms", "hall", "now", "now"],
        &["stats"],
        &["verify"],
        &["export", "all.anb"],
        &["delete", "rooms", "hall"],
        &["watch", "rooms", "--from", "1 d ago"],
    ] {
        let (code, said) = refuses(&place, command);
        assert!(code == 3 && said.contains("there is no store in data"), "{command:?}: {said}");
        assert!(said.contains("name its directory with `--data`"), "{said}");
    }
    assert_eq!(fs::read_dir(place.path()).expect("it is there").count(), 0);
}

#[test]
fn a_batch_is_written_at_once_or_not_at_all() {
    let place = place();
    let batch = |input: &str| {
        let output = anabranch(place.path(), &["put", "rooms", "--stdin", "--batch"], input);
        let (told, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), told.into_owned(), said.into_owned())
    };
    let (code, told, said) = batch("{\"key\":\"a\",\"value\":1}\n\n{\"key\":\"b\",\"value\":2}\n");
    assert_eq!((code, &*said), (Some(0), ""));
    assert_eq!(lines(&told).len(), 2);
    let (code, told, said) =
        batch("{\"key\":\"a\",\"value\":3}\n{\"key\":\"b\",\"value\":4}\n{\"key\":\"a\",\"value\":5}\n");
    assert!(code == Some(2) && told.is_empty(), "{told}");
    assert!(said.contains("the batch writes \"a\" of \"rooms\" twice; leave one of the two out"), "{said}");
    let (code, told, said) = batch("{\"key\":\"a\",\"value\":3}\nnonsense\n");
    assert!(
        code == Some(2) && told.is_empty() && said.contains("line 2") && said.contains("nothing was written"),
        "{said}"
    );
    assert_eq!(says(&place, &["history", "rooms", "a"]).lines().count(), 1, "none of them was made");
    // One after another, the same key twice is two versions.
    let input = "{\"key\":\"a\",\"value\":3}\n{\"key\":\"a\",\"value\":5}\n";
    let output = anabranch(place.path(), &["put", "rooms", "--stdin"], input);
    let told = lines(&String::from_utf8_lossy(&output.stdout));
    assert_eq!(told[1]["previousVersion"], told[0]["versionId"]);
}
