//! A peer on Tokio: the same records as the board's, and links to the same broker.

use anabranch::{
    BufferCfg, ConnectionState, ConnectorConfig, RecordConfig, TokioAdapter, mqtt::MqttConnector, prelude::*,
};
use firmware_mqtt::{Actuator, Alert, Ask, Edge, Meter, Reading, Report, Switch};

const AT_LEAST_ONCE: ConnectorConfig =
    ConnectorConfig { qos: Some(1), retain: None, timeout: None, offline: None, max_payload: None };

/// The peer of the house in `firmware-mqtt`.
pub struct Peer {
    db: Anabranch<TokioAdapter>,
    /// What the meter shows.
    pub telemetry: Consumer<Reading>,
    /// The same, by the link that keeps the newest eight.
    pub newest: Consumer<Reading>,
    /// What was switched.
    pub actuator: Consumer<Actuator>,
    /// What the alarm says.
    pub alert: Consumer<Alert>,
    /// What the board says of itself.
    pub report: Consumer<Report>,
    /// Orders to the meter.
    pub meter: Producer<Meter>,
    /// Commands.
    pub switch: Producer<Switch>,
    /// The sensor's leaps.
    pub edge: Producer<Edge>,
    ask: Producer<Ask>,
    end: Producer<u32>,
    asked: u32,
}

type Db = Anabranch<TokioAdapter>;

fn queue<'r, 'c, T: Clone + Send + 'static>(
    r: &'r mut RecordConfig<'c, TokioAdapter, T>,
) -> &'r mut RecordConfig<'c, TokioAdapter, T> {
    r.with_buffer(BufferCfg::Queue { capacity: 8, consumers: 1 });
    r
}

fn ring<'r, 'c, T: Clone + Send + 'static>(
    r: &'r mut RecordConfig<'c, TokioAdapter, T>,
) -> &'r mut RecordConfig<'c, TokioAdapter, T> {
    r.with_buffer(BufferCfg::SpmcRing { capacity: 1 << 16 });
    r
}

impl Peer {
    /// Connects to the broker at this port of this machine.
    ///
    /// # Panics
    /// When it cannot be.
    pub async fn connect(port: u16) -> Self {
        let connector = MqttConnector::new(format!("mqtt://127.0.0.1:{port}"))
            .client_id("peer")
            .backoff(Duration::from_millis(10), Duration::from_millis(200));
        let db: Db = Anabranch::builder()
            .runtime(TokioAdapter::current().expect("inside a runtime"))
            .with_connector(connector)
            .configure::<Reading>("telemetry", |r| {
                ring(r).link_from("mqtt://house/telemetry/{number}").with_json().with_config(AT_LEAST_ONCE);
            })
            .configure::<Reading>("newest", |r| {
                ring(r).link_from("mqtt://house/newest").with_json().with_config(AT_LEAST_ONCE);
            })
            .configure::<Actuator>("actuator", |r| {
                ring(r).link_from("mqtt://house/actuator").with_json().with_config(AT_LEAST_ONCE);
            })
            .configure::<Alert>("alert", |r| {
                ring(r).link_from("mqtt://house/alert").with_cbor().with_config(AT_LEAST_ONCE);
            })
            .configure::<Report>("report", |r| {
                ring(r).link_from("mqtt://house/report").with_postcard().with_config(AT_LEAST_ONCE);
            })
            .configure::<Meter>("meter", |r| {
                queue(r).link_to("mqtt://house/meter").with_json().with_config(AT_LEAST_ONCE);
            })
            .configure::<Switch>("switch", |r| {
                queue(r).link_to("mqtt://house/switch").with_json().with_config(AT_LEAST_ONCE);
            })
            .configure::<Edge>("edge", |r| {
                queue(r).link_to("mqtt://house/edge").with_cbor().with_config(AT_LEAST_ONCE);
            })
            .configure::<Ask>("ask", |r| {
                queue(r).link_to("mqtt://house/ask").with_postcard().with_config(AT_LEAST_ONCE);
            })
            .configure::<u32>("end", |r| {
                queue(r).link_to("mqtt://house/end").with_json().with_config(AT_LEAST_ONCE);
            })
            .build()
            .await
            .expect("the peer can be built");
        let peer = Peer {
            telemetry: db.consumer("telemetry").expect("there is one"),
            newest: db.consumer("newest").expect("there is one"),
            actuator: db.consumer("actuator").expect("there is one"),
            alert: db.consumer("alert").expect("there is one"),
            report: db.consumer("report").expect("there is one"),
            meter: db.producer("meter").expect("there is one"),
            switch: db.producer("switch").expect("there is one"),
            edge: db.producer("edge").expect("there is one"),
            ask: db.producer("ask").expect("there is one"),
            end: db.producer("end").expect("there is one"),
            db,
            asked: 0,
        };
        peer.db.start();
        peer.online().await;
        peer
    }

    /// Waits until it is connected.
    ///
    /// # Panics
    /// When it never will be.
    pub async fn online(&self) {
        let mut says = self.db.connection("mqtt").expect("the connector is known by its scheme");
        while says.next().await.expect("the database is there") != ConnectionState::Online {}
    }

    /// Sends a command, and waits until the board shows that it has obeyed.
    ///
    /// # Panics
    /// When the board says something that it was not told.
    pub async fn switches(&mut self, number: u32, on: bool) {
        self.switch.send(Switch { number, on }).await.expect("the peer is there");
        loop {
            let state = self.actuator.next().await.expect("the peer is there");
            if state.number == number {
                assert_eq!(state.on, on, "it does what it is told");
                return;
            }
        }
    }

    /// Asks the board for its report; what is counted by differences is counted for so many seconds.
    ///
    /// # Panics
    /// When the peer is gone.
    pub async fn asks(&mut self, seconds: u32) -> Report {
        self.asked += 1;
        self.ask.send(Ask { number: self.asked, seconds }).await.expect("the peer is there");
        loop {
            let report = self.report.next().await.expect("the peer is there");
            if report.number == self.asked {
                return report;
            }
        }
    }

    /// Tells the board to end, and ends itself when the broker has that.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn ends(self) {
        self.end.send(0).await.expect("the peer is there");
        let shutdown = self.db.shutdown(Duration::from_secs(10)).await;
        assert!(shutdown.aborted.is_empty(), "everything ends by itself: {shutdown:?}");
    }
}
