//! One message on its way: whom to hand it to next, when to ask somebody else besides, and when it is over.
//!
//! Plain state: answers and times go in, [`Step`]s come out. The bytes are the same for every server, so that whoever has
//! them already knows them again (lightpush.md, sections 4 and 5).

use libp2p_identity::PeerId;

use super::Accepted;
use crate::protocols::verdict::{ExactClass, FailureClass, Retry, ShowCaller, Verdict};

/// A server that has not answered for so long is doubted, and another is asked besides. Four round trips, if that is more.
const HEDGE_MS: u64 = 500;
/// A server that has not answered for so long is late: whoever knows should look for another. Eight round trips, if that
/// is more.
const LATE_MS: u64 = 1_000;
/// When all were asked, they are asked again after this long, doubling (lightpush.md, section 7).
const ROUND_MS: u64 = 1_000;
/// How often (lightpush.md, section 7).
const ROUNDS: u8 = 3;

/// A server that could be asked now, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub peer: PeerId,
    /// Its connection, by the name that the caller knows it by.
    pub conn: u64,
    /// When its pace allows the next request.
    pub free_at: u64,
    /// The known round trip.
    pub rtt_ms: Option<u32>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Hand the message to this server. [`Sending::answered`] follows.
    Ask(Candidate),
    /// It is unanswered for longer than usual on this connection: whoever knows should look whether it lives.
    Doubt {
        /// Who was asked.
        peer: PeerId,
        /// On which connection.
        conn: u64,
    },
    /// It still is: another one had better be found.
    Late(PeerId),
    /// Nothing before this time, unless an answer or another server comes first.
    Wait(u64),
    /// It is over for the caller; open requests may still be answered.
    Over(Over),
}

/// How it ended for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Enough servers took it.
    Accepted,
    /// The message itself is wrong, says a server.
    Rejected,
    /// Nobody is left to ask, or the time is over.
    Exhausted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Open {
        since: u64,
        doubted: bool,
        late: bool,
    },
    Accepted,
    Failed(Verdict),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attempt {
    peer: PeerId,
    conn: u64,
    hedge_ms: u64,
    state: State,
    /// It failed, and may be asked again in this round.
    again: bool,
}

impl Attempt {
    /// Whether it took the message, or may soon.
    fn promises(&self) -> bool {
        match self.state {
            State::Open { doubted, .. } => !doubted,
            State::Accepted => true,
            State::Failed(_) => false,
        }
    }
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Sending {
    peers: usize,
    min: usize,
    deadline: u64,
    /// Somebody took these very bytes lately: who refuses them now may be one that knows them.
    known: bool,
    /// The last of each server; one that is asked again takes its old place.
    attempts: Vec<Attempt>,
    asked: u32,
    round: u8,
    again_at: u64,
    over: Option<Over>,
}

impl Sending {
    /// A message for `peers` servers at once that is sent when `min` have taken it. `known`: the same bytes were accepted
    /// before.
    pub fn new(peers: u8, min: u8, known: bool, deadline: u64) -> Self {
        Self {
            peers: usize::from(peers.max(min).max(1)),
            min: usize::from(min.max(1)),
            deadline,
            known,
            attempts: Vec::new(),
            asked: 0,
            round: 0,
            again_at: 0,
            over: None,
        }
    }

    /// What to do now.
    pub fn next(&mut self, now: u64, candidates: &[Candidate]) -> Step {
        if let Some(over) = self.over {
            return Step::Over(over);
        }
        if self.accepted().count() >= self.min {
            return self.end(Over::Accepted);
        }
        if self.is_rejected(candidates) {
            return self.end(Over::Rejected);
        }
        if now >= self.deadline {
            return self.end(Over::Exhausted);
        }
        let mut wake = self.deadline;
        for attempt in &mut self.attempts {
            let State::Open {
                since,
                doubted,
                late,
            } = &mut attempt.state
            else {
                continue;
            };
            let doubt_at = since.saturating_add(attempt.hedge_ms);
            let late_at = since.saturating_add(LATE_MS.max(2 * attempt.hedge_ms));
            if !*doubted {
                if now >= doubt_at {
                    *doubted = true;
                    // By what was noted when it was asked: who only waits for answers names no candidates any more.
                    return Step::Doubt {
                        peer: attempt.peer,
                        conn: attempt.conn,
                    };
                }
                wake = wake.min(doubt_at);
            } else if !*late {
                if now >= late_at {
                    *late = true;
                    return Step::Late(attempt.peer);
                }
                wake = wake.min(late_at);
            }
        }
        if self.attempts.iter().filter(|one| one.promises()).count() < self.peers {
            self.begin_round(now, candidates);
            let mut next = candidates.iter().filter(|one| self.may_ask(one));
            let soonest = next.clone().map(|one| one.free_at).min();
            if let Some(one) = next.find(|one| one.free_at <= now) {
                let one = *one;
                self.ask(now, one);
                return Step::Ask(one);
            }
            if let Some(at) = soonest {
                wake = wake.min(at);
            } else if self.round < ROUNDS {
                if !self.attempts.is_empty() && now < self.again_at {
                    wake = wake.min(self.again_at);
                }
            } else if self.is_idle() {
                return self.end(Over::Exhausted);
            }
        }
        Step::Wait(wake)
    }

    /// What a server answered. Returns whether it took the message.
    pub fn answered(&mut self, now: u64, peer: PeerId, answer: Result<Accepted, Verdict>) -> bool {
        let known = self.known;
        let Some(attempt) = self.attempts.iter_mut().find(|one| one.peer == peer) else {
            return false;
        };
        attempt.state = match answer {
            Ok(_) => State::Accepted,
            // It has seen them: that is what the caller wants.
            Err(verdict) if known && verdict.class == ExactClass::NoRelayPeers => State::Accepted,
            Err(verdict) => State::Failed(verdict),
        };
        let took = attempt.state == State::Accepted;
        // Whoever takes it spreads it to the others, which refuse it as known when they get it from us as well.
        self.known |= took;
        if took {
            for attempt in &mut self.attempts {
                if matches!(&attempt.state, State::Failed(verdict) if verdict.class == ExactClass::NoRelayPeers)
                {
                    attempt.state = State::Accepted;
                }
            }
        }
        if !took {
            self.again_at = now.saturating_add(ROUND_MS << self.round);
        }
        took
    }

    /// It was taken and spread no farther: one server more is asked, as long as there is time.
    pub fn one_more(&mut self) {
        let taken = self.accepted().count();
        self.min = taken + 1;
        self.peers = taken + 1;
        self.over = None;
    }

    /// When it is over for the caller.
    pub fn deadline(&self) -> u64 {
        self.deadline
    }

    /// Whether another server would be asked if there was one.
    pub fn wants_more(&self) -> bool {
        self.over.is_none()
            && self.attempts.iter().filter(|one| one.promises()).count() < self.peers
    }

    /// Whether no request is open.
    pub fn is_idle(&self) -> bool {
        !self
            .attempts
            .iter()
            .any(|one| matches!(one.state, State::Open { .. }))
    }

    /// Who took it, or knew it already.
    pub fn accepted(&self) -> impl Iterator<Item = PeerId> {
        let took = |one: &&Attempt| one.state == State::Accepted;
        self.attempts.iter().filter(took).map(|one| one.peer)
    }

    /// Who did not, and why.
    pub fn failed(&self) -> impl Iterator<Item = (PeerId, &Verdict)> {
        self.attempts.iter().filter_map(|one| match &one.state {
            State::Failed(verdict) => Some((one.peer, verdict)),
            State::Open { .. } | State::Accepted => None,
        })
    }

    /// Who has not answered.
    pub fn unanswered(&self) -> impl Iterator<Item = PeerId> {
        let open = |one: &&Attempt| matches!(one.state, State::Open { .. });
        self.attempts.iter().filter(open).map(|one| one.peer)
    }

    /// How many requests were made.
    pub fn asked(&self) -> u32 {
        self.asked
    }

    /// Whether a refusal with two meanings may mean that the server knew the bytes: somebody else took them, or may have.
    pub fn may_be_known(&self) -> bool {
        self.known
            || self.attempts.iter().any(|one| match &one.state {
                State::Open { .. } | State::Accepted => true,
                State::Failed(verdict) => matches!(
                    verdict.class,
                    ExactClass::Timeout | ExactClass::StreamReset | ExactClass::ServerError
                ),
            })
            || self.asked as usize > self.attempts.len()
    }

    fn ask(&mut self, now: u64, candidate: Candidate) {
        let hedge_ms = HEDGE_MS.max(u64::from(candidate.rtt_ms.unwrap_or(0)) * 4);
        self.asked += 1;
        let attempt = Attempt {
            peer: candidate.peer,
            conn: candidate.conn,
            hedge_ms,
            state: State::Open {
                since: now,
                doubted: false,
                late: false,
            },
            again: false,
        };
        match self
            .attempts
            .iter_mut()
            .find(|one| one.peer == candidate.peer)
        {
            Some(before) => *before = attempt,
            None => self.attempts.push(attempt),
        }
    }

    /// When everybody was asked and refused, those who may think better of it are asked again after a while.
    fn begin_round(&mut self, now: u64, candidates: &[Candidate]) {
        let waits = self.attempts.is_empty()
            || self.round >= ROUNDS
            || now < self.again_at
            || self.attempts.iter().any(|one| one.promises())
            || candidates.iter().any(|one| self.may_ask(one));
        if waits {
            return;
        }
        let mut begun = false;
        for attempt in &mut self.attempts {
            if let State::Failed(verdict) = &attempt.state
                && verdict.retry != Retry::None
            {
                attempt.again = true;
                begun = true;
            }
        }
        if begun {
            self.round += 1;
        }
    }

    /// Whether a server may be asked: for the first time, or again in this round.
    fn may_ask(&self, candidate: &Candidate) -> bool {
        let before = self.attempts.iter().find(|one| one.peer == candidate.peer);
        before.is_none_or(|before| before.again)
    }

    /// Whether the message is wrong: two servers say so, or one, and there is nobody else to ask. One alone may say
    /// anything.
    fn is_rejected(&self, candidates: &[Candidate]) -> bool {
        let calls_it_wrong = |(_, verdict): &(PeerId, &Verdict)| {
            verdict.failure == FailureClass::Ours && verdict.show_caller == ShowCaller::Yes
        };
        let alone = || self.is_idle() && !candidates.iter().any(|one| self.may_ask(one));
        match self.failed().filter(calls_it_wrong).count() {
            0 => false,
            1 => self.accepted().next().is_none() && alone(),
            _ => self.accepted().next().is_none(),
        }
    }

    /// The message was seen elsewhere: whoever did not answer has taken it, and whoever refused it knew it.
    pub fn seen(&mut self) {
        self.known = true;
        for attempt in &mut self.attempts {
            let took = match &attempt.state {
                State::Open { doubted, .. } => *doubted,
                State::Failed(verdict) => matches!(
                    verdict.class,
                    ExactClass::NoRelayPeers | ExactClass::Timeout
                ),
                State::Accepted => false,
            };
            if took {
                attempt.state = State::Accepted;
            }
        }
    }

    /// Whether nobody has taken it, and somebody may have without saying so: then it is worth a look elsewhere.
    pub fn is_unsure(&self) -> bool {
        self.over.is_none()
            && !self.attempts.is_empty()
            && !self.attempts.iter().any(|one| one.promises())
            && self.attempts.iter().any(|one| match &one.state {
                State::Open { .. } => true,
                State::Failed(verdict) => verdict.class == ExactClass::Timeout,
                State::Accepted => false,
            })
    }

    fn end(&mut self, over: Over) -> Step {
        self.over = Some(over);
        Step::Over(over)
    }
}

#[cfg(test)]
mod tests;
