//! What the client asks of the node's store.

use super::{Client, ClientError, PLAIN, Watch};
use crate::shown::{self, Diff, Page, Stats, Trace, Version};
use anabranch::store::{Expected, Moment, Timestamp, VersionId, Write};
use anabranch_value::json;
use http_body_util::{BodyExt, Empty, Full};
use hyper::{
    Method,
    body::Bytes,
    header::{ACCEPT, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};
use percent_encoding::utf8_percent_encode;
use serde::{Deserialize, de::DeserializeOwned};
use std::fmt::{Display, Write as _};

/// The store of the node that has a directory open.
#[derive(Debug, Clone)]
pub struct StoreClient(pub(super) Client);

impl Client {
    /// Its store.
    pub fn store(&self) -> StoreClient {
        StoreClient(self.clone())
    }
}

/// Which version of a key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Which {
    /// The newest.
    #[default]
    Newest,
    /// The newest at or before a time.
    At(Timestamp),
    /// The one of this id.
    Version(VersionId),
}

/// The part of a node's stats that is about its store.
#[derive(Deserialize)]
struct OfStore {
    store: Option<Stats>,
}

fn text(moment: Moment) -> String {
    match moment {
        Moment::At(at) => at.to_string(),
        Moment::Version(id) => id.to_string(),
    }
}

/// A path with what stands behind its `?`.
struct Asking(String, char);

impl Asking {
    fn of(parts: &[&str]) -> Self {
        let mut path = String::from("/v1");
        for part in parts {
            path.push('/');
            path.extend(utf8_percent_encode(part, PLAIN));
        }
        Asking(path, '?')
    }

    fn with(mut self, name: &str, value: Option<impl Display>) -> Self {
        if let Some(value) = value {
            let (before, value) = (std::mem::replace(&mut self.1, '&'), value.to_string());
            // Text takes all that is written to it.
            let _ = write!(self.0, "{before}{name}={}", utf8_percent_encode(&value, PLAIN));
        }
        self
    }
}

/// Each fails with [`ClientError`]: there is no node, or it said no.
impl StoreClient {
    /// A version of a key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn get(&self, namespace: &str, key: &str, which: Which) -> Result<Version, ClientError> {
        let asking = Asking::of(&["store", namespace, key]);
        self.read(match which {
            Which::Newest => asking,
            Which::At(at) => asking.with("at", Some(at)),
            Which::Version(id) => asking.with("version", Some(id)),
        })
        .await
    }

    /// Makes a write, and gives the version.
    ///
    /// # Errors
    /// [`ClientError`], with status 412 where what is there is not what was expected.
    pub async fn write(&self, write: &Write) -> Result<Version, ClientError> {
        let header = |name, value: &str| HeaderValue::try_from(value).map(|value| (name, value)).ok();
        let compared: Option<(HeaderName, HeaderValue)> = match write.expected() {
            Expected::Any => None,
            Expected::Absent => header(IF_NONE_MATCH, "*"),
            Expected::Version(id) => header(IF_MATCH, &format!("\"{id}\"")),
        };
        let causes: Vec<String> = write.causes().iter().map(ToString::to_string).collect();
        let causes = (!causes.is_empty()).then(|| causes.join(","));
        let asking = Asking::of(&["store", write.namespace(), write.key()]);
        match write.value() {
            Some(value) => {
                let value = json::to_vec(value).map_err(|error| self.0.gone(&error))?;
                self.ask(Method::PUT, asking.with("because", causes), compared, value.into()).await
            }
            None => self.ask(Method::DELETE, asking, compared, Bytes::new()).await,
        }
    }

    /// Makes all of several writes of different keys at once, or none of them.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn write_batch(&self, writes: &[Write]) -> Result<Vec<Version>, ClientError> {
        let shown: Vec<shown::Write> = writes.iter().map(Into::into).collect();
        let body = serde_json::to_vec(&shown).map_err(|error| self.0.gone(&error))?;
        let batch = Asking("/v1/store:batch".into(), '?');
        let Page { items, .. } = self.ask(Method::POST, batch, None, body.into()).await?;
        Ok(items)
    }

    /// The versions of a key at or before a time, the newest first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn history(
        &self,
        namespace: &str,
        key: &str,
        at: Option<Timestamp>,
        limit: usize,
    ) -> Result<Page<Version>, ClientError> {
        self.read(Asking::of(&["store", namespace, key, "history"]).with("at", at).with("limit", Some(limit))).await
    }

    /// The namespaces.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn namespaces(
        &self,
        at: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, ClientError> {
        self.read(Asking::of(&["store"]).with("at", at).with("after", after).with("limit", Some(limit))).await
    }

    /// The keys of a namespace that begin with `prefix`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn keys(
        &self,
        namespace: &str,
        prefix: &str,
        at: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<String>, ClientError> {
        let asking = Asking::of(&["store", namespace]).with("prefix", Some(prefix)).with("at", at).with("after", after);
        self.read(asking.with("limit", Some(limit))).await
    }

    /// What changed between two versions of a key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn diff(&self, namespace: &str, key: &str, from: Moment, to: Moment) -> Result<Diff, ClientError> {
        let asking = Asking::of(&["store", namespace, key, "diff"]);
        self.read(asking.with("from", Some(text(from))).with("to", Some(text(to)))).await
    }

    /// A version by its id alone.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn find_version(&self, id: &VersionId) -> Result<Version, ClientError> {
        self.read(Asking::of(&["versions", &id.to_string()])).await
    }

    /// What a version was made from, and so on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn why(&self, id: &VersionId, limit: usize) -> Result<Trace, ClientError> {
        self.read(Asking::of(&["versions", &id.to_string(), "why"]).with("limit", Some(limit))).await
    }

    /// What was made from a version, and so on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn effects(&self, id: &VersionId, limit: usize) -> Result<Trace, ClientError> {
        self.read(Asking::of(&["versions", &id.to_string(), "effects"]).with("limit", Some(limit))).await
    }

    /// How much there is; none where the node keeps no store.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stats(&self) -> Result<Option<Stats>, ClientError> {
        let OfStore { store } = self.read(Asking::of(&["stats"])).await?;
        Ok(store)
    }

    /// Follows what is written to the keys of a namespace that begin with `prefix`: since a time or after a version, or from
    /// now on. Each value is a [`Version`] as JSON.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn watch(&self, namespace: &str, prefix: &str, from: Option<Moment>) -> Result<Watch, ClientError> {
        let asking = Asking::of(&["store", namespace]).with("prefix", Some(prefix)).with("from", from.map(text));
        let events = (ACCEPT, HeaderValue::from_static("text/event-stream"));
        let answer = self.0.ask_with(Method::GET, &asking.0, Some(events), Empty::new().boxed()).await?;
        Ok(Watch::of(&self.0, answer))
    }

    async fn read<T: DeserializeOwned>(&self, asking: Asking) -> Result<T, ClientError> {
        self.ask(Method::GET, asking, None, Bytes::new()).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        Asking(path, _): Asking,
        compared: Option<(HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let answer = self.0.ask_with(method, &path, compared, Full::new(body).boxed()).await?;
        let body = self.0.whole(answer.into_body()).await?;
        serde_json::from_slice(&body).map_err(|error| self.0.gone(&error))
    }
}
