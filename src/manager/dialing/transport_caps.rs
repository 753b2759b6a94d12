//! How many connections each transport may have (4.7, S8): judged before a dial, and when a connection comes.

use crate::manager::Manager;
use crate::manager::boundary::event::Transport;

impl Manager {
    /// Whether one more connection of this transport may be made. One that is closing still counts.
    pub(in crate::manager) fn transport_admits(&self, transport: Transport) -> bool {
        self.limits.transport(transport).is_none_or(|max| {
            let all = self.connections.iter();
            let there = all.filter(|(_, conn)| conn.transport == transport).count();
            there + self.dials.count_of(transport) < max
        })
    }

    /// After a cap was lowered, dials beyond it are given up at once, the last that began first. Connections beyond it go
    /// with what else is let go.
    pub(in crate::manager) fn enforce_transport_caps(&mut self) {
        let caps = self.limits.transports();
        if caps.is_empty() || !self.is_changed() {
            return;
        }
        for (transport, max) in caps {
            let open = self.connections.open();
            let open = open.filter(|(_, conn)| conn.transport == transport).count();
            while open + self.dials.count_of(transport) > max
                && let Some(ix) = self.dials.last_of(transport)
            {
                self.cancel_dial(ix);
            }
        }
    }
}
