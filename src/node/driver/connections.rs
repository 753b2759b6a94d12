//! The open connections, by the manager's names and by the swarm's.

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use litemap::LiteMap;

use super::Driver;
use super::filter::Pushing;
use super::identify::Identity;
use super::metadata::Asked;
use crate::manager::ConnId;

/// One open connection.
#[derive(Debug)]
struct Connection {
    peer: PeerId,
    swarm_id: ConnectionId,
    /// Its push streams.
    pushing: Pushing,
    /// What its peer said of itself.
    identity: Identity,
    /// How it was asked for its metadata.
    metadata: Asked,
    /// When the last ping went out, in milliseconds of `platform::mono_ms`.
    pinged_at: u64,
    /// We are closing it: what ends on it now ends by us.
    leaving: bool,
}

/// One that is gone.
pub(super) struct Gone {
    pub(super) conn: ConnId,
    pub(super) peer: PeerId,
    /// It was closed because nobody can say who the peer is.
    pub(super) identify_failed: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Connections {
    next: u64,
    open: LiteMap<ConnId, Connection>,
    by_swarm: LiteMap<ConnectionId, ConnId>,
}

impl Connections {
    pub(super) fn insert(&mut self, peer: PeerId, swarm_id: ConnectionId) -> ConnId {
        let conn = ConnId(self.next);
        self.next += 1;
        self.by_swarm.insert(swarm_id, conn);
        self.open.insert(
            conn,
            Connection {
                peer,
                swarm_id,
                pushing: Pushing::default(),
                identity: Identity::default(),
                metadata: Asked::default(),
                pinged_at: 0,
                leaving: false,
            },
        );
        conn
    }

    pub(super) fn remove(&mut self, swarm_id: ConnectionId) -> Option<Gone> {
        let conn = self.by_swarm.remove(&swarm_id)?;
        let gone = self.open.remove(&conn)?;
        Some(Gone {
            conn,
            peer: gone.peer,
            identify_failed: gone.identity.has_failed(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The manager's name for a connection.
    pub(super) fn named(&self, swarm_id: ConnectionId) -> Option<ConnId> {
        self.by_swarm.get(&swarm_id).copied()
    }

    /// Whose it is.
    pub(super) fn peer(&self, conn: ConnId) -> Option<PeerId> {
        Some(self.open.get(&conn)?.peer)
    }

    /// What the swarm calls it, with its peer.
    pub(super) fn target(&self, conn: ConnId) -> Option<(PeerId, ConnectionId)> {
        let connection = self.open.get(&conn)?;
        Some((connection.peer, connection.swarm_id))
    }

    pub(super) fn pushing(&mut self, conn: ConnId) -> Option<&mut Pushing> {
        Some(&mut self.open.get_mut(&conn)?.pushing)
    }

    pub(super) fn identity(&mut self, conn: ConnId) -> Option<&mut Identity> {
        Some(&mut self.open.get_mut(&conn)?.identity)
    }

    pub(super) fn metadata(&mut self, conn: ConnId) -> Option<&mut Asked> {
        Some(&mut self.open.get_mut(&conn)?.metadata)
    }

    /// A ping goes out.
    pub(super) fn pinged(&mut self, conn: ConnId, now_ms: u64) {
        if let Some(connection) = self.open.get_mut(&conn) {
            connection.pinged_at = now_ms;
        }
    }

    /// When the last one did; 0 before.
    pub(super) fn pinged_at(&self, conn: ConnId) -> Option<u64> {
        Some(self.open.get(&conn)?.pinged_at)
    }
}

impl Driver {
    /// Whether a connection is gone, or we are closing it: what ends on it ends by us.
    pub(in crate::node) fn is_leaving(&self, conn: ConnId) -> bool {
        let connection = self.connections.open.get(&conn);
        connection.is_none_or(|connection| connection.leaving)
    }

    /// Ends one connection; the swarm reports when it is gone.
    pub(super) fn close_connection(&mut self, conn: ConnId) {
        if let Some(connection) = self.connections.open.get_mut(&conn) {
            connection.leaving = true;
            if let Some(swarm) = &mut self.swarm {
                let streams = &mut swarm.behaviour_mut().streams;
                streams.close(connection.peer, connection.swarm_id);
            }
        }
    }
}
