//! The sockets of all streams, in a table: what the host gives out cannot leave its thread, so a stream holds the number of
//! its own, and the host's events say it.

use super::{
    host::{self, Event, WebSocket},
    inbox::Inbox,
};
use crate::{global::Keyed, poison, queue};
use anabranch_executor::{ConnectError, StreamError};
use js_sys::{Function, Uint8Array};
use slab::Slab;
use std::{
    cell::RefCell,
    task::{Context, Poll, Waker},
};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};

/// How much may wait for its reader. A WebSocket cannot be held back, so when more comes the connection is cut.
pub const UNREAD_AT_MOST: usize = 16 << 20;
/// Where it can be held back, that is done from here on.
const PAUSED_AT: usize = 256 * 1024;
/// How much may wait in the host to be sent before a writer has to wait.
const UNSENT_AT_MOST: f64 = 256.0 * 1024.0;
/// A write becomes one message, and some peers take no large ones.
const MESSAGE_AT_MOST: usize = 64 * 1024;

/// The one code of a close that a program may give when all is well.
const NORMAL: u16 = 1000;
const KINDS: [&str; 4] = ["open", "message", "error", "close"];

struct Socket {
    host: WebSocket,
    listener: Function,
    state: State,
    inbox: Inbox,
    paused: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Connecting,
    Failed(ConnectError),
    Open,
    /// The peer has closed it as one should.
    Ended,
    Cut(StreamError),
}

thread_local! {
    static SOCKETS: RefCell<Slab<Socket>> = const { RefCell::new(Slab::new()) };

    /// What the host calls, for every socket the same: it is told the socket's number.
    static HAPPENED: Closure<dyn Fn(u32, Event)> = Closure::new(happened);

    /// What stays with a socket that nobody holds any more: the package `ws` throws an error that nobody listens for.
    static IGNORED: Closure<dyn Fn()> = Closure::new(|| {});
}

/// Begins to connect.
pub fn open(constructor: &Function, url: &str, protocol: &str) -> Result<usize, JsValue> {
    let host = host::open(constructor, url, protocol)?;
    poison::at_last(close_all);
    let (key, listener) = SOCKETS.with_borrow_mut(|sockets| {
        let place = sockets.vacant_entry();
        let key = place.key();
        let listener = HAPPENED.with(|happened| {
            let happened: &Keyed = happened.as_ref().unchecked_ref();
            happened.bound(&JsValue::UNDEFINED, key as u32)
        });
        place.insert(Socket {
            host: host.clone().unchecked_into(),
            listener: listener.clone(),
            state: State::Connecting,
            inbox: Inbox::default(),
            paused: false,
            reader: None,
            writer: None,
        });
        (key, listener)
    });
    for kind in KINDS {
        host.listen(kind, &listener);
    }
    Ok(key)
}

/// Closes it, and forgets it: nothing of it calls in again.
pub fn forget(key: usize) {
    // The table is gone when the instance is.
    let forgotten = SOCKETS.try_with(|sockets| sockets.borrow_mut().try_remove(key));
    let Ok(Some(socket)) = forgotten else { return };
    for kind in KINDS {
        socket.host.ignore(kind, &socket.listener);
    }
    IGNORED.with(|ignored| socket.host.listen("error", ignored.as_ref().unchecked_ref()));
    // Else it would wait for a reader before it sees the peer's close.
    socket.unpause();
    let _ = socket.host.close(NORMAL); // it may be closed already
}

/// Closes all of them: the instance is poisoned, and a peer would go on sending to nobody.
fn close_all() {
    // The panic may have come while they were borrowed: then they stay, until the peer or the host closes them.
    let _ = SOCKETS.try_with(|sockets| {
        let Ok(sockets) = sockets.try_borrow() else { return };
        for (_, socket) in sockets.iter() {
            socket.unpause();
            // It may be closed already.
            let _ = socket.host.close(NORMAL);
        }
    });
}

/// Ready when it is open.
pub fn poll_open(key: usize, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
    with(key, |socket| match socket.state {
        State::Connecting => {
            socket.reader = Some(cx.waker().clone());
            Poll::Pending
        }
        State::Failed(error) => Poll::Ready(Err(error)),
        State::Open | State::Ended | State::Cut(_) => Poll::Ready(Ok(())),
    })
}

pub fn poll_read(key: usize, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
    with(key, |socket| {
        if socket.inbox.len() > 0 {
            let count = socket.inbox.read(buffer);
            if socket.paused && socket.inbox.len() < PAUSED_AT / 2 {
                socket.paused = false;
                socket.host.resume();
            }
            return Poll::Ready(Ok(count));
        }
        match socket.state {
            State::Ended => Poll::Ready(Ok(0)),
            State::Cut(error) => Poll::Ready(Err(error)),
            State::Connecting | State::Failed(_) | State::Open => {
                socket.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
}

/// Hands a part of `bytes` to the host, and says how much. Pending while too much waits there; no event says when that is over,
/// so whoever waits has to look again.
pub fn poll_write(key: usize, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
    let host = with(key, |socket| match socket.state {
        State::Cut(error) => Err(error),
        State::Open if socket.host.buffered_amount() >= UNSENT_AT_MOST => {
            socket.writer = Some(cx.waker().clone());
            Ok(None)
        }
        State::Open => Ok(Some(socket.host())),
        // It takes no more.
        State::Ended | State::Connecting | State::Failed(_) => Err(StreamError::Reset),
    })?;
    let Some(host) = host else { return Poll::Pending };
    let part = &bytes[..bytes.len().min(MESSAGE_AT_MOST)];
    // Copied: the package `ws` may look at what it was given later, when this memory has grown elsewhere.
    let sent = host.send(&Uint8Array::from(part));
    Poll::Ready(sent.map(|()| part.len()).map_err(|_| StreamError::Other))
}

/// Tells the peer that no more will come, after what was handed to the host.
pub fn close(key: usize) -> Result<(), StreamError> {
    let host = with(key, |socket| match socket.state {
        State::Cut(error) => Err(error),
        State::Ended | State::Failed(_) => Ok(None),
        State::Connecting | State::Open => Ok(Some(socket.host())),
    })?;
    match host {
        Some(host) => host.close(NORMAL).map_err(|_| StreamError::Other),
        None => Ok(()),
    }
}

fn with<T>(key: usize, work: impl FnOnce(&mut Socket) -> T) -> T {
    SOCKETS.with_borrow_mut(|sockets| work(&mut sockets[key]))
}

fn happened(key: u32, event: Event) {
    if poison::is_poisoned() {
        return;
    }
    let faulty = SOCKETS.with_borrow_mut(|sockets| {
        let socket = sockets.get_mut(key as usize)?;
        socket.take(&event);
        let room = socket.state != State::Open || socket.host.buffered_amount() < UNSENT_AT_MOST;
        let writer = if room { socket.writer.take() } else { None };
        for waker in [socket.reader.take(), writer].into_iter().flatten() {
            queue::wake(waker);
        }
        let faulty = matches!(socket.state, State::Cut(StreamError::Protocol | StreamError::Overrun));
        faulty.then(|| socket.host())
    });
    if let Some(host) = faulty {
        // Outside the borrow, as some host might tell of it at once. It may be closing already.
        let _ = host.close(NORMAL);
    }
}

impl Socket {
    fn take(&mut self, event: &Event) {
        match (event.kind().as_str(), self.state) {
            ("open", State::Connecting) => self.state = State::Open,
            ("message", State::Open) => self.receive(&event.data()),
            ("error", State::Connecting) => self.state = State::Failed(why_not_connected(event)),
            ("error", State::Open) => self.state = State::Cut(why_cut(event)),
            ("close", State::Connecting) => self.state = State::Failed(ConnectError::Unexplained),
            ("close", State::Open) => self.state = ended(event),
            _ => {}
        }
    }

    fn receive(&mut self, data: &JsValue) {
        let Some(bytes) = host::bytes(data) else { return self.cut(StreamError::Protocol) };
        let count = bytes.length() as usize;
        if self.inbox.len() + count > UNREAD_AT_MOST {
            return self.cut(StreamError::Overrun);
        }
        bytes.copy_to(self.inbox.grow(count));
        if self.inbox.len() >= PAUSED_AT && !self.paused && self.host.pauses() {
            self.paused = true;
            self.host.pause();
        }
    }

    /// Whoever called closes it.
    fn cut(&mut self, error: StreamError) {
        self.state = State::Cut(error);
        self.unpause();
    }

    /// The host's object, to be called when the table is not borrowed.
    fn host(&self) -> WebSocket {
        self.host.clone().unchecked_into()
    }

    fn unpause(&self) {
        if self.paused {
            self.host.resume();
        }
    }
}

/// What a close means, by its code.
fn ended(event: &Event) -> State {
    match (event.was_clean(), event.code()) {
        // Normal, "going away", and none.
        (true, NORMAL | 1001 | 1005) => State::Ended,
        // The peer says that what it was sent broke its rules: 1002 to 1010 do.
        (true, 1002..=1010) => State::Cut(StreamError::Protocol),
        _ => State::Cut(StreamError::Reset),
    }
}

/// Browsers tell nobody why; the package `ws` has the system's code.
fn why_not_connected(event: &Event) -> ConnectError {
    let told = host::text_at(event, &["error", "code"]).or_else(|| host::text_at(event, &["error", "message"]));
    match told.as_deref() {
        None => ConnectError::Unexplained,
        Some("ECONNREFUSED") => ConnectError::Refused,
        Some("ENOTFOUND" | "EAI_AGAIN") => ConnectError::NameNotFound,
        Some("EHOSTUNREACH" | "ENETUNREACH" | "EADDRNOTAVAIL" | "ETIMEDOUT") => ConnectError::Unreachable,
        Some("ENETDOWN") => ConnectError::NoNetwork,
        Some("CERT_HAS_EXPIRED" | "CERT_NOT_YET_VALID") => ConnectError::TlsExpired,
        Some("ERR_TLS_CERT_ALTNAME_INVALID") => ConnectError::TlsWrongName,
        Some(
            "DEPTH_ZERO_SELF_SIGNED_CERT"
            | "SELF_SIGNED_CERT_IN_CHAIN"
            | "UNABLE_TO_GET_ISSUER_CERT"
            | "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
            | "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        ) => ConnectError::TlsUntrusted,
        Some(_) => ConnectError::Handshake,
    }
}

fn why_cut(event: &Event) -> StreamError {
    match host::text_at(event, &["error", "code"]) {
        Some(code) if code.starts_with("WS_ERR_") => StreamError::Protocol,
        Some(code) if code == "ETIMEDOUT" => StreamError::TimedOut,
        _ => StreamError::Reset,
    }
}
