//! What a peer says of itself, as often as it changes and no more: libp2p tells each identify push as a new answer, and
//! a peer may push in a loop.

use std::time::Duration;

use libp2p::identify;
use libp2p::swarm::{ConnectionId, StreamUpgradeError};

use super::{Done, Driver};
use crate::manager::{ConnId, Event, Metadata};
use crate::node::event::LogLevel;

/// Changes that are told as they come. Servers push a handful in a connection's life.
const FREE: u8 = 4;
/// After these, the newest is told after this long.
const SPACING: Duration = Duration::from_secs(10);

/// The protocols and the name of a peer.
type Said = (Vec<String>, String);

/// What a connection's peer has said.
#[derive(Debug, Default)]
pub(super) struct Identity {
    /// The last that the manager was told.
    told: Option<Said>,
    /// Newer, and waiting for its time.
    next: Option<Said>,
    changes: u8,
    /// Whether the manager was told anything: what is learnt before waits for it.
    known: bool,
    /// What metadata said before.
    metadata: Option<Metadata>,
    /// Nobody can say who the peer is: the reason of the close that follows.
    failed: bool,
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

    /// What the manager is to be told now, with what metadata said before.
    fn tell(&mut self) -> Option<(Said, Option<Metadata>)> {
        let said = self.told.clone()?;
        self.known = true;
        Some((said, self.metadata.take()))
    }

    /// What metadata said, if the manager may be told; else it waits until the peer is known.
    pub(super) fn admit(&mut self, metadata: Metadata) -> Option<Metadata> {
        if self.known {
            return Some(metadata);
        }
        self.metadata = Some(metadata);
        None
    }

    /// Asking came to nothing. Whether the connection is of no use for that.
    fn fail(&mut self) -> bool {
        self.failed |= !self.known;
        !self.known
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }
}

impl Driver {
    pub(super) fn on_identify(&mut self, event: identify::Event) {
        match event {
            identify::Event::Received {
                connection_id,
                info,
                ..
            } => {
                self.note_heard(connection_id);
                if let Some(conn) = self.connections.named(connection_id) {
                    let protocols = info.protocols.iter().map(ToString::to_string).collect();
                    self.identified(conn, (protocols, info.agent_version));
                }
            }
            identify::Event::Error {
                peer_id,
                connection_id,
                error,
            } => {
                let Some(conn) = self.connections.named(connection_id) else {
                    return;
                };
                self.log(
                    LogLevel::Debug,
                    "identify",
                    format_args!("{peer_id}: {error}"),
                );
                // Without the first answer nothing can be used. Only what failed before the stream was open is surely our
                // question: the rest may be a push, or the peer's question to us, and is left to the manager's deadline.
                let ours = matches!(
                    error,
                    StreamUpgradeError::NegotiationFailed | StreamUpgradeError::Io(_)
                );
                if ours && self.connections.identity(conn).is_some_and(Identity::fail) {
                    self.close_connection(conn);
                }
            }
            identify::Event::Sent { connection_id, .. } => self.note_heard(connection_id),
            identify::Event::Pushed { .. } => {}
        }
    }

    /// Identify's streams are not ours, and as good a sign of life.
    fn note_heard(&self, connection: ConnectionId) {
        if let Some(swarm) = &self.swarm {
            swarm.behaviour().streams.note_heard(connection);
        }
    }

    fn identified(&mut self, conn: ConnId, said: Said) {
        let Some(identity) = self.connections.identity(conn) else {
            return;
        };
        match identity.hear(said) {
            Verdict::Tell => self.tell_identity(conn),
            Verdict::Wait(true) => self.after(SPACING, Done::IdentityDue(conn)),
            Verdict::Wait(false) | Verdict::Nothing => {}
        }
    }

    pub(super) fn on_identity_due(&mut self, conn: ConnId) {
        if self.connections.identity(conn).is_some_and(Identity::due) {
            self.tell_identity(conn);
        }
    }

    fn tell_identity(&mut self, conn: ConnId) {
        let told = self.connections.identity(conn).and_then(Identity::tell);
        let Some(((protocols, agent), metadata)) = told else {
            return;
        };
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

    #[test]
    fn metadata_waits_until_the_peer_is_known() {
        let mut identity = Identity::default();
        assert_eq!(identity.admit(Metadata::Unsupported), None);
        assert_eq!(identity.tell(), None, "it has said nothing yet");
        identity.hear(said(0));
        let (_, before) = identity.tell().unwrap();
        assert_eq!(before, Some(Metadata::Unsupported));
        assert_eq!(identity.tell().unwrap().1, None, "it is told once");
        let later = identity.admit(Metadata::Faulty);
        assert_eq!(later, Some(Metadata::Faulty));
    }

    #[test]
    fn what_fails_after_the_first_answer_ends_nothing() {
        let mut identity = Identity::default();
        identity.hear(said(0));
        identity.tell();
        assert!(!identity.fail() && !identity.has_failed());
        let mut silent = Identity::default();
        assert!(silent.fail() && silent.has_failed());
    }
}
