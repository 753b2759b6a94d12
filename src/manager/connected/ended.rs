//! Connections that end: what is told, and when the peer is tried again (4.8).

use crate::manager::book::attempts::Flap;
use crate::manager::book::peer::{Bar, Link, Role};
use crate::manager::book::score::BEHAVIOUR_HALF_LIFE_MS;
use crate::manager::boundary::event::ConnId;
use crate::manager::boundary::reason::{CloseCause, Reason};
use crate::manager::connected::cause::{self, Ending};
use crate::manager::connected::connections::{Conn, Phase};
use crate::manager::machine::outage::Loneliness;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Notice, Run};

impl Manager {
    pub(in crate::manager) fn on_closed(&mut self, conn: ConnId, seen: CloseCause) {
        self.withdraw(conn);
        self.end_locks(conn, None);
        self.bursts.forget(conn);
        let Some(gone) = self.connections.remove(conn) else {
            return;
        };
        self.deadlines.forget_connection(conn);
        self.out.stats.disconnects += 1;
        let ix = gone.ix;
        let other = {
            let rest = self.connections.of(ix);
            // An open one before one that is closing, then the oldest.
            rest.min_by_key(|(id, conn)| (!conn.is_open(), *id))
                .map(|(id, _)| id)
        };
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        if let Some(other) = other {
            if peer.link() == Link::Connected(conn) {
                // The second connection takes the place of the first.
                peer.set_link(Link::Connected(other), self.now.mono_ms);
                self.deadlines.clear(Timer::Duplicate(other));
                self.reassess(other);
            }
            return;
        }
        if peer.link() == Link::Connected(conn) {
            peer.set_link(Link::Idle, self.now.mono_ms);
        }
        self.disconnected(&gone, seen);
    }

    /// The last connection to a peer ended.
    fn disconnected(&mut self, gone: &Conn, seen: CloseCause) {
        let now = self.now.mono_ms;
        let ix = gone.ix;
        let uptime_ms = now.saturating_sub(gone.opened_at);
        let ordered = match gone.phase {
            Phase::Closing(reason) => Some(reason),
            Phase::Open => None,
        };
        let left = self.connections.open().count();
        let involuntary = match ordered {
            None => seen != CloseCause::Ordered,
            Some(reason) => matches!(
                reason,
                Reason::PingTimeout | Reason::IdentifyFailed | Reason::MetadataFailed
            ),
        };
        let loneliness = if involuntary {
            self.outage.lost(&self.config, now, ix, left)
        } else {
            Loneliness::Alone
        };
        let early = !gone.verified() && uptime_ms <= self.config.rejected_ms;
        let verdict = cause::judge(Ending {
            ordered,
            seen,
            network_down: !self.outage.charges_count() || loneliness == Loneliness::Mass,
            early,
        });
        if let Some(peer) = self.table.get_mut(ix) {
            peer.note(Some(verdict.reason));
        }
        if gone.forgotten {
            self.forget_rest(ix);
        } else if involuntary {
            self.lost(ix, uptime_ms, verdict.reason, loneliness);
        } else {
            self.left(ix, verdict.reason);
        }
        let will_reconnect = self.will_reconnect(ix, involuntary);
        self.out.tell(Notice::Disconnected {
            peer: gone.peer,
            cause: verdict.cause,
            reason: verdict.reason,
            deliberate: verdict.deliberate,
            uptime_ms,
            will_reconnect,
        });
        if involuntary {
            // What took this one may have taken others that say nothing.
            self.doubt_the_silent();
        }
    }

    /// We ended it: whether the peer may be dialed again soon depends on why.
    fn left(&mut self, ix: Ix, reason: Reason) {
        if self.cool_down(ix, reason) {
            return;
        }
        let now = self.now.mono_ms;
        let wait = match reason {
            Reason::OtherNetwork => self.config.other_network_ms,
            Reason::FailedService => self.config.prune_wait_ms,
            Reason::BadBehaviour => BEHAVIOUR_HALF_LIFE_MS,
            _ => {
                self.refresh(ix);
                return;
            }
        };
        let at = now.saturating_add(wait);
        let waits = self.table.get(ix).is_some_and(|peer| {
            // It came before its time, and waits no longer for that.
            let again = matches!(peer.bar(), Bar::Until { why, .. } if why == reason);
            again || peer.banned().is_some()
        });
        if waits {
            self.refresh(ix);
        } else {
            self.bar_until(ix, at, reason);
        }
    }

    /// It was lost: the peer is tried again after its jitter, at once only when it was lost alone (and, as the plan will
    /// see, when nobody else can serve).
    fn lost(&mut self, ix: Ix, uptime_ms: u64, reason: Reason, loneliness: Loneliness) {
        let now = self.now.mono_ms;
        let rejected = matches!(
            reason,
            Reason::RejectedByRemote | Reason::IdentifyFailed | Reason::MetadataFailed
        );
        if self.run == Run::Running
            && self.outage.charges_count()
            && loneliness != Loneliness::Mass
            // What a sleep or an outage has killed shows only after it. Who ended one is none of those.
            && !self.outage.disturbed_since(now.saturating_sub(uptime_ms) + 1)
            && (uptime_ms < self.config.healthy_ms || rejected)
        {
            self.remember(ix);
            let flap = Flap { rejected };
            self.outage.flapped(flap);
            if let Some(peer) = self.table.get_mut(ix) {
                peer.attempts_mut().flapped(flap);
            }
        }
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        peer.note_loss(now);
        let flaps = peer.attempts().flaps();
        if peer.bar() == Bar::HungUp || peer.banned().is_some() {
            self.refresh(ix);
            return;
        }
        self.back_off(ix);
        match loneliness {
            Loneliness::Mass => {
                for (ix, flap) in self.outage.lost_lately() {
                    if let (Some(flap), Some(peer)) = (flap, self.table.get_mut(ix)) {
                        peer.attempts_mut().unflapped(flap);
                    }
                    self.spread(ix);
                }
                self.connections.lost(None);
            }
            Loneliness::Alone if flaps <= 1 && !rejected => self.connections.lost(Some(ix)),
            Loneliness::Alone | Loneliness::WithOthers => {}
        }
    }

    /// One of many that were lost together comes back at a time of its own.
    fn spread(&mut self, ix: Ix) {
        let backing_off = self
            .table
            .get(ix)
            .is_some_and(|peer| peer.link() == Link::Idle && peer.backs_off());
        if backing_off {
            let within = if self.is_critical(ix) {
                self.config.mass_loss_spread_ms
            } else {
                self.config.mass_loss_spread_other_ms
            };
            let at = self.now.mono_ms.saturating_add(self.wait(ix, 0, within));
            let why = Reason::BackingOff;
            self.set_bar(ix, Bar::Until { at, why });
        }
    }

    /// Whether some minimum needs what a peer can serve.
    fn is_critical(&self, ix: Ix) -> bool {
        let minimum = |id| self.needs.need(id).is_some_and(|need| need.min > 0);
        self.table
            .get(ix)
            .is_some_and(|peer| peer.possible(self.all()).iter().any(minimum))
    }

    /// Whether a peer that is gone will be dialed again without anybody asking: it is held, or it can serve what nobody
    /// else can.
    fn will_reconnect(&self, ix: Ix, involuntary: bool) -> bool {
        let Some(peer) = self.table.get(ix) else {
            return false;
        };
        let ended = self.run == Run::Stopped || !involuntary;
        if ended || peer.bar() == Bar::HungUp || peer.banned().is_some() {
            return false;
        }
        if peer.pinned() {
            return true;
        }
        if peer.role() == Role::Bootstrap && self.connections.lost_alone() != Some(ix) {
            return false;
        }
        peer.possible(self.all())
            .iter()
            .any(|id| self.needs.deficit(id) > 0 && !self.candidates.any(id))
    }
}
