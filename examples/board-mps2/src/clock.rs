//! The time driver: one counter to tell the time, one one-shot timer to wake at the next deadline, no periodic tick.
//!
//! The FPGA's counter is prescaled to 1 MHz, the tick of `embassy-time`. It has 32 bits and wraps after 71 minutes;
//! [`WideCount`] makes 64 of them. The alarm is set to the next deadline, but never farther away than
//! [`LONGEST_ALARM`], so the counter is read many times per wrap even when nothing is to do: one interrupt in 85 s.

use crate::{
    interrupts::Interrupt,
    registers::{ALARM, CLOCK_HZ, Timer, fpgaio},
    wide_count::WideCount,
};
use core::{cell::RefCell, task::Waker};
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;

const TIMER_PER_TICK: u32 = CLOCK_HZ / TICK_HZ as u32;
/// In ticks; the alarm's counter has 32 bits.
const LONGEST_ALARM: u64 = ((1 << 31) / TIMER_PER_TICK) as u64;

struct Clock {
    state: Mutex<RefCell<State>>,
}

struct State {
    running: bool,
    count: WideCount,
    queue: Queue,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    state: Mutex::new(RefCell::new(State { running: false, count: WideCount::new(), queue: Queue::new() })),
});

/// Starts the clock, which shows zero before. Called once, before tasks run.
pub(crate) fn start() {
    critical_section::with(|cs| {
        fpgaio::PRESCALE.write(TIMER_PER_TICK - 1);
        fpgaio::COUNTER.write(0);
        let mut state = CLOCK.state.borrow_ref_mut(cs);
        state.running = true;
        state.set_alarm();
    });
    Interrupt::DUAL_TIMER.enable();
}

impl State {
    fn now(&mut self) -> u64 {
        if self.running { self.count.at(fpgaio::COUNTER.read()) } else { 0 }
    }

    /// Wakes what is due, and sets the alarm to what is due next. Setting it loses no time: a deadline that passes
    /// meanwhile makes an alarm of one tick.
    fn set_alarm(&mut self) {
        if !self.running {
            return; // `start` does it
        }
        let now = self.now();
        let next = self.queue.next_expiration(now);
        let ticks = next.saturating_sub(self.now()).clamp(1, LONGEST_ALARM) as u32;
        ALARM.control.write(Timer::WIDE);
        ALARM.clear.write(1);
        ALARM.load.write(ticks * TIMER_PER_TICK);
        ALARM.control.write(Timer::WIDE | Timer::ONE_SHOT | Timer::INTERRUPT | Timer::ENABLE);
    }
}

impl Clock {
    fn with<T>(&self, cs: CriticalSection<'_>, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.borrow_ref_mut(cs))
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.with(cs, State::now))
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            self.with(cs, |state| {
                if state.queue.schedule_wake(at, waker) {
                    state.set_alarm();
                }
            });
        });
    }
}

/// The alarm: at a deadline, or because it was too far away for one go.
#[unsafe(no_mangle)]
extern "C" fn DUAL_TIMER() {
    critical_section::with(|cs| CLOCK.with(cs, State::set_alarm));
}

/// The seconds since reset by the FPGA's own 1 Hz counter: nothing here depends on it, so it can check the clock.
#[must_use]
pub fn seconds() -> u32 {
    fpgaio::SECONDS.read()
}
