//! Reading: what the log has brought since the last checkpoint, over what is in the tree.

use crate::{
    cursor::{Cursor, find},
    header::Root,
    merge::Change,
    nodes::Nodes,
};
use anabranch_store::{BackendError, Direction, Table, Tree, View, Visit};
use std::{
    ops::{Bound, ControlFlow},
    sync::Arc,
};

type Bytes = Arc<[u8]>;

/// The tables after one commit. A clone shares all of it until one of them changes.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// As long as somebody has it, the blocks of its nodes are not used again.
    pub(crate) root: Arc<Root>,
    /// For each table the rows that were written since; none for those that have gone.
    since: [Tree<Bytes, Option<Bytes>>; Table::ALL.len()],
    /// About how many bytes those take.
    pub(crate) memory: usize,
}

/// What two shared rows, their counters and their places in a node take.
const EACH: usize = 96;

impl State {
    pub(crate) fn new(root: Arc<Root>) -> Self {
        State { root, since: Default::default(), memory: 0 }
    }

    pub(crate) fn change(&mut self, table: Table, key: &[u8], row: Option<&[u8]>) {
        let Some(since) = self.since.get_mut(table as usize) else { return };
        self.memory += row.map_or(0, <[u8]>::len);
        match since.insert(key.into(), row.map(Into::into)) {
            Some(before) => self.memory -= before.map_or(0, |row| row.len()),
            None => self.memory += key.len() + EACH,
        }
    }

    /// What has changed in a table since the last checkpoint, in the order of its keys.
    pub(crate) fn changes(&self, table: Table) -> Vec<Change> {
        let mut changes = Vec::new();
        self.scan(table, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, &mut |key, row| {
            changes.push((key.clone(), row.clone()));
            ControlFlow::Continue(())
        });
        changes
    }

    pub(crate) fn is_changed(&self) -> bool {
        self.since.iter().any(|since| !since.is_empty())
    }

    fn scan(
        &self,
        table: Table,
        (low, high): (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: &mut dyn FnMut(&Bytes, &Option<Bytes>) -> ControlFlow<()>,
    ) {
        if let Some(since) = self.since.get(table as usize) {
            since.scan(low, high, direction, visit);
        }
    }
}

/// The tables as they were when it was taken.
#[derive(Debug)]
pub struct OpfsView {
    pub(crate) state: Arc<State>,
    pub(crate) nodes: Arc<Nodes>,
}

impl OpfsView {
    fn is_in_tree(&self, table: Table, key: &[u8]) -> Result<bool, BackendError> {
        Ok(find(&self.nodes, self.rooted(table).node, table, key)?.is_some())
    }

    fn rooted(&self, table: Table) -> crate::header::Rooted {
        self.state.root.tables.get(table as usize).copied().unwrap_or_default()
    }
}

impl View for OpfsView {
    fn get(&self, table: Table, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<(), BackendError> {
        match self.state.since.get(table as usize).and_then(|since| since.get(key)) {
            Some(Some(row)) => read(row),
            Some(None) => {}
            None => {
                if let Some((node, place)) = find(&self.nodes, self.rooted(table).node, table, key)? {
                    read(node.entry(place).1);
                }
            }
        }
        Ok(())
    }

    fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: Visit<'_>,
    ) -> Result<(), BackendError> {
        let mut cursor = Cursor::new(&self.nodes, self.rooted(table).node, table, range, direction)?;
        let mut outcome = Ok(ControlFlow::Continue(()));
        self.state.scan(table, range, direction, &mut |key, row| {
            outcome = until(&mut cursor, Some(key), direction, visit);
            if let (Ok(ControlFlow::Continue(())), Some(row)) = (&outcome, row) {
                outcome = Ok(visit(key, row));
            }
            match outcome {
                Ok(flow) => flow,
                Err(_) => ControlFlow::Break(()),
            }
        });
        if outcome?.is_continue() {
            let _ = until(&mut cursor, None, direction, visit)?;
        }
        Ok(())
    }

    /// It looks for each key that was written since the last checkpoint in the tree: so many reads, most of them in memory.
    fn count(&self, table: Table) -> Result<u64, BackendError> {
        let (mut count, mut outcome) = (self.rooted(table).rows, Ok(()));
        self.state.scan(table, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, &mut |key, row| {
            match self.is_in_tree(table, key) {
                // Whoever made a sum right may have written any number.
                Ok(was) => count = count.saturating_add(u64::from(row.is_some())).saturating_sub(u64::from(was)),
                Err(error) => outcome = Err(error),
            }
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        outcome.map(|()| count)
    }
}

/// Visits the rows of the tree that come before a key, or all; that of the key itself is passed over.
fn until(
    cursor: &mut Cursor<'_>,
    end: Option<&[u8]>,
    direction: Direction,
    visit: Visit<'_>,
) -> Result<ControlFlow<()>, BackendError> {
    while let Some((key, row)) = cursor.row() {
        let order = end.map(|end| if direction == Direction::Forward { key.cmp(end) } else { end.cmp(key) });
        match order {
            Some(std::cmp::Ordering::Greater) => break,
            Some(std::cmp::Ordering::Equal) => {
                cursor.advance()?;
                break;
            }
            _ => {
                if visit(key, row).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                cursor.advance()?;
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}
