//! Ports of this machine that nobody uses, and that nobody is given while a broker is down.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicU16, Ordering},
};

/// Below the ports that the system gives to those who connect: one of them could be taken while its broker is restarted, or
/// be connected to itself.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of 127.0.0.1 on which nothing listens. Each call gives another one.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two processes begin at different places.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        // 37 and the count have no common divisor, so all ports come up before one comes up again.
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let place = (u32::from(start) * 97 + u32::from(step) * 37) % u32::from(COUNT);
        let port = FIRST + place as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {FIRST} on is free");
}
