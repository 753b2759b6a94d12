//! This machine's way to the network, as the browser tells of it, and what follows from sleep (4.8, 4.14).

use crate::manager::Manager;
use crate::manager::Notice;
use crate::manager::What;
use crate::manager::book::peer::Bar;
use crate::manager::boundary::reason::{NetworkCause, NetworkState};
use crate::manager::machine::charges::Charge;
use crate::manager::tools::slot::Ix;

/// Failures in a row from which on a peer itself is to blame.
const ESCALATED: u8 = 4;

/// By then whoever is connected could have answered, so that nobody needs to be dialed, in milliseconds.
const ANSWERS_MS: u64 = 1_000;

impl Manager {
    /// The browser says that there is no network, which some say for ever. Whoever is connected is asked whether that is so:
    /// one answer, and it was wrong. Connections may yet survive.
    pub(in crate::manager) fn on_offline(&mut self) {
        let now = self.now.mono_ms;
        let anybody = self.connections.open().next().is_some();
        let probe_at = now.saturating_add(if anybody { ANSWERS_MS } else { 0 });
        let (news, charges) = self.outage.said_gone(now, probe_at);
        if !news {
            return;
        }
        if let Some(charges) = charges {
            self.suspicion_begins(charges);
        }
        self.give_up_dials_elsewhere();
        self.tell_network(NetworkState::Offline, NetworkCause::Told);
        self.ping_all();
    }

    /// Our own network is suspected from now on: those who were charged with it are as they were.
    pub(in crate::manager) fn suspicion_begins(&mut self, charges: Vec<Charge>) {
        self.ring.push(self.now, What::Suspect);
        for charge in charges {
            self.take_back(charge);
        }
    }

    /// The browser has a network, perhaps another one.
    pub(in crate::manager) fn on_online(&mut self) {
        let back = self.outage.said_back();
        self.network_up();
        // Who answered on this machine said nothing of those elsewhere, who may have failed often for the network's sake.
        self.resume(back);
    }

    /// As far as anybody knows the network works: a suspicion ends.
    fn network_up(&mut self) {
        if self.outage.is_suspect() {
            self.ring.push(self.now, What::Recovered);
            self.tell_network(NetworkState::Online, NetworkCause::Told);
        }
        self.outage.set_up(self.now.mono_ms);
    }

    /// Another interface, or another price: what failed on the old one says nothing of the new one, and connections over
    /// the old one may be dead without a word.
    pub(in crate::manager) fn on_network_changed(&mut self, constrained: bool) {
        self.set_constrained(constrained);
        self.outage.forget_odds();
        self.set_pace();
        if !self.outage.is_offline() {
            self.network_up();
        }
        self.redraw_waits(true);
        self.ping_all();
    }

    /// No input comes until the page runs again. Nothing is forbidden meanwhile: whatever comes shows that it runs.
    pub(in crate::manager) fn on_freeze(&mut self) {
        if !self.environment.set_frozen(true) {
            self.tell_network(NetworkState::Suspended, NetworkCause::Told);
        }
    }

    /// The machine, or the page, slept.
    pub(in crate::manager) fn woke_up(&mut self) {
        self.environment.set_frozen(false);
        self.resume(false);
        self.outage.disturbed(self.now.mono_ms);
        self.tell_network(NetworkState::Resumed, NetworkCause::Slept);
    }

    /// Somebody was heard: whatever failed before, our network works. A suspicion ends.
    pub(in crate::manager) fn somebody_answers(&mut self) {
        let ended = self.outage.reached(self.now.mono_ms);
        self.suspicion_over(ended);
    }

    /// The trees could be looked up: our network works, if not those who are known.
    pub(in crate::manager) fn resolver_answers(&mut self) {
        let ended = self.outage.looked_up(self.now.mono_ms);
        self.suspicion_over(ended);
    }

    fn suspicion_over(&mut self, over: bool) {
        if over {
            self.ring.push(self.now, What::Recovered);
            self.tell_network(NetworkState::Online, NetworkCause::Answer);
            self.redraw_waits(false);
        }
    }

    /// After sleep, or with a network: whoever waits is due soon, and every connection must prove that it lives.
    fn resume(&mut self, escalated_too: bool) {
        self.redraw_waits(escalated_too);
        self.ladder.restart(self.now.mono_ms);
        self.asking.restart();
        self.ping_all();
    }

    /// The backoffs of peers that did not fail often are drawn anew: the outage was not theirs (4.8). One input looks at no
    /// more than a few hundred (4.2): first at those that were reached, the last first, then at those that are due soonest.
    /// So whoever waits for long, be it a page full of peers of another network, does not stand before those that served.
    /// Whoever waits for another reason waits on.
    fn redraw_waits(&mut self, escalated_too: bool) {
        let most = self.config.recover_peers;
        let outlasts_an_outage = |ix: &Ix| {
            self.table.get(*ix).is_some_and(|peer| {
                peer.backs_off() && (escalated_too || peer.attempts().waits_by() < ESCALATED)
            })
        };
        let reached = self.table.reached_last().take(most);
        let mut waiting: Vec<Ix> = reached.filter(outlasts_an_outage).collect();
        let room = most - waiting.len();
        let mut others: Vec<Ix> = self.deadlines.barred_soonest().take(most / 2).collect();
        others.retain(|ix| !waiting.contains(ix) && outlasts_an_outage(ix));
        others.truncate(room);
        waiting.append(&mut others);
        for ix in waiting {
            let spread = self.wait(ix, 0, self.config.recover_spread_ms);
            let soon = self.now.mono_ms.saturating_add(spread);
            let Some(peer) = self.table.get_mut(ix) else {
                continue;
            };
            if escalated_too {
                peer.attempts_mut().excuse();
            }
            if let Bar::Until { at, why } = peer.bar() {
                let at = at.min(soon);
                self.set_bar(ix, Bar::Until { at, why });
            }
        }
    }

    /// Whether there was a sleep, or an outage that was told or suspected, since then: what took long or failed meanwhile
    /// says nothing of a peer. Times are those of [`Manager::handle`]; a sleep is known once an input came after it.
    pub fn disturbed_since(&self, mono_ms: u64) -> bool {
        self.outage.disturbed_since(mono_ms)
    }

    pub(in crate::manager) fn tell_network(&mut self, state: NetworkState, cause: NetworkCause) {
        self.out.tell(Notice::NetworkChanged { state, cause });
    }
}
