//! What each buffer promises, between services that are slow, fail and vanish.

use crate::{
    Chance, Collect, Collection, Produce, Scene, Script, Share, Tally, Trouble, Verdict, holds, queue, ring, rising,
    same, with,
};
use anabranch::{BufferCfg, Consumer};
use anabranch::{Duration, JoinHandle, Runtime, RuntimeExt, SpawnDynamically, TimeSource};

/// How many numbers a producer sends here.
const VALUES: u64 = 16;

fn slow(chance: &Chance) -> Collection {
    Collection { slow: Duration::from_millis(3), ..Collection::new(chance) }
}

/// A queue that is nearly always full: every value arrives at every consumer, in order, exactly once.
pub async fn full_queues<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let consumers = [Collection::new(chance), slow(chance), slow(chance)];
    let db = scene
        .database()
        .configure::<u64>("numbers", queue(chance.size(1, 3), 3))
        .with_service(Produce::of("numbers", Script::numbers(0, VALUES, chance)))
        .with_service(Collect::of("numbers", consumers[0].clone()))
        .with_service(Collect::of("numbers", consumers[1].clone()))
        .with_service(Collect::of("numbers", consumers[2].clone()))
        .build()
        .await?;
    db.run().await?;
    for consumer in &consumers {
        same("what a queue's consumer saw", consumer.tally.values(), (0..VALUES).collect())?;
    }
    same("what a queue lost", db.records()[0].status.lost, 0)
}

/// A ring that is too small for its consumers: each is told exactly how much it missed.
pub async fn lagging_rings<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let consumers = [Collection::new(chance), slow(chance), slow(chance)];
    let capacity = chance.size(1, 4);
    let mut db = scene
        .database()
        .configure::<u64>("numbers", ring(capacity))
        .with_service(Produce::of("numbers", Script::numbers(0, VALUES, chance)));
    for consumer in &consumers {
        db = db.with_service(Collect::of("numbers", consumer.clone()));
    }
    let db = db.build().await?;
    db.run().await?;
    for consumer in &consumers {
        let seen = consumer.tally.values();
        rising("what a ring's consumer saw", &seen)?;
        same("delivered and missed", seen.len() as u64 + consumer.tally.lagged(), VALUES)?;
        let kept: Vec<u64> = (VALUES - capacity as u64..VALUES).collect();
        holds(|| format!("{seen:?} ends with what the ring kept, {kept:?}"), seen.ends_with(&kept))?;
    }
    let missed: u64 = consumers.iter().map(|consumer| consumer.tally.lagged()).sum();
    same("what the record counted as lost", db.records()[0].status.lost, missed)
}

/// Several write to one ring: no value comes twice, those of one writer stay in order, and what is missing was counted.
pub async fn shared_rings<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    const WRITERS: u64 = 3;
    let chance = &scene.chance;
    let consumers = [Collection::new(chance), slow(chance)];
    let mut db = scene.database().configure::<u64>("numbers", |r| {
        ring(chance.size(1, 32))(r);
        r.shared();
    });
    for writer in 0..WRITERS {
        let script = Script::numbers(writer * 100, writer * 100 + VALUES, chance);
        db = db.with_service(Produce::of("numbers", script.with_trouble(Trouble::once_in(10, chance))));
    }
    for consumer in &consumers {
        db = db.with_service(Collect::of("numbers", consumer.clone()));
    }
    db.build().await?.run().await?;
    for consumer in &consumers {
        let seen = consumer.tally.values();
        same("delivered and missed", seen.len() as u64 + consumer.tally.lagged(), WRITERS * VALUES)?;
        for writer in 0..WRITERS {
            let of_one: Vec<u64> = seen.iter().copied().filter(|value| value / 100 == writer).collect();
            rising("what came of one writer", &of_one)?;
        }
    }
    Ok(())
}

/// However slow they are, all consumers of a latest end with the last value, and none goes back.
pub async fn converging_latest<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let consumers = [Collection::new(chance), slow(chance), slow(chance)];
    let mut db = scene
        .database()
        .configure::<u64>("state", with(BufferCfg::SingleLatest))
        .with_service(Produce::of("state", Script::numbers(0, VALUES, chance)));
    for consumer in &consumers {
        db = db.with_service(Collect::of("state", consumer.clone()));
    }
    db.build().await?.run().await?;
    for consumer in &consumers {
        let seen = consumer.tally.values();
        rising("what a latest's consumer saw", &seen)?;
        same("the last value", seen.last().copied(), Some(VALUES - 1))?;
    }
    Ok(())
}

/// Several write to a mailbox: no value comes twice, and what waits at the end still comes.
pub async fn mailbox_takes_once<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    const WRITERS: u64 = 3;
    let chance = &scene.chance;
    let consumer = if chance.one_in(2) { slow(chance) } else { Collection::new(chance) };
    let mut db = scene
        .database()
        .configure::<u64>("command", with(BufferCfg::Mailbox))
        .with_service(Collect::of("command", consumer.clone()));
    for writer in 0..WRITERS {
        let script = Script::numbers(writer * 100, writer * 100 + VALUES, chance);
        db = db.with_service(Produce::of("command", script));
    }
    db.build().await?.run().await?;
    let seen = consumer.tally.values();
    for writer in 0..WRITERS {
        let of_one: Vec<u64> = seen.iter().copied().filter(|value| value / 100 == writer).collect();
        rising("what came of one writer", &of_one)?;
    }
    let last = seen.last().map(|value| value % 100);
    same("the last value of some writer came last", last, Some(VALUES - 1))
}

/// Four instances share a queue's one place: each value goes to one of them, though they fail and panic.
pub async fn instances_share<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let taken = [(); 4].map(|()| Tally::default());
    let collection = Collection { trouble: Trouble::once_in(6, chance), ..Collection::new(chance) };
    let db = scene
        .database()
        .configure::<u64>("jobs", queue(chance.size(1, 4), 1))
        .with_service(Produce::of("jobs", Script::numbers(0, VALUES, chance)))
        .with_service(Share::of("jobs", taken.clone(), collection.clone()))
        .build()
        .await?;
    db.run().await?;
    let mut all = collection.tally.values();
    all.sort_unstable();
    same("what all took", all, (0..VALUES).collect())?;
    taken.iter().try_for_each(|one| rising("what one took", &one.values()))
}

/// Consumers that come, are dropped in mid-wait and are aborted hold nobody up, and see no gap while they are there.
pub async fn vanishing_consumers<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let stays = Collection::new(chance);
    let db = scene
        .database()
        .configure::<u64>("numbers", queue(chance.size(1, 3), 3))
        .with_service(Produce::of("numbers", Script::numbers(0, VALUES, chance)))
        .with_service(Collect::of("numbers", stays.clone()))
        .build()
        .await?;
    let (leaves, aborted) = (db.consumer("numbers")?, db.consumer("numbers")?);
    let (left, seen_before) = (Tally::default(), Tally::default());
    let leaver = runtime.spawn(visit(runtime.clone(), leaves, chance.below(VALUES), chance.clone(), left.clone()));
    let visitor = runtime.spawn(visit(runtime.clone(), aborted, VALUES, chance.clone(), seen_before.clone()));
    let after = chance.shorter_than(Duration::from_millis(4));
    let abort = runtime.spawn_after(after, async move { visitor.abort() });
    db.run().await?;
    leaver.await?;
    abort.await?;
    same("what the one that stayed saw", stays.tally.values(), (0..VALUES).collect())?;
    for visitor in [left, seen_before] {
        let seen = visitor.values();
        same("what a visitor saw, from the first to its last", seen.clone(), (0..seen.len() as u64).collect())?;
    }
    Ok(())
}

/// Takes so many values, giving up and waiting anew now and then, and goes.
async fn visit<R: TimeSource>(runtime: R, mut numbers: Consumer<u64>, values: u64, chance: Chance, seen: Tally) {
    let mut left = values;
    while left > 0 {
        let patience = chance.shorter_than(Duration::from_millis(1));
        let Ok(value) = runtime.timeout(patience, async { numbers.next().await }).await else { continue };
        let Some(value) = value else { return };
        seen.saw(value);
        left -= 1;
    }
}

/// Consumers of a ring that come in the middle see everything from then on, or are told.
pub async fn late_consumers<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let db = scene
        .database()
        .configure::<u64>("numbers", ring(chance.size(1, 8)))
        .with_service(Produce::of("numbers", Script::numbers(0, VALUES, chance)))
        .build()
        .await?;
    let running = runtime.spawn({
        let db = db.clone();
        async move { db.run().await }
    });
    let mut visits = Vec::new();
    for _ in 0..3 {
        runtime.sleep(chance.shorter_than(Duration::from_millis(2))).await;
        let mut numbers = db.consumer::<u64>("numbers")?;
        let (runtime, chance) = (runtime.clone(), chance.clone());
        visits.push(scene.runtime.spawn(async move {
            let (from, mut seen) = (numbers.position(), Vec::new());
            while let Some(value) = numbers.next().await {
                seen.push(value);
                chance.dawdle(&runtime).await;
            }
            (from, seen, numbers.lagged())
        }));
    }
    running.await??;
    for visit in visits {
        let (from, seen, lagged) = visit.await?;
        rising("what a late consumer saw", &seen)?;
        same("delivered and missed since it came", seen.len() as u64 + lagged, VALUES - from)?;
        holds(|| format!("{seen:?} begins at {from}"), seen.first().is_none_or(|first| *first >= from))?;
    }
    Ok(())
}
