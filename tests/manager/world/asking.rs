//! What a story asks of its world.

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, ConnId, Crossed, DialWhy, Event, Health, Notice, PeerView, Reason, RequirementId,
    WishAnswer,
};

use super::{Told, World};

impl World {
    pub(super) fn find(&self, peer: &PeerId) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == *peer)
    }

    pub(crate) fn conns_of(&self, place: usize) -> Vec<ConnId> {
        self.conns
            .iter()
            .filter(|(conn, of)| {
                **of == place
                    && !self.queue.values().any(|event| {
                        matches!(event, Event::Connected { conn: coming, .. } if coming == *conn)
                    })
            })
            .map(|(conn, _)| *conn)
            .collect()
    }

    pub(crate) fn connected(&self, place: usize) -> bool {
        self.manager
            .peer(&self.nodes[place].id)
            .is_some_and(|view| view.conn.is_some())
    }

    pub(crate) fn view(&self, place: usize) -> PeerView {
        self.manager
            .peer(&self.nodes[place].id)
            .expect("the peer is known")
    }

    pub(crate) fn health(&self) -> Health {
        self.manager.health().0
    }

    pub(crate) fn have(&self, requirement: RequirementId) -> u8 {
        let requirements = self.manager.requirements().into_iter();
        requirements
            .into_iter()
            .find(|view| view.id == requirement)
            .map_or(0, |view| view.have)
    }

    pub(crate) fn serves(&self, place: usize, requirement: RequirementId) -> bool {
        let id = self.nodes[place].id;
        let serving = self.manager.serving(requirement);
        serving.iter().any(|(peer, _)| *peer == id)
    }

    /// Everything dialed since this many orders, in order.
    pub(crate) fn dialed_since(&self, mark: usize) -> Vec<usize> {
        self.dials_since(mark)
            .into_iter()
            .map(|(_, place, _)| place)
            .collect()
    }

    pub(crate) fn dialed(&self) -> Vec<usize> {
        self.dialed_since(0)
    }

    pub(crate) fn dials_since(&self, mark: usize) -> Vec<(u64, usize, DialWhy)> {
        self.orders[mark..]
            .iter()
            .filter_map(|order| match &order.command {
                Command::Dial { peer, why, .. } => {
                    Some((order.at, self.find(peer).expect("a node"), *why))
                }
                _ => None,
            })
            .collect()
    }

    /// Why the user's last wish was refused, if it was.
    pub(crate) fn refusal(&self) -> Option<Reason> {
        let answers = self.orders.iter().rev();
        let mut answers = answers.filter_map(|order| match order.command {
            Command::Wish { answer, .. } => Some(answer),
            _ => None,
        });
        match answers.next() {
            Some(WishAnswer::Refused(reason)) => Some(reason),
            _ => None,
        }
    }

    pub(crate) fn mark(&self) -> usize {
        self.orders.len()
    }

    pub(crate) fn notices_since(&self, mark: usize) -> Vec<(u64, Notice)> {
        self.orders[mark..]
            .iter()
            .filter_map(|order| match &order.command {
                Command::Notify(notice) => Some((order.at, notice.clone())),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn closes_since(&self, mark: usize) -> Vec<Reason> {
        self.orders[mark..]
            .iter()
            .filter_map(|order| match &order.command {
                Command::Close { reason, .. } | Command::Drain { reason, .. } => Some(*reason),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn count(&self, mark: usize, wanted: impl Fn(&Command) -> bool) -> usize {
        self.orders[mark..]
            .iter()
            .filter(|order| wanted(&order.command))
            .count()
    }

    /// How the last disconnect of a node was told.
    pub(crate) fn disconnect_of(&self, place: usize) -> Option<Told> {
        self.orders
            .iter()
            .rev()
            .find_map(|order| match &order.command {
                Command::Notify(Notice::Disconnected {
                    peer,
                    cause,
                    reason,
                    deliberate,
                    will_reconnect,
                    ..
                }) if *peer == self.nodes[place].id => Some(Told {
                    cause: *cause,
                    reason: *reason,
                    deliberate: *deliberate,
                    will_reconnect: *will_reconnect,
                }),
                _ => None,
            })
    }

    /// Takeovers since a mark: lost, gained, requirement, gap.
    pub(crate) fn takeovers_since(&self, mark: usize) -> Vec<(usize, usize, RequirementId, u64)> {
        self.notices_since(mark)
            .into_iter()
            .filter_map(|(_, notice)| match notice {
                Notice::Replaced {
                    lost,
                    gained,
                    requirement,
                    gap_ms,
                } => Some((
                    self.find(&lost).expect("a node"),
                    self.find(&gained).expect("a node"),
                    requirement,
                    gap_ms,
                )),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn crossings_since(&self, mark: usize) -> Vec<(RequirementId, Crossed)> {
        self.notices_since(mark)
            .into_iter()
            .filter_map(|(_, notice)| match notice {
                Notice::RequirementChanged {
                    requirement,
                    crossed,
                    ..
                } => Some((requirement, crossed)),
                _ => None,
            })
            .collect()
    }
}
