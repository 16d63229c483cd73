//! What a router is built of, in an order: one copy of a sort serves all, and one by merging, since the library's is much code.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// The numbers below `count` in the order that `compare` gives them; equal ones stay as they are.
pub(super) fn ordered(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..u32::try_from(count).unwrap_or(u32::MAX)).collect();
    let mut merged = Vec::with_capacity(numbers.len());
    // So many beside one another are in order.
    let mut run = 1;
    while run < numbers.len() {
        merged.clear();
        for two in numbers.chunks(run * 2) {
            let (mut left, mut right) = two.split_at(run.min(two.len()));
            while let (&[first, ref later @ ..], &[other, ref others @ ..]) = (left, right) {
                if compare(other as usize, first as usize).is_lt() {
                    merged.push(other);
                    right = others;
                } else {
                    merged.push(first);
                    left = later;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        core::mem::swap(&mut numbers, &mut merged);
        run *= 2;
    }
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
