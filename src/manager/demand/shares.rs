//! What protocols use of the connections (4.4).
//!
//! A connection is attributed to the protocols whose requirement it is assigned to, to those that locked it, and to those
//! whose open burst made it. Its cost is shared among them, so that sharing a connection is cheaper than owning one. Everything here is worked out from the state when it is asked
//! for; only how long a protocol has used more than its share is kept, with the protocol.

use crate::manager::Manager;
use crate::manager::boundary::event::{ConnId, EnrollmentId};
use crate::manager::boundary::reason::Trigger;
use crate::manager::boundary::view::ProtocolView;
use crate::manager::demand::enrollments::Protocol;
use crate::manager::tools::deadlines::{Timer, Wake};
use crate::manager::tools::services::WHOLE;

/// What one protocol uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Used {
    /// In 1/256 of a connection.
    share: u32,
    connections: u16,
    locked: u16,
}

impl Manager {
    /// Every protocol with its share, the built-in ones first.
    pub fn protocols(&self) -> Vec<ProtocolView> {
        let used = self.usage();
        self.enrollments
            .iter()
            .zip(used)
            .enumerate()
            .map(|(place, (protocol, used))| {
                let enrolled = protocol.takes_part();
                ProtocolView {
                    name: self.protocol_name(place).to_owned(),
                    enrollment: protocol.enrollment(),
                    requirement: protocol.requirement(),
                    class: self.class_of(place),
                    granted: enrolled.then_some(protocol.grant()),
                    offered: (!enrolled).then_some(protocol.grant()),
                    share: used.share,
                    connections: used.connections,
                    locked: used.locked,
                }
            })
            .collect()
    }

    /// Protocols that use a connection: those whose requirement it is assigned to, that locked it, or whose burst made
    /// it (4.4, attribution), as places in [`Self::protocols`].
    pub(in crate::manager) fn used_by(&self, conn: ConnId) -> Vec<usize> {
        let protocols = self.enrollments.iter().enumerate();
        protocols
            .filter(|(_, protocol)| self.uses(protocol, conn))
            .map(|(place, _)| place)
            .collect()
    }

    fn uses(&self, protocol: &Protocol, conn: ConnId) -> bool {
        let assigned = |id| self.needs.assigned(id, conn);
        let guest = |id| self.locks.held_by(id, conn) || self.bursts.made_by(id, conn);
        protocol.requirement().is_some_and(assigned) || protocol.enrollment().is_some_and(guest)
    }

    /// What an enrolled protocol uses, in 1/256 of a connection.
    pub(in crate::manager) fn share_of(&self, enrollment: EnrollmentId) -> u32 {
        let used = self.usage();
        let mut protocols = self.enrollments.iter().zip(used);
        protocols
            .find(|(protocol, _)| protocol.enrollment() == Some(enrollment))
            .map_or(0, |(_, used)| used.share)
    }

    fn usage(&self) -> Vec<Used> {
        let mut all = vec![Used::default(); self.enrollments.iter().count()];
        for (conn, _) in self.connections.open() {
            let users = self.used_by(conn).into_iter().map(|place| {
                let locked = self.enrollments.get(place).and_then(Protocol::enrollment);
                (place, locked.is_some_and(|id| self.locks.held_by(id, conn)))
            });
            let users: Vec<(usize, bool)> = users.collect();
            let Some(part) = WHOLE.checked_div(u32::try_from(users.len()).unwrap_or(WHOLE)) else {
                continue;
            };
            for (user, locked) in users {
                let used = &mut all[user];
                used.share += part;
                used.connections += 1;
                used.locked += u16::from(locked);
            }
        }
        all
    }

    /// Looks for protocols that use more than their share, after everything that may have changed one, and asks for a
    /// round of regulation when that lasts. Unused shares may be borrowed: nothing is done while there is room, and
    /// nobody pays for a protocol that has what it needs.
    pub(in crate::manager) fn watch_quotas(&mut self) {
        if !self.is_changed() {
            return;
        }
        let soft = self.limits.soft();
        let total = self.connections.len();
        let used = if total >= soft {
            self.usage()
        } else {
            Vec::new()
        };
        let lacks = |(protocol, used): (&Protocol, &Used)| {
            used.share < u32::from(protocol.grant().low) * WHOLE
                && protocol
                    .requirement()
                    .is_some_and(|id| !self.needs.met(id) && self.candidates.any(id))
        };
        let wanted = total > soft || self.enrollments.iter().zip(&used).any(lacks);
        let now = self.now.mono_ms;
        let mut wake = Wake::default();
        let mut ask = false;
        for (place, protocol) in self.enrollments.iter_mut().enumerate() {
            let over = |used: &Used| used.share > u32::from(protocol.grant().high) * WHOLE;
            let over = wanted && used.get(place).is_some_and(over);
            if let Some((asks, again)) = protocol.breaches(over, now, self.config.breach_ms) {
                ask |= asks;
                wake.by(again);
            }
        }
        if ask {
            self.regulation.ask(Trigger::QuotaBreach);
        }
        self.deadlines.put(Timer::Quota, wake.0);
    }
}
