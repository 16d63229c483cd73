//! The broker on the simulated network: one seed is one course of events, over a bad line and through crashes.

mod client;

use anabranch_executor::{
    ByteStream, ByteStreamExt, Endpoint, Moment, Network, RuntimeExt, SpawnDynamically, TimeSource, Transport,
};
use anabranch_mqtt_broker::{BrokerOptions, Memory, ServedBroker};
use anabranch_sim::{NetworkFaults, Sim, SimAdapter, SimListener, SimOptions, SimStream};
use client::{connect, filter, options, peer::Peer, pid, text, will};
use mqtt_proto::{
    QoS,
    v5::{Connect, Packet, Subscribe},
};
use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
    time::Duration,
};

const BROKER: Endpoint<'static> = Endpoint { host: "broker", port: 1883, transport: Transport::Tcp };
const MESSAGES: usize = 30;

fn start(sim: &Sim) -> ServedBroker<SimAdapter> {
    let host = sim.adapter().on_host("broker");
    let broker = ServedBroker::new(host.clone(), BrokerOptions::default());
    let port = host.clone();
    host.spawn(broker.listen(
        move || port.listen(BROKER.port),
        |listener: &mut SimListener, cx| listener.poll_accept(cx).map_ok(|(stream, _)| stream),
    ));
    broker
}

/// A client of its own host, and what it still has to publish.
#[derive(Clone)]
struct Client {
    adapter: SimAdapter,
    peer: Arc<Mutex<Peer>>,
    to_publish: Arc<Mutex<Vec<(String, QoS)>>>,
}

impl Client {
    fn new(sim: &Sim, name: &'static str, filter: &'static str, to_publish: Vec<(String, QoS)>) -> Self {
        let peer = Arc::new(Mutex::new(Peer::new(name, filter)));
        Self { adapter: sim.adapter().on_host(name), peer, to_publish: Arc::new(Mutex::new(to_publish)) }
    }

    fn peer(&self) -> MutexGuard<'_, Peer> {
        self.peer.lock().expect("nobody panicked")
    }

    fn is_done(&self) -> bool {
        self.to_publish.lock().expect("nobody panicked").is_empty() && self.peer().is_done()
    }

    /// Connects again and again.
    async fn run(self) {
        loop {
            if let Ok(stream) = self.adapter.connect(&BROKER).await {
                self.peer().connected();
                self.converse(stream).await;
                self.peer().lost();
            }
            self.adapter.sleep(Duration::from_millis(100)).await;
        }
    }

    /// Speaks until the connection ends.
    async fn converse(&self, mut stream: SimStream) {
        let (mut input, mut output) = (Vec::new(), Vec::new());
        let (mut heard, mut asked) = (self.adapter.now(), self.adapter.now());
        loop {
            // A reset may get lost like anything else: who waits asks whether anybody is there.
            let now = self.adapter.now();
            if now.since(heard) > Duration::from_secs(20) {
                return;
            }
            if now.since(heard.max(asked)) > Duration::from_secs(3) {
                self.peer().outbox.push_back(Packet::Pingreq);
                asked = now;
            }
            let pause = Duration::from_millis(self.adapter.random_below(200));
            let mut pause = pin!(self.adapter.sleep(pause));
            let goes_on = poll_fn(|cx| {
                while let Some(packet) = self.peer().outbox.pop_front() {
                    output.extend_from_slice(packet.encode().expect("a packet that can be sent").as_ref());
                }
                while !output.is_empty() {
                    match stream.poll_write(cx, &output) {
                        Poll::Ready(Ok(written)) => drop(output.drain(..written)),
                        Poll::Ready(Err(_)) => return Poll::Ready(false),
                        Poll::Pending => break,
                    }
                }
                if let Poll::Ready(Err(_)) = stream.poll_flush(cx) {
                    return Poll::Ready(false);
                }
                let mut buffer = [0; 100];
                match stream.poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(length)) if length > 0 => {
                        heard = self.adapter.now();
                        input.extend_from_slice(&buffer[..length]);
                        while let Some(packet) = Packet::decode(&input).expect("packets") {
                            input.drain(..packet.encode_len().expect("its length"));
                            match packet {
                                // Its own new connection was faster.
                                Packet::Disconnect(_) => return Poll::Ready(false),
                                packet => self.peer().hear(packet),
                            }
                        }
                        Poll::Ready(true)
                    }
                    Poll::Ready(_) => Poll::Ready(false),
                    Poll::Pending => pause.as_mut().poll(cx).map(|()| true),
                }
            });
            if !goes_on.await {
                return;
            }
            let mut to_publish = self.to_publish.lock().expect("nobody panicked");
            if self.peer().ready && self.adapter.random_below(4) == 0 && !to_publish.is_empty() {
                let (payload, qos) = to_publish.remove(0);
                self.peer().publish("topic", &payload, qos);
            }
        }
    }
}

#[test]
fn each_quality_of_service_keeps_its_promise_over_a_bad_line_and_through_crashes_that_keep() {
    let options = SimOptions::default().network(NetworkFaults { reset: 0.002, ..NetworkFaults::harsh() });
    options.check(0..100, |sim| {
        let broker = start(sim);
        let messages: Vec<_> = (0..MESSAGES)
            .map(|number| (number.to_string(), if number % 2 == 0 { QoS::Level1 } else { QoS::Level2 }))
            .collect();
        let subscriber = Client::new(sim, "subscriber", "topic", Vec::new());
        let publisher = Client::new(sim, "publisher", "nothing", messages.clone());
        let adapter = sim.adapter();
        adapter.spawn(subscriber.clone().run());
        let script = async {
            while !subscriber.peer().ready {
                adapter.sleep(Duration::from_millis(10)).await;
            }
            adapter.spawn(publisher.clone().run());
            for _ in 0..4 {
                adapter.sleep(Duration::from_millis(adapter.random_below(3000))).await;
                broker.crash(Memory::Keep);
                adapter.sleep(Duration::from_millis(adapter.random_below(1000))).await;
                broker.restart();
            }
            let is_idle = || broker.sessions().iter().all(|state| state.queued == 0 && state.in_flight == 0);
            while !(publisher.is_done() && is_idle()) {
                adapter.sleep(Duration::from_millis(100)).await;
            }
        };
        sim.block_on(adapter.timeout(Duration::from_secs(3600), script))??;
        let got = subscriber.peer().got.clone();
        for (payload, qos) in &messages {
            let count = got.iter().filter(|one| *one == payload).count();
            let kept = if *qos == QoS::Level1 { count >= 1 } else { count == 1 };
            assert!(kept, "{payload} of {qos:?} came {count} times");
        }
        assert_eq!(broker.published().iter().filter(|one| one.qos == 2).count(), MESSAGES / 2);
        Ok(())
    });
}

#[test]
fn while_the_broker_is_down_nobody_can_connect_and_what_was_open_is_cut() {
    let mut sim = Sim::new(1);
    let broker = start(&sim);
    let client = sim.adapter().on_host("client");
    let outcome = sim.block_on(async {
        let mut open = client.connect(&BROKER).await?;
        broker.crash(Memory::Forget);
        let end = poll_fn(|cx| open.poll_read(cx, &mut [0; 10])).await;
        assert!(matches!(end, Ok(0) | Err(_)), "it heard {end:?}");
        assert!(client.connect(&BROKER).await.is_err(), "nobody listens");
        broker.restart();
        client.connect(&BROKER).await.map(drop)
    });
    assert!(matches!(outcome, Ok(Ok(()))), "{outcome:?}");
}

/// The first of the connections keeps the time for all, whoever comes and goes.
#[test]
fn what_time_brings_comes_also_when_no_byte_does() {
    let mut sim = Sim::new(1);
    let broker = start(&sim);
    let adapter = sim.adapter().on_host("clients");
    let says = async |packets: &[Packet]| {
        let mut stream = adapter.connect(&BROKER).await.expect("it listens");
        for packet in packets {
            let bytes = packet.encode().expect("a packet that can be sent");
            stream.write_all(bytes.as_ref()).await.expect("it is open");
        }
        stream
    };
    let with_keep_alive = |name, seconds| {
        Packet::from(Connect { keep_alive: seconds, last_will: Some(will("will", name, 1)), ..connect(name) })
    };
    let heard = sim.block_on(async {
        // Their keep-alives end one after another; the first to come is the first to go.
        let _first = says(&[with_keep_alive("a", 10)]).await;
        let subscribe = Subscribe::new(pid(1), vec![(filter("will"), options(QoS::Level0))]);
        let mut witness = says(&[connect("witness").into(), subscribe.into()]).await;
        let _others = [says(&[with_keep_alive("b", 20)]).await, says(&[with_keep_alive("c", 30)]).await];
        let (mut input, mut heard) = (Vec::new(), Vec::new());
        while heard.len() < 3 {
            let mut buffer = [0; 100];
            let length = witness.read(&mut buffer).await.expect("it is open");
            assert!(length > 0, "the broker closed it");
            input.extend_from_slice(&buffer[..length]);
            while let Some(packet) = Packet::decode(&input).expect("packets") {
                input.drain(..packet.encode_len().expect("its length"));
                if let Packet::Publish(publish) = packet {
                    heard.push((text(&publish), broker.published()[heard.len()].at.as_secs()));
                }
            }
        }
        heard
    });
    let expected = [("a", 16), ("b", 31), ("c", 46)].map(|(name, at)| (name.to_owned(), at));
    assert_eq!(heard, Ok(expected.to_vec()));
}
