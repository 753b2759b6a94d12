//! Who is dialed to take over from connections that work (4.6, 4.17): make before break.
//!
//! One at a time, and a minute apart at least; longer after each that came to nothing. A relief is *wanted*, then
//! *dialed*, and done when it serves what it was dialed for. Whom it relieves goes by the rules of those who asked.

use crate::manager::Manager;
use crate::manager::book::peer::Link;
use crate::manager::boundary::command::DialWhy;
use crate::manager::boundary::event::ConnId;
use crate::manager::boundary::reason::Reason;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::pruning::lean::Swapped;
use crate::manager::tools::backoff;
use crate::manager::tools::deadlines::Wake;
use crate::manager::tools::services::{Services, WHOLE};
use crate::manager::tools::slot::Ix;

/// Whom it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum For {
    /// Two that one can do without (4.6).
    Pair([ConnId; 2]),
    /// One that is old (4.17).
    Old(ConnId),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Idle,
    /// Somebody is to be dialed: this peer, or the best for what is needed.
    Wanted {
        whom: Option<Ix>,
        relieves: For,
        needed: Services,
    },
    /// This peer is being dialed or verified.
    Dialed {
        whom: Ix,
        relieves: For,
        needed: Services,
    },
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Relief {
    step: Step,
    next_at: u64,
    failures: u8,
}

impl Relief {
    /// Whether another may be wanted, when its time has come.
    pub(in crate::manager) fn is_idle(&self) -> bool {
        self.step == Step::Idle
    }

    /// Not before then.
    pub(in crate::manager) fn next_at(&self) -> u64 {
        self.next_at
    }

    /// This peer is to do what two do.
    pub(in crate::manager) fn swap(&mut self, whom: Ix, pair: [ConnId; 2], needed: Services) {
        self.step = Step::Wanted {
            whom: Some(whom),
            relieves: For::Pair(pair),
            needed,
        };
    }

    /// Somebody is to do what one does that is old.
    pub(in crate::manager) fn rotate(&mut self, old: ConnId, needed: Services) {
        self.step = Step::Wanted {
            whom: None,
            relieves: For::Old(old),
            needed,
        };
    }

    /// Whoever is wanted is wanted no more, until it is looked for anew.
    pub(in crate::manager) fn reconsider(&mut self) {
        if matches!(self.step, Step::Wanted { .. }) {
            self.step = Step::Idle;
        }
    }
}

impl Manager {
    /// Dials the relief that is wanted, and follows the one that is under way.
    pub(in crate::manager) fn dial_relief(&mut self, wake: &mut Wake) {
        match self.lean.relief.step {
            Step::Idle => {}
            Step::Wanted {
                whom,
                relieves,
                needed,
            } => self.begin_relief(whom, relieves, needed, wake),
            Step::Dialed {
                whom,
                relieves,
                needed,
            } => self.follow_relief(whom, relieves, needed),
        }
    }

    fn begin_relief(&mut self, whom: Option<Ix>, relieves: For, needed: Services, wake: &mut Wake) {
        let all_there = |conns: &[ConnId]| {
            let open = |id: &ConnId| self.connections.get(*id).is_some_and(|conn| conn.is_open());
            conns.iter().all(open)
        };
        let (there, why) = match relieves {
            For::Pair(pair) => (all_there(&pair), DialWhy::Swap),
            For::Old(old) => (all_there(&[old]), DialWhy::Rotation),
        };
        let room = self.room_or_wait(Purpose::Relief, wake);
        if !there || self.needs.short() || room == Err(Reason::LimitReached) {
            // Things are otherwise by now. It is looked for anew when it is wanted again.
            self.lean.relief.step = Step::Idle;
            return;
        }
        if room.is_err() {
            return;
        }
        let drawn = self.seed.drawn();
        let whom = match whom {
            Some(ix) => (!self.candidates.services(ix).is_empty()).then_some(ix),
            None => self
                .choose(&|id| if needed.contains(id) { WHOLE } else { 0 })
                .map(|choice| choice.candidate.ix),
        };
        match whom.map(|ix| (ix, self.dial(ix, why))) {
            Some((whom, Ok(()))) => {
                self.lean.relief.step = Step::Dialed {
                    whom,
                    relieves,
                    needed,
                };
            }
            _ => {
                self.seed.undraw(drawn);
                self.end_relief(false);
            }
        }
    }

    fn follow_relief(&mut self, whom: Ix, relieves: For, needed: Services) {
        if self.dials.of(whom).is_some() {
            return;
        }
        let link = self.table.get(whom).map(|peer| peer.link);
        let conn = match link {
            Some(Link::Connected(conn)) => self.connections.get(conn),
            _ => None,
        };
        let serves = match conn {
            Some(conn) if conn.is_open() && conn.verifying() => return,
            Some(conn) => needed.minus(conn.serving).is_empty(),
            None => false,
        };
        if serves && let For::Pair(pair) = relieves {
            self.lean.swapped = Some(Swapped { pair, by: whom });
        }
        self.end_relief(serves);
    }

    fn end_relief(&mut self, served: bool) {
        let config = &self.config;
        let relief = &mut self.lean.relief;
        relief.step = Step::Idle;
        relief.failures = if served {
            0
        } else {
            relief.failures.saturating_add(1)
        };
        let wait = backoff::doubled(
            config.swap_every_ms,
            relief.failures.saturating_add(1),
            config.swap_cap_ms,
        );
        relief.next_at = self.now.mono_ms.saturating_add(wait);
        self.lean.due.mark();
    }

    /// Nobody is to be relieved any more.
    pub(in crate::manager) fn forget_relief(&mut self) {
        self.lean.relief = Relief::default();
        self.lean.swapped = None;
    }

    /// Whether the relief is what it must be (L4).
    pub(in crate::manager) fn check_relief(&self) {
        let swaps = self
            .dials
            .iter()
            .filter(|(_, job)| matches!(job.why, DialWhy::Swap | DialWhy::Rotation));
        assert!(swaps.count() <= 1, "one relief at a time (4.6)");
    }
}
