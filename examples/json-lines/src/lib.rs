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
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// One line. The value stays as it came: the links decode it.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    to: &'a str,
    #[serde(borrow)]
    value: &'a RawValue,
}

/// Configures the connector: `LinesConnector::new("127.0.0.1", 7000)`; its links are written `lines://…`.
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
        let routes = db.collect_inbound_routes(&self.scheme);
        let (lines, taken) = channel(256).map_err(|error| vec![ConnectorError::Config(error.to_string())])?;
        Ok(Arc::new(Lines {
            runtime: db.runtime().clone(),
            host: self.host.clone(),
            port: self.port,
            router: RouterBuilder::from_routes(routes).build(),
            connection: Connection::new(),
            taken,
            state: Mutex::new(State {
                lines: Some(lines),
                starved: false,
                status: ConnectorStatus::new(&*self.scheme, format!("{}:{}", self.host, self.port)),
            }),
        }))
    }
}

struct Lines<R> {
    runtime: R,
    host: String,
    port: u16,
    router: Router,
    connection: Connection,
    /// Lines that were taken and not sent yet.
    taken: Consumer<Vec<u8>>,
    state: Mutex<State>,
}

struct State {
    /// Where `publish` puts lines; none once closed.
    lines: Option<Producer<Vec<u8>>>,
    /// Whether somebody was told that there is no room.
    starved: bool,
    status: ConnectorStatus,
}

impl<R: Runtime + SpawnDynamically + Network> Connector for Lines<R> {
    fn publish(&self, destination: &str, _: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        let value =
            serde_json::from_slice(payload).map_err(|_| PublishError::Unsupported("only JSON goes in a line"))?;
        let line = Line { to: destination, value };
        let mut bytes = serde_json::to_vec(&line).map_err(|_| PublishError::Destination("it is no text"))?;
        bytes.push(b'\n');
        self.state(|state| {
            let Some(lines) = &state.lines else { return Err(PublishError::Closed) };
            if state.status.state == ConnectionState::Offline {
                return Err(PublishError::NotConnected);
            }
            lines.try_send(bytes).map(drop).map_err(|_| {
                state.starved = true;
                PublishError::Full
            })
        })
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(self: Arc<Self>) -> Running {
        Box::pin(async move { self.connect_again_and_again().await })
    }

    fn close(&self) {
        drop(self.state(|state| state.lines.take()));
    }

    fn status(&self) -> ConnectorStatus {
        let mut status = self.state(|state| state.status.clone());
        status.in_flight = self.taken.status().held;
        status
    }
}

impl<R: Runtime + SpawnDynamically + Network> Lines<R> {
    fn state<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn connect_again_and_again(&self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60), u64::from(self.port));
        let endpoint = Endpoint { host: &self.host, port: self.port, transport: Transport::Tcp };
        while self.state(|state| state.lines.is_some()) {
            let why = match self.runtime.timeout(Duration::from_secs(10), self.runtime.connect(&endpoint)).await {
                Ok(Ok(stream)) => {
                    backoff.succeeded();
                    self.state(|state| {
                        (state.status.state, state.status.connects) =
                            (ConnectionState::Online, state.status.connects + 1)
                    });
                    self.connection.says(ConnectionState::Online);
                    let Err(error) = self.talk(stream).await else { return };
                    error.to_string()
                }
                Ok(Err(error)) => error.to_string(),
                Err(Elapsed) => "nobody answered within 10 s".into(),
            };
            self.state(|state| (state.status.state, state.status.last_error) = (ConnectionState::Offline, Some(why)));
            self.connection.says(ConnectionState::Offline);
            self.runtime.sleep(backoff.pause()).await;
        }
    }

    /// Moves lines both ways until the connection is cut, or everything was sent after [`Connector::close`].
    async fn talk(&self, mut stream: R::Stream) -> Result<(), StreamError> {
        let (mut taken, mut out, mut chunk, mut came) = (self.taken.clone(), Vec::new(), [0; 4096], Vec::new());
        loop {
            let event = {
                let mut line = pin!(taken.next());
                poll_fn(|cx| {
                    while let (false, Poll::Ready(wrote)) = (out.is_empty(), stream.poll_write(cx, &out)) {
                        out.drain(..wrote?);
                    }
                    if let Poll::Ready(Err(error)) = stream.poll_flush(cx) {
                        return Poll::Ready(Err(error));
                    }
                    if let Poll::Ready(read) = stream.poll_read(cx, &mut chunk) {
                        return Poll::Ready(read.map(Event::Read));
                    }
                    // While there is much to write no more lines are taken: so publishing is told to wait.
                    if out.len() > 65_536 { Poll::Pending } else { line.as_mut().poll(cx).map(Event::Line).map(Ok) }
                })
                .await?
            };
            match event {
                Event::Read(0) => return Err(StreamError::Closed),
                Event::Read(read) => {
                    came.extend_from_slice(&chunk[..read]);
                    while let Some(end) = came.iter().position(|byte| *byte == b'\n') {
                        self.receive(&came[..end]).await;
                        came.drain(..=end);
                    }
                }
                Event::Line(Some(line)) => {
                    out.extend_from_slice(&line);
                    if self.state(|state| std::mem::take(&mut state.starved)) {
                        self.connection.says(ConnectionState::Online);
                    }
                }
                Event::Line(None) => {
                    stream.write_all(&out).await?;
                    return stream.close().await;
                }
            }
        }
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

enum Event {
    Read(usize),
    Line(Option<Vec<u8>>),
}
