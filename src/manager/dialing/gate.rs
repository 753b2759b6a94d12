//! What others may dial, and who may connect to us.

use libp2p_identity::PeerId;

use crate::manager::Manager;
use crate::manager::boundary::reason::Reason;
use crate::manager::dialing::admission;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::deadlines::Timer;

impl Manager {
    /// What somebody else dials is admitted as our own dials are, costs a token like them, and occupies its place until it
    /// is connected.
    pub(in crate::manager) fn gate_outbound(
        &mut self,
        now: u64,
        peer: Option<PeerId>,
    ) -> Result<(), Reason> {
        let purpose = Purpose::Foreign;
        self.gate_stranger(peer, purpose)?;
        let known = peer.and_then(|peer| self.table.find(&peer));
        if let Some(peer) = known.and_then(|ix| self.table.get(ix)) {
            match self.admission(peer, purpose, &self.census(), &[]) {
                // Whoever asks may know an address that we do not.
                Ok(_) | Err(Reason::NoRoute) => {}
                Err(reason) => return Err(reason),
            }
        }
        let _ = self.dials.expire(now);
        if self.occupied() >= self.limits.hard() {
            return Err(Reason::LimitReached);
        }
        if !self.pace.has(now, false) {
            return Err(Reason::OverBudget);
        }
        self.pace.take(now);
        self.dials.allow(now, peer);
        // The plan would have asked for that itself.
        let planned = self.deadlines.at(Timer::Plan);
        let first = self.dials.expire(now).into_iter().chain(planned).min();
        self.deadlines.put(Timer::Plan, first);
        Ok(())
    }

    pub(in crate::manager) fn gate_inbound(&self, peer: Option<PeerId>) -> Result<(), Reason> {
        let purpose = Purpose::Inbound;
        self.gate_stranger(peer, purpose)?;
        let known = peer.and_then(|peer| self.table.find(&peer));
        let barred = known
            .and_then(|ix| self.table.get(ix))
            .and_then(|peer| admission::barred(peer, purpose));
        match barred {
            None => {}
            // Whom we pruned is welcome while there is room (4.13).
            Some(Reason::CoolingDown) if self.occupied() < self.limits.soft() => {}
            Some(reason) => return Err(reason),
        }
        if self.occupied() >= self.limits.hard() {
            return Err(Reason::LimitReached);
        }
        Ok(())
    }

    /// What can be said of a peer without a record. A ban outlasts the record of whom it holds out.
    fn gate_stranger(&self, peer: Option<PeerId>, purpose: Purpose) -> Result<(), Reason> {
        let banned = peer.and_then(|peer| self.bans.of(&peer));
        let refused = banned.or_else(|| self.node_refuses(peer, purpose));
        let ours = || (peer == Some(self.config.local)).then_some(Reason::OurOwnId);
        refused.or_else(ours).map_or(Ok(()), Err)
    }
}
