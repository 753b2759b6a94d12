//! Which server is to have which pair.
//!
//! Each pair goes to as many servers as are wanted, or as there are: those first that have others of our pairs, so that few
//! servers and pings do, then the best. A pair that nobody has yet goes to a server that may be asked at once. What is given up
//! is given up only when enough others have acknowledged it.

use super::Hub;
use super::pairs::PairId;
use super::session::{At, NEVER, Session, Standing};

impl Hub {
    pub(super) fn assign(&mut self) {
        for id in self.pairs.ids() {
            let Some(pair) = self.pairs.get(id) else {
                continue;
            };
            match pair.peers {
                0 => self.release(id),
                peers => self.place(id, pair.pubsub_topic.shard, usize::from(peers)),
            }
        }
    }

    /// Nobody wants the pair.
    fn release(&mut self, id: PairId) {
        let now = self.now.mono_ms;
        for session in &mut self.sessions {
            match session.at(id).map(|at| at.standing) {
                Some(Standing::Acked) => give_up(session, id, now),
                Some(Standing::Want) => withdraw(session, id),
                _ => {}
            }
        }
    }

    fn place(&mut self, id: PairId, shard: u16, need: usize) {
        let now = self.now.mono_ms;
        let (mut good, mut acked, mut urgent, mut ready) = (0, 0, true, false);
        for index in 0..self.sessions.len() {
            let session = &self.sessions[index];
            let Some(at) = session.at(id) else {
                continue;
            };
            let counts = !session.retiring;
            match at.standing {
                Standing::Acked => {
                    good += usize::from(counts);
                    acked += usize::from(counts);
                    urgent = false;
                }
                Standing::Asking if !at.late => {
                    good += usize::from(counts);
                    urgent = false;
                }
                Standing::Want if counts => {
                    good += 1;
                    ready |= self.is_ready(index, shard);
                }
                _ => {}
            }
        }
        loop {
            let divert = urgent && !ready;
            if good >= need && !divert {
                break;
            }
            let Some(index) = self.best(id, shard, divert) else {
                break;
            };
            let is_ready = self.is_ready(index, shard);
            if good >= need && !is_ready {
                break;
            }
            let session = &mut self.sessions[index];
            if take(session, id, now) {
                acked += 1;
                urgent = false;
            }
            ready |= is_ready;
            good += 1;
        }
        if good == 0 && urgent {
            self.resort(id, shard);
        } else if good > need {
            good -= self.withdraw_some(id, shard, good - need);
        }
        if good > 0 {
            self.make_room(id, need, good, acked);
        }
    }

    /// The best server for a pair that it has not.
    fn best(&self, id: PairId, shard: u16, at_once: bool) -> Option<usize> {
        let now = self.now.mono_ms;
        (0..self.sessions.len())
            .filter(|index| {
                let session = &self.sessions[*index];
                session.serves(shard)
                    && session.rests_until() <= now
                    && !session.retiring
                    && is_free(session, id, now)
            })
            .min_by_key(|index| {
                let session = &self.sessions[*index];
                let on = session.at(id).is_some_and(At::is_on);
                (
                    at_once && !on && !self.is_ready(*index, shard),
                    !on,
                    session.live == 0,
                    session.rank,
                )
            })
    }

    /// Nobody is there for the pair: a server that rests is better than none, after a while.
    fn resort(&mut self, id: PairId, shard: u16) {
        let now = self.now.mono_ms;
        let asked_at = |session: &Session| {
            let refused_until = session.at(id).map_or(0, |at| at.refused_until);
            let rests_until = session.resort_at.min(session.rests_until());
            rests_until.max(refused_until)
        };
        let resting = (0..self.sessions.len())
            .filter(|index| {
                let session = &self.sessions[*index];
                session.serves(shard) && is_free(session, id, asked_at(session))
            })
            .min_by_key(|index| {
                let session = &self.sessions[*index];
                (asked_at(session), session.rank)
            });
        let Some(index) = resting else {
            return;
        };
        let session = &mut self.sessions[index];
        let at = asked_at(session);
        if at > now {
            self.wake(at);
        } else {
            session.retiring = false;
            session.blocked_until = 0;
            take(session, id, now);
        }
    }

    /// Takes back what was not asked for yet and is not needed any more.
    fn withdraw_some(&mut self, id: PairId, shard: u16, surplus: usize) -> usize {
        for done in 0..surplus {
            let worst = (0..self.sessions.len())
                .filter(|index| {
                    let session = &self.sessions[*index];
                    !session.retiring
                        && session
                            .at(id)
                            .is_some_and(|at| at.standing == Standing::Want)
                })
                .max_by_key(|index| (!self.is_ready(*index, shard), self.sessions[*index].rank));
            match worst {
                Some(index) => withdraw(&mut self.sessions[index], id),
                None => return done,
            }
        }
        surplus
    }

    /// Gives up what enough others have acknowledged, at those first that are to be replaced.
    fn make_room(&mut self, id: PairId, need: usize, good: usize, mut acked: usize) {
        let now = self.now.mono_ms;
        // Nobody else is coming: fewer than wanted have to do.
        let enough = acked >= need || acked >= 1 && good == acked;
        for session in &mut self.sessions {
            if enough
                && session.retiring
                && session
                    .at(id)
                    .is_some_and(|at| at.standing == Standing::Acked)
            {
                give_up(session, id, now);
            }
        }
        while acked > need {
            let worst = (0..self.sessions.len())
                .filter(|index| {
                    let session = &self.sessions[*index];
                    session
                        .at(id)
                        .is_some_and(|at| at.standing == Standing::Acked)
                })
                .max_by_key(|index| self.sessions[*index].rank);
            let Some(index) = worst else {
                break;
            };
            give_up(&mut self.sessions[index], id, now);
            acked -= 1;
        }
    }
}

/// Whether the pair may be asked for there.
fn is_free(session: &Session, id: PairId, now: u64) -> bool {
    match session.at(id) {
        None => session.has_room(now),
        Some(at) => match at.standing {
            Standing::Idle => at.refused_until <= now && (at.stored || session.has_room(now)),
            Standing::Leave => true,
            _ => false,
        },
    }
}

/// Gives the pair to the server. Whether it has it already.
fn take(session: &mut Session, id: PairId, now: u64) -> bool {
    let at = session.at_mut(id);
    let counted = at.stored;
    let has = at.standing == Standing::Leave && at.since != NEVER;
    at.standing = if has { Standing::Acked } else { Standing::Want };
    at.at = now;
    session.live += 1;
    session.held += u16::from(!counted);
    has
}

/// Takes back what was not asked for.
pub(super) fn withdraw(session: &mut Session, id: PairId) {
    let at = session.at_mut(id);
    at.standing = if at.stored {
        Standing::Leave
    } else {
        Standing::Idle
    };
    let (stored, asked) = (at.stored, at.asked);
    session.live = session.live.saturating_sub(1);
    if !stored {
        session.held = session.held.saturating_sub(1);
    }
    if !asked {
        session.pairs.remove(&id);
    }
}

fn give_up(session: &mut Session, id: PairId, now: u64) {
    let at = session.at_mut(id);
    at.standing = Standing::Leave;
    at.at = now;
    session.live = session.live.saturating_sub(1);
}
