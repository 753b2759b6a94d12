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
    /// The manager, if it is one: only that can be judged.
    fn manager(&self) -> Option<&Manager>;

    fn manager_mut(&mut self) -> Option<&mut Manager> {
        None
    }

    /// Recounts every index (R4).
    fn check(&self) {
        if let Some(manager) = self.manager() {
            manager.check();
        }
    }
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

    fn manager(&self) -> Option<&Manager> {
        Some(self)
    }

    fn manager_mut(&mut self) -> Option<&mut Manager> {
        Some(self)
    }
}

/// Makes a client's brain.
pub(crate) type Maker = fn(Config, [u8; 32], Time) -> Box<dyn Brain>;

/// The manager.
pub(crate) fn manager(config: Config, seed: [u8; 32], now: Time) -> Box<dyn Brain> {
    Box::new(Manager::new(config, seed, now))
}

/// What a [`Doctored`] manager makes of an event before it hears it.
pub(crate) type Hears = Box<dyn FnMut(&mut Manager, Time, Event) -> Option<Event>>;

/// A manager with something wrong about it, to show that a test can fail.
pub(crate) struct Doctored {
    pub(crate) manager: Manager,
    pub(crate) hears: Hears,
    /// Whether an order of its reaches the shell.
    pub(crate) orders: fn(&Command) -> bool,
    /// What a recount of its indexes comes to.
    pub(crate) check: fn(&Manager),
}

impl Doctored {
    pub(crate) fn new(config: Config, seed: [u8; 32], now: Time, hears: Hears) -> Self {
        Self {
            manager: Manager::new(config, seed, now),
            hears,
            orders: |_| true,
            check: Manager::check,
        }
    }
}

impl Brain for Doctored {
    fn handle(&mut self, time: Time, event: Event) {
        // Whatever it does not hear, it hears of the time.
        let heard = (self.hears)(&mut self.manager, time, event).unwrap_or(Event::Tick);
        self.manager.handle(time, heard);
    }

    fn poll(&mut self) -> Option<Command> {
        let orders = self.orders;
        std::iter::from_fn(|| self.manager.poll()).find(orders)
    }

    fn next_deadline(&self) -> Option<u64> {
        self.manager.next_deadline()
    }

    fn gate(&mut self, time: Time, query: GateQuery) -> Result<(), Reason> {
        self.manager.gate(time, query)
    }

    fn serving(&self, requirement: RequirementId) -> Vec<(PeerId, ConnId)> {
        self.manager.serving(requirement)
    }

    fn knows(&self, peer: &PeerId) -> bool {
        Brain::knows(&self.manager, peer)
    }

    fn manager(&self) -> Option<&Manager> {
        Some(&self.manager)
    }

    fn manager_mut(&mut self) -> Option<&mut Manager> {
        Some(&mut self.manager)
    }

    fn check(&self) {
        (self.check)(&self.manager);
    }
}
