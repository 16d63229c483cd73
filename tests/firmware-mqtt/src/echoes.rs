//! Nine records, each with a link in and a link out: each format, at each quality of service. What comes in goes out.

use crate::board::{Board, fault};
use anabranch::{
    Cbor, ConnectorConfig, Json, LinkIn, LinkOut, LinkSet, Links, Postcard,
    mqtt::{MqttConnector, StaticMqtt},
    prelude::*,
};
use core::convert::Infallible;
use firmware_mqtt::Reading;

const fn qos(qos: u8) -> ConnectorConfig {
    ConnectorConfig { qos: Some(qos), ..ConnectorConfig::DEFAULT }
}

macro_rules! echoes {
    ($($record:ident, $from:ident, $to:ident: $format:ident by $with:ident, $qos:literal, $address:literal;)*) => {
        $(
            static $record: Record<Reading, Queue<8>> = Record::unnamed();
            static $from: LinkIn<$format, 8> =
                LinkIn::new(concat!("mqtt://in/", $address)).$with().with_config(qos($qos));
            static $to: LinkOut<$format, 4> =
                LinkOut::new(concat!("mqtt://out/", $address)).$with().with_config(qos($qos));
        )*
        fn links() -> Option<impl LinkSet + use<>> {
            let links = Links::new().link_from(&END_IN, END.producer().ok()?);
            $( let links = links.link_from(&$from, $record.producer().ok()?).link_to(&$to, $record.consumer().ok()?); )*
            Some(links)
        }
    };
}
echoes! {
    JSON_0, JSON_0_IN, JSON_0_OUT: Json by with_json, 0, "json/0";
    JSON_1, JSON_1_IN, JSON_1_OUT: Json by with_json, 1, "json/1";
    JSON_2, JSON_2_IN, JSON_2_OUT: Json by with_json, 2, "json/2";
    CBOR_0, CBOR_0_IN, CBOR_0_OUT: Cbor by with_cbor, 0, "cbor/0";
    CBOR_1, CBOR_1_IN, CBOR_1_OUT: Cbor by with_cbor, 1, "cbor/1";
    CBOR_2, CBOR_2_IN, CBOR_2_OUT: Cbor by with_cbor, 2, "cbor/2";
    POSTCARD_0, POSTCARD_0_IN, POSTCARD_0_OUT: Postcard by with_postcard, 0, "postcard/0";
    POSTCARD_1, POSTCARD_1_IN, POSTCARD_1_OUT: Postcard by with_postcard, 1, "postcard/1";
    POSTCARD_2, POSTCARD_2_IN, POSTCARD_2_OUT: Postcard by with_postcard, 2, "postcard/2";
}

static END: Record<u32, Mailbox> = Record::unnamed();
static END_IN: LinkIn<Json> = LinkIn::new("mqtt://end").with_json().with_config(qos(1));
static MQTT: StaticMqtt<4096, 512, 16> = StaticMqtt::new();

#[service]
async fn ending<R: Runtime>(_ctx: RuntimeContext<R>, mut end: Consumer<u32>) -> Result<(), Infallible> {
    let _ended = end.next().await;
    MQTT.close();
    Ok(())
}

pub async fn run(board: &Board) -> bool {
    let started = END.consumer().ok().and_then(|end| Ending::spawn_static(board.runtime, end).ok());
    let Some(links) = links().filter(|_| started.is_some()) else { fault(format_args!("the links are taken")) };
    let broker = MqttConnector::new(board.url).client_id("board");
    MQTT.run(board.runtime, &broker, &links).await.is_ok()
}
