//! Those who follow the store: what they are sent, and that it is no more than they have asked for.

use crate::{
    code::Failure,
    engine::Event,
    wire::{Answer, Arguments},
};
use anabranch::store::{Moment, Start, Store, StoreError, Subscription, Timestamp};
use std::collections::BTreeMap;

/// Those who follow, by their client's number and the number that the client has given them.
#[derive(Default)]
pub struct Followers(BTreeMap<(u32, u32), Follower>);

struct Follower {
    versions: Subscription,
    /// How many it will still take: who reads slowly is sent nothing for a while, and misses nothing.
    wants: u64,
}

/// How many are sent at once.
const AT_ONCE: u64 = 256;

impl Followers {
    /// A number, how many it takes at first, namespace, prefix, where to begin. The answer is where it begins, as a place where
    /// it can begin again.
    pub fn subscribe(&mut self, store: &Store, client: u32, call: &mut Arguments<'_>) -> Result<Timestamp, Failure> {
        let (id, wants) = (number(call)?, call.number("how many")?);
        let namespace = call.text("namespace")?;
        let prefix = call.optional(|call| call.text("prefix"))?.unwrap_or_default();
        let start = match call.optional(|call| call.text("from"))? {
            None => Start::Now,
            Some("beginning") => Start::Beginning,
            Some(from) => match from.parse().map_err(|error: StoreError| Failure::from(error))? {
                Moment::At(at) => Start::At(at),
                Moment::Version(version) => Start::After(version),
            },
        };
        let versions = store.subscribe(namespace, prefix, start)?;
        let begins = Timestamp::from_nanos(versions.position().nanos().saturating_add(1));
        self.0.insert((client, id), Follower { versions, wants });
        Ok(begins)
    }

    /// Takes so many more; `false` if it follows no more.
    pub fn more(&mut self, client: u32, call: &mut Arguments<'_>) -> Result<bool, Failure> {
        let (id, more) = (number(call)?, call.number("how many")?);
        let follower = self.0.get_mut(&(client, id));
        Ok(follower.map(|follower| follower.wants = follower.wants.saturating_add(more)).is_some())
    }

    /// Follows no more; `false` if it did not.
    pub fn leave(&mut self, client: u32, call: &mut Arguments<'_>) -> Result<bool, Failure> {
        Ok(self.0.remove(&(client, number(call)?)).is_some())
    }

    /// A client has gone.
    pub fn forget(&mut self, client: u32) {
        self.0.retain(|(its, _), _| *its != client);
    }

    /// Sends each what it takes of what there is: `emit(event, client, number, bytes)`.
    pub fn tell(&mut self, emit: &mut dyn FnMut(Event, u32, u32, &[u8])) {
        self.0.retain(|(client, id), follower| {
            loop {
                let mut items = Answer::empty();
                let mut count = 0;
                let room = follower.wants.min(AT_ONCE);
                let mut ended = None;
                while count < room && ended.is_none() {
                    match follower.versions.try_next() {
                        Ok(Some(version)) => {
                            items.keyed(&version);
                            count += 1;
                        }
                        Ok(None) => break,
                        Err(error) => ended = Some(Failure::from(error)),
                    }
                }
                follower.wants -= count;
                if count > 0 {
                    emit(Event::Items, *client, *id, &items.into_bytes());
                }
                if let Some(failure) = ended {
                    emit(Event::End, *client, *id, &Answer::failed(&failure));
                    return false;
                }
                if count < room || room == 0 {
                    return true;
                }
            }
        });
    }
}

fn number(call: &mut Arguments<'_>) -> Result<u32, Failure> {
    Ok(u32::try_from(call.number("who follows")?).unwrap_or(u32::MAX))
}
