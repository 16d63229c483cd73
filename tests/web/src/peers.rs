//! The peers that the network's cases connect to: WebSocket servers of `tests/browser/peers.mjs`, by their ports.

use crate::RT;
use anabranch_conformance::{Abilities, Fault, LIMIT, NetworkFixture, Report};
use anabranch_executor::{
    ByteStreamExt, ConnectError, Duration, Endpoint, Network, RuntimeExt, StreamError, TimeSource, Transport,
};
use anabranch_wasm::WasmStream;

/// The ports of the peers that echo, close, never read, cut, are not there, send text, and send without end.
pub type Ports = [u16; 7];

pub struct Peers {
    pub ports: Ports,
    pub like_tcp: bool,
}

fn on(port: u16) -> Endpoint<'static> {
    let transport = Transport::WebSocket { path: "/mqtt", protocol: "mqtt", tls: None };
    Endpoint { host: "127.0.0.1", port, transport }
}

impl NetworkFixture for Peers {
    fn echoes(&self) -> Endpoint<'_> {
        on(self.ports[0])
    }
    fn closes(&self) -> Endpoint<'_> {
        on(self.ports[1])
    }
    fn never_reads(&self) -> Endpoint<'_> {
        on(self.ports[2])
    }
    fn resets(&self) -> Endpoint<'_> {
        on(self.ports[3])
    }
    fn refuses(&self) -> Endpoint<'_> {
        on(self.ports[4])
    }
    fn abilities(&self) -> Abilities {
        if self.like_tcp {
            Abilities::ALL
        } else {
            Abilities { holds_peers_up: false, closes_one_way: false, explains: false }
        }
    }
}

/// What is a WebSocket's own.
pub async fn run(peers: &Peers, report: &mut impl Report) {
    let [.., texts, floods] = peers.ports;
    report.case("text_is_no_part_of_a_stream_of_bytes", limited(text(on(texts))).await);
    if peers.like_tcp {
        report.case("a_peer_that_sends_without_end_is_held_up_by_a_slow_reader", limited(held_up(on(floods))).await);
    } else {
        report.case("a_reader_that_falls_sixteen_mebibytes_behind_is_cut_off", limited(cut_off(on(floods))).await);
    }
    report.case("a_host_that_is_no_host_is_an_error", limited(no_host()).await);
    report.case("a_transport_that_browsers_have_not_is_refused_before_anybody_is_called", check(peers));
}

async fn limited(case: impl Future<Output = Result<(), Fault>>) -> Result<(), Fault> {
    RT.timeout(LIMIT, case).await.unwrap_or(Err(Fault::new("the case to end within its limit of 20 seconds")))
}

fn expect(holds: bool, expected: &'static str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::new(expected)) }
}

async fn connected(endpoint: Endpoint<'_>) -> Result<WasmStream, Fault> {
    RT.connect(&endpoint).await.map_err(|_| Fault::new("a peer that listens to be connected to"))
}

async fn text(endpoint: Endpoint<'_>) -> Result<(), Fault> {
    let read = connected(endpoint).await?.read(&mut [0; 8]).await;
    expect(read == Err(StreamError::Protocol), "a message of text to break the transport's rules")
}

/// Reads until it is told to stop, or has read so much.
async fn read_up_to(most: usize, stream: &mut WasmStream) -> Result<usize, StreamError> {
    let (mut buffer, mut read) = (vec![0; 64 * 1024], 0);
    while read < most {
        match stream.read(&mut buffer).await? {
            0 => break,
            count => read += count,
        }
    }
    Ok(read)
}

async fn cut_off(endpoint: Endpoint<'_>) -> Result<(), Fault> {
    let mut stream = connected(endpoint).await?;
    // A writer hears of it at once; the reader when it has read what is there.
    let told = loop {
        match stream.write(&[1]).await {
            Ok(_) => RT.sleep(Duration::from_millis(1)).await,
            Err(error) => break error,
        }
    };
    expect(told == StreamError::Overrun, "a connection whose reader is too slow to say so")?;
    let (mut buffer, mut read) = (vec![0; 1 << 20], 0);
    let ended = loop {
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => read += count,
            ended => break ended,
        }
    };
    expect(ended == Err(StreamError::Overrun), "what was there to be read before it says so")?;
    expect(((16 << 20) - 64 * 1024..=16 << 20).contains(&read), "16 MiB to wait for their reader, and no more")
}

async fn held_up(endpoint: Endpoint<'_>) -> Result<(), Fault> {
    let mut stream = connected(endpoint).await?;
    for _ in 0..4 {
        // Long enough for several times of what is kept to come, were it not held up.
        RT.sleep(Duration::from_millis(50)).await;
        let read = read_up_to(32 << 20, &mut stream).await;
        expect(read.is_ok_and(|read| read >= 32 << 20), "a peer that is held up to go on, and to lose nothing")?;
    }
    Ok(())
}

async fn no_host() -> Result<(), Fault> {
    let endpoint = Endpoint { host: "no^host", ..on(80) };
    let error = RT.connect(&endpoint).await.err();
    expect(matches!(error, Some(ConnectError::Other(_))), "what is no host's name to make no URL")
}

fn check(peers: &Peers) -> Result<(), Fault> {
    for transport in [Transport::Tcp, Transport::Tls(Default::default())] {
        let refused = RT.check(&Endpoint { transport, ..peers.echoes() });
        expect(refused.is_err_and(ConnectError::is_permanent), "TCP to be refused for good")?;
    }
    Ok(())
}
