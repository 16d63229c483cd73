//! Connections in JavaScript hosts: binary messages of a WebSocket, as a stream of bytes.
//!
//! ```text
//!   poll_write ──▶ send(…), while `bufferedAmount` is small       message ──▶ inbox, 16 MiB at most ──▶ poll_read
//! ```
//!
//! A WebSocket cannot do all that TCP can. Messages come whether they are read or not: what is more than 16 MiB ahead of its
//! reader cuts the connection ([`StreamError::Overrun`]); the npm package `ws`, in Node, is held back long before. Closing ends
//! both directions: in browsers, what the peer still sends is not delivered. And browsers say to nobody why a connection could
//! not be had ([`ConnectError::Unexplained`]).

mod host;
mod inbox;
mod socket;

pub use host::use_web_socket;

use crate::{WasmAdapter, WasmSleep};
use anabranch_executor::{ByteStream, ConnectError, Endpoint, Network, Roots, StreamError, TimeSource, Tls, Transport};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use wasm_bindgen::JsValue;

/// How long a writer waits before it looks again whether the host has sent enough: no event tells.
const LOOK_AGAIN: Duration = Duration::from_millis(4);

/// An open connection in a JavaScript host. Dropping it closes it, and leaves nothing behind.
#[derive(Debug)]
pub struct WasmStream {
    socket: Socket,
    sending: Sending,
    /// While a writer waits.
    look_again: Option<WasmSleep>,
}

/// The number of a socket in the table; dropping it closes the socket.
#[derive(Debug)]
struct Socket(usize);

impl Drop for Socket {
    fn drop(&mut self) {
        socket::forget(self.0);
    }
}

/// Whether this side may still send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Open,
    Closed,
}

impl Network for WasmAdapter {
    type Stream = WasmStream;

    async fn connect(&self, endpoint: &Endpoint<'_>) -> Result<WasmStream, ConnectError> {
        let socket = begin(endpoint)?;
        poll_fn(|cx| socket::poll_open(socket.0, cx)).await?;
        Ok(WasmStream { socket, sending: Sending::Open, look_again: None })
    }

    fn check(&self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        url(endpoint)?;
        host::constructor().map(drop).ok_or(NO_WEB_SOCKET)
    }
}

const NO_WEB_SOCKET: ConnectError = ConnectError::Unsupported(
    "WebSocket of its own, as Node before 22: install the npm package `ws`, and hand its constructor to `use_web_socket`",
);

fn begin(endpoint: &Endpoint<'_>) -> Result<Socket, ConnectError> {
    let (url, protocol) = url(endpoint)?;
    let constructor = host::constructor().ok_or(NO_WEB_SOCKET)?;
    socket::open(&constructor, &url, protocol).map(Socket).map_err(|thrown| why_thrown(&thrown))
}

/// The URL of an endpoint, and the subprotocol that is asked for.
fn url<'a>(endpoint: &Endpoint<'a>) -> Result<(String, &'a str), ConnectError> {
    let (path, protocol, tls) = match endpoint.transport {
        Transport::WebSocket { path, protocol, tls } => (path, protocol, tls),
        Transport::Tcp => {
            return Err(ConnectError::Unsupported("TCP: give the broker a WebSocket listener, and use ws://"));
        }
        Transport::Tls(_) => {
            return Err(ConnectError::Unsupported(
                "TLS but that of WebSockets: give the broker a listener, and use wss://",
            ));
        }
        _ => return Err(ConnectError::Unsupported("transport of this kind")),
    };
    if tls.is_some_and(|Tls { roots, identity, server_name }| {
        roots != Roots::System || identity.is_some() || server_name.is_some()
    }) {
        return Err(ConnectError::Unsupported(
            "CA, certificate or server name of one's own: the browser has its own, and in Node a subclass of the package \
             `ws` can give them",
        ));
    }
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    let brackets = if endpoint.host.contains(':') { ["[", "]"] } else { ["", ""] };
    let root = if path.starts_with('/') { "" } else { "/" };
    let host = endpoint.host;
    Ok((format!("{scheme}://{}{host}{}:{}{root}{path}", brackets[0], brackets[1], endpoint.port), protocol))
}

/// What it means that the constructor threw.
fn why_thrown(thrown: &JsValue) -> ConnectError {
    match host::text_at(thrown, &["name"]).as_deref() {
        Some("SecurityError") => ConnectError::Unsupported(
            "such connection from this page: one that came by https needs wss://, and a Content-Security-Policy has to name \
             the broker in `connect-src`",
        ),
        Some("SyntaxError") => ConnectError::Other("the host, the port and the path make no URL"),
        _ => ConnectError::Other("the host's WebSocket cannot be made"),
    }
}

impl ByteStream for WasmStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        socket::poll_read(self.socket.0, cx, buffer)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        match self.sending {
            Sending::Closed => return Poll::Ready(Err(StreamError::Closed)),
            Sending::Open if bytes.is_empty() => return Poll::Ready(Ok(0)),
            Sending::Open => {}
        }
        loop {
            if let Poll::Ready(written) = socket::poll_write(self.socket.0, cx, bytes) {
                self.look_again = None;
                return Poll::Ready(written);
            }
            let sleep = self.look_again.get_or_insert_with(|| WasmAdapter.sleep(LOOK_AGAIN));
            ready!(Pin::new(sleep).poll(cx));
            self.look_again = None;
        }
    }

    /// A write hands its bytes to the host, which sends them.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        match self.sending {
            Sending::Open => {
                self.sending = Sending::Closed;
                Poll::Ready(socket::close(self.socket.0))
            }
            Sending::Closed => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(host: &str, transport: Transport<'_>) -> Result<String, ConnectError> {
        url(&Endpoint { host, port: 9001, transport }).map(|(url, _)| url)
    }

    fn web<'a>(path: &'a str, tls: Option<Tls<'a>>) -> Transport<'a> {
        Transport::WebSocket { path, protocol: "mqtt", tls }
    }

    #[test]
    fn an_endpoint_becomes_a_url() {
        assert_eq!(of("broker", web("/mqtt", None)).unwrap(), "ws://broker:9001/mqtt");
        assert_eq!(of("2001:db8::7", web("", Some(Tls::default()))).unwrap(), "wss://[2001:db8::7]:9001/");
    }

    #[test]
    fn what_a_browser_cannot_do_is_refused_for_good_and_says_what_to_do() {
        let own_ca = Tls { roots: Roots::Pem(b"-----"), ..Tls::default() };
        let named = Tls { server_name: Some("other"), ..Tls::default() };
        for (transport, told) in [
            (Transport::Tcp, "use ws://"),
            (Transport::Tls(Tls::default()), "use wss://"),
            (web("/", Some(own_ca)), "subclass"),
            (web("/", Some(named)), "subclass"),
        ] {
            let error = of("broker", transport).unwrap_err();
            assert!(error.is_permanent() && error.to_string().contains(told), "{error}");
        }
    }
}
