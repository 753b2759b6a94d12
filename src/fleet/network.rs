//! The relay mesh that the nodes stand for: a message given to one is at once known to all.

use std::{
    collections::{BTreeSet, VecDeque},
    num::NonZeroU16,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use tokio::sync::broadcast;

use super::{events::unix_time, log::MessageLog, options::SHARDS};
use crate::protocols::{
    ContentTopic, MessageHash, PubsubTopic, WakuMessage,
    filter::MessagePush,
    message::MAX_SIZE,
    topic::{ContentTopicError, autoshard},
};

/// Messages that a node may be behind.
const GOSSIP: usize = 1024;

/// How far a message's timestamp may be from the clock to be stored (store.md, section 3): 20 seconds.
const STORED_WITHIN_NS: u64 = 20_000_000_000;

/// How long relays remember that they had a message (lightpush.md, section 5).
const SEEN_FOR: Duration = Duration::from_secs(120);

/// Messages remembered as seen; the oldest are forgotten first.
const MAX_SEEN: usize = 20_000;

/// A message of the network.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) hash: MessageHash,
    pub(crate) pubsub_topic: String,
    pub(crate) message: WakuMessage,
    /// Bytes of the encoded message.
    pub(crate) size: usize,
    /// The message as filter pushes it.
    pub(crate) push_frame: Vec<u8>,
}

impl Published {
    pub(crate) fn new(pubsub_topic: String, message: WakuMessage) -> Self {
        let push = MessagePush {
            waku_message: Some(message),
            pubsub_topic: Some(pubsub_topic),
        };
        let push_frame = push.encode();
        let (message, pubsub_topic) = (
            push.waku_message.unwrap_or_default(),
            push.pubsub_topic.unwrap_or_default(),
        );
        let hash = message.hash(&pubsub_topic);
        Self {
            hash,
            size: message.size(),
            pubsub_topic,
            message,
            push_frame,
        }
    }
}

/// What became of a message that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) hash: MessageHash,
    /// Relay peers that it was handed to.
    pub(crate) peers: u32,
}

/// Why a message was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The shard does not follow from the content topic.
    #[error("invalid content topic: {0}")]
    ContentTopic(#[from] ContentTopicError),
    /// The encoded message is larger than relays let pass.
    #[error("Message size exceeded maximum of {MAX_SIZE} bytes")]
    TooLarge,
    /// The network has no such shard, so nobody relays it.
    #[error("no peers for topic")]
    NoSuchShard,
    /// The network had the same bytes within two minutes, so nobody takes them.
    #[error("no peers for topic")]
    Duplicate,
}

/// See the module's documentation.
pub(crate) struct Network {
    cluster: u16,
    running: AtomicU32,
    log: Mutex<MessageLog>,
    seen: Mutex<Seen>,
    gossip: broadcast::Sender<Arc<Published>>,
}

impl Network {
    pub(crate) fn new(cluster: u16) -> Self {
        Self {
            cluster,
            running: AtomicU32::new(0),
            log: Mutex::default(),
            seen: Mutex::default(),
            gossip: broadcast::channel(GOSSIP).0,
        }
    }

    pub(crate) fn cluster(&self) -> u16 {
        self.cluster
    }

    pub(crate) fn node_started(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn node_stopped(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    /// Every message that is published from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Published>> {
        self.gossip.subscribe()
    }

    /// The log, for as long as the guard lives.
    pub(crate) fn log(&self) -> MutexGuard<'_, MessageLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The shard of a content topic, as text.
    pub(crate) fn shard_of(&self, content_topic: &str) -> Result<String, ContentTopicError> {
        const COUNT: NonZeroU16 = NonZeroU16::new(SHARDS).expect("there are shards");
        let shard = autoshard(&content_topic.parse::<ContentTopic>()?, COUNT);
        Ok(PubsubTopic {
            cluster: self.cluster,
            shard,
        }
        .to_string())
    }

    /// Publishes a message that a client handed in. One without a timestamp gets the time of now, which is what makes
    /// its hash another one than its sender's (lightpush.md, section 4).
    pub(crate) fn publish(
        &self,
        pubsub_topic: String,
        mut message: WakuMessage,
    ) -> Result<Receipt, PublishError> {
        let now = now_ns();
        if message.timestamp() == 0 {
            message.timestamp = Some(now);
        }
        if message.size() > MAX_SIZE {
            return Err(PublishError::TooLarge);
        }
        let shard = pubsub_topic.parse::<PubsubTopic>().ok();
        if shard.is_none_or(|topic| topic.cluster != self.cluster || topic.shard >= SHARDS) {
            return Err(PublishError::NoSuchShard);
        }
        let id = Sha256::digest(message.encode()).into();
        let is_new = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.is_new(id, Instant::now())
        };
        if !is_new {
            return Err(PublishError::Duplicate);
        }
        let published = Arc::new(Published::new(pubsub_topic, message));
        let hash = published.hash;
        let recent = published.message.timestamp().abs_diff(now) <= STORED_WITHIN_NS;
        if recent && !published.message.ephemeral() {
            self.log().append(Arc::clone(&published));
        }
        // An error says that no node is running.
        let _ = self.gossip.send(published);
        // The log counts as a peer of the mesh, so that the last node of a fleet can still publish.
        let peers = self
            .running
            .load(Ordering::Relaxed)
            .saturating_sub(1)
            .max(1);
        Ok(Receipt { hash, peers })
    }

    /// Publishes a message of the fleet's own, now.
    pub(crate) fn publish_own(
        &self,
        content_topic: &str,
        payload: Vec<u8>,
        ephemeral: bool,
    ) -> Result<MessageHash, PublishError> {
        let pubsub_topic = self.shard_of(content_topic)?;
        let mut message = WakuMessage::new(content_topic, payload, now_ns());
        message.ephemeral = ephemeral.then_some(true);
        Ok(self.publish(pubsub_topic, message)?.hash)
    }
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> i64 {
    i64::try_from(unix_time().as_nanos()).unwrap_or(i64::MAX)
}

/// What relays had lately: gossipsub's own message ids, which are not the deterministic hashes.
#[derive(Default)]
struct Seen {
    ids: BTreeSet<[u8; 32]>,
    /// The same, oldest first.
    order: VecDeque<(Instant, [u8; 32])>,
}

impl Seen {
    /// Whether `id` was not seen lately; now it is.
    fn is_new(&mut self, id: [u8; 32], now: Instant) -> bool {
        while let Some((since, oldest)) = self.order.front() {
            let kept = now.duration_since(*since) < SEEN_FOR && self.order.len() < MAX_SEEN;
            if kept {
                break;
            }
            self.ids.remove(oldest);
            self.order.pop_front();
        }
        let is_new = self.ids.insert(id);
        if is_new {
            self.order.push_back((now, id));
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "/lightkeeper/1/fleet/proto";

    #[test]
    fn the_same_bytes_are_taken_once_in_two_minutes() {
        let mut seen = Seen::default();
        let start = Instant::now();
        assert!(seen.is_new([1; 32], start));
        assert!(!seen.is_new([1; 32], start + SEEN_FOR / 2));
        assert!(seen.is_new([1; 32], start + SEEN_FOR));
    }

    #[test]
    fn what_is_ephemeral_or_far_from_the_clock_is_relayed_and_not_stored() {
        let network = Network::new(1);
        let mut gossip = network.listen();
        network.publish_own(TOPIC, vec![1], true).unwrap();
        let shard = network.shard_of(TOPIC).unwrap();
        let old = WakuMessage::new(TOPIC, vec![2], now_ns() - 21_000_000_000);
        network.publish(shard, old).unwrap();
        assert_eq!(network.log().len(), 0);
        network.publish_own(TOPIC, vec![3], false).unwrap();
        assert_eq!(network.log().len(), 1);
        for payload in 1..=3 {
            assert_eq!(gossip.try_recv().unwrap().message.payload(), [payload]);
        }
    }

    #[test]
    fn a_foreign_shard_has_no_peers() {
        let network = Network::new(1);
        for topic in [
            "/waku/2/rs/2/0",
            "/waku/2/rs/1/8",
            "/waku/2/default-waku/proto",
        ] {
            let message = WakuMessage::new(TOPIC, vec![1], now_ns());
            assert_eq!(
                network.publish(topic.into(), message),
                Err(PublishError::NoSuchShard)
            );
        }
    }

    #[test]
    fn a_message_over_the_limit_is_refused() {
        let network = Network::new(1);
        let too_large = network.publish_own(TOPIC, vec![0; MAX_SIZE], false);
        assert_eq!(too_large, Err(PublishError::TooLarge));
    }
}
