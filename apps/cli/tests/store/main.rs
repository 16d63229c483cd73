//! The commands that work on a store, as people and scripts use them.

mod guide;
mod looking;
mod terminal;
mod whole;
mod wrong;

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
};
use tempfile::TempDir;

fn anabranch(place: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(arguments).current_dir(place);
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = streams.spawn().expect("it starts");
    let mut stdin = running.stdin.take().expect("it was asked for");
    // Beside each other: a pipe that nobody reads fills.
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()).expect("it reads"));
        running.wait_with_output().expect("it ends")
    })
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
    let input: String =
        (0..3_000).map(|number| format!("{{\"key\":\"k{}\",\"value\":{number}}}\n", number % 7)).collect();
    let output = anabranch(place.path(), &["put", "readings", "--stdin"], &input);
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

/// A version that `put` makes.
fn put(place: &TempDir, namespace: &str, key: &str, value: &str) -> Value {
    json(&says(place, &["put", namespace, key, value, "--json"]))
}

/// A text field of a version.
fn text<'v>(version: &'v Value, field: &str) -> &'v str {
    version[field].as_str().expect(field)
}

fn lines(printed: &str) -> Vec<Value> {
    printed.lines().map(json).collect()
}
