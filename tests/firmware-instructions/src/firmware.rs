//! What is measured with, and the program.

use crate::{between_tasks, in_one_task, over_mqtt, report::Report};
use board_mps2::{Executor, InstructionCounter, SteppedExecutor, exit, println};
use embassy_executor::Spawner;
use static_cell::StaticCell;

board_mps2::panic_exits!();

/// How many values a case sends.
pub const VALUES: u32 = 256;

/// A sensor's reading: 24 bytes.
#[derive(Clone, Copy)]
#[expect(dead_code, reason = "it is only carried")]
pub struct Reading {
    unix_nanos: u64,
    device: u32,
    sequence: u32,
    celsius: f32,
    humidity: f32,
}

const _: () = assert!(size_of::<Reading>() == 24);

impl Reading {
    /// A reading that differs from the next.
    pub fn number(n: u32) -> Self {
        Reading { unix_nanos: 0, device: 7, sequence: n, celsius: 21.5, humidity: 0.5 }
    }
}

#[embassy_executor::main(entry = "board_mps2::entry", executor = "board_mps2::Executor")]
async fn main(_spawner: Spawner) {
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    let counter = match InstructionCounter::calibrate() {
        Ok(counter) => counter,
        Err(error) => {
            println!("{error}");
            exit(1)
        }
    };
    let mut report = Report::new();
    let mut executor = SteppedExecutor::new(EXECUTOR.init(Executor::new()));
    let measured = in_one_task::run(&counter, &mut report)
        .and_then(|()| between_tasks::run(&counter, &mut executor, &mut report))
        .and_then(|()| over_mqtt::run(&counter, &mut executor, &mut report));
    match measured {
        Ok(()) => exit(u8::from(!report.all_hold())),
        Err(in_one_task::Taken) => {
            println!("an end of a record or channel, or a task, was taken already");
            exit(1)
        }
    }
}
