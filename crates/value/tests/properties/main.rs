//! What holds for every value, for every two of them, and for every input.

mod any;
mod hostile;
mod order;
mod round_trips;

use proptest::prelude::ProptestConfig;

/// So many times the usual number of cases; `PROPTEST_CASES` changes what is usual.
fn times(factor: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { failure_persistence: None, cases: usual.cases.saturating_mul(factor), ..usual }
}
