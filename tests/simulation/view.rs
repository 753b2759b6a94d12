//! What can be read of a manager after an input, as a plain value: checks judge these, so that a doctored one can be
//! put in its place.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Event, GateQuery, Guard, Health, HealthReason, Manager, Outcome, PeerState, PeerView, Priority,
    ProtocolView, Reason, RequirementId, RequirementView, ScoreParts, Stats, What,
};

/// Decisions of one input, and more.
const LATELY: usize = 32;

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
    /// What was decided with the input.
    pub(crate) decisions: Vec<What>,
    /// When a suspicion of the network ended last, while that is remembered.
    pub(crate) recovered_at: Option<u64>,
    /// The peer that the input was about.
    pub(crate) subject: Option<PeerView>,
    /// How it stood before the input, and how after it, when the input says something of it.
    pub(crate) prior: Option<Standing>,
    pub(crate) standing: Option<Standing>,
    /// Why those whom the input may concern were not dialed and not closed before it, as far as that was asked.
    pub(crate) explained: BTreeMap<PeerId, Explained>,
    /// The scores of those who serve.
    pub(crate) scores: Vec<(PeerId, i16)>,
}

/// What forbids to dial a peer, and what forbids to close its connection for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Explained {
    pub(crate) not_dialed: Option<Reason>,
    pub(crate) not_closed: Option<Guard>,
}

impl Explained {
    pub(crate) fn of(manager: &Manager, peer: &PeerId) -> Option<Self> {
        let why = manager.explain(peer)?;
        Some(Self {
            not_dialed: why.not_dialed,
            not_closed: why.not_closed,
        })
    }

    /// Whether an event is of the kind with which connections may be closed for others. The rest comes so often that
    /// asking for each of them would take longer than everything else.
    pub(crate) fn matters(event: &Event) -> bool {
        !matches!(
            event,
            Event::Discovered { .. }
                | Event::Answered { .. }
                | Event::DnsFinished { .. }
                | Event::DialFailed { .. }
                | Event::Pong { .. }
                | Event::Heard { .. }
                | Event::Report {
                    outcome: Outcome::Success,
                    ..
                }
        )
    }
}

/// What speaks for or against a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) score: i16,
    pub(crate) parts: ScoreParts,
    pub(crate) priority: Priority,
    pub(crate) banned: bool,
    pub(crate) failures: u8,
    pub(crate) flaps: u8,
}

impl Standing {
    /// Whether an event is of the kind after which this is looked at.
    pub(crate) fn matters(event: &Event) -> bool {
        matches!(
            event,
            Event::Discovered { .. } | Event::Hint { .. } | Event::Report { .. }
        )
    }

    pub(crate) fn of(manager: &Manager, peer: &PeerId) -> Option<Self> {
        let why = manager.explain(peer)?;
        Some(Self {
            score: why.view.score,
            parts: why.parts,
            priority: why.view.priority,
            banned: why.view.state == PeerState::Banned || why.view.priority == Priority::Banned,
            failures: why.failures,
            flaps: why.flaps,
        })
    }
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
            decisions: Vec::new(),
            explained: BTreeMap::new(),
            recovered_at: recovered_at(manager),
            subject: subject.and_then(|peer| manager.peer(&peer)),
            prior: None,
            standing: None,
        }
    }

    /// The best come first, and scores fade: their order goes with the time alone.
    fn sorted(&self) -> Vec<RequirementView> {
        let mut requirements = self.requirements.clone();
        for requirement in &mut requirements {
            requirement.peers.sort();
        }
        requirements
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
        self.sorted() == other.sorted()
            && self.protocols == other.protocols
            && stats == other.stats
            && self.health == other.health
            && (self.next_deadline.is_none() || self.next_deadline >= other.next_deadline)
    }
}

/// Nothing else tells of it while nothing is missing.
fn recovered_at(manager: &Manager) -> Option<u64> {
    let decisions = manager.decisions(LATELY).into_iter();
    let ends = decisions.filter(|decision| decision.what == What::Recovered);
    ends.map(|decision| decision.at_wall_ms).max()
}
