//! Each value is a version, whatever the buffer does with it.

use super::*;
use anabranch::{
    TokioAdapter, TrySendError,
    redb::{self, RedbBackend},
    value::Value,
};
use std::collections::BTreeSet;

const BUFFERS: [(&str, BufferCfg); 4] = [
    ("ring", BufferCfg::SpmcRing { capacity: 2 }),
    ("latest", BufferCfg::SingleLatest),
    ("mailbox", BufferCfg::Mailbox),
    ("queue", BufferCfg::Queue { capacity: 1000, consumers: 1 }),
];

/// A thousand values, as fast as they come, with nobody who reads and nobody who waits.
async fn a_thousand_of_each<R>(runtime: R, store: Store)
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
{
    let mut builder = Anabranch::builder().runtime(runtime).with_store(store.clone());
    for (name, buffer) in BUFFERS {
        builder = builder.configure::<u32>(name, |r| {
            r.with_buffer(buffer).keep("numbers");
        });
    }
    let db = builder.build().await.expect("it is right");
    db.start();
    for (name, _) in BUFFERS {
        let producer = db.producer::<u32>(name).expect("nobody else writes");
        for number in 0..1000 {
            producer.produce(number);
        }
    }
    assert_eq!(db.shutdown(GRACE).await.aborted, Vec::<String>::new());
    for (name, _) in BUFFERS {
        let keep = status(&db, name);
        assert_eq!((keep.kept, keep.waiting, keep.lost, keep.failed), (1000, 0, 0, 0), "{keep:?}");
        assert_eq!(values::<u32>(&store, "numbers", name), (0..1000).collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn every_value_is_a_version_whatever_the_buffer_does_with_it() {
    simulated(|runtime| async move {
        let store = in_memory(&runtime);
        a_thousand_of_each(runtime, store).await;
    });
    on_tokio(|runtime| async move {
        let store = in_memory(&runtime);
        a_thousand_of_each(runtime, store).await;
    });
}

#[test]
fn on_disk_all_that_was_taken_is_there_when_it_is_opened_again() {
    on_tokio(|runtime: TokioAdapter| async move {
        let dir = tempfile::tempdir().expect("there is room");
        let open = || {
            let backend = RedbBackend::open(dir.path(), redb::Options::default()).expect("nobody else has it");
            Store::open(backend, anabranch::store::Options::new(clock(&runtime))).expect("it is whole")
        };
        a_thousand_of_each(runtime.clone(), open()).await;
        let store = open();
        assert_eq!(store.stats().expect("it can be read").total_versions, 4000);
        assert_eq!(values::<u32>(&store, "numbers", "latest"), (0..1000).collect::<Vec<_>>());
    });
}

#[test]
fn values_that_come_together_share_commits() {
    on_tokio(|runtime| async move {
        let dir = tempfile::tempdir().expect("there is room");
        let backend = RedbBackend::open(dir.path(), redb::Options::default()).expect("nobody else has it");
        let store = Store::open(backend, anabranch::store::Options::new(clock(&runtime))).expect("it is whole");
        a_thousand_of_each(runtime, store.clone()).await;
        let commits = store.stats().expect("it can be read").commits;
        assert!(commits < 400, "{commits} commits for 4000 values");
    });
}

#[test]
fn the_key_is_made_of_the_value_s_fields() {
    simulated(|runtime| async move {
        let db = Anabranch::builder()
            .runtime(runtime)
            .configure::<Reading>("readings", |r| {
                r.with_buffer(BufferCfg::SingleLatest).keep(Keep::in_namespace("temperature").key("of/{device}"));
            })
            .configure::<Value>("any", |r| {
                r.with_buffer(BufferCfg::SingleLatest)
                    .keep_as(Keep::in_namespace("any").key("{device}"), |value: &Value| Ok::<_, String>(value.clone()));
            })
            .build()
            .await
            .expect("it is right");
        db.start();
        let readings = db.producer::<Reading>("readings").expect("nobody else writes");
        readings.produce(reading("boiler", 21.5));
        readings.produce(reading("fridge", 4.0));
        readings.produce(reading("boiler", 22.0));
        let any = db.producer::<Value>("any").expect("nobody else writes");
        any.produce(7.into());
        let _ = db.shutdown(GRACE).await;
        let store = db.store().expect("in memory").expect("something is kept");
        assert_eq!(
            values::<Reading>(&store, "temperature", "of/boiler"),
            [reading("boiler", 21.5), reading("boiler", 22.0)]
        );
        assert_eq!(values::<Reading>(&store, "temperature", "of/fridge"), [reading("fridge", 4.0)]);
        let keep = status(&db, "any");
        assert_eq!((keep.kept, keep.failed, keep.key.as_str()), (0, 1, "{device}"));
        assert!(keep.last_error.as_deref().is_some_and(|why| why.contains("no field device")), "{keep:?}");
    });
}

#[test]
fn many_producers_at_once_lose_nothing() {
    on_tokio(|runtime| async move {
        let db = Anabranch::builder()
            .runtime(runtime.clone())
            .configure::<u32>("shared", |r| {
                r.with_buffer(BufferCfg::SpmcRing { capacity: 4 }).shared().keep(Keep::from("numbers").room(100_000));
            })
            .build()
            .await
            .expect("it is right");
        db.start();
        let producers = (0..8).map(|number| {
            let producer = db.producer::<u32>("shared").expect("it is shared");
            runtime.spawn_blocking(move || {
                for value in 0..1000 {
                    producer.produce(number * 1000 + value);
                }
            })
        });
        for done in producers.collect::<Vec<_>>() {
            done.await.expect("it does not panic");
        }
        let _ = db.shutdown(GRACE).await;
        let store = db.store().expect("in memory").expect("something is kept");
        let kept = values::<u32>(&store, "numbers", "shared");
        assert_eq!((kept.len(), status(&db, "shared").lost), (8000, 0));
        assert_eq!(kept.into_iter().collect::<BTreeSet<_>>().len(), 8000);
    });
}

#[test]
fn a_queue_waits_for_room_to_keep_what_it_takes() {
    simulated(|runtime| async move {
        let db = Anabranch::builder()
            .runtime(runtime.clone())
            .configure::<u32>("jobs", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 100, consumers: 1 }).keep(Keep::from("jobs").room(2));
            })
            .build()
            .await
            .expect("it is right");
        let (producer, mut consumer) =
            (db.producer::<u32>("jobs").expect("a queue"), db.consumer::<u32>("jobs").expect("a seat is free"));
        assert!(producer.try_send(0).is_ok() && producer.try_send(1).is_ok());
        assert!(matches!(producer.try_send(2), Err(TrySendError::Full(2))), "two wait to be kept");
        db.start();
        let sending = runtime.spawn(async move {
            for number in 2..50 {
                producer.send(number).await.expect("somebody reads");
            }
        });
        for number in 0..50 {
            assert_eq!(consumer.next().await, Some(number));
        }
        sending.await.expect("it ends");
        let _ = db.shutdown(GRACE).await;
        let keep = status(&db, "jobs");
        assert_eq!((keep.kept, keep.lost), (50, 0), "{keep:?}");
    });
}

#[test]
fn a_kept_record_stands_in_the_graph_and_among_the_services() {
    simulated(|runtime| async move {
        let db = Anabranch::builder()
            .runtime(runtime)
            .configure::<u32>("number", |r| {
                r.with_buffer(BufferCfg::Mailbox).keep("numbers");
            })
            .build()
            .await
            .expect("it is right");
        assert!(db.graph().to_mermaid().contains("\"keep number\""), "{}", db.graph().to_mermaid());
        assert_eq!(db.services()[0].name, "keep number");
        assert_eq!(db.graph().services[0].reads, ["number"]);
        // It takes nobody's place.
        let consumer = db.consumer::<u32>("number");
        assert!(consumer.is_ok(), "{consumer:?}");
    });
}
