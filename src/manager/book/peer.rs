//! What is known of one peer.
//!
//! A peer's [`Link`] says whether we are in touch, its [`Bar`] why it may not be dialed now, and its [`Role`] whether it
//! must wait for the start-up ladder. Claims of others and what identify verified are kept apart.

mod worth;

use libp2p_identity::PeerId;

pub(in crate::manager) use worth::Rank;

use crate::manager::book::attempts::Attempts;
use crate::manager::book::history::{History, Lost, MAX_HINTS, MAX_TAGS};
use crate::manager::book::route::Routes;
use crate::manager::book::score::{
    self, QUALITY_CONNECTED_HALF_LIFE_MS, QUALITY_STORED_HALF_LIFE_MS,
};
use crate::manager::book::service::Service;
use crate::manager::boundary::event::{ConnId, Priority, RequirementId, Source};
use crate::manager::boundary::reason::Reason;
use crate::manager::tools::backoff::Standing;
use crate::manager::tools::seed::{Domain, Draw, Seed};
use crate::manager::tools::services::Services;

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

/// One known peer.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Peer {
    id: PeerId,
    /// Decides between equals; different for each seed.
    salt: u64,
    /// How many waits were drawn for it.
    drawn: u16,
    /// Who told first.
    source: Source,
    /// The mark of who named it first.
    introducer: Option<u64>,
    role: Role,
    priority: Priority,
    routes: Routes,
    /// What others say that it serves.
    claims: Services,
    /// What was answered, by claims or by identify: of everything else nothing is known. Requirements that were opened
    /// later are not among them.
    asked: Services,
    link: Link,
    bar: Bar,
    /// As the table of bans says, which outlasts this record (4.16).
    ban: Option<Reason>,
    pinned: bool,
    attempts: Attempts,
    /// How often we closed its connection for others, since it was healthy.
    prunes: u8,
    /// It served once.
    good: bool,
    last_reason: Option<Reason>,
    /// What only contact tells; nobody who was merely heard of has one.
    history: Option<Box<History>>,
}

impl Peer {
    pub(in crate::manager::book) fn new(
        id: PeerId,
        salt: u64,
        source: Source,
        introducer: Option<u64>,
    ) -> Self {
        Self {
            id,
            salt,
            drawn: 0,
            source,
            introducer,
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
            attempts: Attempts::default(),
            prunes: 0,
            good: false,
            last_reason: None,
            history: None,
        }
    }

    /// What is left of it when the user forgets it while it is still connected. The table counts it where it was.
    pub(in crate::manager::book) fn forgotten(&self) -> Self {
        let mut blank = Self::new(self.id, self.salt, Source::Foreign, self.introducer);
        blank.link = self.link;
        blank.last_reason = Some(Reason::Forgotten);
        blank
    }

    pub(in crate::manager) fn id(&self) -> PeerId {
        self.id
    }

    /// Decides between equals.
    pub(in crate::manager) fn salt(&self) -> u64 {
        self.salt
    }

    /// Who told first.
    pub(in crate::manager) fn source(&self) -> Source {
        self.source
    }

    /// The mark of who named it first.
    pub(in crate::manager) fn introducer(&self) -> Option<u64> {
        self.introducer
    }

    pub(in crate::manager) fn role(&self) -> Role {
        self.role
    }

    /// Somebody tells of it. Returns whether others decide now when it is dialed.
    pub(in crate::manager::book) fn heard_from(&mut self, source: Source) -> bool {
        let role = match (self.role, source) {
            (_, Source::Static) => Role::Named,
            (Role::Ordinary, Source::Dns) => Role::Bootstrap,
            (role, Source::Dns | Source::PeerExchange | Source::Foreign | Source::Saved) => role,
        };
        core::mem::replace(&mut self.role, role) != role
    }

    pub(in crate::manager) fn priority(&self) -> Priority {
        self.priority
    }

    /// The user wants it before others, or after them. Returns what was before.
    pub(in crate::manager) fn set_priority(&mut self, priority: Priority) -> Priority {
        core::mem::replace(&mut self.priority, priority)
    }

    /// Where it may be reached.
    pub(in crate::manager) fn routes(&self) -> &Routes {
        &self.routes
    }

    /// See [`Self::routes`].
    pub(in crate::manager) fn routes_mut(&mut self) -> &mut Routes {
        &mut self.routes
    }

    pub(in crate::manager) fn link(&self) -> Link {
        self.link
    }

    pub(in crate::manager) fn bar(&self) -> Bar {
        self.bar
    }

    /// See `Manager::set_bar`, which places it anew.
    pub(in crate::manager::book) fn set_bar(&mut self, bar: Bar) {
        self.bar = bar;
    }

    /// Whether it waits because it failed.
    pub(in crate::manager) fn backs_off(&self) -> bool {
        let why = Reason::BackingOff;
        matches!(self.bar, Bar::Until { why: of, .. } if of == why)
    }

    /// Banned, by whom.
    pub(in crate::manager) fn banned(&self) -> Option<Reason> {
        self.ban
    }

    /// The table of bans says so. What it did stays what it was for as long as it is held out (4.5).
    pub(in crate::manager::book) fn set_ban(&mut self, ban: Option<Reason>, until: u64, now: u64) {
        if self.ban != ban {
            let behaviour = &mut self.history_mut().behaviour;
            behaviour.freeze(until, now, score::BEHAVIOUR_HALF_LIFE_MS);
        }
        self.ban = ban;
        if ban == Some(Reason::BannedByUser) {
            self.priority = Priority::Banned;
        } else if self.priority == Priority::Banned {
            self.priority = Priority::default();
        }
    }

    /// Whether the user holds it.
    pub(in crate::manager) fn pinned(&self) -> bool {
        self.pinned
    }

    /// The user holds it, or no longer. Returns what was before.
    pub(in crate::manager) fn pin(&mut self, pinned: bool) -> bool {
        core::mem::replace(&mut self.pinned, pinned)
    }

    /// How it went to reach it.
    pub(in crate::manager) fn attempts(&self) -> Attempts {
        self.attempts
    }

    /// See [`Self::attempts`].
    pub(in crate::manager) fn attempts_mut(&mut self) -> &mut Attempts {
        &mut self.attempts
    }

    /// We closed its connection for others. Returns how often, since it was healthy.
    pub(in crate::manager) fn pruned(&mut self) -> u8 {
        self.prunes = self.prunes.saturating_add(1);
        self.prunes
    }

    /// A connection to it lasted and worked.
    pub(in crate::manager) fn healed(&mut self) {
        self.attempts.healed();
        self.prunes = 0;
    }

    /// Whether it served once.
    pub(in crate::manager) fn served_once(&self) -> bool {
        self.good
    }

    /// The last that happened to it.
    pub(in crate::manager) fn last_reason(&self) -> Option<Reason> {
        self.last_reason
    }

    /// See [`Self::last_reason`].
    pub(in crate::manager) fn note(&mut self, reason: Option<Reason>) {
        self.last_reason = reason;
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

    /// Whether a tag of the user's protects its connection.
    pub(in crate::manager) fn protected(&self) -> bool {
        !self.tags().is_empty()
    }

    /// Whether the user wants its connection at any cost: pinned or protected.
    pub(in crate::manager) fn held(&self) -> bool {
        self.pinned || self.protected()
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
                service.rebase(now, before);
            }
        }
    }

    /// The record of one requirement, made when it is first needed.
    pub(in crate::manager) fn service(&mut self, requirement: RequirementId) -> &mut Service {
        let services = &mut self.history_mut().services;
        let place = match services
            .iter()
            .position(|service| service.requirement() == requirement)
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
