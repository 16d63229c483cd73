//! Routing: from an address to the record, however many links there are.
//!
//! A case routes to *all* of its links, in random order: a hot address would find everything in the nearest cache. What
//! is timed is `Router::route` with a decoder that does nothing, into a latest record that nobody reads: finding the link,
//! decoding, producing, counting. Addresses lie in a row in the order in which they come, as in a buffer that packets are
//! read into, so none of the time is the bench's own search for them; whose links they are is random, so a link's memory is
//! as far away as the machine's caches make it.

use crate::{asked, database::Linked};
use aimdb_core::{
    connector::{DeserializerKind, ProducerTrait},
    router::{Route as AimRoute, Router as AimRouter},
};
use anabranch_bench::{Bound, Figure, Report, Row, interleaved, median};
use anabranch_core::Router;
use std::{any::Any, future::Future, hint::black_box, pin::Pin, sync::Arc, task::Context, task::Waker, time::Instant};

const ROUNDS: usize = 15;
/// Values a round: every link of the largest case gets one.
const VALUES: usize = 100_000;

/// The address of link `i`. Every tenth has a wildcard: all of one shape, so that ten links and 100,000 differ in their
/// number only, or of three, or of many.
pub fn pattern(i: usize, shapes: usize) -> String {
    match i % 10 {
        9 if shapes > 3 => many_levels(i, shapes, "+"),
        9 => match i / 10 % shapes {
            0 => format!("plant/{i}/{{device}}/temp"),
            1 => format!("plant/+/alarm/{i}"),
            _ => format!("plant/{i}/log/#"),
        },
        _ => exact(i),
    }
}

/// What a value for link `i` comes from.
fn address(i: usize, shapes: usize) -> String {
    match i % 10 {
        9 if shapes > 3 => many_levels(i, shapes, "boiler"),
        9 => match i / 10 % shapes {
            0 => format!("plant/{i}/boiler/temp"),
            1 => format!("plant/7/alarm/{i}"),
            _ => format!("plant/{i}/log/pump/1"),
        },
        _ => exact(i),
    }
}

/// Seven levels, of which those are `wild` that the shape says: each of 63 shapes is another choice among six.
fn many_levels(i: usize, shapes: usize, wild: &str) -> String {
    let shape = i / 10 % shapes + 1;
    let level =
        |at: usize| if shape >> at & 1 == 1 { wild } else { ["plant", "hall", "line", "cell", "unit", "part"][at] };
    (0..6).map(level).chain([i.to_string().as_str()]).collect::<Vec<_>>().join("/")
}

/// An address without wildcards.
pub fn exact(i: usize) -> String {
    format!("plant/{}/sensor/{i}/temp", i % 97)
}

/// Addresses one after the other, as packets are in a buffer that is read into.
struct Stream {
    text: String,
    lengths: Vec<u8>,
}

impl Stream {
    /// One for each value: all links in random order, over and over.
    fn new(links: usize, address: impl Fn(usize) -> String) -> Self {
        let (mut text, mut lengths) = (String::new(), Vec::new());
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut order: Vec<usize> = Vec::new();
        for _ in 0..VALUES {
            let i = order.pop().unwrap_or_else(|| {
                order = shuffled(links, &mut random);
                order.pop().expect("there are links")
            });
            let address = address(i);
            text.push_str(&address);
            lengths.push(u8::try_from(address.len()).expect("addresses here are short"));
        }
        Stream { text, lengths }
    }

    /// The first `values` of them.
    fn each(&self, values: usize, mut route: impl FnMut(&str)) {
        let mut rest = self.text.as_str();
        for length in &self.lengths[..values] {
            let (address, after) = rest.split_at(usize::from(*length));
            route(address);
            rest = after;
        }
    }
}

/// The numbers below `links` in random order.
fn shuffled(links: usize, random: &mut u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..links).collect();
    for at in (1..links).rev() {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        order.swap(at, (*random >> 33) as usize % (at + 1));
    }
    order
}

/// Nanoseconds a value, of one round.
fn round(router: &Router, stream: &Stream) -> f64 {
    let mut delivered = 0;
    let start = Instant::now();
    stream.each(VALUES, |address| delivered += router.route(black_box(address), b"1").delivered());
    let took = start.elapsed();
    assert_eq!(delivered, VALUES, "each address goes to its one link");
    took.as_secs_f64() * 1e9 / VALUES as f64
}

/// A router has a line of the cache for each link.
const LINE: usize = 64;

/// As much memory as the lines of so many links, read in random order, each line saying where the next one is: what a value
/// whose link is in no near cache waits for, whatever the router does.
struct Reads(Vec<[usize; LINE / size_of::<usize>()]>);

impl Reads {
    fn new(links: usize) -> Self {
        let (order, mut lines) = (shuffled(links, &mut 0x9e37_79b9_7f4a_7c15), vec![[0; _]; links]);
        for (at, line) in order.iter().enumerate() {
            lines[*line][0] = order[(at + 1) % links];
        }
        Reads(lines)
    }

    /// Nanoseconds a line, of one round.
    fn round(&self) -> f64 {
        let mut at = 0;
        let start = Instant::now();
        (0..VALUES).for_each(|_| at = self.0[at][0]);
        let took = start.elapsed();
        black_box(at);
        took.as_secs_f64() * 1e9 / VALUES as f64
    }
}

/// AimDB's producer for a route, which takes the value and drops it: ours goes into a record.
struct Taken;
impl ProducerTrait for Taken {
    fn produce_any<'a>(
        &'a self,
        value: Box<dyn Any + Send>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        black_box(value);
        Box::pin(std::future::ready(Ok(())))
    }
}

fn beside_aimdb(report: &mut Report) {
    let case = "routing: 1,000 addresses without wildcards";
    if !asked(case) {
        return;
    }
    let links = 1_000;
    let ours = Linked::new(&(0..links).map(exact).collect::<Vec<_>>());
    let theirs = AimRouter::new(
        (0..links)
            .map(|i| AimRoute {
                resource_id: exact(i).into(),
                producer: Box::new(Taken),
                deserializer: DeserializerKind::Raw(Arc::new(|bytes| Ok(Box::new(bytes.len() as u64)))),
            })
            .collect(),
    );
    let stream = Stream::new(links, exact);
    let mut cx = Context::from_waker(Waker::noop());
    let their_round = || {
        let start = Instant::now();
        // a hundredth of the values: it looks at every route for each
        stream.each(VALUES / 100, |address| {
            let routed = std::pin::pin!(theirs.route(address, b"1", None)).poll(&mut cx);
            assert!(routed.is_ready());
        });
        start.elapsed().as_secs_f64() * 1e9 / (VALUES / 100) as f64
    };
    let (ours, peer) = interleaved(ROUNDS, || round(&ours.router, &stream), their_round);
    let note = "a linear search, into no record".to_owned();
    let peer = ("AimDB", peer);
    report.add(Row { case: case.into(), unit: "ns", ours, peer, bound: Bound::AtMost(1.0), note, also: true });
}

pub fn run(report: &mut Report) {
    let case = |words: &str, shapes: usize| match shapes {
        1 => format!("routing: an address, {words} links, a tenth with wildcards"),
        _ => format!("routing: an address, {words} links, a tenth with wildcards of {shapes} shapes"),
    };
    let cases = [
        (10, 1, "10"),
        (100, 1, "100"),
        (1_000, 1, "1,000"),
        (10_000, 1, "10,000"),
        (100_000, 1, "100,000"),
        (100_000, 3, "100,000"),
        (100_000, 50, "100,000"),
    ];
    let cases: Vec<_> = cases.into_iter().filter(|(_, shapes, words)| asked(&case(words, *shapes))).collect();
    let made: Vec<_> = (cases.iter())
        .map(|(links, shapes, _)| {
            let patterns: Vec<_> = (0..*links).map(|i| pattern(i, *shapes)).collect();
            (Linked::new(&patterns), Stream::new(*links, |i| address(i, *shapes)))
        })
        .collect();
    // interleaved: each round runs every case
    let mut times = vec![Vec::new(); made.len()];
    let reads: Vec<Reads> = cases.iter().map(|(links, ..)| Reads::new(*links)).collect();
    let mut read = vec![Vec::new(); cases.len()];
    for counts in std::iter::once(false).chain([true; ROUNDS]) {
        for (case, (linked, stream)) in made.iter().enumerate() {
            // what stays in the caches is this case's own
            round(&linked.router, stream);
            let time = round(&linked.router, stream);
            reads[case].round();
            let one_read = reads[case].round();
            if counts {
                times[case].push(time);
                read[case].push(one_read);
            }
        }
    }
    let fastest: Vec<f64> = times.iter().map(|times| times.iter().copied().fold(f64::INFINITY, f64::min)).collect();
    let [medians, read] = [times, read].map(|all| all.into_iter().map(median).collect::<Vec<f64>>());
    for (((_, shapes, words), (ours, one_read)), fastest) in cases.iter().zip(medians.iter().zip(&read)).zip(fastest) {
        // Each shape that occurs and has as many levels is one more lookup in the index.
        let bound = if *shapes > 1 { Bound::Shown } else { Bound::AtMost(150.0 + one_read) };
        let note = format!("fastest {fastest:.1}; 150 beside the {one_read:.0} of one random read of as much memory");
        report.figure(Figure { case: case(words, *shapes), unit: "ns", ours: *ours, bound, note });
    }
    // Each beside the one read that a value waits for.
    let of = |links| cases.iter().position(|case| case.0 == links && case.1 == 1).map(|at| medians[at] - read[at]);
    if let (Some(ten), Some(most)) = (of(10), of(100_000)) {
        report.add(Row {
            case: "routing: 100,000 links beside 10".into(),
            unit: "ns",
            ours: most,
            peer: ("10 links", ten),
            bound: Bound::AtMost(2.0),
            note: "without one random read of as much memory each".into(),
            also: true,
        });
    }
    beside_aimdb(report);
}
