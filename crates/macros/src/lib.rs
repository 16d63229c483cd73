//! The attribute and the derive that the façade re-exports: `#[service]` and `#[derive(RecordKey)]`.
//!
//! ```text
//!  #[service(restart = "on-failure")]          arguments.rs   what stands in the brackets
//!  pub async fn cooling<R: Runtime>(…)         signature.rs   what the function has to look like
//!      │
//!      ├──▶ the function, unchanged
//!      └──▶ pub struct Cooling;                service.rs     spawn, spawn_static, of, state: supervised
//!
//!  #[derive(RecordKey)]                        record_key.rs  a key that is tied to its type
//! ```
//!
//! **The contract:** what is generated holds no `unsafe`, no `cfg` and no runtime's name. All that depends on features or
//! targets goes through two macros of the façade, so that a crate of services needs neither features nor `cfg`s of its
//! own. Wrong use is an error at the place that is wrong, and says what to write.
//!
//! Users depend on `anabranch` with its features `macros` and `services`, and not on this crate.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod arguments;
mod known;
mod record_key;
mod service;
mod signature;
#[cfg(test)]
mod tests;

/// Makes a supervised service of an `async fn`.
///
/// The function is kept as it is. Beside it stands a unit struct of its name in camel case, which starts it on any
/// runtime. The fences show what it generates; `E` is any error with `Display`.
///
/// ```text
/// #[service(restart = "on-failure", backoff = "100ms", limit = 5)]
/// async fn cooling<R: Runtime>(ctx: RuntimeContext<R>, temperature: &mut Consumer<f32>, fan: Producer<bool>) -> Result<(), E>
///
/// Cooling::NAME                                                 "cooling"
/// Cooling::of("sensor/temperature", "actuator/fan")             for `with_service` of the builder           needs `alloc`
/// Cooling::spawn(&runtime, temperature, fan)                    as a task of its own, to be awaited         needs `alloc`
/// Cooling::spawn_static(&runtime, temperature, fan)             in storage that is declared `static`        no heap
/// Cooling::state(0)                                             what the task of `spawn_static` is doing
/// ```
///
/// # Parameters
/// The first is the context. Of the others (ten at most), those whose type is called `Consumer` or `Producer` are ends of
/// records, and the rest are values.
///
/// | written | each run gets |
/// |---|---|
/// | `&mut Consumer<T>` | the same consumer: after a restart it goes on with the next value |
/// | `Consumer<T>` | the consumer itself; only where nothing restarts |
/// | `Producer<T>`, `&Producer<T>` | the producer; its record stays open until the service has ended for good |
/// | any other type | a clone; where nothing restarts and there is one instance, the value itself |
///
/// # Arguments
///
/// | argument | means | without it |
/// |---|---|---|
/// | `restart` | `"never"`, `"on-failure"` (an error or a panic) or `"always"` | `"never"` |
/// | `backoff` | the pause before the first restart, which doubles with each in a row; `us`, `ms`, `s`, `min` | `"100ms"` |
/// | `max_backoff` | the longest pause; a run as long as this counts as healthy | `"30s"` |
/// | `limit` | how many restarts in a row are tried | no limit |
/// | `instances` | how many run side by side; each gets its own clones, and its number from `ctx.instance()` | 1 |
/// | `name` | what it is called in logs, graphs and dashboards | the function's name |
/// | `crate` | where the façade is found | `::anabranch` |
///
/// `spawn_static` is left out where the bounds on the runtime ask for more than `Runtime` does (such as
/// `SpawnDynamically`), because the size of the task is then not known for a runtime without a heap.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, function: TokenStream) -> TokenStream {
    service::expand(arguments.into(), function.into()).into()
}

/// Makes a type the key of records, and ties it to the type of their values at compile time.
///
/// A unit struct is the key of one record; each variant of an enum is the key of one.
///
/// ```text
/// #[derive(RecordKey)]
/// #[record(key = "sensor/temperature", value = f32)]
/// struct Temperature;
///
/// #[derive(RecordKey)]
/// #[record(value = bool)]
/// enum Lamp {
///     #[key = "lamp/hall"]
///     Hall,
///     #[key = "lamp/stairs"]
///     Stairs,
/// }
/// ```
///
/// `#[record(crate = path)]` says where the façade is found, if it is not `::anabranch`.
#[proc_macro_derive(RecordKey, attributes(record, key))]
pub fn record_key(item: TokenStream) -> TokenStream {
    record_key::expand(item.into()).into()
}
