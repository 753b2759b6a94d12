//! Whether the node is started: what begins then, and what ends with it.

use std::time::Duration;

use super::{Done, Driver, dns};
use crate::manager::{Event, Source};
use crate::node::config::Bootstrap;
use crate::node::event::LogLevel;

/// How long filter servers have to hear that we leave.
const FAREWELL: Duration = Duration::from_millis(250);

/// See the module's documentation.
pub(super) struct Life {
    started: bool,
    /// Told to the manager at each start of a stopped node.
    bootstrap: Vec<Bootstrap>,
    /// Counts starts and stops: a stop that waits for servers to be told is void when there was one since.
    turns: u32,
}

impl Life {
    pub(super) fn new(bootstrap: Vec<Bootstrap>) -> Self {
        Self {
            started: false,
            bootstrap,
            turns: 0,
        }
    }
}

impl Driver {
    pub(in crate::node) fn is_started(&self) -> bool {
        self.life.started
    }

    pub(in crate::node) fn is_closed(&self) -> bool {
        self.swarm.is_none()
    }

    /// Starts, and hands the static peers to the manager if it was stopped. Also ends a pause of the connections.
    pub(in crate::node) fn start(&mut self) {
        if !std::mem::replace(&mut self.life.started, true) {
            for entry in self.life.bootstrap.clone() {
                self.tell_static(entry);
            }
        }
        self.life.turns += 1;
        self.filter.start();
        self.input(Event::Start);
    }

    fn tell_static(&mut self, entry: Bootstrap) {
        match entry {
            Bootstrap::Tree(_) => {}
            Bootstrap::Record(enr) => {
                if !self.discovered(&enr, Source::Static) {
                    let peer = enr.peer_id();
                    self.log(
                        LogLevel::Warn,
                        "bootstrap",
                        format_args!("{peer}: of another cluster, or without an address to dial"),
                    );
                }
            }
            Bootstrap::Address(peer, route) => self.found(peer, vec![route], Vec::new()),
            Bootstrap::DnsAddr(wanted, domain) => {
                self.resolve(dns::DnsAddr::new(wanted, domain));
            }
        }
    }

    /// Stops: every connection is closed and nothing is looked up any more. Filter servers are told first, and have a
    /// moment to hear it: else they push for five minutes to whoever comes back.
    pub(in crate::node) fn stop(&mut self) {
        let told = std::mem::replace(&mut self.life.started, false);
        self.dns.stop();
        self.stop_filter();
        if !told || self.connections.is_empty() {
            return self.input(Event::Stop);
        }
        self.life.turns += 1;
        self.after(FAREWELL, Done::StopDue(self.life.turns));
    }

    /// The servers had their moment.
    pub(super) fn on_stop_due(&mut self, turn: u32) {
        if turn == self.life.turns {
            self.input(Event::Stop);
        }
    }

    /// Frees everything at once. Whatever waits for an answer gets none: its channel closes.
    pub(in crate::node) fn close(&mut self) {
        self.life.started = false;
        self.swarm = None;
        self.tasks.clear();
        self.openings = Default::default();
        self.dials = Default::default();
        self.connections = Default::default();
        self.filter.close(&self.setup);
        self.asks = Default::default();
        self.paces = Default::default();
        self.dns.stop();
        self.inputs.clear();
        self.turns.close();
        self.outlet.close();
        self.wake();
    }

    /// Whether nothing is connected or being dialed, and nothing is left to be told to the manager.
    pub(in crate::node) fn is_disconnected(&self) -> bool {
        self.connections.is_empty() && self.dials.is_empty() && self.inputs.is_empty()
    }
}
