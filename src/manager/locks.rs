//! Connections that a protocol wants left alone for a while (4.9).

use libp2p_identity::PeerId;

use super::Manager;
use super::event::{ConnId, EnrollmentId, LockId};
use super::reason::Revocation;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Locks {}

impl Manager {
    pub(super) fn on_lock(
        &mut self,
        _lock: LockId,
        _enrollment: EnrollmentId,
        _peer: &PeerId,
        _ttl_ms: u64,
    ) {
    }

    pub(super) fn on_extend_lock(&mut self, _lock: LockId, _ttl_ms: u64) {}

    pub(super) fn on_unlock(&mut self, _lock: LockId) {}

    /// Whether a lock holds a connection.
    pub(super) fn locked(&self, _conn: ConnId) -> bool {
        false
    }

    /// Ends every lock on a connection before its time, with the grace that the reason allows. Returns when the
    /// connection may be closed, in monotonic milliseconds.
    pub(super) fn revoke_locks(&mut self, _conn: ConnId, _why: Revocation) -> u64 {
        self.now.mono_ms
    }
}
