//! Dials what is missing (4.6, 4.7, 4.11).
//!
//! Runs after every input and decides from the state and the time alone, so that running it once more changes nothing.

use crate::manager::book::peer::{Bar, Link, Role};
use crate::manager::boundary::command::{Command, DialWhy};
use crate::manager::boundary::event::{ConnId, RequirementId};
use crate::manager::boundary::reason::Reason;
use crate::manager::dialing::ladder::{Situation, Step};
use crate::manager::dialing::peer_exchange::MayAsk;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::machine::environment::MemoryLevel;
use crate::manager::tools::deadlines::{Timer, Wake};
use crate::manager::tools::services::WHOLE;
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Run};

impl Manager {
    pub(in crate::manager) fn plan(&mut self) {
        let mut wake = Wake(self.dials.expire(self.now.mono_ms));
        let connected = self.connections.open().next().is_some();
        self.ladder
            .observe(self.now.mono_ms, self.anybody_serves(), connected);
        if self.run == Run::Running && !self.outage.is_offline() {
            let bearable = self.environment.memory() < MemoryLevel::Critical;
            let short = self.needs.short() && bearable;
            if !short && self.mode.dials() && !self.outage.is_suspect() {
                // First: others wait for what these occupy (D4).
                self.give_up_surplus_dials();
            }
            if !self.mode.dials() {
                self.dial_sync(&mut wake);
            } else if self.outage.is_suspect() {
                self.dial_pins(true, &mut wake);
                self.probe(&mut wake);
                if short {
                    self.look_up_trees(&mut wake);
                }
            } else {
                self.dial_pins(false, &mut wake);
                if short {
                    self.dial_anchors();
                    self.dial_needs(&mut wake);
                    self.redial_at_once();
                    self.ask_peers(&mut wake);
                    self.look_up_trees(&mut wake);
                    self.climb(&mut wake);
                    self.make_room();
                } else {
                    self.asking.satisfied();
                }
                self.dial_bursts(&mut wake);
                self.dial_reliefs(&mut wake);
            }
        }
        self.connections.forget_lost();
        self.deadlines.put(Timer::Plan, wake.0);
    }

    /// Whether there is room for one more dial; if the pace alone is in the way, it is asked again when the bucket allows
    /// the next one.
    pub(in crate::manager) fn room_or_wait(
        &self,
        purpose: Purpose,
        wake: &mut Wake,
    ) -> Result<(), Reason> {
        let room = self.room_for(purpose, false);
        if room == Err(Reason::OverBudget) {
            self.wait_for_pace(false, wake);
        }
        room
    }

    /// Until the bucket allows the next dial; whom the user waits for may overdraw it.
    pub(in crate::manager) fn wait_for_pace(&self, urgent: bool, wake: &mut Wake) {
        let now = self.now.mono_ms;
        if !self.pace.has(now, urgent)
            && let Some(at) = self.pace.next(now, urgent)
        {
            wake.by(at);
        }
    }

    /// Peers that the user holds. Under suspicion only those whom the user waits for.
    fn dial_pins(&mut self, urgent_only: bool, wake: &mut Wake) {
        let pins = if urgent_only {
            &self.pins.urgent
        } else {
            &self.pins.held
        };
        let due: Vec<(Ix, bool)> = pins
            .keys()
            .filter(|ix| {
                self.table
                    .get(**ix)
                    .is_some_and(|peer| peer.link == Link::Idle && peer.bar == Bar::Open)
            })
            .map(|ix| (*ix, self.pins.urgent.contains_key(ix)))
            .collect();
        for (ix, urgent) in due {
            if self.dial(ix, DialWhy::Requested) == Err(Reason::OverBudget) {
                self.wait_for_pace(urgent, wake);
            }
        }
    }

    /// Peers for what is missing, few for much.
    fn dial_needs(&mut self, wake: &mut Wake) {
        self.selection.nobody_admitted = false;
        loop {
            // Each dial takes a candidate away: whether others are called back is asked anew after every one, or else a
            // later call of the plan would find something to do (D4).
            self.call_back();
            let lacking = self.entitled();
            if lacking.is_empty() {
                return;
            }
            if let Err(reason) = self.room_or_wait(Purpose::Need, wake) {
                let known = || lacking.iter().any(|id| self.candidates.any(id));
                if reason == Reason::LimitReached && known() {
                    self.regulation.lacks_room();
                }
                return;
            }
            if self.head_start_is_full(wake) {
                return;
            }
            let deficit = |id| {
                if lacking.contains(id) {
                    self.wanted_dials(id)
                } else {
                    0
                }
            };
            let deficits: Vec<u32> = self.needs.ids().map(deficit).collect();
            let wants = |id: RequirementId| deficits[usize::from(id.0)];
            let drawn = self.seed.drawn();
            let Some(choice) = self.choose(&wants) else {
                self.selection.nobody_admitted = true;
                return;
            };
            let lost = self
                .table
                .get(choice.candidate.ix)
                .is_some_and(|peer| peer.is_lost());
            let why = if lost {
                DialWhy::Redial
            } else {
                DialWhy::Need(choice.requirement)
            };
            if self.dial(choice.candidate.ix, why).is_err() {
                self.seed.undraw(drawn);
                return;
            }
            self.turn_over();
        }
    }

    /// More may have been dialed than were needed: what is under way for nothing is given up.
    fn give_up_surplus_dials(&mut self) {
        let spare = |why| matches!(why, DialWhy::Need(_) | DialWhy::Redial);
        let jobs = self.dials.iter().filter(|(_, job)| spare(job.why));
        let jobs: Vec<Ix> = jobs.map(|(ix, _)| ix).collect();
        for ix in jobs {
            self.cancel_dial(ix);
        }
    }

    /// In the head start of rung 1 only a few are dialed at once: those who are known to serve come first.
    fn head_start_is_full(&self, wake: &mut Wake) -> bool {
        let ends = self
            .ladder
            .since()
            .saturating_add(self.config.head_start_ms);
        let full = self.dials.len() >= self.config.head_start_dials;
        let head_start = full && self.now.mono_ms < ends && !self.anybody_serves();
        if head_start {
            wake.by(ends);
        }
        head_start
    }

    fn anything_missing(&self) -> bool {
        self.needs.deficits().next().is_some()
    }

    /// The sole candidate, lost alone in this input, is dialed without a wait.
    fn redial_at_once(&mut self) {
        let Some(ix) = self.connections.lost_alone() else {
            return;
        };
        let Some(peer) = self.table.get(ix) else {
            return;
        };
        let sole = peer
            .possible(self.all())
            .iter()
            .any(|id| self.needs.deficit(id) > 0 && !self.candidates.any(id));
        if sole {
            // Whoever stays a candidate is dialed by needs.
            let _ = self.dial(ix, DialWhy::Redial);
        }
    }

    /// Connected peers that can name others: once for each connection, and again when nobody is left to dial.
    fn ask_peers(&mut self, wake: &mut Wake) {
        let now = self.now.mono_ms;
        // Who is given up may be asked again at once.
        self.asking.give_up(&self.config, now);
        let exhausted = self.anything_missing() && !self.candidates_for_deficits();
        let may: Vec<(Ix, ConnId, MayAsk)> = self
            .connections
            .open()
            .filter(|(_, conn)| conn.exchanges)
            .map(|(id, conn)| {
                let may = self.asking.may_ask(&self.config, now, conn.ix, id);
                (conn.ix, id, may)
            })
            .collect();
        for (ix, conn, may) in may {
            match may {
                MayAsk::First => {}
                MayAsk::Again if exhausted => {}
                MayAsk::Again => continue,
                MayAsk::Later { at, first } => {
                    if (exhausted || first) && at > now {
                        wake.by(at);
                    }
                    continue;
                }
            }
            let Some(peer) = self.table.get(ix).map(|peer| peer.id) else {
                continue;
            };
            let alive = |conn| self.connections.get(conn).is_some();
            self.asking.asked(&self.config, now, ix, conn, &alive);
            self.out.order(Command::QueryPeers {
                conn,
                peer,
                count: self.config.exchange_count,
            });
        }
        if let Some(at) = self.asking.give_up(&self.config, now) {
            wake.by(at);
        }
    }

    /// The trees: at once when nobody is known, later when nobody serves, nobody is left, or nobody can be reached.
    fn look_up_trees(&mut self, wake: &mut Wake) {
        if !self.config.has_dns {
            return;
        }
        let now = self.now.mono_ms;
        let at = self.asking.trees_at();
        if self.asking.looking_up() {
            if now < at {
                wake.by(at);
                return;
            }
            self.asking.trees_done(&self.config, now, true);
        }
        let s = self.situation();
        let nobody = !s.candidates && !s.pending && s.dialing == 0;
        let exhausted = s.deficit && nobody && !s.asking && self.ladder.is_empty();
        let head_start_ends = self
            .ladder
            .since()
            .saturating_add(self.config.head_start_ms);
        let late = !self.asking.looked_up() && !s.serving;
        let at = self.asking.trees_at();
        // Perhaps all is well but those who are known: then only others help.
        let suspect = self.outage.is_suspect();
        let due = exhausted || suspect || (late && now >= head_start_ends);
        if !due {
            if late {
                wake.by(head_start_ends);
            }
            return;
        }
        if now < at {
            wake.by(at);
            return;
        }
        self.asking.look_up(&self.config, now);
        wake.by(self.asking.trees_at());
        self.out.order(Command::Discover);
    }

    fn candidates_for_deficits(&self) -> bool {
        self.needs.deficits().any(|id| self.candidates.any(id))
    }

    fn anybody_serves(&self) -> bool {
        let mut open = self.connections.open();
        open.any(|(_, conn)| !conn.serving.is_empty())
    }

    /// What the ladder looks at.
    fn situation(&self) -> Situation {
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
                .is_some_and(|peer| peer.role == Role::Bootstrap)
        });
        Situation {
            now,
            short: self.needs.short(),
            deficit: self.anything_missing(),
            candidates: self.candidates_for_deficits() && !self.selection.nobody_admitted,
            pending: self.dials.len() > bootstrap_dials.len() || verifying,
            asking: self.asking.patience(&self.config, now).is_some(),
            serving: self.anybody_serves(),
            connections: self.connections.open().count(),
            bootstraps: bootstraps.count(),
            dialing: bootstrap_dials.len(),
            dialing_since: bootstrap_dials.into_iter().min().unwrap_or(now),
        }
    }

    /// Bootstrap peers, as the ladder releases them.
    fn climb(&mut self, wake: &mut Wake) {
        loop {
            let situation = self.situation();
            let rung = match self.ladder.step(&self.config, &situation) {
                Step::Release(rung) => rung,
                Step::Wait(at) => {
                    wake.by(at);
                    return;
                }
                Step::Rest => {
                    // The emergency comes by itself.
                    if situation.connections == 0 && !self.ladder.is_empty() {
                        let at = self.ladder.cold_at(&self.config);
                        if at > situation.now {
                            wake.by(at);
                        }
                    }
                    return;
                }
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
