//! What came while nobody delivered, from a store.

use std::time::Duration;

use libp2p::PeerId;

use crate::node::config::STORE;
use crate::node::handle::Node;
use crate::node::store::Query;
use crate::protocols::filter::hub::Group;
use crate::protocols::filter::push::Received;
use crate::protocols::message::MessageHash;
use crate::protocols::store::{MAX_CONTENT_TOPICS, MAX_HASHES, MAX_PAGE};

/// More than this are not fetched for one gap: the user is told, and may query.
const MAX_MESSAGES: usize = 1_000;
/// After an outage a store is found again within seconds, or there is none.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a store may take for one page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(15);

/// What stores have of these topics between two times, in milliseconds; and whether that is all that they have.
pub(in crate::node) async fn fill(
    node: &Node,
    groups: Vec<Group>,
    from_ms: u64,
    to_ms: u64,
) -> (Vec<(PeerId, Received)>, bool) {
    let nanos = |ms: u64| {
        i64::try_from(ms)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000)
    };
    let mut found = Vec::new();
    let mut parts = Vec::new();
    for group in groups {
        let shard = group.pubsub_topic.shard;
        for topics in group.content_topics.chunks(MAX_CONTENT_TOPICS) {
            parts.push((shard, topics.to_vec()));
        }
    }
    for (shard, content_topics) in parts {
        // Whoever has no store must not be kept waiting for one at each part.
        if node.serving(STORE, shard, &[], PATIENCE).await.is_err() {
            return (found, false);
        }
        let mut query = Query {
            content_topics,
            shard: Some(shard),
            from_ns: Some(nanos(from_ms)),
            to_ns: Some(nanos(to_ms)),
            page_size: Some(MAX_PAGE),
            ascending: true,
            ..Query::default()
        };
        loop {
            let Ok(page) = node.query(query.clone(), PAGE_TIMEOUT).await else {
                return (found, false);
            };
            let messages = page.messages.into_iter().map(|received| {
                let found = Received {
                    hash: received.hash,
                    pubsub_topic: received.pubsub_topic.to_string(),
                    message: received.message,
                };
                (received.peer, found)
            });
            found.extend(messages);
            if page.position.is_none() {
                break;
            }
            if found.len() >= MAX_MESSAGES {
                return (found, false);
            }
            query.position = page.position;
        }
    }
    (found, true)
}

/// Which of these messages a store has that is none of `not`.
pub(in crate::node) async fn who_knows(
    node: &Node,
    hashes: Vec<MessageHash>,
    not: Vec<PeerId>,
) -> Vec<MessageHash> {
    let shard = match node.open_driver() {
        Ok(driver) => driver.setup().network.shards()[0],
        Err(_) => return Vec::new(),
    };
    let mut stores = node.lock().serving(STORE, shard);
    stores.retain(|(peer, _)| !not.contains(peer));
    let part = &hashes[..hashes.len().min(MAX_HASHES)];
    for (peer, conn) in stores {
        if let Ok(known) = node.presence(peer, conn, part, PATIENCE).await {
            return known;
        }
    }
    Vec::new()
}
