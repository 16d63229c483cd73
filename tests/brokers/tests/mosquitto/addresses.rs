//! Ten thousand topics, in and out.

use crate::links::{Asked, qos, to, with};
use anabranch_brokers::{Mosquitto, Observer, QoS, Setup, on_two_threads};
use anabranch_core::{Bound, BufferCfg};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const TOPICS: u64 = 10_000;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Reading {
    device: u64,
    value: u64,
}

#[test]
fn ten_thousand_topics_go_in_by_as_many_links_and_out_by_one_with_a_field() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default().quiet()).await;
        let readings = with(to(broker.url())).configure::<Reading>("readings", |r| {
            r.with_buffer(BufferCfg::SpmcRing { capacity: 2 * TOPICS as usize });
            for device in 0..TOPICS {
                r.link_from(format!("mqtt://from/{device}/reading"))
                    .with_deserializer(move |bytes, bound: &Bound<'_>| {
                        let value = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
                        let at = format!("from/{device}/reading");
                        match value {
                            Some(value) if bound.address() == at => Ok(Reading { device, value }),
                            _ => Err(format!("{} came for {at}", bound.address())),
                        }
                    })
                    .with_config(qos(1));
            }
            r.link_to("mqtt://to/{device}/reading").with_json().with_config(qos(1));
        });
        let db = readings.build().await.unwrap();
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("to/+/reading", QoS::AtLeastOnce).await.unwrap();
        db.start();
        db.online("mqtt").await;
        let values = (0..TOPICS).map(|device| (format!("from/{device}/reading"), (device * 3).to_string()));
        observer.publish_all(QoS::AtLeastOnce, values).await.unwrap();
        let mut came = BTreeMap::new();
        while came.len() < TOPICS as usize {
            let (topic, text) = observer.text().await;
            came.insert(topic, text);
        }
        for device in 0..TOPICS {
            let expected = format!(r#"{{"device":{device},"value":{}}}"#, device * 3);
            assert_eq!(came[&format!("to/{device}/reading")], expected);
        }
        assert!(db.links().iter().all(|link| link.failed == 0 && link.dropped == 0));
        db.ends().await;
    });
}
