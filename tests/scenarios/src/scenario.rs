//! The scenarios by name, and what it means to explore one.

use crate::{Scene, Verdict, buffers, crowd, disk, failing, flows, links, mqtt, shutdown};
use anabranch::sim::{Failure, Faults, Sim, SimAdapter, SimOptions};
use anabranch::{Duration, Runtime, SpawnDynamically};
use std::{future::Future, ops::Range, panic::resume_unwind, pin::Pin, thread};

/// A scenario that is being played.
pub type Playing = Pin<Box<dyn Future<Output = Verdict>>>;

/// A scenario on runtimes of type `R`.
#[derive(Debug, Clone, Copy)]
pub struct Scenario<R> {
    /// Its name, for `--scenario`.
    pub name: &'static str,
    /// What goes wrong in it beside what it does by itself.
    pub kind: Kind,
    /// Plays it.
    pub play: fn(Scene<R>) -> Playing,
}

/// What goes wrong in a simulation of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing under even seeds; under odd ones timers are late, tasks stall and are polled needlessly.
    AnyWeather,
    /// Nothing, since it measures time exactly.
    Exact,
    /// Tasks are aborted.
    Aborts,
    /// Its disk does, and loses power hundreds of times under each seed.
    Disk,
}

impl Kind {
    /// How many seeds of so many are played where all scenarios are: a fifth of those that take long.
    #[must_use]
    pub fn of_all(self, seeds: u64) -> u64 {
        if self == Kind::Disk { seeds.div_ceil(5) } else { seeds }
    }
}

macro_rules! scenarios {
    ($($kind:ident: $($name:literal = $module:ident::$function:ident),* $(,)?;)*) => {
        [$($(Scenario {
            name: $name,
            kind: Kind::$kind,
            play: |scene| Box::pin($module::$function(scene)),
        }),*),*]
    };
}

/// The scenarios that hold on every runtime.
pub fn everywhere<R: Runtime + SpawnDynamically>() -> Vec<Scenario<R>> {
    Vec::from(scenarios! {
        AnyWeather:
            "full-queues" = buffers::full_queues,
            "lagging-rings" = buffers::lagging_rings,
            "shared-rings" = buffers::shared_rings,
            "converging-latest" = buffers::converging_latest,
            "mailbox-takes-once" = buffers::mailbox_takes_once,
            "instances-share" = buffers::instances_share,
            "vanishing-consumers" = buffers::vanishing_consumers,
            "late-consumers" = buffers::late_consumers,
            "chains" = flows::chains,
            "branches-meet" = flows::branches_meet,
            "joins" = flows::joins,
            "feedback" = flows::feedback,
            "restarts" = failing::restarts,
            "panicking-transform" = failing::panicking_transform,
            "failing-for-ever" = failing::failing_for_ever,
            "graceful-shutdown" = shutdown::graceful_shutdown,
            "producers-outside" = shutdown::producers_outside,
            "hung-service" = shutdown::hung_service,
            "hasty-shutdown" = shutdown::hasty_shutdown,
            "links-offline" = links::offline,
            "thousand-services" = crowd::thousand_services;
    })
}

/// All scenarios: those that hold everywhere, and those that need exact time, an executioner or a disk.
#[must_use]
pub fn in_simulation() -> Vec<Scenario<SimAdapter>> {
    let mut all = everywhere();
    all.extend(scenarios! {
        Exact: "exact-pauses" = failing::exact_pauses, "healthy-runs" = failing::healthy_runs;
        Aborts: "aborts" = failing::aborts;
        AnyWeather: "mqtt-all-faults" = mqtt::all_faults, "mqtt-shutdown" = mqtt::shutdown;
        Disk: "store-crash" = disk::store_crash, "store-flipped-bits" = disk::store_flipped_bits;
    });
    all
}

/// What was gone through.
#[derive(Debug, Clone, Copy, Default)]
pub struct Explored {
    /// How many different courses the seeds took (of one that was taken on two threads, both count).
    pub courses: u64,
    /// How many steps, the second runs not counted.
    pub steps: u64,
}

impl Scenario<SimAdapter> {
    /// Plays it under each of the seeds, one of `twice_every` twice with the same trace, on so many threads.
    ///
    /// # Errors
    /// The lowest seed that failed of those that were played until then.
    pub fn explore(&self, seeds: Range<u64>, twice_every: u64, threads: u64) -> Result<Explored, Failure> {
        let threads = threads.max(1);
        let share = |number: u64| {
            let mut explored = Explored::default();
            for odd in [false, true] {
                let mine = seeds.clone().filter(|seed| seed / 2 % threads == number && (seed % 2 == 1) == odd);
                let some = self.options(odd).twice_every(twice_every).explore(mine, |sim| self.in_sim(sim))?;
                explored.courses += some.courses;
                explored.steps += some.steps;
            }
            Ok(explored)
        };
        let shares: Vec<Result<Explored, Failure>> = thread::scope(|scope| {
            let share = &share;
            let shares: Vec<_> = (1..threads).map(|number| scope.spawn(move || share(number))).collect();
            let first = share(0);
            let others = shares.into_iter().map(|share| share.join().unwrap_or_else(|panic| resume_unwind(panic)));
            [first].into_iter().chain(others).collect()
        });
        let failed = shares.iter().filter_map(|share| share.as_ref().err()).min_by_key(|failure| failure.seed);
        if let Some(failure) = failed {
            return Err(failure.clone());
        }
        Ok(shares.iter().flatten().fold(Explored::default(), |all, some| Explored {
            courses: all.courses + some.courses,
            steps: all.steps + some.steps,
        }))
    }

    /// Everything else that was spawned must have ended, too.
    fn in_sim(&self, sim: &mut Sim) -> Verdict {
        let adapter = sim.adapter();
        let seed = adapter.random();
        sim.block_on((self.play)(Scene::new(adapter, seed, Duration::from_secs(600))))??;
        sim.run()?;
        Ok(())
    }

    fn options(&self, odd: bool) -> SimOptions {
        let options = SimOptions::default().time_limit(Duration::from_secs(3600)).step_limit(1_000_000);
        options.faults(match self.kind {
            Kind::Exact | Kind::Disk => Faults::default(),
            Kind::AnyWeather if odd => Faults::harsh(),
            Kind::AnyWeather => Faults::default(),
            Kind::Aborts if odd => Faults { abort: 0.02, ..Faults::harsh() },
            Kind::Aborts => Faults { abort: 0.01, ..Faults::default() },
        })
    }
}
