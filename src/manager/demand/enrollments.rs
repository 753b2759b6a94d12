//! Protocols that enroll, and what each is granted (4.3, 4.4).
//!
//! Owns every protocol: the built-in ones, one for each requirement of the configuration, and those that enroll while
//! the node runs. A protocol is *offered* less than its minimum when connections are short, and is enrolled when it
//! takes that or says nothing for its time; otherwise it is enrolled at once (L8). Its requirement exists while it is
//! enrolled. The grants of all are worked out anew whenever somebody comes, leaves or asks for something else, and
//! whenever the soft target changes; they hold at once, and are told at most every few seconds.

use litemap::LiteMap;

use crate::manager::Manager;
use crate::manager::boundary::command::{Command, Grant, Offer};
use crate::manager::boundary::event::{
    Bound, Class, ConnId, EnrollmentId, Need, ProtocolSpec, Quota, RequirementId,
};
use crate::manager::boundary::reason::Reason;
use crate::manager::boundary::view::What;
use crate::manager::demand::quota::{Request, allocate};
use crate::manager::demand::requirements::Sweep;
use crate::manager::tools::changed::Changed;
use crate::manager::tools::deadlines::Timer;
use libp2p_identity::PeerId;

/// Protocols that may be enrolled at once (4.2).
const MAX_ENROLLED: usize = 32;
/// Bytes of the names that a protocol may bring along.
const MAX_TEXT: usize = 4_096;
/// Scores of one protocol that are kept: it is asked for no more in a round (4.13).
const MAX_SCORES: usize = 32;

/// Whether a protocol uses more than its share while others want it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Breach {
    /// No.
    None,
    /// It does since then.
    Since(u64),
    /// Regulation was asked then.
    Asked(u64),
}

/// Whether a protocol takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Stage {
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
struct Told {
    grant: Grant,
    at: u64,
    /// It asked for more since: it is to hear the same again.
    again: bool,
}

/// A protocol that enrolled by itself.
#[derive(Debug)]
pub(in crate::manager) struct Guest {
    pub(in crate::manager) id: EnrollmentId,
    pub(in crate::manager) stage: Stage,
    told: Option<Told>,
    spec: ProtocolSpec,
    /// What connections were worth to it when it was asked last.
    scores: LiteMap<ConnId, i16>,
}

/// One protocol.
#[derive(Debug)]
pub(in crate::manager) struct Protocol {
    /// `None`: it is built in.
    pub(in crate::manager) guest: Option<Guest>,
    pub(in crate::manager) requirement: Option<RequirementId>,
    pub(in crate::manager) grant: Grant,
    pub(in crate::manager) breach: Breach,
}

impl Protocol {
    /// Whether it is enrolled, or built in.
    pub(in crate::manager) fn takes_part(&self) -> bool {
        let stage = self.guest.as_ref().map(|guest| guest.stage);
        stage.is_none_or(|stage| stage == Stage::Enrolled)
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
    pub(in crate::manager) sweep: Sweep,
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
            sweep: Sweep::default(),
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

    pub(in crate::manager) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Protocol> {
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
                stage: Stage::Offered { until },
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
        self.share_out();
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
        self.share_out();
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

    /// The limits of connections changed: shares may have to be offered anew.
    pub(in crate::manager) fn reallocate(&mut self) {
        self.share_out();
    }

    /// What a requirement wants changed. A protocol that asks for more than it is granted hears its grant again.
    pub(in crate::manager) fn need_changed(&mut self, requirement: RequirementId, before: Need) {
        let Some(now) = self.needs.need(requirement) else {
            return;
        };
        let short = |protocol: &Protocol| u16::from(now.target) > protocol.grant.high;
        let soft = self.soft();
        if now.target > before.target
            && let Some(protocol) = self
                .enrollments
                .iter_mut()
                .find(|protocol| protocol.requirement == Some(requirement))
            && let Some(guest) = &protocol.guest
            && (short(protocol) || protocol.grant.low < asked(&guest.spec, soft).low)
            && let Some(guest) = &mut protocol.guest
            && let Some(told) = &mut guest.told
        {
            told.again = true;
        }
        self.share_out();
    }

    /// The soft target, as quotas count.
    fn soft(&self) -> u16 {
        u16::try_from(self.limits.soft()).unwrap_or(u16::MAX)
    }

    /// What everybody would be granted now.
    fn grants(&self) -> Vec<Grant> {
        let soft = self.soft();
        let requests: Vec<Request> = self
            .enrollments
            .iter()
            .enumerate()
            .map(|(place, protocol)| match &protocol.guest {
                Some(guest) => asked(&guest.spec, soft),
                // What is built in asks for what its minimum may take: nobody who enrolls gets that (A6).
                None => {
                    let need = protocol.requirement.and_then(|id| self.needs.need(id));
                    let min = need.map(|need| Bound::Count(u16::from(need.min)));
                    let quota = Quota { min, max: None };
                    Request::new(self.class_of(place), 1, quota, soft)
                }
            })
            .collect();
        allocate(&requests, soft)
    }

    /// Works out all grants, and tells those that changed.
    fn share_out(&mut self) {
        let grants = self.grants();
        for (protocol, grant) in self.enrollments.iter_mut().zip(grants) {
            protocol.grant = grant;
        }
        for place in 0..self.enrollments.list.len() {
            if self.offered(place) && !self.short_of_minimum(place) {
                self.settle(place);
            } else {
                self.announce_grant(place);
            }
        }
        self.keep_lock_budgets();
        self.enrollments.changed.mark();
    }

    fn offered(&self, place: usize) -> bool {
        let protocol = self.enrollments.list.get(place);
        protocol.is_some_and(|protocol| !protocol.takes_part())
    }

    /// Whether a protocol is granted less than the minimum that it asks for.
    fn short_of_minimum(&self, place: usize) -> bool {
        let soft = self.soft();
        let Some(protocol) = self.enrollments.list.get(place) else {
            return false;
        };
        let guest = protocol.guest.as_ref();
        guest.is_some_and(|guest| protocol.grant.low < asked(&guest.spec, soft).low)
    }

    /// A protocol is enrolled from now on: its requirement begins.
    fn settle(&mut self, place: usize) {
        let Some(guest) = self
            .enrollments
            .list
            .get_mut(place)
            .and_then(|p| p.guest.as_mut())
        else {
            return;
        };
        guest.stage = Stage::Enrolled;
        let (id, need) = (guest.id, guest.spec.need);
        let (name, protocols) = (guest.spec.name.clone(), guest.spec.protocols.clone());
        self.deadlines.clear(Timer::Answer(id));
        let requirement = need.and_then(|need| self.open_requirement(&name, &protocols, need));
        self.enrollments.list[place].requirement = requirement;
        self.tell_grant(place);
    }

    /// Tells a protocol its grant if that changed, but not too often.
    fn announce_grant(&mut self, place: usize) {
        let Some(protocol) = self.enrollments.list.get(place) else {
            return;
        };
        let Some(guest) = &protocol.guest else {
            return;
        };
        let (id, told) = (guest.id, guest.told);
        let Some(told) = told else {
            self.tell_grant(place);
            return;
        };
        let changed = told.again || told.grant != protocol.grant;
        let at = told.at.saturating_add(self.config.offer_every_ms);
        if changed && self.now.mono_ms >= at {
            self.tell_grant(place);
        } else {
            self.deadlines.put(Timer::Offer(id), changed.then_some(at));
        }
    }

    fn tell_grant(&mut self, place: usize) {
        let short = self.short_of_minimum(place);
        let now = self.now.mono_ms;
        let Some(protocol) = self.enrollments.list.get_mut(place) else {
            return;
        };
        let grant = protocol.grant;
        let Some(guest) = &mut protocol.guest else {
            return;
        };
        guest.told = Some(Told {
            grant,
            at: now,
            again: false,
        });
        let answer_ms = match guest.stage {
            Stage::Offered { until } => until.saturating_sub(now),
            Stage::Enrolled => 0,
        };
        let (id, protocol) = (guest.id, guest.spec.name.clone());
        self.deadlines.clear(Timer::Offer(id));
        self.ring.push(self.now, What::Offered { protocol, grant });
        let offer = if short {
            Offer::Counter { grant, answer_ms }
        } else {
            Offer::Granted(grant)
        };
        self.offer(id, offer);
    }

    fn offer(&mut self, enrollment: EnrollmentId, offer: Offer) {
        self.out.order(Command::Offer { enrollment, offer });
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
            match guest.stage {
                Stage::Offered { until } => {
                    assert_eq!(self.deadlines.at(Timer::Answer(guest.id)), Some(until));
                    assert_eq!(protocol.requirement, None);
                }
                Stage::Enrolled => {
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

/// What a protocol asks for at this soft target.
fn asked(spec: &ProtocolSpec, soft: u16) -> Request {
    Request::new(spec.class, spec.weight, spec.quota, soft)
}
