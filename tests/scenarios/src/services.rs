//! The services that scenarios are made of. Each is written as a user would write it.

use crate::{Chance, Struck, Tally, Trouble};
use anabranch::prelude::*;
use std::{
    convert::Infallible,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// The numbers that [`produce`] sends. It is shared by the runs of the service, so a new run goes on where the last was.
#[derive(Debug, Clone)]
pub struct Script {
    next: Arc<AtomicU64>,
    until: u64,
    chance: Chance,
    trouble: Trouble,
}

impl Script {
    /// `from..until`.
    #[must_use]
    pub fn numbers(from: u64, until: u64, chance: &Chance) -> Self {
        Script { next: Arc::new(AtomicU64::new(from)), until, chance: chance.clone(), trouble: Trouble::none(chance) }
    }

    /// With trouble between two numbers.
    #[must_use]
    pub fn with_trouble(self, trouble: Trouble) -> Self {
        Script { trouble, ..self }
    }

    /// The number that is sent next: all below it were.
    #[must_use]
    pub fn reached(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }
}

/// Sends the numbers of its script.
#[service(restart = "on-failure", backoff = "1ms", max_backoff = "4ms")]
pub async fn produce<R: Runtime>(ctx: RuntimeContext<R>, output: Producer<u64>, script: Script) -> Result<(), Struck> {
    loop {
        script.trouble.come()?;
        script.chance.dawdle(ctx.runtime()).await;
        let next = script.reached();
        if next >= script.until || output.send(next).await.is_err() {
            return Ok(());
        }
        script.next.store(next + 1, Ordering::Release);
    }
}

/// What [`relay`] does beside its work.
#[derive(Debug, Clone)]
pub struct Passage {
    /// For its pauses.
    pub chance: Chance,
    /// Comes over a value in its hand.
    pub trouble: Trouble,
    /// The values that trouble came over.
    pub lost: Tally,
}

impl Passage {
    /// One in which nothing goes wrong.
    #[must_use]
    pub fn smooth(chance: &Chance) -> Self {
        Passage { chance: chance.clone(), trouble: Trouble::none(chance), lost: Tally::default() }
    }
}

/// Sends on what it receives.
#[service(restart = "on-failure", backoff = "1ms", max_backoff = "4ms")]
pub async fn relay<R: Runtime>(
    ctx: RuntimeContext<R>,
    input: &mut Consumer<u64>,
    output: Producer<u64>,
    passage: Passage,
) -> Result<(), Struck> {
    while let Some(value) = input.next().await {
        passage.trouble.come_over(value, &passage.lost)?;
        passage.chance.dawdle(ctx.runtime()).await;
        if output.send(value).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// What [`collect`] writes down, and what happens to it meanwhile.
#[derive(Debug, Clone)]
pub struct Collection {
    /// For its pauses.
    pub chance: Chance,
    /// The longest time that it takes over a value; zero for none.
    pub slow: Duration,
    /// Comes after a value was written down.
    pub trouble: Trouble,
    /// The values.
    pub tally: Tally,
}

impl Collection {
    /// A fast one to which nothing happens.
    #[must_use]
    pub fn new(chance: &Chance) -> Self {
        Collection {
            chance: chance.clone(),
            slow: Duration::ZERO,
            trouble: Trouble::none(chance),
            tally: Tally::default(),
        }
    }
}

/// Writes down what it receives.
#[service(restart = "on-failure", backoff = "1ms", max_backoff = "4ms")]
pub async fn collect<R: Runtime>(
    ctx: RuntimeContext<R>,
    input: &mut Consumer<u64>,
    collection: Collection,
) -> Result<(), Struck> {
    while let Some(value) = input.next().await {
        collection.tally.saw(value);
        collection.trouble.come()?;
        match collection.slow {
            Duration::ZERO => collection.chance.dawdle(ctx.runtime()).await,
            slow => ctx.sleep(collection.chance.shorter_than(slow)).await,
        }
    }
    collection.tally.lagged_by(input.lagged());
    Ok(())
}

/// Four that share the work: each writes down what it took.
#[service(restart = "on-failure", backoff = "1ms", max_backoff = "4ms", instances = 4)]
pub async fn share<R: Runtime>(
    ctx: RuntimeContext<R>,
    input: &mut Consumer<u64>,
    taken: [Tally; 4],
    collection: Collection,
) -> Result<(), Struck> {
    while let Some(value) = input.next().await {
        collection.tally.saw(value);
        taken[usize::from(ctx.instance())].saw(value);
        collection.trouble.come()?;
        collection.chance.dawdle(ctx.runtime()).await;
    }
    Ok(())
}

/// What [`rally`] plays.
#[derive(Debug, Clone)]
pub struct Game {
    /// Whether it has the first number.
    pub serves: bool,
    /// Who gets this number ends.
    pub until: u64,
    /// For its pauses.
    pub chance: Chance,
    /// The numbers that came.
    pub seen: Tally,
}

/// Plays each number back, one higher.
#[service(restart = "on-failure", backoff = "1ms", max_backoff = "4ms")]
pub async fn rally<R: Runtime>(
    ctx: RuntimeContext<R>,
    input: &mut Consumer<u64>,
    output: Producer<u64>,
    game: Game,
) -> Result<(), Struck> {
    if game.serves {
        output.produce(0);
    }
    while let Some(number) = input.next().await {
        game.seen.saw(number);
        if number >= game.until {
            break;
        }
        game.chance.dawdle(ctx.runtime()).await;
        output.produce(number + 1);
    }
    Ok(())
}

/// Takes one value and never ends.
#[service(restart = "on-failure", backoff = "1ms", max_backoff = "4ms")]
pub async fn hang<R: Runtime>(_ctx: RuntimeContext<R>, input: &mut Consumer<u64>) -> Result<(), Infallible> {
    input.next().await;
    pending().await
}

/// How a run of [`fail`] ends.
#[derive(Debug, Clone)]
pub struct Failing {
    /// How long a run lasts.
    pub lasts: Duration,
    /// How many runs fail; the next one is well.
    pub times: u64,
    /// Whether it panics.
    pub panics: bool,
    /// When its runs began, in nanoseconds since `start`.
    pub began: Tally,
}

/// Fails for a while, or for ever. It is tried again after 10 ms, 20, 40, 50, 50; five times in a row.
#[service(restart = "on-failure", backoff = "10ms", max_backoff = "50ms", limit = 5)]
pub async fn fail<R: Runtime>(ctx: RuntimeContext<R>, start: StartOf<R>, failing: Failing) -> Result<(), Struck> {
    let before = failing.began.values().len() as u64;
    failing.began.saw(u64::try_from(ctx.now().since(start.0).as_nanos()).unwrap_or(u64::MAX));
    ctx.sleep(failing.lasts).await;
    match failing.panics {
        _ if before >= failing.times => Ok(()),
        true => std::panic::resume_unwind(Box::new("the wheel came off".to_string())),
        false => Err(Struck),
    }
}

/// When a scenario began.
#[derive(Debug, Clone)]
pub struct StartOf<R: TimeSource>(pub R::Instant);

/// Sleeps and yields and never ends, until it is stopped.
#[service(restart = "on-failure", backoff = "1ms", max_backoff = "4ms")]
pub async fn idle<R: Runtime>(ctx: RuntimeContext<R>, output: Producer<u64>) -> Result<(), Infallible> {
    loop {
        ctx.sleep(Duration::from_millis(5)).await;
        ctx.yield_now().await;
        output.produce(0);
    }
}
