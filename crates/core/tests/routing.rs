//! Routing: from an address to all links that match it and to no other, without an allocation; and what a link costs.
#![cfg(all(feature = "std", not(loom)))]

mod fake;

use anabranch_core::{Bound, BufferCfg, ConnectorConfig, RecordConfig, Router, RouterBuilder};
use anabranch_sim::{Sim, SimAdapter};
use fake::{Handle, build, database};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    convert::Infallible,
};

/// Counts the allocations and the living bytes of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator; counting touches thread-locals that need no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        BYTES.set(BYTES.get().wrapping_add(layout.size()));
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get().wrapping_sub(layout.size()));
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Named = (String, Option<String>);

/// What came: the address that it came from, and what the name `x` was bound to.
fn named(_: &[u8], bound: &Bound<'_>) -> Result<Named, Infallible> {
    Ok((bound.address().into(), bound.get("x").map(Into::into)))
}

/// A database with a record for each address.
fn linked(sim: &mut Sim, addresses: &[&str]) -> (anabranch_core::Anabranch<SimAdapter>, Handle) {
    let (mut builder, fake) = database(sim);
    for (i, address) in addresses.iter().enumerate() {
        builder = builder.configure::<Named>(&*i.to_string(), |r: &mut RecordConfig<'_, SimAdapter, Named>| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 4 })
                .link_from(format!("fake://{address}"))
                .with_deserializer(named);
        });
    }
    (build(sim, builder).unwrap(), fake)
}

#[test]
fn a_value_goes_to_every_link_that_matches_with_that_links_names() {
    let mut sim = Sim::new(0);
    let (db, fake) = linked(&mut sim, &["a/b", "a/{x}", "a/+", "{x}/b", "a/{x}/#", "#", "a/b", "a/{y}", "c/#"]);
    let mut ends: Vec<_> = (0..9).map(|i| db.consumer::<Named>(&*i.to_string()).unwrap()).collect();
    let mut came = |address: &str| -> Vec<Option<Option<String>>> {
        let routed = fake.router.route(address, b"");
        let came: Vec<_> = ends
            .iter_mut()
            .map(|end| end.try_recv().ok().inspect(|(from, _)| assert_eq!(from, address)).map(|(_, x)| x))
            .collect();
        assert!(ends.iter_mut().all(|end| end.try_recv().is_err()), "once each");
        assert_eq!(routed.delivered(), came.iter().flatten().count());
        came
    };
    let x = |bound: &str| Some(Some(bound.to_owned()));
    let yes = Some(None);
    assert_eq!(
        came("a/b"),
        [yes.clone(), x("b"), yes.clone(), x("a"), x("b"), yes.clone(), yes.clone(), yes.clone(), None]
    );
    assert_eq!(came("c"), [None, None, None, None, None, yes.clone(), None, None, yes.clone()]);
    assert_eq!(came("ä/b"), [None, None, None, x("ä"), None, yes, None, None, None]);
    assert_eq!(came("$SYS/b"), vec![None; 9], "a leading wildcard leaves the broker's own topics out");
    assert_eq!(db.links().iter().map(|link| link.values).sum::<u64>(), 8 + 2 + 2);
}

#[test]
fn a_peer_that_says_which_subscription_a_value_came_by_is_believed() {
    let mut sim = Sim::new(0);
    let (db, fake) = linked(&mut sim, &["a/b", "a/{x}", "a/+", "#"]);
    let router = &fake.router;
    let filters: Vec<String> = router.resource_ids().map(|resource| resource.filter().into_owned()).collect();
    assert_eq!(filters, ["#", "a/+", "a/b"], "links that ask for the same are subscribed to once");
    let values = || db.links().iter().map(|link| link.values).collect::<Vec<_>>();
    assert_eq!(router.route_to(1, "a/b", b"").delivered(), 2);
    assert_eq!(values(), [0, 1, 1, 0]);
    assert!(router.route_to(2, "a/c", b"").is_unrouted(), "it does not match");
    assert!(router.route_to(3, "a/b", b"").is_unrouted(), "there is no such subscription");
    let groups: Vec<usize> = router.resource_ids().map(|resource| resource.group()).collect();
    assert_eq!(router.route_groups(&groups[1..2], "a/b", b"").delivered(), 2);
    assert_eq!(router.route_groups(&groups, "a/b", b"").delivered(), 4);
    assert_eq!(router.route_groups(&[], "a/b", b"").delivered(), 0);
    assert!(router.route_groups(&[99], "a/b", b"").is_unrouted());
    assert_eq!(values(), [1, 3, 3, 1]);
    router.resource_ids().nth(1).unwrap().refused(&"no");
    assert_eq!(db.links().iter().map(|link| link.failed).collect::<Vec<_>>(), [0, 1, 1, 0]);
}

#[test]
fn the_highest_quality_that_is_asked_for_is_subscribed_with() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let asks = |r: &mut RecordConfig<'_, SimAdapter, Named>, address: &str, qos| {
        let config = ConnectorConfig { qos, ..Default::default() };
        r.link_from(format!("fake://{address}")).with_deserializer(named).with_config(config);
    };
    let builder = builder.configure::<Named>("n", |r| {
        r.with_buffer(BufferCfg::SingleLatest);
        asks(r, "a/{x}", Some(1));
        asks(r, "a/{y}", Some(2));
        asks(r, "a/+", None);
        asks(r, "b", None);
    });
    let _db = build(&mut sim, builder).unwrap();
    let resources: Vec<_> = (fake.router.resource_ids())
        .map(|resource| (resource.filter().into_owned(), resource.qos(), resource.routes().len()))
        .collect();
    assert_eq!(resources, [("a/+".to_owned(), 2, 3), ("b".to_owned(), 0, 1)]);
    let first = &fake.router.resource_ids().last().unwrap().routes()[0];
    assert_eq!((first.record(), first.resource(), first.whole_address()), ("n", "b", "fake://b"));
    assert_eq!(first.config(), ConnectorConfig::default());
}

#[test]
fn links_with_closures_that_hold_something_keep_their_own() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(BufferCfg::SpmcRing { capacity: 8 });
        for number in [1_u64, 2, 3] {
            r.link_from(format!("fake://{number}")).with_deserializer(move |_, _| Ok::<_, Infallible>(number));
        }
        r.link_from("fake://a").with_deserializer(|_, _| Ok::<_, Infallible>(10));
        r.link_from("fake://b").with_deserializer(|_, _| Ok::<_, Infallible>(20));
    });
    let db = build(&mut sim, builder).unwrap();
    let mut values = db.consumer::<u64>("n").unwrap();
    for (address, number) in [("1", 1), ("2", 2), ("3", 3), ("a", 10), ("b", 20)] {
        assert_eq!(fake.router.route(address, b"").delivered(), 1);
        assert_eq!(values.try_recv(), Ok(number));
    }
}

#[test]
fn a_router_without_links_and_one_over_two_databases() {
    let empty = RouterBuilder::from_routes(Vec::new()).build();
    assert!(empty.is_empty() && empty.route("a", b"").is_unrouted() && empty.resource_ids().len() == 0);
    // Routes of two connectors in one router: each link still gets its own values.
    let mut sim = Sim::new(0);
    let (one, two) = (Routes::default(), Routes::default());
    let builder = fake::without(&sim).with_connector(one.clone()).configure::<Named>("one", |r| {
        r.with_buffer(BufferCfg::SingleLatest).link_from("routes://a/{x}").with_deserializer(named);
    });
    let first = build(&mut sim, builder).unwrap();
    let builder = fake::without(&sim).with_connector(two.clone()).configure::<Named>("two", |r| {
        r.with_buffer(BufferCfg::SingleLatest);
        r.link_from("routes://a/+").with_deserializer(named);
        r.link_from("routes://b").with_deserializer(named);
    });
    let second = build(&mut sim, builder).unwrap();
    let routes = [one, two].into_iter().flat_map(|routes| routes.0.lock().unwrap().take().unwrap()).collect();
    let router: Router = RouterBuilder::from_routes(routes).build();
    assert_eq!(router.route("a/b", b"").delivered(), 2);
    assert_eq!(router.route("b", b"").delivered(), 1);
    let values =
        |db: &anabranch_core::Anabranch<SimAdapter>| db.links().iter().map(|link| link.values).collect::<Vec<_>>();
    assert_eq!((values(&first), values(&second)), (vec![1], vec![1, 1]));
}

/// A connector that gives its routes away.
#[derive(Clone, Default)]
struct Routes(std::sync::Arc<std::sync::Mutex<Option<Vec<anabranch_core::InboundRoute>>>>);

impl anabranch_core::ConnectorBuilder<SimAdapter> for Routes {
    fn scheme(&self) -> &str {
        "routes"
    }
    fn build(
        &self,
        db: &anabranch_core::Anabranch<SimAdapter>,
    ) -> Result<std::sync::Arc<dyn anabranch_core::Connector>, Vec<anabranch_core::ConnectorError>> {
        *self.0.lock().unwrap() = Some(db.collect_inbound_routes("routes"));
        fake::New::of("none").build(db)
    }
}

/// A latest record with so many links, every tenth with a wildcard.
fn many(sim: &mut Sim, links: usize) -> (anabranch_core::Anabranch<SimAdapter>, Handle) {
    let (builder, fake) = database(sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(BufferCfg::SingleLatest);
        for i in 0..links {
            let address =
                if i % 10 == 9 { format!("plant/{i}/{{device}}/temp") } else { format!("plant/7/sensor/{i:05}/temp") };
            r.link_from(format!("fake://{address}"))
                .with_deserializer(|bytes, _| Ok::<_, Infallible>(bytes.len() as u64));
        }
    });
    (build(sim, builder).unwrap(), fake)
}

#[test]
fn a_link_costs_less_than_300_bytes_with_its_address() {
    assert_eq!(size_of::<usize>(), 8, "the figure below is for 64 bits");
    let held = |links| {
        let mut sim = Sim::new(0);
        let before = BYTES.get();
        let linked = many(&mut sim, links);
        let held = BYTES.get().wrapping_sub(before);
        drop(linked);
        held
    };
    let none = held(0);
    let each = (held(10_000) - none) / 10_000;
    assert!(each < 300, "{each} bytes");
}

#[test]
fn a_value_that_is_routed_costs_no_allocation() {
    let mut sim = Sim::new(0);
    let (db, fake) = many(&mut sim, 100);
    let mut values = db.consumer::<u64>("n").unwrap();
    let before = ALLOCATIONS.get();
    for address in ["plant/7/sensor/00042/temp", "plant/59/boiler/temp", "nobody/has/this"] {
        let routed = fake.router.route(address, b"12345");
        assert_eq!((routed.delivered(), routed.waits()), (usize::from(!routed.is_unrouted()), false));
        assert_eq!(values.try_recv().ok(), (!routed.is_unrouted()).then_some(5));
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!(db.links().iter().map(|link| link.values).sum::<u64>(), 2);
}
