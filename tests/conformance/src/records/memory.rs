//! What records take of memory: `N * size_of::<T>()` for their values, and a few words. The table is exact, so that what
//! makes a record larger has to say so here.

use crate::{Fault, Report};
use anabranch_core::{Buffer, Consumer, Latest, Mailbox, Producer, Queue, Record, Ring};

/// A kind of place, as far as it decides what a record takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// 32 bits, no heap.
    Board,
    /// 64 bits, a heap and threads.
    Server,
}

/// A reading of a sensor, as large as most.
type Reading = [u32; 6];

/// A line of a table: what it says of a type, and what is the case.
struct Line {
    of: &'static str,
    board: usize,
    server: usize,
    is: usize,
}

/// Each type with its bytes on a board and on a server.
macro_rules! table {
    ($($of:ty = $board:literal, $server:literal;)*) => {
        &[$(Line { of: concat!("the bytes of ", stringify!($of)), board: $board, server: $server, is: size_of::<$of>() }),*]
    };
}

const RINGS: &[Line] = table! {
    Record<u8, Ring<1>> = 72, 104;
    Record<u8, Ring<16>> = 80, 112;
    Record<u8, Ring<64>> = 128, 160;
    Record<u32, Ring<1>> = 72, 104;
    Record<u32, Ring<16>> = 128, 160;
    Record<u32, Ring<64>> = 320, 352;
    Record<u64, Ring<1>> = 72, 104;
    Record<u64, Ring<16>> = 192, 224;
    Record<u64, Ring<64>> = 576, 608;
    Record<Reading, Ring<1>> = 88, 120;
    Record<Reading, Ring<16>> = 448, 480;
    Record<Reading, Ring<64>> = 1600, 1632;
};

const LATESTS: &[Line] = table! {
    Record<u8, Latest> = 72, 104;
    Record<u32, Latest> = 72, 104;
    Record<u64, Latest> = 72, 104;
    Record<Reading, Latest> = 88, 120;
};

const MAILBOXES: &[Line] = table! {
    Record<u8, Mailbox> = 72, 104;
    Record<u32, Mailbox> = 72, 104;
    Record<u64, Mailbox> = 72, 104;
    Record<Reading, Mailbox> = 88, 120;
};

const QUEUES: &[Line] = table! {
    Record<u8, Queue<1>> = 96, 136;
    Record<u8, Queue<16>> = 104, 144;
    Record<u8, Queue<16, 4>> = 152, 192;
    Record<u32, Queue<1>> = 96, 136;
    Record<u32, Queue<16>> = 152, 192;
    Record<u32, Queue<16, 4>> = 200, 240;
    Record<u64, Queue<1>> = 96, 136;
    Record<u64, Queue<16>> = 216, 256;
    Record<u64, Queue<16, 4>> = 264, 304;
    Record<Reading, Queue<1>> = 112, 152;
    Record<Reading, Queue<16>> = 472, 512;
    Record<Reading, Queue<16, 4>> = 520, 560;
};

/// A handle refers to a record and does not hold its values, so their type makes no difference.
const HANDLES: &[Line] = table! {
    Producer<u8> = 12, 40;
    Producer<Reading> = 12, 40;
    Consumer<u8> = 32, 64;
    Consumer<Reading> = 32, 64;
};

impl Place {
    fn of(self, line: &Line) -> usize {
        match self {
            Place::Board => line.board,
            Place::Server => line.server,
        }
    }

    /// The words of a record beside its values: the list of those who wait, the numbers of values and of ends, the name.
    fn words(self) -> usize {
        match self {
            Place::Board => 16,
            Place::Server => 12,
        }
    }

    /// The words that a queue has more: the list of senders that wait, and a seat for each of its consumers.
    fn words_of_queue(self, consumers: usize) -> usize {
        let of_a_seat = 16 / size_of::<usize>();
        2 + consumers * of_a_seat
    }
}

/// Compares the memory of each buffer and handle with the table of its `place`, and the table with the formula.
pub fn run_memory(place: Place, report: &mut impl Report) {
    report.case("memory/ring", as_the_table_says(place, RINGS));
    report.case("memory/latest", as_the_table_says(place, LATESTS));
    report.case("memory/mailbox", as_the_table_says(place, MAILBOXES));
    report.case("memory/queue", as_the_table_says(place, QUEUES));
    report.case("memory/handles", as_the_table_says(place, HANDLES));
    report.case("memory/values_and_a_few_words", values_and_a_few_words(place));
}

fn as_the_table_says(place: Place, table: &[Line]) -> Result<(), Fault> {
    let wrong = table.iter().find(|line| line.is != place.of(line));
    wrong
        .map_or(Ok(()), |line| Err(Fault { expected: line.of, numbers: Some((place.of(line) as u64, line.is as u64)) }))
}

fn values_and_a_few_words(place: Place) -> Result<(), Fault> {
    fn of_each_value<T: Clone + Send + 'static>(place: Place) -> Result<(), Fault> {
        of_each_capacity::<T, 1>(place)?;
        of_each_capacity::<T, 3>(place)?;
        of_each_capacity::<T, 16>(place)?;
        of_each_capacity::<T, 64>(place)
    }
    fn of_each_capacity<T: Clone + Send + 'static, const N: usize>(place: Place) -> Result<(), Fault> {
        of_record::<T, Latest>(place, 1, 0)?;
        of_record::<T, Mailbox>(place, 1, 0)?;
        of_record::<T, Ring<N>>(place, N, 0)?;
        of_record::<T, Queue<N>>(place, N, place.words_of_queue(1))?;
        of_record::<T, Queue<N, 2>>(place, N, place.words_of_queue(2))?;
        of_record::<T, Queue<N, 9>>(place, N, place.words_of_queue(9))
    }
    /// Values are kept as they are, up to the next 8 bytes: the alignment of the numbers beside them.
    fn of_record<T: 'static, B: Buffer<T>>(place: Place, capacity: usize, more: usize) -> Result<(), Fault> {
        let values = (capacity * size_of::<T>()).next_multiple_of(8);
        let wanted = values + (place.words() + more) * size_of::<usize>();
        let is = size_of::<Record<T, B>>();
        match wanted == is {
            true => Ok(()),
            false => {
                Err(Fault { expected: "N * size_of::<T>() and a few words", numbers: Some((wanted as u64, is as u64)) })
            }
        }
    }
    of_each_value::<u8>(place)?;
    of_each_value::<u32>(place)?;
    of_each_value::<u64>(place)?;
    of_each_value::<Reading>(place)
}
