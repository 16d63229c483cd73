//! What was seen, written down by services while they run and read when all is over.

use crate::Chance;
use std::{
    error::Error,
    panic::resume_unwind,
    sync::{Arc, Mutex, PoisonError},
};

/// The values that somebody saw, in order, and how many it was told it missed. Clones are the same tally.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    values: Vec<u64>,
    lagged: u64,
}

impl Tally {
    /// Writes a value down.
    pub fn saw(&self, value: u64) {
        self.with(|seen| seen.values.push(value));
    }

    /// Writes down how many values were missed in all.
    pub fn lagged_by(&self, missed: u64) {
        self.with(|seen| seen.lagged = missed);
    }

    /// What was seen.
    #[must_use]
    pub fn values(&self) -> Vec<u64> {
        self.with(|seen| seen.values.clone())
    }

    /// How many values were missed.
    #[must_use]
    pub fn lagged(&self) -> u64 {
        self.with(|seen| seen.lagged)
    }

    fn with<O>(&self, look: impl FnOnce(&mut Seen) -> O) -> O {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What goes wrong in a service by intention.
#[derive(Debug, Clone, thiserror::Error)]
#[error("struck by chance")]
pub struct Struck;

/// When a service panics or fails by intention; it is asked at each value.
#[derive(Debug, Clone)]
pub struct Trouble {
    chance: Chance,
    one_in: u64,
}

impl Trouble {
    /// Once in `times`, of which half are panics and half errors; 0 is never.
    #[must_use]
    pub fn once_in(times: u64, chance: &Chance) -> Self {
        Trouble { chance: chance.clone(), one_in: times }
    }

    /// None.
    #[must_use]
    pub fn none(chance: &Chance) -> Self {
        Self::once_in(0, chance)
    }

    /// Comes, or not.
    ///
    /// # Errors
    /// [`Struck`], when it comes as an error.
    ///
    /// # Panics
    /// When it comes as a panic, which asks no hook, so that thousands of them print nothing.
    pub fn come(&self) -> Result<(), Struck> {
        match self.chance.one_in(self.one_in) {
            false => Ok(()),
            true if self.chance.one_in(2) => Err(Struck),
            true => resume_unwind(Box::new("struck by chance")),
        }
    }

    /// The same, and what was in hand is written down as lost when it comes.
    ///
    /// # Errors
    /// As [`come`](Self::come).
    ///
    /// # Panics
    /// As [`come`](Self::come).
    pub fn come_over(&self, value: u64, lost: &Tally) -> Result<(), Struck> {
        /// Writes down in a panic, too.
        struct InHand<'a>(u64, &'a Tally);
        impl Drop for InHand<'_> {
            fn drop(&mut self) {
                self.1.saw(self.0);
            }
        }
        let in_hand = InHand(value, lost);
        self.come()?;
        std::mem::forget(in_hand);
        Ok(())
    }
}

/// What a scenario says in the end.
pub type Verdict = Result<(), Box<dyn Error + Send + Sync>>;

/// Fails unless `got` is what was `wanted`; `what` is said to be so.
///
/// # Errors
/// Says both.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, got: T, wanted: T) -> Verdict {
    if got == wanted { Ok(()) } else { Err(format!("{what}: got {got:?}, wanted {wanted:?}").into()) }
}

/// Fails unless it holds.
///
/// # Errors
/// Says `what` should have been so.
pub fn holds(what: impl FnOnce() -> String, holds: bool) -> Verdict {
    if holds { Ok(()) } else { Err(format!("it should hold that {}", what()).into()) }
}

/// Fails unless each value is larger than the one before.
///
/// # Errors
/// Shows the values.
pub fn rising(what: &str, values: &[u64]) -> Verdict {
    holds(|| format!("{what} rises: {values:?}"), values.is_sorted_by(|a, b| a < b))
}
