//! The node's HTTP: routes, and what they answer. It knows no listener: a connection of any kind is handed to it.
//!
//! | route | answers |
//! |---|---|
//! | `GET /healthz` | that the node is up |
//! | `GET /v1/stats` | what its records, links, connectors and services are doing |
//! | `GET /v1/records` | its records |
//! | `GET /v1/records/{name}` | the newest value of a ring or a latest, with its sequence number |
//! | `PUT /v1/records/{name}` | takes a value, where the record is shared or no link writes to it |
//! | `GET /v1/records/{name}/events` | its values from now on, as Server-Sent Events |
//! | `/v1/store…`, `/v1/versions…` | the store: see `http/store.rs` |
//! | `GET /v1/export`, `POST /v1/import`, `GET /v1/verify` | the store as a whole: see `http/transfer.rs` |

mod events;
mod follow;
mod lent;
mod lines;
mod problem;
mod stats;
mod store;
mod transfer;

pub(crate) use lent::Lent;
pub(crate) use lines::NDJSON;
pub(crate) use transfer::EXPORTED;

use crate::{
    assemble::Database,
    records::{NoNewest, NotWritten, Numbered, Records},
};
use anabranch::AccessError;
use anabranch_value::{Value, json};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited, combinators::BoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes},
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use problem::Problem;
use serde::Serialize;
use std::{convert::Infallible, error::Error, pin::pin, sync::Arc, time::Instant};
use store::Asked;
use tokio::io::{AsyncRead, AsyncWrite};

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Hears when its sender goes: then no more requests are taken.
pub(crate) type Ending = tokio::sync::watch::Receiver<()>;

/// The largest value that is taken.
const LARGEST_BODY: usize = 1 << 20;

/// What a node shows of itself.
pub(crate) struct Face {
    pub(crate) name: Option<String>,
    pub(crate) db: Database,
    pub(crate) records: Arc<Records>,
    pub(crate) started: Instant,
    /// Says when it ends.
    pub(crate) ending: Ending,
    /// What it keeps, if it has a directory for that.
    pub(crate) store: Option<Lent>,
}

/// Where a request goes.
#[derive(Debug, PartialEq)]
enum Route {
    Health,
    Stats,
    Records,
    Record(String),
    Events(String),
    Store(Asked),
    Export,
    Import,
    Lines,
    Verify,
}

impl Route {
    /// A record's name may be written with its `/`, or with `%2F` where it would be taken for something else.
    fn of(path: &str) -> Option<Self> {
        let name = |encoded: &str| percent_decode_str(encoded).decode_utf8().ok().map(String::from);
        match path {
            "/healthz" => Some(Route::Health),
            "/v1/stats" => Some(Route::Stats),
            "/v1/records" => Some(Route::Records),
            "/v1/export" => Some(Route::Export),
            "/v1/import" => Some(Route::Import),
            "/v1/store:lines" => Some(Route::Lines),
            "/v1/verify" => Some(Route::Verify),
            _ => {
                if let Some(asked) = Asked::of(path) {
                    return Some(Route::Store(asked));
                }
                let rest = path.strip_prefix("/v1/records/").filter(|rest| !rest.is_empty())?;
                match rest.strip_suffix("/events") {
                    Some(record) => name(record).map(Route::Events),
                    None => name(rest).map(Route::Record),
                }
            }
        }
    }

    fn allows(&self) -> &'static str {
        match self {
            Route::Record(_) => "GET, PUT",
            Route::Store(asked) => asked.allows(),
            Route::Import | Route::Lines => "POST",
            _ => "GET",
        }
    }
}

impl Face {
    /// Serves one connection until it ends, or the sender of `ending` has gone and what was asked for is answered.
    pub(crate) async fn serve(self: Arc<Self>, connection: impl AsyncRead + AsyncWrite + Unpin, mut ending: Ending) {
        let service = service_fn(|request| {
            let face = self.clone();
            async move { Ok::<_, Infallible>(face.answer(request).await) }
        });
        let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
        let served = tokio::select! {
            served = &mut connection => served,
            _ = ending.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!("an HTTP connection ended: {error}");
        }
    }

    /// Answers one request.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        self.find(request).await.unwrap_or_else(|problem| {
            let mut answer = json_of(problem.status, &problem);
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
            if let Some(allows) = problem.allows {
                answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allows));
            }
            answer
        })
    }

    async fn find<B>(&self, request: Request<B>) -> Result<Answer, Problem>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let route = Route::of(request.uri().path()).ok_or_else(|| Problem::no_route(request.uri().path()))?;
        match (request.method(), route) {
            (&Method::GET, Route::Health) => Ok(json_of(StatusCode::OK, &Health { status: "up" })),
            (&Method::GET, Route::Stats) => {
                let store = self.stored_stats().await?;
                Ok(json_of(StatusCode::OK, &stats::of(self, store)))
            }
            (&Method::GET, Route::Records) => Ok(json_of(StatusCode::OK, &stats::records(self))),
            (&Method::GET, Route::Record(name)) => self.newest(&name),
            (&Method::GET, Route::Events(name)) => self.events(&name),
            (&Method::PUT, Route::Record(name)) => self.put(&name, request.into_body()).await,
            (&Method::GET, Route::Export) => self.export(),
            (&Method::POST, Route::Import) => self.import(request.into_body()).await,
            (&Method::POST, Route::Lines) => self.lines(request.into_body()),
            (&Method::GET, Route::Verify) if accepts(&request, NDJSON) => self.verify_aloud(),
            (&Method::GET, Route::Verify) => self.verify().await,
            (_, Route::Store(asked)) => self.stored(asked, request).await,
            (method, route) => Err(Problem::method(method, route.allows())),
        }
    }

    fn newest(&self, record: &str) -> Result<Answer, Problem> {
        match self.records.newest(record) {
            Ok(Numbered { sequence, value }) => Ok(json_of(StatusCode::OK, &Shown { record, sequence, value: &value })),
            Err(NoNewest::Unknown) => Err(self.unknown(record)),
            Err(NoNewest::NothingYet) => Err(Problem::nothing_yet(record)),
            Err(NoNewest::Taking(kind)) => Err(Problem::taking(record, kind)),
        }
    }

    fn events(&self, record: &str) -> Result<Answer, Problem> {
        match self.records.follow(record) {
            Ok(follower) => Ok(events::answer(record, follower)),
            Err(AccessError::Claim { source, .. }) => Err(Problem::taken(record, &source)),
            Err(_) => Err(self.unknown(record)),
        }
    }

    async fn put<B>(&self, record: &str, body: B) -> Result<Answer, Problem>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    {
        let value = json::from_slice(&whole(body, LARGEST_BODY).await?).map_err(|error| Problem::no_value(&error))?;
        match self.records.write(record, value) {
            Ok(sequence) => Ok(json_of(StatusCode::OK, &Written { record, sequence })),
            Err(NotWritten::Unknown) => Err(self.unknown(record)),
            Err(NotWritten::NotShared) => Err(Problem::not_shared(record)),
            Err(NotWritten::Full) => Err(Problem::full(record)),
            Err(NotWritten::Closed) => Err(Problem::closed(record)),
        }
    }

    fn unknown(&self, record: &str) -> Problem {
        Problem::unknown(record, crate::config::nearest(record, self.records.names()))
    }
}

fn accepts<B>(request: &Request<B>, kind: &str) -> bool {
    request.headers().get(ACCEPT).is_some_and(|accepted| accepted == kind)
}

/// All of a body, if it is not too large.
async fn whole<B>(body: B, limit: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    let body = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { Problem::too_large(limit) } else { Problem::cut(&*error) }
    })?;
    Ok(body.to_bytes())
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Serialize)]
struct Shown<'a> {
    record: &'a str,
    sequence: u64,
    value: &'a Value,
}

#[derive(Serialize)]
struct Written<'a> {
    record: &'a str,
    sequence: u64,
}

fn json_of(status: StatusCode, value: &impl Serialize) -> Answer {
    // A value is refused for its depth alone, and what came in was not too deep.
    let text = serde_json::to_vec(value).unwrap_or_else(|error| format!("{{\"code\":\"{error}\"}}").into_bytes());
    let mut answer = Response::new(Full::new(Bytes::from(text)).boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_with_slashes_are_found() {
        assert_eq!(Route::of("/v1/records/sensor/temp"), Some(Route::Record("sensor/temp".into())));
        assert_eq!(Route::of("/v1/records/sensor%2Ftemp/events"), Some(Route::Events("sensor/temp".into())));
        assert_eq!(Route::of("/v1/records/a%2Fevents"), Some(Route::Record("a/events".into())));
        for nowhere in ["/", "/v1", "/v1/records/", "/v2/stats", "/v1/records/%ff"] {
            assert_eq!(Route::of(nowhere), None, "{nowhere}");
        }
    }
}
