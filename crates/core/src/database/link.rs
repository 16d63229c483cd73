//! The links of a database: how they are configured, and their life together with the connectors.

use super::{
    builder::RecordConfig,
    derived::{RESTARTED, Run, supervised},
    error::{BuildError, LinkProblem, nearest},
    graph::GraphLink,
    service::{ServiceDraft, ServiceSpec, Task, Unwired},
    table::{AnyRecord, Table},
};
use crate::{
    Address, Bound, ConnectionState, Connector, ConnectorConfig, ConnectorStatus, Consumer, Decode, Encode, HeapRecord,
    InboundRoute, LinkDirection, LinkStatus, OutboundRoute, Payload, Producer, RestartPolicy, ServiceConfig,
    ServiceState, StateRef, Supervisor,
    buffer::Lock,
    link::{
        DecodeWith, Deliver, EncodeWith, HeapOutbound, Inbound, LinkState, NewInbound, Sink, Slot, Template, Ties,
        check_inbound,
    },
};
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use anabranch_executor::{MaybeSend, MaybeSync, Runtime, RuntimeContext, SpawnDynamically, TimeSource};
use core::{
    any::TypeId,
    convert::Infallible,
    fmt,
    ops::{Deref, DerefMut},
};

/// A link that was configured: [`Links::wire`] makes it work.
pub(super) struct ConfiguredLink<R> {
    record: Arc<str>,
    address: Arc<str>,
    config: ConnectorConfig,
    format: Format<R>,
}

/// How a link's values become bytes or bytes values, without their type.
enum Format<R> {
    In {
        no_names: Option<&'static str>,
        /// The decoder's type, if that is all there is to it.
        alike: Option<TypeId>,
        sink: Box<dyn MakeSink>,
    },
    Out {
        no_fields: Option<&'static str>,
        service: Box<dyn MakeService<R>>,
    },
    /// Nothing was said.
    Missing(LinkDirection),
}

/// Makes the end of an inbound link; `None` when the record holds another type.
trait MakeSink: MaybeSend {
    fn make(self: Box<Self>, record: &dyn AnyRecord) -> Option<Arc<dyn Deliver>>;
}

impl<F: FnOnce(&dyn AnyRecord) -> Option<Arc<dyn Deliver>> + MaybeSend> MakeSink for F {
    fn make(self: Box<Self>, record: &dyn AnyRecord) -> Option<Arc<dyn Deliver>> {
        self(record)
    }
}

/// Makes the service that drives an outbound link.
trait MakeService<R>: MaybeSend {
    fn make(self: Box<Self>, link: Arc<LinkState>, config: ConnectorConfig, slot: Slot) -> ServiceSpec<R>;
}

impl<R, F> MakeService<R> for F
where
    F: FnOnce(Arc<LinkState>, ConnectorConfig, Slot) -> ServiceSpec<R> + MaybeSend,
{
    fn make(self: Box<Self>, link: Arc<LinkState>, config: ConnectorConfig, slot: Slot) -> ServiceSpec<R> {
        self(link, config, slot)
    }
}

/// An inbound link of a record that is being configured; it goes on as the record's configuration.
pub struct LinkFrom<'c, 'b, R, T> {
    record: &'c mut RecordConfig<'b, R, T>,
    link: usize,
}

/// An outbound link of a record that is being configured; it goes on as the record's configuration.
pub struct LinkTo<'c, 'b, R, T> {
    record: &'c mut RecordConfig<'b, R, T>,
    link: usize,
}

impl<'b, R, T> RecordConfig<'b, R, T>
where
    R: Runtime + SpawnDynamically,
    T: Clone + Send + 'static,
{
    /// Takes values from `address`, as `mqtt://sensors/{device}/temp`: each `{name}` stands for one level, and becomes a
    /// field of the decoded value. Say how the bytes become values: `with_json` and its like.
    pub fn link_from(&mut self, address: impl Into<String>) -> LinkFrom<'_, 'b, R, T> {
        let link = self.link(address.into(), LinkDirection::In);
        LinkFrom { record: self, link }
    }

    /// Publishes every value to `address`, as `mqtt://copy/{device}`: each `{field}` is filled in from the value. Say how
    /// values become bytes: `with_json` and its like.
    pub fn link_to(&mut self, address: impl Into<String>) -> LinkTo<'_, 'b, R, T> {
        let link = self.link(address.into(), LinkDirection::Out);
        LinkTo { record: self, link }
    }

    fn link(&mut self, address: String, direction: LinkDirection) -> usize {
        self.builder.links.push(ConfiguredLink {
            record: self.name.as_str().into(),
            address: address.into(),
            config: ConnectorConfig::default(),
            format: Format::Missing(direction),
        });
        self.builder.links.len() - 1
    }
}

macro_rules! goes_on {
    ($link:ident) => {
        impl<'b, R, T> Deref for $link<'_, 'b, R, T> {
            type Target = RecordConfig<'b, R, T>;
            fn deref(&self) -> &Self::Target {
                self.record
            }
        }
        impl<R, T> DerefMut for $link<'_, '_, R, T> {
            fn deref_mut(&mut self) -> &mut Self::Target {
                self.record
            }
        }
        impl<R, T> $link<'_, '_, R, T> {
            /// What it asks of its connector.
            pub fn with_config(self, config: ConnectorConfig) -> Self {
                if let Some(link) = self.record.builder.links.get_mut(self.link) {
                    link.config = config;
                }
                self
            }

            fn with_format(self, format: Format<R>) -> Self {
                if let Some(link) = self.record.builder.links.get_mut(self.link) {
                    link.format = format;
                }
                self
            }
        }
    };
}
goes_on!(LinkFrom);
goes_on!(LinkTo);

impl<R, T> LinkFrom<'_, '_, R, T>
where
    R: Runtime + SpawnDynamically,
    T: Clone + Send + 'static,
{
    /// Values are JSON. The names in the address become fields beside those in the payload, and stand over them.
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn with_json(self) -> Self
    where
        T: serde::de::DeserializeOwned,
    {
        self.with_decode(crate::Json)
    }

    /// Values are CBOR. Names in the address become fields, as in `with_json`.
    #[cfg(feature = "cbor")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cbor")))]
    pub fn with_cbor(self) -> Self
    where
        T: serde::de::DeserializeOwned,
    {
        self.with_decode(crate::Cbor)
    }

    /// Values are postcard, which has no names of fields: so the address can have none either.
    #[cfg(feature = "postcard")]
    #[cfg_attr(docsrs, doc(cfg(feature = "postcard")))]
    pub fn with_postcard(self) -> Self
    where
        T: serde::de::DeserializeOwned,
    {
        self.with_decode(crate::Postcard)
    }

    /// `read` makes values of bytes; it is handed what the names in the address stand for. What it returns as an error is
    /// counted and reported, and the link goes on.
    ///
    /// `r.link_from("mqtt://levels/{tank}").with_deserializer(|bytes, bound| parse(bound.get("tank"), bytes))`
    pub fn with_deserializer<E: fmt::Display + 'static>(
        self,
        read: impl Fn(&[u8], &Bound<'_>) -> Result<T, E> + MaybeSend + MaybeSync + 'static,
    ) -> Self {
        self.with_decode(DecodeWith(read))
    }

    /// The same by a type of one's own.
    pub fn with_decode(self, decode: impl Decode<T>) -> Self {
        let no_names = decode.no_names();
        let alike = type_if_empty(&decode);
        let sink = Box::new(|record: &dyn AnyRecord| {
            let record = record.as_any().downcast_ref::<HeapRecord<T>>()?;
            Some(Arc::new(Sink::new(record.link_producer(), decode)) as Arc<dyn Deliver>)
        });
        self.with_format(Format::In { no_names, alike, sink })
    }
}

/// The type of a value without bytes, which is all that there is to know of it.
fn type_if_empty<D: 'static>(_: &D) -> Option<TypeId> {
    (size_of::<D>() == 0).then(TypeId::of::<D>)
}

impl<R, T> LinkTo<'_, '_, R, T>
where
    R: Runtime + SpawnDynamically,
    T: Clone + Send + 'static,
{
    /// Values become JSON.
    #[cfg(feature = "json")]
    #[cfg_attr(docsrs, doc(cfg(feature = "json")))]
    pub fn with_json(self) -> Self
    where
        T: serde::Serialize,
    {
        self.with_encode(crate::Json)
    }

    /// Values become CBOR.
    #[cfg(feature = "cbor")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cbor")))]
    pub fn with_cbor(self) -> Self
    where
        T: serde::Serialize,
    {
        self.with_encode(crate::Cbor)
    }

    /// Values become postcard.
    #[cfg(feature = "postcard")]
    #[cfg_attr(docsrs, doc(cfg(feature = "postcard")))]
    pub fn with_postcard(self) -> Self
    where
        T: serde::Serialize,
    {
        self.with_encode(crate::Postcard)
    }

    /// `write` makes bytes of values, in the payload that it is lent. What it returns as an error is counted and reported,
    /// and the link goes on; when the payload was too small it is called again with a larger one.
    ///
    /// `r.link_to("mqtt://level").with_serializer(|level: &f32, payload| write!(payload, "{level:.1}"))`
    pub fn with_serializer<E: fmt::Display + 'static>(
        self,
        write: impl Fn(&T, &mut Payload<'_>) -> Result<(), E> + MaybeSend + MaybeSync + 'static,
    ) -> Self {
        self.with_encode(EncodeWith(write))
    }

    /// The same by a type of one's own, which also fills in fields of the address.
    pub fn with_encode(self, encode: impl Encode<T>) -> Self {
        let no_fields = encode.no_fields();
        let record = self.record.name.clone();
        let service = Box::new(move |link: Arc<LinkState>, config: ConnectorConfig, slot: Slot| {
            let mut draft = ServiceDraft::derived(link.ties.address.to_string(), "link", &RESTARTED);
            let input = draft.reads::<T>(record.as_str());
            let encode = Arc::new(encode);
            draft.starts(move |ends, ctx: RuntimeContext<R>, supervisor| {
                let connector = slot.get().ok_or(Unwired)?;
                let (runtime, input) = (ctx.runtime().clone(), ends.consumer(input)?);
                let work = HeapOutbound::new(runtime, input, encode.clone(), connector, link.clone(), config);
                Ok(supervised(ctx, supervisor, work.ok_or(Unwired)?))
            })
        });
        self.with_format(Format::Out { no_fields, service })
    }
}

impl<R, T, E> Run for HeapOutbound<R, T, E>
where
    R: TimeSource,
    T: Clone + Send + 'static,
    E: Encode<T>,
{
    async fn run(&mut self) -> Result<(), Infallible> {
        HeapOutbound::run(self).await
    }
}

/// The links of a database, and its connectors.
pub(super) struct Links {
    inbound: Vec<(String, Arc<Inbound>)>,
    /// The schemes whose inbound links a connector has taken.
    taken: Lock<Vec<String>>,
    outbound: Vec<OfScheme>,
    /// All of them, in the order in which they were configured.
    all: Box<[Linked]>,
    connectors: Lock<Vec<Connected>>,
    /// Closes when the last connector has ended.
    running: HeapRecord<()>,
}

/// The links of a database that is being built.
#[derive(Default)]
pub(super) struct NewLinks {
    inbound: Vec<(String, NewInbound)>,
    /// The ends of inbound links, by the place of their record. Links of one record whose decoders cannot be told apart share theirs.
    sinks: Vec<Vec<(TypeId, Arc<dyn Deliver>)>>,
    /// Who brings values into a record, by its place.
    writers: Vec<Vec<String>>,
    outbound: Vec<OfScheme>,
    all: Vec<Linked>,
}

/// The outbound links of a scheme. Schemes are few, so they are looked for one by one.
struct OfScheme {
    scheme: String,
    routes: Vec<OutboundRoute>,
    /// Where they find their connector.
    slot: Slot,
}

/// What stands at a place of a list, which grows to have it.
fn grown<T: Default>(list: &mut Vec<T>, place: usize) -> &mut T {
    if list.len() <= place {
        list.resize_with(place + 1, T::default);
    }
    &mut list[place]
}

/// Where a link's state is.
enum Linked {
    In { scheme: u32, link: u32 },
    Out(Arc<LinkState>),
}

/// A connector of a database.
struct Connected {
    scheme: String,
    connector: Arc<dyn Connector>,
    brings: bool,
    state: Arc<ServiceState>,
    task: Option<Box<dyn Task>>,
}

/// A connector goes on until it is closed; one that panics is started again.
static SUPERVISED: ServiceConfig = ServiceConfig { restart: RestartPolicy::OnFailure, ..ServiceConfig::DEFAULT };

impl NewLinks {
    /// Checks one link and makes it: an inbound one for its connector to take, an outbound one as the service that drives it.
    pub(super) fn wire<R>(
        &mut self,
        link: ConfiguredLink<R>,
        schemes: &[String],
        table: &Table,
        errors: &mut Vec<BuildError>,
    ) -> Option<ServiceSpec<R>> {
        let ConfiguredLink { record, address, config, format } = link;
        let direction = match &format {
            Format::In { .. } | Format::Missing(LinkDirection::In) => LinkDirection::In,
            Format::Out { .. } | Format::Missing(LinkDirection::Out) => LinkDirection::Out,
        };
        let mut wrong = |problem| {
            errors.push(BuildError::Link { record: record.to_string(), address: address.to_string(), problem });
        };
        let parsed = match Address::parse(&address).and_then(|parsed| {
            match direction {
                LinkDirection::In => check_inbound(parsed.resource)?,
                LinkDirection::Out => drop(Template::parse(parsed.resource)?),
            }
            Ok(parsed)
        }) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                wrong(LinkProblem::Address(error));
                None
            }
        };
        if let Some(Address { scheme, .. }) =
            parsed.filter(|parsed| !schemes.iter().any(|scheme| scheme == parsed.scheme))
        {
            let nearest = nearest(scheme, schemes.iter().map(String::as_str));
            wrong(LinkProblem::NoConnector { scheme: scheme.to_string(), nearest });
        }
        let names = |resource: &str| resource.contains('{');
        match &format {
            Format::Missing(_) => wrong(LinkProblem::NoFormat),
            Format::In { no_names: Some(why), .. } | Format::Out { no_fields: Some(why), .. }
                if parsed.is_some_and(|parsed| names(parsed.resource)) =>
            {
                wrong(LinkProblem::Format(why));
            }
            _ => {}
        }
        let scheme = parsed?.scheme.to_string();
        let place = table.place(&record);
        if let (LinkDirection::In, Some(place)) = (direction, place) {
            // all links of one connector are one writer
            let writer = format!("links from {scheme}://");
            let of = grown(&mut self.writers, place);
            if !of.contains(&writer) {
                of.push(writer);
            }
        }
        let ties = Ties::new(record.clone(), address.clone());
        match format {
            Format::Missing(_) => None,
            Format::In { alike, sink, .. } => {
                // A record that is configured wrongly was reported already.
                let place = place?;
                let sinks = grown(&mut self.sinks, place);
                let shared = sinks.iter().find(|(decoder, _)| Some(*decoder) == alike);
                let sink = match shared {
                    Some((_, sink)) => sink.clone(),
                    None => {
                        let sink = sink.make(&*table.at(place).record)?;
                        sinks.extend(alike.map(|decoder| (decoder, sink.clone())));
                        sink
                    }
                };
                let of = self.inbound.iter().position(|(of, _)| *of == scheme).unwrap_or_else(|| {
                    self.inbound.push((scheme, NewInbound::default()));
                    self.inbound.len() - 1
                });
                let link = self.inbound[of].1.add(ties, config, sink);
                self.all.push(Linked::In { scheme: u32::try_from(of).unwrap_or(u32::MAX), link });
                None
            }
            Format::Out { service, .. } => {
                let state = Arc::new(LinkState::new(ties));
                self.all.push(Linked::Out(state.clone()));
                let of = self.outbound.iter().position(|of| of.scheme == scheme).unwrap_or_else(|| {
                    self.outbound.push(OfScheme { scheme, routes: Vec::new(), slot: Slot::new() });
                    self.outbound.len() - 1
                });
                let of = &mut self.outbound[of];
                of.routes.push(OutboundRoute { record, address, config });
                Some(service.make(state, config, of.slot.clone()))
            }
        }
    }

    /// Who brings values into records, by the places of those; beyond the last is none.
    pub(super) fn writers(&mut self) -> Vec<Vec<String>> {
        core::mem::take(&mut self.writers)
    }

    /// All of them are there.
    pub(super) fn done(self) -> Links {
        let (inbound, numbers): (Vec<_>, Vec<_>) = (self.inbound.into_iter())
            .map(|(scheme, links)| {
                let (links, numbers) = links.done();
                ((scheme, Arc::new(links)), numbers)
            })
            .unzip();
        let mut all = self.all.into_boxed_slice();
        for linked in &mut all {
            if let Linked::In { scheme, link } = linked {
                *link = numbers[*scheme as usize][*link as usize];
            }
        }
        Links {
            inbound,
            taken: Lock::new(Vec::new()),
            outbound: self.outbound,
            all,
            connectors: Lock::new(Vec::new()),
            running: HeapRecord::latest("connectors"),
        }
    }
}

impl Links {
    pub(super) fn inbound(&self) -> Vec<GraphLink> {
        let of = |links: &Inbound, link| {
            let ties = links.ties(link);
            GraphLink { record: ties.record.clone(), address: ties.address.clone() }
        };
        let mut inbound: Vec<GraphLink> = (self.all.iter())
            .filter_map(|linked| match linked {
                Linked::In { scheme, link } => Some(of(&self.inbound[*scheme as usize].1, *link)),
                Linked::Out(_) => None,
            })
            .collect();
        inbound.shrink_to_fit();
        inbound
    }

    pub(super) fn take_inbound(&self, scheme: &str) -> Vec<InboundRoute> {
        let Some(at) = self.inbound.iter().position(|(of, _)| of == scheme) else { return Vec::new() };
        let is_first = self.taken.with(|taken| {
            let is_first = !taken.iter().any(|of| of == scheme);
            taken.extend(is_first.then(|| scheme.into()));
            is_first
        });
        if !is_first {
            return Vec::new();
        }
        let of_scheme = |linked: &Linked| match linked {
            Linked::In { scheme, link } if *scheme as usize == at => Some(InboundRoute::of(&self.inbound[at].1, *link)),
            _ => None,
        };
        self.all.iter().filter_map(of_scheme).collect()
    }

    pub(super) fn outbound(&self, scheme: &str) -> Vec<OutboundRoute> {
        self.outbound.iter().find(|of| of.scheme == scheme).map_or_else(Vec::new, |of| of.routes.clone())
    }

    /// Ties the links of `scheme` to their connector.
    pub(super) fn connect(&self, scheme: &str, connector: Arc<dyn Connector>) {
        if let Some(of) = self.outbound.iter().find(|of| of.scheme == scheme) {
            of.slot.fill(connector.clone());
        }
        let brings = self.inbound.iter().any(|(of, _)| of == scheme);
        let state = Arc::new(ServiceState::new());
        self.connectors.with(|all| all.push(Connected { scheme: scheme.into(), connector, brings, state, task: None }));
    }

    /// Starts the connectors, each as a task of its own.
    pub(super) fn start<R: Runtime + SpawnDynamically>(&self, runtime: &R) {
        let Ok(keep_alive) = self.running.producer() else { return };
        let connectors: Vec<_> =
            self.connectors.with(|all| all.iter().map(|c| (c.connector.clone(), c.state.clone())).collect());
        for (i, (connector, state)) in connectors.into_iter().enumerate() {
            let ctx = RuntimeContext::new(runtime.clone(), "connector");
            let supervisor = Supervisor::new("connector", &SUPERVISED, StateRef::Shared(state), None);
            let keep_alive: Producer<()> = keep_alive.lend();
            let task = runtime.spawn(async move {
                let _keep_alive = keep_alive;
                supervised(ctx, supervisor, Connecting(connector)).await
            });
            self.connectors.with(|all| {
                if let Some(connected) = all.get_mut(i) {
                    connected.task = Some(Box::new(task));
                }
            });
        }
    }

    /// Waits until the connectors have ended; those that bring nothing are closed, as nobody gives them anything any more.
    pub(super) async fn run_out(&self) {
        if self.connectors.with(|all| all.iter().all(|connected| !connected.brings)) {
            self.close();
        }
        self.ended().await;
    }

    pub(super) fn has_connectors(&self) -> bool {
        self.connectors.with(|all| !all.is_empty())
    }

    pub(super) fn close(&self) {
        let all: Vec<_> = self.connectors.with(|all| all.iter().map(|c| c.connector.clone()).collect());
        all.iter().for_each(|connector| connector.close());
    }

    pub(super) async fn ended(&self) {
        // It was never started, or closes when the last task has dropped its end. Its latest can always be consumed.
        let started = self.connectors.with(|all| all.iter().any(|connected| connected.task.is_some()));
        if started && let Ok(mut running) = self.running.consumer() {
            while running.next().await.is_some() {}
        }
    }

    /// Ends the connectors that have not ended by themselves, and names them.
    pub(super) fn abort(&self) -> Vec<String> {
        let tasks: Vec<_> = self.connectors.with(|all| {
            let going = all.iter_mut().filter(|connected| connected.state.phase().goes_on());
            going.filter_map(|c| Some((c.connector.clone(), c.task.take()?))).collect()
        });
        tasks
            .into_iter()
            .map(|(connector, task)| {
                task.abort();
                let status = connector.status();
                format!("connector \"{}\" with {} values that were not acknowledged", status.scheme, status.in_flight)
            })
            .collect()
    }

    pub(super) fn status(&self) -> Vec<LinkStatus> {
        let status = |linked: &Linked| match linked {
            Linked::In { scheme, link } => self.inbound[*scheme as usize].1.status(*link),
            Linked::Out(state) => state.status(),
        };
        self.all.iter().map(status).collect()
    }

    pub(super) fn connection(&self, scheme: &str) -> Option<Consumer<ConnectionState>> {
        let of_scheme = |all: &mut Vec<Connected>| all.iter().find(|c| c.scheme == scheme).map(|c| c.connector.clone());
        self.connectors.with(of_scheme)?.connection().watch()
    }

    pub(super) fn connectors(&self) -> Vec<ConnectorStatus> {
        let all: Vec<_> = self.connectors.with(|all| all.iter().map(|c| c.connector.clone()).collect());
        all.iter().map(|connector| connector.status()).collect()
    }
}

/// A connector at work.
struct Connecting(Arc<dyn Connector>);

impl Run for Connecting {
    async fn run(&mut self) -> Result<(), Infallible> {
        self.0.clone().run().await;
        Ok(())
    }
}
