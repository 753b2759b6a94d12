//! Subscribes, and keeps a subscription alive: a ping each minute, another peer when its own is lost (filter.md, section 5).

use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use libp2p::PeerId;
use web_time::Instant;

use super::{Group, group};
use crate::manager::{ConnId, Reason};
use crate::node::config::FILTER;
use crate::node::driver::within;
use crate::node::error::{ErrorCode, NodeError};
use crate::node::event::{GapCause, NodeEvent, SubscriptionId, SubscriptionState};
use crate::node::handle::{Node, request_id};
use crate::node::light_push::shard_option;
use crate::node::platform;
use crate::node::request::Asked;
use crate::node::verdicts::{answer_of, error};
use crate::protocols::filter::{self, MAX_CONTENT_TOPICS, Request};
use crate::protocols::ids;
use crate::protocols::verdict::{End, FailureClass, Protocol, Verdict};

/// Servers forget a subscription after 5 minutes without a word: this leaves room for 4 lost pings.
const PING_INTERVAL: Duration = Duration::from_secs(60);
/// How long a server may take to answer (filter.md, section 4).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before all serving peers are asked again, when each has refused.
const ROUND_PAUSE: Duration = Duration::from_secs(2);

/// A subscription that was made.
#[derive(Debug, Clone)]
pub struct Subscribed {
    /// Its name.
    pub id: SubscriptionId,
    /// Who serves it.
    pub peer: PeerId,
}

/// Where a subscription is served.
#[derive(Debug, Clone, Copy)]
struct Served {
    peer: PeerId,
    conn: ConnId,
}

impl Node {
    /// Subscribes at one serving peer. Messages follow as events; when the peer is lost the subscription moves to the next
    /// one and says so.
    ///
    /// # Errors
    /// `invalid-options` for topics that no server would take; `not-started`, `closed`; after `timeout` `no-peer`, or what
    /// the last peer asked has said.
    pub async fn subscribe(
        &self,
        content_topics: Vec<String>,
        shard: Option<u16>,
        timeout: Duration,
    ) -> Result<Subscribed, NodeError> {
        if content_topics.is_empty() {
            return Err(NodeError::option(
                "contentTopics",
                "at least one content topic is needed",
            ));
        }
        let (id, ended) = {
            let mut driver = self.open_driver()?;
            if !driver.started {
                return Err(NodeError::not_started());
            }
            let groups = group(&driver.network, &content_topics, shard)
                .map_err(|error| NodeError::option(shard_option(&error), error.to_string()))?;
            driver.subscriptions.add(groups)
        };
        // A caller that gives up leaves nothing behind.
        let mut undo = Undo(Some((self.clone(), id)));
        let served = self.serve_by_any(id, Some(timeout)).await?;
        undo.0 = None;
        let node = self.clone();
        platform::spawn(async move { node.keep_subscribed(id, served, ended).await });
        Ok(Subscribed {
            id,
            peer: served.peer,
        })
    }

    /// Ends a subscription. The server is told, but not waited for longer than it takes to answer or to fail.
    ///
    /// # Errors
    /// `closed`. A subscription that has ended already is none.
    pub async fn unsubscribe(&self, id: SubscriptionId) -> Result<(), NodeError> {
        let (leaving, all) = {
            let mut driver = self.open_driver()?;
            let now = platform::now().mono_ms;
            let Some((peer, groups)) = driver.subscriptions.remove(id, now) else {
                return Ok(());
            };
            let leaving = peer.and_then(|peer| {
                let serving = driver.manager().serving(FILTER);
                let (peer, conn) = serving.into_iter().find(|(serving, _)| *serving == peer)?;
                Some((Served { peer, conn }, groups))
            });
            let all = leaving
                .as_ref()
                .is_some_and(|(served, _)| !driver.subscriptions.uses(served.peer));
            (leaving, all)
        };
        self.tell(id, SubscriptionState::Closed, Vec::new(), None);
        if let Some((served, groups)) = leaving {
            self.leave(served, groups, all).await;
        }
        Ok(())
    }

    /// Tells a server what is not wanted any more. It forgets by itself in five minutes, so failures do not matter.
    async fn leave(&self, served: Served, groups: Vec<Group>, all: bool) {
        let requests = if all {
            vec![Request::unsubscribe_all(request_id())]
        } else {
            requests(&groups, Request::unsubscribe)
        };
        for request in requests {
            if self
                .ask_filter(served, request, PING_TIMEOUT)
                .await
                .is_err()
            {
                return;
            }
        }
    }

    /// Keeps a subscription alive until it is removed, the node is stopped or closed.
    async fn keep_subscribed(
        self,
        id: SubscriptionId,
        served: Served,
        ended: oneshot::Receiver<()>,
    ) {
        let alive = std::pin::pin!(self.keep_alive(id, served));
        if let Either::Left((end, _)) = select(alive, ended).await {
            // Stopped or closed: a closed node has nobody to tell.
            let mut driver = self.lock();
            if driver.is_closed() {
                return;
            }
            driver.subscriptions.remove(id, platform::now().mono_ms);
            drop(driver);
            debug_assert!(end.code == ErrorCode::NotStarted, "{end}");
            self.tell(
                id,
                SubscriptionState::Closed,
                Vec::new(),
                Some(Reason::Stopped),
            );
        }
    }

    async fn keep_alive(&self, id: SubscriptionId, mut served: Served) -> NodeError {
        // Messages since then may be missing once the peer turns out to be gone.
        let mut good_until = platform::now().wall_ms;
        loop {
            let lost = within(PING_INTERVAL, self.lost(served)).await;
            match lost {
                Some(Err(end)) => return end,
                Some(Ok(())) => {}
                None => match self.ping(served).await {
                    Ok(Ok(())) => {
                        good_until = platform::now().wall_ms;
                        continue;
                    }
                    // Whatever it is, the same peer is told again first (filter.md, section 5, step 4).
                    Ok(Err(_)) => match self.subscribe_at(id, served).await {
                        Ok(Ok(())) => {
                            self.gap(id, good_until, GapCause::Resubscribed);
                            good_until = platform::now().wall_ms;
                            continue;
                        }
                        Ok(Err(_)) => {}
                        Err(end) => return end,
                    },
                    Err(end) => return end,
                },
            }
            self.tell(id, SubscriptionState::Moving, Vec::new(), None);
            served = match self.serve_by_any(id, None).await {
                Ok(served) => served,
                Err(end) => return end,
            };
            self.tell(id, SubscriptionState::Active, vec![served.peer], None);
            self.gap(id, good_until, GapCause::Moved);
            good_until = platform::now().wall_ms;
        }
    }

    /// Ends when the peer does not serve any more.
    async fn lost(&self, served: Served) -> Result<(), NodeError> {
        self.until(|driver| {
            if !driver.started {
                return Some(Err(NodeError::not_started()));
            }
            let serving = driver.manager().serving(FILTER);
            (!serving.contains(&(served.peer, served.conn))).then_some(Ok(()))
        })
        .await
    }

    /// Asks one serving peer after the other until one takes the subscription.
    async fn serve_by_any(
        &self,
        id: SubscriptionId,
        timeout: Option<Duration>,
    ) -> Result<Served, NodeError> {
        let begin = Instant::now();
        let mut tried = Vec::new();
        let mut last: Option<NodeError> = None;
        loop {
            let left = timeout.map(|timeout| timeout.saturating_sub(begin.elapsed()));
            let shard = self.first_shard(id);
            // With somebody asked already, a new round begins as soon as nobody new serves.
            let patience = match (&last, left) {
                (None, Some(left)) => left,
                (None, None) => Duration::MAX,
                (Some(_), left) => ROUND_PAUSE.min(left.unwrap_or(ROUND_PAUSE)),
            };
            let found = self.serving(FILTER, shard, &tried, patience).await;
            let (peer, conn) = match found {
                Ok(found) => found,
                Err(error) if error.code == ErrorCode::NoPeer => {
                    if timeout.is_some_and(|timeout| begin.elapsed() >= timeout) {
                        return Err(last.unwrap_or(error));
                    }
                    tried.clear();
                    continue;
                }
                Err(error) => return Err(error),
            };
            let served = Served { peer, conn };
            let asked = self.subscribe_at(id, served);
            let answer = match left {
                Some(left) => within(left, asked).await,
                None => Some(asked.await),
            };
            match answer {
                Some(Ok(Ok(()))) => return Ok(served),
                Some(Ok(Err(verdict))) => {
                    let failed = error(&verdict, peer);
                    // Wrong for one server, wrong for all.
                    if verdict.failure == FailureClass::Ours {
                        return Err(failed);
                    }
                    last = Some(failed);
                    tried.push(peer);
                }
                Some(Err(end)) => return Err(end),
                None => {
                    return Err(last.unwrap_or_else(|| {
                        NodeError::new(ErrorCode::Timeout, "filter: no answer in time").about(peer)
                    }));
                }
            }
            if timeout.is_some_and(|timeout| begin.elapsed() >= timeout) {
                return Err(last.expect("the peer just asked refused"));
            }
        }
    }

    /// Makes the whole subscription at one peer.
    async fn subscribe_at(
        &self,
        id: SubscriptionId,
        served: Served,
    ) -> Result<Result<(), Verdict>, NodeError> {
        let groups = {
            let mut driver = self.open_driver()?;
            let now = platform::now().mono_ms;
            // Before it is asked: its pushes may come before its answer.
            driver.subscriptions.set_peer(id, Some(served.peer), now);
            driver.subscriptions.groups(id)
        };
        for request in requests(&groups, Request::subscribe) {
            if let Err(verdict) = self.ask_filter(served, request, REQUEST_TIMEOUT).await? {
                let mut driver = self.open_driver()?;
                let now = platform::now().mono_ms;
                driver.subscriptions.set_peer(id, None, now);
                return Ok(Err(verdict));
            }
        }
        Ok(Ok(()))
    }

    async fn ping(&self, served: Served) -> Result<Result<(), Verdict>, NodeError> {
        self.ask_filter(served, Request::ping(request_id()), PING_TIMEOUT)
            .await
    }

    /// One request of this protocol, paced, with its outcome reported.
    async fn ask_filter(
        &self,
        served: Served,
        request: Request,
        timeout: Duration,
    ) -> Result<Result<(), Verdict>, NodeError> {
        let now = platform::now().mono_ms;
        let wait = self.open_driver()?.subscriptions.pace(served.peer, now);
        if !wait.is_zero() {
            platform::sleep(wait).await;
        }
        let asked = Asked {
            peer: served.peer,
            conn: served.conn,
            requirement: FILTER,
            protocol: Protocol::FilterSubscribe,
        };
        let encode = |_: &str| request.encode();
        let limit = filter::MAX_RESPONSE;
        let answer = self
            .ask(asked, &[ids::FILTER_SUBSCRIBE], encode, limit, timeout)
            .await?;
        let result = answer_of(Protocol::FilterSubscribe, answer.exchange).and_then(|bytes| {
            let answer = filter::Response::decode(&bytes)
                .map_err(|_| Verdict::of_end(Protocol::FilterSubscribe, End::Undecodable))?;
            filter::interpret(&request, &answer)
        });
        let judged = match &result {
            Ok(()) => Ok(()),
            Err(verdict) => Err(verdict),
        };
        self.judge(asked, judged, answer.how);
        Ok(result)
    }

    fn first_shard(&self, id: SubscriptionId) -> u16 {
        self.lock()
            .subscriptions
            .groups(id)
            .first()
            .map_or(0, |group| group.pubsub_topic.shard)
    }

    fn tell(
        &self,
        id: SubscriptionId,
        state: SubscriptionState,
        peers: Vec<PeerId>,
        reason: Option<Reason>,
    ) {
        self.lock().emit(NodeEvent::Subscription {
            id,
            state,
            peers,
            reason,
        });
    }

    fn gap(&self, id: SubscriptionId, from_ms: u64, cause: GapCause) {
        let driver = self.lock();
        driver.emit(NodeEvent::Gap {
            content_topics: driver
                .subscriptions
                .groups(id)
                .into_iter()
                .flat_map(|group| group.content_topics)
                .collect(),
            from_ms,
            to_ms: platform::now().wall_ms,
            cause,
        });
    }
}

/// One request for each shard and each hundred topics: servers refuse more (filter.md, section 4).
fn requests(groups: &[Group], make: fn(String, String, Vec<String>) -> Request) -> Vec<Request> {
    groups
        .iter()
        .flat_map(|group| {
            let pubsub_topic = group.pubsub_topic.to_string();
            group
                .content_topics
                .chunks(MAX_CONTENT_TOPICS)
                .map(move |topics| make(request_id(), pubsub_topic.clone(), topics.to_vec()))
        })
        .collect()
}

/// Forgets a subscription whose making was given up.
struct Undo(Option<(Node, SubscriptionId)>);

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some((node, id)) = self.0.take() {
            let mut driver = node.lock();
            if !driver.is_closed() {
                driver.subscriptions.remove(id, platform::now().mono_ms);
            }
        }
    }
}
