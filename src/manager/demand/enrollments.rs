//! Protocols that enroll, and what each is granted (4.3, 4.4).
//!
//! Owns every protocol: the built-in ones, one for each requirement of the configuration, and those that enroll while
//! the node runs. A protocol is *offered* less than its minimum when connections are short, and is enrolled when it
//! takes that or says nothing for its time; otherwise it is enrolled at once (L8). Its requirement exists while it is
//! enrolled. The grants of all are worked out anew whenever somebody comes, leaves or asks for something else, and
//! whenever the soft target changes; they hold at once, and are told at most every few seconds.

mod grants;

use litemap::LiteMap;

use crate::manager::Manager;
use crate::manager::boundary::command::{Grant, Offer};
use crate::manager::boundary::event::{Class, ConnId, EnrollmentId, ProtocolSpec, RequirementId};
use crate::manager::boundary::reason::Reason;
use crate::manager::tools::changed::Changed;
use crate::manager::tools::deadlines::Timer;
use libp2p_identity::PeerId;

/// Protocols that may be enrolled at once (4.2).
const MAX_ENROLLED: usize = 32;
/// Bytes of the names that a protocol may bring along.
const MAX_TEXT: usize = 4_096;
/// Scores of one protocol that are kept: it is asked for no more in a round (4.13).
const MAX_SCORES: usize = 32;
/// A breach that a round of regulation could not end is told again after this, in milliseconds.
const REMIND_MS: u64 = 30_000;

/// Whether a protocol uses more than its share while others want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Breach {
    /// No.
    None,
    /// It does since then.
    Since(u64),
    /// Regulation was asked then.
    Asked(u64),
}

/// Whether a protocol takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    /// It has a counter-offer.
    Offered {
        /// When silence counts as consent.
        until: u64,
    },
    /// It takes part.
    Enrolled,
}

/// What a protocol heard last.
#[derive(Debug, Clone, Copy)]
struct Heard {
    grant: Grant,
    at: u64,
    /// It asked for more since: it is to hear the same again.
    again: bool,
}

/// A protocol that enrolled by itself.
#[derive(Debug)]
struct Guest {
    id: EnrollmentId,
    consent: Consent,
    told: Option<Heard>,
    spec: ProtocolSpec,
    /// What connections were worth to it when it was asked last.
    scores: LiteMap<ConnId, i16>,
}

/// One protocol.
#[derive(Debug)]
pub(in crate::manager) struct Protocol {
    /// `None`: it is built in.
    guest: Option<Guest>,
    requirement: Option<RequirementId>,
    grant: Grant,
    breach: Breach,
}

impl Protocol {
    /// Whether it is enrolled, or built in.
    pub(in crate::manager) fn takes_part(&self) -> bool {
        let stage = self.guest.as_ref().map(|guest| guest.consent);
        stage.is_none_or(|stage| stage == Consent::Enrolled)
    }

    /// How much it matters inside its class.
    pub(in crate::manager) fn weight(&self) -> u32 {
        let guest = self.guest.as_ref();
        guest.map_or(1, |guest| u32::from(guest.spec.weight.clamp(1, 16)))
    }

    /// Whether it wants to be asked for scores.
    pub(in crate::manager) fn is_scorer(&self) -> bool {
        self.guest.as_ref().is_some_and(|guest| guest.spec.scores)
    }

    /// What exists for it.
    pub(in crate::manager) fn requirement(&self) -> Option<RequirementId> {
        self.requirement
    }

    /// What it is granted, or offered.
    pub(in crate::manager) fn grant(&self) -> Grant {
        self.grant
    }

    /// Whether it uses more than its share (`over`) while others want it. Returns whether a round of regulation is to be
    /// asked for because that lasts, and when it is looked at again.
    pub(in crate::manager::demand) fn breaches(
        &mut self,
        over: bool,
        now: u64,
        after_ms: u64,
    ) -> Option<(bool, u64)> {
        if !over {
            self.breach = Breach::None;
            return None;
        }
        let due = match self.breach {
            Breach::None => {
                self.breach = Breach::Since(now);
                now.saturating_add(after_ms)
            }
            Breach::Since(since) => since.saturating_add(after_ms),
            Breach::Asked(at) => at.saturating_add(REMIND_MS),
        };
        if now < due {
            return Some((false, due));
        }
        self.breach = Breach::Asked(now);
        Some((true, now.saturating_add(REMIND_MS)))
    }

    /// By which name the shell knows it.
    pub(in crate::manager) fn enrollment(&self) -> Option<EnrollmentId> {
        self.guest.as_ref().map(|guest| guest.id)
    }
}

/// See the module.
#[derive(Debug)]
pub(in crate::manager) struct Enrollments {
    /// The built-in ones first.
    list: Vec<Protocol>,
    built_in: usize,
    changed: Changed,
}

impl Enrollments {
    pub(in crate::manager) fn new(built_in: usize) -> Self {
        let places = (0..built_in).filter_map(|place| u8::try_from(place).ok());
        let list = places.map(|place| Protocol {
            guest: None,
            requirement: Some(RequirementId(place)),
            grant: Grant::default(),
            breach: Breach::None,
        });
        Self {
            list: list.collect(),
            built_in,
            changed: Changed::default(),
        }
    }

    /// How often what somebody is granted, or for how long it has had more, may have become another.
    pub(in crate::manager) fn revision(&self) -> u64 {
        self.changed.count()
    }

    /// It is time to look at the shares again.
    pub(in crate::manager) fn look_again(&mut self) {
        self.changed.mark();
    }

    /// How many protocols are built in.
    pub(in crate::manager) fn built_in(&self) -> usize {
        self.built_in
    }

    pub(in crate::manager) fn iter(&self) -> impl Iterator<Item = &Protocol> {
        self.list.iter()
    }

    pub(in crate::manager::demand) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Protocol> {
        self.list.iter_mut()
    }

    pub(in crate::manager) fn get(&self, place: usize) -> Option<&Protocol> {
        self.list.get(place)
    }

    fn place(&self, id: EnrollmentId) -> Option<usize> {
        let mut list = self.list.iter();
        list.position(|protocol| protocol.enrollment() == Some(id))
    }

    /// A protocol that is enrolled; offers do not count.
    pub(in crate::manager) fn enrolled(&self, id: EnrollmentId) -> Option<&Protocol> {
        let protocol = self.list.get(self.place(id)?)?;
        protocol.takes_part().then_some(protocol)
    }

    /// What a connection was worth to a protocol, by its place, when it was asked last; 0 when it never said.
    pub(in crate::manager) fn score(&self, place: usize, conn: ConnId) -> i16 {
        let guest = self.list.get(place).and_then(|p| p.guest.as_ref());
        let score = guest.and_then(|guest| guest.scores.get(&conn));
        score.copied().unwrap_or(0)
    }

    /// Those that want to be asked for scores, with their places.
    pub(in crate::manager) fn scorers(&self) -> impl Iterator<Item = (usize, EnrollmentId)> + '_ {
        self.list
            .iter()
            .enumerate()
            .filter_map(|(place, protocol)| {
                let guest = protocol.guest.as_ref()?;
                (protocol.takes_part() && guest.spec.scores).then_some((place, guest.id))
            })
    }
}

impl Manager {
    pub(in crate::manager) fn on_enroll(&mut self, enrollment: EnrollmentId, spec: ProtocolSpec) {
        if self.enrollments.place(enrollment).is_some() {
            return;
        }
        if !self.may_enroll(&spec) {
            self.offer(enrollment, Offer::Rejected(Reason::NotEnrolled));
            return;
        }
        let now = self.now.mono_ms;
        let until = now.saturating_add(spec.answer_ms);
        self.enrollments.list.push(Protocol {
            guest: Some(Guest {
                id: enrollment,
                consent: Consent::Offered { until },
                told: None,
                spec,
                scores: LiteMap::new(),
            }),
            requirement: None,
            grant: Grant::default(),
            breach: Breach::None,
        });
        let grants = self.grants();
        if grants.last().is_none_or(|grant| grant.high == 0) {
            self.enrollments.list.pop();
            self.offer(enrollment, Offer::Rejected(Reason::NoShare));
            return;
        }
        self.deadlines.set(Timer::Answer(enrollment), until);
        self.reallocate();
    }

    fn may_enroll(&self, spec: &ProtocolSpec) -> bool {
        let list = &self.enrollments.list;
        let text = spec.protocols.iter().map(String::len).sum::<usize>() + spec.name.len();
        // A place is kept for each of those that have an offer.
        let waiting = list.iter().filter(|protocol| {
            let guest = protocol.guest.as_ref();
            !protocol.takes_part() && guest.is_some_and(|guest| guest.spec.need.is_some())
        });
        let places = self.open_places() > waiting.count();
        list.len() - self.enrollments.built_in < MAX_ENROLLED
            && text <= MAX_TEXT
            && (spec.need.is_none() || places)
            && (0..list.len()).all(|place| self.protocol_name(place) != spec.name)
    }

    pub(in crate::manager) fn on_accept_offer(&mut self, enrollment: EnrollmentId) {
        if let Some(place) = self.enrollments.place(enrollment)
            && self.offered(place)
        {
            self.settle(place);
        }
    }

    /// Something about a grant was to be told later, and that is now.
    pub(in crate::manager) fn offer_due(&mut self, enrollment: EnrollmentId) {
        if let Some(place) = self.enrollments.place(enrollment) {
            self.announce_grant(place);
        }
    }

    pub(in crate::manager) fn on_withdraw(&mut self, enrollment: EnrollmentId) {
        let Some(place) = self.enrollments.place(enrollment) else {
            return;
        };
        self.withdraw_locks(enrollment);
        self.end_bursts_of(enrollment);
        let gone = self.enrollments.list.remove(place);
        if let Some(requirement) = gone.requirement {
            self.close_requirement(requirement);
        }
        self.deadlines.clear(Timer::Answer(enrollment));
        self.deadlines.clear(Timer::Offer(enrollment));
        self.offer(enrollment, Offer::Ended);
        self.reallocate();
    }

    pub(in crate::manager) fn on_scores(
        &mut self,
        _round: u64,
        enrollment: EnrollmentId,
        scores: &[(PeerId, i16)],
    ) {
        let connected = |peer: &PeerId| {
            let mut open = self.connections.open();
            let found = open.find(|(_, conn)| conn.peer == *peer);
            found.map(|(id, _)| id)
        };
        let fresh: Vec<(ConnId, i16)> = scores
            .iter()
            .take(MAX_SCORES)
            .filter_map(|(peer, score)| Some((connected(peer)?, (*score).clamp(-1_000, 1_000))))
            .collect();
        let Some(place) = self.enrollments.place(enrollment) else {
            return;
        };
        let Some(guest) = &mut self.enrollments.list[place].guest else {
            return;
        };
        // What is missing keeps its last value, for as long as its connection lasts.
        let connections = &self.connections;
        guest
            .scores
            .retain(|conn, _| connections.get(*conn).is_some());
        for (conn, score) in fresh {
            guest.scores.insert(conn, score);
        }
    }

    /// The name of a protocol, by its place.
    pub(in crate::manager) fn protocol_name(&self, place: usize) -> &str {
        let Some(protocol) = self.enrollments.list.get(place) else {
            return "";
        };
        match (&protocol.guest, protocol.requirement) {
            (Some(guest), _) => &guest.spec.name,
            (None, Some(id)) => self.requirement_name(id).unwrap_or_default(),
            (None, None) => "",
        }
    }

    /// How much a protocol matters, by its place.
    pub(in crate::manager) fn class_of(&self, place: usize) -> Class {
        let Some(protocol) = self.enrollments.list.get(place) else {
            return Class::default();
        };
        let need = protocol.requirement.and_then(|id| self.needs.need(id));
        match (&protocol.guest, need) {
            (Some(guest), _) => guest.spec.class,
            (None, Some(need)) if need.min > 0 => Class::Critical,
            (None, _) => Class::Normal,
        }
    }

    /// Whether the protocols are as they must be (S13, R1, L4, R4).
    pub(in crate::manager) fn check_enrollments(&self) {
        let list = &self.enrollments.list;
        assert!(list.len() <= self.enrollments.built_in + MAX_ENROLLED);
        let soft = u32::from(self.soft());
        let lows: u32 = list.iter().map(|p| u32::from(p.grant.low)).sum();
        assert!(lows <= soft, "minima fit the soft target (S13)");
        let grants: Vec<Grant> = list.iter().map(|protocol| protocol.grant).collect();
        assert_eq!(grants, self.grants(), "grants are up to date (R4)");
        let mut live = Vec::new();
        for (place, protocol) in list.iter().enumerate() {
            assert!((0..place).all(|other| self.protocol_name(other) != self.protocol_name(place)));
            live.extend(protocol.requirement);
            let Some(guest) = &protocol.guest else {
                assert!(place < self.enrollments.built_in);
                continue;
            };
            assert!(place >= self.enrollments.built_in);
            assert!(guest.scores.len() <= MAX_SCORES + self.connections.len());
            match guest.consent {
                Consent::Offered { until } => {
                    assert_eq!(self.deadlines.at(Timer::Answer(guest.id)), Some(until));
                    assert_eq!(protocol.requirement, None);
                }
                Consent::Enrolled => {
                    assert_eq!(self.deadlines.at(Timer::Answer(guest.id)), None);
                    assert_eq!(protocol.requirement.is_some(), guest.spec.need.is_some());
                }
            }
        }
        live.sort_unstable();
        assert!(
            self.needs.live().iter().eq(live),
            "one owner for each requirement (R3)"
        );
    }
}
