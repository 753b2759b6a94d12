//! Nobody alone decides whom we are connected to (4.15): caps on the connections to one subnet, to one netgroup, and
//! to peers that one other named.
//!
//! Owns nothing: a connection and a dial know where they lead, and the table knows how many networks there are. The caps
//! bind newcomers whom third parties named. Whom the user names, holds, or takes from a signed tree is let in, and
//! counts. They ask for no more variety than there is: each of the known networks has its part of the soft target, down
//! to the caps of 4.15 where enough of them are known; as long as hardly anybody is known there is no choice to make.
//! Where a minimum can't be met otherwise, they are twice as wide, and that is reported (S15).

use crate::manager::Manager;
use crate::manager::book::peer::{Peer, Role};
use crate::manager::boundary::event::RequirementId;
use crate::manager::boundary::view::What;
use crate::manager::tools::slot::Ix;

/// Whether somebody may be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Admission {
    /// The caps leave room.
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

/// Where a connection or a dial leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Place {
    pub(in crate::manager) group: u64,
    pub(in crate::manager) subnet: u64,
    pub(in crate::manager) introducer: Option<u64>,
}

/// Everybody who is connected or dialed, as far as the caps look at them.
#[derive(Debug)]
pub(in crate::manager) struct Census {
    places: Vec<Place>,
    /// `None`: nobody is refused.
    caps: Option<Caps>,
}

impl Census {
    fn admission(&self, place: Place, may_relax: bool) -> Admission {
        let Some(caps) = self.caps else {
            return Admission::Within;
        };
        let mut there = Caps {
            subnet: 0,
            group: 0,
            introducer: 0,
        };
        for other in &self.places {
            there.subnet += usize::from(other.subnet == place.subnet);
            there.group += usize::from(other.group == place.group);
            let same = place.introducer.is_some() && other.introducer == place.introducer;
            there.introducer += usize::from(same);
        }
        if caps.admit(there) {
            Admission::Within
        } else if may_relax && caps.wider().admit(there) {
            Admission::Relaxed
        } else {
            Admission::Over
        }
    }
}

impl Manager {
    /// Everybody who is connected or dialed.
    pub(in crate::manager) fn census(&self) -> Census {
        let caps = self.caps();
        let mut places = Vec::new();
        if caps.is_some() {
            let introducer = |ix: Ix| self.table.get(ix).and_then(|peer| peer.introducer);
            places.extend(self.connections.iter().map(|(_, conn)| Place {
                group: conn.group,
                subnet: conn.subnet,
                introducer: introducer(conn.ix),
            }));
            places.extend(self.dials.iter().filter_map(|(ix, job)| {
                let (group, subnet) = job.place()?;
                let introducer = introducer(ix);
                Some(Place {
                    group,
                    subnet,
                    introducer,
                })
            }));
        }
        Census { places, caps }
    }

    fn caps(&self) -> Option<Caps> {
        let target = self.limits.soft();
        if self.table.len() <= self.config.small_network {
            return None;
        }
        /// Networks that share the target when enough are known.
        const NETWORKS: usize = 4;
        let part = |known: usize| target.div_ceil(known.max(1)).max(2);
        let groups = self.table.crowds.groups();
        Some(Caps {
            subnet: part(groups),
            group: part(groups.min(NETWORKS)),
            introducer: part(self.table.crowds.introducers().min(2)),
        })
    }

    /// Whether a peer may be connected to, next to those of the census.
    pub(in crate::manager) fn admission(&self, census: &Census, peer: &Peer) -> Admission {
        match peer.routes.best() {
            Some(route) => self.admits(census, peer, route.group, route.subnet),
            None => Admission::Within,
        }
    }

    /// The same, where its address is known.
    pub(in crate::manager) fn admits(
        &self,
        census: &Census,
        peer: &Peer,
        group: u64,
        subnet: u64,
    ) -> Admission {
        if census.caps.is_none() || !bound_by_caps(peer) {
            return Admission::Within;
        }
        let place = Place {
            group,
            subnet,
            introducer: peer.introducer,
        };
        let mut possible = peer.possible(self.all()).iter();
        let may_relax = possible.any(|id| self.below_minimum(id));
        census.admission(place, may_relax)
    }

    /// Whether a requirement has less than its minimum, with all that is on its way.
    fn below_minimum(&self, id: RequirementId) -> bool {
        let Some(need) = self.needs.need(id) else {
            return false;
        };
        let over = u32::from(need.target.saturating_sub(need.min))
            * crate::manager::tools::services::WHOLE;
        self.needs.deficit(id) > over
    }

    /// A peer is about to be dialed beyond the caps.
    pub(in crate::manager) fn report_relaxed(&mut self, ix: Ix) {
        if let Some(peer) = self.table.get(ix).map(|peer| peer.id) {
            self.ring.push(self.now, What::Relaxed { peer });
        }
    }
}

/// Whether third parties alone speak for a peer.
fn bound_by_caps(peer: &Peer) -> bool {
    peer.role == Role::Ordinary && !peer.pinned
}
