//! The application that is measured twice: a sensor is read, its readings are smoothed, the fan is switched, and what is
//! too warm all the same is reported.

/// A sensor's reading: 24 bytes.
#[derive(Clone, Copy)]
pub struct Reading {
    pub device: u32,
    pub number: u32,
    millicelsius: [i32; 4],
}

impl Reading {
    /// The sensor's reading of this number: each is half a degree warmer.
    pub fn number(number: u32) -> Self {
        Reading { device: 7, number, millicelsius: [20_000 + 500 * number as i32; 4] }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub enum Fan {
    Off,
    On,
}

/// The device that is too warm, and the reading that says so.
#[derive(Clone, Copy)]
pub struct Alarm {
    pub device: u32,
    pub number: u32,
}

/// The temperature, smoothed, in thousandths of a degree.
pub struct Smooth(i32);

impl Smooth {
    pub const fn new() -> Self {
        Smooth(20_000)
    }

    pub fn add(&mut self, reading: &Reading) {
        self.0 += (reading.millicelsius.iter().sum::<i32>() / 4 - self.0) / 4;
    }

    pub fn fan(&self) -> Fan {
        if self.0 > 22_000 { Fan::On } else { Fan::Off }
    }

    pub fn is_too_warm(&self) -> bool {
        self.0 > 25_000
    }
}
