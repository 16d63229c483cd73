//! Services that panic and fail, and how they are started again.

use crate::{
    Collect, Collection, Fail, Failing, Passage, Produce, Relay, Scene, Script, StartOf, Tally, Trouble, Verdict,
    holds, queue, rising, same,
};
use anabranch::ServicePhase;
use anabranch::{Duration, Moment, Runtime, SpawnDynamically};

/// How many numbers a producer sends here.
const VALUES: u64 = 12;

/// All three services of a chain panic and fail at random: what is lost is what was in the hand of the one that fell.
pub async fn restarts<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let trouble = || Trouble::once_in(5, chance);
    let passage = Passage { trouble: trouble(), ..Passage::smooth(chance) };
    let end = Collection { trouble: trouble(), ..Collection::new(chance) };
    let db = scene
        .database()
        .configure::<u64>("in", queue(chance.size(1, 3), 1))
        .configure::<u64>("out", queue(chance.size(1, 3), 1))
        .with_service(Produce::of("in", Script::numbers(0, VALUES, chance).with_trouble(trouble())))
        .with_service(Relay::of("in", "out", passage.clone()))
        .with_service(Collect::of("out", end.clone()))
        .build()
        .await?;
    db.run().await?;
    let (lost, seen) = (passage.lost.values(), end.tally.values());
    same("what arrived", seen, (0..VALUES).filter(|value| !lost.contains(value)).collect())?;
    let relay = &db.services()[1];
    same("restarts of the relay", u64::from(relay.restarts), lost.len() as u64)?;
    same("how the relay ended", relay.phase, ServicePhase::Finished)
}

/// A transform that panics passes that value over, and no other.
pub async fn panicking_transform<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let end = Collection::new(chance);
    let bad = chance.below(VALUES);
    let db = scene
        .database()
        .configure::<u64>("in", queue(2, 1))
        .configure::<u64>("out", |r| {
            queue(2, 1)(r);
            r.transform("in", move |value: u64| {
                if value == bad {
                    std::panic::resume_unwind(Box::new("a bad value"));
                }
                Some(value)
            });
        })
        .with_service(Produce::of("in", Script::numbers(0, VALUES, chance)))
        .with_service(Collect::of("out", end.clone()))
        .build()
        .await?;
    db.run().await?;
    same("what arrived", end.tally.values(), (0..VALUES).filter(|value| *value != bad).collect())
}

/// A service that fails for ever is tried as often as its limit says, and `run` names it; the others end well.
pub async fn failing_for_ever<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let failing = Failing { lasts: Duration::ZERO, times: u64::MAX, panics: chance.one_in(2), began: Tally::default() };
    let end = Collection::new(chance);
    let start = runtime.now();
    let db = scene
        .database()
        .configure::<u64>("numbers", queue(1, 1))
        .with_service(Fail::of(StartOf(start), failing.clone()))
        .with_service(Produce::of("numbers", Script::numbers(0, VALUES, chance)))
        .with_service(Collect::of("numbers", end.clone()))
        .build()
        .await?;
    let Err(error) = db.run().await else { return Err("a service that fails for ever should fail `run`".into()) };
    let why = if failing.panics { "panicked: the wheel came off" } else { "struck by chance" };
    same(
        "what `run` said",
        error.to_string(),
        format!("1 service(s) failed for good:\n  - service \"fail\" (instance 0) after 5 restarts: {why}"),
    )?;
    same("what the others did", end.tally.values(), (0..VALUES).collect())?;
    same("how often it ran", failing.began.values().len(), 6)?;
    let (took, least) = (runtime.now().since(start), Duration::from_millis(170));
    holds(|| format!("{took:?} is the sum of the pauses at least, {least:?}"), took >= least)
}

/// In exact time, the pauses are 10, 20, 40, 50 and 50 ms.
pub async fn exact_pauses<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let lasts = chance.shorter_than(Duration::from_millis(50));
    let failing = Failing { lasts, times: u64::MAX, panics: chance.one_in(2), began: Tally::default() };
    let db = scene.database().with_service(Fail::of(StartOf(runtime.now()), failing.clone())).build().await?;
    holds(|| "it fails for good".into(), db.run().await.is_err())?;
    let pauses = [0, 10, 30, 70, 120, 170].map(Duration::from_millis);
    let wanted: Vec<u64> = (0..).zip(pauses).map(|(run, pauses)| (pauses + lasts * run).as_nanos() as u64).collect();
    same("when its runs began", failing.began.values(), wanted)
}

/// A service that ran well for long before it failed is not given up.
pub async fn healthy_runs<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let lasts = Duration::from_millis(50) + chance.shorter_than(Duration::from_millis(9));
    let times = 8;
    let failing = Failing { lasts, times, panics: chance.one_in(2), began: Tally::default() };
    let db = scene.database().with_service(Fail::of(StartOf(runtime.now()), failing.clone())).build().await?;
    db.run().await?;
    let (began, service) = (failing.began.values(), &db.services()[0]);
    same("its restarts", u64::from(service.restarts), times)?;
    let gaps: Vec<u64> = began.windows(2).map(|two| two[1] - two[0]).collect();
    let gap = (lasts + Duration::from_millis(10)).as_nanos() as u64;
    same("from run to run", gaps, vec![gap; times as usize])
}

/// Whatever task is aborted, all come to an end, and what arrives is in order.
pub async fn aborts<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let chance = &scene.chance;
    let ends = [Collection::new(chance), Collection::new(chance)];
    let db = scene
        .database()
        .configure::<u64>("in", queue(chance.size(1, 3), 2))
        .configure::<u64>("middle", |r| {
            queue(chance.size(1, 3), 1)(r);
            r.transform("in", Some::<u64>);
        })
        .configure::<u64>("out", queue(chance.size(1, 3), 1))
        .with_service(Produce::of("in", Script::numbers(0, VALUES, chance)))
        .with_service(Relay::of("middle", "out", Passage::smooth(chance)))
        .with_service(Collect::of("out", ends[0].clone()))
        .with_service(Collect::of("in", ends[1].clone()))
        .build()
        .await?;
    db.run().await?;
    for end in &ends {
        let seen = end.tally.values();
        same("what arrived, from the first", seen.clone(), (0..seen.len() as u64).collect())?;
    }
    for record in db.records() {
        holds(|| format!("{} has closed", record.name), record.status.closed)?;
    }
    for service in db.services() {
        let over = matches!(service.phase, ServicePhase::Finished | ServicePhase::Stopped);
        holds(|| format!("{} is over and not {}", service.name, service.phase), over)?;
    }
    rising("what arrived at the end", &ends[0].tally.values())
}
