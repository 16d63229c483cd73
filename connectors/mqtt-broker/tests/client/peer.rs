//! A client as the protocol asks it to be: it remembers what is not acknowledged through every loss of its connection.

use super::{filter, options, pid, publish, resume, text};
use mqtt_proto::{
    Pid, QoS, QosPid,
    v5::{Connect, Packet, Puback, Pubcomp, Publish, Pubrec, Pubrel, Subscribe},
};
use std::collections::{BTreeSet, VecDeque};

/// How many messages of QoS 1 and 2 it takes before it acknowledged the first.
pub const RECEIVE_MAXIMUM: u16 = 3;

/// See the module. It subscribes to one filter at QoS 2, and publishes what it is told to.
pub struct Peer {
    name: &'static str,
    filter: &'static str,
    /// What is to be sent on this connection.
    pub outbox: VecDeque<Packet>,
    /// The payloads that it took, in order: of QoS 2, once.
    pub got: Vec<String>,
    /// Whether it is connected and subscribed.
    pub ready: bool,
    was_here: bool,
    subscribed: bool,
    in_flight: VecDeque<(Pid, InFlight)>,
    received: BTreeSet<Pid>,
    last_pid: u16,
}

enum InFlight {
    Published(Publish),
    Released,
}

impl Peer {
    pub fn new(name: &'static str, filter: &'static str) -> Self {
        Self {
            name,
            filter,
            outbox: VecDeque::new(),
            got: Vec::new(),
            ready: false,
            was_here: false,
            subscribed: false,
            in_flight: VecDeque::new(),
            received: BTreeSet::new(),
            last_pid: 0,
        }
    }

    /// A new connection begins; whatever was under way on the old one is lost.
    pub fn connected(&mut self) {
        self.ready = false;
        self.outbox.clear();
        let mut connect: Connect = resume(self.name);
        connect.properties.receive_max = Some(RECEIVE_MAXIMUM);
        self.outbox.push_back(connect.into());
    }

    /// The connection is gone.
    pub fn lost(&mut self) {
        self.ready = false;
        self.outbox.clear();
    }

    /// Whether all that it published was acknowledged.
    pub fn is_done(&self) -> bool {
        self.ready && self.in_flight.is_empty() && self.outbox.is_empty()
    }

    pub fn publish(&mut self, topic: &str, payload: &str, qos: QoS) {
        let qos_pid = match qos {
            QoS::Level0 => QosPid::Level0,
            QoS::Level1 => QosPid::Level1(self.next_pid()),
            QoS::Level2 => QosPid::Level2(self.next_pid()),
        };
        let publish = publish(qos_pid, topic, payload);
        if let Some(pid) = qos_pid.pid() {
            self.in_flight.push_back((pid, InFlight::Published(publish.clone())));
        }
        if self.ready {
            self.outbox.push_back(publish.into());
        }
    }

    fn next_pid(&mut self) -> Pid {
        self.last_pid += 1;
        pid(self.last_pid)
    }

    /// Takes a packet of the broker's.
    pub fn hear(&mut self, packet: Packet) {
        match packet {
            Packet::Connack(connack) => {
                assert_eq!(connack.reason_code as u8, 0);
                assert!(connack.session_present || !self.was_here, "{} was forgotten", self.name);
                self.was_here = true;
                if self.subscribed {
                    self.resend();
                } else {
                    let subscribe = Subscribe::new(pid(u16::MAX), vec![(filter(self.filter), options(QoS::Level2))]);
                    self.outbox.push_back(subscribe.into());
                }
            }
            Packet::Suback(_) => {
                self.subscribed = true;
                self.resend();
            }
            Packet::Publish(publish) => match publish.qos_pid {
                QosPid::Level0 => self.got.push(text(&publish)),
                QosPid::Level1(pid) => {
                    self.got.push(text(&publish));
                    self.outbox.push_back(Puback::new_success(pid).into());
                }
                QosPid::Level2(pid) => {
                    if self.received.insert(pid) {
                        self.got.push(text(&publish));
                    } else {
                        assert!(publish.dup, "{pid:?} was not released, and came as a new message");
                    }
                    assert!(self.received.len() <= usize::from(RECEIVE_MAXIMUM), "more than its receive maximum");
                    self.outbox.push_back(Pubrec::new_success(pid).into());
                }
            },
            Packet::Pubrel(pubrel) => {
                self.received.remove(&pubrel.pid);
                self.outbox.push_back(Pubcomp::new_success(pubrel.pid).into());
            }
            Packet::Puback(puback) => self.in_flight.retain(|(pid, _)| *pid != puback.pid),
            Packet::Pubrec(pubrec) => {
                if let Some((_, state)) = self.in_flight.iter_mut().find(|(pid, _)| *pid == pubrec.pid) {
                    *state = InFlight::Released;
                }
                self.outbox.push_back(Pubrel::new_success(pubrec.pid).into());
            }
            Packet::Pubcomp(pubcomp) => self.in_flight.retain(|(pid, _)| *pid != pubcomp.pid),
            Packet::Pingresp => {}
            other => panic!("{} does not expect {other:?}", self.name),
        }
    }

    fn resend(&mut self) {
        self.ready = true;
        for (pid, state) in &self.in_flight {
            self.outbox.push_back(match state {
                InFlight::Published(publish) => Publish { dup: true, ..publish.clone() }.into(),
                InFlight::Released => Pubrel::new_success(*pid).into(),
            });
        }
    }
}
