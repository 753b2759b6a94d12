//! The open connections.
//!
//! Owns each [`Conn`]: whose it is, what was verified on it, what it serves, and whether it answers pings. A connection
//! is [`Open`](Phase::Open) until we order it closed; then it still counts against the limits, but serves nothing.

use libp2p_identity::PeerId;
use litemap::LiteMap;
use multiaddr::Multiaddr;

use crate::manager::boundary::event::{ConnId, Direction, RequirementId, Transport};
use crate::manager::boundary::reason::Reason;
use crate::manager::tools::changed::Changed;
use crate::manager::tools::services::{Cover, Services};
use crate::manager::tools::slot::Ix;

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Phase {
    /// In use.
    Open,
    /// We ordered it closed.
    Closing(Reason),
}

/// What the metadata exchange allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Network {
    /// Not known yet.
    Unknown,
    /// Ours, or the peer does not say.
    Admitted,
    /// Our cluster, and none of our shards: it is let in and serves nothing.
    OtherShards,
}

/// Whether it answers pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Pinging {
    /// None is out.
    Idle,
    /// One is out.
    Waiting,
}

/// One connection.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Conn {
    pub(in crate::manager) ix: Ix,
    pub(in crate::manager) peer: PeerId,
    pub(in crate::manager) direction: Direction,
    pub(in crate::manager) route: Multiaddr,
    pub(in crate::manager) transport: Transport,
    /// The netgroup where it leads.
    pub(in crate::manager) group: u64,
    /// The subnet where it leads.
    pub(in crate::manager) subnet: u64,
    pub(in crate::manager) opened_at: u64,
    pub(in crate::manager) opened_wall: u64,
    pub(in crate::manager) phase: Phase,
    /// The record of its peer goes with it, whatever it was closed for.
    pub(in crate::manager) forgotten: bool,
    /// What identify lists of what we want.
    pub(in crate::manager) offers: Option<Services>,
    /// All that identify lists, for what will be wanted later.
    pub(in crate::manager) protocols: Vec<String>,
    /// When identify came first.
    pub(in crate::manager) identified_at: Option<u64>,
    /// Whether identify lists peer exchange.
    pub(in crate::manager) exchanges: bool,
    pub(in crate::manager) network: Network,
    /// It took too long to verify: nothing is expected of it any more.
    pub(in crate::manager) overdue: bool,
    /// What it is expected to serve, as counted with the needs.
    pub(in crate::manager) cover: Cover,
    /// What it serves, as counted with the needs.
    pub(in crate::manager) serving: Services,
    pub(in crate::manager) heard_at: u64,
    pub(in crate::manager) pinging: Pinging,
    /// The number of the last ping; 0: there was none.
    pub(in crate::manager) ping: u32,
    /// When it was pinged last.
    pub(in crate::manager) pinged_at: u64,
    /// Pings in a row without answer: it serves nothing while there is one.
    pub(in crate::manager) ping_failures: u8,
    /// It must answer this one: after sleep, or on what may be another network (4.14).
    pub(in crate::manager) on_trial: bool,
    pub(in crate::manager) pongs: u32,
    pub(in crate::manager) successes: u32,
}

impl Conn {
    pub(in crate::manager) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether a ping is out on it.
    pub(in crate::manager) fn is_asked(&self) -> bool {
        self.pinging == Pinging::Waiting
    }

    /// Whether identify and metadata are both through.
    pub(in crate::manager) fn verified(&self) -> bool {
        self.offers.is_some() && self.network != Network::Unknown
    }

    /// Whether it still has time to be verified.
    pub(in crate::manager) fn verifying(&self) -> bool {
        self.is_open() && !self.verified() && !self.overdue
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(in crate::manager) struct Connections {
    list: LiteMap<ConnId, Conn>,
    /// Peers that answered and were of another network, since one was of ours.
    strangers: u32,
    /// Who was lost in this input, alone: it may be dialed at once if nobody else can serve.
    lost_alone: Option<Ix>,
    changed: Changed,
}

impl Connections {
    pub(in crate::manager) fn len(&self) -> usize {
        self.list.len()
    }

    pub(in crate::manager) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(in crate::manager) fn get(&self, id: ConnId) -> Option<&Conn> {
        self.list.get(&id)
    }

    pub(in crate::manager::connected) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.list.get_mut(&id)
    }

    pub(in crate::manager::connected) fn insert(&mut self, id: ConnId, conn: Conn) {
        self.list.insert(id, conn);
        self.changed.mark();
    }

    pub(in crate::manager::connected) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let gone = self.list.remove(&id);
        if gone.is_some() {
            self.changed.mark();
        }
        gone
    }

    /// What a connection counts for is looked at again.
    pub(in crate::manager::connected) fn mark(&mut self) {
        self.changed.mark();
    }

    /// How often one came, went, or counted for something else.
    pub(in crate::manager) fn revision(&self) -> u64 {
        self.changed.count()
    }

    /// Nobody waits any more for the answer to a ping, and none is missing.
    pub(in crate::manager) fn excuse_ping(&mut self, id: ConnId) {
        if let Some(conn) = self.list.get_mut(&id) {
            conn.pinging = Pinging::Idle;
        }
    }

    /// The record of its peer goes with it, whatever it is closed for.
    pub(in crate::manager) fn forget_with(&mut self, id: ConnId) {
        if let Some(conn) = self.list.get_mut(&id) {
            conn.forgotten = true;
        }
    }

    /// It took too long to verify.
    pub(in crate::manager) fn set_overdue(&mut self, id: ConnId) {
        if let Some(conn) = self.list.get_mut(&id) {
            conn.overdue = true;
        }
    }

    /// A requirement was opened that identify listed.
    pub(in crate::manager) fn offers_also(&mut self, id: ConnId, requirement: RequirementId) {
        if let Some(conn) = self.list.get_mut(&id)
            && let Some(offers) = &mut conn.offers
        {
            offers.insert(requirement);
        }
    }

    /// What one connection serves, another of the same peer serves in its stead.
    pub(in crate::manager::connected) fn move_serving(&mut self, from: ConnId, to: ConnId) {
        let serving = self
            .list
            .get_mut(&from)
            .map(|conn| core::mem::take(&mut conn.serving));
        if let Some(conn) = self.list.get_mut(&to) {
            conn.serving = serving.unwrap_or_default();
        }
    }

    /// A peer said of which network it is.
    pub(in crate::manager::connected) fn is_of_ours(&mut self, ours: bool) {
        self.strangers = if ours {
            0
        } else {
            self.strangers.saturating_add(1)
        };
    }

    /// Whether all that answered of late were of another network.
    pub(in crate::manager) fn only_strangers(&self) -> bool {
        self.strangers > 0 && self.open().next().is_none()
    }

    /// A peer was lost alone; `None`: together with others.
    pub(in crate::manager::connected) fn lost(&mut self, alone: Option<Ix>) {
        self.lost_alone = alone;
    }

    /// Who was lost in this input, alone.
    pub(in crate::manager) fn lost_alone(&self) -> Option<Ix> {
        self.lost_alone
    }

    /// The plan has seen who was lost.
    pub(in crate::manager) fn forget_lost(&mut self) {
        self.lost_alone = None;
    }

    /// In the order of their ids.
    pub(in crate::manager) fn iter(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.list.iter().map(|(id, conn)| (*id, conn))
    }

    /// Those that we did not order closed.
    pub(in crate::manager) fn open(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.iter().filter(|(_, conn)| conn.is_open())
    }

    /// The connections of a peer; at most a handful exist at all.
    pub(in crate::manager) fn of(&self, ix: Ix) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.iter().filter(move |(_, conn)| conn.ix == ix)
    }

    /// A requirement is gone: no connection counts for it any more.
    pub(in crate::manager) fn forget_requirement(&mut self, id: RequirementId) {
        let gone = Services::one(id);
        for (_, conn) in self.list.iter_mut() {
            conn.offers = conn.offers.map(|offers| offers.minus(gone));
            conn.cover = conn.cover.without(id);
            conn.serving = conn.serving.minus(gone);
        }
    }

    pub(in crate::manager) fn ids(&self) -> Vec<ConnId> {
        self.list.keys().copied().collect()
    }
}
