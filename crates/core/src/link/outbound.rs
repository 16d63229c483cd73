//! What drives a link that goes out: takes values from the record, encodes them, publishes them, keeps them while there is
//! no connection. The core does it, so that no connector can forget it.

use crate::{
    Consumer,
    link::{
        ConnectionState, ConnectorConfig, Encode, EncodeError, LinkFailure, Outlet, Payload, PublishError, Template,
        Words, address::FillError,
    },
};
use anabranch_executor::{Moment, TimeSource};
use core::{
    convert::Infallible,
    fmt,
    future::{Future, poll_fn},
    ops::Deref,
    pin::pin,
    task::Poll,
};

/// What an outbound link tells of itself.
pub(crate) trait Notes {
    /// Its address, as it was configured.
    fn address(&self) -> &str;
    /// Its address without the scheme.
    fn resource(&self) -> &str;
    /// Whether that is the same for every value.
    fn is_fixed(&self) -> bool;
    /// A value was published.
    fn passed(&self);
    /// A value was dropped while there was no connection.
    fn dropped(&self);
    /// So many values are kept.
    fn keeps(&self, values: usize);
    /// A value that was to go to `address` could not.
    fn failed(&self, kind: LinkFailure, address: &str, why: &dyn fmt::Display);
}

/// Where values wait for a connection.
pub(crate) trait Kept<V> {
    /// How many have a place.
    fn room(&self) -> usize;
    fn len(&self) -> usize;
    fn push(&mut self, value: V);
    fn pop(&mut self) -> Option<V>;
}

/// A buffer to write into.
pub(crate) trait Lend {
    fn bytes(&mut self) -> &mut [u8];
    /// Makes it larger, to `limit` at most, if it can.
    fn grow(&mut self, limit: usize) -> bool;
}

impl<const N: usize> Lend for [u8; N] {
    fn bytes(&mut self) -> &mut [u8] {
        self
    }
    fn grow(&mut self, _: usize) -> bool {
        false
    }
}

/// The longest address: what a protocol with a length of 16 bits can say.
const LONGEST_ADDRESS: usize = 65_535;

/// One link that goes out, while it runs.
pub(crate) struct Outbound<R: TimeSource, T: 'static, E, O, N, K, B> {
    pub(crate) runtime: R,
    pub(crate) input: Consumer<T>,
    pub(crate) encode: E,
    pub(crate) outlet: O,
    pub(crate) connection: Consumer<ConnectionState>,
    pub(crate) link: N,
    pub(crate) config: ConnectorConfig,
    pub(crate) waiting: Waiting<T, R::Instant, K>,
    pub(crate) address: B,
    pub(crate) payload: B,
}

/// Values that are not published yet, with when they came.
pub(crate) struct Waiting<T, I, K> {
    /// The oldest.
    first: Option<(T, I)>,
    kept: K,
}

impl<T, I, K: Kept<(T, I)>> Waiting<T, I, K> {
    pub(crate) fn new(kept: K) -> Self {
        Waiting { first: None, kept }
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.kept.len()
    }

    fn pop(&mut self) -> Option<(T, I)> {
        self.first.take().or_else(|| self.kept.pop())
    }

    fn push(&mut self, value: (T, I)) {
        if self.len() == 0 { self.first = Some(value) } else { self.kept.push(value) }
    }
}

/// Why a value was not taken, if it shall be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// There is no connection: values go by, and the newest are kept.
    Connection,
    /// There is one without room: the record holds what comes meanwhile.
    Room,
}

impl<R, T, E, O, N, K, B> Outbound<R, T, E, O, N, K, B>
where
    R: TimeSource,
    T: Clone + Send + 'static,
    E: Deref<Target: Encode<T> + Sized>,
    O: Outlet,
    N: Deref<Target: Notes>,
    K: Kept<(T, R::Instant)>,
    B: Lend,
{
    /// Until the record closes and everything that is kept was taken.
    pub(crate) async fn run(&mut self) -> Result<(), Infallible> {
        let mut open = true;
        loop {
            if let Some((value, came)) = self.waiting.pop() {
                if self.is_late(came) {
                    self.link.dropped();
                } else if let Err(wait) = self.publish(&value) {
                    self.waiting.first = Some((value, came));
                    self.link.keeps(self.waiting.len());
                    // Values are taken while offline only: a connection without room holds them back.
                    while self.waiting.len() > 0 {
                        let takes = open && wait == Wait::Connection;
                        match next(&mut self.connection, takes.then_some(&mut self.input)).await {
                            Came::Word => break,
                            Came::Value(value) => self.keep(value),
                            Came::End => open = false,
                        }
                    }
                    continue;
                }
                self.link.keeps(self.waiting.len());
                continue;
            }
            if !open {
                return Ok(());
            }
            let Some(value) = self.input.next().await else { return Ok(()) };
            match self.publish(&value) {
                Ok(()) => {}
                Err(Wait::Connection) => self.keep(value),
                Err(Wait::Room) => self.waiting.push((value, self.runtime.now())),
            }
        }
    }

    fn is_late(&self, came: R::Instant) -> bool {
        self.config.timeout.is_some_and(|timeout| self.runtime.now().since(came) > timeout)
    }

    /// Keeps a value while there is no connection; what is then too many is dropped and counted.
    fn keep(&mut self, value: T) {
        let room = self.config.offline().kept().min(self.waiting.kept.room());
        while self.waiting.len() > 0 && self.waiting.len() >= room {
            drop(self.waiting.pop());
            self.link.dropped();
        }
        if room > 0 {
            self.waiting.push((value, self.runtime.now()));
        } else {
            self.link.dropped();
        }
        self.link.keeps(self.waiting.len());
    }

    /// Publishes `value`, or says what to wait for. What can never be published is counted and reported here.
    fn publish(&mut self, value: &T) -> Result<(), Wait> {
        let Outbound { encode, link, config, address, payload, outlet, .. } = self;
        let destination = if link.is_fixed() {
            link.resource()
        } else {
            match fill(address, Template::parsed(link.resource()), &**encode, value) {
                Ok(filled) => filled,
                Err(why) => {
                    link.failed(LinkFailure::Address, link.address(), &why);
                    return Ok(());
                }
            }
        };
        let bytes = match grown(payload, config.payload_limit(), |payload| caught(|| encode.encode(value, payload))) {
            Ok(bytes) => bytes,
            Err(EncodeError::Full) => {
                let limit = config.payload_limit();
                link.failed(
                    LinkFailure::TooLarge,
                    destination,
                    &format_args!("the value takes more than {limit} bytes: raise `max_payload`, or send less"),
                );
                return Ok(());
            }
            Err(why) => {
                link.failed(LinkFailure::Encode, destination, &why);
                return Ok(());
            }
        };
        match outlet.publish(destination, config, bytes) {
            Ok(()) => link.passed(),
            Err(PublishError::NotConnected) => return Err(Wait::Connection),
            Err(PublishError::Full) => return Err(Wait::Room),
            Err(why) => {
                let kind = match why {
                    PublishError::TooLarge { .. } => LinkFailure::TooLarge,
                    PublishError::Destination(_) => LinkFailure::Address,
                    _ => LinkFailure::Refused,
                };
                link.failed(kind, destination, &why);
            }
        }
        Ok(())
    }
}

/// A panic in the application's encoder fails this value only.
#[cfg(feature = "std")]
fn caught(encode: impl FnOnce() -> Result<(), EncodeError>) -> Result<(), EncodeError> {
    std::panic::catch_unwind(core::panic::AssertUnwindSafe(encode))
        .unwrap_or_else(|_| Err(EncodeError::new("its serializer panicked; the panic hook printed where and why")))
}

#[cfg(not(feature = "std"))]
fn caught(encode: impl FnOnce() -> Result<(), EncodeError>) -> Result<(), EncodeError> {
    encode()
}

/// Fills the address's fields in from `value`.
fn fill<'a, T, E: Encode<T>>(
    address: &'a mut impl Lend,
    template: Template<'_>,
    encode: &E,
    value: &T,
) -> Result<&'a str, Words> {
    let mut unfilled = None;
    let filled = grown(address, LONGEST_ADDRESS, |out| {
        match template.fill(out, |name, text| caught(|| encode.field(value, name, text))) {
            Ok(()) => Ok(()),
            Err(FillError::Full | FillError::Field { error: EncodeError::Full, .. }) => Err(EncodeError::Full),
            Err(other) => {
                unfilled = Some(Words::of(other));
                Err(EncodeError::Value("".into()))
            }
        }
    });
    match filled {
        Ok(bytes) => core::str::from_utf8(bytes).map_err(|_| "the address is no text".into()),
        Err(_) => Err(unfilled.unwrap_or_else(|| "the address is longer than 65535 bytes".into())),
    }
}

/// Lends `buffer` to `write`, and a larger one when it was too small, up to `limit`. Once it fits it allocates no more.
fn grown(
    buffer: &mut impl Lend,
    limit: usize,
    mut write: impl FnMut(&mut Payload<'_>) -> Result<(), EncodeError>,
) -> Result<&[u8], EncodeError> {
    loop {
        let bytes = buffer.bytes();
        let lent = bytes.len().min(limit);
        let mut payload = Payload::new(bytes.get_mut(..lent).unwrap_or_default());
        match write(&mut payload) {
            Ok(()) => {
                let written = payload.written().len();
                return Ok(buffer.bytes().get(..written).unwrap_or_default());
            }
            Err(EncodeError::Full) if lent < limit && buffer.grow(limit) => {}
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
