//! Which resources match an address: one hash lookup for each shape of wildcards, however many resources there are.
//!
//! A resource's *shape* is how many levels it has, which of them are wildcards, and whether it takes the rest (`#`). All
//! resources of one shape that match an address agree with it in the other levels; so the hash of those levels finds
//! them in one lookup. Tables of rules in packet classifiers are searched so (tuple space search: Srinivasan, Suri,
//! Varghese, "Packet classification using tuple space search", 1999). An application has few shapes, and each costs a
//! subtraction for each of its wildcards and a lookup.

use super::Target;
use crate::link::address::{Level, levels, matches};
use alloc::{boxed::Box, vec, vec::Vec};

/// Levels beyond these are matched one resource after the other: nobody has them.
const LEVELS: usize = 32;

pub(super) struct Index {
    shapes: Vec<Shape>,
    /// What is at each place, in one word so that a lookup reads little memory: 0 when it is free, else a [tag](Shape::tag)
    /// above and a target in the lowest bits, of which there are as many as the largest target needs.
    places: Box<[u32]>,
    /// The bits that are a target.
    target: u32,
    /// Resources with more than [`LEVELS`] levels.
    long: Vec<Target>,
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

/// Where the text of a resource is: the index has none, since it is looked at together with what the resource leads to.
pub(super) trait Texts<'a>: Copy {
    fn text(self, of: Target) -> &'a [u8];
}

impl<'a, F: Fn(Target) -> &'a [u8] + Copy> Texts<'a> for F {
    #[inline]
    fn text(self, of: Target) -> &'a [u8] {
        self(of)
    }
}

impl Index {
    /// Of resources that are all different, with where each leads to.
    pub(super) fn new<'a>(resources: impl Iterator<Item = (&'a str, Target)> + Clone) -> Self {
        let count = resources.clone().count();
        let places = count * 3 / 2 + 1;
        let largest = resources.clone().map(|(_, target)| target.0).max().unwrap_or(0);
        let mut index = Index {
            shapes: Vec::new(),
            places: vec![0; places].into_boxed_slice(),
            // two bits are left for a tag at least; as many links as that have no place in any memory
            target: u32::MAX.checked_shr(largest.leading_zeros().max(2)).unwrap_or(0),
            long: Vec::new(),
        };
        for (resource, target) in resources {
            let Some((shape, hash)) = Shape::of(resource) else {
                index.long.push(target);
                continue;
            };
            if !index.shapes.contains(&shape) {
                // Those that match most often come first: exact ones.
                let rank = |shape: &Shape| (shape.rest, shape.wild.count_ones(), shape.levels);
                let place = index.shapes.partition_point(|other| rank(other) <= rank(&shape));
                index.shapes.insert(place, shape);
            }
            let mut at = index.first(hash);
            while index.places[at] != 0 {
                at = index.next(at);
            }
            index.places[at] = shape.tag(hash) & !index.target | target.0 & index.target;
        }
        index
    }

    /// Where a hash is looked for first: its low half, as a fraction of the places. Its highest bits are in the tag.
    #[inline]
    fn first(&self, hash: u64) -> usize {
        let places = self.places.len() as u64;
        usize::try_from((hash & 0xffff_ffff).wrapping_mul(places) >> 32).unwrap_or(0)
    }

    #[inline]
    fn next(&self, at: usize) -> usize {
        if at + 1 == self.places.len() { 0 } else { at + 1 }
    }

    /// The resource of `shape` and `hash` that matches `address`, and its text. There is one at most, as those of one
    /// shape that match an address agree in every level that is no wildcard.
    #[inline]
    fn lookup<'a>(
        &self,
        shape: Shape,
        hash: u64,
        address: &'a str,
        texts: impl Texts<'a>,
    ) -> Option<(Target, &'a str)> {
        let tag = shape.tag(hash);
        let mut at = self.first(hash);
        loop {
            let place = self.places[at];
            if place == 0 {
                return None;
            }
            if (place ^ tag) & !self.target == 0 {
                let target = Target(place & self.target);
                let text = texts.text(target);
                if shape.is_exact() {
                    if text == address.as_bytes() {
                        return Some((target, address));
                    }
                } else if let text = utf8(text)
                    && shape.fits(text, address)
                {
                    return Some((target, text));
                }
            }
            at = self.next(at);
        }
    }

    /// The group of a resource: those of one group never match the same address. All of one shape are one; each of those
    /// that are too long for a shape is one.
    pub(super) fn group<'a>(&self, resource: &str, texts: impl Texts<'a>) -> usize {
        let shape = Shape::of(resource).and_then(|(shape, _)| self.shapes.iter().position(|other| *other == shape));
        let alone = || self.long.iter().position(|long| texts.text(*long) == resource.as_bytes()).unwrap_or(0);
        shape.unwrap_or_else(|| self.shapes.len() + alone())
    }

    /// The resource of `group` that matches `address`: one lookup.
    #[inline]
    pub(super) fn find_in<'a>(
        &self,
        group: usize,
        address: &'a str,
        texts: impl Texts<'a>,
    ) -> Option<(Target, &'a str)> {
        let Some(shape) = self.shapes.get(group) else {
            let target = *self.long.get(group.checked_sub(self.shapes.len())?)?;
            let text = utf8(texts.text(target));
            return matches(text, address).then_some((target, text));
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
        self.lookup(*shape, finish(sum), address, texts)
    }

    /// Calls `found` with each resource that matches `address`, and with its text.
    #[inline]
    pub(super) fn find<'a>(&self, address: &'a str, texts: impl Texts<'a>, mut found: impl FnMut(Target, &'a str)) {
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
            if !fits || (special && shape.leads_wild()) {
                continue;
            }
            let mut hash = sums[shape.levels as usize].wrapping_add(shape.salt());
            let mut wild = shape.wild;
            while wild != 0 {
                hash = hash.wrapping_sub(terms[wild.trailing_zeros() as usize % LEVELS]);
                wild &= wild - 1;
            }
            if let Some((target, text)) = self.lookup(*shape, finish(hash), address, texts) {
                found(target, text);
            }
        }
        for long in &self.long {
            let text = utf8(texts.text(*long));
            if matches(text, address) {
                found(*long, text);
            }
        }
    }
}

/// The text of a resource, which came from a `str`.
fn utf8(text: &[u8]) -> &str {
    core::str::from_utf8(text).unwrap_or_default()
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

    fn is_exact(self) -> bool {
        self.wild == 0 && !self.rest
    }

    fn leads_wild(self) -> bool {
        self.wild & 1 == 1 || (self.rest && self.levels == 0)
    }

    /// What a place says of a resource with this hash: that it is not free, whether it has no wildcards, and as many of the
    /// hash's highest bits as there is room for.
    #[inline]
    fn tag(self, hash: u64) -> u32 {
        const TAKEN: u32 = 1 << 31;
        const EXACT: u32 = 1 << 30;
        let high = u32::try_from(hash >> 34).unwrap_or(0);
        TAKEN | if self.is_exact() { EXACT } else { 0 } | high
    }

    /// Whether `resource` is of this shape and matches `address`. It is both at once: a resource of another shape whose
    /// hash is the same is found by its own shape, and must not be found twice.
    fn fits(self, resource: &str, address: &str) -> bool {
        if self.leads_wild() && address.starts_with('$') {
            return false;
        }
        let mut parts = address.split('/');
        let mut count = 0;
        for level in levels(resource) {
            let wild = count < self.levels && self.wild >> count & 1 == 1;
            match level {
                Level::Rest => return self.rest && count == self.levels,
                Level::One(_) if wild && parts.next().is_some() => {}
                Level::Literal(text) if !wild && parts.next() == Some(text) => {}
                _ => return false,
            }
            count += 1;
        }
        !self.rest && count == self.levels && parts.next().is_none()
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String};
    use proptest::{collection::vec as many, prelude::*};

    impl Target {
        fn number(self) -> usize {
            match self.to() {
                super::super::To::Link(number) => number as usize,
                super::super::To::Resource(number) => number,
            }
        }
    }

    fn index(resources: &[&str]) -> Index {
        Index::new((0..).map(Target::link).zip(resources.iter().copied()).map(|(target, resource)| (resource, target)))
    }

    fn texts<'a>(resources: &'a [&'a str]) -> impl Texts<'a> {
        |of: Target| resources[of.number()].as_bytes()
    }

    fn found(resources: &[&str], address: &str) -> Vec<usize> {
        let mut numbers = Vec::new();
        index(resources).find(address, texts(resources), |target, _| numbers.push(target.number()));
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
        let index = index(&all);
        for address in ["a/b", "a", "a/b/c", "b/a", "", "$SYS/x", "$SYS", &long[0], &"l/".repeat(33), "x/y/z"] {
            let mut by_group = Vec::new();
            for group in 0..16 {
                let Some((target, text)) = index.find_in(group, address, texts(&all)) else { continue };
                let number = target.number();
                assert!(text == all[number] || text == address, "{text}");
                assert_eq!(index.group(all[number], texts(&all)), group, "{address}");
                by_group.push(number);
            }
            by_group.sort_unstable();
            assert_eq!(by_group, found(&all, address), "{address}");
        }
    }

    #[test]
    fn ten_thousand_resources_each_find_themselves() {
        let resources: Vec<String> = (0..10_000).map(|i| format!("site/{}/sensor/{i}", i % 7)).collect();
        let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
        let index = index(&resources);
        for (i, resource) in resources.iter().enumerate() {
            let mut numbers = Vec::new();
            index.find(resource, texts(&resources), |target, _| numbers.push(target.number()));
            assert_eq!(numbers, [i]);
        }
        let mut nothing = true;
        index.find("site/1/sensor/nobody", texts(&resources), |_, _| nothing = false);
        assert!(nothing);
    }

    /// Of few levels and letters, so that addresses match; with what a hostile peer may send, and deeper than any shape.
    fn level() -> impl Strategy<Value = &'static str> {
        prop::sample::select(&["", "a", "b", "ab", "ä", "$a", "+", "#"][..])
    }

    fn resource() -> impl Strategy<Value = String> {
        let level = prop::sample::select(&["", "a", "b", "ab", "ä", "$a", "+", "{x}"][..]);
        let few = many(level.clone(), 1..5);
        let lots = many(level, 31..35);
        (prop_oneof![20 => few, 1 => lots], any::<bool>()).prop_map(|(mut levels, rest)| {
            if rest {
                levels.push("#");
            }
            levels.join("/")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn what_is_found_is_exactly_what_matches(
            mut resources in many(resource(), 0..24),
            addresses in many(prop_oneof![20 => many(level(), 1..6), 1 => many(level(), 31..36)], 1..24),
        ) {
            // one for each filter, as the router has it
            resources.sort_by_key(|resource| resource.replace("{x}", "+"));
            resources.dedup_by_key(|resource| resource.replace("{x}", "+"));
            let resources: Vec<&str> = resources.iter().map(String::as_str).collect();
            let index = index(&resources);
            let itself = resources.iter().map(|resource| resource.replace("{x}", "a").replace('+', "b").replace('#', "a/b"));
            for address in addresses.iter().map(|levels| levels.join("/")).chain(itself) {
                let naive: Vec<usize> = (0..resources.len()).filter(|i| matches(resources[*i], &address)).collect();
                prop_assert_eq!(&found(&resources, &address), &naive, "{}", &address);
                let groups = (0..64).filter_map(|group| index.find_in(group, &address, texts(&resources)));
                let mut by_group: Vec<usize> = groups.map(|(target, _)| target.number()).collect();
                by_group.sort_unstable();
                prop_assert_eq!(&by_group, &naive, "by group: {}", &address);
            }
        }
    }

    #[test]
    fn an_address_of_many_thousand_levels_is_an_address() {
        let hostile = ["/".repeat(60_000), "+/".repeat(30_000), "\u{10ffff}".repeat(10_000), String::new()];
        for address in &hostile {
            assert!(found(&["a/b", "+/+", "#", "{x}/#", "/#"], address).contains(&2));
        }
        assert_eq!(found(&["a/b", "+/+", "#", "{x}/#", "/#"], &hostile[0]), [2, 3, 4]);
        assert_eq!(found(&["+", "#"], &hostile[2]), [0, 1]);
    }
}
