//! The two databases: one whose records go out, one whose records come in. Each may be killed, and built again.

use super::{
    note::Note,
    watched::{Taken, Watched},
    world::{RECEIVER, SENDER, World},
};
use crate::{Chance, Scene, Tally};
use anabranch::mqtt::{MqttConnector, Version};
use anabranch::sim::SimJoinHandle;
use anabranch::{
    Anabranch, BufferCfg, BuildErrors, ConnectionState, ConnectorConfig, Consumer, Duration, JoinError, LinkStatus,
    Offline, Producer, SimAdapter, SpawnDynamically, TimeSource,
};
use std::error::Error;

/// As many flows as there are qualities of service, from `flow/0` to `flow/2`.
pub(super) const FLOWS: u8 = 3;

/// Under which name the broker knows the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// Always the same, so that who comes after a kill has its predecessor's session.
    Fixed,
    /// Another one after each kill.
    Fresh,
    /// That which the broker gives it.
    Given,
}

/// How both connect.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) sender: Name,
    pub(super) receiver: Name,
    /// Of those who have a name: the older one needs it.
    older: bool,
    keep_alive: Duration,
    patience: Duration,
    longest_pause: Duration,
    receive_maximum: u16,
    outbox: usize,
    offline: [Option<Offline>; FLOWS as usize],
    timeout: Option<Duration>,
    /// Notes are so long at most.
    note: Note,
    /// The queues' capacity, and how slow who reads them is.
    capacity: usize,
    slow: Duration,
    /// There is a link for all flows, too.
    pub(super) overlaps: bool,
}

impl Manner {
    pub(super) fn by(chance: &Chance, receiver: Name) -> Self {
        let policy = || match chance.below(6) {
            0 => Some(Offline::Drop),
            1 => Some(Offline::KeepNewest(chance.size(0, 4))),
            _ => None,
        };
        Manner {
            sender: if chance.one_in(2) { Name::Fixed } else { Name::Given },
            receiver,
            older: chance.one_in(3),
            keep_alive: Duration::from_secs(1 + chance.below(3)),
            patience: Duration::from_millis(800 + chance.below(3000)),
            longest_pause: Duration::from_millis(100 + chance.below(4000)),
            receive_maximum: chance.size(1, 5) as u16,
            outbox: 1024 << chance.below(4),
            offline: [policy(), policy(), policy()],
            timeout: chance.one_in(6).then(|| Duration::from_millis(100 + chance.below(900))),
            note: Note { longest: if chance.one_in(2) { 1 } else { 200 } },
            capacity: chance.size(1, 3),
            slow: Duration::from_millis(chance.below(40)),
            overlaps: chance.one_in(3),
        }
    }

    /// As it is where nothing goes wrong that anybody would give up for, and each flow has one link.
    pub(super) fn patient(self) -> Self {
        Manner {
            keep_alive: Duration::from_secs(30),
            patience: Duration::from_secs(30),
            offline: [None; FLOWS as usize],
            timeout: None,
            overlaps: false,
            ..self
        }
    }

    /// After how long both know for sure whether there is a connection.
    pub(super) fn notices_within(&self) -> Duration {
        // A ping goes unanswered; an attempt to connect and one to subscribe do; all pauses are waited for.
        self.keep_alive * 2 + self.patience * 4 + self.longest_pause * 2 + Duration::from_secs(4)
    }

    fn connector(&self, name: Name, host: &str, life: u32) -> MqttConnector {
        let connector = MqttConnector::new("mqtt://broker")
            .keep_alive(self.keep_alive)
            .answer_within(self.patience)
            .backoff(Duration::from_millis(20), self.longest_pause)
            .outbox_bytes(self.outbox);
        let connector = match name {
            // There, the broker is not told how many values it may send at once.
            Name::Fixed | Name::Fresh if self.older => connector.version(Version::V3_1_1),
            _ => connector.receive_maximum(self.receive_maximum),
        };
        match name {
            Name::Fixed => connector.client_id(host),
            Name::Fresh => connector.client_id(format!("{host}-{life}")),
            Name::Given => connector,
        }
    }
}

pub(super) type Failed = Box<dyn Error + Send + Sync>;

/// The database whose records go out.
pub(super) struct Sender {
    pub(super) db: Anabranch<SimAdapter>,
    producers: Vec<Producer<u64>>,
    pub(super) taken: Taken,
    pub(super) killed: bool,
}

impl Sender {
    pub(super) async fn start(scene: &Scene<SimAdapter>, manner: &Manner, life: u32) -> Result<Self, BuildErrors> {
        let taken = Taken::default();
        let connector = Watched::new(manner.connector(manner.sender, SENDER, life), taken.clone());
        let mut builder = Anabranch::builder().runtime(scene.runtime.on_host(SENDER)).with_connector(connector);
        for (flow, offline) in (0..FLOWS).zip(manner.offline) {
            let (note, timeout) = (manner.note, manner.timeout);
            builder = builder.configure::<u64>(format!("out {flow}"), move |record| {
                record.with_buffer(BufferCfg::SpmcRing { capacity: 64 });
                record
                    .link_to(format!("mqtt://flow/{flow}"))
                    .with_serializer(move |number, payload| note.write(*number, payload))
                    .with_config(ConnectorConfig { qos: Some(flow), offline, timeout, ..Default::default() });
            });
        }
        let db = builder.build().await?;
        let mut producers = Vec::new();
        for flow in 0..FLOWS {
            producers.extend(db.producer::<u64>(format!("out {flow}")).ok());
        }
        db.start();
        Ok(Sender { db, producers, taken, killed: false })
    }

    pub(super) fn produce(&self, number: u64) {
        self.producers[usize::from(flow_of(number))].produce(number);
    }

    /// The process ends at once, and with it what it knew.
    pub(super) async fn kill(&mut self, world: &World) {
        world.network.crash(SENDER);
        let _ended_so = self.db.shutdown(Duration::ZERO).await;
        world.network.restart(SENDER);
        self.killed = true;
    }

    /// What its links say of a value is all that became of it.
    pub(super) fn is_settled(&self) -> bool {
        let connector = &self.db.connectors()[0];
        let links = self.db.links();
        let records = self.db.records();
        let done = |link: &LinkStatus| {
            let produced = records.iter().find(|r| *r.name == *link.record).map_or(0, |r| r.status.produced);
            link.kept == 0 && link.values + link.dropped + link.failed == produced
        };
        connector.state == ConnectionState::Online && connector.in_flight == 0 && links.iter().all(done)
    }
}

/// The flow of a number.
pub(super) fn flow_of(number: u64) -> u8 {
    (number % u64::from(FLOWS)) as u8
}

/// What came in, flow by flow, over all lives of the receiver.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrived {
    pub(super) flows: [Tally; FLOWS as usize],
    pub(super) all: Tally,
    pub(super) newest: Tally,
}

/// The database whose records come in.
pub(super) struct Receiver {
    pub(super) db: Anabranch<SimAdapter>,
    readers: Vec<SimJoinHandle<()>>,
}

impl Receiver {
    pub(super) async fn start(
        scene: &Scene<SimAdapter>,
        manner: &Manner,
        life: u32,
        arrived: &Arrived,
    ) -> Result<Self, Failed> {
        let connector = manner.connector(manner.receiver, RECEIVER, life);
        let mut builder = Anabranch::builder().runtime(scene.runtime.on_host(RECEIVER)).with_connector(connector);
        let note = manner.note;
        for flow in 0..FLOWS {
            let buffer = match flow {
                0 => BufferCfg::SpmcRing { capacity: 64 },
                _ => BufferCfg::Queue { capacity: manner.capacity, consumers: 1 },
            };
            builder = builder.configure::<u64>(format!("in {flow}"), move |record| {
                record.with_buffer(buffer);
                record
                    .link_from(format!("mqtt://flow/{flow}"))
                    .with_deserializer(move |bytes, _| note.read(bytes, flow))
                    .with_config(ConnectorConfig { qos: Some(flow), ..Default::default() });
            });
        }
        builder = builder.configure::<u64>("newest", move |record| {
            record.with_buffer(BufferCfg::SingleLatest);
            record
                .link_from("mqtt://flow/1")
                .with_deserializer(move |bytes, _| note.read(bytes, 1))
                .with_config(ConnectorConfig { qos: Some(1), ..Default::default() });
        });
        if manner.overlaps {
            builder = builder.configure::<u64>("all", move |record| {
                record.with_buffer(BufferCfg::SpmcRing { capacity: 1024 });
                record
                    .link_from("mqtt://flow/{flow}")
                    .with_deserializer(move |bytes, bound| {
                        let flow = bound.get("flow").and_then(|flow| flow.parse().ok()).ok_or("no flow")?;
                        note.read(bytes, flow)
                    })
                    .with_config(ConnectorConfig { qos: Some(1), ..Default::default() });
            });
        }
        let db = builder.build().await?;
        let slow = (scene.chance.clone(), manner.slow);
        let mut readers = Vec::new();
        for (flow, tally) in (0..).zip(&arrived.flows) {
            let slow = slow.clone();
            let slow = if flow == 0 { None } else { Some(slow) };
            readers.push(collect(scene, db.consumer(format!("in {flow}"))?, tally, slow));
        }
        readers.push(collect(scene, db.consumer("newest")?, &arrived.newest, None));
        if manner.overlaps {
            readers.push(collect(scene, db.consumer("all")?, &arrived.all, None));
        }
        db.start();
        Ok(Receiver { db, readers })
    }

    /// Its records have closed: what is left in them is read.
    pub(super) async fn read_out(&mut self) -> Result<(), JoinError> {
        for reader in self.readers.drain(..) {
            reader.await?;
        }
        Ok(())
    }

    /// The process ends at once. What was in its records has arrived, and is read.
    pub(super) async fn kill(&mut self, world: &World) -> Result<(), JoinError> {
        world.network.crash(RECEIVER);
        let _ended_so = self.db.shutdown(Duration::ZERO).await;
        world.network.restart(RECEIVER);
        self.read_out().await
    }
}

/// Writes down all that comes, until the record has closed.
fn collect(
    scene: &Scene<SimAdapter>,
    mut values: Consumer<u64>,
    tally: &Tally,
    slow: Option<(Chance, Duration)>,
) -> SimJoinHandle<()> {
    let (runtime, tally) = (scene.runtime.clone(), tally.clone());
    scene.runtime.spawn(async move {
        while let Some(value) = values.next().await {
            tally.saw(value);
            if let Some((chance, longest)) = &slow {
                runtime.sleep(chance.shorter_than(*longest)).await;
            }
        }
        tally.lagged_by(values.lagged());
    })
}
