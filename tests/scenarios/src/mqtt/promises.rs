//! What the qualities of service promise, asked of what was taken, what the broker had, and what arrived.
//!
//! ```text
//!   taken by the sender's connector ──▶ published, as the broker's log has it ──▶ arrived in the receiver's records
//! ```

use super::{
    ends::{Arrived, FLOWS, flow_of},
    note::number_of,
    watched::Taken,
};
use crate::{Tally, Verdict, holds, rising, same};
use anabranch::Duration;
use anabranch_mqtt_broker::Published;
use std::collections::BTreeSet;

/// What is known of one playing when it is over, or quiet.
pub(super) struct Course<'a> {
    /// What each life of the sender had taken, and whether it was killed.
    pub(super) lives: Vec<(&'a Taken, bool)>,
    pub(super) published: Vec<Published>,
    pub(super) arrived: &'a Arrived,
    /// When the broker forgot everything for the last time, if it did.
    pub(super) forgot: Option<Duration>,
    /// The receiver was killed, and whether its successor has its session.
    pub(super) successor: Option<bool>,
    /// The name that the receiver has now, if it has chosen one.
    pub(super) name: Option<String>,
    /// How many copies the broker makes for it.
    pub(super) copies: usize,
}

impl Course<'_> {
    /// Fails when something is not as promised, or not yet.
    pub(super) fn keeps_all_promises(&self) -> Verdict {
        for flow in 0..FLOWS {
            self.to_the_broker(flow)?;
            self.to_the_records(flow)?;
        }
        let published = self.published(|_| true).into_iter().collect();
        invents_nothing("the record of all flows", &self.arrived.all, &published)?;
        invents_nothing("the newest", &self.arrived.newest, &published)
    }

    fn to_the_broker(&self, flow: u8) -> Verdict {
        let published = self.published(|published| published.0 == flow);
        let what = || format!("what the broker had at QoS {flow}");
        let had: BTreeSet<u64> = published.iter().copied().collect();
        let mut all = BTreeSet::new();
        for (taken, killed) in &self.lives {
            let taken = taken[usize::from(flow)].values();
            rising("what was taken", &taken)?;
            if flow > 0 {
                // What a killed one had not sent is lost, and that is the last of what it took.
                let sent: Vec<u64> = taken.iter().copied().filter(|number| had.contains(number)).collect();
                let owed = if *killed { &taken[..sent.len()] } else { &taken[..] };
                same(&format!("{} of one that was {}killed", what(), if *killed { "" } else { "not " }), &*sent, owed)?;
            }
            all.extend(taken);
        }
        holds(|| format!("{} was taken: {had:?} of {all:?}", what()), had.is_subset(&all))?;
        match flow {
            1 => rising(&what(), &firsts(&published)),
            2 if self.forgot.is_some() => rising(&what(), &firsts(&published)),
            _ => rising(&what(), &published),
        }
    }

    fn to_the_records(&self, flow: u8) -> Verdict {
        let what = format!("what arrived at QoS {flow}");
        let arrived = self.arrived.flows[usize::from(flow)].values();
        let published = self.published(|(of, _)| *of == flow);
        if flow == 0 {
            rising(&what, &arrived)?;
            return invents_nothing(&what, &self.arrived.flows[0], &published.into_iter().collect());
        }
        let possible: Vec<u64> = self.copied(flow, 1).filter_map(number).collect();
        let owed = self.owed(flow);
        let has: BTreeSet<u64> = arrived.iter().copied().collect();
        let lost: Vec<u64> = owed.iter().copied().filter(|number| !has.contains(number)).collect();
        holds(|| format!("{what} is all that it should be: {lost:?} is missing in {arrived:?}"), lost.is_empty())?;
        if self.successor == Some(false) {
            // What its predecessors had is not known here.
            return invents_nothing(&what, &self.arrived.flows[usize::from(flow)], &published.into_iter().collect());
        }
        let once = flow == 2 && self.successor.is_none();
        if once {
            within(&what, &arrived, &possible)
        } else if self.forgot.is_none() && possible.len() == owed.len() {
            same(&what, firsts(&arrived), firsts(&owed))
        } else {
            let possible = possible.into_iter().collect();
            invents_nothing(&what, &self.arrived.flows[usize::from(flow)], &possible)
        }
    }

    /// What the broker had that must have arrived.
    pub(super) fn owed(&self, flow: u8) -> Vec<u64> {
        let remembered = |published: &&Published| self.forgot.is_none_or(|forgot| published.at > forgot);
        self.copied(flow, self.copies).filter(remembered).filter_map(number).collect()
    }

    /// What the broker had, of which it made so many copies at least for the receiver.
    fn copied(&self, flow: u8, copies: usize) -> impl Iterator<Item = &Published> {
        let mine = |to: &str| self.name.as_ref().is_none_or(|name| name == to);
        let of_flow = self.published.iter().filter(move |published| topic_flow(published) == Some(flow));
        of_flow.filter(move |published| published.to.iter().filter(|to| mine(to)).count() >= copies)
    }

    /// The numbers in the broker's log.
    pub(super) fn published(&self, which: impl Fn(&(u8, u64)) -> bool) -> Vec<u64> {
        let numbers = self.published.iter().filter_map(|one| Some((topic_flow(one)?, number(one)?)));
        numbers.filter(which).map(|(_, number)| number).collect()
    }
}

fn number(published: &Published) -> Option<u64> {
    number_of(&published.payload)
}

fn topic_flow(published: &Published) -> Option<u8> {
    published.topic.strip_prefix("flow/")?.parse().ok()
}

/// Each once, where it came first.
fn firsts(numbers: &[u64]) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    numbers.iter().copied().filter(|number| seen.insert(*number)).collect()
}

fn invents_nothing(what: &str, arrived: &Tally, published: &BTreeSet<u64>) -> Verdict {
    let arrived = arrived.values();
    holds(
        || format!("{what} was published: {arrived:?} of {published:?}"),
        arrived.iter().all(|n| published.contains(n)),
    )
}

/// Each of `some` stands in `all`, in its order, and as often at most.
fn within(what: &str, some: &[u64], all: &[u64]) -> Verdict {
    let mut left = all.iter();
    let is = some.iter().all(|number| left.any(|other| other == number));
    holds(|| format!("{what} is each once, in order: {some:?} of {all:?}"), is)
}

/// Whether all `numbers` have arrived in their flows, those of QoS 0 and 2 once.
pub(super) fn have_arrived(numbers: &[u64], arrived: &Arrived) -> bool {
    numbers.iter().all(|number| {
        let flow = flow_of(*number);
        let times = arrived.flows[usize::from(flow)].values().iter().filter(|one| *one == number).count();
        times == 1 || flow == 1 && times > 1
    })
}
