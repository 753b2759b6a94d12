//! Why things are as they are (4.19). Nothing here changes anything (D4).

use libp2p_identity::PeerId;

use super::Manager;
use super::guards::Pressure;
use super::peer::Link;
use super::view::{Decision, Explanation, ScoreParts};

/// Decisions about one peer that an explanation shows.
const DECISIONS: usize = 16;

impl Manager {
    /// Why a peer stands where it stands; `None` when it is not known.
    pub fn explain(&self, peer: &PeerId) -> Option<Explanation> {
        let ix = self.table.find(peer)?;
        let record = self.table.get(ix)?;
        let conn = match record.link {
            Link::Connected(conn) => Some(conn),
            Link::Idle | Link::Dialing => None,
        };
        Some(Explanation {
            view: self.peer(peer)?,
            not_dialed: record.forbidden(),
            not_closed: conn.and_then(|conn| self.guard(conn, Pressure::Voluntary)),
            used_by: Vec::new(),
            parts: ScoreParts::default(),
            failures: record.level,
            flaps: record.flap,
            protected_by: Vec::new(),
            decisions: self.ring.about(*peer, DECISIONS),
        })
    }

    /// The last `limit` decisions, the oldest first.
    pub fn decisions(&self, limit: usize) -> Vec<Decision> {
        self.ring.last(limit).cloned().collect()
    }
}
