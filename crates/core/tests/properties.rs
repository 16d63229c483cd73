//! Each buffer against a plain model of it: any sequence of operations gives what the model gives, and every value is
//! dropped exactly once.

use anabranch_core::{
    BufferCfg, BufferKind, Consumer, HeapRecord, Producer, RecvError, SendError, TryRecvError, TrySendError,
};
use proptest::{collection::vec, prelude::*, test_runner::Config};
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// A value that knows whether it is alive: `living` counts the ones there are.
#[derive(Debug)]
struct Value {
    number: u32,
    living: Arc<AtomicI64>,
}

impl Value {
    fn new(number: u32, living: &Arc<AtomicI64>) -> Self {
        living.fetch_add(1, Ordering::Relaxed);
        Value { number, living: living.clone() }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Value::new(self.number, &self.living)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.living.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is done to a record. `usize`s choose one of the ends that there are.
#[derive(Debug, Clone)]
enum Operation {
    Claim,
    Double(usize),
    Leave(usize),
    Consume,
    Copy(usize),
    Forgo(usize),
    Produce(usize),
    TrySend(usize),
    /// Polls a send once and drops it.
    Send(usize),
    TryRecv(usize),
    /// Polls a recv once and drops it.
    Recv(usize),
    /// Polls a next once and drops it.
    Next(usize),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    use Operation::*;
    let end = || any::<usize>();
    let operation = prop_oneof![
        2 => Just(Claim),
        1 => end().prop_map(Double),
        1 => end().prop_map(Leave),
        2 => Just(Consume),
        1 => end().prop_map(Copy),
        1 => end().prop_map(Forgo),
        8 => end().prop_map(Produce),
        4 => end().prop_map(TrySend),
        3 => end().prop_map(Send),
        8 => end().prop_map(TryRecv),
        3 => end().prop_map(Recv),
        3 => end().prop_map(Next),
    ];
    vec(operation, 0..if cfg!(miri) { 30 } else { 200 })
}

fn buffers() -> impl Strategy<Value = BufferCfg> {
    prop_oneof![
        (1_usize..6).prop_map(|capacity| BufferCfg::SpmcRing { capacity }),
        Just(BufferCfg::SingleLatest),
        Just(BufferCfg::Mailbox),
        (1_usize..5, 1_usize..4).prop_map(|(capacity, consumers)| BufferCfg::Queue { capacity, consumers }),
    ]
}

/// The model: everything that was ever produced stays in `history`, and what a buffer still holds is worked out from
/// where its readers are.
struct Model {
    buffer: BufferCfg,
    shared: bool,
    history: Vec<u32>,
    /// A mailbox's value that nobody took.
    waiting: bool,
    producers: usize,
    closed: bool,
    lost: u64,
    seats: Vec<ModelSeat>,
}

struct ModelSeat {
    at: usize,
    /// `None`: nobody came yet.
    handles: Option<usize>,
}

/// A consumer in the model: where it is, and in which seat.
#[derive(Debug, Clone, Default)]
struct Reader {
    at: usize,
    seat: usize,
    lagged: u64,
}

#[derive(Debug, PartialEq)]
enum Got {
    Value(u32),
    Lagged(u64),
    Empty,
    Closed,
}

#[derive(Debug, PartialEq)]
enum Sent {
    At(u64),
    Full,
    Closed,
}

impl Model {
    fn new(buffer: BufferCfg, shared: bool) -> Self {
        let seats = if let BufferCfg::Queue { consumers, .. } = buffer { consumers } else { 0 };
        Model {
            buffer,
            shared,
            history: Vec::new(),
            waiting: false,
            producers: 0,
            closed: false,
            lost: 0,
            seats: std::iter::repeat_with(|| ModelSeat { at: 0, handles: None }).take(seats).collect(),
        }
    }

    fn head(&self) -> usize {
        self.history.len()
    }

    /// The number of the oldest value that is held.
    fn oldest(&self) -> usize {
        let head = self.head();
        match self.buffer {
            BufferCfg::SpmcRing { capacity } => head.saturating_sub(capacity),
            BufferCfg::SingleLatest => head.saturating_sub(1),
            BufferCfg::Mailbox => head - usize::from(self.waiting),
            BufferCfg::Queue { .. } => {
                self.seats.iter().filter(|seat| seat.handles != Some(0)).map(|seat| seat.at).min().unwrap_or(head)
            }
        }
    }

    fn held(&self) -> usize {
        self.head() - self.oldest()
    }

    fn claim(&mut self) -> bool {
        let one = matches!(self.buffer.kind(), BufferKind::SpmcRing | BufferKind::SingleLatest) && !self.shared;
        if one && self.producers > 0 {
            return false;
        }
        self.producers += 1;
        self.closed = false;
        true
    }

    fn leave(&mut self) {
        self.producers -= 1;
        self.closed |= self.producers == 0;
    }

    fn consume(&mut self, readers: &[Reader]) -> Option<Reader> {
        let mut reader = Reader { at: self.head(), ..Reader::default() };
        match self.buffer.kind() {
            BufferKind::SpmcRing => {}
            BufferKind::SingleLatest => reader.at = self.oldest(),
            BufferKind::Mailbox if !readers.is_empty() => return None,
            BufferKind::Mailbox => reader.at = self.oldest(),
            BufferKind::Queue => {
                let head = self.head();
                reader.seat = (self.seats.iter().position(|seat| seat.handles.is_none()))
                    .or_else(|| self.seats.iter().position(|seat| seat.handles == Some(0)))?;
                let seat = &mut self.seats[reader.seat];
                if seat.handles.is_some() {
                    seat.at = head;
                }
                seat.handles = Some(1);
                reader.at = seat.at;
            }
        }
        Some(reader)
    }

    fn copy(&mut self, reader: &Reader) -> Reader {
        if let Some(seat) = self.seats.get_mut(reader.seat) {
            seat.handles = seat.handles.map(|handles| handles + 1);
        }
        let at = if self.buffer == BufferCfg::SingleLatest { self.oldest() } else { reader.at };
        Reader { lagged: 0, at, ..reader.clone() }
    }

    fn forgo(&mut self, reader: &Reader) {
        if let Some(seat) = self.seats.get_mut(reader.seat) {
            seat.handles = seat.handles.map(|handles| handles - 1);
        }
    }

    fn send(&mut self, number: u32) -> Sent {
        if let BufferCfg::Queue { capacity, .. } = self.buffer {
            if self.seats.iter().all(|seat| seat.handles == Some(0)) {
                return Sent::Closed;
            }
            if self.held() == capacity {
                return Sent::Full;
            }
        }
        self.history.push(number);
        self.waiting = true;
        Sent::At(self.head() as u64 - 1)
    }

    fn receive(&mut self, reader: &mut Reader) -> Got {
        let nothing = if self.closed { Got::Closed } else { Got::Empty };
        let head = self.head();
        match self.buffer.kind() {
            BufferKind::SpmcRing if reader.at < self.oldest() => {
                let missed = (self.oldest() - reader.at) as u64;
                reader.at = self.oldest();
                reader.lagged += missed;
                self.lost += missed;
                Got::Lagged(missed)
            }
            BufferKind::SpmcRing if reader.at == head => nothing,
            BufferKind::SpmcRing => {
                reader.at += 1;
                Got::Value(self.history[reader.at - 1])
            }
            BufferKind::SingleLatest if reader.at == head => nothing,
            BufferKind::SingleLatest => {
                reader.at = head;
                Got::Value(self.history[head - 1])
            }
            BufferKind::Mailbox => {
                reader.at = head;
                if std::mem::take(&mut self.waiting) { Got::Value(self.history[head - 1]) } else { nothing }
            }
            BufferKind::Queue => {
                let seat = &mut self.seats[reader.seat];
                let at = seat.at;
                seat.at = (at + 1).min(head);
                reader.at = seat.at;
                self.history.get(at).map_or(nothing, |number| Got::Value(*number))
            }
        }
    }
}

/// What a future gives now. It is asked twice, since a consumer that has passed many values gives way to other tasks once.
fn poll<F: Future>(future: F) -> Poll<F::Output> {
    let mut future = pin!(future);
    let mut poll = || future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    match poll() {
        Poll::Pending => poll(),
        ready => ready,
    }
}

fn received(got: Poll<Result<Value, RecvError>>) -> Got {
    match got {
        Poll::Ready(Ok(value)) => Got::Value(value.number),
        Poll::Ready(Err(RecvError::Lagged(missed))) => Got::Lagged(missed),
        Poll::Ready(Err(RecvError::Closed)) => Got::Closed,
        Poll::Pending => Got::Empty,
    }
}

/// Does `operations` to a record and to its model, and compares after each.
fn agrees(buffer: BufferCfg, shared: bool, operations: &[Operation]) -> Result<(), TestCaseError> {
    let living = Arc::new(AtomicI64::new(0));
    let record: HeapRecord<Value> =
        if shared { HeapRecord::new_shared("model", buffer) } else { HeapRecord::new("model", buffer) }.unwrap();
    let mut model = Model::new(buffer, shared);
    let mut producers: Vec<Producer<Value>> = Vec::new();
    let mut consumers: Vec<Consumer<Value>> = Vec::new();
    let mut readers: Vec<Reader> = Vec::new();
    for (number, operation) in (0_u32..).zip(operations) {
        match operation {
            Operation::Claim => {
                let producer = record.producer();
                prop_assert_eq!(producer.is_ok(), model.claim());
                producers.extend(producer);
            }
            Operation::Double(which) if !producers.is_empty() => {
                let producer = producers[which % producers.len()].try_clone();
                prop_assert_eq!(producer.is_ok(), model.claim());
                producers.extend(producer);
            }
            Operation::Leave(which) if !producers.is_empty() => {
                drop(producers.swap_remove(which % producers.len()));
                model.leave();
            }
            Operation::Consume => {
                let (consumer, reader) = (record.consumer(), model.consume(&readers));
                prop_assert_eq!(consumer.is_ok(), reader.is_some());
                consumers.extend(consumer);
                readers.extend(reader);
            }
            Operation::Copy(which) if !consumers.is_empty() => {
                let which = which % consumers.len();
                consumers.push(consumers[which].clone());
                readers.push(model.copy(&readers[which]));
            }
            Operation::Forgo(which) if !consumers.is_empty() => {
                let which = which % consumers.len();
                drop(consumers.swap_remove(which));
                model.forgo(&readers.swap_remove(which));
            }
            Operation::Produce(which) if !producers.is_empty() => {
                let place = producers[which % producers.len()].produce(Value::new(number, &living));
                match model.send(number) {
                    Sent::At(expected) => prop_assert_eq!(place, expected),
                    Sent::Full | Sent::Closed => model.lost += 1,
                }
            }
            Operation::TrySend(which) if !producers.is_empty() => {
                let sent = match producers[which % producers.len()].try_send(Value::new(number, &living)) {
                    Ok(place) => Sent::At(place),
                    Err(TrySendError::Full(value)) => {
                        prop_assert_eq!(value.number, number);
                        Sent::Full
                    }
                    Err(TrySendError::Closed(value)) => {
                        prop_assert_eq!(value.number, number);
                        Sent::Closed
                    }
                };
                prop_assert_eq!(sent, model.send(number));
            }
            Operation::Send(which) if !producers.is_empty() => {
                let sent = match poll(producers[which % producers.len()].send(Value::new(number, &living))) {
                    Poll::Ready(Ok(place)) => Sent::At(place),
                    Poll::Ready(Err(SendError(value))) => {
                        prop_assert_eq!(value.number, number);
                        Sent::Closed
                    }
                    Poll::Pending => Sent::Full,
                };
                prop_assert_eq!(sent, model.send(number));
            }
            Operation::TryRecv(which) if !consumers.is_empty() => {
                let which = which % consumers.len();
                let got = match consumers[which].try_recv() {
                    Ok(value) => Got::Value(value.number),
                    Err(TryRecvError::Empty) => Got::Empty,
                    Err(TryRecvError::Lagged(missed)) => Got::Lagged(missed),
                    Err(TryRecvError::Closed) => Got::Closed,
                };
                prop_assert_eq!(got, model.receive(&mut readers[which]));
            }
            Operation::Recv(which) if !consumers.is_empty() => {
                let which = which % consumers.len();
                let got = received(poll(consumers[which].recv()));
                prop_assert_eq!(got, model.receive(&mut readers[which]));
            }
            Operation::Next(which) if !consumers.is_empty() => {
                let which = which % consumers.len();
                let got = match poll(consumers[which].next()) {
                    Poll::Ready(Some(value)) => Got::Value(value.number),
                    Poll::Ready(None) => Got::Closed,
                    Poll::Pending => Got::Empty,
                };
                let mut expected = model.receive(&mut readers[which]);
                if matches!(expected, Got::Lagged(_)) {
                    expected = model.receive(&mut readers[which]);
                }
                prop_assert_eq!(got, expected);
            }
            _ => {} // an end that there is none of
        }
        let status = record.status();
        prop_assert_eq!(status.produced, model.head() as u64);
        prop_assert_eq!(status.held, model.held());
        prop_assert_eq!(status.lost, model.lost);
        prop_assert_eq!(status.closed, model.closed);
        prop_assert_eq!(status.producers, model.producers);
        prop_assert_eq!(status.consumers, readers.len());
        prop_assert_eq!(living.load(Ordering::Relaxed), model.held() as i64, "values alive are those held");
        for (consumer, reader) in consumers.iter().zip(&readers) {
            // A handle that shares its place with another one learns of what that took when it next receives.
            let alone = !matches!(buffer.kind(), BufferKind::Mailbox | BufferKind::Queue);
            prop_assert!(!alone || consumer.position() == reader.at as u64);
            prop_assert_eq!(consumer.lagged(), reader.lagged);
        }
    }
    drop((producers, consumers));
    drop(record);
    prop_assert_eq!(living.load(Ordering::Relaxed), 0, "no value is leaked or dropped twice");
    Ok(())
}

proptest! {
    #![proptest_config(Config {
        cases: if cfg!(miri) { 4 } else { 300 },
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn every_buffer_agrees_with_its_model(buffer in buffers(), shared: bool, operations in operations()) {
        agrees(buffer, shared, &operations)?;
    }
}
