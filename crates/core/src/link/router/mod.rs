//! Inbound routing: from an address to the records that its values go into.

mod hash;
mod inbound;
mod index;
mod order;
mod routed;
mod sink;

use crate::link::{Ask, Bound, ConnectorConfig, Filter, LinkStatus, Routes};
use alloc::{borrow::Cow, boxed::Box, string::String, sync::Arc, vec::Vec};
use core::fmt;
pub(crate) use inbound::{Inbound, NewInbound};
use index::{Index, standing};
use order::ordered;
pub use routed::Routed;
pub(crate) use sink::{Deliver, Sink};

/// A link that comes in, for the router of the connector that it comes through.
pub struct InboundRoute {
    links: Arc<Inbound>,
    link: u32,
}

impl InboundRoute {
    /// One of `links`, by its number.
    pub(crate) fn of(links: &Arc<Inbound>, link: u32) -> Self {
        InboundRoute { links: links.clone(), link }
    }

    /// The record that it goes into.
    pub fn record(&self) -> &str {
        &self.links.ties(self.link).record
    }

    /// The protocol's own address, with its wildcards: `sensors/{device}/temp`.
    pub fn resource(&self) -> &str {
        self.links.ties(self.link).resource()
    }

    /// The whole address, with its scheme.
    pub fn whole_address(&self) -> &str {
        &self.links.ties(self.link).address
    }

    /// What the link asks for.
    pub fn config(&self) -> ConnectorConfig {
        self.links.config(self.link)
    }

    /// What it is doing.
    pub fn status(&self) -> LinkStatus {
        self.links.status(self.link)
    }
}

impl fmt::Debug for InboundRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboundRoute").field("record", &self.record()).field("address", &self.whole_address()).finish()
    }
}

/// Makes a [`Router`] of the routes that a database has for a connector.
#[derive(Debug)]
pub struct RouterBuilder {
    routes: Vec<InboundRoute>,
}

impl RouterBuilder {
    /// For these routes.
    #[must_use]
    pub fn from_routes(routes: Vec<InboundRoute>) -> Self {
        RouterBuilder { routes }
    }

    /// The router. O(n log n) in the number of routes.
    #[must_use]
    pub fn build(self) -> Router {
        let filters: Vec<Cow<'_, str>> = self.routes.iter().map(|route| filter(route.resource())).collect();
        let order = ordered(filters.len(), &|one, other| filters.get(one).cmp(&filters.get(other)));
        let route = |at: &u32| self.routes.get(*at as usize);
        let copy = |route: &InboundRoute| InboundRoute { links: route.links.clone(), link: route.link };
        let mut routes: Vec<InboundRoute> = order.iter().filter_map(route).map(copy).collect();
        let mut starts: Vec<u32> = Vec::new();
        for (i, route) in routes.iter().enumerate() {
            let first = i
                .checked_sub(1)
                .and_then(|before| routes.get(before))
                .is_none_or(|before| filter(before.resource()) != filter(route.resource()));
            if first {
                starts.push(u32::try_from(i).unwrap_or(u32::MAX));
            }
        }
        starts.shrink_to_fit();
        routes.shrink_to_fit();
        let mut router =
            Router { plan: Box::default(), links: None, routes, starts, index: Index::new(core::iter::empty()) };
        let links = router.routes.first().map(|route| route.links.clone());
        // all links of one connector: no other route of it is left that could have been taken
        let links = links.filter(|links| {
            router.routes.len() == links.count() && router.routes.iter().all(|route| Arc::ptr_eq(links, &route.links))
        });
        router.index = Index::new((0..).zip(router.all()).flat_map(|(number, routes)| {
            let each = links.is_some() && routes.first().is_some_and(|first| standing(first.resource()).is_some());
            let alone = if each { &[] } else { routes.get(..1).unwrap_or_default() };
            let alone = alone.iter().map(move |first| (first.resource(), Target::resource(number)));
            let routes = if each { routes } else { &[] };
            alone.chain(routes.iter().map(|route| (route.resource(), Target::link(route.link))))
        }));
        router.links = links;
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for (number, resource) in (0..).zip(router.resource_ids()) {
            let group = resource.group();
            if groups.len() <= group {
                groups.resize(group + 1, Vec::new());
            }
            groups[group].push(number);
        }
        router.plan = groups.concat().into_boxed_slice();
        router
    }
}

/// Where the index leads to: straight to a link, which saves routing a step, when it leads to links of one connector only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Target(u32);

enum To {
    Link(u32),
    Resource(usize),
}

impl Target {
    const RESOURCE: u32 = 1;

    fn link(number: u32) -> Self {
        Target(number << 1)
    }

    fn resource(number: u32) -> Self {
        Target(number << 1 | Self::RESOURCE)
    }

    fn to(self) -> To {
        match self.0 & Self::RESOURCE {
            0 => To::Link(self.0 >> 1),
            _ => To::Resource((self.0 >> 1) as usize),
        }
    }
}

/// Finds, for an address that a value came from, the records that it goes into, and puts it there.
///
/// Its routes are told apart by hashes of whole addresses, one lookup for each *shape* of wildcards that occurs (which
/// levels are wildcards), so the cost of an address does not grow with the number of routes.
pub struct Router {
    /// The numbers of resources, those of one group together.
    plan: Box<[u32]>,
    /// Where all routes lead to, if that is one place: those of one connector of one database do.
    links: Option<Arc<Inbound>>,
    /// Sorted, so that those of one resource stand together.
    routes: Vec<InboundRoute>,
    /// The first route of each resource.
    starts: Vec<u32>,
    index: Index,
}

/// Something to subscribe to: the links that ask for the same.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'r> {
    routes: &'r [InboundRoute],
    group: usize,
}

impl<'r> Resource<'r> {
    /// Its address, in which each bound `{name}` is a `+`: an MQTT topic filter.
    pub fn filter(&self) -> Cow<'r, str> {
        self.routes.first().map_or(Cow::Borrowed(""), |route| filter(route.resource()))
    }

    /// The highest quality of service that one of its links asks for.
    pub fn qos(&self) -> u8 {
        self.routes.iter().filter_map(|route| route.config().qos).max().unwrap_or(0)
    }

    /// Its links.
    pub fn routes(&self) -> &'r [InboundRoute] {
        self.routes
    }

    /// Its group: resources of one group never match the same address, so a peer that says which group a value came by has
    /// said all. There are few: one for each way to place wildcards.
    pub fn group(&self) -> usize {
        self.group
    }

    /// Counts and reports at its links that the peer does not give it: it refused the subscription.
    pub fn refused(&self, why: &dyn fmt::Display) {
        self.routes.iter().for_each(|route| route.links.failed(route.link, route.resource(), why));
    }
}

impl Router {
    /// What the connector has to subscribe to, each once, in an order that stays the same: the place of each is its number
    /// for [`route_to`](Self::route_to).
    pub fn resource_ids(&self) -> impl ExactSizeIterator<Item = Resource<'_>> {
        (0..self.starts.len()).map(|number| self.resource(number))
    }

    /// One of them by its number; one without links when there is none of this number.
    pub fn resource(&self, number: usize) -> Resource<'_> {
        let routes = self.of(number);
        let group = routes.first().map_or(0, |first| self.index.group(first.resource(), |target| self.text(target)));
        Resource { routes, group }
    }

    /// The routes of each resource.
    fn all(&self) -> impl ExactSizeIterator<Item = &[InboundRoute]> + Clone {
        (0..self.starts.len()).map(|resource| self.of(resource))
    }

    fn of(&self, resource: usize) -> &[InboundRoute] {
        let at = |i: usize| self.starts.get(i).map_or(self.routes.len(), |start| *start as usize);
        self.routes.get(at(resource)..at(resource + 1)).unwrap_or_default()
    }

    /// Whether there is nothing to route.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Puts the value in `payload`, which came from `address`, into the records of all routes that match.
    ///
    /// Where a record is a queue without room, the value waits in what is returned: await
    /// [`Routed::done`] before the peer is told that the value has arrived.
    pub fn route<'r>(&'r self, address: &str, payload: &[u8]) -> Routed<'r> {
        let mut routed = Routed::default();
        self.index.find(
            address,
            |target| self.text(target),
            |target, pattern| {
                self.deliver(target, Bound::new(pattern, address), payload, &mut routed);
            },
        );
        routed
    }

    /// The same for a connector whose peer says which subscription a value came by: `resource` is its place in
    /// [`resource_ids`](Self::resource_ids). One that does not match the address is passed over.
    pub fn route_to<'r>(&'r self, resource: usize, address: &str, payload: &[u8]) -> Routed<'r> {
        let mut routed = Routed::default();
        for route in self.of(resource).iter().filter(|route| crate::link::address::matches(route.resource(), address)) {
            routed.add(&route.links, route.link, Bound::new(route.resource(), address), payload);
        }
        routed
    }

    /// The same for a connector whose peer says which [groups](Resource::group) of subscriptions a value came by. It is the
    /// fastest way, and the right one where subscriptions overlap: however the peer repeats a value or does not, each
    /// link gets it once.
    pub fn route_groups<'r>(&'r self, groups: &[usize], address: &str, payload: &[u8]) -> Routed<'r> {
        let mut routed = Routed::default();
        for group in groups {
            self.index.find_in(
                *group,
                address,
                |target| self.text(target),
                |target, pattern| self.deliver(target, Bound::new(pattern, address), payload, &mut routed),
            );
        }
        routed
    }

    /// Counts and reports at all links that match that a value came from `address` which was too large to be taken. Whether there
    /// is such a link. It asks each link, since that is rare.
    pub fn too_large(&self, address: &str, why: &dyn fmt::Display) -> bool {
        let routes = self.routes.iter().filter(|route| crate::link::address::matches(route.resource(), address));
        routes.fold(false, |_, route| {
            route.links.failed(route.link, address, why);
            true
        })
    }

    /// The text of what the index leads to.
    #[inline]
    fn text(&self, target: Target) -> &[u8] {
        match (target.to(), &self.links) {
            (To::Link(link), Some(links)) => links.resource(link),
            (To::Resource(resource), _) => self.of(resource).first().map_or(b"", |first| first.resource().as_bytes()),
            (To::Link(_), None) => b"",
        }
    }

    #[inline]
    fn deliver<'r>(&'r self, target: Target, bound: Bound<'_>, payload: &[u8], routed: &mut Routed<'r>) {
        match (target.to(), &self.links) {
            (To::Link(link), Some(links)) => routed.add(links, link, bound, payload),
            (To::Resource(resource), _) => {
                // they agree in their filter, but perhaps not in the names that it binds
                for route in self.of(resource) {
                    routed.add(&route.links, route.link, Bound::new(route.resource(), bound.address()), payload);
                }
            }
            (To::Link(_), None) => {}
        }
    }
}

impl Routes for Router {
    type Routed<'r> = Routed<'r>;
    const GROUPED: bool = true;
    const IN_LINE: bool = false;

    fn count(&self) -> usize {
        self.plan.len()
    }

    fn ask(&self, number: usize) -> Option<Ask<'_>> {
        let resource = self.resource(*self.plan.get(number)? as usize);
        let filter = Filter(resource.routes.first()?.resource());
        Some(Ask { filter, qos: resource.qos(), group: resource.group() })
    }

    fn refused(&self, number: usize, why: &dyn fmt::Display) {
        if let Some(resource) = self.plan.get(number) {
            self.resource(*resource as usize).refused(why);
        }
    }

    fn too_large(&self, address: &str, why: &dyn fmt::Display) -> bool {
        Router::too_large(self, address, why)
    }

    fn route(&self, address: &str, payload: &[u8]) -> Routed<'_> {
        Router::route(self, address, payload)
    }

    fn route_groups(&self, groups: &[usize], address: &str, payload: &[u8]) -> Routed<'_> {
        Router::route_groups(self, groups, address, payload)
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("routes", &self.routes.len()).field("resources", &self.starts.len()).finish()
    }
}

/// An inbound address with `+` for each `{name}`.
fn filter(resource: &str) -> Cow<'_, str> {
    if !resource.contains('{') {
        return Cow::Borrowed(resource);
    }
    let mut filter = String::with_capacity(resource.len());
    for (i, level) in resource.split('/').enumerate() {
        if i > 0 {
            filter.push('/');
        }
        filter.push_str(if level.starts_with('{') { "+" } else { level });
    }
    Cow::Owned(filter)
}

#[cfg(test)]
mod tests {
    use super::{sink::Delivery, *};
    use crate::link::state::Ties;
    use alloc::{format, vec};

    /// Takes every value.
    struct Takes;
    impl Deliver for Takes {
        fn deliver(&self, _: &[u8], _: Bound<'_>) -> Delivery<'_> {
            Delivery::Done
        }
    }

    #[test]
    fn the_links_of_a_connector_stand_where_the_index_looks_for_them() {
        let mut addresses: Vec<String> = (0..500).map(|i| format!("plant/{}/sensor/{i}", i % 7)).collect();
        let names = |name| (0..50).map(move |i| format!("plant/{i}/{{{name}}}"));
        addresses.extend(names("x").chain(names("y")).chain(["#".into()]));
        addresses.extend(["x", "y"].map(|name| format!("{}{{{name}}}", "l/".repeat(40))));
        let mut new = NewInbound::default();
        for address in &addresses {
            let ties = Ties::new("record".into(), format!("tap://{address}").into());
            new.add(ties, ConnectorConfig::default(), Arc::new(Takes));
        }
        let (links, numbers) = new.done();
        let links = Arc::new(links);
        let routes = || numbers.iter().map(|link| InboundRoute::of(&links, *link));
        assert!(routes().zip(&addresses).all(|(route, address)| route.resource() == address));
        let router = RouterBuilder::from_routes(routes().collect()).build();
        assert!(router.index.is_in_place());
        let groups: Vec<usize> = (0..8).collect();
        let long = format!("{}a", "l/".repeat(40));
        let to = [("plant/3/sensor/3", vec![3, 600]), ("plant/7/a", vec![507, 557, 600]), (&long, vec![600, 601, 602])];
        for (address, to) in &to {
            let values = || numbers.iter().map(|link| links.status(*link).values).collect::<Vec<_>>();
            let before = values();
            assert_eq!(router.route(address, b"").delivered(), to.len());
            assert_eq!(router.route_groups(&groups, address, b"").delivered(), to.len());
            let came = values().iter().zip(before).map(|(now, before)| now - before).collect::<Vec<_>>();
            assert!((0..).zip(came).all(|(link, came)| came == if to.contains(&link) { 2 } else { 0 }), "{address}");
        }
        // Some of them alone still find their own.
        let some = RouterBuilder::from_routes(routes().skip(1).collect()).build();
        assert!(!some.index.is_in_place());
        assert_eq!(some.route("plant/7/a", b"").delivered(), 3);
        assert_eq!(some.route("plant/0/sensor/0", b"").delivered(), 1, "`#` alone");
    }
}
