//! The node: what a config describes, running until it is told to end.

use crate::{
    assemble::{Database, assemble},
    config::{Config, Faults, NamespaceSection},
    http::{Ending, Face, Lent},
    records::Records,
    shown::Retained,
    socket::{self, Owned, SocketError},
    stored,
};
use anabranch::{
    ConnectionState, Graph, LinkDirection, TokioAdapter,
    keep::{KeepStatus, StoreOf},
    store::{Store, StoreError},
};
use std::{
    fmt,
    future::Future,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::UnixListener, sync::watch, task::JoinSet};

/// A node, made of a config. It runs when it is told to: [`run`](Self::run).
pub struct Node {
    config: Config,
    db: Database,
    records: Arc<Records>,
    opened: Option<Opened>,
}

/// A node's directory, which is this node's, and what is in it.
struct Opened {
    socket: Owned,
    store: Store,
}

/// Why a node could not run.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// Its directory could not be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The store in its directory could not be opened.
    #[error("the store in {} cannot be opened: {source}", .data.display())]
    Store {
        /// The directory.
        data: PathBuf,
        /// Why not.
        source: Box<StoreError>,
    },
    /// Something had not ended in time and was cut off.
    #[error("this had not ended after {} s and was cut off; what was on its way there is lost: {}", .grace.as_secs(), .aborted.join(", "))]
    Aborted {
        /// What.
        aborted: Vec<String>,
        /// How long it had.
        grace: Duration,
    },
}

impl Node {
    /// Makes what `config` describes, and connects to nothing yet.
    ///
    /// # Errors
    /// Everything that is wrong with the config, together.
    pub async fn from_config(config: Config, runtime: TokioAdapter) -> Result<Self, Faults> {
        match assemble(&config, &runtime).await {
            Ok(db) => {
                let records = Arc::new(Records::of(&db));
                Ok(Node { config, db, records, opened: None })
            }
            Err(faults) => Err(Faults { file: config.file, faults }),
        }
    }

    /// The config's file.
    pub fn file(&self) -> &Path {
        &self.config.file
    }

    /// Its records and links, as data and as Mermaid text.
    pub fn graph(&self) -> &Graph {
        self.db.graph()
    }

    /// Where its socket is, when it runs; a node without a directory has none.
    pub fn socket(&self) -> Option<PathBuf> {
        self.config.data.as_deref().map(socket::path)
    }

    /// Takes its directory and opens the store in it, which [`run`](Self::run) does otherwise; a node without a directory has
    /// none.
    ///
    /// # Errors
    /// [`NodeError`] when the directory or its store cannot be had.
    pub async fn open(&mut self) -> Result<Option<&Store>, NodeError> {
        if let (None, Some(data)) = (&self.opened, &self.config.data) {
            let socket = Owned::take(data)?;
            let fails = |source| NodeError::Store { data: data.clone(), source: Box::new(source) };
            let store = stored::open(&self.config, &self.db, data).await.map_err(fails)?;
            // It has none yet, as it was not open.
            let _is_kept_in = self.db.set_store(store.clone());
            self.opened = Some(Opened { socket, store });
        }
        Ok(self.store())
    }

    /// The store in its directory, once it is [open](Self::open).
    pub fn store(&self) -> Option<&Store> {
        self.opened.as_ref().map(|opened| &opened.store)
    }

    /// How each kept record is doing.
    pub fn keeps(&self) -> Vec<KeepStatus> {
        self.db.keeps()
    }

    /// What its config holds that does nothing yet.
    pub fn not_active(&self) -> &[String] {
        &self.config.later
    }

    /// What it consists of, for people.
    pub fn summary(&self) -> impl fmt::Display {
        fmt::from_fn(|f| self.summarize(f))
    }

    fn summarize(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Config { connectors, records, links, namespaces, .. } = &self.config;
        for connector in connectors {
            writeln!(f, "connector {:<20} {}", format!("{}://", connector.scheme), without_secrets(&connector.url))?;
        }
        for record in records {
            let shared = if record.shared { ", shared" } else { "" };
            let buffer = record.buffer.map_or_else(String::new, |buffer| match buffer.capacity() {
                1 => buffer.kind().to_string(),
                capacity => format!("{} {capacity}", buffer.kind()),
            });
            writeln!(f, "record    {:<20} {buffer}{shared}", record.name)?;
            for KeepStatus { namespace, key, .. } in self.db.keeps().iter().filter(|keep| keep.record == record.name) {
                writeln!(f, "  keep    {namespace} as {key}")?;
            }
            for link in links.iter().filter(|link| link.record == record.name) {
                let arrow = if link.direction == LinkDirection::In { "from" } else { "to  " };
                writeln!(f, "  {arrow}    {} ({})", link.address, link.format)?;
            }
        }
        for NamespaceSection { name, retention } in namespaces {
            writeln!(f, "namespace {name:<20} keeps {}", Retained::of(name, *retention))?;
        }
        Ok(())
    }

    /// Runs until `until` has come, and then ends so that nothing on its way is lost.
    ///
    /// # Errors
    /// [`NodeError`] when its directory could not be had, or something did not end in time.
    pub async fn run(mut self, until: impl Future<Output = ()>) -> Result<(), NodeError> {
        self.open().await?;
        let Node { config, db, records, opened } = self;
        let name = config.name.as_deref().unwrap_or("the node");
        let Config { connectors, records: named, links, .. } = &config;
        let kept = named.iter().filter(|record| record.keep.is_some()).count();
        let counts = [(named.len(), "record"), (links.len(), "link"), (connectors.len(), "connector")];
        let counts = counts.map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }));
        tracing::info!("{name} starts: {}", counts.join(", "));
        if let (1.., Some(data)) = (kept, &config.data) {
            tracing::info!("{kept} of its records are kept, in the store in {}", data.display());
        }
        config.later.iter().for_each(|later| tracing::warn!("not active yet: {later}"));
        match &config.data {
            Some(data) => tracing::info!("it is talked to over {}", socket::path(data).display()),
            None => tracing::warn!("it has no socket, so nobody can watch it: set `data` in [node] for that"),
        }

        // They end with these: dropped, each task is aborted.
        let mut tellers = JoinSet::new();
        for connector in connectors {
            tellers.spawn(tell_of(db.clone(), connector.scheme.clone()));
        }
        let mut connections = JoinSet::new();
        let (answering, ending) = watch::channel(());
        db.start();
        let free = match &opened {
            Some(Opened { socket: Owned { listener, .. }, store }) => {
                let (lent, free) = Lent::new(store.clone());
                let face = Face {
                    name: config.name.clone(),
                    db: db.clone(),
                    records,
                    started: Instant::now(),
                    ending: ending.clone(),
                    store: Some(lent),
                };
                accept(listener, &Arc::new(face), &mut connections, &ending, until).await;
                Some(free)
            }
            None => {
                until.await;
                None
            }
        };

        tracing::info!("{name} ends: what is on its way goes on to its end, for {} s at most", GRACE.as_secs());
        tellers.shutdown().await;
        drop(answering);
        let aborted = db.shutdown(GRACE).await.aborted;
        // Who follows a record hears that it has closed.
        let heard = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, heard).await;
        connections.shutdown().await;
        // Whoever opens the directory when this has ended finds it free.
        if let Some(free) = free {
            let _ = tokio::time::timeout(GRACE, free.wait()).await;
        }
        if aborted.is_empty() {
            tracing::info!("{name} has ended");
            return Ok(());
        }
        Err(NodeError::Aborted { aborted, grace: GRACE })
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("config", &self.config).finish_non_exhaustive()
    }
}

/// How long an end may take.
const GRACE: Duration = Duration::from_secs(10);

/// How long those who follow a record have, after that, to hear that it has closed.
const FAREWELL: Duration = Duration::from_secs(1);

/// Answers who connects, until `until` has come.
async fn accept(
    listener: &UnixListener,
    face: &Arc<Face>,
    connections: &mut JoinSet<()>,
    ending: &Ending,
    until: impl Future<Output = ()>,
) {
    let mut until = pin!(until);
    loop {
        tokio::select! {
            () = &mut until => return,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((connection, _)) => {
                    connections.spawn(face.clone().serve(connection, ending.clone()));
                }
                Err(error) => {
                    // Too many open files, most likely: who is served now will close some.
                    tracing::warn!("a connection to the socket was not taken: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

/// How long no connection is taken after one could not be.
const PAUSE: Duration = Duration::from_millis(100);

/// Says when a connector is connected, and when it is not any more. Why not is said by itself, also before the first time.
async fn tell_of(db: Database, scheme: String) {
    let Some(mut states) = db.connection(&scheme) else { return };
    let mut said = ConnectionState::Offline;
    while let Some(state) = states.next().await {
        // Room after a full connection is said as `Online`, too.
        if state == said {
            continue;
        }
        said = state;
        let Some(status) = db.connectors().into_iter().find(|status| *status.scheme == *scheme) else { return };
        let peer = status.peer;
        match state {
            ConnectionState::Online => tracing::info!("{scheme}:// is connected to {peer}"),
            ConnectionState::Offline => {
                tracing::warn!("{scheme}:// has lost its connection to {peer}, and tries to have it again");
            }
        }
    }
}

/// A URL without what stands before `@`.
fn without_secrets(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host)),
        None => url.into(),
    }
}
