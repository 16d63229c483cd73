//! The bridge as one writes it on `rumqttc`: what comes is decoded, encoded and published in the loop that polls.

use super::{IN_FLIGHT, reading::Reading};
use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Packet, QoS};

pub async fn run(ports: [u16; 2], prefix: &str, qos: u8) {
    let qos = if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
    let (client, mut events) = connect(ports[0], prefix);
    client.subscribe(format!("{prefix}/in/+"), qos).await.expect("there is room");
    let publisher = if ports[0] == ports[1] {
        client
    } else {
        let (publisher, mut others) = connect(ports[1], prefix);
        tokio::spawn(async move {
            loop {
                others.poll().await.expect("the broker stays");
            }
        });
        publisher
    };
    loop {
        let event = events.poll().await.expect("the broker stays");
        if let Event::Incoming(Packet::Publish(publish)) = event {
            let reading: Reading = serde_json::from_slice(&publish.payload).expect("a reading");
            let payload = serde_json::to_vec(&reading).expect("plain numbers");
            let topic = format!("{prefix}/out/{}", reading.device);
            publisher.try_publish(topic, qos, false, payload).expect("there is room");
        }
    }
}

fn connect(port: u16, prefix: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(prefix, "127.0.0.1", port);
    options.set_inflight(IN_FLIGHT);
    // More room than values are under way: the loop that makes the room would otherwise wait for it, for ever.
    let (client, mut events) = AsyncClient::new(options, 4 * usize::from(IN_FLIGHT));
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    (client, events)
}
