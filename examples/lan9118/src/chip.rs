//! What the chip is told and asked: frames out of its FIFOs and into them, and whether there is a link.
//!
//! Nothing here trusts the chip: it may be broken, absent, or another. Each wait ends after a number of looks.

use crate::{
    MAX_FRAME, Shared, add,
    registers::{
        BYTE_TEST, READY,
        Register::{self, *},
        Registers, hw_cfg, int, irq_cfg, mac, mac_csr, phy, rx, tx,
    },
};
use core::fmt;
use embassy_net_driver::LinkState;

/// So many looks are longer than the chip ever takes (a reset: some 100 µs), on any core.
const PATIENCE: u32 = 100_000;
const CHECKSUM: usize = 4;
/// Two addresses and a type.
const SHORTEST: usize = 14;
/// The longest frame with its two commands, in whole blocks of 64 bytes, as the chip's interrupt counts them.
const ROOM_BLOCKS: u32 = ((MAX_FRAME + 8 + 4) as u32).div_ceil(64);

/// Why the chip cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartError {
    /// At its address there is something else, or nothing.
    NoChip,
    /// It does not come out of its reset.
    NeverReady,
    /// Its PHY does not answer.
    NoPhy,
    /// It was started already.
    Taken,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StartError::NoChip => "there is no LAN9118 at its address; start QEMU with `-nic user,model=lan9118`",
            StartError::NeverReady => "the LAN9118 does not come out of its reset; check its power and its clock",
            StartError::NoPhy => "the LAN9118's PHY does not answer; check its power and its clock",
            StartError::Taken => "the LAN9118 was started already; there is one",
        })
    }
}

impl core::error::Error for StartError {}

/// The chip did not end what it was told within [`PATIENCE`].
struct Stuck;

pub(crate) struct Chip<R> {
    registers: R,
    shared: &'static Shared,
    address: [u8; 6],
    link: LinkState,
}

impl<R: Registers> Chip<R> {
    pub(crate) fn start(registers: R, address: [u8; 6], shared: &'static Shared) -> Result<Self, StartError> {
        let mut chip = Chip { registers, shared, address, link: LinkState::Down };
        let _ = chip.read(ByteTest); // the first access wakes a chip that sleeps
        chip.until(PmtCtrl, READY, READY).map_err(|_| StartError::NoChip)?;
        if chip.read(ByteTest) != BYTE_TEST {
            return Err(StartError::NoChip);
        }
        chip.write(HwCfg, hw_cfg::RESET);
        chip.until(HwCfg, hw_cfg::RESET, 0).map_err(|_| StartError::NeverReady)?;
        chip.write(HwCfg, hw_cfg::FIFOS);
        chip.write(IntEn, 0);
        chip.write(IntSts, !0);
        chip.write(FifoInt, ROOM_BLOCKS << 24); // and any frame that was received
        chip.write(RxCfg, 0);
        chip.write(TxCfg, tx::ON);
        chip.write(IrqCfg, irq_cfg::ON);
        chip.start_mac().map_err(|_| StartError::NeverReady)?;
        chip.start_phy().map_err(|_| StartError::NoPhy)?;
        Ok(chip)
    }

    fn start_mac(&mut self) -> Result<(), Stuck> {
        let [a, b, c, d, e, f] = self.address;
        self.write_mac(mac::ADDRESS_LOW, u32::from_le_bytes([a, b, c, d]))?;
        self.write_mac(mac::ADDRESS_HIGH, u32::from_le_bytes([e, f, 0, 0]))?;
        self.write_mac(mac::CONTROL, mac::SEND | mac::RECEIVE)
    }

    fn start_phy(&mut self) -> Result<(), Stuck> {
        self.write_phy(phy::INTERRUPT_MASK, phy::CHANGES)?;
        self.write_phy(phy::CONTROL, phy::NEGOTIATE)?;
        self.look_at_link()
    }

    pub(crate) fn shared(&self) -> &'static Shared {
        self.shared
    }

    pub(crate) fn address(&self) -> [u8; 6] {
        self.address
    }

    // What is received.

    /// Whether the chip says that there is a frame.
    pub(crate) fn has_frame(&self) -> bool {
        self.read(RxFifoInf) >> 16 & 0xff != 0
    }

    /// Takes the next frame out of the chip; `None` when it was none that anybody should see.
    pub(crate) fn take_frame(&mut self, buffer: &mut [u8; MAX_FRAME]) -> Option<usize> {
        let there = (self.read(RxFifoInf) & 0xffff) as usize;
        let status = self.read(RxStatus);
        let with_checksum = (status >> 16 & 0x3fff) as usize;
        let words = with_checksum.div_ceil(4);
        if words * 4 > there {
            self.empty_receiver(); // from here on frames and statuses would not fit together
            return None;
        }
        let size = with_checksum.saturating_sub(CHECKSUM);
        let fault = if size > MAX_FRAME {
            Some(&self.shared.oversized)
        } else if status & rx::ERROR != 0 || size < SHORTEST {
            Some(&self.shared.errored)
        } else {
            None
        };
        let kept = if fault.is_none() { size } else { 0 };
        for bytes in buffer.get_mut(..kept)?.chunks_mut(4) {
            bytes.copy_from_slice(&self.read(RxData).to_le_bytes()[..bytes.len()]);
        }
        for _ in kept.div_ceil(4)..words {
            self.read(RxData);
        }
        add(fault.unwrap_or(&self.shared.received), 1);
        fault.is_none().then_some(size)
    }

    /// Throws away what was received.
    #[cold]
    fn empty_receiver(&mut self) {
        add(&self.shared.resets, 1);
        let control = self.control();
        let _ = self.write_mac(mac::CONTROL, control & !mac::RECEIVE);
        self.write(RxCfg, rx::DUMP);
        let _ = self.until(RxCfg, rx::DUMP, 0);
        self.write(RxCfg, 0);
        let _ = self.write_mac(mac::CONTROL, control);
    }

    // What is sent.

    /// Whether the longest frame fits.
    pub(crate) fn has_room(&mut self) -> bool {
        self.read(TxFifoInf) & 0xffff > ROOM_BLOCKS * 64
    }

    /// Hands a frame to the chip, which has room for it.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        let size = frame.len() as u32;
        self.write(TxData, tx::WHOLE | size);
        self.write(TxData, size);
        for bytes in frame.chunks(4) {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            self.write(TxData, u32::from_le_bytes(word));
        }
        add(&self.shared.sent, 1);
        // What became of those before: as many as the chip says now, lest it say so for ever.
        for _ in 0..self.read(TxFifoInf) >> 16 & 0xff {
            if self.read(TxStatus) & tx::ERROR != 0 {
                add(&self.shared.unsent, 1);
            }
        }
    }

    // What interrupts.

    /// From here on only what is new interrupts. A receiver that is confused is mended.
    pub(crate) fn forget_interrupts(&mut self) {
        let seen = self.read(IntSts) & (int::RXE | int::RSFL | int::TDFA);
        self.write(IntSts, seen);
        if seen & int::RXE != 0 {
            self.empty_receiver();
        }
        add(&self.shared.missed, self.read(RxDrop));
    }

    /// Interrupts from now on: once, as the handler switches it off. Who waits for room takes no frame before it is there.
    pub(crate) fn interrupt(&mut self, waits_for_room: bool) {
        let awaited = if waits_for_room { int::TDFA } else { int::RSFL };
        self.write(IntEn, awaited | int::RXE | int::PHY);
    }

    // The link.

    /// Whether there is a link. The PHY is asked when it said that something changed, and not else.
    pub(crate) fn link(&mut self) -> LinkState {
        if self.read(IntSts) & int::PHY != 0 && self.look_at_link().is_err() {
            self.link = LinkState::Down;
        }
        self.link
    }

    fn look_at_link(&mut self) -> Result<(), Stuck> {
        self.write(IntSts, int::PHY); // first of all: a PHY that hangs is not asked for ever
        self.read_phy(phy::INTERRUPTS)?; // which forgets them
        self.write(IntSts, int::PHY);
        self.read_phy(phy::STATUS)?; // a link that was lost is shown once, though it be back
        self.link = match self.read_phy(phy::STATUS)? & phy::LINK {
            0 => LinkState::Down,
            _ => LinkState::Up,
        };
        if self.link == LinkState::Up {
            let both = self.read_phy(phy::ADVERTISED)? & self.read_phy(phy::PARTNER)?;
            let full = both & phy::FAST_FULL != 0 || both & (phy::FAST_HALF | phy::SLOW_FULL) == phy::SLOW_FULL;
            let duplex = if full { mac::FULL_DUPLEX } else { 0 };
            self.write_mac(mac::CONTROL, mac::SEND | mac::RECEIVE | duplex)?;
        }
        Ok(())
    }

    // Registers, and registers behind registers.

    fn read(&self, register: Register) -> u32 {
        self.registers.read(register)
    }

    fn write(&self, register: Register, value: u32) {
        self.registers.write(register, value);
    }

    fn until(&self, register: Register, mask: u32, value: u32) -> Result<(), Stuck> {
        (0..PATIENCE).find(|_| self.read(register) & mask == value).map(drop).ok_or(Stuck)
    }

    fn control(&self) -> u32 {
        self.read_mac(mac::CONTROL).unwrap_or(mac::SEND | mac::RECEIVE)
    }

    fn read_mac(&self, number: u32) -> Result<u32, Stuck> {
        self.until(MacCsrCmd, mac_csr::BUSY, 0)?;
        self.write(MacCsrCmd, mac_csr::BUSY | mac_csr::READ | number);
        self.until(MacCsrCmd, mac_csr::BUSY, 0)?;
        Ok(self.read(MacCsrData))
    }

    fn write_mac(&self, number: u32, value: u32) -> Result<(), Stuck> {
        self.until(MacCsrCmd, mac_csr::BUSY, 0)?;
        self.write(MacCsrData, value);
        self.write(MacCsrCmd, mac_csr::BUSY | number);
        self.until(MacCsrCmd, mac_csr::BUSY, 0)
    }

    fn read_phy(&self, number: u32) -> Result<u32, Stuck> {
        self.mii(number << 6)?;
        self.read_mac(mac::MII_DATA)
    }

    fn write_phy(&self, number: u32, value: u32) -> Result<(), Stuck> {
        self.until_mii_is_idle()?;
        self.write_mac(mac::MII_DATA, value)?;
        self.mii(number << 6 | mac::MII_WRITE)
    }

    fn mii(&self, what: u32) -> Result<(), Stuck> {
        self.until_mii_is_idle()?;
        self.write_mac(mac::MII_ACCESS, mac::OWN_PHY | what | mac::MII_BUSY)?;
        self.until_mii_is_idle()
    }

    fn until_mii_is_idle(&self) -> Result<(), Stuck> {
        for _ in 0..PATIENCE {
            if self.read_mac(mac::MII_ACCESS)? & mac::MII_BUSY == 0 {
                return Ok(());
            }
        }
        Err(Stuck)
    }
}
