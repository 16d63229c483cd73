//! The lifecycle of a store that threads share: what is to be done is found with no lock, and done between the commits of others.

use crate::lifecycle::{self, Lifecycle, Maintained, Round};
use crate::store::{Store, lock};
use crate::{Retention, StoreError, Timestamp};
use alloc::string::String;
use alloc::vec::Vec;
use std::sync::Mutex;

/// Who maintains the store: one at a time.
#[derive(Debug)]
pub(crate) struct Caretaker {
    pub lifecycle: Lifecycle,
    round: Mutex<Round>,
}

impl Caretaker {
    pub fn new(lifecycle: Lifecycle) -> Self {
        Caretaker { lifecycle, round: Mutex::default() }
    }
}

impl Store {
    /// Says which versions of the keys of a namespace are kept from now on. It drops none by itself: that is
    /// [`maintain`](Self::maintain)'s.
    ///
    /// # Errors
    /// Those of names, and what the backend says.
    pub fn set_retention(&self, namespace: &str, retention: Retention) -> Result<(), StoreError> {
        self.inner.beside(|engine| engine.set_retention(namespace, retention))
    }

    /// Which versions of the keys of a namespace are kept: all where nothing was set.
    ///
    /// # Errors
    /// Those of names, and [`StoreError::Backend`].
    pub fn retention(&self, namespace: &str) -> Result<Retention, StoreError> {
        self.reader()?.retention(namespace)
    }

    /// The namespaces for which something else was set, in their order. They need have no keys.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn retentions(&self) -> Result<Vec<(String, Retention)>, StoreError> {
        self.reader()?.retentions()
    }

    /// The time on the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inner.now()
    }

    /// Makes one step of the lifecycle, as of `now`: drops versions that their namespace's [`Retention`] does not keep, and moves
    /// those that are old enough ([`Options::lifecycle`](crate::Options)) to cold segments. Whoever calls it again while there
    /// is [`more`](Maintained::more) to do has the tiers in order.
    ///
    /// A step reads some 2,000 rows at most. Readers do not notice it; a writer waits for a commit of some 500 rows at most,
    /// which is [`Durability::Relaxed`](crate::Durability): what is lost of it in a crash is done again.
    ///
    /// # Errors
    /// What the backend says, but for damage of a key, which is in the result. The next call tries the same again.
    pub fn maintain(&self, now: Timestamp) -> Result<Maintained, StoreError> {
        let inner = &*self.inner;
        let mut round = lock(&inner.caretaker.round);
        let plan = lifecycle::plan(&self.reader()?, &round, now, &inner.caretaker.lifecycle)?;
        inner.beside(|engine| {
            engine.carry_out(&plan)?;
            if plan.outcome.moved + plan.outcome.dropped > 0 {
                inner.count();
            }
            // Before anybody writes on what the hot tier knows of a chain.
            for begun in &plan.begun {
                let hash = inner.hot.hash(&begun.namespace, &begun.key);
                inner.hot.begins(hash, (&begun.namespace, &begun.key), begun.first);
            }
            Ok(())
        })?;
        *round = plan.round;
        Ok(plan.outcome)
    }
}
