//! The connector keeps what every connector promises, in simulation: against a peer that is written here.

use anabranch::{
    Anabranch, BufferCfg, ByteStream, ByteStreamExt, ConnectorBuilder, Consumer, Duration, Producer, SimAdapter,
    SpawnDynamically, TimeSource, channel,
    sim::{SimJoinHandle, SimOptions, SimStream},
};
use anabranch_conformance::{ConnectorFixture, Tally, run_connectors};
use json_lines::LinesConnector;
use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};

/// A server that sends every line to everybody, and notes every line that it gets.
struct Peer {
    client: SimAdapter,
    server: SimAdapter,
    accepting: Mutex<Option<SimJoinHandle<()>>>,
    connections: Arc<Mutex<Vec<Producer<String>>>>,
    notes: Producer<String>,
    noted: Consumer<String>,
}

const PORT: u16 = 7000;

impl Peer {
    fn new(adapter: &SimAdapter) -> Self {
        let (notes, noted) = channel(4096).unwrap();
        Peer {
            client: adapter.on_host("client"),
            server: adapter.on_host("server"),
            accepting: Mutex::new(None),
            connections: Arc::default(),
            notes,
            noted,
        }
    }
}

impl ConnectorFixture for Peer {
    type Runtime = SimAdapter;

    fn runtime(&self) -> &SimAdapter {
        &self.client
    }

    fn connector(&self, name: Option<&str>) -> impl ConnectorBuilder<SimAdapter> {
        let scheme = name.map_or("lines".into(), |name| format!("lines+{name}"));
        LinesConnector::new(&scheme, "server", PORT)
    }

    fn scheme(&self) -> &str {
        "lines"
    }

    fn at_least_once(&self) -> Option<u8> {
        None
    }

    async fn start(&self) {
        let mut accepting = self.accepting.lock().unwrap();
        if accepting.is_some() {
            return;
        }
        let mut listener = self.server.listen(PORT).unwrap();
        let (server, connections) = (self.server.clone(), self.connections.clone());
        let notes = self.notes.try_clone().unwrap();
        *accepting = Some(self.server.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (lines, to_send) = channel(4096).unwrap();
                connections.lock().unwrap().push(lines);
                drop(server.spawn(serve(stream, to_send, notes.try_clone().unwrap())));
            }
        }));
    }

    async fn stop(&self) {
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            anabranch::JoinHandle::abort(&accepting);
        }
        self.connections.lock().unwrap().clear();
        self.client.network().reset("client", "server");
        self.client.sleep(Duration::from_millis(100)).await; // until the news has reached both
    }

    async fn send(&self, address: &str, payload: &[u8]) {
        self.client.sleep(Duration::from_millis(100)).await; // until it has accepted who is connected
        let line = format!("[\"{address}\",{}]\n", String::from_utf8_lossy(payload));
        for connection in &*self.connections.lock().unwrap() {
            let _gone = connection.try_send(line.clone());
        }
    }

    async fn received(&self) -> (String, Vec<u8>) {
        let line = self.noted.clone().next().await.unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        (line[0].as_str().unwrap().to_string(), line[1].to_string().into_bytes())
    }
}

/// One connection of the server, until it is cut or has no more to send.
async fn serve(mut stream: SimStream, mut to_send: Consumer<String>, notes: Producer<String>) {
    let (mut chunk, mut came) = ([0; 512], Vec::new());
    loop {
        let read = {
            let mut line = pin!(to_send.next());
            poll_fn(|cx| match stream.poll_read(cx, &mut chunk) {
                Poll::Ready(read) => Poll::Ready(Ok(read)),
                Poll::Pending => line.as_mut().poll(cx).map(Err),
            })
            .await
        };
        match read {
            Err(Some(line)) if stream.write_all(line.as_bytes()).await.is_ok() => {}
            Ok(Ok(read @ 1..)) => {
                came.extend_from_slice(&chunk[..read]);
                while let Some(end) = came.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = came.drain(..=end).collect();
                    notes.send(String::from_utf8(line).unwrap()).await.unwrap();
                }
            }
            _ => return,
        }
    }
}

#[test]
fn the_connector_keeps_what_every_connector_promises() {
    SimOptions::default().check(0..50, |sim| {
        let peer = Peer::new(&sim.adapter());
        let mut lines = Vec::new();
        let mut tally = Tally::new(|line: std::fmt::Arguments<'_>| lines.push(line.to_string()));
        sim.block_on(run_connectors(&peer, &mut tally))?;
        assert!(tally.finish(), "{}", lines.join("\n"));
        Ok(())
    });
}

/// A database with one record that comes in.
async fn comes_in(peer: &Peer) -> Anabranch<SimAdapter> {
    Anabranch::builder()
        .runtime(peer.client.clone())
        .with_connector(peer.connector(None))
        .configure::<u32>("in", |r| {
            r.with_buffer(BufferCfg::SingleLatest).link_from("lines://in").with_json();
        })
        .build()
        .await
        .unwrap()
}

#[test]
fn it_ends_at_once_although_the_server_is_not_there() {
    SimOptions::default().check(0..20, |sim| {
        let peer = Peer::new(&sim.adapter());
        Ok(sim.block_on(async {
            let db = comes_in(&peer).await;
            db.start();
            peer.client.sleep(Duration::from_secs(600)).await; // until its pauses are long
            assert!(db.shutdown(Duration::from_millis(1)).await.aborted.is_empty());
        })?)
    });
}

#[test]
fn a_line_without_end_ends_the_connection_and_no_more() {
    SimOptions::default().check(0..5, |sim| {
        let peer = Peer::new(&sim.adapter());
        Ok(sim.block_on(async {
            peer.start().await;
            let db = comes_in(&peer).await;
            let mut values = db.consumer::<u32>("in").unwrap();
            db.start();
            peer.client.sleep(Duration::from_secs(1)).await;
            peer.send("in", &[b'1'; 300_000]).await;
            while db.connectors()[0].connects < 2 {
                peer.client.sleep(Duration::from_millis(10)).await;
            }
            assert!(db.connectors()[0].last_error.as_ref().unwrap().contains("262144 bytes"));
            peer.send("in", b"7").await;
            assert_eq!(values.next().await, Some(7));
            assert!(db.shutdown(Duration::from_secs(5)).await.aborted.is_empty());
        })?)
    });
}
