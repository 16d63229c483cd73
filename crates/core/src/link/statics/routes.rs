//! Routing among the links of static records: a board has a handful, so each is asked.

use super::{
    inlet::{Delivered, Inlet},
    set::LinkSet,
};
use crate::link::{Ask, Filter, RoutedValue, Routes};
use core::{
    fmt,
    task::{Context, Poll},
};

/// The links of `L` that come in, for a connector to route values by.
#[derive(Debug)]
pub struct LinkRoutes<'l, L>(pub &'l L);

/// For how many queues one value can wait at once; it is wanted again if there are more.
const QUEUES: usize = 2;

/// A value that was routed among links of static records.
pub struct RoutedHere<'r> {
    found: bool,
    closed: bool,
    no_room: bool,
    waits: [Option<(&'r dyn Inlet, u32)>; QUEUES],
}

impl<L: LinkSet> Routes for LinkRoutes<'_, L> {
    type Routed<'r>
        = RoutedHere<'r>
    where
        Self: 'r;
    const GROUPED: bool = false;
    const IN_LINE: bool = true;

    fn count(&self) -> usize {
        L::INLETS
    }

    fn ask(&self, number: usize) -> Option<Ask<'_>> {
        let inlet = self.0.inlet(number)?;
        Some(Ask { filter: Filter(inlet.resource()), qos: inlet.config().qos.unwrap_or(0), group: 0 })
    }

    fn refused(&self, number: usize, _: &dyn fmt::Display) {
        if let Some(inlet) = self.0.inlet(number) {
            inlet.refused();
        }
    }

    fn too_large(&self, address: &str, _: &dyn fmt::Display) -> bool {
        let inlets = (0..L::INLETS).filter_map(|number| self.0.inlet(number));
        inlets.filter(|inlet| inlet.matches(address)).fold(false, |_, inlet| {
            inlet.too_large();
            true
        })
    }

    fn route(&self, address: &str, payload: &[u8]) -> RoutedHere<'_> {
        let mut routed = RoutedHere { found: false, closed: false, no_room: false, waits: [None; QUEUES] };
        for inlet in (0..L::INLETS).filter_map(|number| self.0.inlet(number)) {
            if !inlet.matches(address) {
                continue;
            }
            routed.found = true;
            match inlet.deliver(address, payload) {
                Delivered::Done | Delivered::Failed => {}
                Delivered::Closed => routed.closed = true,
                Delivered::NoRoom => routed.no_room = true,
                Delivered::Waits(number) => match routed.waits.iter_mut().find(|place| place.is_none()) {
                    Some(place) => *place = Some((inlet, number)),
                    None => routed.no_room = true,
                },
            }
        }
        routed
    }

    fn route_groups(&self, _: &[usize], address: &str, payload: &[u8]) -> RoutedHere<'_> {
        self.route(address, payload)
    }
}

impl RoutedValue for RoutedHere<'_> {
    fn is_unrouted(&self) -> bool {
        !self.found
    }

    fn is_refused(&self) -> bool {
        self.closed || self.no_room
    }

    fn is_wanted_again(&self) -> bool {
        self.no_room
    }

    fn waits(&self) -> bool {
        self.waits.iter().any(Option::is_some)
    }

    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        for place in &mut self.waits {
            let Some((inlet, number)) = place else { continue };
            if let Poll::Ready(arrived) = inlet.poll_done(*number, cx) {
                self.closed |= !arrived;
                *place = None;
            }
        }
        if self.waits() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// It stands in line, and gets into its queue all the same.
    fn let_go(self) {}
}
