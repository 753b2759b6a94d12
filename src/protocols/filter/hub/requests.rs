//! The requests to servers: what goes out when.
//!
//! Each server is asked at its own pace. What cannot wait goes first: pairs that nobody has yet, then a ping that is due, then
//! pairs for the sake of redundancy, then what is given up. The last two wait a little for others to share the request with,
//! unless there is plenty of room. Requests that add and requests that remove never overlap at a server, since nobody knows in
//! which order it reads them.

use libp2p_identity::PeerId;

use super::Hub;
use super::pairs::PairId;
use super::session::{At, Standing};
use super::types::{Action, AskId};
use crate::protocols::filter::{MAX_CONTENT_TOPICS, Request, SubscribeType};
use crate::protocols::pace::Pace;
use crate::protocols::verdict::{End, Protocol, Verdict};

/// How long a server may take (filter.md, section 4).
const TIMEOUT_MS: u32 = 10_000;
const PING_TIMEOUT_MS: u32 = 5_000;
/// After so long, or four round trips, a request is late: another server is asked beside.
const LATE_MS: u64 = 2_000;
const LATE_ROUND_TRIPS: u64 = 4;
/// The shell gives each request's end; should it not, the request ends by itself so long after its timeout.
const GRACE_MS: u64 = 5_000;
/// How long what is not urgent waits for company.
const GATHER_MS: u64 = 2_000;
/// How long what is given up waits while there is little room for what is wanted: it costs us what is pushed meanwhile.
const LEAVE_MS: u64 = 20_000;
/// Requests under way at a server.
const MAX_IN_FLIGHT: usize = 8;

/// A request under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) peer: PeerId,
    pub(super) kind: SubscribeType,
    shard: u16,
    pub(super) pairs: Vec<PairId>,
    at: u64,
    ends_at: u64,
    late: bool,
}

impl Flight {
    /// Time passed in which nothing could come.
    pub(super) fn slept(&mut self, ms: u64) {
        self.at += ms;
        self.ends_at += ms;
    }
}

/// What to ask next.
enum Job {
    Add(PairId),
    Ping,
    Remove(PairId),
    RemoveAll,
}

impl Hub {
    /// Sends what is due. Whether something urgent found no room.
    pub(super) fn send(&mut self) -> bool {
        let mut starved = false;
        for index in 0..self.sessions.len() {
            while let Some((job, is_urgent)) = self.job(index) {
                let now = self.now.mono_ms;
                match self.sessions[index].pacer.try_take(now) {
                    Ok(()) => self.ask(index, job),
                    Err(wait) => {
                        starved |= is_urgent;
                        self.wake(now + wait);
                        break;
                    }
                }
            }
        }
        starved
    }

    /// Whether a pair of this shard would be asked for at once.
    pub(super) fn is_ready(&self, index: usize, shard: u16) -> bool {
        let session = &self.sessions[index];
        session.pacer.wait(self.now.mono_ms) == 0 && self.may_add(index, shard)
    }

    fn may_add(&self, index: usize, shard: u16) -> bool {
        self.under_way(index).all(|flight| match flight.kind {
            SubscribeType::Ping => true,
            SubscribeType::Subscribe => flight.shard != shard,
            SubscribeType::Unsubscribe | SubscribeType::UnsubscribeAll => false,
        })
    }

    fn under_way(&self, index: usize) -> impl Iterator<Item = &Flight> {
        let peer = self.sessions[index].peer;
        self.flights
            .values()
            .filter(move |flight| flight.peer == peer)
    }

    fn job(&mut self, index: usize) -> Option<(Job, bool)> {
        let now = self.now.mono_ms;
        let session = &self.sessions[index];
        session.conn?;
        if self.under_way(index).count() >= MAX_IN_FLIGHT {
            return None;
        }
        // With most of the burst left, nothing is gained by waiting.
        let plenty =
            !session.pacer.is_limited(now) && session.pacer.room(now) >= Pace::FILTER.burst / 4 * 3;
        let (mut wake, mut due) = (None, None);
        let mut later = |at: u64| wake = Some(wake.map_or(at, |wake: u64| wake.min(at)));
        for (id, at) in session.pairs.iter() {
            if at.standing != Standing::Want {
                continue;
            }
            let shard = self.pairs.get(*id).map_or(0, |p| p.pubsub_topic.shard);
            if !self.may_add(index, shard) {
                continue;
            }
            if self.is_urgent(*id) {
                return Some((Job::Add(*id), true));
            }
            if plenty || at.at + GATHER_MS <= now {
                due = due.or(Some(Job::Add(*id)));
            } else {
                later(at.at + GATHER_MS);
            }
        }
        let has = |f: fn(&At) -> bool| session.pairs.values().any(f);
        if has(|at| at.standing == Standing::Acked)
            && !self
                .under_way(index)
                .any(|flight| flight.kind == SubscribeType::Ping)
        {
            if session.ping_at <= now {
                return Some((Job::Ping, false));
            }
            later(session.ping_at);
        }
        let undisturbed = !self
            .under_way(index)
            .any(|flight| flight.kind != SubscribeType::Ping);
        if due.is_none() && undisturbed {
            let spare = session.pacer.room(now) >= Pace::FILTER.burst / 2;
            let patience = if spare { GATHER_MS } else { LEAVE_MS };
            for (id, at) in session.pairs.iter() {
                if at.standing != Standing::Leave {
                    continue;
                }
                if plenty || at.at + patience <= now {
                    due = Some(if has(At::is_live) {
                        Job::Remove(*id)
                    } else {
                        Job::RemoveAll
                    });
                    break;
                }
                later(at.at + patience);
            }
        }
        if let Some(at) = wake {
            self.wake(at);
        }
        due.map(|job| (job, false))
    }

    /// Whether nobody has the pair, nor is asked for it in good time.
    fn is_urgent(&self, id: PairId) -> bool {
        !self.sessions.iter().any(|session| {
            session.at(id).is_some_and(|at| match at.standing {
                Standing::Acked => true,
                Standing::Asking => !at.late,
                _ => false,
            })
        })
    }

    /// Makes a request, for which the pace has room.
    fn ask(&mut self, index: usize, job: Job) {
        let now = self.now.mono_ms;
        let Some(conn) = self.sessions[index].conn else {
            return;
        };
        let ask = AskId(self.next_ask);
        self.next_ask += 1;
        let request_id = ask.0.to_string();
        let (kind, pairs) = match job {
            Job::Add(id) => (
                SubscribeType::Subscribe,
                self.batch(index, id, Standing::Want),
            ),
            Job::Remove(id) => (
                SubscribeType::Unsubscribe,
                self.batch(index, id, Standing::Leave),
            ),
            Job::Ping => (SubscribeType::Ping, Vec::new()),
            Job::RemoveAll => {
                let pairs = self.sessions[index].pairs.iter();
                let pairs = pairs.filter(|(_, at)| at.standing == Standing::Leave);
                let pairs = pairs.map(|(id, _)| *id).collect();
                (SubscribeType::UnsubscribeAll, pairs)
            }
        };
        let session = &mut self.sessions[index];
        for id in &pairs {
            let at = session.at_mut(*id);
            if kind == SubscribeType::Subscribe {
                at.standing = Standing::Asking;
                at.asked = true;
                at.stored = true;
            } else {
                at.standing = Standing::Leaving;
            }
            at.late = false;
        }
        session.last_request = now;
        let group = pairs.first().and_then(|id| self.pairs.get(*id));
        let pubsub_topic = group.map(|pair| pair.pubsub_topic);
        let topic = pubsub_topic.map(|topic| topic.to_string());
        let topics = || {
            let pairs = pairs.iter().filter_map(|id| self.pairs.get(*id));
            pairs.map(|pair| pair.content_topic.clone()).collect()
        };
        let request = match (kind, topic) {
            (SubscribeType::Subscribe, Some(topic)) => {
                Request::subscribe(request_id, topic, topics())
            }
            (SubscribeType::Unsubscribe, Some(topic)) => {
                Request::unsubscribe(request_id, topic, topics())
            }
            (SubscribeType::Ping, _) => Request::ping(request_id),
            _ => Request::unsubscribe_all(request_id),
        };
        let timeout_ms = if kind == SubscribeType::Subscribe {
            TIMEOUT_MS
        } else {
            PING_TIMEOUT_MS
        };
        let peer = session.peer;
        let flight = Flight {
            peer,
            kind,
            shard: pubsub_topic.map_or(0, |topic| topic.shard),
            pairs,
            at: now,
            ends_at: now + u64::from(timeout_ms) + GRACE_MS,
            late: false,
        };
        self.wake(self.late_at(index, &flight));
        self.flights.insert(ask, flight);
        self.act(Action::Ask {
            ask,
            peer,
            conn,
            request,
            timeout_ms,
        });
    }

    /// The pairs of one request: of one shard, as many as it may have, `first` among them.
    fn batch(&self, index: usize, first: PairId, standing: Standing) -> Vec<PairId> {
        let session = &self.sessions[index];
        let of = |id: PairId| self.pairs.get(id).map(|pair| pair.pubsub_topic);
        let mut most = session.at(first).map_or(1, |at| usize::from(at.batch));
        let mut batch = vec![first];
        for (id, at) in session.pairs.iter() {
            let most_with = most.min(usize::from(at.batch)).min(MAX_CONTENT_TOPICS);
            if *id != first
                && at.standing == standing
                && of(*id) == of(first)
                && batch.len() < most_with
            {
                most = most_with;
                batch.push(*id);
            }
        }
        batch
    }

    fn late_at(&self, index: usize, flight: &Flight) -> u64 {
        let round_trips = u64::from(self.sessions[index].rtt_ms) * LATE_ROUND_TRIPS;
        flight.at + LATE_MS.max(round_trips)
    }

    /// Notes requests that take suspiciously long, and ends those whose end nobody tells.
    pub(super) fn find_late(&mut self) {
        let now = self.now.mono_ms;
        let asks: Vec<_> = self.flights.keys().copied().collect();
        for ask in asks {
            let flight = &self.flights[&ask];
            let ends_at = flight.ends_at;
            let Some(index) = self.find(&flight.peer) else {
                self.flights.remove(&ask);
                continue;
            };
            if ends_at <= now {
                if let Some(flight) = self.flights.remove(&ask) {
                    let verdict = Verdict::of_end(Protocol::FilterSubscribe, End::Timeout);
                    self.refused(index, flight, &verdict);
                }
                continue;
            }
            let late_at = self.late_at(index, flight);
            if late_at > now {
                self.wake(late_at);
                continue;
            }
            self.wake(ends_at);
            if let Some(flight) = self.flights.get_mut(&ask)
                && !flight.late
            {
                flight.late = true;
                for id in &flight.pairs {
                    self.sessions[index].at_mut(*id).late = true;
                }
            }
        }
    }

    /// The last requests before the end: one for each server that has anything of ours.
    pub(super) fn farewells(&mut self) {
        let now = self.now.mono_ms;
        for index in 0..self.sessions.len() {
            let session = &mut self.sessions[index];
            let told = session.pairs.values().any(|at| at.stored)
                && session.conn.is_some()
                && session.pacer.try_take(now).is_ok();
            if told {
                self.ask(index, Job::RemoveAll);
            }
        }
    }
}
