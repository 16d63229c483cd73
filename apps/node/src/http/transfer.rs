//! The store as a whole: in one file that goes out or comes in as a stream, and proven.
//!
//! | route | answers |
//! |---|---|
//! | `GET /v1/export` | the file; with `TE: trailers` its trailer says what it holds |
//! | `POST /v1/import` | takes one, and says what was new |
//! | `GET /v1/verify` | proves every version, and names what is damaged; line by line, see `http/lines.rs` |
//!
//! A file that could not be written to its end is cut short, which an import finds.

use super::{Answer, Face, json_of, problem::Problem};
use crate::shown::{Exported, Imported, Verified};
use anabranch::store::{Store, StoreError};
use http_body_util::BodyExt;
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Body, Bytes, Frame},
    header::{CONTENT_TYPE, HeaderName, HeaderValue, TRAILER},
};
use std::{
    convert::Infallible,
    error::Error,
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_blocking,
};

/// How many pieces may wait for a slow reader, or a slow disk.
const WAITING: usize = 4;

/// The trailer that says what an export holds.
pub(crate) const EXPORTED: &str = "anabranch-exported";

/// A trailer may be 16 KB with all that is around it; so much of it names damage.
const NAMED: usize = 12 << 10;

impl Face {
    pub(super) fn export(&self) -> Result<Answer, Problem> {
        let store = self.kept()?;
        let (sender, receiver) = channel(WAITING);
        spawn_blocking(move || export(&store, &sender));
        let mut answer = Response::new(Pieces(receiver).boxed());
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(TRAILER, HeaderValue::from_static(EXPORTED));
        Ok(answer)
    }

    pub(super) async fn import<B>(&self, body: B) -> Result<Answer, Problem>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let store = self.kept()?;
        let (sender, receiver) = channel(WAITING);
        let importing = spawn_blocking(move || import(&store, receiver));
        let mut body = pin!(body);
        // To its end, also where the import has failed: who still sends does not hear an answer.
        while let Some(frame) = body.frame().await {
            let piece = match frame {
                Ok(frame) => Ok(frame.into_data().unwrap_or_default()),
                Err(error) => Err(error.into().to_string()),
            };
            let is_broken = piece.is_err();
            let _ = sender.send(piece).await;
            if is_broken {
                break;
            }
        }
        drop(sender);
        let imported = importing.await.unwrap_or(Err(StoreError::WriterPanicked));
        let imported = imported.map_err(|error| Problem::of_store(&error))?;
        Ok(json_of(StatusCode::OK, &imported))
    }

    pub(super) async fn verify(&self) -> Result<Answer, Problem> {
        let store = self.kept()?;
        let verified = spawn_blocking(move || store.verify(&mut |_| ())).await;
        let verified =
            verified.unwrap_or(Err(StoreError::WriterPanicked)).map_err(|error| Problem::of_store(&error))?;
        Ok(json_of(StatusCode::OK, &Verified::from(verified)))
    }
}

fn export(store: &Store, to: &Sender<Frame<Bytes>>) {
    let mut sink = |bytes: &[u8]| {
        let sent = to.blocking_send(Frame::data(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| "its reader has left".to_owned())
    };
    let mut exported = match store.export(&mut sink, &mut |_| ()) {
        Ok(exported) => Exported::from(exported),
        Err(error) => return tracing::warn!("an export ended before its end: {error}"),
    };
    let mut room = NAMED;
    let fits = |damage: &crate::shown::Damage| {
        room = room.saturating_sub(serde_json::to_string(damage).map_or(NAMED, |text| text.len()));
        room > 0
    };
    exported.damages = exported.damages.into_iter().take_while(fits).collect();
    let text = serde_json::to_vec(&exported).unwrap_or_default();
    if let Ok(value) = HeaderValue::from_bytes(&text) {
        // Whoever has left has the file, or does not want it.
        let _ = to.blocking_send(Frame::trailers(HeaderMap::from_iter([(HeaderName::from_static(EXPORTED), value)])));
    }
}

fn import(store: &Store, mut from: Receiver<Result<Bytes, String>>) -> Result<Imported, StoreError> {
    let mut piece = Bytes::new();
    let mut source = |buffer: &mut [u8]| {
        while piece.is_empty() {
            match from.blocking_recv() {
                Some(next) => piece = next?,
                None => return Ok(0),
            }
        }
        let length = piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&piece.split_to(length));
        Ok(length)
    };
    Ok(store.import(&mut source, &mut |_| ())?.into())
}

/// A body of pieces, as they come.
pub(super) struct Pieces(pub(super) Receiver<Frame<Bytes>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}
