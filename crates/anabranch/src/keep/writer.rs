//! The task that writes what waits in a record's inbox, and cites what it was made from.

use super::{
    ids::Cause,
    inbox::{Inbox, Item},
};
use crate::{
    Duration, HeapRecord, Moment, Next, RestartPolicy, Runtime, RuntimeContext, ServiceConfig, ServiceEnd,
    SpawnBlocking, Stop, Supervisor,
    store::{BackendError, Store, StoreError, Ticket, VersionId, Write},
};
use alloc::{
    collections::VecDeque,
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};
use core::{
    convert::Infallible,
    future::poll_fn,
    task::{Context, Poll},
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is written ends with its record; should it fail, it is begun again.
pub(super) static SUPERVISED: ServiceConfig =
    ServiceConfig { restart: RestartPolicy::OnFailure, ..ServiceConfig::DEFAULT };

/// How many values are written at once, at most.
const AT_ONCE: usize = 1024;
/// How long it waits before it tries a store again that could not be written, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often it tries once the record has closed, when nobody but a shutdown waits for it.
const LAST_TRIES: u32 = 3;

/// Writes one record's values.
pub(super) struct Writer<T: Send + 'static> {
    inbox: Arc<Inbox<T>>,
    record: HeapRecord<T>,
    store: Result<Store, StoreError>,
    pending: VecDeque<Item<T>>,
}

/// What there is to do.
enum Work {
    /// So many values, from the first on, can be written.
    Write(usize),
    /// The record has closed, and all is written.
    Done,
}

impl<T: Clone + Send + 'static> Writer<T> {
    pub(super) fn new(inbox: Arc<Inbox<T>>, record: HeapRecord<T>, store: Result<Store, StoreError>) -> Self {
        inbox.begin(record.status().capacity);
        Writer { inbox, record, store, pending: VecDeque::new() }
    }

    async fn run<R>(&mut self, ctx: &RuntimeContext<R>) -> Result<(), Infallible>
    where
        R: Runtime + SpawnBlocking,
    {
        let store = match &self.store {
            Ok(store) => store.clone(),
            Err(why) => {
                self.inbox.stalls(why);
                return Ok(());
            }
        };
        let mut failed_in_a_row = 0;
        while let Work::Write(count) = poll_fn(|context| self.poll_work(context)).await {
            let (inbox, store) = (self.inbox.clone(), store.clone());
            let items: Vec<Item<T>> = self.pending.drain(..count).collect();
            let sequences: Vec<u64> = items.iter().map(|item| item.sequence).collect();
            let written = ctx.runtime().spawn_blocking(move || write(&inbox, &store, items)).await;
            let stalled = written.unwrap_or_else(|error| {
                // A panic of the store: what became of them nobody knows.
                sequences.iter().for_each(|sequence| self.inbox.failed(*sequence, &error));
                None
            });
            let Some(Stalled { items, why }) = stalled else {
                failed_in_a_row = 0;
                continue;
            };
            failed_in_a_row += 1;
            self.inbox.stalls(&why);
            if failed_in_a_row >= LAST_TRIES && self.record.status().closed {
                items.iter().for_each(|item| self.inbox.failed(item.sequence, &why));
                continue;
            }
            items.into_iter().rev().for_each(|item| self.pending.push_front(item));
            let doubled = FIRST_PAUSE.saturating_mul(1 << (failed_in_a_row - 1).min(10));
            ctx.runtime().sleep(doubled.min(LONGEST_PAUSE)).await;
        }
        // What was written with less durability is durable at an orderly end.
        if let Ok(Err(why)) = ctx.runtime().spawn_blocking(move || store.flush()).await {
            self.inbox.stalls(&why);
        }
        Ok(())
    }

    /// Takes what has come, and waits until the first value can be written.
    fn poll_work(&mut self, context: &mut Context<'_>) -> Poll<Work> {
        self.inbox.take(&mut self.pending, context.waker());
        if self.pending.is_empty() {
            // Before it closed, or with a wake after this.
            let closed = self.record.status().closed;
            self.inbox.take(&mut self.pending, context.waker());
            if self.pending.is_empty() {
                return if closed { Poll::Ready(Work::Done) } else { Poll::Pending };
            }
        }
        let mut ready = 0;
        let mut uncited = 0;
        for item in self.pending.iter_mut().take(AT_ONCE) {
            if !is_known(item, context, &mut uncited) {
                break;
            }
            ready += 1;
        }
        self.inbox.uncited(uncited);
        if ready == 0 { Poll::Pending } else { Poll::Ready(Work::Write(ready)) }
    }
}

/// Whether all that a value was made from is written, or never will be; if not, the task is woken when it is.
fn is_known<T>(item: &mut Item<T>, context: &Context<'_>, uncited: &mut u64) -> bool {
    let mut is_known = true;
    item.causes.retain_mut(|cause| {
        let Cause::Awaited(ids, sequence) = cause else { return true };
        match ids.outcome(*sequence, context.waker()) {
            Some(Some(id)) => *cause = Cause::Known(id),
            Some(None) => {
                *uncited += 1;
                return false;
            }
            None => is_known = false,
        }
        true
    });
    is_known
}

/// The store could not be written; these are to be tried again.
struct Stalled<T> {
    items: Vec<Item<T>>,
    why: StoreError,
}

/// Writes values, each as a request of its own: they share their commits, and a wrong one stops no other. Gives back those
/// for which there is no room just now. On a thread that may wait.
fn write<T: Send>(inbox: &Inbox<T>, store: &Store, items: Vec<Item<T>>) -> Option<Stalled<T>> {
    let mut submitted: Vec<(Item<T>, Result<Ticket, StoreError>)> = Vec::with_capacity(items.len());
    for item in items {
        match form(inbox, &item) {
            Ok(write) => submitted.push((item, store.submit(vec![write]))),
            Err(why) => inbox.failed(item.sequence, &why),
        }
    }
    let mut kept: Vec<(u64, VersionId)> = Vec::with_capacity(submitted.len());
    let mut stalled: Option<Stalled<T>> = None;
    for (item, ticket) in submitted {
        match ticket.and_then(Ticket::wait).map(|versions| versions.first().map(|version| version.version_id)) {
            Ok(Some(id)) => kept.push((item.sequence, id)),
            Ok(None) => inbox.failed(item.sequence, &StoreError::WriterPanicked),
            // There may be room again soon.
            Err(why @ StoreError::Backend(BackendError::Full | BackendError::Io(_))) => {
                stalled.get_or_insert(Stalled { items: Vec::new(), why }).items.push(item);
            }
            Err(why) => inbox.failed(item.sequence, &why),
        }
    }
    inbox.kept(&kept);
    stalled
}

/// The write of a value. A panic in the application's serialiser fails this value only.
fn form<T>(inbox: &Inbox<T>, item: &Item<T>) -> Result<Write, String> {
    let formed = catch_unwind(AssertUnwindSafe(|| (inbox.form)(&item.value)));
    let value = formed.map_err(|_| "its serializer panicked; the panic hook printed where and why".to_string())??;
    let key = inbox.key.of(&value)?;
    let causes = item.causes.iter().filter_map(|cause| match cause {
        Cause::Known(id) => Some(*id),
        Cause::Awaited(..) => None, // not reached: it waited for them
    });
    Ok(Write::put(inbox.namespace.clone(), key, value).because(causes))
}

/// However the task goes, what it has not written is counted, and nobody waits for it any more.
struct Ending<T: Send + 'static>(Writer<T>);

impl<T: Send + 'static> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.inbox.end(self.0.pending.len());
    }
}

/// Runs a writer to its end.
pub(super) async fn supervised<R, T>(
    ctx: RuntimeContext<R>,
    mut supervisor: Supervisor<Stop>,
    writer: Writer<T>,
) -> ServiceEnd
where
    R: Runtime + SpawnBlocking,
    T: Clone + Send + 'static,
{
    let mut writer = Ending(writer);
    loop {
        let healthy_from = ctx.now().after(SUPERVISED.max_backoff);
        let end = supervisor.run(writer.0.run(&ctx)).await;
        match supervisor.after(end, ctx.now() >= healthy_from) {
            Next::Restart(pause) => supervisor.pause(ctx.sleep(pause)).await,
            Next::End(end) => return end,
        }
    }
}
