//! Connections on Tokio, where they are its own: which runtime carries them, and what is an error.

use anabranch_executor::{ByteStream, ByteStreamExt, ConnectError, Endpoint, Network, StreamError, Transport};
use anabranch_tokio::TokioAdapter;
use std::{
    future::poll_fn,
    io::{Read, Write},
    net::TcpListener,
    thread,
};
use tokio::runtime::{Builder, Runtime};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn loopback(port: u16) -> Endpoint<'static> {
    Endpoint { host: "127.0.0.1", port, transport: Transport::Tcp }
}

#[test]
fn a_name_is_resolved_and_its_addresses_are_tried() {
    // `localhost` may name ::1 first, where nothing listens.
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    let accepting = thread::spawn(move || peer.accept().unwrap().0.write_all(b"hello").unwrap());
    current_thread().block_on(async {
        let rt = TokioAdapter::current().unwrap();
        let endpoint = Endpoint { host: "localhost", port, transport: Transport::Tcp };
        let mut stream = rt.connect(&endpoint).await.unwrap();
        let mut hello = [0; 5];
        assert_eq!(stream.read(&mut hello).await, Ok(5));
        assert_eq!(&hello, b"hello");
    });
    accepting.join().unwrap();
}

#[test]
fn a_name_that_nobody_knows_is_an_error() {
    current_thread().block_on(async {
        let rt = TokioAdapter::current().unwrap();
        for host in ["nobody-has-this-name.invalid", "", "a\0b"] {
            let endpoint = Endpoint { host, port: 1883, transport: Transport::Tcp };
            assert_eq!(rt.connect(&endpoint).await.unwrap_err(), ConnectError::NameNotFound, "{host:?}");
        }
    });
}

#[test]
fn a_runtime_without_io_is_an_error_that_says_what_to_write() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let error = runtime.block_on(async { TokioAdapter::current().unwrap().connect(&loopback(9)).await.unwrap_err() });
    assert!(matches!(error, ConnectError::Unsupported(_)) && error.is_permanent());
    assert!(error.to_string().contains(".enable_io()"), "{error}");
}

#[test]
fn a_task_of_another_runtime_can_connect_and_use_the_connection() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = peer.local_addr().unwrap().port();
    let echoing = thread::spawn(move || {
        let (mut stream, _) = peer.accept().unwrap();
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).unwrap();
        stream.write_all(&bytes).unwrap();
    });
    let carrying = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let rt = TokioAdapter::new(carrying.handle().clone()).unwrap();
    // This one has no I/O.
    Builder::new_current_thread().build().unwrap().block_on(async {
        let mut stream = rt.connect(&loopback(port)).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let mut bytes = [0; 4];
        assert_eq!(stream.read(&mut bytes).await, Ok(4));
        assert_eq!(&bytes, b"ping");
    });
    echoing.join().unwrap();
}

#[test]
fn a_runtime_that_is_gone_is_an_error_of_its_connections() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let runtime = current_thread();
    let rt = TokioAdapter::new(runtime.handle().clone()).unwrap();
    let mut stream = runtime.block_on(rt.connect(&loopback(peer.local_addr().unwrap().port()))).unwrap();
    drop(runtime);
    let other = current_thread();
    assert_eq!(other.block_on(stream.read(&mut [0; 1])), Err(StreamError::Other));
    assert!(matches!(other.block_on(rt.connect(&loopback(9))), Err(ConnectError::Other(_))));
}

#[test]
fn nothing_is_written_after_a_close() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    current_thread().block_on(async {
        let rt = TokioAdapter::current().unwrap();
        let mut stream = rt.connect(&loopback(peer.local_addr().unwrap().port())).await.unwrap();
        assert_eq!(stream.close().await, Ok(()));
        assert_eq!(stream.write(b"more").await, Err(StreamError::Closed));
        assert_eq!(poll_fn(|cx| stream.poll_flush(cx)).await, Ok(()));
        assert_eq!(stream.close().await, Ok(()));
    });
}

#[test]
fn a_transport_that_is_not_there_is_an_error_before_anything_is_connected() {
    current_thread().block_on(async {
        let rt = TokioAdapter::current().unwrap();
        let transport = Transport::WebSocket { path: "/mqtt", protocol: "mqtt", tls: None };
        let endpoint = Endpoint { host: "nobody-has-this-name.invalid", port: 80, transport };
        let error = rt.check(&endpoint).unwrap_err();
        assert!(error.to_string().contains("WebSocket"), "{error}");
        assert_eq!(rt.connect(&endpoint).await.unwrap_err(), error);
        assert_eq!(rt.check(&loopback(1883)), Ok(()));
    });
}
