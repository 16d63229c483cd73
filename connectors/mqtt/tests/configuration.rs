//! What is wrong with a configuration is found when the database is built: all of it, each with what to do.

use anabranch_core::{Anabranch, BufferCfg, ConnectorConfig};
use anabranch_mqtt::{MqttConnector, Version};
use anabranch_sim::{Sim, SimAdapter};
use std::time::Duration;

/// What building says of a connector, and of links at these addresses.
fn said(connector: MqttConnector, from: &[String], to: &[String], qos: Option<u8>) -> String {
    let mut sim = Sim::new(1);
    let adapter: SimAdapter = sim.adapter();
    let built = sim.block_on(async {
        let config = ConnectorConfig { qos, ..Default::default() };
        let builder = Anabranch::builder().runtime(adapter).with_connector(connector);
        let builder = builder.configure::<u8>("record", |r| {
            r.with_buffer(BufferCfg::SingleLatest);
            for address in from {
                r.link_from(address).with_config(config).with_deserializer(|_, _| Ok::<u8, &str>(1));
            }
            for address in to {
                r.link_to(address).with_config(config).with_serializer(|_, _| Ok::<(), &str>(()));
            }
        });
        builder.build().await
    });
    match built.unwrap() {
        Ok(_) => String::new(),
        Err(errors) => errors.to_string(),
    }
}

#[track_caller]
fn says(connector: MqttConnector, words: &[&str]) {
    let said = said(connector, &[], &[], None);
    for words in words {
        assert!(said.contains(words), "{words:?} is not in: {said}");
    }
}

#[test]
fn a_connector_that_can_work_is_built() {
    let full = MqttConnector::new("mqtt://user:password@broker:1884")
        .client_id("client")
        .last_will("gone", "", 2, true)
        .keep_alive(Duration::ZERO)
        .session_expiry(Duration::ZERO)
        .outbox_bytes(5000)
        .backoff(Duration::from_millis(1), Duration::from_secs(1));
    assert_eq!(said(full, &["mqtt://a/{b}/#".into()], &["mqtt://a/b".into()], Some(2)), "");
}

#[test]
fn a_url_that_is_none_is_told() {
    says(MqttConnector::new("broker:1883"), &["mqtt", "has no scheme: write it as `mqtt://127.0.0.1:1883`"]);
    says(MqttConnector::new("mqtt://broker/topic"), &["a path is for ws and wss only"]);
    says(MqttConnector::new("mqtt://broker:99999"), &["its port is no number from 1 to 65535"]);
}

#[test]
fn a_ca_file_that_cannot_be_read_is_told_with_its_name_and_why() {
    says(
        MqttConnector::new("mqtts://broker").ca_file("/nowhere/ca.pem"),
        &["the CA file /nowhere/ca.pem cannot be read: No such file"],
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let wrong = MqttConnector::new("mqtt://broker")
        .version(Version::V3_1_1)
        .last_will("a/#", "x", 3, false)
        .ca_pem("pem")
        .receive_maximum(0)
        .max_packet(1)
        .outbox_bytes(1)
        .keep_alive(Duration::from_secs(100_000))
        .answer_within(Duration::ZERO)
        .backoff(Duration::from_secs(2), Duration::from_secs(1));
    says(
        wrong,
        &[
            "last will cannot be published to \"a/#\"",
            "last will has a `qos` of 3",
            "needs a `client_id`",
            "`receive_maximum` is 0",
            "`max_packet` is 1",
            "`outbox_bytes` is 1",
            "`keep_alive` is longer than 65535 seconds",
            "`answer_within` is zero",
            "`backoff` begins",
            "write mqtts:// or wss://",
        ],
    );
}

#[test]
fn links_that_mqtt_does_not_allow_are_told_with_their_record() {
    let long = format!("mqtt://{}", "x".repeat(65_536));
    let said = said(MqttConnector::new("mqtt://broker"), &["mqtt://a\0b".into(), long.clone()], &[long], Some(3));
    assert_eq!(said.matches("a topic has at most 65535 bytes").count(), 2, "{said}");
    assert!(said.contains("a topic holds no NUL") && said.contains("record \"record\""), "{said}");
    // Of a link, that which is wrong first is said.
    assert_eq!(said.matches("a `qos` is 0, 1 or 2").count(), 0, "{said}");
}

#[test]
fn a_quality_of_service_that_there_is_not_is_told_of_each_link() {
    let said = said(MqttConnector::new("mqtt://broker"), &["mqtt://a".into()], &["mqtt://b".into()], Some(3));
    assert_eq!(said.matches("a `qos` is 0, 1 or 2").count(), 2, "{said}");
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", MqttConnector::new("mqtt://user:secret@broker").credentials("user", "secret"));
    assert!(!shown.contains("secret"), "{shown}");
}
