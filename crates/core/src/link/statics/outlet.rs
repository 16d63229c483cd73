//! A static record's end that a link takes values from, and what drives it.

use super::{LinkError, LinkOut, set::StaticLink};
use crate::{
    Consumer,
    buffer::Lock,
    link::{
        ConnectorConfig, Encode, Inlet, LinkDirection, Outlet,
        few::Few,
        outbound::{Outbound, Waiting},
    },
};
use anabranch_executor::TimeSource;

/// A link that goes out, with its end of the record.
pub struct OutletOf<T: 'static, E: 'static, const KEPT: usize, const PAYLOAD: usize> {
    link: &'static LinkOut<E, KEPT, PAYLOAD>,
    /// Until it runs.
    input: Lock<Option<Consumer<T>>>,
}

impl<T, E, const KEPT: usize, const PAYLOAD: usize> OutletOf<T, E, KEPT, PAYLOAD> {
    pub(super) fn new(link: &'static LinkOut<E, KEPT, PAYLOAD>, input: Consumer<T>) -> Self {
        OutletOf { link, input: Lock::new(Some(input)) }
    }
}

impl<T, E, const KEPT: usize, const PAYLOAD: usize> StaticLink for OutletOf<T, E, KEPT, PAYLOAD>
where
    T: Clone + Send + 'static,
    E: Encode<T>,
{
    const INLETS: usize = 0;

    fn inlet(&self) -> Option<&dyn Inlet> {
        None
    }

    fn check(
        &self,
        protocol: &mut dyn FnMut(LinkDirection, &'static str, &ConnectorConfig) -> Result<(), super::LinkErrorKind>,
    ) -> Result<(), LinkError> {
        let about = &self.link.about;
        let checked = about.check(LinkDirection::Out, self.link.encode.no_fields());
        let checked = checked.and_then(|()| protocol(LinkDirection::Out, about.address, &about.config));
        checked.map_err(|problem| LinkError { address: about.address, problem })
    }

    async fn run<R: TimeSource, O: Outlet>(&self, runtime: &R, outlet: O) {
        let Some((input, connection)) = self.input.with(Option::take).zip(outlet.watch()) else { return };
        let mut link = Outbound {
            runtime: runtime.clone(),
            input,
            encode: &self.link.encode,
            outlet,
            connection,
            link: self.link,
            config: self.link.about.config,
            waiting: Waiting::new(Few::<_, KEPT>::new()),
            address: [0; PAYLOAD],
            payload: [0; PAYLOAD],
        };
        let Ok(()) = link.run().await;
    }
}
