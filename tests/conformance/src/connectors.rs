//! What every connector promises, asked of one and of its peer: the checklist of "Write a connector".

use crate::{
    Fault, Report,
    report::{expect, expect_at_least, expect_equal},
    run_cases,
};
use alloc::{
    collections::BTreeSet,
    format,
    string::{String, ToString},
    vec::Vec,
};
use anabranch_core::{
    AccessError, Anabranch, BufferCfg, BuildErrors, Builder, ConnectionState, ConnectorBuilder, ConnectorConfig,
    Consumer, Encode, EncodeError, Offline, Payload, Producer, RecordConfig,
};
use anabranch_executor::{Duration, MaybeSend, MaybeSync, Runtime, RuntimeExt, SpawnDynamically, TimeSource};
use core::fmt::Write;

/// A connector and the peer that it speaks to.
///
/// The peer carries whatever payload it is given. The suite's payloads are JSON numbers, so a protocol that can carry JSON
/// only passes, too.
pub trait ConnectorFixture: MaybeSync {
    /// What both run on.
    type Runtime: Runtime + SpawnDynamically;

    /// The runtime.
    fn runtime(&self) -> &Self::Runtime;

    /// A connector to the peer, with its name if the suite gives it one.
    fn connector(&self, name: Option<&str>) -> impl ConnectorBuilder<Self::Runtime>;

    /// The connector's scheme, without a name.
    fn scheme(&self) -> &str;

    /// The quality of service with which the protocol promises that a value arrives at least once, if it has one.
    fn at_least_once(&self) -> Option<u8>;

    /// Starts the peer, or starts it again: with what it has to remember, if it has to.
    fn start(&self) -> impl Future<Output = ()> + MaybeSend;

    /// Cuts all of the peer's connections, without a word, and listens no more.
    fn stop(&self) -> impl Future<Output = ()> + MaybeSend;

    /// Lets the peer send a value from `address` to whoever wants it.
    fn send(&self, address: &str, payload: &[u8]) -> impl Future<Output = ()> + MaybeSend;

    /// The next value that arrives at the peer, with its address.
    fn received(&self) -> impl Future<Output = (String, Vec<u8>)> + MaybeSend;
}

/// Runs the cases of [`Connector`](anabranch_core::Connector).
pub async fn run_connectors<F: ConnectorFixture>(fixture: &F, report: &mut impl Report) {
    let rt = fixture.runtime();
    run_cases!(
        rt,
        report,
        [
            a_value_comes_in(fixture),
            a_value_goes_out(fixture),
            parts_of_an_address_are_bound_and_fields_are_filled_in(fixture),
            what_does_not_decode_is_counted_and_the_link_goes_on(fixture),
            values_from_before_the_first_connection_are_kept(fixture),
            inbound_flows_again_whenever_the_peer_was_restarted(fixture),
            a_link_that_shall_drop_drops_and_counts_while_offline(fixture),
            a_link_that_shall_keep_keeps_the_newest_in_their_order(fixture),
            a_hundred_addresses_each_way_do_not_hold_each_other_up(fixture),
            a_queue_without_room_loses_nothing_that_came_in(fixture),
            a_shutdown_sends_what_was_taken(fixture),
            a_peer_that_is_not_there_holds_nothing_up(fixture),
            two_connectors_of_one_scheme_are_told_apart_by_name(fixture),
            no_value_is_lost_when_the_peer_is_restarted_in_mid_flow(fixture),
        ]
    );
}

type Db<F> = Anabranch<<F as ConnectorFixture>::Runtime>;

const SECOND: Duration = Duration::from_secs(1);
/// How long a shutdown may take: more than it does.
const GRACE: Duration = Duration::from_secs(8);

impl From<BuildErrors> for Fault {
    fn from(_: BuildErrors) -> Self {
        Fault::new("the suite's database to be built")
    }
}

impl From<AccessError> for Fault {
    fn from(_: AccessError) -> Self {
        Fault::new("the ends of the suite's records to be free")
    }
}

fn read(bytes: &[u8]) -> Result<u32, &'static str> {
    core::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse().ok()).ok_or("no number")
}

fn write(value: &u32, payload: &mut Payload<'_>) -> Result<(), core::fmt::Error> {
    write!(payload, "{value}")
}

/// A value of a device, which its address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Of {
    device: u32,
    value: u32,
}

struct ByDevice;

impl Encode<Of> for ByDevice {
    fn encode(&self, of: &Of, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        write(&of.value, payload).map_err(|_| EncodeError::Full)
    }
    fn field(&self, of: &Of, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError> {
        match name {
            "device" => write(&of.device, text).map_err(|_| EncodeError::Full),
            _ => Err(EncodeError::new("no such field")),
        }
    }
}

fn with<F: ConnectorFixture>(fixture: &F) -> Builder<F::Runtime> {
    Anabranch::builder().runtime(fixture.runtime().clone()).with_connector(fixture.connector(None))
}

const RING: BufferCfg = BufferCfg::SpmcRing { capacity: 1024 };

/// A database with one record that comes in from `place`.
async fn comes_in<F: ConnectorFixture>(
    fixture: &F,
    place: &str,
    buffer: BufferCfg,
) -> Result<(Db<F>, Consumer<u32>), Fault> {
    let qos = fixture.at_least_once();
    let db = with(fixture)
        .configure::<u32>("in", |r| {
            r.with_buffer(buffer)
                .link_from(format!("{}://{place}", fixture.scheme()))
                .with_deserializer(|bytes, _| read(bytes))
                .with_config(ConnectorConfig { qos, ..Default::default() });
        })
        .build()
        .await?;
    let values = db.consumer("in")?;
    Ok((db, values))
}

/// A database with one record that goes out to `place`.
async fn goes_out<F: ConnectorFixture>(
    fixture: &F,
    place: &str,
    offline: Option<Offline>,
) -> Result<(Db<F>, Producer<u32>), Fault> {
    let qos = fixture.at_least_once();
    let db = with(fixture)
        .configure::<u32>("out", |r| {
            r.with_buffer(RING)
                .link_to(format!("{}://{place}", fixture.scheme()))
                .with_serializer(write)
                .with_config(ConnectorConfig { qos, offline, ..Default::default() });
        })
        .build()
        .await?;
    let values = db.producer("out")?;
    Ok((db, values))
}

/// Waits until the connector says `state`.
async fn until<R: Runtime + SpawnDynamically>(
    db: &Anabranch<R>,
    scheme: &str,
    state: ConnectionState,
) -> Result<(), Fault> {
    let mut says = db.connection(scheme).ok_or(Fault::new("the connector to be known by its scheme"))?;
    while let Some(said) = says.next().await {
        if said == state {
            return Ok(());
        }
    }
    Err(Fault::new("the connector to say how it is while its database is there"))
}

/// Waits for what is only counted: looks once a millisecond of the runtime's time.
async fn comes_true<R: TimeSource>(rt: &R, holds: impl Fn() -> bool + MaybeSend) {
    while !holds() {
        rt.sleep(Duration::from_millis(1)).await;
    }
}

/// Ends a database, which has nothing to wait for.
async fn end<R: Runtime + SpawnDynamically>(db: &Anabranch<R>) -> Result<(), Fault> {
    expect(db.shutdown(GRACE).await.aborted.is_empty(), "a shutdown to end everything by itself")
}

/// The next value that arrives at the peer from `place`; those of earlier cases are passed over.
async fn arrives<F: ConnectorFixture>(fixture: &F, place: &str) -> (String, Option<u32>) {
    loop {
        let (address, payload) = fixture.received().await;
        if address.starts_with(place) {
            return (address, read(&payload).ok());
        }
    }
}

async fn a_value_comes_in<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.start().await;
    let (db, mut values) = comes_in(fixture, "case/in", RING).await?;
    db.start();
    until(&db, fixture.scheme(), ConnectionState::Online).await?;
    fixture.send("case/elsewhere", b"1").await;
    fixture.send("case/in", b"42").await;
    expect(values.next().await == Some(42), "the value that the peer has sent, and no other")?;
    end(&db).await
}

async fn a_value_goes_out<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.start().await;
    let (db, values) = goes_out(fixture, "case/out", None).await?;
    db.start();
    values.produce(42);
    let (address, value) = arrives(fixture, "case/out").await;
    expect(address == "case/out" && value == Some(42), "the value and its address to arrive at the peer")?;
    end(&db).await
}

async fn parts_of_an_address_are_bound_and_fields_are_filled_in<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.start().await;
    let scheme = fixture.scheme();
    let db = with(fixture)
        .configure::<Of>("of", |r| {
            r.with_buffer(RING)
                .link_from(format!("{scheme}://case/bound/{{device}}/in"))
                .with_deserializer(|bytes, bound| {
                    let device = bound.get("device").and_then(|part| part.parse().ok()).ok_or("no device")?;
                    read(bytes).map(|value| Of { device, value })
                })
                .link_to(format!("{scheme}://case/filled/{{device}}"))
                .with_encode(ByDevice);
        })
        .build()
        .await?;
    db.start();
    until(&db, scheme, ConnectionState::Online).await?;
    for device in [7_u32, 8] {
        fixture.send(&format!("case/bound/{device}/in"), (device * 2).to_string().as_bytes()).await;
        let (address, value) = arrives(fixture, "case/filled/").await;
        expect(address == format!("case/filled/{device}"), "the device's name in the address that a value goes to")?;
        expect_equal(u64::from(device * 2), value.unwrap_or(0).into(), "the device's value")?;
    }
    end(&db).await
}

async fn what_does_not_decode_is_counted_and_the_link_goes_on<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.start().await;
    let (db, mut values) = comes_in(fixture, "case/nonsense", RING).await?;
    db.start();
    until(&db, fixture.scheme(), ConnectionState::Online).await?;
    fixture.send("case/nonsense", b"\"nonsense\"").await;
    fixture.send("case/nonsense", b"3").await;
    expect(values.next().await == Some(3), "the value after the nonsense")?;
    let links = db.links();
    expect_equal(1, links[0].failed, "the nonsense to be counted")?;
    expect(links[0].last_error.as_ref().is_some_and(|e| e.contains("case/nonsense")), "its address to be reported")?;
    end(&db).await
}

async fn values_from_before_the_first_connection_are_kept<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.stop().await;
    let (db, values) = goes_out(fixture, "case/early", None).await?;
    db.start();
    for value in 1..=3 {
        values.produce(value);
    }
    fixture.start().await;
    for value in 1..=3 {
        expect(arrives(fixture, "case/early").await.1 == Some(value), "each value from before, in order")?;
    }
    end(&db).await
}

async fn inbound_flows_again_whenever_the_peer_was_restarted<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.start().await;
    let (db, mut values) = comes_in(fixture, "case/again", RING).await?;
    db.start();
    for round in 1..=3 {
        until(&db, fixture.scheme(), ConnectionState::Online).await?;
        fixture.send("case/again", round.to_string().as_bytes()).await;
        // The one before comes again when its acknowledgement was lost with the connection.
        let mut came = values.next().await;
        while came.is_some_and(|came| came + 1 == round) {
            came = values.next().await;
        }
        expect(came == Some(round), "a value to come in after each restart of the peer")?;
        fixture.stop().await;
        until(&db, fixture.scheme(), ConnectionState::Offline).await?;
        fixture.start().await;
    }
    until(&db, fixture.scheme(), ConnectionState::Online).await?;
    let connects = db.connectors().first().map_or(0, |connector| connector.connects);
    expect_at_least(4, connects, "each connection to be counted")?;
    end(&db).await
}

async fn a_link_that_shall_drop_drops_and_counts_while_offline<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.stop().await;
    let (db, values) = goes_out(fixture, "case/drop", Some(Offline::Drop)).await?;
    db.start();
    for value in 1..=5 {
        values.produce(value);
    }
    let rt = fixture.runtime();
    comes_true(rt, || db.links()[0].dropped == 5).await;
    fixture.start().await;
    until(&db, fixture.scheme(), ConnectionState::Online).await?;
    values.produce(6);
    expect(
        arrives(fixture, "case/drop").await.1 == Some(6),
        "the first value after the connection, and none from before",
    )?;
    end(&db).await
}

async fn a_link_that_shall_keep_keeps_the_newest_in_their_order<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.stop().await;
    let (db, values) = goes_out(fixture, "case/keep", Some(Offline::KeepNewest(3))).await?;
    db.start();
    for value in 1..=10 {
        values.produce(value);
    }
    let rt = fixture.runtime();
    comes_true(rt, || db.links()[0].dropped == 7).await;
    expect_equal(3, db.links()[0].kept as u64, "as many to be kept as may be")?;
    fixture.start().await;
    for value in 8..=10 {
        expect(arrives(fixture, "case/keep").await.1 == Some(value), "the newest values, in order")?;
    }
    end(&db).await
}

/// AimDB: more than ten topics deadlocked.
async fn a_hundred_addresses_each_way_do_not_hold_each_other_up<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.start().await;
    let scheme = fixture.scheme();
    let mut builder = with(fixture);
    for i in 0..100 {
        builder = builder.configure::<u32>(format!("record {i}"), |r: &mut RecordConfig<'_, F::Runtime, u32>| {
            r.with_buffer(RING)
                .link_from(format!("{scheme}://case/hundred/in/{i}"))
                .with_deserializer(|bytes, _| read(bytes))
                .link_to(format!("{scheme}://case/hundred/out/{i}"))
                .with_serializer(write);
        });
    }
    let db = builder.build().await?;
    db.start();
    until(&db, scheme, ConnectionState::Online).await?;
    for i in 0..100 {
        fixture.send(&format!("case/hundred/in/{i}"), i.to_string().as_bytes()).await;
    }
    let mut came = BTreeSet::new();
    while came.len() < 100 {
        let (address, value) = arrives(fixture, "case/hundred/out/").await;
        let place = address.rsplit('/').next().and_then(|place| place.parse::<u32>().ok());
        expect(place.is_some() && place == value, "each value at its own address")?;
        came.insert(place);
    }
    end(&db).await
}

async fn a_queue_without_room_loses_nothing_that_came_in<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    if fixture.at_least_once().is_none() {
        return Ok(()); // nothing is promised
    }
    fixture.start().await;
    let scheme = fixture.scheme();
    let (db, mut values) = comes_in(fixture, "case/queue", BufferCfg::Queue { capacity: 1, consumers: 1 }).await?;
    db.start();
    until(&db, scheme, ConnectionState::Online).await?;
    for value in 1..=20_u32 {
        fixture.send("case/queue", value.to_string().as_bytes()).await;
    }
    for value in 1..=20 {
        expect(values.next().await == Some(value), "every value of the queue, in order")?;
    }
    end(&db).await
}

async fn a_shutdown_sends_what_was_taken<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.start().await;
    let (db, values) = goes_out(fixture, "case/last", None).await?;
    db.start();
    until(&db, fixture.scheme(), ConnectionState::Online).await?;
    for value in 1..=50 {
        values.produce(value);
    }
    end(&db).await?;
    for value in 1..=50 {
        expect(arrives(fixture, "case/last").await.1 == Some(value), "every value from before the shutdown")?;
    }
    Ok(())
}

async fn a_peer_that_is_not_there_holds_nothing_up<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.stop().await;
    let (db, _values) = comes_in(fixture, "case/nobody", RING).await?;
    db.start();
    let rt = fixture.runtime();
    comes_true(rt, || db.connectors()[0].last_error.is_some()).await;
    expect(db.connectors()[0].state == ConnectionState::Offline, "the connector to say that it is offline")?;
    // It may be aborted, but the shutdown ends.
    let _aborted = db.shutdown(SECOND).await;
    fixture.start().await;
    Ok(())
}

/// AimDB: two brokers in one database impossible.
async fn two_connectors_of_one_scheme_are_told_apart_by_name<F: ConnectorFixture>(fixture: &F) -> Result<(), Fault> {
    fixture.start().await;
    let scheme = fixture.scheme();
    let db = Anabranch::builder()
        .runtime(fixture.runtime().clone())
        .with_connector(fixture.connector(Some("left")))
        .with_connector(fixture.connector(Some("right")))
        .configure::<u32>("passes", |r| {
            r.with_buffer(RING)
                .link_from(format!("{scheme}+left://case/left"))
                .with_deserializer(|bytes, _| read(bytes))
                .link_to(format!("{scheme}+right://case/right"))
                .with_serializer(write);
        })
        .build()
        .await?;
    db.start();
    until(&db, &format!("{scheme}+left"), ConnectionState::Online).await?;
    fixture.send("case/left", b"5").await;
    expect(arrives(fixture, "case/right").await.1 == Some(5), "a value from the left to the right")?;
    end(&db).await
}

/// AimDB: after a broker restart nothing subscribes again, inbound is dead; and what was under way is lost.
async fn no_value_is_lost_when_the_peer_is_restarted_in_mid_flow<F: ConnectorFixture>(
    fixture: &F,
) -> Result<(), Fault> {
    if fixture.at_least_once().is_none() {
        return Ok(()); // nothing is promised
    }
    fixture.start().await;
    let (db, values) = goes_out(fixture, "case/flow", None).await?;
    db.start();
    let rt = fixture.runtime();
    let mut came = BTreeSet::new();
    let mut next = 1;
    for _restart in 0..4 {
        for _ in 0..25 {
            values.produce(next);
            next += 1;
            rt.yield_now().await;
        }
        fixture.stop().await;
        fixture.start().await;
    }
    while came.len() < 100 {
        came.insert(arrives(fixture, "case/flow").await.1);
    }
    expect_equal(0, db.links()[0].dropped, "nothing to be dropped")?;
    end(&db).await
}
