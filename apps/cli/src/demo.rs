//! `anabranch demo`: everything that happens becomes an event, and one loop hands the events to one output.

use std::{
    future::{Future, poll_fn},
    io::{self, IsTerminal},
    ops::ControlFlow,
    pin::Pin,
    process,
    task::Poll,
    thread,
    time::Duration,
};

use anabranch::{
    AccessError, ConnectionState, GraphService, GraphServiceKind, JoinError, RunError, ServicePhase, Shutdown,
    TokioAdapter, prelude::*,
};
use ratatui::crossterm::event::KeyEvent;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::JoinHandle as Task,
};

use crate::{
    arguments::Demo,
    failure::{Failure, quiet},
    flow::{self, Options},
    lines::Lines,
    machine::{self, Sensors},
    mqtt::{Mqtt, Topics},
    past::Past,
    readings::{
        Alert, Command, Cpu, Crossing, Disk, Level, Limits, Load, Memory, Network, Reading, Seen, Temperature, Value,
    },
    tell,
    timestamp::Timestamp,
    view::{About, View},
};

pub type Database = Anabranch<TokioAdapter>;

/// What can happen while the demo runs.
#[derive(Debug)]
pub enum Event {
    /// A value passed through a record.
    Seen(Seen),
    /// It is time to look at everything, and to draw again.
    Tick,
    Key(KeyEvent),
    /// Somebody wants it to end: a signal, or the time that was given.
    Stop,
    /// All services have ended, and every value was seen.
    Ended(Result<Result<(), RunError>, JoinError>),
}

/// What the events are shown on. To break off is to ask for the end.
pub trait Output {
    /// Before anything is measured.
    fn begin(&mut self, _db: &Database) -> io::Result<()> {
        Ok(())
    }

    fn seen(&mut self, seen: Seen) -> io::Result<()>;

    /// Called every [`LOOK`], to show how everything is doing.
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

/// How often is looked how everything is doing: often enough to feel alive, and seldom enough to cost nothing.
const LOOK: Duration = Duration::from_millis(250);

/// How often is looked how much is kept.
const LOOK_BACK: Duration = Duration::from_secs(1);

/// How long services, links and the connector may take to end.
const GRACE: Duration = Duration::from_millis(1500);

/// The same when there is no connection, so that what is kept for it goes nowhere.
const GRACE_ALONE: Duration = Duration::from_millis(1000);

/// What may wait for the output. When it is slower than the machine, the records' consumers lag, and say so.
const WAITING_EVENTS: usize = 64;

const NO_SENSORS: &str = "no record `temperature`: this machine shows no sensor";

/// Runs the demo to its end.
pub fn run(demo: &Demo) -> Result<(), Failure> {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let threads = threads.map_err(Failure::Threads)?;
    let done = threads.block_on(watch(demo));
    // Nothing is left to be done but by threads that wait for keys or signals.
    threads.shutdown_background();
    done
}

async fn watch(demo: &Demo) -> Result<(), Failure> {
    let runtime = TokioAdapter::current()?;
    let temperature = matches!(runtime.spawn_blocking(|| Sensors::open().is_some()).await, Ok(true));
    let (past, unkept) = if demo.graph { (None, None) } else { Past::open(demo, &runtime).await? };
    let keep = past.is_some() || demo.graph && !demo.no_data;
    let options = Options { limits: demo.limits(), watching: demo.watching(), temperature, keep };
    let machine = runtime.spawn_blocking(machine::name).await.unwrap_or_default();
    let topics = Topics::of(&machine);
    let mqtt = match &demo.broker {
        _ if demo.no_mqtt => None,
        Some(url) => Some(Mqtt::through(url, topics)),
        None => Some(Mqtt::in_process(&runtime, topics).map_err(Failure::Broker)?),
    };
    let db = flow::of_this_machine(runtime.clone(), options, demo.every, mqtt.as_ref(), past.as_ref()).await?;
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
    let ticks = sender.clone();
    let mut every = runtime.interval(LOOK);
    runtime.spawn(async move {
        while ticks.send(Event::Tick).await.is_ok() {
            every.skip_missed();
            every.tick().await;
        }
    });
    if let Some(past) = past.clone() {
        let (looking, mut every) = (runtime.clone(), runtime.interval(LOOK_BACK));
        let over = sender.clone();
        runtime.spawn(async move {
            while !over.is_closed() {
                every.skip_missed();
                every.tick().await;
                past.look(&looking).await;
            }
        });
    }
    if demo.json || demo.plain || !io::stdout().is_terminal() {
        if !temperature {
            tell(format_args!("note: {NO_SENSORS}"));
        }
        if let Some(unkept) = unkept {
            tell(format_args!("note: {unkept}"));
        }
        let mut lines = Lines::new(io::stdout(), demo.json, mqtt.as_ref(), past.as_ref());
        return drive(&db, sender, &mut events, &mut lines, past.as_ref()).await;
    }
    let before = match &past {
        Some(past) => past.recall(&runtime).await,
        None => Vec::new(),
    };
    let about = About {
        machine,
        every: demo.every,
        limits: demo.limits(),
        mqtt,
        past: past.clone(),
        note: unkept.or_else(|| (!temperature).then(|| NO_SENSORS.to_owned())),
    };
    let mut view = View::open(about, &db, sender.clone()).map_err(Failure::Terminal)?;
    before.into_iter().for_each(|seen| view.recall(seen));
    drive(&db, sender, &mut events, &mut view, past.as_ref()).await
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
    past: Option<&Past>,
) -> Result<(), Failure> {
    let followers = followers(db)?;
    let running = db.clone();
    let running = db.runtime().spawn(async move { running.run().await });
    db.runtime().spawn(async move {
        follow(followers, &sender).await;
        sender.send(Event::Ended(running.await)).await
    });
    let mut shown = output.begin(db);
    let mut stopping: Option<Task<Shutdown>> = None;
    while let Some(event) = events.recv().await {
        let flow = match event {
            Event::Stop => Ok(ControlFlow::Break(())),
            Event::Ended(end) => {
                if let Some(past) = past {
                    past.look(db.runtime()).await;
                }
                shown = shown.and_then(|()| output.finish(db));
                quiet(shown)?;
                end.map_err(|_| Failure::Cut)??;
                break;
            }
            // Where nothing can be shown any more, the rest is let go.
            _ if shown.is_err() => continue,
            Event::Seen(seen) => output.seen(seen).map(ControlFlow::Continue),
            // Whoever could still send commands does not keep a demo going that measures nothing.
            Event::Tick if !measures(db) => Ok(ControlFlow::Break(())),
            Event::Tick => output.tick(db).map(ControlFlow::Continue),
            Event::Key(key) => output.key(key),
        };
        let stop = flow.unwrap_or_else(|error| {
            shown = Err(error);
            ControlFlow::Break(())
        });
        if stop.is_break() && stopping.is_none() {
            let db = db.clone();
            let grace = if is_connected(&db) { GRACE } else { GRACE_ALONE };
            stopping = Some(tokio::spawn(async move { db.shutdown(grace).await }));
        }
    }
    let Some(stopping) = stopping else { return Ok(()) };
    let aborted = stopping.await.unwrap_or_default().aborted;
    // Links and connectors wait for a peer, which may not be there.
    let own = db.graph().services.iter().filter(|service| service.kind != GraphServiceKind::Link);
    let is_own = |name: &String| own.clone().any(|service| service.name == *name);
    let (services, unsent): (Vec<_>, Vec<_>) = aborted.into_iter().partition(is_own);
    if !unsent.is_empty() {
        let kept: usize = db.links().iter().map(|link| link.kept).sum();
        let waiting: usize = db.connectors().iter().map(|connector| connector.in_flight).sum();
        tell(format_args!("note: {} values did not reach the broker", kept + waiting));
    }
    if services.is_empty() { Ok(()) } else { Err(Failure::Aborted(services)) }
}

/// Whether every connector is connected.
fn is_connected(db: &Database) -> bool {
    db.connectors().iter().all(|connector| connector.state == ConnectionState::Online)
}

/// Whether somebody still measures: a service that reads nothing.
fn measures(db: &Database) -> bool {
    let is_source = |service: &&GraphService| service.kind == GraphServiceKind::Service && service.reads.is_empty();
    let sources = db.graph().services.iter().filter(is_source);
    let goes_on = |phase| matches!(phase, ServicePhase::Waiting | ServicePhase::Running | ServicePhase::BackingOff);
    let services = db.services();
    sources.into_iter().any(|source| services.iter().any(|one| one.name == source.name && goes_on(one.phase)))
}

/// Waits for the next value of one record; with it comes who waits for the one after. Nothing comes when it has closed.
struct Follower(Pin<Box<dyn Future<Output = Came> + Send>>);
type Came = Option<(Seen, Follower)>;

impl Follower {
    /// Of a record whose values know their time.
    fn of<T: Into<Value> + Clone + Send + 'static>(db: &Database, record: &'static str) -> Result<Self, AccessError> {
        Ok(Self::wait(db.consumer::<Reading<T>>(record)?, move |Reading { time, value }| Seen {
            record,
            time,
            value: value.into(),
        }))
    }

    /// Of commands, which are seen when they come.
    fn of_commands(db: &Database) -> Result<Self, AccessError> {
        let runtime = db.runtime().clone();
        Ok(Self::wait(db.consumer::<Command>(flow::COMMANDS)?, move |command| Seen {
            record: flow::COMMANDS,
            time: Timestamp::from_unix(runtime.unix_time().unwrap_or_default()),
            value: command.into(),
        }))
    }

    fn wait<T: Clone + Send + 'static>(
        mut consumer: Consumer<T>,
        mut seen: impl FnMut(T) -> Seen + Send + 'static,
    ) -> Self {
        Follower(Box::pin(async move {
            let value = consumer.next().await?;
            Some((seen(value), Self::wait(consumer, seen)))
        }))
    }
}

/// Followers of every record that is there: the consumers exist before the first value does.
fn followers(db: &Database) -> Result<Vec<Follower>, AccessError> {
    let names = db.record_names();
    let mut all = vec![
        Follower::of::<Cpu>(db, flow::CPU)?,
        Follower::of::<Memory>(db, flow::MEMORY)?,
        Follower::of::<Disk>(db, flow::DISK)?,
        Follower::of::<Network>(db, flow::NETWORK)?,
        Follower::of::<Load>(db, flow::LOAD)?,
        Follower::of::<Level>(db, flow::LEVELS)?,
        Follower::of::<Level>(db, flow::SMOOTH)?,
        Follower::of::<Alert>(db, flow::ALERTS)?,
        Follower::of_commands(db)?,
        Follower::of::<Limits>(db, flow::LIMITS)?,
    ];
    if names.contains(&flow::TEMPERATURE) {
        all.push(Follower::of::<Temperature>(db, flow::TEMPERATURE)?);
    }
    if names.contains(&flow::RETURNED) {
        all.push(Follower::of::<Cpu>(db, flow::RETURNED)?);
        all.push(Follower::of::<Crossing>(db, flow::CROSSING)?);
    }
    Ok(all)
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
