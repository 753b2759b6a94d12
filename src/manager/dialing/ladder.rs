//! The start-up ladder of 4.11: when a bootstrap peer may be dialed.
//!
//! Owns the parked bootstrap peers that could be released, in the order of a shuffle that the seed decides (failures
//! last, so that a dead one is not the first again), and the moment from which head starts are counted.

use litemap::LiteMap;

use crate::manager::Manager;
use crate::manager::book::peer::Role;
use crate::manager::boundary::command::DialWhy;
use crate::manager::boundary::config::Config;
use crate::manager::boundary::reason::Reason;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::deadlines::Wake;
use crate::manager::tools::services::WHOLE;
use crate::manager::tools::slot::Ix;

/// What the ladder looks at.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager) struct Situation {
    pub(in crate::manager) now: u64,
    /// Something is missing that nobody on the way is expected to bring.
    pub(in crate::manager) deficit: bool,
    /// Providers of something that is missing failed one after another.
    pub(in crate::manager) let_down: bool,
    /// Others than bootstrap peers could be dialed for what is missing.
    pub(in crate::manager) candidates: bool,
    /// Other dials are under way, or connections are being verified.
    pub(in crate::manager) pending: bool,
    /// A peer exchange answer is awaited.
    pub(in crate::manager) asking: bool,
    /// Some connection serves.
    pub(in crate::manager) serving: bool,
    /// Connections of any kind.
    pub(in crate::manager) connections: usize,
    /// Bootstrap peers that are connected.
    pub(in crate::manager) bootstraps: usize,
    /// Bootstrap dials under way.
    pub(in crate::manager) dialing: usize,
    /// When the oldest of these began.
    pub(in crate::manager) dialing_since: u64,
}

/// Whether others than bootstrap peers may be dialed for what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Others {
    /// As far as anybody knows.
    MayBeDialed,
    /// There are candidates, and the caps on variety or on transports refuse them all.
    Refused,
}

/// What the ladder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum Climb {
    /// Release one, for this rung.
    Release(u8),
    /// Ask again then, if nothing happens before.
    Wait(u64),
    /// Nothing.
    Rest,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Ladder {
    /// (failures in a row, salt) → who may be released.
    parked: LiteMap<(u8, u64, Ix), ()>,
    placed: LiteMap<Ix, (u8, u64)>,
    /// → (failures in a row, salt): whom the user named and who serves nothing that is wanted, but may know others. They
    /// are not parked: nobody waits for a rung.
    acquaintances: LiteMap<Ix, (u8, u64)>,
    /// Since when nobody serves.
    since: u64,
    /// Whether somebody did when it was last asked.
    served: bool,
    /// Since when there is no connection.
    lonely_since: u64,
    /// Whether there was one when it was last asked.
    connected: bool,
}

impl Ladder {
    /// Head starts count from now on.
    pub(in crate::manager) fn restart(&mut self, now: u64) {
        self.since = now;
        self.lonely_since = now;
    }

    /// Head starts count from the loss of the last who served, the emergency from that of the last connection.
    pub(in crate::manager) fn observe(&mut self, now: u64, serving: bool, connected: bool) {
        if self.served && !serving {
            self.since = now;
        }
        if self.connected && !connected {
            self.lonely_since = now;
        }
        self.served = serving;
        self.connected = connected;
    }

    /// Since when head starts count.
    pub(in crate::manager) fn since(&self) -> u64 {
        self.since
    }

    /// Places, moves or removes a bootstrap peer.
    pub(in crate::manager) fn put(&mut self, ix: Ix, place: Option<(u8, u64)>) {
        let old = match place {
            Some(place) => self.placed.insert(ix, place),
            None => self.placed.remove(&ix),
        };
        if old == place {
            return;
        }
        if let Some((level, salt)) = old {
            self.parked.remove(&(level, salt, ix));
        }
        if let Some((level, salt)) = place {
            self.parked.insert((level, salt, ix), ());
        }
    }

    /// Places, moves or removes somebody whom the user named and who serves nothing.
    pub(in crate::manager) fn put_acquaintance(&mut self, ix: Ix, place: Option<(u8, u64)>) {
        match place {
            Some(place) => self.acquaintances.insert(ix, place),
            None => self.acquaintances.remove(&ix),
        };
    }

    /// The first few that may be released.
    pub(in crate::manager) fn next(&self, limit: usize) -> impl Iterator<Item = Ix> + '_ {
        self.parked.keys().take(limit).map(|(_, _, ix)| *ix)
    }

    pub(in crate::manager) fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// Climbs, while something is missing.
    pub(in crate::manager) fn step(&self, config: &Config, s: &Situation) -> Climb {
        if self.parked.is_empty() {
            return Climb::Rest;
        }
        // Rung 5: without any connection for long, three at once.
        let cold_at = self.lonely_since.saturating_add(config.cold_start_ms);
        if s.connections == 0 && s.now >= cold_at && s.dialing < config.cold_start_dials {
            return Climb::Release(5);
        }
        // Rung 4 as well: whoever is left may be of the same kind as those who failed (A5).
        if s.let_down && s.bootstraps == 0 && s.dialing == 0 {
            return Climb::Release(4);
        }
        let head_start_ends = self.since.saturating_add(config.head_start_ms);
        if s.bootstraps == 0 && !s.serving {
            if s.dialing == 0 {
                // Rung 2, and rung 3 after a failure.
                let exhausted = s.connections == 0 && !s.candidates && !s.pending;
                return if exhausted || s.now >= head_start_ends {
                    Climb::Release(2)
                } else {
                    Climb::Wait(head_start_ends)
                };
            }
            // Rung 3: the first takes its time.
            let hedge_at = s.dialing_since.saturating_add(config.bootstrap_hedge_ms);
            if s.dialing == 1 && s.now >= hedge_at {
                return Climb::Release(3);
            }
            if s.dialing == 1 {
                // The emergency may have to wait for a connection to end, which is an input.
                let cold = (s.now < cold_at).then_some(cold_at);
                return Climb::Wait(cold.map_or(hedge_at, |at| at.min(hedge_at)));
            }
            return if s.now < cold_at {
                Climb::Wait(cold_at)
            } else {
                Climb::Rest
            };
        }
        // Rung 4: nothing else is left.
        if s.deficit && !s.candidates && !s.pending && !s.asking && s.dialing == 0 {
            return Climb::Release(4);
        }
        if s.dialing == 1 && s.bootstraps == 0 {
            let hedge_at = s.dialing_since.saturating_add(config.bootstrap_hedge_ms);
            if s.deficit && s.now >= hedge_at {
                return Climb::Release(3);
            }
            return if s.now < hedge_at {
                Climb::Wait(hedge_at)
            } else {
                Climb::Rest
            };
        }
        Climb::Rest
    }

    /// Whether both views agree (R4).
    pub(in crate::manager) fn check(&self) {
        assert_eq!(self.parked.len(), self.placed.len());
        for (ix, (level, salt)) in &self.placed {
            assert!(self.parked.contains_key(&(*level, *salt, *ix)));
        }
    }
}

impl Manager {
    /// What the ladder looks at.
    pub(in crate::manager::dialing) fn situation(&self, others: Others) -> Situation {
        let now = self.now.mono_ms;
        let bootstrap_dials: Vec<u64> = self
            .dials
            .iter()
            .filter(|(_, dial)| dial.bootstrap)
            .map(|(_, dial)| dial.began_at)
            .collect();
        let verifying = self.connections.open().any(|(_, conn)| conn.verifying());
        let bootstraps = self.connections.open().filter(|(_, conn)| {
            self.table
                .get(conn.ix)
                .is_some_and(|peer| peer.role() == Role::Bootstrap)
        });
        Situation {
            now,
            deficit: self.anything_missing(),
            let_down: self.needs.let_down(),
            candidates: self.candidates_for_deficits() && others == Others::MayBeDialed,
            pending: self.dials.len() > bootstrap_dials.len() || verifying,
            asking: self.asking.patience(&self.config, now).is_some(),
            serving: self.anybody_serves(),
            connections: self.connections.open().count(),
            bootstraps: bootstraps.count(),
            dialing: bootstrap_dials.len(),
            dialing_since: bootstrap_dials.into_iter().min().unwrap_or(now),
        }
    }

    /// When nobody is left whom a dial could bring, those whom the user named are asked whom they know: before any
    /// bootstrap peer, and without a head start to wait for (4.11).
    pub(in crate::manager::dialing) fn ask_acquaintances(
        &mut self,
        others: Others,
        wake: &mut Wake,
    ) {
        if self.ladder.acquaintances.is_empty() {
            return;
        }
        let s = self.situation(others);
        if s.candidates || s.pending || s.asking {
            return;
        }
        let Some(missing) = self.needs.deficits().next() else {
            return;
        };
        if self.room_or_wait(Purpose::Need, wake).is_err() {
            return;
        }
        let mut all: Vec<(u8, u64, Ix)> = self
            .ladder
            .acquaintances
            .iter()
            .map(|(ix, (level, salt))| (*level, *salt, *ix))
            .collect();
        all.sort_unstable();
        for (_, _, ix) in all {
            if self.dial(ix, DialWhy::Need(missing)).is_ok() {
                return;
            }
        }
    }

    /// Bootstrap peers, as the ladder releases them.
    pub(in crate::manager::dialing) fn climb(&mut self, others: Others, wake: &mut Wake) {
        // Nobody is parked: there is nothing to look at.
        while !self.ladder.is_empty() {
            let situation = self.situation(others);
            let rung = match self.ladder.step(&self.config, &situation) {
                Climb::Release(rung) => rung,
                Climb::Wait(at) => {
                    wake.by(at);
                    return;
                }
                Climb::Rest => return,
            };
            if let Err(reason) = self.room_or_wait(Purpose::Ladder, wake) {
                let short = || !self.entitled().is_empty();
                if reason == Reason::LimitReached && short() {
                    self.regulation.lacks_room();
                }
                return;
            }
            let Some(ix) = self.next_bootstrap(rung) else {
                return;
            };
            if self.dial(ix, DialWhy::Bootstrap(rung)).is_err() {
                return;
            }
        }
    }

    /// The next of the shuffle; when something in particular is missing, among the next few the one that claims most of
    /// it.
    fn next_bootstrap(&self, rung: u8) -> Option<Ix> {
        const COMPARED: usize = 32;
        let census = self.census();
        let free = |ix: &Ix| self.admits(*ix, Purpose::Ladder, &census).is_some();
        let mut next = self.ladder.next(COMPARED).filter(free);
        if rung != 4 {
            return next.next();
        }
        let all = self.all();
        let claimed = |ix: Ix| {
            let missing = |id| self.needs.deficit(id).min(WHOLE);
            self.table.get(ix).map_or(0, |peer| {
                let cover = peer.cover(all, self.config.unverified_counted);
                cover
                    .units()
                    .map(|(id, units)| units.min(missing(id)))
                    .sum::<u32>()
            })
        };
        // The first of equals: the shuffle decides.
        let mut best: Option<(u32, Ix)> = None;
        for ix in next {
            let worth = claimed(ix);
            if best.is_none_or(|(most, _)| worth > most) {
                best = Some((worth, ix));
            }
        }
        best.map(|(_, ix)| ix)
    }
}
