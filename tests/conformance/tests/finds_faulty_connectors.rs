//! The connectors' suite can fail: a connector with one flaw is found faulty by the case that is about that flaw.

use anabranch_conformance::{ConnectorFixture, Fault, run_connectors};
use anabranch_core::{
    Anabranch, Connection, ConnectionState, Connector, ConnectorBuilder, ConnectorConfig, ConnectorError,
    ConnectorStatus, PublishError, Routed, Router, RouterBuilder, Running,
};
use anabranch_executor::{Duration, TimeSource};
use anabranch_sim::{Sim, SimAdapter};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

/// What is wrong with a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    SubscribesToNothing,
    SubscribesOnlyOnce,
    SendsNothing,
    SendsEverythingToOnePlace,
    EndsAtNonsense,
    TakesWhatItCannotSend,
    SaysOnlineForEver,
    ForgetsWhatIsUnderWay,
    AcknowledgesWhatHasNoRoom,
    EndsWithoutSending,
    NeverEnds,
    HasNoName,
    KnowsTenAddresses,
    SaysNotWhyItIsOffline,
}

/// A post office: the peer. What it gets it notes; what is sent to somebody waits until that one has acknowledged it.
#[derive(Default)]
struct Post {
    up: bool,
    /// Counts its starts.
    life: u64,
    clients: BTreeMap<String, Client>,
    noted: VecDeque<(String, Vec<u8>)>,
}

#[derive(Default)]
struct Client {
    filters: Vec<String>,
    letters: VecDeque<(String, Vec<u8>)>,
}

type SharedPost = Arc<Mutex<Post>>;

fn look(post: &SharedPost) -> MutexGuard<'_, Post> {
    post.lock().unwrap()
}

fn matches(filter: &str, address: &str) -> bool {
    let (mut levels, mut parts) = (filter.split('/'), address.split('/'));
    loop {
        match (levels.next(), parts.next()) {
            (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(level), Some(part)) if level == part => {}
            _ => return false,
        }
    }
}

/// Builds a connector to the post office.
struct Postal {
    post: SharedPost,
    scheme: String,
    flaw: Flaw,
}

impl ConnectorBuilder<SimAdapter> for Postal {
    fn scheme(&self) -> &str {
        &self.scheme
    }

    fn build(&self, db: &Anabranch<SimAdapter>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        let mut routes = db.collect_inbound_routes(&self.scheme);
        if self.flaw == Flaw::KnowsTenAddresses {
            routes.truncate(10);
        }
        Ok(Arc::new(Postman {
            runtime: db.runtime().clone(),
            post: self.post.clone(),
            scheme: self.scheme.clone(),
            flaw: self.flaw,
            router: RouterBuilder::from_routes(routes).build(),
            connection: Connection::new(),
            bag: Mutex::default(),
        }))
    }
}

/// A connector that looks after everything once a millisecond.
struct Postman {
    runtime: SimAdapter,
    post: SharedPost,
    scheme: String,
    flaw: Flaw,
    router: Router,
    connection: Connection,
    bag: Mutex<Bag>,
}

#[derive(Default)]
struct Bag {
    letters: VecDeque<(String, Vec<u8>)>,
    online: bool,
    closed: bool,
    connects: u64,
    last_error: Option<String>,
}

impl Connector for Postman {
    fn publish(&self, destination: &str, _config: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        let mut bag = self.bag();
        if bag.closed {
            return Err(PublishError::Closed);
        }
        if !bag.online {
            return if self.flaw == Flaw::TakesWhatItCannotSend { Ok(()) } else { Err(PublishError::NotConnected) };
        }
        let to = if self.flaw == Flaw::SendsEverythingToOnePlace { "case/out" } else { destination };
        bag.letters.push_back((to.into(), payload.into()));
        Ok(())
    }

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn run(self: Arc<Self>) -> Running {
        Box::pin(async move {
            // The life of the post office that it is connected to.
            let mut connected = None;
            // A value that waits for room in its record.
            let mut waiting: Option<Routed<'_>> = None;
            loop {
                self.runtime.sleep(Duration::from_millis(1)).await;
                let closed = self.bag().closed;
                let idle = self.bag().letters.is_empty();
                if closed && (idle || self.flaw == Flaw::EndsWithoutSending) && self.flaw != Flaw::NeverEnds {
                    return;
                }
                let there = look(&self.post).now();
                if there != connected {
                    connected = there;
                    waiting = None;
                    self.has_connected(there.is_some());
                } else if there.is_none() && self.flaw != Flaw::SaysNotWhyItIsOffline {
                    self.bag().last_error = Some("there is nobody".into());
                }
                if there.is_none() {
                    continue;
                }
                self.send(there).await;
                if let Some(routed) = waiting.take() {
                    let _closed_or_there = routed.done().await;
                    self.acknowledge();
                }
                while waiting.is_none() && !closed {
                    let letter = look(&self.post).client(&self.scheme).letters.front().cloned();
                    let Some((address, payload)) = letter else { break };
                    let routed = self.router.route(&address, &payload);
                    if routed.failed() > 0 && self.flaw == Flaw::EndsAtNonsense {
                        return;
                    }
                    if routed.waits() && self.flaw != Flaw::AcknowledgesWhatHasNoRoom {
                        waiting = Some(routed);
                    } else {
                        self.acknowledge();
                    }
                }
            }
        })
    }

    fn close(&self) {
        self.bag().closed = true;
    }

    fn status(&self) -> ConnectorStatus {
        let bag = self.bag();
        let mut status = ConnectorStatus::new(self.scheme.clone(), "the post office");
        status.state = if bag.online { ConnectionState::Online } else { ConnectionState::Offline };
        (status.connects, status.last_error) = (bag.connects, bag.last_error.clone());
        status
    }
}

impl Postman {
    fn bag(&self) -> MutexGuard<'_, Bag> {
        self.bag.lock().unwrap()
    }

    /// It is connected, or is not any more.
    fn has_connected(&self, online: bool) {
        let again = self.bag().connects > 0;
        if online && self.flaw != Flaw::SubscribesToNothing && !(again && self.flaw == Flaw::SubscribesOnlyOnce) {
            let filters = self.router.resource_ids().map(|resource| resource.filter().into_owned());
            look(&self.post).client(&self.scheme).filters = filters.collect();
        }
        if !online && self.flaw == Flaw::SaysOnlineForEver {
            return;
        }
        self.bag().online = online;
        self.bag().connects += u64::from(online);
        self.connection.says(if online { ConnectionState::Online } else { ConnectionState::Offline });
    }

    /// A letter takes a millisecond, and is lost when the post office is another one by then.
    async fn send(&self, life: Option<u64>) {
        if self.flaw == Flaw::SendsNothing {
            self.bag().letters.clear();
        }
        let letters: Vec<_> = self.bag().letters.iter().cloned().collect();
        if letters.is_empty() {
            return;
        }
        let forgets = self.flaw == Flaw::ForgetsWhatIsUnderWay;
        if forgets {
            self.bag().letters.drain(..letters.len());
        }
        self.runtime.sleep(Duration::from_millis(1)).await;
        let mut post = look(&self.post);
        if post.up && Some(post.life) == life {
            if !forgets {
                self.bag().letters.drain(..letters.len());
            }
            post.noted.extend(letters);
        }
    }

    fn acknowledge(&self) {
        look(&self.post).client(&self.scheme).letters.pop_front();
    }
}

impl Post {
    /// Its life, if it is there.
    fn now(&self) -> Option<u64> {
        self.up.then_some(self.life)
    }

    fn client(&mut self, name: &str) -> &mut Client {
        self.clients.entry(name.into()).or_default()
    }
}

/// The post office, and connectors with a flaw.
struct Flawed {
    runtime: SimAdapter,
    post: SharedPost,
    flaw: Flaw,
}

impl ConnectorFixture for Flawed {
    type Runtime = SimAdapter;

    fn runtime(&self) -> &SimAdapter {
        &self.runtime
    }

    fn connector(&self, name: Option<&str>) -> impl ConnectorBuilder<SimAdapter> {
        let scheme = match name.filter(|_| self.flaw != Flaw::HasNoName) {
            Some(name) => format!("post+{name}"),
            None => "post".into(),
        };
        Postal { post: self.post.clone(), scheme, flaw: self.flaw }
    }

    fn scheme(&self) -> &str {
        "post"
    }

    fn at_least_once(&self) -> Option<u8> {
        Some(1)
    }

    async fn start(&self) {
        let mut post = look(&self.post);
        if !std::mem::replace(&mut post.up, true) {
            post.life += 1;
        }
    }

    async fn stop(&self) {
        // In the midst of what is under way.
        self.runtime.sleep(Duration::from_micros(1500)).await;
        let mut post = look(&self.post);
        post.up = false;
        post.clients.clear();
    }

    async fn send(&self, address: &str, payload: &[u8]) {
        for client in look(&self.post).clients.values_mut() {
            if client.filters.iter().any(|filter| matches(filter, address)) {
                client.letters.push_back((address.into(), payload.into()));
            }
        }
    }

    async fn received(&self) -> (String, Vec<u8>) {
        loop {
            if let Some(noted) = look(&self.post).noted.pop_front() {
                return noted;
            }
            self.runtime.sleep(Duration::from_millis(1)).await;
        }
    }
}

/// The names of the cases that found a fault.
fn faulty_cases(flaw: Flaw) -> Vec<&'static str> {
    let mut faulty = Vec::new();
    let mut sim = Sim::new(1);
    let fixture = Flawed { runtime: sim.adapter(), post: SharedPost::default(), flaw };
    let mut report = |name, outcome: Result<(), Fault>| faulty.extend(outcome.err().map(|_| name));
    sim.block_on(run_connectors(&fixture, &mut report)).unwrap();
    faulty
}

#[test]
fn a_connector_without_a_flaw_passes() {
    assert_eq!(faulty_cases(Flaw::None), [""; 0]);
}

macro_rules! finds {
    ($($flaw:ident by $($case:ident)+;)*) => { $(
        #[test]
        #[expect(non_snake_case, reason = "named for the flaw")]
        fn $flaw() {
            let faulty = faulty_cases(Flaw::$flaw);
            for case in [$(stringify!($case)),+] {
                assert!(faulty.contains(&case), "{case} should have found it; these did: {faulty:#?}");
            }
        }
    )* };
}

finds! {
    SubscribesToNothing by a_value_comes_in;
    SubscribesOnlyOnce by inbound_flows_again_whenever_the_peer_was_restarted;
    SendsNothing by a_value_goes_out;
    SendsEverythingToOnePlace by parts_of_an_address_are_bound_and_fields_are_filled_in;
    EndsAtNonsense by what_does_not_decode_is_counted_and_the_link_goes_on;
    TakesWhatItCannotSend by values_from_before_the_first_connection_are_kept
        a_link_that_shall_drop_drops_and_counts_while_offline a_link_that_shall_keep_keeps_the_newest_in_their_order;
    SaysOnlineForEver by inbound_flows_again_whenever_the_peer_was_restarted;
    ForgetsWhatIsUnderWay by no_value_is_lost_when_the_peer_is_restarted_in_mid_flow;
    AcknowledgesWhatHasNoRoom by a_queue_without_room_loses_nothing_that_came_in;
    EndsWithoutSending by a_shutdown_sends_what_was_taken;
    NeverEnds by a_value_goes_out;
    HasNoName by two_connectors_of_one_scheme_are_told_apart_by_name;
    KnowsTenAddresses by a_hundred_addresses_each_way_do_not_hold_each_other_up;
    SaysNotWhyItIsOffline by a_peer_that_is_not_there_holds_nothing_up;
}
