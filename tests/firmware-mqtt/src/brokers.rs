//! Two brokers of one board: each has a `static` of its own, and its links name it.

use crate::board::{Board, fault};
use anabranch::{
    ConnectorConfig, Json, LinkIn, LinkOut, LinkSet, Links,
    mqtt::{MqttConnector, StaticMqtt},
    prelude::*,
};
use core::{future::poll_fn, pin::pin, task::Poll};
use firmware_mqtt::Reading;

const AT_LEAST_ONCE: ConnectorConfig = ConnectorConfig { qos: Some(1), ..ConnectorConfig::DEFAULT };

static RECORD: Record<Reading, Queue<4>> = Record::unnamed();
static BACK: Record<Reading, Queue<4>> = Record::unnamed();
static FROM: LinkIn<Json, 4> = LinkIn::new("mqtt+one://both/in").with_json().with_config(AT_LEAST_ONCE);
static TO: LinkOut<Json, 4> = LinkOut::new("mqtt+two://both/out").with_json().with_config(AT_LEAST_ONCE);
static BACK_FROM: LinkIn<Json, 4> = LinkIn::new("mqtt+two://both/in").with_json().with_config(AT_LEAST_ONCE);
static BACK_TO: LinkOut<Json, 4> = LinkOut::new("mqtt+one://both/out").with_json().with_config(AT_LEAST_ONCE);
static ONE: StaticMqtt<1024, 256, 4> = StaticMqtt::new();
static TWO: StaticMqtt<1024, 256, 4> = StaticMqtt::new();

fn links() -> Option<(impl LinkSet + use<>, impl LinkSet + use<>)> {
    let one = Links::new().link_from(&FROM, RECORD.producer().ok()?).link_to(&BACK_TO, BACK.consumer().ok()?);
    let two = Links::new().link_from(&BACK_FROM, BACK.producer().ok()?).link_to(&TO, RECORD.consumer().ok()?);
    Some((one, two))
}

/// Until ten values have gone each way. The word is where the second broker is.
pub async fn run(board: &Board) -> bool {
    let Some((one, two)) = links() else { fault(format_args!("the links are taken")) };
    let to = |url, name| MqttConnector::new(url).client_id("board").name(name);
    let (first, second) = (to(board.url, "one"), to(board.word, "two"));
    let mut running = (pin!(ONE.run(board.runtime, &first, &one)), pin!(TWO.run(board.runtime, &second, &two)));
    let (mut done, mut every) = ((None, None), board.runtime.interval(Duration::from_millis(20)));
    let mut closing = pin!(async {
        while TO.counts().values < 10 || BACK_TO.counts().values < 10 {
            every.tick().await;
        }
        ONE.close();
        TWO.close();
    });
    let mut closed = false;
    poll_fn(|cx| {
        closed = closed || closing.as_mut().poll(cx).is_ready();
        if done.0.is_none()
            && let Poll::Ready(end) = running.0.as_mut().poll(cx)
        {
            done.0 = Some(end.is_ok());
        }
        if done.1.is_none()
            && let Poll::Ready(end) = running.1.as_mut().poll(cx)
        {
            done.1 = Some(end.is_ok());
        }
        if done.0.is_some() && done.1.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done == (Some(true), Some(true))
}
