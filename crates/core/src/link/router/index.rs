//! Which resources match an address: one hash lookup for each shape of wildcards, however many resources there are.
//!
//! A resource's *shape* is how many levels it has, which of them are wildcards, and whether it takes the rest (`#`). All
//! resources of one shape that match an address agree with it in the other levels; so the hash of those levels finds
//! them in one lookup; without wildcards, that of the whole address. Tables of rules in packet classifiers are searched so (tuple space search: Srinivasan, Suri,
//! Varghese, "Packet classification using tuple space search", 1999). An application has few shapes, and each costs an
//! addition for each of its levels and a lookup.
//!
//! ```text
//!   hash ── high half ──▶ starts: [ 0 · 3 · 7 · 12 … ]      a bucket of about four resources
//!       └── low byte ───▶ tags:   [ 5e 07 a1 | … | … ]      eight are compared at once
//!                         the place of a tag that agrees is the number of a resource
//! ```
//!
//! Two bytes a resource are read at random places, which the nearest caches keep for 100,000 of them; what lies far away
//! is the resource itself.

use super::{
    Target,
    hash::{EACH, Terms, finish, whole, zeros},
    order::ordered,
};
use crate::link::address::{Level, levels, matches};
use alloc::{boxed::Box, vec::Vec};

/// Levels beyond these are matched one resource after the other: nobody has them.
const LEVELS: usize = 32;

/// Resources a bucket, on average. Of those, one in 256 is looked at for an address that it does not match.
const BUCKET: usize = 4;

pub(super) struct Index {
    /// In the order in which they are asked: those that match most often come first.
    shapes: Vec<Table>,
    /// Where each bucket begins, and behind the last one where it ends.
    starts: Box<[u32]>,
    /// Of each resource a byte of its hash, and a word's worth of nothing.
    tags: Box<[u8]>,
    /// Where the resources lead to; nothing if each leads to the link whose number it has.
    targets: Box<[Target]>,
    /// Resources with more than [`LEVELS`] levels.
    long: Vec<Target>,
}

/// The buckets of one shape.
struct Table {
    shape: Shape,
    first: u32,
    buckets: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
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

/// Where a resource stands in an index: behind its shape's and its bucket's others, those of the same hash in the order
/// in which they came. `None` if it has too many levels.
pub(super) fn standing(resource: &str) -> Option<(Shape, u64)> {
    Shape::of(resource)
}

impl Index {
    /// Whether no table is between a tag and the link that it is of.
    #[cfg(test)]
    pub(super) fn is_in_place(&self) -> bool {
        self.targets.is_empty()
    }

    /// Of resources with where each leads to. One that stands there twice is found twice.
    pub(super) fn new<'a>(resources: impl Iterator<Item = (&'a str, Target)>) -> Self {
        let mut index = Index {
            shapes: Vec::new(),
            starts: Box::default(),
            tags: Box::default(),
            targets: Box::default(),
            long: Vec::new(),
        };
        let mut all: Vec<(Shape, u64, Target)> = Vec::new();
        for (resource, target) in resources {
            let Some((shape, hash)) = standing(resource) else {
                index.long.push(target);
                continue;
            };
            all.push((shape, hash, target));
            if !index.shapes.iter().any(|table| table.shape == shape) {
                let rank = |shape: &Shape| (shape.rest, shape.wild.count_ones(), shape.levels);
                let place = index.shapes.partition_point(|other| rank(&other.shape) <= rank(&shape));
                index.shapes.insert(place, Table { shape, first: 0, buckets: 0 });
            }
        }
        let key = |at: usize| all.get(at).map(|(shape, hash, _)| (*shape, *hash));
        let order = ordered(all.len(), &|one, other| key(one).cmp(&key(other)));
        let all: Vec<(Shape, u64, Target)> = order.iter().filter_map(|at| all.get(*at as usize).copied()).collect();
        let mut starts: Vec<u32> = Vec::new();
        let mut before = 0;
        for of_shape in all.chunk_by(|a, b| a.0 == b.0) {
            let Some(table) =
                index.shapes.iter_mut().find(|table| of_shape.first().is_some_and(|one| one.0 == table.shape))
            else {
                continue;
            };
            table.first = number(starts.len());
            table.buckets = number(of_shape.len().div_ceil(BUCKET));
            let starts_before = |bucket| of_shape.partition_point(|(_, hash, _)| table.bucket(*hash) < bucket);
            starts.extend((0..table.buckets).map(|bucket| before + number(starts_before(table.first + bucket))));
            before += number(of_shape.len());
        }
        starts.push(before);
        index.starts = starts.into_boxed_slice();
        index.tags = all.iter().map(|(_, hash, _)| tag(*hash)).chain([0; 8]).collect();
        if !(0..).zip(&all).all(|(number, (_, _, target))| *target == Target::link(number)) {
            index.targets = all.iter().map(|(_, _, target)| *target).collect();
        }
        index
    }

    /// Calls `found` with each resource of the shape and `hash` that matches `address`, and with its text.
    #[inline]
    fn lookup<'a>(
        &self,
        table: &Table,
        hash: u64,
        address: &'a str,
        texts: impl Texts<'a>,
        found: &mut impl FnMut(Target, &'a str),
    ) {
        let bucket = table.bucket(hash) as usize;
        let (Some(from), Some(to)) = (self.starts.get(bucket), self.starts.get(bucket + 1)) else { return };
        let (mut at, to) = (*from as usize, *to as usize);
        while at < to {
            let Some(tags) = self.tags.get(at..).and_then(<[u8]>::first_chunk) else { return };
            let mut same = zeros(u64::from_le_bytes(*tags) ^ (EACH * u64::from(tag(hash)))) & first_bytes(to - at);
            while same != 0 {
                let number = at + same.trailing_zeros() as usize / 8;
                same &= same - 1;
                let target = self.target(number);
                let text = texts.text(target);
                if table.shape.is_exact() {
                    if text == address.as_bytes() {
                        found(target, address);
                    }
                } else if table.shape.fits(text, address) {
                    found(target, utf8(text));
                }
            }
            at += 8;
        }
    }

    #[inline]
    fn target(&self, number: usize) -> Target {
        // without targets of their own, resources are links' numbers, which are 32 bits
        self.targets.get(number).copied().unwrap_or_else(|| Target::link(self::number(number)))
    }

    /// The group of a resource: those of one group never match the same address. All of one shape are one; each of those
    /// that are too long for a shape is one.
    pub(super) fn group<'a>(&self, resource: &str, texts: impl Texts<'a>) -> usize {
        let shape = standing(resource).and_then(|(shape, _)| self.shapes.iter().position(|table| table.shape == shape));
        let alone = || self.long.iter().position(|long| texts.text(*long) == resource.as_bytes()).unwrap_or(0);
        shape.unwrap_or_else(|| self.shapes.len() + alone())
    }

    /// Calls `found` with the resources of `group` that match `address`, and with their text: one lookup.
    #[inline]
    pub(super) fn find_in<'a>(
        &self,
        group: usize,
        address: &'a str,
        texts: impl Texts<'a>,
        mut found: impl FnMut(Target, &'a str),
    ) {
        if let Some(table) = self.shapes.get(group) {
            self.find_among(core::slice::from_ref(table), address, texts, &mut found);
        } else if let Some(long) = group.checked_sub(self.shapes.len()).and_then(|long| self.long.get(long)) {
            find_long(*long, address, texts, &mut found);
        }
    }

    /// Calls `found` with each resource that matches `address`, and with its text.
    #[inline]
    pub(super) fn find<'a>(&self, address: &'a str, texts: impl Texts<'a>, mut found: impl FnMut(Target, &'a str)) {
        self.find_among(&self.shapes, address, texts, &mut found);
        for long in &self.long {
            find_long(*long, address, texts, &mut found);
        }
    }

    #[inline]
    fn find_among<'a>(
        &self,
        tables: &[Table],
        address: &'a str,
        texts: impl Texts<'a>,
        found: &mut impl FnMut(Target, &'a str),
    ) {
        let (hash, levels) = whole(address);
        let special = address.starts_with('$');
        // only where a shape with wildcards has as many levels
        let mut terms = None;
        for table in tables.iter().filter(|table| table.shape.takes(levels, special)) {
            let hash = match table.shape.is_exact() {
                true => hash,
                false => table.shape.hash(terms.get_or_insert_with(|| terms_of(address))),
            };
            self.lookup(table, hash, address, texts, found);
        }
    }
}

/// The hashes of an address's levels, as many as a shape can have.
#[inline]
fn terms_of(address: &str) -> [u64; LEVELS] {
    let mut terms = [0; LEVELS];
    terms.iter_mut().zip(Terms::of(address)).for_each(|(place, term)| *place = term);
    terms
}

#[cold]
fn find_long<'a>(target: Target, address: &str, texts: impl Texts<'a>, found: &mut impl FnMut(Target, &'a str)) {
    let text = utf8(texts.text(target));
    if matches(text, address) {
        found(target, text);
    }
}

/// The text of a resource, which came from a `str`.
fn utf8(text: &[u8]) -> &str {
    core::str::from_utf8(text).unwrap_or_default()
}

/// More links than 32 bits can number have no place in any memory.
#[inline]
fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// What is kept of a hash. Its high half says the bucket.
#[inline]
fn tag(hash: u64) -> u8 {
    hash.to_le_bytes()[0]
}

/// The bits of the first `count` bytes; `count` is not 0.
#[inline]
fn first_bytes(count: usize) -> u64 {
    u64::MAX >> (64 - 8 * count.min(8))
}

impl Table {
    /// The bucket of a hash: its high half as a fraction of the buckets, so that they are in the order of their hashes.
    #[inline]
    fn bucket(&self, hash: u64) -> u32 {
        let high = hash >> 32;
        self.first + u32::try_from((high * u64::from(self.buckets)) >> 32).unwrap_or(0)
    }
}

impl Shape {
    /// A resource's shape and hash; `None` if it has too many levels.
    fn of(resource: &str) -> Option<(Self, u64)> {
        let mut shape = Shape { levels: 0, wild: 0, rest: false };
        for level in levels(resource) {
            if shape.levels as usize == LEVELS {
                return None;
            }
            match level {
                Level::Literal(_) => {}
                Level::One(_) => shape.wild |= 1 << shape.levels,
                Level::Rest => {
                    shape.rest = true;
                    break;
                }
            }
            shape.levels += 1;
        }
        let hash = if shape.is_exact() { whole(resource).0 } else { shape.hash(&terms_of(resource)) };
        Some((shape, hash))
    }

    fn is_exact(self) -> bool {
        self.wild == 0 && !self.rest
    }

    /// Whether addresses of so many levels can match. `special` are those that begin with `$`.
    #[inline]
    fn takes(self, levels: u32, special: bool) -> bool {
        let enough = if self.rest { levels >= self.levels } else { levels == self.levels };
        enough && !(special && self.leads_wild())
    }

    /// The hash of the levels that are no wildcards.
    #[inline]
    fn hash(self, terms: &[u64; LEVELS]) -> u64 {
        let mut literal = !self.wild & u32::MAX.unbounded_shr(u32::BITS - self.levels);
        let mut sum = 0_u64;
        while literal != 0 {
            sum = sum.wrapping_add(terms[literal.trailing_zeros() as usize % LEVELS]);
            literal &= literal - 1;
        }
        finish(sum)
    }

    fn leads_wild(self) -> bool {
        self.wild & 1 == 1 || (self.rest && self.levels == 0)
    }

    /// Whether `resource`, which is of this shape, agrees with `address`, which has as many levels, where it is no wildcard.
    fn fits(self, resource: &[u8], address: &str) -> bool {
        let split = |text| <[u8]>::split(text, |byte| *byte == b'/');
        let mut both = split(resource).zip(split(address.as_bytes()));
        (0..self.levels).all(|at| both.next().is_some_and(|(ours, theirs)| self.wild >> at & 1 == 1 || ours == theirs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{
        format,
        string::{String, ToString},
    };
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
                index.find_in(group, address, texts(&all), |target, text| {
                    let number = target.number();
                    assert!(text == all[number] || text == address, "{text}");
                    assert_eq!(index.group(all[number], texts(&all)), group, "{address}");
                    by_group.push(number);
                });
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

    #[test]
    fn resources_in_the_order_of_the_index_need_no_table() {
        let mut resources: Vec<String> = (0..1_000).map(|i| format!("site/{}/sensor/{i}", i % 7)).collect();
        resources
            .extend((0..100).flat_map(|i| [format!("site/{i}/{{x}}"), format!("site/{i}/{{y}}"), format!("{i}/#")]));
        let unordered: Vec<&str> = resources.iter().map(String::as_str).collect();
        let mut ordered = unordered.clone();
        ordered.sort_by_key(|resource| standing(resource));
        assert!(index(&ordered).targets.is_empty());
        assert_eq!(index(&unordered).targets.len(), ordered.len());
        for address in ["site/3/sensor/3", "site/3/a", "site/99/b", "5/a/b/c", "5", "site/100/a"] {
            let texts = |all: &[&str]| found(all, address).iter().map(|at| all[*at].to_string()).collect::<Vec<_>>();
            let (mut one, mut other) = (texts(&ordered), texts(&unordered));
            one.sort_unstable();
            other.sort_unstable();
            assert_eq!(one, other, "{address}");
        }
        assert_eq!(found(&ordered, "site/3/a").len(), 2, "one for each name");
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
                let mut by_group = Vec::new();
                for group in 0..64 {
                    index.find_in(group, &address, texts(&resources), |target, _| by_group.push(target.number()));
                }
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
