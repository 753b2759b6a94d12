//! What is known of one peer.
//!
//! A peer's [`Link`] says whether we are in touch, its [`Bar`] why it may not be dialed now, and its [`Role`] whether it
//! must wait for the start-up ladder. Claims of others and what identify verified are kept apart.

use libp2p_identity::PeerId;

use super::backoff::Standing;
use super::event::{ConnId, Priority, RequirementId, Source};
use super::reason::{Outcome, Reason};
use super::route::Routes;
use super::services::{Cover, Services, UNKNOWN, WHOLE};
use super::sort::sort_short_by_key;

/// Whether we are in touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// No.
    Idle,
    /// A dial job runs.
    Dialing,
    /// Connected; this is the connection that counts.
    Connected(ConnId),
}

/// Why a peer may not be dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bar {
    /// It may.
    Open,
    /// Not before then.
    Until {
        /// Monotonic milliseconds.
        at: u64,
        /// What went before.
        why: Reason,
    },
    /// Not before the user says so.
    HungUp,
}

/// Who decides when it is dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Needs.
    Ordinary,
    /// The start-up ladder: parked until released (4.11).
    Bootstrap,
    /// Needs, and the table never forgets it: the user named it.
    Named,
}

/// A loss that has not been made good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost {
    /// When, monotonic.
    pub(super) at: u64,
    /// Dials since.
    pub(super) attempts: u32,
}

/// A provider that does not serve for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    /// Until when, monotonic.
    pub(super) until: u64,
    /// What it answered.
    pub(super) after: Outcome,
}

/// How a peer does at one requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) requirement: RequirementId,
    /// −1000 to 1000, 0 unknown (4.5). Tier 1 does not let it fade with time.
    pub(super) quality: i16,
    /// The last failure that was not answered by a success.
    pub(super) broken_at: Option<u64>,
    /// Rests in a row after [`Outcome::Broken`].
    pub(super) broken_rounds: u8,
    /// Rests in a row after [`Outcome::Busy`].
    pub(super) busy_rounds: u8,
    pub(super) rest: Option<Rest>,
}

impl Service {
    fn new(requirement: RequirementId) -> Self {
        Self {
            requirement,
            quality: 0,
            broken_at: None,
            broken_rounds: 0,
            busy_rounds: 0,
            rest: None,
        }
    }

    /// Moves the quality toward a bound by 1/`part` of the way.
    pub(super) fn toward(&mut self, bound: i16, part: i16) {
        let way = i32::from(bound) - i32::from(self.quality);
        let mut step = way / i32::from(part.max(1));
        if step == 0 {
            step = way.signum();
        }
        let moved = (i32::from(self.quality) + step).clamp(-1_000, 1_000);
        self.quality = i16::try_from(moved).expect("clamped to the score's range");
    }
}

/// Successes among tries of reaching a peer, over a window of 16.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reach {
    ok: u8,
    tries: u8,
}

impl Reach {
    pub(super) fn record(&mut self, success: bool) {
        if self.tries >= 16 {
            self.tries /= 2;
            self.ok /= 2;
        }
        self.tries += 1;
        self.ok += u8::from(success);
    }

    /// Laplace's estimate in 1/256.
    pub(super) fn estimate(self) -> u32 {
        (u32::from(self.ok) + 1) * 256 / (u32::from(self.tries) + 2)
    }
}

/// The place of a peer among others, without the salt between equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Priority band: decides first.
    pub(super) band: Priority,
    /// Expected cover, times the chance to reach it.
    pub(super) value: u32,
    /// Mean quality.
    pub(super) quality: i16,
}

/// One known peer.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) id: PeerId,
    /// Decides between equals; different for each seed.
    pub(super) salt: u64,
    /// Who told first.
    pub(super) source: Source,
    /// The mark of who named it first.
    pub(super) introducer: Option<u64>,
    pub(super) role: Role,
    pub(super) priority: Priority,
    pub(super) routes: Routes,
    /// What others say that it serves.
    pub(super) claims: Services,
    /// What identify said on the last connection that got so far.
    pub(super) verified: Option<Services>,
    pub(super) services: Vec<Service>,
    pub(super) link: Link,
    pub(super) bar: Bar,
    pub(super) pinned: bool,
    /// Heard of in an answer that is still coming in: it is weighed with the whole of it.
    pub(super) arriving: bool,
    pub(super) reach: Reach,
    /// Failed dials in a row (backoff).
    pub(super) level: u8,
    /// Short connections in a row.
    pub(super) flap: u8,
    /// It served once.
    pub(super) good: bool,
    pub(super) lost: Option<Lost>,
    pub(super) faults: u8,
    pub(super) last_fault: u64,
    pub(super) bans: u8,
    pub(super) shards: Option<Vec<u16>>,
    pub(super) agent: Option<String>,
    pub(super) rtt_ms: Option<u32>,
    pub(super) last_reason: Option<Reason>,
}

impl Peer {
    pub(super) fn new(id: PeerId, salt: u64, source: Source) -> Self {
        Self {
            id,
            salt,
            source,
            introducer: None,
            role: match source {
                Source::Dns => Role::Bootstrap,
                Source::Static => Role::Named,
                Source::PeerExchange | Source::Foreign | Source::Saved => Role::Ordinary,
            },
            priority: Priority::default(),
            routes: Routes::default(),
            claims: Services::NONE,
            verified: None,
            services: Vec::new(),
            link: Link::Idle,
            bar: Bar::Open,
            pinned: false,
            arriving: false,
            reach: Reach::default(),
            level: 0,
            flap: 0,
            good: false,
            lost: None,
            faults: 0,
            last_fault: 0,
            bans: 0,
            shards: None,
            agent: None,
            rtt_ms: None,
            last_reason: None,
        }
    }

    /// The first rule that forbids to dial it at all, the user's own dial excepted where the rule allows that.
    /// Parking is not among them: it binds needs, not the ladder.
    pub(super) fn forbidden(&self) -> Option<Reason> {
        if self.priority == Priority::Banned {
            return Some(Reason::BannedByUser);
        }
        if self.link != Link::Idle {
            return Some(Reason::AlreadyConnected);
        }
        match self.bar {
            Bar::Until { why, .. } => return Some(why),
            Bar::HungUp => return Some(Reason::HungUp),
            Bar::Open => {}
        }
        self.routes.is_empty().then_some(Reason::NoRoute)
    }

    /// Banned, by whom.
    pub(super) fn banned(&self) -> Option<Reason> {
        if self.priority == Priority::Banned {
            return Some(Reason::BannedByUser);
        }
        match self.bar {
            Bar::Until {
                why: Reason::BannedForFaults,
                ..
            } => Some(Reason::BannedForFaults),
            Bar::Open | Bar::Until { .. } | Bar::HungUp => None,
        }
    }

    /// What rests.
    pub(super) fn resting(&self) -> Services {
        self.services
            .iter()
            .filter(|service| service.rest.is_some())
            .map(|service| service.requirement)
            .collect()
    }

    /// Requirements that it turned out not to speak.
    fn absent(&self) -> Services {
        self.services
            .iter()
            .filter(|service| {
                service
                    .rest
                    .is_some_and(|rest| rest.after == Outcome::Absent)
            })
            .map(|service| service.requirement)
            .collect()
    }

    /// What it is said, or was verified, to serve; for the user.
    pub(super) fn capabilities(&self) -> Services {
        self.verified.unwrap_or(self.claims).minus(self.absent())
    }

    /// What a dial could bring. `all`: every requirement, for peers that nothing is known of.
    pub(super) fn cover(&self, all: Services, unverified_counted: usize) -> Cover {
        let resting = self.resting();
        match self.verified {
            Some(verified) => Cover {
                whole: verified.minus(resting),
                guess: Services::NONE,
            },
            None if self.claims.is_empty() => Cover {
                whole: Services::NONE,
                guess: all.minus(resting),
            },
            None => Cover {
                whole: self
                    .claims
                    .minus(resting)
                    .iter()
                    .take(unverified_counted)
                    .collect(),
                guess: Services::NONE,
            },
        }
    }

    /// The chance that it serves something it may be dialed for, in 1/256.
    pub(super) fn chance(&self) -> u32 {
        match (self.verified, self.claims.is_empty(), self.source) {
            (Some(_), _, _) => WHOLE,
            (None, true, _) => UNKNOWN,
            // Named by the user or by a signed tree.
            (None, false, Source::Static | Source::Dns) => 200,
            (None, false, Source::PeerExchange | Source::Foreign) => 128,
            (None, false, Source::Saved) => 220,
        }
    }

    /// What it may be dialed for: everything, when nothing is known.
    pub(super) fn possible(&self, all: Services) -> Services {
        let known = self.verified.unwrap_or(self.claims);
        if known.is_empty() && self.verified.is_none() {
            all.minus(self.resting())
        } else {
            known.minus(self.resting())
        }
    }

    /// Worth to needs that each want `units(requirement)`, in 1/256: at most one provider for each, and few of them
    /// unverified.
    pub(super) fn value(
        &self,
        all: Services,
        unverified_counted: usize,
        units: &dyn Fn(RequirementId) -> u32,
    ) -> u32 {
        let limit = if self.verified.is_some() {
            Services::CAPACITY
        } else {
            unverified_counted
        };
        let mut wants: Vec<u32> = self
            .possible(all)
            .iter()
            .map(|id| units(id).min(WHOLE))
            .filter(|want| *want > 0)
            .collect();
        sort_short_by_key(&mut wants, |want| core::cmp::Reverse(*want));
        let wanted: u32 = wants.into_iter().take(limit).sum();
        wanted * self.chance() / WHOLE * self.reach.estimate() / 256
    }

    /// Its place among candidates before anything is known of the needs of the moment.
    pub(super) fn rank(&self, all: Services, unverified_counted: usize) -> Rank {
        Rank {
            band: self.priority,
            value: self.value(all, unverified_counted, &|_| WHOLE),
            quality: self.score(),
        }
    }

    /// Mean quality over the requirements that were tried.
    pub(super) fn score(&self) -> i16 {
        let sum: i32 = self.services.iter().map(|s| i32::from(s.quality)).sum();
        match i32::try_from(self.services.len()) {
            Ok(0) | Err(_) => 0,
            Ok(count) => i16::try_from(sum / count).expect("a mean of scores is a score"),
        }
    }

    /// How it does at one requirement.
    pub(super) fn quality(&self, requirement: RequirementId) -> i16 {
        self.services
            .iter()
            .find(|service| service.requirement == requirement)
            .map_or(0, |service| service.quality)
    }

    /// The record of one requirement, made when it is first needed.
    pub(super) fn service(&mut self, requirement: RequirementId) -> &mut Service {
        let place = match self
            .services
            .iter()
            .position(|service| service.requirement == requirement)
        {
            Some(place) => place,
            None => {
                self.services.push(Service::new(requirement));
                self.services.len() - 1
            }
        };
        &mut self.services[place]
    }

    /// Which waits apply to it.
    pub(super) fn standing(&self) -> Standing {
        if self.pinned {
            Standing::Pinned
        } else if self.good {
            Standing::Good
        } else {
            Standing::Unknown
        }
    }

    /// Whether the table may forget it: nothing that the user or a ban holds, nothing in use.
    pub(super) fn forgettable(&self) -> bool {
        self.link == Link::Idle
            && !self.pinned
            && self.role == Role::Ordinary
            && self.priority == Priority::Medium
            && !matches!(
                self.bar,
                Bar::HungUp
                    | Bar::Until {
                        why: Reason::BannedForFaults,
                        ..
                    }
            )
    }
}
