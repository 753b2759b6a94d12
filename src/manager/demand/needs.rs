//! What is needed, who provides it, and what is on its way.
//!
//! Requirements come and go with the protocols that enroll: a place without one wants nothing, has nobody, and is used
//! again. Owns each requirement's need, its providers in the order in which they began to serve, the cover that is expected of
//! dials and of connections being verified, and the vacancies that await a successor. The first `target` providers of a
//! requirement are *assigned*; when one of them goes, its successor is the next provider, or whoever serves next.

mod changes;

use crate::manager::boundary::command::Health;
use crate::manager::boundary::config::RequirementSpec;
use crate::manager::boundary::event::{ConnId, Need, RequirementId};
use crate::manager::tools::changed::Changed;
use crate::manager::tools::services::{Cover, Services, WHOLE};
use libp2p_identity::PeerId;

pub(in crate::manager) use changes::Takeover;

/// Somebody who serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Provider {
    pub(in crate::manager) conn: ConnId,
    pub(in crate::manager) peer: PeerId,
    /// The netgroup where its connection leads.
    pub(in crate::manager) group: u64,
}

/// An assigned provider that went without a successor.
#[derive(Debug, Clone, Copy)]
struct Vacancy {
    lost: PeerId,
    since: u64,
}

#[derive(Debug)]
struct Requirement {
    need: Need,
    providers: Vec<Provider>,
    vacancies: Vec<Vacancy>,
    /// In units of [`WHOLE`].
    expected: u32,
    /// What the user was told last.
    told: Health,
    /// When a provider last had to make room for having withheld something.
    displaced_at: Option<u64>,
    /// Providers that failed one after another, since one last served.
    failed: u8,
}

impl Requirement {
    fn new(need: Need) -> Self {
        let mut requirement = Self {
            need: sound(need),
            providers: Vec::new(),
            vacancies: Vec::new(),
            expected: 0,
            told: Health::Unmet,
            displaced_at: None,
            failed: 0,
        };
        requirement.told = requirement.health();
        requirement
    }

    fn have(&self) -> u8 {
        u8::try_from(self.providers.len()).unwrap_or(u8::MAX)
    }

    fn health(&self) -> Health {
        let have = self.have();
        if have >= self.need.target {
            Health::Met
        } else if have >= self.need.min {
            Health::Minimal
        } else {
            Health::Unmet
        }
    }

    fn missing(&self) -> u32 {
        let target = u32::from(self.need.target);
        target.saturating_sub(u32::from(self.have())) * WHOLE
    }
}

/// All requirements.
#[derive(Debug)]
pub(in crate::manager) struct Needs {
    /// Of every place: what the last requirement in it was called, and which protocols serve it.
    specs: Vec<RequirementSpec>,
    list: Vec<Option<Requirement>>,
    live: Services,
    told: Health,
    /// Requirements that were taken over and that nobody was told of yet.
    takeovers: Vec<Takeover>,
    changed: Changed,
    /// How often anything had changed when the user was told last.
    told_at: u64,
}

impl Needs {
    /// Those of the configuration, as far as there are places.
    pub(in crate::manager) fn new(specs: &[RequirementSpec]) -> Self {
        let specs = &specs[..specs.len().min(Services::CAPACITY)];
        let requirement = |spec: &RequirementSpec| Some(Requirement::new(spec.need));
        let list: Vec<_> = specs.iter().map(requirement).collect();
        let mut needs = Self {
            specs: specs.to_vec(),
            live: Services::all(list.len()),
            list,
            told: Health::Met,
            takeovers: Vec::new(),
            changed: Changed::default(),
            told_at: 0,
        };
        needs.told = needs.health();
        needs
    }

    /// Those that are wanted.
    pub(in crate::manager) fn live(&self) -> Services {
        self.live
    }

    /// How many places there are, used or not.
    pub(in crate::manager) fn places(&self) -> usize {
        self.list.len()
    }

    /// The name of a requirement, or of the last one in its place.
    pub(in crate::manager) fn name(&self, id: RequirementId) -> Option<&str> {
        let spec = self.specs.get(usize::from(id.0))?;
        Some(&spec.name)
    }

    /// The place of this name.
    pub(in crate::manager) fn named(&self, name: &str) -> Option<RequirementId> {
        let mut ids = self.ids();
        ids.find(|id| self.name(*id) == Some(name))
    }

    /// Those that somebody serves who speaks these protocols.
    pub(in crate::manager) fn served_by(&self, protocols: &[String]) -> Services {
        let serves = |id: &RequirementId| {
            let spec = self.specs.get(usize::from(id.0));
            spec.is_some_and(|spec| spec.protocols.iter().any(|id| protocols.contains(id)))
        };
        self.live.iter().filter(serves).collect()
    }

    /// A requirement begins, in the place that its name had before, or else the next, or else one that is free. `None`:
    /// every place is taken.
    pub(in crate::manager) fn open(&mut self, spec: RequirementSpec) -> Option<RequirementId> {
        let free = |id: &RequirementId| !self.live.contains(*id);
        let own = self.named(&spec.name).filter(free);
        let next = u8::try_from(self.list.len()).ok().map(RequirementId);
        let next = next.filter(|id| usize::from(id.0) < Services::CAPACITY);
        let id = own.or(next).or_else(|| self.ids().find(free))?;
        let requirement = Some(Requirement::new(spec.need));
        let place = usize::from(id.0);
        if place == self.list.len() {
            self.list.push(requirement);
            self.specs.push(spec);
        } else {
            self.list[place] = requirement;
            self.specs[place] = spec;
        }
        self.live.insert(id);
        self.changed.mark();
        Some(id)
    }

    /// A requirement ends, with its providers and all that was expected for it.
    pub(in crate::manager) fn retire(&mut self, id: RequirementId) {
        if let Some(place) = self.list.get_mut(usize::from(id.0)) {
            *place = None;
            self.live = self.live.minus(Services::one(id));
        }
        if let Some(spec) = self.specs.get_mut(usize::from(id.0)) {
            spec.protocols = Vec::new();
        }
        self.takeovers.retain(|takeover| takeover.requirement != id);
        self.changed.mark();
    }

    /// Every place, whether or not it is used.
    pub(in crate::manager) fn ids(&self) -> impl Iterator<Item = RequirementId> + use<> {
        (0..self.list.len()).map(|place| RequirementId(u8::try_from(place).unwrap_or(u8::MAX)))
    }

    fn get(&self, id: RequirementId) -> Option<&Requirement> {
        self.list.get(usize::from(id.0))?.as_ref()
    }

    fn all(&self) -> impl Iterator<Item = &Requirement> {
        self.list.iter().flatten()
    }

    pub(in crate::manager) fn need(&self, id: RequirementId) -> Option<Need> {
        self.get(id).map(|requirement| requirement.need)
    }

    pub(in crate::manager) fn have(&self, id: RequirementId) -> u8 {
        self.get(id).map_or(0, Requirement::have)
    }

    pub(in crate::manager) fn providers(&self, id: RequirementId) -> &[Provider] {
        self.get(id)
            .map_or(&[], |requirement| &requirement.providers)
    }

    /// A `max` below the target, or a `min` above it, is read as the target.
    pub(in crate::manager) fn set(&mut self, id: RequirementId, need: Need) {
        let Some(requirement) = at(&mut self.list, id) else {
            return;
        };
        requirement.need = sound(need);
        let missing = usize::from(need.target).saturating_sub(requirement.providers.len());
        requirement.vacancies.truncate(missing);
        self.changed.mark();
    }

    /// What is missing beyond what is on its way, in units of [`WHOLE`].
    pub(in crate::manager) fn deficit(&self, id: RequirementId) -> u32 {
        self.get(id).map_or(0, |requirement| {
            requirement.missing().saturating_sub(requirement.expected)
        })
    }

    /// Every requirement with a deficit.
    pub(in crate::manager) fn deficits(&self) -> impl Iterator<Item = RequirementId> + '_ {
        self.ids().filter(|id| self.deficit(*id) > 0)
    }

    /// Whether a requirement has as many providers as it wants.
    pub(in crate::manager) fn met(&self, id: RequirementId) -> bool {
        self.get(id)
            .is_none_or(|requirement| requirement.health() == Health::Met)
    }

    /// Whether some requirement is below its target.
    pub(in crate::manager) fn short(&self) -> bool {
        self.all().any(|r| r.health() != Health::Met)
    }

    /// Whether the target would hold without one of the providers.
    pub(in crate::manager) fn met_without_one(&self, id: RequirementId) -> bool {
        self.met_without_one_of(id, usize::from(self.have(id)))
    }

    /// The same when so many providers count.
    pub(in crate::manager) fn met_without_one_of(
        &self,
        id: RequirementId,
        providers: usize,
    ) -> bool {
        self.get(id)
            .is_none_or(|r| r.need.target == 0 || providers > usize::from(r.need.target))
    }

    /// Counts what a dial or a connection is expected to bring.
    pub(in crate::manager) fn expect(&mut self, cover: Cover) {
        for (id, units) in cover.units() {
            if let Some(requirement) = at(&mut self.list, id) {
                requirement.expected = requirement.expected.saturating_add(units);
            }
        }
    }

    /// Takes an expectation back.
    pub(in crate::manager) fn unexpect(&mut self, cover: Cover) {
        for (id, units) in cover.units() {
            if let Some(requirement) = at(&mut self.list, id) {
                requirement.expected = requirement.expected.saturating_sub(units);
            }
        }
    }

    /// A peer begins to serve. The vacancy that it fills is its own, or else the oldest.
    pub(in crate::manager) fn begin(&mut self, now: u64, id: RequirementId, who: Provider) {
        let Some(requirement) = at(&mut self.list, id) else {
            return;
        };
        self.changed.mark();
        requirement.providers.push(who);
        let own = requirement
            .vacancies
            .iter()
            .position(|vacancy| vacancy.lost == who.peer);
        if let Some(place) = own {
            requirement.vacancies.remove(place);
        } else if !requirement.vacancies.is_empty() {
            let vacancy = requirement.vacancies.remove(0);
            self.takeovers.push(Takeover {
                lost: vacancy.lost,
                gained: who.peer,
                requirement: id,
                gap_ms: now.saturating_sub(vacancy.since),
            });
        }
    }

    /// A peer no longer serves. If it was assigned, the next provider takes over, or else the place is vacant. When the
    /// node stops, nobody takes over from anybody.
    pub(in crate::manager) fn end(
        &mut self,
        now: u64,
        id: RequirementId,
        conn: ConnId,
        running: bool,
    ) {
        let Some(requirement) = at(&mut self.list, id) else {
            return;
        };
        let mut providers = requirement.providers.iter();
        let Some(place) = providers.position(|provider| provider.conn == conn) else {
            return;
        };
        self.changed.mark();
        let target = usize::from(requirement.need.target);
        let gone = requirement.providers.remove(place);
        if place >= target {
            return;
        }
        if let Some(next) = requirement.providers.get(target - 1) {
            if running {
                self.takeovers.push(Takeover {
                    lost: gone.peer,
                    gained: next.peer,
                    requirement: id,
                    gap_ms: 0,
                });
            }
            return;
        }
        requirement.vacancies.push(Vacancy {
            lost: gone.peer,
            since: now,
        });
        if requirement.vacancies.len() > target {
            requirement.vacancies.remove(0);
        }
    }

    /// A peer serves on another connection of its own from now on: nobody takes over from it.
    pub(in crate::manager) fn move_provider(&mut self, from: ConnId, to: ConnId) {
        let all = self.list.iter_mut().flatten();
        for provider in all.flat_map(|requirement| requirement.providers.iter_mut()) {
            if provider.conn == from {
                provider.conn = to;
            }
        }
        self.changed.mark();
    }

    /// A provider failed so that it rests, or one served.
    pub(in crate::manager) fn tried(&mut self, id: RequirementId, served: bool) {
        if let Some(requirement) = at(&mut self.list, id) {
            requirement.failed = if served {
                0
            } else {
                requirement.failed.saturating_add(1)
            };
        }
    }

    /// Whether several providers of something missing failed one after another, and nobody served since.
    pub(in crate::manager) fn let_down(&self) -> bool {
        /// Any one may have a bad day.
        const SEVERAL: u8 = 4;
        let mut missing = self.all().filter(|r| r.health() != Health::Met);
        missing.any(|requirement| requirement.failed >= SEVERAL)
    }

    /// A provider is to make room for having withheld something: whether the last one that did is long enough ago.
    pub(in crate::manager) fn displaces(
        &mut self,
        id: RequirementId,
        now: u64,
        every_ms: u64,
    ) -> bool {
        let Some(requirement) = at(&mut self.list, id) else {
            return false;
        };
        let recent = |at: u64| now.saturating_sub(at) < every_ms;
        if requirement.displaced_at.is_some_and(recent) {
            return false;
        }
        requirement.displaced_at = Some(now);
        true
    }

    /// Nobody is to be replaced any more.
    pub(in crate::manager) fn forget_vacancies(&mut self) {
        for requirement in self.list.iter_mut().flatten() {
            requirement.vacancies.clear();
        }
    }

    /// How one requirement does.
    pub(in crate::manager) fn health_of(&self, id: RequirementId) -> Health {
        self.get(id).map_or(Health::Met, Requirement::health)
    }

    /// How all do: as well as the worst.
    pub(in crate::manager) fn health(&self) -> Health {
        self.all()
            .map(Requirement::health)
            .min()
            .unwrap_or(Health::Met)
    }

    /// Whether a connection is one of the first `target` providers.
    pub(in crate::manager) fn assigned(&self, id: RequirementId, conn: ConnId) -> bool {
        self.get(id).is_some_and(|requirement| {
            let target = usize::from(requirement.need.target);
            let mut assigned = requirement.providers.iter().take(target);
            assigned.any(|provider| provider.conn == conn)
        })
    }

    /// How often anything changed that decisions on connections depend on.
    pub(in crate::manager) fn revision(&self) -> u64 {
        self.changed.count()
    }

    /// Expected units of a requirement, to compare with a recount (R4).
    pub(in crate::manager) fn expected(&self, id: RequirementId) -> u32 {
        self.get(id).map_or(0, |requirement| requirement.expected)
    }
}

fn at(list: &mut [Option<Requirement>], id: RequirementId) -> Option<&mut Requirement> {
    list.get_mut(usize::from(id.0))?.as_mut()
}

fn sound(need: Need) -> Need {
    Need {
        min: need.min.min(need.target),
        target: need.target,
        max: need.max.max(need.target),
    }
}
