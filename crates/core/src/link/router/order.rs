//! What a router is built of, in an order: one copy of a sort serves all, since a sort is much code.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// The numbers below `count` in the order that `compare` gives them; equal ones stay as they are.
pub(super) fn ordered(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    numbers.sort_unstable_by(|a, b| compare(*a as usize, *b as usize).then(a.cmp(b)));
    numbers
}
