//! The peers at the other end, by `embassy-net` alone: they know nothing of what they test.

use anabranch_conformance::NetworkFixture;
use anabranch_executor::{Endpoint, Transport};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use embassy_executor::Spawner;
use embassy_net::{
    Stack,
    tcp::TcpSocket,
    udp::{PacketMetadata, UdpSocket},
};
use embassy_time::Timer;

/// Where they are.
pub const HOST: &str = "10.0.0.2";
/// What the name server calls them.
pub const NAME: &str = "peer.example";
const ECHOES: u16 = 1;
const CLOSES: u16 = 2;
const NEVER_READS: u16 = 3;
const RESETS: u16 = 4;
const REFUSES: u16 = 5;
/// Counts what is sent to it until the end.
pub const COUNTS: u16 = 6;
/// How many sockets they need.
pub const SOCKETS: usize = 16;

/// How many bytes came in connections that ended in order.
pub static COUNTED: AtomicU32 = AtomicU32::new(0);

pub struct Peers;

pub fn at(port: u16) -> Endpoint<'static> {
    Endpoint { host: HOST, port, transport: Transport::Tcp }
}

impl NetworkFixture for Peers {
    fn echoes(&self) -> Endpoint<'_> {
        at(ECHOES)
    }
    fn closes(&self) -> Endpoint<'_> {
        at(CLOSES)
    }
    fn never_reads(&self) -> Endpoint<'_> {
        at(NEVER_READS)
    }
    fn resets(&self) -> Endpoint<'_> {
        at(RESETS)
    }
    fn refuses(&self) -> Endpoint<'_> {
        at(REFUSES)
    }
}

pub fn start(spawner: Spawner, stack: Stack<'static>) {
    for port in
        [ECHOES, ECHOES, ECHOES, ECHOES, CLOSES, CLOSES, NEVER_READS, NEVER_READS, RESETS, RESETS, COUNTS, COUNTS]
    {
        spawner.spawn(serve(stack, port).expect("there are as many tasks as ports"));
    }
    spawner.spawn(resolve(stack).expect("it is started once"));
    spawner.spawn(tell_the_time(stack).expect("it is started once"));
}

#[embassy_executor::task(pool_size = 12)]
async fn serve(stack: Stack<'static>, port: u16) {
    let (mut received, mut to_send) = ([0; 2_048], [0; 2_048]);
    let mut socket = TcpSocket::new(stack, &mut received, &mut to_send);
    loop {
        if socket.accept(port).await.is_ok() {
            match port {
                ECHOES => echo(&mut socket).await,
                NEVER_READS => held(&mut socket).await,
                RESETS => drop(socket.read(&mut [0]).await),
                COUNTS => count(&mut socket).await,
                _ => end(&mut socket).await,
            }
        }
        socket.abort();
        let _ = socket.flush().await; // a reset is sent, where anybody is left
    }
}

async fn echo(socket: &mut TcpSocket<'_>) {
    let mut buffer = [0; 512];
    while let Ok(read @ 1..) = socket.read(&mut buffer).await {
        let mut written = 0;
        while written < read {
            let Ok(count) = socket.write(&buffer[written..read]).await else { return };
            written += count;
        }
    }
    end(socket).await;
}

async fn count(socket: &mut TcpSocket<'_>) {
    let (mut buffer, mut sum) = ([0; 512], 0);
    loop {
        match socket.read(&mut buffer).await {
            Ok(0) => break,
            Ok(count) => sum += count as u32,
            Err(_) => return,
        }
    }
    COUNTED.fetch_add(sum, Relaxed);
    end(socket).await;
}

/// Until the other side has gone: writing is possible all the time, so this waits for nothing but that.
async fn held(socket: &mut TcpSocket<'_>) {
    while socket.may_send() {
        Timer::after_millis(10).await;
    }
}

async fn end(socket: &mut TcpSocket<'_>) {
    socket.close();
    let _ = socket.flush().await;
    // What still comes is nobody's; the other side's end is awaited.
    let mut rest = [0; 64];
    while let Ok(1..) = socket.read(&mut rest).await {}
}

/// A name server that knows one name.
#[embassy_executor::task]
async fn resolve(stack: Stack<'static>) {
    let (mut received, mut to_send) = ([0; 512], [0; 512]);
    let (mut before, mut after) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 2]);
    let mut socket = UdpSocket::new(stack, &mut before, &mut received, &mut after, &mut to_send);
    socket.bind(53).expect("the port is free");
    let mut packet = [0; 512];
    while let Ok((size, from)) = socket.recv_from(&mut packet).await {
        let known = packet[12..size].starts_with(b"\x04peer\x07example\x00");
        packet[2..4].copy_from_slice(&[0x81, if known { 0x80 } else { 0x83 }]); // an answer: found, or no such name
        let mut end = size;
        if known {
            packet[7] = 1; // one record: the name that was asked for, A, IN, a minute, four bytes
            let record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 2];
            packet[end..end + record.len()].copy_from_slice(&record);
            end += record.len();
        }
        let _ = socket.send_to(&packet[..end], from.endpoint).await;
    }
}

/// What the time server says, the time being: 2026-01-01T00:00:00 UTC when it is asked for the third time.
pub const TIME: u64 = 1_767_225_600;

/// A time server that answers one question after another in another way: not at all, not knowing the time itself, well
/// (though a stranger is faster), and at last that it wants no more of them.
#[embassy_executor::task]
async fn tell_the_time(stack: Stack<'static>) {
    let (mut received, mut to_send) = ([0; 512], [0; 512]);
    let (mut before, mut after) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY; 4]);
    let mut socket = UdpSocket::new(stack, &mut before, &mut received, &mut after, &mut to_send);
    socket.bind(123).expect("the port is free");
    let mut packet = [0; 512];
    for question in 1_u32.. {
        let Ok((size, from)) = socket.recv_from(&mut packet).await else { return };
        packet.copy_within(40..48, 24);
        packet[0] = 0x24;
        packet[1] = if question >= 4 { 0 } else { 1 };
        packet[12..16].copy_from_slice(b"DENY");
        for at in [32, 40] {
            packet[at..at + 8].copy_from_slice(&((TIME + 2_208_988_800) << 32).to_be_bytes());
        }
        match question {
            1 => continue,
            2 => packet[0] |= 3 << 6,
            3 => {
                let mut forged = packet;
                forged[24] ^= 1;
                forged[1] = 0;
                let _ = socket.send_to(&forged[..size], from.endpoint).await;
            }
            _ => {}
        }
        let _ = socket.send_to(&packet[..size], from.endpoint).await;
    }
}
