//! The reference of the bans (4.16): who is held out until when, who is remembered, and who makes room in a full table.
//!
//! The table is every record with something of a ban in it: slow, and obvious.

use libp2p_identity::PeerId;
use lightkeeper::manager::Config;

use crate::ledger::{Ledger, PeerRecord};

/// The numbers of 4.16.
#[derive(Debug)]
pub(crate) struct Rules {
    hold_ms: u64,
    cap_ms: u64,
    memory_ms: u64,
    most: usize,
    most_by_user: usize,
}

impl Rules {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            hold_ms: config.ban_ms,
            cap_ms: config.ban_cap_ms,
            memory_ms: config.ban_memory_ms,
            most: config.max_bans,
            most_by_user: config.max_user_bans,
        }
    }
}

impl PeerRecord {
    /// Held out, or remembered to have been.
    fn in_the_table(&self) -> bool {
        self.banned_by_user || self.banned_until.is_some() || self.remembered_until.is_some()
    }

    /// What outlasts being forgotten.
    pub(crate) fn bans_alone(&self) -> Self {
        Self {
            banned_by_user: self.banned_by_user,
            banned_until: self.banned_until,
            remembered_until: self.remembered_until,
            bans: self.bans,
            gone: true,
            ..Self::default()
        }
    }
}

impl Ledger {
    /// Whom something holds out.
    pub(crate) fn held_out(&self) -> usize {
        let now = self.now;
        self.peers.values().filter(|peer| peer.banned(now)).count()
    }

    /// Bans that are over are remembered for a while, and then no more.
    pub(crate) fn bans_end(&mut self) {
        let (now, memory) = (self.now, self.rules.memory_ms);
        for peer in self.peers.values_mut() {
            if let Some(at) = peer.banned_until.take_if(|at| *at <= now) {
                peer.remembered_until = Some(at.saturating_add(memory));
            }
            if peer.remembered_until.take_if(|at| *at <= now).is_some() {
                peer.bans = 0;
            }
        }
    }

    /// For good; refused when the user bans too many.
    pub(crate) fn banned_by_user(&mut self, peer: &PeerId) {
        let by_user = self.peers.values().filter(|peer| peer.banned_by_user);
        if self.peer(peer).banned_by_user || by_user.count() >= self.rules.most_by_user {
            return;
        }
        self.make_room(peer);
        let record = self.peers.entry(*peer).or_default();
        record.banned_by_user = true;
        (record.banned_until, record.remembered_until) = (None, None);
        record.requested = false;
    }

    /// Whatever holds it out does so no more; its faults are remembered.
    pub(crate) fn pardoned(&mut self, peer: &PeerId) {
        let (now, memory) = (self.now, self.rules.memory_ms);
        let record = self.peers.entry(*peer).or_default();
        if !record.banned_by_user && record.banned_until.is_none() {
            return;
        }
        record.banned_by_user = false;
        record.banned_until = None;
        record.remembered_until = (record.bans > 0).then(|| now.saturating_add(memory));
    }

    /// 30 minutes, 4 hours, 24 hours.
    pub(crate) fn banned_for_faults(&mut self, peer: &PeerId) {
        self.make_room(peer);
        let (now, first, cap) = (self.now, self.rules.hold_ms, self.rules.cap_ms);
        let record = self.peers.entry(*peer).or_default();
        let hold = first
            .saturating_mul(8_u64.saturating_pow(record.bans))
            .min(cap);
        record.bans += 1;
        record.banned_until = Some(now + hold);
        record.remembered_until = None;
        record.requested = false;
    }

    /// A full table forgets what is over first, then the automatic ban that ends first; never one of the user's.
    fn make_room(&mut self, newcomer: &PeerId) {
        let table = || {
            let all = self.peers.iter();
            all.filter(|(_, peer)| peer.in_the_table())
        };
        if self.peer(newcomer).in_the_table() || table().count() < self.rules.most {
            return;
        }
        let over = table().filter_map(|(id, peer)| Some((peer.remembered_until?, *id)));
        let held = table().filter_map(|(id, peer)| Some((peer.banned_until?, *id)));
        let Some((_, out)) = over.min().or(held.min()) else {
            return;
        };
        let record = self.peers.entry(out).or_default();
        (record.banned_until, record.remembered_until) = (None, None);
        record.bans = 0;
    }
}
