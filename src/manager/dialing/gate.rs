//! What others may dial, and who may connect to us.

use libp2p_identity::PeerId;

use crate::manager::book::peer::Role;
use crate::manager::book::route::Route;
use crate::manager::boundary::reason::Reason;
use crate::manager::dialing::diversity::Admission;
use crate::manager::{Manager, Run};

impl Manager {
    pub(in crate::manager) fn gate_outbound(
        &mut self,
        now: u64,
        peer: Option<PeerId>,
    ) -> Result<(), Reason> {
        self.admits_any(peer)?;
        if let Some(peer) = peer {
            if peer == self.config.local {
                return Err(Reason::OurOwnId);
            }
            let record = self.table.find(&peer).and_then(|ix| self.table.get(ix));
            if let Some(record) = record {
                match record.forbidden() {
                    // Whoever asks may know an address that we do not.
                    None | Some(Reason::NoRoute) => {}
                    Some(reason) => return Err(reason),
                }
                if self.all_quarantined(record) {
                    return Err(Reason::SubnetBanned);
                }
                if record.role == Role::Bootstrap {
                    return Err(Reason::Parked);
                }
                let mut routes = record.routes.iter();
                let admits = |route: &Route| self.transport_admits(route.transport);
                if !record.routes.is_empty() && !routes.any(admits) {
                    return Err(Reason::TransportLimit);
                }
                if self.admission(&self.census(), record) != Admission::Within {
                    return Err(Reason::DiversityLimit);
                }
            }
        }
        if self.occupied() >= self.limits.hard() {
            return Err(Reason::LimitReached);
        }
        if self.dials.bucket.take(now, false) {
            Ok(())
        } else {
            Err(Reason::OverBudget)
        }
    }

    pub(in crate::manager) fn gate_inbound(&self, peer: Option<PeerId>) -> Result<(), Reason> {
        self.admits_any(peer)?;
        if let Some(peer) = peer {
            if peer == self.config.local {
                return Err(Reason::OurOwnId);
            }
            let record = self.table.find(&peer).and_then(|ix| self.table.get(ix));
            // A backoff is ours, not the peer's: it may come.
            match record.and_then(crate::manager::book::peer::Peer::forbidden) {
                None | Some(Reason::NoRoute | Reason::BackingOff | Reason::AlreadyConnected) => {}
                // Whom we pruned is welcome while there is room (4.13).
                Some(Reason::CoolingDown) if self.occupied() < self.limits.soft() => {}
                Some(reason) => return Err(reason),
            }
        }
        if self.occupied() >= self.limits.hard() {
            return Err(Reason::LimitReached);
        }
        Ok(())
    }

    fn admits_any(&self, peer: Option<PeerId>) -> Result<(), Reason> {
        if self.run == Run::Stopped {
            return Err(Reason::Stopped);
        }
        if self.outage.is_offline() {
            return Err(Reason::Offline);
        }
        let refused = self.mode.refuses(peer);
        // A ban outlasts the record of whom it holds out.
        let banned = || peer.and_then(|peer| self.bans.of(&peer));
        refused.or_else(banned).map_or(Ok(()), Err)
    }
}
