//! What the user says of a peer: addresses, tags that protect it, hints that fade, and that it may be forgotten.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::Manager;

impl Manager {
    pub(super) fn on_add_route(&mut self, _peer: PeerId, _route: &Multiaddr) {}

    pub(super) fn on_remove_route(&mut self, _peer: &PeerId, _route: &Multiaddr) {}

    pub(super) fn on_forget(&mut self, _peer: &PeerId) {}

    pub(super) fn on_protect(&mut self, _peer: PeerId, _tag: String) {}

    pub(super) fn on_unprotect(&mut self, _peer: &PeerId, _tag: &str) {}

    pub(super) fn on_hint(
        &mut self,
        _peer: PeerId,
        _tag: String,
        _value: i16,
        _ttl_ms: Option<u64>,
    ) {
    }
}
