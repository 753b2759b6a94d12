//! Why things are as they are.

use serde::Serialize;

use super::messages::FailureClass;
use super::peers::{Names, PeerInfo};
use super::texts::Text;
use super::values::{Entries, Whole};
use crate::manager::{
    self, Class, DialWhy, Guard, LimitCause, ProtocolView, Reason, Revocation, Trigger, What,
};

/// `Explanation`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Explanation {
    peer: PeerInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_dialed: Option<Text<Reason>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_closed: Option<Text<Guard>>,
    used_by: Vec<String>,
    parts: ScoreParts,
    failures: u8,
    flaps: u8,
    protected_by: Vec<String>,
    failed: Vec<Decision>,
    decisions: Vec<Decision>,
}

/// `ScoreParts`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ScoreParts {
    quality: Entries<i16>,
    behaviour: i16,
    hints: i16,
    reach: f64,
}

impl Explanation {
    pub(crate) fn new(explained: manager::Explanation, names: &Names) -> Self {
        let quality = explained.parts.quality.iter();
        let quality = quality.map(|(requirement, score)| (names.one(*requirement), *score));
        Self {
            peer: PeerInfo::new(explained.view, names),
            not_dialed: explained.not_dialed.map(Text),
            not_closed: explained.not_closed.map(Text),
            used_by: explained.used_by,
            parts: ScoreParts {
                quality: Entries(quality.collect()),
                behaviour: explained.parts.behaviour,
                hints: explained.parts.hints,
                reach: f64::from(explained.parts.reach) / 256.0,
            },
            failures: explained.failures,
            flaps: explained.flaps,
            protected_by: explained.protected_by,
            failed: Decision::all(explained.failed, names),
            decisions: Decision::all(explained.decisions, names),
        }
    }
}

/// `Grant`.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Grant {
    low: u16,
    high: u16,
}

impl From<manager::Grant> for Grant {
    fn from(grant: manager::Grant) -> Self {
        Self {
            low: grant.low,
            high: grant.high,
        }
    }
}

/// `ProtocolInfo`.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct ProtocolInfo {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    requirement: Option<String>,
    class: Text<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted: Option<Grant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offered: Option<Grant>,
    share: f64,
    connections: u16,
    locked: u16,
}

impl ProtocolInfo {
    pub(crate) fn new(view: ProtocolView, names: &Names) -> Self {
        Self {
            name: view.name,
            requirement: view.requirement.map(|id| names.one(id)),
            class: Text(view.class),
            granted: view.granted.map(Grant::from),
            offered: view.offered.map(Grant::from),
            share: f64::from(view.share) / 256.0,
            connections: view.connections,
            locked: view.locked,
        }
    }
}

/// `Decision`: when, and what; the rest is what belongs to each kind.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Decision {
    at: Whole,
    #[serde(flatten)]
    decided: Decided,
}

/// What was decided.
#[derive(Serialize)]
#[serde(
    tag = "what",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum Decided {
    Dialed {
        peer: String,
        why: Text<DialWhy>,
        #[serde(skip_serializing_if = "Option::is_none")]
        requirement: Option<String>,
        compared: u16,
        value: f64,
    },
    Closed {
        peer: String,
        reason: Text<Reason>,
    },
    Denied {
        #[serde(skip_serializing_if = "Option::is_none")]
        peer: Option<String>,
        reason: Text<Reason>,
    },
    Failed {
        peer: String,
        requirement: String,
        outcome: FailureClass,
        charged: bool,
    },
    Banned {
        peer: String,
        reason: Text<Reason>,
    },
    Regulated {
        round: Whole,
        trigger: Text<Trigger>,
        closed: u16,
    },
    Overcommitted {
        held_by: Vec<Held>,
    },
    Offered {
        protocol: String,
        grant: Grant,
    },
    Locked {
        peer: String,
        lock: Whole,
    },
    Revoked {
        lock: Whole,
        reason: Text<Revocation>,
    },
    BurstOpened {
        burst: Whole,
        slots: u8,
    },
    BurstClosed {
        burst: Whole,
    },
    Limits {
        soft: u16,
        hard: u16,
        why: Text<LimitCause>,
    },
    BootstrapRetained {
        peer: String,
    },
    Relaxed {
        peer: String,
    },
    Suspect,
    Recovered,
}

/// So many connections may not be closed, and for what.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Held {
    guard: Text<Guard>,
    count: u16,
}

impl Decision {
    pub(crate) fn all(decisions: Vec<manager::Decision>, names: &Names) -> Vec<Self> {
        let decisions = decisions.into_iter();
        decisions.map(|taken| Self::new(taken, names)).collect()
    }

    fn new(taken: manager::Decision, names: &Names) -> Self {
        Self {
            at: taken.at_wall_ms.into(),
            decided: Decided::new(taken.what, names),
        }
    }
}

impl Decided {
    fn new(what: What, names: &Names) -> Self {
        match what {
            What::Dialed {
                peer,
                why,
                compared,
                value,
            } => Self::Dialed {
                peer: peer.to_string(),
                why: Text(why),
                requirement: match why {
                    DialWhy::Need(requirement) => Some(names.one(requirement)),
                    _ => None,
                },
                compared,
                value: f64::from(value) / 256.0,
            },
            What::Closed { peer, reason } => Self::Closed {
                peer: peer.to_string(),
                reason: Text(reason),
            },
            What::Denied { peer, reason } => Self::Denied {
                peer: peer.map(|peer| peer.to_string()),
                reason: Text(reason),
            },
            What::Failed {
                peer,
                requirement,
                outcome,
                charged,
            } => Self::Failed {
                peer: peer.to_string(),
                requirement: names.one(requirement),
                outcome: outcome.into(),
                charged,
            },
            What::Banned { peer, reason } => Self::Banned {
                peer: peer.to_string(),
                reason: Text(reason),
            },
            What::Regulated {
                round,
                trigger,
                closed,
            } => Self::Regulated {
                round: round.into(),
                trigger: Text(trigger),
                closed,
            },
            What::Overcommitted { held_by } => {
                let held = held_by.into_iter().map(|(guard, count)| Held {
                    guard: Text(guard),
                    count,
                });
                Self::Overcommitted {
                    held_by: held.collect(),
                }
            }
            What::Offered { protocol, grant } => Self::Offered {
                protocol,
                grant: grant.into(),
            },
            What::Locked { lock, peer } => Self::Locked {
                peer: peer.to_string(),
                lock: lock.0.into(),
            },
            What::Revoked { lock, reason } => Self::Revoked {
                lock: lock.0.into(),
                reason: Text(reason),
            },
            What::BurstOpened { burst, slots } => Self::BurstOpened {
                burst: burst.0.into(),
                slots,
            },
            What::BurstClosed { burst } => Self::BurstClosed {
                burst: burst.0.into(),
            },
            What::Limits { soft, hard, why } => Self::Limits {
                soft,
                hard,
                why: Text(why),
            },
            What::BootstrapRetained { peer } => Self::BootstrapRetained {
                peer: peer.to_string(),
            },
            What::Relaxed { peer } => Self::Relaxed {
                peer: peer.to_string(),
            },
            What::Suspect => Self::Suspect,
            What::Recovered => Self::Recovered,
        }
    }
}
