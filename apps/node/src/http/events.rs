//! A record's values as Server-Sent Events: `value` with its sequence number as id, `lagged`, and `closed` at the end.

use super::Answer;
use crate::records::{Follower, Numbered, Seen};
use anabranch_value::Value;
use http_body_util::BodyExt;
use hyper::{
    Response,
    body::{Body, Bytes, Frame},
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
};
use jiff::Timestamp;
use serde::Serialize;
use std::{
    convert::Infallible,
    fmt::Display,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many events may wait for the one who reads them. Then its cursor in the record waits, and lags as any other.
pub(super) const WAITING: usize = 16;

pub(super) fn answer(record: &str, follower: Follower) -> Answer {
    let (sender, receiver) = channel(WAITING);
    tokio::spawn(follow(record.to_owned(), follower, sender));
    body(receiver)
}

/// An answer that is the events that come.
pub(super) fn body(events: Receiver<Bytes>) -> Answer {
    let mut answer = Response::new(Events(events).boxed());
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Ends when the record closes, or nobody reads any more.
async fn follow(record: String, mut follower: Follower, to: Sender<Bytes>) {
    loop {
        let seen = tokio::select! {
            () = to.closed() => return,
            seen = follower.next() => seen,
        };
        let (event, last) = match seen {
            Seen::Value(Numbered { sequence, value }) => {
                let seen = Came { record: &record, sequence, time: now(), value: &value };
                (event("value", Some(&sequence), &seen), false)
            }
            Seen::Lagged(missed) => (event("lagged", None, &Lagged { record: &record, missed }), false),
            Seen::Closed => (event("closed", None, &Closed { record: &record }), true),
        };
        if to.send(event).await.is_err() || last {
            return;
        }
    }
}

#[derive(Serialize)]
struct Came<'a> {
    record: &'a str,
    sequence: u64,
    /// When the node handed it on.
    time: String,
    value: &'a Value,
}

#[derive(Serialize)]
struct Lagged<'a> {
    record: &'a str,
    missed: u64,
}

#[derive(Serialize)]
struct Closed<'a> {
    record: &'a str,
}

/// RFC 3339 in UTC, with all nine digits.
fn now() -> String {
    format!("{:.9}", Timestamp::now())
}

pub(super) fn event(name: &str, id: Option<&dyn Display>, data: &impl Serialize) -> Bytes {
    // JSON holds no line break, so it is one line of data.
    let data = serde_json::to_string(data).unwrap_or_default();
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    Bytes::from(format!("event: {name}\n{id}data: {data}\n\n"))
}

/// The body: events as they come.
struct Events(Receiver<Bytes>);

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
