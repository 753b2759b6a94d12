//! What a hostile peer and those who order it share: the script, what was asked, and the way to the running peer.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use libp2p::PeerId;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    freeze::Freezer,
    script::{Answer, Mischief, Part, Script},
};
use crate::{
    fleet::{bucket::Bucket, network::Published, services::Protocol},
    protocols::filter::{self, SubscribeType},
};

/// Requests that are remembered; the oldest are forgotten first.
const MAX_ASKED: usize = 10_000;

/// A pubsub topic and a content topic.
pub(super) type Pair = (String, String);

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub at: Instant,
    /// From whom.
    pub peer: PeerId,
    /// With which protocol.
    pub protocol: &'static str,
    /// What for.
    pub part: Part,
    /// The request, without its prefix.
    pub frame: Vec<u8>,
}

/// What the running peer is told.
pub(super) enum Order {
    /// Close every connection to a peer, in order.
    Disconnect(PeerId),
    /// Do something to a peer; the word says when it was done.
    Do(PeerId, Mischief, oneshot::Sender<()>),
    /// A peer's subscription was answered.
    Subscribed(PeerId),
}

/// See the module's documentation.
pub(crate) struct Control {
    inner: Mutex<Inner>,
    pub(super) freezer: Freezer,
    /// Counts what was asked, for those who wait for it.
    count: watch::Sender<u64>,
    /// Push streams that are held open and that the other side has not ended.
    held: watch::Sender<usize>,
    connected: watch::Sender<BTreeSet<PeerId>>,
}

struct Inner {
    script: Script,
    asked: VecDeque<Asked>,
    buckets: BTreeMap<(PeerId, &'static str), Bucket>,
    /// What each peer ever subscribed to.
    ever: BTreeMap<PeerId, BTreeSet<Pair>>,
    orders: Option<mpsc::UnboundedSender<Order>>,
}

impl Control {
    pub(crate) fn new(script: Script) -> Self {
        Self {
            inner: Mutex::new(Inner {
                script,
                asked: VecDeque::new(),
                buckets: BTreeMap::new(),
                ever: BTreeMap::new(),
                orders: None,
            }),
            freezer: Freezer::default(),
            count: watch::Sender::new(0),
            held: watch::Sender::new(0),
            connected: watch::Sender::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn script<T>(&self, look: impl FnOnce(&Script) -> T) -> T {
        look(&self.lock().script)
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.lock().script)
    }

    /// Remembers a request and says what becomes of it.
    pub(super) fn decide(&self, peer: PeerId, protocol: Protocol, frame: &[u8]) -> Answer {
        let (now, name) = (Instant::now(), protocol.name());
        let part = Part::of(protocol, frame);
        let mut inner = self.lock();
        let inner = &mut *inner;
        if inner.asked.len() == MAX_ASKED {
            inner.asked.pop_front();
        }
        inner.asked.push_back(Asked {
            at: now,
            peer,
            protocol: name,
            part,
            frame: frame.to_vec(),
        });
        if part == Part::Subscribe {
            remember(inner.ever.entry(peer).or_default(), frame);
        }
        let limit = inner.script.limits.iter().find(|(id, _)| *id == name);
        let within = limit.is_none_or(|(_, limit)| {
            let buckets = inner.buckets.entry((peer, name));
            let bucket = buckets.or_insert_with(|| Bucket::new(now));
            bucket.take(*limit, now)
        });
        let answer = match within {
            true => inner.script[part].decide(),
            false => Answer::too_many(),
        };
        self.count.send_modify(|count| *count += 1);
        answer
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.lock().asked.iter().cloned().collect()
    }

    /// Told after each request.
    pub(super) fn counting(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// What a peer ever subscribed to.
    pub(super) fn ever(&self, peer: &PeerId) -> Vec<Pair> {
        let ever = &self.lock().ever;
        ever.get(peer)
            .map(|pairs| pairs.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// Who ever subscribed to what this message is of.
    pub(super) fn ever_wanted(&self, published: &Published) -> Vec<PeerId> {
        let pair = (
            published.pubsub_topic.clone(),
            published.message.content_topic().to_owned(),
        );
        let inner = self.lock();
        let wanting = inner.ever.iter().filter(|(_, pairs)| pairs.contains(&pair));
        wanting.map(|(peer, _)| *peer).collect()
    }

    /// The way to the peer that runs now.
    pub(super) fn attach(&self) -> mpsc::UnboundedReceiver<Order> {
        let (orders, inbox) = mpsc::unbounded_channel();
        self.lock().orders = Some(orders);
        inbox
    }

    /// Orders of a peer that is stopped are dropped, and with them their answers.
    pub(super) fn order(&self, order: Order) {
        if let Some(orders) = &self.lock().orders {
            let _ = orders.send(order);
        }
    }

    pub(super) fn set_connected(&self, peers: BTreeSet<PeerId>) {
        self.connected.send_replace(peers);
    }

    pub(super) fn connected(&self) -> watch::Receiver<BTreeSet<PeerId>> {
        self.connected.subscribe()
    }

    /// Counts a stream that is held open.
    pub(super) fn hold(&self) -> Held<'_> {
        self.held.send_modify(|held| *held += 1);
        Held(&self.held)
    }

    pub(super) fn holding(&self) -> watch::Receiver<usize> {
        self.held.subscribe()
    }
}

/// A stream is held open for as long as this lives.
pub(super) struct Held<'a>(&'a watch::Sender<usize>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|held| *held -= 1);
    }
}

/// Adds what a subscription asks for.
fn remember(pairs: &mut BTreeSet<Pair>, frame: &[u8]) {
    let Ok(request) = filter::Request::decode(frame) else {
        return;
    };
    if request.kind() == Some(SubscribeType::Subscribe) {
        let shard = request.pubsub_topic().to_owned();
        let topics = request.content_topics.into_iter();
        pairs.extend(topics.map(|topic| (shard.clone(), topic)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::protocols::ids;

    fn status(answer: &Answer) -> Option<u32> {
        match answer {
            Answer::Status(status) => Some(status.code),
            _ => None,
        }
    }

    #[test]
    fn limits_are_for_each_peer_and_protocol() {
        let minute = Duration::from_secs(60);
        let script = Script::honest().limited(ids::FILTER_SUBSCRIBE, 1, minute);
        let control = Control::new(script);
        let (one, other) = (PeerId::random(), PeerId::random());
        let ping = filter::Request::ping("1".into()).encode();
        let ask = |peer, protocol| status(&control.decide(peer, protocol, &ping));
        assert_eq!(ask(one, Protocol::Filter), None);
        assert_eq!(ask(one, Protocol::Filter), Some(429));
        assert_eq!(ask(other, Protocol::Filter), None);
        assert_eq!(ask(one, Protocol::Store), None);
        let parts: Vec<Part> = control.asked().iter().map(|asked| asked.part).collect();
        let ping = Part::FilterPing;
        assert_eq!(parts, [ping, ping, ping, Part::Store]);
    }

    #[test]
    fn what_was_ever_subscribed_is_remembered() {
        let control = Control::new(Script::honest());
        let peer = PeerId::random();
        let request = filter::Request::subscribe("1".into(), "s".into(), vec!["t".into()]);
        control.decide(peer, Protocol::Filter, &request.encode());
        let gone = filter::Request::unsubscribe_all("2".into());
        control.decide(peer, Protocol::Filter, &gone.encode());
        assert_eq!(control.ever(&peer), [("s".to_owned(), "t".to_owned())]);
    }
}
