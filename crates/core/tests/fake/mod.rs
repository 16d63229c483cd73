//! A connector that connects to nothing: a test says what it answers, and hears what it was told.
#![allow(dead_code, reason = "each file of tests uses the parts that it needs")]

use anabranch_core::{
    Anabranch, BufferCfg, BuildErrors, Builder, Connection, ConnectionState, Connector, ConnectorBuilder,
    ConnectorConfig, ConnectorError, ConnectorStatus, HeapRecord, OutboundRoute, Producer, PublishError, Router,
    RouterBuilder, Running,
};
use anabranch_sim::{Sim, SimAdapter};
use std::sync::{Arc, Mutex, OnceLock};

/// A database without a connector.
pub fn without(sim: &Sim) -> Builder<SimAdapter> {
    Anabranch::builder().runtime(sim.adapter())
}

/// A database with one connector, which speaks `fake`.
pub fn database(sim: &Sim) -> (Builder<SimAdapter>, Handle) {
    let fake = New::of("fake");
    let handle = fake.handle.clone();
    (without(sim).with_connector(fake), Handle(handle))
}

pub fn build(sim: &mut Sim, builder: Builder<SimAdapter>) -> Result<Anabranch<SimAdapter>, BuildErrors> {
    sim.block_on(builder.build()).unwrap()
}

/// The errors of a database that does not build, in words.
pub fn errors(sim: &mut Sim, builder: Builder<SimAdapter>) -> Vec<String> {
    let errors = build(sim, builder).map(drop).unwrap_err();
    errors.errors().iter().map(ToString::to_string).collect()
}

/// The connector, once its database is built.
pub struct Handle(Arc<OnceLock<Arc<Fake>>>);

impl std::ops::Deref for Handle {
    type Target = Fake;
    fn deref(&self) -> &Fake {
        self.0.get().expect("the database was built")
    }
}

pub struct New {
    scheme: &'static str,
    handle: Arc<OnceLock<Arc<Fake>>>,
}

impl New {
    pub fn of(scheme: &'static str) -> Self {
        New { scheme, handle: Arc::default() }
    }
}

impl ConnectorBuilder<SimAdapter> for New {
    fn scheme(&self) -> &str {
        self.scheme
    }

    /// Refuses links whose addresses hold the word `refused`.
    fn build(&self, db: &Anabranch<SimAdapter>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        let inbound = db.collect_inbound_routes(self.scheme);
        assert!(db.collect_inbound_routes(self.scheme).is_empty(), "each is given out once");
        let outbound = db.collect_outbound_routes(self.scheme);
        let why = "this one is refused";
        let refused =
            (inbound.iter().filter(|route| route.resource().contains("refused")).map(|route| route.error(why))).chain(
                outbound.iter().filter(|route| route.resource().contains("refused")).map(|route| route.error(why)),
            );
        let refused: Vec<_> = refused.collect();
        if !refused.is_empty() {
            return Err(refused);
        }
        let closing = HeapRecord::new("closing", BufferCfg::SingleLatest).expect("a latest can always be made");
        let fake = Arc::new(Fake {
            connection: Connection::new(),
            router: RouterBuilder::from_routes(inbound).build(),
            outbound,
            says_close: closing.producer().expect("the first"),
            closing,
            state: Mutex::default(),
        });
        assert!(self.handle.set(fake.clone()).is_ok(), "it is built once");
        Ok(fake)
    }
}

pub struct Fake {
    connection: Connection,
    pub router: Router,
    pub outbound: Vec<OutboundRoute>,
    says_close: Producer<()>,
    closing: HeapRecord<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    answer: Answer,
    published: Vec<(String, String)>,
    events: Vec<String>,
    panics: usize,
}

/// What it answers when it shall publish.
#[derive(Debug, Clone, Copy, Default)]
pub enum Answer {
    #[default]
    Offline,
    Takes,
    /// It has room for so many.
    Room(usize),
    Refuses(PublishError),
}

impl Fake {
    pub fn answers(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
        let state = if matches!(answer, Answer::Offline) { ConnectionState::Offline } else { ConnectionState::Online };
        self.connection.says(state);
    }

    /// Panics when it is run, so often.
    pub fn panics(&self, times: usize) {
        self.state.lock().unwrap().panics = times;
    }

    /// The addresses and payloads that it took.
    pub fn published(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().published.clone()
    }

    /// The payloads alone.
    pub fn payloads(&self) -> Vec<String> {
        self.published().into_iter().map(|(_, payload)| payload).collect()
    }

    /// `runs`, `panics`, `is closed after N`, `ends`.
    pub fn events(&self) -> Vec<String> {
        self.state.lock().unwrap().events.clone()
    }
}

impl Connector for Fake {
    fn publish(&self, destination: &str, _: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        let mut state = self.state.lock().unwrap();
        match &mut state.answer {
            Answer::Offline => return Err(PublishError::NotConnected),
            Answer::Room(0) => return Err(PublishError::Full),
            Answer::Room(left) => *left -= 1,
            Answer::Takes => {}
            Answer::Refuses(error) => return Err(*error),
        }
        state.published.push((destination.into(), String::from_utf8_lossy(payload).into_owned()));
        Ok(())
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(self: Arc<Self>) -> Running {
        Box::pin(async move {
            let panics = {
                let mut state = self.state.lock().unwrap();
                let panics = state.panics > 0;
                state.panics -= usize::from(panics);
                state.events.push(if panics { "panics" } else { "runs" }.into());
                panics
            };
            assert!(!panics, "this connector was told to panic");
            self.closing.consumer().expect("a latest has room for each").next().await;
            self.state.lock().unwrap().events.push("ends".into());
        })
    }

    fn close(&self) {
        let mut state = self.state.lock().unwrap();
        let event = format!("is closed after {}", state.published.len());
        if state.events.last() != Some(&event) {
            state.events.push(event);
        }
        drop(state);
        self.says_close.produce(());
    }

    fn status(&self) -> ConnectorStatus {
        let mut status = ConnectorStatus::new("fake", "fake://here");
        if let Some(Ok(state)) = self.connection.watch().map(|mut watch| watch.try_recv()) {
            status.state = state;
        }
        status
    }
}
