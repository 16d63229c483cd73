//! `anabranch run`, `check`, `watch` and `demo` as people and scripts use them, with a real broker.

mod broker;
mod demo;
mod process;
mod store;

use anabranch_brokers::free_port;
use anabranch_node::Client;
use broker::Broker;
use process::Process;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path, process::Output};
use tempfile::TempDir;

/// What people type first: the example's configuration, which does the same as the program beside it.
const CONFIG: &str = include_str!("../../../../examples/mqtt-bridge/anabranch.toml");

/// A directory with that config, and what runs in it.
struct Place(TempDir);

impl Place {
    fn with(config: &str) -> Self {
        let place = Place(tempfile::tempdir().expect("there is room"));
        fs::write(place.path().join("anabranch.toml"), config).expect("there is room");
        place
    }

    /// With a port in the place of the usual one.
    fn at(config: &str, port: u16) -> Self {
        assert!(config.contains("127.0.0.1:1883"), "{config}");
        Self::with(&config.replace("127.0.0.1:1883", &format!("127.0.0.1:{port}")))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn starts(&self, arguments: &[&str]) -> Process {
        Process::start(env!("CARGO_BIN_EXE_anabranch"), arguments, self.path())
    }

    fn ends(&self, arguments: &[&str]) -> Output {
        process::command(env!("CARGO_BIN_EXE_anabranch"), arguments, self.path()).output().expect("it starts")
    }

    /// A node that has started, and talks over its socket.
    fn node(&self) -> Process {
        let node = self.starts(&["run"]);
        node.says("it is talked to over");
        node
    }

    /// Puts a value into a record of the running node.
    fn put(&self, record: &str, json: &'static str) {
        let threads = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there are threads");
        threads.block_on(Client::of(self.path().join("data")).put(record, json)).expect(record);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints text")
}

/// The end of a command: its code, its output, and what it says beside that.
fn end(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn values_cross_the_broker_through_a_record_and_are_watched() {
    let broker = Broker::start();
    let place = Place::at(CONFIG, broker.port());
    let node = place.starts(&["run"]);
    node.says("not active yet: [node] listen");
    node.says("is connected to mqtt://127.0.0.1:");
    let mut copies = broker.subscribe("copy/#");
    let watch = place.starts(&["watch", "temperature", "--json", "--limit", "1"]);
    watch.says("watching \"temperature\"");
    broker.publish("sensors/kitchen/temp", r#"{"celsius": 21.5}"#);
    assert_eq!(copies.next(), r#"copy/kitchen {"celsius":21.5,"device":"kitchen"}"#);
    let seen: Value = serde_json::from_str(&watch.prints("")).expect("it is JSON");
    assert_eq!((&seen["record"], &seen["sequence"]), (&"temperature".into(), &0.into()));
    assert_eq!(seen["value"], serde_json::json!({ "celsius": 21.5, "device": "kitchen" }));
    assert_eq!(watch.end(), Some(0));
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
}

#[test]
fn what_has_come_in_when_it_is_told_to_end_goes_out() {
    let broker = Broker::start();
    // A ring that holds all, so that no one is too slow.
    let place = Place::at(&CONFIG.replace("capacity = 64", "capacity = 2048"), broker.port());
    let node = place.node();
    node.says("is connected to");
    let mut copies = broker.subscribe("copy/#");
    let watch = place.starts(&["watch", "temperature", "--json"]);
    watch.says("watching");
    broker.publish_numbers("sensors/kitchen/temp", 1000);
    let first = watch.prints("");
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
    let mut came = BTreeSet::from([number(&first)]);
    came.extend(watch.rest().iter().map(|line| number(line)));
    assert_eq!(watch.end(), Some(0), "the record closed while it was watched");
    // At least once: what the broker did not acknowledge in time is there twice.
    let mut left = came.clone();
    while !left.is_empty() {
        let copy = copies.next();
        left.remove(&number(copy.trim_start_matches("copy/kitchen ")));
    }
}

/// The `n` of a value, as it was published or as it is watched.
fn number(line: &str) -> u64 {
    let object: Value = serde_json::from_str(line).expect(line);
    object.get("value").unwrap_or(&object)["n"].as_u64().expect(line)
}

#[test]
fn a_killed_node_leaves_its_directory_to_the_next() {
    let broker = Broker::start();
    let place = Place::at(CONFIG, broker.port());
    let node = place.node();
    let (code, _, said) = end(&place.ends(&["run"]));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another node runs on"), "{said}");
    node.signal("KILL");
    assert_eq!(node.end(), None);
    let socket = place.path().join("data/node.sock");
    assert!(socket.exists(), "a killed process tidies nothing");
    let (code, _, said) = end(&place.ends(&["watch", "temperature"]));
    assert_eq!(code, Some(1));
    assert!(said.contains("no node runs on data: start one with `anabranch run`"), "{said}");

    let node = place.node();
    node.says("is connected to");
    let watch = place.starts(&["watch", "temperature", "--limit", "1"]);
    watch.says("watching");
    broker.publish("sensors/hall/temp", "7");
    let line = watch.prints("");
    assert!(line.ends_with(r#"  {"device":"hall","value":7}"#), "{line}");
    node.signal("INT");
    assert_eq!(node.end(), Some(0));
    assert!(!socket.exists());
}

const SHARED: &str = r#"
[node]
data = "data"
[[connector]]
url = "mqtt://127.0.0.1:1883"
[[record]]
name = "fan"
buffer = { kind = "single-latest" }
shared = true
[[link]]
record = "fan"
from = "mqtt://fan/set"
format = "text"
[[link]]
record = "fan"
to = "mqtt://fan/is"
format = "text"
qos = 2
retain = true
"#;

#[test]
fn a_shared_record_takes_values_from_a_link_and_from_http() {
    let broker = Broker::start();
    let place = Place::at(SHARED, broker.port());
    let node = place.node();
    node.says("is connected to");
    let mut fan = broker.subscribe("fan/is");
    place.put("fan", r#""high""#);
    assert_eq!(fan.next(), "fan/is high");
    broker.publish("fan/set", "off");
    assert_eq!(fan.next(), "fan/is off");
    // It is kept for those who come later; and a latest shows its current value to them.
    assert_eq!(broker.subscribe("fan/is").next(), "fan/is off");
    let watch = place.starts(&["watch", "fan", "--limit", "1"]);
    assert!(watch.prints("").ends_with("  \"off\""));
    // What the format cannot write is counted and said, and the link goes on.
    place.put("fan", "3");
    node.says("this is a number");
    place.put("fan", r#""low""#);
    assert_eq!(fan.next(), "fan/is low");
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
}

#[test]
fn a_broker_that_is_not_there_is_said_and_tried_again() {
    let mut broker = Broker::absent();
    // What a broker that ends has not acknowledged yet would hold up the node's end.
    let place = Place::at(&CONFIG.replace("qos = 1", "qos = 0"), broker.port());
    let node = place.node();
    node.says("no connection: the connection was refused");
    broker.comes();
    node.says("is connected to");
    let mut copies = broker.subscribe("copy/#");
    broker.publish("sensors/kitchen/temp", r#"{"celsius": 20.0}"#);
    assert_eq!(copies.next(), r#"copy/kitchen {"celsius":20.0,"device":"kitchen"}"#);
    broker.goes();
    node.says("has lost its connection to");
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
}

/// Values that wait for a broker hold an end up.
const WAITING: &str = r#"
[node]
data = "data"
[[connector]]
url = "mqtt://127.0.0.1:1883"
[[record]]
name = "fan"
buffer = { kind = "single-latest" }
[[link]]
record = "fan"
to = "mqtt://fan"
qos = 1
retain = true
"#;

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::at(WAITING, free_port());
    let node = place.node();
    place.put("fan", "1");
    node.signal("TERM");
    node.says("the node ends");
    node.signal("TERM");
    node.says("ended at once; what was on its way is lost");
    assert_eq!(node.end(), Some(1));
}

#[test]
fn values_that_wait_for_a_broker_go_out_when_it_comes_while_the_node_ends() {
    let mut broker = Broker::absent();
    let place = Place::at(WAITING, broker.port());
    let node = place.node();
    place.put("fan", "1");
    broker.comes();
    let mut fan = broker.subscribe("fan");
    node.signal("TERM");
    assert_eq!(fan.next(), "fan 1");
    assert_eq!(node.end(), Some(0));
}

#[test]
fn a_node_without_a_directory_says_that_nobody_can_watch_it() {
    let place = Place::with("");
    let node = place.starts(&["run"]);
    node.says("it has no socket");
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
}

#[test]
fn a_record_that_is_not_there_is_3_and_names_the_nearest() {
    let place = Place::at(CONFIG, free_port());
    let node = place.node();
    let (code, printed, said) = end(&place.ends(&["watch", "temprature"]));
    assert_eq!((code, &*printed), (Some(3), ""));
    assert!(said.contains("there is no record \"temprature\": did you mean \"temperature\"?"), "{said}");
    let elsewhere = Place::with("");
    let (code, _, said) = end(&elsewhere.ends(&["watch", "temperature"]));
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--data DIR"), "{said}");
    let data = place.path().join("data");
    let (code, _, said) = end(&elsewhere.ends(&["watch", "x", "--data", data.to_str().expect("it is text")]));
    assert_eq!(code, Some(3), "{said}");
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
}

#[test]
fn a_good_config_is_shown_and_a_wrong_one_is_2() {
    let place = Place::with(CONFIG);
    let (code, printed, said) = end(&place.ends(&["check"]));
    assert_eq!((code, &*said), (Some(0), ""));
    compare("check.txt", &printed);
    let (code, printed, _) = end(&place.ends(&["check", "--graph"]));
    assert_eq!(code, Some(0));
    assert!(printed.starts_with("flowchart LR\n") && printed.contains("copy/{device}"), "{printed}");

    let place = Place::with(&CONFIG.replace("capacity", "capactiy").replace("qos = 1", "qos = \"1\""));
    for command in ["check", "run"] {
        let (code, printed, said) = end(&place.ends(&[command]));
        assert_eq!((code, &*printed), (Some(2), ""), "{said}");
        compare("wrong.txt", &said);
    }
    let (code, printed, _) = end(&place.ends(&["check", "--json"]));
    assert_eq!(code, Some(2));
    let wrong: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert_eq!(wrong.len(), 2, "{printed}");
    assert_eq!(
        (&wrong[0]["file"], &wrong[0]["line"], &wrong[0]["column"]),
        (&"anabranch.toml".into(), &13.into(), &32.into())
    );

    let (code, _, said) = end(&place.ends(&["check", "no-such.toml"]));
    assert_eq!(code, Some(1));
    assert!(said.contains("there is no no-such.toml"), "{said}");
}

/// Compares with what was printed before. `ANABRANCH_BLESS=1 cargo test` takes what is printed now; look at it.
fn compare(name: &str, printed: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node").join(name);
    if std::env::var_os("ANABRANCH_BLESS").is_some() {
        fs::write(&file, printed).expect("it can be written");
    }
    let before = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(printed, before, "{name} is printed otherwise; if that is meant, run with ANABRANCH_BLESS=1");
}

#[test]
fn help_shows_a_config_to_begin_with() {
    for (command, shows) in [("run", "[[connector]]"), ("check", "flow.mmd"), ("watch", "jq .value")] {
        let (code, printed, _) = end(&Place::with("").ends(&[command, "--help"]));
        assert_eq!(code, Some(0));
        assert!(printed.contains(shows) && printed.contains("Exit codes"), "{command}: {printed}");
    }
}
