//! The requests to servers: what goes out when.
//!
//! Each server is asked at its own pace. What cannot wait goes first: pairs that nobody has yet, then a ping that is due, then
//! pairs for the sake of redundancy, then what is given up. The last two wait a little for others to share the request with,
//! unless there is plenty of room. Requests that add and requests that remove never overlap at a server, since nobody knows in
//! which order it reads them.

use super::Hub;
use super::pairs::{Pair, Standing};
use super::session::{NEVER, shard_bit};
use super::types::{Action, AskId};
use crate::protocols::filter::{MAX_CONTENT_TOPICS, Request, SubscribeType};
use crate::protocols::pace::Pace;
use crate::protocols::topic::PubsubTopic;
use crate::protocols::verdict::{End, Protocol, Verdict};

/// How long a server may take (filter.md, section 4).
const TIMEOUT_MS: u32 = 10_000;
const PING_TIMEOUT_MS: u32 = 5_000;
/// After so long, or four round trips, a request is late: another server is asked beside.
const LATE_MS: u64 = 2_000;
/// A ping that asks whether a server lives that fell silent is late sooner.
const QUIET_LATE_MS: u64 = 1_000;
const LATE_ROUND_TRIPS: u64 = 4;
/// The shell gives each request's end; should it not, the request ends by itself so long after its timeout.
const GRACE_MS: u64 = 5_000;
/// How long what is not urgent waits for company.
const GATHER_MS: u64 = 2_000;
/// How long what is given up waits while there is little room for what is wanted: it costs us what is pushed meanwhile.
const LEAVE_MS: u64 = 20_000;
/// Requests under way at a server.
const MAX_IN_FLIGHT: u32 = 8;

/// A request under way. Its pairs know it by its name.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) ask: AskId,
    /// The place of the session.
    pub(super) of: usize,
    pub(super) kind: SubscribeType,
    /// Of the shard, in [`Session::adding`](super::session::Session).
    bit: u64,
    pub(super) late_at: u64,
    pub(super) ends_at: u64,
    late: bool,
}

/// What to ask next.
struct Job {
    kind: SubscribeType,
    topic: PubsubTopic,
    /// Most pairs in it.
    most: u8,
    is_urgent: bool,
}

impl Job {
    /// A request that names nothing.
    fn plain(kind: SubscribeType) -> Self {
        Self {
            kind,
            topic: PubsubTopic {
                cluster: 0,
                shard: 0,
            },
            most: 0,
            is_urgent: false,
        }
    }
}

impl Hub {
    /// Sends what is due. Whether something urgent found no room.
    pub(super) fn send(&mut self) -> bool {
        let mut starved = false;
        for index in 0..self.sessions.len() {
            while let Some(job) = self.job(index) {
                let now = self.now.mono_ms;
                match self.sessions[index].pacer.try_take(now) {
                    Ok(()) => self.ask(index, &job),
                    Err(wait) => {
                        starved |= job.is_urgent;
                        self.wake(now + wait);
                        break;
                    }
                }
            }
        }
        starved
    }

    fn job(&mut self, index: usize) -> Option<Job> {
        let now = self.now.mono_ms;
        let session = &self.sessions[index];
        session.conn?;
        let beside = session.adding.count_ones() + u32::from(session.pinging);
        if session.removing || beside >= MAX_IN_FLIGHT {
            return None;
        }
        // With most of the burst left, nothing is gained by waiting. What is given up may use half of it.
        let room = session.pacer.room(now);
        let plenty = !session.pacer.is_limited(now) && room >= Pace::FILTER.burst / 4 * 3;
        let patience = if room >= Pace::FILTER.burst / 2 {
            GATHER_MS
        } else {
            LEAVE_MS
        };
        let (mut add, mut remove, mut acked, mut wake) = (None, None, false, NEVER);
        for pair in &self.pairs.all {
            let Some(at) = pair.at(index) else {
                continue;
            };
            let mut job = Job {
                kind: SubscribeType::Subscribe,
                topic: pair.pubsub_topic,
                most: at.batch,
                is_urgent: false,
            };
            let (waits, place) = match at.standing {
                Standing::Want if session.may_add(pair.pubsub_topic.shard) => {
                    if is_urgent(pair) {
                        job.is_urgent = true;
                        return Some(job);
                    }
                    (GATHER_MS, &mut add)
                }
                Standing::Leave if session.adding == 0 => {
                    job.kind = if session.live == 0 {
                        SubscribeType::UnsubscribeAll
                    } else {
                        SubscribeType::Unsubscribe
                    };
                    (patience, &mut remove)
                }
                standing => {
                    acked |= standing == Standing::Acked;
                    continue;
                }
            };
            if plenty || at.at + waits <= now {
                place.get_or_insert(job);
            } else {
                wake = wake.min(at.at + waits);
            }
        }
        if acked && !session.pinging {
            if session.ping_due() <= now {
                return Some(Job::plain(SubscribeType::Ping));
            }
            wake = wake.min(session.ping_due());
        }
        self.wake(wake);
        add.or(remove)
    }

    /// Makes a request, for which the pace has room: of one shard, with as many pairs as it may have.
    fn ask(&mut self, index: usize, job: &Job) {
        let now = self.now.mono_ms;
        let session = &mut self.sessions[index];
        let Some(conn) = session.conn else {
            return;
        };
        let ask = self.next_ask;
        self.next_ask += 1;
        let kind = job.kind;
        let (from, to) = match kind {
            SubscribeType::Subscribe => (Standing::Want, Standing::Asking),
            _ => (Standing::Leave, Standing::Leaving),
        };
        let all = kind == SubscribeType::UnsubscribeAll;
        let mut topics = Vec::new();
        if kind != SubscribeType::Ping {
            let mut most = usize::from(job.most).min(MAX_CONTENT_TOPICS);
            for pair in &mut self.pairs.all {
                let of_this = all || pair.pubsub_topic == job.topic;
                let Some(at) = pair.at.iter_mut().find(|at| at.of == index) else {
                    continue;
                };
                let most_with = most.min(usize::from(at.batch));
                if at.standing != from || !of_this || !all && topics.len() >= most_with {
                    continue;
                }
                most = most_with;
                at.standing = to;
                at.ask = ask;
                at.late = false;
                if to == Standing::Asking {
                    at.asked = true;
                    at.stored = true;
                }
                if !all {
                    topics.push(pair.content_topic.clone());
                }
            }
        }
        let mut timeout_ms = PING_TIMEOUT_MS;
        let mut bit = 0;
        let mut late_ms = LATE_MS;
        match kind {
            SubscribeType::Subscribe => {
                timeout_ms = TIMEOUT_MS;
                bit = shard_bit(job.topic.shard);
                session.adding |= bit;
            }
            SubscribeType::Ping => {
                session.pinging = true;
                if session.quiet_at <= now {
                    late_ms = QUIET_LATE_MS;
                    session.quiet_at = NEVER;
                }
            }
            _ => session.removing = true,
        }
        session.last_request = now;
        let late_at = now + late_ms.max(u64::from(session.rtt_ms) * LATE_ROUND_TRIPS);
        let peer = session.peer;
        self.flights.push(Flight {
            ask: AskId(ask),
            of: index,
            kind,
            bit,
            late_at,
            ends_at: now + u64::from(timeout_ms) + GRACE_MS,
            late: false,
        });
        self.wake(late_at);
        let request = Request {
            request_id: ask.to_string(),
            filter_subscribe_type: kind.into(),
            pubsub_topic: (!topics.is_empty()).then(|| job.topic.to_string()),
            content_topics: topics,
        };
        self.act(Action::Ask {
            ask: AskId(ask),
            peer,
            conn,
            request,
            timeout_ms,
        });
    }

    /// Takes a request out of those under way.
    pub(super) fn landed(&mut self, place: usize) -> Flight {
        let flight = self.flights.remove(place);
        let session = &mut self.sessions[flight.of];
        match flight.kind {
            SubscribeType::Subscribe => session.adding &= !flight.bit,
            SubscribeType::Ping => session.pinging = false,
            _ => session.removing = false,
        }
        flight
    }

    /// Notes requests that take suspiciously long, and ends those whose end nobody tells.
    pub(super) fn find_late(&mut self) {
        let now = self.now.mono_ms;
        while let Some(place) = self.flights.iter().position(|f| f.ends_at <= now) {
            let flight = self.landed(place);
            let verdict = Verdict::of_end(Protocol::FilterSubscribe, End::Timeout);
            self.refused(&flight, &verdict);
        }
        let mut wake = NEVER;
        for flight in &mut self.flights {
            if flight.late_at > now {
                wake = wake.min(flight.late_at);
                continue;
            }
            wake = wake.min(flight.ends_at);
            if !flight.late {
                flight.late = true;
                if flight.kind == SubscribeType::Subscribe || flight.kind == SubscribeType::Ping {
                    let peer = self.sessions[flight.of].peer;
                    self.actions.push_back(Action::Late { peer });
                }
                for at in self.pairs.all.iter_mut().flat_map(|pair| &mut pair.at) {
                    at.late |= at.ask == flight.ask.0;
                }
            }
        }
        self.wake(wake);
    }

    /// The last requests before the end: one for each server that has anything of ours.
    pub(super) fn farewells(&mut self) {
        let now = self.now.mono_ms;
        for index in 0..self.sessions.len() {
            let mut ats = self.pairs.all.iter().filter_map(|pair| pair.at(index));
            let stored = ats.any(|at| at.stored);
            if stored && self.sessions[index].pacer.try_take(now).is_ok() {
                self.ask(index, &Job::plain(SubscribeType::UnsubscribeAll));
            }
        }
    }
}

/// Whether nobody has the pair, nor is asked for it in good time.
fn is_urgent(pair: &Pair) -> bool {
    !pair.at.iter().any(|at| match at.standing {
        Standing::Acked => true,
        Standing::Asking => !at.late,
        _ => false,
    })
}
