//! Whether the browser is to be believed when it says that there is no network (4.8): until anybody answers.

use lightkeeper::manager::{DialFailure, Event, Outcome};

use crate::ledger::Ledger;

/// See the module.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hint {
    /// The browser says so.
    pub(crate) says_offline: bool,
    /// And nobody has answered since it said so first.
    pub(crate) believed: bool,
}

impl Ledger {
    /// Takes an input; connections and dials are as they were before.
    pub(crate) fn hears_of_the_network(&mut self, event: &Event) {
        match event {
            Event::Offline if !self.hint.says_offline => {
                self.hint = Hint {
                    says_offline: true,
                    believed: true,
                };
            }
            Event::Online => self.hint = Hint::default(),
            event if self.shows_a_network(event) => self.hint.believed = false,
            _ => {}
        }
    }

    /// A byte from a peer, or a look-up that succeeds. What came before a ping went out says nothing.
    fn shows_a_network(&self, event: &Event) -> bool {
        match event {
            Event::Connected { conn, .. } => !self.conns.contains_key(conn),
            Event::Pong { conn, ping, .. } => {
                let conn = self.conns.get(conn);
                conn.is_some_and(|conn| conn.ping == *ping)
            }
            Event::Heard { conn, silent_ms } => self.conns.get(conn).is_some_and(|conn| {
                let at = self.now.saturating_sub(u64::from(*silent_ms));
                conn.unanswered == 0 || at >= conn.pinged_at
            }),
            Event::Report { peer, outcome, .. } => {
                *outcome == Outcome::Success && !self.conns_of(peer).is_empty()
            }
            Event::DialFailed { dial, failure, .. } => {
                *failure == DialFailure::WrongId && self.dials.contains_key(dial)
            }
            Event::DnsFinished { answered, .. } => *answered,
            _ => false,
        }
    }
}
