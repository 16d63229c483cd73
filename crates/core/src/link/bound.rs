//! What an inbound address's `{name}`s stood for in the address that a value came from.

use crate::link::address::{Level, levels};

/// The parts of an address that the names of a link's address are bound to: for `sensors/{device}/temp` and
/// `sensors/kitchen/temp`, `device` is `kitchen`.
///
/// It borrows both addresses and finds a part when it is asked for: nothing is allocated.
///
/// ```
/// use anabranch_core::Bound;
/// let bound = Bound::new("sensors/{device}/{quantity}", "sensors/kitchen/temp");
/// assert_eq!(bound.get("device"), Some("kitchen"));
/// assert_eq!(bound.iter().last(), Some(("quantity", "temp")));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<'a> {
    pattern: &'a str,
    address: &'a str,
}

impl<'a> Bound<'a> {
    /// No names.
    pub const NONE: Bound<'static> = Bound { pattern: "", address: "" };

    /// The names of `pattern`, an inbound address that matches `address`.
    pub const fn new(pattern: &'a str, address: &'a str) -> Self {
        Bound { pattern, address }
    }

    /// The address that the value came from, without its scheme.
    pub const fn address(&self) -> &'a str {
        self.address
    }

    /// What `name` is bound to.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(bound, _)| *bound == name).map(|(_, part)| part)
    }

    /// Each name and what it is bound to, from left to right.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone + use<'a> {
        levels(self.pattern).zip(self.address.split('/')).filter_map(|(level, part)| match level {
            Level::One(Some(name)) => Some((name, part)),
            _ => None,
        })
    }

    /// Whether no name is bound.
    pub fn is_empty(&self) -> bool {
        !self.pattern.contains('{')
    }
}
