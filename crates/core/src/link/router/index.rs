//! Which resources match an address: one hash lookup for each shape of wildcards, however many resources there are.
//!
//! A resource's *shape* is how many levels it has, which of them are wildcards, and whether it takes the rest (`#`). All
//! resources of one shape that match an address agree with it in the other levels; so the hash of those levels finds
//! them in one lookup. Tables of rules in packet classifiers are searched so (tuple space search: Srinivasan, Suri,
//! Varghese, "Packet classification using tuple space search", 1999). An application has few shapes, and each costs a
//! subtraction for each of its wildcards and a lookup.

use crate::link::address::{Level, levels};
use alloc::{boxed::Box, string::String, vec, vec::Vec};

/// Levels beyond these are matched one resource after the other: nobody has them.
const LEVELS: usize = 32;

pub(super) struct Index {
    shapes: Vec<Shape>,
    table: Box<[Slot]>,
    /// All resources' text, one after the other: what is compared lies close together.
    text: Box<str>,
    /// Resources with more than [`LEVELS`] levels.
    long: Vec<(u32, Span)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    /// How many levels stand before the end, or before `#`.
    levels: u32,
    /// Which of them are wildcards.
    wild: u32,
    /// Whether it ends with `#`.
    rest: bool,
}

/// A place in the table: 16 bytes.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The high half of the hash.
    tag: u32,
    /// The resource's number, or [`Slot::FREE`].
    resource: u32,
    text: Span,
}

/// A part of [`Index::text`].
#[derive(Debug, Clone, Copy)]
struct Span {
    from: u32,
    length: u32,
}

impl Slot {
    const FREE: u32 = u32::MAX;
    const EMPTY: Slot = Slot { tag: 0, resource: Slot::FREE, text: Span { from: 0, length: 0 } };
}

impl Index {
    /// Of resources that are all different.
    pub(super) fn new<'a>(resources: impl ExactSizeIterator<Item = &'a str> + Clone) -> Self {
        let places = (resources.len() * 8 / 5 + 1).next_power_of_two();
        let mut index = Index {
            shapes: Vec::new(),
            table: vec![Slot::EMPTY; places].into_boxed_slice(),
            text: resources.clone().collect::<String>().into_boxed_str(),
            long: Vec::new(),
        };
        let mut from = 0;
        for (number, resource) in (0..).zip(resources) {
            let length = small(resource.len());
            let text = Span { from, length };
            from += length;
            let Some((shape, hash)) = Shape::of(resource) else {
                index.long.push((number, text));
                continue;
            };
            if !index.shapes.contains(&shape) {
                index.shapes.push(shape);
            }
            let mut place = index.place(hash);
            while index.table[place].resource != Slot::FREE {
                place = (place + 1) & (index.table.len() - 1);
            }
            index.table[place] = Slot { tag: tag(hash), resource: number, text };
        }
        // those that match most often come first: exact ones
        index.shapes.sort_by_key(|shape| (shape.rest, shape.wild.count_ones(), shape.levels));
        index
    }

    fn place(&self, hash: u64) -> usize {
        // its low bits; the high ones are the tag
        usize::try_from(hash & 0xffff_ffff).unwrap_or(0) & (self.table.len() - 1)
    }

    fn text(&self, span: Span) -> &str {
        self.text.get(span.from as usize..(span.from + span.length) as usize).unwrap_or("")
    }

    /// The group of a resource: those of one group never match the same address. All of one shape are one, as those that
    /// match an address agree in every level that is no wildcard, and so are the same.
    pub(super) fn group(&self, number: usize, resource: &str) -> usize {
        let shape = Shape::of(resource).and_then(|(shape, _)| self.shapes.iter().position(|other| *other == shape));
        let alone = || self.long.iter().position(|(long, _)| *long as usize == number).unwrap_or(0);
        shape.unwrap_or_else(|| self.shapes.len() + alone())
    }

    /// The number of the resource of `group` that matches `address`: one lookup.
    #[inline]
    pub(super) fn find_in(&self, group: usize, address: &str) -> Option<usize> {
        let Some(shape) = self.shapes.get(group) else {
            let (number, text) = self.long.get(group.checked_sub(self.shapes.len())?)?;
            return matches(self.text(*text), address).then_some(*number as usize);
        };
        let mut sum = shape.salt();
        let mut count = 0;
        for level in Split::of(address) {
            if count == shape.levels {
                if !shape.rest {
                    return None;
                }
                break;
            }
            if shape.wild >> count & 1 == 0 {
                sum = sum.wrapping_add(term(count, level));
            }
            count += 1;
        }
        if count < shape.levels {
            return None;
        }
        let hash = finish(sum);
        let mut place = self.place(hash);
        loop {
            let slot = &self.table[place];
            if slot.resource == Slot::FREE {
                return None;
            }
            // A resource of another shape may have the same hash: it is passed over, should it match or not.
            if slot.tag == tag(hash) {
                let text = self.text(slot.text);
                let exact = shape.wild == 0 && !shape.rest;
                let fits = if exact { text == address } else { matches(text, address) };
                if fits && (exact || Shape::of(text).is_some_and(|(other, _)| other == *shape)) {
                    return Some(slot.resource as usize);
                }
            }
            place = (place + 1) & (self.table.len() - 1);
        }
    }

    /// Calls `found` with the number of each resource that matches `address`.
    #[inline]
    pub(super) fn find(&self, address: &str, mut found: impl FnMut(usize)) {
        let mut terms = [0_u64; LEVELS];
        let mut count = 0_u32;
        let mut sum = 0_u64;
        // sums[n] is that of the first n levels; only prefixes that some `#` asks for are looked at
        let mut sums = [0_u64; LEVELS + 1];
        let mut more = false;
        for level in Split::of(address) {
            if count as usize == LEVELS {
                more = true;
                break;
            }
            let term = term(count, level);
            terms[count as usize] = term;
            sum = sum.wrapping_add(term);
            count += 1;
            sums[count as usize] = sum;
        }
        let special = address.starts_with('$');
        for shape in &self.shapes {
            let fits = if shape.rest { count >= shape.levels } else { count == shape.levels && !more };
            let leads_wild = shape.wild & 1 == 1 || (shape.rest && shape.levels == 0);
            if !fits || (special && leads_wild) {
                continue;
            }
            let mut hash = sums[shape.levels as usize].wrapping_add(shape.salt());
            let mut wild = shape.wild;
            while wild != 0 {
                hash = hash.wrapping_sub(terms[wild.trailing_zeros() as usize % LEVELS]);
                wild &= wild - 1;
            }
            let hash = finish(hash);
            let mut place = self.place(hash);
            loop {
                let slot = &self.table[place];
                if slot.resource == Slot::FREE {
                    break;
                }
                if slot.tag == tag(hash) {
                    let text = self.text(slot.text);
                    let exact = shape.wild == 0 && !shape.rest;
                    if if exact { text == address } else { matches(text, address) } {
                        found(slot.resource as usize);
                    }
                }
                place = (place + 1) & (self.table.len() - 1);
            }
        }
        for (resource, text) in &self.long {
            if matches(self.text(*text), address) {
                found(*resource as usize);
            }
        }
    }
}

impl Shape {
    /// A resource's shape and hash; `None` if it has too many levels.
    fn of(resource: &str) -> Option<(Self, u64)> {
        let mut shape = Shape { levels: 0, wild: 0, rest: false };
        let mut sum = 0_u64;
        for level in levels(resource) {
            if shape.levels as usize == LEVELS {
                return None;
            }
            match level {
                Level::Literal(text) => sum = sum.wrapping_add(term(shape.levels, text.as_bytes())),
                Level::One(_) => shape.wild |= 1 << shape.levels,
                Level::Rest => {
                    shape.rest = true;
                    break;
                }
            }
            shape.levels += 1;
        }
        let hash = finish(sum.wrapping_add(shape.salt()));
        Some((shape, hash))
    }

    /// What tells the hashes of its resources from those of others.
    fn salt(self) -> u64 {
        (u64::from(self.wild) << 8 | u64::from(self.levels) << 1 | u64::from(self.rest)).wrapping_mul(K[2])
    }
}

/// Odd numbers without a pattern: the fractional parts of the square roots of 2, 3, 5 and 7.
const K: [u64; 4] = [0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1];

/// A level's part of its address's hash. It knows the level's place, so that levels cannot change places.
#[inline]
fn term(place: u32, level: &[u8]) -> u64 {
    let mut hash = K[0] ^ (u64::from(place) << 32 | level.len() as u64);
    let mut rest = level;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        hash = fold(hash ^ u64::from_le_bytes(*word), K[1]);
        rest = after;
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| tail << 8 | u64::from(*byte));
        hash = fold(hash ^ tail, K[3]);
    }
    hash
}

/// Both halves of a product: each bit of `a` reaches all of it.
#[inline]
fn fold(a: u64, k: u64) -> u64 {
    let product = u128::from(a) * u128::from(k);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

#[inline]
fn finish(sum: u64) -> u64 {
    fold(sum ^ K[3], K[0])
}

fn tag(hash: u64) -> u32 {
    small(usize::try_from(hash >> 32).unwrap_or(0))
}

fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The levels of an address as bytes: `str::split` decodes characters, which takes thrice as long.
struct Split<'a>(Option<&'a [u8]>);

impl<'a> Split<'a> {
    fn of(address: &'a str) -> Self {
        Split(Some(address.as_bytes()))
    }
}

impl<'a> Iterator for Split<'a> {
    type Item = &'a [u8];
    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        match rest.iter().position(|byte| *byte == b'/') {
            Some(end) => {
                let (level, after) = rest.split_at(end);
                self.0 = after.get(1..);
                Some(level)
            }
            None => {
                self.0 = None;
                Some(rest)
            }
        }
    }
}

/// Whether an inbound address matches: `+` and `{name}` any one level, `#` all that are left, none included. As MQTT has it,
/// a first level that is a wildcard does not match one that begins with `$`.
pub(super) fn matches(resource: &str, address: &str) -> bool {
    let mut parts = address.split('/');
    for (i, level) in levels(resource).enumerate() {
        match level {
            Level::Rest => return i > 0 || !address.starts_with('$'),
            Level::One(_) => match parts.next() {
                Some(part) if i > 0 || !part.starts_with('$') => {}
                _ => return false,
            },
            Level::Literal(text) => {
                if parts.next() != Some(text) {
                    return false;
                }
            }
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn found(resources: &[&str], address: &str) -> Vec<usize> {
        let mut numbers = Vec::new();
        Index::new(resources.iter().copied()).find(address, |number| numbers.push(number));
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn an_address_is_found_by_every_shape_that_matches() {
        let resources = ["a/b", "a/+", "a/#", "#", "+/b", "a/b/c", "b/a", "{x}/{y}/c"];
        assert_eq!(found(&resources, "a/b"), [0, 1, 2, 3, 4]);
        assert_eq!(found(&resources, "a"), [2, 3]);
        assert_eq!(found(&resources, "a/b/c"), [2, 3, 5, 7]);
        assert_eq!(found(&resources, "b/a"), [3, 6]);
        assert_eq!(found(&resources, ""), [3]);
    }

    #[test]
    fn a_leading_wildcard_leaves_the_brokers_own_topics_out() {
        let resources = ["#", "+/load", "$SYS/#", "$SYS/{what}"];
        assert_eq!(found(&resources, "$SYS/load"), [2, 3]);
        assert_eq!(found(&resources, "SYS/load"), [0, 1]);
    }

    #[test]
    fn addresses_of_any_length_are_found() {
        let long = "l/".repeat(40);
        let with_rest = format!("{}#", "l/".repeat(35));
        let resources = [long.as_str(), with_rest.as_str(), "l/#"];
        assert_eq!(found(&resources, &long), [0, 1, 2]);
        assert_eq!(found(&resources, &"l/".repeat(33)), [2]);
    }

    #[test]
    fn a_group_finds_the_one_resource_of_it_that_matches() {
        let long = ["l/".repeat(40), format!("{}#", "l/".repeat(35)), format!("{}+", "l/".repeat(40))];
        let resources = ["a/b", "a/+", "a/#", "#", "+/b", "a/b/c", "b/a", "{x}/{y}/c", "$SYS/#", "+/#"];
        let all: Vec<&str> = resources.into_iter().chain(long.iter().map(String::as_str)).collect();
        let index = Index::new(all.iter().copied());
        for address in ["a/b", "a", "a/b/c", "b/a", "", "$SYS/x", "$SYS", &long[0], &"l/".repeat(33), "x/y/z"] {
            let mut by_group = Vec::new();
            for group in 0..16 {
                let Some(number) = index.find_in(group, address) else { continue };
                assert_eq!(index.group(number, all[number]), group, "{address}");
                by_group.push(number);
            }
            by_group.sort_unstable();
            assert_eq!(by_group, found(&all, address), "{address}");
        }
    }

    #[test]
    fn ten_thousand_resources_each_find_themselves() {
        let resources: Vec<String> = (0..10_000).map(|i| format!("site/{}/sensor/{i}", i % 7)).collect();
        let index = Index::new(resources.iter().map(String::as_str));
        for (i, resource) in resources.iter().enumerate() {
            let mut numbers = Vec::new();
            index.find(resource, |number| numbers.push(number));
            assert_eq!(numbers, [i]);
        }
        let mut nothing = true;
        index.find("site/1/sensor/nobody", |_| nothing = false);
        assert!(nothing);
    }
}
