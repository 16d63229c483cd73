//! Services made by `#[service]`, on both flavours of Tokio and in simulation: one test, each runtime.

use anabranch::{ClaimError, ServicePhase, ServiceState, SpawnError, TokioAdapter, prelude::*};
use anabranch_sim::{Sim, SimAdapter};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

/// Why a service of these tests ends early.
#[derive(Debug)]
struct Refused(u32);
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it refuses {}", self.0)
    }
}

const FAILS_AT: u32 = 3;
const PANICS_AT: u32 = 6;

/// Doubles each value, but for one that it fails at and one that it panics at.
#[service(restart = "on-failure", backoff = "1ms", max_backoff = "5ms")]
async fn doubling<R: Runtime>(
    _ctx: RuntimeContext<R>,
    input: &mut Consumer<u32>,
    output: Producer<u32>,
) -> Result<(), Refused> {
    while let Some(value) = input.next().await {
        match value {
            FAILS_AT => return Err(Refused(value)),
            PANICS_AT => panic!("it was asked to panic at {value}"),
            value => output.produce(value * 2),
        };
    }
    Ok(())
}

/// Fails for ever, and counts how often it was tried.
#[service(restart = "always", backoff = "1ms", limit = 4, name = "never well")]
async fn failing<R: Runtime>(_ctx: RuntimeContext<R>, tries: Arc<AtomicU32>) -> Result<(), Refused> {
    Err(Refused(tries.fetch_add(1, Relaxed)))
}

/// Reads the limit that is set, then fails, until it was tried twice.
#[service(restart = "on-failure", backoff = "1ms")]
async fn limited<R: Runtime>(
    _ctx: RuntimeContext<R>,
    limit: &mut Consumer<u32>,
    seen: Producer<u32>,
) -> Result<(), Refused> {
    let limit = limit.next().await.unwrap_or_default();
    match seen.produce(limit) {
        0 => Err(Refused(limit)),
        _ => Ok(()),
    }
}

/// Says which instance it is for each value that it takes.
#[service(instances = 3)]
async fn sharing<R: Runtime>(
    ctx: RuntimeContext<R>,
    work: &mut Consumer<u32>,
    done: &Producer<(u16, u32)>,
) -> Result<(), Refused> {
    while let Some(value) = work.next().await {
        done.produce((ctx.instance(), value));
        ctx.yield_now().await;
    }
    Ok(())
}

/// Is moved what cannot be cloned.
#[service]
async fn once<R: Runtime>(
    ctx: RuntimeContext<R>,
    mut input: Consumer<u32>,
    output: Producer<u32>,
    unique: Unique,
) -> Result<(), Refused> {
    assert_eq!(ctx.service(), Once::NAME);
    while let Some(value) = input.next().await {
        output.produce(value + unique.0);
    }
    Ok(())
}
struct Unique(u32);

/// Takes what only some runtimes have.
#[service]
async fn spawning<R: Runtime + SpawnDynamically>(ctx: RuntimeContext<R>, output: Producer<u32>) -> Result<(), Refused> {
    let task = ctx.spawn(async { 7 });
    output.produce(task.await.map_err(|_| Refused(7))?);
    Ok(())
}

/// Runs a test on a current-thread Tokio, a multi-thread one, and under some seeds in simulation.
fn on_each_runtime(test: impl AsyncFn(Runs)) {
    let current_thread = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("it can be built");
    current_thread.block_on(async { test(Runs::Tokio(TokioAdapter::current().expect("it runs"))).await });
    let multi_thread =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("it can be built");
    multi_thread.block_on(async { test(Runs::Tokio(TokioAdapter::current().expect("it runs"))).await });
    for seed in 0..20 {
        let mut sim = Sim::new(seed);
        let adapter = sim.adapter();
        sim.block_on(test(Runs::Sim(adapter))).expect("nothing waits for ever");
    }
}

/// The runtime that a test is run on.
enum Runs {
    Tokio(TokioAdapter),
    Sim(SimAdapter),
}

/// Calls a generic function on the runtime at hand.
macro_rules! on {
    ($runs:expr, $test:ident) => {
        match $runs {
            Runs::Tokio(runtime) => $test(runtime).await,
            Runs::Sim(runtime) => $test(runtime).await,
        }
    };
}

fn ring<T: Clone + Send + 'static>(name: &'static str) -> HeapRecord<T> {
    HeapRecord::new(name, BufferCfg::SpmcRing { capacity: 64 }).expect("64 is a capacity")
}

async fn all<T>(mut consumer: Consumer<T>) -> Vec<T> {
    let mut values = Vec::new();
    while let Some(value) = consumer.next().await {
        values.push(value);
    }
    values
}

#[test]
fn after_a_failure_and_after_a_panic_it_goes_on_with_the_next_value() {
    async fn test<R: Runtime + SpawnDynamically>(runtime: R) {
        let (input, output) = (ring("input"), ring("output"));
        let seen = output.consumer().unwrap();
        let producer = input.producer().unwrap();
        let service = Doubling::spawn(&runtime, input.consumer().unwrap(), output.producer().unwrap());
        (1..=8).for_each(|value| _ = producer.produce(value));
        drop(producer);
        assert_eq!(all(seen).await, [2, 4, 8, 10, 14, 16], "{}", runtime.runtime_name());
        assert_eq!(service.await, Ok(ServiceEnd::Finished));
    }
    on_each_runtime(async |runs| on!(runs, test));
}

#[test]
fn after_a_restart_the_current_value_of_a_latest_is_there_again() {
    async fn test<R: Runtime + SpawnDynamically>(runtime: R) {
        let limit = HeapRecord::new("limit", BufferCfg::SingleLatest).unwrap();
        let output = ring("seen");
        let seen = output.consumer().unwrap();
        let setting = limit.producer().unwrap();
        setting.produce(7);
        let service = Limited::spawn(&runtime, limit.consumer().unwrap(), output.producer().unwrap());
        assert_eq!(all(seen).await, [7, 7], "{}", runtime.runtime_name());
        assert_eq!(service.await, Ok(ServiceEnd::Finished));
    }
    on_each_runtime(async |runs| on!(runs, test));
}

#[test]
fn in_a_database_it_goes_on_in_the_same_way_and_its_restarts_are_counted() {
    async fn test<R: Runtime + SpawnDynamically>(runtime: R) {
        let db = Anabranch::builder()
            .runtime(runtime)
            .configure::<u32>("input", |r| {
                r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
            })
            .configure::<u32>("output", |r| {
                r.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
            })
            .with_service(Doubling::of("input", "output"))
            .build()
            .await
            .unwrap();
        let (producer, output) = (db.producer("input").unwrap(), db.consumer("output").unwrap());
        (1..=8).for_each(|value: u32| _ = producer.produce(value));
        drop(producer);
        db.run().await.unwrap();
        assert_eq!(all::<u32>(output).await, [2, 4, 8, 10, 14, 16]);
        let services = db.services();
        assert_eq!((services[0].name.as_str(), services[0].restarts), (Doubling::NAME, 2));
        assert_eq!(services[0].last_error.as_deref(), Some("panicked: it was asked to panic at 6"));
    }
    on_each_runtime(async |runs| on!(runs, test));
}

#[test]
fn after_its_limit_it_is_given_up() {
    async fn test<R: Runtime + SpawnDynamically>(runtime: R) {
        let tries = Arc::new(AtomicU32::new(0));
        assert_eq!(Failing::spawn(&runtime, tries.clone()).await, Ok(ServiceEnd::Failed));
        assert_eq!(tries.load(Relaxed), 1 + 4);
        assert_eq!(Failing::NAME, "never well");
    }
    on_each_runtime(async |runs| on!(runs, test));
}

#[test]
fn each_instance_has_its_number_and_a_queues_values_are_shared_out() {
    async fn test<R: Runtime + SpawnDynamically>(runtime: R) {
        let work = HeapRecord::new("work", BufferCfg::Queue { capacity: 64, consumers: 1 }).unwrap();
        let done = ring("done");
        let seen = done.consumer().unwrap();
        let producer = work.producer().unwrap();
        for value in 0..30 {
            producer.try_send(value).unwrap();
        }
        drop(producer);
        let services = Sharing::spawn(&runtime, work.consumer().unwrap(), done.producer().unwrap());
        let mut done = all(seen).await;
        for service in services {
            assert_eq!(service.await, Ok(ServiceEnd::Finished));
        }
        assert!(done.iter().all(|(instance, _)| *instance < 3), "{done:?}");
        done.sort_unstable_by_key(|(_, value)| *value);
        assert!(done.iter().map(|(_, value)| *value).eq(0..30), "{done:?}");
    }
    on_each_runtime(async |runs| on!(runs, test));
}

#[test]
fn what_cannot_be_cloned_is_moved_into_a_service_that_runs_once() {
    async fn test<R: Runtime + SpawnDynamically>(runtime: R) {
        let (input, output) = (ring("input"), ring("output"));
        let (producer, seen) = (input.producer().unwrap(), output.consumer().unwrap());
        let service = Once::spawn(&runtime, input.consumer().unwrap(), output.producer().unwrap(), Unique(10));
        producer.produce(1);
        drop(producer);
        assert_eq!(all(seen).await, [11]);
        assert_eq!(service.await, Ok(ServiceEnd::Finished));
    }
    on_each_runtime(async |runs| on!(runs, test));
}

#[test]
fn a_service_may_ask_for_more_than_a_runtime_without_a_heap_has() {
    async fn test<R: Runtime + SpawnDynamically>(runtime: R) {
        let output = ring("output");
        let seen = output.consumer().unwrap();
        let service = Spawning::spawn(&runtime, output.producer().unwrap());
        assert_eq!(all(seen).await, [7]);
        assert_eq!(service.await, Ok(ServiceEnd::Finished));
    }
    on_each_runtime(async |runs| on!(runs, test));
}

/// What is `static` belongs to one runtime, so this has no other test beside it.
#[test]
fn in_static_storage_it_runs_and_says_busy_while_it_does_and_shows_its_state() {
    static INPUT: Record<u32, Ring<16>> = Record::new("input");
    static OUTPUT: Record<u32, Ring<16>> = Record::new("output");
    let mut sim = Sim::new(1);
    let runtime = sim.static_adapter();
    sim.block_on(async {
        assert_eq!(Doubling::state(0).map(ServiceState::phase), Some(ServicePhase::Waiting));
        let (producer, seen) = (INPUT.producer().unwrap(), OUTPUT.consumer().unwrap());
        Doubling::spawn_static(runtime, INPUT.consumer().unwrap(), OUTPUT.producer().unwrap()).unwrap();
        assert_eq!(OUTPUT.producer().err(), Some(ClaimError::ProducerTaken));
        let again = Doubling::spawn_static(runtime, INPUT.consumer().unwrap(), ring("other").producer().unwrap());
        assert_eq!(again, Err(SpawnError::Busy));
        (1..=4).for_each(|value| _ = producer.produce(value));
        drop(producer);
        assert_eq!(all(seen).await, [2, 4, 8]);
        runtime.sleep(Duration::from_millis(1)).await;
        let state = Doubling::state(0).unwrap();
        assert_eq!((state.phase(), state.restarts()), (ServicePhase::Finished, 1));
        assert_eq!(state.last_error().as_deref(), Some("it refuses 3"));
        assert!(Doubling::state(1).is_none(), "it has one instance");
    })
    .unwrap();
}

#[test]
fn instances_in_static_storage_are_as_many_as_were_declared() {
    static WORK: Record<u32, Queue<16, 1>> = Record::new("work");
    static DONE: Record<(u16, u32), Ring<16>> = Record::new("done");
    let mut sim = Sim::new(2);
    let runtime = sim.static_adapter();
    sim.block_on(async {
        let (producer, seen) = (WORK.producer().unwrap(), DONE.consumer().unwrap());
        Sharing::spawn_static(runtime, WORK.consumer().unwrap(), DONE.producer().unwrap()).unwrap();
        for value in 0..9 {
            producer.try_send(value).unwrap();
        }
        drop(producer);
        assert_eq!(all(seen).await.len(), 9);
        assert!((0..3).all(|instance| Sharing::state(instance).is_some()) && Sharing::state(3).is_none());
    })
    .unwrap();
}
