//! What is known of one peer.
//!
//! A peer's [`Link`] says whether we are in touch, its [`Bar`] why it may not be dialed now, and its [`Role`] whether it
//! must wait for the start-up ladder. Claims of others and what identify verified are kept apart.

use libp2p_identity::PeerId;

use crate::manager::book::history::{History, Lost, MAX_HINTS, MAX_TAGS, Service};
use crate::manager::book::route::Routes;
use crate::manager::book::score::{
    self, BEST, QUALITY_CONNECTED_HALF_LIFE_MS, QUALITY_STORED_HALF_LIFE_MS, WORST,
};
use crate::manager::boundary::event::{ConnId, Priority, RequirementId, Source};
use crate::manager::boundary::reason::{Outcome, Reason};
use crate::manager::tools::backoff::Standing;
use crate::manager::tools::seed::{Domain, Draw, Seed};
use crate::manager::tools::services::{Cover, Services, UNKNOWN, WHOLE};
use crate::manager::tools::sort::sort_short_by_key;

/// Whether we are in touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Link {
    /// No.
    Idle,
    /// A dial job runs.
    Dialing,
    /// Connected; this is the connection that counts.
    Connected(ConnId),
}

/// Why a peer may not be dialed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Bar {
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
pub(in crate::manager) enum Role {
    /// Needs.
    Ordinary,
    /// The start-up ladder: parked until released (4.11).
    Bootstrap,
    /// Needs, and the table never forgets it: the user named it.
    Named,
}

/// Successes among tries of reaching a peer, over a window of 16.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::manager) struct Reach {
    ok: u8,
    tries: u8,
}

impl Reach {
    pub(in crate::manager) fn record(&mut self, success: bool) {
        if self.tries >= 16 {
            self.tries /= 2;
            self.ok /= 2;
        }
        self.tries += 1;
        self.ok += u8::from(success);
    }

    /// So many successes among so many tries.
    pub(in crate::manager) fn of(ok: u8, tries: u8) -> Self {
        let tries = tries.min(16);
        let ok = ok.min(tries);
        Self { ok, tries }
    }

    /// Successes and tries.
    pub(in crate::manager) fn parts(self) -> (u8, u8) {
        (self.ok, self.tries)
    }

    /// Laplace's estimate in 1/256.
    pub(in crate::manager) fn estimate(self) -> u32 {
        (u32::from(self.ok) + 1) * 256 / (u32::from(self.tries) + 2)
    }
}

/// The place of a peer among others, without the salt between equals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) struct Rank {
    /// Priority band: decides first.
    pub(in crate::manager) band: Priority,
    /// Expected cover, times the chance to reach it.
    pub(in crate::manager) value: u32,
    /// Its score when it was last placed: a stale one costs no more than a better choice.
    pub(in crate::manager) quality: i16,
}

/// One known peer.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Peer {
    pub(in crate::manager) id: PeerId,
    /// Decides between equals; different for each seed.
    pub(in crate::manager) salt: u64,
    /// How many waits were drawn for it.
    drawn: u16,
    /// Who told first.
    pub(in crate::manager) source: Source,
    /// The mark of who named it first.
    pub(in crate::manager) introducer: Option<u64>,
    pub(in crate::manager) role: Role,
    pub(in crate::manager) priority: Priority,
    pub(in crate::manager) routes: Routes,
    /// What others say that it serves.
    pub(in crate::manager) claims: Services,
    /// What was answered, by claims or by identify: of everything else nothing is known. Requirements that were opened
    /// later are not among them.
    pub(in crate::manager) asked: Services,
    pub(in crate::manager) link: Link,
    pub(in crate::manager) bar: Bar,
    /// As the table of bans says, which outlasts this record (4.16).
    pub(in crate::manager) ban: Option<Reason>,
    pub(in crate::manager) pinned: bool,
    pub(in crate::manager) reach: Reach,
    /// Failed dials in a row (backoff).
    pub(in crate::manager) level: u8,
    /// Short connections in a row.
    pub(in crate::manager) flap: u8,
    /// How often we closed its connection for others, since it was healthy.
    pub(in crate::manager) prunes: u8,
    /// It served once.
    pub(in crate::manager) good: bool,
    pub(in crate::manager) last_reason: Option<Reason>,
    /// What only contact tells; nobody who was merely heard of has one.
    history: Option<Box<History>>,
}

impl Peer {
    pub(in crate::manager) fn new(id: PeerId, salt: u64, source: Source) -> Self {
        Self {
            id,
            salt,
            drawn: 0,
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
            asked: Services::NONE,
            link: Link::Idle,
            bar: Bar::Open,
            ban: None,
            pinned: false,
            reach: Reach::default(),
            level: 0,
            flap: 0,
            prunes: 0,
            good: false,
            last_reason: None,
            history: None,
        }
    }

    /// What contact with it told: nothing at all when it was merely heard of.
    pub(in crate::manager::book) fn history(&self) -> &History {
        self.history.as_deref().unwrap_or(const { &History::NONE })
    }

    /// The same to write to: made with the first write.
    pub(in crate::manager::book) fn history_mut(&mut self) -> &mut History {
        self.history.get_or_insert_with(|| Box::new(History::NONE))
    }

    /// What identify said on the last connection that got so far.
    pub(in crate::manager) fn verified(&self) -> Option<Services> {
        self.history().verified
    }

    /// Identify says what it serves, of `all` that could be.
    pub(in crate::manager) fn identified(
        &mut self,
        offers: Services,
        all: Services,
        agent: String,
    ) {
        self.asked = all;
        let history = self.history_mut();
        history.verified = Some(offers);
        history.agent = Some(agent);
    }

    /// A requirement is new; whether identify listed a protocol of it before.
    pub(in crate::manager) fn look_again(&mut self, id: RequirementId, listed: bool) {
        self.asked.insert(id);
        if listed && let Some(verified) = &mut self.history_mut().verified {
            verified.insert(id);
        }
    }

    /// How it does at each requirement that was tried.
    pub(in crate::manager) fn services(&self) -> &[Service] {
        &self.history().services
    }

    /// Why the user wants its connection left alone.
    pub(in crate::manager) fn tags(&self) -> &[String] {
        &self.history().tags
    }

    /// The user no longer does.
    pub(in crate::manager) fn clear_tags(&mut self) {
        if let Some(history) = &mut self.history {
            history.tags.clear();
        }
    }

    /// The sum of the user's hints that hold.
    pub(in crate::manager) fn hinted(&self, now: u64) -> i16 {
        self.history().hinted(now)
    }

    /// Whether the user's tags and hints are within their bounds (R1).
    pub(in crate::manager) fn wishes_fit(&self) -> bool {
        let history = self.history();
        history.tags.len() <= MAX_TAGS && history.hints.len() <= MAX_HINTS
    }

    /// It serves, or did just now.
    pub(in crate::manager) fn has_served(&mut self, wall_ms: u64) {
        self.good = true;
        self.history_mut().served_wall_ms = Some(wall_ms);
    }

    /// It broke a protocol. Returns how many faults add up.
    pub(in crate::manager) fn misbehaved(&mut self, step: u16, memory_ms: u64, now: u64) -> u8 {
        let history = self.history_mut();
        let step = i16::try_from(step).map_or(i16::MIN, |step| -step);
        history
            .behaviour
            .add(step, now, score::BEHAVIOUR_HALF_LIFE_MS);
        if now.saturating_sub(history.last_fault) > memory_ms {
            history.faults = 0;
        }
        history.last_fault = now;
        history.faults = history.faults.saturating_add(1);
        history.faults
    }

    /// Its connection was lost.
    pub(in crate::manager) fn note_loss(&mut self, now: u64) {
        self.history_mut().lost = Some(Lost {
            at: now,
            attempts: 0,
        });
    }

    /// When its connection was lost, if it has not come back since.
    pub(in crate::manager) fn lost_at(&self) -> Option<u64> {
        self.history().lost.map(|lost| lost.at)
    }

    /// Whether a loss was not made good yet.
    pub(in crate::manager) fn is_lost(&self) -> bool {
        self.history().lost.is_some()
    }

    /// It is dialed; that counts if it was lost.
    pub(in crate::manager) fn count_attempt(&mut self) {
        if let Some(history) = &mut self.history
            && let Some(lost) = &mut history.lost
        {
            lost.attempts = lost.attempts.saturating_add(1);
        }
    }

    /// It is connected: the loss that this makes good.
    pub(in crate::manager) fn take_loss(&mut self) -> Option<Lost> {
        self.history.as_mut()?.lost.take()
    }

    /// The last round trip, in milliseconds.
    pub(in crate::manager) fn rtt_ms(&self) -> Option<u32> {
        self.history().rtt_ms
    }

    /// See [`Self::rtt_ms`].
    pub(in crate::manager) fn set_rtt_ms(&mut self, rtt_ms: u32) {
        self.history_mut().rtt_ms = Some(rtt_ms);
    }

    /// The shards that its metadata named.
    pub(in crate::manager) fn shards(&self) -> Option<&Vec<u16>> {
        self.history().shards.as_ref()
    }

    /// See [`Self::shards`].
    pub(in crate::manager) fn set_shards(&mut self, shards: Option<Vec<u16>>) {
        self.history_mut().shards = shards;
    }

    /// What it calls itself.
    pub(in crate::manager) fn agent(&self) -> Option<&String> {
        self.history().agent.as_ref()
    }

    /// Banned, by whom.
    pub(in crate::manager) fn banned(&self) -> Option<Reason> {
        self.ban
    }

    /// Whether a tag of the user's protects its connection.
    pub(in crate::manager) fn protected(&self) -> bool {
        !self.tags().is_empty()
    }

    /// Whether the user wants its connection at any cost: pinned or protected.
    pub(in crate::manager) fn held(&self) -> bool {
        self.pinned || self.protected()
    }

    /// What rests.
    pub(in crate::manager) fn resting(&self) -> Services {
        self.services()
            .iter()
            .filter(|service| service.rest.is_some())
            .map(|service| service.requirement)
            .collect()
    }

    /// Requirements that it turned out not to speak.
    fn absent(&self) -> Services {
        self.services()
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
    pub(in crate::manager) fn capabilities(&self) -> Services {
        self.known().minus(self.absent())
    }

    /// Others say that it serves these. `nameable`: what they could have said, so that silence means no.
    pub(in crate::manager) fn claim(&mut self, claims: Services, nameable: Services) {
        self.claims = self.claims.union(claims);
        if !self.claims.is_empty() {
            self.asked = self.asked.union(nameable);
        }
    }

    /// What it is known to serve: as identify said, or else as others claim.
    fn known(&self) -> Services {
        match self.verified() {
            Some(verified) => verified.union(self.claims.minus(self.asked)),
            None => self.claims,
        }
    }

    /// Of what nothing is known.
    fn unknown(&self, all: Services) -> Services {
        all.minus(self.asked).minus(self.claims)
    }

    /// Whether there is more than hope that it serves one of these.
    pub(in crate::manager) fn known_for(&self, wanted: Services) -> bool {
        !self.known().and(wanted).is_empty()
    }

    /// A requirement is gone: the next one in its place is another.
    pub(in crate::manager) fn forget_requirement(&mut self, id: RequirementId) {
        let gone = Services::one(id);
        self.claims = self.claims.minus(gone);
        self.asked = self.asked.minus(gone);
        if let Some(history) = &mut self.history {
            history.verified = history.verified.map(|verified| verified.minus(gone));
            history.services.retain(|service| service.requirement != id);
        }
    }

    /// What a dial could bring. `all`: every requirement, for peers that nothing is known of.
    pub(in crate::manager) fn cover(&self, all: Services, unverified_counted: usize) -> Cover {
        let resting = self.resting();
        let known = self.known().minus(resting);
        let verified = self.verified().unwrap_or_default().and(known);
        let claimed = known.minus(verified).iter().take(unverified_counted);
        Cover {
            whole: verified.union(claimed.collect()),
            guess: self.unknown(all).minus(resting),
        }
    }

    /// The chance that it serves what it is said to serve, in 1/256.
    fn chance(&self) -> u32 {
        match self.source {
            // Named by the user or by a signed tree.
            Source::Static | Source::Dns => 200,
            Source::PeerExchange | Source::Foreign => 128,
            Source::Saved => 220,
        }
    }

    /// What it may be dialed for: what it is known to serve, and that of which nothing is known.
    pub(in crate::manager) fn possible(&self, all: Services) -> Services {
        self.conceivable(all).minus(self.resting())
    }

    /// Whether it is known to serve none of these.
    pub(in crate::manager) fn serves_none_of(&self, all: Services) -> bool {
        self.conceivable(all).is_empty()
    }

    fn conceivable(&self, all: Services) -> Services {
        self.known().union(self.unknown(all))
    }

    /// Worth to needs that each want `units(requirement)`, in 1/256: at most one provider for each, and few of them
    /// unverified.
    pub(in crate::manager) fn value(
        &self,
        all: Services,
        unverified_counted: usize,
        units: &dyn Fn(RequirementId) -> u32,
    ) -> u32 {
        let verified = self.verified().unwrap_or_default();
        let chance = self.chance();
        let known = self.known();
        let mut verified_worth = 0;
        let mut unverified = Vec::new();
        for id in self.possible(all).iter() {
            let want = units(id).min(WHOLE);
            if verified.contains(id) {
                verified_worth += want;
            } else if want > 0 {
                let chance = if known.contains(id) { chance } else { UNKNOWN };
                unverified.push(want * chance / WHOLE);
            }
        }
        sort_short_by_key(&mut unverified, |worth| core::cmp::Reverse(*worth));
        let guessed: u32 = unverified.into_iter().take(unverified_counted).sum();
        (verified_worth + guessed) * self.reach.estimate() / 256
    }

    /// Its place among candidates before anything is known of the needs of the moment.
    pub(in crate::manager) fn rank(
        &self,
        all: Services,
        unverified_counted: usize,
        now: u64,
    ) -> Rank {
        Rank {
            band: self.priority,
            value: self.value(all, unverified_counted, &|_| WHOLE),
            quality: self.score(now),
        }
    }

    /// All that speaks for or against it: the mean quality over the requirements that were tried, its behaviour and the
    /// user's hints.
    pub(in crate::manager) fn score(&self, now: u64) -> i16 {
        let half_life = self.half_life();
        let sum: i32 = self
            .services()
            .iter()
            .map(|service| i32::from(service.quality.at(now, half_life)))
            .sum();
        let count = i32::try_from(self.services().len()).unwrap_or(i32::MAX);
        let mean = if count == 0 { 0 } else { sum / count };
        let all = mean + i32::from(self.behaviour(now)) + i32::from(self.hinted(now));
        let all = all.clamp(i32::from(WORST), i32::from(BEST));
        i16::try_from(all).expect("clamped to the range of scores")
    }

    /// How it does at one requirement.
    pub(in crate::manager) fn quality(&self, requirement: RequirementId, now: u64) -> i16 {
        self.services()
            .iter()
            .find(|service| service.requirement == requirement)
            .map_or(0, |service| service.quality.at(now, self.half_life()))
    }

    /// How it behaved.
    pub(in crate::manager) fn behaviour(&self, now: u64) -> i16 {
        self.history()
            .behaviour
            .at(now, score::BEHAVIOUR_HALF_LIFE_MS)
    }

    /// How fast what is known of its quality loses its worth: we learn anew while we are in touch, and only then.
    pub(in crate::manager) fn half_life(&self) -> u64 {
        match self.link {
            Link::Connected(_) => QUALITY_CONNECTED_HALF_LIFE_MS,
            Link::Idle | Link::Dialing => QUALITY_STORED_HALF_LIFE_MS,
        }
    }

    /// Comes into touch, or out of it: its quality fades at another pace from now on.
    pub(in crate::manager) fn set_link(&mut self, link: Link, now: u64) {
        let before = self.half_life();
        self.link = link;
        if self.half_life() != before
            && let Some(history) = &mut self.history
        {
            for service in &mut history.services {
                service.quality.rebase(now, before);
            }
        }
    }

    /// Moves its quality at one requirement 1/`part` of the way toward a bound.
    pub(in crate::manager) fn judge(
        &mut self,
        requirement: RequirementId,
        bound: i16,
        part: i16,
        now: u64,
    ) {
        let half_life = self.half_life();
        let service = self.service(requirement);
        service.quality.toward(bound, part, now, half_life);
    }

    /// The record of one requirement, made when it is first needed.
    pub(in crate::manager) fn service(&mut self, requirement: RequirementId) -> &mut Service {
        let services = &mut self.history_mut().services;
        let place = match services
            .iter()
            .position(|service| service.requirement == requirement)
        {
            Some(place) => place,
            None => {
                services.push(Service::new(requirement));
                services.len() - 1
            }
        };
        &mut services[place]
    }

    /// A number for the next time that it waits.
    pub(in crate::manager) fn draw(&mut self, seed: &Seed) -> Draw {
        self.drawn = self.drawn.wrapping_add(1);
        seed.draw(Domain::Wait, self.salt, u64::from(self.drawn))
    }

    /// Which waits apply to it.
    pub(in crate::manager) fn standing(&self) -> Standing {
        if self.pinned {
            Standing::Pinned
        } else if self.good {
            Standing::Good
        } else {
            Standing::Unknown
        }
    }

    /// Whether the table may forget it: nothing that the user named or holds, nothing in use. A ban needs no record.
    pub(in crate::manager) fn forgettable(&self) -> bool {
        self.link == Link::Idle
            && !self.held()
            && self.role == Role::Ordinary
            && self.priority == Priority::Medium
            && self.bar != Bar::HungUp
    }
}
