//! A cable between two stacks: a queue of frames each way, which can be pulled.

use core::{cell::RefCell, task::Context};
use critical_section::Mutex;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;

const FRAME: usize = 1514;
/// So many frames are on their way at once; who has more waits.
const DEPTH: usize = 4;

struct Way {
    frames: [[u8; FRAME]; DEPTH],
    sizes: [usize; DEPTH],
    first: usize,
    count: usize,
}

/// The cable; each side has a number.
pub struct Cable {
    /// By the side that they go to.
    ways: Mutex<RefCell<[Way; 2]>>,
    plugged: Mutex<RefCell<bool>>,
    wakers: [AtomicWaker; 2],
}

impl Cable {
    pub const fn new() -> Self {
        let way = Way { frames: [[0; FRAME]; DEPTH], sizes: [0; DEPTH], first: 0, count: 0 };
        let other = Way { frames: [[0; FRAME]; DEPTH], sizes: [0; DEPTH], first: 0, count: 0 };
        Cable {
            ways: Mutex::new(RefCell::new([way, other])),
            plugged: Mutex::new(RefCell::new(true)),
            wakers: [AtomicWaker::new(), AtomicWaker::new()],
        }
    }

    pub fn plug(&self, plugged: bool) {
        critical_section::with(|cs| *self.plugged.borrow_ref_mut(cs) = plugged);
        self.wakers.iter().for_each(AtomicWaker::wake);
    }

    pub fn end(&'static self, side: usize) -> End {
        End { cable: self, side, received: [0; FRAME], to_send: [0; FRAME] }
    }

    fn is_plugged(&self) -> bool {
        critical_section::with(|cs| *self.plugged.borrow_ref(cs))
    }

    fn with<T>(&self, to: usize, work: impl FnOnce(&mut Way) -> T) -> T {
        critical_section::with(|cs| work(&mut self.ways.borrow_ref_mut(cs)[to]))
    }
}

/// One end of the cable, as a stack's driver.
pub struct End {
    cable: &'static Cable,
    side: usize,
    received: [u8; FRAME],
    to_send: [u8; FRAME],
}

impl End {
    fn other(&self) -> usize {
        1 - self.side
    }
}

impl Driver for End {
    type RxToken<'a> = Frame<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Frame<'_>, Room<'_>)> {
        self.cable.wakers[self.side].register(cx.waker());
        if !self.cable.with(self.other(), |way| way.count < DEPTH) {
            return None;
        }
        let size = self.cable.with(self.side, |way| {
            if way.count == 0 {
                return None;
            }
            let (place, size) = (way.first, way.sizes[way.first]);
            self.received[..size].copy_from_slice(&way.frames[place][..size]);
            (way.first, way.count) = ((place + 1) % DEPTH, way.count - 1);
            Some(size)
        })?;
        self.cable.wakers[self.other()].wake(); // there is room again
        let to = self.other();
        let room = Room { cable: self.cable, to, buffer: &mut self.to_send };
        Some((Frame(&mut self.received[..size]), room))
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<Room<'_>> {
        self.cable.wakers[self.side].register(cx.waker());
        let to = self.other();
        let has_room = self.cable.with(to, |way| way.count < DEPTH);
        has_room.then_some(Room { cable: self.cable, to, buffer: &mut self.to_send })
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        self.cable.wakers[self.side].register(cx.waker());
        if self.cable.is_plugged() { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = FRAME;
        capabilities.max_burst_size = Some(DEPTH);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([2, 0, 0, 0, 0, self.side as u8])
    }
}

pub struct Frame<'a>(&'a mut [u8]);

impl RxToken for Frame<'_> {
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, take: F) -> T {
        take(self.0)
    }
}

pub struct Room<'a> {
    cable: &'static Cable,
    to: usize,
    buffer: &'a mut [u8; FRAME],
}

impl TxToken for Room<'_> {
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, size: usize, fill: F) -> T {
        let value = fill(&mut self.buffer[..size]);
        if self.cable.is_plugged() {
            self.cable.with(self.to, |way| {
                let place = (way.first + way.count) % DEPTH;
                way.frames[place][..size].copy_from_slice(&self.buffer[..size]);
                way.sizes[place] = size;
                way.count += 1;
            });
            self.cable.wakers[self.to].wake();
        }
        value
    }
}
