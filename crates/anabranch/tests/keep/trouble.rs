//! What cannot be kept is counted; a store that cannot be written is tried again; what is configured wrongly is said.

use super::*;
use anabranch::store::{Backend, BackendError, Batch, Durability, MemoryView, Usage};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

/// Memory that can be full, and knows who wrote last.
#[derive(Clone)]
struct Moody(Arc<Mood>);
struct Mood {
    memory: Memory,
    full: AtomicBool,
    writer: Mutex<Option<ThreadId>>,
}

impl Moody {
    fn new() -> Self {
        let (full, writer) = (AtomicBool::new(false), Mutex::new(None));
        Moody(Arc::new(Mood { memory: Memory::new(), full, writer }))
    }

    fn be_full(&self, full: bool) {
        self.0.full.store(full, Ordering::SeqCst);
    }
}

impl Backend for Moody {
    type View<'b> = MemoryView;

    fn view(&self) -> Result<MemoryView, BackendError> {
        self.0.memory.view()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        *self.0.writer.lock().unwrap() = Some(thread::current().id());
        if self.0.full.load(Ordering::SeqCst) {
            return Err(BackendError::Full);
        }
        self.0.memory.commit(batch, durability)
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        self.0.memory.usage()
    }
}

/// A database with a record of numbers, all of which are kept in `store`.
async fn keeping_numbers<R>(runtime: &R, store: Store) -> Anabranch<R>
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
{
    let configured = Anabranch::builder().runtime(runtime.clone()).with_store(store).configure::<u32>("number", |r| {
        r.with_buffer(BufferCfg::SingleLatest).keep("numbers");
    });
    configured.build().await.expect("it is right")
}

#[test]
fn what_finds_no_room_is_counted_and_goes_on_to_its_readers() {
    simulated(|runtime| async move {
        let db = Anabranch::builder()
            .runtime(runtime)
            .configure::<u32>("number", |r| {
                r.with_buffer(BufferCfg::SpmcRing { capacity: 100 }).keep(Keep::from("numbers").room(4));
            })
            .build()
            .await
            .expect("it is right");
        let mut consumer = db.consumer::<u32>("number").expect("a ring");
        let producer = db.producer::<u32>("number").expect("nobody else writes");
        for number in 0..10 {
            producer.produce(number);
        }
        assert_eq!((status(&db, "number").waiting, status(&db, "number").lost), (4, 6));
        for number in 0..10 {
            assert_eq!(consumer.try_recv(), Ok(number));
        }
        db.start();
        let _ = db.shutdown(GRACE).await;
        let store = db.store().expect("in memory").expect("something is kept");
        assert_eq!(values::<u32>(&store, "numbers", "number"), [0, 1, 2, 3]);
        assert_eq!((status(&db, "number").kept, status(&db, "number").lost), (4, 6));
        // After the end nobody writes, and that is counted, too.
        producer.produce(10);
        assert_eq!(status(&db, "number").lost, 7);
    });
}

#[test]
fn a_full_disk_holds_values_back_until_there_is_room() {
    simulated(|runtime| async move {
        let disk = Moody::new();
        let store = Store::open(disk.clone(), Options::new(clock(&runtime))).expect("it is empty");
        let db = keeping_numbers(&runtime, store.clone()).await;
        db.start();
        let producer = db.producer::<u32>("number").expect("nobody else writes");
        disk.be_full(true);
        for number in 0..100 {
            producer.produce(number);
            runtime.sleep(Duration::from_millis(100)).await;
        }
        let keep = status(&db, "number");
        assert_eq!((keep.kept, keep.waiting, keep.lost, keep.failed), (0, 100, 0, 0));
        assert!(keep.last_error.as_deref().is_some_and(|why| why.contains("the disk is full")), "{keep:?}");
        disk.be_full(false);
        runtime.sleep(Duration::from_secs(30)).await;
        assert_eq!(values::<u32>(&store, "numbers", "number"), (0..100).collect::<Vec<_>>());
        let _ = db.shutdown(GRACE).await;
    });
}

#[test]
fn a_disk_that_stays_full_does_not_hold_up_the_end_and_what_is_lost_is_said() {
    simulated(|runtime| async move {
        let disk = Moody::new();
        let store = Store::open(disk.clone(), Options::new(clock(&runtime))).expect("it is empty");
        let db = keeping_numbers(&runtime, store).await;
        db.start();
        disk.be_full(true);
        let producer = db.producer::<u32>("number").expect("nobody else writes");
        for number in 0..5 {
            producer.produce(number);
        }
        // The last producer goes, and with it the record.
        drop(producer);
        db.run().await.expect("nobody failed for good");
        let keep = status(&db, "number");
        assert_eq!((keep.kept, keep.waiting, keep.failed + keep.lost), (0, 0, 5), "{keep:?}");
    });
}

#[test]
fn a_serializer_that_panics_or_refuses_costs_its_own_value_only() {
    simulated(|runtime| async move {
        let db = Anabranch::builder()
            .runtime(runtime)
            .configure::<i64>("number", |r| {
                r.with_buffer(BufferCfg::SingleLatest).keep_as("numbers", |number: &i64| match number {
                    13 => panic!("as the test wants"),
                    17 => Err("17 is prime"),
                    number => Ok((*number).into()),
                });
            })
            .build()
            .await
            .expect("it is right");
        db.start();
        let producer = db.producer::<i64>("number").expect("nobody else writes");
        for number in [12, 13, 14, 17, 18] {
            producer.produce(number);
        }
        let _ = db.shutdown(GRACE).await;
        let store = db.store().expect("in memory").expect("something is kept");
        assert_eq!(values::<i64>(&store, "numbers", "number"), [12, 14, 18]);
        let keep = status(&db, "number");
        assert_eq!((keep.kept, keep.failed, keep.last_error.as_deref()), (3, 2, Some("17 is prime")));
    });
}

#[test]
fn no_async_thread_writes() {
    on_tokio(|runtime| async move {
        let disk = Moody::new();
        let store = Store::open(disk.clone(), Options::new(clock(&runtime))).expect("it is empty");
        let db = keeping_numbers(&runtime, store).await;
        db.start();
        db.producer::<u32>("number").expect("nobody else writes").produce(1);
        let _ = db.shutdown(GRACE).await;
        let writer = disk.0.writer.lock().unwrap().expect("somebody wrote");
        let mut asynchronous = vec![thread::current().id()];
        for _ in 0..8 {
            asynchronous.push(runtime.spawn(async { thread::current().id() }).await.expect("it ends"));
        }
        assert!(!asynchronous.contains(&writer));
    });
}

#[test]
fn what_is_configured_wrongly_is_said_together() {
    simulated(|runtime| async move {
        let built = Anabranch::builder()
            .runtime(runtime)
            .configure::<u32>("nameless", |r| {
                r.with_buffer(BufferCfg::SingleLatest).keep("");
            })
            .configure::<u32>("long", |r| {
                r.with_buffer(BufferCfg::SingleLatest).keep("n".repeat(256));
            })
            .configure::<u32>("open", |r| {
                r.with_buffer(BufferCfg::SingleLatest).keep(Keep::from("numbers").key("{device"));
            })
            .build()
            .await;
        let errors = built.expect_err("it is wrong").to_string();
        for says in [
            "record \"nameless\": it is kept in a namespace without a name",
            "255 are the most",
            "\"{device\" that it is kept under has a `{` that is not closed",
        ] {
            assert!(errors.contains(says), "{errors}");
        }
    });
}

#[test]
fn a_store_is_given_once_and_before_the_start() {
    simulated(|runtime| async move {
        let build = || Anabranch::builder().runtime(runtime.clone());
        let nothing_kept = build().build().await.expect("it is right");
        assert!(nothing_kept.store().expect("none").is_none() && nothing_kept.keeps().is_empty());
        assert!(!nothing_kept.set_store(in_memory(&runtime)), "nothing would be written to it");
        let kept = build()
            .configure::<u32>("number", |r| {
                r.with_buffer(BufferCfg::SingleLatest).keep("numbers");
            })
            .build()
            .await
            .expect("it is right");
        let store = in_memory(&runtime);
        assert!(kept.set_store(store.clone()) && !kept.set_store(in_memory(&runtime)));
        kept.start();
        kept.producer::<u32>("number").expect("nobody else writes").produce(7);
        let _ = kept.shutdown(GRACE).await;
        assert_eq!(values::<u32>(&store, "numbers", "number"), [7]);
    });
}
