//! The graph of a database: which services read and write which records, as data and as Mermaid text.

use crate::BufferCfg;
use alloc::{
    collections::{BTreeMap, VecDeque},
    string::String,
    sync::Arc,
    vec,
    vec::Vec,
};
use core::fmt::Write;

/// Records, services, and what flows between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// The records, by name.
    pub records: Vec<GraphRecord>,
    /// The services, transforms, joins and outbound links, in the order in which they were configured.
    pub services: Vec<GraphService>,
    /// The inbound links, in that order.
    pub inbound: Vec<GraphLink>,
}

/// An inbound link in a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphLink {
    /// The record that it goes into.
    pub record: Arc<str>,
    /// The address that it comes from.
    pub address: Arc<str>,
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
    /// A link that goes out; its name is its address.
    Link,
    /// What keeps each value of a record, as a version in the store; or that store in order, and then it reads no record.
    Keep,
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
    /// The graph as Mermaid text: rounded boxes are records, square ones services, flags links. What keeps the store in order is
    /// not in it: nothing flows there.
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
        let flows = |service: &&GraphService| service.kind != GraphServiceKind::Keep || !service.reads.is_empty();
        for (i, service) in self.services.iter().filter(flows).enumerate() {
            let times = if service.instances > 1 { alloc::format!(" ×{}", service.instances) } else { String::new() };
            let left = if service.kind == GraphServiceKind::Link { '>' } else { '[' };
            let _ = writeln!(text, "    s{i}{left}\"{}{times}\"]", escape(&service.name));
            for record in service.reads.iter().filter_map(|name| number.get(name.as_str())) {
                let _ = writeln!(text, "    r{record} --> s{i}");
            }
            for record in service.writes.iter().filter_map(|name| number.get(name.as_str())) {
                let _ = writeln!(text, "    s{i} --> r{record}");
            }
        }
        for (i, link) in self.inbound.iter().enumerate() {
            let _ = writeln!(text, "    l{i}>\"{}\"]", escape(&link.address));
            if let Some(record) = number.get(&*link.record) {
                let _ = writeln!(text, "    l{i} --> r{record}");
            }
        }
        text
    }

    /// The records and services by number, to look for cycles in.
    pub(super) fn wiring(&self) -> Wiring<'_> {
        // They stand in the order of their names, as the builder made them.
        let number = |name: &String| self.records.binary_search_by(|record| record.name.cmp(name)).ok();
        let numbers = |names: &[String]| names.iter().filter_map(number).collect();
        Wiring {
            graph: self,
            ends: self.services.iter().map(|service| (numbers(&service.reads), numbers(&service.writes))).collect(),
        }
    }
}

/// A [`Graph`] by number.
pub(super) struct Wiring<'g> {
    graph: &'g Graph,
    /// What each service reads, and what it writes.
    ends: Vec<(Vec<usize>, Vec<usize>)>,
}

/// Services that reach each other.
pub(super) struct Cycle {
    /// The shortest way around from the first of them: names of services and records in turn, back to the first.
    pub(super) path: Vec<String>,
    /// All services of the group, in their order.
    pub(super) group: Vec<usize>,
}

impl Wiring<'_> {
    /// The cycles through those records and services only, in the order of their first services. Linear in the graph.
    pub(super) fn cycles(
        &self,
        through: &dyn Fn(&GraphRecord) -> bool,
        of: &dyn Fn(&GraphService) -> bool,
    ) -> Vec<Cycle> {
        // nodes are the services, then the records
        let services = self.graph.services.len();
        let mut next = vec![Vec::new(); services + self.graph.records.len()];
        for (i, (reads, writes)) in self.ends.iter().enumerate().filter(|(i, _)| of(&self.graph.services[*i])) {
            for &record in reads.iter().filter(|record| through(&self.graph.records[**record])) {
                next[services + record].push(i);
            }
            next[i].extend(writes.iter().filter(|record| through(&self.graph.records[**record])).map(|r| services + r));
        }
        let component = components(&next);
        let mut size = vec![0; next.len()];
        component.iter().for_each(|of| size[*of] += 1);
        // By the number of a component, where its group stands.
        let mut place = vec![usize::MAX; next.len()];
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (i, of) in component.iter().take(services).enumerate().filter(|(_, of)| size[**of] > 1) {
            match groups.get_mut(place[*of]) {
                Some(group) => group.push(i),
                None => {
                    place[*of] = groups.len();
                    groups.push(vec![i]);
                }
            }
        }
        // What each was reached from: components have no node in common, so they share it.
        let mut from = vec![None; next.len()];
        (groups.into_iter())
            .map(|group| {
                let number = component[group[0]];
                let path = around(&next, &|node| component[node] == number, group[0], &mut from);
                Cycle { path: path.into_iter().map(|node| self.name(node)).collect(), group }
            })
            .collect()
    }

    fn name(&self, node: usize) -> String {
        match node.checked_sub(self.graph.services.len()) {
            None => self.graph.services[node].name.clone(),
            Some(record) => self.graph.records[record].name.clone(),
        }
    }
}

/// The strongly connected components (Tarjan's algorithm, without recursion): for each node, the number of its own.
fn components(next: &[Vec<usize>]) -> Vec<usize> {
    const NONE: usize = usize::MAX;
    let (mut found, mut low, mut component) = (vec![NONE; next.len()], vec![NONE; next.len()], vec![NONE; next.len()]);
    let (mut finds, mut closed) = (0, 0);
    let mut open = Vec::new(); // found, and not yet in a component
    let mut visits = Vec::new(); // nodes on the way here, each with the number of its next edge
    for root in 0..next.len() {
        if found[root] == NONE {
            visits.push((root, 0));
        }
        while let Some((node, edge)) = visits.pop() {
            if edge == 0 {
                (found[node], low[node]) = (finds, finds);
                finds += 1;
                open.push(node);
            }
            if let Some(&to) = next[node].get(edge) {
                visits.push((node, edge + 1));
                if found[to] == NONE {
                    visits.push((to, 0));
                } else if component[to] == NONE {
                    low[node] = low[node].min(found[to]);
                }
                continue;
            }
            if low[node] == found[node] {
                while let Some(member) = open.pop() {
                    component[member] = closed;
                    if member == node {
                        break;
                    }
                }
                closed += 1;
            }
            if let Some((from, _)) = visits.last() {
                low[*from] = low[*from].min(low[node]);
            }
        }
    }
    component
}

/// The shortest way from `start` back to itself over nodes that are `inside`, none of which was reached before.
fn around(next: &[Vec<usize>], inside: &dyn Fn(usize) -> bool, start: usize, from: &mut [Option<usize>]) -> Vec<usize> {
    let mut open = VecDeque::from([start]);
    while let Some(node) = open.pop_front() {
        for &to in next[node].iter().filter(|to| inside(**to)) {
            if to == start {
                let back = core::iter::successors(Some(node), |node| from[*node]);
                let mut path: Vec<usize> = core::iter::once(start).chain(back).collect();
                path.reverse();
                return path;
            }
            if from[to].is_none() {
                from[to] = Some(node);
                open.push_back(to);
            }
        }
    }
    vec![start]
}

fn escape(name: &str) -> String {
    name.replace('"', "#quot;")
}

#[cfg(test)]
mod tests {
    use super::{around, components};
    use alloc::{vec, vec::Vec};

    #[test]
    fn nodes_that_reach_each_other_are_one_component() {
        // 0 ⇄ 1 → 2 → 3 ⇄ 4, and 5 by itself
        let next = [vec![1], vec![0, 2], vec![3], vec![4], vec![3], vec![]];
        let of = components(&next);
        assert_eq!((of[0], of[3]), (of[1], of[4]));
        let mut kinds = of.clone();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), 4);
    }

    #[test]
    fn the_way_around_is_the_shortest() {
        let next = [vec![1], vec![2, 3], vec![3], vec![0], vec![]];
        assert_eq!(around(&next, &|_| true, 0, &mut [None; 5]), [0, 1, 3, 0]);
    }

    #[test]
    fn a_chain_of_any_length_takes_no_stack() {
        let length = if cfg!(miri) { 300 } else { 100_000 };
        let next: Vec<Vec<usize>> = (0..length).map(|node| vec![(node + 1) % length]).collect();
        assert!(components(&next).iter().all(|of| *of == 0));
    }
}
