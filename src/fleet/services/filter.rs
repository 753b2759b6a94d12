//! Filter: who wants which messages (filter.md). A subscriber is a peer id, not a connection.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use libp2p::PeerId;

use super::{NO_REQUEST_ID, Reply, Site, TOO_MANY_REQUESTS, has_field};
use crate::{
    fleet::network::Published,
    protocols::filter::{MAX_CONTENT_TOPICS, Request, Response, SubscribeType},
};

/// Subscribers of a node: nwaku's default for its command line.
const MAX_SUBSCRIBERS: usize = 1000;

/// Criteria of a subscriber.
const MAX_CRITERIA: usize = 1000;

/// A subscriber that is quiet for longer is forgotten.
const SUBSCRIBED_FOR: Duration = Duration::from_secs(5 * 60);

/// The fields that nwaku's decoder wants on the wire, be they empty.
const REQUIRED: [u32; 2] = [1, 2];

/// A pubsub topic and a content topic.
type Criterion = (String, String);

struct Subscriber {
    /// Never empty.
    criteria: BTreeSet<Criterion>,
    /// The last request.
    seen: Instant,
}

/// The subscriptions of one node.
#[derive(Default)]
pub(super) struct Subscriptions(BTreeMap<PeerId, Subscriber>);

/// Why a request was refused: status and text.
type Refusal = (u32, &'static str);

const NOT_FOUND: Refusal = (404, "NOT_FOUND: peer has no subscriptions");

impl Subscriptions {
    pub(super) fn matching(&self, published: &Published, now: Instant) -> Vec<PeerId> {
        let criterion = (
            published.pubsub_topic.clone(),
            published.message.content_topic().to_owned(),
        );
        let wants = |(_, subscriber): &(&PeerId, &Subscriber)| {
            now.duration_since(subscriber.seen) < SUBSCRIBED_FOR
                && subscriber.criteria.contains(&criterion)
        };
        self.0.iter().filter(wants).map(|(peer, _)| *peer).collect()
    }

    pub(super) fn clean_up(&mut self, now: Instant, wanted: impl Fn(&PeerId) -> bool) {
        self.0.retain(|peer, subscriber| {
            now.duration_since(subscriber.seen) < SUBSCRIBED_FOR && wanted(peer)
        });
    }

    fn handle(&mut self, peer: &PeerId, request: Request, now: Instant) -> Result<(), Refusal> {
        if self
            .0
            .get(peer)
            .is_some_and(|s| now.duration_since(s.seen) >= SUBSCRIBED_FOR)
        {
            self.0.remove(peer);
        }
        match request.filter_subscribe_type() {
            SubscribeType::Ping => {
                let subscriber = self.0.get_mut(peer).ok_or(NOT_FOUND)?;
                subscriber.seen = now;
                Ok(())
            }
            SubscribeType::Subscribe => self.subscribe(peer, criteria(request)?, now),
            SubscribeType::Unsubscribe => self.unsubscribe(peer, criteria(request)?, now),
            SubscribeType::UnsubscribeAll => self.0.remove(peer).map(|_| ()).ok_or(NOT_FOUND),
        }
    }

    fn subscribe(
        &mut self,
        peer: &PeerId,
        wanted: BTreeSet<Criterion>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let is_full = self.0.len() >= MAX_SUBSCRIBERS;
        match self.0.get_mut(peer) {
            // As nwaku counts: before what is asked for twice is found out.
            Some(subscriber) if subscriber.criteria.len() + wanted.len() > MAX_CRITERIA => Err((
                503,
                "SERVICE_UNAVAILABLE: peer has reached maximum number of filter criteria",
            )),
            Some(subscriber) => {
                subscriber.criteria.extend(wanted);
                subscriber.seen = now;
                Ok(())
            }
            None if is_full => Err((
                503,
                "SERVICE_UNAVAILABLE: node has reached maximum number of subscriptions",
            )),
            None => {
                self.0.insert(
                    *peer,
                    Subscriber {
                        criteria: wanted,
                        seen: now,
                    },
                );
                Ok(())
            }
        }
    }

    fn unsubscribe(
        &mut self,
        peer: &PeerId,
        unwanted: BTreeSet<Criterion>,
        now: Instant,
    ) -> Result<(), Refusal> {
        let subscriber = self.0.get_mut(peer).ok_or(NOT_FOUND)?;
        subscriber.seen = now;
        let mut all_known = true;
        for criterion in unwanted {
            // Like nwaku, stop at the first that is not there.
            all_known = subscriber.criteria.remove(&criterion);
            if !all_known {
                break;
            }
        }
        if subscriber.criteria.is_empty() {
            self.0.remove(peer);
        }
        if all_known {
            Ok(())
        } else {
            Err((404, "NOT_FOUND: peer was not subscribed to these"))
        }
    }
}

fn criteria(request: Request) -> Result<BTreeSet<Criterion>, Refusal> {
    let Request {
        pubsub_topic,
        content_topics,
        ..
    } = request;
    let Some(pubsub_topic) = pubsub_topic else {
        return Err((
            400,
            "BAD_REQUEST: pubsubTopic and contentTopics must be specified",
        ));
    };
    if content_topics.is_empty() {
        return Err((
            400,
            "BAD_REQUEST: pubsubTopic and contentTopics must be specified",
        ));
    }
    if content_topics.len() > MAX_CONTENT_TOPICS {
        return Err((400, "BAD_REQUEST: exceeds maximum content topics: 100"));
    }
    Ok(content_topics
        .into_iter()
        .map(|topic| (pubsub_topic.clone(), topic))
        .collect())
}

pub(super) fn answer(site: &Site, peer: &PeerId, request: &[u8]) -> Reply {
    let complete = REQUIRED.iter().all(|field| has_field(request, *field));
    let decoded = Request::decode(request).ok().filter(|_| complete);
    // An unknown type is undecodable for nwaku; the accessor would take it for a ping.
    let decoded = decoded.filter(|request| SubscribeType::is_valid(request.filter_subscribe_type));
    let Some(request) = decoded else {
        return Reply::Close {
            told: "none: undecodable",
        };
    };
    let request_id = request.request_id.clone();
    let told = format!("{:?}", request.filter_subscribe_type()).to_lowercase();
    match site.subscriptions().handle(peer, request, Instant::now()) {
        Ok(()) => respond(request_id, 200, "OK", format!("200 to {told}")),
        Err((status, text)) => respond(request_id, status, text, format!("{status} to {told}")),
    }
}

fn respond(request_id: String, status: u32, text: &str, told: String) -> Reply {
    let response = Response {
        request_id,
        status_code: Some(status),
        status_desc: Some(text.to_owned()),
    };
    Reply::new(response.encode(), told)
}

pub(super) fn busy() -> Reply {
    respond(
        NO_REQUEST_ID.to_owned(),
        429,
        TOO_MANY_REQUESTS,
        "429".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: &str = "/waku/2/rs/1/0";

    fn topics(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn subscribe(names: &[&str]) -> Request {
        Request::subscribe("1".into(), SHARD.into(), topics(names))
    }

    fn ping() -> Request {
        Request::ping("1".into())
    }

    #[test]
    fn a_ping_without_subscription_is_not_found() {
        let (mut all, peer, now) = (Subscriptions::default(), PeerId::random(), Instant::now());
        assert_eq!(all.handle(&peer, ping(), now).unwrap_err().0, 404);
        all.handle(&peer, subscribe(&["a"]), now).unwrap();
        assert_eq!(all.handle(&peer, ping(), now), Ok(()));
        assert_eq!(
            all.handle(&PeerId::random(), ping(), now).unwrap_err().0,
            404
        );
    }

    #[test]
    fn pings_keep_a_subscription_and_silence_ends_it() {
        let (mut all, peer, start) = (Subscriptions::default(), PeerId::random(), Instant::now());
        all.handle(&peer, subscribe(&["a"]), start).unwrap();
        let later = start + SUBSCRIBED_FOR / 2;
        assert_eq!(all.handle(&peer, ping(), later), Ok(()));
        assert_eq!(all.handle(&peer, ping(), start + SUBSCRIBED_FOR), Ok(()));
        assert_eq!(
            all.handle(&peer, ping(), start + 2 * SUBSCRIBED_FOR)
                .unwrap_err()
                .0,
            404
        );
    }

    #[test]
    fn unsubscribing_from_the_last_criterion_ends_the_subscription() {
        let (mut all, peer, now) = (Subscriptions::default(), PeerId::random(), Instant::now());
        all.handle(&peer, subscribe(&["a", "b"]), now).unwrap();
        let unsubscribe =
            |names: &[&str]| Request::unsubscribe("1".into(), SHARD.into(), topics(names));
        assert_eq!(all.handle(&peer, unsubscribe(&["a"]), now), Ok(()));
        assert_eq!(
            all.handle(&peer, unsubscribe(&["a"]), now).unwrap_err().0,
            404
        );
        assert_eq!(all.handle(&peer, unsubscribe(&["b"]), now), Ok(()));
        assert_eq!(all.handle(&peer, ping(), now).unwrap_err().0, 404);
    }

    #[test]
    fn more_than_a_hundred_topics_are_a_bad_request() {
        let (mut all, peer, now) = (Subscriptions::default(), PeerId::random(), Instant::now());
        let names: Vec<String> = (0..101).map(|n| n.to_string()).collect();
        let request = |names: &[String]| Request::subscribe("1".into(), SHARD.into(), names.into());
        assert_eq!(all.handle(&peer, request(&names), now).unwrap_err().0, 400);
        assert_eq!(all.handle(&peer, request(&names[..100]), now), Ok(()));
        assert_eq!(all.handle(&peer, request(&[]), now).unwrap_err().0, 400);
    }
}
