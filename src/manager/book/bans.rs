//! Who may not connect (4.16).
//!
//! Owns the bans, apart from the records of peers: a ban outlasts the record, so that nobody is washed clean by being
//! forgotten. What is kept of a peer's ban is a copy that [`Manager::note_ban`] makes.

use libp2p_identity::PeerId;
use litemap::LiteMap;

use crate::manager::Manager;
use crate::manager::boundary::command::{Notice, WishAnswer};
use crate::manager::boundary::config::Config;
use crate::manager::boundary::reason::{Reason, Revocation};
use crate::manager::boundary::view::What;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::slot::Ix;

/// Each automatic ban is this many times longer than the one before: 30 min, 4 h, 24 h (4.16).
const LONGER: u64 = 8;
/// Bans that end in one input: the rest follows with the next wake-up.
const ENDED_AT_ONCE: usize = 128;

/// What holds a peer out. Times are monotonic milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Hold {
    /// The user, until they say otherwise.
    User,
    /// Its own faults, until then.
    Until(u64),
    /// Nothing any more; it is remembered until then that it was banned.
    Over(u64),
}

/// One ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Ban {
    pub(in crate::manager) hold: Hold,
    /// Automatic bans so far.
    pub(in crate::manager) times: u8,
}

/// See the module. Bounded: the automatic ban that ends first makes room, those that are over before all others, and
/// never one of the user's.
#[derive(Debug, Default)]
pub(in crate::manager) struct Bans {
    list: LiteMap<PeerId, Ban>,
}

impl Bans {
    /// How many peers are held out.
    pub(in crate::manager) fn len(&self) -> usize {
        let over = |ban: &&Ban| matches!(ban.hold, Hold::Over(_));
        self.list.len() - self.list.values().filter(over).count()
    }

    fn users(&self) -> usize {
        let users = self.list.values().filter(|ban| ban.hold == Hold::User);
        users.count()
    }

    /// Why a peer is held out, if it is.
    pub(in crate::manager) fn of(&self, peer: &PeerId) -> Option<Reason> {
        match self.list.get(peer)?.hold {
            Hold::User => Some(Reason::BannedByUser),
            Hold::Until(_) => Some(Reason::BannedForFaults),
            Hold::Over(_) => None,
        }
    }

    /// When the ban ends, if it does by itself.
    pub(in crate::manager) fn until(&self, peer: &PeerId) -> Option<u64> {
        match self.list.get(peer)?.hold {
            Hold::Until(at) => Some(at),
            Hold::User | Hold::Over(_) => None,
        }
    }

    /// Every entry, in the order of ids.
    pub(in crate::manager) fn iter(&self) -> impl Iterator<Item = (&PeerId, &Ban)> {
        self.list.iter()
    }

    /// Bans for good.
    pub(in crate::manager) fn by_user(&mut self, config: &Config, peer: PeerId) -> Banning {
        if self.users() >= config.max_user_bans {
            return Banning::Refused;
        }
        let times = self.list.get(&peer).map_or(0, |ban| ban.times);
        let hold = Hold::User;
        Banning::Banned(self.put(config, peer, Ban { hold, times }))
    }

    /// Bans for a while, longer with each repetition.
    pub(in crate::manager) fn automatic(
        &mut self,
        config: &Config,
        now: u64,
        peer: PeerId,
    ) -> Banning {
        let before = self.list.get(&peer).copied();
        if before.is_some_and(|ban| !matches!(ban.hold, Hold::Over(_))) {
            return Banning::Refused;
        }
        let times = before.map_or(0, |ban| ban.times);
        let wait = config
            .ban_ms
            .saturating_mul(LONGER.saturating_pow(u32::from(times)))
            .min(config.ban_cap_ms);
        let ban = Ban {
            hold: Hold::Until(now.saturating_add(wait)),
            times: times.saturating_add(1),
        };
        Banning::Banned(self.put(config, peer, ban))
    }

    /// Puts a ban of an earlier session back. It never shortens one that holds (S3).
    pub(in crate::manager) fn again(
        &mut self,
        config: &Config,
        peer: PeerId,
        saved: Ban,
    ) -> Banning {
        let before = self.list.get(&peer).copied();
        let stronger = match (before.map(|ban| ban.hold), saved.hold) {
            (None | Some(Hold::Over(_)), _) => true,
            (Some(Hold::Until(at)), Hold::Until(until)) => until > at,
            (Some(Hold::Until(_)), Hold::User) => true,
            (Some(_), _) => false,
        };
        let times = saved.times.max(before.map_or(0, |ban| ban.times));
        if !stronger {
            return Banning::Refused;
        }
        if saved.hold == Hold::User && self.users() >= config.max_user_bans {
            return Banning::Refused;
        }
        let hold = saved.hold;
        Banning::Banned(self.put(config, peer, Ban { hold, times }))
    }

    /// Lifts what holds a peer out; whether something did.
    pub(in crate::manager) fn lift(&mut self, config: &Config, now: u64, peer: &PeerId) -> bool {
        let Some(ban) = self.list.get_mut(peer) else {
            return false;
        };
        if matches!(ban.hold, Hold::Over(_)) {
            return false;
        }
        ban.hold = Hold::Over(now.saturating_add(config.ban_memory_ms));
        if ban.times == 0 {
            self.list.remove(peer);
        }
        true
    }

    /// Writes an entry. Returns whose made room for it.
    fn put(&mut self, config: &Config, peer: PeerId, ban: Ban) -> Option<PeerId> {
        let full = self.list.len() >= config.max_bans && self.list.get(&peer).is_none();
        let out = if full { self.first_to_end() } else { None };
        if let Some(out) = &out {
            self.list.remove(out);
        }
        self.list.insert(peer, ban);
        out
    }

    /// The automatic entry that ends first; those that are over before all that hold.
    fn first_to_end(&self) -> Option<PeerId> {
        self.list
            .iter()
            .filter_map(|(peer, ban)| match ban.hold {
                Hold::Over(at) => Some(((false, at), peer)),
                Hold::Until(at) => Some(((true, at), peer)),
                Hold::User => None,
            })
            .min()
            .map(|(_, peer)| *peer)
    }

    /// When something ends next.
    fn next(&self) -> Option<u64> {
        self.list
            .values()
            .filter_map(|ban| match ban.hold {
                Hold::Until(at) | Hold::Over(at) => Some(at),
                Hold::User => None,
            })
            .min()
    }

    /// Ends what is due. Returns whose ban is over.
    fn end(&mut self, config: &Config, now: u64) -> Vec<PeerId> {
        let due: Vec<PeerId> = self
            .list
            .iter()
            .filter(|(_, ban)| match ban.hold {
                Hold::Until(at) | Hold::Over(at) => at <= now,
                Hold::User => false,
            })
            .map(|(peer, _)| *peer)
            .take(ENDED_AT_ONCE)
            .collect();
        let mut free = Vec::new();
        for peer in due {
            let Some(ban) = self.list.get_mut(&peer) else {
                continue;
            };
            match ban.hold {
                Hold::Until(at) => {
                    ban.hold = Hold::Over(at.saturating_add(config.ban_memory_ms));
                    free.push(peer);
                }
                Hold::Over(_) => {
                    self.list.remove(&peer);
                }
                Hold::User => {}
            }
        }
        free
    }

    /// Whether the bounds hold (R1).
    pub(in crate::manager) fn check(&self, config: &Config) {
        assert!(self.list.len() <= config.max_bans);
        assert!(self.users() <= config.max_user_bans);
    }
}

/// What became of a ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Banning {
    /// It holds, and who made room for it.
    Banned(Option<PeerId>),
    /// There is one already, or the user has banned too many.
    Refused,
}

impl Manager {
    /// The user bans a peer, or is told that there are too many.
    pub(in crate::manager) fn ban_by_user(&mut self, peer: PeerId) -> WishAnswer {
        if self.bans.of(&peer) == Some(Reason::BannedByUser) {
            return WishAnswer::Unchanged;
        }
        match self.bans.by_user(&self.config, peer) {
            Banning::Banned(out) => {
                self.note_bans(out);
                self.shut_out(peer, Reason::BannedByUser);
                WishAnswer::Granted
            }
            Banning::Refused => WishAnswer::Refused(Reason::LimitReached),
        }
    }

    /// A peer's own faults ban it.
    pub(in crate::manager) fn ban_for_faults(&mut self, ix: Ix) {
        let now = self.now.mono_ms;
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        peer.history_mut().faults = 0;
        let id = peer.id();
        let address = match self.connections.of(ix).next() {
            Some((_, conn)) => Some(conn.route.clone()),
            None => peer.routes().best().map(|route| route.address.clone()),
        };
        let Banning::Banned(out) = self.bans.automatic(&self.config, now, id) else {
            return;
        };
        self.note_bans(out);
        self.shut_out(id, Reason::BannedForFaults);
        if let Some(address) = address {
            self.banned_at(&address);
        }
    }

    /// The user lifts what holds a peer out; whether something did.
    pub(in crate::manager) fn lift_ban(&mut self, peer: &PeerId) -> bool {
        let lifted = self.bans.lift(&self.config, self.now.mono_ms, peer);
        if lifted {
            self.note_bans([*peer]);
            self.arm_bans(0);
        }
        lifted
    }

    /// A ban of an earlier session holds again; whether it does.
    pub(in crate::manager) fn ban_again(&mut self, peer: PeerId, ban: Ban) -> bool {
        let Banning::Banned(out) = self.bans.again(&self.config, peer, ban) else {
            return false;
        };
        self.note_bans(out);
        self.note_bans([peer]);
        self.arm_bans(0);
        true
    }

    /// What holds these out, or no longer does, is noted in their records, if there are any.
    fn note_bans(&mut self, peers: impl IntoIterator<Item = PeerId>) {
        for peer in peers {
            if let Some(ix) = self.table.find(&peer) {
                self.note_ban(ix);
            }
        }
    }

    /// The bans that are due end: the one place where a ban ends by itself.
    pub(in crate::manager) fn bans_over(&mut self) {
        let now = self.now.mono_ms;
        let over = self.bans.end(&self.config, now);
        self.note_bans(over);
        // What did not fit into this input is due in the next millisecond.
        self.arm_bans(now.saturating_add(1));
    }

    fn arm_bans(&mut self, earliest: u64) {
        let next = self.bans.next().map(|at| at.max(earliest));
        self.deadlines.put(Timer::Bans, next);
    }

    /// Copies into a peer's record what the table of bans says, and places it anew.
    pub(in crate::manager) fn note_ban(&mut self, ix: Ix) {
        self.copy_ban(ix);
        self.refresh(ix);
    }

    /// Copies into a peer's record what the table of bans says.
    pub(in crate::manager) fn copy_ban(&mut self, ix: Ix) {
        let now = self.now.mono_ms;
        let Some(peer) = self.table.get_mut(ix) else {
            return;
        };
        let ban = self.bans.of(&peer.id());
        let until = match ban {
            Some(_) => self.bans.until(&peer.id()).unwrap_or(u64::MAX),
            None => now,
        };
        peer.set_ban(ban, until, now);
    }

    /// Takes a peer out at once, in this very input (S3), and says so. A full table may have no record of it.
    fn shut_out(&mut self, peer: PeerId, reason: Reason) {
        self.arm_bans(0);
        if let Some(ix) = self.table.find(&peer) {
            // Nobody holds it by the time that its place is decided.
            self.let_go(ix);
            self.note_ban(ix);
            self.cancel_dial(ix);
            let conns: Vec<_> = self.connections.of(ix).map(|(id, _)| id).collect();
            for conn in conns {
                self.revoke_locks(conn, Revocation::Ban);
                self.close(conn, reason);
            }
            if let Some(record) = self.table.get_mut(ix) {
                record.note(Some(reason));
            }
        }
        self.ring.push(self.now, What::Banned { peer, reason });
        self.out.tell(Notice::Banned { peer, reason });
    }
}
