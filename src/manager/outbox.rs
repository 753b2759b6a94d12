//! What the manager orders and tells.
//!
//! Owns the queue of commands, first in first out, and the counters of `stats()`.

use std::collections::VecDeque;

use super::command::{Command, Notice};
use super::view::Stats;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Command>,
    /// Gauges are filled in when they are read.
    pub(super) stats: Stats,
}

impl Outbox {
    pub(super) fn order(&mut self, command: Command) {
        self.stats.commands += 1;
        match &command {
            Command::Dial { .. } => self.stats.dials += 1,
            Command::Close { .. } | Command::Drain { .. } => self.stats.closes += 1,
            Command::CancelDial { .. }
            | Command::Ping { .. }
            | Command::Discover
            | Command::QueryPeers { .. }
            | Command::Offer { .. }
            | Command::Lock { .. }
            | Command::Burst { .. }
            | Command::RequestScores { .. }
            | Command::Notify(_) => {}
        }
        self.queue.push_back(command);
    }

    pub(super) fn tell(&mut self, notice: Notice) {
        self.order(Command::Notify(notice));
    }

    pub(super) fn next(&mut self) -> Option<Command> {
        self.queue.pop_front()
    }
}
