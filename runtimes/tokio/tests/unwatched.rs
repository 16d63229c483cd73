//! A stream that nobody has to be woken for: bytes pass as ever, and wakes come again when they are asked for.

use anabranch_executor::{ByteStream, ByteStreamExt, Endpoint, Network, Transport};
use anabranch_tokio::TokioAdapter;
use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Looks again and again until something has come.
async fn looked_for(stream: &mut impl ByteStream, buffer: &mut [u8]) -> usize {
    loop {
        if let Poll::Ready(read) = stream.poll_read(&mut Context::from_waker(Waker::noop()), buffer) {
            return read.unwrap();
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn bytes_pass_without_wakes_and_wakes_come_again_when_they_are_asked_for() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap().block_on(unwatched());
}

async fn unwatched() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let endpoint = Endpoint { host: "127.0.0.1", port, transport: Transport::Tcp };
    let mut stream = TokioAdapter::current().unwrap().connect(&endpoint).await.unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut buffer = [0; 16];

    stream.watch(false);
    stream.watch(false); // said twice is said once
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    assert!(stream.poll_read(&mut Context::from_waker(&waker), &mut buffer).is_pending());
    peer.write_all(b"one").await.unwrap();
    assert_eq!(looked_for(&mut stream, &mut buffer).await, 3);
    assert_eq!(&buffer[..3], b"one");
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0, "nobody was woken");
    stream.write_all(b"two").await.unwrap();
    peer.read_exact(&mut buffer[..3]).await.unwrap();
    assert_eq!(&buffer[..3], b"two");

    peer.write_all(b"three").await.unwrap();
    stream.watch(true);
    stream.watch(true);
    assert_eq!(stream.read(&mut buffer).await, Ok(5), "what came before it was watched again");
    let late = tokio::spawn(async move {
        peer.write_all(b"four").await.unwrap();
        peer
    });
    assert_eq!(stream.read(&mut buffer).await, Ok(4));

    stream.watch(false);
    let mut peer = late.await.unwrap();
    stream.close().await.unwrap();
    assert_eq!(peer.read(&mut buffer).await.unwrap(), 0, "the peer sees the end");
    drop(peer);
    assert_eq!(looked_for(&mut stream, &mut buffer).await, 0, "and this side sees its own");
    let written = poll_fn(|cx| stream.poll_write(cx, b"x")).await;
    assert!(written.is_err(), "nothing goes after the end");
}
