//! Who is dialed so that others may go (4.6, 4.11, 4.17): make before break.
//!
//! | for | is dialed | and then may go |
//! |---|---|---|
//! | a swap | one that can do what two do | the two |
//! | an exchange | the first of two that can do what three do: for the second there is a swap then | one of the three |
//! | a rotation | the best for what an old connection serves | the old one |
//! | a hand-off | the best for what a bootstrap peer serves | the bootstrap peer |
//! | an alternative | another than the one peer, or the one netgroup, on whom too much depends | nobody |
//!
//! A relief is *wanted* as long as `releases` asks for it, then *dialed*, and over when it serves what it was dialed
//! for, or does not. One that took over from two stays in the table until they are gone, for a few minutes at most:
//! until then it has less to do than they, and would be let go in their stead. Meanwhile there is no other swap: two
//! that overlap would undo each other.
//!
//! After one that came to nothing the next of its kind waits, twice as long each time; swaps and rotations come one at
//! a time, and a minute apart in any case. Owns the table and these waits. Whom a relief frees goes for its own reason,
//! which is decided in `releases`.

use crate::manager::Manager;
use crate::manager::book::peer::Link;
use crate::manager::boundary::command::DialWhy;
use crate::manager::boundary::event::{ConnId, RequirementId};
use crate::manager::boundary::reason::Reason;
use crate::manager::connected::connections::Conn;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::backoff;
use crate::manager::tools::deadlines::Wake;
use crate::manager::tools::services::{Services, WHOLE};
use crate::manager::tools::slot::Ix;

/// What a relief is for, and whom it frees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager::pruning) enum For {
    /// Two that one can do without (4.6).
    Swap([ConnId; 2]),
    /// One of three that two could do (4.6).
    Exchange(ConnId),
    /// One that is old (4.17).
    Rotation(ConnId),
    /// That of a bootstrap peer (4.11).
    HandOff(ConnId),
    /// Nobody: too much depends on one peer (4.6), or on one netgroup (4.3). This is what the other is to serve.
    Alternative(RequirementId),
}

impl For {
    fn frees(&self) -> &[ConnId] {
        match self {
            Self::Swap(pair) => pair,
            Self::Exchange(one) | Self::Rotation(one) | Self::HandOff(one) => {
                core::slice::from_ref(one)
            }
            Self::Alternative(_) => &[],
        }
    }

    /// Which waits apply. Swaps and rotations share theirs, and come one at a time.
    fn lane(self) -> Lane {
        match self {
            Self::Swap(_) | Self::Exchange(_) | Self::Rotation(_) => Lane::Thrift,
            Self::HandOff(_) => Lane::HandOff,
            Self::Alternative(_) => Lane::Alternative,
        }
    }

    fn why(self) -> DialWhy {
        match self {
            Self::Swap(_) | Self::Exchange(_) => DialWhy::Swap,
            Self::Rotation(_) => DialWhy::Rotation,
            Self::HandOff(_) => DialWhy::HandOff,
            Self::Alternative(_) => DialWhy::Variety,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Thrift,
    HandOff,
    Alternative,
}

/// Somebody is to be dialed.
#[derive(Debug, Clone, Copy)]
pub(in crate::manager::pruning) struct Wish {
    pub(in crate::manager::pruning) what: For,
    /// This peer, or the best for what is needed.
    pub(in crate::manager::pruning) whom: Option<Ix>,
    pub(in crate::manager::pruning) needed: Services,
    /// When it has been wished for so long, in milliseconds.
    pub(in crate::manager::pruning) after_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Somebody is to be dialed, not before then.
    Wanted { whom: Option<Ix>, at: u64 },
    /// This peer is being dialed or verified.
    Dialed(Ix),
    /// It serves, and those whom it frees are still there. They have until then.
    Serves { by: Ix, until: u64 },
}

#[derive(Debug, Clone, Copy)]
struct Relief {
    what: For,
    needed: Services,
    step: Step,
}

impl Relief {
    fn is_wanted(&self) -> bool {
        matches!(self.step, Step::Wanted { .. })
    }
}

/// The wait before the next of a kind.
#[derive(Debug, Default)]
struct Wait {
    until: u64,
    failures: u8,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager::pruning) struct Reliefs {
    list: Vec<Relief>,
    waits: [Wait; 3],
}

impl Reliefs {
    /// Takes the wishes of now for those of before. Whatever was wished for before keeps its moment.
    pub(in crate::manager::pruning) fn want(&mut self, wishes: &[Wish], now: u64, wake: &mut Wake) {
        let before = core::mem::take(&mut self.list);
        let under_way = before.iter().filter(|relief| !relief.is_wanted());
        self.list.extend(under_way);
        for wish in wishes {
            let old = before.iter().find(|relief| relief.what == wish.what);
            let at = match old.map(|relief| relief.step) {
                Some(Step::Wanted { at, .. }) => at,
                Some(Step::Dialed(_) | Step::Serves { .. }) => continue,
                None => now.saturating_add(wish.after_ms),
            };
            let at = at.max(self.waits[wish.what.lane() as usize].until);
            if at > now {
                wake.by(at);
            }
            let whom = wish.whom;
            self.list.push(Relief {
                what: wish.what,
                needed: wish.needed,
                step: Step::Wanted { whom, at },
            });
        }
    }

    /// Whether one of the kind that comes one at a time is under way.
    pub(in crate::manager::pruning) fn is_busy(&self) -> bool {
        self.has_begun(Lane::Thrift)
    }

    fn has_begun(&self, lane: Lane) -> bool {
        let mut of_lane = self.list.iter().filter(|r| r.what.lane() == lane);
        of_lane.any(|relief| !relief.is_wanted())
    }

    /// Whether somebody was dialed to take over from a connection.
    pub(in crate::manager::pruning) fn is_under_way(&self, conn: ConnId) -> bool {
        let mut begun = self.list.iter().filter(|relief| !relief.is_wanted());
        begun.any(|relief| relief.what.frees().contains(&conn))
    }

    /// Whether another serves in the place of a connection: it goes before others.
    pub(in crate::manager::pruning) fn is_replaced(&self, conn: ConnId) -> bool {
        let mut serving = self.serving();
        serving.any(|(relief, _)| relief.what.frees().contains(&conn))
    }

    /// Whether a peer took over from connections that are still there: without it they would be needed again, and
    /// nothing would be won.
    pub(in crate::manager::pruning) fn replaces(&self, ix: Ix) -> bool {
        self.serving().any(|(_, by)| by == ix)
    }

    fn serving(&self) -> impl Iterator<Item = (&Relief, Ix)> {
        self.list.iter().filter_map(|relief| match relief.step {
            Step::Serves { by, .. } => Some((relief, by)),
            Step::Wanted { .. } | Step::Dialed(_) => None,
        })
    }

    /// Nobody is to be relieved any more.
    pub(in crate::manager::pruning) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Manager {
    /// Dials the reliefs that are wanted, and follows those that are under way.
    pub(in crate::manager) fn dial_reliefs(&mut self, wake: &mut Wake) {
        // A relief that is over leaves the table, and those after it move up.
        let mut place = 0;
        while let Some(relief) = self.releases.reliefs.list.get(place).copied() {
            let over = match relief.step {
                Step::Wanted { at, .. } if at > self.now.mono_ms => {
                    // Not with what can wait, or else whoever ticks before would dial it sooner (D4).
                    wake.by(at);
                    false
                }
                Step::Wanted { whom, .. } => self.begin_relief(place, relief, whom, wake),
                Step::Dialed(whom) => self.follow_relief(place, relief, whom),
                Step::Serves { .. } => false,
            };
            if over {
                self.releases.reliefs.list.remove(place);
            } else {
                place += 1;
            }
        }
    }

    /// Whether a connection is there and in use.
    fn is_open(&self, conn: ConnId) -> bool {
        self.connections.get(conn).is_some_and(Conn::is_open)
    }

    /// Dials the one that is wanted. Whether that is over and done with.
    fn begin_relief(
        &mut self,
        place: usize,
        relief: Relief,
        whom: Option<Ix>,
        wake: &mut Wake,
    ) -> bool {
        let what = relief.what;
        let lane = what.lane();
        if lane != Lane::HandOff && self.releases.reliefs.has_begun(lane) {
            // Its end is an input.
            return false;
        }
        // Nobody goes for an alternative: it has no more room than what is missing has.
        let purpose = match lane {
            Lane::Alternative => Purpose::Need,
            Lane::Thrift | Lane::HandOff => Purpose::Relief,
        };
        let room = self.room_or_wait(purpose, wake);
        let there = what.frees().iter().all(|conn| self.is_open(*conn));
        if !there || self.needs.short() || room == Err(Reason::LimitReached) {
            // Things are otherwise by now. It is looked for anew when it is wanted again.
            return true;
        }
        if room.is_err() {
            return false;
        }
        let needed = relief.needed;
        let whom = match whom {
            Some(ix) => (!self.candidates.services(ix).is_empty()).then_some(ix),
            None => self
                .choose(&|id| if needed.contains(id) { WHOLE } else { 0 })
                .map(|choice| choice.candidate.ix),
        };
        match whom.map(|ix| (ix, self.dial(ix, what.why()))) {
            Some((whom, Ok(()))) => {
                self.releases.reliefs.list[place].step = Step::Dialed(whom);
                false
            }
            _ => {
                self.end_relief(what, false);
                true
            }
        }
    }

    /// Whether a relief that was dialed is over.
    fn follow_relief(&mut self, place: usize, relief: Relief, whom: Ix) -> bool {
        if self.dials.of(whom).is_some() {
            return false;
        }
        let link = self.table.get(whom).map(|peer| peer.link());
        let conn = match link {
            Some(Link::Connected(conn)) => self.connections.get(conn),
            _ => None,
        };
        let serves = match conn {
            Some(conn) if conn.is_open() && conn.verifying() => return false,
            Some(conn) => relief.needed.minus(conn.serving).is_empty(),
            None => false,
        };
        if serves && matches!(relief.what, For::Swap(_) | For::Exchange(_)) {
            let time = self.config.lean_after_ms.saturating_mul(2);
            let until = self.now.mono_ms.saturating_add(time);
            self.releases.reliefs.list[place].step = Step::Serves { by: whom, until };
            self.releases.look_again();
            return false;
        }
        self.end_relief(relief.what, serves);
        true
    }

    /// Ends what took over: whom it freed are gone, or one of them is needed again (`rest` says what is), or their time
    /// is over.
    pub(in crate::manager::pruning) fn end_swaps(&mut self, needed: &[ConnId], wake: &mut Wake) {
        let now = self.now.mono_ms;
        let mut place = 0;
        while let Some(relief) = self.releases.reliefs.list.get(place).copied() {
            place += 1;
            let Step::Serves { until, .. } = relief.step else {
                continue;
            };
            let frees = relief.what.frees();
            let gone = !frees.iter().any(|conn| self.is_open(*conn));
            let undone = frees.iter().any(|conn| needed.contains(conn));
            if gone || undone || now >= until {
                place -= 1;
                self.releases.reliefs.list.remove(place);
                self.end_relief(relief.what, gone);
            } else {
                wake.by(until);
            }
        }
    }

    fn end_relief(&mut self, what: For, served: bool) {
        let config = &self.config;
        let lane = what.lane();
        let wait = &mut self.releases.reliefs.waits[lane as usize];
        // An exchange has won nothing yet.
        wait.failures = if served && !matches!(what, For::Exchange(_)) {
            0
        } else {
            wait.failures.saturating_add(1)
        };
        let step_ms = match lane {
            Lane::Thrift | Lane::Alternative => config.swap_every_ms,
            Lane::HandOff => config.hand_off_retry_ms,
        };
        let rounds = match lane {
            Lane::Thrift => wait.failures.saturating_add(1),
            Lane::HandOff | Lane::Alternative => wait.failures,
        };
        if rounds > 0 {
            let ms = backoff::doubled(step_ms, rounds, config.swap_cap_ms.max(step_ms));
            wait.until = self.now.mono_ms.saturating_add(ms);
        }
        self.releases.look_again();
    }

    /// The one peer on whom everything with a minimum depends, if another is to be found: a second one must not be one
    /// too many, and let go again.
    pub(in crate::manager::pruning) fn sole_provider(&self) -> Option<ConnId> {
        let sole = self.all_depends_on(None)?;
        let bears = |id| self.needs.need(id).is_some_and(|need| need.max >= 2);
        self.with_minimum().all(bears).then_some(sole)
    }

    /// Whether without a connection everything that has a minimum would depend on one peer alone. Somebody else would
    /// be dialed at once in its stead.
    pub(in crate::manager::pruning) fn spreads(&self, conn: ConnId) -> bool {
        self.all_depends_on(Some(conn)).is_some()
    }

    fn with_minimum(&self) -> impl Iterator<Item = RequirementId> {
        let wanted = |id: &RequirementId| self.needs.need(*id).is_some_and(|need| need.min > 0);
        self.needs.ids().filter(wanted)
    }

    /// The only provider of everything that has a minimum, this connection left out; of one thing alone it is no
    /// matter.
    fn all_depends_on(&self, without: Option<ConnId>) -> Option<ConnId> {
        let mut sole: Option<ConnId> = None;
        let mut count = 0;
        for id in self.with_minimum() {
            let providers = self.needs.providers(id).iter();
            let mut others = providers.map(|p| p.conn).filter(|id| Some(*id) != without);
            let (Some(first), None) = (others.next(), others.next()) else {
                return None;
            };
            if sole.is_some_and(|sole| sole != first) {
                return None;
            }
            sole = Some(first);
            count += 1;
        }
        sole.filter(|_| count > 1)
    }

    /// Requirements that have enough providers, of whom too many are of one netgroup to count (4.3, spread).
    pub(in crate::manager::pruning) fn crowded(&self) -> impl Iterator<Item = RequirementId> {
        self.needs.ids().filter(|id| {
            let target = self.needs.need(*id).map_or(0, |need| need.target);
            self.needs.met(*id) && self.covered(*id, None) < usize::from(target)
        })
    }

    /// Somebody else than the one peer, or the one netgroup, on whom too much depends, if anybody is known.
    pub(in crate::manager::pruning) fn wish_for_alternative(&self) -> Option<Wish> {
        let one_peer = self.sole_provider().is_some();
        let sole = self.with_minimum().filter(|_| one_peer);
        let mut wanted = sole.chain(self.crowded());
        wanted.find_map(|id| {
            Some(Wish {
                what: For::Alternative(id),
                whom: Some(self.somebody_else(id)?),
                needed: Services::one(id),
                after_ms: 0,
            })
        })
    }

    /// Whether the reliefs are what they must be (L4, R1).
    pub(in crate::manager) fn check_relief(&self) {
        let list = &self.releases.reliefs.list;
        for lane in [Lane::Thrift, Lane::Alternative] {
            let of_lane = list.iter().filter(|relief| relief.what.lane() == lane);
            let begun = of_lane.filter(|relief| !relief.is_wanted());
            assert!(begun.count() <= 1, "one relief at a time (4.6)");
        }
        let most = self.connections.len() + self.dials.len() + 2;
        assert!(list.len() <= most, "one for each connection at most (R1)");
    }
}
