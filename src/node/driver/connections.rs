//! The open connections, by the manager's names and by the swarm's.

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use litemap::LiteMap;

use super::identify::Identity;
use super::push::Pushing;
use crate::manager::{ConnId, Metadata};

/// One open connection.
#[derive(Debug)]
pub(in crate::node) struct Connection {
    pub(in crate::node) peer: PeerId,
    pub(in crate::node) swarm_id: ConnectionId,
    /// Its push streams.
    pub(super) pushing: Pushing,
    /// What identify said.
    pub(super) identity: Identity,
    /// Whether identify came in: what is learnt before waits for it.
    pub(super) identified: bool,
    /// What metadata said while identify had not come in yet.
    pub(super) early_metadata: Option<Metadata>,
    /// Metadata timed out once already.
    pub(super) metadata_retried: bool,
    /// Identify failed: the reason of the close that follows.
    pub(super) identify_failed: bool,
    /// When the last ping went out, in milliseconds of `platform::mono_ms`.
    pub(super) pinged_at: u64,
    /// We are closing it: what ends on it now ends by us.
    pub(in crate::node) leaving: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::node) struct Connections {
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
                identified: false,
                early_metadata: None,
                metadata_retried: false,
                identify_failed: false,
                pinged_at: 0,
                leaving: false,
            },
        );
        conn
    }

    pub(super) fn remove(&mut self, swarm_id: ConnectionId) -> Option<(ConnId, Connection)> {
        let conn = self.by_swarm.remove(&swarm_id)?;
        Some((conn, self.open.remove(&conn)?))
    }

    pub(in crate::node) fn get(&self, conn: ConnId) -> Option<&Connection> {
        self.open.get(&conn)
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Connection> {
        self.open.get_mut(&conn)
    }

    pub(super) fn named(&self, swarm_id: ConnectionId) -> Option<ConnId> {
        self.by_swarm.get(&swarm_id).copied()
    }

    pub(in crate::node) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}
