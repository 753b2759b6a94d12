//! Dials what is missing (4.6, 4.7, 4.11).
//!
//! Runs after every input and decides from the state and the time alone, so that running it once more changes nothing.

use crate::manager::book::peer::Bar;
use crate::manager::boundary::command::{DialWhy, Health};
use crate::manager::boundary::event::RequirementId;
use crate::manager::boundary::reason::Reason;
use crate::manager::dialing::admission;
use crate::manager::dialing::ladder::Others;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::machine::environment::MemoryLevel;
use crate::manager::tools::deadlines::{Timer, Wake};
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Run};

/// Connecting takes less, a few round trips, in milliseconds; whoever is dead takes the whole time of a dial.
const SLOW_MS: u64 = 1_500;

impl Manager {
    pub(in crate::manager) fn plan(&mut self) {
        let mut wake = Wake(self.dials.expire(self.now.mono_ms));
        let connected = self.connections.open().next().is_some();
        self.ladder
            .observe(self.now.mono_ms, self.anybody_serves(), connected);
        if self.run == Run::Running {
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
                    self.look_up_trees(Others::MayBeDialed, &mut wake);
                }
            } else {
                self.dial_pins(false, &mut wake);
                if short {
                    self.doubt_slow_dials(&mut wake);
                    self.dial_anchors();
                    let others = self.dial_needs(&mut wake);
                    self.redial_soon();
                    self.ask_peers(&mut wake);
                    self.ask_acquaintances(others, &mut wake);
                    self.look_up_trees(others, &mut wake);
                    self.climb(others, &mut wake);
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
        let pins = self.pins.held().map(|ix| (ix, self.pins.is_urgent(ix)));
        let due: Vec<(Ix, bool)> = pins
            .filter(|(ix, urgent)| {
                let peer = self.table.get(*ix).filter(|_| *urgent || !urgent_only);
                peer.is_some_and(|peer| admission::barred(peer, Purpose::Held).is_none())
            })
            .collect();
        for (ix, urgent) in due {
            if self.dial(ix, DialWhy::Requested) == Err(Reason::OverBudget) {
                self.wait_for_pace(urgent, wake);
            }
        }
    }

    /// Peers for what is missing, few for much.
    fn dial_needs(&mut self, wake: &mut Wake) -> Others {
        loop {
            // Each dial takes a candidate away: whether others are called back is asked anew after every one, or else a
            // later call of the plan would find something to do (D4).
            self.call_back();
            let lacking = self.entitled();
            if lacking.is_empty() {
                return Others::MayBeDialed;
            }
            if let Err(reason) = self.room_or_wait(Purpose::Need, wake) {
                let known = || lacking.iter().any(|id| self.candidates.any(id));
                if reason == Reason::LimitReached && known() {
                    self.regulation.lacks_room();
                }
                return Others::MayBeDialed;
            }
            if self.head_start_is_full(wake) {
                return Others::MayBeDialed;
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
            let Some(choice) = self.choose(&wants) else {
                return Others::Refused;
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
                return Others::MayBeDialed;
            }
        }
    }

    /// While a minimum is missed nobody waits for a dial that takes longer than connecting does: somebody else is dialed
    /// beside it, and who comes first is taken (4.6).
    fn doubt_slow_dials(&mut self, wake: &mut Wake) {
        if self.needs.health() != Health::Unmet {
            return;
        }
        let now = self.now.mono_ms;
        let mut slow = Vec::new();
        for (ix, dial) in self.dials.iter() {
            let at = dial.began_at.saturating_add(SLOW_MS);
            if !is_for_needs(dial.why) || dial.slow {
                continue;
            }
            if now < at {
                wake.by(at);
            } else {
                slow.push(ix);
            }
        }
        for ix in slow {
            if let Some(cover) = self.dials.doubt(ix) {
                self.needs.unexpect(cover);
            }
        }
    }

    /// More may have been dialed than were needed: what is under way for nothing is given up.
    fn give_up_surplus_dials(&mut self) {
        let jobs = self.dials.iter().filter(|(_, job)| is_for_needs(job.why));
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
        let awaited = self.dials.iter().filter(|(_, dial)| !dial.slow).count();
        let full = awaited >= self.config.head_start_dials;
        let head_start = full && self.now.mono_ms < ends && !self.anybody_serves();
        if head_start {
            wake.by(ends);
        }
        head_start
    }

    pub(in crate::manager::dialing) fn anything_missing(&self) -> bool {
        self.needs.deficits().next().is_some()
    }

    /// The sole candidate, lost alone in this input, waits for no backoff: only for so long that not all clients of one
    /// server come back in the same instant (F1).
    fn redial_soon(&mut self) {
        const WITHIN_MS: u64 = 250;
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
        if sole && admission::barred(peer, Purpose::Probe).is_none() {
            let at = self.now.mono_ms.saturating_add(self.wait(ix, 0, WITHIN_MS));
            let why = Reason::BackingOff;
            self.set_bar(ix, Bar::Until { at, why });
        }
    }

    pub(in crate::manager::dialing) fn candidates_for_deficits(&self) -> bool {
        self.needs.deficits().any(|id| self.candidates.any(id))
    }

    pub(in crate::manager::dialing) fn anybody_serves(&self) -> bool {
        let mut open = self.connections.open();
        open.any(|(_, conn)| !conn.serving.is_empty())
    }
}

/// Whether a dial is made for what is missing, so that it may be given up.
fn is_for_needs(why: DialWhy) -> bool {
    matches!(why, DialWhy::Need(_) | DialWhy::Redial)
}
