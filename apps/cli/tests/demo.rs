//! The program as people and scripts run it: what it prints, and how it ends.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

/// A demo that is told of no directory keeps nothing, for here run many at once, and not in their user's directory.
fn anabranch(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let runs = arguments.first() == Some(&"demo") && !arguments.contains(&"--help");
    if runs && !arguments.contains(&"--data") {
        command.arg("--no-data");
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    anabranch(arguments).output().expect("it starts")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints text")
}

fn values(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[test]
fn json_lines_hold_real_readings_of_each_record() {
    let output = run(&["demo", "--plain", "--json", "--for", "3s", "--every", "250ms"]);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    let values = values(&output);
    for record in ["cpu", "memory", "network", "load", "levels", "smooth", "limits", "returned", "crossing"] {
        assert!(values.iter().any(|value| value["record"] == record), "no value of {record}");
    }
    for value in &values {
        let time = value["time"].as_str().expect("a time");
        assert_eq!((time.len(), &time[10..11], &time[29..]), ("2026-01-31T08:05:09.123456789Z".len(), "T", "Z"));
    }
    let memory = values.iter().find(|value| value["record"] == "memory").expect("memory was measured");
    let (used, total) = (memory["value"]["usedBytes"].as_u64(), memory["value"]["totalBytes"].as_u64());
    assert!(used > Some(0) && used <= total, "{memory}");
    // What came back from the broker is what went there.
    let cpu: Vec<_> = values.iter().filter(|value| value["record"] == "cpu").collect();
    for returned in values.iter().filter(|value| value["record"] == "returned") {
        let went = cpu.iter().any(|cpu| (&cpu["time"], &cpu["value"]) == (&returned["time"], &returned["value"]));
        assert!(went, "{returned} was not measured: {cpu:?}");
    }
    let cpu = cpu.len();
    // The first after 200 ms, then one each 250 ms; a machine under load may miss some.
    assert!((2..=12).contains(&cpu), "{cpu} readings in three seconds");
}

#[test]
fn without_mqtt_nothing_goes_out_and_nothing_comes_back() {
    let output = run(&["demo", "--json", "--no-mqtt", "--for", "2s"]);
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    let values = values(&output);
    assert!(values.iter().any(|value| value["record"] == "levels"), "{values:?}");
    assert!(values.iter().all(|value| value["record"] != "returned"));
    assert!(!text(&output.stderr).contains("broker"), "{}", text(&output.stderr));
}

#[test]
fn a_limit_that_is_always_passed_raises_an_alert() {
    let output = run(&["demo", "--json", "--for", "2s", "--memory-above", "0", "--smooth-over", "0s"]);
    let alerts: Vec<Value> = values(&output).into_iter().filter(|value| value["record"] == "alerts").collect();
    let raised = alerts.iter().find(|alert| alert["value"]["of"] == "memory").expect("memory is never empty");
    assert_eq!(raised["value"]["state"], "raised");
}

#[test]
fn plain_lines_end_with_a_summary() {
    // Plain by itself, for this is no terminal; and limits that cannot be passed.
    let limits = ["--cpu-above", "100", "--memory-above", "100", "--disk-above", "100", "--temperature-above", "1000"];
    let output = run(&[&["demo", "--for", "2s"][..], &limits].concat());
    assert_eq!(code(&output), Some(0), "{}", text(&output.stderr));
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    assert!(printed.lines().any(|line| line.contains("  memory  ") && line.contains("GiB")), "{printed}");
    let last = printed.lines().last().unwrap_or_default();
    assert!(last.starts_with("summary: cpu ") && last.ends_with(" values; 0 alerts; 0 lagged"), "{last}");
    // Where there are sensors their record is there; where there are none that is said, and once.
    let temperature = printed.lines().any(|line| line.contains("  temperature  "));
    assert_eq!(said.matches("temperature").count(), usize::from(!temperature), "{said}");
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    for format in ["--plain", "--json"] {
        let mut child = anabranch(&["demo", format, "--every", "200ms"]).spawn().expect("it starts");
        let mut first = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut first).expect("it prints");
        // The pipe closes here.
        let (status, said) = end_of(child);
        assert!(!first.is_empty());
        assert_eq!(status, Some(0), "{said}");
        assert!(!said.contains("panic") && !said.contains("error"), "{said}");
    }
}

#[test]
fn nobody_has_to_hear_what_it_says_beside_the_output() {
    for (arguments, status) in [(["demo", "--for", "1s"].as_slice(), 0), (&["put"], 2), (&["demo", "--nonsense"], 2)] {
        let mut child = anabranch(arguments).stdout(Stdio::null()).spawn().expect("it starts");
        drop(child.stderr.take());
        assert_eq!(child.wait().expect("it ends").code(), Some(status), "{arguments:?}");
    }
}

#[test]
fn signals_end_it_after_what_was_measured_is_printed() {
    for signal in ["INT", "TERM"] {
        let mut child = anabranch(&["demo", "--plain"]).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        lines.next().expect("a first reading").expect("it is text");
        let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(sent.expect("there is a kill").success());
        let last = lines.last().expect("a summary").expect("it is text");
        let (status, said) = end_of(child);
        assert_eq!(status, Some(0), "{said}");
        assert!(last.starts_with("summary: "), "{last}");
    }
}

fn end_of(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
    (child.wait().expect("it ends").code(), said)
}

#[test]
fn the_graph_is_mermaid_text() {
    let output = run(&["demo", "--graph"]);
    let graph = text(&output.stdout);
    assert_eq!(code(&output), Some(0));
    assert!(
        graph.starts_with("flowchart ")
            && graph.contains("[\"watch\"]")
            && graph.contains("/limits/set\"]")
            && graph.contains("cpu<br/>"),
        "{graph}"
    );
}

#[test]
fn wrong_use_is_2_and_says_what_to_write() {
    let wrong: [(&[&str], &str); 12] = [
        (&["query", "MATCH (n) RETURN n"], "not there yet"),
        (&["dmo"], "did you mean `demo`"),
        (&["nonsense"], "This version has"),
        (&["demo", "--for", "10"], "10s"),
        (&["demo", "--every", "1ms"], "200ms or more"),
        (&["demo", "--cpu-above", "many"], "write a number"),
        (&["demo", "--graph", "--json"], "cannot be used with"),
        (&["demo", "--colour"], "unexpected argument"),
        (&["demo", "--broker", "broker:1883"], "write it as `mqtt://127.0.0.1:1883`"),
        (&["demo", "--broker", "mqtt://u%4@broker"], "write it as %25"),
        (&["demo", "--broker", "mqtt://broker", "--no-mqtt"], "cannot be used with"),
        (&[], "Usage"),
    ];
    for (arguments, says) in wrong {
        let output = run(arguments);
        let said = text(&output.stderr);
        assert_eq!(code(&output), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_teaches_with_examples_and_is_no_failure() {
    for (arguments, shows) in
        [(["--help"].as_slice(), "anabranch demo --plain"), (&["demo", "--help"], "--cpu-above 50")]
    {
        let output = run(arguments);
        assert_eq!(code(&output), Some(0));
        assert!(text(&output.stdout).contains(shows), "{arguments:?}");
    }
}
