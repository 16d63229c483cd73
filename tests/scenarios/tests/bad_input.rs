//! Bad input to a database: each mistake is said in words that tell how to mend it, all of them at once, and none panics.

use anabranch::SimAdapter;
use anabranch::{BuildErrors, Builder, ServiceConfig, ServiceDraft, SpawnError, prelude::*, sim::Sim};
use anabranch_scenarios::{
    Collect, Collection, Fail, Failing, Hang, Passage, Produce, Relay, Scene, Script, StartOf, Struck, Tally, queue,
    ring, with,
};

type Tested = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A scene with chance, for the values that services need.
fn scene(sim: &Sim) -> Scene<SimAdapter> {
    Scene::new(sim.adapter(), 0, Duration::from_secs(1))
}

/// What is wrong with it, in words.
fn errors(sim: &mut Sim, builder: Builder<SimAdapter>) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    match sim.block_on(builder.build())? {
        Ok(_) => Err("this should not build".into()),
        Err(errors) => Ok(errors.to_string()),
    }
}

#[test]
fn a_ring_of_capacity_zero() -> Tested {
    let mut sim = Sim::new(0);
    let builder = scene(&sim).database().configure::<u64>("numbers", ring(0));
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built: record \"numbers\": its buffer has capacity 0 and can hold nothing: give it at least 1"
    );
    Ok(())
}

#[test]
fn a_queue_of_capacity_zero_or_for_nobody() -> Tested {
    let mut sim = Sim::new(0);
    let builder = scene(&sim).database().configure::<u64>("full", queue(0, 1)).configure::<u64>("unread", queue(1, 0));
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built, for 2 reasons:\
         \n  - record \"full\": its buffer has capacity 0 and can hold nothing: give it at least 1\
         \n  - record \"unread\": its queue declares 0 consumers, so it would fill up and stay full: declare at least 1"
    );
    Ok(())
}

#[test]
fn a_buffer_larger_than_memory() -> Tested {
    let mut sim = Sim::new(0);
    let builder = scene(&sim)
        .database()
        .configure::<u64>("ring", ring(usize::MAX))
        .configure::<u64>("queue", queue(usize::MAX, 1));
    let errors = errors(&mut sim, builder)?;
    for record in ["ring", "queue"] {
        let said =
            format!("record \"{record}\": its buffer asks for more memory than there is: give it a smaller capacity");
        assert!(errors.contains(&said), "{errors}");
    }
    Ok(())
}

#[test]
fn a_record_with_no_buffer() -> Tested {
    let mut sim = Sim::new(0);
    let builder = scene(&sim).database().configure::<u64>("numbers", |_| {});
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built: record \"numbers\" has no buffer: choose one, as \
         `r.with_buffer(BufferCfg::SpmcRing { capacity: 64 })`"
    );
    Ok(())
}

#[test]
fn a_record_twice_and_one_without_a_name() -> Tested {
    let mut sim = Sim::new(0);
    let builder = (scene(&sim).database())
        .configure::<u64>("numbers", ring(1))
        .configure::<f32>("numbers", ring(2))
        .configure::<u64>("", ring(1));
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built, for 2 reasons:\
         \n  - record \"numbers\" is configured twice: configure it once, or give the second another name\
         \n  - a record has an empty name: give it one, as \"sensor/temperature\""
    );
    Ok(())
}

#[test]
fn two_producers_where_one_is_allowed() -> Tested {
    let mut sim = Sim::new(0);
    let Scene { chance, .. } = scene(&sim);
    let builder = (scene(&sim).database())
        .configure::<u64>("numbers", ring(1))
        .configure::<u64>("state", |r| {
            r.with_buffer(BufferCfg::SingleLatest).transform("numbers", Some::<u64>);
        })
        .with_service(Produce::of("numbers", Script::numbers(0, 1, &chance)).named("one"))
        .with_service(Produce::of("numbers", Script::numbers(0, 1, &chance)).named("other"))
        .with_service(Produce::of("state", Script::numbers(0, 1, &chance)));
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built, for 2 reasons:\
         \n  - record \"numbers\" is written by service \"one\" and service \"other\", but allows one producer: declare it \
         `.shared()`, or give each a record\
         \n  - record \"state\" is written by service \"state from numbers\" and service \"produce\", but allows one producer: \
         declare it `.shared()`, or give each a record"
    );
    Ok(())
}

#[test]
fn a_second_producer_from_outside() -> Tested {
    let mut sim = Sim::new(0);
    let Scene { chance, .. } = scene(&sim);
    let builder = (scene(&sim).database())
        .configure::<u64>("numbers", ring(1))
        .with_service(Produce::of("numbers", Script::numbers(0, 1, &chance)));
    let db = sim.block_on(builder.build())??;
    let error = db.producer::<u64>("numbers").map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "record \"numbers\": the record's one producer is taken; declare the record `.shared()` if several may write to it"
    );
    Ok(())
}

#[test]
fn a_consumer_of_an_undeclared_record() -> Tested {
    let mut sim = Sim::new(0);
    let Scene { chance, .. } = scene(&sim);
    let builder = (scene(&sim).database())
        .configure::<u64>("sensor/temperature", ring(1))
        .with_service(Collect::of("sensor/temprature", Collection::new(&chance)))
        .with_service(Hang::of("elsewhere"));
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built, for 2 reasons:\
         \n  - service \"collect\" works on record \"sensor/temprature\", which is not configured: did you mean \
         \"sensor/temperature\"?\
         \n  - service \"hang\" works on record \"elsewhere\", which is not configured: configure it first"
    );
    let builder = scene(&sim).database().configure::<u64>("sensor/temperature", ring(1));
    let db = sim.block_on(builder.build())??;
    let error = db.consumer::<u64>("sensor/temprature").map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "record \"sensor/temprature\" is not configured: did you mean \"sensor/temperature\"?"
    );
    Ok(())
}

#[test]
fn a_key_with_the_wrong_type() -> Tested {
    let mut sim = Sim::new(0);
    let Scene { chance, .. } = scene(&sim);
    let builder = (scene(&sim).database())
        .configure::<f32>("celsius", ring(1))
        .configure::<f32>("fahrenheit", |r| {
            ring(1)(r);
            r.transform("celsius", |celsius: f64| Some(celsius as f32));
        })
        .with_service(Collect::of("celsius", Collection::new(&chance)));
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built, for 2 reasons:\
         \n  - service \"fahrenheit from celsius\" works on record \"celsius\" as `f64`, but it holds `f32`: use one type for both\
         \n  - service \"collect\" works on record \"celsius\" as `u64`, but it holds `f32`: use one type for both"
    );
    let builder = scene(&sim).database().configure::<f32>("celsius", ring(1));
    let db = sim.block_on(builder.build())??;
    let error = db.producer::<f64>("celsius").map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "record \"celsius\" holds `f32`, not `f64`: ask for the type that it was configured with"
    );
    Ok(())
}

#[test]
fn more_consumers_than_a_mailbox_or_queue_has_places_for() -> Tested {
    let mut sim = Sim::new(0);
    let Scene { chance, .. } = scene(&sim);
    let collect = |record: &str, name: &str| Collect::of(record, Collection::new(&chance)).named(name);
    let builder = (scene(&sim).database())
        .configure::<u64>("command", with(BufferCfg::Mailbox))
        .configure::<u64>("jobs", queue(1, 1))
        .with_service(collect("command", "a"))
        .with_service(collect("command", "b"))
        .with_service(collect("jobs", "c"))
        .with_service(collect("jobs", "d"));
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built, for 2 reasons:\
         \n  - record \"command\" is read by service \"a\" and service \"b\", but its mailbox has 1 consumer(s): use a ring or \
         a queue, so that each sees every value\
         \n  - record \"jobs\" is read by service \"c\" and service \"d\", but its queue has 1 consumer(s): declare as many \
         `consumers` as read it"
    );
    Ok(())
}

#[test]
fn a_cycle_of_queues() -> Tested {
    let mut sim = Sim::new(0);
    let Scene { chance, .. } = scene(&sim);
    let builder = (scene(&sim).database())
        .configure::<u64>("there", queue(1, 1))
        .configure::<u64>("back", queue(1, 1))
        .with_service(Relay::of("there", "back", Passage::smooth(&chance)).named("one"))
        .with_service(Relay::of("back", "there", Passage::smooth(&chance)).named("other"));
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built: one → back → other → there → one is a cycle that cannot be served: each of its records \
         is a queue, so all could wait for room in each other for ever; make one of them a ring or a latest"
    );
    Ok(())
}

#[test]
fn a_cycle_of_transforms() -> Tested {
    let mut sim = Sim::new(0);
    let builder = (scene(&sim).database())
        .configure::<u64>("egg", |r| {
            ring(1)(r);
            r.transform("hen", Some::<u64>);
        })
        .configure::<u64>("hen", |r| {
            ring(1)(r);
            r.join::<(u64, u64)>(["egg", "corn"], |(egg, corn)| Some(egg + corn));
        })
        .configure::<u64>("corn", ring(1));
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built: egg from hen → egg → hen from egg, corn → hen → egg from hen is a cycle that cannot be \
         served: it consists of transforms and joins only, so each value would go around for ever; put a service into it that \
         decides when it ends"
    );
    Ok(())
}

#[test]
fn a_service_that_reads_what_it_writes() -> Tested {
    let mut sim = Sim::new(0);
    let Scene { chance, .. } = scene(&sim);
    let builder = (scene(&sim).database()).configure::<u64>("numbers", queue(1, 1)).with_service(Relay::of(
        "numbers",
        "numbers",
        Passage::smooth(&chance),
    ));
    assert!(errors(&mut sim, builder)?.contains("relay → numbers → relay is a cycle that cannot be served"));
    Ok(())
}

#[test]
fn everything_that_is_wrong_is_said_at_once() -> Tested {
    let mut sim = Sim::new(0);
    let Scene { chance, .. } = scene(&sim);
    let relay = |from: &str, to: &str, name: &str| Relay::of(from, to, Passage::smooth(&chance)).named(name);
    let builder = (scene(&sim).database())
        .configure::<u64>("a", ring(0))
        .configure::<u64>("b", |_| {})
        .configure::<f32>("c", ring(1))
        .configure::<u64>("d", ring(1))
        .configure::<u64>("e", queue(1, 1))
        .configure::<u64>("f", queue(1, 1))
        .with_service(relay("c", "d", "wrong type"))
        .with_service(relay("nowhere", "d", "unknown"))
        .with_service(relay("e", "f", "cycle"))
        .with_service(relay("f", "e", "cycle again"));
    let built: Result<_, BuildErrors> = sim.block_on(builder.build())?;
    let errors = built.map(drop).unwrap_err();
    let about = |word: &str| errors.errors().iter().filter(|error| error.to_string().contains(word)).count();
    let found =
        ["capacity 0", "no buffer", "use one type", "not configured", "allows one producer", "a cycle"].map(about);
    assert_eq!((found, errors.errors().len()), ([1; 6], 6), "{errors}");
    Ok(())
}

fn fails_for_ever(panics: bool) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let mut sim = Sim::new(0);
    let start = StartOf(sim.adapter().now());
    let failing = Failing { lasts: Duration::ZERO, times: u64::MAX, panics, began: Tally::default() };
    let builder = scene(&sim).database().with_service(Fail::of(start, failing));
    let db = sim.block_on(builder.build())??;
    match sim.block_on(db.run())? {
        Ok(()) => Err("what fails for ever should not end well".into()),
        Err(error) => Ok(error.to_string()),
    }
}

#[test]
fn a_service_that_returns_an_error_for_ever() -> Tested {
    let why = "1 service(s) failed for good:\n  - service \"fail\" (instance 0) after 5 restarts: struck by chance";
    assert_eq!(fails_for_ever(false)?, why);
    Ok(())
}

#[test]
fn a_service_that_panics_for_ever() -> Tested {
    let why = "1 service(s) failed for good:\n  - service \"fail\" (instance 0) after 5 restarts: panicked: the wheel came off";
    assert_eq!(fails_for_ever(true)?, why);
    Ok(())
}

#[test]
fn a_service_of_no_instance() -> Tested {
    static NOBODY: ServiceConfig = ServiceConfig { instances: 0, ..ServiceConfig::DEFAULT };
    let mut sim = Sim::new(0);
    let draft = ServiceDraft::new("nobody", &NOBODY);
    let nobody = draft.starts(|_, _: RuntimeContext<SimAdapter>, _| Ok(std::future::ready(ServiceEnd::Finished)));
    let builder = scene(&sim).database().with_service(nobody);
    assert_eq!(
        errors(&mut sim, builder)?,
        "the database cannot be built: service \"nobody\" declares 0 instances and would never run: declare at least 1"
    );
    Ok(())
}

/// Sleeps for a second.
#[service]
async fn nap<R: Runtime>(ctx: RuntimeContext<R>) -> Result<(), Struck> {
    ctx.sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[test]
fn spawning_a_running_static_service_again() -> Tested {
    let mut sim = Sim::new(0);
    let adapter = sim.static_adapter();
    Nap::spawn_static(adapter)?;
    let error = Nap::spawn_static(adapter).unwrap_err();
    assert_eq!(error, SpawnError::Busy);
    assert_eq!(
        error.to_string(),
        "this task already runs in its static slot; wait for it to end, or declare more `instances`"
    );
    sim.run()?;
    Nap::spawn_static(adapter)?;
    sim.run()?;
    Ok(())
}
