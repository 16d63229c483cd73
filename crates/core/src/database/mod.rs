//! A database: records by name, the services over them, and their life together on one runtime.

mod builder;
mod derived;
mod error;
mod graph;
mod link;
mod service;
mod table;

pub use builder::{Builder, NewBuilder, RecordConfig};
pub use derived::Joined;
pub use error::{AccessError, BuildError, BuildErrors, LinkProblem, RunError};
pub use graph::{Graph, GraphLink, GraphRecord, GraphService, GraphServiceKind};
pub use link::{LinkFrom, LinkTo};
pub use service::{Ends, Reads, ServiceDraft, ServiceSpec, Stop, Taps, Unwired, Writes};

use crate::{
    BufferCfg, BufferStatus, ConnectionState, ConnectorStatus, Consumer, HeapRecord, InboundRoute, LinkStatus,
    OutboundRoute, Producer, RecordKey, ServicePhase, ServiceState, StateRef, Supervisor, buffer::Lock,
};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use anabranch_executor::{Duration, Moment, Runtime, RuntimeContext, RuntimeExt, SpawnDynamically};
use core::{any::Any, fmt};
use link::Links;
use service::Task;
use table::Table;

/// A live database: records by name, and services that run over them.
///
/// ```
/// # use anabranch_core::{Anabranch, BufferCfg};
/// # async fn example<R: anabranch_executor::Runtime + anabranch_executor::SpawnDynamically>(runtime: R)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let db = Anabranch::builder()
///     .runtime(runtime)
///     .configure::<f32>("celsius", |r| {
///         r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
///     })
///     .configure::<f32>("fahrenheit", |r| {
///         r.with_buffer(BufferCfg::SingleLatest).transform("celsius", |c: f32| Some(c * 1.8 + 32.0));
///     })
///     .build()
///     .await?;
/// let celsius = db.producer::<f32>("celsius")?;
/// let mut fahrenheit = db.consumer::<f32>("fahrenheit")?;
/// db.start();
/// celsius.produce(100.0);
/// assert_eq!(fahrenheit.next().await, Some(212.0));
/// # Ok(())
/// # }
/// ```
///
/// Cheap to clone: clones are the same database.
pub struct Anabranch<R> {
    inner: Arc<Inner<R>>,
}

struct Inner<R> {
    runtime: R,
    table: Table,
    graph: Graph,
    services: Vec<Instance>,
    life: Lock<Life<R>>,
    /// Closes when the last service has gone.
    alive: HeapRecord<()>,
    links: Links,
    companions: Companions,
}

/// What a crate above this one put beside a database: one of each type.
type Companions = Vec<Arc<dyn Any + Send + Sync>>;

/// One instance of a service.
struct Instance {
    service: usize,
    number: u16,
    state: Arc<ServiceState>,
}

/// What is set in motion once.
struct Life<R> {
    waiting: Vec<Waiting<R>>,
    /// `None` once a shutdown has aborted them.
    tasks: Option<Vec<(usize, Box<dyn Task>)>>,
    /// Held until the services have started: then each holds one of its own.
    keep_alive: Option<Producer<()>>,
    /// Held until a shutdown: while it is, services that read nothing go on.
    keep_going: Option<Producer<()>>,
}

/// A service that was not started.
struct Waiting<R> {
    spec: ServiceSpec<R>,
    ends: Ends,
    stop: Stop,
    instances: Vec<usize>,
}

/// A record, for people and dashboards.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordStatus {
    /// Its name.
    pub name: String,
    /// The Rust type of its values.
    pub value: &'static str,
    /// Its buffer, as it was configured.
    pub buffer: BufferCfg,
    /// What its buffer is doing.
    pub status: BufferStatus,
}

/// An instance of a service, for people and dashboards.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceStatus {
    /// The service's name.
    pub name: String,
    /// Which of its instances, from 0.
    pub instance: u16,
    /// What it is doing.
    pub phase: ServicePhase,
    /// How often it was started again.
    pub restarts: u32,
    /// Its last error or panic.
    pub last_error: Option<String>,
}

/// A service that failed for good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceFailure {
    /// The service's name.
    pub service: String,
    /// Which of its instances, from 0.
    pub instance: u16,
    /// How often it had been started again.
    pub restarts: u32,
    /// Its last error or panic.
    pub error: String,
}

impl fmt::Display for ServiceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "service \"{}\" (instance {}) after {} restarts: {}",
            self.service, self.instance, self.restarts, self.error
        )
    }
}

/// What a shutdown had to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "says which services did not end by themselves"]
pub struct Shutdown {
    /// The services that had not ended in time and were aborted; what was still on its way to them is lost.
    pub aborted: Vec<String>,
}

impl Anabranch<()> {
    /// A database to configure.
    pub const fn builder() -> NewBuilder {
        NewBuilder::new()
    }
}

impl<R: Runtime + SpawnDynamically> Anabranch<R> {
    fn new(
        runtime: R,
        table: Table,
        graph: Graph,
        services: Vec<((ServiceSpec<R>, Ends), bool)>,
        links: Links,
        companions: Companions,
    ) -> Self {
        let alive = HeapRecord::latest("alive");
        let stop = HeapRecord::latest("stop");
        let mut instances = Vec::new();
        let mut waiting = Vec::new();
        for (service, ((spec, ends), stopped_from_outside)) in services.into_iter().enumerate() {
            let first = instances.len();
            instances.extend((0..spec.config.instances).map(|number| Instance {
                service,
                number,
                state: Arc::new(ServiceState::new()),
            }));
            let stop = if stopped_from_outside { stop.consumer().ok() } else { None };
            waiting.push(Waiting { spec, ends, stop, instances: (first..instances.len()).collect() });
        }
        let life = Life {
            waiting,
            tasks: Some(Vec::new()),
            keep_alive: alive.producer().ok(),
            keep_going: stop.producer().ok(),
        };
        let life = Lock::new(life);
        let inner = Inner { runtime, table, graph, services: instances, life, alive, links, companions };
        Anabranch { inner: Arc::new(inner) }
    }

    /// Starts the services, each as a task of its own. Does nothing when they were started already.
    pub fn start(&self) {
        let inner = &self.inner;
        let (waiting, keep_alive) =
            inner.life.with(|life| (core::mem::take(&mut life.waiting), life.keep_alive.take()));
        let Some(keep_alive) = keep_alive else { return };
        inner.links.start(&inner.runtime);
        let mut tasks = Vec::new();
        for Waiting { spec, mut ends, stop, instances } in waiting {
            for index in instances {
                ends.note(inner.table.noted(&spec.ports));
                let instance = &inner.services[index];
                let ctx = RuntimeContext::new(inner.runtime.clone(), spec.supervised_as).with_instance(instance.number);
                let state = StateRef::Shared(instance.state.clone());
                let supervisor = Supervisor::new(spec.supervised_as, spec.config, state, stop.clone());
                // An `Unwired` service is one whose closure mixed up its tokens, which generated code does not; it
                // stays in its waiting phase, where its status shows it.
                if let Ok(task) = spec.start.start(&ends, ctx, supervisor, keep_alive.lend()) {
                    tasks.push((index, task));
                }
            }
        }
        let too_late = inner.life.with(|life| match &mut life.tasks {
            Some(started) => {
                started.append(&mut tasks);
                false
            }
            None => true,
        });
        if too_late {
            tasks.iter().for_each(|(_, task)| task.abort());
        }
    }

    /// Starts the services if that was not done, and waits until all of them have ended: by themselves, because their
    /// records have closed, or by a [`shutdown`](Self::shutdown). With inbound links only a shutdown ends it.
    ///
    /// # Errors
    /// [`RunError`] names the services that failed for good; the others went on meanwhile.
    pub async fn run(&self) -> Result<(), RunError> {
        self.start();
        self.ended().await;
        self.inner.links.run_out().await;
        let failures: Vec<ServiceFailure> = (self.services().into_iter())
            .filter(|service| matches!(service.phase, ServicePhase::Failed | ServicePhase::Panicked))
            .map(|service| ServiceFailure {
                service: service.name,
                instance: service.instance,
                restarts: service.restarts,
                error: service.last_error.unwrap_or_default(),
            })
            .collect();
        if failures.is_empty() { Ok(()) } else { Err(RunError(failures)) }
    }

    /// Ends the database so that nothing on its way is lost: services that read nothing stop; records close when
    /// nobody writes to them any more, and links no longer bring values into them; the others take what is left and end;
    /// then connectors send what they have taken, and take leave of their peers, for which an eighth of `grace` is left to them
    /// at least. Who has not ended in time is aborted and named.
    pub async fn shutdown(&self, grace: Duration) -> Shutdown {
        let inner = &self.inner;
        let life = inner
            .life
            .with(|life| (life.keep_going.take(), life.keep_alive.take(), core::mem::take(&mut life.waiting)));
        drop(life); // outside the lock: ends of records go with it
        for (.., entry) in inner.table.iter() {
            entry.record.drain();
        }
        let deadline = inner.runtime.now().after(grace);
        let mut aborted = Vec::new();
        // A link that keeps values for a peer that is away does not end by itself: connectors still get to take leave.
        let kept = if inner.links.has_connectors() { grace / 8 } else { Duration::ZERO };
        if inner.runtime.timeout(grace - kept, self.ended()).await.is_err() {
            let tasks = inner.life.with(|life| life.tasks.take()).unwrap_or_default();
            for (index, task) in &tasks {
                // one that was never polled is still waiting
                if inner.services[*index].state.phase().goes_on() {
                    aborted.push(self.name_of(*index));
                    task.abort();
                }
            }
            self.ended().await;
        }
        // Connectors go last: what services wrote at their ends is sent, too.
        inner.links.close();
        let left = deadline.since(inner.runtime.now());
        if inner.runtime.timeout(left, inner.links.ended()).await.is_err() {
            aborted.extend(inner.links.abort());
            inner.links.ended().await;
        }
        Shutdown { aborted }
    }

    /// The inbound links of a connector's scheme, with the ends of their records. For connectors, when they are built:
    /// each link is given out once.
    pub fn collect_inbound_routes(&self, scheme: &str) -> Vec<InboundRoute> {
        self.inner.links.take_inbound(scheme)
    }

    /// The outbound links of a connector's scheme. For connectors, when they are built.
    pub fn collect_outbound_routes(&self, scheme: &str) -> Vec<OutboundRoute> {
        self.inner.links.outbound(scheme)
    }

    /// What each link is doing, in the order in which they were configured.
    pub fn links(&self) -> Vec<LinkStatus> {
        self.inner.links.status()
    }

    /// Follows whether the connector of `scheme` is connected, from its state now; `None` when there is no such connector.
    pub fn connection(&self, scheme: &str) -> Option<Consumer<ConnectionState>> {
        self.inner.links.connection(scheme)
    }

    /// What each connector is doing.
    pub fn connectors(&self) -> Vec<ConnectorStatus> {
        self.inner.links.connectors()
    }

    /// Waits until every service and outbound link has ended, as [`run`](Self::run) does, but for no connector: where
    /// inbound links would go on for ever, this says that nobody works on their values any more.
    pub async fn ended(&self) {
        // The record closes when the last task has dropped its end. Its latest can always be consumed.
        if let Ok(mut alive) = self.inner.alive.consumer() {
            while alive.next().await.is_some() {}
        }
    }

    /// What [`Builder::companion`] put beside it, if it was asked for.
    pub fn companion<C: Send + Sync + 'static>(&self) -> Option<Arc<C>> {
        self.inner.companions.iter().find_map(|companion| companion.clone().downcast().ok())
    }

    /// The runtime that it runs on.
    pub fn runtime(&self) -> &R {
        &self.inner.runtime
    }

    /// A producer of the record `key`, for code that is no service. It does not keep the record open in a shutdown.
    ///
    /// # Errors
    /// [`AccessError`] when there is no such record, it holds another type, or its one producer is taken.
    pub fn producer<T: Clone + Send + 'static>(&self, key: impl RecordKey<T>) -> Result<Producer<T>, AccessError> {
        let record = self.inner.table.get::<T>(key.name())?;
        record.outside_producer().map_err(|source| AccessError::Claim { record: key.name().into(), source })
    }

    /// A consumer of the record `key`, for code that is no service. It sees the values that come from now on.
    ///
    /// # Errors
    /// [`AccessError`] when there is no such record, it holds another type, or has no place for one more consumer.
    pub fn consumer<T: Clone + Send + 'static>(&self, key: impl RecordKey<T>) -> Result<Consumer<T>, AccessError> {
        let record = self.inner.table.get::<T>(key.name())?;
        record.consumer().map_err(|source| AccessError::Claim { record: key.name().into(), source })
    }

    /// Its records and services, and what flows between them.
    pub fn graph(&self) -> &Graph {
        &self.inner.graph
    }

    /// The names of its records, in order.
    pub fn record_names(&self) -> Vec<&str> {
        self.inner.table.names()
    }

    /// What each record is doing, in the order of their names.
    pub fn records(&self) -> Vec<RecordStatus> {
        (self.inner.table.iter())
            .map(|(name, _, entry)| RecordStatus {
                name: name.clone(),
                value: entry.value.name,
                buffer: entry.buffer,
                status: entry.record.status(),
            })
            .collect()
    }

    /// What each instance of each service is doing.
    pub fn services(&self) -> Vec<ServiceStatus> {
        (self.inner.services.iter())
            .map(|instance| ServiceStatus {
                name: self.inner.graph.services[instance.service].name.clone(),
                instance: instance.number,
                phase: instance.state.phase(),
                restarts: instance.state.restarts(),
                last_error: instance.state.last_error(),
            })
            .collect()
    }

    fn name_of(&self, index: usize) -> String {
        let instance = &self.inner.services[index];
        self.inner.graph.services[instance.service].name.clone()
    }
}

impl<R> Clone for Anabranch<R> {
    fn clone(&self) -> Self {
        Anabranch { inner: self.inner.clone() }
    }
}

impl<R> fmt::Debug for Anabranch<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anabranch").field("graph", &self.inner.graph).finish_non_exhaustive()
    }
}
