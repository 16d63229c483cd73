//! Where links are tried: two hosts, a broker on a third, and all that happens to them.

use crate::{Chance, Scene};
use anabranch::sim::{NetworkFaults, SimListener, SimNetwork};
use anabranch::{Duration, JoinHandle, SimAdapter, SpawnDynamically, TimeSource};
use anabranch_mqtt_broker::{BrokerOptions, Memory, ServedBroker};

pub(super) const SENDER: &str = "sender";
pub(super) const RECEIVER: &str = "receiver";
const BROKER: &str = "broker";

/// The hosts, their network and the broker.
pub(super) struct World {
    pub(super) runtime: SimAdapter,
    pub(super) network: SimNetwork,
    pub(super) broker: ServedBroker<SimAdapter>,
    chance: Chance,
    listening: Box<dyn Fn()>,
    /// When the broker forgot everything for the last time.
    pub(super) forgot: Option<Duration>,
    start: <SimAdapter as TimeSource>::Instant,
    down: bool,
}

/// What may happen in one playing; chosen for the whole of it, so that each promise is put to the test by those playings in
/// which it is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Troubles {
    pub(super) cuts: bool,
    pub(super) crashes: bool,
    pub(super) forgets: bool,
    pub(super) silences: bool,
    pub(super) kills_sender: bool,
    pub(super) kills_receiver: bool,
}

/// What the world does by itself; who is killed is the scenario's to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    KillSender,
    KillReceiver,
}

impl Troubles {
    pub(super) fn by(chance: &Chance) -> Self {
        Troubles {
            cuts: !chance.one_in(4),
            crashes: chance.one_in(2),
            forgets: chance.one_in(4),
            silences: chance.one_in(3),
            kills_sender: chance.one_in(3),
            kills_receiver: chance.one_in(3),
        }
    }
}

impl World {
    pub(super) fn new(scene: &Scene<SimAdapter>) -> Self {
        let chance = scene.chance.clone();
        let options = BrokerOptions {
            receive_maximum: if chance.one_in(2) { chance.size(1, 6) as u16 } else { u16::MAX },
            ..BrokerOptions::default()
        };
        let (host, network) = (scene.runtime.on_host(BROKER), scene.runtime.network());
        let broker = ServedBroker::new(host.clone(), options);
        let port = host.clone();
        let listening = host.spawn(broker.listen(
            move || port.listen(1883),
            |listener: &mut SimListener, cx| listener.poll_accept(cx).map_ok(|(stream, _)| stream),
        ));
        network.set_faults(match chance.below(4) {
            0 => NetworkFaults::none(),
            1 => NetworkFaults { reset: 0.003, ..NetworkFaults::harsh() },
            _ => NetworkFaults::harsh(),
        });
        network.give_up_after(Duration::from_secs(1 + chance.below(9)));
        let runtime = scene.runtime.clone();
        let start = runtime.now();
        let listening = Box::new(move || listening.abort());
        World { runtime, network, broker, chance, listening, forgot: None, start, down: false }
    }

    /// On a line that may be bad, but on which nothing breaks.
    pub(super) fn reliable(self) -> Self {
        self.network.set_faults(if self.chance.one_in(4) { NetworkFaults::none() } else { NetworkFaults::harsh() });
        self.network.give_up_after(Duration::from_secs(600));
        self
    }

    /// A time by the broker's clock.
    fn now(&self) -> Duration {
        use anabranch::Moment;
        self.runtime.now().since(self.start)
    }

    /// Something happens, or is mended.
    pub(super) fn strike(&mut self, troubles: &Troubles) -> Trouble {
        let chance = self.chance.clone();
        let host = if chance.one_in(2) { SENDER } else { RECEIVER };
        match chance.below(12) {
            0 if troubles.cuts => self.network.partition(host, BROKER),
            1 if troubles.cuts => self.network.partition_one_way(host, BROKER),
            2 if troubles.cuts => self.network.partition_one_way(BROKER, host),
            3 if troubles.cuts => self.network.reset(host, BROKER),
            4 if troubles.cuts => self.network.make_unreachable(host, BROKER),
            5 | 6 if troubles.crashes => {
                let memory = if troubles.forgets && chance.one_in(2) { Memory::Forget } else { Memory::Keep };
                if memory == Memory::Forget {
                    self.forgot = Some(self.now());
                }
                self.down = true;
                if chance.one_in(2) {
                    // The power fails: nobody is told.
                    self.network.crash(BROKER);
                }
                self.broker.crash(memory);
            }
            7 if troubles.silences => self.broker.never_answer(true),
            8 if troubles.kills_sender => return Trouble::KillSender,
            9 if troubles.kills_receiver => return Trouble::KillReceiver,
            _ => self.mend(),
        }
        Trouble::None
    }

    /// Everything is as it should be.
    pub(super) fn heal(&mut self) {
        self.mend();
        // Not even the line is bad: on one that is, a short keep-alive may cut what is well otherwise.
        self.network.set_faults(NetworkFaults::none());
    }

    /// Everything is as it should be, but for the line.
    fn mend(&mut self) {
        self.network.heal_all();
        self.broker.never_answer(false);
        if std::mem::take(&mut self.down) {
            self.network.restart(BROKER);
            self.broker.restart();
        }
    }

    /// The broker ends, and the last of its tasks.
    pub(super) fn end(&self) {
        self.broker.crash(Memory::Keep);
        (self.listening)();
    }
}
