//! The conformance suite of backends, on simulated media: with checkpoints as they come, and with one every few commits.

use anabranch_conformance::{Tally, run_backends, run_lasting_backends};
use anabranch_medium::sim::SimPlace;
use anabranch_opfs::{OpfsBackend, OpfsView, Options};
use anabranch_store::{Backend, BackendError, Batch, Durability, Usage};

/// A database and its media.
struct Simulated(OpfsBackend, SimPlace, Options);

fn open(place: SimPlace, options: Options) -> Result<Simulated, BackendError> {
    let backend = OpfsBackend::open(place.fixed(0), place.fixed(1), options.clone())?;
    Ok(Simulated(backend, place, options))
}

fn reopen(Simulated(backend, place, options): Simulated) -> Result<Simulated, BackendError> {
    drop(backend);
    open(place.copy(), options)
}

impl Backend for Simulated {
    type View<'b> = OpfsView;

    fn view(&self) -> Result<OpfsView, BackendError> {
        self.0.view()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), BackendError> {
        self.0.commit(batch, durability)
    }

    fn usage(&self) -> Result<Usage, BackendError> {
        self.0.usage()
    }
}

fn keeps_it(options: &Options) {
    let mut tally = Tally::new(|line| println!("{line}"));
    let fresh = || open(SimPlace::with_media(2), options.clone());
    run_backends(fresh, &mut tally);
    run_lasting_backends(fresh, reopen, &mut tally);
    assert!(tally.finish());
}

#[test]
fn it_keeps_the_contract_of_backends() {
    keeps_it(&Options::default());
}

#[test]
fn it_keeps_it_with_a_checkpoint_every_few_commits_and_no_cache() {
    let mut options = Options::default();
    options.log = 1_000;
    options.cache = 0;
    options.relaxed = 500;
    keeps_it(&options);
}

#[test]
fn it_keeps_it_with_a_checkpoint_before_every_commit() {
    let mut options = Options::default();
    options.log = 0;
    options.cache = 100_000;
    keeps_it(&options);
}
