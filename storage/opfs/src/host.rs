//! What a browser says when something fails, in words of this side.

use anabranch_store::BackendError;
use js_sys::Reflect;
use std::io::{Error, ErrorKind};
use wasm_bindgen::JsValue;

/// A property that is text; empty where there is none.
pub(crate) fn text(of: &JsValue, name: &str) -> String {
    Reflect::get(of, &JsValue::from_str(name)).ok().and_then(|text| text.as_string()).unwrap_or_default()
}

/// The exception as an error of the platform, by its name.
pub(crate) fn of_exception(exception: &JsValue) -> Error {
    let name = text(exception, "name");
    let kind = match &*name {
        "QuotaExceededError" => ErrorKind::QuotaExceeded,
        // Another tab or worker has it open.
        "NoModificationAllowedError" => ErrorKind::ResourceBusy,
        "NotFoundError" => ErrorKind::NotFound,
        "NotAllowedError" | "SecurityError" => ErrorKind::PermissionDenied,
        _ => ErrorKind::Other,
    };
    Error::new(kind, [&*name, ": ", &text(exception, "message")].concat())
}

pub(crate) fn failed(exception: &JsValue) -> BackendError {
    crate::trouble::of_io(&of_exception(exception))
}
