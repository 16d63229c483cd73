//! The broker as a state machine: bytes, closed connections and the time go in; bytes and connections to close come out.

use crate::{
    BrokerOptions, Memory,
    packets::{self, Frame, Version},
    session::{Allowance, Message, Outgoing, Session, Subscription, Will},
    topics,
};
use bytes::{Buf, Bytes, BytesMut};
use mqtt_proto::{
    Pid, QoS, QosPid, TopicName,
    v5::{
        Connack, Connect, ConnectReasonCode, Disconnect, DisconnectReasonCode as Reason, LastWill, Packet, Puback,
        PubackReasonCode, Pubcomp, PubcompReasonCode, Publish, PublishProperties, Pubrec, PubrecReasonCode, Pubrel,
        PubrelReasonCode, RetainHandling, Suback, Subscribe, SubscribeReasonCode, Unsuback, Unsubscribe,
        UnsubscribeReasonCode,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// One connection to a broker; no two of one broker are alike, crashes or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

/// What a broker wants done with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Send(Bytes),
    /// Close it, once all before was sent. The broker has forgotten it.
    Close,
}

/// A message that a broker took, for a test to compare with what it expects. A QoS 2 message that is sent twice is
/// here once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// When.
    pub at: Duration,
    /// The client that published it (or whose will it is); `None` for [`Broker::publish`].
    pub client: Option<Arc<str>>,
    /// Its topic.
    pub topic: Arc<str>,
    /// Its payload.
    pub payload: Bytes,
    /// 0, 1 or 2.
    pub qos: u8,
    /// Whether it was to be retained.
    pub retain: bool,
    /// The clients that it is for, one for each copy: those who had subscribed, and whose sessions had room for it. Of QoS 0,
    /// those who were there.
    pub to: Vec<Arc<str>>,
}

/// What a broker knows of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionState {
    /// The client identifier.
    pub client: Arc<str>,
    /// Whether the client is there.
    pub connected: bool,
    /// The filters that it subscribed to: those of one topic, those with wildcards, the shared ones, each in order.
    pub subscriptions: Vec<String>,
    /// How many messages wait to be sent.
    pub queued: usize,
    /// How many were sent and are not acknowledged to the end.
    pub in_flight: usize,
    /// How many were dropped, because [too many](BrokerOptions::maximum_queued) waited.
    pub dropped: u64,
}

/// Why a broker does not take a message from its own side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishRefused {
    /// Nothing can be published there.
    #[error("a topic is not empty, and holds no `+`, `#` or zero: name the topic itself")]
    InvalidTopic,
    /// There is no such quality of service.
    #[error("quality of service is 0, 1 or 2")]
    InvalidQos,
}

/// A broker without a network, a clock or a thread. It is driven like this:
///
/// - [`connected`](Self::connected) when somebody connects, [`received`](Self::received) when bytes come,
///   [`closed`](Self::closed) when the connection is gone, [`handle_timeout`](Self::handle_timeout) when
///   [`next_deadline`](Self::next_deadline) has come;
/// - after each, all of [`poll_ready`](Self::poll_ready): the connections that may have something to send now. For each,
///   [`poll_output`](Self::poll_output) as long as the peer takes it. What is not polled waits in the session, and
///   counts there.
///
/// Time is counted from any moment that stays the same, and does not go back. The same calls give the same output, byte
/// for byte.
#[derive(Debug)]
pub struct Broker {
    options: BrokerOptions,
    connections: BTreeMap<ConnectionId, Connection>,
    sessions: BTreeMap<Arc<str>, Session>,
    retained: BTreeMap<Arc<str>, Arc<Message>>,
    /// Whose turn it is in each shared subscription.
    turns: BTreeMap<Arc<str>, u64>,
    ready: BTreeSet<ConnectionId>,
    published: Vec<Published>,
    silent: bool,
    next_connection: u64,
    next_client: u64,
}

#[derive(Debug)]
struct Connection {
    version: Version,
    state: State,
    input: BytesMut,
    outbox: VecDeque<Packet>,
    last_heard: Duration,
    allowance: Allowance,
    receive_maximum: u16,
    keep_alive: Option<Duration>,
    aliases: BTreeMap<u16, TopicName>,
    /// Messages of QoS 1 and 2 that came and have no last acknowledgement that was sent.
    unacknowledged: BTreeSet<Pid>,
    /// Whether it was told nothing while the broker was silent.
    unheard: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// No CONNECT yet.
    New,
    /// A client's.
    Up(Arc<str>),
    /// It ends when all is sent, or at this moment.
    Closing(Duration),
}

/// The protocol can say 256 MiB. A message that is passed on may be some bytes longer than it came: half of it is safe.
const LONGEST_PACKET: u32 = 128 << 20;
/// How long a peer has to take the last words.
const LINGER: Duration = Duration::from_secs(10);

impl Broker {
    /// A broker that knows nobody.
    #[must_use]
    pub fn new(mut options: BrokerOptions) -> Self {
        options.maximum_packet_size = options.maximum_packet_size.min(LONGEST_PACKET);
        Self {
            options,
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            retained: BTreeMap::new(),
            turns: BTreeMap::new(),
            ready: BTreeSet::new(),
            published: Vec::new(),
            silent: false,
            next_connection: 0,
            next_client: 0,
        }
    }

    // What happens to it.

    /// Somebody connected.
    pub fn connected(&mut self, now: Duration) -> ConnectionId {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.connections.insert(
            id,
            Connection {
                version: Version::V5,
                state: State::New,
                input: BytesMut::new(),
                outbox: VecDeque::new(),
                last_heard: now,
                allowance: Allowance { quota: 0, packet: 0 },
                receive_maximum: 0,
                keep_alive: None,
                aliases: BTreeMap::new(),
                unacknowledged: BTreeSet::new(),
                unheard: false,
            },
        );
        id
    }

    /// Bytes came. Those of a connection that the broker has closed are ignored.
    pub fn received(&mut self, id: ConnectionId, bytes: &[u8], now: Duration) {
        self.handle_timeout(now);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if self.silent {
            connection.unheard = true;
            return;
        }
        connection.input.extend_from_slice(bytes);
        while let Some(connection) = self.connections.get_mut(&id) {
            if matches!(connection.state, State::Closing(_)) {
                connection.input.clear();
                return;
            }
            match connection.next_frame(self.options.maximum_packet_size) {
                Ok(None) => return,
                Ok(Some((frame, body))) => {
                    connection.last_heard = now;
                    if let Err(reason) = self.frame(id, frame, &body, now) {
                        self.fail(id, reason, now);
                    }
                }
                Err(reason) => self.fail(id, reason, now),
            }
        }
    }

    /// A connection is gone, without a word from its client.
    pub fn closed(&mut self, id: ConnectionId, now: Duration) {
        self.handle_timeout(now);
        self.ready.remove(&id);
        if let Some(Connection { state: State::Up(client), .. }) = self.connections.remove(&id) {
            self.leave(&client, true, now);
        }
    }

    /// Does what was to be done until `now`: ends connections that were silent for too long, publishes delayed wills, ends
    /// sessions.
    pub fn handle_timeout(&mut self, now: Duration) {
        while let Some((_, due)) = self.first_due().filter(|(at, _)| *at <= now) {
            match due {
                Due::Connection(id) => self.overdue(id, now),
                Due::Will(client) => {
                    let will = self.sessions.get_mut(&client).and_then(|session| session.delayed_will.take());
                    if let Some((_, will)) = will {
                        self.publish_will(will, now);
                    }
                }
                Due::SessionEnd(client) => self.end_session(&client, now),
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.first_due().map(|(at, _)| at)
    }

    /// The next connection for which [`poll_output`](Self::poll_output) may have something.
    pub fn poll_ready(&mut self) -> Option<ConnectionId> {
        self.ready.pop_first()
    }

    /// What is to be done with a connection next, when its peer can take it.
    pub fn poll_output(&mut self, id: ConnectionId, now: Duration) -> Option<Output> {
        if self.silent {
            return None;
        }
        let connection = self.connections.get_mut(&id)?;
        while let Some(packet) = connection.outbox.pop_front() {
            match &packet {
                Packet::Puback(puback) => connection.unacknowledged.remove(&puback.pid),
                Packet::Pubcomp(pubcomp) => connection.unacknowledged.remove(&pubcomp.pid),
                Packet::Pubrec(pubrec) if refuses(pubrec.reason_code) => connection.unacknowledged.remove(&pubrec.pid),
                _ => false,
            };
            if let Some(bytes) = packets::encode(connection.version, packet) {
                return Some(Output::Send(bytes));
            }
        }
        match &connection.state {
            State::New => None,
            State::Closing(_) => {
                self.connections.remove(&id);
                self.ready.remove(&id);
                Some(Output::Close)
            }
            State::Up(client) => {
                let session = self.sessions.get_mut(client)?;
                // A bound for 3.1.1 as well: its packets are shorter than those of 5.
                let length = |packet: &Packet| packet.encode_len().unwrap_or(usize::MAX);
                let packet = session.next_packet(&mut connection.allowance, now, length)?;
                packets::encode(connection.version, packet).map(Output::Send)
            }
        }
    }

    /// Publishes a message from the broker's own side.
    ///
    /// # Errors
    /// [`PublishRefused`].
    pub fn publish(
        &mut self,
        topic: &str,
        payload: impl Into<Bytes>,
        qos: u8,
        retain: bool,
        now: Duration,
    ) -> Result<(), PublishRefused> {
        self.handle_timeout(now);
        let name = TopicName::try_from(topic).ok().filter(|_| !topic.is_empty());
        let message = Message {
            topic: name.ok_or(PublishRefused::InvalidTopic)?,
            payload: payload.into(),
            qos: QoS::from_u8(qos).map_err(|_| PublishRefused::InvalidQos)?,
            retain,
            properties: PublishProperties::default(),
            expires: None,
            from: None,
        };
        self.route(message, now);
        Ok(())
    }

    /// Dies and is there again: all connections end without a word, whatever was to be sent on them is lost, and of the rest
    /// remains what `memory` says. With [`Memory::Keep`], wills are as after any other lost connection.
    ///
    /// The log of [what was published](Self::published) belongs to the test, and stays.
    pub fn crash(&mut self, memory: Memory, now: Duration) {
        match memory {
            Memory::Keep => {
                self.handle_timeout(now);
                let ids: Vec<_> = self.connections.keys().copied().collect();
                for id in ids {
                    self.closed(id, now);
                }
            }
            Memory::Forget => {
                self.connections.clear();
                self.sessions.clear();
                self.retained.clear();
                self.turns.clear();
            }
        }
        self.ready.clear();
    }

    /// A broker that never answers: it takes connections and bytes, and does nothing with them. When that ends, it closes the
    /// connections whose bytes it did not hear.
    pub fn never_answer(&mut self, silent: bool, now: Duration) {
        self.silent = silent;
        if silent {
            return;
        }
        let unheard: Vec<_> =
            self.connections.iter().filter(|(_, connection)| connection.unheard).map(|(id, _)| *id).collect();
        for id in unheard {
            self.end(id, None, true, now);
        }
        // Others waited for what happened in between.
        self.ready.extend(self.connections.keys());
    }

    /// Whether a connection is there: `false` once it was closed, on either side, or lost in a crash.
    #[must_use]
    pub fn knows(&self, id: ConnectionId) -> bool {
        self.connections.contains_key(&id)
    }

    // What a test may ask.

    /// All that it took, in order, since it was made or [asked to hand it over](Self::take_published); nothing, when it is
    /// to keep no [log](BrokerOptions::log).
    #[must_use]
    pub fn published(&self) -> &[Published] {
        &self.published
    }

    /// Hands over the log, which begins anew: what a long run does, for it grows with every message.
    pub fn take_published(&mut self) -> Vec<Published> {
        std::mem::take(&mut self.published)
    }

    /// The sessions, in the order of their client identifiers.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionState> {
        let state = |(client, session): (&Arc<str>, &Session)| SessionState {
            client: client.clone(),
            connected: session.connection.is_some(),
            subscriptions: session.filters().map(str::to_owned).collect(),
            queued: session.queued(),
            in_flight: session.in_flight(),
            dropped: session.dropped,
        };
        self.sessions.iter().map(state).collect()
    }

    /// The retained messages' topics and payloads, in the order of the topics.
    #[must_use]
    pub fn retained(&self) -> Vec<(Arc<str>, Bytes)> {
        self.retained.iter().map(|(topic, message)| (topic.clone(), message.payload.clone())).collect()
    }

    // Packets.

    fn frame(&mut self, id: ConnectionId, frame: Frame, body: &[u8], now: Duration) -> Result<(), Reason> {
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        let State::Up(client) = connection.state.clone() else {
            if !frame.is_connect() {
                return Err(Reason::ProtocolError);
            }
            match packets::decode_connect(frame, body) {
                Ok((version, connect)) => self.connect(id, version, connect, now),
                Err((version, reason)) => self.refuse(id, version, reason, now),
            }
            return Ok(());
        };
        if frame.is_connect() {
            return Err(Reason::ProtocolError);
        }
        match packets::decode(connection.version, frame, body)? {
            Packet::Publish(publish) => self.take(id, &client, publish, now)?,
            Packet::Puback(puback) => {
                let there = self.session(&client)?.acknowledged(puback.pid).map_err(|_| Reason::ProtocolError)?;
                self.give_back(id, there);
            }
            Packet::Pubrec(pubrec) => {
                let takes = !refuses(pubrec.reason_code);
                let there = self.session(&client)?.noted(pubrec.pid, takes).map_err(|_| Reason::ProtocolError)?;
                if takes {
                    let code =
                        if there { PubrelReasonCode::Success } else { PubrelReasonCode::PacketIdentifierNotFound };
                    self.say(id, Pubrel::new(pubrec.pid, code));
                } else {
                    self.give_back(id, there);
                }
            }
            Packet::Pubcomp(pubcomp) => {
                let there = self.session(&client)?.completed(pubcomp.pid).map_err(|_| Reason::ProtocolError)?;
                self.give_back(id, there);
            }
            Packet::Pubrel(pubrel) => {
                let code = if self.session(&client)?.received.remove(&pubrel.pid) {
                    PubcompReasonCode::Success
                } else {
                    PubcompReasonCode::PacketIdentifierNotFound
                };
                self.say(id, Pubcomp::new(pubrel.pid, code));
            }
            Packet::Subscribe(subscribe) => self.subscribe(id, &client, subscribe, now)?,
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(id, &client, unsubscribe)?,
            Packet::Pingreq => self.say(id, Packet::Pingresp),
            Packet::Disconnect(disconnect) => self.disconnect(id, &client, &disconnect, now)?,
            // AUTH, which nobody was asked for; the rest is refused where it is read.
            _ => return Err(Reason::ProtocolError),
        }
        Ok(())
    }

    fn connect(&mut self, id: ConnectionId, version: Version, connect: Connect, now: Duration) {
        let properties = &connect.properties;
        let will_topic_is_empty = connect.last_will.as_ref().is_some_and(|will| will.topic_name.is_empty());
        let anonymous = connect.client_id.is_empty();
        let refusal = if properties.auth_method.is_some() {
            Some(ConnectReasonCode::BadAuthMethod)
        } else if properties.auth_data.is_some()
            || properties.receive_max == Some(0)
            || properties.max_packet_size == Some(0)
        {
            Some(ConnectReasonCode::ProtocolError)
        } else if will_topic_is_empty {
            Some(ConnectReasonCode::TopicNameInvalid)
        } else if anonymous && version == Version::V3 && !connect.clean_start {
            Some(ConnectReasonCode::ClientIdentifierNotValid)
        } else if !self.may_connect(&connect) {
            Some(ConnectReasonCode::BadUserNameOrPassword)
        } else {
            None
        };
        if let Some(reason) = refusal {
            return self.refuse(id, version, reason, now);
        }
        let client = if anonymous { self.new_client_id() } else { connect.client_id.clone() };

        // Who has been here under this name goes; and so does the session, when that was its wish or the newcomer's.
        if let Some(old) = self.sessions.get(&client).and_then(|session| session.connection) {
            self.end(old, Some(Reason::SessionTakenOver), true, now);
        }
        if connect.clean_start {
            self.end_session(&client, now);
        }
        let present = self.sessions.contains_key(&client);
        let session = self.sessions.entry(client.clone()).or_insert_with(Session::new);
        session.resume(id, properties.session_expiry_interval.unwrap_or(0));
        session.delayed_will = None;
        session.will = connect.last_will.map(|will| will_of(will, &client));

        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.version = version;
        connection.state = State::Up(client.clone());
        connection.receive_maximum = properties.receive_max.unwrap_or(u16::MAX);
        connection.allowance = Allowance {
            quota: connection.receive_maximum,
            packet: properties.max_packet_size.unwrap_or(u32::MAX) as usize,
        };
        // One and a half times what the client said.
        connection.keep_alive =
            (connect.keep_alive > 0).then(|| Duration::from_millis(1500 * u64::from(connect.keep_alive)));
        let mut connack = Connack::new(present, ConnectReasonCode::Success);
        connack.properties.assigned_client_id = anonymous.then_some(client);
        connack.properties.receive_max = (self.options.receive_maximum < u16::MAX).then_some(self.receive_maximum());
        connack.properties.max_packet_size = Some(self.options.maximum_packet_size);
        connack.properties.topic_alias_max = Some(self.options.topic_alias_maximum);
        self.say(id, connack);
    }

    fn may_connect(&self, connect: &Connect) -> bool {
        let users = &self.options.users;
        let password = || {
            let user = connect.username.as_deref()?;
            users.get(user)
        };
        users.is_empty() || password().is_some_and(|password| connect.password.as_deref() == Some(password.as_bytes()))
    }

    fn new_client_id(&mut self) -> Arc<str> {
        loop {
            self.next_client += 1;
            let client: Arc<str> = format!("client-{}", self.next_client).into();
            if !self.sessions.contains_key(&client) {
                return client;
            }
        }
    }

    /// A PUBLISH of a client.
    fn take(&mut self, id: ConnectionId, client: &Arc<str>, publish: Publish, now: Duration) -> Result<(), Reason> {
        let receive_maximum = usize::from(self.receive_maximum());
        let alias_maximum = self.options.topic_alias_maximum;
        let Some(connection) = self.connections.get_mut(&id) else { return Ok(()) };
        if publish.properties.subscription_id.is_some() {
            return Err(Reason::ProtocolError);
        }
        let topic = match publish.properties.topic_alias {
            Some(alias) if alias == 0 || alias > alias_maximum => return Err(Reason::TopicAliasInvalid),
            Some(alias) if publish.topic_name.is_empty() => {
                connection.aliases.get(&alias).cloned().ok_or(Reason::ProtocolError)?
            }
            Some(alias) => {
                connection.aliases.insert(alias, publish.topic_name.clone());
                publish.topic_name
            }
            None if publish.topic_name.is_empty() => return Err(Reason::ProtocolError),
            None => publish.topic_name,
        };
        if let Some(pid) = publish.qos_pid.pid() {
            connection.unacknowledged.insert(pid);
            // A client of version 3.1.1 cannot be told a limit, and is held to none.
            if connection.version == Version::V5 && connection.unacknowledged.len() > receive_maximum {
                return Err(Reason::ReceiveMaximumExceeded);
            }
        }
        let mut properties = publish.properties;
        properties.topic_alias = None;
        let expiry = properties.message_expiry_interval.take();
        let message = Message {
            topic,
            payload: publish.payload,
            qos: publish.qos_pid.qos(),
            retain: publish.retain,
            properties,
            expires: expiry.map(|seconds| now + Duration::from_secs(u64::from(seconds))),
            from: Some(client.clone()),
        };
        match publish.qos_pid {
            QosPid::Level0 => {
                self.route(message, now);
            }
            QosPid::Level1(pid) => {
                let code = if self.session(client)?.received.contains(&pid) {
                    PubackReasonCode::PacketIdentifierInUse
                } else if self.route(message, now) {
                    PubackReasonCode::Success
                } else {
                    PubackReasonCode::NoMatchingSubscribers
                };
                self.say(id, Puback::new(pid, code));
            }
            QosPid::Level2(pid) => {
                let first = self.session(client)?.received.insert(pid);
                let code = if !first || self.route(message, now) {
                    PubrecReasonCode::Success
                } else {
                    PubrecReasonCode::NoMatchingSubscribers
                };
                self.say(id, Pubrec::new(pid, code));
            }
        }
        Ok(())
    }

    fn subscribe(
        &mut self,
        id: ConnectionId,
        client: &Arc<str>,
        subscribe: Subscribe,
        now: Duration,
    ) -> Result<(), Reason> {
        let subscription_id = subscribe.properties.subscription_id;
        if subscription_id.is_some_and(|id| id.value() == 0)
            || subscribe.topics.iter().any(|(filter, options)| filter.is_shared() && options.no_local)
        {
            return Err(Reason::ProtocolError);
        }
        let mut codes = Vec::with_capacity(subscribe.topics.len());
        let mut retained = Vec::new();
        for (filter, options) in &subscribe.topics {
            let subscription = Subscription { options: *options, id: subscription_id };
            let existed = self.session(client)?.subscribe(filter, subscription);
            let wants = match options.retain_handling {
                RetainHandling::SendAtSubscribe => true,
                RetainHandling::SendAtSubscribeIfNotExist => !existed,
                RetainHandling::DoNotSend => false,
            };
            if wants && !filter.is_shared() {
                retained.extend(self.retained_for(filter, &subscription, client, now));
            }
            codes.push(match options.max_qos {
                QoS::Level0 => SubscribeReasonCode::GrantedQoS0,
                QoS::Level1 => SubscribeReasonCode::GrantedQoS1,
                QoS::Level2 => SubscribeReasonCode::GrantedQoS2,
            });
        }
        self.say(id, Suback::new(subscribe.pid, codes));
        let maximum = self.options.maximum_queued;
        let session = self.session(client)?;
        for outgoing in retained {
            session.enqueue(outgoing, maximum);
        }
        Ok(())
    }

    fn retained_for(&self, filter: &str, subscription: &Subscription, client: &str, now: Duration) -> Vec<Outgoing> {
        let candidates: Vec<_> = if topics::has_wildcard(filter) {
            self.retained.values().filter(|message| topics::matches(filter, &message.topic)).collect()
        } else {
            self.retained.get(filter).into_iter().collect()
        };
        let is_for = |message: &Message| {
            !(message.is_expired(now) || subscription.options.no_local && message.from.as_deref() == Some(client))
        };
        let outgoing = |message: &Arc<Message>| Outgoing {
            message: message.clone(),
            qos: message.qos.min(subscription.options.max_qos),
            retain: true,
            subscription: subscription.id,
        };
        candidates.into_iter().filter(|message| is_for(message)).map(outgoing).collect()
    }

    fn unsubscribe(&mut self, id: ConnectionId, client: &Arc<str>, unsubscribe: Unsubscribe) -> Result<(), Reason> {
        let session = self.session(client)?;
        let code = |filter: &mqtt_proto::TopicFilter| {
            if session.unsubscribe(filter) {
                UnsubscribeReasonCode::Success
            } else {
                UnsubscribeReasonCode::NoSubscriptionExisted
            }
        };
        let codes = unsubscribe.topics.iter().map(code).collect();
        self.say(id, Unsuback::new(unsubscribe.pid, codes));
        Ok(())
    }

    fn disconnect(
        &mut self,
        id: ConnectionId,
        client: &Arc<str>,
        disconnect: &Disconnect,
        now: Duration,
    ) -> Result<(), Reason> {
        if let Some(expiry) = disconnect.properties.session_expiry_interval {
            let session = self.session(client)?;
            // A session that was to end with its connection cannot be prolonged.
            if session.expiry == 0 && expiry > 0 {
                return Err(Reason::ProtocolError);
            }
            session.expiry = expiry;
        }
        self.end(id, None, disconnect.reason_code != Reason::NormalDisconnect, now);
        Ok(())
    }

    // Messages.

    /// Brings a message to all who subscribed to it, and says whether there is anybody.
    fn route(&mut self, message: Message, now: Duration) -> bool {
        let message = Arc::new(message);
        if message.retain {
            let topic: Arc<str> = (*message.topic).into();
            if message.payload.is_empty() {
                self.retained.remove(&topic);
            } else {
                self.retained.insert(topic, message.clone());
            }
        }
        let maximum = self.options.maximum_queued;
        let mut found = false;
        let mut to = Vec::new();
        let mut groups: BTreeMap<Arc<str>, Vec<(Arc<str>, Subscription)>> = BTreeMap::new();
        for (client, session) in &mut self.sessions {
            let own = message.from.as_ref() == Some(client);
            let matching = session.matching(&message.topic).filter(|one| !(own && one.options.no_local));
            let copies = copies(&message, matching);
            for (filter, subscription) in session.shared() {
                let inner = filter.splitn(3, '/').nth(2).unwrap_or_default();
                if topics::matches(inner, &message.topic) {
                    groups.entry(filter.clone()).or_default().push((client.clone(), *subscription));
                }
            }
            found |= !copies.is_empty();
            for copy in copies {
                if session.enqueue(copy, maximum) && self.options.log {
                    to.push(client.clone());
                }
                self.ready.extend(session.connection);
            }
        }
        for (filter, members) in groups {
            found = true;
            // Those who are there take turns; when nobody is, all do.
            let is_there = |client: &Arc<str>| self.sessions.get(client).is_some_and(|one| one.connection.is_some());
            let there: Vec<_> = members.iter().filter(|(client, _)| is_there(client)).collect();
            let among = if there.is_empty() { members.iter().collect() } else { there };
            let turn = self.turns.entry(filter).or_default();
            let (client, subscription) = among[(*turn % among.len() as u64) as usize];
            *turn += 1;
            if let Some(session) = self.sessions.get_mut(client) {
                if session.enqueue(copy(&message, [subscription].into_iter()), maximum) && self.options.log {
                    to.push(client.clone());
                }
                self.ready.extend(session.connection);
            }
        }
        if self.options.log {
            self.published.push(Published {
                at: now,
                client: message.from.clone(),
                topic: (*message.topic).into(),
                payload: message.payload.clone(),
                qos: message.qos as u8,
                retain: message.retain,
                to,
            });
        }
        found
    }

    fn publish_will(&mut self, will: Will, now: Duration) {
        let mut message = will.message;
        message.expires = will.expiry.map(|expiry| now + expiry);
        self.route(message, now);
    }

    // Connections and sessions.

    fn session(&mut self, client: &Arc<str>) -> Result<&mut Session, Reason> {
        self.sessions.get_mut(client).ok_or(Reason::UnspecifiedError)
    }

    fn receive_maximum(&self) -> u16 {
        self.options.receive_maximum.max(1)
    }

    fn say(&mut self, id: ConnectionId, packet: impl Into<Packet>) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.outbox.push_back(packet.into());
            self.ready.insert(id);
        }
    }

    /// One more message of QoS 1 or 2 may be sent.
    fn give_back(&mut self, id: ConnectionId, there: bool) {
        if let Some(connection) = self.connections.get_mut(&id).filter(|_| there) {
            let quota = connection.allowance.quota.saturating_add(1);
            connection.allowance.quota = quota.min(connection.receive_maximum);
            self.ready.insert(id);
        }
    }

    fn refuse(&mut self, id: ConnectionId, version: Version, reason: ConnectReasonCode, now: Duration) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.version = version;
        }
        self.say(id, Connack::new(false, reason));
        self.end(id, None, true, now);
    }

    /// A client broke the rules.
    fn fail(&mut self, id: ConnectionId, reason: Reason, now: Duration) {
        match self.connections.get(&id).map(|connection| &connection.state) {
            // Before the CONNECT, nothing may be said but a CONNACK; and a packet too large may be one.
            Some(State::New) if reason == Reason::PacketTooLarge => {
                self.refuse(id, Version::V5, packets::refusal(reason), now);
            }
            Some(State::New) => self.end(id, None, true, now),
            _ => self.end(id, Some(reason), true, now),
        }
    }

    /// Ends a connection when all is sent. The client has left at once.
    fn end(&mut self, id: ConnectionId, reason: Option<Reason>, with_will: bool, now: Duration) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let state = std::mem::replace(&mut connection.state, State::Closing(now + LINGER));
        connection.input.clear();
        if let Some(reason) = reason {
            connection.outbox.push_back(Disconnect::new(reason).into());
        }
        self.ready.insert(id);
        if let State::Up(client) = state {
            self.leave(&client, with_will, now);
        }
    }

    /// A client has gone.
    fn leave(&mut self, client: &Arc<str>, with_will: bool, now: Duration) {
        let Some(session) = self.sessions.get_mut(client) else { return };
        let goes_on = session.suspend(now);
        let will = session.will.take().filter(|_| with_will);
        match will {
            Some(will) if goes_on && !will.delay.is_zero() => {
                let due = now + will.delay;
                session.delayed_will = Some((due, will));
            }
            Some(will) => self.publish_will(will, now),
            None => {}
        }
        if !goes_on {
            self.end_session(client, now);
        }
    }

    /// Ends a session. A will that was delayed is published now.
    fn end_session(&mut self, client: &Arc<str>, now: Duration) {
        if let Some((_, will)) = self.sessions.remove(client).and_then(|session| session.delayed_will) {
            self.publish_will(will, now);
        }
    }

    /// Whatever a connection was to do until now, it did not.
    fn overdue(&mut self, id: ConnectionId, now: Duration) {
        match self.connections.get(&id).map(|connection| &connection.state) {
            Some(State::Closing(_)) => {
                self.connections.remove(&id);
                // Whoever serves it learns so by asking.
                self.ready.insert(id);
            }
            Some(State::New) => self.end(id, None, true, now),
            _ => self.end(id, Some(Reason::KeepAliveTimeout), true, now),
        }
    }

    fn first_due(&self) -> Option<(Duration, Due)> {
        let connections = self.connections.iter().filter(|_| !self.silent).filter_map(|(id, connection)| {
            let at = match connection.state {
                State::New => Some(connection.last_heard + self.options.connect_timeout),
                State::Up(_) => connection.keep_alive.map(|keep_alive| connection.last_heard + keep_alive),
                State::Closing(at) => Some(at),
            };
            Some((at?, Due::Connection(*id)))
        });
        let sessions = self.sessions.iter().flat_map(|(client, session)| {
            let will = session.delayed_will.as_ref().map(|(at, _)| (*at, Due::Will(client.clone())));
            [will, session.ends.map(|at| (at, Due::SessionEnd(client.clone())))]
        });
        connections.chain(sessions.flatten()).min()
    }
}

/// Something that time brings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Connection(ConnectionId),
    Will(Arc<str>),
    SessionEnd(Arc<str>),
}

impl Connection {
    /// Takes the next whole packet out of what came.
    fn next_frame(&mut self, maximum: u32) -> Result<Option<(Frame, Bytes)>, Reason> {
        let Some(frame) = Frame::of(&self.input)? else { return Ok(None) };
        if frame.total() > maximum as usize {
            return Err(Reason::PacketTooLarge);
        }
        if self.input.len() < frame.total() {
            return Ok(None);
        }
        self.input.advance(frame.header);
        Ok(Some((frame, self.input.split_to(frame.body).freeze())))
    }
}

/// What one session gets of a message: one copy, unless its subscriptions are to be told apart by identifiers; then one for
/// each.
fn copies<'a>(message: &Arc<Message>, matching: impl Iterator<Item = &'a Subscription>) -> Vec<Outgoing> {
    let matching: Vec<_> = matching.collect();
    if matching.iter().any(|one| one.id.is_some()) {
        matching.into_iter().map(|one| copy(message, [one].into_iter())).collect()
    } else if matching.is_empty() {
        Vec::new()
    } else {
        vec![copy(message, matching.into_iter())]
    }
}

/// One copy for all of some subscriptions: with the best of what they ask for.
fn copy<'a>(message: &Arc<Message>, subscriptions: impl Iterator<Item = &'a Subscription>) -> Outgoing {
    let none = Outgoing { message: message.clone(), qos: QoS::Level0, retain: false, subscription: None };
    subscriptions.fold(none, |copy, one| Outgoing {
        qos: copy.qos.max(one.options.max_qos.min(message.qos)),
        retain: copy.retain || one.options.retain_as_published && message.retain,
        subscription: one.id,
        ..copy
    })
}

fn will_of(will: LastWill, client: &Arc<str>) -> Will {
    let properties = will.properties;
    Will {
        message: Message {
            topic: will.topic_name,
            payload: will.payload,
            qos: will.qos,
            retain: will.retain,
            properties: PublishProperties {
                payload_is_utf8: properties.payload_is_utf8,
                response_topic: properties.response_topic,
                correlation_data: properties.correlation_data,
                user_properties: properties.user_properties,
                content_type: properties.content_type,
                ..PublishProperties::default()
            },
            expires: None,
            from: Some(client.clone()),
        },
        expiry: properties.message_expiry_interval.map(|seconds| Duration::from_secs(u64::from(seconds))),
        delay: Duration::from_secs(u64::from(properties.delay_interval.unwrap_or(0))),
    }
}

fn refuses(code: PubrecReasonCode) -> bool {
    code as u8 >= 0x80
}
