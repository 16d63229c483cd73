//! Traps that a live data engine has fallen into, one test each: here they hold nothing.

use anabranch::{BufferKind, ServicePhase, TokioAdapter, prelude::*};
use anabranch_scenarios::{Chance, Collect, Collection, Produce, Script, Tally, queue, ring};
use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender},
    },
};

type Tested = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Falls over the number 3.
#[service]
async fn falls<R: Runtime>(_ctx: RuntimeContext<R>, mut numbers: Consumer<u64>, seen: Tally) -> Result<(), Infallible> {
    while let Some(number) = numbers.next().await {
        seen.saw(number);
        if number == 3 {
            std::panic::resume_unwind(Box::new("fell over 3"));
        }
    }
    Ok(())
}

#[tokio::test]
async fn one_panicking_consumer_kills_the_runner_while_produce_says_ok() -> Tested {
    let (fallen, chance) = (Tally::default(), Chance::new(0));
    let other = Collection::new(&chance);
    let db = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .configure::<u64>("numbers", queue(1, 2))
        .with_service(Falls::of("numbers", fallen.clone()))
        .with_service(Collect::of("numbers", other.clone()))
        .with_service(Produce::of("numbers", Script::numbers(0, 10, &chance)))
        .build()
        .await?;
    let error = db.run().await.unwrap_err();
    // What panicked is named, and nothing else stopped or lost a value, though the one that fell held a place in the queue.
    assert_eq!(error.failures().len(), 1);
    assert!(error.to_string().ends_with("service \"falls\" (instance 0) after 0 restarts: panicked: fell over 3"));
    assert_eq!(fallen.values(), [0, 1, 2, 3]);
    assert_eq!(other.tally.values(), (0..10).collect::<Vec<_>>());
    assert_eq!(
        db.services().iter().map(|service| service.phase).collect::<Vec<_>>(),
        [ServicePhase::Panicked, ServicePhase::Finished, ServicePhase::Finished]
    );
    Ok(())
}

/// One side of a rendezvous between two threads.
#[derive(Clone)]
struct Side {
    to_other: Sender<()>,
    from_other: Arc<Mutex<Receiver<()>>>,
}

/// Blocks its thread until the other side is there, on a thread of its own.
#[service]
async fn meets<R: Runtime>(_ctx: RuntimeContext<R>, side: Side, met: Tally) -> Result<(), String> {
    side.to_other.send(()).map_err(|_| "the other side has gone")?;
    let other = side.from_other.lock().map_err(|_| "the other side panicked")?;
    // Two services in one task, or on one thread, would wait here for each other for ever; so there is an end to it.
    other.recv_timeout(Duration::from_secs(20)).map_err(|_| "the other side does not run meanwhile")?;
    met.saw(1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_in_one_task_no_parallelism() -> Tested {
    let ((to_b, from_a), (to_a, from_b)) = (std::sync::mpsc::channel(), std::sync::mpsc::channel());
    let side = |to_other, from_other| Side { to_other, from_other: Arc::new(Mutex::new(from_other)) };
    let met = Tally::default();
    let db = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .with_service(Meets::of(side(to_b, from_b), met.clone()))
        .with_service(Meets::of(side(to_a, from_a), met.clone()))
        .build()
        .await?;
    db.run().await?;
    assert_eq!(met.values(), [1, 1]);
    Ok(())
}

/// Sends one value and goes, without waiting for anything.
#[service]
async fn once<R: Runtime>(_ctx: RuntimeContext<R>, numbers: Producer<u64>) -> Result<(), Infallible> {
    numbers.produce(42);
    Ok(())
}

#[tokio::test]
async fn the_first_value_is_lost_since_the_source_runs_before_the_consumer_subscribes() -> Tested {
    let chance = Chance::new(0);
    let (service, transformed) = (Collection::new(&chance), Collection::new(&chance));
    let db = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .configure::<u64>("numbers", ring(1))
        .configure::<u64>("doubled", |r| {
            ring(1)(r);
            r.transform("numbers", |number: u64| Some(number * 2));
        })
        // the source stands first, so it is started first
        .with_service(Once::of("numbers"))
        .with_service(Collect::of("numbers", service.clone()))
        .with_service(Collect::of("doubled", transformed.clone()))
        .build()
        .await?;
    db.run().await?;
    assert_eq!((service.tally.values(), transformed.tally.values()), (vec![42], vec![84]));
    Ok(())
}

#[tokio::test]
async fn the_documented_loop_ends_for_ever_at_the_first_lag() -> Tested {
    let end = Collection::new(&Chance::new(0));
    let db = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .configure::<u64>("numbers", ring(4))
        .with_service(Collect::of("numbers", end.clone()))
        .build()
        .await?;
    let numbers = db.producer::<u64>("numbers")?;
    // before the service runs, so that it lags for sure, twice
    (0..10).for_each(|number| {
        numbers.produce(number);
    });
    db.start();
    let (mut beside, mut last) = (db.consumer::<u64>("numbers")?, 0);
    for number in 10..20 {
        numbers.produce(number);
        last = beside.next().await.ok_or("the record is open")?;
    }
    assert_eq!(last, 19);
    drop(numbers);
    db.run().await?;
    let seen = end.tally.values();
    assert_eq!(seen.len() as u64 + end.tally.lagged(), 20);
    assert!(end.tally.lagged() >= 6, "{seen:?}");
    assert!(seen.ends_with(&[16, 17, 18, 19]), "{seen:?}");
    Ok(())
}

#[tokio::test]
async fn capacity_zero_panics() -> Tested {
    let built = Anabranch::builder()
        .runtime(TokioAdapter::current()?)
        .configure::<u64>("numbers", ring(0))
        .configure::<u64>("jobs", queue(0, 1))
        .build()
        .await;
    let errors = built.map(drop).unwrap_err();
    assert_eq!(errors.errors().len(), 2);
    assert!(errors.to_string().contains("record \"numbers\": its buffer has capacity 0 and can hold nothing"));
    Ok(())
}

#[test]
fn two_consumers_of_a_mailbox_spin_without_sleeping() -> Tested {
    let mut sim = anabranch::sim::Sim::new(0);
    let chance = Chance::new(0);
    let mailbox = || {
        Anabranch::builder().runtime(sim.adapter()).configure::<u64>("command", |r| {
            r.with_buffer(BufferCfg::Mailbox);
        })
    };
    let two = mailbox()
        .with_service(Collect::of("command", Collection::new(&chance)))
        .with_service(Collect::of("command", Collection::new(&chance)));
    let one = mailbox().with_service(Collect::of("command", Collection::new(&chance)));
    // two are refused, and say so
    let errors = sim.block_on(two.build())?.map(drop).unwrap_err();
    assert!(errors.to_string().contains("its mailbox has 1 consumer(s)"), "{errors}");
    // one waits without taking a step
    let db = sim.block_on(one.build())??;
    assert_eq!(db.records()[0].status.kind, BufferKind::Mailbox);
    db.start();
    sim.run_until_idle()?;
    let steps = sim.steps();
    sim.run_for(Duration::from_secs(3600))?;
    assert_eq!(sim.steps(), steps);
    Ok(())
}

#[tokio::test]
async fn more_than_ten_records_deadlock() -> Tested {
    const RECORDS: u64 = 100;
    let chance = Chance::new(0);
    let mut ends = Vec::new();
    let mut db = Anabranch::builder().runtime(TokioAdapter::current()?);
    for number in 0..RECORDS {
        let (name, end) = (format!("record {number}"), Collection::new(&chance));
        db = db
            .configure::<u64>(name.as_str(), queue(1, 1))
            .with_service(Produce::of(&name, Script::numbers(0, 10, &chance)))
            .with_service(Collect::of(&name, end.clone()));
        ends.push(end.tally);
    }
    db.build().await?.run().await?;
    assert!(ends.iter().all(|end| end.values().len() == 10));
    Ok(())
}
