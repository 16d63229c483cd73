//! Talks to the node that has a directory open, over its socket.

mod lines;
mod store;
mod transfer;

pub use lines::Written;
pub use store::{StoreClient, Which};
pub use transfer::Export;

use crate::socket;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue},
};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
};
use tokio::net::UnixStream;

/// A client of the node that has a directory open.
#[derive(Debug, Clone)]
pub struct Client {
    data: PathBuf,
}

/// Why the node did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is none.
    #[error("no node runs on {}: start one with `anabranch run`, with `data` set to that in its [node]", .0.display())]
    NotRunning(PathBuf),
    /// It is another user's.
    #[error("the node on {} is another user's: ask as that user", .0.display())]
    NotYours(PathBuf),
    /// It is there, and the connection to it broke.
    #[error("the node on {} does not answer ({why}): see its log", .data.display())]
    Gone {
        /// Its directory.
        data: PathBuf,
        /// Why.
        why: String,
    },
    /// It said no.
    #[error("{detail}")]
    Refused {
        /// The status.
        status: u16,
        /// The problem's code: `RECORD_NOT_FOUND`.
        code: String,
        /// What is wrong, and what to do.
        detail: String,
    },
}

impl ClientError {
    /// Whether what was asked for is not there, or not any more.
    pub fn is_not_found(&self) -> bool {
        matches!(self, ClientError::Refused { status: 404 | 410, .. })
    }
}

/// A problem document, as far as it is of use here.
#[derive(Deserialize)]
struct Problem {
    status: u16,
    code: String,
    detail: String,
}

impl From<Problem> for ClientError {
    fn from(Problem { status, code, detail }: Problem) -> Self {
        ClientError::Refused { status, code, detail }
    }
}

/// What a part of a path may hold as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Client {
    /// Of the node that has `data` open.
    pub fn of(data: impl Into<PathBuf>) -> Self {
        Client { data: data.into() }
    }

    /// Its directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Follows a record: a latest from its current value, others from now on.
    ///
    /// # Errors
    /// [`ClientError`]: there is no node, no such record, or no place for one more reader.
    pub async fn watch(&self, record: &str) -> Result<Watch, ClientError> {
        let path = format!("/v1/records/{}/events", utf8_percent_encode(record, PLAIN));
        let answer = self.ask(Method::GET, &path, Bytes::new()).await?;
        Ok(Watch::of(self, answer))
    }

    /// Asks for `path`, which may name a record, and gives the answer's body.
    ///
    /// # Errors
    /// As [`watch`](Self::watch).
    pub async fn get(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let answer = self.ask(Method::GET, path, Bytes::new()).await?;
        self.whole(answer.into_body()).await
    }

    /// Writes `json` into a record, and gives the answer's body.
    ///
    /// # Errors
    /// As [`watch`](Self::watch), and when the record is not shared.
    pub async fn put(&self, record: &str, json: impl Into<Bytes>) -> Result<Vec<u8>, ClientError> {
        let path = format!("/v1/records/{}", utf8_percent_encode(record, PLAIN));
        let answer = self.ask(Method::PUT, &path, json.into()).await?;
        self.whole(answer.into_body()).await
    }

    /// Whether a node has the directory open now, of this user or of another.
    pub fn is_running(&self) -> bool {
        let connected = std::os::unix::net::UnixStream::connect(socket::path(&self.data));
        connected.map_or_else(|error| error.kind() == io::ErrorKind::PermissionDenied, |_| true)
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        self.ask_with(method, path, None, Full::new(body).boxed()).await
    }

    async fn ask_with(
        &self,
        method: Method,
        path: &str,
        header: Option<(HeaderName, HeaderValue)>,
        body: BoxBody<Bytes, Infallible>,
    ) -> Result<Response<Incoming>, ClientError> {
        let stream = UnixStream::connect(socket::path(&self.data)).await.map_err(|error| match error.kind() {
            // The last is a path that is too long for a socket: no node can run there.
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::InvalidInput => {
                ClientError::NotRunning(self.data.clone())
            }
            io::ErrorKind::PermissionDenied => ClientError::NotYours(self.data.clone()),
            _ => self.gone(&error),
        })?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.gone(&error))?;
        // It ends when both the sender and the answer's body have gone; what breaks it is told by the body.
        tokio::spawn(async move { drop(connection.await) });
        let request =
            Request::builder().method(method).uri(path).header(HOST, "node").header(CONTENT_TYPE, "application/json");
        let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.body(body).map_err(|error| self.gone(&error))?;
        let answer = sender.send_request(request).await.map_err(|error| self.gone(&error))?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        let body = self.whole(answer.into_body()).await?;
        let problem: Problem = serde_json::from_slice(&body).map_err(|error| self.gone(&error))?;
        Err(problem.into())
    }

    async fn whole(&self, body: Incoming) -> Result<Vec<u8>, ClientError> {
        body.collect().await.map(|body| body.to_bytes().to_vec()).map_err(|error| self.gone(&error))
    }

    fn gone(&self, why: &dyn std::error::Error) -> ClientError {
        ClientError::Gone { data: self.data.clone(), why: why.to_string() }
    }
}

/// The values of a record, as they come.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    body: Incoming,
    read: Vec<u8>,
    ended: bool,
}

/// What is seen of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A value, as one JSON object: `{"record": …, "sequence": …, "time": …, "value": …}`.
    Value(String),
    /// The record was faster than its reader: `{"record": …, "missed": …}`.
    Lagged(String),
}

impl Watch {
    fn of(client: &Client, answer: Response<Incoming>) -> Self {
        Watch { client: client.clone(), body: answer.into_body(), read: Vec::new(), ended: false }
    }

    /// The next event; `None` when the record has closed, as it does when its node ends.
    ///
    /// # Errors
    /// [`ClientError::Gone`] when the node went away without a word.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        while !self.ended {
            if let Some(event) = self.take_event() {
                match event {
                    (name, data) if name == "value" => return Ok(Some(Event::Value(data))),
                    (name, data) if name == "lagged" => return Ok(Some(Event::Lagged(data))),
                    (name, _) => self.ended = name == "closed",
                }
                continue;
            }
            let frame = self.body.frame().await.transpose().map_err(|error| self.client.gone(&error))?;
            let frame = frame.ok_or_else(|| self.client.gone(&io::Error::from(io::ErrorKind::UnexpectedEof)))?;
            self.read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
        Ok(None)
    }

    /// The name and the data of the next event that was read whole.
    fn take_event(&mut self) -> Option<(String, String)> {
        let end = self.read.windows(2).position(|two| two == b"\n\n")?;
        let event: Vec<u8> = self.read.drain(..end + 2).collect();
        let event = String::from_utf8_lossy(&event);
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
        Some((field("event: "), field("data: ")))
    }
}
