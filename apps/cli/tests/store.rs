//! `anabranch put`, `get`, `delete`, `history` and `list` as people and scripts use them.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Output, Stdio},
};
use tempfile::TempDir;

fn anabranch(place: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(arguments).current_dir(place);
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = streams.spawn().expect("it starts");
    running.stdin.take().expect("it was asked for").write_all(input.as_bytes()).expect("it reads");
    running.wait_with_output().expect("it ends")
}

fn place() -> TempDir {
    tempfile::tempdir().expect("there is room")
}

/// What a command prints that has to end well.
fn says(place: &TempDir, arguments: &[&str]) -> String {
    let output = anabranch(place.path(), arguments, "");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it is text").trim_end().to_owned()
}

/// What a command says that must not end well, and its exit code.
fn refuses(place: &TempDir, arguments: &[&str]) -> (i32, String) {
    let output = anabranch(place.path(), arguments, "");
    let words = String::from_utf8(output.stderr).expect("it is text");
    (output.status.code().expect("it ends by itself"), words)
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).expect("a JSON object")
}

#[test]
fn every_version_of_a_key_is_there_as_of_any_moment_in_another_process() {
    let place = place();
    let first = says(&place, &["put", "rooms", "kitchen", r#"{"z":1,"id":9007199254740993}"#, "--json"]);
    let first = json(&first);
    let second = json(&says(&place, &["put", "rooms", "kitchen", "22", "--json"]));
    assert_eq!(second["previousVersion"], first["versionId"]);
    assert_eq!(says(&place, &["get", "rooms", "kitchen"]), "22");
    let at = first["timestamp"].as_str().expect("it has one");
    assert_eq!(says(&place, &["get", "rooms", "kitchen", "--at", at]), r#"{"z":1,"id":9007199254740993}"#);
    let id = first["versionId"].as_str().expect("it has one");
    assert_eq!(says(&place, &["get", "rooms", "kitchen", "--version", id]), r#"{"z":1,"id":9007199254740993}"#);
    says(&place, &["delete", "rooms", "kitchen"]);
    let history = says(&place, &["history", "rooms", "kitchen", "--json"]);
    let history: Vec<Value> = history.lines().map(json).collect();
    assert_eq!(history.len(), 3);
    assert_eq!((&history[0]["deleted"], &history[1]["value"]), (&true.into(), &22.into()));
    assert_eq!(says(&place, &["list", "rooms"]), "", "what is deleted is not listed");
    assert_eq!(says(&place, &["list", "rooms", "--at", at]), "kitchen", "and was, then");
}

#[test]
fn lines_of_the_standard_input_are_written_in_their_order_and_each_is_told_when_it_is_durable() {
    let place = place();
    let lines: String =
        (0..3_000).map(|number| format!("{{\"key\":\"k{}\",\"value\":{number}}}\n", number % 7)).collect();
    let output = anabranch(place.path(), &["put", "readings", "--stdin"], &lines);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).expect("it is text");
    let told: Vec<Value> = told.lines().map(json).collect();
    assert_eq!(told.len(), 3_000);
    for (number, version) in told.iter().enumerate() {
        assert_eq!((&version["value"], &version["key"]), (&number.into(), &format!("k{}", number % 7).into()));
    }
    assert_eq!(says(&place, &["get", "readings", "k3"]), "2999");
    assert_eq!(says(&place, &["list", "readings"]).lines().count(), 7);
    assert_eq!(says(&place, &["list"]), "readings");
}

#[test]
fn what_cannot_be_done_says_why_and_by_its_exit_code() {
    let place = place();
    let id = says(&place, &["put", "rooms", "hall", "1"]);
    says(&place, &["put", "rooms", "hall", "2"]);
    let another = if id.ends_with("0") { "1" } else { "0" };
    let another = format!("{}{another}", &id[..63]);
    for (arguments, code, words) in [
        (&["get", "rooms", "attic"][..], 3, "has no key"),
        (&["get", "rooms", "hall", "--at", "1999-01-01T00:00:00Z"], 3, "its first version is of"),
        (&["get", "rooms", "hall", "--at", "yesterday"], 2, "yesterday"),
        (&["get", "rooms", "hall", "--version", "17"], 2, "17"),
        (&["get", "rooms", "hall", "--version", &another], 3, "has no version"),
        (&["put", "rooms", "hall", "3", "--if-version", &id], 4, "is now at version"),
        (&["put", "rooms", "hall", "3", "--if-absent"], 4, "is now at version"),
        (&["put", "rooms", "hall", "warm"], 2, "write text in quotes"),
        (&["put", "", "hall", "1"], 2, "is empty"),
        (&["history", "rooms", "hall", "--limit", "0"], 2, "the limit is 0"),
        (&["delete", "rooms", "attic"], 3, "has no key"),
    ] {
        let (ended, said) = refuses(&place, arguments);
        assert_eq!(ended, code, "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let output = anabranch(place.path(), &["put", "rooms", "--stdin"], "{\"key\":\"a\",\"value\":1}\nnonsense\n");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("line 2"), "{said}");
    let told = json(String::from_utf8(output.stdout).expect("it is text").trim_end());
    assert_eq!((&told["key"], &told["value"]), (&"a".into(), &1.into()), "what stands before a wrong line is written");
    assert_eq!(says(&place, &["get", "rooms", "a"]), "1");
}

#[test]
fn a_line_is_told_when_it_is_durable_though_no_other_comes() {
    let place = place();
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(["put", "rooms", "--stdin"]).current_dir(place.path());
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut input = running.stdin.take().expect("it was asked for");
    let mut told = BufReader::new(running.stdout.take().expect("it was asked for")).lines();
    for number in 0..3 {
        writeln!(input, "{{\"key\":\"hall\",\"value\":{number}}}").expect("it reads");
        let line = told.next().expect("it tells").expect("it is text");
        assert_eq!(json(&line)["value"], number);
    }
    drop(input);
    assert!(running.wait().expect("it ends").success() && told.next().is_none());
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let place = place();
    std::fs::write(place.path().join("data"), "mine").expect("there is room");
    let (code, said) = refuses(&place, &["get", "rooms", "hall"]);
    assert_eq!(code, 1, "{said}");
    assert_eq!(std::fs::read(place.path().join("data")).expect("it is there"), b"mine");
}
