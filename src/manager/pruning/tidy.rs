//! Closes what is not needed: providers above `max`, connections that failed or serve nothing, bootstrap peers whose
//! work others do.
//!
//! Nothing here takes a requirement below its target (S5): a connection goes only when all targets hold without it.

use crate::manager::Manager;
use crate::manager::Run;
use crate::manager::book::peer::{Link, Peer, Role};
use crate::manager::boundary::event::{ConnId, RequirementId};
use crate::manager::boundary::reason::{Guard, Reason};
use crate::manager::boundary::view::What;
use crate::manager::connected::connections::{Conn, HandOff, Network};
use crate::manager::machine::modes::Mode;
use crate::manager::pruning::guards::Pressure;
use crate::manager::tools::deadlines::{Timer, Wake};
use crate::manager::tools::services::Services;

/// Closing something can make something else superfluous only a few times over: there are few connections.
const ROUNDS: usize = 24;

impl Manager {
    pub(in crate::manager) fn tidy(&mut self) {
        if !self.take_changed() {
            return;
        }
        let mut wake = Wake::default();
        let normal = self.run == Run::Running && self.mode == Mode::Normal;
        if self.run == Run::Running && !normal {
            self.keep_one();
        }
        if normal {
            for _ in 0..ROUNDS {
                wake = Wake::default();
                self.tidy_once(&mut wake);
                if !self.take_changed() {
                    break;
                }
            }
        }
        self.deadlines.put(Timer::Tidy, wake.0);
        self.rearm_pings();
    }

    fn tidy_once(&mut self, wake: &mut Wake) {
        for id in self.connections.ids() {
            let Some((conn, peer)) = self.tidied(id) else {
                continue;
            };
            let (serves, bootstrap) = (!conn.serving.is_empty(), peer.role == Role::Bootstrap);
            if !serves && self.failed_and_replaced(conn, peer) {
                self.retire(id, Pressure::Spent, Reason::FailedService, wake);
            } else if bootstrap {
                self.hand_off(id, wake);
            } else if serves {
                self.useful(id);
            } else {
                self.useless(id, wake);
            }
        }
        self.trim(wake);
        self.lean_down(wake);
        self.end_lifetimes(wake);
    }

    /// Lets a connection go if no guard forbids it, or looks again when it is no longer new; whether it went. The end of
    /// every other guard is an input.
    pub(in crate::manager) fn retire(
        &mut self,
        id: ConnId,
        pressure: Pressure,
        reason: Reason,
        wake: &mut Wake,
    ) -> bool {
        match self.guard(id, pressure) {
            None => {
                self.release(id, reason);
                true
            }
            Some(Guard::Grace) => {
                if let Some(conn) = self.connections.get(id) {
                    wake.by(self.grace_ends(conn));
                }
                false
            }
            Some(_) => false,
        }
    }

    /// A connection that may be judged: open, the peer's own, not held by the user, and no longer being verified.
    pub(in crate::manager) fn tidied(&self, id: ConnId) -> Option<(&Conn, &Peer)> {
        let conn = self.connections.get(id)?;
        let peer = self.table.get(conn.ix)?;
        let judged =
            conn.is_open() && !conn.verifying() && !peer.held() && peer.link == Link::Connected(id);
        let judged = judged && !self.locked(id) && !self.bursts.holds(id);
        judged.then_some((conn, peer))
    }

    /// It failed at something, or never was verified, and everything that it could have served is met without it.
    fn failed_and_replaced(&self, conn: &Conn, peer: &Peer) -> bool {
        let could = conn.offers.unwrap_or_else(|| peer.possible(self.all()));
        let failed = if conn.verified() {
            could.and(peer.resting())
        } else {
            could
        };
        !failed.is_empty() && failed.iter().all(|id| self.needs.met(id))
    }

    fn useful(&mut self, id: ConnId) {
        if let Some(conn) = self.connections.get_mut(id) {
            conn.useless_since = None;
        }
    }

    /// It serves nothing. It stays while it can still name other peers, or serve again what nobody else does; and, as long
    /// as there is room, when it only serves other shards (metadata.md, 5.6).
    fn useless(&mut self, id: ConnId, wake: &mut Wake) {
        let now = self.now.mono_ms;
        let short = self.needs.short();
        let Some((conn, peer)) = self.tidied(id) else {
            return;
        };
        let could = conn.offers.unwrap_or_else(|| peer.possible(self.all()));
        let awaited = could.iter().any(|id| !self.needs.met(id));
        let names = conn.exchanges && short;
        let Some(conn) = self.connections.get_mut(id) else {
            return;
        };
        if awaited || names || conn.network == Network::OtherShards {
            conn.useless_since = None;
            return;
        }
        let since = *conn.useless_since.get_or_insert(now);
        let leaves_at = since.saturating_add(self.config.useless_grace_ms);
        if now >= leaves_at {
            self.retire(id, Pressure::Spent, Reason::NotNeeded, wake);
        } else {
            wake.by(leaves_at);
        }
    }

    /// A bootstrap connection goes once others do its work, or once somebody else was dialed to do it (4.11).
    fn hand_off(&mut self, id: ConnId, wake: &mut Wake) {
        let now = self.now.mono_ms;
        let Some((conn, _)) = self.tidied(id) else {
            return;
        };
        let (serving, before) = (conn.serving, conn.hand_off);
        let missed: Services = self
            .needs
            .ids()
            .filter(|id| {
                if serving.contains(*id) {
                    !self.needs.met_without_one(*id)
                } else {
                    !self.needs.met(*id)
                }
            })
            .collect();
        let after = if missed.is_empty() {
            self.spare(before)
        } else if !self.needs.short() && missed.iter().all(|id| self.candidates.any(id)) {
            self.wanted(id, before)
        } else {
            // The only provider of something stays.
            match before {
                HandOff::Dialed { .. } => before,
                _ if self.needs.short() || serving.and(missed).is_empty() => HandOff::Needed,
                _ => self.retained(id, before),
            }
        };
        if let HandOff::Spare { leaves_at } = after {
            if now < leaves_at {
                wake.by(leaves_at);
            } else if self.retire(id, Pressure::Spent, Reason::HandedOff, wake) {
                return;
            }
        }
        if let HandOff::Wanted { dial_at: at } | HandOff::Dialed { again_at: at } = after
            && at > now
        {
            wake.by(at);
        }
        if let Some(conn) = self.connections.get_mut(id) {
            conn.hand_off = after;
        }
    }

    /// Nobody else is known for some of its work: that is told once.
    fn retained(&mut self, id: ConnId, before: HandOff) -> HandOff {
        if before != HandOff::Retained
            && let Some(peer) = self.connections.get(id).map(|conn| conn.peer)
        {
            self.ring.push(self.now, What::BootstrapRetained { peer });
        }
        HandOff::Retained
    }

    /// Others do its work: it leaves at a time of its own, so that clients which started together leave apart.
    fn spare(&mut self, before: HandOff) -> HandOff {
        if matches!(before, HandOff::Spare { .. }) {
            return before;
        }
        let config = &self.config;
        let apart = self
            .seed
            .between(config.hand_off_min_ms, config.hand_off_max_ms);
        let wait = config.hand_off_after_ms.saturating_add(apart);
        HandOff::Spare {
            leaves_at: self.now.mono_ms.saturating_add(wait),
        }
    }

    /// Others could do its work: after a while one of them is dialed, once.
    fn wanted(&mut self, id: ConnId, before: HandOff) -> HandOff {
        let now = self.now.mono_ms;
        match before {
            HandOff::Wanted { dial_at } if now >= dial_at => {
                self.succession = Some(id);
                HandOff::Dialed {
                    again_at: now.saturating_add(self.config.hand_off_retry_ms),
                }
            }
            HandOff::Dialed { again_at } if now < again_at => before,
            HandOff::Wanted { .. } => before,
            HandOff::Needed
            | HandOff::Retained
            | HandOff::Spare { .. }
            | HandOff::Dialed { .. } => HandOff::Wanted {
                dial_at: now.saturating_add(self.config.hand_off_after_ms),
            },
        }
    }

    /// Providers above `max` that serve nothing else that is needed go after a moment: needs may change back.
    fn trim(&mut self, wake: &mut Wake) {
        let now = self.now.mono_ms;
        for requirement in self.needs.ids() {
            if self.surplus(requirement, Pressure::Spent).is_none() {
                self.lean.over_since.remove(&requirement);
                continue;
            }
            let since = self
                .lean
                .over_since
                .get(&requirement)
                .copied()
                .unwrap_or(now);
            self.lean.over_since.insert(requirement, since);
            let due_at = since.saturating_add(self.config.surplus_grace_ms);
            if now < due_at {
                wake.by(due_at);
                continue;
            }
            if let Some(victim) = self.surplus(requirement, Pressure::Voluntary) {
                self.release(victim, Reason::NotNeeded);
                continue;
            }
            for provider in self.needs.providers(requirement) {
                let open = self.connections.get(provider.conn);
                if let Some(at) = open.map(|open| self.grace_ends(open))
                    && at > now
                {
                    wake.by(at);
                }
            }
        }
    }

    /// Of the providers above `max` the first that is surplus anyway (4.6). Bootstrap peers neither count nor go here:
    /// they are on their way out, and their successor must not go in their stead.
    fn surplus(&self, requirement: RequirementId, pressure: Pressure) -> Option<ConnId> {
        let max = usize::from(self.needs.need(requirement)?.max);
        let providers = self.needs.providers(requirement);
        let bootstraps = providers.iter().filter(|p| self.is_passing(p.conn));
        if providers.len() - bootstraps.count() <= max {
            return None;
        }
        let (surplus, _) = self.reverse_delete(&mut self.cover());
        surplus.into_iter().find(|id| {
            let conn = self.connections.get(*id);
            conn.is_some_and(|conn| conn.serving.contains(requirement))
                && self.guard(*id, pressure).is_none()
                && !self.spreads(*id)
        })
    }

    /// Whether a connection goes by itself before long: that of a bootstrap peer, or one that a burst made (S12).
    fn is_passing(&self, id: ConnId) -> bool {
        if self.bursts.holds(id) {
            return true;
        }
        let peer = self.connections.get(id).map(|conn| conn.ix);
        let peer = peer.and_then(|ix| self.table.get(ix));
        peer.is_some_and(|peer| peer.role == Role::Bootstrap)
    }
}
