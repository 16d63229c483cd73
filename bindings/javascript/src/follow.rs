//! Those who follow the store or a record: each is a task that sends what there is, and no more than was asked for.

use crate::{
    code::Failure,
    engine::{Emit, Event},
    wire::{Answer, Arguments},
};
use anabranch::{
    JoinHandle, SpawnDynamically, WasmAdapter,
    store::{Moment, Start, Store, StoreError, Subscription, Timestamp},
    wasm::WasmJoinHandle,
};
use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// How many are sent at once.
const AT_ONCE: u64 = 256;

/// Those who follow.
#[derive(Default)]
pub struct Followers(Vec<Follower>);

struct Follower {
    /// Its client's number, and the number that the client has given it. They stand in the order of these.
    number: (u32, u32),
    wanted: Rc<Wanted>,
    task: WasmJoinHandle<()>,
}

/// It is told no more.
impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How many one who follows will still take: who reads slowly is sent nothing for a while, and misses nothing of the store.
#[derive(Default)]
pub struct Wanted {
    count: Cell<u64>,
    waiting: RefCell<Option<Waker>>,
}

impl Wanted {
    fn add(&self, more: u64) {
        self.count.set(self.count.get().saturating_add(more));
        let waker = self.waiting.take();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Waits until some are wanted, and gives how many to send at once.
    pub async fn some(&self) -> u64 {
        poll_fn(|context| match self.count.get() {
            0 => {
                self.waiting.replace(Some(context.waker().clone()));
                Poll::Pending
            }
            count => Poll::Ready(count.min(AT_ONCE)),
        })
        .await
    }

    pub fn sent(&self, count: u64) {
        self.count.set(self.count.get().saturating_sub(count));
    }
}

impl Followers {
    /// A number, how many it takes at first, namespace, prefix, where to begin. The answer is where it begins, as a place where
    /// it can begin again.
    #[inline(never)]
    pub fn subscribe(
        &mut self,
        store: &Store,
        client: u32,
        call: &mut Arguments<'_>,
        emit: &Emit,
    ) -> Result<Timestamp, Failure> {
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
        let emit = emit.clone();
        self.start((client, id), wants, |wanted| follow_store(versions, wanted, emit, (client, id)));
        Ok(begins)
    }

    /// Begins one that `task` runs, in the place of one of the same number.
    pub fn start<F: Future<Output = ()> + 'static>(
        &mut self,
        number: (u32, u32),
        wants: u64,
        task: impl FnOnce(Rc<Wanted>) -> F,
    ) {
        let wanted = Rc::new(Wanted::default());
        wanted.add(wants);
        let task = WasmAdapter::new().spawn(task(wanted.clone()));
        let follower = Follower { number, wanted, task };
        match self.place(number) {
            Ok(place) => self.0[place] = follower,
            Err(place) => self.0.insert(place, follower),
        }
    }

    fn place(&self, number: (u32, u32)) -> Result<usize, usize> {
        self.0.binary_search_by_key(&number, |follower| follower.number)
    }

    /// Takes so many more; `false` if it follows no more.
    pub fn more(&self, client: u32, call: &mut Arguments<'_>) -> Result<bool, Failure> {
        let (id, more) = (number(call)?, call.number("how many")?);
        let follower = self.place((client, id)).ok().and_then(|place| self.0.get(place));
        Ok(follower.map(|follower| follower.wanted.add(more)).is_some())
    }

    /// Follows no more; `false` if it did not.
    pub fn leave(&mut self, client: u32, call: &mut Arguments<'_>) -> Result<bool, Failure> {
        let place = self.place((client, number(call)?));
        Ok(place.map(|place| self.0.remove(place)).is_ok())
    }

    /// A client has gone.
    pub fn forget(&mut self, client: u32) {
        self.0.retain(|follower| follower.number.0 != client);
    }
}

async fn follow_store(mut versions: Subscription, wanted: Rc<Wanted>, emit: Emit, (client, id): (u32, u32)) {
    loop {
        let room = wanted.some().await;
        let mut items = Answer::empty();
        let mut count = 0;
        let mut next = poll_fn(|context| versions.poll_next(context)).await.map(Some);
        let ended = loop {
            match next {
                Ok(Some(version)) => {
                    items.keyed(&version);
                    count += 1;
                }
                Ok(None) => break None,
                Err(error) => break Some(Failure::from(error)),
            }
            if count == room {
                break None;
            }
            next = versions.try_next();
        };
        wanted.sent(count);
        if count > 0 {
            emit.event(Event::Items, client, id, &items.into_bytes());
        }
        if let Some(failure) = ended {
            return emit.event(Event::End, client, id, &Answer::failed(&failure));
        }
    }
}

pub fn number(call: &mut Arguments<'_>) -> Result<u32, Failure> {
    Ok(u32::try_from(call.number("who follows")?).unwrap_or(u32::MAX))
}
