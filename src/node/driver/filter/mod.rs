//! Carries out what the filter hub decides: its requests, its news, its questions to stores.

mod push;

use std::task::Context;
use std::time::Duration;

use futures::channel::oneshot;
use libp2p::PeerId;
use litemap::LiteMap;

use super::alarm::Alarm;
use super::setup::Setup;
use super::{Done, Driver};
use crate::manager::{ConnId, Outcome, Reason, Time};
use crate::node::config::FILTER;
use crate::node::event::{GapCause, NodeEvent, Received, SubscriptionId, SubscriptionState, Via};
use crate::node::filter::{Made, fill, who_knows};
use crate::node::platform;
use crate::node::request::{Answer, Asked};
use crate::node::verdicts::answer_of;
use crate::protocols::filter::hub::{
    self, Action, AskId, Cause, Delivery, Group, Hub, Limits, Now, Server, WishId, WishState,
};
use crate::protocols::filter::{self, MAX_RESPONSE, Request};
use crate::protocols::ids;
use crate::protocols::message::MessageHash;
use crate::protocols::verdict::{End, Protocol, Verdict};

pub(in crate::node) use push::Frame;
pub(super) use push::Pushing;

/// The hub, and who waits for what it makes.
pub(super) struct Filter {
    hub: Hub,
    /// Those that the user has or is waiting for.
    open: LiteMap<SubscriptionId, Option<oneshot::Sender<Made>>>,
    /// Who serves may be others by now.
    stale: bool,
    /// Rings when the hub has something to do.
    alarm: Alarm,
}

impl Filter {
    pub(super) fn new(setup: &Setup) -> Self {
        let limits = Limits {
            max_message_bytes: setup.max_message_bytes,
        };
        Self {
            hub: Hub::new(setup.network.clone(), limits),
            open: LiteMap::new(),
            stale: true,
            alarm: Alarm::default(),
        }
    }

    pub(super) fn start(&mut self) {
        self.hub.start(now());
        self.stale = true;
    }

    /// Nothing is left of it; who still waits hears so by a closed channel.
    pub(super) fn close(&mut self, setup: &Setup) {
        *self = Self::new(setup);
    }

    /// Who serves may be others by now.
    pub(super) fn look_who_serves(&mut self) {
        self.stale = true;
    }

    /// We were asleep or offline from then until now: what servers acknowledged before says nothing about that time.
    pub(super) fn disturbed(&mut self, since: Time) {
        self.hub.disturbed(now(), since.into());
    }

    /// Whether the hub has something to do.
    pub(super) fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        self.alarm.poll(cx, self.hub.next_deadline(), u64::MAX)
    }
}

impl From<Time> for Now {
    fn from(time: Time) -> Self {
        Self {
            mono_ms: time.mono_ms,
            wall_ms: time.wall_ms,
        }
    }
}

fn now() -> Now {
    platform::now().into()
}

impl Driver {
    // --- the user ----------------------------------------------------------------------------------------------------

    /// Wants these topics. The receiver hears once whether that was made; its channel closes with a stop.
    pub(in crate::node) fn want(
        &mut self,
        groups: Vec<Group>,
        peers: Option<u8>,
        catch_up: bool,
    ) -> (SubscriptionId, oneshot::Receiver<Made>) {
        let peers = peers.unwrap_or_else(|| {
            let views = self.manager().requirements();
            let filter = views.into_iter().find(|view| view.id == FILTER);
            filter.map_or(1, |view| view.target.max(1))
        });
        let WishId(id) = self.filter.hub.want(now(), groups, peers, catch_up);
        let (tell, made) = oneshot::channel();
        let id = SubscriptionId(id);
        self.filter.open.insert(id, Some(tell));
        self.wake();
        (id, made)
    }

    /// Wants a subscription no more. `reason` is what its user is told.
    pub(in crate::node) fn unwant(&mut self, id: SubscriptionId, reason: Option<Reason>) {
        self.filter.hub.unwant(now(), WishId(id.0));
        if self.filter.open.remove(&id).is_some() && reason.is_some() {
            self.emit(NodeEvent::Subscription {
                id,
                state: SubscriptionState::Closed,
                peers: Vec::new(),
                reason,
            });
        }
        self.wake();
    }

    /// The user has it: what came before follows, and everything from now on.
    pub(in crate::node) fn open_subscription(&mut self, id: SubscriptionId) {
        let held = self.filter.hub.open(now(), WishId(id.0));
        self.deliver(held);
        self.wake();
    }

    /// Why a subscription is not made yet.
    pub(in crate::node) fn why_not_made(
        &self,
        id: SubscriptionId,
    ) -> (Vec<(PeerId, Verdict)>, Vec<u16>) {
        self.filter.hub.why(WishId(id.0))
    }

    // --- the hub -----------------------------------------------------------------------------------------------------

    /// Lets the hub see who serves and what time it is, and carries out what it wants.
    pub(super) fn poll_filter(&mut self) -> bool {
        if self.is_closed() {
            return false;
        }
        if std::mem::take(&mut self.filter.stale) && self.is_started() {
            let servers = self.filter_servers();
            self.filter.hub.serving(now(), &servers);
        }
        let due = self.filter.hub.next_deadline();
        let now = now();
        if due.is_some_and(|due| due <= now.mono_ms) {
            self.filter.hub.tick(now);
        }
        self.carry_out_filter()
    }

    /// The actions that wait.
    pub(super) fn carry_out_filter(&mut self) -> bool {
        let mut busy = false;
        while let Some(action) = self.filter.hub.poll() {
            busy = true;
            self.on_filter_action(action);
        }
        busy
    }

    fn filter_servers(&self) -> Vec<Server> {
        let manager = self.manager();
        let serving = manager.serving(FILTER).into_iter();
        serving
            .map(|(peer, conn)| {
                let view = manager.peer(&peer);
                Server {
                    peer,
                    conn: conn.0,
                    rtt_ms: view.as_ref().and_then(|view| view.rtt_ms),
                    shards: view.and_then(|view| view.shards),
                }
            })
            .collect()
    }

    fn on_filter_action(&mut self, action: Action) {
        match action {
            Action::Ask {
                ask,
                peer,
                conn,
                request,
                timeout_ms,
            } => self.ask_filter(ask, peer, ConnId(conn), request, timeout_ms),
            Action::Made { id, peers } => self.made(id, Ok(peers)),
            Action::Failed {
                id,
                errors,
                unserved_shards,
            } => self.made(id, Err((errors, unserved_shards))),
            Action::State { id, state, peers } => {
                let state = match state {
                    WishState::Active => SubscriptionState::Active,
                    WishState::Moving => SubscriptionState::Moving,
                };
                self.emit(NodeEvent::Subscription {
                    id: SubscriptionId(id.0),
                    state,
                    peers,
                    reason: None,
                });
            }
            Action::Gap {
                topics,
                from_wall_ms,
                to_wall_ms,
                cause,
                filled,
                recovered,
            } => self.emit(NodeEvent::Gap {
                content_topics: topics,
                from_ms: from_wall_ms,
                to_ms: to_wall_ms,
                cause: match cause {
                    Cause::Moved => GapCause::Moved,
                    Cause::Resubscribed => GapCause::Resubscribed,
                    Cause::Overflow => GapCause::Overflow,
                    Cause::Resumed => GapCause::Slept,
                },
                filled,
                recovered,
            }),
            Action::CatchUp {
                catch_up,
                groups,
                from_wall_ms,
                to_wall_ms,
            } => {
                if let Some(node) = self.node() {
                    // Beside the loop and not in it: it asks the node, which is locked while the loop works.
                    platform::spawn(async move {
                        let found = fill(&node, groups, from_wall_ms, to_wall_ms).await;
                        node.lock().on_caught_up(catch_up, found);
                    });
                }
            }
            Action::Confirm {
                suspect,
                hashes,
                accusers,
            } => {
                if let Some(node) = self.node() {
                    let mut not = accusers;
                    not.push(suspect);
                    platform::spawn(async move {
                        let known = who_knows(&node, hashes, not).await;
                        node.lock().on_known(&suspect, &known);
                    });
                }
            }
            Action::Late { peer } => self.report(peer, FILTER, Outcome::Late, false),
            Action::Withheld { peer } => self.report(peer, FILTER, Outcome::Withheld, true),
            // What it floods us with may be others' messages: it rests, and nothing more.
            Action::OverBudget { peer } => self.report(peer, FILTER, Outcome::Busy, true),
            Action::Unrequested { peer } => self.report(peer, FILTER, Outcome::Fault, true),
        }
    }

    fn made(&mut self, WishId(id): WishId, made: Made) {
        let failed = made.is_err();
        let id = SubscriptionId(id);
        let waiting = self.filter.open.get_mut(&id).and_then(Option::take);
        // Who gave up has taken it back.
        if let Some(waiting) = waiting {
            let _ = waiting.send(made);
        }
        if failed {
            self.filter.open.remove(&id);
        }
    }

    fn ask_filter(
        &mut self,
        ask: AskId,
        peer: PeerId,
        conn: ConnId,
        request: Request,
        timeout_ms: u32,
    ) {
        let asked = Asked {
            peer,
            conn,
            requirement: FILTER,
            protocol: Protocol::FilterSubscribe,
        };
        let mut question = self.question(asked, &[ids::FILTER_SUBSCRIBE]);
        let timeout = Duration::from_millis(timeout_ms.into());
        self.spawn(async move {
            let encode = |_: &str| request.encode();
            let answer = question.ask(&encode, MAX_RESPONSE, timeout).await;
            let begun = question.begun();
            Done::Filter(Box::new(Asking {
                ask,
                asked,
                request,
                begun,
                answer,
            }))
        });
    }

    pub(super) fn on_filter_answer(&mut self, asking: Asking) {
        let Asking {
            ask,
            asked,
            request,
            begun,
            answer,
        } = asking;
        let Some(Answer {
            exchange, mut how, ..
        }) = answer
        else {
            return self.filter.hub.cancelled(now(), ask);
        };
        self.conclude(asked.conn, begun, &mut how);
        let result = answer_of(asked.protocol, exchange).and_then(|bytes| {
            let answer = filter::Response::decode(&bytes)
                .map_err(|_| Verdict::of_end(asked.protocol, End::Undecodable))?;
            filter::interpret(&request, &answer)
        });
        let judged = match &result {
            Ok(()) => Ok(()),
            Err(verdict) => Err(verdict),
        };
        self.judge(asked, judged, how);
        if how.ours {
            self.filter.hub.cancelled(now(), ask);
        } else {
            self.filter.hub.answered(now(), ask, result);
        }
    }

    /// Which messages a store knows that this peer did not push.
    fn on_known(&mut self, suspect: &PeerId, known: &[MessageHash]) {
        self.filter.hub.confirmed(now(), suspect, known);
        self.wake();
    }

    fn on_caught_up(
        &mut self,
        id: hub::CatchUpId,
        (messages, complete): (Vec<(PeerId, filter::push::Received)>, bool),
    ) {
        let found = self.filter.hub.stored(now(), id, messages, complete);
        self.deliver(found);
        self.wake();
    }

    /// Somebody showed a sign of life: a server that lives and does not push withholds.
    pub(super) fn filter_server_lives(&mut self, conn: ConnId) {
        if let Some(peer) = self.connections.peer(conn) {
            self.filter.hub.alive(now(), &peer);
        }
    }

    /// Hands messages over.
    pub(super) fn deliver(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            let Ok(pubsub_topic) = delivery.received.pubsub_topic.parse() else {
                continue;
            };
            let received = Box::new(Received {
                message: delivery.received.message,
                hash: delivery.received.hash,
                pubsub_topic,
                peer: delivery.peer,
                via: match delivery.via {
                    hub::Via::Filter => Via::Filter,
                    hub::Via::Store => Via::Store,
                },
            });
            for id in delivery.to {
                let id = SubscriptionId(id.0);
                self.emit(NodeEvent::Message(id, received.clone()));
            }
        }
    }

    /// The node stops: subscriptions end, and servers are told as far as there is time.
    pub(super) fn stop_filter(&mut self) {
        self.filter.hub.stop(now());
        for (id, waiting) in std::mem::take(&mut self.filter.open).into_tuple_vec() {
            // Who still waits hears it by the closed channel.
            if waiting.is_none() {
                self.emit(NodeEvent::Subscription {
                    id,
                    state: SubscriptionState::Closed,
                    peers: Vec::new(),
                    reason: Some(Reason::Stopped),
                });
            }
        }
        self.carry_out_filter();
    }
}

/// A request of the hub's that has ended.
pub(in crate::node) struct Asking {
    ask: AskId,
    asked: Asked,
    request: Request,
    begun: u64,
    /// Nothing once the node is closed.
    answer: Option<Answer>,
}
