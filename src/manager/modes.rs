//! What the node is at, beside running or stopped (4.18): normal, paused, or in its initial sync.

use libp2p_identity::PeerId;

use super::Manager;

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Everything that is needed.
    #[default]
    Normal,
    /// Connections stay, nobody is dialed.
    Paused,
    /// One connection, and no other scheduling.
    Sync {
        /// With whom, if the user said so.
        peer: Option<PeerId>,
    },
}

impl Manager {
    pub(super) fn on_pause(&mut self) {}

    pub(super) fn on_unpause(&mut self) {}

    pub(super) fn on_start_sync(&mut self, _peer: Option<PeerId>) {}

    pub(super) fn on_stop_sync(&mut self) {}

    pub(super) fn on_set_lifetime(&mut self, _ms: Option<u64>) {}
}
