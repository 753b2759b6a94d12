//! `store.query`, one page at a time, from one serving peer or, when it fails, from another; and `store.has` (store.md).
//! The facade asks for the next pages.

use std::time::Duration;

use futures::future::{Either, select};
use libp2p::PeerId;
use web_time::Instant;

use super::config::STORE;
use super::error::{ErrorCode, NodeError};
use super::event::{Received, Via};
use super::handle::{Node, request_id};
use super::light_push::shard_option;
use super::platform;
use super::request::Asked;
use super::verdicts::{answer_of, error};
use crate::manager::{ConnId, Outcome};
use crate::protocols::charge::{self, Circumstances};
use crate::protocols::ids;
use crate::protocols::message::MessageHash;
use crate::protocols::network::Network;
use crate::protocols::store::{self, MAX_CONTENT_TOPICS, MAX_HASHES, MAX_PAGE, Position, Request};
use crate::protocols::topic::PubsubTopic;
use crate::protocols::verdict::{End, FailureClass, Protocol, Verdict};

/// A server that does not answer is left for another after this time, if there is one.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server may take for hashes alone (store.md, section 3).
const HAS_TIMEOUT: Duration = Duration::from_secs(15);

/// A server that has not answered for so long is late: another is looked for.
const LATE: Duration = Duration::from_secs(2);
/// How soon another server is there, if there is one.
const REPLACED: Duration = Duration::from_secs(2);

/// A query for one page.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of these content topics, all on one shard; empty: of all, or by hash.
    pub content_topics: Vec<String>,
    /// The shard; needed with several static shards.
    pub shard: Option<u16>,
    /// From this time on, in nanoseconds since 1970.
    pub from_ns: Option<i64>,
    /// Until this time, in nanoseconds since 1970.
    pub to_ns: Option<i64>,
    /// Just these messages; never together with topics or times.
    pub hashes: Vec<MessageHash>,
    /// Messages in a page, at most 100; 20 when left out.
    pub page_size: Option<u64>,
    /// Oldest pages first, instead of newest first.
    pub ascending: bool,
    /// Where the page before ended.
    pub position: Option<Position>,
}

/// One page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its messages, oldest first whatever the direction. Perhaps none, although there are more pages.
    pub messages: Vec<Received>,
    /// Where to go on; absent on the last page.
    pub position: Option<Position>,
    /// Who gave it.
    pub peer: PeerId,
}

/// What one server made of a query.
struct Answered {
    page: store::Page,
    by_time: bool,
}

/// The servers of one call, one after the other.
struct Servers<'a> {
    node: &'a Node,
    shard: u16,
    begin: Instant,
    timeout: Duration,
    tried: Vec<PeerId>,
    failures: Vec<NodeError>,
}

impl<'a> Servers<'a> {
    fn new(node: &'a Node, shard: u16, timeout: Duration) -> Self {
        Self {
            node,
            shard,
            begin: Instant::now(),
            timeout,
            tried: Vec::new(),
            failures: Vec::new(),
        }
    }

    fn left(&self) -> Duration {
        self.timeout.saturating_sub(self.begin.elapsed())
    }

    /// The next server, and how long it may take: `first`, if it serves and was not tried, else the best that was not.
    /// Nothing when somebody was asked and nobody else serves.
    async fn next(
        &mut self,
        first: Option<PeerId>,
    ) -> Result<Option<(PeerId, ConnId, Duration)>, NodeError> {
        // With somebody asked already, it is over when nobody new serves; where all have failed, soon somebody may.
        let wait = if self.tried.is_empty() {
            self.left()
        } else if self.failures.len() == self.tried.len() {
            self.left().min(REPLACED)
        } else {
            Duration::ZERO
        };
        let found = self.node.serving(STORE, self.shard, &self.tried, wait);
        let found = match found.await {
            Err(error) if error.code == ErrorCode::NoPeer && !self.tried.is_empty() => {
                return Ok(None);
            }
            found => found?,
        };
        let mut others = self.node.lock().serving(STORE, self.shard);
        others.retain(|(other, _)| !self.tried.contains(other));
        let same = others.iter().find(|(other, _)| Some(*other) == first);
        let (peer, conn) = same.copied().unwrap_or(found);
        self.tried.push(peer);
        let left = self.left();
        let patience = if others.len() > 1 {
            left.min(PATIENCE)
        } else {
            left
        };
        Ok(Some((peer, conn, patience)))
    }

    /// A server failed: another is asked, and looked for when nobody else serves.
    fn failed(&mut self, peer: PeerId, error: NodeError) {
        self.failures.push(error);
        self.look_for_another(peer);
    }

    /// Has the manager look for another server, when all that serve were asked.
    fn look_for_another(&self, than: PeerId) {
        let mut driver = self.node.lock();
        let serving = driver.serving(STORE, self.shard);
        let all_tried = serving.iter().all(|(peer, _)| self.tried.contains(peer));
        if all_tried && !driver.is_closed() {
            driver.report(than, STORE, Outcome::Late, false);
        }
    }

    /// Ends when a server that has not answered for longer than usual need not be waited for, because another serves.
    async fn another(&self, than: PeerId) {
        platform::sleep(LATE).await;
        self.look_for_another(than);
        let found = self
            .node
            .serving(STORE, self.shard, &self.tried, self.left());
        if found.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Node {
    /// One page, of the server that gave the page before or of another, which goes on where that one ended. Every message
    /// is verified against its hash and the query.
    ///
    /// # Errors
    /// `invalid-options` for a query that servers would refuse; `not-started`, `closed`; `no-peer` when nobody serves
    /// before `timeout`, or all who do failed; `rejected` when the query is wrong; `busy`, `timeout`.
    pub async fn query(&self, query: Query, timeout: Duration) -> Result<Page, NodeError> {
        let (request, shard) = self.store_request(&query)?;
        let position = query.position;
        let first = position.as_ref().map(|position| position.peer);
        let mut servers = Servers::new(self, shard, timeout);
        let mut second_best: Option<Page> = None;
        while let Some((peer, conn, patience)) = servers.next(first).await? {
            let asked = self.page_of(peer, conn, &request, position.as_ref(), patience);
            let answer = {
                let asked = std::pin::pin!(asked);
                let another = std::pin::pin!(servers.another(peer));
                match select(asked, another).await {
                    Either::Left((answer, _)) => Some(answer?),
                    Either::Right(_) => None,
                }
            };
            let Some(answer) = answer else {
                let late = NodeError::new(ErrorCode::Timeout, "store: no answer in time");
                servers.failures.push(late.about(peer));
                continue;
            };
            match answer {
                Ok(answered) => {
                    let false_page = answered.page.fault.is_some();
                    let page = delivered(answered, peer, position.as_ref(), &request);
                    // What is true in it is worth having, once nobody else has the whole.
                    if !false_page {
                        return Ok(page);
                    }
                    second_best.get_or_insert(page);
                }
                Err(verdict) => {
                    servers.failed(peer, error(&verdict, peer));
                    // Wrong for two servers, wrong for all. One alone may say anything.
                    let wrong = |one: &&NodeError| one.code == ErrorCode::Rejected;
                    if servers.failures.iter().filter(wrong).count() > 1 {
                        break;
                    }
                }
            }
        }
        if let Some(page) = second_best {
            return Ok(page);
        }
        let failures = servers.failures;
        let wrong = |one: &NodeError| one.code == ErrorCode::Rejected;
        match failures.iter().rev().find(|one| wrong(one)) {
            Some(rejected) if failures.iter().all(wrong) => Err(rejected.clone()),
            _ => Err(self.exhausted(STORE, failures)),
        }
    }

    /// Which of these messages are stored. What one server does not have, another is asked for.
    ///
    /// # Errors
    /// `not-started`, `closed`; `no-peer` when nobody serves before `timeout`, or all who do failed; `busy`, `timeout`.
    pub async fn has(
        &self,
        hashes: &[MessageHash],
        timeout: Duration,
    ) -> Result<Vec<MessageHash>, NodeError> {
        let shard = self.open_driver()?.setup().network.shards()[0];
        let mut missing: Vec<MessageHash> = Vec::new();
        for hash in hashes {
            if !missing.contains(hash) {
                missing.push(*hash);
            }
        }
        let mut stored = Vec::new();
        let mut servers = Servers::new(self, shard, timeout);
        while !missing.is_empty()
            && let Some((peer, conn, patience)) = servers.next(None).await?
        {
            for part in missing.clone().chunks(MAX_HASHES) {
                match self.presence(peer, conn, part, patience).await {
                    Ok(found) => stored.extend(found),
                    Err(error) if error.code == ErrorCode::Closed => return Err(error),
                    Err(error) => {
                        servers.failed(peer, error);
                        break;
                    }
                }
            }
            missing.retain(|hash| !stored.contains(hash));
        }
        // That all who answered do not have them is an answer.
        if servers.failures.len() == servers.tried.len() && !missing.is_empty() {
            return Err(self.exhausted(STORE, servers.failures));
        }
        Ok(stored)
    }

    /// Which of these messages, at most fifty, one server has.
    pub(super) async fn presence(
        &self,
        peer: PeerId,
        conn: ConnId,
        hashes: &[MessageHash],
        timeout: Duration,
    ) -> Result<Vec<MessageHash>, NodeError> {
        let request = Request {
            request_id: request_id(),
            message_hashes: hashes.iter().map(|hash| hash.0.to_vec()).collect(),
            pagination_forward: true,
            pagination_limit: Some(MAX_PAGE),
            ..Request::default()
        };
        let asked = self.ask_store(peer, conn, &request, timeout.min(HAS_TIMEOUT));
        let page = asked.await?;
        page.map(|page| {
            page.messages
                .into_iter()
                .map(|stored| stored.hash)
                .collect()
        })
        .map_err(|verdict| error(&verdict, peer))
    }

    /// One page of one server: by its cursor, or, when it does not know that, by time.
    async fn page_of(
        &self,
        peer: PeerId,
        conn: ConnId,
        request: &Request,
        position: Option<&Position>,
        timeout: Duration,
    ) -> Result<Result<Answered, Verdict>, NodeError> {
        let begin = Instant::now();
        let mut request_now = position.map_or_else(|| request.clone(), |at| at.by_cursor(request));
        let mut by_time = false;
        loop {
            let left = timeout.saturating_sub(begin.elapsed());
            let page = self.ask_store(peer, conn, &request_now, left).await?;
            let lost = matches!(&page, Err(verdict) if verdict.failure == FailureClass::Lost);
            match position {
                Some(position) if lost && !by_time => {
                    request_now = position.by_time(request);
                    by_time = true;
                }
                _ => return Ok(page.map(|page| Answered { page, by_time })),
            }
        }
    }

    /// One request to one server, and what it says of the server.
    async fn ask_store(
        &self,
        peer: PeerId,
        conn: ConnId,
        request: &Request,
        timeout: Duration,
    ) -> Result<Result<store::Page, Verdict>, NodeError> {
        let asked = Asked {
            peer,
            conn,
            requirement: STORE,
            protocol: Protocol::StoreQuery,
        };
        let begin = Instant::now();
        loop {
            let now = platform::now().mono_ms;
            let taken = self.open_driver()?.pace(peer, STORE).try_take(now);
            let Err(wait) = taken else { break };
            let left = timeout.saturating_sub(begin.elapsed());
            let wait = Duration::from_millis(wait);
            if wait >= left {
                // It was not asked.
                let slow = Verdict::of_end(Protocol::StoreQuery, End::Timeout);
                let ours = Circumstances {
                    ours: true,
                    ..Circumstances::default()
                };
                self.judge(asked, Err(&slow), ours);
                return Ok(Err(slow));
            }
            platform::sleep(wait).await;
        }
        let mut request = request.clone();
        request.request_id = request_id();
        let left = timeout.saturating_sub(begin.elapsed());
        let left = left.min(charge::timeout(asked.protocol));
        let encode = |_: &str| request.encode();
        let limit = store::MAX_RESPONSE;
        let answer = self
            .ask(asked, &[ids::STORE_QUERY], &encode, limit, left)
            .await?;
        let page = answer_of(asked.protocol, answer.exchange).and_then(|bytes| {
            let response = store::Response::decode(&bytes)
                .map_err(|_| Verdict::of_end(asked.protocol, End::Undecodable))?;
            store::interpret(&request, response)
        });
        let result = match &page {
            Ok(page) => page.fault.as_ref().map_or(Ok(()), Err),
            Err(verdict) => Err(verdict),
        };
        self.judge(asked, result, answer.how);
        Ok(page)
    }

    /// The first page's request, and the shard that servers should have.
    fn store_request(&self, query: &Query) -> Result<(Request, u16), NodeError> {
        let network = self.open_driver()?.setup().network.clone();
        let mut plan = plan(&network, &query.content_topics, query.shard)?;
        if plan.len() > 1 {
            return Err(NodeError::option(
                "contentTopics",
                "one page has at most ten content topics, all of one shard",
            ));
        }
        let (topic, content_topics) = match plan.pop() {
            Some((topic, topics)) => (Some(topic), topics),
            None => (None, Vec::new()),
        };
        let request = Request {
            request_id: request_id(),
            include_data: true,
            pubsub_topic: topic.map(|topic| topic.to_string()),
            content_topics,
            time_start: query.from_ns,
            time_end: query.to_ns,
            message_hashes: query.hashes.iter().map(|hash| hash.0.to_vec()).collect(),
            pagination_cursor: None,
            pagination_forward: query.ascending,
            pagination_limit: Some(query.page_size.unwrap_or(store::DEFAULT_PAGE)),
        };
        request
            .check()
            .map_err(|error| NodeError::option("query", error.to_string()))?;
        let shard = topic.map_or_else(|| network.shards()[0], |topic| topic.shard);
        Ok((request, shard))
    }

    /// Splits content topics as queries need them: at most ten of one shard together (store.md, section 3).
    ///
    /// # Errors
    /// `invalid-options` for what is no content topic, or has no shard.
    pub fn query_plan(
        &self,
        content_topics: &[String],
        shard: Option<u16>,
    ) -> Result<Vec<Vec<String>>, NodeError> {
        let network = self.open_driver()?.setup().network.clone();
        let plan = plan(&network, content_topics, shard)?.into_iter();
        Ok(plan.map(|(_, topics)| topics).collect())
    }
}

fn plan(
    network: &Network,
    content_topics: &[String],
    shard: Option<u16>,
) -> Result<Vec<(PubsubTopic, Vec<String>)>, NodeError> {
    let mut plan: Vec<(PubsubTopic, Vec<String>)> = Vec::new();
    for content_topic in content_topics {
        let topic = network
            .shard_of(content_topic, shard)
            .map_err(|error| NodeError::option(shard_option(&error), error.to_string()))?;
        let known = plan
            .iter()
            .any(|(other, topics)| *other == topic && topics.contains(content_topic));
        if known {
            continue;
        }
        let room = plan
            .iter_mut()
            .find(|(other, topics)| *other == topic && topics.len() < MAX_CONTENT_TOPICS);
        match room {
            Some((_, topics)) => topics.push(content_topic.clone()),
            None => plan.push((topic, vec![content_topic.clone()])),
        }
    }
    Ok(plan)
}

/// A page as the caller gets it.
fn delivered(
    answered: Answered,
    peer: PeerId,
    before: Option<&Position>,
    request: &Request,
) -> Page {
    let Answered { mut page, by_time } = answered;
    let (position, _) = Position::after(&page, peer, before);
    if let Some(before) = before.filter(|_| by_time) {
        before.leave_out(request.pagination_forward, &mut page.messages);
    }
    let messages = page.messages.into_iter().filter_map(|stored| {
        Some(Received {
            hash: stored.hash,
            message: stored.message?,
            pubsub_topic: stored.pubsub_topic?.parse().ok()?,
            peer,
            via: Via::Store,
        })
    });
    Page {
        messages: messages.collect(),
        position,
        peer,
    }
}
