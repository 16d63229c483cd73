//! Byte streams to the outside: what an adapter gives that has a network.

use crate::{MaybeSend, RuntimeAdapter};
use core::{
    future::{Future, poll_fn},
    task::{Context, Poll},
};

/// Opens byte streams to the outside, for adapters that have a network.
///
/// A connector is written once over it, and so runs wherever an adapter keeps it: over TCP and TLS on Tokio, over
/// `embassy-net` on a microcontroller, over a WebSocket in a browser, over the simulated network in a test.
pub trait Network: RuntimeAdapter {
    /// An open connection.
    type Stream: ByteStream + 'static;

    /// Opens a connection to `endpoint`, with all that its [`Transport`] needs: names are resolved, and TLS or WebSocket
    /// handshakes are done when it ends.
    ///
    /// It has no time limit of its own: wrap it in [`timeout`](crate::RuntimeExt::timeout). Dropping the future gives the
    /// attempt up.
    ///
    /// # Errors
    /// [`ConnectError`]; [`is_permanent`](ConnectError::is_permanent) says whether to try again is any use.
    fn connect(&self, endpoint: &Endpoint<'_>) -> impl Future<Output = Result<Self::Stream, ConnectError>> + MaybeSend;

    /// Says what is wrong with `endpoint` before anything is connected: a transport that this adapter does not have, a CA
    /// that is no certificate. It does not touch the network.
    ///
    /// # Errors
    /// [`ConnectError::Unsupported`] and [`ConnectError::TlsConfig`].
    fn check(&self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError>;
}

/// A connection's two directions, each polled by itself, so that one task can read while it waits to write.
///
/// Each direction remembers the waker of the last poll that was [`Poll::Pending`], and wakes it. A poll moves bytes or does
/// nothing: so whoever stops polling has lost nothing.
///
/// Polls, and not async functions, because those of a generic type cannot be known to be `Send`; [`Io`] gives the async face
/// of `embedded-io-async`, and [`read`]/[`write_all`] the plain one.
///
/// [`read`]: ByteStreamExt::read
/// [`write_all`]: ByteStreamExt::write_all
pub trait ByteStream: MaybeSend {
    /// Reads at least one byte into `buffer` and says how many; 0 when the peer will send no more, or `buffer` is empty.
    ///
    /// # Errors
    /// [`StreamError`]: the connection is of no use any more.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>>;

    /// Takes at least one byte from `bytes` and says how many; 0 when `bytes` is empty. They may wait in a buffer until the
    /// next flush.
    ///
    /// # Errors
    /// [`StreamError`]: the connection is of no use any more.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>>;

    /// Sends what was taken and waits in a buffer.
    ///
    /// # Errors
    /// [`StreamError`]: the connection is of no use any more.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>>;

    /// Flushes, and tells the peer that no more will come (a FIN, a TLS `close_notify`, a WebSocket close). Reading goes on; but a
    /// browser's WebSocket closes both directions, and what the peer sends from then on is not seen, only its end. Dropping the stream without it may cut off what the peer had not read.
    ///
    /// # Errors
    /// [`StreamError`]: the connection is of no use any more.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>>;

    /// Says whether a poll that is [`Poll::Pending`] has to wake anybody; at first it has. Whoever looks again soon, by a
    /// timer, may do without it: where the platform reports each packet of bytes, that saves a wake for each. After it has
    /// asked for wakes again it has to poll once more, for what came meanwhile.
    ///
    /// A stream that does not keep this wakes as ever.
    fn watch(&mut self, watched: bool) {
        let _ = watched;
    }
}

/// The async face of a [`ByteStream`]. All of them are cancel safe but [`write_all`](Self::write_all), which may have
/// written a part.
pub trait ByteStreamExt: ByteStream {
    /// As [`poll_read`](ByteStream::poll_read).
    fn read<'a>(&'a mut self, buffer: &'a mut [u8]) -> impl Future<Output = Result<usize, StreamError>> + MaybeSend {
        Reading(self, buffer)
    }

    /// As [`poll_write`](ByteStream::poll_write).
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> impl Future<Output = Result<usize, StreamError>> + MaybeSend {
        Writing(self, bytes)
    }

    /// Writes all of `bytes`, and flushes.
    fn write_all<'a>(&'a mut self, bytes: &'a [u8]) -> impl Future<Output = Result<(), StreamError>> + MaybeSend {
        WritingAll(self, bytes)
    }

    /// As [`poll_close`](ByteStream::poll_close).
    fn close(&mut self) -> impl Future<Output = Result<(), StreamError>> + MaybeSend {
        Closing(self)
    }
}

impl<S: ByteStream + ?Sized> ByteStreamExt for S {}

impl<S: ByteStream + ?Sized> ByteStream for &mut S {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
        (**self).poll_read(cx, buffer)
    }
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        (**self).poll_write(cx, bytes)
    }
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        (**self).poll_flush(cx)
    }
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        (**self).poll_close(cx)
    }
    fn watch(&mut self, watched: bool) {
        (**self).watch(watched);
    }
}

// Futures by hand: an async block would have to be proved `Send` for every `S`, a struct of `MaybeSend` fields is.

struct Reading<'a, S: ?Sized>(&'a mut S, &'a mut [u8]);
impl<S: ByteStream + ?Sized> Future for Reading<'_, S> {
    type Output = Result<usize, StreamError>;
    fn poll(mut self: core::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Reading(stream, buffer) = &mut *self;
        stream.poll_read(cx, buffer)
    }
}

struct Writing<'a, S: ?Sized>(&'a mut S, &'a [u8]);
impl<S: ByteStream + ?Sized> Future for Writing<'_, S> {
    type Output = Result<usize, StreamError>;
    fn poll(mut self: core::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Writing(stream, bytes) = &mut *self;
        stream.poll_write(cx, bytes)
    }
}

struct WritingAll<'a, S: ?Sized>(&'a mut S, &'a [u8]);
impl<S: ByteStream + ?Sized> Future for WritingAll<'_, S> {
    type Output = Result<(), StreamError>;
    fn poll(mut self: core::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let WritingAll(stream, bytes) = &mut *self;
        while !bytes.is_empty() {
            match stream.poll_write(cx, bytes) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(StreamError::Closed)),
                Poll::Ready(Ok(written)) => *bytes = bytes.get(written..).unwrap_or_default(),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        stream.poll_flush(cx)
    }
}

struct Closing<'a, S: ?Sized>(&'a mut S);
impl<S: ByteStream + ?Sized> Future for Closing<'_, S> {
    type Output = Result<(), StreamError>;
    fn poll(mut self: core::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_close(cx)
    }
}

/// A [`ByteStream`] as `embedded-io-async` has it, for protocol crates that are written over that.
#[derive(Debug)]
pub struct Io<S>(pub S);

impl<S> embedded_io_async::ErrorType for Io<S> {
    type Error = StreamError;
}

impl<S: ByteStream> embedded_io_async::Read for Io<S> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        poll_fn(|cx| self.0.poll_read(cx, buffer)).await
    }
}

impl<S: ByteStream> embedded_io_async::Write for Io<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, StreamError> {
        poll_fn(|cx| self.0.poll_write(cx, bytes)).await
    }
    async fn flush(&mut self) -> Result<(), StreamError> {
        poll_fn(|cx| self.0.poll_flush(cx)).await
    }
}

/// Where to connect, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// A host name, or an address: `192.0.2.7`, `2001:db8::7` (without brackets).
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// What carries the bytes.
    pub transport: Transport<'a>,
}

/// What carries the bytes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport<'a> {
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls(Tls<'a>),
    /// Binary messages of a WebSocket; their boundaries mean nothing.
    WebSocket {
        /// The path and query of its URL, as `/mqtt`.
        path: &'a str,
        /// The subprotocol that is asked for, as `mqtt`.
        protocol: &'a str,
        /// TLS below it (`wss`).
        tls: Option<Tls<'a>>,
    },
}

/// How a TLS connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tls<'a> {
    /// Who may have signed the peer's certificate.
    pub roots: Roots<'a>,
    /// Who this side is, where the peer asks for it.
    pub identity: Option<Identity<'a>>,
    /// The name in the peer's certificate, when it is not the endpoint's host.
    pub server_name: Option<&'a str>,
}

/// The certificate authorities that are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Roots<'a> {
    /// Those of the system.
    #[default]
    System,
    /// These and no others: certificates in PEM.
    Pem(&'a [u8]),
}

/// A client certificate and its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The certificate and those between it and its CA, in PEM.
    pub certificates: &'a [u8],
    /// Its private key, in PEM.
    pub key: &'a [u8],
}

impl core::fmt::Debug for Identity<'_> {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// Why no connection could be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing listens there.
    #[error("the connection was refused: is something listening on this port?")]
    Refused,
    /// No way there.
    #[error("the host cannot be reached: check the network and the address")]
    Unreachable,
    /// The host's name is not known.
    #[error("the host's name is not known: check its spelling and the name server")]
    NameNotFound,
    /// The network is not up: no link, or no address yet.
    #[error("this device has no network yet: check the cable, and that an address is given out")]
    NoNetwork,
    /// Whoever listens closed the connection, or sent something else than the transport's handshake.
    #[error("the peer broke the handshake off: does this port speak the transport that the URL names?")]
    Handshake,
    /// The peer's certificate is signed by nobody who is trusted.
    #[error("the peer's certificate is signed by a CA that is not trusted here: give the CA that signed it as `ca`")]
    TlsUntrusted,
    /// The peer's certificate is not valid now.
    #[error("the peer's certificate has expired, or is not valid yet: renew it, or set this machine's clock")]
    TlsExpired,
    /// The peer's certificate is another host's.
    #[error("the peer's certificate is for another name: connect by a name that it holds, or give `server_name`")]
    TlsWrongName,
    /// The peer refused this side's certificate, or wants one.
    #[error("the peer refused this side's certificate, or asks for one: give `certificate` and `key` that it trusts")]
    TlsRefused,
    /// The CA, the certificate or the key that was given cannot be used.
    #[error("TLS cannot be set up: {0}")]
    TlsConfig(&'static str),
    /// It failed, and the platform keeps why to itself, as browsers do with WebSockets.
    #[error(
        "the connection failed, and a browser does not say why: does something listen at this address, speak WebSocket at \
         this path, and have a certificate that is trusted?"
    )]
    Unexplained,
    /// The adapter does not have this transport.
    #[error("this runtime has no {0}")]
    Unsupported(&'static str),
    /// Anything else that the platform said.
    #[error("the connection failed: {0}")]
    Other(&'static str),
}

impl ConnectError {
    /// Whether it will be the same however often one tries, until somebody changes the configuration.
    pub fn is_permanent(self) -> bool {
        matches!(self, ConnectError::TlsConfig(_) | ConnectError::Unsupported(_))
    }
}

/// Why an open connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The peer, or something on the way, cut it.
    #[error("the connection was cut")]
    Reset,
    /// The peer did not answer for too long.
    #[error("the peer has not answered for too long")]
    TimedOut,
    /// The connection was closed on this side.
    #[error("the connection is closed")]
    Closed,
    /// The bytes are not what TLS or WebSocket allow. A client certificate that is refused under TLS 1.3 shows itself here.
    #[error("the peer broke the transport's rules, or refused this side's certificate")]
    Protocol,
    /// More came than is kept for the reader, over a transport that cannot hold its peer back (a WebSocket).
    #[error("more has come than this side reads, and over this transport a peer cannot be held back")]
    Overrun,
    /// Anything else that the platform said.
    #[error("the connection failed")]
    Other,
}

impl embedded_io_async::Error for StreamError {
    fn kind(&self) -> embedded_io_async::ErrorKind {
        match self {
            StreamError::Reset => embedded_io_async::ErrorKind::ConnectionReset,
            StreamError::TimedOut => embedded_io_async::ErrorKind::TimedOut,
            StreamError::Closed => embedded_io_async::ErrorKind::NotConnected,
            StreamError::Protocol => embedded_io_async::ErrorKind::InvalidData,
            StreamError::Overrun => embedded_io_async::ErrorKind::OutOfMemory,
            StreamError::Other => embedded_io_async::ErrorKind::Other,
        }
    }
}
