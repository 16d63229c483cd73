//! What the broker does, packet by packet.

mod client;

use anabranch_mqtt_broker::{BrokerOptions, Memory};
use client::{SECOND, World, connect, filter, options, pid, publish, resume, retained, text, v3_bytes, will};
use mqtt_proto::{
    QoS, QosPid, TopicName, v3,
    v5::{
        Auth, Connect, Disconnect, DisconnectReasonCode, LastWill, Packet, Puback, PubackReasonCode, Pubcomp, Publish,
        Pubrec, PubrecReasonCode, Pubrel, RetainHandling, Subscribe, SubscriptionOptions, Unsubscribe, VarByteInt,
    },
};
use std::time::Duration;

const Q0: QoS = QoS::Level0;
const Q1: QoS = QoS::Level1;
const Q2: QoS = QoS::Level2;

fn q1(number: u16) -> QosPid {
    QosPid::Level1(pid(number))
}
fn q2(number: u16) -> QosPid {
    QosPid::Level2(pid(number))
}

fn world() -> World {
    World::new(BrokerOptions::default())
}

/// A subscriber to everything, and a publisher.
fn pair(world: &mut World, qos: QoS) -> (anabranch_mqtt_broker::ConnectionId, anabranch_mqtt_broker::ConnectionId) {
    let subscriber = world.client("subscriber");
    world.subscribe(subscriber, "#", qos);
    (subscriber, world.client("publisher"))
}

// Messages.

#[test]
fn a_message_arrives_at_the_lower_of_the_two_qualities_of_service() {
    for (subscribed, published, arrives) in [
        (Q0, QosPid::Level0, QosPid::Level0),
        (Q0, q2(7), QosPid::Level0),
        (Q1, QosPid::Level0, QosPid::Level0),
        (Q1, q2(7), q1(1)),
        (Q2, q1(7), q1(1)),
        (Q2, q2(7), q2(1)),
    ] {
        let mut world = world();
        let (subscriber, publisher) = pair(&mut world, subscribed);
        world.say(publisher, publish(published, "a", "x"));
        let got = world.publishes(subscriber);
        assert_eq!(got.iter().map(|publish| publish.qos_pid).collect::<Vec<_>>(), [arrives]);
    }
}

#[test]
fn a_message_of_qos_1_is_acknowledged_and_the_answer_says_when_nobody_subscribed() {
    let mut world = world();
    let publisher = world.client("publisher");
    world.say(publisher, publish(q1(5), "a", "x"));
    assert_eq!(world.hear(publisher), Some(Puback::new(pid(5), PubackReasonCode::NoMatchingSubscribers).into()));
    let subscriber = world.client("subscriber");
    world.subscribe(subscriber, "a", Q1);
    world.say(publisher, publish(q1(5), "a", "x"));
    assert_eq!(world.hear(publisher), Some(Puback::new_success(pid(5)).into()));
}

#[test]
fn a_message_of_qos_2_that_is_sent_twice_arrives_once() {
    let mut world = world();
    let (subscriber, publisher) = pair(&mut world, Q0);
    let message = publish(q2(9), "a", "x");
    world.say(publisher, message.clone());
    world.say(publisher, Publish { dup: true, ..message.clone() });
    assert_eq!(world.hear(publisher), Some(Pubrec::new_success(pid(9)).into()));
    assert_eq!(world.hear(publisher), Some(Pubrec::new_success(pid(9)).into()));
    world.say(publisher, Pubrel::new_success(pid(9)));
    assert_eq!(world.hear(publisher), Some(Pubcomp::new_success(pid(9)).into()));
    assert_eq!(world.payloads(subscriber), ["x"]);
    // Released, the identifier stands for another message.
    world.say(publisher, message);
    assert_eq!(world.payloads(subscriber), ["x"]);
}

#[test]
fn a_release_of_what_was_never_received_is_answered_with_0x92() {
    let mut world = world();
    let publisher = world.client("publisher");
    world.say(publisher, Pubrel::new_success(pid(3)));
    assert!(matches!(world.hear(publisher), Some(Packet::Pubcomp(pubcomp)) if pubcomp.reason_code as u8 == 0x92));
    world.say(publisher, Pubrec::new_success(pid(3)));
    assert!(matches!(world.hear(publisher), Some(Packet::Pubrel(pubrel)) if pubrel.reason_code as u8 == 0x92));
}

#[test]
fn an_identifier_of_a_message_of_qos_2_cannot_be_used_at_qos_1_before_its_release() {
    let mut world = world();
    let publisher = world.client("publisher");
    world.say(publisher, publish(q2(9), "a", "x"));
    world.hear(publisher);
    world.say(publisher, publish(q1(9), "a", "y"));
    assert_eq!(world.hear(publisher), Some(Puback::new(pid(9), PubackReasonCode::PacketIdentifierInUse).into()));
    assert_eq!(world.broker.published().len(), 1);
}

#[test]
fn properties_travel_with_the_message_and_an_expiry_counts_down() {
    let mut world = world();
    let subscriber = world.client("subscriber");
    world.subscribe(subscriber, "a", Q1);
    world.cut(subscriber);
    let publisher = world.client("publisher");
    let mut message = publish(q1(1), "a", "x");
    message.properties.content_type = Some("text/plain".into());
    message.properties.message_expiry_interval = Some(10);
    world.say(publisher, message.clone());
    let mut expired = publish(q1(1), "a", "y");
    expired.properties.message_expiry_interval = Some(3);
    world.say(publisher, expired);
    world.pass(SECOND * 4);
    let (subscriber, _) = world.connect(resume("subscriber"));
    let got = world.publishes(subscriber);
    assert_eq!(got.iter().map(text).collect::<Vec<_>>(), ["x"]);
    assert_eq!(got[0].properties.content_type.as_deref(), Some("text/plain"));
    assert_eq!(got[0].properties.message_expiry_interval, Some(6));
}

#[test]
fn an_alias_stands_for_the_topic_that_it_was_given_with() {
    let mut world = world();
    let (subscriber, publisher) = pair(&mut world, Q0);
    let mut message = publish(QosPid::Level0, "a/long/topic", "x");
    message.properties.topic_alias = Some(3);
    world.say(publisher, message.clone());
    message.topic_name = TopicName::try_from("").expect("none");
    world.say(publisher, message.clone());
    let got = world.publishes(subscriber);
    assert!(got.iter().all(|got| &*got.topic_name == "a/long/topic" && got.properties.topic_alias.is_none()));
    assert_eq!(got.len(), 2);
    // It is a connection's own.
    let other = world.client("other");
    world.say(other, message.clone());
    assert_eq!(world.ended(other), 0x82);
    message.properties.topic_alias = Some(17);
    world.say(publisher, message);
    assert_eq!(world.ended(publisher), 0x94);
}

// Subscriptions.

#[test]
fn overlapping_subscriptions_without_identifiers_give_one_copy_at_the_highest_quality() {
    let mut world = world();
    let subscriber = world.client("subscriber");
    world.subscribe(subscriber, "a/+", Q0);
    world.subscribe(subscriber, "a/b", Q2);
    world.subscribe(subscriber, "#", Q1);
    world.say(subscriber, publish(q2(1), "a/b", "x"));
    world.hear(subscriber);
    assert_eq!(world.publishes(subscriber).iter().map(|got| got.qos_pid.qos()).collect::<Vec<_>>(), [Q2]);
}

#[test]
fn subscriptions_with_identifiers_give_a_copy_each() {
    let mut world = world();
    let subscriber = world.client("subscriber");
    for (number, name) in [(1, "a/+"), (2, "a/b")] {
        let mut subscribe = Subscribe::new(pid(1), vec![(filter(name), options(Q0))]);
        subscribe.properties.subscription_id = VarByteInt::try_from(number).ok();
        world.say(subscriber, subscribe);
        world.hear(subscriber);
    }
    world.say(subscriber, publish(QosPid::Level0, "a/b", "x"));
    let mut ids: Vec<_> =
        world.publishes(subscriber).iter().filter_map(|got| Some(got.properties.subscription_id?.value())).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2]);
}

#[test]
fn no_local_keeps_a_client_s_own_messages_away() {
    let mut world = world();
    let one = world.client("one");
    world.subscribe_with(one, "a", SubscriptionOptions { no_local: true, ..options(Q0) });
    let other = world.client("other");
    world.say(one, publish(QosPid::Level0, "a", "own"));
    world.say(other, publish(QosPid::Level0, "a", "other's"));
    assert_eq!(world.payloads(one), ["other's"]);
}

#[test]
fn an_unsubscription_ends_the_messages_and_says_whether_there_was_one() {
    let mut world = world();
    let subscriber = world.client("subscriber");
    world.subscribe(subscriber, "a/#", Q0);
    world.say(subscriber, Unsubscribe::new(pid(2), vec![filter("a/#"), filter("b")]));
    let codes = match world.hear(subscriber) {
        Some(Packet::Unsuback(unsuback)) => unsuback.topics.iter().map(|code| *code as u8).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(codes, [0x00, 0x11]);
    world.say(subscriber, publish(QosPid::Level0, "a/b", "x"));
    assert_eq!(world.payloads(subscriber), [""; 0]);
}

#[test]
fn the_members_of_a_shared_subscription_take_turns_and_skip_who_is_not_there() {
    let mut world = world();
    let members = ["one", "two", "three"].map(|name| world.client(name));
    for member in members {
        world.subscribe(member, "$share/group/a/+", Q1);
    }
    let publisher = world.client("publisher");
    for number in 0..6 {
        world.say(publisher, publish(QosPid::Level0, "a/b", &number.to_string()));
    }
    assert!(members.iter().all(|member| world.payloads(*member).len() == 2));
    world.cut(members[0]);
    world.cut(members[1]);
    world.say(publisher, publish(q1(1), "a/b", "x"));
    assert_eq!(world.payloads(members[2]), ["x"]);
}

#[test]
fn topics_of_the_server_are_not_for_leading_wildcards() {
    let mut world = world();
    let (subscriber, publisher) = pair(&mut world, Q0);
    world.say(publisher, publish(QosPid::Level0, "$SYS/load", "x"));
    assert_eq!(world.payloads(subscriber), [""; 0]);
    world.subscribe(subscriber, "$SYS/#", Q0);
    world.say(publisher, publish(QosPid::Level0, "$SYS/load", "x"));
    assert_eq!(world.payloads(subscriber), ["x"]);
}

// Retained messages.

#[test]
fn a_retained_message_is_replaced_by_the_next_and_removed_by_an_empty_one() {
    let mut world = world();
    let publisher = world.client("publisher");
    world.say(publisher, retained("a", "old"));
    world.say(publisher, retained("a", "new"));
    world.say(publisher, retained("b", "b"));
    let subscriber = world.client("subscriber");
    world.subscribe(subscriber, "+", Q0);
    let got = world.publishes(subscriber);
    assert_eq!(got.iter().map(text).collect::<Vec<_>>(), ["new", "b"]);
    assert!(got.iter().all(|got| got.retain));
    world.say(publisher, retained("a", ""));
    // Who is there gets the empty one as a message like any other.
    assert_eq!(world.payloads(subscriber), [""]);
    let late = world.client("late");
    world.subscribe(late, "+", Q0);
    assert_eq!(world.payloads(late), ["b"]);
    assert_eq!(world.broker.retained().len(), 1);
}

#[test]
fn retain_handling_says_when_retained_messages_are_sent() {
    let mut world = world();
    let client = world.client("client");
    world.say(client, retained("a", "x"));
    let mut subscribe = |retain_handling| {
        world.subscribe_with(client, "a", SubscriptionOptions { retain_handling, ..options(Q0) });
        world.payloads(client).len()
    };
    assert_eq!(subscribe(RetainHandling::DoNotSend), 0);
    assert_eq!(subscribe(RetainHandling::SendAtSubscribeIfNotExist), 0, "it was there");
    assert_eq!(subscribe(RetainHandling::SendAtSubscribe), 1);
    world.say(client, Unsubscribe::new(pid(1), vec![filter("a")]));
    world.hear(client);
    world.subscribe_with(
        client,
        "a",
        SubscriptionOptions { retain_handling: RetainHandling::SendAtSubscribeIfNotExist, ..options(Q0) },
    );
    assert_eq!(world.payloads(client), ["x"], "it was not there");
}

#[test]
fn retain_as_published_keeps_the_flag_of_messages_that_come_live() {
    let mut world = world();
    let client = world.client("client");
    for (retain_as_published, expected) in [(false, false), (true, true)] {
        world.subscribe_with(
            client,
            "a",
            SubscriptionOptions { retain_as_published, retain_handling: RetainHandling::DoNotSend, ..options(Q0) },
        );
        world.say(client, retained("a", "x"));
        assert_eq!(world.publishes(client)[0].retain, expected);
    }
}

// Sessions.

#[test]
fn a_session_lives_on_for_its_expiry_interval_and_no_longer() {
    let mut world = world();
    let client = world.client("client");
    world.subscribe(client, "a", Q1);
    world.cut(client);
    world.pass(SECOND * 3599);
    let (client, connack) = world.connect(resume("client"));
    assert!(connack.session_present);
    world.cut(client);
    world.pass(SECOND * 3600);
    let (_, connack) = world.connect(resume("client"));
    assert!(!connack.session_present);
    assert_eq!(world.broker.sessions()[0].subscriptions, [""; 0]);
}

#[test]
fn a_session_without_an_expiry_interval_ends_with_its_connection() {
    let mut world = world();
    let mut connect = resume("client");
    connect.properties.session_expiry_interval = None;
    let (client, _) = world.connect(connect.clone());
    world.say(client, Disconnect::new_normal());
    assert!(world.is_closed(client) && world.broker.sessions().is_empty());
    assert!(!world.connect(connect).1.session_present);
}

#[test]
fn a_clean_start_begins_a_new_session() {
    let mut world = world();
    let client = world.client("client");
    world.subscribe(client, "a", Q1);
    world.cut(client);
    let (_, connack) = world.connect(connect("client"));
    assert!(!connack.session_present && world.broker.sessions()[0].subscriptions.is_empty());
}

#[test]
fn a_disconnect_may_shorten_a_session_and_cannot_create_one() {
    let mut world = world();
    let client = world.client("client");
    let mut disconnect = Disconnect::new_normal();
    disconnect.properties.session_expiry_interval = Some(0);
    world.say(client, disconnect.clone());
    assert!(world.broker.sessions().is_empty());
    let (client, _) = world.connect(Connect::new("client".into(), 0));
    disconnect.properties.session_expiry_interval = Some(5);
    world.say(client, disconnect);
    assert_eq!(world.ended(client), 0x82);
}

#[test]
fn a_second_client_of_the_same_name_takes_the_session_over() {
    let mut world = world();
    let first = world.client("client");
    world.subscribe(first, "a", Q1);
    let (second, connack) = world.connect(resume("client"));
    assert_eq!(world.ended(first), 0x8E);
    assert!(connack.session_present);
    world.say(second, publish(QosPid::Level0, "a", "x"));
    assert_eq!(world.payloads(second), ["x"]);
}

#[test]
fn messages_of_qos_1_and_2_wait_for_a_client_that_is_away_and_those_of_qos_0_do_not() {
    let mut world = world();
    let (subscriber, publisher) = pair(&mut world, Q2);
    world.cut(subscriber);
    for (number, qos_pid) in [QosPid::Level0, q1(1), q2(2)].into_iter().enumerate() {
        world.say(publisher, publish(qos_pid, "a", &number.to_string()));
    }
    let (subscriber, _) = world.connect(resume("subscriber"));
    assert_eq!(world.payloads(subscriber), ["1", "2"]);
    // Nor for one that leaves before it took them.
    world.block(subscriber, true);
    world.say(publisher, publish(QosPid::Level0, "a", "3"));
    world.cut(subscriber);
    let (subscriber, _) = world.connect(resume("subscriber"));
    assert!(world.publishes(subscriber).iter().all(|again| again.dup && text(again) != "3"));
}

#[test]
fn what_was_not_acknowledged_is_sent_again_in_the_first_order_with_dup() {
    let mut world = world();
    let (subscriber, publisher) = pair(&mut world, Q2);
    for (number, qos_pid) in [q1(1), q2(2), q2(3), q1(4)].into_iter().enumerate() {
        world.say(publisher, publish(qos_pid, "a", &number.to_string()));
    }
    let sent = world.publishes(subscriber);
    world.say(subscriber, Pubrec::new_success(sent[2].qos_pid.pid().expect("one")));
    world.cut(subscriber);
    world.say(publisher, publish(q1(5), "a", "4"));
    let (subscriber, _) = world.connect(resume("subscriber"));
    let again: Vec<_> = std::iter::from_fn(|| world.hear(subscriber)).collect();
    let dup = |sent: &Publish| Packet::from(Publish { dup: true, ..sent.clone() });
    assert_eq!(
        again[..4],
        [dup(&sent[0]), dup(&sent[1]), Pubrel::new_success(sent[2].qos_pid.pid().expect("one")).into(), dup(&sent[3])]
    );
    assert!(matches!(&again[4..], [Packet::Publish(new)] if !new.dup && text(new) == "4"), "{again:?}");
}

#[test]
fn what_a_client_released_before_it_was_cut_is_not_published_again() {
    let mut world = world();
    let (subscriber, publisher) = pair(&mut world, Q0);
    world.say(publisher, publish(q2(1), "a", "x"));
    world.cut(publisher);
    let (publisher, _) = world.connect(resume("publisher"));
    world.say(publisher, Publish { dup: true, ..publish(q2(1), "a", "x") });
    world.say(publisher, Pubrel::new_success(pid(1)));
    assert_eq!(world.payloads(subscriber), ["x"]);
}

#[test]
fn a_full_queue_drops_new_messages_and_counts_them() {
    let mut world = World::new(BrokerOptions { maximum_queued: 2, ..BrokerOptions::default() });
    let (subscriber, publisher) = pair(&mut world, Q1);
    world.cut(subscriber);
    for number in 1..=5 {
        world.say(publisher, publish(q1(number), "a", &number.to_string()));
    }
    let state = |world: &World| world.broker.sessions().into_iter().find(|one| &*one.client == "subscriber");
    assert_eq!(state(&world).map(|one| (one.queued, one.dropped)), Some((2, 3)));
    let (subscriber, _) = world.connect(resume("subscriber"));
    assert_eq!(world.payloads(subscriber), ["1", "2"]);
    // Also of QoS 0, while the client is there and takes nothing.
    world.block(subscriber, true);
    for number in 0..5 {
        world.say(publisher, publish(QosPid::Level0, "a", &number.to_string()));
    }
    assert_eq!(state(&world).map(|one| (one.queued, one.dropped)), Some((2, 6)));
    world.block(subscriber, false);
    assert_eq!(world.payloads(subscriber), ["0", "1"]);
}

#[test]
fn a_broker_that_keeps_no_log_passes_everything_on_and_remembers_nothing_of_it() {
    let mut world = World::new(BrokerOptions { log: false, ..BrokerOptions::default() });
    let (subscriber, publisher) = pair(&mut world, Q1);
    world.say(publisher, publish(q1(1), "a", "x"));
    assert_eq!(world.payloads(subscriber), ["x"]);
    assert_eq!(world.broker.published(), []);
}

// Flow.

#[test]
fn a_client_gets_no_more_than_its_receive_maximum_at_once() {
    let mut world = world();
    let mut connect = connect("subscriber");
    connect.properties.receive_max = Some(2);
    let (subscriber, _) = world.connect(connect);
    world.subscribe(subscriber, "a", Q2);
    let publisher = world.client("publisher");
    for number in 1..=4 {
        world.say(publisher, publish(q2(number), "a", &number.to_string()));
    }
    world.say(publisher, publish(QosPid::Level0, "a", "0"));
    let got = world.publishes(subscriber);
    assert_eq!(got.iter().map(text).collect::<Vec<_>>(), ["1", "2", "0"], "QoS 0 does not wait");
    let first = got[0].qos_pid.pid().expect("one");
    world.say(subscriber, Pubrec::new_success(first));
    assert!(matches!(world.hear(subscriber), Some(Packet::Pubrel(_))));
    assert_eq!(world.hear(subscriber), None, "released is not done");
    world.say(subscriber, Pubcomp::new_success(first));
    assert_eq!(world.payloads(subscriber), ["3"]);
    // Refused is done.
    world.say(subscriber, Pubrec::new(got[1].qos_pid.pid().expect("one"), PubrecReasonCode::QuotaExceeded));
    assert_eq!(world.payloads(subscriber), ["4"]);
}

#[test]
fn a_client_that_sends_more_than_the_receive_maximum_is_disconnected_with_0x93() {
    let mut world = World::new(BrokerOptions { receive_maximum: 2, ..BrokerOptions::default() });
    let (publisher, connack) = world.connect(connect("publisher"));
    assert_eq!(connack.properties.receive_max, Some(2));
    for number in 1..=50 {
        world.say(publisher, publish(q1(number), "a", "acknowledged at once"));
    }
    for number in 1..=2 {
        world.say(publisher, publish(q2(number), "a", "x"));
    }
    world.say(publisher, Pubrel::new_success(pid(1)));
    world.say(publisher, publish(q2(3), "a", "x"));
    assert!(!world.is_closed(publisher));
    world.say(publisher, publish(q2(4), "a", "x"));
    assert_eq!(world.ended(publisher), 0x93);
}

#[test]
fn a_packet_over_the_client_s_maximum_is_not_sent_and_the_rest_is() {
    let mut world = world();
    let mut connect = connect("subscriber");
    connect.properties.max_packet_size = Some(30);
    let (subscriber, _) = world.connect(connect);
    world.subscribe(subscriber, "a", Q1);
    let publisher = world.client("publisher");
    for payload in ["x", &"y".repeat(40), "z"] {
        world.say(publisher, publish(q1(1), "a", payload));
        world.say(publisher, publish(QosPid::Level0, "a", payload));
    }
    assert_eq!(world.payloads(subscriber), ["x", "x", "z", "z"]);
}

#[test]
fn a_packet_over_the_broker_s_maximum_ends_the_connection_with_0x95() {
    let mut world = World::new(BrokerOptions { maximum_packet_size: 100, ..BrokerOptions::default() });
    let (client, connack) = world.connect(connect("client"));
    assert_eq!(connack.properties.max_packet_size, Some(100));
    world.say(client, publish(QosPid::Level0, "a", &"x".repeat(200)));
    assert_eq!(world.ended(client), 0x95);
    let other = world.open();
    world.say(other, connect(&"x".repeat(200)));
    assert_eq!(world.ended(other), 0x95);
}

#[test]
fn packets_may_come_byte_by_byte_or_many_at_once() {
    let mut world = world();
    let client = world.open();
    let mut bytes = Vec::new();
    for packet in [
        Packet::from(connect("client")),
        Subscribe::new(pid(1), vec![(filter("a"), options(Q0))]).into(),
        publish(QosPid::Level0, "a", &"x".repeat(300)).into(),
        Packet::Pingreq,
    ] {
        bytes.extend_from_slice(packet.encode().expect("bytes").as_ref());
    }
    for byte in &bytes {
        world.say_bytes(client, &[*byte]);
    }
    let first: Vec<_> = std::iter::from_fn(|| world.hear(client)).collect();
    let other = world.open();
    world.say_bytes(other, &bytes);
    let second: Vec<_> = std::iter::from_fn(|| world.hear(other)).collect();
    assert_eq!(first.len(), 4);
    // The acknowledgements of one reading go out before its messages.
    assert_eq!(second.len(), 4);
    assert!(first.iter().all(|packet| second.contains(packet)));
}

// Time.

#[test]
fn a_client_that_is_silent_for_one_and_a_half_keep_alives_is_disconnected_with_0x8d() {
    let mut world = world();
    let (client, _) = world.connect(Connect { keep_alive: 10, ..connect("client") });
    world.pass(SECOND * 14);
    world.say(client, Packet::Pingreq);
    assert_eq!(world.hear(client), Some(Packet::Pingresp));
    world.pass(Duration::from_millis(14_999));
    assert!(!world.is_closed(client));
    world.pass(Duration::from_millis(1));
    assert_eq!(world.ended(client), 0x8D);
    let (patient, _) = world.connect(connect("no keep-alive"));
    world.pass(SECOND * 100_000);
    assert!(!world.is_closed(patient));
}

#[test]
fn a_connection_without_a_connect_is_closed_after_a_while() {
    let mut world = world();
    let nobody = world.open();
    world.pass(SECOND * 29);
    assert!(!world.is_closed(nobody));
    world.pass(SECOND);
    assert!(world.is_closed(nobody) && world.hear(nobody).is_none());
}

// Wills.

#[test]
fn a_will_is_published_when_the_client_is_lost_and_not_when_it_says_goodbye() {
    for (goodbye, expected) in [(None, 1), (Some(0x00), 0), (Some(0x04), 1)] {
        let mut world = world();
        let subscriber = world.client("subscriber");
        world.subscribe(subscriber, "will", Q0);
        let (client, _) = world.connect(Connect { last_will: Some(will("will", "gone", 0)), ..connect("client") });
        match goodbye.and_then(DisconnectReasonCode::from_u8) {
            Some(reason) => world.say(client, Disconnect::new(reason)),
            None => world.cut(client),
        }
        assert_eq!(world.payloads(subscriber).len(), expected, "{goodbye:?}");
    }
}

#[test]
fn a_delayed_will_waits_for_the_client_to_come_back() {
    let mut world = world();
    let subscriber = world.client("subscriber");
    world.subscribe(subscriber, "will", Q0);
    let with_will = Connect { last_will: Some(will("will", "gone", 10)), ..resume("client") };
    let (client, _) = world.connect(with_will.clone());
    world.cut(client);
    world.pass(SECOND * 9);
    let (client, _) = world.connect(with_will.clone());
    world.pass(SECOND * 60);
    assert_eq!(world.payloads(subscriber), [""; 0]);
    world.cut(client);
    world.pass(SECOND * 10);
    assert_eq!(world.payloads(subscriber), ["gone"]);
    // It does not wait longer than the session lasts, or when a new one begins.
    let mut short = with_will;
    short.properties.session_expiry_interval = Some(3);
    let (client, _) = world.connect(short.clone());
    world.cut(client);
    world.pass(SECOND * 3);
    assert_eq!(world.payloads(subscriber), ["gone"]);
    let (client, _) = world.connect(short);
    world.cut(client);
    world.client("client");
    assert_eq!(world.payloads(subscriber), ["gone"]);
}

#[test]
fn a_will_is_retained_when_it_says_so() {
    let mut world = world();
    let last_will = LastWill { retain: true, ..will("status", "offline", 0) };
    let (client, _) = world.connect(Connect { last_will: Some(last_will), keep_alive: 1, ..connect("client") });
    world.pass(SECOND * 2);
    assert_eq!(world.ended(client), 0x8D);
    assert_eq!(world.broker.retained(), [("status".into(), "offline".into())]);
}

// Who may connect, and who breaks the rules.

#[test]
fn only_known_users_with_their_passwords_may_connect_when_there_are_any() {
    let users = [("ada".to_owned(), "secret".to_owned())].into();
    let mut world = World::new(BrokerOptions { users, ..BrokerOptions::default() });
    let with = |user: Option<&str>, password: Option<&str>| Connect {
        username: user.map(Into::into),
        password: password.map(|password| password.to_owned().into()),
        ..connect("client")
    };
    for (user, password) in
        [(None, None), (Some("ada"), None), (Some("ada"), Some("guess")), (Some("eve"), Some("secret"))]
    {
        let id = world.open();
        world.say(id, with(user, password));
        assert_eq!(world.ended(id), 0x86, "{user:?}");
    }
    assert_eq!(world.connect(with(Some("ada"), Some("secret"))).1.reason_code as u8, 0);
}

#[test]
fn a_client_without_a_name_is_given_one() {
    let mut world = world();
    let (_, first) = world.connect(connect(""));
    let (_, second) = world.connect(connect(""));
    let (first, second) = (first.properties.assigned_client_id, second.properties.assigned_client_id);
    assert!(first.is_some() && second.is_some() && first != second);
}

#[test]
fn breaking_a_rule_ends_the_connection_with_the_reason_for_it() {
    let mut aliased = publish(QosPid::Level0, "a", "x");
    aliased.properties.topic_alias = Some(0);
    let mut identified = publish(QosPid::Level0, "a", "x");
    identified.properties.subscription_id = VarByteInt::try_from(1).ok();
    let shared_no_local = SubscriptionOptions { no_local: true, ..options(Q0) };
    let rules: [(&str, Packet, u8); 8] = [
        ("a second CONNECT", connect("again").into(), 0x82),
        ("no topic and no alias", publish(QosPid::Level0, "", "x").into(), 0x82),
        ("alias 0", aliased.into(), 0x94),
        ("a client's subscription identifier", identified.into(), 0x82),
        (
            "no local on a shared one",
            Subscribe::new(pid(1), vec![(filter("$share/g/a"), shared_no_local)]).into(),
            0x82,
        ),
        ("an AUTH that nobody asked for", Auth::new_success().into(), 0x82),
        ("a server's packet", Packet::Pingresp, 0x81),
        ("no filter", Subscribe::new(pid(1), Vec::new()).into(), 0x82),
    ];
    for (rule, packet, reason) in rules {
        let mut world = world();
        let client = world.client("client");
        world.say(client, packet);
        assert_eq!(world.ended(client), reason, "{rule}");
    }
    for (rule, bytes, reason) in [
        ("a topic with a wildcard", &b"\x30\x05\x00\x01#\x00x"[..], 0x90),
        ("a filter with a wildcard inside", b"\x82\x08\x00\x01\x00\x00\x02a#\x00", 0x8F),
        ("flags that are not to be set", b"\xc1\x00", 0x81),
        ("a length of five bytes", b"\x30\xff\xff\xff\xff\x01", 0x81),
        ("bytes behind the packet's end", b"\x40\x05\x00\x01\x00\x00x", 0x81),
    ] {
        let mut world = world();
        let client = world.client("client");
        world.say_bytes(client, bytes);
        assert_eq!(world.ended(client), reason, "{rule}");
    }
}

#[test]
fn an_acknowledgement_of_the_wrong_kind_ends_the_connection_with_0x82() {
    for answer in [|pid| Packet::from(Pubrec::new_success(pid)), |pid| Packet::from(Pubcomp::new_success(pid))] {
        let mut world = world();
        let (subscriber, publisher) = pair(&mut world, Q1);
        world.say(publisher, publish(q1(1), "a", "x"));
        let got = world.publishes(subscriber);
        world.say(subscriber, answer(got[0].qos_pid.pid().expect("one")));
        assert_eq!(world.ended(subscriber), 0x82);
    }
}

#[test]
fn who_does_not_begin_with_a_connect_is_closed_without_a_word() {
    let mut world = world();
    let client = world.open();
    world.say(client, Packet::Pingreq);
    assert!(world.is_closed(client) && world.hear(client).is_none());
}

#[test]
fn a_connect_that_cannot_be_granted_is_refused_with_the_reason() {
    let refused = |connect: Connect| {
        let mut world = world();
        let client = world.open();
        world.say(client, connect);
        world.ended(client)
    };
    let mut enhanced = connect("client");
    enhanced.properties.auth_method = Some("scram".into());
    assert_eq!(refused(enhanced), 0x8C);
    let mut nothing_at_once = connect("client");
    nothing_at_once.properties.receive_max = Some(0);
    assert_eq!(refused(nothing_at_once), 0x82);
    assert_eq!(refused(Connect { last_will: Some(will("", "x", 0)), ..connect("client") }), 0x90);
    let mut world = world();
    let client = world.open();
    world.say_bytes(client, b"\x10\x0f\x00\x04MQTT\x09\x02\x00\x00\x00\x00\x02me");
    assert_eq!(world.ended(client), 0x84);
}

// The older version.

#[test]
fn a_client_of_3_1_1_is_answered_in_its_version() {
    let mut world = world();
    let old = world.open();
    let mut connect = v3::Connect::new("old".into(), 0);
    connect.clean_session = false;
    world.say_bytes(old, &v3_bytes(connect.clone()));
    assert_eq!(world.bytes(old), [0x20, 2, 0, 0]);
    world.say_bytes(old, &v3_bytes(v3::Subscribe::new(pid(1), vec![(filter("a"), Q1), (filter("b"), Q2)])));
    assert_eq!(world.bytes(old), [0x90, 4, 0, 1, 1, 2]);
    let publisher = world.client("publisher");
    world.say(publisher, publish(q2(1), "a", "x"));
    assert_eq!(world.bytes(old), [0x32, 6, 0, 1, b'a', 0, 1, b'x']);
    world.say_bytes(old, &v3_bytes(v3::Packet::Puback(pid(1))));
    world.say_bytes(old, &v3_bytes(v3::Packet::Unsuback(pid(2))));
    assert!(world.is_closed(old) && world.bytes(old).is_empty(), "there is no DISCONNECT to a client");
    let old = world.open();
    world.say_bytes(old, &v3_bytes(connect));
    assert_eq!(world.bytes(old), [0x20, 2, 1, 0], "a session that is not clean lasts");
    world.say_bytes(old, &v3_bytes(v3::Packet::Disconnect));
    assert!(world.is_closed(old));
}

#[test]
fn a_client_of_3_1_1_is_not_held_to_a_receive_maximum_that_it_was_not_told() {
    let mut world = World::new(BrokerOptions { receive_maximum: 1, ..BrokerOptions::default() });
    let old = world.open();
    world.say_bytes(old, &v3_bytes(v3::Connect::new("old".into(), 0)));
    assert_eq!(world.bytes(old), [0x20, 2, 0, 0]);
    for id in 1..=3 {
        world.say_bytes(old, &[0x34, 6, 0, 1, b'a', 0, id, b'x']);
        assert_eq!(world.bytes(old), [0x50, 2, 0, id], "it is taken, and waits for its PUBREL");
    }
    assert!(!world.is_closed(old));
}

// Crashes and silence.

#[test]
fn a_crash_that_keeps_cuts_all_and_goes_on_where_it_was() {
    let mut world = world();
    let (subscriber, publisher) = pair(&mut world, Q2);
    world.say(publisher, retained("r", "kept"));
    world.say(publisher, publish(q2(1), "a", "x"));
    let sent = world.publishes(subscriber);
    world.crash(Memory::Keep);
    assert!(world.hear(subscriber).is_none(), "without a word");
    world.say(publisher, publish(q1(2), "a", "to nobody"));
    let (subscriber, connack) = world.connect(resume("subscriber"));
    assert!(connack.session_present);
    let again = world.publishes(subscriber);
    assert_eq!(again.iter().map(text).collect::<Vec<_>>(), ["x"]);
    assert!(again[0].dup && again[0].qos_pid == sent[1].qos_pid);
    // The publisher's half, too.
    let (publisher, _) = world.connect(resume("publisher"));
    world.say(publisher, Publish { dup: true, ..publish(q2(1), "a", "x") });
    assert_eq!(world.payloads(subscriber), [""; 0]);
    assert_eq!(world.broker.retained().len(), 1);
}

#[test]
fn a_crash_that_forgets_leaves_no_session_no_retained_message_and_no_will() {
    let mut world = world();
    let (subscriber, publisher) = pair(&mut world, Q2);
    world.say(publisher, retained("r", "kept"));
    world.connect(Connect { last_will: Some(will("will", "gone", 0)), ..connect("client") });
    world.publishes(subscriber);
    world.crash(Memory::Forget);
    assert!(world.broker.sessions().is_empty() && world.broker.retained().is_empty());
    let (_, connack) = world.connect(resume("subscriber"));
    assert!(!connack.session_present);
    assert_eq!(world.broker.published().len(), 1, "the test's log is not the broker's memory");
}

#[test]
fn a_broker_that_never_answers_takes_everything_and_says_nothing() {
    let mut world = world();
    let (subscriber, publisher) = pair(&mut world, Q0);
    world.broker.never_answer(true, world.now);
    let newcomer = world.open();
    world.say(newcomer, connect("newcomer"));
    world.say(publisher, publish(q1(1), "a", "x"));
    world.broker.publish("a", "y", 0, false, world.now).expect("a topic and a quality");
    world.pass(SECOND * 1000);
    for id in [newcomer, publisher, subscriber] {
        world.take(id);
        assert!(world.hear(id).is_none() && !world.is_closed(id));
    }
    world.broker.never_answer(false, world.now);
    for id in [newcomer, publisher, subscriber] {
        world.take(id);
    }
    assert!(world.is_closed(newcomer) && world.is_closed(publisher), "what they said is lost");
    assert!(!world.is_closed(subscriber), "it said nothing");
    assert_eq!(world.payloads(subscriber), ["y"]);
}

#[test]
fn the_broker_itself_can_publish() {
    let mut world = world();
    let subscriber = world.client("subscriber");
    world.subscribe(subscriber, "a", Q1);
    world.broker.publish("a", "x", 1, false, world.now).expect("a topic and a quality");
    world.take(subscriber);
    assert_eq!(world.payloads(subscriber), ["x"]);
    assert!(world.broker.publish("a/#", "x", 1, false, world.now).is_err());
    assert!(world.broker.publish("", "x", 1, false, world.now).is_err());
    assert!(world.broker.publish("a", "x", 3, false, world.now).is_err());
}
