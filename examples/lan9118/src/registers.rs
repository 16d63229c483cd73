//! The chip's registers by name and place, as its data sheet (SMSC DS00002266) has them.

/// Reads and writes the chip's registers. A mapped chip has them in memory; a test has others.
pub trait Registers {
    /// Reads one. Those of FIFOs give their next word.
    fn read(&self, register: Register) -> u32;
    /// Writes one.
    fn write(&self, register: Register, value: u32);
}

/// A register, by its distance from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Register {
    /// The next word of what was received.
    RxData = 0x00,
    /// The next word of what is sent.
    TxData = 0x20,
    /// What the next received frame is like; reading takes it.
    RxStatus = 0x40,
    /// What became of the next sent frame; reading takes it.
    TxStatus = 0x48,
    /// Which chip it is.
    IdRev = 0x50,
    /// The interrupt's polarity, and whether it is let out.
    IrqCfg = 0x54,
    /// What there is to see; a written one forgets it.
    IntSts = 0x58,
    /// What of it interrupts.
    IntEn = 0x5c,
    /// Always the same number.
    ByteTest = 0x64,
    /// How full the FIFOs have to be to interrupt.
    FifoInt = 0x68,
    /// How received frames lie in their FIFO.
    RxCfg = 0x6c,
    /// Whether frames are sent.
    TxCfg = 0x70,
    /// Reset, and how the memory is shared among the FIFOs.
    HwCfg = 0x74,
    /// How much there is in the receiver's FIFOs.
    RxFifoInf = 0x7c,
    /// How much there is in the sender's FIFOs.
    TxFifoInf = 0x80,
    /// Power; whether the chip is awake.
    PmtCtrl = 0x84,
    /// How many frames came when there was no room; reading begins anew.
    RxDrop = 0xa0,
    /// Reads or writes a register of the MAC.
    MacCsrCmd = 0xa4,
    /// Its value.
    MacCsrData = 0xa8,
}

/// In [`Register::ByteTest`].
pub(crate) const BYTE_TEST: u32 = 0x8765_4321;

pub(crate) mod irq_cfg {
    /// Let out, active high, driven: as an interrupt controller on the same board expects it.
    pub(crate) const ON: u32 = 1 << 8 | 1 << 4 | 1;
}

/// In [`Register::IntSts`] and [`Register::IntEn`].
pub(crate) mod int {
    /// The PHY has something to say.
    pub(crate) const PHY: u32 = 1 << 18;
    /// The receiver is confused.
    pub(crate) const RXE: u32 = 1 << 14;
    /// There is room in the sender's FIFO.
    pub(crate) const TDFA: u32 = 1 << 9;
    /// A frame came.
    pub(crate) const RSFL: u32 = 1 << 3;
}

pub(crate) mod rx {
    /// In [`RxCfg`](super::Register::RxCfg): empties the receiver's FIFOs.
    pub(crate) const DUMP: u32 = 1 << 15;
    /// In a frame's status: something is wrong with it.
    pub(crate) const ERROR: u32 = 1 << 15;
}

pub(crate) mod tx {
    /// In [`TxCfg`](super::Register::TxCfg): on, and not held up by statuses that nobody has read.
    pub(crate) const ON: u32 = 1 << 1 | 1 << 2;
    /// In a frame's first command: the first and the last piece of a frame.
    pub(crate) const WHOLE: u32 = 1 << 13 | 1 << 12;
    /// In a frame's status: it was not sent.
    pub(crate) const ERROR: u32 = 1 << 15;
}

pub(crate) mod hw_cfg {
    pub(crate) const RESET: u32 = 1;
    /// 5 KiB of the chip's 16 for sending; a bit that has to be one.
    pub(crate) const FIFOS: u32 = 5 << 16 | 1 << 20;
}

/// In [`Register::PmtCtrl`]: the chip can be used.
pub(crate) const READY: u32 = 1;

/// In [`Register::MacCsrCmd`].
pub(crate) mod mac_csr {
    pub(crate) const BUSY: u32 = 1 << 31;
    pub(crate) const READ: u32 = 1 << 30;
}

/// The registers of the MAC, by number.
pub(crate) mod mac {
    pub(crate) const CONTROL: u32 = 1;
    pub(crate) const ADDRESS_HIGH: u32 = 2;
    pub(crate) const ADDRESS_LOW: u32 = 3;
    pub(crate) const MII_ACCESS: u32 = 6;
    pub(crate) const MII_DATA: u32 = 7;

    /// In `CONTROL`: both directions at once.
    pub(crate) const FULL_DUPLEX: u32 = 1 << 20;
    /// In `CONTROL`: send.
    pub(crate) const SEND: u32 = 1 << 3;
    /// In `CONTROL`: receive.
    pub(crate) const RECEIVE: u32 = 1 << 2;
    /// In `MII_ACCESS`: the chip's own PHY.
    pub(crate) const OWN_PHY: u32 = 1 << 11;
    /// In `MII_ACCESS`: write.
    pub(crate) const MII_WRITE: u32 = 1 << 1;
    /// In `MII_ACCESS`: not done yet.
    pub(crate) const MII_BUSY: u32 = 1;
}

/// The registers of the PHY, by number.
pub(crate) mod phy {
    pub(crate) const CONTROL: u32 = 0;
    pub(crate) const STATUS: u32 = 1;
    pub(crate) const ADVERTISED: u32 = 4;
    pub(crate) const PARTNER: u32 = 5;
    pub(crate) const INTERRUPTS: u32 = 29;
    pub(crate) const INTERRUPT_MASK: u32 = 30;

    /// In `CONTROL`: agree with the partner on speed and duplex, from the beginning.
    pub(crate) const NEGOTIATE: u32 = 1 << 12 | 1 << 9;
    /// In `STATUS`: there is a link.
    pub(crate) const LINK: u32 = 1 << 2;
    /// In `INTERRUPTS`: the two have agreed, or the link is gone.
    pub(crate) const CHANGES: u32 = 1 << 6 | 1 << 4;
    /// In `ADVERTISED` and `PARTNER`.
    pub(crate) const FAST_FULL: u32 = 1 << 8;
    /// In `ADVERTISED` and `PARTNER`.
    pub(crate) const FAST_HALF: u32 = 1 << 7;
    /// In `ADVERTISED` and `PARTNER`.
    pub(crate) const SLOW_FULL: u32 = 1 << 6;
}
