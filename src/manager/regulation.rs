//! Rounds of regulation: closing what is too much (4.13).

use super::Manager;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Regulation {}

impl Manager {
    /// Begins a round if something asks for one; runs after every input.
    pub(super) fn regulate(&mut self) {}

    pub(super) fn on_regulate(&mut self) {}
}
