//! `filter.subscribe` (filter.md). What is asked of which server, and what becomes of a push, is decided in
//! `protocols::filter::hub`; the driver carries it out (`driver::filter`). Here are the calls of the API, and how a gap is
//! filled from a store.

mod catch_up;

use std::time::Duration;

use libp2p::PeerId;

use super::config::FILTER;
use super::driver::within;
use super::error::{ErrorCode, NodeError};
use super::event::SubscriptionId;
use super::handle::Node;
use super::light_push::shard_option;
use super::undo::Undo;
use super::verdicts::error;
use crate::manager::Reason;
use crate::protocols::filter::hub::Group;
use crate::protocols::verdict::{FailureClass, Verdict};

pub(super) use catch_up::{fill, who_knows};

/// What to subscribe to.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of these content topics.
    pub content_topics: Vec<String>,
    /// The shard; needed with several static shards.
    pub shard: Option<u16>,
    /// From how many peers at once; as many as the requirement wants, when it is left out.
    pub peers: Option<u8>,
    /// Whether a store is not to be asked for what came while nobody delivered.
    pub no_catch_up: bool,
}

/// A subscription that was made.
#[derive(Debug, Clone)]
pub struct Subscribed {
    /// Its name.
    pub id: SubscriptionId,
    /// Who serves it.
    pub peers: Vec<PeerId>,
}

/// How the making of a subscription ended.
pub(super) type Made = Result<Vec<PeerId>, (Vec<(PeerId, Verdict)>, Vec<u16>)>;

impl Node {
    /// Subscribes at several serving peers; resolves once each topic is acknowledged by one. Messages follow as events,
    /// each once; when peers are lost others take over, and what was missed is fetched from a store.
    ///
    /// # Errors
    /// `invalid-options` for topics that no server would take; `not-started`, `closed`; `rejected` when all servers call it
    /// wrong; after `timeout` `no-peer`, with what those who were asked have said.
    pub async fn subscribe(
        &self,
        wanted: Wanted,
        timeout: Duration,
    ) -> Result<Subscribed, NodeError> {
        if wanted.content_topics.is_empty() {
            return Err(NodeError::option(
                "contentTopics",
                "at least one content topic is needed",
            ));
        }
        let (id, made) = {
            let mut driver = self.open_driver()?;
            if !driver.is_started() {
                return Err(NodeError::not_started());
            }
            let groups = Group::all(
                &driver.setup().network,
                &wanted.content_topics,
                wanted.shard,
            )
            .map_err(|error| NodeError::option(shard_option(&error), error.to_string()))?;
            driver.want(groups, wanted.peers, !wanted.no_catch_up)
        };
        // A caller that gives up leaves nothing behind.
        let undo = Undo::new(self, move |driver| driver.unwant(id, None));
        let failed = match within(timeout, made).await {
            // It was stopped or closed meanwhile.
            Some(Err(_)) => {
                let closed = self.lock().is_closed();
                return Err(if closed {
                    NodeError::closed()
                } else {
                    NodeError::not_started()
                });
            }
            Some(Ok(Ok(peers))) => {
                undo.disarm();
                self.lock().open_subscription(id);
                return Ok(Subscribed { id, peers });
            }
            Some(Ok(Err(failed))) => failed,
            None => self.lock().why_not_made(id),
        };
        Err(self.not_made(failed))
    }

    /// Ends a subscription. Its servers are told, and not waited for: they forget by themselves in five minutes.
    ///
    /// # Errors
    /// `closed`. A subscription that has ended already is none.
    pub async fn unsubscribe(&self, id: SubscriptionId) -> Result<(), NodeError> {
        self.open_driver()?.unwant(id, Some(Reason::HungUp));
        Ok(())
    }

    fn not_made(&self, (errors, unserved): (Vec<(PeerId, Verdict)>, Vec<u16>)) -> NodeError {
        let wrong = |verdict: &Verdict| verdict.failure == FailureClass::Ours;
        let rejected = errors.iter().find(|(_, verdict)| wrong(verdict));
        let tried: Vec<_> = errors
            .iter()
            .map(|(peer, verdict)| error(verdict, *peer))
            .collect();
        if let Some((peer, verdict)) = rejected.filter(|_| errors.iter().all(|(_, v)| wrong(v))) {
            return error(verdict, *peer).tried(tried);
        }
        if let [shard, ..] = unserved[..]
            && errors.is_empty()
            && !self.lock().manager().serving(FILTER).is_empty()
        {
            let message = format!("no peer serves filter on shard {shard}");
            return NodeError::new(ErrorCode::NoPeer, message);
        }
        self.exhausted(FILTER, tried)
    }
}
