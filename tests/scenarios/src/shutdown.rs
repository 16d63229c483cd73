//! Shutdowns: what is on its way arrives; who hangs is named.

use crate::{
    Collect, Collection, Hang, Idle, Passage, Produce, Relay, Scene, Script, Trouble, Verdict, holds, queue, ring, same,
};
use anabranch::ServicePhase;
use anabranch::{Duration, Moment, Runtime, SpawnDynamically};

/// A shutdown at any moment: every value that was sent before has arrived when it ends, though services are struck.
pub async fn graceful_shutdown<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let end = Collection { trouble: Trouble::once_in(8, chance), ..Collection::new(chance) };
    let script = Script::numbers(0, u64::MAX, chance).with_trouble(Trouble::once_in(8, chance));
    let db = scene
        .database()
        .configure::<u64>("in", queue(chance.size(1, 3), 1))
        .configure::<u64>("middle", |r| {
            queue(chance.size(1, 3), 1)(r);
            r.transform("in", Some::<u64>);
        })
        .configure::<u64>("out", queue(chance.size(1, 3), 1))
        .with_service(Produce::of("in", script.clone()))
        .with_service(Relay::of("middle", "out", Passage::smooth(chance)))
        .with_service(Collect::of("out", end.clone()))
        .build()
        .await?;
    db.start();
    let running = runtime.spawn({
        let db = db.clone();
        async move { db.run().await }
    });
    runtime.sleep(chance.shorter_than(Duration::from_millis(4))).await;
    let shutdown = db.shutdown(scene.grace).await;
    same("who was aborted", shutdown.aborted, Vec::new())?;
    running.await??;
    same("what arrived", end.tally.values(), (0..script.reached()).collect())?;
    let phases: Vec<ServicePhase> = db.services().iter().map(|service| service.phase).collect();
    let well = phases.iter().all(|phase| matches!(phase, ServicePhase::Finished | ServicePhase::Stopped));
    holds(|| format!("{phases:?} are all well"), well)
}

/// Code that is no service goes on sending in a shutdown: its record closes all the same, it gets back what did not go,
/// and all that went arrives.
pub async fn producers_outside<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let end = Collection::new(chance);
    let db = scene
        .database()
        .configure::<u64>("in", queue(chance.size(1, 3), 1))
        .configure::<u64>("out", queue(chance.size(1, 3), 1))
        .with_service(Relay::of("in", "out", Passage::smooth(chance)))
        .with_service(Collect::of("out", end.clone()))
        .build()
        .await?;
    let numbers = db.producer::<u64>("in")?;
    db.start();
    let sending = runtime.spawn({
        let (runtime, chance) = (runtime.clone(), chance.clone());
        async move {
            for number in 0.. {
                chance.dawdle(&runtime).await;
                if let Err(back) = numbers.send(number).await {
                    return (number, back.0, numbers);
                }
            }
            (u64::MAX, 0, numbers)
        }
    });
    runtime.sleep(chance.shorter_than(Duration::from_millis(4))).await;
    let shutdown = db.shutdown(scene.grace).await;
    same("who was aborted", shutdown.aborted, Vec::new())?;
    let (sent, back, _numbers) = sending.await?;
    same("what came back", back, sent)?;
    same("what arrived", end.tally.values(), (0..sent).collect())
}

/// One service hangs: a shutdown waits for it as long as it was told to, names it, and the others have all their values.
pub async fn hung_service<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let end = Collection::new(chance);
    let script = Script::numbers(0, u64::MAX, chance);
    let db = scene
        .database()
        .configure::<u64>("numbers", ring(64))
        .configure::<u64>("ticks", ring(4))
        .with_service(Produce::of("numbers", script.clone()))
        .with_service(Hang::of("numbers"))
        .with_service(Collect::of("numbers", end.clone()))
        .with_service(Idle::of("ticks"))
        .build()
        .await?;
    db.start();
    // until it hangs for sure
    let mut numbers = db.consumer::<u64>("numbers")?;
    while script.reached() < 2 {
        numbers.next().await;
        runtime.sleep(Duration::from_millis(1)).await;
    }
    runtime.sleep(chance.shorter_than(Duration::from_millis(2))).await;
    let (asked, grace) = (runtime.now(), scene.grace);
    let shutdown = db.shutdown(grace).await;
    same("who was aborted", shutdown.aborted, vec!["hang".to_owned()])?;
    let took = runtime.now().since(asked);
    holds(|| format!("{took:?} is {grace:?} at least"), took >= grace)?;
    let arrived = end.tally.values().len() as u64 + end.tally.lagged();
    same("what arrived or was told missed", arrived, script.reached())?;
    holds(|| "a second shutdown has nothing to do".into(), db.shutdown(grace).await.aborted.is_empty())
}

/// A shutdown that waits for nobody, at any moment, also before the first service was polled: it ends, and so do all.
pub async fn hasty_shutdown<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let db = scene
        .database()
        .configure::<u64>("in", queue(chance.size(1, 3), 2))
        .configure::<u64>("out", queue(chance.size(1, 3), 1))
        .with_service(Produce::of("in", Script::numbers(0, u64::MAX, chance)))
        .with_service(Relay::of("in", "out", Passage::smooth(chance)))
        .with_service(Hang::of("in"))
        .with_service(Collect::of("out", Collection::new(chance)))
        .build()
        .await?;
    match chance.below(4) {
        0 => {}
        1 => db.start(),
        _ => {
            db.start();
            runtime.sleep(chance.shorter_than(Duration::from_millis(2))).await;
        }
    }
    let _who = db.shutdown(Duration::ZERO).await;
    db.run().await?;
    for service in db.services() {
        let over = matches!(service.phase, ServicePhase::Finished | ServicePhase::Stopped | ServicePhase::Waiting);
        holds(|| format!("{} is over and not {}", service.name, service.phase), over)?;
    }
    Ok(())
}
