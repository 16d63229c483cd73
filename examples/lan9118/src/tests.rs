//! The driver over a chip made of tests: what it does with frames, and what it does not do with a chip that lies.

extern crate std;
use super::*;
use crate::registers::{BYTE_TEST, int, mac, mac_csr, phy, rx, tx};
use core::cell::{Cell, RefCell};
use std::{
    boxed::Box,
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Wake, Waker},
    vec,
    vec::Vec,
};

const ADDRESS: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// A chip as the data sheet has it, but for what a test changes.
#[derive(Default)]
struct Fake {
    statuses: RefCell<VecDeque<u32>>,
    data: RefCell<VecDeque<u32>>,
    sent: RefCell<Vec<u32>>,
    sent_statuses: Cell<u32>,
    room: Cell<u32>,
    int_sts: Cell<u32>,
    int_en: Cell<u32>,
    rx_cfg: Cell<u32>,
    missed: Cell<u32>,
    control: Cell<u32>,
    mac_data: Cell<u32>,
    mii_data: Cell<u32>,
    link: Cell<bool>,
    /// Nothing ends.
    stuck: Cell<bool>,
    /// Every register reads as this.
    only: Cell<Option<u32>>,
    reads: Cell<u32>,
}

impl Fake {
    fn new() -> &'static Self {
        let fake = Fake::default();
        fake.room.set(4_608);
        fake.link.set(true);
        Box::leak(Box::new(fake))
    }

    fn receives(&self, frame: &[u8]) {
        self.receives_with(frame, (frame.len() as u32 + 4) << 16);
    }

    fn receives_with(&self, frame: &[u8], status: u32) {
        let with_checksum = [frame, &[0xcc; 4]].concat();
        for bytes in with_checksum.chunks(4) {
            let mut word = [0xee; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            self.data.borrow_mut().push_back(u32::from_le_bytes(word));
        }
        self.statuses.borrow_mut().push_back(status);
        self.int_sts.set(self.int_sts.get() | int::RSFL);
    }

    fn pulls(&self, link: bool) {
        self.link.set(link);
        self.int_sts.set(self.int_sts.get() | int::PHY);
    }

    fn interrupts(&self) -> bool {
        self.int_sts.get() & self.int_en.get() != 0
    }

    fn mac(&self, command: u32) {
        let (number, reads) = (command & 0xff, command & mac_csr::READ != 0);
        match (number, reads) {
            (mac::CONTROL, true) => self.mac_data.set(self.control.get()),
            (mac::CONTROL, false) => self.control.set(self.mac_data.get()),
            (mac::MII_ACCESS, true) => self.mac_data.set(0),
            (mac::MII_ACCESS, false) => match self.mac_data.get() >> 6 & 0x1f {
                phy::STATUS => self.mii_data.set(if self.link.get() { phy::LINK } else { 0 }),
                phy::ADVERTISED | phy::PARTNER => self.mii_data.set(0x1e1),
                _ => {}
            },
            (mac::MII_DATA, true) => self.mac_data.set(self.mii_data.get()),
            _ => {}
        }
    }
}

impl Registers for &'static Fake {
    fn read(&self, register: Register) -> u32 {
        self.reads.set(self.reads.get() + 1);
        if let Some(only) = self.only.get() {
            return only;
        }
        match register {
            Register::RxData => self.data.borrow_mut().pop_front().unwrap_or(0),
            Register::RxStatus => self.statuses.borrow_mut().pop_front().unwrap_or(0),
            Register::RxFifoInf => (self.statuses.borrow().len() as u32) << 16 | (self.data.borrow().len() * 4) as u32,
            Register::TxFifoInf => self.sent_statuses.get() << 16 | self.room.get(),
            Register::TxStatus => {
                self.sent_statuses.set(self.sent_statuses.get().saturating_sub(1));
                tx::ERROR
            }
            Register::IntSts => self.int_sts.get(),
            Register::RxDrop => self.missed.take(),
            Register::ByteTest => BYTE_TEST,
            Register::PmtCtrl => 1,
            Register::MacCsrCmd if self.stuck.get() => mac_csr::BUSY,
            Register::MacCsrData => self.mac_data.get(),
            _ => 0,
        }
    }

    fn write(&self, register: Register, value: u32) {
        match register {
            Register::TxData => self.sent.borrow_mut().push(value),
            Register::IntSts => self.int_sts.set(self.int_sts.get() & !value),
            Register::IntEn => self.int_en.set(value),
            Register::MacCsrData => self.mac_data.set(value),
            Register::MacCsrCmd => self.mac(value),
            Register::RxCfg => {
                self.rx_cfg.set(value);
                if value & rx::DUMP != 0 {
                    self.statuses.borrow_mut().clear();
                    self.data.borrow_mut().clear();
                }
            }
            _ => {}
        }
    }
}

#[derive(Default)]
struct Wakes(AtomicU32);
impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

struct Bench {
    chip: &'static Fake,
    driver: Lan9118<&'static Fake>,
    shared: &'static Shared,
    wakes: Arc<Wakes>,
    waker: Waker,
}

/// What the stack saw when it looked: frames, and the link.
#[derive(Debug, PartialEq)]
struct Seen(Vec<Vec<u8>>, bool);

impl Bench {
    fn new() -> Self {
        let (chip, shared): (_, &'static Shared) = (Fake::new(), Box::leak(Box::new(Shared::new())));
        let driver = Lan9118::new(chip, ADDRESS, Box::leak(Box::new(Buffers::new())), shared).expect("a chip");
        let wakes = Arc::new(Wakes::default());
        let mut bench = Bench { chip, driver, shared, waker: wakes.clone().into(), wakes };
        assert_eq!(bench.looks(), Seen(vec![], true), "the first look finds the link");
        assert_eq!(bench.woken(), 1, "which the stack has to look at once more");
        bench
    }

    /// The stack receives all that there is, and waits.
    fn looks(&mut self) -> Seen {
        let (mut cx, mut frames) = (Context::from_waker(&self.waker), vec![]);
        while let Some((frame, _)) = self.driver.receive(&mut cx) {
            frames.push(frame.consume(|bytes| bytes.to_vec()));
        }
        Seen(frames, self.driver.link_state(&mut cx) == LinkState::Up)
    }

    fn sends(&mut self, frame: &[u8]) -> bool {
        let mut cx = Context::from_waker(&self.waker);
        let Some(token) = self.driver.transmit(&mut cx) else { return false };
        token.consume(frame.len(), |bytes| bytes.copy_from_slice(frame));
        true
    }

    fn woken(&self) -> u32 {
        self.wakes.0.swap(0, Relaxed)
    }
}

fn frame(size: usize) -> Vec<u8> {
    (0..size).map(|place| place as u8).collect()
}

#[test]
fn frames_of_any_size_arrive_as_they_were_without_their_checksum() {
    let mut bench = Bench::new();
    for size in [14, 15, 16, 17, 60, 1_513, 1_514] {
        bench.chip.receives(&frame(size));
        assert_eq!(bench.looks(), Seen(vec![frame(size)], true));
    }
    assert_eq!(bench.shared.counts(), Counts { received: 7, ..Counts::default() });
}

#[test]
fn what_is_damaged_too_short_or_too_long_is_dropped_and_counted_and_the_next_arrives() {
    let mut bench = Bench::new();
    bench.chip.receives_with(&frame(60), 64 << 16 | rx::ERROR);
    bench.chip.receives(&frame(13));
    bench.chip.receives(&frame(1_515));
    bench.chip.receives(&frame(16_000));
    bench.chip.receives_with(&[], 0);
    bench.chip.data.borrow_mut().pop_back(); // that last one has no bytes at all
    bench.chip.receives(&frame(100));
    assert_eq!(bench.looks(), Seen(vec![frame(100)], true));
    let expected = Counts { received: 1, errored: 3, oversized: 2, ..Counts::default() };
    assert_eq!(bench.shared.counts(), expected);
}

#[test]
fn a_receiver_that_contradicts_itself_is_emptied_and_goes_on() {
    let mut bench = Bench::new();
    bench.chip.receives_with(&frame(60), 1_000 << 16);
    bench.chip.receives(&frame(60));
    assert_eq!(bench.looks(), Seen(vec![], true));
    bench.chip.receives(&frame(61));
    assert_eq!(bench.looks(), Seen(vec![frame(61)], true));
    bench.chip.int_sts.set(int::RXE);
    assert!(bench.chip.interrupts());
    bench.looks();
    assert_eq!(bench.shared.counts(), Counts { received: 1, resets: 2, ..Counts::default() });
    assert_ne!(bench.chip.control.get() & mac::RECEIVE, 0, "it receives again");
}

#[test]
fn a_sent_frame_is_whole_in_the_fifo_behind_its_commands() {
    let mut bench = Bench::new();
    bench.looks();
    assert!(bench.sends(&[1, 2, 3, 4, 5]));
    assert_eq!(*bench.chip.sent.borrow(), [1 << 13 | 1 << 12 | 5, 5, 0x0403_0201, 0x0000_0005]);
    bench.chip.sent_statuses.set(3);
    assert!(bench.sends(&frame(60)));
    assert_eq!(bench.shared.counts(), Counts { sent: 2, unsent: 3, ..Counts::default() });
}

#[test]
fn without_room_nothing_is_sent_until_the_chip_interrupts() {
    let mut bench = Bench::new();
    bench.looks();
    bench.chip.room.set(1_000);
    assert!(!bench.sends(&frame(60)));
    bench.looks();
    assert_ne!(bench.chip.int_en.get() & int::TDFA, 0, "room interrupts");
    bench.chip.room.set(4_000);
    assert!(bench.sends(&frame(60)));
    bench.looks();
    assert_eq!(bench.chip.int_en.get() & int::TDFA, 0, "room interrupts only who waits for it");
    assert_eq!(bench.woken(), 0);
}

#[test]
fn room_that_comes_before_the_stack_waits_is_not_overlooked() {
    let mut bench = Bench::new();
    bench.looks();
    bench.chip.room.set(0);
    assert!(!bench.sends(&frame(60)));
    bench.chip.room.set(4_000);
    bench.looks();
    assert_eq!(bench.woken(), 1);
}

#[test]
fn the_stack_sleeps_until_a_frame_comes_and_misses_none() {
    let mut bench = Bench::new();
    bench.looks();
    assert!(!bench.chip.interrupts() && bench.woken() == 0);
    bench.chip.receives(&frame(60));
    assert!(bench.chip.interrupts());
    bench.chip.int_en.set(0); // as the handler does
    bench.shared.interrupted();
    assert_eq!(bench.woken(), 1);
    assert_eq!(bench.looks(), Seen(vec![frame(60)], true));
    assert!(!bench.chip.interrupts() && bench.woken() == 0, "nothing is left to wake for");
}

#[test]
fn a_flood_lets_the_other_tasks_have_their_turn() {
    let mut bench = Bench::new();
    (0..40).for_each(|_| bench.chip.receives(&frame(60)));
    for expected in [16, 16, 8] {
        assert_eq!(bench.looks().0.len(), expected);
        assert_eq!(bench.woken(), u32::from(expected == 16), "woken at once while there is more");
    }
}

#[test]
fn the_link_follows_the_cable() {
    let mut bench = Bench::new();
    bench.looks();
    bench.chip.pulls(false);
    assert!(bench.chip.interrupts());
    assert_eq!(bench.looks(), Seen(vec![], false));
    assert_eq!(bench.woken(), 1, "the stack looks once more when the link changed");
    assert!(!bench.sends(&frame(60)), "nothing is sent without a link");
    assert_eq!(bench.looks(), Seen(vec![], false));
    assert_eq!(bench.woken(), 0, "and nobody is woken for it");
    bench.chip.pulls(true);
    assert!(bench.chip.interrupts());
    assert_eq!(bench.looks(), Seen(vec![], true));
    assert!(bench.sends(&frame(60)));
    assert_ne!(bench.chip.control.get() & mac::FULL_DUPLEX, 0);
}

#[test]
fn what_the_chip_had_no_room_for_is_counted() {
    let mut bench = Bench::new();
    bench.chip.missed.set(5);
    bench.looks();
    bench.looks();
    assert_eq!(bench.shared.counts().missed, 5);
}

#[test]
fn where_there_is_no_chip_or_it_hangs_the_start_says_so_and_ends() {
    let start = |chip| {
        let shared = Box::leak(Box::new(Shared::new()));
        Lan9118::new(chip, ADDRESS, Box::leak(Box::new(Buffers::new())), shared).err()
    };
    for only in [0, !0, 0x1111_1111] {
        let chip = Fake::new();
        chip.only.set(Some(only));
        assert_eq!(start(chip), Some(StartError::NoChip), "{only:#x}");
    }
    let chip = Fake::new();
    chip.stuck.set(true);
    assert_eq!(start(chip), Some(StartError::NeverReady));
}

#[test]
fn a_chip_that_breaks_while_it_runs_costs_a_bounded_number_of_reads() {
    for only in [0, !0, 0x5555_5555, 0x0040_0040, mac_csr::BUSY] {
        let mut bench = Bench::new();
        bench.chip.only.set(Some(only));
        bench.chip.stuck.set(true);
        for _ in 0..3 {
            bench.chip.reads.set(0);
            bench.looks();
            bench.sends(&frame(60));
            assert!(bench.chip.reads.get() < 20_000_000, "{only:#x}: {} reads", bench.chip.reads.get());
        }
    }
}
