//! The lifecycle: older versions become cold, and those that retention does not keep are dropped, in small steps.
//!
//! A *round* looks at each chain once, in the order of their numbers. A *step* looks at some of them, or at a part of one, through
//! one view and with no lock, and makes one small commit of what is to be done. So between two steps all is as it should be,
//! and after a crash a round begins anew.

use crate::chains::Chain;
use crate::codec::{self, KeyRow};
use crate::dropping::Drops;
use crate::read::Reader;
use crate::tiers::{self, Tiers};
use crate::verify::Damage;
use crate::{Backend, Batch, Direction, Durability, Engine, Retention, StoreError, Table, Timestamp, View};
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
    pub batch: Batch,
    pub tiers: Change,
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
pub(crate) struct Change {
    pub added: Tiers,
    pub removed: Tiers,
    /// From when to when warm versions were counted in this step.
    counted: Option<(Timestamp, Timestamp)>,
}

/// How much a step does: rows that it looks at, changes and bytes of its commit. What is begun is finished, so it may be a
/// segment more of each.
const LOOKED_AT: u64 = 2048;
pub(crate) const CHANGES: usize = 128;
const BYTES: usize = 256 << 10;
/// What looking at a chain counts for, in rows.
const CHAIN: u64 = 8;
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
        let changed = |now: u64, added: u64, removed: u64| now.saturating_add(added).saturating_sub(removed);
        let Change { added, removed, counted } = self;
        // An import into the past has them counted anew.
        let counted = counted.filter(|(from, _)| *from == tiers.counted);
        let added_warm = counted.map_or(0, |_| added.warm_bytes);
        Tiers {
            warm_bytes: changed(tiers.warm_bytes, added_warm, removed.warm_bytes),
            counted: counted.map_or(tiers.counted, |(_, to)| to),
            segments: changed(tiers.segments, added.segments, removed.segments),
            segment_bytes: changed(tiers.segment_bytes, added.segment_bytes, removed.segment_bytes),
            deep_rows: tiers.deep_rows.saturating_add(added.deep_rows),
            dropped: tiers.dropped.saturating_add(added.dropped),
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

/// Makes a plan: chain by chain, what is dropped (`dropping.rs`) and what is moved (`cooling.rs`).
pub(crate) struct Planner<'p, V> {
    pub reader: &'p Reader<V>,
    pub now: Timestamp,
    pub lifecycle: &'p Lifecycle,
    pub plan: Plan,
    /// How many rows.
    pub looked_at: u64,
    /// Of the namespace that was last asked for.
    retention: Option<(String, Retention)>,
    /// What lay in which tier before.
    tiers: Tiers,
}

/// Whether a chain is done in this round.
#[derive(PartialEq)]
pub(crate) enum Chained {
    Done,
    NotYet,
}

/// What a row takes with its key.
pub(crate) const fn size(key: &[u8], row: &[u8]) -> u64 {
    (key.len() + row.len()) as u64
}

/// `time` before `now`.
pub(crate) fn before(now: Timestamp, time: Duration) -> Timestamp {
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
    pub fn no_longer_warm(&mut self, at: Timestamp, bytes: u64) {
        let counted = self.plan.tiers.counted.map_or(self.tiers.counted, |(_, to)| to);
        if at <= counted {
            self.plan.tiers.removed.warm_bytes += bytes;
        }
    }

    /// Whether warm versions take more than they may.
    pub fn is_pressed(&self) -> bool {
        let Change { added, removed, .. } = &self.plan.tiers;
        let warm = self.tiers.warm_bytes.saturating_add(added.warm_bytes).saturating_sub(removed.warm_bytes);
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
    pub fn rows(&self, chain: &Chain, after: Timestamp, visit: VisitRow<'_>) -> Result<(), StoreError> {
        let from = codec::version_key(chain.number, after);
        let to = codec::version_key(chain.number, Timestamp::LATEST);
        let range = (Bound::Excluded(&from[..]), Bound::Included(&to[..]));
        self.reader.scan(Table::Versions, range, Direction::Forward, &mut |key, row| {
            visit(codec::read_version_key(key)?.1, key, row)
        })
    }
}

/// Takes the time, the key and what is in a row of a chain.
pub(crate) type VisitRow<'v> = &'v mut dyn FnMut(Timestamp, &[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>;

#[cold]
pub(crate) fn lost(chain: &Chain) -> StoreError {
    StoreError::damaged(format_args!("a version of {:?} in {:?} is lost", chain.key, chain.namespace))
}
