//! May this peer be dialed, at this address, now, for this purpose? The one place that answers (S2, S8, S15).
//!
//! Every dial of every address passes here. Whoever only asks reads the same rules: the index of candidates and the
//! choice among them, probes, the initial sync, the gate, `explain()` and the answer to the user's own wish. The first
//! rule that forbids it is the reason, in this order:
//!
//! 1. the peer is banned;
//! 2. the node is stopped, offline, paused or in its initial sync;
//! 3. the peer's own state: hung up, connected or being dialed, waiting, without an address, parked;
//! 4. of its addresses, each for itself: its subnet is refused, its transport is full, its part of the network has its
//!    share ([`super::diversity`]), its host and port are being dialed;
//! 5. there is no room: the limit of connections, the pace.
//!
//! Owns nothing.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use crate::manager::book::peer::{Bar, Link, Peer, Role};
use crate::manager::book::route::Route;
use crate::manager::boundary::reason::Reason;
use crate::manager::dialing::diversity::{Census, Variety};
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Run};

/// Where a peer may be dialed.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) struct Admitted<'a> {
    /// The first of its addresses that may.
    pub(in crate::manager) route: &'a Route,
    /// The caps on variety had to be widened for it.
    pub(in crate::manager) relaxed: bool,
}

/// Rules 1 and 3: what the peer's own record says. It stands until an input about that peer changes it.
pub(in crate::manager) fn barred(peer: &Peer, purpose: Purpose) -> Option<Reason> {
    if peer.banned().is_some() {
        return peer.banned();
    }
    match peer.bar() {
        // Also while the connection that was hung up still closes.
        Bar::HungUp if purpose != Purpose::Asked => return Some(Reason::HungUp),
        _ => {}
    }
    if peer.link() != Link::Idle && purpose != Purpose::Inbound {
        return Some(Reason::AlreadyConnected);
    }
    match peer.bar() {
        Bar::Until { why, .. } if purpose.waits_out(why) => return Some(why),
        _ => {}
    }
    if peer.routes().is_empty() && !purpose.is_foreign() {
        return Some(Reason::NoRoute);
    }
    let by_needs = matches!(purpose, Purpose::Need | Purpose::Relief | Purpose::Foreign);
    (peer.role() == Role::Bootstrap && by_needs).then_some(Reason::Parked)
}

impl Manager {
    /// Rule 2.
    pub(in crate::manager) fn node_refuses(
        &self,
        peer: Option<PeerId>,
        purpose: Purpose,
    ) -> Option<Reason> {
        if self.run == Run::Stopped {
            return Some(Reason::Stopped);
        }
        if self.outage.is_offline() && purpose.needs_network() {
            return Some(Reason::Offline);
        }
        match purpose {
            Purpose::Sync => None,
            _ => self.mode.refuses(peer),
        }
    }

    /// Rules 1 to 3.
    pub(in crate::manager) fn peer_refuses(&self, peer: &Peer, purpose: Purpose) -> Option<Reason> {
        peer.banned()
            .or_else(|| self.node_refuses(Some(peer.id()), purpose))
            .or_else(|| barred(peer, purpose))
    }

    /// Rules 1 to 4: where a peer may be dialed. `failed`: addresses that were tried a moment ago.
    ///
    /// # Errors
    ///
    /// The first rule that forbids it; of rule 4, what it says of the peer's first address.
    pub(in crate::manager) fn admission<'a>(
        &self,
        peer: &'a Peer,
        purpose: Purpose,
        census: &Census,
        failed: &[Multiaddr],
    ) -> Result<Admitted<'a>, Reason> {
        if let Some(reason) = self.peer_refuses(peer, purpose) {
            return Err(reason);
        }
        let mut relaxed = None;
        let mut first = Reason::NoRoute;
        for route in peer.routes().iter() {
            if failed.contains(&route.address) {
                continue;
            }
            match self.address_admits(peer, route, purpose, census) {
                Ok(false) => {
                    return Ok(Admitted {
                        route,
                        relaxed: false,
                    });
                }
                Ok(true) => relaxed = relaxed.or(Some(route)),
                Err(reason) if first == Reason::NoRoute => first = reason,
                Err(_) => {}
            }
        }
        let relaxed = relaxed.map(|route| Admitted {
            route,
            relaxed: true,
        });
        relaxed.ok_or(first)
    }

    /// Rule 4, for one address. Returns whether the caps on variety have to be widened for it.
    ///
    /// # Errors
    ///
    /// Why it may not be dialed, or a connection there not be kept.
    pub(in crate::manager) fn address_admits(
        &self,
        peer: &Peer,
        route: &Route,
        purpose: Purpose,
        census: &Census,
    ) -> Result<bool, Reason> {
        if self.quarantine.refuses(&route.address) {
            return Err(Reason::SubnetBanned);
        }
        if !self.transport_admits(route.transport) {
            return Err(Reason::TransportLimit);
        }
        let relaxed = match self.variety(peer, route, purpose, census) {
            Variety::Within => false,
            // Who dials by himself waits until there is room.
            Variety::Relaxed if !purpose.is_foreign() => true,
            Variety::Relaxed | Variety::Over => return Err(Reason::DiversityLimit),
        };
        if !purpose.is_foreign() && self.dials.busy(route.endpoint) {
            return Err(Reason::OverBudget);
        }
        Ok(relaxed)
    }

    /// Rules 1 to 4 for a peer by its place: whether it may be dialed, and whether beyond the caps on variety.
    pub(in crate::manager) fn admits(
        &self,
        ix: Ix,
        purpose: Purpose,
        census: &Census,
    ) -> Option<Admitted<'_>> {
        let peer = self.table.get(ix)?;
        self.admission(peer, purpose, census, &[]).ok()
    }

    /// Rule 5. `urgent`: the user waits, and may overdraw the bucket.
    ///
    /// # Errors
    ///
    /// [`Reason::LimitReached`] or [`Reason::OverBudget`].
    pub(in crate::manager) fn room_for(
        &self,
        purpose: Purpose,
        urgent: bool,
    ) -> Result<(), Reason> {
        let soft = matches!(purpose, Purpose::Need | Purpose::Ladder);
        if self.occupied() >= self.limits.hard() || soft && self.filled() >= self.limits.soft() {
            return Err(Reason::LimitReached);
        }
        let in_flight = self.environment.in_flight(&self.config);
        if self.dials.len() >= in_flight || !self.pace.has(self.now.mono_ms, urgent) {
            return Err(Reason::OverBudget);
        }
        Ok(())
    }
}
