//! `stats` and `verify`: how much there is, and whether it is as it was written.

use std::collections::BTreeSet;

use anabranch_node::shown::{Damage, Stats};
use clap::Args;
use serde_json::json;

use super::{people::Shower, place::Place};
use crate::{
    failure::Failure,
    look::{GONE, KEY, Look, NEW, count, counted, size},
    progress::Progress,
};

/// Print how much there is, how far back it goes, and what it takes
#[derive(Debug, Args)]
pub struct StatsOf {
    #[command(flatten)]
    place: Place,
}

/// Prove that every version is as it was written, and name what is not
#[derive(Debug, Args)]
#[command(after_help = "\
Each version's id is computed again, each chain is followed from its beginning, and each index is held against what it points
at. Each JSON line is a damage, {\"namespace\", \"key\", \"since\", \"what\"}, as far as each can be told; the last line says how
much was checked: {\"keys\", \"versions\", \"damages\"}.

What is damaged is never served as data. `anabranch export` saves the rest.

Exit codes: 0 all is whole, 1 something is damaged, or it failed, 3 there is no store")]
pub struct Verify {
    #[command(flatten)]
    place: Place,
}

pub fn stats(of: &StatsOf) -> Result<(), Failure> {
    let stats: Stats = of.place.open()?.stats()?;
    let mut shower = Shower::of(&of.place);
    let now = shower.now;
    shower.show(&stats, |look| {
        let name = |name: &str| look.paint(KEY, format!("{name:<12}")).to_string();
        let mut lines = vec![
            format!("{}{}", name("versions"), count(stats.total_versions)),
            format!("{}{}", name("keys"), count(stats.key_count)),
            format!("{}{}", name("namespaces"), count(stats.namespace_count)),
        ];
        lines.extend(stats.oldest.map(|at| format!("{}{}", name("oldest"), look.time(at, now))));
        lines.extend(stats.newest.map(|at| format!("{}{}", name("newest"), look.time(at, now))));
        lines.push(format!("{}{}", name("disk"), size(stats.disk_bytes)));
        lines.push(format!("{}{}", name("memory"), size(stats.memory_bytes)));
        for (tier, held) in [("hot", stats.hot), ("warm", stats.warm), ("cold", stats.cold), ("deep", stats.deep)] {
            let limit = held.limit.map_or_else(String::new, |limit| format!(" of {} at most", size(limit)));
            let versions = counted(held.versions, "version", "versions");
            lines.push(format!("{}{versions}, {}{limit}", name(tier), size(held.bytes)));
        }
        for retained in &stats.retention {
            lines.push(format!("{}{}: {retained}", name("kept"), retained.namespace));
        }
        lines.join("\n")
    })?;
    shower.end()
}

pub fn verify(verify: &Verify) -> Result<(), Failure> {
    let store = verify.place.open()?;
    // How many there are may be what is damaged.
    let progress = Progress::of_versions("checking", store.stats().ok().map(|stats| stats.total_versions));
    let verified = store.verify(&mut |versions| progress.is_at(versions))?;
    drop(progress);
    let mut shower = Shower::of(&verify.place);
    let (keys, versions, damages) = (verified.keys, verified.versions, verified.damages.len());
    let mut affected = BTreeSet::new();
    for damage in verified.damages {
        affected.extend(damage.namespace.clone().zip(damage.key.clone()));
        shower.show(&damage, |look| in_words(&damage, look))?;
    }
    let summary = json!({ "keys": keys, "versions": versions, "damages": damages });
    shower.show(&summary, |look| {
        let as_written = if versions == 1 { "is as it was written" } else { "are as they were written" };
        let (versions, keys) = (counted(versions, "version", "versions"), counted(keys, "key", "keys"));
        let verdict = if damages == 0 { look.paint(NEW, "whole") } else { look.paint(GONE, "damaged") };
        format!("{verdict}: {versions} of {keys} {as_written}")
    })?;
    shower.end()?;
    if damages == 0 { Ok(()) } else { Err(Failure::Damaged { damages, keys: affected.into_iter().collect() }) }
}

/// `rooms hall, since 2026-…: what`
pub fn in_words(Damage { namespace, key, since, what }: &Damage, look: Look) -> String {
    let of = match (namespace, key) {
        (Some(namespace), Some(key)) => format!("{namespace} {}", look.paint(KEY, key)),
        _ => "(of what key cannot be told)".into(),
    };
    let since = since.map_or_else(String::new, |since| format!(", since {since}"));
    format!("{of}{since}: {}", look.paint(GONE, what))
}
