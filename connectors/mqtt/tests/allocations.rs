//! From a broker's bytes through a record to a broker's bytes: no value costs an allocation.

use anabranch_core::{Anabranch, BufferCfg, ConnectorConfig, Encode, EncodeError, Json, Payload};
use anabranch_mqtt::MqttConnector;
use anabranch_tokio::TokioAdapter;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system's allocator; counting touches a thread-local that needs no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the same.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
struct Reading {
    number: u64,
    celsius: f32,
}

/// The allocations of the database's thread when the first and the last value that is looked at were encoded.
static BEFORE: AtomicU64 = AtomicU64::new(0);
static AFTER: AtomicU64 = AtomicU64::new(0);
const FIRST: u64 = 2000;
const LAST: u64 = 4000;

struct Counted;

impl Encode<Reading> for Counted {
    fn encode(&self, value: &Reading, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        match value.number {
            FIRST => BEFORE.store(ALLOCATIONS.get(), Ordering::SeqCst),
            LAST => AFTER.store(ALLOCATIONS.get(), Ordering::SeqCst),
            _ => {}
        }
        Json.encode(value, payload)
    }
    fn field(&self, value: &Reading, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError> {
        Json.field(value, name, text)
    }
}

/// One packet from the connector, without its first bytes.
fn packet(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    assert!(head[1] < 0x80, "packets here are short");
    let mut body = vec![0; head[1].into()];
    stream.read_exact(&mut body).unwrap();
    (head[0], body)
}

/// A broker of one connection: sends values of one quality of service, and takes as many.
fn broker(listener: &TcpListener, qos: u8) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    assert_eq!(packet(&mut stream).0, 0x10, "a CONNECT");
    stream.write_all(&[0x20, 3, 0, 0, 0]).unwrap();
    let (kind, body) = packet(&mut stream);
    assert_eq!(kind, 0x82, "a SUBSCRIBE");
    stream.write_all(&[0x90, 4, body[0], body[1], 0, qos]).unwrap();
    let (mut sent, mut under_way) = (0, 0);
    while sent <= LAST || under_way > 0 {
        // So many that the queue is full now and then.
        while sent <= LAST && under_way < 4 {
            let payload = format!("{{\"number\":{sent},\"celsius\":21.5}}");
            let id = u16::try_from(sent % 1000 + 1).unwrap().to_be_bytes();
            let mut publish = vec![0x30 | qos << 1, 0, 0, 2];
            publish.extend(b"in");
            publish.extend(&id[..if qos > 0 { 2 } else { 0 }]);
            publish.push(0);
            publish.extend(payload.as_bytes());
            publish[1] = u8::try_from(publish.len() - 2).unwrap();
            stream.write_all(&publish).unwrap();
            (sent, under_way) = (sent + 1, under_way + 1);
        }
        let (kind, body) = packet(&mut stream);
        // PUBLISH is acknowledged by PUBACK, or received by PUBREC, released by PUBREL and completed by PUBCOMP: either
        // side has its values, and answers for those of the other.
        match (kind >> 4, qos) {
            (3, 0) => {}
            (3, _) => {
                let (id, answer) = (2 + usize::from(body[1]), if qos == 1 { 0x40 } else { 0x50 });
                stream.write_all(&[answer, 2, body[id], body[id + 1]]).unwrap();
            }
            (5, _) => stream.write_all(&[0x62, 2, body[0], body[1]]).unwrap(),
            (6, _) => stream.write_all(&[0x70, 2, body[0], body[1]]).unwrap(),
            _ => {}
        }
        under_way -= u64::from(kind >> 4 == 3);
    }
}

fn allocations(qos: u8) -> u64 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let broker = std::thread::spawn(move || broker(&listener, qos));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = ConnectorConfig { qos: Some(qos), ..Default::default() };
        let db = Anabranch::builder()
            .runtime(TokioAdapter::current().unwrap())
            .with_connector(MqttConnector::new(url))
            .configure::<Reading>("reading", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 64, consumers: 1 });
                r.link_from("mqtt://in").with_config(config).with_json();
                r.link_to("mqtt://out").with_config(config).with_encode(Counted);
            })
            .build()
            .await
            .unwrap();
        db.start();
        // Until the broker has had every value: nothing else happens on this thread meanwhile.
        let all = tokio::task::spawn_blocking(move || broker.join().unwrap());
        tokio::time::timeout(Duration::from_secs(60), all).await.expect("every value passes").unwrap();
    });
    AFTER.load(Ordering::SeqCst) - BEFORE.load(Ordering::SeqCst)
}

#[test]
fn a_value_costs_no_allocation() {
    for qos in 0..=2 {
        assert_eq!(allocations(qos), 0, "QoS {qos}, {} values", LAST - FIRST);
    }
}
