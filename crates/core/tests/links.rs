//! Links of a database: what is wrong with them is said when it is built, what passes arrives, and nothing is lost that
//! was not counted.
#![cfg(all(feature = "std", not(loom)))]

mod fake;

use anabranch_core::{
    Anabranch, BufferCfg, ConnectionState, Connector, ConnectorBuilder, ConnectorConfig, ConnectorError, Encode,
    EncodeError, LinkDirection, LinkStatus, Offline, Payload, PublishError, RecordConfig,
};
use anabranch_executor::{Duration, RuntimeExt, SpawnDynamically, TimeSource};
use anabranch_sim::{Sim, SimAdapter};
use fake::{Answer, New, build, database, errors, without};
use std::{
    fmt::Write,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

const RING: BufferCfg = BufferCfg::SpmcRing { capacity: 64 };

/// A number's digits.
fn parse(bytes: &[u8], _: &anabranch_core::Bound<'_>) -> Result<u64, String> {
    let text = str::from_utf8(bytes).map_err(|error| error.to_string())?;
    text.parse().map_err(|_| format!("\"{text}\" is no number"))
}

fn digits(value: &u64, payload: &mut Payload<'_>) -> std::fmt::Result {
    write!(payload, "{value}")
}

/// A ring with a link out to `fake://out`.
fn out(config: ConnectorConfig) -> impl Fn(&mut RecordConfig<'_, SimAdapter, u64>) {
    move |r| {
        r.with_buffer(RING).link_to("fake://out").with_serializer(digits).with_config(config);
    }
}

fn link(db: &Anabranch<SimAdapter>) -> LinkStatus {
    db.links().remove(0)
}

fn words(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| number.to_string()).collect()
}

// What is wrong, in words.

#[test]
fn all_that_is_wrong_with_links_is_said_at_once() {
    let mut sim = Sim::new(0);
    let (builder, _) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(RING).shared();
        r.link_from("here").with_deserializer(parse);
        r.link_from("fale://a").with_deserializer(parse);
        r.link_from("kafka://a").with_deserializer(parse);
        r.link_from("fake://a/b+/c").with_deserializer(parse);
        r.link_from("fake://a/#/c").with_deserializer(parse);
        r.link_from("fake://a/{x}/{x}").with_deserializer(parse);
        r.link_from("fake://a");
        r.link_to("fake://+/a").with_serializer(digits);
        r.link_to("fake://a/{b").with_serializer(digits);
        r.link_to("fake://a/{b}").with_serializer(digits);
        r.link_to("fake://a");
    });
    let link = |address: &str, problem: &str| format!("link {address} of record \"n\": {problem}");
    let no_format = "it has no format: add `.with_json()`, `.with_cbor()`, `.with_postcard()`, or a closure";
    assert_eq!(
        errors(&mut sim, builder),
        [
            link("here", "it has no scheme: write it as `mqtt://sensors/temp`"),
            link("fale://a", "no connector speaks \"fale\": did you mean \"fake://\"?"),
            link("kafka://a", "no connector speaks \"kafka\": add one with `.with_connector(…)`"),
            link(
                "fake://a/b+/c",
                "a wildcard stands beside other characters: an inbound `{name}`, `+` or `#` is a whole level between `/`"
            ),
            link(
                "fake://a/#/c",
                "`#` stands before the end: it takes all the levels that are left, so it can only be the last"
            ),
            link("fake://a/{x}/{x}", "a `{name}` stands there twice: give each part of the address a name of its own"),
            link("fake://a", no_format),
            link(
                "fake://+/a",
                "`+` and `#` cannot be published to: name the place, or take it from a field of the value as `{field}`"
            ),
            link("fake://a/{b", "a `{` has no `}`, or the other way round"),
            link(
                "fake://a/{b}",
                "a serializer that is a closure knows no fields: use `with_json`, `with_cbor` or `with_postcard`, or `with_encode` with an `Encode` of your own"
            ),
            link("fake://a", no_format),
        ]
    );
}

/// A connector that cannot be made.
struct Wrong;

impl ConnectorBuilder<SimAdapter> for Wrong {
    fn scheme(&self) -> &str {
        "wrong"
    }

    fn build(&self, _: &Anabranch<SimAdapter>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        Err(vec![ConnectorError::Config("its URL is none".into())])
    }
}

#[test]
fn what_connectors_find_wrong_is_said_together_with_what_the_database_finds() {
    let mut sim = Sim::new(0);
    let both = without(&sim).with_connector(Wrong).with_connector(New::of("fake+a")).with_connector(New::of("fake+a"));
    assert_eq!(
        errors(&mut sim, both),
        [
            "two connectors have the scheme \"fake+a\": give each a name of its own, and write links as fake+name://…",
            "connector \"wrong\": its URL is none",
        ]
    );
}

#[test]
fn two_connectors_of_one_scheme_and_none_at_all() {
    let mut sim = Sim::new(0);
    let twice = without(&sim).with_connector(New::of("fake")).with_connector(New::of("fake"));
    assert_eq!(
        errors(&mut sim, twice),
        ["two connectors have the scheme \"fake\": give each a name of its own, and write links as fake+name://…"]
    );
    let none = without(&sim).configure::<u64>("n", out(ConnectorConfig::default()));
    assert_eq!(
        errors(&mut sim, none),
        ["link fake://out of record \"n\": no connector speaks \"fake\": add one with `.with_connector(…)`"]
    );
}

#[test]
fn a_record_with_one_producer_takes_values_from_one_connector_or_one_service() {
    let mut sim = Sim::new(0);
    let (builder, _) = database(&sim);
    let builder = builder
        .with_connector(New::of("fake+b"))
        .configure::<u64>("source", |r| {
            r.with_buffer(RING).link_from("fake://s").with_deserializer(parse);
        })
        .configure::<u64>("with a service", |r| {
            r.with_buffer(RING).transform("source", Some::<u64>);
            r.link_from("fake://a").with_deserializer(parse);
        })
        .configure::<u64>("from two", |r| {
            r.with_buffer(BufferCfg::SingleLatest);
            r.link_from("fake://a").with_deserializer(parse);
            r.link_from("fake+b://a").with_deserializer(parse);
        });
    let mend = "but allows one producer: declare it `.shared()`, or give each a record";
    assert_eq!(
        errors(&mut sim, builder),
        [
            format!("record \"from two\" is written by links from fake:// and links from fake+b://, {mend}"),
            format!(
                "record \"with a service\" is written by links from fake:// and service \"with a service from source\", {mend}"
            ),
        ]
    );
    // Links of one connector are one writer; and shared records take from anybody.
    let (builder, _) = database(&sim);
    let builder = builder.with_connector(New::of("fake+b")).configure::<u64>("one", |r| {
        r.with_buffer(RING);
        r.link_from("fake://a").with_deserializer(parse);
        r.link_from("fake://b/+").with_deserializer(parse);
    });
    let builder = builder.configure::<u64>("shared", |r| {
        r.with_buffer(RING).shared().transform("one", Some::<u64>);
        r.link_from("fake://a").with_deserializer(parse);
        r.link_from("fake+b://a").with_deserializer(parse);
    });
    assert!(build(&mut sim, builder).is_ok());
}

#[test]
fn a_record_with_a_link_is_taken_for_code_outside_unless_it_is_shared() {
    let mut sim = Sim::new(0);
    let (builder, _) = database(&sim);
    let builder = builder
        .configure::<u64>("own", |r| {
            r.with_buffer(RING).link_from("fake://a").with_deserializer(parse);
        })
        .configure::<u64>("shared", |r| {
            r.with_buffer(RING).shared().link_from("fake://a").with_deserializer(parse);
        });
    let db = build(&mut sim, builder).unwrap();
    assert!(db.producer::<u64>("own").is_err());
    assert!(db.producer::<u64>("shared").is_ok());
}

#[test]
fn what_a_connector_finds_wrong_names_its_links() {
    let mut sim = Sim::new(0);
    let (builder, _) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(RING).shared();
        r.link_from("fake://refused/in").with_deserializer(parse);
        r.link_to("fake://refused/out").with_serializer(digits);
    });
    assert_eq!(
        errors(&mut sim, builder),
        ["in", "out"].map(|way| {
            format!("connector \"fake\": link fake://refused/{way} of record \"n\": this one is refused")
        })
    );
}

// What comes in.

#[test]
fn what_cannot_be_decoded_is_counted_and_reported_and_the_link_goes_on() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(RING).link_from("fake://in/{x}").with_deserializer(|bytes, bound| match bytes {
            b"panic" => panic!("this decoder was told to panic"),
            _ => parse(bytes, bound),
        });
    });
    let db = build(&mut sim, builder).unwrap();
    let mut values = db.consumer::<u64>("n").unwrap();
    let route = |payload: &[u8]| {
        let routed = fake.router.route("in/7", payload);
        (routed.delivered(), routed.failed(), routed.closed(), routed.waits(), routed.is_unrouted())
    };
    assert_eq!(route(b"1"), (1, 0, 0, false, false));
    assert_eq!(route(b"one"), (0, 1, 0, false, false));
    assert_eq!(link(&db).last_error.as_deref(), Some("in/7: \"one\" is no number"));
    assert_eq!(route(b"panic"), (0, 1, 0, false, false));
    let said = link(&db).last_error.unwrap();
    assert_eq!(said, "in/7: its deserializer panicked; the panic hook printed where and why");
    assert_eq!(route(b"2"), (1, 0, 0, false, false));
    assert!(fake.router.route("elsewhere", b"3").is_unrouted());
    assert_eq!((link(&db).values, link(&db).failed), (2, 2));
    assert_eq!([values.try_recv(), values.try_recv()], [Ok(1), Ok(2)]);
    assert!(values.try_recv().is_err());
}

#[test]
fn a_full_queue_holds_a_value_back_until_there_is_room() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let queue = |capacity| {
        move |r: &mut RecordConfig<'_, SimAdapter, u64>| {
            r.with_buffer(BufferCfg::Queue { capacity, consumers: 1 }).link_from("fake://in").with_deserializer(parse);
        }
    };
    let builder = builder.configure::<u64>("one", queue(1)).configure::<u64>("two", queue(2));
    let db = build(&mut sim, builder).unwrap();
    let (mut one, mut two) = (db.consumer::<u64>("one").unwrap(), db.consumer::<u64>("two").unwrap());
    assert_eq!(fake.router.route("in", b"1").delivered(), 2);
    let mut routed = fake.router.route("in", b"2");
    assert_eq!((routed.delivered(), routed.waits()), (1, true));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(routed.poll_done(&mut cx).is_pending());
    assert_eq!(db.links().iter().map(|link| link.values).collect::<Vec<_>>(), [1, 2], "what waits is not counted yet");
    assert_eq!(one.try_recv(), Ok(1));
    let routed = sim.block_on(routed.done()).unwrap();
    assert_eq!((routed.delivered(), routed.closed(), routed.waits()), (2, 0, false));
    assert_eq!(one.try_recv(), Ok(2));
    // Both are full, and get room in any order: neither holds the other back.
    assert_eq!(fake.router.route("in", b"3").delivered(), 1, "two is full, one has room");
    assert_eq!(two.try_recv(), Ok(1));
    let mut both = fake.router.route("in", b"4");
    assert_eq!(two.try_recv(), Ok(2));
    assert!(both.poll_done(&mut cx).is_pending());
    assert_eq!(two.try_recv(), Ok(4), "it went in though the other is still full");
    assert_eq!(one.try_recv(), Ok(3));
    assert!(both.poll_done(&mut cx).is_ready());
    // A wait that is dropped was not taken.
    drop(fake.router.route("in", b"5"));
    assert_eq!(one.try_recv(), Ok(4));
    assert!(one.try_recv().is_err());
}

#[test]
fn a_record_that_has_closed_takes_nothing_and_says_so() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let builder = builder
        .configure::<u64>("ring", |r| {
            r.with_buffer(RING).link_from("fake://in").with_deserializer(parse);
        })
        .configure::<u64>("queue", |r| {
            r.with_buffer(BufferCfg::Queue { capacity: 1, consumers: 1 });
            r.link_from("fake://queue").with_deserializer(parse);
        });
    let db = build(&mut sim, builder).unwrap();
    let mut values = db.consumer::<u64>("ring").unwrap();
    let _queue = db.consumer::<u64>("queue").unwrap();
    db.start();
    assert_eq!(fake.router.route("in", b"1").delivered(), 1);
    assert_eq!(fake.router.route("queue", b"1").delivered(), 1);
    let waiting = fake.router.route("queue", b"2");
    assert!(waiting.waits());
    let shutdown = sim.block_on(db.shutdown(Duration::from_secs(1))).unwrap();
    assert_eq!(shutdown.aborted, Vec::<String>::new());
    let routed = fake.router.route("in", b"2");
    assert_eq!((routed.delivered(), routed.failed(), routed.closed(), routed.is_unrouted()), (0, 0, 1, false));
    let waited = sim.block_on(waiting.done()).unwrap();
    assert_eq!((waited.delivered(), waited.closed()), (0, 1), "what waited for room must be sent again by the peer");
    assert_eq!(sim.block_on(async { [values.next().await, values.next().await] }).unwrap(), [Some(1), None]);
}

// What goes out.

#[test]
fn values_go_out_in_order_and_are_counted() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let config = ConnectorConfig { qos: Some(1), retain: Some(true), ..Default::default() };
    let db = build(&mut sim, builder.configure("n", out(config))).unwrap();
    assert_eq!((fake.outbound[0].resource(), fake.outbound[0].config), ("out", config));
    let values = db.producer::<u64>("n").unwrap();
    fake.answers(Answer::Takes);
    db.start();
    (0..50).for_each(|value| _ = values.produce(value));
    sim.run_until_idle().unwrap();
    assert_eq!(fake.payloads(), words(0..50));
    assert!(fake.published().iter().all(|(address, _)| address == "out"));
    assert_eq!((link(&db).values, link(&db).failed, link(&db).dropped, link(&db).kept), (50, 0, 0, 0));
}

#[test]
fn offline_the_newest_are_kept_in_order_and_the_others_counted() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let config = ConnectorConfig { offline: Some(Offline::KeepNewest(3)), ..Default::default() };
    let db = build(&mut sim, builder.configure("n", out(config))).unwrap();
    let values = db.producer::<u64>("n").unwrap();
    db.start();
    (0..10).for_each(|value| _ = values.produce(value));
    sim.run_until_idle().unwrap();
    assert_eq!((link(&db).dropped, link(&db).kept, link(&db).values), (7, 3, 0));
    fake.answers(Answer::Takes);
    values.produce(10);
    sim.run_until_idle().unwrap();
    assert_eq!(fake.payloads(), words(7..=10));
    assert_eq!((link(&db).dropped, link(&db).kept, link(&db).values, link(&db).failed), (7, 0, 4, 0));
}

#[test]
fn offline_a_link_may_drop_all_and_goes_on_with_what_comes_then() {
    for offline in [Offline::Drop, Offline::KeepNewest(0)] {
        let mut sim = Sim::new(0);
        let (builder, fake) = database(&sim);
        let config = ConnectorConfig { offline: Some(offline), ..Default::default() };
        let db = build(&mut sim, builder.configure("n", out(config))).unwrap();
        let values = db.producer::<u64>("n").unwrap();
        db.start();
        (0..10).for_each(|value| _ = values.produce(value));
        sim.run_until_idle().unwrap();
        assert_eq!((link(&db).dropped, link(&db).kept), (10, 0));
        fake.answers(Answer::Takes);
        values.produce(10);
        sim.run_until_idle().unwrap();
        assert_eq!(fake.payloads(), ["10"]);
        assert_eq!((link(&db).dropped, link(&db).values), (10, 1));
    }
}

#[test]
fn a_value_waits_for_a_connection_no_longer_than_its_timeout() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let config = ConnectorConfig { timeout: Some(Duration::from_secs(5)), ..Default::default() };
    let db = build(&mut sim, builder.configure("n", out(config))).unwrap();
    let values = db.producer::<u64>("n").unwrap();
    db.start();
    for value in 0..4 {
        values.produce(value);
        sim.run_for(Duration::from_secs(3)).unwrap();
    }
    fake.answers(Answer::Takes); // after 12 s: those of 0 s, 3 s and 6 s are too old
    sim.run_until_idle().unwrap();
    assert_eq!(fake.payloads(), ["3"]);
    assert_eq!((link(&db).dropped, link(&db).values, link(&db).kept), (3, 1, 0));
}

#[test]
fn a_connection_without_room_holds_values_back_and_loses_none() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(BufferCfg::Queue { capacity: 4, consumers: 1 }).link_to("fake://out").with_serializer(digits);
    });
    let db = build(&mut sim, builder).unwrap();
    let values = db.producer::<u64>("n").unwrap();
    fake.answers(Answer::Room(2));
    db.start();
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = sim.adapter().spawn({
        let sent = sent.clone();
        async move {
            for value in 0..20 {
                values.send(value).await.expect("it is open");
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    sim.run_until_idle().unwrap();
    assert_eq!(fake.payloads(), words(0..2));
    assert!(sent.load(Ordering::Relaxed) <= 2 + 1 + 4, "the queue fills up, and holds the sender back");
    for room in 1..=6 {
        fake.answers(Answer::Room(3));
        sim.run_until_idle().unwrap();
        assert_eq!(fake.payloads(), words(0..2 + 3 * room));
    }
    sim.block_on(sending).unwrap().unwrap();
    assert_eq!((link(&db).values, link(&db).dropped, link(&db).failed, link(&db).kept), (20, 0, 0, 0));
}

#[test]
fn what_can_never_be_published_is_counted_and_the_link_goes_on() {
    for error in [
        PublishError::TooLarge { size: 9, limit: 8 },
        PublishError::Destination("it is too long"),
        PublishError::Unsupported("it retains nothing"),
        PublishError::Closed,
    ] {
        let mut sim = Sim::new(0);
        let (builder, fake) = database(&sim);
        let db = build(&mut sim, builder.configure("n", out(ConnectorConfig::default()))).unwrap();
        let values = db.producer::<u64>("n").unwrap();
        fake.answers(Answer::Refuses(error));
        db.start();
        values.produce(1);
        values.produce(2);
        sim.run_until_idle().unwrap();
        assert_eq!((link(&db).failed, link(&db).values, link(&db).kept), (2, 0, 0));
        assert_eq!(link(&db).last_error, Some(format!("out: {error}")));
        fake.answers(Answer::Takes);
        values.produce(3);
        sim.run_until_idle().unwrap();
        assert_eq!(fake.payloads(), ["3"]);
    }
}

/// A number that its address needs as `{parity}`, and that has as many bytes as it says.
struct Sized;
impl Encode<u64> for Sized {
    fn encode(&self, value: &u64, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        for _ in 0..*value {
            payload.push(b"x")?;
        }
        Ok(())
    }
    fn field(&self, value: &u64, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError> {
        match (name, value) {
            ("parity", 13) => Ok(text.push(b"a/b")?),
            ("parity", value) => Ok(text.push(if value % 2 == 0 { b"even" } else { b"odd" })?),
            (other, _) => Err(EncodeError::new(format_args!("there is no `{other}`"))),
        }
    }
}

#[test]
fn fields_of_a_value_lead_it_to_its_address() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(RING);
        r.link_to("fake://numbers/is-{parity}/x").with_encode(Sized);
        r.link_to("fake://numbers/{none}").with_encode(Sized);
    });
    let db = build(&mut sim, builder).unwrap();
    let values = db.producer::<u64>("n").unwrap();
    fake.answers(Answer::Takes);
    db.start();
    [1, 2, 13, 3].into_iter().for_each(|value| _ = values.produce(value));
    sim.run_until_idle().unwrap();
    let to = |address: &str, size| (format!("numbers/is-{address}/x"), "x".repeat(size));
    assert_eq!(fake.published(), [to("odd", 1), to("even", 2), to("odd", 3)]);
    let links = db.links();
    assert_eq!([links[0].failed, links[1].failed], [1, 4]);
    assert_eq!(
        links[0].last_error.as_deref(),
        Some(
            "fake://numbers/is-{parity}/x: the field `parity` is empty or holds `/`, `+`, `#` or NUL, so it cannot stand in an address"
        )
    );
    assert_eq!(
        links[1].last_error.as_deref(),
        Some("fake://numbers/{none}: the address needs the field `none`: there is no `none`")
    );
}

#[test]
fn a_payload_grows_to_its_limit_and_no_further() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        let limit = ConnectorConfig { max_payload: Some(1000), ..Default::default() };
        r.with_buffer(RING).link_to("fake://out").with_encode(Sized).with_config(limit);
    });
    let db = build(&mut sim, builder).unwrap();
    let values = db.producer::<u64>("n").unwrap();
    fake.answers(Answer::Takes);
    db.start();
    [0, 256, 257, 1000, 1001, 5].into_iter().for_each(|value| _ = values.produce(value));
    sim.run_until_idle().unwrap();
    assert_eq!(fake.payloads().iter().map(String::len).collect::<Vec<_>>(), [0, 256, 257, 1000, 5]);
    assert_eq!(link(&db).failed, 1);
    let said = "out: the value takes more than 1000 bytes: raise `max_payload`, or send less";
    assert_eq!(link(&db).last_error.as_deref(), Some(said));
}

#[test]
fn an_encoder_that_panics_loses_its_value_alone() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(RING).link_to("fake://out").with_serializer(|value, payload| {
            assert_ne!(*value, 2, "this encoder was told to panic");
            digits(value, payload)
        });
    });
    let db = build(&mut sim, builder).unwrap();
    let values = db.producer::<u64>("n").unwrap();
    fake.answers(Answer::Takes);
    db.start();
    (0..5).for_each(|value| _ = values.produce(value));
    sim.run_until_idle().unwrap();
    assert_eq!(fake.payloads(), words([0, 1, 3, 4]));
}

// Life.

/// `in` → transform → `out` → `fake://out`, all queues.
fn pipeline(builder: anabranch_core::Builder<SimAdapter>) -> anabranch_core::Builder<SimAdapter> {
    let queue = BufferCfg::Queue { capacity: 2, consumers: 1 };
    builder
        .configure::<u64>("in", |r| {
            r.with_buffer(queue);
        })
        .configure::<u64>("out", |r| {
            r.with_buffer(queue).transform("in", Some::<u64>);
            r.link_to("fake://out").with_serializer(digits);
        })
}

#[test]
fn a_shutdown_sends_what_is_on_its_way_then_closes_the_connector_and_waits_for_it() {
    for seed in 0..50 {
        let mut sim = Sim::new(seed);
        let (builder, fake) = database(&sim);
        let db = build(&mut sim, pipeline(builder)).unwrap();
        let values = db.producer::<u64>("in").unwrap();
        fake.answers(Answer::Takes);
        db.start();
        let sending = sim.adapter().spawn(async move {
            for value in 0.. {
                if values.send(value).await.is_err() {
                    return value;
                }
            }
            0
        });
        let (db, adapter) = (db.clone(), sim.adapter());
        let sent = sim.block_on(async move {
            for _ in 0..seed {
                adapter.yield_now().await;
            }
            let shutdown = db.shutdown(Duration::from_secs(1)).await;
            assert_eq!(shutdown.aborted, Vec::<String>::new());
            sending.await.unwrap()
        });
        let sent = sent.unwrap();
        assert_eq!(fake.payloads(), words(0..sent), "seed {seed}");
        let events = fake.events();
        let closed = format!("is closed after {sent}");
        // it may be closed before it was polled for the first time
        let order = [["runs".to_owned(), closed.clone(), "ends".into()], [closed, "runs".into(), "ends".into()]];
        assert!(order.iter().any(|order| *order == events[..]), "seed {seed}: {events:?}");
    }
}

#[test]
fn who_does_not_end_in_time_is_named_and_ended() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let db = build(&mut sim, pipeline(builder)).unwrap();
    let values = db.producer::<u64>("in").unwrap();
    db.start(); // and it stays offline: what is kept cannot go
    sim.block_on(async {
        values.send(1).await.unwrap();
        let asked = db.runtime().now().since_start();
        let shutdown = db.shutdown(Duration::from_secs(2)).await;
        assert_eq!(shutdown.aborted, ["fake://out"], "the connector has an eighth of the time to take leave in");
        assert_eq!(db.runtime().now().since_start() - asked, Duration::from_millis(1750));
    })
    .unwrap();
    assert_eq!(fake.payloads(), words([]));
    assert_eq!((link(&db).kept, link(&db).values), (1, 0));
    sim.run().expect("nothing of it runs any more");
}

#[test]
fn a_database_with_nothing_but_outbound_links_ends_when_its_services_have() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let db = build(&mut sim, pipeline(builder)).unwrap();
    let values = db.producer::<u64>("in").unwrap();
    fake.answers(Answer::Takes);
    let running = sim.adapter().spawn({
        let db = db.clone();
        async move { db.run().await }
    });
    sim.block_on(async {
        for value in 0..9 {
            values.send(value).await.unwrap();
        }
        drop(values);
        running.await.unwrap().unwrap();
    })
    .unwrap();
    assert_eq!(fake.payloads(), words(0..9));
    assert_eq!(fake.events(), ["runs", "is closed after 9", "ends"]);
}

#[test]
fn a_database_with_an_inbound_link_goes_on_until_it_is_shut_down() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(RING).link_from("fake://in").with_deserializer(parse);
        r.link_to("fake://out").with_serializer(digits);
    });
    let db = build(&mut sim, builder).unwrap();
    fake.answers(Answer::Takes);
    sim.block_on(async {
        let mut running = pin!(db.run());
        let hour = db.runtime().timeout(Duration::from_secs(3600), running.as_mut()).await;
        assert!(hour.is_err(), "nothing came, and it goes on");
        assert_eq!(fake.router.route("in", b"7").delivered(), 1);
        let _nobody = db.shutdown(Duration::from_secs(1)).await;
        running.await.unwrap();
    })
    .unwrap();
    assert_eq!(fake.payloads(), ["7"]);
}

#[test]
fn a_connector_that_panics_runs_again() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let db = build(&mut sim, builder.configure("n", out(ConnectorConfig::default()))).unwrap();
    let values = db.producer::<u64>("n").unwrap();
    fake.panics(2);
    db.start();
    values.produce(1);
    sim.run_until_idle().unwrap();
    assert_eq!(fake.events(), ["panics", "panics", "runs"]);
    fake.answers(Answer::Takes);
    sim.run_until_idle().unwrap();
    assert_eq!(fake.payloads(), ["1"], "what was kept goes out");
    let shutdown = sim.block_on(db.shutdown(Duration::from_secs(1))).unwrap();
    assert_eq!(shutdown.aborted, Vec::<String>::new());
}

#[test]
fn links_and_connectors_are_shown() {
    let mut sim = Sim::new(0);
    let (builder, fake) = database(&sim);
    let builder = builder.configure::<u64>("n", |r| {
        r.with_buffer(RING).link_to("fake://out/\"b\"").with_serializer(digits);
        r.link_from("fake://in/{x}").with_deserializer(parse);
    });
    let db = build(&mut sim, builder).unwrap();
    let links: Vec<_> = (db.links().into_iter())
        .map(|link| (link.record.to_string(), link.address.to_string(), link.direction))
        .collect();
    let of = |address: &str, direction| ("n".to_owned(), address.to_owned(), direction);
    assert_eq!(links, [of("fake://out/\"b\"", LinkDirection::Out), of("fake://in/{x}", LinkDirection::In)]);
    assert_eq!(db.connectors()[0].state, ConnectionState::Offline);
    fake.answers(Answer::Takes);
    assert_eq!(db.connectors()[0].state, ConnectionState::Online);
    assert_eq!(
        db.graph().to_mermaid(),
        "flowchart LR\n    r0([\"n<br/>spmc-ring 64\"])\n    s0>\"fake://out/#quot;b#quot;\"]\n    r0 --> s0\n    l0>\"fake://in/{x}\"]\n    l0 --> r0\n"
    );
}
