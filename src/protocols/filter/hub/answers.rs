//! What each end of a request means (filter.md, sections 3 and 7).

use super::Hub;
use super::assign::withdraw;
use super::pairs::PairId;
use super::requests::Flight;
use super::session::{LONG_REST_MS, Standing};
use super::types::{AskId, Now};
use crate::protocols::filter::SubscribeType;
use crate::protocols::verdict::{ExactClass, Retry, Verdict};

/// So many requests called wrong in a row, and the server is taken to call all wrong.
const MAX_BAD_REQUESTS: u8 = 8;

impl Hub {
    /// How a request ended: with `Ok`, or with what [`interpret`](crate::protocols::filter::interpret) or
    /// [`Verdict::of_end`] says.
    pub fn answered(&mut self, now: Now, ask: AskId, answer: Result<(), Verdict>) {
        self.now = now;
        let Some(flight) = self.flights.remove(&ask) else {
            return;
        };
        let Some(index) = self.find(&flight.peer) else {
            return;
        };
        self.dirty = true;
        match answer {
            Ok(()) => self.accepted(index, flight),
            Err(verdict) => self.refused(index, flight, &verdict),
        }
    }

    /// A request was given up by us, or never went out: it says nothing about the server.
    pub fn cancelled(&mut self, now: Now, ask: AskId) {
        self.now = now;
        let Some(flight) = self.flights.remove(&ask) else {
            return;
        };
        if let Some(index) = self.find(&flight.peer) {
            self.dirty = true;
            self.again(index, &flight);
        }
    }

    fn accepted(&mut self, index: usize, flight: Flight) {
        let now = self.now;
        let session = &mut self.sessions[index];
        session.proved(now);
        if flight.kind == SubscribeType::Subscribe {
            session.took();
        }
        for id in flight.pairs {
            match flight.kind {
                SubscribeType::Subscribe => {
                    let at = self.sessions[index].at_mut(id);
                    at.standing = Standing::Acked;
                    at.since = now.mono_ms;
                    at.late = false;
                    at.batch = u8::MAX;
                }
                SubscribeType::Unsubscribe | SubscribeType::UnsubscribeAll => {
                    self.lose(index, id);
                    let at = self.sessions[index].at_mut(id);
                    at.standing = Standing::Idle;
                    at.stored = false;
                    at.at = now.mono_ms;
                }
                SubscribeType::Ping => {}
            }
        }
        if flight.kind == SubscribeType::UnsubscribeAll {
            for (_, at) in self.sessions[index].pairs.iter_mut() {
                if at.standing == Standing::Idle && at.stored {
                    at.stored = false;
                    at.at = now.mono_ms;
                }
            }
        }
    }

    /// What was asked is to be asked again, as if it had not been.
    fn again(&mut self, index: usize, flight: &Flight) {
        let session = &mut self.sessions[index];
        for id in &flight.pairs {
            let at = session.at_mut(*id);
            at.late = false;
            match at.standing {
                Standing::Asking => {
                    at.standing = Standing::Want;
                    at.at = 0;
                }
                Standing::Leaving => at.standing = Standing::Leave,
                _ => {}
            }
        }
    }

    /// What was asked is not to be had there. `stored` says whether the server may have it all the same.
    fn drop_pairs(&mut self, index: usize, flight: &Flight, stored: bool) {
        let now = self.now.mono_ms;
        for id in &flight.pairs {
            self.lose(index, *id);
            let at = self.sessions[index].at_mut(*id);
            at.standing = Standing::Idle;
            at.late = false;
            at.stored &= stored;
            at.at = now;
        }
    }

    pub(super) fn refused(&mut self, index: usize, flight: Flight, verdict: &Verdict) {
        let now = self.now.mono_ms;
        if flight.kind == SubscribeType::Subscribe && verdict.class != ExactClass::RateLimited {
            self.note_error(&flight, verdict);
        }
        let session = &mut self.sessions[index];
        if !matches!(
            verdict.class,
            ExactClass::RateLimited | ExactClass::Timeout | ExactClass::StreamReset
        ) {
            session.pacer.ok(now);
        }
        match verdict.class {
            ExactClass::RateLimited => {
                session.pacer.limited(now);
                if session.pacer.refuses() {
                    // It means more than "slower" by now.
                    session.rest_long(now);
                    self.note_error(&flight, verdict);
                    self.drop_pairs(index, &flight, true);
                    self.give_up_all(index);
                } else {
                    self.again(index, &flight);
                }
            }
            ExactClass::Resubscribe => {
                session.forgot_us(now);
                self.resubscribe(index);
            }
            _ if flight.kind == SubscribeType::Ping => {
                session.misses += 1;
                if session.misses < 2 {
                    session.ping_at = now;
                } else {
                    session.misses = 0;
                    session.ping_at = now;
                    session.rest_a_little(now);
                    self.give_up_all(index);
                }
            }
            _ if flight.kind != SubscribeType::Subscribe => {
                // It forgets by itself; until then its pushes are dropped in silence.
                self.drop_pairs(index, &flight, true);
            }
            ExactClass::BadRequest => self.called_wrong(index, &flight),
            ExactClass::TooManyCriteria => {
                self.drop_pairs(index, &flight, false);
                let session = &mut self.sessions[index];
                session.count();
                session.cap = session.held;
                session.cap_until = now + LONG_REST_MS;
                if session.held == 0 {
                    session.rest_long(now);
                }
            }
            ExactClass::Timeout | ExactClass::StreamReset | ExactClass::ServerError => {
                if verdict.retry == Retry::SameOnceThenOther && !session.closed_once {
                    session.closed_once = true;
                    self.again(index, &flight);
                    return;
                }
                session.rest_a_little(now);
                // What it has is in doubt as well.
                session.ping_at = now;
                self.drop_pairs(index, &flight, true);
            }
            class => {
                session.rest_long(now);
                self.drop_pairs(index, &flight, true);
                if matches!(class, ExactClass::ProtocolFault | ExactClass::Unsupported) {
                    self.give_up_all(index);
                }
            }
        }
    }

    /// The server calls the request wrong. Of several pairs one may be: the halves are asked for on their own.
    fn called_wrong(&mut self, index: usize, flight: &Flight) {
        let now = self.now.mono_ms;
        let session = &mut self.sessions[index];
        session.bad_requests = session.bad_requests.saturating_add(1);
        if flight.pairs.len() > 1 && session.bad_requests < MAX_BAD_REQUESTS {
            self.again(index, flight);
            let half = u8::try_from(flight.pairs.len() / 2).unwrap_or(u8::MAX);
            let (first, second) = flight.pairs.split_at(usize::from(half));
            for id in first.iter().chain(second) {
                let at = self.sessions[index].at_mut(*id);
                at.batch = half.max(1);
            }
        } else {
            self.drop_pairs(index, flight, false);
            for id in &flight.pairs {
                self.sessions[index].at_mut(*id).refused_until = now + LONG_REST_MS;
            }
        }
    }

    fn note_error(&mut self, flight: &Flight, verdict: &Verdict) {
        for id in &flight.pairs {
            let Some(pair) = self.pairs.get(*id) else {
                continue;
            };
            for wish in &pair.wishes {
                if let Some(wish) = self.wishes.get_mut(wish) {
                    wish.note(flight.peer, verdict);
                }
            }
        }
    }

    /// The server has forgotten everything: it is asked for it anew at once.
    fn resubscribe(&mut self, index: usize) {
        let now = self.now.mono_ms;
        for id in self.pairs_of(index) {
            self.lose(index, id);
            let at = self.sessions[index].at_mut(id);
            match at.standing {
                Standing::Acked => {
                    at.standing = Standing::Want;
                    at.at = 0;
                }
                Standing::Leave => at.standing = Standing::Idle,
                _ => {}
            }
            if at.standing == Standing::Idle && at.stored {
                at.stored = false;
                at.at = now;
            }
        }
    }

    /// Nothing of what the server has counts any more. It is told, if it can hear.
    pub(super) fn give_up_all(&mut self, index: usize) {
        for id in self.pairs_of(index) {
            self.lose(index, id);
            let session = &mut self.sessions[index];
            match session.at(id).map(|at| at.standing) {
                Some(Standing::Acked) => session.at_mut(id).standing = Standing::Leave,
                Some(Standing::Want) => withdraw(session, id),
                _ => {}
            }
        }
    }

    fn pairs_of(&self, index: usize) -> Vec<PairId> {
        self.sessions[index].pairs.keys().copied().collect()
    }
}
