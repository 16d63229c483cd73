//! A node that runs beside a test, and is ended by it.

use anabranch::TokioAdapter;
use anabranch_node::{Client, ClientError, Config, Node, NodeError};
use std::{path::Path, time::Duration};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

/// Longer than anything takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

/// A node whose data is in `data` of a directory; what else its config says is `more`, which begins in the section `[node]`.
pub async fn node(directory: &Path, more: &str) -> Node {
    let text = format!("[node]\ndata = 'data'\n{more}");
    let config = Config::parse(&directory.join("anabranch.toml"), &text);
    Node::from_config(config, TokioAdapter::current().expect("this runs on Tokio")).await.expect("it is good")
}

/// A node that answers.
pub struct Running {
    pub client: Client,
    pub end: oneshot::Sender<()>,
    pub ended: JoinHandle<Result<(), NodeError>>,
}

impl Running {
    /// Runs a node of a directory until it answers.
    pub async fn start(node: Node, directory: &Path) -> Self {
        let client = Client::of(directory.join("data"));
        let (end, told) = oneshot::channel();
        let ended = tokio::spawn(node.run(async { drop(told.await) }));
        while matches!(client.get("/healthz").await, Err(ClientError::NotRunning(_))) {
            tokio::task::yield_now().await;
        }
        Running { client, end, ended }
    }

    /// Ends it, and well.
    pub async fn end(self) {
        drop(self.end);
        timeout(LONG, self.ended).await.expect("it ends").expect("it does not panic").expect("it ends well");
    }
}
