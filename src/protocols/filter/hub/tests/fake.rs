//! A scripted server.

use std::collections::BTreeSet;

use libp2p_identity::PeerId;

use super::world::{ROUND_TRIP_MS, peer_id};
use crate::protocols::filter::{Request, Response, SubscribeType, interpret};
use crate::protocols::verdict::{End, Protocol, Verdict};

/// How many requests a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    All,
    /// nwaku: 30 in any minute.
    ThirtyAMinute,
    /// go-waku: one a second, burst 1.
    OneASecond,
    None,
}

/// What a server answers to a request of some kind, instead of what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Status(u32, &'static str),
    End(End),
    /// Nothing, until the request times out.
    Silence,
}

#[derive(Debug)]
pub(super) struct Fake {
    pub(super) peer: PeerId,
    pub(super) conn: u64,
    pub(super) serving: bool,
    pub(super) shards: Option<Vec<u16>>,
    pub(super) takes: Takes,
    tokens: Vec<u64>,
    pub(super) to_subscribe: Option<Says>,
    pub(super) to_ping: Option<Says>,
    pub(super) to_unsubscribe: Option<Says>,
    /// Answers 400 to requests with this topic.
    pub(super) dislikes: Option<String>,
    /// Neither answers nor pushes.
    pub(super) silent: bool,
    pub(super) withholds: bool,
    /// How many pairs it takes.
    pub(super) criteria: usize,
    pub(super) pairs: BTreeSet<(String, String)>,
    /// Time and text of each request that reached it.
    pub(super) asked: Vec<(u64, Request)>,
    pub(super) refused: usize,
}

impl Fake {
    pub(super) fn new(n: usize) -> Self {
        Self {
            peer: peer_id(n as u8),
            conn: n as u64 + 1,
            serving: true,
            shards: None,
            takes: Takes::All,
            tokens: Vec::new(),
            to_subscribe: None,
            to_ping: None,
            to_unsubscribe: None,
            dislikes: None,
            silent: false,
            withholds: false,
            criteria: 1_000,
            pairs: BTreeSet::new(),
            asked: Vec::new(),
            refused: 0,
        }
    }

    fn takes_one(&mut self, now: u64) -> bool {
        let (window, most) = match self.takes {
            Takes::All => return true,
            Takes::None => return false,
            Takes::ThirtyAMinute => (60_000, 30),
            Takes::OneASecond => (1_000, 1),
        };
        self.tokens.retain(|at| at + window > now);
        let takes = self.tokens.len() < most;
        if takes {
            self.tokens.push(now);
        }
        takes
    }

    pub(super) fn kinds(&self) -> Vec<SubscribeType> {
        let asked = self.asked.iter();
        asked
            .map(|(_, request)| request.filter_subscribe_type())
            .collect()
    }

    pub(super) fn count(&self, kind: SubscribeType) -> usize {
        self.kinds().into_iter().filter(|of| *of == kind).count()
    }

    pub(super) fn most_in_a_minute(&self) -> usize {
        let times: Vec<_> = self.asked.iter().map(|(at, _)| *at).collect();
        let in_minute = |from: &u64| {
            let minute = *from..from + 60_000;
            times.iter().filter(|at| minute.contains(at)).count()
        };
        times.iter().map(in_minute).max().unwrap_or(0)
    }

    /// When the answer is there, in milliseconds, and what it is.
    pub(super) fn answer(
        &mut self,
        request: &Request,
        now: u64,
        timeout_ms: u32,
    ) -> (u64, Result<(), Verdict>) {
        let end = |end| Err(Verdict::of_end(Protocol::FilterSubscribe, end));
        let late = (u64::from(timeout_ms), end(End::Timeout));
        if self.silent {
            return late;
        }
        let kind = request.filter_subscribe_type();
        let says = match kind {
            SubscribeType::Ping => self.to_ping,
            SubscribeType::Subscribe => self.to_subscribe,
            _ => self.to_unsubscribe,
        };
        let (status, text) = if !self.takes_one(now) {
            self.refused += 1;
            (429, "")
        } else {
            match says {
                Some(Says::Silence) => return late,
                Some(Says::End(of)) => return (ROUND_TRIP_MS / 2, end(of)),
                Some(Says::Status(status, text)) => (status, text),
                None => self.serve(kind, request),
            }
        };
        let response = Response {
            request_id: request.request_id.clone(),
            status_code: Some(status),
            status_desc: Some(text.into()),
        };
        (ROUND_TRIP_MS / 2, interpret(request, &response))
    }

    fn serve(&mut self, kind: SubscribeType, request: &Request) -> (u32, &'static str) {
        let topic = request.pubsub_topic().to_owned();
        let pairs = request
            .content_topics
            .iter()
            .map(|t| (topic.clone(), t.clone()));
        let pairs: Vec<_> = pairs.collect();
        match kind {
            SubscribeType::Ping if self.pairs.is_empty() => (404, ""),
            SubscribeType::Ping => (200, ""),
            SubscribeType::Subscribe => {
                if self
                    .dislikes
                    .as_ref()
                    .is_some_and(|t| request.content_topics.contains(t))
                {
                    return (400, "");
                }
                if self.pairs.len() + pairs.len() > self.criteria {
                    return (503, "maximum number of filter criteria");
                }
                self.pairs.extend(pairs);
                (200, "")
            }
            SubscribeType::Unsubscribe => {
                for pair in pairs {
                    self.pairs.remove(&pair);
                }
                (200, "")
            }
            SubscribeType::UnsubscribeAll => {
                self.pairs.clear();
                (200, "")
            }
        }
    }
}
