//! Asks a time server now and then, and tells the board's wall clock what it says.

use crate::{
    EmbassyAdapter, Instant,
    endpoint::host,
    log,
    network::{NO_NETWORK, Net},
    sntp::{self, PACKET, Refusal},
};
use anabranch_executor::{ConnectError, Duration, Endpoint, Moment, RuntimeExt, TimeSource, Transport};
use core::fmt;
use embassy_net::udp::{PacketMetadata, UdpSocket};

const PORT: u16 = 123;
/// A crystal of 50 ppm is off by 50 ms then.
const NEXT: Duration = Duration::from_secs(1_024);
/// After a question that nobody answered; it doubles from one to the other.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(64));
/// How long an answer may take: what is off by more than half of it is not worth setting.
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer, and what a server may put behind it.
const ROOM: usize = PACKET + 24;

/// Why there is no use in asking the time server any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeServerError {
    /// It cannot be asked: there is no network, or its name cannot be resolved here.
    Host(ConnectError),
    /// It has answered that it does not want to be asked by this device.
    Denied,
}

impl fmt::Display for TimeServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeServerError::Host(error) => error.fmt(f),
            TimeServerError::Denied => f.write_str("the time server refuses to serve this device: ask another one"),
        }
    }
}

impl core::error::Error for TimeServerError {}

impl EmbassyAdapter {
    /// Sets the wall clock by a time server (SNTP), and again every quarter of an hour; until the first answer,
    /// [`unix_time`](TimeSource::unix_time) stays `None`. Where there is no network yet, or no answer, it tries again by
    /// itself: so it ends only when there is no use in that. Answers that no server should give are not believed.
    ///
    /// `seed` is any number that a stranger cannot guess, as the one that the stack was given. The stack's
    /// `StackResources` need one place more.
    ///
    /// # Errors
    /// [`TimeServerError`]; it returns with nothing else.
    pub async fn keep_unix_time(&self, server: &str, seed: u64) -> TimeServerError {
        let endpoint = Endpoint { host: server, port: PORT, transport: Transport::Tcp }; // as for any name or address
        if let Err(error) = host(&endpoint) {
            return TimeServerError::Host(error);
        }
        let Some(network) = self.network() else { return TimeServerError::Host(NO_NETWORK) };
        // More than one answer: strangers may be faster.
        let (mut received, mut to_send) = ([0; 4 * PACKET], [0; PACKET]);
        let (mut before, mut after) = ([PacketMetadata::EMPTY; 4], [PacketMetadata::EMPTY]);
        let mut socket = UdpSocket::new(network.stack, &mut before, &mut received, &mut after, &mut to_send);
        let (mut nonces, mut pause) = (seed, AGAIN.0);
        loop {
            // Not the same series after a reset, even where the seed is.
            nonces ^= embassy_time::Instant::from(self.now()).as_ticks().rotate_left(32);
            let nonce = sntp::next_nonce(&mut nonces);
            let outcome = self.timeout(PATIENCE, ask(&network, &endpoint, &mut socket, nonce)).await;
            let next = match outcome {
                Ok(Ok((unix, at))) => {
                    self.set_unix_time_at(unix, at);
                    log::debug!("the time server says {} s", unix.as_secs());
                    pause = AGAIN.0;
                    NEXT
                }
                Ok(Err(Some(Refusal::Kiss { for_good: true }))) => return TimeServerError::Denied,
                Ok(Err(Some(Refusal::Kiss { for_good: false }))) => NEXT,
                Ok(Err(_)) | Err(_) => {
                    log::debug!("the time server gives no time");
                    let now = pause;
                    pause = (pause * 2).min(AGAIN.1);
                    now
                }
            };
            socket.close();
            self.sleep(next).await;
        }
    }
}

/// The time since 1970, and the moment at which it was that.
async fn ask(
    network: &Net,
    endpoint: &Endpoint<'_>,
    socket: &mut UdpSocket<'_>,
    nonce: u64,
) -> Result<(Duration, Instant), Option<Refusal>> {
    if !network.is_up() {
        return Err(None);
    }
    let address = network.resolve(host(endpoint).map_err(|_| None)?).await.map_err(|_| None)?;
    socket.bind(0).map_err(|_| None)?; // another port each time: one number more to guess
    let asked = Instant::now();
    socket.send_to(&sntp::question(nonce), (address, endpoint.port)).await.map_err(|_| None)?;
    let mut packet = [0; ROOM];
    loop {
        let Ok((size, from)) = socket.recv_from(&mut packet).await else { continue };
        let at = Instant::now();
        if from.endpoint.addr != address || from.endpoint.port != endpoint.port {
            continue;
        }
        match sntp::answer(packet.get(..size).unwrap_or_default(), nonce, at.since(asked)) {
            Ok(unix) => return Ok((unix, at)),
            Err(Refusal::NotOurs) => {}
            Err(refusal) => return Err(Some(refusal)),
        }
    }
}
