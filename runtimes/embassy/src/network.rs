//! Connections over `embassy-net`: its TCP sockets, made once in a static, lent to streams and given back.

use crate::{
    EmbassyAdapter,
    endpoint::{Host, host},
    log,
};
use anabranch_executor::{ByteStream, ConnectError, Duration, Endpoint, Network, RuntimeExt, StreamError};
use core::{
    cell::Cell,
    fmt,
    pin::pin,
    task::{Context, Poll, Waker, ready},
};
use embassy_net::{
    IpAddress, Stack,
    tcp::{State, TcpSocket},
};
use static_cell::{ConstStaticCell, StaticCell};

/// How long a peer has to acknowledge what was sent before a close; after that the connection is cut.
const LEAVE: Duration = Duration::from_secs(10);
/// How long whoever wants a socket waits for the last one's peer to take its leave.
const WAIT_FOR_LEAVE: Duration = Duration::from_secs(1);
/// How long it then waits for the peer to be told that it is over. Where the peer cannot be reached, it finds out itself.
const WAIT_FOR_RESET: Duration = Duration::from_millis(100);

/// The memory of `N` connections at once, each with room for `RX` bytes that were received and not read, and `TX` that were
/// written and not acknowledged.
///
/// ```ignore
/// static SOCKETS: Sockets<1, 2048, 1024> = Sockets::new();
///
/// let runtime = EmbassyAdapter::new(spawner).with_network(stack, &SOCKETS);
/// ```
///
/// A window of `RX` is what the peer may send before it has to wait for an answer, so a small one makes a slow connection, and
/// not a broken one.
pub struct Sockets<const N: usize, const RX: usize, const TX: usize> {
    buffers: ConstStaticCell<[Buffers<RX, TX>; N]>,
    slots: StaticCell<[Slot; N]>,
}

struct Buffers<const RX: usize, const TX: usize> {
    received: [u8; RX],
    to_send: [u8; TX],
}

/// Where a socket stands while no stream has it.
type Slot = Cell<Option<TcpSocket<'static>>>;

impl<const N: usize, const RX: usize, const TX: usize> Sockets<N, RX, TX> {
    /// Memory for sockets; [`EmbassyAdapter::with_network`] makes them.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is made where a static is declared")]
    pub const fn new() -> Self {
        let buffers = [const { Buffers { received: [0; RX], to_send: [0; TX] } }; N];
        Sockets { buffers: ConstStaticCell::new(buffers), slots: StaticCell::new() }
    }

    /// The sockets, on `stack`. Whoever asks for them again gets none.
    fn open(&'static self, stack: Stack<'static>) -> &'static [Slot] {
        let Some(buffers) = self.buffers.try_take() else { return &[] };
        let mut buffers = buffers.iter_mut();
        let make = |_| {
            let Buffers { received, to_send } = buffers.next()?;
            Some(TcpSocket::new(stack, received, to_send))
        };
        match self.slots.try_init_with(|| core::array::from_fn(make).map(Cell::new)) {
            Some(slots) => slots,
            None => &[],
        }
    }
}

/// What an adapter knows of its network.
#[derive(Clone, Copy)]
pub(crate) struct Net {
    pub(crate) stack: Stack<'static>,
    sockets: &'static [Slot],
}

impl Net {
    pub(crate) fn new<const N: usize, const RX: usize, const TX: usize>(
        stack: Stack<'static>,
        sockets: &'static Sockets<N, RX, TX>,
    ) -> Self {
        Net { stack, sockets: sockets.open(stack) }
    }

    /// Whether there is a link, and an address.
    pub(crate) fn is_up(&self) -> bool {
        self.stack.is_link_up() && self.stack.is_config_up()
    }

    pub(crate) async fn resolve(&self, host: Host<'_>) -> Result<IpAddress, ConnectError> {
        match host {
            Host::Address(address) => Ok(IpAddress::Ipv4(address)),
            #[cfg(feature = "dns")]
            Host::Name(name) => {
                let answer = self.stack.dns_query(name, embassy_net::dns::DnsQueryType::A).await;
                answer.ok().and_then(|addresses| addresses.first().copied()).ok_or(ConnectError::NameNotFound)
            }
            #[cfg(not(feature = "dns"))]
            Host::Name(_) => Err(ConnectError::NameNotFound),
        }
    }

    /// A socket that nobody has: one that rests, or else one whose peer has not taken its leave yet.
    fn lend(&self) -> Option<Lent> {
        let lend = |slot: &'static Slot, may: fn(&TcpSocket<'_>) -> bool| {
            let socket = slot.take()?;
            if may(&socket) {
                return Some(Lent { slot, socket: Some(socket) });
            }
            slot.set(Some(socket));
            None
        };
        let resting = self.sockets.iter().find_map(|slot| lend(slot, rests));
        resting.or_else(|| self.sockets.iter().find_map(|slot| lend(slot, |_| true)))
    }
}

/// Whether a socket has nothing more to say to its last peer.
fn rests(socket: &TcpSocket<'_>) -> bool {
    socket.state() == State::Closed && socket.remote_endpoint().is_none()
}

/// A socket and where it belongs. It is there until it is dropped.
struct Lent {
    slot: &'static Slot,
    socket: Option<TcpSocket<'static>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.slot.set(self.socket.take());
    }
}

/// An open connection on Embassy.
///
/// Dropping it cuts the connection, unless it was [closed](anabranch_executor::ByteStreamExt::close): then what was written
/// still goes out, for at most ten seconds, or until the socket is needed again and the peer takes more than one.
pub struct EmbassyStream {
    lent: Lent,
    sending: Sending,
}

/// Whether this side may still send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Open,
    Closed,
}

impl fmt::Debug for EmbassyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbassyStream").field("sending", &self.sending).finish_non_exhaustive()
    }
}

impl EmbassyStream {
    fn socket(&mut self) -> Result<&mut TcpSocket<'static>, StreamError> {
        self.lent.socket.as_mut().ok_or(StreamError::Closed)
    }

    /// Opens a connection; dropped before its end, or with an error, it gives the socket back, cut.
    async fn open(mut self, runtime: &EmbassyAdapter, to: (IpAddress, u16)) -> Result<Self, ConnectError> {
        let socket = self.socket().map_err(|_| NO_SOCKET)?;
        if !rests(socket) {
            let _ = runtime.timeout(WAIT_FOR_LEAVE, socket.flush()).await;
            socket.abort();
            let _ = runtime.timeout(WAIT_FOR_RESET, socket.flush()).await;
        }
        socket.set_timeout(None);
        // Whoever writes to a stream and flushes it wants it sent.
        socket.set_nagle_enabled(false);
        socket.connect(to).await.map_err(connect_error)?;
        Ok(self)
    }
}

impl Drop for EmbassyStream {
    fn drop(&mut self) {
        if let (Sending::Open, Ok(socket)) = (self.sending, self.socket()) {
            match socket.state() {
                State::SynSent => forget(socket),
                _ => socket.abort(),
            }
        }
    }
}

/// Gives an attempt up to which nobody has answered. A reset would wait until the peer's hardware address is known, and ask
/// for it once a second: for ever, where there is no peer. A socket that begins to listen forgets whom it called, and this
/// one ends to listen before a packet can come.
fn forget(socket: &mut TcpSocket<'_>) {
    const ANY_PORT: u16 = 1;
    socket.abort();
    let _ = poll(socket.accept(ANY_PORT), &mut Context::from_waker(Waker::noop()));
    socket.close();
}

const NO_SOCKET: ConnectError =
    ConnectError::Other("all sockets are in use: declare more in `Sockets`, and a set of them for each adapter");
pub(crate) const NO_NETWORK: ConnectError =
    ConnectError::Unsupported("network: give it one by `EmbassyAdapter::with_network(stack, &SOCKETS)`");

fn connect_error(error: embassy_net::tcp::ConnectError) -> ConnectError {
    use embassy_net::tcp::ConnectError as Tcp;
    match error {
        Tcp::ConnectionReset => ConnectError::Refused,
        Tcp::NoRoute | Tcp::TimedOut => ConnectError::Unreachable,
        Tcp::InvalidState => ConnectError::Other("the socket was still connected"),
    }
}

impl Network for EmbassyAdapter {
    type Stream = EmbassyStream;

    /// Waits for no network: where there is no link, or no address yet, it says [`ConnectError::NoNetwork`] at once.
    async fn connect(&self, endpoint: &Endpoint<'_>) -> Result<EmbassyStream, ConnectError> {
        let host = host(endpoint)?;
        let network = self.network().ok_or(NO_NETWORK)?;
        if !network.is_up() {
            return Err(ConnectError::NoNetwork);
        }
        let address = network.resolve(host).await?;
        let lent = network.lend().ok_or(NO_SOCKET)?;
        let opened = EmbassyStream { lent, sending: Sending::Open }.open(self, (address, endpoint.port)).await;
        match &opened {
            Ok(_) => log::debug!("connected to {}:{}", endpoint.host, endpoint.port),
            Err(_error) => log::debug!("no connection to {}:{}", endpoint.host, endpoint.port),
        }
        opened
    }

    fn check(&self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        host(endpoint)?;
        self.network().map(drop).ok_or(NO_NETWORK)
    }
}

// `embassy-net` has futures where this has polls. Each of them is a `poll_fn` that keeps nothing between its polls, so one
// can be made for each.
impl ByteStream for EmbassyStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let read = ready!(poll(self.socket()?.read(buffer), cx));
        Poll::Ready(read.map_err(|_| StreamError::Reset))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        match self.sending {
            Sending::Open if bytes.is_empty() => Poll::Ready(Ok(0)),
            Sending::Open => {
                let written = ready!(poll(self.socket()?.write(bytes), cx));
                Poll::Ready(written.map_err(|_| StreamError::Reset))
            }
            Sending::Closed => Poll::Ready(Err(StreamError::Closed)),
        }
    }

    /// What is written is on its way at once, so this waits for nothing.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        let cut = self.sending == Sending::Open && !self.socket()?.may_send();
        Poll::Ready(if cut { Err(StreamError::Reset) } else { Ok(()) })
    }

    /// Waits for nothing: the FIN follows what was written.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        if self.sending == Sending::Open {
            self.sending = Sending::Closed;
            let socket = self.socket()?;
            let cut = !socket.may_send();
            socket.set_timeout(LEAVE.try_into().ok());
            socket.close();
            if cut {
                return Poll::Ready(Err(StreamError::Reset));
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn poll<F: Future>(future: F, cx: &mut Context<'_>) -> Poll<F::Output> {
    pin!(future).poll(cx)
}
