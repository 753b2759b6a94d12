//! What the manager orders and tells.
//!
//! Owns the queue of commands, first in first out, and the counters of `stats()`.

use std::collections::VecDeque;

use crate::manager::boundary::command::{Command, Notice};
use crate::manager::boundary::view::Stats;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Outbox {
    queue: VecDeque<Command>,
    /// Gauges are filled in when they are read.
    pub(in crate::manager) stats: Stats,
}

impl Outbox {
    pub(in crate::manager) fn order(&mut self, command: Command) {
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
            | Command::Wish { .. }
            | Command::RequestScores { .. }
            | Command::Notify(_) => {}
        }
        self.queue.push_back(command);
    }

    pub(in crate::manager) fn tell(&mut self, notice: Notice) {
        self.order(Command::Notify(notice));
    }

    pub(in crate::manager) fn next(&mut self) -> Option<Command> {
        self.queue.pop_front()
    }
}
