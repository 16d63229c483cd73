//! Connections on Tokio: TCP, and TLS over it behind the feature `tls`, in one stream type.

#[cfg(feature = "tls")]
mod tls;
mod unwatched;

use crate::TokioAdapter;
use anabranch_executor::{ByteStream, ConnectError, Endpoint, Network, StreamError, Transport};
use std::{
    future::{Future, poll_fn},
    io::{self, ErrorKind},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, lookup_host},
};
use unwatched::Unwatched;

/// An open connection on Tokio. It can be polled on any thread, also on one outside the runtime.
#[derive(Debug)]
pub struct TokioStream {
    carrier: Carrier,
    sending: Sending,
}

/// What carries the bytes.
#[derive(Debug)]
enum Carrier {
    Tcp(TcpStream),
    /// Not with the reactor: whoever polls looks again by itself.
    Unwatched(Unwatched),
    /// On the heap: it is some twenty times as large as the other.
    #[cfg(feature = "tls")]
    Tls(Box<tls::Stream>),
}

/// Whether this side may still send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Open,
    Closing,
    Closed,
}

/// A connection that was accepted.
impl From<TcpStream> for TokioStream {
    fn from(stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true); // as for one that was opened
        TokioStream { carrier: Carrier::Tcp(stream), sending: Sending::Open }
    }
}

impl Network for TokioAdapter {
    type Stream = TokioStream;

    async fn connect(&self, endpoint: &Endpoint<'_>) -> Result<TokioStream, ConnectError> {
        let mut opening = pin!(open(endpoint));
        // Each poll enters the runtime, so that a thread outside it can connect, too.
        let carrier = poll_fn(|cx| {
            let _context = self.handle().enter();
            opening.as_mut().poll(cx)
        });
        Ok(TokioStream { carrier: carrier.await?, sending: Sending::Open })
    }

    fn check(&self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        match endpoint.transport {
            Transport::Tcp => Ok(()),
            #[cfg(feature = "tls")]
            Transport::Tls(tls) => tls::check(endpoint.host, &tls),
            other => Err(unsupported(&other)),
        }
    }
}

fn unsupported(transport: &Transport<'_>) -> ConnectError {
    ConnectError::Unsupported(match transport {
        #[cfg(not(feature = "tls"))]
        Transport::Tls(_) => "TLS: build with the feature `tls`",
        Transport::WebSocket { .. } => "WebSocket, which is for browsers and Node: use mqtt:// or mqtts://",
        _ => "transport of this kind",
    })
}

async fn open(endpoint: &Endpoint<'_>) -> Result<Carrier, ConnectError> {
    match endpoint.transport {
        Transport::Tcp => Ok(Carrier::Tcp(dial(endpoint).await?)),
        #[cfg(feature = "tls")]
        Transport::Tls(tls) => {
            // What is wrong here is found before anybody is called.
            let client = tls::Client::new(endpoint.host, &tls).await?;
            Ok(Carrier::Tls(Box::new(client.shake_hands(dial(endpoint).await?).await?)))
        }
        other => Err(unsupported(&other)),
    }
}

/// Calls the host's addresses one after another, in the order in which the system would try them.
async fn dial(endpoint: &Endpoint<'_>) -> Result<TcpStream, ConnectError> {
    let addresses = lookup_host((endpoint.host, endpoint.port)).await.map_err(|_| ConnectError::NameNotFound)?;
    // The system puts first what it thinks the best, so the first failure says the most.
    let mut failure = None;
    for address in addresses {
        match call(address).await {
            Ok(stream) => {
                // Whoever writes to a stream and flushes it wants it sent; a socket that cannot do that sends later.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    Err(failure.unwrap_or(ConnectError::NameNotFound))
}

async fn call(address: SocketAddr) -> Result<TcpStream, ConnectError> {
    let mut connecting = pin!(TcpStream::connect(address));
    // As with its timer, Tokio does not say whether a runtime has I/O, but panics.
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| connecting.as_mut().poll(cx))) {
        Ok(polled) => polled.map_err(|error| connect_error(&error)),
        Err(_) => Poll::Ready(Err(NO_IO)),
    })
    .await
}

const NO_IO: ConnectError =
    ConnectError::Unsupported("I/O: write `.enable_io()` (or `.enable_all()`) on its `tokio::runtime::Builder`");

fn connect_error(error: &io::Error) -> ConnectError {
    match error.kind() {
        ErrorKind::ConnectionRefused => ConnectError::Refused,
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::AddrNotAvailable
        | ErrorKind::TimedOut => ConnectError::Unreachable,
        ErrorKind::NetworkDown => ConnectError::NoNetwork,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => ConnectError::Handshake,
        ErrorKind::PermissionDenied => ConnectError::Other("the system forbids it: look at its firewall or sandbox"),
        ErrorKind::InvalidInput => ConnectError::Other("the system does not take this address or port"),
        ErrorKind::OutOfMemory => ConnectError::Other("no memory is left"),
        _ => ConnectError::Other("the system gave no reason: it may have run out of sockets or files"),
    }
}

fn stream_error(error: &io::Error) -> StreamError {
    match error.kind() {
        // An end with no FIN or no `close_notify`. A pipe breaks only when the peer has gone: this side's own end is
        // known without asking the socket.
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => StreamError::Reset,
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => StreamError::TimedOut,
        ErrorKind::InvalidData => StreamError::Protocol,
        _ => StreamError::Other,
    }
}

impl Carrier {
    fn reader(&mut self) -> &mut (dyn AsyncRead + Unpin) {
        match self {
            Carrier::Tcp(stream) => stream,
            Carrier::Unwatched(stream) => stream,
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => &mut **stream,
        }
    }

    fn writer(&mut self) -> &mut (dyn AsyncWrite + Unpin) {
        match self {
            Carrier::Tcp(stream) => stream,
            Carrier::Unwatched(stream) => stream,
            #[cfg(feature = "tls")]
            Carrier::Tls(stream) => &mut **stream,
        }
    }

    /// What it means that sending failed.
    fn sending_error(&mut self, cx: &mut Context<'_>, error: io::Error) -> StreamError {
        match (self, cx) {
            (Carrier::Tcp(_) | Carrier::Unwatched(_), _) => stream_error(&error),
            #[cfg(feature = "tls")]
            (Carrier::Tls(stream), cx) => stream_error(&tls::last_word(stream, cx, error)),
        }
    }
}

impl ByteStream for TokioStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut unfilled = ReadBuf::new(buffer);
        let outcome = ready!(Pin::new(self.carrier.reader()).poll_read(cx, &mut unfilled));
        Poll::Ready(outcome.map(|()| unfilled.filled().len()).map_err(|error| stream_error(&error)))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        match self.sending {
            Sending::Open if bytes.is_empty() => Poll::Ready(Ok(0)),
            Sending::Open => {
                let written = ready!(Pin::new(self.carrier.writer()).poll_write(cx, bytes));
                Poll::Ready(written.map_err(|error| self.carrier.sending_error(cx, error)))
            }
            Sending::Closing | Sending::Closed => Poll::Ready(Err(StreamError::Closed)),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        match self.sending {
            Sending::Open | Sending::Closing => {
                let flushed = ready!(Pin::new(self.carrier.writer()).poll_flush(cx));
                Poll::Ready(flushed.map_err(|error| self.carrier.sending_error(cx, error)))
            }
            Sending::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        if self.sending != Sending::Closed {
            self.sending = Sending::Closing;
            let closed = ready!(Pin::new(self.carrier.writer()).poll_shutdown(cx));
            closed.map_err(|error| self.carrier.sending_error(cx, error))?;
            self.sending = Sending::Closed;
        }
        Poll::Ready(Ok(()))
    }

    fn watch(&mut self, watched: bool) {
        // TLS is watched always: what it holds itself is no business of the reactor.
        if matches!((&self.carrier, watched), (Carrier::Tcp(_), false) | (Carrier::Unwatched(_), true)) {
            self.carrier = match std::mem::replace(&mut self.carrier, Carrier::Unwatched(Unwatched::default())) {
                Carrier::Tcp(stream) => Unwatched::instead_of(stream),
                Carrier::Unwatched(stream) => stream.watched(),
                #[cfg(feature = "tls")]
                Carrier::Tls(stream) => Carrier::Tls(stream),
            };
        }
    }
}
