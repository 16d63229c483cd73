//! Several links of static records, as one thing that a connector runs.

use super::{
    LinkError, LinkErrorKind, LinkIn, LinkOut,
    inlet::{Inlet, InletOf},
    outlet::OutletOf,
};
use crate::{
    Consumer, Producer,
    link::{ConnectorConfig, LinkDirection, Outlet},
};
use anabranch_executor::TimeSource;
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Links of static records, for a connector to run: any number of them, each with its end of its record.
#[derive(Debug, Clone, Copy, Default)]
pub struct Links<L = ()>(L);

impl Links {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Links(())
    }
}

impl<L> Links<L> {
    /// And one that puts what comes into a record.
    #[must_use]
    pub fn link_from<T, D, const WAITING: usize>(
        self,
        link: &'static LinkIn<D, WAITING>,
        record: Producer<T>,
    ) -> Links<(L, InletOf<T, D, WAITING>)> {
        Links((self.0, InletOf::new(link, record)))
    }

    /// And one that publishes the values of a record.
    #[must_use]
    pub fn link_to<T, E, const KEPT: usize, const PAYLOAD: usize>(
        self,
        link: &'static LinkOut<E, KEPT, PAYLOAD>,
        record: Consumer<T>,
    ) -> Links<(L, OutletOf<T, E, KEPT, PAYLOAD>)> {
        Links((self.0, OutletOf::new(link, record)))
    }
}

/// One link of a static record. Its implementors are made by [`Links`].
pub trait StaticLink {
    /// How many of it come in: 0 or 1; if it does not, it goes out.
    const INLETS: usize;

    /// Itself, if it comes in.
    fn inlet(&self) -> Option<&dyn Inlet>;

    /// Says what is wrong with it; `protocol` says what is wrong with an address and what is asked for at it.
    ///
    /// # Errors
    /// The first thing that is.
    fn check(
        &self,
        protocol: &mut dyn FnMut(LinkDirection, &'static str, &ConnectorConfig) -> Result<(), LinkErrorKind>,
    ) -> Result<(), LinkError>;

    /// Runs it, until its record closes.
    fn run<R: TimeSource, O: Outlet>(&self, runtime: &R, outlet: O) -> impl Future<Output = ()>;
}

/// A set of links: what [`Links`] builds.
pub trait LinkSet {
    /// How many of them come in.
    const INLETS: usize;
    /// How many of them go out.
    const OUTLETS: usize;

    /// One that comes in, by its number.
    fn inlet(&self, number: usize) -> Option<&dyn Inlet>;

    /// As [`StaticLink::check`], of all.
    ///
    /// # Errors
    /// The first thing that is wrong.
    fn check(
        &self,
        protocol: &mut dyn FnMut(LinkDirection, &'static str, &ConnectorConfig) -> Result<(), LinkErrorKind>,
    ) -> Result<(), LinkError>;

    /// Runs all of them side by side, until every record has closed that they publish.
    fn run<R: TimeSource, O: Outlet + Clone>(&self, runtime: &R, outlet: O) -> impl Future<Output = ()>;
}

impl LinkSet for () {
    const INLETS: usize = 0;
    const OUTLETS: usize = 0;

    fn inlet(&self, _: usize) -> Option<&dyn Inlet> {
        None
    }

    fn check(
        &self,
        _: &mut dyn FnMut(LinkDirection, &'static str, &ConnectorConfig) -> Result<(), LinkErrorKind>,
    ) -> Result<(), LinkError> {
        Ok(())
    }

    fn run<R: TimeSource, O: Outlet + Clone>(&self, _: &R, _: O) -> impl Future<Output = ()> {
        core::future::ready(())
    }
}

impl<A: LinkSet, B: StaticLink> LinkSet for (A, B) {
    const INLETS: usize = A::INLETS + B::INLETS;
    const OUTLETS: usize = A::OUTLETS + 1 - B::INLETS;

    fn inlet(&self, number: usize) -> Option<&dyn Inlet> {
        if number < A::INLETS { self.0.inlet(number) } else { self.1.inlet().filter(|_| number == A::INLETS) }
    }

    fn check(
        &self,
        protocol: &mut dyn FnMut(LinkDirection, &'static str, &ConnectorConfig) -> Result<(), LinkErrorKind>,
    ) -> Result<(), LinkError> {
        self.0.check(protocol)?;
        self.1.check(protocol)
    }

    fn run<R: TimeSource, O: Outlet + Clone>(&self, runtime: &R, outlet: O) -> impl Future<Output = ()> {
        Both { first: self.0.run(runtime, outlet.clone()), second: self.1.run(runtime, outlet), over: (false, false) }
    }
}

impl<L: LinkSet> LinkSet for Links<L> {
    const INLETS: usize = L::INLETS;
    const OUTLETS: usize = L::OUTLETS;

    fn inlet(&self, number: usize) -> Option<&dyn Inlet> {
        self.0.inlet(number)
    }

    fn check(
        &self,
        protocol: &mut dyn FnMut(LinkDirection, &'static str, &ConnectorConfig) -> Result<(), LinkErrorKind>,
    ) -> Result<(), LinkError> {
        self.0.check(protocol)
    }

    fn run<R: TimeSource, O: Outlet + Clone>(&self, runtime: &R, outlet: O) -> impl Future<Output = ()> {
        self.0.run(runtime, outlet)
    }
}

pin_project_lite::pin_project! {
    /// Two futures side by side. Not an async block: that would hold each twice, as what it was given and as what it polls,
    /// and this is the memory of a board.
    struct Both<A, B> {
        #[pin]
        first: A,
        #[pin]
        second: B,
        over: (bool, bool),
    }
}

impl<A: Future<Output = ()>, B: Future<Output = ()>> Future for Both<A, B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.over.0 = this.over.0 || this.first.poll(cx).is_ready();
        this.over.1 = this.over.1 || this.second.poll(cx).is_ready();
        if *this.over == (true, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}
