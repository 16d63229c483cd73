//! A connector for newline-delimited JSON over TCP: each line is `{"to":"sensors/kitchen","value":{"celsius":21.5}}`.
//!
//! It is written once over the runtime's `Network`, so it runs on every runtime that has one. The guide page "Write a
//! connector" goes through it step by step.
#![forbid(unsafe_code)]

use anabranch::prelude::*;
use anabranch::{
    Backoff, ByteStream, ByteStreamExt, Connection, ConnectionState, Connector, ConnectorBuilder, ConnectorConfig,
    ConnectorError, ConnectorStatus, Endpoint, Network, PublishError, Router, RouterBuilder, Running, StreamError,
    Transport,
};
use atomic_waker::AtomicWaker;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::{collections::VecDeque, error::Error, future::poll_fn, mem::take, pin::pin};

/// One line. The value stays as it came: the links decode it.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    to: &'a str,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// How many lines may wait to be sent.
const ROOM: usize = 256;
/// The longest line that is taken from the server, in bytes.
const LONGEST: usize = 256 * 1024;

/// Configures the connector: `LinesConnector::new("127.0.0.1", 7000)`; its links are written `lines://…`.
#[derive(Clone)]
pub struct LinesConnector {
    host: String,
    port: u16,
    scheme: String,
}

impl LinesConnector {
    /// For the server at `host` and `port`.
    pub fn new(host: &str, port: u16) -> Self {
        LinesConnector { host: host.into(), port, scheme: "lines".into() }
    }

    /// Tells it from others of its kind: its links are then written `lines+name://…`.
    pub fn name(self, name: &str) -> Self {
        LinesConnector { scheme: format!("lines+{name}"), ..self }
    }
}

impl<R: Runtime + SpawnDynamically + Network> ConnectorBuilder<R> for LinesConnector {
    fn scheme(&self) -> &str {
        &self.scheme
    }

    fn build(&self, db: &Anabranch<R>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        let status = ConnectorStatus::new(&*self.scheme, format!("{}:{}", self.host, self.port));
        Ok(Arc::new(Lines {
            runtime: db.runtime().clone(),
            config: self.clone(),
            router: RouterBuilder::from_routes(db.collect_inbound_routes(&self.scheme)).build(),
            connection: Connection::new(),
            state: Mutex::new(State { lines: VecDeque::new(), starved: false, closed: false, status }),
            task: AtomicWaker::new(),
        }))
    }
}

struct Lines<R> {
    runtime: R,
    config: LinesConnector,
    router: Router,
    connection: Connection,
    state: Mutex<State>,
    /// Woken for a new line, and to end.
    task: AtomicWaker,
}

/// What the task and those who publish share.
struct State {
    /// Lines that were taken and not sent yet.
    lines: VecDeque<Vec<u8>>,
    /// Whether somebody was told that there is no room.
    starved: bool,
    closed: bool,
    status: ConnectorStatus,
}

impl<R: Runtime + SpawnDynamically + Network> Connector for Lines<R> {
    fn publish(&self, destination: &str, _: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        let no_json = |_| PublishError::Unsupported("only JSON goes in a line");
        let line = Line { to: destination, value: serde_json::from_slice(payload).map_err(no_json)? };
        let mut bytes = serde_json::to_vec(&line).map_err(no_json)?;
        bytes.push(b'\n');
        self.state(|state| match state.status.state {
            _ if state.closed => Err(PublishError::Closed),
            ConnectionState::Offline => Err(PublishError::NotConnected),
            ConnectionState::Online if state.lines.len() >= ROOM => {
                state.starved = true;
                Err(PublishError::Full)
            }
            ConnectionState::Online => {
                state.lines.push_back(bytes);
                Ok(())
            }
        })?;
        self.task.wake();
        Ok(())
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(self: Arc<Self>) -> Running {
        Box::pin(async move { self.connect_again_and_again().await })
    }

    fn close(&self) {
        self.state(|state| state.closed = true);
        self.task.wake();
    }

    fn status(&self) -> ConnectorStatus {
        self.state(|state| {
            state.status.in_flight = state.lines.len();
            state.status.clone()
        })
    }
}

impl<R: Runtime + SpawnDynamically + Network> Lines<R> {
    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether it was closed and everything was sent; else `cx` is woken for the next line, and when it is closed.
    fn is_over(&self, cx: &Context<'_>) -> bool {
        self.task.register(cx.waker());
        self.state(|state| state.closed && state.lines.is_empty())
    }

    async fn connect_again_and_again(&self) {
        let seed = self.runtime.unix_time().unwrap_or_default().subsec_nanos();
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60), seed.into());
        let endpoint = Endpoint { host: &self.config.host, port: self.config.port, transport: Transport::Tcp };
        loop {
            let connecting = self.runtime.timeout(Duration::from_secs(10), self.runtime.connect(&endpoint));
            let why = match self.unless_over(connecting).await {
                None => return,
                Some(Ok(Ok(mut stream))) => {
                    backoff.succeeded();
                    self.is_now(ConnectionState::Online, None);
                    let Err(error) = self.talk(&mut stream).await else { return };
                    error.to_string()
                }
                Some(Ok(Err(error))) => error.to_string(),
                Some(Err(Elapsed)) => "nobody answered within 10 s".into(),
            };
            self.is_now(ConnectionState::Offline, Some(why));
            if self.unless_over(self.runtime.sleep(backoff.pause())).await.is_none() {
                return;
            }
        }
    }

    /// What `work` gives, or nothing when all is over before.
    async fn unless_over<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|cx| if self.is_over(cx) { Poll::Ready(None) } else { work.as_mut().poll(cx).map(Some) }).await
    }

    fn is_now(&self, is: ConnectionState, why: Option<String>) {
        self.state(|State { status, .. }| {
            status.state = is;
            status.connects += u64::from(is == ConnectionState::Online);
            status.last_error = why.or(status.last_error.take());
        });
        self.connection.says(is);
    }

    /// Moves lines both ways until the connection is cut, or everything was sent after [`Connector::close`].
    async fn talk(&self, stream: &mut R::Stream) -> Result<(), Box<dyn Error + Send + Sync>> {
        let (mut sent, mut chunk, mut came) = (0, [0; 4096], Vec::new());
        loop {
            let read = poll_fn(|cx| {
                self.write(cx, stream, &mut sent)?;
                if stream.poll_flush(cx)?.is_ready() && self.is_over(cx) {
                    return Poll::Ready(Ok(None));
                }
                stream.poll_read(cx, &mut chunk).map_ok(Some)
            });
            match read.await? {
                None => return Ok(stream.close().await?),
                Some(0) => return Err("the server closed the connection".into()),
                Some(read) => came.extend_from_slice(&chunk[..read]),
            }
            while let Some(end) = came.iter().position(|byte| *byte == b'\n') {
                self.receive(&came[..end]).await;
                came.drain(..=end);
            }
            if came.len() > LONGEST {
                return Err(format!("the server sent a line of more than {LONGEST} bytes").into());
            }
        }
    }

    /// Hands over what the stream takes now. `sent` bytes of the first line went out on this connection: a line stays until it
    /// is out whole, so that the next connection begins with it.
    fn write(&self, cx: &mut Context<'_>, stream: &mut R::Stream, sent: &mut usize) -> Result<(), StreamError> {
        // Before looking: a line that comes in between wakes the task again.
        self.task.register(cx.waker());
        let room = self.state(|state| -> Result<bool, StreamError> {
            while let Some(line) = state.lines.front()
                && let Poll::Ready(wrote) = stream.poll_write(cx, &line[*sent..])
            {
                *sent += wrote?;
                if *sent == line.len() {
                    state.lines.pop_front();
                    *sent = 0;
                }
            }
            Ok(state.lines.len() < ROOM && take(&mut state.starved))
        })?;
        if room {
            self.connection.says(ConnectionState::Online);
        }
        Ok(())
    }

    async fn receive(&self, line: &[u8]) {
        let unrouted = match serde_json::from_slice::<Line>(line) {
            // The protocol has no acknowledgement: a queue that is full holds the connection up.
            Ok(line) => self.router.route(line.to, line.value.get().as_bytes()).done().await.is_unrouted(),
            Err(_) => true,
        };
        self.state(|state| state.status.unrouted += u64::from(unrouted));
    }
}
