//! What outlives the process (4.11): the peers that served, and the bans.
//!
//! Owns what a restore left to be done: who is dialed first, and what peers served that nobody asks for yet. The bytes
//! are `saved`'s.

use litemap::LiteMap;

use crate::manager::book::attempts::{Attempts, Reach};
use crate::manager::book::bans::{Ban, Hold};
use crate::manager::book::peer::{Link, Peer, Role};
use crate::manager::book::saved::{
    MAX_ENTRIES, MAX_NAME, MAX_ROUTES, Saved, SavedBan, SavedHold, SavedPeer, SavedService,
};
use crate::manager::book::score::fade;
use crate::manager::boundary::command::{DialWhy, Notice};
use crate::manager::boundary::event::{ConnId, RequirementId, Source};
use crate::manager::tools::services::Services;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, SnapshotError};

/// Peers of one netgroup: more would bring whoever owns it back as a whole.
const PER_GROUP: usize = 2;
/// Peers that are dialed before all others.
const ANCHORS: usize = 2;
const DAY_MS: u64 = 24 * 3_600_000;
/// Who did not serve for this long is not taken back.
const MAX_AGE_MS: u64 = 30 * DAY_MS;
/// Half-life of a saved quality, by the wall clock.
const HALF_LIFE_MS: u64 = 7 * DAY_MS;
/// The age of everything when the wall clock can't be trusted.
const UNKNOWN_AGE_MS: u64 = 7 * DAY_MS;

/// What a restore brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Peers that are known now.
    pub peers: u32,
    /// Bans that hold or are remembered.
    pub bans: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct LastSession {
    /// What each peer served, as far as it was not seen again.
    served: LiteMap<Ix, Vec<SavedService>>,
    anchors: Vec<Ix>,
}

impl LastSession {
    /// Nothing is remembered of a peer any more.
    pub(in crate::manager) fn forget(&mut self, ix: Ix) {
        self.served.remove(&ix);
        self.anchors.retain(|anchor| *anchor != ix);
    }

    /// Whether the bounds hold (R1).
    pub(in crate::manager) fn check(&self) {
        assert!(self.anchors.len() <= ANCHORS && self.served.len() <= MAX_ENTRIES);
    }
}

impl Manager {
    /// What should outlive the process, as bytes of a form of our own: at most `max_bytes`, and never more than 79 KiB, of
    /// which 47 are there for as many bans as the user may make.
    ///
    /// Up to 64 peers that served and are no bootstrap peers, the most useful first and no more than two of a netgroup,
    /// with the addresses at which they were reached; and the bans, those of the user's before everything else.
    pub fn snapshot(&self, max_bytes: usize) -> Vec<u8> {
        let saved = Saved {
            saved_at: self.now.wall_ms,
            peers: self.saved_peers(),
            bans: self.saved_bans(),
        };
        saved.encode(max_bytes)
    }

    /// Takes back what an earlier [`Self::snapshot`] kept. To be called before [`Event::Start`](crate::manager::Event::Start): the
    /// peers then get the head start of the first rung.
    ///
    /// What the peers served comes back as claims, and is verified like any other. A ban is never shortened.
    ///
    /// # Errors
    ///
    /// The bytes are no snapshot, or a damaged one. Nothing of them is used then.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<Restored, SnapshotError> {
        let saved = Saved::decode(bytes)?;
        let mut restored = Restored::default();
        // A clock that went backwards says nothing of how much time passed.
        let elapsed = self.now.wall_ms.checked_sub(saved.saved_at);
        for ban in &saved.bans {
            restored.bans += u32::from(self.restore_ban(ban, elapsed.unwrap_or(0)));
        }
        for peer in saved.peers {
            let age = match self.now.wall_ms.checked_sub(peer.served_at) {
                Some(age) if elapsed.is_some() => age,
                Some(_) | None => UNKNOWN_AGE_MS,
            };
            if age <= MAX_AGE_MS {
                restored.peers += u32::from(self.restore_peer(peer, age));
            }
        }
        Ok(restored)
    }

    fn saved_peers(&self) -> Vec<SavedPeer> {
        let now = self.now.mono_ms;
        let anchors = self.anchors_of_now();
        let mut served: Vec<(Ix, &Peer)> = self
            .table
            .iter()
            .filter(|(_, peer)| {
                let reached = peer.routes().iter().any(|route| route.verified);
                peer.history().served_wall_ms.is_some() && reached && peer.banned().is_none()
            })
            .filter(|(_, peer)| peer.role() != Role::Bootstrap)
            .collect();
        // In the order of the table before, and so among equals.
        served.sort_by_key(|(ix, peer)| {
            core::cmp::Reverse((
                peer.pinned(),
                anchors.contains(ix),
                self.serves_now(peer),
                peer.priority(),
                peer.score(now),
                peer.history().served_wall_ms,
            ))
        });
        let mut groups: LiteMap<u64, usize> = LiteMap::new();
        let mut chosen = Vec::new();
        for (ix, peer) in served {
            let Some(route) = peer.routes().best() else {
                continue;
            };
            let before = groups.get(&route.group).copied().unwrap_or(0);
            if before >= PER_GROUP {
                continue;
            }
            groups.insert(route.group, before + 1);
            chosen.push(self.saved_peer(ix, peer, anchors.contains(&ix)));
            if chosen.len() == MAX_ENTRIES {
                break;
            }
        }
        chosen
    }

    fn saved_peer(&self, ix: Ix, peer: &Peer, anchor: bool) -> SavedPeer {
        let routes = peer.routes().iter().filter(|route| route.verified);
        let served_at = if self.serves_now(peer) {
            self.now.wall_ms
        } else {
            peer.history().served_wall_ms.unwrap_or(0)
        };
        SavedPeer {
            peer: peer.id(),
            pinned: peer.pinned(),
            anchor,
            served_at,
            reach: peer.attempts().reach().parts(),
            rtt: peer.rtt_ms().map_or(0, |ms| ms.max(1).ilog2() as u8 + 1),
            routes: routes
                .take(MAX_ROUTES)
                .map(|route| route.address.clone())
                .collect(),
            services: self.saved_services(ix, peer),
        }
    }

    /// What it was seen to serve; and what it served in an earlier session, as far as nobody looked since.
    fn saved_services(&self, ix: Ix, peer: &Peer) -> Vec<SavedService> {
        let now = self.now.mono_ms;
        let seen = peer.verified().map(|_| peer.capabilities());
        let mut services: Vec<SavedService> = seen
            .unwrap_or_default()
            .iter()
            .filter_map(|id| {
                Some(SavedService {
                    name: self.needs.name(id)?.to_owned(),
                    quality: peer.quality(id, now),
                })
            })
            .collect();
        for service in self.last_session.served.get(&ix).into_iter().flatten() {
            let known = self.needs.named(&service.name);
            let looked = known.is_some() && seen.is_some();
            if !looked {
                let quality = known.map_or(service.quality, |id| peer.quality(id, now));
                let name = service.name.clone();
                services.push(SavedService { name, quality });
            }
        }
        services.retain(|service| service.name.len() <= MAX_NAME);
        services.truncate(Services::CAPACITY);
        services
    }

    fn saved_bans(&self) -> Vec<SavedBan> {
        let now = self.now.mono_ms;
        let mut bans: Vec<SavedBan> = self
            .bans
            .iter()
            .map(|(peer, ban)| SavedBan {
                peer: *peer,
                hold: match ban.hold {
                    Hold::User => SavedHold::User,
                    Hold::Until(at) => SavedHold::Until(at.saturating_sub(now)),
                    Hold::Over(at) => SavedHold::Over(at.saturating_sub(now)),
                },
                times: ban.times,
            })
            .collect();
        // What does not fit is left out from the end: first what is over, last what the user wants.
        bans.sort_by_key(|ban| {
            core::cmp::Reverse(match ban.hold {
                SavedHold::User => (2, 0),
                SavedHold::Until(left) => (1, left),
                SavedHold::Over(left) => (0, left),
            })
        });
        bans
    }

    /// Those that have served longest, of netgroups of their own.
    fn anchors_of_now(&self) -> Vec<Ix> {
        let mut serving: Vec<(u64, ConnId, Ix, u64)> = self
            .connections
            .open()
            .filter(|(_, conn)| !conn.serving.is_empty())
            .filter_map(|(id, conn)| {
                let peer = self.table.get(conn.ix)?;
                let ordinary = peer.role() != Role::Bootstrap;
                let group = peer.routes().best()?.group;
                ordinary.then_some((conn.opened_at, id, conn.ix, group))
            })
            .collect();
        serving.sort_unstable();
        let mut anchors: Vec<(Ix, u64)> = Vec::new();
        for (_, _, ix, group) in serving {
            if anchors.len() < ANCHORS && anchors.iter().all(|(_, of)| *of != group) {
                anchors.push((ix, group));
            }
        }
        anchors.into_iter().map(|(ix, _)| ix).collect()
    }

    fn serves_now(&self, peer: &Peer) -> bool {
        match peer.link() {
            Link::Connected(conn) => {
                let conn = self.connections.get(conn);
                conn.is_some_and(|conn| !conn.serving.is_empty())
            }
            Link::Idle | Link::Dialing => false,
        }
    }

    fn restore_ban(&mut self, saved: &SavedBan, elapsed: u64) -> bool {
        let now = self.now.mono_ms;
        let memory = self.config.ban_memory_ms;
        let hold = match saved.hold {
            SavedHold::User => Hold::User,
            SavedHold::Until(left) => {
                let left = left.min(self.config.ban_cap_ms);
                if left > elapsed {
                    Hold::Until(now.saturating_add(left - elapsed))
                } else {
                    let over = memory.saturating_sub(elapsed - left);
                    Hold::Over(now.saturating_add(over))
                }
            }
            SavedHold::Over(left) => {
                let left = left.min(memory).saturating_sub(elapsed);
                Hold::Over(now.saturating_add(left))
            }
        };
        if hold == Hold::Over(now) || saved.peer == self.config.local {
            return false;
        }
        let times = saved.times;
        self.ban_again(saved.peer, Ban { hold, times })
    }

    fn restore_peer(&mut self, saved: SavedPeer, age_ms: u64) -> bool {
        let now = self.now.mono_ms;
        let peer = saved.peer;
        if peer == self.config.local {
            return false;
        }
        let Some(ix) = self.find_or_insert(peer, Source::Saved, None) else {
            return false;
        };
        let named: Vec<(RequirementId, i16)> = saved
            .services
            .iter()
            .filter_map(|service| {
                let id = self.needs.named(&service.name)?;
                Some((id, service.quality))
            })
            .collect();
        let fits = !self.pins.is_full_for(ix, self.limits.pins());
        let limit = self.config.max_routes;
        let Some(record) = self.table.get_mut(ix) else {
            return false;
        };
        *record.attempts_mut() = Attempts::saved(Reach::of(saved.reach.0, saved.reach.1));
        record.history_mut().rtt_ms = saved
            .rtt
            .checked_sub(1)
            .and_then(|log| 1_u32.checked_shl(log.into()));
        record.has_served(self.now.wall_ms.saturating_sub(age_ms));
        for route in &saved.routes {
            record.routes_mut().verified(route, limit, &self.seed);
        }
        for (id, quality) in named {
            record.recall(id, fade(quality, age_ms, HALF_LIFE_MS), now);
        }
        let claims = record.claims().iter().collect();
        if saved.pinned && fits && record.banned().is_none() {
            record.pin(true);
            self.pins.hold(ix, true);
        }
        if saved.anchor && self.last_session.anchors.len() < ANCHORS {
            self.last_session.anchors.push(ix);
        }
        let faded = saved.services.into_iter().map(|service| SavedService {
            quality: fade(service.quality, age_ms, HALF_LIFE_MS),
            ..service
        });
        if self.last_session.served.len() < MAX_ENTRIES {
            self.last_session.served.insert(ix, faded.collect());
        }
        self.table.reached(ix);
        self.table.regroup(ix);
        self.refresh(ix);
        self.out.tell(Notice::Discovered {
            peer,
            source: Source::Saved,
            claims,
        });
        true
    }

    /// A requirement of this name exists from now on: whoever served it in an earlier session is said to serve it.
    pub(in crate::manager) fn recall(&mut self, requirement: RequirementId) {
        let now = self.now.mono_ms;
        let Some(name) = self.needs.name(requirement) else {
            return;
        };
        let served: Vec<(Ix, i16)> = self
            .last_session
            .served
            .iter()
            .filter_map(|(ix, services)| {
                let mut named = services.iter().filter(|service| service.name == name);
                named.next().map(|service| (*ix, service.quality))
            })
            .collect();
        for (ix, quality) in served {
            if let Some(peer) = self.table.get_mut(ix) {
                peer.recall(requirement, quality, now);
                self.refresh(ix);
            }
        }
    }

    /// Those that served longest in the last session come before all others, once (rung 1 of 4.11).
    pub(in crate::manager) fn dial_anchors(&mut self) {
        for ix in core::mem::take(&mut self.last_session.anchors) {
            let Some(peer) = self.table.get(ix) else {
                continue;
            };
            let mut wanted = peer.possible(self.all()).iter();
            let wanted = wanted.find(|id| self.needs.deficit(*id) > 0);
            if let Some(requirement) = wanted {
                // Who can't be dialed now is a candidate like all others.
                let _ = self.dial(ix, DialWhy::Need(requirement));
            }
        }
    }
}
