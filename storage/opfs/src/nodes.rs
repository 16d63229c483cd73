//! Reading nodes: each is checked when it comes from the medium, and kept in memory for a while.

use crate::{
    header::BLOCK,
    node::{Node, Reference},
    trouble::of_io,
};
use anabranch_medium::Medium;
use anabranch_store::{BackendError, Table};
use std::{
    io::ErrorKind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The medium of a tree, and those of its nodes that are in memory.
#[derive(Debug)]
pub(crate) struct Nodes {
    pub(crate) medium: Arc<dyn Medium>,
    cache: Mutex<Cache>,
}

/// Nodes by the block where they begin, in sets; of a set those go first that were not asked for the longest.
#[derive(Debug)]
struct Cache {
    sets: Vec<Vec<(Reference, Arc<Node>)>>,
    /// How many bytes each set may have.
    room: usize,
    /// The last node that is too large for a set: each key beside it is looked for in it, and it is not read each time.
    large: Option<(Reference, Arc<Node>)>,
    /// How large that one may be.
    limit: usize,
}

/// How many nodes of one block a set has room for.
const ASSOCIATED: usize = 16;

impl Nodes {
    pub(crate) fn new(medium: Arc<dyn Medium>, cache: usize) -> Self {
        let room = cache.min(ASSOCIATED * (BLOCK + 64));
        let sets = cache.checked_div(room).unwrap_or_default();
        let sets = (0..sets).map(|_| Vec::new()).collect();
        Nodes { medium, cache: Mutex::new(Cache { sets, room, large: None, limit: cache }) }
    }

    /// No lock here is held while anything can panic.
    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node of a table. Below a node of a level there is one of the level before it.
    pub(crate) fn read(
        &self,
        reference: Reference,
        table: Table,
        above: Option<&Node>,
    ) -> Result<Arc<Node>, BackendError> {
        if let Some(node) = self.cache().get(reference) {
            return Ok(node);
        }
        let mut bytes = vec![0; reference.length as usize];
        let read = self.medium.read(u64::from(reference.block) * BLOCK as u64, &mut bytes);
        read.map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => reference.damaged("are not there"),
            _ => of_io(&error),
        })?;
        let node = Node::new(bytes, table, reference)
            .filter(|node| above.is_none_or(|above| above.level == node.level + 1))
            .ok_or_else(|| reference.damaged("are not what was written"))?;
        let node = Arc::new(node);
        self.keep(reference, node.clone());
        Ok(node)
    }

    /// Keeps a node in memory; a large one until the next large one comes.
    pub(crate) fn keep(&self, reference: Reference, node: Arc<Node>) {
        self.cache().insert(reference, node);
    }

    /// Keeps none any more.
    pub(crate) fn forget(&self) {
        let mut cache = self.cache();
        cache.sets.iter_mut().for_each(Vec::clear);
        cache.large = None;
    }

    /// How much memory it takes.
    pub(crate) fn memory(&self) -> usize {
        let cache = self.cache();
        cache.sets.iter().flatten().chain(&cache.large).map(|(_, node)| node.size()).sum()
    }
}

impl Cache {
    fn set(&mut self, reference: Reference) -> Option<&mut Vec<(Reference, Arc<Node>)>> {
        let sets = self.sets.len();
        self.sets.get_mut((reference.block as usize).checked_rem(sets)?)
    }

    fn get(&mut self, reference: Reference) -> Option<Arc<Node>> {
        if let Some((_, node)) = self.large.as_ref().filter(|(its, _)| *its == reference) {
            return Some(node.clone());
        }
        let set = self.set(reference)?;
        let place = set.iter().position(|(its, _)| *its == reference)?;
        set.get_mut(..=place)?.rotate_right(1);
        set.first().map(|(_, node)| node.clone())
    }

    fn insert(&mut self, reference: Reference, node: Arc<Node>) {
        let (room, limit) = (self.room, self.limit);
        // What was at that block before is no more.
        self.large = self.large.take().filter(|(its, _)| its.block != reference.block);
        let Some(set) = self.set(reference) else { return };
        set.retain(|(its, _)| its.block != reference.block);
        if node.size() > room {
            if node.size() <= limit {
                self.large = Some((reference, node));
            }
            return;
        }
        set.insert(0, (reference, node));
        let mut taken = 0;
        set.retain(|(_, node)| {
            taken += node.size();
            taken <= room
        });
    }
}
