//! What `Network` promises, asked of peers that somebody else starts.

use crate::{
    Fault, Report, poll_elsewhere, poll_once,
    report::{expect, expect_at_most, expect_equal},
    run_cases,
};
use anabranch_executor::{
    ByteStream, ByteStreamExt, ConnectError, Duration, Endpoint, MaybeSync, Network, RuntimeExt, StreamError,
    TimeSource,
};
use core::{future::poll_fn, pin::pin, task::Poll};
#[cfg(feature = "alloc")]
use {
    crate::Signal,
    alloc::{sync::Arc, task::Wake},
    core::{
        future::Future,
        task::{Context, Waker},
    },
};

/// The peers that the cases connect to. They are there while the fixture is, and each serves any number of connections,
/// side by side.
pub trait NetworkFixture: MaybeSync {
    /// Sends back what comes, and closes when the other side has.
    fn echoes(&self) -> Endpoint<'_>;

    /// Accepts, and closes at once: the other side sees an end, and no error.
    fn closes(&self) -> Endpoint<'_>;

    /// Accepts, and keeps the connection open, but never reads and never writes.
    fn never_reads(&self) -> Endpoint<'_>;

    /// Accepts, reads a byte, and cuts the connection: the other side sees an error.
    fn resets(&self) -> Endpoint<'_>;

    /// Nobody listens there.
    fn refuses(&self) -> Endpoint<'_>;

    /// What the transport can do, where the contract leaves it open. All of it, unless it is said.
    fn abilities(&self) -> Abilities {
        Abilities::ALL
    }
}

/// What is true of a transport, where the contract leaves it open: a WebSocket in a browser has none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// A peer that sends is held up while this side does not read. Otherwise what it sends comes all the same.
    pub holds_peers_up: bool,
    /// A close ends this side's direction alone. Otherwise what the peer sends after it is not seen, but for its end.
    pub closes_one_way: bool,
    /// A port where nobody listens is told from other failures. Otherwise it is `Unexplained`.
    pub explains: bool,
}

impl Abilities {
    /// Those of TCP.
    pub const ALL: Abilities = Abilities { holds_peers_up: true, closes_one_way: true, explains: true };

    /// How often in a row a writer has to be held up until it is believed to be. A peer that echoes reads on where it is not
    /// held up itself, so a writer is held up for a moment only.
    fn held_up(self) -> u32 {
        if self.holds_peers_up { 3 } else { 1 }
    }
}

/// Runs the cases of [`Network`].
pub async fn run_network<R: TimeSource + Network>(rt: &R, peers: &impl NetworkFixture, report: &mut impl Report) {
    run_cases!(
        rt,
        report,
        [
            a_connection_carries_bytes_there_and_back(rt, peers),
            a_port_where_nobody_listens_refuses(rt, peers),
            a_check_finds_nothing_wrong_and_connects_to_nobody(rt, peers),
            more_than_a_mebibyte_goes_both_ways_at_once(rt, peers),
            a_read_gives_what_fits_and_keeps_the_rest(rt, peers),
            no_bytes_are_read_and_written_at_once(rt, peers),
            a_peer_s_end_is_nothing_more_to_read(rt, peers),
            a_close_is_seen_by_the_peer_while_reading_goes_on(rt, peers),
            nothing_is_taken_after_a_close(rt, peers),
            a_cut_connection_is_an_error(rt, peers),
            a_peer_that_never_reads_holds_the_writer_up(rt, peers),
            a_dropped_read_loses_nothing(rt, peers),
            a_dropped_connect_leaves_nothing_behind(rt, peers),
            connections_do_not_touch_each_other(rt, peers),
            a_read_wakes_whoever_polled_it_last(rt, peers),
            a_stream_that_wakes_nobody_carries_bytes_and_wakes_again_when_it_is_asked_to(rt, peers),
        ]
    );
    #[cfg(feature = "alloc")]
    run_cases!(rt, report, [a_write_wakes_whoever_polled_it_last(rt, peers)]);
}

/// Somewhat more than a mebibyte, and no multiple of any buffer.
const MUCH: usize = (1 << 20) + 4_321;
/// More than any network holds between two ends of which one does not read.
const TOO_MUCH: usize = 64 << 20;
const CHUNK: usize = 4_096;
const MS: Duration = Duration::from_millis(1);

/// The byte at `place` of what is sent: no two stretches that could be taken for one another are near.
fn byte_at(place: usize) -> u8 {
    (place ^ (place >> 8) ^ (place >> 16)) as u8
}

/// Bytes that begin at `place` of what is sent.
fn bytes_from(place: usize) -> [u8; CHUNK] {
    core::array::from_fn(|offset| byte_at(place + offset))
}

async fn connected<R: Network>(rt: &R, endpoint: Endpoint<'_>) -> Result<R::Stream, Fault> {
    rt.connect(&endpoint).await.map_err(|_| Fault::new("a peer that listens to be connected to"))
}

fn going_on<T>(outcome: Result<T, StreamError>) -> Result<T, Fault> {
    outcome.map_err(|_| Fault::new("an open connection to give no error"))
}

/// Reads `bytes.len()` bytes, and compares.
async fn expect_read(stream: &mut impl ByteStream, bytes: &[u8]) -> Result<(), Fault> {
    let (mut read, mut buffer) = (0, [0; CHUNK]);
    while read < bytes.len() {
        let most = CHUNK.min(bytes.len() - read);
        let count = going_on(stream.read(&mut buffer[..most]).await)?;
        expect(count > 0, "the peer not to end before it has sent everything back")?;
        expect_at_most(most as u64, count as u64, "a read to give no more bytes than fit")?;
        expect(buffer[..count] == bytes[read..read + count], "the bytes to come back as they were sent")?;
        read += count;
    }
    Ok(())
}

async fn expect_end(stream: &mut impl ByteStream) -> Result<(), Fault> {
    // An end is for ever.
    for _ in 0..3 {
        let read = stream.read(&mut [0; 8]).await;
        expect(read == Ok(0), "a read at the end to give 0, each time")?;
    }
    Ok(())
}

async fn a_connection_carries_bytes_there_and_back<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.echoes()).await?;
    for text in [&b"a"[..], b"few", b"bytes"] {
        going_on(stream.write_all(text).await)?;
        expect_read(&mut stream, text).await?;
    }
    Ok(())
}

async fn a_port_where_nobody_listens_refuses<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let refused = rt.connect(&peers.refuses()).await.err();
    if peers.abilities().explains {
        expect(refused == Some(ConnectError::Refused), "a port where nobody listens to give Refused")?;
    } else {
        expect(refused == Some(ConnectError::Unexplained), "what nobody explains to be Unexplained")?;
        expect(!ConnectError::Unexplained.is_permanent(), "what nobody explains not to be so for ever")?;
    }
    expect(!ConnectError::Refused.is_permanent(), "one who refuses not to refuse for ever")
}

async fn a_check_finds_nothing_wrong_and_connects_to_nobody<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    expect(rt.check(&peers.echoes()) == Ok(()), "an endpoint that can be connected to to pass its check")?;
    expect(rt.check(&peers.refuses()) == Ok(()), "a check to connect to nobody")
}

async fn more_than_a_mebibyte_goes_both_ways_at_once<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.echoes()).await?;
    // First until nothing more can be written; so much is still to come when the first byte is read.
    let mut written = fill(rt, &mut stream, peers.abilities().held_up()).await?;
    let all = written + MUCH;
    let (mut flushed, mut read, mut buffer) = (false, 0, [0; CHUNK]);
    // One task, which waits for both directions at once: were it to wait for one of them, all would stand still.
    poll_fn(|cx| {
        loop {
            let mut waits = true;
            if written < all {
                let bytes = bytes_from(written);
                let most = CHUNK.min(all - written);
                if let Poll::Ready(count) = stream.poll_write(cx, &bytes[..most]) {
                    let count = going_on(count)?;
                    expect(count > 0 && count <= most, "a write to take some of the bytes that it is given")?;
                    written += count;
                    waits = false;
                }
            } else if !flushed && let Poll::Ready(outcome) = stream.poll_flush(cx) {
                going_on(outcome)?;
                flushed = true;
            }
            if let Poll::Ready(count) = stream.poll_read(cx, &mut buffer) {
                let count = going_on(count)?;
                expect(count > 0, "the peer not to end before it has sent everything back")?;
                let same = buffer[..count].iter().enumerate().all(|(offset, byte)| *byte == byte_at(read + offset));
                expect(same, "a mebibyte to come back as it was sent")?;
                read += count;
                waits = false;
            }
            if flushed && read >= all {
                return Poll::Ready(expect_equal(all as u64, read as u64, "all bytes to come back, and no others"));
            }
            if waits {
                return Poll::Pending;
            }
        }
    })
    .await?;
    going_on(stream.close().await)?;
    expect_end(&mut stream).await
}

async fn a_read_gives_what_fits_and_keeps_the_rest<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.echoes()).await?;
    let bytes = bytes_from(7);
    going_on(stream.write_all(&bytes[..100]).await)?;
    let (mut read, mut room) = (0, 0);
    while read < 100 {
        room = room % 7 + 1;
        let mut small = [0; 7];
        let count = going_on(stream.read(&mut small[..room]).await)?;
        expect((1..=room).contains(&count), "a read to give at least a byte and no more than fit")?;
        expect(small[..count] == bytes[read..read + count], "the next read to go on where the last ended")?;
        expect(small[room..].iter().all(|byte| *byte == 0), "a read to touch nothing beside its buffer")?;
        read += count;
    }
    expect_equal(100, read as u64, "all bytes to come back, and no others")
}

async fn no_bytes_are_read_and_written_at_once<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.echoes()).await?;
    // Nothing has come that could be read, so a read that waits for it would wait.
    let read = poll_once(pin!(stream.read(&mut []))).await;
    expect(read == Poll::Ready(Ok(0)), "a read into no buffer to give 0 at once")?;
    let written = poll_once(pin!(stream.write(&[]))).await;
    expect(written == Poll::Ready(Ok(0)), "a write of no bytes to give 0 at once")?;
    going_on(stream.write_all(b"open").await)?;
    expect_read(&mut stream, b"open").await
}

async fn a_peer_s_end_is_nothing_more_to_read<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.closes()).await?;
    expect_end(&mut stream).await
}

async fn a_close_is_seen_by_the_peer_while_reading_goes_on<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.echoes()).await?;
    let bytes = &bytes_from(0)[..1_000];
    // Not flushed: closing does that.
    let mut written = 0;
    while written < bytes.len() {
        written += going_on(stream.write(&bytes[written..]).await)?;
    }
    if peers.abilities().closes_one_way {
        going_on(stream.close().await)?;
        expect_read(&mut stream, bytes).await?;
    } else {
        going_on(poll_fn(|cx| stream.poll_flush(cx)).await)?;
        expect_read(&mut stream, bytes).await?;
        going_on(stream.close().await)?;
    }
    // The peer ends because it has seen this side's end, and for no other reason.
    expect_end(&mut stream).await?;
    expect(stream.close().await == Ok(()), "a connection to be closed twice without harm")
}

async fn nothing_is_taken_after_a_close<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.echoes()).await?;
    going_on(stream.close().await)?;
    let written = stream.write(b"more").await;
    expect(written == Err(StreamError::Closed), "a write after a close to give Closed")
}

async fn a_cut_connection_is_an_error<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.resets()).await?;
    going_on(stream.write_all(b"!").await)?;
    expect(stream.read(&mut [0; 8]).await.is_err(), "a read from a connection that was cut to give an error")?;
    // What it says of itself from now on may differ between platforms, but it says something.
    let _ = stream.read(&mut [0; 8]).await;
    let mut taken = 0;
    while taken < TOO_MUCH {
        match stream.write_all(&[0; CHUNK]).await {
            Ok(()) => taken += CHUNK,
            Err(_) => return Ok(()),
        }
    }
    Err(Fault::new("a connection that was cut to take no more bytes"))
}

async fn a_peer_that_never_reads_holds_the_writer_up<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.never_reads()).await?;
    fill(rt, &mut stream, 3).await?;
    let mut byte = [0; 1];
    expect(poll_elsewhere(pin!(stream.read(&mut byte))).is_pending(), "a read to wait while the peer says nothing")
}

/// Writes until the connection takes no more for now, `times` in a row, and says how much it took. More than once: the peer
/// may be about to make room, and a runtime may hold a task up that has done so much without a break.
async fn fill<R: TimeSource>(rt: &R, stream: &mut impl ByteStream, times: u32) -> Result<usize, Fault> {
    let (mut taken, mut held_up) = (0, 0);
    loop {
        match poll_elsewhere(pin!(stream.write(&bytes_from(taken)))) {
            Poll::Ready(count) => {
                taken += going_on(count)?;
                held_up = 0;
            }
            Poll::Pending => {
                held_up += 1;
                if held_up == times {
                    return Ok(taken);
                }
                rt.sleep(MS).await;
            }
        }
        expect_at_most(TOO_MUCH as u64, taken as u64, "a writer to be held up while nobody reads")?;
    }
}

async fn a_dropped_read_loses_nothing<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    const ROUNDS: usize = 200;
    let mut stream = connected(rt, peers.echoes()).await?;
    let (mut read, mut buffer) = (0, [0; 8]);
    let check = |read: usize, got: &[u8]| {
        let same = got.iter().enumerate().all(|(offset, byte)| *byte == byte_at(read + offset));
        expect(same, "a read that is dropped while it waits to lose nothing")
    };
    for place in 0..ROUNDS {
        going_on(stream.write_all(&[byte_at(place)]).await)?;
        // Long enough on any clock that some of it has come; not so often that reads would not also find nothing.
        if place % 20 == 19 {
            rt.sleep(MS).await;
        }
        for _ in 0..3 {
            let polled = poll_once(pin!(stream.read(&mut buffer))).await;
            if let Poll::Ready(count) = polled {
                let count = going_on(count)?;
                check(read, &buffer[..count])?;
                read += count;
                break;
            }
            rt.yield_now().await;
        }
    }
    if peers.abilities().closes_one_way {
        going_on(stream.close().await)?;
    }
    loop {
        if read == ROUNDS && !peers.abilities().closes_one_way {
            going_on(stream.close().await)?;
        }
        match going_on(stream.read(&mut buffer).await)? {
            0 => return expect_equal(ROUNDS as u64, read as u64, "a read that is dropped to lose nothing"),
            count => {
                check(read, &buffer[..count])?;
                read += count;
            }
        }
    }
}

async fn a_dropped_connect_leaves_nothing_behind<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    for endpoint in [peers.echoes(), peers.refuses()] {
        for polls in 0..4 {
            let mut connecting = pin!(rt.connect(&endpoint));
            for _ in 0..polls {
                if poll_once(connecting.as_mut()).await.is_ready() {
                    break;
                }
                rt.yield_now().await;
            }
        }
    }
    a_connection_carries_bytes_there_and_back(rt, peers).await
}

async fn connections_do_not_touch_each_other<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut left = connected(rt, peers.echoes()).await?;
    let mut right = connected(rt, peers.echoes()).await?;
    going_on(left.write_all(b"left").await)?;
    going_on(right.write_all(b"right").await)?;
    // In pieces, so that what one has not read yet is there while the other reads.
    expect_read(&mut right, b"ri").await?;
    expect_read(&mut left, b"le").await?;
    expect_read(&mut right, b"ght").await?;
    going_on(right.close().await)?;
    expect_end(&mut right).await?;
    drop(right);
    expect_read(&mut left, b"ft").await?;
    going_on(left.write_all(b"still").await)?;
    expect_read(&mut left, b"still").await
}

async fn a_read_wakes_whoever_polled_it_last<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.echoes()).await?;
    for round in 0..50 {
        let mut byte = [0; 1];
        // First by a task that nobody can wake, with nothing on its way; then by this one.
        let early = poll_elsewhere(pin!(stream.read(&mut byte)));
        expect(early.is_pending(), "a read to wait while nothing has come")?;
        let mut sent = false;
        poll_fn(|cx| {
            // Within one poll, so that the answer has hardly a chance to be there before this task waits for it.
            while !sent {
                match stream.poll_write(cx, &[byte_at(round)]) {
                    Poll::Ready(count) => sent = going_on(count)? == 1,
                    Poll::Pending => return Poll::Pending,
                }
            }
            let flushed = stream.poll_flush(cx).map(going_on);
            match (stream.poll_read(cx, &mut byte), flushed) {
                (_, Poll::Ready(Err(fault))) => Poll::Ready(Err(fault)),
                (Poll::Ready(count), _) => Poll::Ready(going_on(count).and_then(|count| {
                    expect(count == 1 && byte[0] == byte_at(round), "the bytes to come back as they were sent")
                })),
                (Poll::Pending, _) => Poll::Pending,
            }
        })
        .await?;
    }
    Ok(())
}

/// Looks again and again, as one does who has asked for no wakes.
async fn looked_for<R: TimeSource, T>(rt: &R, mut look: impl FnMut() -> Poll<T>) -> T {
    loop {
        match look() {
            Poll::Ready(found) => return found,
            Poll::Pending => rt.sleep(MS).await,
        }
    }
}

async fn a_stream_that_wakes_nobody_carries_bytes_and_wakes_again_when_it_is_asked_to<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.echoes()).await?;
    let mut byte = [0; 1];
    for round in 0..10 {
        // Said twice is said once.
        stream.watch(false);
        stream.watch(false);
        let early = poll_elsewhere(pin!(stream.read(&mut byte)));
        expect(early.is_pending(), "a read to wait while nothing has come")?;
        // Once found by looking; once there, or on its way, when wakes are asked for.
        for looks in [true, false] {
            let sent = byte_at(2 * round + usize::from(looks));
            looked_for(rt, || poll_elsewhere(pin!(stream.write(&[sent]))).map(going_on)).await?;
            looked_for(rt, || poll_elsewhere(pin!(poll_fn(|cx| stream.poll_flush(cx)))).map(going_on)).await?;
            if looks {
                let count = looked_for(rt, || poll_elsewhere(pin!(stream.read(&mut byte)))).await;
                expect_equal(1, going_on(count)? as u64, "what was written to come back")?;
            } else {
                if round % 2 == 0 {
                    rt.sleep(MS).await;
                }
                stream.watch(true);
                stream.watch(true);
                expect_equal(1, going_on(stream.read(&mut byte).await)? as u64, "what was written to come back")?;
            }
            expect(byte[0] == sent, "the bytes to come back as they were sent")?;
        }
    }
    // Nor does it miss the end.
    stream.watch(false);
    looked_for(rt, || poll_elsewhere(pin!(stream.close())).map(going_on)).await?;
    let end = looked_for(rt, || poll_elsewhere(pin!(stream.read(&mut byte)))).await;
    expect(end == Ok(0), "the peer's end to be seen, too")
}

#[cfg(feature = "alloc")]
async fn a_write_wakes_whoever_polled_it_last<R: TimeSource + Network>(
    rt: &R,
    peers: &impl NetworkFixture,
) -> Result<(), Fault> {
    let mut stream = connected(rt, peers.echoes()).await?;
    let mut buffer = [0; CHUNK];
    for _ in 0..100 {
        // Until the peer, too, is held up, because this side does not read.
        fill(rt, &mut stream, peers.abilities().held_up()).await?;
        // This one is woken by the writing direction alone.
        let woken = Arc::new(Signal::new());
        let waker = Waker::from(Arc::new(Raises(woken.clone())));
        if stream.poll_write(&mut Context::from_waker(&waker), &[0x5a]).is_ready() || woken.count() > 0 {
            continue;
        }
        return poll_fn(|cx| {
            loop {
                if pin!(woken.reaches(1)).poll(cx).is_ready() {
                    return Poll::Ready(Ok(()));
                }
                match stream.poll_read(cx, &mut buffer) {
                    Poll::Ready(count) => expect(going_on(count)? > 0, "an open connection not to end")?,
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    }
    Err(Fault::new("a writer to be held up while this side does not read what comes back"))
}

/// Wakes nobody; says that it would have.
#[cfg(feature = "alloc")]
struct Raises(Arc<Signal>);

#[cfg(feature = "alloc")]
impl Wake for Raises {
    fn wake(self: Arc<Self>) {
        self.0.raise();
    }
}
