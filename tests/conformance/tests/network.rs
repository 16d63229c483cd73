//! Connections keep their promises on both of Tokio's flavours; and the suite finds those that do not.

use anabranch_conformance::{Abilities, NetworkFixture, Tally, run_network};
use anabranch_executor::{
    ByteStream, ConnectError, Duration, Endpoint, Moment, Network, RuntimeAdapter, StreamError, TimeSource, Transport,
};
use anabranch_tokio::{TokioAdapter, TokioInstant, TokioSleep, TokioStream};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, LazyLock, Mutex},
    task::{Context, Poll, Wake, Waker, ready},
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

static PEERS: LazyLock<Threads> = LazyLock::new(Threads::start);

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

/// The same, by a transport that can no more than a WebSocket in a browser.
struct AsInABrowser(&'static Threads);

const LEAST: Abilities = Abilities { holds_peers_up: false, closes_one_way: false, explains: false };

impl NetworkFixture for AsInABrowser {
    fn echoes(&self) -> Endpoint<'_> {
        self.0.echoes()
    }
    fn closes(&self) -> Endpoint<'_> {
        self.0.closes()
    }
    fn never_reads(&self) -> Endpoint<'_> {
        self.0.never_reads()
    }
    fn resets(&self) -> Endpoint<'_> {
        self.0.resets()
    }
    fn refuses(&self) -> Endpoint<'_> {
        self.0.refuses()
    }
    fn abilities(&self) -> Abilities {
        LEAST
    }
}

fn flavours() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.worker_threads(2).enable_all().build().unwrap())
}

#[test]
fn connections_keep_their_promises_on_one_thread_and_on_two() {
    for runtime in flavours() {
        runtime.block_on(async {
            let mut tally = Tally::new(|line| println!("{line}"));
            run_network(&TokioAdapter::current().unwrap(), &*PEERS, &mut tally).await;
            assert!(tally.finish());
        });
    }
}

/// What is wrong with a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    RefusalsAreOfAnotherKind,
    ChecksRefuse,
    EmptyReadsWait,
    ReadsOverrunTheirBuffer,
    LateReadsLoseTheirBytes,
    ReadsKeepTheFirstWaker,
    WritesKeepTheFirstWaker,
    DirectionsShareAWaker,
    AHeldUpWriterStopsReads,
    WritersAreNeverHeldUp,
    EndsAreErrors,
    EndsAreToldOnce,
    CutsAreEnds,
    ClosesAreNotSent,
    ClosesEndReadsToo,
    ClosesTakeMore,
    ConnectionsAreOne,
    WakesStayAway,
    BytesStayAwayWithTheWakes,
}

/// Tokio's adapter with one flaw. Its clock is fast, so that a case that hangs is soon over.
#[derive(Clone)]
struct Flawed {
    tokio: TokioAdapter,
    flaw: Flaw,
    /// It refuses without a reason, and reads nothing after a close.
    least: bool,
    start: TokioInstant,
    /// What the first connection has read.
    spilt: Arc<Mutex<Vec<u8>>>,
}

impl Flawed {
    fn speed(&self) -> u32 {
        if self.flaw == Flaw::None { 1 } else { 40 }
    }
}

impl RuntimeAdapter for Flawed {
    fn runtime_name(&self) -> &'static str {
        "flawed"
    }
}

impl TimeSource for Flawed {
    type Instant = TokioInstant;
    type Sleep = TokioSleep;

    fn now(&self) -> TokioInstant {
        self.start.after(self.tokio.now().since(self.start) * self.speed())
    }
    fn sleep_until(&self, deadline: TokioInstant) -> TokioSleep {
        self.tokio.sleep_until(self.start.after(deadline.since(self.start) / self.speed()))
    }
    fn unix_time(&self) -> Option<Duration> {
        self.tokio.unix_time()
    }
}

impl Network for Flawed {
    type Stream = FlawedStream;

    async fn connect(&self, endpoint: &Endpoint<'_>) -> Result<FlawedStream, ConnectError> {
        let stream = match (self.flaw, self.tokio.connect(endpoint).await) {
            (Flaw::RefusalsAreOfAnotherKind, Err(_)) => Err(ConnectError::Unreachable),
            (_, Err(_)) if self.least => Err(ConnectError::Unexplained),
            (_, outcome) => outcome,
        };
        Ok(FlawedStream {
            stream: stream?,
            flaw: self.flaw,
            least: self.least,
            first: None,
            last: Arc::default(),
            waited: false,
            held_up: false,
            told: false,
            closed: false,
            unwatched: false,
            spilt: self.spilt.clone(),
        })
    }

    fn check(&self, endpoint: &Endpoint<'_>) -> Result<(), ConnectError> {
        match self.flaw {
            Flaw::ChecksRefuse => Err(ConnectError::Unsupported("anything")),
            _ => self.tokio.check(endpoint),
        }
    }
}

struct FlawedStream {
    stream: TokioStream,
    flaw: Flaw,
    least: bool,
    /// The first waker that there was.
    first: Option<Waker>,
    /// The last waker of either direction.
    last: Arc<LastWaker>,
    /// The last read found nothing.
    waited: bool,
    /// A write has found no room.
    held_up: bool,
    /// The end was told.
    told: bool,
    closed: bool,
    /// Somebody has asked for no wakes, at any time.
    unwatched: bool,
    spilt: Arc<Mutex<Vec<u8>>>,
}

#[derive(Default)]
struct LastWaker(Mutex<Option<Waker>>);

impl Wake for LastWaker {
    fn wake(self: Arc<Self>) {
        if let Some(waker) = self.0.lock().unwrap().clone() {
            waker.wake();
        }
    }
}

impl FlawedStream {
    /// The waker that is kept instead of the caller's.
    fn waker(&mut self, caller: &Waker, keeps_the_first: Flaw) -> Waker {
        match self.flaw {
            flaw if flaw == keeps_the_first => self.first.get_or_insert_with(|| caller.clone()).clone(),
            Flaw::DirectionsShareAWaker => {
                *self.last.0.lock().unwrap() = Some(caller.clone());
                Waker::from(self.last.clone())
            }
            _ => caller.clone(),
        }
    }
}

impl ByteStream for FlawedStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, StreamError>> {
        let waker = self.waker(cx.waker(), Flaw::ReadsKeepTheFirstWaker);
        let cx = &mut Context::from_waker(&waker);
        let mut spare = [0; 64];
        match self.flaw {
            Flaw::EmptyReadsWait if buffer.is_empty() => return Poll::Pending,
            Flaw::AHeldUpWriterStopsReads if self.held_up => return Poll::Pending,
            Flaw::None if self.least && self.closed => return Poll::Ready(Ok(0)),
            Flaw::ClosesEndReadsToo if self.closed => return Poll::Ready(Ok(0)),
            Flaw::WakesStayAway if self.unwatched => {
                return self.stream.poll_read(&mut Context::from_waker(Waker::noop()), buffer);
            }
            Flaw::BytesStayAwayWithTheWakes if self.unwatched => return Poll::Pending,
            // More than the caller has room for, and the rest is lost.
            Flaw::ReadsOverrunTheirBuffer if buffer.len() < 8 => {
                let count = ready!(self.stream.poll_read(cx, &mut spare))?;
                let fits = count.min(buffer.len());
                buffer[..fits].copy_from_slice(&spare[..fits]);
                return Poll::Ready(Ok(count));
            }
            // Two connections that share what they have read.
            Flaw::ConnectionsAreOne if !buffer.is_empty() => {
                let mut spilt = self.spilt.lock().unwrap();
                if let Poll::Ready(count) = self.stream.poll_read(cx, &mut spare) {
                    spilt.extend_from_slice(&spare[..count?]);
                } else if spilt.is_empty() {
                    return Poll::Pending;
                }
                let count = spilt.len().min(buffer.len());
                buffer[..count].copy_from_slice(&spilt[..count]);
                spilt.drain(..count);
                return Poll::Ready(Ok(count));
            }
            _ => {}
        }
        let polled = self.stream.poll_read(cx, buffer);
        let waited = std::mem::replace(&mut self.waited, polled.is_pending());
        match (self.flaw, polled) {
            // As one does that fills a buffer of its own, which goes when it is dropped.
            (Flaw::LateReadsLoseTheirBytes, Poll::Ready(Ok(1..))) if waited => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            (Flaw::EndsAreErrors, Poll::Ready(Ok(0))) if !buffer.is_empty() => Poll::Ready(Err(StreamError::Reset)),
            (Flaw::EndsAreToldOnce, Poll::Ready(Ok(0))) if !buffer.is_empty() => {
                match std::mem::replace(&mut self.told, true) {
                    true => Poll::Pending,
                    false => polled,
                }
            }
            (Flaw::CutsAreEnds, Poll::Ready(Err(_))) => Poll::Ready(Ok(0)),
            _ => polled,
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, StreamError>> {
        let waker = self.waker(cx.waker(), Flaw::WritesKeepTheFirstWaker);
        let polled = self.stream.poll_write(&mut Context::from_waker(&waker), bytes);
        self.held_up |= polled.is_pending();
        match (self.flaw, polled) {
            (Flaw::WritersAreNeverHeldUp, Poll::Pending) => Poll::Ready(Ok(bytes.len())),
            (Flaw::ClosesTakeMore, Poll::Ready(Err(StreamError::Closed))) => Poll::Ready(Ok(bytes.len())),
            (_, polled) => polled,
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        self.stream.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        self.closed = true;
        match self.flaw {
            Flaw::ClosesAreNotSent => Poll::Ready(Ok(())),
            _ => self.stream.poll_close(cx),
        }
    }

    fn watch(&mut self, watched: bool) {
        self.unwatched |= !watched;
        self.stream.watch(watched);
    }
}

/// The names of the cases that found a fault.
fn faulty_cases(flaw: Flaw) -> Vec<&'static str> {
    faulty_cases_with(flaw, false, &*PEERS)
}

fn faulty_cases_with(flaw: Flaw, least: bool, peers: &impl NetworkFixture) -> Vec<&'static str> {
    let mut faulty = Vec::new();
    let mut report = |name, outcome: Result<(), _>| faulty.extend(outcome.err().map(|_| name));
    Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let tokio = TokioAdapter::current().unwrap();
        let flawed = Flawed { start: tokio.now(), tokio, flaw, least, spilt: Arc::default() };
        run_network(&flawed, peers, &mut report).await;
    });
    faulty
}

#[test]
fn a_network_without_a_flaw_passes() {
    assert_eq!(faulty_cases(Flaw::None), [""; 0]);
}

#[test]
fn a_transport_that_can_less_passes_when_it_says_so_and_only_then() {
    assert_eq!(faulty_cases_with(Flaw::None, true, &AsInABrowser(&PEERS)), [""; 0]);
    let silent = faulty_cases_with(Flaw::None, true, &*PEERS);
    // That a read which is dropped loses something shows only where bytes come in the midst of it: on a slow machine not always.
    let wanted = ["a_port_where_nobody_listens_refuses", "a_close_is_seen_by_the_peer_while_reading_goes_on"];
    assert!(wanted.iter().all(|case| silent.contains(case)), "{silent:#?}");
}

#[test]
fn a_transport_that_can_less_is_held_to_the_rest() {
    for (flaw, case) in [
        (Flaw::RefusalsAreOfAnotherKind, "a_port_where_nobody_listens_refuses"),
        (Flaw::AHeldUpWriterStopsReads, "more_than_a_mebibyte_goes_both_ways_at_once"),
        (Flaw::ClosesAreNotSent, "a_close_is_seen_by_the_peer_while_reading_goes_on"),
        (Flaw::LateReadsLoseTheirBytes, "a_dropped_read_loses_nothing"),
        (Flaw::WritesKeepTheFirstWaker, "a_write_wakes_whoever_polled_it_last"),
        (Flaw::WritersAreNeverHeldUp, "a_peer_that_never_reads_holds_the_writer_up"),
    ] {
        let faulty = faulty_cases_with(flaw, true, &AsInABrowser(&PEERS));
        assert!(faulty.contains(&case), "{case} should have found {flaw:?}; these did: {faulty:#?}");
    }
}

macro_rules! finds {
    ($($flaw:ident by $($case:ident)+;)*) => { $(
        #[test]
        #[expect(non_snake_case, reason = "named for the flaw")]
        fn $flaw() {
            let faulty = faulty_cases(Flaw::$flaw);
            for case in [$(stringify!($case)),+] {
                assert!(faulty.contains(&case), "{case} should have found it; these did: {faulty:#?}");
            }
        }
    )* };
}

finds! {
    RefusalsAreOfAnotherKind by a_port_where_nobody_listens_refuses;
    ChecksRefuse by a_check_finds_nothing_wrong_and_connects_to_nobody;
    EmptyReadsWait by no_bytes_are_read_and_written_at_once;
    ReadsOverrunTheirBuffer by a_read_gives_what_fits_and_keeps_the_rest;
    LateReadsLoseTheirBytes by a_dropped_read_loses_nothing;
    ReadsKeepTheFirstWaker by a_read_wakes_whoever_polled_it_last;
    WritesKeepTheFirstWaker by a_write_wakes_whoever_polled_it_last;
    DirectionsShareAWaker by a_write_wakes_whoever_polled_it_last;
    AHeldUpWriterStopsReads by more_than_a_mebibyte_goes_both_ways_at_once;
    WritersAreNeverHeldUp by a_peer_that_never_reads_holds_the_writer_up;
    EndsAreErrors by a_peer_s_end_is_nothing_more_to_read;
    EndsAreToldOnce by a_peer_s_end_is_nothing_more_to_read;
    CutsAreEnds by a_cut_connection_is_an_error;
    ClosesAreNotSent by a_close_is_seen_by_the_peer_while_reading_goes_on;
    ClosesEndReadsToo by a_close_is_seen_by_the_peer_while_reading_goes_on;
    ClosesTakeMore by nothing_is_taken_after_a_close;
    ConnectionsAreOne by connections_do_not_touch_each_other;
    WakesStayAway by a_stream_that_wakes_nobody_carries_bytes_and_wakes_again_when_it_is_asked_to;
    BytesStayAwayWithTheWakes by a_stream_that_wakes_nobody_carries_bytes_and_wakes_again_when_it_is_asked_to;
}
