//! Brokers that do not let us in, and whom we do not trust.

use crate::links::{Asked, Db, Numbers, comes_true, qos, to, with};
use anabranch_brokers::{Authority, Mosquitto, Observer, QoS, Setup, on_both_flavours, on_two_threads};
use anabranch_core::ConnectionState;
use anabranch_mqtt::MqttConnector;
use std::time::Duration;

async fn started(connector: MqttConnector) -> Db {
    let db = with(connector)
        .comes_in("in", "mqtt://in", qos(1))
        .goes_out("out", "mqtt://out", qos(1))
        .build()
        .await
        .unwrap();
    db.start();
    db
}

/// The connector says why it is refused, and nothing gets through.
pub async fn is_refused(connector: MqttConnector, words: &str) {
    let db = started(connector).await;
    db.reports(words).await;
    let status = db.connector();
    assert_eq!((status.state, status.connects), (ConnectionState::Offline, 0));
    // Values wait; the database is not held up by it.
    db.producer::<u64>("out").unwrap().send(1).await.unwrap();
    comes_true(|| db.link("mqtt://out").kept == 1).await;
    let _aborted = db.shutdown(Duration::ZERO).await;
}

/// Values pass both ways, by a broker that the observer reaches by its other door.
pub async fn is_let_in(connector: MqttConnector, broker: &Mosquitto) {
    let mut observer = Observer::connect(broker.port()).await;
    observer.subscribe("out", QoS::AtLeastOnce).await.unwrap();
    let db = started(connector).await;
    let mut values = db.consumer::<u64>("in").unwrap();
    db.online("mqtt").await;
    db.producer::<u64>("out").unwrap().send(7).await.unwrap();
    assert_eq!(observer.text().await.1, "7");
    observer.publish("in", QoS::AtLeastOnce, "8").await.unwrap();
    assert_eq!(values.next().await, Some(8));
    db.ends().await;
}

#[test]
fn a_secret_is_in_no_report() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default().password("me", "right")).await;
        let db = started(to(format!("mqtt://me:hush@127.0.0.1:{}", broker.guarded_port()))).await;
        db.reports("not authori").await;
        let status = format!("{:?} {:?}", db.connectors(), db.links());
        assert!(!status.contains("hush"), "{status}");
    });
}

#[test]
fn tls_is_spoken_with_a_broker_whose_ca_is_given() {
    on_both_flavours(async || {
        let ca = Authority::new("a CA");
        let broker = Mosquitto::start(Setup::default().tls(ca.server("127.0.0.1"))).await;
        let url = format!("mqtts://127.0.0.1:{}", broker.guarded_port());
        is_let_in(to(&url).ca_pem(ca.pem.clone()), &broker).await;
    });
}

#[test]
fn a_ca_that_does_not_fit_is_reported() {
    on_two_threads(async {
        let (ca, other) = (Authority::new("a CA"), Authority::new("another CA"));
        let broker = Mosquitto::start(Setup::default().tls(ca.server("127.0.0.1"))).await;
        let url = format!("mqtts://127.0.0.1:{}", broker.guarded_port());
        is_refused(to(&url).ca_pem(other.pem), "signed by a CA that is not trusted here").await;
        // The system's does not fit either.
        is_refused(to(&url), "signed by a CA that is not trusted here").await;
    });
}

#[test]
fn an_expired_certificate_is_reported() {
    on_two_threads(async {
        let ca = Authority::new("a CA");
        let broker = Mosquitto::start(Setup::default().tls(ca.expired_server("127.0.0.1"))).await;
        let url = format!("mqtts://127.0.0.1:{}", broker.guarded_port());
        is_refused(to(url).ca_pem(ca.pem), "has expired").await;
    });
}

#[test]
fn a_certificate_for_another_host_is_reported_unless_its_name_is_given() {
    on_two_threads(async {
        let ca = Authority::new("a CA");
        let broker = Mosquitto::start(Setup::default().tls(ca.server("broker.example"))).await;
        let url = format!("mqtts://127.0.0.1:{}", broker.guarded_port());
        is_refused(to(&url).ca_pem(ca.pem.clone()), "for another name").await;
        is_let_in(to(&url).ca_pem(ca.pem).server_name("broker.example"), &broker).await;
    });
}

#[test]
fn a_client_certificate_is_asked_for_and_looked_at() {
    on_two_threads(async {
        let (ca, other) = (Authority::new("a CA"), Authority::new("another CA"));
        let setup = Setup::default().tls_both_ways(ca.server("127.0.0.1"), &ca);
        let broker = Mosquitto::start(setup).await;
        let connector = to(format!("mqtts://127.0.0.1:{}", broker.guarded_port())).ca_pem(ca.pem.clone());
        is_refused(connector.clone(), "this side's certificate").await;
        let wrong = other.client("a client");
        is_refused(connector.clone().identity_pem(wrong.certificate, wrong.key), "this side's certificate").await;
        let right = ca.client("a client");
        is_let_in(connector.identity_pem(right.certificate, right.key), &broker).await;
    });
}

#[test]
fn tls_to_a_port_without_it_and_the_other_way_round_are_reported() {
    on_two_threads(async {
        let ca = Authority::new("a CA");
        let broker = Mosquitto::start(Setup::default().tls(ca.server("127.0.0.1"))).await;
        let secured = to(format!("mqtts://127.0.0.1:{}", broker.port())).ca_pem(ca.pem);
        is_refused(secured, "does this port speak the transport that the URL names").await;
        let plain = to(format!("mqtt://127.0.0.1:{}", broker.guarded_port()));
        is_refused(plain, "").await;
    });
}
