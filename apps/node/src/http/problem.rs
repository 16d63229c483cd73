//! What is wrong with a request, as a problem document (RFC 9457) with a code that stays the same.

use anabranch::{BufferKind, ClaimError};
use anabranch_value::ValueError;
use hyper::{Method, StatusCode};
use serde::{Serialize, Serializer};
use std::{error::Error, fmt::Display};

/// A problem. `code` is one of the list that the JavaScript package has, too, and `type` the same as a URN; `detail` is for people,
/// and says what to do.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: Box<str>,
    title: &'static str,
    #[serde(serialize_with = "number")]
    pub(super) status: StatusCode,
    code: &'static str,
    detail: Box<str>,
    /// The name that may have been meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest: Option<Box<str>>,
    #[serde(skip)]
    pub(super) allows: Option<&'static str>,
}

fn number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Display) -> Self {
        let kind = format!("urn:anabranch:problem:{}", code.to_ascii_lowercase().replace('_', "-")).into();
        Problem { kind, title, status, code, detail: detail.to_string().into(), nearest: None, allows: None }
    }

    pub(super) fn no_route(path: &str) -> Self {
        let detail = format!("there is nothing at {path}: see /v1/records and /v1/stats");
        Self::new(StatusCode::NOT_FOUND, "ROUTE_NOT_FOUND", "There is no such route", detail)
    }

    pub(super) fn method(method: &Method, allows: &'static str) -> Self {
        let detail = format!("{method} is not allowed here, but {allows}");
        let problem =
            Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "The method is not allowed", detail);
        Problem { allows: Some(allows), ..problem }
    }

    pub(super) fn unknown(record: &str, nearest: Option<&str>) -> Self {
        let mend = nearest.map_or_else(|| "see /v1/records".into(), |near| format!("did you mean \"{near}\"?"));
        let detail = format!("there is no record \"{record}\": {mend}");
        let problem = Self::new(StatusCode::NOT_FOUND, "RECORD_NOT_FOUND", "There is no such record", detail);
        Problem { nearest: nearest.map(Box::from), ..problem }
    }

    pub(super) fn nothing_yet(record: &str) -> Self {
        let detail = format!("nothing came into \"{record}\" yet: follow its events to see the first value");
        Self::new(StatusCode::NOT_FOUND, "NO_VALUE_YET", "The record holds no value yet", detail)
    }

    pub(super) fn taking(record: &str, kind: BufferKind) -> Self {
        let detail =
            format!("\"{record}\" is a {kind}, and who takes a value from it takes it from others: follow its events");
        Self::new(StatusCode::CONFLICT, "RECORD_HAS_NO_NEWEST", "The record shows no newest value", detail)
    }

    pub(super) fn taken(record: &str, why: &ClaimError) -> Self {
        let detail = format!("\"{record}\" has no place for one more reader: {why}");
        Self::new(StatusCode::CONFLICT, "RECORD_TAKEN", "The record's readers are all there", detail)
    }

    pub(super) fn not_shared(record: &str) -> Self {
        let detail =
            format!("a link writes to \"{record}\": set `shared = true` on it in the config, so that HTTP may, too");
        Self::new(StatusCode::CONFLICT, "NOT_SHARED", "The record is not shared", detail)
    }

    pub(super) fn full(record: &str) -> Self {
        let detail =
            format!("the queue \"{record}\" is full: try again when its readers have gone on, or raise its capacity");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "QUEUE_FULL", "The queue is full", detail)
    }

    pub(super) fn closed(record: &str) -> Self {
        let detail = format!("\"{record}\" takes nothing any more: the node ends, or the queue's readers have left");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "RECORD_CLOSED", "The record is closed", detail)
    }

    pub(super) fn no_value(error: &ValueError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_JSON", "The body is no value", error)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let detail = format!("the body is larger than {limit} bytes: send less");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", "The body is too large", detail)
    }

    pub(super) fn cut(error: &(dyn Error + Send + Sync)) -> Self {
        let detail = format!("the body did not arrive ({error}): send it again");
        Self::new(StatusCode::BAD_REQUEST, "BODY_CUT_OFF", "The body did not arrive", detail)
    }
}
