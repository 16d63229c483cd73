//! What the seed decides, what it does not, and that the same seed decides the same.

use anabranch_executor::{Duration, JoinError, JoinHandle, RuntimeExt, SpawnDynamically, TimeSource};
use anabranch_sim::{Faults, Sim, SimAdapter, SimError, SimOptions};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// Collects what tasks say, in the order in which they say it.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u64>>>);
impl Said {
    fn say(&self, word: u64) {
        self.0.lock().unwrap().push(word);
    }
    fn all(&self) -> Vec<u64> {
        self.0.lock().unwrap().clone()
    }
}

fn three_tasks(seed: u64, task: impl Fn(SimAdapter, u64, Said) -> bool) -> Vec<u64> {
    let mut sim = Sim::new(seed);
    let said = Said::default();
    for number in 0..3 {
        assert!(task(sim.adapter(), number, said.clone()));
    }
    sim.run().unwrap();
    said.all()
}

/// How often each order came in 600 seeds.
fn orders(run: impl Fn(u64) -> Vec<u64>) -> BTreeMap<Vec<u64>, u32> {
    let mut orders = BTreeMap::new();
    for seed in 0..600 {
        *orders.entry(run(seed)).or_default() += 1;
    }
    orders
}

#[test]
fn every_order_of_three_ready_tasks_comes_about_as_often() {
    let orders = orders(|seed| {
        three_tasks(seed, |adapter, number, said| {
            drop(adapter.spawn(async move { said.say(number) }));
            true
        })
    });
    assert_eq!(orders.len(), 6);
    assert!(orders.values().all(|times| (60..140).contains(times)), "{orders:?}");
}

#[test]
fn every_order_of_three_timers_due_at_one_instant_comes_about_as_often() {
    let orders = orders(|seed| {
        three_tasks(seed, |adapter, number, said| {
            let sleep = adapter.sleep(SECOND);
            drop(adapter.spawn(async move {
                sleep.await;
                said.say(number);
            }));
            true
        })
    });
    assert_eq!(orders.len(), 6);
    assert!(orders.values().all(|times| (60..140).contains(times)), "{orders:?}");
}

/// Tasks that sleep, spawn, draw, note and abort.
fn busy_world(options: &SimOptions, seed: u64) -> Sim {
    let mut sim = options.build(seed);
    let adapter = sim.adapter();
    let tasks: Vec<_> = (0..20_u64)
        .map(|number| {
            let within = adapter.clone();
            adapter.spawn(async move {
                for round in 0..10 {
                    within.sleep(Duration::from_millis(within.random_below(5))).await;
                    within.note(format_args!("{number} in round {round}"));
                    let _ = within.spawn(async move { round }).await;
                    within.yield_now().await;
                }
            })
        })
        .collect();
    let _ = sim.block_on(async move {
        for (number, task) in tasks.into_iter().enumerate() {
            if number % 4 == 0 {
                task.abort();
            }
            let _ = task.await;
        }
    });
    sim
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte_and_another_seed_another() {
    for faults in [Faults::default(), Faults { abort: 0.01, ..Faults::harsh() }] {
        let options = SimOptions::default().record().faults(faults);
        let mut traces = BTreeSet::new();
        for seed in 0..50 {
            let (one, other) = (busy_world(&options, seed), busy_world(&options, seed));
            let trace = one.trace();
            assert!(trace.text.as_ref().is_some_and(|text| text.lines().count() as u64 == trace.events));
            assert_eq!(trace, other.trace());
            assert_eq!(one.counts(), other.counts());
            traces.insert(trace.hash);
        }
        assert_eq!(traces.len(), 50, "no two seeds took the same course");
    }
}

#[test]
fn recording_the_trace_changes_nothing_but_the_text() {
    let (with, without) = (SimOptions::default().record(), SimOptions::default());
    let (with, without) = (busy_world(&with, 9).trace(), busy_world(&without, 9).trace());
    assert_eq!((with.hash, with.events), (without.hash, without.events));
    assert_eq!(without.text, None);
}

#[test]
fn a_trace_reads_as_the_table_says() {
    let mut sim = SimOptions::default().record().build(1);
    let adapter = sim.adapter();
    let within = adapter.clone();
    drop(adapter.spawn_named("sleeper", async move {
        within.sleep(SECOND).await;
        within.note("awake");
    }));
    sim.run().unwrap();
    adapter.note("over");
    let doomed = adapter.spawn_named("doomed", pending::<()>());
    doomed.abort();
    sim.run().unwrap();
    let text = sim.trace().text.unwrap();
    assert_eq!(text, "+0 sleeper\n>0\n@1000000000 1\n>0\n#0 awake\n.0\n#- over\n+1 doomed\nx1\n");
}

#[test]
fn drawing_numbers_does_not_change_the_order_of_tasks() {
    let order = |draws: u64| {
        let mut sim = Sim::new(4);
        let said = Said::default();
        for number in 0..50 {
            let (adapter, said) = (sim.adapter(), said.clone());
            drop(sim.adapter().spawn(async move {
                (0..draws).for_each(|_| assert!(adapter.random_below(10) < 10));
                adapter.yield_now().await;
                said.say(number);
            }));
        }
        sim.run().unwrap();
        said.all()
    };
    assert_eq!(order(0), order(3));
}

#[test]
fn a_deadlock_is_found_and_names_who_waits() {
    let mut sim = Sim::new(1);
    let adapter = sim.adapter();
    drop(adapter.spawn_named("the one that waits", pending::<()>()));
    let ends = adapter.sleep(SECOND);
    drop(adapter.spawn_named("the one that ends", ends));
    let error = sim.run().unwrap_err();
    let SimError::Deadlock { after, waiting } = &error else { panic!("{error}") };
    assert_eq!(*after, SECOND);
    assert_eq!(waiting.iter().map(|task| task.name).collect::<Vec<_>>(), ["the one that waits"]);
    let said = error.to_string();
    assert!(said.contains("task 0 `the one that waits` (spawned at runtimes/sim/tests/scheduling.rs:"), "{said}");
}

#[test]
fn a_deadlock_of_block_on_names_it_too_and_the_simulation_goes_on() {
    let mut sim = Sim::new(1);
    let error = sim.block_on(pending::<()>()).unwrap_err();
    assert!(matches!(&error, SimError::Deadlock { waiting, .. } if waiting.len() == 1), "{error}");
    assert!(error.to_string().contains("`block_on`"), "{error}");
    assert_eq!(sim.block_on(async { 5 }), Ok(5));
    assert_eq!(sim.tasks(), []);
}

#[test]
fn tasks_that_wait_for_nothing_are_no_deadlock_to_run_until_idle() {
    let mut sim = Sim::new(1);
    drop(sim.adapter().spawn(pending::<()>()));
    assert_eq!(sim.run_until_idle(), Ok(()));
    assert_eq!(sim.tasks().len(), 1);
}

#[test]
fn an_endless_loop_meets_the_step_limit_which_names_it() {
    let mut sim = SimOptions::default().step_limit(1_000).build(1);
    let adapter = sim.adapter();
    drop(sim.adapter().spawn_named("spinner", async move {
        loop {
            adapter.yield_now().await;
        }
    }));
    let error = sim.block_on(pending::<()>()).unwrap_err();
    assert!(matches!(&error, SimError::StepLimit { limit: 1_000, ready } if ready[0].name == "spinner"), "{error}");
    assert_eq!(sim.steps(), 1_000);
}

#[test]
fn an_endless_interval_meets_the_time_limit() {
    let mut sim = SimOptions::default().time_limit(SECOND * 60).build(1);
    let mut every = sim.adapter().interval(SECOND);
    let ticks = Arc::new(AtomicU32::new(0));
    let ticked = ticks.clone();
    let error = sim
        .block_on(async move {
            loop {
                every.tick().await;
                ticked.fetch_add(1, Ordering::Relaxed);
            }
        })
        .unwrap_err();
    assert!(matches!(error, SimError::TimeLimit { .. }), "{error}");
    assert_eq!(ticks.load(Ordering::Relaxed), 60);
}

#[test]
fn a_fault_that_aborts_tells_the_handle_and_spares_block_on() {
    let mut sim = SimOptions::default().faults(Faults { abort: 1.0, ..Faults::default() }).build(1);
    let task = sim.adapter().spawn(async { 1 });
    assert_eq!(sim.block_on(task), Ok(Err(JoinError::Aborted)));
    assert_eq!(sim.counts().aborted, 1);
}

#[test]
fn needless_polls_and_stalls_happen_when_asked_for() {
    let faults = Faults { stall: 0.2, stall_for: SECOND, needless_poll: 0.5, ..Faults::default() };
    let sim = busy_world(&SimOptions::default().record().faults(faults), 3);
    let text = sim.trace().text.unwrap();
    assert!(text.lines().any(|line| line.starts_with('z')));
    assert!(text.lines().any(|line| line.starts_with('?')));
}

/// Every fault at once, at the highest rate there is: nothing in the scheduler may come apart.
#[test]
fn the_worst_of_days_comes_to_an_end() {
    let faults =
        Faults { late_timer: 1.0, late_by: SECOND, stall: 1.0, stall_for: SECOND, needless_poll: 1.0, abort: 0.05 };
    for seed in 0..200 {
        let mut sim = busy_world(&SimOptions::default().faults(faults), seed);
        assert_eq!(sim.run(), Ok(()));
        let counts = sim.counts();
        assert_eq!((counts.alive, counts.timers), (0, 0));
        assert_eq!(counts.spawned, counts.ended + counts.aborted);
    }
}
