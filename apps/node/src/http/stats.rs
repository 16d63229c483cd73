//! What a node is doing, as JSON.

use super::Face;
use anabranch::{
    BufferCfg, ConnectionState, ConnectorStatus, LinkDirection, LinkStatus, RecordStatus, ServiceStatus,
    keep::{KeepStatus, StoreOf},
};
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stats {
    node: NodeStats,
    records: Vec<RecordStats>,
    links: Vec<LinkStats>,
    connectors: Vec<ConnectorStats>,
    services: Vec<ServiceStats>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<crate::shown::Stats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeStats {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    version: &'static str,
    uptime_seconds: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RecordStats {
    name: String,
    buffer: BufferStats,
    /// Whether `PUT` may write to it.
    writable: bool,
    produced: u64,
    held: usize,
    lost: u64,
    producers: usize,
    consumers: usize,
    closed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep: Option<KeepStats>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeepStats {
    namespace: String,
    key: String,
    kept: u64,
    waiting: usize,
    lost: u64,
    failed: u64,
    uncited: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

#[derive(Serialize)]
struct BufferStats {
    kind: String,
    capacity: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumers: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkStats {
    record: String,
    address: String,
    direction: &'static str,
    values: u64,
    failed: u64,
    dropped: u64,
    kept: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConnectorStats {
    scheme: String,
    peer: String,
    state: &'static str,
    connects: u64,
    in_flight: usize,
    unrouted: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceStats {
    name: String,
    instance: u16,
    phase: String,
    restarts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
}

pub(super) fn of(face: &Face, store: Option<crate::shown::Stats>) -> Stats {
    Stats {
        node: NodeStats {
            name: face.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: face.started.elapsed().as_secs(),
        },
        records: records(face),
        links: face.db.links().into_iter().map(link).collect(),
        connectors: face.db.connectors().into_iter().map(connector).collect(),
        services: face.db.services().into_iter().map(service).collect(),
        store,
    }
}

pub(super) fn records(face: &Face) -> Vec<RecordStats> {
    let mut keeps = face.db.keeps();
    let mut keep = |name: &str| {
        let kept = keeps.iter().position(|keep| keep.record == name)?;
        let KeepStatus { namespace, key, kept, waiting, lost, failed, uncited, last_error, .. } =
            keeps.swap_remove(kept);
        Some(KeepStats { namespace, key, kept, waiting, lost, failed, uncited, last_error })
    };
    let stats = |RecordStatus { name, buffer, status, .. }| RecordStats {
        keep: keep(&name),
        writable: face.records.is_writable(&name),
        name,
        buffer: BufferStats {
            kind: buffer.kind().to_string(),
            capacity: buffer.capacity(),
            consumers: if let BufferCfg::Queue { consumers, .. } = buffer { Some(consumers) } else { None },
        },
        produced: status.produced,
        held: status.held,
        lost: status.lost,
        producers: status.producers,
        consumers: status.consumers,
        closed: status.closed,
    };
    face.records.status().into_iter().map(stats).collect()
}

fn link(link: LinkStatus) -> LinkStats {
    LinkStats {
        record: link.record.to_string(),
        address: link.address.to_string(),
        direction: match link.direction {
            LinkDirection::In => "in",
            LinkDirection::Out => "out",
        },
        values: link.values,
        failed: link.failed,
        dropped: link.dropped,
        kept: link.kept,
        last_error: link.last_error,
    }
}

fn connector(connector: ConnectorStatus) -> ConnectorStats {
    ConnectorStats {
        scheme: connector.scheme,
        peer: connector.peer,
        state: match connector.state {
            ConnectionState::Online => "online",
            ConnectionState::Offline => "offline",
        },
        connects: connector.connects,
        in_flight: connector.in_flight,
        unrouted: connector.unrouted,
        last_error: connector.last_error,
    }
}

fn service(service: ServiceStatus) -> ServiceStats {
    ServiceStats {
        name: service.name,
        instance: service.instance,
        phase: service.phase.to_string(),
        restarts: service.restarts,
        last_error: service.last_error,
    }
}
