//! `anabranch demo`: everything that happens becomes an event, and one loop hands the events to one output.

use std::{
    future::{Future, poll_fn},
    io::{self, ErrorKind, IsTerminal},
    ops::ControlFlow,
    pin::Pin,
    process,
    task::Poll,
    thread,
    time::Duration,
};

use anabranch::{AccessError, JoinError, RunError, Shutdown, TokioAdapter, prelude::*};
use ratatui::crossterm::event::KeyEvent;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::JoinHandle as Task,
};

use crate::{
    arguments::Demo,
    failure::Failure,
    flow::{self, Options},
    lines::Lines,
    machine::{self, Sensors},
    readings::{Alert, Cpu, Disk, Level, Load, Memory, Network, Reading, Seen, Temperature, Value},
    tell,
    view::{About, View},
};

pub type Database = Anabranch<TokioAdapter>;

/// What can happen while the demo runs.
#[derive(Debug)]
pub enum Event {
    /// A value passed through a record.
    Seen(Seen),
    /// It is time to draw again.
    Tick,
    Key(KeyEvent),
    /// Somebody wants it to end: a signal, or the time that was given.
    Stop,
    /// All services have ended, and every value was seen.
    Ended(Result<Result<(), RunError>, JoinError>),
}

/// What the events are shown on. To break off is to ask for the end.
pub trait Output {
    fn seen(&mut self, seen: Seen) -> io::Result<()>;

    /// Called every [`REDRAW`], for an output that is drawn.
    fn tick(&mut self, _db: &Database) -> io::Result<()> {
        Ok(())
    }

    fn key(&mut self, _key: KeyEvent) -> io::Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// All has ended.
    fn finish(&mut self, _db: &Database) -> io::Result<()> {
        Ok(())
    }
}

/// How often the live view is drawn: often enough to feel alive, and seldom enough to cost nothing.
const REDRAW: Duration = Duration::from_millis(250);

/// How long the services may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// What may wait for the output. When it is slower than the machine, the records' consumers lag, and say so.
const WAITING_EVENTS: usize = 64;

const NO_SENSORS: &str = "no record `temperature`: this machine shows no sensor";

/// Runs the demo to its end.
pub fn run(demo: &Demo) -> Result<(), Failure> {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let threads = threads.map_err(Failure::Threads)?;
    let done = threads.block_on(watch(demo));
    // Nothing is left to be done but by threads that wait for keys or signals.
    threads.shutdown_background();
    done
}

async fn watch(demo: &Demo) -> Result<(), Failure> {
    let runtime = TokioAdapter::current()?;
    let temperature = matches!(runtime.spawn_blocking(|| Sensors::open().is_some()).await, Ok(true));
    let options = Options { limits: demo.limits(), watching: demo.watching(), temperature };
    let db = flow::of_this_machine(runtime.clone(), options, demo.every).await?;
    let (sender, mut events) = channel(WAITING_EVENTS);
    if demo.graph {
        return quiet(io::Write::write_all(&mut io::stdout(), db.graph().to_mermaid().as_bytes()));
    }
    let signals = sender.clone();
    ctrlc::set_handler(move || end_by_a_signal(signals.clone()))?;
    if let Some(limit) = demo.run_for {
        let (end, at) = (sender.clone(), runtime.sleep(limit));
        runtime.spawn(async move {
            at.await;
            end.send(Event::Stop).await
        });
    }
    if demo.json || demo.plain || !io::stdout().is_terminal() {
        if !temperature {
            tell(format_args!("note: {NO_SENSORS}"));
        }
        return drive(&db, sender, &mut events, &mut Lines::new(io::stdout(), demo.json)).await;
    }
    let about = About {
        machine: runtime.spawn_blocking(machine::name).await.unwrap_or_default(),
        every: demo.every,
        limits: demo.limits(),
        note: if temperature { None } else { Some(NO_SENSORS) },
    };
    let mut view = View::open(about, &db, sender.clone()).map_err(Failure::Terminal)?;
    let ticks = sender.clone();
    let mut every = runtime.interval(REDRAW);
    runtime.spawn(async move {
        while ticks.send(Event::Tick).await.is_ok() {
            every.skip_missed();
            every.tick().await;
        }
    });
    drive(&db, sender, &mut events, &mut view).await
}

/// Asks for the end, on the thread that waits for signals. The end does not come while the output takes nothing (a reader
/// that stands still); then the process ends without it.
fn end_by_a_signal(events: Sender<Event>) {
    thread::spawn(move || events.blocking_send(Event::Stop));
    thread::sleep(GRACE + GRACE / 2);
    tell(format_args!("error: {}", Failure::Stuck));
    process::exit(1);
}

/// Starts the database, and hands every event to `output` until all has ended. Then nothing is on its way any more: the
/// values that were measured before a stop are shown after it.
async fn drive(
    db: &Database,
    sender: Sender<Event>,
    events: &mut Receiver<Event>,
    output: &mut impl Output,
) -> Result<(), Failure> {
    let followers = followers(db)?;
    let running = db.clone();
    let running = db.runtime().spawn(async move { running.run().await });
    db.runtime().spawn(async move {
        follow(followers, &sender).await;
        sender.send(Event::Ended(running.await)).await
    });
    let mut shown = Ok(());
    let mut stopping: Option<Task<Shutdown>> = None;
    while let Some(event) = events.recv().await {
        let flow = match event {
            Event::Stop => Ok(ControlFlow::Break(())),
            Event::Ended(end) => {
                shown = shown.and_then(|()| output.finish(db));
                quiet(shown)?;
                end.map_err(|_| Failure::Cut)??;
                break;
            }
            // Where nothing can be shown any more, the rest is let go.
            _ if shown.is_err() => continue,
            Event::Seen(seen) => output.seen(seen).map(ControlFlow::Continue),
            Event::Tick => output.tick(db).map(ControlFlow::Continue),
            Event::Key(key) => output.key(key),
        };
        let stop = flow.unwrap_or_else(|error| {
            shown = Err(error);
            ControlFlow::Break(())
        });
        if stop.is_break() && stopping.is_none() {
            let db = db.clone();
            stopping = Some(tokio::spawn(async move { db.shutdown(GRACE).await }));
        }
    }
    match stopping {
        Some(stopping) => match stopping.await.unwrap_or_default().aborted {
            none if none.is_empty() => Ok(()),
            aborted => Err(Failure::Aborted(aborted)),
        },
        None => Ok(()),
    }
}

/// A reader that has seen enough closes the pipe, as `head` does: that is an end and no failure.
fn quiet(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::Output(error)),
        _ => Ok(()),
    }
}

/// Waits for the next value of one record; with it comes who waits for the one after. Nothing comes when it has closed.
struct Follower(Pin<Box<dyn Future<Output = Came> + Send>>);
type Came = Option<(Seen, Follower)>;

impl Follower {
    fn of<T: Into<Value> + Clone + Send + 'static>(db: &Database, record: &'static str) -> Result<Self, AccessError> {
        Ok(Self::wait(record, db.consumer::<Reading<T>>(record)?))
    }

    fn wait<T: Into<Value> + Clone + Send + 'static>(record: &'static str, mut consumer: Consumer<Reading<T>>) -> Self {
        Follower(Box::pin(async move {
            let Reading { time, value } = consumer.next().await?;
            Some((Seen { record, time, value: value.into() }, Self::wait(record, consumer)))
        }))
    }
}

/// Followers of every record that is there: the consumers exist before the first value does.
fn followers(db: &Database) -> Result<Vec<Follower>, AccessError> {
    let temperature = db.record_names().contains(&flow::TEMPERATURE);
    let temperature = temperature.then(|| Follower::of::<Temperature>(db, flow::TEMPERATURE)).transpose()?;
    let rest = [
        Follower::of::<Cpu>(db, flow::CPU)?,
        Follower::of::<Memory>(db, flow::MEMORY)?,
        Follower::of::<Disk>(db, flow::DISK)?,
        Follower::of::<Network>(db, flow::NETWORK)?,
        Follower::of::<Load>(db, flow::LOAD)?,
        Follower::of::<Level>(db, flow::LEVELS)?,
        Follower::of::<Level>(db, flow::SMOOTH)?,
        Follower::of::<Alert>(db, flow::ALERTS)?,
    ];
    Ok(rest.into_iter().chain(temperature).collect())
}

/// Makes an event of each value, in the order of the records where several are there, until all records have closed or
/// nobody takes events any more.
async fn follow(mut followers: Vec<Follower>, to: &Sender<Event>) {
    while !followers.is_empty() {
        let (index, came) = poll_fn(|cx| {
            let mut ready = followers.iter_mut().enumerate();
            ready
                .find_map(|(index, follower)| match follower.0.as_mut().poll(cx) {
                    Poll::Ready(came) => Some(Poll::Ready((index, came))),
                    Poll::Pending => None,
                })
                .unwrap_or(Poll::Pending)
        })
        .await;
        match came {
            Some((seen, next)) => {
                followers[index] = next;
                if to.send(Event::Seen(seen)).await.is_err() {
                    return;
                }
            }
            None => drop(followers.remove(index)),
        }
    }
}
