//! A connector in a `static`, for links of static records: no heap.

use crate::{
    connector::{MqttConfigError, MqttConnector, check_link},
    desk::{Desk, Says, Shared},
    driver,
    failure::{Code, MqttFailure},
    packet::{Reason, SUBSCRIBE_HEADER, subscribe_length},
    place::Fixed,
};
use anabranch_core::{
    Address, Ask, ConnectionState, ConnectorConfig, Consumer, Latest, LinkDirection, LinkError, LinkErrorKind,
    LinkRoutes, LinkSet, Outlet, PublishError, Record, Routes,
};
use anabranch_executor::{ConnectError, Network, TimeSource};
use core::{
    future::{Future, poll_fn},
    pin::pin,
};

/// A connection to an MQTT broker for links of static records: what stands in the `static`, beside which a
/// [`MqttConnector`] says which broker that is.
///
/// `OUTBOX`: how many bytes may be published and not acknowledged, a power of two; each value takes 16 beside its topic and
/// payload. `BUFFER`: the largest packet that comes in or goes out, in bytes; there are two such buffers, in the future of
/// [`run`](Self::run). `IN_FLIGHT`: how many values of QoS 1 and 2 may be under way in each direction.
///
/// ```no_run
/// # use anabranch_executor::{Network, TimeSource};
/// use anabranch_core::{LinkOut, Links, Queue, Record};
/// use anabranch_mqtt::{MqttConnector, StaticMqtt, StaticMqttError};
/// # #[derive(Debug, Clone, Copy)]
/// # struct Json;
/// # impl anabranch_core::Encode<u32> for Json {
/// #     fn encode(&self, _: &u32, _: &mut anabranch_core::Payload<'_>) -> Result<(), anabranch_core::EncodeError> { Ok(()) }
/// #     fn field(&self, _: &u32, _: &str, _: &mut anabranch_core::Payload<'_>) -> Result<(), anabranch_core::EncodeError> { Ok(()) }
/// # }
///
/// static ALERT: Record<u32, Queue<8>> = Record::new("alert");
/// static ALERT_OUT: LinkOut<Json, 8> = LinkOut::new("mqtt://board/alert").with_encode(Json);
/// static MQTT: StaticMqtt = StaticMqtt::new();
///
/// # async fn links(runtime: &(impl Network + TimeSource)) -> Result<(), Box<dyn std::error::Error>> {
/// let broker = MqttConnector::new("mqtt://192.168.1.1").client_id("board-7").last_will("board/7/state", "gone", 1, true);
/// let links = Links::new().link_to(&ALERT_OUT, ALERT.consumer()?);
/// MQTT.run(runtime, &broker, &links).await?; // ends when it is closed
/// # Ok(())
/// # }
/// ```
pub struct StaticMqtt<const OUTBOX: usize = 1024, const BUFFER: usize = 1024, const IN_FLIGHT: usize = 8> {
    shared: Shared<Fixed<OUTBOX, BUFFER, IN_FLIGHT>>,
    connection: Record<ConnectionState, Latest>,
}

/// Why a connector in a `static` did not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaticMqttError {
    /// What was configured.
    #[error("the connector cannot be: {0}")]
    Config(MqttConfigError),
    /// A client without a heap has no place for an identifier that the broker chooses.
    #[error("the connector needs a `client_id`")]
    NoClientId,
    /// A link.
    #[error("{0}")]
    Link(LinkError),
    /// The runtime does not have this transport.
    #[error("the broker cannot be connected to: {0}")]
    Transport(ConnectError),
    /// It runs already.
    #[error("this connector runs already: give each broker a `static` of its own")]
    Runs,
}

/// How a connector in a `static` is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MqttStatus {
    /// Whether it is connected.
    pub state: ConnectionState,
    /// How often it was connected, ever.
    pub connects: usize,
    /// How many values it has taken that the broker has not acknowledged, or that were not sent yet.
    pub in_flight: usize,
    /// How many values came for which there is no link.
    pub unrouted: usize,
    /// How many values and subscriptions the broker has refused.
    pub refusals: usize,
    /// Why it is not connected, or was not the last time.
    pub last_failure: Option<MqttFailure>,
}

impl MqttStatus {
    /// The reason that the broker gave last, if it gave one.
    pub fn reason(&self) -> Option<Reason> {
        match self.last_failure? {
            MqttFailure::Refused(reason) | MqttFailure::Dismissed(reason) | MqttFailure::Against(reason) => {
                Some(reason)
            }
            _ => None,
        }
    }
}

impl<const OUTBOX: usize, const BUFFER: usize, const IN_FLIGHT: usize> StaticMqtt<OUTBOX, BUFFER, IN_FLIGHT> {
    /// One that is not connected. All of it is zeros, so as a `static` of a firmware it costs RAM and no flash.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(OUTBOX.is_power_of_two() && OUTBOX >= 64, "`OUTBOX` is a power of two, 64 or more");
            assert!(BUFFER >= 64, "`BUFFER` is 64 bytes or more");
            assert!(IN_FLIGHT > 0 && IN_FLIGHT < 0xff00, "`IN_FLIGHT` is from 1 to 65279");
        }
        StaticMqtt { shared: Shared::new([0; OUTBOX], [0; IN_FLIGHT], Code::NONE), connection: Record::unnamed() }
    }

    /// Connects to the broker, again and again, and moves values between it and the records of `links`, all in one task,
    /// until everything that was taken is acknowledged after [`close`](Self::close) was called, or after every record has
    /// closed that the links publish, if they publish any.
    ///
    /// # Errors
    /// [`StaticMqttError`], before anything is connected. What goes wrong later is tried again, and shown by
    /// [`status`](Self::status) and by the links' counts.
    pub async fn run<R, L>(&'static self, runtime: &R, broker: &MqttConnector, links: &L) -> Result<(), StaticMqttError>
    where
        R: Network + TimeSource,
        L: LinkSet,
    {
        check(runtime, broker, links, BUFFER)?;
        let says = self.connection.producer().map_err(|_| StaticMqttError::Runs)?;
        let routes = LinkRoutes(links);
        let desk = Desk { options: broker, routes: &routes, shared: &self.shared, says: Says::Record(&says) };
        let mut driver = pin!(driver::run(runtime, &desk));
        let mut links = pin!(links.run(runtime, self));
        let mut linked = true;
        poll_fn(|cx| {
            // Links first: what they publish goes out in the same turn, so they need not wake this task for it. The driver
            // leaves its waker again when it looks at what was published, and at whether all is closed.
            if linked {
                let _awake = self.shared.counter.with(|counter| counter.waker.take());
                if links.as_mut().poll(cx).is_ready() {
                    linked = false;
                    if L::OUTLETS > 0 {
                        self.close();
                    }
                }
            }
            driver.as_mut().poll(cx)
        })
        .await;
        Ok(())
    }

    /// Takes nothing more; [`run`](Self::run) ends when what was taken is acknowledged.
    pub fn close(&self) {
        self.shared.close();
    }

    /// Follows whether it is connected, from now.
    pub fn connection(&'static self) -> Option<Consumer<ConnectionState>> {
        self.connection.consumer().ok()
    }

    /// How it is doing.
    pub fn status(&self) -> MqttStatus {
        let (online, in_flight) = self.shared.counter.with(|counter| (counter.online, counter.outbox.waiting()));
        self.shared.board.with(|board| MqttStatus {
            state: if online { ConnectionState::Online } else { ConnectionState::Offline },
            connects: board.connects,
            in_flight,
            unrouted: board.unrouted,
            refusals: board.refusals,
            last_failure: board.last_error.failure(),
        })
    }
}

/// Says what is wrong before anything runs.
fn check<R: Network>(
    runtime: &R,
    broker: &MqttConnector,
    links: &impl LinkSet,
    buffer: usize,
) -> Result<(), StaticMqttError> {
    let mut first = None;
    broker.check(|wrong| {
        first.get_or_insert(wrong);
    });
    if let Some(wrong) = first {
        return Err(StaticMqttError::Config(wrong));
    }
    if broker.client_id.as_str().is_empty() {
        return Err(StaticMqttError::NoClientId);
    }
    let endpoint = broker.endpoint();
    endpoint.map_or(Ok(()), |endpoint| runtime.check(&endpoint)).map_err(StaticMqttError::Transport)?;
    let routes = LinkRoutes(links);
    let mut asked = (0..routes.count()).filter_map(|number| routes.ask(number));
    let mut protocol = |direction, address: &'static str, config: &ConnectorConfig| {
        let Ok(Address { scheme, resource }) = Address::parse(address) else { return Ok(()) };
        if !broker.serves(scheme) {
            return Err(LinkErrorKind::Scheme);
        }
        // What goes out is counted where it is too long: it may be filled in.
        let asked = if direction == LinkDirection::In { asked.next() } else { None };
        if asked.is_some_and(|Ask { filter, .. }| SUBSCRIBE_HEADER + subscribe_length(filter.len()) > buffer) {
            return Err(LinkErrorKind::Protocol("its topic is longer than the connector's `BUFFER`: raise that"));
        }
        check_link(resource, config.qos).map_err(LinkErrorKind::Protocol)
    };
    links.check(&mut protocol).map_err(StaticMqttError::Link)
}

impl<const OUTBOX: usize, const BUFFER: usize, const IN_FLIGHT: usize> Default
    for StaticMqtt<OUTBOX, BUFFER, IN_FLIGHT>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const OUTBOX: usize, const BUFFER: usize, const IN_FLIGHT: usize> core::fmt::Debug
    for StaticMqtt<OUTBOX, BUFFER, IN_FLIGHT>
{
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("StaticMqtt").field("status", &self.status()).finish()
    }
}

impl<const OUTBOX: usize, const BUFFER: usize, const IN_FLIGHT: usize> Outlet
    for &'static StaticMqtt<OUTBOX, BUFFER, IN_FLIGHT>
{
    fn publish(&self, destination: &str, config: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        self.shared.publish(destination, config, payload)
    }

    fn watch(&self) -> Option<Consumer<ConnectionState>> {
        self.connection()
    }
}
