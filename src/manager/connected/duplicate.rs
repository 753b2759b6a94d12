//! Two connections of one peer (4.7): both ends may have dialed, or a direct one follows a relayed one.
//!
//! Both are kept for a few seconds, until identify has told what the second is good for; then one goes. A direct one
//! beats a relayed one, whichever came first. Of two alike the older stays. Owns nothing.

use crate::manager::Manager;
use crate::manager::book::peer::Link;
use crate::manager::boundary::event::{ConnId, Transport};
use crate::manager::boundary::reason::Reason;
use crate::manager::connected::connections::Conn;

impl Manager {
    /// The time of a second connection is over: it goes, or else the first does.
    pub(in crate::manager) fn duplicate_over(&mut self, second: ConnId) {
        match self.is_better_than(second) {
            Some(first) => {
                self.take_its_place(first, second);
                let drain_ms = self.config.drain_ms;
                self.part(first, Reason::Duplicate, Some(drain_ms));
            }
            None => self.close(second, Reason::Duplicate),
        }
    }

    /// The relayed connection in whose place a direct one can serve at once. What a protocol locked, or a burst made,
    /// is in use and stays.
    fn is_better_than(&self, second: ConnId) -> Option<ConnId> {
        let conn = self.connections.get(second)?;
        let Link::Connected(first) = self.table.get(conn.ix)?.link() else {
            return None;
        };
        let relayed = |conn: &Conn| conn.transport == Transport::Circuit;
        let better = conn.is_open() && conn.verified() && !relayed(conn);
        let worse = relayed(self.connections.get(first)?);
        let free = !self.locked(first) && !self.bursts.holds(first);
        (first != second && better && worse && free).then_some(first)
    }

    /// A peer serves on its second connection from now on, without a moment in which it does not.
    fn take_its_place(&mut self, first: ConnId, second: ConnId) {
        let now = self.now.mono_ms;
        let Some(peer) = self
            .connections
            .get(second)
            .and_then(|conn| self.table.get_mut(conn.ix))
        else {
            return;
        };
        peer.set_link(Link::Connected(second), now);
        self.needs.move_provider(first, second);
        self.connections.move_serving(first, second);
        self.withdraw(first);
        self.reassess(second);
    }
}
