//! A connector for newline-delimited JSON over TCP: each line is `["sensors/kitchen",{"celsius":21.5}]`.
//!
//! It is written once over the runtime's `Network`, so it runs on every runtime that has one. The guide page "Write a
//! connector" goes through it step by step.
#![forbid(unsafe_code)]

use anabranch::prelude::*;
use anabranch::{
    Backoff, ByteStream, ByteStreamExt, Connection, ConnectionState, Connector, ConnectorBuilder, ConnectorConfig,
    ConnectorError, ConnectorStatus, Endpoint, Network, PublishError, Router, RouterBuilder, Running, Transport,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{collections::VecDeque, error::Error, future::poll_fn, pin::pin, task::Poll};

/// An address, and a value that stays as it came: the links decode it.
type Line<'a> = (&'a str, &'a serde_json::value::RawValue);

/// How many lines may wait to be sent.
const ROOM: usize = 256;
/// The longest line that is taken from the server, in bytes.
const LONGEST: usize = 256 * 1024;

/// Configures the connector: `LinesConnector::new("lines", "127.0.0.1", 7000)`.
pub struct LinesConnector {
    scheme: String,
    server: (String, u16),
}

impl LinesConnector {
    /// For the server at `host` and `port`, and the links that are written with `scheme`: `lines://…`, or
    /// `lines+name://…` where there are several of its kind.
    pub fn new(scheme: &str, host: &str, port: u16) -> Self {
        LinesConnector { scheme: scheme.into(), server: (host.into(), port) }
    }
}

impl<R: Runtime + SpawnDynamically + Network> ConnectorBuilder<R> for LinesConnector {
    fn scheme(&self) -> &str {
        &self.scheme
    }

    fn build(&self, db: &Anabranch<R>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        let status = ConnectorStatus::new(&*self.scheme, format!("{}:{}", self.server.0, self.server.1));
        Ok(Arc::new(Lines {
            runtime: db.runtime().clone(),
            server: self.server.clone(),
            router: RouterBuilder::from_routes(db.collect_inbound_routes(&self.scheme)).build(),
            connection: Connection::new(),
            state: Mutex::new(State { lines: VecDeque::new(), closed: false, status }),
            task: atomic_waker::AtomicWaker::new(),
        }))
    }
}

struct Lines<R> {
    runtime: R,
    server: (String, u16),
    router: Router,
    connection: Connection,
    state: Mutex<State>,
    /// Woken for a new line, and to end.
    task: atomic_waker::AtomicWaker,
}

/// What the task and those who publish share.
struct State {
    /// Lines that were taken and not sent yet.
    lines: VecDeque<Vec<u8>>,
    closed: bool,
    status: ConnectorStatus,
}

impl<R: Runtime + SpawnDynamically + Network> Connector for Lines<R> {
    fn publish(&self, destination: &str, _: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        let line = serde_json::from_slice(payload).and_then(|value| serde_json::to_vec::<Line>(&(destination, value)));
        let line = line.map_err(|_| PublishError::Unsupported("only JSON goes in a line"))?;
        let mut state = self.state();
        match state.status.state {
            _ if state.closed => return Err(PublishError::Closed),
            ConnectionState::Offline => return Err(PublishError::NotConnected),
            ConnectionState::Online if state.lines.len() >= ROOM => return Err(PublishError::Full),
            ConnectionState::Online => state.lines.push_back([&*line, b"\n"].concat()),
        }
        self.task.wake();
        Ok(())
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(self: Arc<Self>) -> Running {
        Box::pin(async move {
            let seed = self.runtime.unix_time().unwrap_or_default().subsec_nanos();
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60), seed.into());
            while let Err(why) = self.connect_and_talk(&mut backoff).await {
                self.is_now(ConnectionState::Offline, Some(why.to_string()));
                self.unless_over(self.runtime.sleep(backoff.pause())).await;
            }
        })
    }

    fn close(&self) {
        self.state().closed = true;
        self.task.wake();
    }

    fn status(&self) -> ConnectorStatus {
        let mut state = self.state();
        state.status.in_flight = state.lines.len();
        state.status.clone()
    }
}

impl<R: Runtime + SpawnDynamically + Network> Lines<R> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_now(&self, is: ConnectionState, why: Option<String>) {
        let mut state = self.state();
        state.status.state = is;
        state.status.connects += u64::from(is == ConnectionState::Online);
        state.status.last_error = why.or(state.status.last_error.take());
        self.connection.says(is);
    }

    /// What `work` gives, or nothing when it was closed and every line was handed over. A new line polls `work` again.
    async fn unless_over<F: Future>(&self, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            // Before `work` looks at the lines: one that comes in between wakes the task again.
            self.task.register(cx.waker());
            let polled = work.as_mut().poll(cx);
            let state = self.state();
            if state.closed && state.lines.is_empty() { Poll::Ready(None) } else { polled.map(Some) }
        })
        .await
    }

    /// One connection, until it is cut or all is over: moves lines both ways.
    async fn connect_and_talk(&self, backoff: &mut Backoff) -> Result<(), Box<dyn Error + Send + Sync>> {
        let endpoint = Endpoint { host: &self.server.0, port: self.server.1, transport: Transport::Tcp };
        let connecting = self.runtime.timeout(Duration::from_secs(10), self.runtime.connect(&endpoint));
        let Some(connected) = self.unless_over(connecting).await else { return Ok(()) };
        let mut stream = connected.map_err(|Elapsed| "nobody answered within 10 s")??;
        backoff.succeeded();
        self.is_now(ConnectionState::Online, None);
        let (mut sent, mut chunk, mut came) = (0, [0; 4096], Vec::new());
        loop {
            let reading = poll_fn(|cx| {
                let mut state = self.state();
                // A line stays until it is out whole, so that the next connection begins with it.
                while let Some(line) = state.lines.front()
                    && let Poll::Ready(wrote) = stream.poll_write(cx, &line[sent..])
                {
                    sent += wrote?;
                    if sent == line.len() {
                        if state.lines.len() == ROOM {
                            self.connection.says(ConnectionState::Online); // there is room again
                        }
                        state.lines.pop_front();
                        sent = 0;
                    }
                }
                let _when_it_can = stream.poll_flush(cx)?;
                stream.poll_read(cx, &mut chunk)
            });
            match self.unless_over(reading).await.transpose()? {
                None => return Ok(stream.close().await?),
                Some(0) => return Err("the server closed the connection".into()),
                Some(_) if came.len() > LONGEST => return Err(format!("a line has more than {LONGEST} bytes").into()),
                Some(read) => came.extend_from_slice(&chunk[..read]),
            }
            while let Some(end) = came.iter().position(|byte| *byte == b'\n') {
                let unrouted = match serde_json::from_slice::<Line>(&came[..end]) {
                    // The protocol has no acknowledgement: a queue that is full holds the connection up.
                    Ok((to, value)) => self.router.route(to, value.get().as_bytes()).done().await.is_unrouted(),
                    Err(_) => true,
                };
                self.state().status.unrouted += u64::from(unrouted);
                came.drain(..=end);
            }
        }
    }
}
