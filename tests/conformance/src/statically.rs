//! What `SpawnStatically` promises, with nothing on the heap: the caller declares the slots.

use crate::{Fault, LIMIT, Platform, Report, Signal, report::expect, run_cases, signal::OnDrop};
use anabranch_executor::{Duration, Moment, RuntimeExt, SpawnError, SpawnStatically, StaticSlot, TimeSource};

/// What the resident task is to do this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Say that it has started, wait until it is told to go, and end.
    Wait,
    /// Ask its neighbour and wait for the answer, many times.
    Ask,
    /// Answer its neighbour, as many times.
    Answer,
    /// Panic.
    Panic,
}

/// How often [`Part::Ask`] asks and [`Part::Answer`] answers.
const ROUNDS: u32 = 50;

/// Where the residents and the case that started them leave word for each other.
#[derive(Debug, Default)]
pub struct Board {
    started: Signal,
    go: Signal,
    ended: Signal,
    question: Signal,
    answer: Signal,
}

impl Board {
    const fn new() -> Self {
        Board {
            started: Signal::new(),
            go: Signal::new(),
            ended: Signal::new(),
            question: Signal::new(),
            answer: Signal::new(),
        }
    }
}

/// The task that lives in a slot.
pub async fn resident(board: &'static Board, part: Part) {
    let _ended = OnDrop(&board.ended);
    let (asked, answered) = (board.question.count(), board.answer.count());
    let told = board.go.count();
    board.started.raise();
    match part {
        Part::Wait => board.go.reaches(told + 1).await,
        Part::Ask => {
            for round in 1..=ROUNDS {
                board.question.raise();
                board.answer.reaches(answered + round).await;
            }
        }
        Part::Answer => {
            for round in 1..=ROUNDS {
                board.question.reaches(asked + round).await;
                board.answer.raise();
            }
        }
        Part::Panic => panic!("a resident that was asked to panic"),
    }
}

/// The static storage that the cases need: two slots for the resident, and the board.
#[derive(Debug, Default)]
pub struct Slots<const WORDS: usize> {
    first: StaticSlot<WORDS>,
    second: StaticSlot<WORDS>,
    board: Board,
}

impl<const WORDS: usize> Slots<WORDS> {
    /// Empty slots.
    #[must_use]
    pub const fn new() -> Self {
        Slots { first: StaticSlot::new(), second: StaticSlot::new(), board: Board::new() }
    }
}

/// Declares a `static` [`Slots`] of the size that the adapter needs, and gives a reference to it.
///
/// ```
/// # use anabranch_conformance::{Slots, static_slots};
/// # use anabranch_tokio::TokioAdapter;
/// // 0 words, because Tokio's tasks are on the heap.
/// let slots: &'static Slots<0> = static_slots!(TokioAdapter);
/// ```
#[macro_export]
macro_rules! static_slots {
    ($adapter:ty) => {{
        static SLOTS: $crate::Slots<{ $crate::slot_words::<$adapter, _, _>($crate::resident) }> = $crate::Slots::new();
        &SLOTS
    }};
}

/// Runs the cases of [`SpawnStatically`] in `slots`, which [`static_slots!`](crate::static_slots) declares.
pub async fn run_spawn_statically<R, const WORDS: usize>(
    rt: &'static R,
    slots: &'static Slots<WORDS>,
    platform: Platform,
    report: &mut impl Report,
) where
    R: TimeSource + SpawnStatically,
{
    run_cases!(
        rt,
        report,
        [
            a_static_task_runs(rt, slots),
            a_slot_is_busy_while_its_task_runs(rt, slots),
            a_slot_can_be_used_again(rt, slots),
            two_static_tasks_talk(rt, slots),
        ]
    );
    if platform.unwinds {
        run_cases!(rt, report, [a_panic_frees_its_slot(rt, slots)]);
    }
    if !platform.threads {
        run_cases!(rt, report, [yield_now_lets_a_static_task_run(rt, slots)]);
    }
}

/// Starts `part` in `slot`, which is free or about to be: a task says that it ends just before its slot is free.
async fn start<R: TimeSource + SpawnStatically, const WORDS: usize>(
    rt: &'static R,
    slot: &'static StaticSlot<WORDS>,
    board: &'static Board,
    part: Part,
) -> Result<(), Fault> {
    let begin = rt.now();
    loop {
        match rt.spawn_static(slot, || resident(board, part)) {
            Ok(()) => return Ok(()),
            Err(SpawnError::WrongType) => return Err(Fault::new("the slot to belong to its task")),
            Err(SpawnError::Busy) if rt.now().since(begin) > LIMIT / 2 => {
                return Err(Fault::new("the slot to be free again when its task has ended"));
            }
            Err(SpawnError::Busy) => rt.sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn a_static_task_runs<R: TimeSource + SpawnStatically, const WORDS: usize>(
    rt: &'static R,
    slots: &'static Slots<WORDS>,
) -> Result<(), Fault> {
    let board = &slots.board;
    let (started, ended) = (board.started.count(), board.ended.count());
    start(rt, &slots.first, board, Part::Wait).await?;
    board.started.reaches(started + 1).await;
    expect(board.ended.count() == ended, "a task that waits not to end")?;
    board.go.raise();
    board.ended.reaches(ended + 1).await;
    Ok(())
}

async fn a_slot_is_busy_while_its_task_runs<R: TimeSource + SpawnStatically, const WORDS: usize>(
    rt: &'static R,
    slots: &'static Slots<WORDS>,
) -> Result<(), Fault> {
    let board = &slots.board;
    let (started, ended) = (board.started.count(), board.ended.count());
    start(rt, &slots.first, board, Part::Wait).await?;
    board.started.reaches(started + 1).await;

    let mut made = false;
    let again = rt.spawn_static(&slots.first, || {
        made = true;
        resident(board, Part::Wait)
    });
    board.go.raise();
    board.ended.reaches(ended + 1).await;
    expect(again == Err(SpawnError::Busy), "a slot whose task runs to be Busy")?;
    expect(!made, "`make` not to be called when the slot is busy")?;
    expect(board.started.count() == started + 1, "one task to have started, not two")
}

async fn a_slot_can_be_used_again<R: TimeSource + SpawnStatically, const WORDS: usize>(
    rt: &'static R,
    slots: &'static Slots<WORDS>,
) -> Result<(), Fault> {
    for _ in 0..5 {
        a_static_task_runs(rt, slots).await?;
    }
    Ok(())
}

async fn two_static_tasks_talk<R: TimeSource + SpawnStatically, const WORDS: usize>(
    rt: &'static R,
    slots: &'static Slots<WORDS>,
) -> Result<(), Fault> {
    let board = &slots.board;
    let (started, ended, answers) = (board.started.count(), board.ended.count(), board.answer.count());
    start(rt, &slots.first, board, Part::Answer).await?;
    board.started.reaches(started + 1).await;
    start(rt, &slots.second, board, Part::Ask).await?;
    board.ended.reaches(ended + 2).await;
    expect(board.answer.count() == answers + ROUNDS, "every question to be answered")
}

async fn a_panic_frees_its_slot<R: TimeSource + SpawnStatically, const WORDS: usize>(
    rt: &'static R,
    slots: &'static Slots<WORDS>,
) -> Result<(), Fault> {
    let board = &slots.board;
    let (started, ended) = (board.started.count(), board.ended.count());
    start(rt, &slots.second, board, Part::Answer).await?;
    board.started.reaches(started + 1).await;
    start(rt, &slots.first, board, Part::Panic).await?;
    board.ended.reaches(ended + 1).await;
    // The slot is free again, and the neighbour is as well as before.
    start(rt, &slots.first, board, Part::Ask).await?;
    board.ended.reaches(ended + 3).await;
    Ok(())
}

async fn yield_now_lets_a_static_task_run<R: TimeSource + SpawnStatically, const WORDS: usize>(
    rt: &'static R,
    slots: &'static Slots<WORDS>,
) -> Result<(), Fault> {
    let board = &slots.board;
    let (started, ended) = (board.started.count(), board.ended.count());
    start(rt, &slots.first, board, Part::Wait).await?;
    let mut yields = 0;
    while board.started.count() == started && yields < 1_000 {
        yields += 1;
        rt.yield_now().await;
    }
    expect(board.started.count() == started + 1, "yield_now() to let a ready task run (1,000 times)")?;
    board.go.raise();
    board.ended.reaches(ended + 1).await;
    Ok(())
}
