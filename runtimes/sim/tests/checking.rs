//! `check` finds what fails under some seed, and says which one and how to run it alone.

use anabranch_executor::{RuntimeExt, SpawnDynamically};
use anabranch_sim::{Explored, SEED_VARIABLE, Sim, SimError, SimOptions, Verdict, Why};
use std::{
    env,
    future::pending,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Two tasks add one each, reading and writing with a wait between: under some orders one addition is lost.
fn lost_update(sim: &mut Sim) -> Verdict {
    let sum = Arc::new(AtomicU64::new(0));
    for _ in 0..2 {
        let (adapter, sum) = (sim.adapter(), sum.clone());
        drop(sim.adapter().spawn_named("adder", async move {
            let read = sum.load(Ordering::Relaxed);
            adapter.yield_now().await;
            sum.store(read + 1, Ordering::Relaxed);
        }));
    }
    sim.run()?;
    match sum.load(Ordering::Relaxed) {
        2 => Ok(()),
        sum => Err(format!("the sum is {sum}").into()),
    }
}

#[test]
fn a_race_is_found_and_its_seed_fails_again_alone() {
    let failure = SimOptions::default().explore(0..100, lost_update).unwrap_err();
    assert_eq!(failure.why, Why::Failed("the sum is 1".into()));
    assert!(lost_update(&mut Sim::new(failure.seed)).is_err());
    assert!((0..failure.seed).all(|seed| lost_update(&mut Sim::new(seed)).is_ok()));
    let said = failure.to_string();
    assert!(said.contains(&format!("ANABRANCH_SIM_SEED={} cargo test a_race_is_found", failure.seed)), "{said}");
    assert!(said.contains(&format!("Sim::new({})", failure.seed)), "{said}");
    assert!(failure.last.iter().any(|line| line == "+0 adder"), "{said}");
}

#[test]
#[should_panic(expected = "the sum is 1")]
fn check_panics_with_the_failure() {
    anabranch_sim::check(0..100, lost_update);
}

#[test]
fn what_the_seed_does_not_decide_is_found() {
    let runs = AtomicU64::new(0);
    let failure = SimOptions::default()
        .explore(0..3, |sim| {
            sim.adapter().note("always the same");
            sim.adapter().note(runs.fetch_add(1, Ordering::Relaxed));
            Ok(())
        })
        .unwrap_err();
    assert!(matches!(&failure.why, Why::NotDeterministic { line: 2, lines } if lines.0 != lines.1), "{failure}");
}

#[test]
fn of_so_many_seeds_one_is_run_twice() {
    let runs = AtomicU64::new(0);
    let explore = |seeds| {
        SimOptions::default().twice_every(5).explore(seeds, |sim| {
            sim.adapter().note(runs.fetch_add(1, Ordering::Relaxed));
            Ok(())
        })
    };
    assert_eq!(explore(6..10).map(|explored| explored.seeds), Ok(4));
    assert_eq!(runs.load(Ordering::Relaxed), 4);
    assert_eq!(explore(6..20).unwrap_err().seed, 10);
}

#[test]
fn a_panic_in_a_task_that_nobody_awaits_fails_the_seed_unless_it_is_expected() {
    let scenario = |sim: &mut Sim| -> Verdict {
        drop(sim.adapter().spawn_named("careless", async { panic!("on purpose") }));
        Ok(sim.run()?)
    };
    let failure = SimOptions::default().explore([4], scenario).unwrap_err();
    let Why::TaskPanicked(task, message) = failure.why else { panic!("{failure}") };
    assert_eq!((task.name, message.as_str()), ("careless", "on purpose"));
    assert!(SimOptions::default().panics_expected().explore([4], scenario).is_ok());
}

#[test]
fn a_deadlock_and_a_failed_assertion_fail_the_seed() {
    let failure = SimOptions::default().explore([4], |sim| Ok(sim.block_on(pending())?)).unwrap_err();
    assert!(matches!(&failure.why, Why::Failed(error) if error.starts_with("deadlock after 0ns")), "{failure}");
    let failure = SimOptions::default().explore([4], |_| panic!("an assertion")).unwrap_err();
    assert_eq!(failure.why, Why::Panicked("an assertion".into()));
}

#[test]
fn exploring_counts_seeds_courses_and_steps() {
    let explored = SimOptions::default().explore(0..50, |sim| {
        for _ in 0..2 {
            drop(sim.adapter().spawn(async {}));
        }
        Ok::<(), SimError>(sim.run()?).map_err(Into::into)
    });
    assert_eq!(explored, Ok(Explored { seeds: 50, courses: 2, steps: 100 }));
}

/// The outer run starts this test again with the variable set; the inner one says which seeds it saw.
#[test]
fn the_variable_narrows_check_to_one_seed() {
    let again = |seed: &str| {
        let mut test = Command::new(env::current_exe().unwrap());
        test.args(["--exact", "the_variable_narrows_check_to_one_seed", "--nocapture"]).env(SEED_VARIABLE, seed);
        let output = test.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    if env::var_os(SEED_VARIABLE).is_some() {
        return anabranch_sim::check(0..5, |sim| {
            println!("first drawn: {}", sim.adapter().random());
            Ok(())
        });
    }
    let expected = format!("first drawn: {}\n", Sim::new(77).adapter().random());
    let (passed, said) = again("77");
    assert!(passed && said.matches("first drawn").count() == 2 && said.matches(&expected).count() == 2, "{said}");
    let (passed, said) = again("seventy");
    assert!(!passed && said.contains("ANABRANCH_SIM_SEED=seventy is not a seed; set it to a number"), "{said}");
}
