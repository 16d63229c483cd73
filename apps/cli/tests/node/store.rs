//! The commands on a store that a node has open: they ask the node, and answer as if they had opened it themselves.

use super::{Place, end};
use serde_json::Value;
use std::{io::Write as _, process::Stdio};

const CONFIG: &str = "
[node]
data = 'data'
[[record]]
name = 'rooms'
buffer = { kind = 'single-latest' }
";

/// What a command prints that has to end well.
fn prints(place: &Place, arguments: &[&str]) -> String {
    let (code, printed, said) = end(&place.ends(arguments));
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    printed.trim_end().to_owned()
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).expect(line)
}

#[test]
fn a_command_answers_the_same_whether_a_node_has_the_store_open_or_not() {
    let place = Place::with(CONFIG);
    let node = place.node();
    let strange = "a/b?c=%2F ü\"&history";
    let first = prints(&place, &["put", "homes", "kitchen", r#"{"z":1,"id":9007199254740993}"#]);
    let second = prints(&place, &["put", "homes", "kitchen", r#"{"z":2,"id":9007199254740993}"#, "--if", &first]);
    prints(&place, &["put", "a/b", strange, "null", "--because", &first, "--because", &second]);
    prints(&place, &["put", "homes", "hall", "1", "--if-absent"]);
    prints(&place, &["delete", "homes", "hall"]);
    let at = json(&prints(&place, &["get", "homes", "kitchen", "--version", &first, "--json"]));
    let at = at["timestamp"].as_str().expect("it has one").to_owned();
    let questions: &[&[&str]] = &[
        &["get", "homes", "kitchen", "--json"],
        &["get", "homes", "kitchen", "--at", &at],
        &["get", "a/b", strange, "--json"],
        &["history", "homes", "kitchen"],
        &["history", "homes", "hall", "--json"],
        &["history", "homes", "kitchen", "--at", &at, "--json"],
        &["list"],
        &["list", "homes", "--prefix", "k", "--json"],
        &["list", "a/b"],
        &["diff", "homes", "kitchen", &first, &second],
        &["diff", "homes", "kitchen", "1999-01-01T00:00:00Z", "now", "--json"],
        &["why", &second, "--effects", "--json"],
        // And what cannot be.
        &["get", "homes", "attic"],
        &["get", "homes", "hall"],
        &["get", "homes", "kitchen", "--at", "1999-01-01T00:00:00Z"],
        &["get", "homes", "hall", "--version", &first],
        &["history", "homes", "kitchen", "--limit", "0"],
        &["put", "homes", "kitchen", "3", "--if", &first],
        &["put", "homes", "kitchen", "3", "--if-absent"],
        &["put", "homes", "hall", "3", "--if", &first],
        &["put", "homes", "", "3"],
        &["delete", "homes", "attic"],
        &["why", &first.replace(&first[60..], "0000")],
    ];
    let asked: Vec<_> = questions.iter().map(|question| end(&place.ends(question))).collect();
    assert!(asked.iter().any(|(code, ..)| *code == Some(4)) && asked.iter().any(|(code, ..)| *code == Some(3)));
    let stats = json(&prints(&place, &["stats", "--json"]));
    assert_eq!((&stats["totalVersions"], &stats["keyCount"]), (&5.into(), &2.into()));
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
    for (question, of_node) in questions.iter().zip(asked) {
        let own = end(&place.ends(question));
        assert_eq!(of_node.0, own.0, "{question:?}: {}{}", of_node.2, own.2);
        assert_eq!(of_node.1, own.1, "{question:?}");
        // Of a time that is too early, a person at the node is told in the same words.
        assert_eq!(of_node.2, own.2, "{question:?}");
    }
}

#[test]
fn what_is_written_is_followed_with_no_gap_while_a_node_runs() {
    let place = Place::with(CONFIG);
    let node = place.node();
    let before = json(&prints(&place, &["put", "homes", "kitchen", "1", "--json"]));
    prints(&place, &["put", "others", "kitchen", "2"]);
    let replayed = place.starts(&["watch", "homes", "--from", "1 h ago"]);
    assert_eq!(json(&replayed.prints("")), before);
    let from_now = place.starts(&["watch", "homes/k"]);
    from_now.says("watching \"homes\" in the store");
    // A name that is a record's is a record's, unless it ends in a slash.
    let of_record = place.starts(&["watch", "rooms"]);
    of_record.says("watching \"rooms\" of the node");
    let mut written: Vec<Value> = Vec::new();
    for number in 0..20 {
        prints(&place, &["put", "others", "kitchen", "3"]);
        written.push(json(&prints(&place, &["put", "homes", "kitchen", &number.to_string(), "--json"])));
        assert_eq!(&json(&replayed.prints("")), &written[number]);
    }
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
    assert_eq!(from_now.rest().iter().map(|line| json(line)).collect::<Vec<_>>(), written);
    assert!(replayed.rest().is_empty());
    for watch in [replayed, from_now, of_record] {
        assert_eq!(watch.end(), Some(0), "it ends with the node");
    }
}

#[test]
fn a_name_that_is_neither_a_record_nor_a_namespace_is_not_followed() {
    let place = Place::with(CONFIG);
    let node = place.node();
    let (code, _, said) = end(&place.ends(&["watch", "homes"]));
    assert!(code == Some(3) && said.contains("there is no record \"homes\""), "{said}");
    node.signal("TERM");
    node.end();
}

#[test]
fn what_a_node_no_longer_keeps_is_told_as_by_a_command_of_its_own() {
    let kept = "[[namespace]]\nname = 'homes'\nretention = { last = 2 }\n";
    let place =
        Place::with(&format!("{}{kept}", CONFIG.replace("data = 'data'", "data = 'data'\nmaintain_every = '1ms'")));
    let node = place.node();
    let first = json(&prints(&place, &["put", "homes", "kitchen", "0", "--json"]));
    (1..5).for_each(|number| drop(prints(&place, &["put", "homes", "kitchen", &number.to_string()])));
    // It looks every millisecond; each question takes longer than that.
    let asking = || json(&prints(&place, &["stats", "--json"]));
    let stats = (0..1000).map(|_| asking()).find(|stats| stats["deep"]["versions"] == 3).expect("it drops three");
    assert_eq!(stats["retention"], serde_json::json!([{ "namespace": "homes", "last": 2 }]));
    let (at, id) = (first["timestamp"].as_str().expect("a time"), first["versionId"].as_str().expect("an id"));
    let questions: &[&[&str]] = &[
        &["get", "homes", "kitchen", "--at", at],
        &["history", "homes", "kitchen", "--at", at],
        &["get", "homes", "kitchen", "--version", id],
        &["diff", "homes", "kitchen", at, "now"],
        &["history", "homes", "kitchen"],
        &["verify"],
    ];
    let asked: Vec<_> = questions.iter().map(|question| end(&place.ends(question))).collect();
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
    for (question, of_node) in questions.iter().zip(&asked) {
        assert_eq!(*of_node, end(&place.ends(question)), "{question:?}");
    }
    assert!(asked[..4].iter().all(|(code, ..)| *code == Some(3)), "{asked:?}");
    assert!(asked[0].2.contains("is no longer kept"), "{}", asked[0].2);
    assert_eq!((asked[4].1.lines().count(), asked[5].0), (2, Some(0)));
    let said = prints(&place, &["stats"]);
    assert!(
        said.contains("deep        3 versions, ")
            && said.contains("kept        homes: the newest 2 versions of each key"),
        "{said}"
    );
}

#[test]
fn lines_are_written_by_the_node() {
    let place = Place::with(CONFIG);
    let node = place.node();
    let put = |arguments: &[&str], input: &str| {
        let mut command = super::process::command(env!("CARGO_BIN_EXE_anabranch"), arguments, place.path());
        let mut running = command.stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = running.stdin.take().expect("it was asked for");
        stdin.write_all(input.as_bytes()).expect("it reads");
        drop(stdin);
        end(&running.wait_with_output().expect("it ends"))
    };
    let twice = "{\"key\":\"a\",\"value\":1}\n{\"key\":\"a\",\"value\":2}\n";
    let (code, told, said) = put(&["put", "homes", "--stdin"], twice);
    assert_eq!(code, Some(0), "{said}");
    let told: Vec<Value> = told.lines().map(json).collect();
    assert_eq!(told[1]["previousVersion"], told[0]["versionId"]);
    let (code, told, said) = put(&["put", "homes", "--stdin", "--batch"], twice);
    assert!(code == Some(2) && told.is_empty() && said.contains("the batch writes \"a\" of \"homes\" twice"), "{said}");
    let two = "{\"key\":\"a\",\"value\":null}\n{\"key\":\"b\",\"value\":[2]}\n";
    let (code, told, said) = put(&["put", "homes", "--stdin", "--batch"], two);
    assert_eq!(code, Some(0), "{said}");
    let told: Vec<Value> = told.lines().map(json).collect();
    assert_eq!((&told[0]["value"], &told[1]["value"][0]), (&Value::Null, &2.into()));
    assert_eq!(prints(&place, &["get", "homes", "b"]), "[2]");
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
}

#[test]
fn a_node_s_store_is_proven_exported_and_imported_while_it_runs() {
    let place = Place::with(CONFIG);
    let node = place.node();
    for number in 0..3 {
        prints(&place, &["put", "homes", "kitchen", &number.to_string()]);
    }
    // More than fits into what is under way at once.
    let large = format!("\"{}\"", "x".repeat(100_000));
    for key in 0..12 {
        prints(&place, &["put", "large", &key.to_string(), &large]);
    }
    assert_eq!(prints(&place, &["verify"]), "whole: 15 versions of 13 keys are as they were written");
    let exported = json(&prints(&place, &["export", "all.anb", "--json"]));
    let bytes = std::fs::metadata(place.path().join("all.anb")).expect("it is there").len();
    assert_eq!((&exported["keys"], &exported["versions"], &exported["bytes"]), (&13.into(), &15.into(), &bytes.into()));
    assert_eq!(prints(&place, &["import", "all.anb"]), "imported 0 versions; 15 were here already");
    // Into a store of one's own, and from there into the node's.
    assert_eq!(prints(&place, &["import", "all.anb", "--data", "other"]), "imported 15 versions; 0 were here already");
    prints(&place, &["put", "attic", "box", "1", "--data", "other"]);
    prints(&place, &["export", "more.anb", "--data", "other"]);
    assert_eq!(prints(&place, &["import", "more.anb"]), "imported 1 version; 15 were here already");
    assert_eq!(prints(&place, &["get", "attic", "box"]), "1");
    let mut altered = std::fs::read(place.path().join("more.anb")).expect("it is there");
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    for (file, words) in [(altered, "altered before byte"), (b"nothing".to_vec(), "no export of Anabranch")] {
        std::fs::write(place.path().join("wrong.anb"), file).expect("there is room");
        let (code, _, said) = end(&place.ends(&["import", "wrong.anb"]));
        assert!(code == Some(1) && said.contains(words) && said.contains("which are safe"), "{said}");
    }
    node.signal("TERM");
    assert_eq!(node.end(), Some(0));
    assert_eq!(prints(&place, &["verify"]), "whole: 16 versions of 14 keys are as they were written");
}
