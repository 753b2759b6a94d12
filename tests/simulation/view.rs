//! What can be read of a manager after an input, as a plain value: checks judge these, so that a doctored one can be
//! put in its place.

use std::collections::BTreeSet;

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Event, GateQuery, Health, HealthReason, Manager, PeerView, ProtocolView, Reason, RequirementId,
    RequirementView, Stats,
};

/// What a manager was told or asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Input {
    Event(Event),
    Gate(GateQuery, Result<(), Reason>),
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) requirements: Vec<RequirementView>,
    /// The built-in protocols, and those that enrolled.
    pub(crate) protocols: Vec<ProtocolView>,
    pub(crate) stats: Stats,
    pub(crate) health: (Health, HealthReason),
    pub(crate) next_deadline: Option<u64>,
    /// The peer that the input was about.
    pub(crate) subject: Option<PeerView>,
    /// The scores of those who serve.
    pub(crate) scores: Vec<(PeerId, i16)>,
}

impl View {
    pub(crate) fn of(manager: &Manager, subject: Option<PeerId>) -> Self {
        let requirements = manager.requirements();
        let serving: BTreeSet<PeerId> = requirements
            .iter()
            .flat_map(|view| view.peers.iter().copied())
            .collect();
        let score = |peer| Some((peer, manager.peer(&peer)?.score));
        Self {
            scores: serving.into_iter().filter_map(score).collect(),
            requirements,
            protocols: manager.protocols(),
            stats: manager.stats(),
            health: manager.health(),
            next_deadline: manager.next_deadline(),
            subject: subject.and_then(|peer| manager.peer(&peer)),
        }
    }

    /// Their ids are no places: requirements come and go.
    pub(crate) fn requirement(&self, id: RequirementId) -> Option<&RequirementView> {
        self.requirements.iter().find(|view| view.id == id)
    }

    pub(crate) fn minima_hold(&self) -> bool {
        self.requirements.iter().all(|view| view.have >= view.min)
    }

    pub(crate) fn targets_hold(&self) -> bool {
        let mut all = self.requirements.iter();
        all.all(|view| view.have >= view.target)
    }

    /// Whether two views differ in nothing but the number of inputs, and in a wake-up that was not needed after all.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let stats = Stats {
            events: other.stats.events,
            // These go with the time alone.
            dial_tokens: other.stats.dial_tokens,
            deadline_lag_ms: other.stats.deadline_lag_ms,
            ..self.stats.clone()
        };
        // Who comes first among those that serve goes with the time, too: scores fade.
        let unordered = |view: &Self| -> Vec<RequirementView> {
            let mut all = view.requirements.clone();
            for requirement in &mut all {
                requirement.peers.sort_unstable();
            }
            all
        };
        unordered(self) == unordered(other)
            && stats == other.stats
            && self.health == other.health
            && (self.next_deadline.is_none() || self.next_deadline >= other.next_deadline)
    }
}
