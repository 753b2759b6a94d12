//! What leaves by itself: the messages that the sink gets ("Events" in pkg-template/README.md).

use serde::Serialize;

use super::answers::Answer;
use super::failure::Failure;
use super::messages::{FailureClass, Message};
use super::peers::{Names, PeerInfo, Transport, address, peer_ids};
use super::texts::Text;
use super::values::Whole;
use crate::manager::{
    self, BurstAnswer, Cause, Crossed, DialFailure, Direction, Failed, Health, HealthReason,
    LockAnswer, NetworkCause, NetworkState, Notice, Offer, Reason, Revocation, Source,
};
use crate::node::{GapCause, LogLevel, Node, NodeError, NodeEvent, SubscriptionState};

/// A message to the facade.
#[derive(Serialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Sent {
    /// A request came to an end, well or not.
    Reply {
        id: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        ok: Option<Answer>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
    /// For whoever listens.
    Event(Event),
    /// A subscription brought a message.
    Message { subscription: u32, message: Message },
    /// A subscription stands otherwise than before.
    Subscription {
        subscription: u32,
        state: Text<SubscriptionState>,
        peers: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Text<Reason>>,
    },
    /// The share of a protocol; `counter`: it may be taken or left; or none any more.
    Offer {
        enrollment: Whole,
        low: u16,
        high: u16,
        counter: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        answer_ms: Option<Whole>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ended: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rejected: Option<Text<Reason>>,
    },
    /// What became of a lock.
    Lock {
        lock: Whole,
        state: LockState,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Text<Revocation>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        grace_ms: Option<Whole>,
    },
    /// What became of a burst.
    Burst {
        burst: Whole,
        state: BurstState,
        #[serde(skip_serializing_if = "Option::is_none")]
        slots: Option<u8>,
    },
    /// A protocol is asked what these connections are worth to it.
    Scores {
        enrollment: Whole,
        round: Whole,
        peers: Vec<PeerInfo>,
        deadline_ms: u32,
    },
    /// A line for the log.
    Log {
        level: Text<LogLevel>,
        target: &'static str,
        message: String,
    },
}

/// What becomes of a lock.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum LockState {
    Granted,
    Revoked,
    Ended,
}

/// What becomes of a burst.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum BurstState {
    Granted,
    Closed,
}

/// An event of the node, with its `detail`.
#[derive(Serialize)]
#[serde(tag = "type", content = "detail", rename_all_fields = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Event {
    #[serde(rename = "peer:discovery")]
    Discovered {
        peer_id: String,
        source: Text<Source>,
        claims: Vec<String>,
    },
    #[serde(rename = "peer:connect")]
    Connected {
        peer_id: String,
        address: String,
        transport: Transport,
        direction: Text<Direction>,
    },
    #[serde(rename = "peer:identify")]
    Identified {
        peer_id: String,
        address: String,
        transport: Transport,
        direction: Text<Direction>,
        protocols: Vec<String>,
        agent: String,
    },
    #[serde(rename = "peer:disconnect")]
    Disconnected {
        peer_id: String,
        cause: Text<Cause>,
        reason: Text<Reason>,
        deliberate: bool,
        uptime_ms: Whole,
        will_reconnect: bool,
    },
    #[serde(rename = "peer:reconnect")]
    Reconnected {
        peer_id: String,
        down_ms: Whole,
        attempts: u32,
    },
    #[serde(rename = "peer:replace")]
    Replaced {
        lost: String,
        gained: String,
        requirement: String,
        gap_ms: Whole,
    },
    #[serde(rename = "peer:fail")]
    Failed {
        peer_id: String,
        kind: FailKind,
        charged: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        protocol: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        will_retry_at: Option<Whole>,
    },
    #[serde(rename = "peer:ban")]
    Banned {
        peer_id: String,
        reason: Text<Reason>,
    },
    #[serde(rename = "peer:prune")]
    Pruned {
        peer_id: String,
        reason: Text<Reason>,
    },
    #[serde(rename = "network:change")]
    NetworkChanged {
        state: Text<NetworkState>,
        cause: Text<NetworkCause>,
    },
    #[serde(rename = "requirement:change")]
    RequirementChanged {
        name: String,
        have: u8,
        min: u8,
        target: u8,
        crossed: Text<Crossed>,
    },
    #[serde(rename = "health:change")]
    HealthChanged {
        old: Text<Health>,
        new: Text<Health>,
        reason: Text<HealthReason>,
    },
    #[serde(rename = "filter:gap")]
    Gap {
        content_topics: Vec<String>,
        from: Whole,
        to: Whole,
        cause: Text<GapCause>,
        filled: bool,
        recovered: u32,
    },
}

/// What failed: a dial or a request.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum FailKind {
    Dial(Text<DialFailure>),
    Request(FailureClass),
}

impl Sent {
    /// The message for an event. The node is asked for the names of its requirements.
    pub(crate) fn event(node: &Node, happened: NodeEvent) -> Self {
        match happened {
            NodeEvent::Manager(notice) => Self::Event(Event::new(notice, &Names::of(node))),
            NodeEvent::Message(subscription, received) => Self::Message {
                subscription: subscription.0,
                message: (*received).into(),
            },
            NodeEvent::Subscription {
                id,
                state,
                peers,
                reason,
            } => Self::Subscription {
                subscription: id.0,
                state: Text(state),
                peers: peer_ids(&peers),
                reason: reason.map(Text),
            },
            NodeEvent::Gap {
                content_topics,
                from_ms,
                to_ms,
                cause,
                filled,
                recovered,
            } => Self::Event(Event::Gap {
                content_topics,
                from: from_ms.into(),
                to: to_ms.into(),
                cause: Text(cause),
                filled,
                recovered,
            }),
            NodeEvent::Offer(enrollment, offer) => Self::offer(enrollment.0.into(), offer),
            NodeEvent::Lock(lock, answer) => Self::lock(lock.0.into(), answer),
            NodeEvent::Burst(burst, answer) => Self::burst(burst.0.into(), answer),
            NodeEvent::Scores {
                enrollment,
                round,
                peers,
                deadline_ms,
            } => {
                let names = Names::of(node);
                let peers = peers.into_iter();
                Self::Scores {
                    enrollment: enrollment.0.into(),
                    round: round.into(),
                    peers: peers.map(|view| PeerInfo::new(view, &names)).collect(),
                    deadline_ms,
                }
            }
            NodeEvent::Log(level, target, message) => Self::Log {
                level: Text(level),
                target,
                message,
            },
        }
    }

    pub(crate) fn reply(id: u32, result: Result<Answer, NodeError>) -> Self {
        let (ok, error) = match result {
            Ok(answer) => (Some(answer), None),
            Err(error) => (None, Some(Failure::from(&error))),
        };
        Self::Reply { id, ok, error }
    }

    fn offer(enrollment: Whole, offer: Offer) -> Self {
        let (grant, answer_ms) = match offer {
            // What is left of a grant holds already: there is nothing to answer.
            Offer::Granted(grant)
            | Offer::Counter {
                grant,
                answer_ms: 0,
            } => (grant, None),
            Offer::Counter { grant, answer_ms } => (grant, Some(answer_ms)),
            Offer::Rejected(_) | Offer::Ended => (manager::Grant::default(), None),
        };
        Self::Offer {
            enrollment,
            low: grant.low,
            high: grant.high,
            counter: answer_ms.is_some(),
            answer_ms: answer_ms.map(Whole::from),
            ended: (offer == Offer::Ended).then_some(true),
            rejected: match offer {
                Offer::Rejected(reason) => Some(Text(reason)),
                _ => None,
            },
        }
    }

    fn lock(lock: Whole, answer: LockAnswer) -> Self {
        let (state, revoked) = match answer {
            LockAnswer::Granted { .. } => (LockState::Granted, None),
            LockAnswer::Revoked { reason, grace_ms } => {
                (LockState::Revoked, Some((reason, grace_ms)))
            }
            LockAnswer::Denied(_) | LockAnswer::Ended => (LockState::Ended, None),
        };
        Self::Lock {
            lock,
            state,
            reason: revoked.map(|(reason, _)| Text(reason)),
            grace_ms: revoked.map(|(_, ms)| ms.into()),
        }
    }

    fn burst(burst: Whole, answer: BurstAnswer) -> Self {
        let (state, slots) = match answer {
            BurstAnswer::Granted { slots } => (BurstState::Granted, Some(slots)),
            BurstAnswer::Denied(_) | BurstAnswer::Closed => (BurstState::Closed, None),
        };
        Self::Burst {
            burst,
            state,
            slots,
        }
    }
}

impl Event {
    fn new(notice: Notice, names: &Names) -> Self {
        match notice {
            Notice::Discovered {
                peer,
                source,
                claims,
            } => Self::Discovered {
                peer_id: peer.to_string(),
                source: Text(source),
                claims: names.all(&claims),
            },
            Notice::Connected {
                peer,
                route,
                direction,
            } => Self::Connected {
                peer_id: peer.to_string(),
                address: address(&route, peer),
                transport: Transport::of(&route),
                direction: Text(direction),
            },
            Notice::Identified {
                peer,
                route,
                direction,
                protocols,
                agent,
            } => Self::Identified {
                peer_id: peer.to_string(),
                address: address(&route, peer),
                transport: Transport::of(&route),
                direction: Text(direction),
                protocols,
                agent,
            },
            Notice::Disconnected {
                peer,
                cause,
                reason,
                deliberate,
                uptime_ms,
                will_reconnect,
            } => Self::Disconnected {
                peer_id: peer.to_string(),
                cause: Text(cause),
                reason: Text(reason),
                deliberate,
                uptime_ms: uptime_ms.into(),
                will_reconnect,
            },
            Notice::Reconnected {
                peer,
                down_ms,
                attempts,
            } => Self::Reconnected {
                peer_id: peer.to_string(),
                down_ms: down_ms.into(),
                attempts,
            },
            Notice::Replaced {
                lost,
                gained,
                requirement,
                gap_ms,
            } => Self::Replaced {
                lost: lost.to_string(),
                gained: gained.to_string(),
                requirement: names.one(requirement),
                gap_ms: gap_ms.into(),
            },
            Notice::Failed {
                peer,
                failed,
                charged,
                retry_at_wall_ms,
            } => {
                let (kind, route, protocol) = match failed {
                    Failed::Dial { route, failure } => {
                        (FailKind::Dial(Text(failure)), Some(route), None)
                    }
                    Failed::Request {
                        requirement,
                        outcome,
                    } => {
                        let protocol = names.one(requirement);
                        (FailKind::Request(outcome.into()), None, Some(protocol))
                    }
                };
                Self::Failed {
                    peer_id: peer.to_string(),
                    kind,
                    charged,
                    address: route.map(|route| address(&route, peer)),
                    protocol,
                    will_retry_at: retry_at_wall_ms.map(Whole::from),
                }
            }
            Notice::Pruned { peer, reason } => Self::Pruned {
                peer_id: peer.to_string(),
                reason: Text(reason),
            },
            Notice::NetworkChanged { state, cause } => Self::NetworkChanged {
                state: Text(state),
                cause: Text(cause),
            },
            Notice::Banned { peer, reason } => Self::Banned {
                peer_id: peer.to_string(),
                reason: Text(reason),
            },
            Notice::RequirementChanged {
                requirement,
                have,
                min,
                target,
                crossed,
            } => Self::RequirementChanged {
                name: names.one(requirement),
                have,
                min,
                target,
                crossed: Text(crossed),
            },
            Notice::HealthChanged { old, new, reason } => Self::HealthChanged {
                old: Text(old),
                new: Text(new),
                reason: Text(reason),
            },
        }
    }
}
