//! Why a simulation could not go on.

use crate::TaskLabel;
use std::{fmt, time::Duration};

/// Why a run ended before what was asked for had happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// Nothing is ready and no timer is set, yet tasks wait: they would wait for ever.
    #[error(
        "deadlock after {after:?}: nothing is ready, no timer is set, and these wait for ever:{}\n\
         make happen what they wait for, or end them; `adapter.note(…)` and `SimOptions::record` show how it came",
        Listed(waiting)
    )]
    Deadlock {
        /// The virtual time since the start.
        after: Duration,
        /// Who waits, in the order of spawning.
        waiting: Vec<TaskLabel>,
    },
    /// The next timer lies beyond the limit of virtual time.
    #[error(
        "the time limit of {limit:?} (virtual) has passed; still there:{}\n\
         end them, or raise `SimOptions::time_limit`",
        Listed(waiting)
    )]
    TimeLimit {
        /// The limit.
        limit: Duration,
        /// Who is still there, in the order of spawning.
        waiting: Vec<TaskLabel>,
    },
    /// So many steps were taken that an endless loop is likely.
    #[error(
        "the limit of {limit} steps is reached, so something loops without end; ready at that moment:{}\n\
         make the loop wait for something, or raise `SimOptions::step_limit`",
        Listed(ready)
    )]
    StepLimit {
        /// The limit.
        limit: u64,
        /// Who was ready, in the order of spawning.
        ready: Vec<TaskLabel>,
    },
}

/// The first few of a list of tasks, a line each.
struct Listed<'a>(&'a [TaskLabel]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 10;
        self.0.iter().take(SHOWN).try_for_each(|label| write!(f, "\n  {label}"))?;
        match self.0.len().checked_sub(SHOWN) {
            Some(more @ 1..) => write!(f, "\n  and {more} more"),
            _ => Ok(()),
        }
    }
}
