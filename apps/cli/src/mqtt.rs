//! Where the demo's values go and its commands come from: addresses, and a broker of its own when nobody names another.

use std::{io, net::Ipv4Addr};

use anabranch::{ConnectorConfig, Offline, TokioAdapter, mqtt::MqttConnector, prelude::*, tokio::TokioStream};
use anabranch_mqtt_broker::{BrokerOptions, ServedBroker};
use tokio::net::TcpListener;

/// The topics of one machine: `anabranch/HOST/…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics(String);

impl Topics {
    /// Those of the machine of this name. What a topic's level cannot hold, and what addresses of links give a meaning,
    /// becomes `-`.
    pub fn of(machine: &str) -> Self {
        let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' };
        let level: String = machine.chars().map(plain).collect();
        Topics(format!("anabranch/{}", if level.is_empty() { "machine" } else { &level }))
    }

    /// The whole topic, for people.
    pub fn topic(&self, leaf: &str) -> String {
        format!("{}/{leaf}", self.0)
    }

    /// A link's address.
    pub fn address(&self, leaf: &str) -> String {
        format!("mqtt://{}/{leaf}", self.0)
    }
}

/// Where commands are taken from, beside where the limits that hold are published.
pub const COMMANDS: &str = "limits/set";

/// A reading may get lost like the next one may come; a minute of them is kept while there is no connection.
pub const READINGS: ConnectorConfig = ConnectorConfig {
    qos: None,
    retain: None,
    timeout: None,
    offline: Some(Offline::KeepNewest(64)),
    max_payload: None,
};
/// What is to arrive.
pub const AT_LEAST_ONCE: ConnectorConfig = ConnectorConfig { qos: Some(1), offline: None, ..READINGS };
/// A state: who comes later gets the newest, and only that is kept.
pub const RETAINED: ConnectorConfig =
    ConnectorConfig { retain: Some(true), offline: Some(Offline::KeepNewest(1)), ..AT_LEAST_ONCE };

/// The broker that the demo goes through.
#[derive(Debug, Clone)]
pub struct Mqtt {
    pub topics: Topics,
    url: String,
    /// Its own one's port.
    port: Option<u16>,
}

impl Mqtt {
    /// Through the broker at `url`.
    pub fn through(url: &str, topics: Topics) -> Self {
        Mqtt { topics, url: url.to_owned(), port: None }
    }

    /// Through a broker in this process, which listens on a free port of the loopback: whoever is on this machine can look
    /// on. It ends with the runtime.
    pub fn in_process(runtime: &TokioAdapter, topics: Topics) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        // It may run for days, and whoever subscribes and does not read shall not fill the memory.
        let options = BrokerOptions {
            log: false,
            maximum_queued: 1000,
            maximum_packet_size: 16 << 10,
            ..BrokerOptions::default()
        };
        let broker = ServedBroker::new(runtime.clone(), options);
        // A task whose handle is dropped goes on.
        drop(runtime.spawn(broker.listen(
            move || TcpListener::from_std(listener.try_clone()?),
            |listener: &mut TcpListener, cx| listener.poll_accept(cx).map_ok(|(stream, _)| TokioStream::from(stream)),
        )));
        Ok(Mqtt { topics, url: format!("mqtt://127.0.0.1:{port}"), port: Some(port) })
    }

    pub fn connector(&self) -> MqttConnector {
        MqttConnector::new(&*self.url)
    }

    /// What to type to see everything.
    pub fn how_to_look(&self) -> String {
        format!("mosquitto_sub {} -t 'anabranch/#' -v", self.whereabouts())
    }

    /// What to type to change a limit.
    pub fn how_to_command(&self) -> String {
        format!("mosquitto_pub {} -t {} -r -m '{{\"cpu\":50}}'", self.whereabouts(), self.topics.topic(COMMANDS))
    }

    /// For Mosquitto's clients; a password is not for everybody who looks at the screen.
    fn whereabouts(&self) -> String {
        match self.port {
            Some(port) => format!("-p {port}"),
            None => {
                let place = self.url.split_once("://").map_or(&*self.url, |(_, place)| place);
                let place = place.rsplit_once('@').map_or(place, |(_, host)| host).trim_end_matches('/');
                match place.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())) {
                    Some((host, port)) => format!("-h {} -p {port}", host.trim_matches(['[', ']'])),
                    None => format!("-h {}", place.trim_matches(['[', ']'])),
                }
            }
        }
    }

    pub fn is_in_process(&self) -> bool {
        self.port.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_of_any_name_has_a_topic() {
        assert_eq!(Topics::of("workshop").address("cpu"), "mqtt://anabranch/workshop/cpu");
        assert_eq!(Topics::of("a/b+{c}#").topic("cpu"), "anabranch/a-b--c--/cpu");
        assert_eq!(Topics::of("").topic("cpu"), "anabranch/machine/cpu");
    }

    #[test]
    fn what_to_type_holds_no_password() {
        let at = |url| Mqtt::through(url, Topics::of("x")).how_to_look();
        assert_eq!(at("mqtt://me:secret@broker:1884"), "mosquitto_sub -h broker -p 1884 -t 'anabranch/#' -v");
        assert_eq!(at("mqtt://[::1]:1884"), "mosquitto_sub -h ::1 -p 1884 -t 'anabranch/#' -v");
        assert_eq!(at("mqtts://broker/"), "mosquitto_sub -h broker -t 'anabranch/#' -v");
    }
}
