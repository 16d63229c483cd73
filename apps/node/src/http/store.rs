//! The store's routes: a key, its history, what there is, what changed, and what came of what.
//!
//! | route | answers |
//! |---|---|
//! | `GET /v1/store[?at=T]` | the namespaces |
//! | `GET /v1/store/{ns}[?prefix=P&at=T]` | the keys of one |
//! | the same with `Accept: text/event-stream`, `[?prefix=P&from=T\|ID]` | what is written, since then or from now on |
//! | `GET /v1/store/{ns}/{key}[?at=T\|version=ID]` | a version; its id is the `ETag` |
//! | `PUT /v1/store/{ns}/{key}[?because=ID,ID]` | writes; `If-Match: "ID"` or `If-None-Match: *` compares first |
//! | `DELETE /v1/store/{ns}/{key}` | deletes; `If-Match` as above |
//! | `POST /v1/store:batch` | makes all of a list of writes, or none: `[{"namespace", "key", "value"}, …]` |
//! | `POST /v1/store:lines` | makes each of a stream of such writes, one a line: see `http/lines.rs` |
//! | `GET /v1/store/{ns}/{key}/history[?at=T\|before=T]` | versions, the newest first |
//! | `GET /v1/store/{ns}/{key}/diff?from=M&to=M` | what changed, each a time or an id |
//! | `GET /v1/versions/{id}`, `…/why`, `…/effects` | the version; what it was made from; what was made from it |
//!
//! Names stand percent-encoded, a `/` in them as `%2F`. Lists take `limit` and `after`, and say where the rest begins: `next`.

use super::{Answer, Face, Lent, follow, json_of, problem::Problem};
use crate::shown::{self, Diff, Page, Stats, Step, Trace, Version};
use anabranch::store::{KeyedVersion, Moment, Start, Store, StoreError, Timestamp, VersionId, VersionedValue, Write};
use anabranch_value::json;
use hyper::{
    HeaderMap, Method, Request, StatusCode,
    body::{Body, Bytes},
    header::{ACCEPT, ETAG, HeaderValue, IF_MATCH, IF_NONE_MATCH},
};
use percent_encoding::percent_decode_str;
use std::{error::Error, fmt::Display, ops::Bound, str::FromStr};

/// What of the store is asked for.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    Namespaces,
    Batch,
    Keys(String),
    Key(String, String),
    History(String, String),
    Diff(String, String),
    Version(String),
    Why(String),
    Effects(String),
}

impl Asked {
    pub(super) fn of(path: &str) -> Option<Self> {
        if path == "/v1/store:batch" {
            return Some(Asked::Batch);
        }
        let mut parts = path.strip_prefix("/v1/")?.split('/').map(|part| percent_decode_str(part).decode_utf8().ok());
        let of_store = match parts.next()??.as_ref() {
            "store" => true,
            "versions" => false,
            _ => return None,
        };
        let names: Vec<_> = parts.collect::<Option<_>>()?;
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        let both = |namespace: &&str, key: &&str| (namespace.to_string(), key.to_string());
        Some(match (of_store, &names[..]) {
            (true, [] | [""]) => Asked::Namespaces,
            (true, [namespace]) => Asked::Keys(namespace.to_string()),
            (true, [namespace, key]) => {
                let (namespace, key) = both(namespace, key);
                Asked::Key(namespace, key)
            }
            (true, [namespace, key, "history"]) => {
                let (namespace, key) = both(namespace, key);
                Asked::History(namespace, key)
            }
            (true, [namespace, key, "diff"]) => {
                let (namespace, key) = both(namespace, key);
                Asked::Diff(namespace, key)
            }
            (false, [id]) => Asked::Version(id.to_string()),
            (false, [id, "why"]) => Asked::Why(id.to_string()),
            (false, [id, "effects"]) => Asked::Effects(id.to_string()),
            _ => return None,
        })
    }

    pub(super) fn allows(&self) -> &'static str {
        match self {
            Asked::Key(..) => "GET, PUT, DELETE",
            Asked::Batch => "POST",
            _ => "GET",
        }
    }
}

/// How many there are on a page that is not told how many, and at most.
const PAGE: usize = 1000;
const LARGEST_PAGE: usize = 10_000;

/// The largest value that is taken, as JSON.
pub(super) const LARGEST_VALUE: usize = 64 << 20;

impl Face {
    pub(super) async fn stored<B>(&self, asked: Asked, request: Request<B>) -> Result<Answer, Problem>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let store = self.kept()?;
        let (head, body) = request.into_parts();
        let follows = head.headers.get(ACCEPT).is_some_and(|accepted| accepted == "text/event-stream");
        let query = Query::of(head.uri.query().unwrap_or_default())?;
        if let (&Method::GET, Asked::Keys(namespace), true) = (&head.method, &asked, follows) {
            query.only(&["prefix", "from"])?;
            let from = query.get("from")?.map_or(Start::Now, |from| match from {
                Moment::At(at) => Start::At(at),
                Moment::Version(version) => Start::After(version),
            });
            let (namespace, prefix) = (namespace.clone(), query.text("prefix").unwrap_or_default().to_owned());
            let lent = store.clone();
            let versions = tokio::task::spawn_blocking(move || store.subscribe(&namespace, &prefix, from));
            let versions = versions.await.unwrap_or(Err(StoreError::WriterPanicked));
            let versions = versions.map_err(|error| Problem::of_store(&error))?;
            return Ok(follow::answer(lent, versions, self.ending.clone()));
        }
        let has_body = matches!(head.method, Method::PUT | Method::POST);
        let body = if has_body { super::whole(body, LARGEST_VALUE).await? } else { Bytes::new() };
        // It may wait for the disk.
        let done = tokio::task::spawn_blocking(move || {
            let Headers { wanted, absent } = Headers::of(&head.headers)?;
            act(&store, asked, &head.method, &query, (wanted, absent), &body)
        });
        done.await.unwrap_or_else(|_| Err(Problem::of_store(&StoreError::WriterPanicked)))
    }
}

impl Face {
    /// Its store, if it has one.
    pub(super) fn kept(&self) -> Result<Lent, Problem> {
        self.store.clone().ok_or_else(Problem::no_store)
    }

    /// How much its store holds.
    pub(super) async fn stored_stats(&self) -> Result<Option<Stats>, Problem> {
        let Some(store) = self.store.clone() else { return Ok(None) };
        let stats =
            tokio::task::spawn_blocking(move || Stats::of(&store)).await.unwrap_or(Err(StoreError::WriterPanicked));
        stats.map(Some).map_err(|error| Problem::of_store(&error))
    }
}

fn act(
    store: &Store,
    asked: Asked,
    method: &Method,
    query: &Query,
    (wanted, absent): (Option<VersionId>, bool),
    body: &[u8],
) -> Result<Answer, Problem> {
    let limit = query.get("limit")?.unwrap_or(PAGE).min(LARGEST_PAGE);
    let failed = |error: StoreError| Problem::of_store(&error);
    Ok(match (method, asked) {
        (&Method::GET, Asked::Namespaces) => {
            query.only(&["at", "after", "limit"])?;
            let page = store.list_namespaces(query.get("at")?, query.text("after"), limit).map_err(failed)?;
            json_of(StatusCode::OK, &Page::from(page))
        }
        (&Method::GET, Asked::Keys(namespace)) => {
            query.only(&["prefix", "at", "after", "limit"])?;
            let (prefix, after) = (query.text("prefix").unwrap_or_default(), query.text("after"));
            let page = store.list_keys(&namespace, prefix, query.get("at")?, after, limit).map_err(failed)?;
            json_of(StatusCode::OK, &Page::from(page))
        }
        (&Method::GET, Asked::Key(namespace, key)) => {
            query.only(&["at", "version"])?;
            let found = match (query.get("version")?, query.get("at")?) {
                (Some(id), _) => store.get_version(&namespace, &key, &id),
                (None, Some(at)) => store.get_at(&namespace, &key, at),
                (None, None) => store.get(&namespace, &key),
            };
            version(&namespace, &key, found.map_err(failed)?)
        }
        (&Method::PUT, Asked::Key(namespace, key)) => {
            query.only(&["because"])?;
            let value = json::from_slice(body).map_err(|error| Problem::no_value(&error))?;
            let mut write = Write::put(&*namespace, &*key, value).because(query.ids("because")?);
            if let Some(wanted) = wanted {
                write = write.expecting(wanted);
            } else if absent {
                write = write.if_absent();
            }
            version(&namespace, &key, store.write(write).map_err(failed)?)
        }
        (&Method::POST, Asked::Batch) => {
            query.only(&[])?;
            let wrong =
                |why: &dyn Display| Problem::new(StatusCode::BAD_REQUEST, "INVALID_BATCH", "The body is no batch", why);
            let shown: Vec<shown::Write> = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
            let writes: Result<Vec<Write>, String> = shown.into_iter().map(TryInto::try_into).collect();
            let writes = writes.map_err(|error| wrong(&error))?;
            let names: Vec<_> =
                writes.iter().map(|write| (write.namespace().to_owned(), write.key().to_owned())).collect();
            let versions = store.write_batch(writes).map_err(failed)?;
            let items =
                names.iter().zip(versions).map(|((namespace, key), version)| Version::of(namespace, key, version));
            json_of(StatusCode::OK, &Page { items: items.collect(), next: None })
        }
        (&Method::DELETE, Asked::Key(namespace, key)) => {
            query.only(&[])?;
            let mut write = Write::delete(&*namespace, &*key);
            if let Some(wanted) = wanted {
                write = write.expecting(wanted);
            }
            version(&namespace, &key, store.write(write).map_err(failed)?)
        }
        (&Method::GET, Asked::History(namespace, key)) => {
            query.only(&["at", "before", "limit"])?;
            let until = match (query.get("before")?, query.get("at")?) {
                (Some(before), _) => Bound::Excluded(before),
                (None, Some(at)) => Bound::Included(at),
                (None, None) => Bound::Unbounded,
            };
            let range = (Bound::<Timestamp>::Unbounded, until);
            let page = store.history(&namespace, &key, range, limit).map_err(failed)?;
            json_of(StatusCode::OK, &Page::of(&namespace, &key, page))
        }
        (&Method::GET, Asked::Diff(namespace, key)) => {
            query.only(&["from", "to"])?;
            let moment = |name| query.get::<Moment>(name)?.ok_or_else(|| Problem::parameter(name, &"it is needed"));
            let diff = store.diff(&namespace, &key, moment("from")?, moment("to")?).map_err(failed)?;
            json_of(StatusCode::OK, &Diff::of(&namespace, &key, diff))
        }
        (&Method::GET, Asked::Version(id)) => {
            query.only(&[])?;
            let KeyedVersion { namespace, key, version: found } =
                store.find_version(&parsed("id", &id)?).map_err(failed)?;
            version(&namespace, &key, found)
        }
        (&Method::GET, Asked::Why(id)) => {
            query.only(&["limit"])?;
            trace(store.why(&parsed("id", &id)?, limit).map_err(failed)?)
        }
        (&Method::GET, Asked::Effects(id)) => {
            query.only(&["limit"])?;
            trace(store.effects(&parsed("id", &id)?, limit).map_err(failed)?)
        }
        (method, asked) => return Err(Problem::method(method, asked.allows())),
    })
}

/// A version, tagged with its id.
fn version(namespace: &str, key: &str, version: VersionedValue) -> Answer {
    let tag = HeaderValue::try_from(format!("\"{}\"", version.version_id));
    let mut answer = json_of(StatusCode::OK, &Version::of(namespace, key, version));
    answer.headers_mut().extend(tag.ok().map(|tag| (ETAG, tag)));
    answer
}

fn trace(trace: anabranch::store::Trace) -> Answer {
    let steps: Vec<Step> = trace.steps.into_iter().map(Step::from).collect();
    json_of(StatusCode::OK, &Trace { steps, is_whole: trace.is_whole })
}

/// What has to be there for a write.
struct Headers {
    wanted: Option<VersionId>,
    absent: bool,
}

impl Headers {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let absent = match headers.get(IF_NONE_MATCH) {
            None => false,
            Some(any) if any == "*" => true,
            Some(_) => return Err(Problem::parameter("If-None-Match", &"it can be * alone")),
        };
        let wanted = headers.get(IF_MATCH).map(|tag| {
            let tag = tag.to_str().unwrap_or_default().trim();
            let id = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
            parsed("If-Match", id)
        });
        Ok(Headers { wanted: wanted.transpose()?, absent })
    }
}

/// What stands behind the `?`.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(query: &str) -> Result<Self, Problem> {
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded.map(String::from).map_err(|_| Problem::parameter(text, &"it is not UTF-8"))
        };
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        });
        pairs.collect::<Result<_, _>>().map(Query)
    }

    /// One that nobody knows is a mistake, and not to be passed over.
    fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            Some((name, _)) if known.is_empty() => Err(Problem::parameter(name, &"there is none here")),
            Some((name, _)) => Err(Problem::parameter(name, &format_args!("there are {}", known.join(", ")))),
            None => Ok(()),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn get<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name).map(|text| parsed(name, text)).transpose()
    }

    fn ids(&self, name: &str) -> Result<Vec<VersionId>, Problem> {
        let listed = self.text(name).unwrap_or_default();
        listed.split(',').filter(|id| !id.is_empty()).map(|id| parsed(name, id)).collect()
    }
}

fn parsed<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| Problem::parameter(name, &error))
}

/// What is wrong with what was asked of the store.
impl Problem {
    fn no_store() -> Self {
        let detail = "this node keeps no store: set `data` in [node]";
        Self::new(StatusCode::NOT_FOUND, "NO_STORE", "The node keeps no store", detail)
    }

    fn parameter(name: &str, why: &dyn Display) -> Self {
        let detail = format!("{name}: {why}");
        Self::new(StatusCode::BAD_REQUEST, "INVALID_PARAMETER", "A parameter is wrong", detail)
    }

    pub(super) fn of_store(error: &StoreError) -> Self {
        use anabranch::store::BackendError::{Damaged, Full};
        let (status, title) = match error {
            StoreError::KeyNotFound { .. } => (StatusCode::NOT_FOUND, "There is no such key"),
            StoreError::NoValueAt { .. } => (StatusCode::NOT_FOUND, "The key had no value then"),
            StoreError::NoLongerKept { .. } => (StatusCode::GONE, "What it was then is no longer kept"),
            StoreError::VersionNotFound { .. } | StoreError::NoSuchVersion { .. } => {
                (StatusCode::NOT_FOUND, "There is no such version")
            }
            StoreError::Conflict { .. } => (StatusCode::PRECONDITION_FAILED, "What is there is not what was expected"),
            StoreError::ValueTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "The value is too large"),
            StoreError::EmptyName { .. } | StoreError::NameTooLong { .. } => {
                (StatusCode::BAD_REQUEST, "A name is empty or too long")
            }
            StoreError::NoLimit => (StatusCode::BAD_REQUEST, "The limit is 0"),
            StoreError::BadValue { .. }
            | StoreError::SameKeyTwice { .. }
            | StoreError::TooManyCauses { .. }
            | StoreError::BadTimestamp(_)
            | StoreError::BadVersionId(_) => (StatusCode::BAD_REQUEST, "That cannot be written"),
            StoreError::Import { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "The file cannot be imported"),
            StoreError::Backend(Full) => (StatusCode::INSUFFICIENT_STORAGE, "The disk is full"),
            StoreError::Backend(Damaged(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "The store is damaged"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "The store has failed"),
        };
        Self::new(status, error.code(), title, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_characters_are_found() {
        let key = |namespace: &str, key: &str| Some(Asked::Key(namespace.into(), key.into()));
        assert_eq!(Asked::of("/v1/store/rooms/kitchen"), key("rooms", "kitchen"));
        assert_eq!(Asked::of("/v1/store/a%2Fb/c%2Fhistory"), key("a/b", "c/history"));
        assert_eq!(Asked::of("/v1/store/rooms/k/history"), Some(Asked::History("rooms".into(), "k".into())));
        assert_eq!(Asked::of("/v1/store"), Some(Asked::Namespaces));
        for nowhere in ["/v1/stores", "/v1/store/a/b/c", "/v1/store/%ff", "/v1/versions", "/v2/store"] {
            assert_eq!(Asked::of(nowhere), None, "{nowhere}");
        }
    }
}
