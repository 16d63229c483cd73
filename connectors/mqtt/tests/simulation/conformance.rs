//! The connector keeps what every connector promises.

use crate::world::{PORT, World};
use anabranch_conformance::{ConnectorFixture, Tally, run_connectors};
use anabranch_core::ConnectorBuilder;
use anabranch_executor::{Duration, TimeSource};
use anabranch_mqtt::MqttConnector;
use anabranch_mqtt_broker::{BrokerOptions, Memory};
use anabranch_sim::{SimAdapter, SimOptions};
use std::sync::Mutex;

struct Peer {
    world: World,
    /// How many of the values that the broker took were handed out, and whether it is up.
    state: Mutex<(usize, bool)>,
}

impl ConnectorFixture for Peer {
    type Runtime = SimAdapter;

    fn runtime(&self) -> &SimAdapter {
        &self.world.client
    }

    fn connector(&self, name: Option<&str>) -> impl ConnectorBuilder<SimAdapter> {
        let connector = MqttConnector::new(format!("mqtt://broker:{PORT}"));
        match name {
            Some(name) => connector.name(name),
            None => connector,
        }
    }

    fn scheme(&self) -> &str {
        "mqtt"
    }

    fn at_least_once(&self) -> Option<u8> {
        Some(1)
    }

    async fn start(&self) {
        let up = std::mem::replace(&mut self.state.lock().unwrap().1, true);
        if !up {
            self.world.broker.restart();
        }
    }

    async fn stop(&self) {
        self.state.lock().unwrap().1 = false;
        self.world.broker.crash(Memory::Keep);
    }

    async fn send(&self, address: &str, payload: &[u8]) {
        self.world.broker.publish(address, payload.to_vec(), 1, false).expect("it is up");
    }

    async fn received(&self) -> (String, Vec<u8>) {
        loop {
            let mut all = self.world.broker.published().into_iter().filter(|published| published.client.is_some());
            let next = all.nth(self.state.lock().unwrap().0);
            if let Some(published) = next {
                self.state.lock().unwrap().0 += 1;
                return (published.topic.to_string(), published.payload.to_vec());
            }
            self.world.client.sleep(Duration::from_millis(1)).await;
        }
    }
}

#[test]
fn the_connector_keeps_what_every_connector_promises() {
    SimOptions::default().check(0..10, |sim| {
        let world = World::new(sim, BrokerOptions::default());
        let peer = Peer { world, state: Mutex::new((0, true)) };
        sim.block_on(async {
            let mut tally = Tally::new(|line| println!("{line}"));
            run_connectors(&peer, &mut tally).await;
            assert!(tally.finish());
        })?;
        Ok(())
    });
}
