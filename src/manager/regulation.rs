//! Rounds of regulation: closing what is too much (4.13).

use super::Manager;
use super::reason::Trigger;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Regulation {
    asked: Vec<Trigger>,
}

impl Regulation {
    /// Something asks for a round.
    pub(super) fn ask(&mut self, trigger: Trigger) {
        if !self.asked.contains(&trigger) {
            self.asked.push(trigger);
        }
    }
}

impl Manager {
    /// Begins a round if something asks for one; runs after every input.
    pub(super) fn regulate(&mut self) {}

    pub(super) fn on_regulate(&mut self) {}
}
