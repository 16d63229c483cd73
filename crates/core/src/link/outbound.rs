//! What drives a link that goes out: takes values from the record, encodes them, publishes them, keeps them while there is
//! no connection. The core does it, so that no connector can forget it.

use crate::{
    Consumer,
    buffer::Lock,
    link::{
        ConnectionState, Connector, ConnectorConfig, Encode, EncodeError, LinkState, Payload, PublishError, Template,
        address::FillError,
    },
};
use alloc::{collections::VecDeque, sync::Arc, vec, vec::Vec};
use anabranch_executor::{Moment, TimeSource};
use core::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

/// Where an outbound link finds its connector: filled in when the database is built.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Lock<Option<Arc<dyn Connector>>>>);

impl Slot {
    pub(crate) fn new() -> Self {
        Slot(Arc::new(Lock::new(None)))
    }

    pub(crate) fn fill(&self, connector: Arc<dyn Connector>) {
        self.0.with(|slot| *slot = Some(connector));
    }

    pub(crate) fn get(&self) -> Option<Arc<dyn Connector>> {
        self.0.with(|slot| slot.clone())
    }
}

/// The smallest payload and address that are lent: most values fit.
const FIRST: usize = 256;
/// The longest address: what a protocol with a length of 16 bits can say.
const LONGEST_ADDRESS: usize = 65_535;

/// One link that goes out, while it runs.
pub(crate) struct Outbound<R: TimeSource, T: 'static, E> {
    runtime: R,
    input: Consumer<T>,
    encode: Arc<E>,
    connector: Arc<dyn Connector>,
    connection: Consumer<ConnectionState>,
    link: Arc<LinkState>,
    config: ConnectorConfig,
    /// Values that wait for a connection, with when they came, the oldest first.
    kept: VecDeque<(T, R::Instant)>,
    address: Vec<u8>,
    payload: Vec<u8>,
}

/// Why a value was not taken, if it shall be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// There is no connection: values go by, and the newest are kept.
    Connection,
    /// There is one without room: the record holds what comes meanwhile.
    Room,
}

impl<R, T, E> Outbound<R, T, E>
where
    R: TimeSource,
    T: Clone + Send + 'static,
    E: Encode<T>,
{
    /// `None` when `connector` cannot be watched, which one that was made by [`Connection::new`] can.
    ///
    /// [`Connection::new`]: crate::Connection::new
    pub(crate) fn new(
        runtime: R,
        input: Consumer<T>,
        encode: Arc<E>,
        connector: Arc<dyn Connector>,
        link: Arc<LinkState>,
        config: ConnectorConfig,
    ) -> Option<Self> {
        let connection = connector.connection().watch()?;
        Some(Outbound {
            runtime,
            input,
            encode,
            connector,
            connection,
            link,
            config,
            kept: VecDeque::new(),
            address: Vec::new(),
            payload: vec![0; FIRST],
        })
    }

    /// Until the record closes and everything that is kept was taken.
    pub(crate) async fn run(&mut self) -> Result<(), Infallible> {
        let mut open = true;
        loop {
            if let Some((value, came)) = self.kept.pop_front() {
                if self.is_late(came) {
                    self.link.dropped();
                } else if let Err(wait) = self.publish(&value) {
                    self.kept.push_front((value, came));
                    self.link.keeps(self.kept.len());
                    // Values are taken while offline only: a connection without room holds them back.
                    while !self.kept.is_empty() {
                        let takes = open && wait == Wait::Connection;
                        match next(&mut self.connection, takes.then_some(&mut self.input)).await {
                            Came::Word => break,
                            Came::Value(value) => self.keep(value),
                            Came::End => open = false,
                        }
                    }
                    continue;
                }
                self.link.keeps(self.kept.len());
                continue;
            }
            if !open {
                return Ok(());
            }
            let Some(value) = self.input.next().await else { return Ok(()) };
            match self.publish(&value) {
                Ok(()) => {}
                Err(Wait::Connection) => self.keep(value),
                Err(Wait::Room) => self.kept.push_back((value, self.runtime.now())),
            }
        }
    }

    fn is_late(&self, came: R::Instant) -> bool {
        self.config.timeout.is_some_and(|timeout| self.runtime.now().since(came) > timeout)
    }

    /// Keeps a value while there is no connection; what is then too many is dropped and counted.
    fn keep(&mut self, value: T) {
        let room = self.config.offline().kept();
        if room > 0 {
            self.kept.push_back((value, self.runtime.now()));
        }
        while self.kept.len() > room {
            drop(self.kept.pop_front());
            self.link.dropped();
        }
        if room == 0 {
            self.link.dropped();
        }
        self.link.keeps(self.kept.len());
    }

    /// Publishes `value`, or says what to wait for. What can never be published is counted and reported here.
    fn publish(&mut self, value: &T) -> Result<(), Wait> {
        let Outbound { encode, link, config, address, payload, connector, .. } = self;
        let template = Template::parsed(link.ties.resource());
        let destination = if template.is_fixed() {
            link.ties.resource()
        } else {
            match fill(address, template, &**encode, value) {
                Ok(filled) => filled,
                Err(why) => {
                    link.failed(&link.ties.address, &why);
                    return Ok(());
                }
            }
        };
        let bytes = match grown(payload, config.payload_limit(), |payload| encode.encode(value, payload)) {
            Ok(bytes) => bytes,
            Err(EncodeError::Full) => {
                let limit = config.payload_limit();
                link.failed(
                    destination,
                    &format_args!("the value takes more than {limit} bytes: raise `max_payload`, or send less"),
                );
                return Ok(());
            }
            Err(why) => {
                link.failed(destination, &why);
                return Ok(());
            }
        };
        match connector.publish(destination, config, bytes) {
            Ok(()) => link.passed(),
            Err(PublishError::NotConnected) => return Err(Wait::Connection),
            Err(PublishError::Full) => return Err(Wait::Room),
            Err(why) => link.failed(destination, &why),
        }
        Ok(())
    }
}

/// Fills the address's fields in from `value`.
fn fill<'a, T, E: Encode<T>>(
    address: &'a mut Vec<u8>,
    template: Template<'_>,
    encode: &E,
    value: &T,
) -> Result<&'a str, alloc::string::String> {
    let mut unfilled = None;
    let filled =
        grown(address, LONGEST_ADDRESS, |out| match template.fill(out, |name, text| encode.field(value, name, text)) {
            Ok(()) => Ok(()),
            Err(FillError::Full | FillError::Field { error: EncodeError::Full, .. }) => Err(EncodeError::Full),
            Err(other) => {
                let words = alloc::string::ToString::to_string(&other);
                unfilled = Some(words);
                Err(EncodeError::Value("".into()))
            }
        });
    match filled {
        Ok(bytes) => core::str::from_utf8(bytes).map_err(|_| "the address is no text".into()),
        Err(_) => Err(unfilled.unwrap_or_else(|| "the address is longer than 65535 bytes".into())),
    }
}

/// Lends `buffer` to `write`, and a larger one when it was too small, up to `limit`. Once it fits it allocates no more.
fn grown(
    buffer: &mut Vec<u8>,
    limit: usize,
    mut write: impl FnMut(&mut Payload<'_>) -> Result<(), EncodeError>,
) -> Result<&[u8], EncodeError> {
    loop {
        let lent = buffer.len().min(limit);
        let mut payload = Payload::new(buffer.get_mut(..lent).unwrap_or_default());
        match write(&mut payload) {
            Ok(()) => {
                let written = payload.written().len();
                return Ok(buffer.get(..written).unwrap_or_default());
            }
            Err(EncodeError::Full) if lent < limit => {
                let larger = (buffer.len() * 2).clamp(FIRST.min(limit), limit);
                buffer.resize(larger, 0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// What came first.
enum Came<T> {
    /// A word of the connection.
    Word,
    Value(T),
    /// The record has closed.
    End,
}

/// Waits for a word of the connection, or a value if values are taken.
async fn next<T: Clone + Send + 'static>(
    connection: &mut Consumer<ConnectionState>,
    input: Option<&mut Consumer<T>>,
) -> Came<T> {
    let mut word = pin!(connection.next());
    let Some(input) = input else {
        let _open = word.await;
        return Came::Word;
    };
    let mut value = pin!(input.next());
    poll_fn(|cx| {
        if word.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Came::Word);
        }
        value.as_mut().poll(cx).map(|value| value.map_or(Came::End, Came::Value))
    })
    .await
}
