//! `anabranch demo` keeps what it measures: the next one begins with it, and one at a time has its directory.

use std::{
    io::{BufRead, BufReader, Lines},
    num::NonZeroU64,
    path::Path,
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use anabranch::{
    redb::{self, RedbBackend},
    store::{Options, Retention, Store, Timestamp},
};
use serde_json::Value;
use tempfile::TempDir;

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anabranch"));
    command.args(["demo", "--no-mqtt", "--every", "200ms"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints text")
}

fn json(output: &Output) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// What the first and the last line say of the store.
fn store_lines(lines: &[Value]) -> (Value, Value) {
    let stores: Vec<&Value> = lines.iter().filter(|line| line["record"] == "store").collect();
    assert_eq!(stores.len(), 2, "{stores:?}");
    assert_eq!((&lines[0], &lines[lines.len() - 1]), (stores[0], stores[1]), "it is said first and last");
    (stores[0]["value"].clone(), stores[1]["value"].clone())
}

fn open(directory: &Path) -> Store {
    let backend = RedbBackend::open(directory, redb::Options::default()).expect("no demo has it");
    Store::open(backend, Options::new(|| Timestamp::from_nanos(1))).expect("it is whole")
}

fn place() -> (TempDir, String) {
    let place = tempfile::tempdir().expect("there is room");
    let data = place.path().join("data").to_str().expect("it is text").to_owned();
    (place, data)
}

/// A demo that has said its first line.
fn started(command: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    lines.next().expect("a first line").expect("it is text");
    (child, lines)
}

fn ends(mut child: Child, lines: Lines<BufReader<ChildStdout>>) {
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(told.expect("there is a kill").success());
    lines.for_each(drop);
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_second_run_begins_with_what_the_first_one_kept() {
    let (_place, data) = place();
    let run = || json(&demo(&["--json", "--for", "2s", "--data", &data]).output().expect("it starts"));
    let first = run();
    let (begun, ended) = store_lines(&first);
    assert_eq!((&begun["versions"], &begun["since"]), (&0.into(), &Value::Null));
    assert!(ended["versions"].as_u64() > Some(10) && ended["diskBytes"].as_u64() > Some(0), "{ended}");
    assert_eq!((&ended["lost"], &ended["directory"]), (&0.into(), &data.as_str().into()));
    let second = run();
    let (again, later) = store_lines(&second);
    assert_eq!((&again["versions"], &again["since"]), (&ended["versions"], &ended["since"]));
    assert_eq!(later["since"], ended["since"]);
    assert!(later["versions"].as_u64() > again["versions"].as_u64());
    // Every reading of both is there.
    let store = open(Path::new(&data));
    let history = store.history("cpu", "cpu", .., 1000).expect("it is there").items;
    let kept: Vec<String> = history
        .iter()
        .map(|version| serde_json::to_value(&version.value).expect("it is JSON")["time"].to_string())
        .collect();
    let printed: Vec<String> = (first.iter().chain(&second))
        .filter(|line| line["record"] == "cpu")
        .map(|line| line["time"].to_string())
        .collect();
    assert!(printed.len() > 4 && printed.iter().all(|time| kept.contains(time)), "{printed:?} of {kept:?}");
    assert_eq!(store.stats().expect("it can be read").total_versions, later["versions"].as_u64().unwrap());
    // Nothing that it keeps grows for ever.
    for namespace in store.list_namespaces(None, None, 100).expect("they can be read").items {
        let retention = store.retention(&namespace).expect("it can be read");
        assert_eq!(retention, Retention::Last(NonZeroU64::new(86_400).unwrap()), "{namespace}");
    }
}

#[test]
fn an_alert_says_from_which_readings() {
    let (_place, data) = place();
    let always = ["--json", "--for", "2s", "--data", &data, "--memory-above", "0", "--smooth-over", "0s"];
    json(&demo(&always).output().expect("it starts"));
    let store = open(Path::new(&data));
    let alert = store.get("alerts", "memory").expect("memory is never empty");
    let why = store.why(&alert.version_id, 100).expect("it is there");
    let namespaces: Vec<String> = why
        .steps
        .iter()
        .map(|step| step.version.as_ref().map_or_else(String::new, |version| version.namespace.to_string()))
        .collect();
    for namespace in ["alerts", "levels", "memory", "limits"] {
        assert!(namespaces.iter().any(|cited| cited == namespace), "{namespaces:?}");
    }
}

#[test]
fn plain_output_says_how_much_is_kept_and_where() {
    let (_place, data) = place();
    let output = demo(&["--plain", "--for", "1s", "--data", &data]).output().expect("it starts");
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    assert!(
        said.contains(&format!("note: what is measured is kept in {data}: 0 versions (86,400 a key at most), ")),
        "{said}"
    );
    let kept = printed.lines().find(|line| line.starts_with("kept: ")).expect("it is said at the end");
    assert!(
        kept.contains(" versions of the last ")
            && kept.contains("(86,400 a key at most)")
            && kept.contains(" on disk")
            && kept.ends_with(&data),
        "{kept}"
    );
}

#[test]
fn one_demo_at_a_time_has_a_directory() {
    let (place, data) = place();
    // One that was named is an error.
    let (first, lines) = started(&mut demo(&["--json", "--data", &data]));
    let refused = demo(&["--json", "--for", "1s", "--data", &data]).output().expect("it starts");
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("in use") && said.contains("--no-data"), "{said}");
    ends(first, lines);
    // Where the user's is in use, the demo runs and keeps nothing.
    let of_the_user = |command: &mut Command| {
        command.env("XDG_STATE_HOME", place.path());
    };
    let mut command = demo(&["--json"]);
    of_the_user(&mut command);
    let (first, lines) = started(&mut command);
    let mut second = demo(&["--json", "--for", "1s"]);
    of_the_user(&mut second);
    let second = second.output().expect("it starts");
    let said = text(&second.stderr);
    assert!(said.contains("note: nothing is kept: another demo keeps its readings"), "{said}");
    assert!(json(&second).iter().all(|line| line["record"] != "store"));
    ends(first, lines);
    assert!(place.path().join("anabranch/demo").is_dir());
}

#[test]
fn a_demo_that_is_told_to_keeps_nothing() {
    let (place, _) = place();
    let mut command = demo(&["--json", "--for", "1s", "--no-data"]);
    let output = command.env("XDG_STATE_HOME", place.path()).output().expect("it starts");
    assert!(json(&output).iter().all(|line| line["record"] != "store"));
    assert!(!place.path().join("anabranch").exists());
}
