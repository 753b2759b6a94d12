//! What decides for a client: lightkeeper's manager, or another strategy to compare it with.

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, Config, ConnId, Event, GateQuery, Manager, Reason, RequirementId, Time,
};

/// The manager's contract with its shell, and what the world reads besides.
pub(crate) trait Brain {
    fn handle(&mut self, time: Time, event: Event);
    fn poll(&mut self) -> Option<Command>;
    fn next_deadline(&self) -> Option<u64>;
    fn gate(&mut self, time: Time, query: GateQuery) -> Result<(), Reason>;
    /// Who serves a requirement, as far as it knows; the best first.
    fn serving(&self, requirement: RequirementId) -> Vec<(PeerId, ConnId)>;
    fn knows(&self, peer: &PeerId) -> bool;
    /// Whether, as far as it knows, all minima hold, and all targets.
    fn holds(&self) -> (bool, bool);
    /// The manager, if it is one: only that can be judged.
    fn manager(&self) -> Option<&Manager>;
}

impl Brain for Manager {
    fn handle(&mut self, time: Time, event: Event) {
        Self::handle(self, time, event);
    }

    fn poll(&mut self) -> Option<Command> {
        Self::poll(self)
    }

    fn next_deadline(&self) -> Option<u64> {
        Self::next_deadline(self)
    }

    fn gate(&mut self, time: Time, query: GateQuery) -> Result<(), Reason> {
        Self::gate(self, time, query)
    }

    fn serving(&self, requirement: RequirementId) -> Vec<(PeerId, ConnId)> {
        Self::serving(self, requirement)
    }

    fn knows(&self, peer: &PeerId) -> bool {
        self.peer(peer).is_some()
    }

    fn holds(&self) -> (bool, bool) {
        let requirements = self.requirements();
        let minima = requirements.iter().all(|view| view.have >= view.min);
        let targets = requirements.iter().all(|view| view.have >= view.target);
        (minima, targets)
    }

    fn manager(&self) -> Option<&Manager> {
        Some(self)
    }
}

/// Makes a client's brain.
pub(crate) type Maker = fn(Config, [u8; 32], Time) -> Box<dyn Brain>;

/// The manager.
pub(crate) fn manager(config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    Box::new(Manager::new(config, seed, now))
}
