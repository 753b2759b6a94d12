//! Single dials while everything fails (4.8): is the network back?

use crate::manager::Manager;
use crate::manager::boundary::command::{DialWhy, Health};
use crate::manager::boundary::reason::Reason;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::deadlines::Wake;
use crate::manager::tools::slot::Ix;

/// Peers in one round of the rotation, of each kind.
const OF_EACH_KIND: usize = 8;
/// Peers with something to recommend them between two others.
const APART: usize = 3;

impl Manager {
    /// One dial at a time, every few seconds: the held, the reached before, the bootstraps, in rotation.
    pub(in crate::manager) fn probe(&mut self, wake: &mut Wake) {
        let Some(at) = self.outage.probe_at() else {
            return;
        };
        if !self.needs.short() && self.pins.held().next().is_none() {
            return;
        }
        if !self.dials.is_empty() {
            // Its end is an input.
            return;
        }
        let now = self.now.mono_ms;
        if now < at {
            wake.by(at);
            return;
        }
        if self.room_or_wait(Purpose::Probe, wake) == Err(Reason::OverBudget) {
            return;
        }
        if let Some(ix) = self.next_probe()
            && self.dial(ix, DialWhy::Probe).is_ok()
        {
            // Its end is an input.
            self.probed(Some(ix));
            return;
        }
        self.probed(None);
        if let Some(at) = self.outage.probe_at() {
            wake.by(at);
        }
    }

    /// The next probe comes in its time. `whom`: who is dialed now.
    pub(in crate::manager) fn probed(&mut self, whom: Option<Ix>) {
        let short = self.needs.health() == Health::Unmet;
        let eager = short && self.environment.is_visible();
        let dial = whom.and_then(|ix| self.dials.of(ix));
        let here = dial.is_some_and(|dial| dial.route.on_this_machine);
        let now = self.now.mono_ms;
        self.outage
            .probed(&self.config, &self.seed, now, eager, here);
    }

    fn next_probe(&mut self) -> Option<Ix> {
        for _ in 0..2 {
            while let Some(ix) = self.outage.next_probe() {
                if self.may_probe(ix) {
                    return Some(ix);
                }
            }
            let round = self.round();
            self.outage.rotate(round);
        }
        None
    }

    /// A new round: the held, then those reached before and the bootstraps in turn. One in four is anybody else. While
    /// the browser says that there is no network, whoever is on this machine comes first, and after each of the others.
    fn round(&mut self) -> Vec<Ix> {
        let mut round: Vec<Ix> = self.pins.held().collect();
        let reached: Vec<Ix> = self
            .table
            .reached_last()
            .filter(|ix| self.may_probe(*ix))
            .take(OF_EACH_KIND)
            .collect();
        let parked = self.ladder.next(OF_EACH_KIND);
        let parked: Vec<Ix> = parked.filter(|ix| !reached.contains(ix)).collect();
        for place in 0..OF_EACH_KIND {
            round.extend(reached.get(place));
            round.extend(parked.get(place));
        }
        // Those whom nothing recommends take their turns from round to round.
        let others = self.table.after(self.outage.cursor(), 4 * OF_EACH_KIND);
        let mut place = APART;
        for ix in others {
            self.outage.turn_of(ix);
            if !round.contains(&ix) && self.may_probe(ix) {
                round.insert(place.min(round.len()), ix);
                place += APART + 1;
            }
            if place > round.len() {
                break;
            }
        }
        if self.outage.is_offline() {
            let near = self.table.after(self.outage.cursor(), 4 * OF_EACH_KIND);
            let mut here: Vec<Ix> = Vec::new();
            for ix in round.iter().copied().chain(near) {
                if self.is_here(ix) && !here.contains(&ix) {
                    here.push(ix);
                }
            }
            let elsewhere: Vec<Ix> = round.into_iter().filter(|ix| !here.contains(ix)).collect();
            round = here.clone();
            for ix in elsewhere {
                round.push(ix);
                round.extend(&here);
            }
        }
        round
    }

    /// Whether a peer may be probed on this machine.
    fn is_here(&self, ix: Ix) -> bool {
        let admitted = self.admits(ix, Purpose::Probe, &self.census());
        admitted.is_some_and(|admitted| admitted.route.on_this_machine)
    }

    fn may_probe(&self, ix: Ix) -> bool {
        self.admits(ix, Purpose::Probe, &self.census()).is_some()
    }
}
