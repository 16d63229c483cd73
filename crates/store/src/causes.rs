//! What a version was made from, and what was made from it.

use crate::codec;
use crate::read::{Reader, check_limit};
use crate::seen::Seen;
use crate::{KeyedVersion, StoreError, Timestamp, VersionId, View};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A walk along causes: each version once, the nearest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The version itself, and then those that it leads to.
    pub steps: Vec<Step>,
    /// Whether these are all: no limit cut it off.
    pub is_whole: bool,
}

/// A version on such a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// How many steps away it is.
    pub depth: usize,
    /// The version on the walk that led to it; none for the first.
    pub via: Option<VersionId>,
    /// The version.
    pub id: VersionId,
    /// What it says; none if it is not in this database.
    pub version: Option<KeyedVersion>,
}

impl<V: View> Reader<V> {
    /// What a version was made from, what those were made from, and so on, up to `limit` versions.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`] where the version itself is not here, [`StoreError::NoLimit`].
    pub fn why(&self, id: &VersionId, limit: usize) -> Result<Trace, StoreError> {
        self.trace(id, limit, |version, _| Ok(version.version.causes.to_vec()))
    }

    /// What was made from a version, what was made from that, and so on, up to `limit` versions.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`] where the version itself is not here, [`StoreError::NoLimit`].
    pub fn effects(&self, id: &VersionId, limit: usize) -> Result<Trace, StoreError> {
        self.trace(id, limit, |version, room| {
            let cause = version.version.version_id;
            let mut effects = Vec::new();
            for at in self.effects_of(cause.timestamp(), room)? {
                // The index knows times: whether it is this very version, the effect says.
                let effect = self.written(at)?.filter(|effect| effect.version.causes.contains(&cause));
                effects.extend(effect.map(|effect| effect.version.version_id));
            }
            Ok(effects)
        })
    }

    /// The version that was written at a time.
    pub(crate) fn written(&self, at: Timestamp) -> Result<Option<KeyedVersion>, StoreError> {
        let Some(number) = self.written_at(at)? else { return Ok(None) };
        let Some(version) = self.at(number, at)?.filter(|version| version.timestamp == at) else { return Ok(None) };
        let (namespace, key) = codec::texts_of(&self.names(number)?);
        Ok(Some(KeyedVersion { namespace, key, version }))
    }

    fn trace(
        &self,
        id: &VersionId,
        limit: usize,
        next: impl Fn(&KeyedVersion, usize) -> Result<Vec<VersionId>, StoreError>,
    ) -> Result<Trace, StoreError> {
        check_limit(limit)?;
        let mut seen = Seen::default();
        seen.insert(id);
        let mut waiting = VecDeque::from([(0, None, *id)]);
        let mut steps = Vec::new();
        while let Some((depth, via, id)) = waiting.pop_front() {
            if steps.len() == limit {
                return Ok(Trace { steps, is_whole: false });
            }
            let version = match self.find_version(&id) {
                Ok(version) => Some(version),
                // One that is cited may be gone, or be of another database.
                Err(StoreError::NoSuchVersion { .. }) if depth > 0 => None,
                Err(error) => return Err(error),
            };
            if let Some(version) = &version {
                // One more than there is room for shows that there are more.
                for next in next(version, limit - steps.len())? {
                    if seen.len() <= limit && seen.insert(&next) {
                        waiting.push_back((depth + 1, Some(id), next));
                    }
                }
            }
            steps.push(Step { depth, via, id, version });
        }
        Ok(Trace { steps, is_whole: true })
    }
}
