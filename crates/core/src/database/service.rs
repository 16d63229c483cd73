//! A service as a database sees it: which records it reads and writes, and how an instance of it is started.

use super::table::{AnyRecord, TypeOf};
use crate::{
    Consumer, HeapRecord, Position, Producer, RecordKey, ServiceConfig, ServiceEnd, Supervisor, Tap, record::ClaimError,
};
use alloc::{
    boxed::Box,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use anabranch_executor::{JoinHandle, MaybeSend, Runtime, RuntimeContext, SpawnDynamically};
use core::{any::Any, future::Future, marker::PhantomData};

/// What tells a service of a database to stop: the end of a record, for those that are stopped from outside; `None` for
/// those that end by themselves when their inputs have closed.
pub type Stop = Option<Consumer<()>>;

/// A reading end that a service has asked for: a token for [`Ends::consumer`].
#[derive(Debug)]
pub struct Reads<T> {
    port: usize,
    _value: PhantomData<fn() -> T>,
}

/// A writing end that a service has asked for: a token for [`Ends::producer`].
#[derive(Debug)]
pub struct Writes<T> {
    port: usize,
    _value: PhantomData<fn(T)>,
}

/// A record that a service taps: a token for [`Ends::tapped`].
#[derive(Debug)]
pub struct Taps<T> {
    port: usize,
    _value: PhantomData<fn() -> T>,
}

impl<T> Clone for Taps<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Taps<T> {}
impl<T> Clone for Reads<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Reads<T> {}
impl<T> Clone for Writes<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Writes<T> {}

/// An end was asked for with a token of another service. `#[service]` cannot do that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("a service asked for an end with another service's token; use the tokens of its own draft")]
pub struct Unwired;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Reads,
    Writes,
    /// Sees what is put in, and is no consumer.
    Taps,
}

type Claim = fn(&dyn AnyRecord) -> Option<Result<Box<dyn Any + Send>, ClaimError>>;

/// Puts a tap into a record; `None` when the record is of another type.
pub(super) type Install = Box<dyn Fn(&dyn AnyRecord) -> Option<Box<dyn AnyRecord>> + Send>;

/// One end that a service asks for.
pub(super) struct Port {
    pub(super) record: String,
    pub(super) direction: Direction,
    pub(super) value: TypeOf,
    /// Claims the end; `None` when the record is of another type.
    pub(super) claim: Claim,
    pub(super) install: Option<Install>,
}

/// A service that is being described; `#[service]` writes this.
pub struct ServiceDraft {
    name: String,
    supervised_as: &'static str,
    config: &'static ServiceConfig,
    ports: Vec<Port>,
}

impl ServiceDraft {
    /// A service called `name`, supervised by `config`.
    pub fn new(name: &'static str, config: &'static ServiceConfig) -> Self {
        ServiceDraft { name: name.to_string(), supervised_as: name, config, ports: Vec::new() }
    }

    pub(super) fn derived(name: String, kind: &'static str, config: &'static ServiceConfig) -> Self {
        ServiceDraft { name, supervised_as: kind, config, ports: Vec::new() }
    }

    /// It reads the record `key`.
    pub fn reads<T: Clone + Send + 'static>(&mut self, key: &(impl RecordKey<T> + ?Sized)) -> Reads<T> {
        let port = self.port::<T>(key.name(), Direction::Reads, |record| {
            let record = record.as_any().downcast_ref::<HeapRecord<T>>()?;
            Some(record.consumer().map(|end| Box::new(end) as Box<dyn Any + Send>))
        });
        Reads { port, _value: PhantomData }
    }

    /// It writes the record `key`.
    pub fn writes<T: Clone + Send + 'static>(&mut self, key: &(impl RecordKey<T> + ?Sized)) -> Writes<T> {
        let port = self.port::<T>(key.name(), Direction::Writes, |record| {
            let record = record.as_any().downcast_ref::<HeapRecord<T>>()?;
            Some(record.producer().map(|end| Box::new(end) as Box<dyn Any + Send>))
        });
        Writes { port, _value: PhantomData }
    }

    /// `tap` sees every value that is put into the record `key`. In graphs it reads it, and it is no consumer: it takes no
    /// place in a mailbox or queue. It ends by itself when the record has closed, which [`Ends::tapped`] tells.
    pub fn taps<T: Clone + Send + 'static>(
        &mut self,
        key: &(impl RecordKey<T> + ?Sized),
        tap: Arc<dyn Tap<T>>,
    ) -> Taps<T> {
        let port = self.port::<T>(key.name(), Direction::Taps, |record| {
            let record = record.as_any().downcast_ref::<HeapRecord<T>>()?;
            Some(Ok(Box::new(record.clone()) as Box<dyn Any + Send>))
        });
        if let Some(port) = self.ports.get_mut(port) {
            port.install = Some(Box::new(move |record| {
                let record = record.as_any().downcast_ref::<HeapRecord<T>>()?;
                Some(Box::new(record.tapped(tap.clone())) as Box<dyn AnyRecord>)
            }));
        }
        Taps { port, _value: PhantomData }
    }

    fn port<T: 'static>(&mut self, record: &str, direction: Direction, claim: Claim) -> usize {
        self.ports.push(Port { record: record.to_string(), direction, value: TypeOf::of::<T>(), claim, install: None });
        self.ports.len() - 1
    }

    /// How one instance is started: `start` is called once for each, with the ends that were asked for.
    pub fn starts<R, F, Fut>(self, start: F) -> ServiceSpec<R>
    where
        R: Runtime + SpawnDynamically,
        F: Fn(&Ends, RuntimeContext<R>, Supervisor<Stop>) -> Result<Fut, Unwired> + MaybeSend + 'static,
        Fut: Future<Output = ServiceEnd> + MaybeSend + 'static,
    {
        ServiceSpec {
            name: self.name,
            supervised_as: self.supervised_as,
            config: self.config,
            ports: self.ports,
            start: Box::new(start),
        }
    }
}

/// A service with the records it works on, for [`Builder::with_service`](super::Builder::with_service).
///
/// `#[service]` makes it: `Cooling::of("sensor/temperature", "actuator/fan")`.
pub struct ServiceSpec<R> {
    pub(super) name: String,
    pub(super) supervised_as: &'static str,
    pub(super) config: &'static ServiceConfig,
    pub(super) ports: Vec<Port>,
    pub(super) start: Box<dyn Start<R>>,
}

impl<R> ServiceSpec<R> {
    /// The same under another name, for graphs, status and messages: when one service stands in a database twice.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// Starts an instance as a task of its own. `keep_alive` is held until the task has gone, however it goes.
pub(super) trait Start<R>: MaybeSend {
    fn start(
        &self,
        ends: &Ends,
        ctx: RuntimeContext<R>,
        supervisor: Supervisor<Stop>,
        keep_alive: Producer<()>,
    ) -> Result<Box<dyn Task>, Unwired>;
}

impl<R, F, Fut> Start<R> for F
where
    R: Runtime + SpawnDynamically,
    F: Fn(&Ends, RuntimeContext<R>, Supervisor<Stop>) -> Result<Fut, Unwired> + MaybeSend + 'static,
    Fut: Future<Output = ServiceEnd> + MaybeSend + 'static,
{
    fn start(
        &self,
        ends: &Ends,
        ctx: RuntimeContext<R>,
        supervisor: Supervisor<Stop>,
        keep_alive: Producer<()>,
    ) -> Result<Box<dyn Task>, Unwired> {
        let runtime = ctx.runtime().clone();
        let service = self(ends, ctx, supervisor)?;
        let task = runtime.spawn(async move {
            let _keep_alive = keep_alive;
            service.await
        });
        Ok(Box::new(task))
    }
}

/// A started instance, which can be ended.
pub(super) trait Task: MaybeSend {
    fn abort(&self);
}
impl<H: JoinHandle<ServiceEnd>> Task for H {
    fn abort(&self) {
        JoinHandle::abort(self);
    }
}

/// The ends that were claimed for a service when its database was built.
pub struct Ends {
    claimed: Vec<Box<dyn Any + Send>>,
    /// Of each port, where its consumer notes what it has received: in services alone that write to tapped records.
    noted: Vec<Option<Arc<Position>>>,
    received: Arc<[Arc<Position>]>,
}

impl Ends {
    pub(super) fn new(claimed: Vec<Box<dyn Any + Send>>) -> Self {
        Ends { claimed, noted: Vec::new(), received: Arc::new([]) }
    }

    /// From now on they are for the instance whose consumers note there what they have received.
    pub(super) fn note(&mut self, noted: Vec<Option<Arc<Position>>>) {
        self.received = noted.iter().flatten().cloned().collect();
        self.noted = noted;
    }

    fn get<E: 'static>(&self, port: usize) -> Result<&E, Unwired> {
        self.claimed.get(port).and_then(|end| end.downcast_ref()).ok_or(Unwired)
    }

    /// The consumer that `token` stands for, for one more instance.
    ///
    /// # Errors
    /// [`Unwired`] for a token of another service.
    pub fn consumer<T: Clone + Send + 'static>(&self, token: Reads<T>) -> Result<Consumer<T>, Unwired> {
        let consumer = self.get::<Consumer<T>>(token.port)?.clone();
        Ok(match self.noted.get(token.port) {
            Some(Some(position)) => consumer.watched(position.clone()),
            _ => consumer,
        })
    }

    /// The producer that `token` stands for, for one more instance.
    ///
    /// # Errors
    /// [`Unwired`] for a token of another service.
    pub fn producer<T: 'static>(&self, token: Writes<T>) -> Result<Producer<T>, Unwired> {
        let producer = self.get::<Producer<T>>(token.port)?.lend();
        Ok(if self.received.is_empty() { producer } else { producer.citing(&self.received) })
    }

    /// The record that `token` stands for: to ask how it is, and whether it has closed.
    ///
    /// # Errors
    /// [`Unwired`] for a token of another service.
    pub fn tapped<T: 'static>(&self, token: Taps<T>) -> Result<HeapRecord<T>, Unwired> {
        self.get::<HeapRecord<T>>(token.port).cloned()
    }
}
