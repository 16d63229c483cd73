//! The load: what sends values to a bridge and counts what comes back, one for all bridges.
//!
//! ```text
//!   through Mosquitto:   load ══values══▶ Mosquitto ──▶ bridge ──▶ Mosquitto ══copies══▶ load      two clients
//!   alone:               load ══values════════════════▶ bridge ════════════════copies══▶ load      the bridge's broker
//! ```
//!
//! A batch of values is sent when the copies of all but the last batch are back, so a bridge always has work, and no more
//! is under way than every bridge and Mosquitto can hold. Packets are encoded beforehand, written a batch at a time, and only
//! counted when they come back, so that the load is cheap beside what is measured.

use super::{
    IN_FLIGHT,
    packets::{
        CONNACK, CONNECT, PUBACK, PUBLISH, Packets, SUBACK, SUBSCRIBE, Version, connack, connect, suback, subscribe,
    },
    reading::{Reading, TOPICS},
};
use std::{
    io::{self, Write},
    net::{TcpListener, TcpStream},
    sync::{Condvar, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// After so long without a packet what is missing counts as lost.
const PATIENCE: Duration = Duration::from_secs(2);

pub struct Load {
    prefix: &'static str,
    qos: u8,
    version: Version,
    /// Where values go, and, unless it is the same, where copies come from.
    ways: Vec<Way>,
    /// Two batches with identifiers of their own.
    batches: [Batch; 2],
}

/// Readings as they are sent.
struct Batch {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

/// A connection.
struct Way {
    stream: TcpStream,
    packets: Packets,
    /// Copies come here.
    brings: bool,
    /// Values are acknowledged here.
    acknowledges: bool,
}

/// What became of a run.
#[derive(Debug, Clone, Default)]
pub struct Ran {
    pub took: Duration,
    pub lost: u64,
    /// From a value's way in to its way out; of values at a pace only.
    pub latencies: Vec<Duration>,
}

impl Load {
    /// Into the broker on the first port, and out of the one on the second, which may be the same.
    pub fn through(ports: [u16; 2], prefix: &'static str, qos: u8) -> io::Result<Self> {
        let [from, to] = ports.map(|port| TcpStream::connect(("127.0.0.1", port)));
        let (mut into, mut out_of) = (Way::new(from?, qos == 1, false)?, Way::new(to?, false, true)?);
        for (way, name) in [(&mut into, "in"), (&mut out_of, "out")] {
            way.say(&connect(&format!("{prefix}-{name}")))?;
            way.expect(CONNACK)?;
        }
        out_of.say(&subscribe(&format!("{prefix}/out/+"), qos))?;
        out_of.expect(SUBACK)?;
        let batches = batches(prefix, Version::V311, qos, IN_FLIGHT);
        Ok(Load { prefix, qos, version: Version::V311, ways: vec![into, out_of], batches })
    }

    /// As the broker of the bridge that connects to `listener`.
    pub fn alone(listener: &TcpListener, prefix: &'static str, qos: u8) -> io::Result<Self> {
        let (stream, _) = listener.accept()?;
        let mut way = Way::new(stream, qos == 1, true)?;
        let greeting = way.expect(CONNECT)?;
        let version = if greeting[6] == 5 { Version::V5 } else { Version::V311 };
        way.say(&connack(version, IN_FLIGHT))?;
        // It may subscribe packet by packet: it has done so when it is silent.
        let mut filters = 0;
        way.stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        loop {
            match way.expect(SUBSCRIBE) {
                Ok(body) => {
                    let (answer, count) = suback(&body, version);
                    way.say(&answer)?;
                    filters += count;
                }
                Err(_) if filters > 0 => break,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock) => {}
                Err(error) => return Err(error),
            }
        }
        way.stream.set_read_timeout(Some(PATIENCE))?;
        let maximum = receive_maximum(&greeting, version).min(IN_FLIGHT);
        Ok(Load { prefix, qos, version, ways: vec![way], batches: batches(prefix, version, qos, maximum) })
    }

    /// Sends a reading to every topic, again until all of them come back, right and in order: until the bridge has
    /// subscribed to all of them.
    pub fn is_right(&mut self) -> io::Result<()> {
        let patience = Instant::now() + Duration::from_secs(20);
        let mut came = Vec::new();
        while Instant::now() < patience {
            came.clear();
            let mut expected = TOPICS * (1 + u64::from(self.qos));
            self.ways[0].say(self.batches[0].of(0, TOPICS as usize))?;
            for way in self.ways.iter_mut().rev() {
                way.stream.set_read_timeout(Some(Duration::from_millis(300)))?;
                let mut here = TOPICS * (u64::from(way.brings) + u64::from(way.acknowledges));
                while here > 0 {
                    let Ok(packet) = way.packets.wait(&mut &way.stream) else { break };
                    let answer = packet.answer();
                    if packet.kind == PUBLISH {
                        let (topic, payload) = packet.value(self.version);
                        came.push(Reading::of_copy(self.prefix, topic, payload));
                    }
                    let counts = matches!(packet.kind, PUBLISH | PUBACK);
                    here -= u64::from(counts);
                    expected -= u64::from(counts);
                    answer.into_iter().try_for_each(|answer| way.say(&answer))?;
                }
                way.stream.set_read_timeout(Some(PATIENCE))?;
            }
            if expected == 0 && came.iter().copied().eq((0..TOPICS).map(Some)) {
                return Ok(());
            }
        }
        Err(io::Error::other(format!("{}: of readings 0 to {TOPICS} came {came:?}", self.prefix)))
    }

    /// Sends `values` values at `pace`, on this thread, while others follow what comes back.
    pub fn run(&mut self, values: u64, pace: Pace) -> io::Result<Ran> {
        let Load { qos, ways, batches, .. } = self;
        let writers = ways.iter().map(|way| way.stream.try_clone().map(Mutex::new)).collect::<io::Result<Vec<_>>>()?;
        let progress = Progress { acknowledges: *qos == 1, ..Progress::default() };
        let shared = &Shared { writers, progress: Mutex::new(progress), arrived: Condvar::new() };
        let begun = Instant::now();
        let (sent, came) = thread::scope(|scope| {
            let ways = ways.iter_mut().enumerate().filter(|(_, way)| way.brings || way.acknowledges);
            let followers: Vec<_> =
                ways.map(|(number, way)| scope.spawn(move || way.follow(number, values, shared))).collect();
            let sent = send(values, pace, batches, shared);
            let came = followers.into_iter().map(|follower| follower.join().expect("it does not panic"));
            (sent, came.collect::<io::Result<Vec<_>>>())
        });
        let (sent, came) = (sent?, came?.concat());
        let returned: u64 = came.iter().map(|(_, count)| count).sum();
        let took = came.last().map_or(begun, |(when, _)| *when) - begun;
        // Each arrival is of one or more copies, in the order in which the values were sent.
        let each = came.iter().flat_map(|(when, count)| (0..*count).map(|_| *when));
        let latencies = sent.iter().zip(each).map(|(sent, came)| came.duration_since(*sent)).collect();
        Ok(Ran { took, lost: values - returned.min(values), latencies })
    }

    /// Sends values for `time`, each when the one before is back: in one thread, so that no switch between two is in what is
    /// measured.
    pub fn one_by_one(&mut self, time: Duration) -> io::Result<Vec<Duration>> {
        let mut latencies = Vec::new();
        let begun = Instant::now();
        for i in 0.. {
            let sent = Instant::now();
            if sent - begun > time {
                break;
            }
            self.ways[0].say(single(&self.batches, i))?;
            // The copy first, as it is what is timed.
            for way in self.ways.iter_mut().rev() {
                let mut expected = usize::from(way.brings) + usize::from(way.acknowledges);
                while expected > 0 {
                    let packet = way.packets.wait(&mut &way.stream)?;
                    let (kind, id) = (packet.kind, packet.answer());
                    match kind {
                        PUBLISH => latencies.push(sent.elapsed()),
                        PUBACK => {}
                        _ => expected += 1,
                    }
                    expected -= 1;
                    id.into_iter().try_for_each(|answer| way.say(&answer))?;
                }
            }
        }
        Ok(latencies)
    }
}

/// When values are sent.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As many as the bridge takes.
    Flood,
    /// One each.
    Every(Duration),
}

/// Packet `i` of the batches in turn.
fn single(batches: &[Batch; 2], i: usize) -> &[u8] {
    let each = batches[0].ends.len();
    batches[i / each % 2].of(i % each, i % each + 1)
}

/// Gives when each was sent, if that matters.
fn send(values: u64, pace: Pace, batches: &[Batch; 2], shared: &Shared) -> io::Result<Vec<Instant>> {
    let mut sent = Vec::new();
    match pace {
        Pace::Flood => {
            let each = batches[0].ends.len() as u64;
            for i in 0..values.div_ceil(each) {
                if !shared.wait(i.saturating_sub(1) * each) {
                    break;
                }
                let count = (values - i * each).min(each) as usize;
                shared.write(0, batches[i as usize % 2].of(0, count))?;
            }
        }
        Pace::Every(pace) => {
            let begun = Instant::now();
            for i in 0..values {
                if let Some(early) = (pace * i as u32).checked_sub(begun.elapsed()) {
                    thread::sleep(early);
                }
                // A bridge that does not keep up is given no more than it has room for.
                if !shared.wait((i + 1).saturating_sub(IN_FLIGHT.into())) {
                    break;
                }
                sent.push(Instant::now());
                shared.write(0, single(batches, i as usize))?;
            }
        }
    }
    shared.wait(values);
    Ok(sent)
}

/// What a run's threads share.
struct Shared {
    /// One for each way: values and acknowledgements may go the same way.
    writers: Vec<Mutex<TcpStream>>,
    progress: Mutex<Progress>,
    arrived: Condvar,
}

#[derive(Default)]
struct Progress {
    acknowledges: bool,
    returned: u64,
    acknowledged: u64,
    /// What the sender waits for.
    wanted: u64,
    /// Nothing came for too long, or never will.
    over: bool,
}

impl Progress {
    fn is_there(&self) -> bool {
        self.over || self.returned >= self.wanted && (!self.acknowledges || self.acknowledged >= self.wanted)
    }
}

impl Shared {
    fn write(&self, way: usize, bytes: &[u8]) -> io::Result<()> {
        self.writers[way].lock().unwrap_or_else(PoisonError::into_inner).write_all(bytes)
    }

    /// Waits until so many are back and acknowledged; `false` when they will not be.
    fn wait(&self, wanted: u64) -> bool {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.wanted = wanted;
        while !progress.is_there() {
            progress = self.arrived.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
        !progress.over
    }

    fn tell(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        if progress.is_there() {
            self.arrived.notify_one();
        }
    }
}

impl Batch {
    /// The packets from `first` to before `end`.
    fn of(&self, first: usize, end: usize) -> &[u8] {
        let from = first.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[from..self.ends[end - 1]]
    }
}

impl Way {
    fn new(stream: TcpStream, acknowledges: bool, brings: bool) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Way { stream, packets: Packets::new(), brings, acknowledges })
    }

    fn say(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.stream).write_all(bytes)
    }

    /// Waits for a packet of this kind.
    fn expect(&mut self, kind: u8) -> io::Result<Vec<u8>> {
        loop {
            let packet = self.packets.wait(&mut &self.stream)?;
            if packet.kind == kind {
                return Ok(packet.body.to_vec());
            }
        }
    }

    /// Counts and answers what comes until everything has, and gives when how many copies came.
    fn follow(&mut self, number: usize, values: u64, shared: &Shared) -> io::Result<Vec<(Instant, u64)>> {
        let (mut copies, mut acknowledged) = (0, 0);
        let mut came = Vec::new();
        let mut answers = Vec::new();
        while self.brings && copies < values || self.acknowledges && acknowledged < values {
            match self.packets.fill(&mut &self.stream) {
                Ok(()) => {}
                Err(error) => {
                    shared.tell(|progress| progress.over = true);
                    let silent = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                    return if silent { Ok(came) } else { Err(error) };
                }
            }
            let (before, acknowledged_before) = (copies, acknowledged);
            while let Some(packet) = self.packets.next() {
                match packet.kind {
                    PUBLISH => copies += 1,
                    PUBACK => acknowledged += 1,
                    _ => {}
                }
                answers.extend_from_slice(packet.answer().as_deref().unwrap_or_default());
            }
            if copies > before {
                came.push((Instant::now(), copies - before));
            }
            shared.write(number, &answers)?;
            answers.clear();
            shared.tell(|progress| {
                progress.returned += copies - before;
                progress.acknowledged += acknowledged - acknowledged_before;
            });
        }
        Ok(came)
    }
}

/// How many values a client lets be under way to it, as its CONNECT says.
fn receive_maximum(connect: &[u8], version: Version) -> u16 {
    let mut properties = match version {
        Version::V311 => &[],
        Version::V5 => &connect[11..11 + usize::from(connect[10])],
    };
    while let [property, rest @ ..] = properties {
        properties = match property {
            0x21 => return u16::from_be_bytes([rest[0], rest[1]]),
            0x11 | 0x27 => &rest[4..],
            0x22 => &rest[2..],
            0x17 | 0x19 => &rest[1..],
            // What else there is comes with names and passwords, which no bridge here has.
            _ => break,
        };
    }
    u16::MAX
}

fn batches(prefix: &str, version: Version, qos: u8, in_flight: u16) -> [Batch; 2] {
    let each = u64::from(in_flight / 2);
    [0, each].map(|first| {
        let mut batch = Batch { bytes: Vec::new(), ends: Vec::new() };
        for i in first..first + each {
            let id = (qos == 1).then_some(i as u16 + 1);
            Reading::publish(&mut batch.bytes, version, prefix, i, id);
            batch.ends.push(batch.bytes.len());
        }
        batch
    })
}
