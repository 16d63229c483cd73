//! Answers that come line by line, each a JSON object: writes that come so as well, and how far a check is.
//!
//! | route | answers |
//! |---|---|
//! | `POST /v1/store:lines` | takes a write a line, in their order and as many at once as come, and answers each with its version once it is durable |
//! | `GET /v1/verify` with `Accept: application/x-ndjson` | `{"checked": N}` now and then, and in the end what was found |
//!
//! What goes wrong then is the last line: a problem, as it would have been the answer.

use super::{Answer, Ending, Face, Lent, problem::Problem, store::LARGEST_VALUE, transfer::Pieces};
use crate::shown::{self, Verified, Version};
use anabranch::store::{Store, Ticket, Write};
use http_body_util::BodyExt;
use hyper::{
    Response, StatusCode,
    body::{Body, Bytes, Frame},
    header::{CONTENT_TYPE, HeaderValue},
};
use serde::Serialize;
use std::{error::Error, fmt::Display, pin::pin};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_blocking,
};

/// How many writes may be under way: they share the syncs of the disk.
const UNDER_WAY: usize = 1024;

/// How many lines may wait for a slow reader.
const WAITING: usize = 64;

/// What an answer of lines is.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// How far a check is.
#[derive(Serialize)]
struct Checked {
    checked: u64,
}

/// A line that came: it is on its way, or cannot be.
enum Taken {
    Write { namespace: String, key: String, ticket: Ticket },
    Wrong(Problem),
}

impl Face {
    pub(super) fn lines<B>(&self, body: B) -> Result<Answer, Problem>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let store = self.kept()?;
        let (to, taken) = channel(UNDER_WAY);
        let (answers, receiver) = channel(WAITING);
        tokio::spawn(take(store.clone(), body, to, self.ending.clone()));
        spawn_blocking(move || {
            tell(taken, &answers);
            drop(store);
        });
        Ok(answer(receiver))
    }

    /// Proves every version, and says meanwhile how far it is.
    pub(super) fn verify_aloud(&self) -> Result<Answer, Problem> {
        let store = self.kept()?;
        let (to, receiver) = channel(WAITING);
        spawn_blocking(move || {
            // Whoever reads slowly need not hear of each step.
            let mut progress = |checked| drop(to.try_send(line(&Checked { checked })));
            let last = match store.verify(&mut progress) {
                Ok(verified) => line(&Verified::from(verified)),
                Err(error) => line(&Problem::of_store(&error)),
            };
            // Whoever has left does not want it.
            let _ = to.blocking_send(last);
        });
        Ok(answer(receiver))
    }
}

fn answer(lines: Receiver<Frame<Bytes>>) -> Answer {
    let mut answer = Response::new(Pieces(lines).boxed());
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(NDJSON));
    answer
}

fn line(object: &impl Serialize) -> Frame<Bytes> {
    // A value is refused for its depth alone, and what came in was not too deep.
    let mut text = serde_json::to_vec(object).unwrap_or_default();
    text.push(b'\n');
    Frame::data(text.into())
}

/// Sets each line that comes on its way, until they end, one is wrong, nobody hears the answers any more, or the node ends.
async fn take<B>(store: Lent, body: B, to: Sender<Taken>, mut ending: Ending)
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let (mut body, mut read) = (pin!(body), Vec::new());
    loop {
        let frame = tokio::select! {
            () = to.closed() => return,
            // The sender says nothing but that it has gone.
            _ = ending.changed() => return,
            frame = body.frame() => frame.map(|frame| frame.map_err(|error| Problem::cut(&*error.into()))),
        };
        let is_end = frame.is_none();
        match frame {
            Some(Ok(frame)) => read.extend_from_slice(&frame.into_data().unwrap_or_default()),
            Some(Err(cut)) => {
                let _ = to.send(Taken::Wrong(cut)).await;
                return;
            }
            // The last line may have no end of its own.
            None => read.push(b'\n'),
        }
        let whole = read.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in read[..whole].split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            let taken = set_out(&store, line).unwrap_or_else(Taken::Wrong);
            let is_wrong = matches!(taken, Taken::Wrong(_));
            if to.send(taken).await.is_err() || is_wrong {
                return;
            }
        }
        read.drain(..whole);
        if read.len() > LARGEST_VALUE {
            let _ = to.send(Taken::Wrong(Problem::too_large(LARGEST_VALUE))).await;
            return;
        }
        if is_end {
            return;
        }
    }
}

fn set_out(store: &Store, line: &[u8]) -> Result<Taken, Problem> {
    let wrong = |why: &dyn Display| Problem::new(StatusCode::BAD_REQUEST, "INVALID_LINE", "A line is no write", why);
    let shown: shown::Write = serde_json::from_slice(line).map_err(|error| wrong(&error))?;
    let write: Write = shown.try_into().map_err(|error: String| wrong(&error))?;
    let (namespace, key) = (write.namespace().to_owned(), write.key().to_owned());
    let ticket = store.submit(vec![write]).map_err(|error| Problem::of_store(&error))?;
    Ok(Taken::Write { namespace, key, ticket })
}

/// Answers each once it is durable, in their order. On a thread that may wait for the disk.
fn tell(mut taken: Receiver<Taken>, to: &Sender<Frame<Bytes>>) {
    while let Some(taken) = taken.blocking_recv() {
        let written = match taken {
            Taken::Write { namespace, key, ticket } => match ticket.wait() {
                Ok(versions) => Ok(versions.into_iter().map(move |version| Version::of(&namespace, &key, version))),
                Err(error) => Err(Problem::of_store(&error)),
            },
            Taken::Wrong(problem) => Err(problem),
        };
        match written {
            Ok(mut versions) => {
                if versions.any(|version| to.blocking_send(line(&version)).is_err()) {
                    return;
                }
            }
            Err(problem) => {
                let _ = to.blocking_send(line(&problem));
                return;
            }
        }
    }
}
