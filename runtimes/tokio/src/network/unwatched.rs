//! A TCP connection that Tokio's reactor does not watch, while whoever polls it looks again by itself.
//!
//! The reactor is told of each packet of bytes, and wakes a thread for it, whether a task waits or not. Where packets come fast,
//! that costs more than all that is done with them.

use super::Carrier;
use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    runtime::Handle,
};

/// A non-blocking connection, and the runtime whose reactor watched it.
#[derive(Debug, Default)]
pub(super) struct Unwatched {
    /// None when it could not be taken from the reactor, or given back: then it has failed.
    stream: Option<(TcpStream, Handle)>,
}

impl Unwatched {
    /// `stream` without the reactor; as it is, where no runtime is known that it could be given back to.
    pub(super) fn instead_of(stream: tokio::net::TcpStream) -> Carrier {
        match Handle::try_current() {
            Ok(runtime) => Carrier::Unwatched(Unwatched { stream: stream.into_std().ok().map(|s| (s, runtime)) }),
            Err(_) => Carrier::Tcp(stream),
        }
    }

    /// Gives it back to the reactor.
    pub(super) fn watched(self) -> Carrier {
        let stream = self.stream.and_then(|(stream, runtime)| {
            let _context = runtime.enter();
            tokio::net::TcpStream::from_std(stream).ok()
        });
        stream.map_or(Carrier::Unwatched(Unwatched::default()), Carrier::Tcp)
    }

    /// Acts once, and again if a signal came between. Pending wakes nobody.
    fn attempt<T>(&mut self, mut act: impl FnMut(&mut TcpStream) -> io::Result<T>) -> Poll<io::Result<T>> {
        let Some((stream, _)) = &mut self.stream else { return Poll::Ready(Err(ErrorKind::NotConnected.into())) };
        loop {
            match act(stream) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncRead for Unwatched {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buffer.initialize_unfilled();
        let read = std::task::ready!(self.attempt(|stream| stream.read(room)))?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Unwatched {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.attempt(|stream| stream.write(bytes))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // nothing is held back
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.attempt(|stream| stream.shutdown(Shutdown::Write))
    }
}
