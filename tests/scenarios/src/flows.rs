//! Values through several records: chains, branches that meet again, circles.

use crate::{
    Collect, Collection, Game, Passage, Produce, Rally, Relay, Scene, Script, Tally, Verdict, holds, queue, ring,
    rising, same,
};
use anabranch::{Duration, Runtime, SpawnDynamically};

/// How many numbers a producer sends here.
const VALUES: u64 = 12;

/// A chain of transforms and services: what comes out is what went in, in order.
pub async fn chains<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let end = Collection::new(chance);
    let db = scene
        .database()
        .configure::<u64>("a", queue(chance.size(1, 3), 1))
        .configure::<u64>("b", |r| {
            queue(chance.size(1, 3), 1)(r);
            r.transform("a", |value: u64| Some(value * 10));
        })
        .configure::<u64>("c", queue(chance.size(1, 3), 1))
        .configure::<u64>("d", |r| {
            queue(chance.size(1, 3), 1)(r);
            r.transform("c", |value: u64| value.is_multiple_of(20).then_some(value / 10));
        })
        .with_service(Produce::of("a", Script::numbers(0, VALUES, chance)))
        .with_service(Relay::of("b", "c", Passage::smooth(chance)))
        .with_service(Collect::of("d", end.clone()))
        .build()
        .await?;
    db.run().await?;
    same("what came out", end.tally.values(), (0..VALUES).filter(|value| value % 2 == 0).collect())
}

/// One record into three, which meet again in one queue: everything comes by each way, once and in order.
pub async fn branches_meet<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let end = Collection::new(chance);
    let mut db = scene
        .database()
        .configure::<u64>("numbers", queue(chance.size(1, 3), 3))
        .configure::<u64>("all", queue(chance.size(1, 3), 1))
        .with_service(Produce::of("numbers", Script::numbers(0, VALUES, chance)))
        .with_service(Collect::of("all", end.clone()));
    for way in 1..=3_u64 {
        let name = format!("way {way}");
        db = db
            .configure::<u64>(name.as_str(), |r| {
                queue(chance.size(1, 3), 1)(r);
                r.transform("numbers", move |value: u64| Some(way * 1000 + value));
            })
            .with_service(Relay::of(&name, "all", Passage::smooth(chance)));
    }
    db.build().await?.run().await?;
    let seen = end.tally.values();
    same("how many came", seen.len() as u64, 3 * VALUES)?;
    for way in 1..=3 {
        let by_it: Vec<u64> = seen.iter().filter(|value| *value / 1000 == way).map(|value| value % 1000).collect();
        same("what came by one way", by_it, (0..VALUES).collect())?;
    }
    Ok(())
}

/// One record into two, which are joined: neither side goes back, and in the end both sides stand at the last value.
pub async fn joins<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let end = Collection::new(chance);
    let db = scene
        .database()
        .configure::<u64>("numbers", queue(chance.size(1, 3), 2))
        .configure::<u64>("left", |r| {
            queue(chance.size(1, 3), 1)(r);
            r.transform("numbers", Some::<u64>);
        })
        .configure::<u64>("right", queue(chance.size(1, 3), 1))
        .configure::<u64>("both", |r| {
            queue(chance.size(1, 3), 1)(r);
            r.join::<(u64, u64)>(["left", "right"], |(left, right)| Some(left * 1000 + right));
        })
        .with_service(Produce::of("numbers", Script::numbers(0, VALUES, chance)))
        .with_service(Relay::of("numbers", "right", Passage::smooth(chance)))
        .with_service(Collect::of("both", end.clone()))
        .build()
        .await?;
    db.run().await?;
    let seen = end.tally.values();
    let sides = |side: fn(u64) -> u64| seen.iter().map(|value| side(*value)).collect::<Vec<u64>>();
    for side in [sides(|both| both / 1000), sides(|both| both % 1000)] {
        holds(|| format!("a side does not go back: {side:?}"), side.is_sorted())?;
    }
    same("the last of both", seen.last().copied(), Some((VALUES - 1) * 1000 + VALUES - 1))?;
    let times = seen.len() as u64;
    holds(|| format!("{times} is from n to 2n - 1"), (VALUES..2 * VALUES).contains(&times))
}

/// Two services in a circle of rings play a number back and forth; they end by themselves, or by a shutdown.
pub async fn feedback<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let by_itself = chance.one_in(2);
    let until = if by_itself { VALUES } else { u64::MAX };
    let game = |serves| Game { serves, until, chance: chance.clone(), seen: Tally::default() };
    let (one, other) = (game(true), game(false));
    let db = scene
        .database()
        .configure::<u64>("there", ring(2))
        .configure::<u64>("back", ring(2))
        .with_service(Rally::of("back", "there", one.clone()).named("one"))
        .with_service(Rally::of("there", "back", other.clone()).named("other"))
        .build()
        .await?;
    if by_itself {
        db.run().await?;
    } else {
        db.start();
        runtime.sleep(chance.shorter_than(Duration::from_millis(3))).await;
        let shutdown = db.shutdown(scene.grace).await;
        same("who was aborted", shutdown.aborted, Vec::new())?;
    }
    let mut all = one.seen.values();
    all.extend(other.seen.values());
    all.sort_unstable();
    same("what was played", all.clone(), (0..all.len() as u64).collect())?;
    if by_itself {
        same("the last", all.last().copied(), Some(VALUES))?;
    }
    rising("what one saw", &one.seen.values())
}
