//! A line between a client and its broker: it can be cut, and it can go dead without a word.

use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

use crate::free_port;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    /// Connections are kept, new ones are taken, and nothing passes.
    Dead,
    /// There are no connections, and new ones are cut at once.
    Cut,
}

/// A line to a port of this machine. Dropping it cuts it.
pub struct Line {
    port: u16,
    state: Arc<watch::Sender<State>>,
    task: JoinHandle<()>,
}

impl Line {
    /// A line to `port`.
    pub async fn to(port: u16) -> Self {
        let here = free_port();
        let listener = TcpListener::bind(("127.0.0.1", here)).await.expect("a free port can be listened on");
        let state = Arc::new(watch::Sender::new(State::Up));
        let states = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, port, states.subscribe()));
            }
        });
        Self { port: here, state, task }
    }

    /// The port at its near end.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its near end is.
    pub fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.port)
    }

    /// Cuts all connections, and each new one.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Nothing passes any more, and nobody is told.
    pub fn goes_dead(&self) {
        self.state.send_replace(State::Dead);
    }

    /// All is well again. What a dead line was given passes now.
    pub fn mend(&self) {
        self.state.send_replace(State::Up);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn carry(near: TcpStream, port: u16, mut state: watch::Receiver<State>) {
    let (mut open, up, down) = (state.clone(), state.clone(), state.clone());
    let carried = async move {
        open.wait_for(|state| *state != State::Dead).await.ok()?;
        let far = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        for end in [&near, &far] {
            end.set_nodelay(true).ok()?;
        }
        let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
        tokio::join!(one_way(from_near, to_far, up), one_way(from_far, to_near, down));
        Some(())
    };
    tokio::select! {
        _ = state.wait_for(|state| *state == State::Cut) => {}
        _ = carried => {}
    }
}

async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let up = state.wait_for(|state| *state != State::Dead).await.is_ok();
        if !up || to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
