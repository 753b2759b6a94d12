//! Who may not connect (4.16). Owns the bans: they outlast the record of the peer.

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Bans {}

impl Bans {
    pub(super) fn len(&self) -> usize {
        0
    }
}
