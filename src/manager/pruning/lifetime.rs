//! How old connections become (4.17). Owns nothing.
//!
//! With a lifetime, a connection that is older goes as soon as every target holds without it; somebody is dialed to
//! take over if need be. Without anybody to take over it stays. What the user or a protocol holds has no lifetime, nor
//! do bootstrap peers, who are handed off sooner.

use crate::manager::Manager;
use crate::manager::book::peer::Role;
use crate::manager::boundary::event::ConnId;
use crate::manager::boundary::reason::{Guard, Reason};
use crate::manager::connected::connections::Conn;
use crate::manager::pruning::guards::Pressure;
use crate::manager::tools::deadlines::Wake;
use crate::manager::tools::seed::Domain;
use crate::manager::tools::services::Services;

impl Manager {
    /// Lets old connections go, or has somebody dialed to take over from the oldest.
    pub(in crate::manager) fn end_lifetimes(&mut self, wake: &mut Wake) {
        let Some(lifetime_ms) = self.limits.lifetime_ms() else {
            return;
        };
        let now = self.now.mono_ms;
        // The oldest first: ids are given in the order of time.
        for id in self.connections.ids() {
            let Some((conn, peer)) = self.tidied(id) else {
                continue;
            };
            if conn.serving.is_empty() || peer.role == Role::Bootstrap {
                continue;
            }
            let (ends_at, serving) = (self.lifetime_ends(id, conn, lifetime_ms), conn.serving);
            if now < ends_at {
                wake.by(ends_at);
                continue;
            }
            match self.guard(id, Pressure::Voluntary) {
                Some(Guard::Target | Guard::Minimum) => self.want_rotation(id, serving, wake),
                _ => {
                    self.retire(id, Pressure::Voluntary, Reason::LifetimeOver, wake);
                }
            }
        }
    }

    fn want_rotation(&mut self, id: ConnId, serving: Services, wake: &mut Wake) {
        if !self.lean.relief.is_idle() || self.needs.short() {
            // Its end is an input.
            return;
        }
        let at = self.lean.relief.next_at();
        if self.now.mono_ms < at {
            wake.by(at);
            return;
        }
        let needed = serving.iter().filter(|id| !self.needs.met_without_one(*id));
        let needed: Services = needed.collect();
        self.lean.relief.rotate(id, needed);
    }

    /// Up to a fifth sooner or later than the lifetime, by the seed: connections that opened together do not all go
    /// together.
    fn lifetime_ends(&self, id: ConnId, conn: &Conn, lifetime_ms: u64) -> u64 {
        let mark = self.seed.mark(Domain::Lifetime, &id.0.to_le_bytes());
        let span = u128::from(lifetime_ms) * 2 / 5 + 1;
        let offset = ((u128::from(mark) * span) >> 64) as u64;
        let sooner = lifetime_ms - lifetime_ms / 5;
        conn.opened_at.saturating_add(sooner).saturating_add(offset)
    }
}
