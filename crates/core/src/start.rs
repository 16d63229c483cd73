//! Why an application without a heap did not start: the two things that its start asks for, in one error.

use crate::ClaimError;
use anabranch_executor::SpawnError;

/// An end of a record, or a service, that is in use already: what a function returns that takes the ends of `static`
/// records and starts services over them, with `?` on both.
///
/// ```
/// use anabranch_core::{Queue, Record, StartError};
///
/// static JOBS: Record<u32, Queue<4>> = Record::new("jobs");
///
/// fn start() -> Result<(), StartError> {
///     let (jobs, worker) = (JOBS.producer()?, JOBS.consumer()?);
///     // Worker::spawn_static(&RUNTIME, worker)?;
///     # drop((jobs, worker));
///     Ok(())
/// }
/// # assert!(start().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An end of a record is taken.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// A service runs already.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
}
