//! An hour of faults for a bridge of each quality of service, and what it has to have kept afterwards: the same for a
//! database's connector and for one in a `static`.

use crate::{taken, world::World};
use anabranch_mqtt_broker::Memory;
use anabranch_sim::{NetworkFaults, SimAdapter, SimNetwork};
use std::collections::BTreeMap;

/// A bridge at work: from `in0`, `in1` and `in2` to `out0`, `out1` and `out2`, by the quality of service.
pub trait Bridged {
    /// Whether there is a connection.
    fn is_online(&self) -> bool;

    /// How often there was one.
    fn connects(&self) -> u64;

    /// Whether nothing that was taken is still to be sent.
    fn is_settled(&self) -> bool;
}

/// Publishes values through an hour of faults, lets them settle, and looks at what came.
pub async fn an_hour(
    (network, adapter): (SimNetwork, SimAdapter),
    world: &World,
    memory: Memory,
    bridged: &impl Bridged,
) {
    world.until("online", || bridged.is_online()).await;
    network.set_faults(NetworkFaults { reset: 0.01, cut_on_drop: 0.5, ..NetworkFaults::harsh() });
    let mut sent = 0;
    for _ in 0..60 {
        match adapter.random_below(8) {
            0 => {
                world.broker.crash(memory);
                world.sleep(adapter.random_below(4000)).await;
                world.broker.restart();
            }
            1 => {
                network.partition("client", "broker");
                world.sleep(adapter.random_below(20_000)).await;
                network.heal("client", "broker");
            }
            2 => network.reset("client", "broker"),
            3 => {
                network.partition_one_way("broker", "client");
                world.sleep(adapter.random_below(20_000)).await;
                network.heal_all();
            }
            _ => {}
        }
        for _ in 0..adapter.random_below(20) {
            let qos = u8::try_from(adapter.random_below(3)).unwrap();
            let _down = world.broker.publish(&format!("in{qos}"), format!("{sent}"), qos, false);
            sent += 1;
        }
        world.sleep(adapter.random_below(2000)).await;
    }
    network.set_faults(NetworkFaults::none());
    network.heal_all();
    world.until("online again", || bridged.is_online()).await;
    let settled = || {
        let sessions = world.broker.sessions();
        sessions.iter().all(|session| session.queued == 0 && session.in_flight == 0) && bridged.is_settled()
    };
    world.until("settled", settled).await;
    world.sleep(1000).await;
    let taken = taken(world);
    let none = BTreeMap::new();
    for qos in 0..=2 {
        let input = taken.get(&format!("in{qos}")).unwrap_or(&none);
        let output = taken.get(&format!("out{qos}")).unwrap_or(&none);
        for (value, times) in output {
            assert!(input.contains_key(value), "QoS {qos}: {value} comes from nowhere");
            if qos != 1 && memory == Memory::Keep {
                assert_eq!(*times, 1, "QoS {qos}: {value}");
            }
        }
        if qos > 0 && memory == Memory::Keep {
            for value in input.keys() {
                assert!(output.contains_key(value), "QoS {qos}: {value} is lost");
            }
        }
    }
    assert!(bridged.connects() > 1 || sent == 0, "there were faults");
}
