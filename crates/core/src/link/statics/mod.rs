//! Links of static records: declared as `static`s themselves, with no heap.
//!
//! ```
//! # #[cfg(feature = "json")] {
//! use anabranch_core::{ConnectorConfig, Json, Latest, LinkIn, LinkOut, Links, Queue, Record};
//!
//! static LIMIT: Record<i32, Latest> = Record::new("limit");
//! static ALERT: Record<i32, Queue<4>> = Record::new("alert");
//!
//! const AT_LEAST_ONCE: ConnectorConfig = ConnectorConfig { qos: Some(1), ..ConnectorConfig::DEFAULT };
//! static LIMIT_IN: LinkIn<Json> = LinkIn::new("mqtt://board/limit").with_json();
//! static ALERT_OUT: LinkOut<Json, 8> = LinkOut::new("mqtt://board/alert").with_json().with_config(AT_LEAST_ONCE);
//!
//! let links = Links::new().link_from(&LIMIT_IN, LIMIT.producer()?).link_to(&ALERT_OUT, ALERT.consumer()?);
//! assert_eq!(ALERT_OUT.counts().values, 0);
//! # let _ = links;
//! # }
//! # Ok::<(), anabranch_core::ClaimError>(())
//! ```
//!
//! A connector that needs no heap runs them.

mod inlet;
mod outlet;
mod routes;
mod set;

pub use inlet::{Delivered, Inlet, InletOf};
pub use outlet::OutletOf;
pub use routes::{LinkRoutes, RoutedHere};
pub use set::{LinkSet, Links, StaticLink};

use crate::link::{
    AddressError, ConnectorConfig, LinkDirection, LinkFailure, Template,
    address::{is_fixed, resource, resource_at},
    check_inbound,
    counts::{Counters, LinkCounts},
    outbound::Notes,
};
use core::fmt;

/// A link of a static record that comes in, read by `D`: [`Json`](crate::Json), [`Cbor`](crate::Cbor),
/// [`Postcard`](crate::Postcard) or a [`Decode`](crate::Decode) of your own.
///
/// `WAITING`: how many values may wait where the record is a queue without room. A peer that asks for acknowledgements gets
/// none for a value that has no place, and sends it again; others' values are dropped and counted then.
#[derive(Debug)]
pub struct LinkIn<D, const WAITING: usize = 0> {
    about: About,
    decode: D,
}

/// A link of a static record that goes out, written by `E`: [`Json`](crate::Json), [`Cbor`](crate::Cbor),
/// [`Postcard`](crate::Postcard) or an [`Encode`](crate::Encode) of your own.
///
/// `KEPT`: how many values are kept while there is no connection, as the `offline` of its [`ConnectorConfig`] says, and never more than
/// this. `PAYLOAD`: the largest payload in bytes; a larger value is counted as failed. Each link that runs has two buffers
/// of this size, one of them for the address.
#[derive(Debug)]
pub struct LinkOut<E, const KEPT: usize = 0, const PAYLOAD: usize = 128> {
    about: About,
    encode: E,
}

/// What every link has.
#[derive(Debug)]
struct About {
    address: &'static str,
    resource_at: u8,
    /// As an outbound one.
    is_fixed: bool,
    config: ConnectorConfig,
    counters: Counters,
}

/// A link of a static record that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the link {address} cannot be: {problem}")]
pub struct LinkError {
    /// Its address.
    pub address: &'static str,
    /// What is wrong with it.
    pub problem: LinkErrorKind,
}

/// What is wrong with a link of a static record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkErrorKind {
    /// Its address.
    #[error("{0}")]
    Address(AddressError),
    /// Its scheme is not that of the connector that runs it.
    #[error("its scheme is not that of this connector")]
    Scheme,
    /// Its format cannot do what its address asks for.
    #[error("{0}")]
    Format(&'static str),
    /// The connector's protocol cannot do what the link asks for.
    #[error("{0}")]
    Protocol(&'static str),
}

impl About {
    const fn new(address: &'static str) -> Self {
        About {
            address,
            resource_at: resource_at(address),
            is_fixed: is_fixed(address),
            config: ConnectorConfig::DEFAULT,
            counters: Counters::new(),
        }
    }

    fn resource(&self) -> &'static str {
        resource(self.address, self.resource_at)
    }

    /// Says what is wrong with the address, whose `{name}`s the format may not be able to serve.
    fn check(&self, direction: LinkDirection, no_names: Option<&'static str>) -> Result<(), LinkErrorKind> {
        let parsed = crate::Address::parse(self.address).map_err(LinkErrorKind::Address)?;
        match direction {
            LinkDirection::In => check_inbound(parsed.resource),
            LinkDirection::Out => Template::parse(parsed.resource).map(drop),
        }
        .map_err(LinkErrorKind::Address)?;
        match no_names {
            Some(why) if parsed.resource.contains('{') => Err(LinkErrorKind::Format(why)),
            _ => Ok(()),
        }
    }
}

/// The formats that are ready.
macro_rules! ready_made {
    ($link:ident<$($size:ident),+>, $with:ident, $verb:literal, $coder:ident) => {
        impl<$(const $size: usize),+> $link<(), $($size),+> {
            /// Its values are JSON.
            #[cfg(any(feature = "json", feature = "json-core"))]
            #[cfg_attr(docsrs, doc(cfg(any(feature = "json", feature = "json-core"))))]
            #[must_use]
            pub const fn with_json(self) -> $link<crate::Json, $($size),+> {
                self.$with(crate::Json)
            }

            /// Its values are CBOR.
            #[cfg(feature = "cbor")]
            #[cfg_attr(docsrs, doc(cfg(feature = "cbor")))]
            #[must_use]
            pub const fn with_cbor(self) -> $link<crate::Cbor, $($size),+> {
                self.$with(crate::Cbor)
            }

            /// Its values are postcard.
            #[cfg(feature = "postcard")]
            #[cfg_attr(docsrs, doc(cfg(feature = "postcard")))]
            #[must_use]
            pub const fn with_postcard(self) -> $link<crate::Postcard, $($size),+> {
                self.$with(crate::Postcard)
            }

            #[doc = concat!("Its values are ", $verb, " by a type of one's own.")]
            #[must_use]
            pub const fn $with<C>(self, $coder: C) -> $link<C, $($size),+> {
                $link { about: self.about, $coder }
            }
        }

        impl<C: Copy, $(const $size: usize),+> $link<C, $($size),+> {
            /// What it asks of its connector.
            #[must_use]
            pub const fn with_config(self, config: ConnectorConfig) -> Self {
                let $coder = self.$coder;
                let About { address, .. } = self.about;
                $link { about: About { config, ..About::new(address) }, $coder }
            }
        }

        impl<C, $(const $size: usize),+> $link<C, $($size),+> {
            /// Its address, as it was declared.
            pub const fn address(&self) -> &'static str {
                self.about.address
            }

            /// What it has counted so far.
            pub fn counts(&self) -> LinkCounts {
                self.about.counters.read()
            }
        }
    };
}
ready_made!(LinkIn<WAITING>, with_decode, "read", decode);
ready_made!(LinkOut<KEPT, PAYLOAD>, with_encode, "written", encode);

impl<const WAITING: usize> LinkIn<(), WAITING> {
    /// From `address`, as `mqtt://sensors/{device}/temp`; each `{name}` becomes a field of the decoded value.
    #[must_use]
    pub const fn new(address: &'static str) -> Self {
        LinkIn { about: About::new(address), decode: () }
    }
}

impl<const KEPT: usize, const PAYLOAD: usize> LinkOut<(), KEPT, PAYLOAD> {
    /// To `address`, as `mqtt://copy/{device}`; each `{field}` is filled in from the value.
    #[must_use]
    pub const fn new(address: &'static str) -> Self {
        LinkOut { about: About::new(address), encode: () }
    }
}

impl<E, const KEPT: usize, const PAYLOAD: usize> Notes for LinkOut<E, KEPT, PAYLOAD> {
    fn address(&self) -> &str {
        self.about.address
    }

    fn resource(&self) -> &str {
        self.about.resource()
    }

    fn is_fixed(&self) -> bool {
        self.about.is_fixed
    }

    fn passed(&self) {
        self.about.counters.passed();
    }

    fn dropped(&self) {
        self.about.counters.dropped();
    }

    fn keeps(&self, values: usize) {
        self.about.counters.keeps(values);
    }

    fn failed(&self, kind: LinkFailure, _: &str, _: &dyn fmt::Display) {
        self.about.counters.failed(kind);
    }
}
