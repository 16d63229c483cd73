//! A client that others wrote: what it sees and says does not depend on what is tested.

use rumqttc::{
    NetworkOptions,
    v5::{
        AsyncClient, Event, EventLoop, MqttOptions,
        mqttbytes::{QoS, v5::Packet},
    },
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinHandle};

/// A value as the broker has passed it on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Where it came from.
    pub topic: String,
    /// The quality of service with which the broker sent it.
    pub qos: u8,
    /// Whether the broker had kept it.
    pub retained: bool,
    /// What it is.
    pub payload: Vec<u8>,
}

impl Observed {
    /// Its payload, if that is text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).unwrap_or("(no text)")
    }
}

/// What the broker shall remember of an observer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence<'a> {
    /// Nothing.
    None,
    /// The session of the client with this name, which may be there already.
    Of(&'a str),
}

/// The observer's connection has ended, or the broker did not take what it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the observer's connection to the broker has ended")]
pub struct Gone;

/// One connection of `rumqttc` to a broker. It does not come back by itself: a test that ends the broker says when to.
pub struct Observer {
    client: AsyncClient,
    values: mpsc::UnboundedReceiver<Observed>,
    answers: mpsc::UnboundedReceiver<()>,
    task: JoinHandle<()>,
}

impl Observer {
    /// Connects to a broker of this machine that lets everybody in.
    pub async fn connect(port: u16) -> Self {
        Self::remembered(port, Persistence::None).await
    }

    /// The same with a session.
    pub async fn remembered(port: u16, persistence: Persistence<'_>) -> Self {
        Self::with(port, persistence, |_| {}).await
    }

    /// The same with options of its own.
    pub async fn with(port: u16, persistence: Persistence<'_>, change: impl FnOnce(&mut MqttOptions)) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let id = match persistence {
            Persistence::None => format!("observer-{}", COUNT.fetch_add(1, Ordering::Relaxed)),
            Persistence::Of(id) => id.to_owned(),
        };
        let mut options = MqttOptions::new(id, "127.0.0.1", port);
        options.set_clean_start(persistence == Persistence::None);
        options.set_session_expiry_interval((persistence != Persistence::None).then_some(3600));
        options.set_max_packet_size(Some(16 << 20));
        options.set_keep_alive(Duration::from_secs(600));
        options.set_outgoing_inflight_upper_limit(1000);
        options.set_pending_throttle(Duration::ZERO);
        change(&mut options);
        loop {
            let (client, events) = AsyncClient::new(options.clone(), 64);
            let (sees, values) = mpsc::unbounded_channel();
            let (hears, mut answers) = mpsc::unbounded_channel();
            let task = tokio::spawn(pump(events, sees, hears));
            // The first answer is the broker's welcome.
            if answers.recv().await.is_some() {
                return Self { client, values, answers, task };
            }
            // A broker that was just started may need a moment.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Subscribes, and waits until the broker has agreed.
    pub async fn subscribe(&mut self, filter: &str, qos: QoS) -> Result<(), Gone> {
        self.client.subscribe(filter, qos).await.map_err(|_| Gone)?;
        self.answers.recv().await.ok_or(Gone)
    }

    /// Publishes, and waits until the broker has acknowledged it, if it does that at this quality of service.
    pub async fn publish(&mut self, topic: &str, qos: QoS, payload: impl AsRef<[u8]>) -> Result<(), Gone> {
        self.publish_all(qos, [(topic, payload)]).await
    }

    /// Publishes something that the broker keeps.
    pub async fn publish_retained(&mut self, topic: &str, qos: QoS, payload: impl AsRef<[u8]>) -> Result<(), Gone> {
        self.client.publish(topic, qos, true, payload.as_ref().to_vec()).await.map_err(|_| Gone)?;
        self.acknowledged(qos, 1).await
    }

    /// Publishes many, and waits until the broker has acknowledged all.
    pub async fn publish_all<T: Into<String>, P: AsRef<[u8]>>(
        &mut self,
        qos: QoS,
        values: impl IntoIterator<Item = (T, P)>,
    ) -> Result<(), Gone> {
        let mut count = 0;
        for (topic, payload) in values {
            self.client.publish(topic.into(), qos, false, payload.as_ref().to_vec()).await.map_err(|_| Gone)?;
            count += 1;
        }
        self.acknowledged(qos, count).await
    }

    async fn acknowledged(&mut self, qos: QoS, count: usize) -> Result<(), Gone> {
        let answers = if qos == QoS::AtMostOnce { 0 } else { count };
        for _ in 0..answers {
            self.answers.recv().await.ok_or(Gone)?;
        }
        Ok(())
    }

    /// The next value. `None`: the connection has ended, and nothing is left that came before.
    pub async fn next(&mut self) -> Option<Observed> {
        self.values.recv().await
    }

    /// The next value's topic and text.
    ///
    /// # Panics
    /// When the connection has ended.
    pub async fn text(&mut self) -> (String, String) {
        let value = self.next().await.expect("the observer's connection lasts");
        (value.topic.clone(), value.text().to_owned())
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pump(mut events: EventLoop, sees: mpsc::UnboundedSender<Observed>, hears: mpsc::UnboundedSender<()>) {
    // Without it, answers wait for one another.
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.options.set_network_options(network);
    let tell = |event: Event| {
        // An observer that was dropped wants to know no more.
        let _ = match event {
            Event::Incoming(Packet::Publish(publish)) => {
                let value = Observed {
                    topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                    qos: publish.qos as u8,
                    retained: publish.retain,
                    payload: publish.payload.to_vec(),
                };
                sees.send(value).ok()
            }
            Event::Incoming(Packet::ConnAck(_) | Packet::SubAck(_) | Packet::PubAck(_) | Packet::PubComp(_)) => {
                hears.send(()).ok()
            }
            _ => None,
        };
    };
    while let Ok(event) = events.poll().await {
        tell(event);
    }
    // What came before the end was acknowledged, so the broker does not send it again.
    while let Some(event) = events.state.events.pop_front() {
        tell(event);
    }
}
