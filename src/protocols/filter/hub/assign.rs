//! Which server is to have which pair.
//!
//! Each pair goes to as many servers as are wanted, or as there are: those first that have others of our pairs, so that few
//! servers and pings do, then the best. A pair that nobody has yet goes to a server that may be asked at once. What is given up
//! is given up only when enough others have acknowledged it.

use super::Hub;
use super::pairs::{At, Pair, Standing};
use super::session::{MAX_PAIRS, NEVER, Session};

impl Hub {
    pub(super) fn assign(&mut self) {
        let now = self.now.mono_ms;
        let most = self.room_for();
        for pair in &mut self.pairs.all {
            let wake = place(pair, most, &mut self.sessions, now);
            self.next = self.next.min(wake);
        }
    }
}

impl Hub {
    /// On how many servers each pair has room. With more pairs than all servers take so often, fewer servers for each are
    /// better than none for the last.
    fn room_for(&self) -> u8 {
        let now = self.now.mono_ms;
        let usable = self.sessions.iter().filter(|session| {
            session.conn.is_some() && !session.retiring && session.rests_until() <= now
        });
        let room = usable.count() * usize::from(MAX_PAIRS);
        let wanted = self.pairs.all.iter().filter(|pair| pair.peers > 0);
        let each = room / wanted.count().max(1);
        u8::try_from(each.max(1)).unwrap_or(u8::MAX)
    }
}

/// Finds servers for a pair. When to look again, if nobody is there for it.
fn place(pair: &mut Pair, most: u8, sessions: &mut [Session], now: u64) -> u64 {
    let shard = pair.pubsub_topic.shard;
    let need = pair.peers.min(most);
    let (mut good, mut acked, mut urgent, mut ready) = (0, 0, true, false);
    for at in &mut pair.at {
        let session = &mut sessions[at.of];
        if need == 0 {
            match at.standing {
                Standing::Acked => give_up(at, session, now),
                Standing::Want => withdraw(at, session),
                _ => {}
            }
            continue;
        }
        let counts = u8::from(!session.retiring);
        match at.standing {
            Standing::Acked => {
                good += counts;
                acked += counts;
                urgent = false;
            }
            Standing::Asking if !at.late => {
                good += counts;
                urgent = false;
            }
            Standing::Want => {
                good += counts;
                ready |= !session.retiring && session.is_ready(shard, now);
            }
            _ => {}
        }
    }
    if need == 0 {
        return NEVER;
    }
    loop {
        let divert = urgent && !ready;
        if good >= need && !divert {
            break;
        }
        let Some(index) = best(pair, sessions, divert, now) else {
            break;
        };
        let is_ready = sessions[index].is_ready(shard, now);
        if good >= need && !is_ready {
            break;
        }
        if take(pair, index, sessions, now) {
            acked += 1;
            urgent = false;
        }
        ready |= is_ready;
        good += 1;
    }
    if good == 0 && urgent {
        return resort(pair, sessions, now);
    }
    // What was not asked for yet and is not needed any more.
    while good > need {
        let Some(worst) = worst(pair, sessions, Standing::Want, now) else {
            break;
        };
        let at = &mut pair.at[worst];
        withdraw(at, &mut sessions[at.of]);
        good -= 1;
    }
    // What enough others have acknowledged; when nobody else is coming, fewer than wanted have to do.
    if acked >= need || acked >= 1 && good == acked {
        for at in &mut pair.at {
            let session = &mut sessions[at.of];
            if session.retiring && at.standing == Standing::Acked {
                give_up(at, session, now);
            }
        }
    }
    while acked > need {
        let Some(worst) = worst(pair, sessions, Standing::Acked, now) else {
            break;
        };
        let at = &mut pair.at[worst];
        give_up(at, &mut sessions[at.of], now);
        acked -= 1;
    }
    NEVER
}

/// The best server for a pair that it has not.
fn best(pair: &Pair, sessions: &[Session], at_once: bool, now: u64) -> Option<usize> {
    let shard = pair.pubsub_topic.shard;
    let mut best = (NEVER, None);
    for (index, session) in sessions.iter().enumerate() {
        if session.rests_until() > now || session.retiring || !is_free(pair, index, session, now) {
            continue;
        }
        let on = pair.at(index).is_some_and(At::is_on);
        let waits = at_once && !on && !session.is_ready(shard, now);
        let rank = u64::from(waits) << 18
            | u64::from(!on) << 17
            | u64::from(session.live == 0) << 16
            | u64::from(session.rank);
        if rank < best.0 {
            best = (rank, Some(index));
        }
    }
    best.1
}

/// The one of this standing that is given up most easily.
fn worst(pair: &Pair, sessions: &[Session], standing: Standing, now: u64) -> Option<usize> {
    let mut worst = None;
    for (place, at) in pair.at.iter().enumerate() {
        let session = &sessions[at.of];
        let waits = !session.is_ready(pair.pubsub_topic.shard, now);
        let rank = u32::from(waits) << 16 | u32::from(session.rank);
        if at.standing == standing
            && !session.retiring
            && worst.is_none_or(|(worst, _)| rank > worst)
        {
            worst = Some((rank, place));
        }
    }
    worst.map(|(_, place)| place)
}

/// Nobody is there for the pair: a server that rests is better than none, after a while.
fn resort(pair: &mut Pair, sessions: &mut [Session], now: u64) -> u64 {
    let mut first = (NEVER, 0);
    for (index, session) in sessions.iter().enumerate() {
        let refused_until = pair.at(index).map_or(0, |at| at.refused_until);
        let rests_until = session.resort_at.min(session.rests_until());
        let from = rests_until.max(refused_until);
        if from < first.0 && is_free(pair, index, session, from) {
            first = (from, index);
        }
    }
    let (from, index) = first;
    if from > now {
        return from;
    }
    sessions[index].retiring = false;
    sessions[index].blocked_until = 0;
    take(pair, index, sessions, now);
    NEVER
}

/// Whether the pair may be asked for there.
fn is_free(pair: &Pair, index: usize, session: &Session, now: u64) -> bool {
    session.serves(pair.pubsub_topic.shard)
        && match pair.at(index) {
            None => session.has_room(now),
            Some(at) => match at.standing {
                Standing::Idle => at.refused_until <= now && (at.stored || session.has_room(now)),
                Standing::Leave => true,
                _ => false,
            },
        }
}

/// Gives the pair to the server. Whether it has it already.
fn take(pair: &mut Pair, index: usize, sessions: &mut [Session], now: u64) -> bool {
    let session = &mut sessions[index];
    let at = pair.at_or_new(index);
    let has = at.standing == Standing::Leave && at.since != NEVER;
    at.standing = if has { Standing::Acked } else { Standing::Want };
    at.at = now;
    session.live += 1;
    session.held += u16::from(!at.stored);
    has
}

/// Takes back what was not asked for.
pub(super) fn withdraw(at: &mut At, session: &mut Session) {
    if at.stored {
        at.standing = Standing::Leave;
    } else {
        at.standing = Standing::Idle;
        session.held = session.held.saturating_sub(1);
    }
    session.live = session.live.saturating_sub(1);
}

fn give_up(at: &mut At, session: &mut Session, now: u64) {
    at.standing = Standing::Leave;
    at.at = now;
    session.live = session.live.saturating_sub(1);
}
