//! What the node is at, beside running or stopped (4.18): normal, paused, or in its initial sync.
//!
//! - *Normal*: everything that is needed.
//! - *Paused*: connections stay as they are and nobody is dialed. Only the limits and the connections' own ends still
//!   close something.
//! - *Sync*: one connection, and what the user holds; everything else goes, without a penalty. Nothing is scheduled but
//!   that one connection.
//!
//! A start or a stop leaves the mode normal.

use libp2p_identity::PeerId;

use crate::manager::book::peer::{Link, Peer};
use crate::manager::boundary::command::DialWhy;
use crate::manager::boundary::event::ConnId;
use crate::manager::boundary::reason::{LimitCause, Reason, Revocation};
use crate::manager::boundary::view::What;
use crate::manager::{Manager, Run};

/// The shortest time that connections may be told to live, in milliseconds: below it, all would be replaced all the
/// time.
const MIN_LIFETIME_MS: u64 = 60_000;

/// See the module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::manager) enum Mode {
    /// Everything that is needed.
    #[default]
    Normal,
    /// Connections stay, nobody is dialed.
    Paused,
    /// One connection, and no other scheduling.
    Sync {
        /// With whom, if the user said so.
        peer: Option<PeerId>,
        /// The connection that is used.
        kept: Option<ConnId>,
    },
}

impl Mode {
    /// Whether connections are made for needs and pins.
    pub(in crate::manager) fn dials(self) -> bool {
        self == Self::Normal
    }

    /// Whether it is the one connection of an initial sync.
    pub(in crate::manager) fn keeps(self, conn: ConnId) -> bool {
        matches!(self, Self::Sync { kept, .. } if kept == Some(conn))
    }

    /// Why a connection that the manager did not order is not made.
    pub(in crate::manager) fn refuses(self, whose: Option<PeerId>) -> Option<Reason> {
        match self {
            Self::Normal => None,
            Self::Paused => Some(Reason::Paused),
            Self::Sync {
                peer: Some(chosen),
                kept: None,
            } if whose == Some(chosen) => None,
            Self::Sync { .. } => Some(Reason::InitialSync),
        }
    }
}

impl Manager {
    pub(in crate::manager) fn on_pause(&mut self) {
        if self.run == Run::Running && self.mode == Mode::Normal {
            self.mode = Mode::Paused;
            self.cancel_all_dials();
        }
    }

    pub(in crate::manager) fn on_unpause(&mut self) {
        if self.mode == Mode::Paused {
            self.normal();
        }
    }

    pub(in crate::manager) fn on_start_sync(&mut self, peer: Option<PeerId>) {
        let ours = peer == Some(self.config.local);
        if self.run == Run::Stopped || ours {
            return;
        }
        self.cancel_all_dials();
        self.forget_evictions();
        self.mode = Mode::Sync { peer, kept: None };
        self.tell_limits();
    }

    pub(in crate::manager) fn on_stop_sync(&mut self) {
        if matches!(self.mode, Mode::Sync { .. }) {
            self.normal();
        }
    }

    pub(in crate::manager) fn on_set_lifetime(&mut self, ms: Option<u64>) {
        self.limits
            .set_lifetime(ms.map(|ms| ms.max(MIN_LIFETIME_MS)));
    }

    /// Back to normal, from whatever mode.
    pub(in crate::manager) fn normal(&mut self) {
        let before = core::mem::take(&mut self.mode);
        if matches!(before, Mode::Sync { .. }) {
            self.cancel_all_dials();
            self.forget_evictions();
            self.tell_limits();
        }
    }

    fn tell_limits(&mut self) {
        let normal = self.mode == Mode::Normal;
        let limit = |limit: usize| u16::try_from(limit).unwrap_or(u16::MAX);
        let what = What::Limits {
            soft: if normal { limit(self.limits.soft()) } else { 1 },
            hard: if normal { limit(self.limits.hard()) } else { 1 },
            why: LimitCause::Sync,
        };
        self.ring.push(self.now, what);
    }

    /// Chooses the one connection of an initial sync, and lets the others go.
    pub(in crate::manager) fn keep_one(&mut self) {
        let Mode::Sync { peer, kept } = self.mode else {
            return;
        };
        // Whom the user named is kept whatever it serves.
        let still = |conn: &ConnId| {
            self.connections.get(*conn).is_some_and(|open| {
                let of_use = peer.is_some() || open.verifying() || !open.serving.is_empty();
                open.is_open() && of_use
            })
        };
        let kept = kept.filter(still).or_else(|| self.best_for_sync(peer));
        self.mode = Mode::Sync { peer, kept };
        for conn in self.connections.ids() {
            let Some(open) = self.connections.get(conn).filter(|c| c.is_open()) else {
                continue;
            };
            let held = self.table.get(open.ix).is_some_and(Peer::held);
            if !held && kept != Some(conn) {
                self.evict(conn, Revocation::ModeChange, Reason::InitialSync, None);
            }
        }
    }

    /// The connection that the user named, or else the one that serves most, and best.
    fn best_for_sync(&self, chosen: Option<PeerId>) -> Option<ConnId> {
        let candidates = self.connections.open().filter_map(|(id, open)| {
            let peer = self.table.get(open.ix)?;
            let primary = peer.link() == Link::Connected(id);
            let wanted = match chosen {
                Some(chosen) => chosen == open.peer,
                None => open.verifying() || !open.serving.is_empty(),
            };
            let key = (
                open.serving.len(),
                peer.priority(),
                peer.score(self.now.mono_ms),
                core::cmp::Reverse(id),
            );
            (primary && wanted).then_some((key, id))
        });
        candidates.max().map(|(_, id)| id)
    }

    /// Whether the mode is what it must be.
    pub(in crate::manager) fn check_mode(&self) {
        match self.mode {
            Mode::Normal => {}
            Mode::Paused => assert!(self.dials.is_empty(), "nobody is dialed while paused (S2)"),
            Mode::Sync { .. } => {
                let others = self
                    .dials
                    .iter()
                    .filter(|(_, job)| job.why != DialWhy::Sync);
                assert_eq!(others.count(), 0, "an initial sync dials for itself alone");
            }
        }
        if self.run == Run::Stopped {
            assert_eq!(self.mode, Mode::Normal);
        }
    }
}
