//! The lifecycle: older versions become cold, and those that retention does not keep are dropped, in small steps.
//!
//! A *round* looks at each chain once, in the order of their numbers. A *step* looks at some of them, or at a part of one, through
//! one view and with no lock, and makes one small commit of what is to be done. So between two steps all is as it should be,
//! and after a crash a round begins anew.

use crate::chains::Chain;
use crate::codec::{self, KeyRow, Previous, VersionRow};
use crate::deep::Deep;
use crate::read::Reader;
use crate::segment::{CONTENT, Joint, LARGEST, Piece, Segment, VERSIONS};
use crate::tiers::{self, Tiers};
use crate::verify::Damage;
use crate::version_id::Written;
use crate::{
    Backend, Batch, Causes, Direction, Durability, Engine, Retention, StoreError, Table, Timestamp, VersionId, View,
};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::{Bound, ControlFlow};
use core::time::Duration;

/// When versions become cold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifecycle {
    /// How old a version is when it is moved to a compressed segment: an hour unless told otherwise. The newest version of a key
    /// is never moved, one of more than 1 MiB is not, nor those of its key after it; a handful waits until it is worth a segment.
    pub cold_after: Duration,
    /// How many bytes the rows of warm versions may take: as many as there are unless told otherwise. While they take more, what can
    /// be moved is, however new. It is held to by each round; each version is then looked at once more, after it was written.
    pub warm_bytes: Option<u64>,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Lifecycle { cold_after: Duration::from_secs(3600), warm_bytes: None }
    }
}

/// What a step of [`Engine::maintain`] has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "there may be more to do"]
pub struct Maintained {
    /// Versions that became cold.
    pub moved: u64,
    /// Versions that were dropped.
    pub dropped: u64,
    /// Keys that were left as they are, since they are damaged.
    pub damages: Vec<Damage>,
    /// Whether there is more to do now. If not, time has to pass, or something has to be written.
    pub more: bool,
}

/// How far a round is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Round {
    /// All chains up to this number were looked at.
    after: u64,
    /// And of the next one this is known.
    known: Known,
    /// Something was dropped, so that something else may be moved now.
    again: bool,
}

#[derive(Debug, Clone, Copy, Default)]
enum Known {
    #[default]
    Nothing,
    /// So many of its rows, up to a time, were counted.
    Rows(u64, Timestamp),
    /// So many of its oldest versions are to be dropped.
    Excess(u64),
}

/// What a step does, before it is done.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub outcome: Maintained,
    pub round: Round,
    /// Chains whose oldest version is another now.
    pub begun: Vec<Begun>,
    batch: Batch,
    tiers: Change,
}

/// A chain whose oldest version is another now.
#[derive(Debug)]
pub(crate) struct Begun {
    pub namespace: String,
    pub key: String,
    /// When that was written.
    pub first: Timestamp,
}

/// Segments and what they take, less what there was; and what is deep besides.
#[derive(Debug, Default)]
struct Change {
    added: Tiers,
    removed: Tiers,
    /// From when to when warm versions were counted in this step.
    counted: Option<(Timestamp, Timestamp)>,
}

/// How much a step does: rows that it looks at, changes and bytes of its commit. What is begun is finished, so it may be a
/// segment more of each.
const LOOKED_AT: u64 = 2048;
const CHANGES: usize = 256;
const BYTES: usize = 256 << 10;
/// What looking at a chain counts for, in rows.
const CHAIN: u64 = 8;
/// So few versions are worth no segment.
const WORTHWHILE: usize = 16;
/// So few make none that is smaller than their rows.
const SMALLER: usize = 4;
/// How many rows that were written since are measured in a step.
const MEASURED: usize = 512;

impl<B: Backend> Engine<B> {
    /// Makes one step of the lifecycle: drops versions that their namespace's [`Retention`] does not keep at `now`, and moves those
    /// that are old enough to cold segments. It reads some 2,000 rows at most, writes some 500, and makes one commit that is
    /// [`Durability::Relaxed`]: what is lost of it in a crash is done again.
    ///
    /// # Errors
    /// What the backend says, but for damage of a key, which is in the result. The next call tries the same again.
    ///
    /// ```
    /// use anabranch_store::{Durability, Engine, Lifecycle, Memory, StoreError, Timestamp, Write};
    /// use core::time::Duration;
    ///
    /// let mut engine = Engine::open(Memory::new())?;
    /// for second in 0..1000 {
    ///     let write = Write::put("plant", "boiler", 20.0 + (second % 7) as f64);
    ///     engine.write(&[write], Timestamp::from_nanos(1 + second * 1_000_000_000), Durability::Relaxed)?;
    /// }
    /// let now = Timestamp::from_nanos(1_000_000_000_000);
    /// let lifecycle = Lifecycle { cold_after: Duration::from_secs(60), ..Lifecycle::default() };
    /// while engine.maintain(now, &lifecycle)?.more {}
    /// assert_eq!(engine.reader()?.stats(Default::default())?.cold.versions, 940);
    /// # Ok::<(), StoreError>(())
    /// ```
    pub fn maintain(&mut self, now: Timestamp, lifecycle: &Lifecycle) -> Result<Maintained, StoreError> {
        let plan = plan(&self.reader()?, &self.round, now, lifecycle)?;
        self.carry_out(&plan)?;
        self.round = plan.round;
        Ok(plan.outcome)
    }

    /// Commits what was planned, beside what was written since.
    pub(crate) fn carry_out(&mut self, plan: &Plan) -> Result<(), StoreError> {
        if plan.batch.is_empty() && plan.tiers.counted.is_none() {
            return Ok(());
        }
        let (mut batch, mut row, mut names) = (plan.batch.clone(), Vec::new(), Vec::new());
        let reader = self.reader()?;
        for begun in &plan.begun {
            let now = reader.key(&begun.namespace, &begun.key)?;
            codec::key_of(&begun.namespace, &begun.key, &mut names);
            KeyRow { first: begun.first, ..now }.write(&names, &mut row);
            batch.put(Table::Keys, &names, &row);
        }
        plan.tiers.of(reader.tiers()?).write(&mut row);
        batch.put(Table::Meta, tiers::KEY, &row);
        drop(reader);
        self.commit_beside(batch, Durability::Relaxed)
    }
}

impl Change {
    fn of(&self, tiers: Tiers) -> Tiers {
        let changed = |now: u64, added: u64, removed: u64| (now + added).saturating_sub(removed);
        let Change { added, removed, counted } = self;
        // An import into the past has them counted anew.
        let counted = counted.filter(|(from, _)| *from == tiers.counted);
        let added_warm = counted.map_or(0, |_| added.warm_bytes);
        Tiers {
            warm_bytes: changed(tiers.warm_bytes, added_warm, removed.warm_bytes),
            counted: counted.map_or(tiers.counted, |(_, to)| to),
            segments: changed(tiers.segments, added.segments, removed.segments),
            segment_bytes: changed(tiers.segment_bytes, added.segment_bytes, removed.segment_bytes),
            deep_rows: tiers.deep_rows + added.deep_rows,
            dropped: tiers.dropped + added.dropped,
        }
    }
}

/// Finds what the next step is to do.
pub(crate) fn plan<V: View>(
    reader: &Reader<V>,
    round: &Round,
    now: Timestamp,
    lifecycle: &Lifecycle,
) -> Result<Plan, StoreError> {
    let plan = Plan { round: round.clone(), ..Plan::default() };
    let mut planner = Planner { reader, now, lifecycle, plan, looked_at: 0, retention: None, tiers: reader.tiers()? };
    if !planner.measure()? {
        planner.chains()?;
    }
    Ok(planner.plan)
}

struct Planner<'p, V> {
    reader: &'p Reader<V>,
    now: Timestamp,
    lifecycle: &'p Lifecycle,
    plan: Plan,
    /// How many rows.
    looked_at: u64,
    /// Of the namespace that was last asked for.
    retention: Option<(String, Retention)>,
    /// What lay in which tier before.
    tiers: Tiers,
}

/// Whether a chain is done in this round.
#[derive(PartialEq)]
enum Chained {
    Done,
    NotYet,
}

/// Which of a chain's oldest versions are dropped.
#[derive(Clone, Copy)]
enum Drops {
    /// Those that had a next one at or before this.
    Superseded(Timestamp),
    /// So many.
    Oldest(u64),
}

impl Drops {
    /// Whether the version at a place from the oldest on is dropped, the next one being of that time.
    fn is(self, place: usize, next: Timestamp) -> bool {
        match self {
            Drops::Superseded(until) => next <= until,
            Drops::Oldest(count) => (place as u64) < count,
        }
    }
}

/// What a row takes with its key.
const fn size(key: &[u8], row: &[u8]) -> u64 {
    (key.len() + row.len()) as u64
}

/// `time` before `now`.
fn before(now: Timestamp, time: Duration) -> Timestamp {
    let nanos = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    Timestamp::from_nanos(now.nanos().saturating_sub(nanos))
}

impl<V: View> Planner<'_, V> {
    /// Measures the rows of what was written since this was last done, where they are limited: whether that was all of the step.
    fn measure(&mut self) -> Result<bool, StoreError> {
        if self.lifecycle.warm_bytes.is_none() {
            return Ok(false);
        }
        let writes = self.reader.writes_after(self.tiers.counted, MEASURED)?;
        let Some((last, _)) = writes.last() else { return Ok(false) };
        for (at, number) in &writes {
            let key = codec::version_key(*number, *at);
            let added = &mut self.plan.tiers.added;
            View::get(self.reader.view(), Table::Versions, &key, &mut |row| added.warm_bytes += size(&key, row))?;
        }
        self.plan.tiers.counted = Some((self.tiers.counted, *last));
        self.looked_at += writes.len() as u64;
        self.plan.outcome.more = writes.len() == MEASURED;
        Ok(self.plan.outcome.more)
    }

    /// A warm version goes: if it was counted it no longer is.
    fn no_longer_warm(&mut self, at: Timestamp, bytes: u64) {
        let counted = self.plan.tiers.counted.map_or(self.tiers.counted, |(_, to)| to);
        if at <= counted {
            self.plan.tiers.removed.warm_bytes += bytes;
        }
    }

    /// Whether warm versions take more than they may.
    fn is_pressed(&self) -> bool {
        let Change { added, removed, .. } = &self.plan.tiers;
        let warm = (self.tiers.warm_bytes + added.warm_bytes).saturating_sub(removed.warm_bytes);
        self.lifecycle.warm_bytes.is_some_and(|limit| warm > limit)
    }

    fn chains(&mut self) -> Result<(), StoreError> {
        loop {
            let Plan { batch, round, .. } = &self.plan;
            if self.looked_at >= LOOKED_AT || batch.len() >= CHANGES || batch.size() >= BYTES {
                self.plan.outcome.more = true;
                return Ok(());
            }
            self.looked_at += CHAIN;
            let chain = match self.reader.chain_after(round.after) {
                Ok(Some(chain)) => chain,
                Ok(None) => break,
                Err((error, next)) => {
                    self.note(None, &error)?;
                    let Some(next) = next else { break };
                    self.plan.round = Round { after: next, known: Known::Nothing, ..self.plan.round };
                    continue;
                }
            };
            match self.chain(&chain) {
                Ok(Chained::NotYet) => {
                    self.plan.outcome.more = true;
                    return Ok(());
                }
                Ok(Chained::Done) => {}
                Err(error) => self.note(Some(&chain), &error)?,
            }
            self.plan.round = Round { after: chain.number, known: Known::Nothing, ..self.plan.round };
        }
        self.plan.outcome.more = self.plan.round.again;
        self.plan.round = Round::default();
        Ok(())
    }

    /// Notes damage; any other error ends the step.
    fn note(&mut self, chain: Option<&Chain>, error: &StoreError) -> Result<(), StoreError> {
        if !error.is_damage() {
            return Err(error.clone());
        }
        let of = chain.map(|chain| (chain.namespace.clone(), chain.key.clone()));
        self.plan.outcome.damages.push(Damage { of, since: None, what: error.to_string() });
        Ok(())
    }

    fn chain(&mut self, chain: &Chain) -> Result<Chained, StoreError> {
        match self.retention(&chain.namespace)? {
            Retention::All => {}
            Retention::For(time) => {
                let (count, is_all) = self.drop_oldest(chain, Drops::Superseded(before(self.now, time)))?;
                if count > 0 {
                    self.plan.round.again = true;
                    return Ok(if is_all { Chained::Done } else { Chained::NotYet });
                }
            }
            Retention::Last(limit) => {
                let excess = match self.plan.round.known {
                    Known::Excess(excess) => excess,
                    Known::Nothing | Known::Rows(..) => match self.count(chain)? {
                        Some(count) => count.saturating_sub(limit.get()),
                        None => return Ok(Chained::NotYet),
                    },
                };
                if excess > 0 {
                    let (count, _) = self.drop_oldest(chain, Drops::Oldest(excess))?;
                    let left = excess - count;
                    self.plan.round.again = true;
                    self.plan.round.known = Known::Excess(left);
                    return Ok(if left == 0 || count == 0 { Chained::Done } else { Chained::NotYet });
                }
            }
        }
        self.cool(chain)
    }

    fn retention(&mut self, namespace: &str) -> Result<Retention, StoreError> {
        match &self.retention {
            Some((its, retention)) if its == namespace => Ok(*retention),
            _ => {
                let retention = self.reader.retention(namespace)?;
                self.retention = Some((namespace.to_string(), retention));
                Ok(retention)
            }
        }
    }

    /// How many versions a chain has, unless those are too many to be counted in this step.
    fn count(&mut self, chain: &Chain) -> Result<Option<u64>, StoreError> {
        let (mut count, mut after) = match self.plan.round.known {
            Known::Rows(count, after) => (count, after),
            Known::Nothing | Known::Excess(_) => (0, Timestamp::ZERO),
        };
        let begin = count;
        let looked_at = self.looked_at;
        let mut is_end = true;
        self.rows(chain, after, &mut |at, _, _| {
            if count - begin + looked_at >= LOOKED_AT && count > begin {
                is_end = false;
                return Ok(ControlFlow::Break(()));
            }
            (count, after) = (count + 1, at);
            Ok(ControlFlow::Continue(()))
        })?;
        self.looked_at += count - begin;
        if !is_end {
            self.plan.round.known = Known::Rows(count, after);
            return Ok(None);
        }
        if let Some(raw) = self.reader.raw_segment_at(chain.number, Timestamp::LATEST)? {
            let header = raw.header()?;
            let dropped = self.reader.deep(chain.number)?.map_or(0, |deep| deep.versions);
            count += (header.before + header.versions).saturating_sub(dropped);
        }
        Ok(Some(count))
    }

    /// Visits the rows of a chain after a time: their times, keys and what is in them.
    fn rows(&self, chain: &Chain, after: Timestamp, visit: VisitRow<'_>) -> Result<(), StoreError> {
        let from = codec::version_key(chain.number, after);
        let to = codec::version_key(chain.number, Timestamp::LATEST);
        let range = (Bound::Excluded(&from[..]), Bound::Included(&to[..]));
        self.reader.scan(Table::Versions, range, Direction::Forward, &mut |key, row| {
            visit(codec::read_version_key(key)?.1, key, row)
        })
    }

    /// Drops the oldest versions of a chain, some of them in this step: how many, and whether those are all that are to be.
    fn drop_oldest(&mut self, chain: &Chain, drops: Drops) -> Result<(u64, bool), StoreError> {
        match self.reader.raw_segment_after(chain.number, Timestamp::ZERO)? {
            Some(raw) if !drops.is(0, raw.first) && matches!(drops, Drops::Superseded(_)) => Ok((0, true)),
            Some(raw) => self.drop_cold(chain, &raw, drops),
            None => self.drop_warm(chain, drops),
        }
    }

    fn drop_cold(&mut self, chain: &Chain, raw: &crate::cold::Raw, drops: Drops) -> Result<(u64, bool), StoreError> {
        let segment = Segment::read(&raw.key, &raw.row, (&chain.namespace, &chain.key))?;
        self.looked_at += segment.len() as u64;
        // What is newest is warm, so there is a next one.
        let next = match self.reader.raw_segment_after(chain.number, raw.first)? {
            Some(next) => next.first,
            None => self.reader.first_warm(chain.number)?.ok_or_else(|| lost(chain))?,
        };
        let time = |place| segment.id(place).map_or(next, |id| id.timestamp());
        let mut gone = Vec::new();
        let mut changes = 0;
        while let Some(piece) = segment.piece(gone.len()) {
            if !drops.is(gone.len(), time(gone.len() + 1)) || changes > CHANGES {
                break;
            }
            changes += 2 + piece.causes.len();
            gone.push((piece.id, piece.causes));
        }
        let Some((last, _)) = gone.last() else { return Ok((0, true)) };
        let rest: Vec<Piece> = (gone.len()..segment.len()).filter_map(|place| segment.piece(place)).collect();
        let before = segment.header.before + gone.len() as u64;
        self.remove_segment(&raw.key, raw.row.len());
        self.put_segments(chain.number, Joint::Joins(*last), before, &rest);
        let is_all = !rest.is_empty() && changes <= CHANGES;
        self.forget(chain, &gone, time(gone.len()))?;
        Ok((gone.len() as u64, is_all))
    }

    fn drop_warm(&mut self, chain: &Chain, drops: Drops) -> Result<(u64, bool), StoreError> {
        let mut gone: Vec<(VersionId, Causes)> = Vec::new();
        let mut sizes = Vec::new();
        // The newest stays: one goes when there is a next.
        let mut last: Option<(VersionId, Causes, u64)> = None;
        let mut next = Timestamp::LATEST;
        let mut changes = 0;
        let mut is_all = true;
        self.rows(chain, Timestamp::ZERO, &mut |at, key, row| {
            if let Some(version) = last.take() {
                is_all = changes <= CHANGES;
                if !drops.is(gone.len(), at) || !is_all {
                    return Ok(ControlFlow::Break(()));
                }
                let (id, causes, bytes) = version;
                changes += 3 + causes.len();
                gone.push((id, causes));
                sizes.push(bytes);
                next = at;
            }
            let version = VersionRow::read(key, row)?;
            last = Some((version.id, version.causes()?, size(key, row)));
            Ok(ControlFlow::Continue(()))
        })?;
        self.looked_at += gone.len() as u64 + 1;
        if gone.is_empty() {
            return Ok((0, true));
        }
        for ((id, _), bytes) in gone.iter().zip(sizes) {
            self.no_longer_warm(id.timestamp(), bytes);
            self.plan.batch.delete(Table::Versions, &codec::version_key(chain.number, id.timestamp()));
        }
        self.forget(chain, &gone, next)?;
        Ok((gone.len() as u64, is_all))
    }

    /// Leaves of versions what is deep. `next` is when the one after them was written.
    fn forget(&mut self, chain: &Chain, gone: &[(VersionId, Causes)], next: Timestamp) -> Result<(), StoreError> {
        let (Some((first, _)), Some((last, _))) = (gone.first(), gone.last()) else { return Ok(()) };
        let Plan { batch, tiers, begun, outcome, .. } = &mut self.plan;
        for (id, causes) in gone {
            let at = id.timestamp().to_bytes();
            batch.delete(Table::Times, &at);
            for cause in causes.iter() {
                batch.delete(Table::Effects, &[cause.timestamp().to_bytes(), at].concat());
            }
        }
        let before = self.reader.deep(chain.number)?;
        let count = gone.len() as u64;
        let deep = Deep {
            versions: before.map_or(0, |before| before.versions) + count,
            first: before.map_or(first.timestamp(), |before| before.first),
            last: *last,
        };
        let mut row = Vec::new();
        deep.write(chain.number, &mut row);
        batch.put(Table::Segments, &Deep::key(chain.number), &row);
        tiers.added.deep_rows += u64::from(before.is_none());
        tiers.added.dropped += count;
        outcome.dropped += count;
        begun.push(Begun { namespace: chain.namespace.clone(), key: chain.key.clone(), first: next });
        Ok(())
    }

    /// Moves rows of a chain that are old enough into a segment.
    fn cool(&mut self, chain: &Chain) -> Result<Chained, StoreError> {
        let is_pressed = self.is_pressed();
        let until = if is_pressed { Timestamp::LATEST } else { before(self.now, self.lifecycle.cold_after) };
        let worthwhile = if is_pressed { SMALLER } else { WORTHWHILE };
        let newest = self.reader.raw_segment_at(chain.number, Timestamp::LATEST)?;
        let newest = match &newest {
            Some(raw) => Some((raw, raw.header()?)),
            None => None,
        };
        let open = newest.filter(|(_, header)| !header.is_full());
        let deep = self.reader.deep(chain.number)?;
        let last = newest.map(|(_, header)| header.last).or(deep.map(|deep| deep.last));
        let room = VERSIONS - open.map_or(0, |(_, header)| header.versions as usize);
        let rows = self.old_rows(chain, until, last, room)?;
        let Some(joint) = rows.joint.filter(|_| rows.is_full || rows.pieces.len() >= worthwhile.min(room)) else {
            return Ok(Chained::Done);
        };
        let moved = rows.pieces.iter().map(|piece| codec::version_key(chain.number, piece.id.timestamp()));
        let moved: Vec<_> = moved.collect();
        for (piece, bytes) in rows.pieces.iter().zip(&rows.sizes) {
            self.no_longer_warm(piece.id.timestamp(), *bytes);
        }
        // A segment that is not full is made anew with more in it.
        match open.filter(|_| matches!(joint, Joint::Joins(_))) {
            Some((raw, header)) => {
                let segment = Segment::read(&raw.key, &raw.row, (&chain.namespace, &chain.key))?;
                let pieces = (0..segment.len()).filter_map(|place| segment.piece(place)).chain(rows.pieces);
                self.remove_segment(&raw.key, raw.row.len());
                self.put_segments(chain.number, header.joint, header.before, &pieces.collect::<Vec<_>>());
            }
            None => {
                let dropped = deep.map_or(0, |deep| deep.versions);
                let before = newest.map_or(dropped, |(_, header)| header.before + header.versions);
                self.put_segments(chain.number, joint, before, &rows.pieces);
            }
        }
        moved.iter().for_each(|key| self.plan.batch.delete(Table::Versions, key));
        self.plan.outcome.moved += moved.len() as u64;
        Ok(if rows.is_full { Chained::NotYet } else { Chained::Done })
    }

    /// The oldest rows of a chain that are old enough and not its newest one, proven: as many as go into one segment.
    fn old_rows(
        &mut self,
        chain: &Chain,
        until: Timestamp,
        last: Option<VersionId>,
        room: usize,
    ) -> Result<OldRows, StoreError> {
        let mut found = OldRows { joint: None, pieces: Vec::new(), sizes: Vec::new(), is_full: false };
        let (mut bytes, mut scratch, mut looked_at) = (0, Vec::new(), 0);
        // Known to be old enough, and perhaps the newest.
        let mut waits: Option<Piece> = None;
        let mut previous = last;
        self.rows(chain, Timestamp::ZERO, &mut |at, row_key, row| {
            looked_at += 1;
            found.pieces.extend(waits.take());
            found.is_full = found.pieces.len() >= room || bytes >= CONTENT;
            if at > until || row.len() > LARGEST || found.is_full {
                return Ok(ControlFlow::Break(()));
            }
            let version = VersionRow::read(row_key, row)?;
            let joint = match (version.previous, previous) {
                (Previous::None, _) => Joint::First,
                (Previous::Here(previous), _) => Joint::Gap(previous),
                (Previous::Before, Some(previous)) => Joint::Joins(previous),
                (Previous::Before, None) => return Err(lost(chain)),
            };
            if found.joint.is_some() && !matches!(joint, Joint::Joins(_)) {
                // What comes after a gap begins a segment.
                found.is_full = true;
                return Ok(ControlFlow::Break(()));
            }
            let piece = Piece { id: version.id, causes: version.causes()?, value: version.value.map(Into::into) };
            let (namespace, key, value) = (&*chain.namespace, &*chain.key, version.value);
            let written =
                Written { namespace, key, value, timestamp: at, previous: joint.previous(), causes: &piece.causes };
            if VersionId::of(&written, &mut scratch) != version.id {
                let id = version.id;
                return Err(StoreError::damaged(format_args!(
                    "version {id} of {key:?}: its id is not that of what it says"
                )));
            }
            bytes += piece.size();
            found.sizes.push(size(row_key, row));
            found.joint = found.joint.or(Some(joint));
            previous = Some(version.id);
            waits = Some(piece);
            Ok(ControlFlow::Continue(()))
        })?;
        self.looked_at += looked_at;
        Ok(found)
    }

    fn remove_segment(&mut self, key: &[u8], row: usize) {
        self.plan.batch.delete(Table::Segments, key);
        self.plan.tiers.removed.segments += 1;
        self.plan.tiers.removed.segment_bytes += (key.len() + row) as u64;
    }

    /// Puts versions that follow each other into as many segments as they fill.
    fn put_segments(&mut self, number: u64, joint: Joint, before: u64, pieces: &[Piece]) {
        let (mut joint, mut before, mut rest, mut row) = (joint, before, pieces, Vec::new());
        while let Some(first) = rest.first() {
            let count = Segment::write(number, joint, before, rest, &mut row);
            let key = codec::version_key(number, first.id.timestamp());
            self.plan.batch.put(Table::Segments, &key, &row);
            self.plan.tiers.added.segments += 1;
            self.plan.tiers.added.segment_bytes += (key.len() + row.len()) as u64;
            before += count as u64;
            joint = Joint::Joins(rest[count - 1].id);
            rest = &rest[count..];
        }
    }
}

/// Takes the time, the key and what is in a row of a chain.
type VisitRow<'v> = &'v mut dyn FnMut(Timestamp, &[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>;

/// Rows that are to be moved.
struct OldRows {
    /// What comes before the first of them.
    joint: Option<Joint>,
    pieces: Vec<Piece>,
    /// What each of them takes as a row; perhaps one more.
    sizes: Vec<u64>,
    /// Whether there may be more than these.
    is_full: bool,
}

#[cold]
fn lost(chain: &Chain) -> StoreError {
    StoreError::damaged(format_args!("a version of {:?} in {:?} is lost", chain.key, chain.namespace))
}
