//! `why`: what a version was made from, and what was made from it.

use std::collections::BTreeMap;

use anabranch::store::{Timestamp, VersionId};
use anabranch_node::shown::{Here, Step, Trace, Version};
use clap::Args;

use super::{
    moment::id,
    people::{Shower, what},
    place::Place,
};
use crate::{
    failure::Failure,
    look::{ID, KEY, Look},
};

/// Print what a version was made from, what that was made from, and so on
#[derive(Debug, Args)]
#[command(after_help = "\
A version cites the versions that it was made from: `put --because` says them.

Examples:
  anabranch why 17f3…
  anabranch why 17f3… --effects       what was made from it, what was made from that, and so on

Each JSON line is a version with how many steps away it is (`depth`) and the version that led to it (`via`); one that is not in
this store has `\"missing\": true`.

Exit codes: 0 done, 1 failed, 2 wrong use, 3 there is no such version")]
pub struct Why {
    /// The version
    #[arg(value_name = "VERSION", value_parser = id)]
    version: VersionId,

    /// The other way: what was made from it
    #[arg(long)]
    effects: bool,

    /// How many versions, at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,

    #[command(flatten)]
    place: Place,
}

pub fn why(why: &Why) -> Result<(), Failure> {
    let store = why.place.open()?;
    let Trace { steps, is_whole } = store.trace(&why.version, why.effects, why.limit)?;
    let mut shower = Shower::of(&why.place);
    if shower.is_for_people() {
        let now = shower.now;
        for (depth, step) in as_tree(&steps) {
            shower.words(|look| line(depth, step, why.effects, look, now))?;
        }
    } else {
        for step in &steps {
            shower.show(step, |_| "")?;
        }
    }
    shower.end()?;
    if !is_whole {
        crate::tell(format_args!("note: there are more: raise `--limit`"));
    }
    Ok(())
}

/// Each step below the one that led to it.
fn as_tree(steps: &[Step]) -> Vec<(usize, &Step)> {
    let mut below: BTreeMap<Option<VersionId>, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        below.entry(step.via).or_default().push(step);
    }
    let mut tree = Vec::new();
    // The last first, so that the first is taken first.
    let mut waiting: Vec<(usize, &Step)> = below.remove(&None).into_iter().flatten().map(|step| (0, step)).collect();
    while let Some((depth, step)) = waiting.pop() {
        tree.push((depth, step));
        waiting.extend(below.remove(&Some(id_of(step))).into_iter().flatten().rev().map(|step| (depth + 1, step)));
    }
    tree
}

fn id_of(step: &Step) -> VersionId {
    match &step.version {
        Here::Whole(version) => version.version_id,
        Here::Missing { version_id, .. } => *version_id,
    }
}

fn line(depth: usize, step: &Step, effects: bool, look: Look, now: Timestamp) -> String {
    let arrow = match (depth, effects) {
        (0, _) => String::new(),
        (depth, false) => "  ".repeat(depth - 1) + "because of ",
        (depth, true) => "  ".repeat(depth - 1) + "has led to ",
    };
    let id = look.paint(ID, id_of(step));
    match &step.version {
        Here::Missing { .. } => format!("{arrow}(a version that is not in this store)  {id}"),
        Here::Whole(version) => {
            let Version { namespace, key, timestamp, .. } = version;
            let (time, what) = (look.time(*timestamp, now), what(version, look));
            format!("{arrow}{namespace} {}  {what}  {time}  {id}", look.paint(KEY, key))
        }
    }
}
