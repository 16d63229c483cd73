//! A node's store as a whole, asked for by the client.

use super::{Client, ClientError, StoreClient};
use crate::{
    http::EXPORTED,
    shown::{Exported, Imported},
};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Method,
    body::{Body, Bytes, Frame, Incoming},
    header::{HeaderValue, TE},
};
use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::mpsc::Receiver;

/// The file of a node's store, as it comes.
#[derive(Debug)]
pub struct Export {
    client: Client,
    body: Incoming,
    exported: Option<Exported>,
}

impl StoreClient {
    /// Begins to export.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export(&self) -> Result<Export, ClientError> {
        let trailers = (TE, HeaderValue::from_static("trailers"));
        let answer = self.0.ask_with(Method::GET, "/v1/export", Some(trailers), Empty::new().boxed()).await?;
        Ok(Export { client: self.0.clone(), body: answer.into_body(), exported: None })
    }

    /// Imports a file that comes in pieces.
    ///
    /// # Errors
    /// [`ClientError`], with status 422 where the file is none, or not whole: what came before is kept.
    pub async fn import(&self, file: Receiver<Bytes>) -> Result<Imported, ClientError> {
        let answer = self.0.ask_with(Method::POST, "/v1/import", None, Pieces(file).boxed()).await?;
        let body = self.0.whole(answer.into_body()).await?;
        serde_json::from_slice(&body).map_err(|error| self.0.gone(&error))
    }
}

impl Export {
    /// The next piece of the file; none at its end.
    ///
    /// # Errors
    /// [`ClientError::Gone`] when the node went away.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        while let Some(frame) = self.body.frame().await {
            match frame.map_err(|error| self.client.gone(&error))?.into_data() {
                Ok(piece) => return Ok(Some(piece)),
                Err(frame) => {
                    let told = frame.into_trailers().ok().and_then(|trailers| trailers.get(EXPORTED).cloned());
                    self.exported = told.and_then(|told| serde_json::from_slice(told.as_bytes()).ok());
                }
            }
        }
        Ok(None)
    }

    /// What the file holds, after its end.
    ///
    /// # Errors
    /// [`ClientError::Gone`] where the node could not write it to its end.
    pub fn exported(self) -> Result<Exported, ClientError> {
        self.exported.ok_or_else(|| self.client.gone(&io::Error::from(io::ErrorKind::UnexpectedEof)))
    }
}

/// A body of pieces, as they come.
struct Pieces(Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
