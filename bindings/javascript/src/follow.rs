//! Those who follow the store: what they are sent, and that it is no more than they have asked for.

use crate::{
    code::Failure,
    engine::Event,
    wire::{Answer, Arguments},
};
use anabranch::store::{Moment, Start, Store, Subscription};
use std::collections::BTreeMap;

/// Those who follow, each by a number.
#[derive(Default)]
pub struct Followers {
    last: u32,
    all: BTreeMap<u32, Follower>,
}

struct Follower {
    versions: Subscription,
    /// How many it will still take: who reads slowly is sent nothing for a while, and misses nothing.
    wants: u64,
}

/// How many are sent at once.
const AT_ONCE: u64 = 256;

impl Followers {
    /// namespace, prefix, where to begin, how many it takes at first.
    pub fn subscribe(&mut self, store: &Store, call: &mut Arguments<'_>) -> Result<u32, Failure> {
        let namespace = call.text("namespace")?;
        let prefix = call.optional(|call| call.text("prefix"))?.unwrap_or_default();
        let start = match call.optional(|call| call.text("from"))? {
            None => Start::Now,
            Some("beginning") => Start::Beginning,
            Some(from) => match from.parse().map_err(|error: anabranch::store::StoreError| Failure::from(error))? {
                Moment::At(at) => Start::At(at),
                Moment::Version(version) => Start::After(version),
            },
        };
        let wants = call.number("how many")?;
        let versions = store.subscribe(namespace, prefix, start)?;
        self.last = self.last.wrapping_add(1);
        self.all.insert(self.last, Follower { versions, wants });
        Ok(self.last)
    }

    /// Takes so many more; `false` if it follows no more.
    pub fn more(&mut self, call: &mut Arguments<'_>) -> Result<bool, Failure> {
        let (id, more) = (number(call)?, call.number("how many")?);
        let follower = self.all.get_mut(&id);
        Ok(follower.map(|follower| follower.wants = follower.wants.saturating_add(more)).is_some())
    }

    /// Follows no more; `false` if it did not.
    pub fn leave(&mut self, call: &mut Arguments<'_>) -> Result<bool, Failure> {
        Ok(self.all.remove(&number(call)?).is_some())
    }

    /// Sends each what it takes of what there is.
    pub fn tell(&mut self, emit: &mut dyn FnMut(Event, u32, &[u8])) {
        self.all.retain(|id, follower| {
            while follower.wants > 0 {
                let mut items = Answer::empty();
                let mut count = 0;
                let ended = loop {
                    if count == follower.wants.min(AT_ONCE) {
                        break None;
                    }
                    match follower.versions.try_next() {
                        Ok(Some(version)) => items.keyed(&version),
                        Ok(None) => break None,
                        Err(error) => break Some(Failure::from(error)),
                    };
                    count += 1;
                };
                if count > 0 {
                    follower.wants -= count;
                    emit(Event::Items, *id, &items.into_bytes());
                }
                if let Some(failure) = ended {
                    emit(Event::End, *id, &Answer::failed(&failure));
                    return false;
                }
                if count < AT_ONCE {
                    break;
                }
            }
            true
        });
    }
}

fn number(call: &mut Arguments<'_>) -> Result<u32, Failure> {
    Ok(u32::try_from(call.number("who follows")?).unwrap_or(u32::MAX))
}
