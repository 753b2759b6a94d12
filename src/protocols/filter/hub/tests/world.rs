//! A small world for the hub: some servers, a store, and a clock that jumps from one event to the next.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;

use super::fake::{Fake, Takes};
use crate::protocols::filter::Request;
use crate::protocols::filter::hub::{
    Action, AskId, Cause, Delivery, Group, Hub, Limits, Now, Push, Server, Via, WishId, WishState,
};
use crate::protocols::filter::push::{MessagePush, Received};
use crate::protocols::message::{MessageHash, WakuMessage};
use crate::protocols::network::Network;
use crate::protocols::topic::PubsubTopic;
use crate::protocols::verdict::Verdict;

pub(super) const ROUND_TRIP_MS: u64 = 20;
/// The wall clock's lead over the monotonic one.
pub(super) const WALL_MS: u64 = 1_700_000_000_000;
/// When the world begins.
pub(super) const BEGIN_MS: u64 = 1_000_000;

/// What servers said, and the shards that none of them serves.
pub(super) type Failure = (Vec<(PeerId, Verdict)>, Vec<u16>);

#[derive(Debug)]
enum Event {
    Ask(usize, u64, AskId, Request, u32),
    Answer(AskId, Result<(), Verdict>),
    Push(usize, MessagePush),
    Stored(super::CatchUpId, u64, u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) topics: Vec<String>,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) cause: Cause,
    pub(super) filled: bool,
    pub(super) recovered: u32,
}

pub(super) struct World {
    pub(super) hub: Hub,
    pub(super) now: u64,
    pub(super) fakes: Vec<Fake>,
    pub(super) has_store: bool,
    pub(super) store: Vec<Received>,
    /// When a wish was made, and when each message was given to it.
    pub(super) made: BTreeMap<WishId, u64>,
    pub(super) failed: BTreeMap<WishId, Failure>,
    pub(super) delivered: BTreeMap<WishId, Vec<(u64, MessageHash, Via)>>,
    pub(super) states: Vec<(u64, WishId, WishState)>,
    pub(super) gaps: Vec<Gap>,
    pub(super) catch_ups: Vec<(u64, u64)>,
    pub(super) told: Vec<Action>,
    /// Who was late, and when.
    pub(super) late: Vec<(u64, PeerId)>,
    pub(super) pushes: Vec<Push>,
    pub(super) opens: bool,
    published: i64,
    events: BTreeMap<(u64, u64), Event>,
    next: u64,
}

impl World {
    pub(super) fn new(servers: usize) -> Self {
        let network = Network::fixed(1, [0, 1, 2, 3]).unwrap();
        let mut hub = Hub::new(network, Limits::default());
        hub.start(now_at(BEGIN_MS));
        let fakes = (0..servers).map(Fake::new);
        let mut world = Self {
            hub,
            now: BEGIN_MS,
            fakes: fakes.collect(),
            has_store: true,
            store: Vec::new(),
            made: BTreeMap::new(),
            failed: BTreeMap::new(),
            delivered: BTreeMap::new(),
            states: Vec::new(),
            gaps: Vec::new(),
            catch_ups: Vec::new(),
            told: Vec::new(),
            late: Vec::new(),
            pushes: Vec::new(),
            opens: true,
            published: 0,
            events: BTreeMap::new(),
            next: 0,
        };
        world.serve();
        world
    }

    pub(super) fn of(servers: usize, takes: Takes) -> Self {
        let mut world = Self::new(servers);
        for fake in &mut world.fakes {
            fake.takes = takes;
        }
        world
    }

    pub(super) fn time(&self) -> Now {
        now_at(self.now)
    }

    /// Tells the hub who serves.
    pub(super) fn serve(&mut self) {
        let servers = self.fakes.iter().filter(|fake| fake.serving);
        let servers: Vec<_> = servers
            .map(|fake| Server {
                peer: fake.peer,
                conn: fake.conn,
                shards: fake.shards.clone(),
                rtt_ms: Some(ROUND_TRIP_MS as u32),
            })
            .collect();
        self.hub.serving(self.time(), &servers);
    }

    pub(super) fn disconnect(&mut self, server: usize) {
        self.fakes[server].serving = false;
        self.serve();
    }

    pub(super) fn connect(&mut self, server: usize) {
        self.fakes[server].serving = true;
        self.fakes[server].conn += 100;
        self.serve();
    }

    pub(super) fn want(&mut self, topics: &[&str], shard: u16) -> WishId {
        self.want_with(topics, shard, 2, true)
    }

    pub(super) fn want_with(
        &mut self,
        topics: &[&str],
        shard: u16,
        peers: u8,
        catch_up: bool,
    ) -> WishId {
        let group = Group {
            pubsub_topic: topic(shard),
            content_topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        };
        let time = self.time();
        self.hub.want(time, vec![group], peers, catch_up)
    }

    /// A wish that is made.
    pub(super) fn subscribed(&mut self, topics: &[&str]) -> WishId {
        let id = self.want(topics, 0);
        self.run_for(500);
        assert!(self.made.contains_key(&id), "not made");
        id
    }

    /// Publishes a message: the store has it, and whoever serves the topic pushes it.
    pub(super) fn publish(&mut self, content_topic: &str) -> MessageHash {
        let message = self.message(content_topic);
        self.publish_to(message, 0)
    }

    pub(super) fn message(&mut self, content_topic: &str) -> WakuMessage {
        self.published += 1;
        let wall = (WALL_MS + self.now) as i64;
        WakuMessage::new(
            content_topic,
            vec![1, 2, 3],
            wall * 1_000_000 + self.published,
        )
    }

    pub(super) fn publish_to(&mut self, message: WakuMessage, shard: u16) -> MessageHash {
        let pubsub_topic = topic(shard).to_string();
        let hash = message.hash(&pubsub_topic);
        for server in 0..self.fakes.len() {
            let fake = &self.fakes[server];
            let pair = (pubsub_topic.clone(), message.content_topic().to_owned());
            if fake.serving && !fake.silent && !fake.withholds && fake.pairs.contains(&pair) {
                self.push_from(server, &message, shard, server as u64);
            }
        }
        self.store.push(Received {
            hash,
            pubsub_topic,
            message,
        });
        hash
    }

    pub(super) fn push_from(
        &mut self,
        server: usize,
        message: &WakuMessage,
        shard: u16,
        in_ms: u64,
    ) {
        let push = MessagePush::new(topic(shard).to_string(), message.clone());
        self.after(in_ms + ROUND_TRIP_MS / 2, Event::Push(server, push));
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.next += 1;
        self.events.insert((self.now + ms, self.next), event);
    }

    pub(super) fn run_for(&mut self, ms: u64) {
        self.run_to(self.now + ms);
    }

    pub(super) fn run_to(&mut self, end: u64) {
        self.drain();
        loop {
            let event = self.events.keys().next().map(|(at, _)| *at);
            let deadline = self.hub.next_deadline();
            let Some(next) = [event, deadline].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            assert!(
                next > self.now || event == Some(next) || deadline.is_none_or(|d| d > self.now),
                "a deadline that passed would make the shell spin",
            );
            self.now = self.now.max(next);
            while let Some(entry) = self.events.first_entry()
                && entry.key().0 <= self.now
            {
                let event = entry.remove();
                self.on(event);
            }
            self.hub.tick(now_at(self.now));
            self.drain();
            assert!(
                self.hub.next_deadline().is_none_or(|at| at > self.now),
                "what is due is done"
            );
        }
        self.now = end;
        self.hub.tick(now_at(end));
        self.drain();
    }

    /// A second passes with a message each 50 ms.
    pub(super) fn busy_for(&mut self, ms: u64, content_topic: &str) -> Vec<MessageHash> {
        (0..ms / 50)
            .map(|_| {
                let hash = self.publish(content_topic);
                self.run_for(50);
                hash
            })
            .collect()
    }

    pub(super) fn drain(&mut self) {
        while let Some(action) = self.hub.poll() {
            match action {
                Action::Ask {
                    ask,
                    peer,
                    conn,
                    request,
                    timeout_ms,
                } => {
                    let server = self
                        .fakes
                        .iter()
                        .position(|fake| fake.peer == peer)
                        .unwrap();
                    assert_eq!(request.check(), Ok(()));
                    self.after(
                        ROUND_TRIP_MS / 2,
                        Event::Ask(server, conn, ask, request, timeout_ms),
                    );
                }
                Action::Made { id, .. } => {
                    assert!(self.made.insert(id, self.now).is_none(), "made once");
                    if self.opens {
                        self.open(id);
                    }
                }
                Action::Failed {
                    id,
                    errors,
                    unserved_shards,
                } => {
                    self.failed.insert(id, (errors, unserved_shards));
                }
                Action::State { id, state, .. } => self.states.push((self.now, id, state)),
                Action::Gap {
                    topics,
                    from_wall_ms,
                    to_wall_ms,
                    cause,
                    filled,
                    recovered,
                } => {
                    assert!(from_wall_ms < to_wall_ms);
                    self.gaps.push(Gap {
                        topics,
                        from: from_wall_ms - WALL_MS,
                        to: to_wall_ms - WALL_MS,
                        cause,
                        filled,
                        recovered,
                    });
                }
                Action::CatchUp {
                    catch_up,
                    from_wall_ms,
                    to_wall_ms,
                    ..
                } => {
                    self.catch_ups
                        .push((from_wall_ms - WALL_MS, to_wall_ms - WALL_MS));
                    self.after(50, Event::Stored(catch_up, from_wall_ms, to_wall_ms));
                }
                Action::Late { peer } => self.late.push((self.now, peer)),
                told => self.told.push(told),
            }
        }
    }

    pub(super) fn open(&mut self, id: WishId) {
        for delivery in self.hub.open(now_at(self.now), id) {
            self.deliver(delivery);
        }
    }

    fn deliver(&mut self, delivery: Delivery) {
        for id in delivery.to {
            let to = self.delivered.entry(id).or_default();
            let hash = delivery.received.hash;
            assert!(
                to.iter().all(|(_, known, _)| *known != hash),
                "delivered twice"
            );
            to.push((self.now, hash, delivery.via));
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Ask(server, conn, ask, request, timeout_ms) => {
                let fake = &mut self.fakes[server];
                if fake.conn != conn || !fake.serving {
                    return;
                }
                fake.asked.push((self.now, request.clone()));
                let (wait, answer) = fake.answer(&request, self.now, timeout_ms);
                self.after(wait, Event::Answer(ask, answer));
            }
            Event::Answer(ask, answer) => self.hub.answered(now_at(self.now), ask, answer),
            Event::Push(server, push) => {
                let fake = &self.fakes[server];
                if fake.silent || !fake.serving {
                    return;
                }
                self.push(server, push);
            }
            Event::Stored(id, from, to) => {
                let within = |received: &&Received| {
                    let at = received.message.timestamp() as u64 / 1_000_000;
                    (from..=to).contains(&at)
                };
                // A store gives its pages from the end.
                let found = self.store.iter().rev().filter(within);
                let peer = peer_id(u8::MAX);
                let found: Vec<_> = found.map(|found| (peer, found.clone())).collect();
                let found = if self.has_store { found } else { Vec::new() };
                let time = now_at(self.now);
                for delivery in self.hub.stored(time, id, found, self.has_store) {
                    self.deliver(delivery);
                }
            }
        }
    }

    /// A push that arrives now.
    pub(super) fn push(&mut self, server: usize, push: MessagePush) -> Push {
        let peer = self.fakes[server].peer;
        let len = push.encode().len();
        let outcome = self.hub.pushed(now_at(self.now), &peer, push, len);
        if let Push::Deliver(delivery) = &outcome {
            self.deliver((**delivery).clone());
        }
        self.pushes.push(outcome.clone());
        outcome
    }

    pub(super) fn got(&self, id: WishId) -> Vec<MessageHash> {
        let got = self.delivered.get(&id).into_iter().flatten();
        got.map(|(_, hash, _)| *hash).collect()
    }

    /// Checks that a wish got all of these.
    pub(super) fn assert_got_all(&self, id: WishId, sent: &[MessageHash]) {
        let got = self.got(id);
        let lost: Vec<_> = sent.iter().filter(|hash| !got.contains(hash)).collect();
        assert!(lost.is_empty(), "{} of {} lost", lost.len(), sent.len());
    }

    pub(super) fn acked_by(&self, content_topic: &str) -> Vec<usize> {
        let has = |fake: &Fake| fake.pairs.iter().any(|(_, topic)| topic == content_topic);
        (0..self.fakes.len())
            .filter(|n| has(&self.fakes[*n]))
            .collect()
    }
}

pub(super) fn topic(shard: u16) -> PubsubTopic {
    PubsubTopic { cluster: 1, shard }
}

pub(super) fn peer_id(n: u8) -> PeerId {
    // The hash function that leaves its input as it is, one byte of it.
    PeerId::from_bytes(&[0, 1, n]).unwrap()
}

pub(super) fn now_at(mono_ms: u64) -> Now {
    Now {
        mono_ms,
        wall_ms: mono_ms + WALL_MS,
    }
}
