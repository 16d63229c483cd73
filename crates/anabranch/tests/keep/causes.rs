//! What a service, a transform or a join derives says from which versions.

use super::*;
use anabranch::store::VersionId;
use std::convert::Infallible;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Alert {
    about: f64,
}

/// An alert for each reading above a limit, and about that one.
#[service]
async fn watching<R: Runtime>(
    _ctx: RuntimeContext<R>,
    mut readings: Consumer<Reading>,
    alerts: Producer<Alert>,
) -> Result<(), Infallible> {
    while let Some(Reading { celsius, .. }) = readings.next().await {
        if celsius > 30.0 {
            alerts.produce(Alert { about: celsius });
        }
    }
    Ok(())
}

#[service(instances = 3)]
async fn sharing<R: Runtime>(
    ctx: RuntimeContext<R>,
    mut jobs: Consumer<u32>,
    done: Producer<u32>,
) -> Result<(), Infallible> {
    while let Some(job) = jobs.next().await {
        ctx.sleep(Duration::from_millis(u64::from(job % 7))).await;
        done.produce(job);
    }
    Ok(())
}

const RING: BufferCfg = BufferCfg::SpmcRing { capacity: 16 };

fn cited(store: &Store, version: &VersionedValue) -> Vec<(String, VersionedValue)> {
    let find = |id: &VersionId| store.find_version(id).expect("what is cited is there");
    version.causes.iter().map(find).map(|found| (String::from(found.namespace), found.version)).collect()
}

async fn alerts_name_their_readings<R>(runtime: R)
where
    R: Runtime + SpawnDynamically + SpawnBlocking + Send + Sync,
{
    let store = in_memory(&runtime);
    let db = Anabranch::builder()
        .runtime(runtime.clone())
        .with_store(store.clone())
        .configure::<Reading>("readings", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 1000 }).keep("readings");
        })
        .configure::<Alert>("alerts", |r| {
            r.with_buffer(RING).keep("alerts");
        })
        .configure::<f64>("worst", |r| {
            r.with_buffer(BufferCfg::SingleLatest).transform("alerts", |alert: Alert| Some(alert.about)).keep("worst");
        })
        .with_service(Watching::of("readings", "alerts"))
        .build()
        .await
        .expect("it is right");
    db.start();
    let readings = db.producer::<Reading>("readings").expect("nobody else writes");
    for number in 0..200 {
        readings.produce(reading("boiler", f64::from(number % 50)));
        if number % 10 == 0 {
            runtime.sleep(Duration::from_millis(1)).await;
        }
    }
    let _ = db.shutdown(GRACE).await;
    let alerts = versions(&store, "alerts", "alerts");
    assert_eq!(alerts.len(), 4 * 19);
    for alert in &alerts {
        let about: Alert = alert.value.deserialize_into().expect("an alert");
        let causes = cited(&store, alert);
        assert_eq!(causes.len(), 1, "{alert:?}");
        let (namespace, cause) = &causes[0];
        let cause: Reading = cause.value.deserialize_into().expect("a reading");
        assert_eq!((namespace.as_str(), cause.celsius), ("readings", about.about));
    }
    // From a value that was made of one that was made of a reading, back to that reading.
    for worst in versions(&store, "worst", "worst") {
        let why = store.why(&worst.version_id, 10).expect("it is there");
        let way: Vec<_> =
            why.steps.iter().map(|step| step.version.as_ref().expect("here").namespace.to_string()).collect();
        assert_eq!(way, ["worst", "alerts", "readings"]);
    }
    for record in ["readings", "alerts", "worst"] {
        let keep = status(&db, record);
        assert_eq!((keep.uncited, keep.lost, keep.failed, keep.waiting), (0, 0, 0, 0), "{keep:?}");
    }
    assert!(versions(&store, "readings", "readings").iter().all(|version| version.causes.is_empty()));
    // And forward.
    let reading = cited(&store, &alerts[0]).remove(0).1;
    let effects = store.effects(&reading.version_id, 10).expect("it is there");
    assert!(effects.steps.iter().any(|step| step.id == alerts[0].version_id), "{effects:?}");
}

#[test]
fn an_alert_s_version_names_the_reading_that_made_it() {
    simulated(alerts_name_their_readings);
    on_tokio(alerts_name_their_readings);
}

#[test]
fn a_join_cites_the_newest_of_each() {
    simulated(|runtime| async move {
        let store = in_memory(&runtime);
        let db = Anabranch::builder()
            .runtime(runtime.clone())
            .with_store(store.clone())
            .configure::<u32>("tens", |r| {
                r.with_buffer(RING).keep("tens");
            })
            .configure::<u32>("ones", |r| {
                r.with_buffer(RING).keep("ones");
            })
            .configure::<u32>("sum", |r| {
                r.with_buffer(RING).join::<(u32, u32)>(["tens", "ones"], |(tens, ones)| Some(tens + ones)).keep("sum");
            })
            .build()
            .await
            .expect("it is right");
        db.start();
        let producer = |name: &str| db.producer::<u32>(name).expect("nobody else writes");
        let (tens, ones) = (producer("tens"), producer("ones"));
        for number in 0..9 {
            tens.produce(10 * number);
            ones.produce(number);
            runtime.sleep(Duration::from_millis(number.into())).await;
        }
        let _ = db.shutdown(GRACE).await;
        let sums = versions(&store, "sum", "sum");
        assert!(sums.len() >= 9, "{sums:?}");
        for sum in sums {
            let of = cited(&store, &sum);
            let number =
                |(_, version): &(String, VersionedValue)| version.value.deserialize_into::<u32>().expect("a number");
            assert_eq!(of.len(), 2);
            assert_eq!(of.iter().map(number).sum::<u32>(), sum.value.deserialize_into::<u32>().expect("a number"));
        }
    });
}

#[test]
fn instances_cite_what_each_of_them_received() {
    simulated(|runtime| async move {
        let store = in_memory(&runtime);
        let db = Anabranch::builder()
            .runtime(runtime.clone())
            .with_store(store.clone())
            .configure::<u32>("jobs", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 4, consumers: 1 }).keep("jobs");
            })
            .configure::<u32>("done", |r| {
                r.with_buffer(RING).shared().keep("done");
            })
            .with_service(Sharing::of("jobs", "done"))
            .build()
            .await
            .expect("it is right");
        db.start();
        let jobs = db.producer::<u32>("jobs").expect("a queue");
        for job in 0..100 {
            jobs.send(job).await.expect("somebody reads");
        }
        let _ = db.shutdown(GRACE).await;
        let done = versions(&store, "done", "done");
        assert_eq!(done.len(), 100);
        for version in done {
            let of = cited(&store, &version);
            assert_eq!(of.iter().map(|(_, job)| &job.value).collect::<Vec<_>>(), [&version.value]);
        }
    });
}

#[test]
fn a_circle_of_kept_records_cites_backwards_and_ends() {
    #[service]
    async fn counting_down<R: Runtime>(
        _ctx: RuntimeContext<R>,
        mut numbers: Consumer<u32>,
        next: Producer<u32>,
    ) -> Result<(), Infallible> {
        while let Some(number) = numbers.next().await {
            if let Some(smaller) = number.checked_sub(1) {
                next.produce(smaller);
            }
        }
        Ok(())
    }
    simulated(|runtime| async move {
        let store = in_memory(&runtime);
        let db = Anabranch::builder()
            .runtime(runtime.clone())
            .with_store(store.clone())
            .configure::<u32>("number", |r| {
                r.with_buffer(RING).shared().keep("number");
            })
            .with_service(CountingDown::of("number", "number"))
            .build()
            .await
            .expect("it is right");
        db.start();
        db.producer::<u32>("number").expect("it is shared").produce(20);
        runtime.sleep(Duration::from_secs(60)).await;
        let _ = db.shutdown(GRACE).await;
        let all = versions(&store, "number", "number");
        assert_eq!(all.len(), 21);
        for pair in all.windows(2) {
            assert_eq!(pair[1].causes[..], [pair[0].version_id]);
        }
    });
}

#[test]
fn what_is_not_kept_is_not_cited() {
    simulated(|runtime| async move {
        let store = in_memory(&runtime);
        let db = Anabranch::builder()
            .runtime(runtime)
            .with_store(store.clone())
            .configure::<u32>("number", |r| {
                r.with_buffer(RING);
            })
            .configure::<u32>("double", |r| {
                r.with_buffer(RING).transform("number", |number: u32| Some(2 * number)).keep("double");
            })
            .build()
            .await
            .expect("it is right");
        db.start();
        db.producer::<u32>("number").expect("nobody else writes").produce(21);
        let _ = db.shutdown(GRACE).await;
        let [double] = &versions(&store, "double", "double")[..] else { panic!("one was made") };
        assert!(double.causes.is_empty());
        assert_eq!(status(&db, "double").uncited, 0);
    });
}
