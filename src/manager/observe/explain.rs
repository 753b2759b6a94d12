//! Why things are as they are (4.19). Nothing here changes anything (D4).

use libp2p_identity::PeerId;

use crate::manager::Manager;
use crate::manager::book::peer::{Link, Peer};
use crate::manager::boundary::event::RequirementId;
use crate::manager::boundary::reason::{Outcome, Reason};
use crate::manager::boundary::view::{Decision, Explanation, ScoreParts};
use crate::manager::dialing::purpose::Purpose;
use crate::manager::pruning::guards::Pressure;

/// Decisions about one peer that an explanation shows.
const DECISIONS: usize = 16;
/// Failures of one peer that an explanation shows.
const FAILURES: usize = 4;

impl Manager {
    /// Why a peer stands where it stands; `None` when it is not known.
    pub fn explain(&self, peer: &PeerId) -> Option<Explanation> {
        let ix = self.table.find(peer)?;
        let record = self.table.get(ix)?;
        let conn = match record.link() {
            Link::Connected(conn) => Some(conn),
            Link::Idle | Link::Dialing => None,
        };
        let mut used_by = Vec::new();
        if let Some(conn) = conn {
            let protocols = self.protocols();
            let places = self.used_by(conn);
            used_by.extend(places.iter().filter_map(|place| {
                let protocol = protocols.get(*place)?;
                Some(protocol.name.clone())
            }));
        }
        Some(Explanation {
            view: self.peer(peer)?,
            not_dialed: self.not_dialed(record),
            not_closed: conn.and_then(|conn| self.guard(conn, Pressure::Voluntary)),
            used_by,
            parts: self.score_parts(record),
            failures: record.attempts().level(),
            flaps: record.attempts().flaps(),
            protected_by: record.tags().to_vec(),
            failed: self.ring.failures(*peer, FAILURES),
            decisions: self.ring.about(*peer, DECISIONS),
        })
    }

    /// The last `limit` decisions, the oldest first.
    pub fn decisions(&self, limit: usize) -> Vec<Decision> {
        self.ring.last(limit).cloned().collect()
    }

    /// The first rule that keeps a peer from being dialed at this moment: those of [`crate::manager::dialing::admission`],
    /// and, before its addresses are looked at, whether it is needed.
    fn not_dialed(&self, peer: &Peer) -> Option<Reason> {
        let (purpose, not_needed) = if peer.pinned() {
            (Purpose::Held, None)
        } else {
            (Purpose::Need, self.not_needed(peer))
        };
        self.peer_refuses(peer, purpose)
            .or(not_needed)
            .or_else(|| self.admission(peer, purpose, &self.census(), &[]).err())
            .or_else(|| self.room_for(purpose, false).err())
    }

    /// Why it fills nothing that is missing: it rests from what is, or nothing is that it serves.
    fn not_needed(&self, peer: &Peer) -> Option<Reason> {
        let missing = |id: RequirementId| self.needs.deficit(id) > 0;
        if peer.possible(self.all()).iter().any(missing) {
            return None;
        }
        let resting = peer.services().iter().find_map(|service| {
            let rest = service.rest()?;
            missing(service.requirement()).then_some(rest.after)
        });
        Some(match resting {
            Some(Outcome::Busy) => Reason::Busy,
            Some(Outcome::Broken | Outcome::Fault | Outcome::Unable) => Reason::FailedService,
            Some(Outcome::Withheld) => Reason::Withheld,
            _ => Reason::NotNeeded,
        })
    }

    fn score_parts(&self, peer: &Peer) -> ScoreParts {
        let now = self.now.mono_ms;
        ScoreParts {
            quality: peer
                .services()
                .iter()
                .map(|service| {
                    (
                        service.requirement(),
                        service.quality(now, peer.half_life()),
                    )
                })
                .collect(),
            behaviour: peer.behaviour(now),
            hints: peer.hinted(now),
            reach: u16::try_from(peer.attempts().reach().estimate()).unwrap_or(u16::MAX),
        }
    }
}
