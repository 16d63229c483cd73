//! What code under test holds of the network: streams, and listeners that give them.

use super::connection::EndKey;
use crate::{SimAdapter, scheduler::Core};
use anabranch_executor::{ByteStream, ConnectError, Endpoint, Network, StreamError};
use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

/// One end of a connection in the simulated network.
///
/// Dropping it without [`close`](anabranch_executor::ByteStreamExt::close) does what a system does to the connections of a
/// program that ends: what was written still goes out, unless something that was received had not been read, or
/// [`NetworkFaults::cut_on_drop`](crate::NetworkFaults::cut_on_drop) says otherwise: then the peer is sent a reset.
pub struct SimStream {
    core: Arc<Core>,
    end: EndKey,
}

impl fmt::Debug for SimStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStream").field("end", &self.end).finish_non_exhaustive()
    }
}

impl SimStream {
    /// Cuts the connection: the peer is sent a reset, and loses what it had not read.
    pub fn reset(self) {
        self.core.on_the_wire(|wire| wire.abandon(self.end));
    }
}

impl ByteStream for SimStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
        let mut waker = Some(cx.waker().clone());
        self.core.on_the_wire(|wire| wire.poll_read(self.end, buffer, &mut waker))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        let mut waker = Some(cx.waker().clone());
        self.core.on_the_wire(|wire| wire.poll_write(self.end, bytes, &mut waker))
    }

    /// What is written is on its way at once, so this waits for nothing.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Poll::Ready(self.core.on_the_wire(|wire| wire.flush(self.end)))
    }

    /// Waits for nothing: the FIN follows what was written.
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Poll::Ready(self.core.on_the_wire(|wire| wire.close(self.end)))
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        // Dropped where the state is not locked.
        let _wakers = self.core.on_the_wire(|wire| wire.release(self.end));
    }
}

impl Network for SimAdapter {
    type Stream = SimStream;

    /// Opens a connection to a host of the simulation, by name. [`Transport::Tls`] and [`Transport::WebSocket`] carry plain
    /// bytes here, as [`Transport::Tcp`] does: whoever listens sees what was written, and no certificate is looked at.
    ///
    /// A host that nobody has named is [`ConnectError::NameNotFound`]; a port where nobody listens is
    /// [`ConnectError::Refused`], after the packets' way there and back. When nobody answers, the attempt goes on until
    /// [`give_up_after`](crate::SimNetwork::give_up_after), and is then [`ConnectError::Unreachable`].
    ///
    /// [`Transport::Tcp`]: anabranch_executor::Transport::Tcp
    /// [`Transport::Tls`]: anabranch_executor::Transport::Tls
    /// [`Transport::WebSocket`]: anabranch_executor::Transport::WebSocket
    async fn connect(&self, endpoint: &Endpoint<'_>) -> Result<SimStream, ConnectError> {
        let end = self.core.on_the_wire(|wire| wire.open(self.host, endpoint.host, endpoint.port))?;
        let stream = SimStream { core: self.core.clone(), end };
        poll_fn(|cx| {
            let mut waker = Some(cx.waker().clone());
            self.core.on_the_wire(|wire| wire.poll_opened(end, &mut waker))
        })
        .await?;
        Ok(stream)
    }

    /// Finds nothing wrong: every transport is there, and none needs a certificate.
    fn check(&self, _: &Endpoint<'_>) -> Result<(), ConnectError> {
        Ok(())
    }
}

impl SimAdapter {
    /// Listens on a port of this adapter's host; port 0 is any that is free.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn listen(&self, port: u16) -> Result<SimListener, ListenError> {
        let key = self.core.on_the_wire(|wire| wire.listen(self.host, port))?;
        Ok(SimListener { core: self.core.clone(), key })
    }
}

/// A port on which connections are accepted; [`SimAdapter::listen`] gives it.
///
/// When it is dropped, connections that nobody accepted are reset, and later ones are refused.
pub struct SimListener {
    core: Arc<Core>,
    key: usize,
}

impl fmt::Debug for SimListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimListener").field("port", &self.port()).finish_non_exhaustive()
    }
}

impl SimListener {
    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.core.on_the_wire(|wire| wire.port(self.key))
    }

    /// Waits for the next connection, and says who it is from. Dropping the future loses no connection.
    ///
    /// # Errors
    /// [`ListenError::HostDown`] when the host has crashed since: this listener gives no more.
    pub async fn accept(&mut self) -> Result<(SimStream, SimPeer), ListenError> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// As [`accept`](Self::accept).
    ///
    /// # Errors
    /// [`ListenError::HostDown`].
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Result<(SimStream, SimPeer), ListenError>> {
        let mut waker = Some(cx.waker().clone());
        let accepted = self.core.on_the_wire(|wire| wire.poll_accept(self.key, &mut waker));
        accepted.map(|accepted| match accepted {
            Some((end, peer)) => Ok((SimStream { core: self.core.clone(), end }, peer)),
            None => Err(ListenError::HostDown),
        })
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        // What it held is dropped where the state is not locked.
        let _held = self.core.on_the_wire(|wire| wire.close_listener(self.key));
    }
}

/// Who has connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimPeer {
    /// Its host.
    pub host: Arc<str>,
    /// The port that it connects from.
    pub port: u16,
}

impl fmt::Display for SimPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a host does not listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ListenError {
    /// Somebody listens there already.
    #[error("somebody listens on this port of this host already: drop that listener, or take another port")]
    PortTaken,
    /// The host has crashed.
    #[error("this host has crashed: listen again after `network.restart(…)`")]
    HostDown,
}
