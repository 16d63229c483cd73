//! Links whose peer comes and goes: what their policies say becomes of values, counted to the last one.

use crate::{Chance, Scene, Tally, Verdict, holds, rising, same};
use anabranch::{
    Anabranch, BufferCfg, Connection, ConnectionState, Connector, ConnectorBuilder, ConnectorConfig, ConnectorError,
    ConnectorStatus, Duration, Offline, PublishError, Running, Runtime, RuntimeExt, SpawnDynamically,
};
use std::{
    fmt::Write,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// A connector without a protocol, whose peer comes and goes, and has room for a few values at a time.
struct Flapping {
    chance: Chance,
    published: Tally,
}

impl<R: Runtime + SpawnDynamically> ConnectorBuilder<R> for Flapping {
    fn scheme(&self) -> &str {
        "flap"
    }

    fn build(&self, db: &Anabranch<R>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        Ok(Arc::new(Peer {
            runtime: db.runtime().clone(),
            chance: self.chance.clone(),
            published: self.published.clone(),
            connection: Connection::new(),
            online: AtomicBool::new(false),
            room: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
        }))
    }
}

struct Peer<R> {
    runtime: R,
    chance: Chance,
    published: Tally,
    connection: Connection,
    online: AtomicBool,
    room: AtomicUsize,
    closed: AtomicBool,
}

impl<R: Runtime + SpawnDynamically> Connector for Peer<R> {
    fn publish(&self, _to: &str, _config: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(PublishError::Closed);
        }
        if !self.online.load(Ordering::Acquire) {
            return Err(PublishError::NotConnected);
        }
        let took = self.room.fetch_update(Ordering::AcqRel, Ordering::Acquire, |room| room.checked_sub(1));
        took.map_err(|_| PublishError::Full)?;
        if let Some(number) = std::str::from_utf8(payload).ok().and_then(|digits| digits.parse().ok()) {
            self.published.saw(number);
        }
        Ok(())
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(self: Arc<Self>) -> Running {
        Box::pin(async move {
            while !self.closed.load(Ordering::Acquire) {
                self.runtime.sleep(self.chance.shorter_than(Duration::from_millis(3))).await;
                let online = self.chance.one_in(2);
                self.room.store(self.chance.size(0, 6), Ordering::Release);
                self.online.store(online, Ordering::Release);
                self.connection.says(if online { ConnectionState::Online } else { ConnectionState::Offline });
            }
        })
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    fn status(&self) -> ConnectorStatus {
        ConnectorStatus::new("flap", "nobody")
    }
}

/// A ring with a link out, while its peer comes and goes: each value is published, dropped by the link's policy, or missed
/// by a link that was too slow for the ring; each once, in order, and all are counted.
pub async fn offline<R: Runtime + SpawnDynamically>(scene: Scene<R>) -> Verdict {
    let Scene { runtime, chance, .. } = &scene;
    let (policy, kept) = match chance.below(4) {
        0 => (Some(Offline::Drop), 0),
        1 => (None, 1024),
        _ => {
            let newest = chance.size(0, 5);
            (Some(Offline::KeepNewest(newest)), newest)
        }
    };
    let timeout = chance.one_in(3).then(|| chance.shorter_than(Duration::from_millis(4)));
    let capacity = if chance.one_in(2) { 64 } else { chance.size(1, 4) };
    let published = Tally::default();
    let db = scene
        .database()
        .with_connector(Flapping { chance: chance.clone(), published: published.clone() })
        .configure::<u64>("numbers", |record| {
            record.with_buffer(BufferCfg::SpmcRing { capacity });
            record
                .link_to("flap://numbers")
                .with_serializer(|number, payload| write!(payload, "{number}"))
                .with_config(ConnectorConfig { offline: policy, timeout, ..Default::default() });
        })
        .build()
        .await?;
    let numbers = db.producer::<u64>("numbers")?;
    db.start();
    let produced = 1 + chance.below(40);
    for number in 0..produced {
        numbers.produce(number);
        let kept_now = db.links()[0].kept;
        holds(
            || format!("{kept_now} values are kept, of {kept} at most, or one that waits for room"),
            kept_now <= kept.max(1),
        )?;
        match chance.below(4) {
            0 => runtime.sleep(chance.shorter_than(Duration::from_millis(2))).await,
            1 => runtime.yield_now().await,
            _ => {}
        }
    }
    same("who was aborted", db.shutdown(scene.grace).await.aborted, Vec::new())?;
    let (link, record) = (db.links().remove(0), db.records().remove(0).status);
    let numbers = published.values();
    rising("what was published", &numbers)?;
    same("how many passed", link.values, numbers.len() as u64)?;
    same("what is still kept, and what failed", (link.kept, link.failed), (0, 0))?;
    same("what became of all", link.values + link.dropped + record.lost, produced)?;
    if capacity == 64 {
        same("what a ring with room for all lost", record.lost, 0)?;
    }
    if timeout.is_none() && kept == 1024 {
        same("what was dropped by a link that keeps all", link.dropped, 0)?;
    }
    if timeout.is_none() && kept > 0 {
        same("the newest, which is never dropped", numbers.last().copied(), Some(produced - 1))?;
    }
    Ok(())
}
