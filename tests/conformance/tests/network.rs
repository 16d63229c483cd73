//! Connections keep their promises on both of Tokio's flavours; and the suite finds those that do not.

use anabranch_conformance::{NetworkFixture, Tally, run_network};
use anabranch_executor::{Endpoint, Transport};
use anabranch_tokio::TokioAdapter;
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};
use tokio::runtime::{Builder, Runtime};

/// Peers on threads, by the standard library: they know nothing of what they test.
struct Threads {
    echoes: u16,
    closes: u16,
    never_reads: u16,
    resets: u16,
    refuses: u16,
}

impl Threads {
    fn start() -> Self {
        // A port that was free a moment ago, and that nobody is given soon.
        let refuses = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Threads { echoes: serve(echo), closes: serve(close), never_reads: serve(hold), resets: serve(reset), refuses }
    }
}

/// Serves each connection on a thread of its own, for as long as the process lives.
fn serve(each: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || each(stream));
        }
    });
    port
}

fn echo(mut stream: TcpStream) {
    let mut buffer = [0; 8_192];
    stream.set_nodelay(true).unwrap();
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            // The case may be over, and its end of the connection gone.
            Ok(count) if stream.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}

fn close(stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    hold(stream);
}

/// Keeps the connection until the process ends.
fn hold(stream: TcpStream) {
    std::mem::forget(stream);
}

fn reset(mut stream: TcpStream) {
    // Closing with a byte unread and no time to linger cuts the connection.
    let _ = stream.read(&mut [0; 1]);
    let _ = socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
}

fn on_loopback(port: u16) -> Endpoint<'static> {
    Endpoint { host: "127.0.0.1", port, transport: Transport::Tcp }
}

impl NetworkFixture for Threads {
    fn echoes(&self) -> Endpoint<'_> {
        on_loopback(self.echoes)
    }
    fn closes(&self) -> Endpoint<'_> {
        on_loopback(self.closes)
    }
    fn never_reads(&self) -> Endpoint<'_> {
        on_loopback(self.never_reads)
    }
    fn resets(&self) -> Endpoint<'_> {
        on_loopback(self.resets)
    }
    fn refuses(&self) -> Endpoint<'_> {
        on_loopback(self.refuses)
    }
}

fn flavours() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.worker_threads(2).enable_all().build().unwrap())
}

#[test]
fn connections_keep_their_promises_on_one_thread_and_on_two() {
    let peers = Threads::start();
    for runtime in flavours() {
        runtime.block_on(async {
            let mut tally = Tally::new(|line| println!("{line}"));
            run_network(&TokioAdapter::current().unwrap(), &peers, &mut tally).await;
            assert!(tally.finish());
        });
    }
}
