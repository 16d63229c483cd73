//! Runs Embassy's tasks, and lets the core sleep when none is ready.

use crate::clock;
use core::{
    ptr::null_mut,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};
use embassy_executor::{Spawner, raw};

/// Whether a task has become ready since the executor last looked.
static READY: AtomicBool = AtomicBool::new(false);
static WAKE_UPS: AtomicU32 = AtomicU32::new(0);

/// How many times the core was woken from sleep, so far.
#[must_use]
pub fn wake_ups() -> u32 {
    WAKE_UPS.load(Relaxed)
}

/// The executor of the board's one core.
pub struct Executor(raw::Executor);

impl Executor {
    /// An executor with no task.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "there is one, made by `embassy_executor::main`")]
    pub fn new() -> Self {
        Executor(raw::Executor::new(null_mut()))
    }

    /// Starts the clock, lets `init` spawn the first tasks, and runs them and theirs for ever.
    pub fn run(&'static mut self, init: impl FnOnce(Spawner)) -> ! {
        clock::start();
        init(self.0.spawner());
        loop {
            // SAFETY: `poll` is called here only, and `run` holds the executor's one mutable reference: never reentrant.
            unsafe { self.0.poll() };
            // With interrupts masked nothing can become ready between the look and the sleep; WFI ends for a masked
            // interrupt too, and its handler runs when the critical section is left.
            critical_section::with(|_| {
                if !READY.swap(false, Relaxed) {
                    cortex_m::asm::wfi();
                    WAKE_UPS.store(WAKE_UPS.load(Relaxed).wrapping_add(1), Relaxed);
                }
            });
        }
    }
}

/// An executor inside a program that runs already: its tasks take a step when they are told to, so that what they do can
/// be measured. It does not start the clock.
pub struct SteppedExecutor(&'static raw::Executor);

impl SteppedExecutor {
    /// Takes `executor` for good.
    #[must_use]
    pub fn new(executor: &'static mut Executor) -> Self {
        SteppedExecutor(&executor.0)
    }

    /// Starts tasks on it.
    #[must_use]
    pub fn spawner(&self) -> Spawner {
        self.0.spawner()
    }

    /// Polls each task that is ready once.
    pub fn step(&mut self) {
        // SAFETY: `self` is the only way to the executor, and is borrowed mutably while it polls: never reentrant.
        unsafe { self.0.poll() }
    }
}

/// Embassy calls this when a task becomes ready, from tasks and from interrupt handlers.
#[unsafe(export_name = "__pender")]
fn pender(_context: *mut ()) {
    READY.store(true, Relaxed);
}
