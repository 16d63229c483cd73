//! A broker at the other end of a stream: it takes all bytes at once, and answers when the network is let pass. It does as
//! little as a stream can, so that what is counted is what its user does.

use anabranch::{ByteStream, StreamError};
use core::{
    convert::Infallible,
    future::poll_fn,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    task::{Context, Poll, ready},
};
use embassy_sync::waitqueue::AtomicWaker;

/// How many values were published on any stream, ever.
pub static PUBLISHED: AtomicU32 = AtomicU32::new(0);
/// How many answers to them were read.
pub static ACKNOWLEDGED: AtomicU32 = AtomicU32::new(0);
/// How many bytes they took.
pub static BYTES: AtomicU32 = AtomicU32::new(0);

/// The broker has answered; that has not come through yet.
static ANSWERED: AtomicBool = AtomicBool::new(false);
static READABLE: AtomicBool = AtomicBool::new(false);
/// Of whoever reads.
static READER: AtomicWaker = AtomicWaker::new();

const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const SUBSCRIBE: u8 = 8;
const DISCONNECT: u8 = 14;

/// Lets the broker's answer through, if it has answered.
pub fn pass() {
    if ANSWERED.load(Relaxed) {
        ANSWERED.store(false, Relaxed);
        READABLE.store(true, Relaxed);
        READER.wake();
    }
}

/// A connection.
pub struct Stream {
    /// A packet that comes, as far as it has come.
    packet: [u8; 256],
    filled: usize,
    answer: [u8; 6],
    length: usize,
    /// The answer is to a value.
    acknowledges: bool,
    over: bool,
}

impl Stream {
    /// A new one; what the broker has answered on the last is gone.
    pub fn new() -> Self {
        ANSWERED.store(false, Relaxed);
        READABLE.store(false, Relaxed);
        Stream { packet: [0; 256], filled: 0, answer: [0; 6], length: 0, acknowledges: false, over: false }
    }

    fn take(&mut self, bytes: &[u8]) -> usize {
        let Some(place) = self.packet.get_mut(self.filled..self.filled + bytes.len()) else { return 0 };
        place.copy_from_slice(bytes);
        self.filled += bytes.len();
        let length = match self.packet {
            [_, length @ 0..0x80, ..] => 2 + usize::from(length),
            [_, low, high, ..] => 3 + (usize::from(low & 0x7f) | usize::from(high) << 7),
        };
        // No packet is shorter than two bytes, and none with a length of two bytes is shorter than 130.
        if self.filled >= 2 && self.filled >= length {
            self.packet(length);
        }
        bytes.len()
    }

    fn packet(&mut self, length: usize) {
        assert!(
            self.filled == length,
            "a write holds what follows a packet: the streams are measured with one at a time"
        );
        self.filled = 0;
        match self.packet[0] >> 4 {
            CONNECT => self.answer(&[0x20, 3, 0, 0, 0]),
            SUBSCRIBE => self.answer(&[0x90, 4, self.packet[2], self.packet[3], 0, 1]),
            PUBLISH => {
                PUBLISHED.store(PUBLISHED.load(Relaxed) + 1, Relaxed);
                BYTES.store(BYTES.load(Relaxed) + length as u32, Relaxed);
                if self.packet[0] & 0b0110 != 0 {
                    let id = 4 + usize::from(self.packet[3]);
                    self.acknowledges = true;
                    self.answer(&[0x40, 2, self.packet[id], self.packet[id + 1]]);
                }
            }
            DISCONNECT => {
                self.over = true;
                self.answer(&[]);
            }
            _ => {}
        }
    }

    fn answer(&mut self, bytes: &[u8]) {
        self.answer[..bytes.len()].copy_from_slice(bytes);
        self.length = bytes.len();
        ANSWERED.store(true, Relaxed);
    }

    fn give(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        if !READABLE.load(Relaxed) {
            READER.register(cx.waker());
            return Poll::Pending;
        }
        if self.over {
            return Poll::Ready(0);
        }
        let count = self.length.min(buffer.len());
        buffer[..count].copy_from_slice(&self.answer[..count]);
        self.answer.copy_within(count.., 0);
        self.length -= count;
        if self.length == 0 {
            READABLE.store(false, Relaxed);
            if core::mem::take(&mut self.acknowledges) {
                ACKNOWLEDGED.store(ACKNOWLEDGED.load(Relaxed) + 1, Relaxed);
            }
        }
        Poll::Ready(count)
    }
}

impl ByteStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
        Poll::Ready(Ok(ready!(self.give(cx, buffer))))
    }
    fn poll_write(&mut self, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        Poll::Ready(Ok(self.take(bytes)))
    }
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Poll::Ready(Ok(()))
    }
    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Poll::Ready(Ok(()))
    }
}

impl embedded_io_async::ErrorType for Stream {
    type Error = Infallible;
}

impl embedded_io_async::Read for Stream {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(poll_fn(|cx| self.give(cx, buffer)).await)
    }
}

impl embedded_io_async::Write for Stream {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(self.take(bytes))
    }
    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
