//! What a peer says of itself, as often as it changes and no more: libp2p tells each identify push as a new answer, and
//! a peer may push in a loop.

use std::time::Duration;

use super::{Done, Driver};
use crate::manager::{ConnId, Event};

/// Changes that are told as they come. Servers push a handful in a connection's life.
const FREE: u8 = 4;
/// After these, the newest is told after this long.
const SPACING: Duration = Duration::from_secs(10);

/// The protocols and the name of a peer.
pub(super) type Said = (Vec<String>, String);

/// What a connection's peer has said.
#[derive(Debug, Default)]
pub(super) struct Identity {
    /// The last that the manager was told.
    told: Option<Said>,
    /// Newer, and waiting for its time.
    next: Option<Said>,
    changes: u8,
}

/// What becomes of an answer.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The manager hears it.
    Tell,
    /// It waits; whether a timer is to be set for it.
    Wait(bool),
    /// It is known.
    Nothing,
}

impl Identity {
    fn hear(&mut self, said: Said) -> Verdict {
        if self.next.is_none() && self.told.as_ref() == Some(&said) {
            return Verdict::Nothing;
        }
        if self.changes < FREE {
            self.changes += 1;
            self.told = Some(said);
            return Verdict::Tell;
        }
        Verdict::Wait(self.next.replace(said).is_none())
    }

    /// What waited is due, if it still is news.
    fn due(&mut self) -> bool {
        let Some(next) = self.next.take() else {
            return false;
        };
        let news = self.told.as_ref() != Some(&next);
        self.told = Some(next);
        news
    }
}

impl Driver {
    pub(super) fn identified(&mut self, conn: ConnId, said: Said) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        match connection.identity.hear(said) {
            Verdict::Tell => self.tell_identity(conn),
            Verdict::Wait(true) => self.after(SPACING, Done::IdentityDue(conn)),
            Verdict::Wait(false) | Verdict::Nothing => {}
        }
    }

    pub(super) fn on_identity_due(&mut self, conn: ConnId) {
        let connection = self.connections.get_mut(conn);
        if connection.is_some_and(|connection| connection.identity.due()) {
            self.tell_identity(conn);
        }
    }

    fn tell_identity(&mut self, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(conn) else {
            return;
        };
        let Some((protocols, agent)) = connection.identity.told.clone() else {
            return;
        };
        connection.identified = true;
        let metadata = connection.early_metadata.take();
        self.inputs.push_back(Event::Identified {
            conn,
            protocols,
            agent,
        });
        if let Some(metadata) = metadata {
            self.inputs.push_back(Event::Metadata { conn, metadata });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(protocol: usize) -> Said {
        (vec![format!("/{protocol}")], "agent".into())
    }

    #[test]
    fn the_same_again_is_no_news() {
        let mut identity = Identity::default();
        assert_eq!(identity.hear(said(0)), Verdict::Tell);
        for _ in 0..5_000 {
            assert_eq!(identity.hear(said(0)), Verdict::Nothing);
        }
    }

    #[test]
    fn a_flood_of_changes_is_told_four_times_and_then_at_intervals() {
        let mut identity = Identity::default();
        let told = (0..5_000).filter(|n| identity.hear(said(*n)) == Verdict::Tell);
        assert_eq!(told.count(), usize::from(FREE));
        assert!(identity.due(), "the newest");
        assert_eq!(identity.told, Some(said(4_999)));
        assert!(!identity.due());
        assert_eq!(identity.hear(said(1)), Verdict::Wait(true));
        assert_eq!(identity.hear(said(4_999)), Verdict::Wait(false));
        assert!(!identity.due(), "it changed back");
    }
}
