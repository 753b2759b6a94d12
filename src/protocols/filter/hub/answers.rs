//! What each end of a request means (filter.md, sections 3 and 7).

use super::Hub;
use super::assign::withdraw;
use super::coverage::settle;
use super::pairs::{At, Standing};
use super::requests::Flight;
use super::session::{LONG_REST_MS, NEVER};
use super::types::{AskId, Now};
use crate::protocols::filter::SubscribeType;
use crate::protocols::verdict::{ExactClass, Retry, Verdict};

/// So many requests called wrong in a row, and the server is taken to call all wrong.
const MAX_BAD_REQUESTS: u8 = 8;

/// What becomes of a pair whose request has ended, or whose server is another now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Acknowledged.
    Acked,
    /// As if it had not been asked.
    Again,
    /// As that, in requests of at most so many pairs.
    Halved(u8),
    /// Not to be had there, though the server may have it.
    Left,
    /// The server has it not.
    Gone,
    /// The server calls it wrong.
    Refused,
}

impl Hub {
    /// How a request ended: with `Ok`, or with what [`interpret`](crate::protocols::filter::interpret) or
    /// [`Verdict::of_end`] says.
    pub fn answered(&mut self, now: Now, ask: AskId, answer: Result<(), Verdict>) {
        self.now = now;
        if let Some(place) = self.flights.iter().position(|f| f.ask == ask) {
            self.dirty = true;
            let flight = self.landed(place);
            match answer {
                Ok(()) => self.accepted(&flight),
                Err(verdict) => self.refused(&flight, &verdict),
            }
        }
    }

    /// A request was given up by us, or never went out: it says nothing about the server.
    pub fn cancelled(&mut self, now: Now, ask: AskId) {
        self.now = now;
        if let Some(place) = self.flights.iter().position(|f| f.ask == ask) {
            self.dirty = true;
            let flight = self.landed(place);
            self.end(&flight, Fate::Again);
        }
    }

    fn accepted(&mut self, flight: &Flight) {
        let now = self.now;
        let session = &mut self.sessions[flight.of];
        session.proved(now);
        for pair in &mut self.pairs.all {
            if let Some(at) = pair.at_mut(flight.of)
                && at.standing == Standing::Acked
                && at.since == NEVER
            {
                at.since = now.mono_ms;
            }
        }
        match flight.kind {
            SubscribeType::Subscribe => {
                session.took();
                self.end(flight, Fate::Acked);
            }
            SubscribeType::Ping => {}
            SubscribeType::Unsubscribe => self.end(flight, Fate::Gone),
            SubscribeType::UnsubscribeAll => {
                self.end(flight, Fate::Gone);
                self.forgotten(flight.of);
            }
        }
    }

    /// Whatever is not wanted from a server is not there any more.
    fn forgotten(&mut self, index: usize) {
        for pair in &mut self.pairs.all {
            if let Some(at) = pair.at_mut(index)
                && matches!(at.standing, Standing::Idle | Standing::Leave)
                && at.stored
            {
                at.standing = Standing::Idle;
                at.stored = false;
                at.at = self.now.mono_ms;
            }
        }
    }

    /// What becomes of the pairs of a request.
    fn end(&mut self, flight: &Flight, fate: Fate) {
        let now = self.now.mono_ms;
        for pair in &mut self.pairs.all {
            let mine = |at: &At| at.ask == flight.ask.0;
            let Some(place) = pair.at.iter().position(mine) else {
                continue;
            };
            if matches!(fate, Fate::Left | Fate::Gone | Fate::Refused) {
                settle(pair, &self.sessions, self.now, &mut self.outages);
            }
            let at = &mut pair.at[place];
            at.ask = NEVER;
            at.late = false;
            match fate {
                Fate::Acked => {
                    at.standing = Standing::Acked;
                    at.since = now;
                    at.batch = u8::MAX;
                }
                Fate::Again | Fate::Halved(_) => {
                    if let Fate::Halved(most) = fate {
                        at.batch = most;
                    }
                    if at.standing == Standing::Asking {
                        at.standing = Standing::Want;
                        at.at = 0;
                    } else {
                        at.standing = Standing::Leave;
                    }
                }
                Fate::Left | Fate::Gone | Fate::Refused => {
                    at.standing = Standing::Idle;
                    at.since = NEVER;
                    at.stored &= fate == Fate::Left;
                    at.at = now;
                    if fate == Fate::Refused {
                        at.refused_until = now + LONG_REST_MS;
                    }
                }
            }
        }
    }

    pub(super) fn refused(&mut self, flight: &Flight, verdict: &Verdict) {
        use ExactClass as Class;
        let now = self.now.mono_ms;
        let index = flight.of;
        let class = verdict.class;
        if flight.kind == SubscribeType::Subscribe && class != Class::RateLimited {
            self.note_error(flight, verdict);
        }
        let session = &mut self.sessions[index];
        if !matches!(
            class,
            Class::RateLimited | Class::Timeout | Class::StreamReset
        ) {
            session.pacer.ok(now);
        }
        // Unless something else follows, it is not to be had there.
        let mut fate = Fate::Left;
        let mut lost = false;
        match class {
            Class::RateLimited => {
                session.pacer.limited(now);
                if session.pacer.refuses() {
                    // It means more than "slower" by now.
                    session.rest_long(now);
                    self.note_error(flight, verdict);
                    lost = true;
                } else {
                    fate = Fate::Again;
                }
            }
            Class::Resubscribe => {
                session.forgot_us(now);
                self.ask_anew(index);
                self.forgotten(index);
                return;
            }
            _ if flight.kind == SubscribeType::Ping => {
                session.misses += 1;
                session.ping_at = now;
                if session.misses >= 2 {
                    session.misses = 0;
                    session.rest_a_little(now);
                    lost = true;
                }
            }
            // It forgets by itself; until then its pushes are dropped in silence.
            _ if flight.kind != SubscribeType::Subscribe => {}
            Class::BadRequest => {
                session.bad_requests = session.bad_requests.saturating_add(1);
                let spoiled = session.bad_requests >= MAX_BAD_REQUESTS;
                let all = self.pairs.all.iter().flat_map(|pair| &pair.at);
                let pairs = all.filter(|at| at.ask == flight.ask.0).count();
                // Of several pairs one may be wrong: the halves are asked for on their own.
                fate = match u8::try_from(pairs / 2).unwrap_or(u8::MAX) {
                    half if half > 0 && !spoiled => Fate::Halved(half),
                    _ => Fate::Refused,
                };
            }
            Class::TooManyCriteria => {
                self.end(flight, Fate::Gone);
                self.count();
                let session = &mut self.sessions[index];
                session.cap = session.held;
                session.cap_until = now + LONG_REST_MS;
                if session.held == 0 {
                    session.rest_long(now);
                }
            }
            Class::Timeout | Class::StreamReset | Class::ServerError => {
                if verdict.retry == Retry::SameOnceThenOther && !session.closed_once {
                    session.closed_once = true;
                    fate = Fate::Again;
                } else {
                    session.rest_a_little(now);
                    // What it has is in doubt as well.
                    session.ping_at = now;
                }
            }
            class => {
                session.rest_long(now);
                lost = matches!(class, Class::ProtocolFault | Class::Unsupported);
            }
        }
        self.end(flight, fate);
        if lost {
            self.give_up_all(index);
        }
    }

    fn note_error(&mut self, flight: &Flight, verdict: &Verdict) {
        let peer = self.sessions[flight.of].peer;
        for pair in &self.pairs.all {
            if !pair.at.iter().any(|at| at.ask == flight.ask.0) {
                continue;
            }
            for wish in &mut self.wishes {
                if pair.wishes.contains(&wish.id) {
                    wish.note(peer, verdict);
                }
            }
        }
    }

    /// What the server covers ends here, and it is asked for what it had anew, at once.
    pub(super) fn ask_anew(&mut self, index: usize) {
        self.lose_all(index);
        for pair in &mut self.pairs.all {
            if let Some(at) = pair.at_mut(index)
                && at.standing == Standing::Acked
            {
                at.standing = Standing::Want;
                at.at = 0;
            }
        }
    }

    /// Nothing of what the server has counts any more. It is told, if it can hear.
    pub(super) fn give_up_all(&mut self, index: usize) {
        self.lose_all(index);
        let session = &mut self.sessions[index];
        for pair in &mut self.pairs.all {
            if let Some(at) = pair.at_mut(index) {
                match at.standing {
                    Standing::Acked => at.standing = Standing::Leave,
                    Standing::Want => withdraw(at, session),
                    _ => {}
                }
            }
        }
    }
}
