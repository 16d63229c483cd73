//! Links over MQTT while everything happens to them that may happen, and what was promised all the same.
//!
//! ```text
//!  Sender: records ──▶ links ──▶ connector ══▶ broker ══▶ connector ──▶ links ──▶ records: Receiver   (ends)
//!              each of them on a host of its own; the line, the hosts and the broker fail             (world)
//!  what was taken ──────────── what was published ──────────────────────────────── what arrived       (promises)
//! ```

mod ends;
mod note;
mod promises;
mod watched;
mod world;

use crate::{Scene, Verdict, holds, same};
use anabranch::{Anabranch, ConnectionState, Duration, Moment, SimAdapter, TimeSource};
use ends::{Arrived, FLOWS, Failed, Manner, Name, Receiver, Sender, flow_of};
use promises::{Course, have_arrived};
use world::{RECEIVER, SENDER, Trouble, Troubles, World};

/// How long it may take until everything has arrived, when all is well again.
const QUIET: Duration = Duration::from_secs(240);

/// One playing.
struct Stage {
    scene: Scene<SimAdapter>,
    world: World,
    manner: Manner,
    sender: Sender,
    /// Those that were killed.
    before: Vec<Sender>,
    receiver: Receiver,
    /// How many receivers there were.
    receivers: u32,
    arrived: Arrived,
    next: u64,
}

impl Stage {
    async fn new(scene: Scene<SimAdapter>, world: World, manner: Manner) -> Result<Self, Failed> {
        let arrived = Arrived::default();
        let sender = Sender::start(&scene, &manner, 1).await?;
        let receiver = Receiver::start(&scene, &manner, 1, &arrived).await?;
        Ok(Stage { scene, world, manner, sender, before: Vec::new(), receiver, receivers: 1, arrived, next: 0 })
    }

    /// Some numbers for each flow.
    fn produce(&mut self, times: usize) -> Vec<u64> {
        let numbers = self.next..self.next + times as u64 * u64::from(FLOWS);
        self.next = numbers.end;
        numbers.inspect(|number| self.sender.produce(*number)).collect()
    }

    async fn kill_sender(&mut self) -> Result<(), Failed> {
        self.sender.kill(&self.world).await;
        self.pause(Duration::from_millis(200)).await;
        let life = self.before.len() as u32 + 2;
        let next = Sender::start(&self.scene, &self.manner, life).await?;
        self.before.push(std::mem::replace(&mut self.sender, next));
        Ok(())
    }

    async fn kill_receiver(&mut self) -> Result<(), Failed> {
        self.receiver.kill(&self.world).await?;
        self.pause(Duration::from_millis(200)).await;
        self.receivers += 1;
        self.receiver = Receiver::start(&self.scene, &self.manner, self.receivers, &self.arrived).await?;
        Ok(())
    }

    async fn pause(&self, longest: Duration) {
        self.scene.runtime.sleep(self.scene.chance.shorter_than(longest)).await;
    }

    fn name(&self) -> Option<String> {
        match self.manner.receiver {
            Name::Fixed => Some(RECEIVER.into()),
            Name::Fresh => Some(format!("{RECEIVER}-{}", self.receivers)),
            Name::Given => None,
        }
    }

    fn course(&self) -> Course<'_> {
        let lives = self.before.iter().chain([&self.sender]);
        Course {
            lives: lives.map(|sender| (&sender.taken, sender.killed)).collect(),
            published: self.world.broker.published(),
            arrived: &self.arrived,
            forgot: self.world.forgot,
            successor: (self.receivers > 1).then_some(self.manner.receiver == Name::Fixed),
            name: self.name(),
            copies: 1 + usize::from(self.manner.overlaps),
        }
    }

    /// Everything that was produced has become something, and the broker holds nothing for who is there.
    fn is_settled(&self) -> bool {
        self.sender.is_settled() && self.nothing_is_owed()
    }

    /// The receiver is there, and the broker holds nothing for it.
    fn nothing_is_owed(&self) -> bool {
        let name = self.name();
        let online = self.receiver.db.connectors()[0].state == ConnectionState::Online;
        let mine = |client: &str| name.as_ref().is_none_or(|name| name == client);
        let sessions = self.world.broker.sessions();
        online && !sessions.iter().any(|one| mine(&one.client) && one.queued + one.in_flight > 0)
    }

    /// Waits until it is so, and says what is not if that takes too long.
    async fn settles(&self, what: &str) -> Verdict {
        let mut waited = Duration::ZERO;
        while !self.is_settled() {
            if waited > QUIET {
                let (sender, receiver) = (&self.sender.db, &self.receiver.db);
                let ends = (sender.connectors(), sender.links(), receiver.connectors(), receiver.links());
                return Err(format!("{what} takes for ever: {ends:?}, {:?}", self.world.broker.sessions()).into());
            }
            let step = Duration::from_millis(200).max(waited / 4);
            self.scene.runtime.sleep(step).await;
            waited += step;
        }
        Ok(())
    }

    /// Ends a database in its own time.
    async fn end_one(&self, who: &str, db: &Anabranch<SimAdapter>) -> Verdict {
        let Scene { runtime, grace, .. } = &self.scene;
        let asked = runtime.now();
        same(&format!("who was aborted at the {who}"), db.shutdown(*grace).await.aborted, Vec::new())?;
        let took = runtime.now().since(asked);
        holds(|| format!("the {who} ends within a minute, and not after {took:?}"), took < Duration::from_secs(60))
    }

    /// Both ends shut down by themselves; what had arrived is seen.
    async fn end(&mut self) -> Verdict {
        self.end_one(SENDER, &self.sender.db).await?;
        self.end_one(RECEIVER, &self.receiver.db).await?;
        self.world.end();
        Ok(self.receiver.read_out().await?)
    }

    /// The receiver ends in its own time, and another takes its place.
    async fn replace_receiver(&mut self) -> Result<(), Failed> {
        self.end_one(RECEIVER, &self.receiver.db).await?;
        self.receiver.read_out().await?;
        self.receivers += 1;
        self.receiver = Receiver::start(&self.scene, &self.manner, self.receivers, &self.arrived).await?;
        Ok(())
    }
}

/// All that may happen happens, to both ends, the line and the broker; and then nothing any more, and all is well.
pub async fn all_faults(scene: Scene<SimAdapter>) -> Verdict {
    let chance = scene.chance.clone();
    let troubles = Troubles::by(&chance);
    let receiver = match chance.below(3) {
        0 => Name::Fresh,
        1 if !troubles.kills_receiver => Name::Given,
        _ => Name::Fixed,
    };
    let manner = Manner::by(&chance, receiver);
    let world = World::new(&scene);
    let mut stage = Stage::new(scene, world, manner).await?;
    for _ in 0..chance.size(8, 14) {
        stage.produce(chance.size(0, 2));
        match stage.world.strike(&troubles) {
            Trouble::None => {}
            Trouble::KillSender => stage.kill_sender().await?,
            Trouble::KillReceiver => stage.kill_receiver().await?,
        }
        stage.pause(Duration::from_millis(700)).await;
    }
    stage.world.heal();
    // Until nobody takes a connection for open that is not.
    stage.scene.runtime.sleep(stage.manner.notices_within()).await;
    stage.settles("what was under way").await?;
    let last = stage.produce(2);
    stage.settles("what came after it").await?;
    // What nobody acknowledges is on its way, too.
    stage.scene.runtime.sleep(Duration::from_secs(5)).await;
    stage.end().await?;
    let course = stage.course();
    course.keeps_all_promises()?;
    holds(
        || format!("{last:?}, the last, have arrived: {:?}", stage.arrived.flows),
        have_arrived(&last, &stage.arrived),
    )?;
    for link in stage.receiver.db.links() {
        same("what was not read as it was written", (link.failed, link.last_error), (0, None))?;
    }
    let newest = stage.arrived.newest.values().last().copied();
    same("the newest of QoS 1", newest, last.iter().copied().filter(|number| flow_of(*number) == 1).max())
}

/// Both ends shut down at any moment, and the receiver is replaced meanwhile: the line is bad, but nothing breaks, so all that
/// was produced is published before the sender has ended, and all that was subscribed to arrives once, whoever receives it.
pub async fn shutdown(scene: Scene<SimAdapter>) -> Verdict {
    let chance = scene.chance.clone();
    let manner = Manner::by(&chance, Name::Fixed).patient();
    let world = World::new(&scene).reliable();
    let mut stage = Stage::new(scene, world, manner).await?;
    for _ in 0..chance.size(0, 8) {
        stage.produce(chance.size(0, 3));
        if chance.one_in(4) {
            stage.replace_receiver().await?;
        }
        stage.pause(Duration::from_millis(600)).await;
    }
    stage.produce(chance.size(0, 3));
    stage.end_one(SENDER, &stage.sender.db).await?;
    let course = stage.course();
    for flow in 0..FLOWS {
        let produced = (0..stage.next).filter(|number| flow_of(*number) == flow).collect();
        same("what was published when the sender had ended", course.published(|(of, _)| *of == flow), produced)?;
    }
    stage.pause(Duration::from_millis(600)).await;
    stage.replace_receiver().await?;
    let begun = stage.scene.runtime.now();
    while !stage.nothing_is_owed() {
        let waited = stage.scene.runtime.now().since(begun);
        holds(|| format!("all arrives: {:?}", stage.world.broker.sessions()), waited < QUIET)?;
        stage.scene.runtime.sleep(Duration::from_millis(500)).await;
    }
    stage.end().await?;
    let course = stage.course();
    course.keeps_all_promises()?;
    for flow in 1..FLOWS {
        same("what arrived once", stage.arrived.flows[usize::from(flow)].values(), course.owed(flow))?;
    }
    Ok(())
}
