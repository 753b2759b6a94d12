//! How many connections each transport may have (4.7, S8): judged before a dial, and when a connection comes.

use crate::manager::Manager;
use crate::manager::boundary::event::{ConnId, Transport};
use crate::manager::boundary::reason::{Guard, Reason};
use crate::manager::pruning::guards::Pressure;

impl Manager {
    /// Whether one more connection of this transport may be made. One that is closing still counts.
    pub(in crate::manager) fn transport_admits(&self, transport: Transport) -> bool {
        self.limits.transport(transport).is_none_or(|max| {
            let all = self.connections.iter();
            let there = all.filter(|(_, conn)| conn.transport == transport).count();
            there + self.dials.count_of(transport) < max
        })
    }

    pub(in crate::manager) fn on_set_max_by_transport(
        &mut self,
        transport: Transport,
        max: Option<u16>,
    ) {
        self.limits.set_transport(transport, max);
    }

    /// After a cap was lowered: dials beyond it are given up at once, and connections are closed, the least missed
    /// first. What the user or a protocol holds, and what a minimum needs, stays until that ends.
    pub(in crate::manager) fn enforce_transport_caps(&mut self) {
        if !self.is_changed() {
            return;
        }
        for (transport, max) in self.limits.transports() {
            let there = self.open_of(transport).count() + self.dials.count_of(transport);
            let mut over = there.saturating_sub(max);
            while over > 0
                && let Some(ix) = self.dials.last_of(transport)
            {
                self.cancel_dial(ix);
                over -= 1;
            }
            while over > 0 {
                let Some(conn) = self.least_missed(transport) else {
                    break;
                };
                self.close(conn, Reason::TransportLimit);
                over -= 1;
            }
        }
    }

    fn open_of(&self, transport: Transport) -> impl Iterator<Item = ConnId> + '_ {
        self.connections
            .open()
            .filter(move |(_, conn)| conn.transport == transport)
            .map(|(id, _)| id)
    }

    /// Who serves least, then who came last. That somebody is new, or the last of a network, does not keep a connection
    /// that the user wants gone.
    fn least_missed(&self, transport: Transport) -> Option<ConnId> {
        self.open_of(transport)
            .filter(|id| !self.locked(*id))
            .filter(|id| {
                matches!(
                    self.guard(*id, Pressure::BreakTargets),
                    None | Some(Guard::Grace | Guard::LastGroup)
                )
            })
            .min_by_key(|id| {
                let serves = self.connections.get(*id).map_or(0, |c| c.serving.len());
                (serves, core::cmp::Reverse(*id))
            })
    }
}
