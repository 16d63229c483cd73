//! The builder: what a database consists of, checked as a whole.

use super::{
    Anabranch, Companions,
    derived::{self, Joined},
    error::{BuildError, BuildErrors},
    graph::{Graph, GraphRecord, GraphService, GraphServiceKind, Wiring},
    link::{ConfiguredLink, Links, NewLinks},
    service::{Direction, Ends, Port, ServiceSpec},
    table::{AnyRecord, Entry, Table, TypeOf},
};
use crate::{BufferCfg, BufferCfgError, BufferKind, ConnectorBuilder, HeapRecord, RecordKey};
use alloc::{
    boxed::Box,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    sync::Arc,
    vec,
    vec::Vec,
};
use anabranch_executor::{MaybeSend, MaybeSync, Runtime, SpawnDynamically};
use core::marker::PhantomData;

/// A database that is being configured and has no runtime yet: say [`runtime`](Self::runtime) first.
#[derive(Debug)]
pub struct NewBuilder(());

impl NewBuilder {
    pub(super) const fn new() -> Self {
        NewBuilder(())
    }

    /// The runtime that its services run on.
    pub fn runtime<R: Runtime + SpawnDynamically>(self, runtime: R) -> Builder<R> {
        Builder {
            runtime,
            records: Vec::new(),
            services: Vec::new(),
            links: Vec::new(),
            connectors: Vec::new(),
            companions: Vec::new(),
            refused: Vec::new(),
        }
    }
}

/// A database that is being configured: records, and services over them.
///
/// Nothing is checked before [`build`](Self::build), which then says everything that is wrong, at once.
pub struct Builder<R> {
    runtime: R,
    records: Vec<Configured>,
    services: Vec<(GraphServiceKind, ServiceSpec<R>)>,
    pub(super) links: Vec<ConfiguredLink<R>>,
    connectors: Vec<Box<dyn ConnectorBuilder<R>>>,
    companions: Companions,
    refused: Vec<BuildError>,
}

/// A record's configuration without its type.
struct Configured {
    name: String,
    value: TypeOf,
    buffer: Option<BufferCfg>,
    shared: bool,
    make: Make,
}

/// Makes a record of the configured type, under this name, shared or not.
type Make = fn(&str, BufferCfg, bool) -> Result<Box<dyn AnyRecord>, BufferCfgError>;

/// The configuration of one record of `T`: what the closure given to [`Builder::configure`] is handed.
pub struct RecordConfig<'b, R, T> {
    pub(super) builder: &'b mut Builder<R>,
    pub(super) name: String,
    buffer: Option<BufferCfg>,
    shared: bool,
    _value: PhantomData<fn() -> T>,
}

impl<R: Runtime + SpawnDynamically> Builder<R> {
    /// Configures the record `key`, which holds values of type `T`.
    #[must_use]
    pub fn configure<T: Clone + Send + 'static>(
        mut self,
        key: impl RecordKey<T>,
        configure: impl FnOnce(&mut RecordConfig<'_, R, T>),
    ) -> Self {
        let mut config = RecordConfig {
            name: key.name().to_string(),
            buffer: None,
            shared: false,
            builder: &mut self,
            _value: PhantomData,
        };
        configure(&mut config);
        let RecordConfig { name, buffer, shared, .. } = config;
        self.records.push(Configured {
            name,
            value: TypeOf::of::<T>(),
            buffer,
            shared,
            make: |name, buffer, shared| {
                let name = name.to_string();
                Ok(Box::new(if shared {
                    HeapRecord::<T>::new_shared(name, buffer)?
                } else {
                    HeapRecord::<T>::new(name, buffer)?
                }))
            },
        });
        self
    }

    /// Adds a service, as `Cooling::of("sensor/temperature", "actuator/fan")`.
    #[must_use]
    pub fn with_service(mut self, service: ServiceSpec<R>) -> Self {
        self.services.push((GraphServiceKind::Service, service));
        self
    }

    /// Adds what keeps the store of kept records in order, and has no part in what flows: for a crate above this one.
    #[must_use]
    pub fn with_keeper(mut self, keeper: ServiceSpec<R>) -> Self {
        self.services.push((GraphServiceKind::Keep, keeper));
        self
    }

    /// Adds a connector, which links of its scheme go through.
    #[must_use]
    pub fn with_connector(mut self, connector: impl ConnectorBuilder<R>) -> Self {
        self.connectors.push(Box::new(connector));
        self
    }

    /// What a crate above this one puts beside the database, made when it is first asked for; there is one of each type.
    /// [`Anabranch::companion`] gives it back.
    pub fn companion<C: Default + Send + Sync + 'static>(&mut self) -> Arc<C> {
        let found = self.companions.iter().find_map(|companion| companion.clone().downcast().ok());
        found.unwrap_or_else(|| {
            let made = Arc::new(C::default());
            self.companions.push(made.clone());
            made
        })
    }

    /// Checks everything, makes the records, and claims every end that a service uses: so each consumer exists before
    /// the first value. Nothing runs yet: [`Anabranch::run`] or [`Anabranch::start`] starts the services.
    ///
    /// # Errors
    /// [`BuildErrors`]: all that is wrong.
    #[expect(clippy::unused_async, reason = "part of the contract: a store is opened here, which has to wait")]
    pub async fn build(mut self) -> Result<Anabranch<R>, BuildErrors> {
        let mut errors = core::mem::take(&mut self.refused);
        let mut table = self.make_records(&mut errors);
        self.services.iter().flat_map(|(_, service)| &service.ports).for_each(|port| table.tap(port));
        let schemes = self.schemes(&mut errors);
        let mut links = NewLinks::default();
        for link in core::mem::take(&mut self.links) {
            if let Some(outbound) = links.wire(link, &schemes, &table, &mut errors) {
                self.services.push((GraphServiceKind::Link, outbound));
            }
        }
        self.name_services();
        // Who writes and who reads each record, by its place.
        let mut writers = links.writers();
        writers.resize_with(table.len(), Vec::new);
        let links = links.done();
        let graph = self.graph(&table, &links);
        let mut readers = vec![Vec::new(); table.len()];
        let mut wired = Vec::new();
        for (kind, service) in &self.services {
            let what = match kind {
                GraphServiceKind::Link => "link",
                GraphServiceKind::Keep => "keep",
                _ => "service",
            };
            let user = format!("{what} \"{}\"", service.name);
            if service.config.instances == 0 {
                errors.push(BuildError::NoInstance { service: service.name.clone() });
            }
            let mut claimed = Vec::new();
            for port in &service.ports {
                let Some(place) = Self::place(&table, &self.records, port, &user, &mut errors) else { continue };
                let entry = table.at(place);
                match port.direction {
                    Direction::Reads => readers[place].push(user.clone()),
                    Direction::Taps => {}
                    Direction::Writes => {
                        let names = &mut writers[place];
                        names.push(user.clone());
                        let one = !entry.shared
                            && matches!(entry.buffer.kind(), BufferKind::SpmcRing | BufferKind::SingleLatest);
                        if one && service.config.instances > 1 {
                            names.push(format!("its {} instances", service.config.instances));
                        }
                    }
                }
                // A claim that fails is one end too many, which is reported below with all who claim it.
                if let Some(Ok(end)) = (port.claim)(&*entry.record) {
                    claimed.push(end);
                }
            }
            wired.push(Ends::new(claimed));
        }
        check_ends(&table, &readers, &writers, &mut errors);
        let wiring = graph.wiring();
        check_cycles(&wiring, &mut errors);
        let stopped_from_outside = stopped_from_outside(&graph, &wiring);
        let services = self.services.into_iter().map(|(_, service)| service);
        let services = services.zip(wired).zip(stopped_from_outside).collect();
        // Also when something is wrong, for connectors to find what is wrong with them: they connect to nothing yet.
        let db = Anabranch::new(self.runtime, table, graph, services, links, self.companions);
        for connector in self.connectors {
            match connector.build(&db) {
                Ok(made) => db.inner.links.connect(connector.scheme(), made),
                Err(found) => {
                    let scheme = || connector.scheme().to_string();
                    errors.extend(found.into_iter().map(|error| BuildError::Connector { scheme: scheme(), error }));
                }
            }
        }
        if errors.is_empty() { Ok(db) } else { Err(BuildErrors(errors)) }
    }

    /// The schemes that connectors speak.
    fn schemes(&self, errors: &mut Vec<BuildError>) -> Vec<String> {
        let mut schemes: Vec<String> = Vec::new();
        for connector in &self.connectors {
            let scheme = connector.scheme().to_string();
            if schemes.contains(&scheme) {
                errors.push(BuildError::DuplicateConnector { scheme });
            } else {
                schemes.push(scheme);
            }
        }
        schemes
    }

    fn make_records(&self, errors: &mut Vec<BuildError>) -> Table {
        let mut table = Table::default();
        for record in &self.records {
            let name = &record.name;
            if name.is_empty() {
                errors.push(BuildError::EmptyName);
                continue;
            }
            if table.place(name).is_some() {
                errors.push(BuildError::DuplicateRecord { record: name.clone() });
                continue;
            }
            let Some(buffer) = record.buffer else {
                errors.push(BuildError::NoBuffer { record: name.clone() });
                continue;
            };
            match (record.make)(name, buffer, record.shared) {
                Ok(made) => {
                    let entry =
                        Entry { value: record.value, buffer, shared: record.shared, tapped: false, record: made };
                    table.add(name.clone(), entry);
                }
                Err(source) => errors.push(BuildError::Buffer { record: name.clone(), source }),
            }
        }
        table
    }

    /// Gives services that stand here twice a number, so that each can be told from the others.
    fn name_services(&mut self) {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for (_, service) in &mut self.services {
            let times = seen.entry(service.name.clone()).and_modify(|times| *times += 1).or_insert(1);
            if *times > 1 {
                service.name = format!("{} #{times}", service.name);
            }
        }
    }

    /// The place of the record that a port means, if it is there and of its type.
    fn place(
        table: &Table,
        configured: &[Configured],
        port: &Port,
        user: &str,
        errors: &mut Vec<BuildError>,
    ) -> Option<usize> {
        let Some(place) = table.place(&port.record) else {
            // A record that is configured, but wrong, was reported already.
            if !configured.iter().any(|record| record.name == port.record) {
                let nearest = table.nearest(&port.record);
                errors.push(BuildError::UnknownRecord { user: user.into(), record: port.record.clone(), nearest });
            }
            return None;
        };
        let entry = table.at(place);
        if entry.value.id != port.value.id {
            errors.push(BuildError::WrongType {
                user: user.into(),
                record: port.record.clone(),
                holds: entry.value.name,
                asked: port.value.name,
            });
            return None;
        }
        Some(place)
    }

    fn graph(&self, table: &Table, links: &Links) -> Graph {
        let ports = |service: &ServiceSpec<R>, directions: &[Direction]| {
            let of = service.ports.iter().filter(|port| directions.contains(&port.direction));
            of.map(|port| port.record.clone()).collect()
        };
        Graph {
            records: (table.iter())
                .map(|(name, _, entry)| GraphRecord {
                    name: name.clone(),
                    value: entry.value.name,
                    buffer: entry.buffer,
                })
                .collect(),
            services: (self.services.iter())
                .map(|(kind, service)| GraphService {
                    name: service.name.clone(),
                    kind: *kind,
                    instances: service.config.instances,
                    reads: ports(service, &[Direction::Reads, Direction::Taps]),
                    writes: ports(service, &[Direction::Writes]),
                })
                .collect(),
            inbound: links.inbound(),
        }
    }
}

/// Which services a shutdown stops itself: those that read nothing, and those in a cycle, whose inputs would never close.
/// The others end when their inputs have closed, after the last value.
fn stopped_from_outside(graph: &Graph, wiring: &Wiring<'_>) -> Vec<bool> {
    let mut circling = vec![false; graph.services.len()];
    wiring.cycles(&|_| true, &|_| true).iter().flat_map(|cycle| &cycle.group).for_each(|i| circling[*i] = true);
    graph.services.iter().zip(circling).map(|(service, circling)| service.reads.is_empty() || circling).collect()
}

fn check_ends(table: &Table, readers: &[Vec<String>], writers: &[Vec<String>], errors: &mut Vec<BuildError>) {
    for (name, place, entry) in table.iter() {
        let one_writer =
            !entry.shared && matches!(entry.buffer.kind(), BufferKind::SpmcRing | BufferKind::SingleLatest);
        if one_writer && writers[place].len() > 1 {
            errors.push(BuildError::TooManyProducers { record: name.clone(), writers: writers[place].clone() });
        }
        let (declared, mend) = match entry.buffer {
            BufferCfg::Mailbox => (1, "use a ring or a queue, so that each sees every value"),
            BufferCfg::Queue { consumers, .. } => (consumers, "declare as many `consumers` as read it"),
            BufferCfg::SpmcRing { .. } | BufferCfg::SingleLatest => continue,
        };
        if readers[place].len() > declared {
            let kind = entry.buffer.kind();
            errors.push(BuildError::TooManyConsumers {
                record: name.clone(),
                kind,
                declared,
                readers: readers[place].clone(),
                mend,
            });
        }
    }
}

fn check_cycles(wiring: &Wiring<'_>, errors: &mut Vec<BuildError>) {
    for cycle in wiring.cycles(&|record| record.buffer.kind() == BufferKind::Queue, &|_| true) {
        let why = "each of its records is a queue, so all could wait for room in each other for ever; \
                   make one of them a ring or a latest";
        errors.push(BuildError::Cycle { path: cycle.path, why });
    }
    for cycle in wiring.cycles(&|_| true, &|service| service.kind != GraphServiceKind::Service) {
        let why = "it consists of transforms and joins only, so each value would go around for ever; \
                   put a service into it that decides when it ends";
        errors.push(BuildError::Cycle { path: cycle.path, why });
    }
}

impl<R, T> RecordConfig<'_, R, T>
where
    R: Runtime + SpawnDynamically,
    T: Clone + Send + 'static,
{
    /// Its buffer. Every record needs one.
    pub fn with_buffer(&mut self, buffer: BufferCfg) -> &mut Self {
        self.buffer = Some(buffer);
        self
    }

    /// Allows several producers, where a ring or a latest otherwise has one.
    pub fn shared(&mut self) -> &mut Self {
        self.shared = true;
        self
    }

    /// The record's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What stands beside the database: see [`Builder::companion`].
    pub fn companion<C: Default + Send + Sync + 'static>(&mut self) -> Arc<C> {
        self.builder.companion()
    }

    /// Adds what keeps its values, which [taps](super::ServiceDraft::taps) it: for a crate above this one.
    pub fn with_keeper(&mut self, keeper: ServiceSpec<R>) -> &mut Self {
        self.builder.services.push((GraphServiceKind::Keep, keeper));
        self
    }

    /// Something that was asked of this record cannot be: [`Builder::build`] will say so among all else that is wrong.
    pub fn refuse(&mut self, problem: impl Into<String>) -> &mut Self {
        let error = BuildError::Record { record: self.name.clone(), problem: problem.into() };
        self.builder.refused.push(error);
        self
    }

    /// Makes its values from those of the record `from`: each for which `function` gives one.
    ///
    /// It runs as a task of its own. A value on which `function` panics is passed over.
    pub fn transform<A: Clone + Send + 'static>(
        &mut self,
        from: impl RecordKey<A>,
        function: impl Fn(A) -> Option<T> + MaybeSend + MaybeSync + 'static,
    ) -> &mut Self {
        let spec = derived::transform(&from, &self.name, function);
        self.builder.services.push((GraphServiceKind::Transform, spec));
        self
    }

    /// Makes its values from the newest values of several records (a tuple of two to four types): once all have one,
    /// each new value of any of them calls `function`.
    ///
    /// `r.join::<(Temperature, Humidity)>(["temperature", "humidity"], |(t, h)| Some(comfort(t, h)))`
    pub fn join<J: Joined>(
        &mut self,
        from: J::Keys<'_>,
        function: impl for<'a> Fn(J::Newest<'a>) -> Option<T> + MaybeSend + MaybeSync + 'static,
    ) -> &mut Self {
        let spec = J::spec(from, &self.name, function);
        self.builder.services.push((GraphServiceKind::Join, spec));
        self
    }
}
