//! A store as a whole: whether it is as it was written, and in one file.

use super::{anabranch, json, lines, place, put, refuses, says, text};
use ::anabranch::{
    redb::{Options, RedbBackend},
    store::{Backend, Batch, Direction, Durability, Table, View},
};
use serde_json::json;
use std::{
    fs,
    ops::{Bound, ControlFlow},
    path::Path,
};
use tempfile::TempDir;

/// A store with three keys, one of them deleted, and seven versions.
fn filled() -> TempDir {
    let place = place();
    let first = says(&place, &["put", "rooms", "kitchen", r#"{"celsius":21.5}"#]);
    for value in ["1", "2", "3"] {
        put(&place, "rooms", "hall", value);
    }
    says(&place, &["put", "alarms", "flat", "\"hot\"", "--because", &first]);
    put(&place, "rooms", "attic", "1");
    says(&place, &["delete", "rooms", "attic"]);
    place
}

/// Flips a bit in the row of a version whose value is written as `needle`, behind the store's back.
fn damage(data: &Path, needle: &[u8]) {
    let backend = RedbBackend::open(data, Options::default()).expect("it is a store");
    let mut batch = Batch::new();
    let all = (Bound::Unbounded, Bound::Unbounded);
    let view = backend.view().expect("it can be read");
    let mut visit = |key: &[u8], row: &[u8]| {
        if let Some(at) = row.windows(needle.len()).position(|bytes| bytes == needle) {
            let mut flipped = row.to_vec();
            flipped[at] ^= 1;
            batch.put(Table::Versions, key, &flipped);
        }
        ControlFlow::Continue(())
    };
    view.scan(Table::Versions, all, Direction::Forward, &mut visit).expect("it can be read");
    drop(view);
    assert_eq!(batch.len(), 1, "one version has that value");
    backend.commit(&batch, Durability::Immediate).expect("it can be written");
}

#[test]
fn a_store_that_nothing_happened_to_is_whole() {
    let place = filled();
    assert_eq!(says(&place, &["verify"]), "whole: 7 versions of 4 keys are as they were written");
    assert_eq!(json(&says(&place, &["verify", "--json"])), json!({ "keys": 4, "versions": 7, "damages": 0 }));
}

#[test]
fn what_is_damaged_is_named_with_its_key_and_an_export_saves_the_rest() {
    let place = filled();
    damage(&place.path().join("data"), b"celsius");
    let (code, said) = refuses(&place, &["verify"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("\"kitchen\" of \"rooms\"") && said.contains("`export` saves the rest"), "{said}");
    let output = anabranch(place.path(), &["verify", "--json"], "");
    let found = lines(&String::from_utf8_lossy(&output.stdout));
    assert_eq!((&found[0]["namespace"], &found[0]["key"]), (&"rooms".into(), &"kitchen".into()));
    assert!(found[0]["what"].is_string() && found[0]["since"].is_string(), "{}", found[0]);
    assert!(found.last().is_some_and(|last| last["damages"].as_u64() >= Some(1)));
    let (code, said) = refuses(&place, &["get", "rooms", "kitchen"]);
    assert!(code == 1 && said.contains("damaged"), "never served: {said}");
    assert_eq!(says(&place, &["get", "rooms", "hall"]), "3", "what is not damaged is");

    let (code, said) = refuses(&place, &["export", "saved.anb"]);
    assert!(code == 1 && said.contains("all else is in it"), "{said}");
    let saved = json(&says(&place, &["import", "saved.anb", "--data", "anew", "--json"]));
    assert_eq!(saved, json!({ "new": 6, "known": 0 }));
    assert_eq!(says(&place, &["get", "rooms", "hall", "--data", "anew"]), "3");
    says(&place, &["verify", "--data", "anew"]);
}

#[test]
fn a_store_goes_through_a_file_and_a_second_time_changes_nothing() {
    let place = filled();
    let exported = json(&says(&place, &["export", "all.anb", "--json"]));
    let bytes = fs::metadata(place.path().join("all.anb")).expect("it is there").len();
    assert_eq!(exported, json!({ "file": "all.anb", "keys": 4, "versions": 7, "bytes": bytes, "damages": 0 }));
    let import = |arguments: &[&str]| says(&place, &[&["import", "all.anb", "--data", "other"], arguments].concat());
    assert_eq!(import(&[]), "imported 7 versions; 0 were here already");
    assert_eq!(json(&import(&["--json"])), json!({ "new": 0, "known": 7 }));
    for (namespace, key) in [("rooms", "kitchen"), ("rooms", "hall"), ("rooms", "attic"), ("alarms", "flat")] {
        let history = ["history", namespace, key, "--json"];
        assert_eq!(says(&place, &history), says(&place, &[&history[..], &["--data", "other"]].concat()));
    }
    says(&place, &["verify", "--data", "other"]);
    // What was written to one of them comes to the other by the next file.
    let newest = put(&place, "rooms", "hall", "4");
    assert!(says(&place, &["export", "all.anb"]).starts_with("exported 8 versions of 4 keys to all.anb, "));
    assert_eq!(import(&[]), "imported 1 version; 7 were here already");
    let there = says(&place, &["get", "rooms", "hall", "--data", "other", "--json"]);
    assert_eq!(json(&there)["versionId"], text(&newest, "versionId"));
}

#[test]
fn a_store_goes_through_a_pipe() {
    let place = filled();
    let file = anabranch(place.path(), &["export", "-"], "");
    assert!(file.status.success() && String::from_utf8_lossy(&file.stderr).contains("exported 7 versions"));
    fs::write(place.path().join("all.anb"), &file.stdout).expect("there is room");
    assert_eq!(says(&place, &["import", "all.anb", "--data", "other"]), "imported 7 versions; 0 were here already");
}

#[test]
fn a_file_that_is_cut_short_altered_or_from_the_future_is_refused_with_a_way_out() {
    let place = filled();
    says(&place, &["export", "all.anb"]);
    let whole = fs::read(place.path().join("all.anb")).expect("it is there");
    let cut = whole[..whole.len() - 40].to_vec();
    let mut altered = whole.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 4;
    let mut newer = whole.clone();
    newer[11] = 2;
    let longer = [&whole[..], b"more"].concat();
    for (file, words) in [
        (cut, "cut short at byte"),
        (altered, "altered before byte"),
        (newer, "has format 2, and this program knows up to 1: use a newer one"),
        (longer, "altered before byte"),
        (b"SQLite format 3\0".to_vec(), "no export of Anabranch; give a file that `export` wrote"),
        (Vec::new(), "no export of Anabranch"),
    ] {
        fs::write(place.path().join("wrong.anb"), file).expect("there is room");
        let (code, said) = refuses(&place, &["import", "wrong.anb", "--data", "other"]);
        assert!(code == 1 && said.contains(words), "{words}: {said}");
        assert!(said.contains("which are safe"), "{said}");
    }
    // What was read before the end is kept, and the whole file brings what is missing.
    says(&place, &["import", "all.anb", "--data", "other"]);
    assert_eq!(
        json(&says(&place, &["verify", "--data", "other", "--json"])),
        json!({ "keys": 4, "versions": 7, "damages": 0 })
    );
    let (code, said) = refuses(&place, &["import", "nowhere.anb", "--data", "nothing"]);
    assert!(code == 3 && said.contains("name a file that `export` wrote"), "{said}");
    assert!(!place.path().join("nothing").exists(), "no store is made for it");
}

#[test]
fn another_history_of_a_key_is_not_mixed_with_its_own() {
    let (here, there) = (filled(), filled());
    says(&here, &["export", "all.anb"]);
    fs::copy(here.path().join("all.anb"), there.path().join("all.anb")).expect("there is room");
    let before = says(&there, &["history", "rooms", "hall", "--json"]);
    let (code, said) = refuses(&there, &["import", "all.anb"]);
    assert!(
        code == 1 && said.contains("another history here") && said.contains("import into a new database"),
        "{said}"
    );
    assert_eq!(says(&there, &["history", "rooms", "hall", "--json"]), before);
}

#[test]
fn an_export_that_cannot_be_written_leaves_what_had_its_name() {
    let place = filled();
    let (code, said) = refuses(&place, &["export", "nowhere/all.anb"]);
    assert!(code == 1 && said.contains("make room, or write it elsewhere"), "{said}");
    fs::create_dir(place.path().join("folder")).expect("there is room");
    let (code, said) = refuses(&place, &["export", "folder"]);
    assert!(code == 1 && said.contains("folder could not be written"), "{said}");
    let names = fs::read_dir(place.path()).expect("it is there").count();
    assert_eq!(names, 2, "no half file is left");
}
