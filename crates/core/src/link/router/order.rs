//! What a router is built of, in an order: one copy of a sort serves all, since a sort is much code.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// The numbers below `count` in the order that `compare` gives them; equal ones stay as they are.
pub(super) fn ordered(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    numbers.sort_unstable_by(|a, b| compare(*a as usize, *b as usize).then(a.cmp(b)));
    numbers
}

#[cfg(test)]
mod tests {
    use super::ordered;
    use alloc::vec::Vec;

    #[test]
    fn numbers_are_in_order_and_equal_ones_stay_as_they_are() {
        for count in [0, 1, 2, 3, 7, 8, 9, 100, 1000] {
            let keys: Vec<usize> = (0..count).map(|number| number * 7919 % 31).collect();
            let mut expected: Vec<u32> = (0..count as u32).collect();
            expected.sort_by_key(|number| keys[*number as usize]);
            assert_eq!(ordered(count, &|a, b| keys[a].cmp(&keys[b])), expected, "{count}");
        }
    }
}
