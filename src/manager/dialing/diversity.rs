//! Nobody alone decides whom we are connected to (4.15): caps on the connections to one subnet, to one netgroup, and
//! to peers that one other named; and of one requirement's providers at most half, rounded up, from one netgroup while
//! somebody of another is known (4.3, spread).
//!
//! Owns nothing: a connection and a dial know where they lead, and the table knows how many networks there are. The caps
//! bind newcomers whom third parties named, at the address where they are dialed. Whom the user names, holds, or takes
//! from a signed tree is let in, and counts. They ask for no more variety than there is: each of the known networks has
//! its part of the soft target, down to the caps of 4.15 where enough of them are known; as long as hardly anybody is
//! known there is no choice to make. Where a minimum can't be met otherwise, they are twice as wide, and that is reported
//! (S15).

use crate::manager::Manager;
use crate::manager::book::peer::{Peer, Role};
use crate::manager::book::route::Route;
use crate::manager::boundary::event::{ConnId, RequirementId};
use crate::manager::boundary::view::What;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::services::{Services, WHOLE};
use crate::manager::tools::slot::Ix;

/// Whether the caps leave room for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Variety {
    /// They do.
    Within,
    /// The wider caps do, and it may serve what has no minimum of providers.
    Relaxed,
    /// They do not.
    Over,
}

/// How many of each there may be.
#[derive(Debug, Clone, Copy)]
struct Caps {
    subnet: usize,
    group: usize,
    introducer: usize,
}

impl Caps {
    fn wider(self) -> Self {
        Self {
            subnet: self.subnet * 2,
            group: self.group * 2,
            introducer: self.introducer * 2,
        }
    }

    fn admit(self, there: Self) -> bool {
        there.subnet < self.subnet && there.group < self.group && there.introducer < self.introducer
    }
}

/// Somebody who is connected or being dialed: where, who named it, and what it serves or is expected to.
#[derive(Debug, Clone, Copy)]
struct Somebody {
    group: u64,
    subnet: u64,
    introducer: Option<u64>,
    services: Services,
}

/// Everybody who is connected or being dialed, as far as variety looks at them.
#[derive(Debug)]
pub(in crate::manager) struct Census {
    all: Vec<Somebody>,
    /// `None`: nobody is refused.
    caps: Option<Caps>,
}

impl Census {
    /// Whether nobody of this netgroup is connected or being dialed.
    pub(in crate::manager) fn is_new(&self, group: u64) -> bool {
        self.all.iter().all(|there| there.group != group)
    }

    /// How many of a netgroup serve a requirement, or are expected to.
    pub(in crate::manager) fn providers_in(&self, group: u64, id: RequirementId) -> usize {
        let there = self.all.iter();
        there
            .filter(|there| there.group == group && there.services.contains(id))
            .count()
    }

    fn there(&self, group: u64, subnet: u64, introducer: Option<u64>) -> Caps {
        let mut there = Caps {
            subnet: 0,
            group: 0,
            introducer: 0,
        };
        for other in &self.all {
            there.subnet += usize::from(other.subnet == subnet);
            there.group += usize::from(other.group == group);
            let same = introducer.is_some() && other.introducer == introducer;
            there.introducer += usize::from(same);
        }
        there
    }
}

impl Manager {
    /// Everybody who is connected or being dialed.
    pub(in crate::manager) fn census(&self) -> Census {
        let introducer = |ix: Ix| self.table.get(ix).and_then(|peer| peer.introducer());
        let connections = self.connections.iter().map(|(_, conn)| Somebody {
            group: conn.group,
            subnet: conn.subnet,
            introducer: introducer(conn.ix),
            services: conn.serving.union(conn.cover.whole),
        });
        let dials = self.dials.iter().map(|(ix, dial)| Somebody {
            group: dial.route.group,
            subnet: dial.route.subnet,
            introducer: introducer(ix),
            services: dial.cover.whole,
        });
        Census {
            all: connections.chain(dials).collect(),
            caps: self.caps(),
        }
    }

    fn caps(&self) -> Option<Caps> {
        let target = self.limits.soft();
        if self.table.len() <= self.config.small_network {
            return None;
        }
        /// Networks that share the target when enough are known.
        const NETWORKS: usize = 4;
        let part = |known: usize| target.div_ceil(known.max(1)).max(2);
        let groups = self.table.counts().groups();
        Some(Caps {
            subnet: part(groups),
            group: part(groups.min(NETWORKS)),
            introducer: part(self.table.counts().introducers().min(2)),
        })
    }

    /// Whether the caps leave room for a peer at an address, next to those of the census.
    pub(in crate::manager) fn variety(
        &self,
        peer: &Peer,
        route: &Route,
        purpose: Purpose,
        census: &Census,
    ) -> Variety {
        // Third parties alone speak for it.
        let bound = peer.role() == Role::Ordinary && !peer.pinned() && purpose != Purpose::Asked;
        let Some(caps) = census.caps.filter(|_| bound) else {
            return Variety::Within;
        };
        let there = census.there(route.group, route.subnet, peer.introducer());
        if caps.admit(there) {
            Variety::Within
        } else if caps.wider().admit(there) && self.may_relax(peer) {
            Variety::Relaxed
        } else {
            Variety::Over
        }
    }

    /// Whether a peer may serve what has less than its minimum, with all that is on its way.
    fn may_relax(&self, peer: &Peer) -> bool {
        peer.possible(self.all()).iter().any(|id| {
            self.needs.need(id).is_some_and(|need| {
                let over = u32::from(need.target.saturating_sub(need.min)) * WHOLE;
                self.needs.deficit(id) > over
            })
        })
    }

    /// Whether a netgroup has its share of a requirement's providers, with those who are on their way (4.3, spread). Where
    /// one provider is enough there is nothing to spread.
    pub(in crate::manager) fn has_its_share(
        &self,
        census: &Census,
        group: u64,
        id: RequirementId,
    ) -> bool {
        let target = self.needs.need(id).map_or(0, |need| need.target);
        target >= 2 && census.providers_in(group, id) >= share(target)
    }

    /// How many providers of a requirement count, of one netgroup no more than its share (4.3, spread); the same without
    /// one of them.
    pub(in crate::manager) fn covered(&self, id: RequirementId, without: Option<ConnId>) -> usize {
        let providers = self.needs.providers(id).iter();
        let there = providers.filter(|provider| without != Some(provider.conn));
        self.covered_by(id, there.map(|provider| provider.group))
    }

    /// The same if its providers were of these netgroups.
    pub(in crate::manager) fn covered_by(
        &self,
        id: RequirementId,
        groups: impl Iterator<Item = u64>,
    ) -> usize {
        let target = self.needs.need(id).map_or(0, |need| need.target);
        let share = if target >= 2 {
            share(target)
        } else {
            usize::MAX
        };
        let mut counted: Vec<u64> = Vec::new();
        for group in groups {
            if counted.iter().filter(|of| **of == group).count() < share {
                counted.push(group);
            }
        }
        counted.len()
    }

    /// A peer is about to be dialed beyond the caps.
    pub(in crate::manager) fn report_relaxed(&mut self, ix: Ix) {
        if let Some(peer) = self.table.get(ix).map(|peer| peer.id()) {
            self.ring.push(self.now, What::Relaxed { peer });
        }
    }
}

/// Of one netgroup: half of the target, rounded up.
fn share(target: u8) -> usize {
    usize::from(target.div_ceil(2))
}
