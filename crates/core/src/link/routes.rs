//! What a connector routes values by: the links that come in, in a database or in statics.

use core::{
    fmt,
    task::{Context, Poll},
};

/// The links that come in through one connector.
///
/// A connector that is written over it serves databases ([`Router`](crate::Router)) and static records
/// ([`Links`](crate::Links)) alike.
pub trait Routes {
    /// A value that was routed.
    type Routed<'r>: RoutedValue
    where
        Self: 'r;

    /// Whether resources come in groups that a peer can tell apart: else all are of group 0, and
    /// [`route`](Self::route) is the only way.
    const GROUPED: bool;

    /// Whether a value that waits for a queue gets there though nobody asks for it any more.
    const IN_LINE: bool;

    /// How many resources there are to subscribe to.
    fn count(&self) -> usize;

    /// One of them by its number; those of one group stand together.
    fn ask(&self, number: usize) -> Option<Ask<'_>>;

    /// Counts and reports that the peer does not give a resource: it refused the subscription.
    fn refused(&self, number: usize, why: &dyn fmt::Display);

    /// Counts and reports at all links that match that a value came from `address` which was too large to be taken. Whether there
    /// is such a link.
    fn too_large(&self, address: &str, why: &dyn fmt::Display) -> bool;

    /// Puts the value in `payload`, which came from `address`, into the records of all links that match.
    fn route(&self, address: &str, payload: &[u8]) -> Self::Routed<'_>;

    /// The same for a peer that says which groups of resources the value came by.
    fn route_groups(&self, groups: &[usize], address: &str, payload: &[u8]) -> Self::Routed<'_>;
}

/// What to subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask<'r> {
    /// The address.
    pub filter: Filter<'r>,
    /// The highest quality of service that a link asks for.
    pub qos: u8,
    /// Resources of one group never match the same address.
    pub group: usize,
}

/// An inbound address as a topic filter: with `+` for each `{name}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter<'r>(pub(crate) &'r str);

impl Filter<'_> {
    fn pieces(&self) -> impl Iterator<Item = &str> {
        self.0.split_inclusive('/').flat_map(|level| match level.starts_with('{') {
            true => ["+", if level.ends_with('/') { "/" } else { "" }],
            false => [level, ""],
        })
    }

    /// Its length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "no address is empty")]
    pub fn len(&self) -> usize {
        self.pieces().map(str::len).sum()
    }

    /// Whether it holds wildcards.
    pub fn is_wild(&self) -> bool {
        self.pieces().any(|piece| piece.starts_with(['+', '#']))
    }

    /// Writes it to the beginning of `out`, as far as there is room.
    pub fn write(&self, out: &mut [u8]) {
        let bytes = self.pieces().flat_map(str::bytes);
        out.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    }
}

impl fmt::Display for Filter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces().try_for_each(|piece| f.write_str(piece))
    }
}

/// What became of a value that was routed.
pub trait RoutedValue {
    /// Whether no link was for its address.
    fn is_unrouted(&self) -> bool;

    /// Whether a record did not take it, for want of room or because it has closed: the peer must not be told that it has
    /// arrived.
    fn is_refused(&self) -> bool;

    /// Whether the peer should send it again as soon as it can: there was no room for it now.
    fn is_wanted_again(&self) -> bool {
        false
    }

    /// Whether it waits for room in a queue.
    fn waits(&self) -> bool;

    /// Moves it into the queues that have room now; ready when it waits for none any more.
    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Nobody asks for it any more: too many wait already. Where it is dropped with that, its links count it.
    fn let_go(self);
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_filter_has_a_plus_for_each_name() {
        for (pattern, filter, wild) in [
            ("a/b", "a/b", false),
            ("sensors/{device}/temp", "sensors/+/temp", true),
            ("{a}/{b}", "+/+", true),
            ("a/#", "a/#", true),
            ("/a//", "/a//", false),
        ] {
            let asked = Filter(pattern);
            assert_eq!((asked.to_string().as_str(), asked.len(), asked.is_wild()), (filter, filter.len(), wild));
            let mut out = [0; 32];
            asked.write(&mut out);
            assert_eq!(&out[..asked.len()], filter.as_bytes());
        }
    }
}
