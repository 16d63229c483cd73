//! A driver for the LAN9118 Ethernet controller, which QEMU's MPS2 boards have, for `embassy-net`.
//!
//! ```text
//!  embassy-net ──Driver──▶ Lan9118 ──frames, link──▶ Chip ──registers──▶ Mapped       the chip, by its interrupt
//!  (its runner)             lib.rs                  chip.rs             mapped.rs     the only unsafe
//!                              └────── Shared: who waits, what was counted ──────────────────┘
//! ```
//!
//! The chip has FIFOs of its own for both directions, some seven frames deep, so this driver keeps no queue: it lends one
//! buffer each way, into which a frame is copied when the stack asks for it, and nothing else.
//!
//! **The contract:** the core may sleep whenever the stack has nothing to do. Frames, room for frames, and a cable that
//! comes or goes make the one interrupt, which stays off until the stack has looked. No answer of the chip makes a loop
//! without end or a panic: each wait has a bound, each length is checked, and what is wrong is dropped and counted.
//!
//! ```ignore
//! static BUFFERS: ConstStaticCell<lan9118::Buffers> = ConstStaticCell::new(lan9118::Buffers::new());
//! static RESOURCES: StaticCell<StackResources<4>> = StaticCell::new();
//!
//! let driver = lan9118::start([0x52, 0x54, 0, 0x12, 0x34, 0x56], BUFFERS.take())?;
//! let (stack, runner) = embassy_net::new(driver, config, RESOURCES.init(StackResources::new()), seed);
//! ```
#![no_std]

mod chip;
#[cfg(target_os = "none")]
mod mapped;
mod registers;

use chip::Chip;
pub use chip::StartError;
use core::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    task::Context,
};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
#[cfg(target_os = "none")]
pub use mapped::{Mapped, counts, start};
pub use registers::{Register, Registers};

/// The longest frame: header and data, without the checksum that the chip adds and checks.
pub const MAX_FRAME: usize = 1514;

/// So many frames are taken in one go, before the other tasks have their turn: no flood can keep them from it.
const BURST: u8 = 16;

/// The memory that the driver lends to the stack: a frame each way.
#[derive(Debug)]
pub struct Buffers {
    received: [u8; MAX_FRAME],
    to_send: [u8; MAX_FRAME],
}

impl Buffers {
    /// Buffers, which hold nothing.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is made where a static is declared")]
    pub const fn new() -> Self {
        Buffers { received: [0; MAX_FRAME], to_send: [0; MAX_FRAME] }
    }
}

/// What the interrupt, the driver and whoever asks have in common.
pub struct Shared {
    /// The task of the stack's runner.
    waits: AtomicWaker,
    received: AtomicU32,
    sent: AtomicU32,
    errored: AtomicU32,
    oversized: AtomicU32,
    missed: AtomicU32,
    unsent: AtomicU32,
    resets: AtomicU32,
}

/// How many frames went which way since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Handed to the stack.
    pub received: u32,
    /// Handed to the chip.
    pub sent: u32,
    /// Dropped because the chip found them damaged, or too short to be any.
    pub errored: u32,
    /// Dropped because they were longer than [`MAX_FRAME`].
    pub oversized: u32,
    /// Never seen, since the chip had no room for them.
    pub missed: u32,
    /// The chip could not send: a collision, no carrier.
    pub unsent: u32,
    /// How often the receiver contradicted itself and was emptied.
    pub resets: u32,
}

impl Shared {
    /// Nothing counted, nobody waiting.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it is made where a static is declared")]
    pub const fn new() -> Self {
        Shared {
            waits: AtomicWaker::new(),
            received: AtomicU32::new(0),
            sent: AtomicU32::new(0),
            errored: AtomicU32::new(0),
            oversized: AtomicU32::new(0),
            missed: AtomicU32::new(0),
            unsent: AtomicU32::new(0),
            resets: AtomicU32::new(0),
        }
    }

    /// The chip has interrupted, and its interrupts are off: the stack has to look.
    pub fn interrupted(&self) {
        self.waits.wake();
    }

    /// What was counted so far.
    pub fn counts(&self) -> Counts {
        Counts {
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
            errored: self.errored.load(Relaxed),
            oversized: self.oversized.load(Relaxed),
            missed: self.missed.load(Relaxed),
            unsent: self.unsent.load(Relaxed),
            resets: self.resets.load(Relaxed),
        }
    }
}

/// Adds to a count that one task writes.
fn add(count: &AtomicU32, more: u32) {
    count.store(count.load(Relaxed).wrapping_add(more), Relaxed);
}

/// The driver that `embassy-net` takes.
pub struct Lan9118<R: Registers> {
    chip: Chip<R>,
    buffers: &'static mut Buffers,
    /// How many more frames may be taken before the others have their turn.
    burst: u8,
    link: LinkState,
    /// The stack has a frame that the chip had no room for.
    waits_for_room: bool,
}

impl<R: Registers> Lan9118<R> {
    /// Resets the chip, and lets it receive and send as `address`.
    ///
    /// # Errors
    /// [`StartError`] when there is no such chip, or it does not answer.
    pub fn new(
        registers: R,
        address: [u8; 6],
        buffers: &'static mut Buffers,
        shared: &'static Shared,
    ) -> Result<Self, StartError> {
        let chip = Chip::start(registers, address, shared)?;
        Ok(Lan9118 { chip, buffers, burst: BURST, link: LinkState::Down, waits_for_room: false })
    }

    /// Without a link nothing can be sent, so the stack keeps it, and no timer of its own makes it try.
    fn may_send(&mut self) -> bool {
        let may = self.link == LinkState::Up && self.chip.has_room();
        self.waits_for_room |= !may;
        may
    }
}

impl<R: Registers> Driver for Lan9118<R> {
    type RxToken<'a>
        = Received<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = ToSend<'a, R>
    where
        Self: 'a;

    fn receive(&mut self, _: &mut Context<'_>) -> Option<(Received<'_>, ToSend<'_, R>)> {
        // Each frame may have an answer, which needs room.
        while self.burst > 0 && self.chip.has_frame() && self.may_send() {
            self.burst -= 1;
            if let Some(size) = self.chip.take_frame(&mut self.buffers.received) {
                let frame = self.buffers.received.get_mut(..size)?;
                return Some((Received(frame), ToSend { chip: &mut self.chip, buffer: &mut self.buffers.to_send }));
            }
        }
        None
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<ToSend<'_, R>> {
        self.may_send().then_some(ToSend { chip: &mut self.chip, buffer: &mut self.buffers.to_send })
    }

    /// The stack asks for it last, when it has received and sent all that it can: so here the driver goes to wait.
    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        self.chip.shared().waits.register(cx.waker());
        let before = core::mem::replace(&mut self.link, self.chip.link());
        let waits_for_room = core::mem::take(&mut self.waits_for_room) && self.link == LinkState::Up;
        self.burst = BURST;
        // Whatever comes from here on interrupts. What came before is seen now: it makes no interrupt any more.
        self.chip.forget_interrupts();
        let has_more = self.chip.has_frame() && self.link == LinkState::Up;
        if before != self.link || (has_more && !waits_for_room) || (waits_for_room && self.chip.has_room()) {
            cx.waker().wake_by_ref();
        } else {
            self.chip.interrupt(waits_for_room);
        }
        self.link
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MAX_FRAME;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.chip.address())
    }
}

/// A frame that came, in the driver's buffer.
pub struct Received<'a>(&'a mut [u8]);

impl RxToken for Received<'_> {
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, take: F) -> T {
        take(self.0)
    }
}

/// Room for a frame, in the driver's buffer and in the chip.
pub struct ToSend<'a, R: Registers> {
    chip: &'a mut Chip<R>,
    buffer: &'a mut [u8; MAX_FRAME],
}

impl<R: Registers> TxToken for ToSend<'_, R> {
    /// `size` is at most what [`Capabilities`] say: the stack's promise, so a longer one is the stack's fault, and panics.
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, size: usize, fill: F) -> T {
        let frame = &mut self.buffer[..size];
        let value = fill(frame);
        self.chip.send(frame);
        value
    }
}

#[cfg(test)]
mod tests;
