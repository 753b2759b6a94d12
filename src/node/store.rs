//! `store.query`: one page from one serving peer (api.md; store.md). The facade asks for the next ones.

use std::time::Duration;

use libp2p::PeerId;
use web_time::Instant;

use super::config::STORE;
use super::error::NodeError;
use super::event::Received;
use super::handle::{Node, request_id};
use super::light_push::shard_option;
use super::verdicts::{answer_of, error, outcome};
use crate::manager::Outcome;
use crate::protocols::ids;
use crate::protocols::message::MessageHash;
use crate::protocols::store;
use crate::protocols::verdict::{End, Protocol, Verdict};

/// A query for one page.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of these content topics, all on one shard; empty: of all, or by hash.
    pub content_topics: Vec<String>,
    /// The shard; needed with several static shards.
    pub shard: Option<u16>,
    /// From this time on, in nanoseconds since 1970.
    pub from_ns: Option<i64>,
    /// Before this time, in nanoseconds since 1970.
    pub to_ns: Option<i64>,
    /// Just these messages; never together with topics or times.
    pub hashes: Vec<MessageHash>,
    /// Messages in a page, at most 100; 20 when left out.
    pub page_size: Option<u64>,
    /// Oldest pages first, instead of newest first.
    pub ascending: bool,
    /// Where the page before ended.
    pub cursor: Option<MessageHash>,
    /// Who gave the page before: preferred, because a cursor holds where its message is stored.
    pub peer: Option<PeerId>,
}

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its messages, oldest first whatever the direction.
    pub messages: Vec<Received>,
    /// Where to go on; absent on the last page.
    pub cursor: Option<MessageHash>,
    /// Who gave it.
    pub peer: PeerId,
}

impl Node {
    /// Asks one serving peer for one page. Every message is verified against its hash and the query.
    ///
    /// # Errors
    /// `invalid-options` for a query that servers would refuse; `not-started`, `closed`; `no-peer` when nobody serves
    /// before `timeout`; else how that peer refused or failed.
    pub async fn query(&self, query: Query, timeout: Duration) -> Result<Page, NodeError> {
        let begin = Instant::now();
        let network = self.open_driver()?.network.clone();
        let mut topics = query
            .content_topics
            .iter()
            .map(|topic| {
                network
                    .shard_of(topic, query.shard)
                    .map_err(|error| NodeError::option(shard_option(&error), error.to_string()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        topics.dedup();
        if topics.len() > 1 {
            return Err(NodeError::option(
                "contentTopics",
                "the content topics of one query should lie on one shard",
            ));
        }
        let topic = topics.pop();
        let request = store::Request {
            request_id: request_id(),
            include_data: true,
            pubsub_topic: topic.map(|topic| topic.to_string()),
            content_topics: query.content_topics,
            time_start: query.from_ns,
            time_end: query.to_ns,
            message_hashes: query.hashes.iter().map(|hash| hash.0.to_vec()).collect(),
            pagination_cursor: query.cursor.map(|hash| hash.0.to_vec()),
            pagination_forward: query.ascending,
            pagination_limit: Some(query.page_size.unwrap_or(store::DEFAULT_PAGE)),
        };
        request
            .check()
            .map_err(|error| NodeError::option("query", error.to_string()))?;

        let shard = topic.map_or_else(|| network.shards()[0], |topic| topic.shard);
        let same = query.peer.and_then(|peer| {
            let serving = self.lock().serving(STORE, shard);
            serving.into_iter().find(|(serving, _)| *serving == peer)
        });
        let (peer, conn) = match same {
            Some(found) => found,
            None => self.serving(STORE, shard, &[], timeout).await?,
        };
        let left = timeout.saturating_sub(begin.elapsed());
        let (answer, _) = self
            .ask(
                conn,
                &[ids::STORE_QUERY],
                |_| request.encode(),
                store::MAX_RESPONSE,
                left,
            )
            .await?;
        let page = answer_of(Protocol::StoreQuery, answer).and_then(|bytes| {
            let response = store::Response::decode(&bytes)
                .map_err(|_| Verdict::of_end(Protocol::StoreQuery, End::Undecodable))?;
            store::interpret(&request, response)
        });
        match page {
            Ok(page) => {
                // False entries are left out; the true ones of the same page are still worth having.
                self.report(
                    peer,
                    STORE,
                    page.fault.as_ref().map_or(Outcome::Success, outcome),
                );
                Ok(Page {
                    messages: page
                        .messages
                        .into_iter()
                        .filter_map(|stored| {
                            Some(Received {
                                hash: stored.hash,
                                message: stored.message?,
                                pubsub_topic: stored.pubsub_topic?.parse().ok()?,
                                peer,
                            })
                        })
                        .collect(),
                    cursor: page.cursor,
                    peer,
                })
            }
            Err(verdict) => {
                self.report(peer, STORE, outcome(&verdict));
                Err(error(&verdict, peer))
            }
        }
    }
}
