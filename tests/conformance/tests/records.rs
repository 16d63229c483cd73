//! Records keep their promises on this machine: over statics and the heap, in one task and between tasks, on both of
//! Tokio's flavours.

use anabranch_conformance::{
    Place, Tally, run_heap_records, run_memory, run_records, run_records_between_tasks, run_records_in_a_task,
};
use anabranch_tokio::TokioAdapter;
use tokio::runtime::Builder;

#[test]
fn statics_keep_what_records_promise() {
    let mut tally = Tally::new(|line| println!("{line}"));
    run_records(&mut tally);
    assert!(tally.finish());
}

#[test]
fn records_take_their_values_and_a_few_words() {
    let mut tally = Tally::new(|line| println!("{line}"));
    run_memory(Place::Server, &mut tally);
    assert!(tally.finish());
}

#[test]
fn records_on_the_heap_keep_it_too() {
    let mut tally = Tally::new(|line| println!("{line}"));
    run_heap_records(&mut tally);
    assert!(tally.finish());
}

#[test]
fn values_flow_and_wake_in_one_task() {
    Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
        let mut tally = Tally::new(|line| println!("{line}"));
        run_records_in_a_task(&TokioAdapter::current().unwrap(), &mut tally).await;
        assert!(tally.finish());
    });
}

#[test]
fn values_flow_and_wake_between_tasks_of_one_thread_and_of_two() {
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        builder.worker_threads(2).enable_time().build().unwrap().block_on(async {
            let mut tally = Tally::new(|line| println!("{line}"));
            run_records_between_tasks(&TokioAdapter::current().unwrap(), &mut tally).await;
            assert!(tally.finish());
        });
    }
}
