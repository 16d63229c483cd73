//! `anabranch demo` between real brokers and real clients.

use crate::{
    broker::{Broker, subscribe},
    process::{Process, command},
};
use serde_json::Value;
use std::path::Path;

/// The demo with limits that nothing passes, measured often.
fn demo(arguments: &[&str]) -> Process {
    let limits = ["--cpu-above", "100", "--memory-above", "100", "--disk-above", "100", "--temperature-above", "1000"];
    let often = ["demo", "--no-data", "--every", "200ms", "--smooth-over", "0s"];
    Process::start(env!("CARGO_BIN_EXE_anabranch"), &[&often[..], &limits, arguments].concat(), Path::new("/"))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_broker_gets_the_demo_s_readings_and_a_command_from_there_raises_an_alert() {
    let broker = Broker::start();
    let demo = demo(&["--json", "--broker", &format!("mqtt://127.0.0.1:{}", broker.port())]);
    demo.says("note: connected to mqtt://127.0.0.1:");
    let reading = broker.subscribe("anabranch/+/memory").next();
    let (topic, payload) = reading.split_once(' ').expect("a topic and a payload");
    let machine = topic.strip_suffix("/memory").expect("what was subscribed to");
    assert!(json(payload)["percent"].as_f64() > Some(0.0) && json(payload)["time"].is_string(), "{payload}");
    // Its own readings come back to it, and their levels have addresses of their own.
    assert_eq!(json(&demo.prints(r#""record":"crossing""#))["value"]["among"], 1);
    assert_eq!(json(&demo.prints(r#""record":"returned""#))["record"], "returned");
    let level = broker.subscribe(&format!("{machine}/level/+")).next();
    let (topic, payload) = level.split_once(' ').expect("a topic and a payload");
    assert!(topic.ends_with(json(payload)["of"].as_str().expect("a quantity")), "{level}");

    let mut alerts = broker.subscribe(&format!("{machine}/alerts"));
    broker.publish(&format!("{machine}/limits/set"), r#"{"memory":101}"#);
    demo.says("refused: ");
    broker.publish(&format!("{machine}/limits/set"), r#"{"memory":0}"#);
    let shown = json(&demo.prints(r#""record":"alerts""#));
    let (_, payload) =
        alerts.next().split_once(' ').map(|(topic, payload)| (topic.to_owned(), json(payload))).expect("both");
    for alert in [&shown["value"], &payload] {
        assert_eq!((&alert["of"], &alert["state"]), (&"memory".into(), &"raised".into()), "{alert}");
    }
    // Whoever comes later is told the limits that hold.
    let limits = broker.subscribe(&format!("{machine}/limits")).next();
    assert!(limits.contains(r#""memory":0"#), "{limits}");
    demo.signal("TERM");
    assert_eq!(demo.end(), Some(0));
}

#[test]
fn what_the_demo_says_to_type_works_with_the_broker_in_its_process() {
    let demo = demo(&["--plain"]);
    let typed =
        |line: String| line.split_once("mosquitto_").map(|(_, rest)| format!("mosquitto_{rest}")).expect("a command");
    let (look, set) = (typed(demo.says("mosquitto_sub")), typed(demo.says("mosquitto_pub")));
    let port = look.split(' ').nth(2).and_then(|port| port.parse().ok()).expect("a port");
    let mut limits = subscribe(port, "anabranch/+/limits");
    assert!(limits.next().contains(r#""cpu":100"#));
    let run = |line: &str| command("sh", &["-c", line], Path::new("/")).output().expect("a shell");
    let looked = run(&format!("{look} -C 1 -W 60"));
    assert!(looked.status.success() && looked.stdout.starts_with(b"anabranch/"), "{looked:?}");
    assert!(run(&set).status.success());
    assert!(limits.next().contains(r#""cpu":50"#));
    demo.prints("limits       cpu 50 %");
    demo.signal("INT");
    assert!(demo.rest().iter().any(|line| line.starts_with("summary: ")));
    assert_eq!(demo.end(), Some(0));
}

#[test]
fn without_its_broker_the_demo_goes_on_and_finds_it_later() {
    let mut broker = Broker::absent();
    let demo = demo(&["--plain", "--broker", &format!("mqtt://127.0.0.1:{}", broker.port())]);
    demo.says("note: no connection to mqtt://127.0.0.1:");
    demo.prints("  memory  ");
    broker.comes();
    demo.says("note: connected to");
    demo.prints("  crossing  ");
    broker.goes();
    demo.says("note: no connection to");
    // What cannot be sent any more does not hold up the end.
    demo.prints("  memory  ");
    demo.signal("INT");
    demo.says("did not reach the broker");
    assert_eq!(demo.end(), Some(0));
}
