//! What is asked of a store: what changed, what came of what, what was written since.

use super::{anabranch, json, lines, place, put, refuses, says, text};
use serde_json::{Value, json};

#[test]
fn what_changed_is_told_by_ids_and_by_times_to_people_and_to_programs() {
    let place = place();
    let before = put(&place, "rooms", "kitchen", r#"{"celsius":21.5,"tags":["a"],"old":null}"#);
    let after = put(&place, "rooms", "kitchen", r#"{"celsius":22.0,"tags":["a","b"]}"#);
    let by_ids = says(&place, &["diff", "rooms", "kitchen", text(&before, "versionId"), text(&after, "versionId")]);
    let by_times = says(&place, &["diff", "rooms", "kitchen", text(&before, "timestamp"), "now"]);
    assert_eq!(by_ids, by_times);
    let mut said = by_ids.lines();
    let side = |version: &Value| format!("{}  {}", text(version, "timestamp"), text(version, "versionId"));
    assert_eq!(said.next(), Some(&*format!("--- {}", side(&before))));
    assert_eq!(said.next(), Some(&*format!("+++ {}", side(&after))));
    let changes: Vec<_> = said.collect();
    assert_eq!(changes, ["celsius: 21.5 → 22.0", "tags[1]: (nothing) → \"b\"", "old: null → (nothing)"]);

    let diff = json(&says(&place, &["diff", "rooms", "kitchen", text(&before, "versionId"), "now", "--json"]));
    assert_eq!((&diff["before"], &diff["after"]), (&before, &after));
    let changes = json!([
        { "path": "celsius", "before": 21.5, "after": 22.0 },
        { "path": "tags[1]", "after": "b" },
        { "path": "old", "before": null },
    ]);
    assert_eq!(diff["changes"], changes);

    says(&place, &["delete", "rooms", "kitchen"]);
    let gone = says(&place, &["diff", "rooms", "kitchen", "2000-01-01T00:00:00Z", "now"]);
    assert!(gone.contains("(not there yet)") && gone.contains("(deleted)"), "{gone}");
    assert!(gone.ends_with("the values are the same"), "{gone}");
}

#[test]
fn a_version_leads_back_to_what_it_was_made_from_and_forth_to_what_was_made_from_it() {
    let place = place();
    let kitchen = put(&place, "rooms", "kitchen", "31.5");
    let hall = put(&place, "rooms", "hall", "30.5");
    let (kitchen_id, hall_id) = (text(&kitchen, "versionId"), text(&hall, "versionId"));
    let mean = says(&place, &["put", "means", "flat", "31", "--because", kitchen_id, "--because", hall_id]);
    let alarm = says(&place, &["put", "alarms", "flat", "\"hot\"", "--because", &mean]);
    let why = says(&place, &["why", &alarm]);
    let starts: Vec<_> = why.lines().map(|line| line.split("  2").next().unwrap_or_default()).collect();
    assert_eq!(
        starts,
        [
            "alarms flat  \"hot\"",
            "because of means flat  31",
            "  because of rooms kitchen  31.5",
            "  because of rooms hall  30.5",
        ]
    );
    let steps = lines(&says(&place, &["why", &alarm, "--json"]));
    assert_eq!(steps.len(), 4);
    assert_eq!((&steps[0]["depth"], steps[0].get("via")), (&0.into(), None));
    assert_eq!((&steps[1]["depth"], text(&steps[1], "via")), (&1.into(), &*alarm));
    assert_eq!((text(&steps[2], "versionId"), text(&steps[2], "via")), (kitchen_id, &*mean));
    assert_eq!(steps[1]["causes"], json!([kitchen_id, hall_id]));

    let effects = lines(&says(&place, &["why", hall_id, "--effects", "--json"]));
    let ids: Vec<_> = effects.iter().map(|step| text(step, "versionId")).collect();
    assert_eq!(ids, [hall_id, &*mean, &*alarm]);
    let effects = says(&place, &["why", hall_id, "--effects"]);
    assert!(effects.lines().nth(1).is_some_and(|line| line.starts_with("has led to means flat")), "{effects}");

    let cut = anabranch(place.path(), &["why", &alarm, "--limit", "2"], "");
    assert_eq!(String::from_utf8_lossy(&cut.stdout).lines().count(), 2);
    assert!(String::from_utf8_lossy(&cut.stderr).contains("raise `--limit`"));
}

#[test]
fn a_cause_of_another_store_is_named_as_missing() {
    let (here, there) = (place(), place());
    let id = says(&there, &["put", "rooms", "hall", "1"]);
    let made = says(&here, &["put", "means", "flat", "1", "--because", &id]);
    let steps = lines(&says(&here, &["why", &made, "--json"]));
    assert_eq!((&steps[1]["missing"], text(&steps[1], "versionId")), (&true.into(), &*id));
    assert!(says(&here, &["why", &made]).contains("not in this store"));
}

#[test]
fn what_was_written_since_a_time_or_a_version_is_followed_in_its_order() {
    let place = place();
    let first = put(&place, "rooms", "kitchen", "1");
    let second = put(&place, "rooms", "hall", "2");
    let third = put(&place, "rooms", "kiosk", "3");
    put(&place, "other", "kitchen", "4");
    says(&place, &["delete", "rooms", "kitchen"]);
    let seen = lines(&says(&place, &["watch", "rooms", "--from", text(&first, "timestamp")]));
    assert_eq!(seen.len(), 4, "as JSON, as the output is no terminal");
    assert_eq!(seen[..3], [first.clone(), second.clone(), third.clone()]);
    assert_eq!((&seen[3]["deleted"], &seen[3]["key"]), (&true.into(), &"kitchen".into()));
    let seen = lines(&says(&place, &["watch", "rooms/ki", "--from", text(&first, "versionId"), "--json"]));
    assert_eq!((seen.len(), &seen[0]), (2, &third), "after that version, and with that prefix");
    let seen = lines(&says(&place, &["watch", "rooms", "--prefix", "h", "--from", "1 d ago", "--limit", "1"]));
    assert_eq!(seen, [second]);
    let (code, said) = refuses(&place, &["watch", "rooms/"]);
    assert!(code == 1 && said.contains("no node runs on data"), "nothing will come: {said}");
}

#[test]
fn what_there_is_can_be_counted() {
    let place = place();
    let first = put(&place, "rooms", "kitchen", "1");
    put(&place, "rooms", "kitchen", "2");
    let last = put(&place, "alarms", "flat", "3");
    let stats = json(&says(&place, &["stats", "--json"]));
    assert_eq!(
        (&stats["keyCount"], &stats["totalVersions"], &stats["namespaceCount"]),
        (&2.into(), &3.into(), &2.into())
    );
    assert_eq!((text(&stats, "oldest"), text(&stats, "newest")), (text(&first, "timestamp"), text(&last, "timestamp")));
    for (tier, versions) in [("warm", 3), ("cold", 0), ("deep", 0)] {
        assert_eq!(stats[tier]["versions"], versions, "{tier}");
    }
    assert!(stats["diskBytes"].as_u64() > Some(4096) && stats["memoryBytes"].is_u64(), "{stats}");
    let words = says(&place, &["stats"]);
    assert!(words.starts_with("versions    3\nkeys        2\nnamespaces  2\n"), "{words}");
    assert!(words.contains(text(&first, "timestamp")), "{words}");
}

#[test]
fn a_history_is_read_as_of_a_time_and_lists_stop_at_their_limit() {
    let place = place();
    let versions: Vec<_> = (0..4).map(|number| put(&place, "rooms", "hall", &number.to_string())).collect();
    put(&place, "rooms", "attic", "1");
    let then = text(&versions[2], "timestamp");
    let history = lines(&says(&place, &["history", "rooms", "hall", "--at", then, "--limit", "2", "--json"]));
    assert_eq!(history, [versions[2].clone(), versions[1].clone()]);
    assert_eq!(says(&place, &["get", "rooms", "hall", "--at", "now"]), "3");
    assert_eq!(says(&place, &["list", "rooms", "--limit", "1"]), "attic");
    assert_eq!(
        json(&says(&place, &["list", "rooms", "--limit", "1", "--json"])),
        json!({ "namespace": "rooms", "key": "attic" })
    );
    let words = says(&place, &["history", "rooms", "hall", "--limit", "1"]);
    assert_eq!(words, format!("{}  {}  3", text(&versions[3], "timestamp"), text(&versions[3], "versionId")));
}

#[test]
fn shells_are_given_completions() {
    let place = place();
    for (shell, sign) in
        [("bash", "complete -F _anabranch"), ("zsh", "#compdef anabranch"), ("fish", "complete -c anabranch")]
    {
        let script = says(&place, &["completions", shell]);
        assert!(script.contains(sign) && script.contains("history") && script.contains("if-absent"), "{shell}");
    }
    let (code, said) = refuses(&place, &["completions", "sh"]);
    assert!(code == 2 && said.contains("bash"), "{said}");
}
