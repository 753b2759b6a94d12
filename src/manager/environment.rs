//! What the page and the machine can bear (4.14).

use super::Manager;
use super::event::Transport;

/// How short memory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum MemoryLevel {
    /// Up to 70 % is used.
    #[default]
    Calm,
    /// More: the soft target falls.
    Pressure,
    /// More than 85 %: targets may break.
    Hard,
    /// More than 95 %: minima may break.
    Critical,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Environment {
    memory: MemoryLevel,
}

impl Environment {
    /// How short memory is.
    pub(super) fn memory(&self) -> MemoryLevel {
        self.memory
    }
}

impl Manager {
    pub(super) fn on_visibility(&mut self, _hidden: bool) {}

    pub(super) fn on_freeze(&mut self) {}

    pub(super) fn on_unfreeze(&mut self) {}

    pub(super) fn on_network_changed(&mut self, _constrained: bool) {}

    pub(super) fn on_memory(&mut self, _used: u64, _limit: u64) {}

    pub(super) fn on_set_limits(&mut self, _soft: Option<u16>, _hard: Option<u16>) {}

    pub(super) fn on_set_max_by_transport(&mut self, _transport: Transport, _max: Option<u16>) {}
}
