//! What a node answers line by line: to writes that come one after another, and how far a check is.

use super::{Client, ClientError, Problem, StoreClient};
use crate::{
    http::NDJSON,
    shown::{self, Verified, Version},
};
use anabranch::store::Write;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Method,
    body::{Body, Bytes, Frame, Incoming},
    header::{ACCEPT, HeaderValue},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
};
use tokio::sync::mpsc::Receiver;

/// The versions of writes that are under way, in their order, each once it is durable.
#[derive(Debug)]
pub struct Written {
    lines: Lines,
    sent: Arc<Sent>,
    told: u64,
}

/// How many writes went out, and whether those were all.
#[derive(Debug, Default)]
struct Sent {
    writes: AtomicU64,
    all: AtomicBool,
}

/// A line that is what was asked for, or says why there is no more of it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told<T> {
    It(T),
    Problem(Problem),
}

/// What a check says.
#[derive(Deserialize)]
#[serde(untagged)]
enum Check {
    Checked { checked: u64 },
    Done(Verified),
}

impl StoreClient {
    /// Makes writes as they come, in their order, many under way at once: so they share the syncs of the disk. Whoever sends
    /// more than the answers that are read has to wait.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn write_each(&self, writes: Receiver<Write>) -> Result<Written, ClientError> {
        let sent = Arc::new(Sent::default());
        let body = Writes { from: writes, sent: sent.clone() }.boxed();
        let answer = self.0.ask_with(Method::POST, "/v1/store:lines", None, body).await?;
        Ok(Written { lines: Lines::of(&self.0, answer.into_body()), sent, told: 0 })
    }

    /// Proves every version. `progress` is told the versions so far.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<Verified, ClientError> {
        let lines = (ACCEPT, HeaderValue::from_static(NDJSON));
        let answer = self.0.ask_with(Method::GET, "/v1/verify", Some(lines), Empty::new().boxed()).await?;
        let mut lines = Lines::of(&self.0, answer.into_body());
        while let Some(said) = lines.next().await? {
            match said {
                Check::Checked { checked } => progress(checked),
                Check::Done(verified) => return Ok(verified),
            }
        }
        Err(lines.cut())
    }
}

impl Written {
    /// The version of the next write; none when all were made.
    ///
    /// # Errors
    /// [`ClientError::Refused`] where one could not be written: those that were told before are safe. [`ClientError::Gone`] when
    /// the node went away, or ended.
    pub async fn next(&mut self) -> Result<Option<Version>, ClientError> {
        if let Some(version) = self.lines.next().await? {
            self.told += 1;
            return Ok(Some(version));
        }
        let is_all = self.sent.all.load(Ordering::Acquire) && self.sent.writes.load(Ordering::Acquire) == self.told;
        if is_all { Ok(None) } else { Err(self.lines.cut()) }
    }
}

/// The lines of an answer, as they come.
#[derive(Debug)]
struct Lines {
    client: Client,
    body: Incoming,
    read: Vec<u8>,
    /// Up to here no line ends.
    searched: usize,
}

impl Lines {
    fn of(client: &Client, body: Incoming) -> Self {
        Lines { client: client.clone(), body, read: Vec::new(), searched: 0 }
    }

    async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(end) = self.read[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=self.searched + end).collect();
                self.searched = 0;
                return match serde_json::from_slice(&line).map_err(|error| self.client.gone(&error))? {
                    Told::It(it) => Ok(Some(it)),
                    Told::Problem(problem) => Err(problem.into()),
                };
            }
            self.searched = self.read.len();
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|error| self.client.gone(&error))?;
            self.read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
    }

    /// It has ended before its end.
    fn cut(&self) -> ClientError {
        self.client.gone(&io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

/// A body of writes, a line each, as they come.
struct Writes {
    from: Receiver<Write>,
    sent: Arc<Sent>,
}

impl Body for Writes {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.from.poll_recv(cx).map(|write| {
            let Some(write) = write else {
                self.sent.all.store(true, Ordering::Release);
                return None;
            };
            self.sent.writes.fetch_add(1, Ordering::AcqRel);
            // What cannot be written as JSON is refused there.
            let mut line = serde_json::to_vec(&shown::Write::from(&write)).unwrap_or_else(|_| b"{}".to_vec());
            line.push(b'\n');
            Some(Ok(Frame::data(line.into())))
        })
    }
}
