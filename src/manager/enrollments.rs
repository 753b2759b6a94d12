//! Protocols that enroll, their quotas and shares (4.3, 4.4).

use libp2p_identity::PeerId;

use super::Manager;
use super::event::{ConnId, EnrollmentId, ProtocolSpec};
use super::view::ProtocolView;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Enrollments {}

impl Manager {
    pub(super) fn on_enroll(&mut self, _enrollment: EnrollmentId, _spec: ProtocolSpec) {}

    pub(super) fn on_accept_offer(&mut self, _enrollment: EnrollmentId) {}

    pub(super) fn on_withdraw(&mut self, _enrollment: EnrollmentId) {}

    pub(super) fn on_scores(
        &mut self,
        _round: u64,
        _enrollment: EnrollmentId,
        _scores: &[(PeerId, i16)],
    ) {
    }

    /// Every protocol with its share, the built-in ones first.
    pub fn protocols(&self) -> Vec<ProtocolView> {
        Vec::new()
    }

    /// Protocols that use a connection: those whose requirement it is assigned to, that locked it, or whose burst made
    /// it (4.4, attribution), as places in [`Self::protocols`].
    pub(super) fn used_by(&self, _conn: ConnId) -> Vec<usize> {
        Vec::new()
    }

    /// The limits of connections changed: shares may have to be offered anew.
    pub(super) fn reallocate(&mut self) {}
}
