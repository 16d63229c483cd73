//! The graph of a database: which services read and write which records, as data and as Mermaid text.

use crate::BufferCfg;
use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec,
    vec::Vec,
};
use core::fmt::Write;

/// Records, services, and what flows between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The records, by name.
    pub records: Vec<GraphRecord>,
    /// The services, transforms and joins, in the order in which they were configured.
    pub services: Vec<GraphService>,
}

/// A record in a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphRecord {
    /// Its name.
    pub name: String,
    /// The Rust type of its values.
    pub value: &'static str,
    /// Its buffer.
    pub buffer: BufferCfg,
}

/// What a node of a [`Graph`] that is no record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GraphServiceKind {
    /// An async function.
    Service,
    /// A function of one record's value.
    Transform,
    /// A function of several records' newest values.
    Join,
}

/// A service in a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphService {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: GraphServiceKind,
    /// How many of it run side by side.
    pub instances: u16,
    /// The records that it reads.
    pub reads: Vec<String>,
    /// The records that it writes.
    pub writes: Vec<String>,
}

impl Graph {
    /// The graph as Mermaid text: rounded boxes are records, square ones services.
    ///
    /// ```text
    /// flowchart LR
    ///     r0(["sensor/temperature<br/>spmc-ring 64"])
    ///     s0["cooling"]
    ///     r0 --> s0
    /// ```
    pub fn to_mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        let number: BTreeMap<&str, usize> =
            self.records.iter().enumerate().map(|(i, record)| (record.name.as_str(), i)).collect();
        for (i, record) in self.records.iter().enumerate() {
            let kind = record.buffer.kind();
            let _ = match record.buffer.capacity() {
                1 => writeln!(text, "    r{i}([\"{}<br/>{kind}\"])", escape(&record.name)),
                n => writeln!(text, "    r{i}([\"{}<br/>{kind} {n}\"])", escape(&record.name)),
            };
        }
        for (i, service) in self.services.iter().enumerate() {
            let times = if service.instances > 1 { alloc::format!(" ×{}", service.instances) } else { String::new() };
            let _ = writeln!(text, "    s{i}[\"{}{times}\"]", escape(&service.name));
            for record in service.reads.iter().filter_map(|name| number.get(name.as_str())) {
                let _ = writeln!(text, "    r{record} --> s{i}");
            }
            for record in service.writes.iter().filter_map(|name| number.get(name.as_str())) {
                let _ = writeln!(text, "    s{i} --> r{record}");
            }
        }
        text
    }

    /// The cycles through those records and services only: for each group of services that reach each other, its members
    /// and one path around (records and services in turn, back to the first).
    pub(super) fn cycles(
        &self,
        through: impl Fn(&GraphRecord) -> bool,
        of: impl Fn(&GraphService) -> bool,
    ) -> Vec<Cycle> {
        let usable: BTreeSet<&str> = self.records.iter().filter(|r| through(r)).map(|r| r.name.as_str()).collect();
        let mut readers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, service) in self.services.iter().enumerate().filter(|(_, service)| of(service)) {
            for record in service.reads.iter().filter(|record| usable.contains(record.as_str())) {
                readers.entry(record).or_default().push(i);
            }
        }
        let next: Vec<BTreeSet<usize>> = (self.services.iter())
            .map(|s| if of(s) { s.writes.as_slice() } else { &[] })
            .map(|writes| writes.iter().filter_map(|record| readers.get(record.as_str())).flatten().copied().collect())
            .collect();
        let reach: Vec<BTreeSet<usize>> = (0..next.len()).map(|from| reachable(&next, from)).collect();
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut cycles = Vec::new();
        for start in 0..next.len() {
            if !reach[start].contains(&start) || seen.contains(&start) {
                continue;
            }
            let group: BTreeSet<usize> = reach[start].iter().copied().filter(|i| reach[*i].contains(&start)).collect();
            seen.extend(&group);
            let services = around(&next, &group, start);
            cycles.push(Cycle { path: self.with_records(&services), group });
        }
        cycles
    }

    /// `services`, each reading what the one before wrote, with the records between.
    fn with_records(&self, services: &[usize]) -> Vec<String> {
        let mut path = Vec::new();
        for (at, &i) in services.iter().enumerate() {
            let from = &self.services[i];
            let to = &self.services[services[(at + 1) % services.len()]];
            path.push(from.name.clone());
            path.extend(from.writes.iter().find(|record| to.reads.contains(record)).cloned());
        }
        path.extend(path.first().cloned());
        path
    }
}

/// Services that reach each other.
pub(super) struct Cycle {
    /// Names of services and records in turn.
    pub(super) path: Vec<String>,
    /// All services of the group.
    pub(super) group: BTreeSet<usize>,
}

fn reachable(next: &[BTreeSet<usize>], from: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open: Vec<usize> = next[from].iter().copied().collect();
    while let Some(i) = open.pop() {
        if seen.insert(i) {
            open.extend(&next[i]);
        }
    }
    seen
}

/// The shortest way from `start` back to itself inside `group`.
fn around(next: &[BTreeSet<usize>], group: &BTreeSet<usize>, start: usize) -> Vec<usize> {
    let mut from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut open = alloc::collections::VecDeque::from([start]);
    while let Some(i) = open.pop_front() {
        if next[i].contains(&start) {
            let mut path = vec![i];
            let mut at = i;
            while at != start
                && let Some(&before) = from.get(&at)
            {
                path.push(before);
                at = before;
            }
            path.reverse();
            return path;
        }
        for &to in next[i].intersection(group) {
            if to != start && !from.contains_key(&to) {
                from.insert(to, i);
                open.push_back(to);
            }
        }
    }
    vec![start]
}

fn escape(name: &str) -> String {
    name.replace('"', "#quot;")
}
