//! `diff`: what changed between two versions of a key.

use anabranch::store::{Moment, Timestamp};
use anabranch_node::shown::{Change, Diff, Version};
use clap::Args;

use super::{
    moment::moment,
    people::{Shower, shown},
    place::Place,
};
use crate::{
    failure::Failure,
    look::{GONE, ID, KEY, Look, NEW},
};

/// Print what changed between two versions of a key
#[derive(Debug, Args)]
#[command(after_help = "\
A and B are each the id of a version that `history` shows, or a time: then the version that the key had at that time.

Examples:
  anabranch diff rooms kitchen 17f3… 18a1…
  anabranch diff rooms kitchen 2026-01-31T08:05:00Z now
  anabranch diff rooms kitchen '1 d ago' now --json | jq '.changes[].path'

Each JSON object has `changes`, a list of {\"path\": \"a.b[1]\", \"before\": …, \"after\": …}; what was not there has no `before`,
what is not there any more no `after`.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found")]
pub struct DiffOf {
    /// The namespace
    #[arg(value_name = "NS")]
    namespace: String,

    /// The key
    #[arg(value_name = "KEY")]
    key: String,

    /// The version before: its id, or a time
    #[arg(value_name = "A", value_parser = moment)]
    before: Moment,

    /// The version after: its id, or a time
    #[arg(value_name = "B", value_parser = moment)]
    after: Moment,

    #[command(flatten)]
    place: Place,
}

pub fn diff(of: &DiffOf) -> Result<(), Failure> {
    let store = of.place.open()?;
    let diff = store.diff(&of.namespace, &of.key, of.before, of.after)?;
    let mut shower = Shower::of(&of.place);
    let now = shower.now;
    shower.show(&diff, |look| in_words(&diff, look, now))?;
    shower.end()
}

fn in_words(Diff { before, after, changes }: &Diff, look: Look, now: Timestamp) -> String {
    let side = |sign: &str, version: &Option<Version>| match version {
        Some(Version { timestamp, version_id, deleted, .. }) => {
            let gone = if *deleted { "  (deleted)" } else { "" };
            format!("{sign} {}  {}{gone}", look.time(*timestamp, now), look.paint(ID, version_id))
        }
        None => format!("{sign} (not there yet)"),
    };
    let mut lines = vec![
        look.paint(GONE, "---").to_string() + &side("", before),
        look.paint(NEW, "+++").to_string() + &side("", after),
    ];
    lines.extend(changes.iter().map(|change| line(change, look)));
    if changes.is_empty() {
        lines.push("the values are the same".into());
    }
    lines.join("\n")
}

/// `celsius: 21.5 → 22.0`
fn line(Change { path, before, after }: &Change, look: Look) -> String {
    let path = if path.is_empty() { "(the value)" } else { path };
    let before = before.as_ref().map_or_else(|| "(nothing)".into(), shown);
    let after = after.as_ref().map_or_else(|| "(nothing)".into(), shown);
    format!("{}: {} → {}", look.paint(KEY, path), look.paint(GONE, before), look.paint(NEW, after))
}
