//! The methods that `post` knows.

use std::future::Future;
use std::time::Duration;

use libp2p::PeerId;
use wasm_bindgen::JsValue;

use super::object::{Object, Plain, list, needed};
use super::values::{self, Names, peer_ids, peer_info};
use super::{enrolling, manage};
use crate::node::{
    ErrorCode, Named, Node, NodeError, Outgoing, ReadyLevel, SendOptions, StoreQuery,
    SubscriptionId, Wanted,
};
use crate::protocols::message::MessageHash;

/// What a call came to.
pub(super) struct Reply {
    pub(super) value: JsValue,
    /// What the reply names for the first time.
    pub(super) names: Option<Named>,
}

impl Reply {
    pub(super) fn naming(value: impl Into<JsValue>, named: Named) -> Self {
        Self {
            value: value.into(),
            names: Some(named),
        }
    }
}

impl From<JsValue> for Reply {
    fn from(value: JsValue) -> Self {
        Self { value, names: None }
    }
}

pub(super) fn nothing() -> Reply {
    JsValue::UNDEFINED.into()
}

/// How long a call may take when the facade does not say.
const DEFAULT_TIMEOUT_MS: f64 = 10_000.0;

fn timeout(params: &Object) -> Result<Duration, NodeError> {
    let ms = params.number("timeoutMs")?;
    Ok(millis(ms.unwrap_or(DEFAULT_TIMEOUT_MS)))
}

pub(super) fn peer(params: &Object) -> Result<PeerId, NodeError> {
    let text = needed(params.text("peer")?, "peer")?;
    text.parse()
        .map_err(|_| NodeError::option("peer", format!("{text:?} is not a peer id")))
}

/// Carries out one method.
pub(super) async fn call(node: Node, method: String, params: Object) -> Result<Reply, NodeError> {
    match method.as_str() {
        "start" => node.start().map(|()| nothing()),
        "stop" => node.stop().await.map(|()| nothing()),
        "close" => {
            node.close();
            Ok(nothing())
        }
        "dial" => {
            let target = needed(params.text("target")?, "target")?;
            let dial = node.dial(&target);
            let view = limited(params.number("timeoutMs")?, "dial", dial).await?;
            let names = Names::of(&node);
            Ok(JsValue::from(peer_info(view, &names)).into())
        }
        "hangUp" => {
            let peer = peer(&params)?;
            node.hang_up(peer).await.map(|()| nothing())
        }
        "ready" => {
            let level = match params.text("level")?.as_deref() {
                Some("minimal") => ReadyLevel::Minimal,
                _ => ReadyLevel::Met,
            };
            let requirements = params.texts("requirements")?;
            let wait = node.ready(level, requirements.as_deref());
            limited(params.number("timeoutMs")?, "ready", wait)
                .await
                .map(|()| nothing())
        }
        "send" => send(node, params).await,
        "subscribe" => {
            let timeout = timeout(&params)?;
            let content_topics = needed(params.texts("contentTopics")?, "contentTopics")?;
            let wanted = Wanted {
                content_topics: content_topics.clone(),
                shard: params.integer("shard")?,
                peers: params.integer("peers")?,
                no_catch_up: params.flag("catchUp")? == Some(false),
            };
            let subscribed = node.subscribe(wanted, timeout).await?;
            let value = Plain::new()
                .with("subscription", subscribed.id.0)
                .with("peers", peer_ids(&subscribed.peers))
                .with("contentTopics", list(content_topics));
            Ok(Reply::naming(value, Named::Subscription(subscribed.id)))
        }
        "unsubscribe" => {
            let subscription = needed(params.integer("subscription")?, "subscription")?;
            node.unsubscribe(SubscriptionId(subscription))
                .await
                .map(|()| nothing())
        }
        "query" => query(node, params).await,
        "plan" => {
            let topics = params.texts("contentTopics")?.unwrap_or_default();
            let plan = node.query_plan(&topics, params.integer("shard")?)?;
            Ok(JsValue::from(list(plan.into_iter().map(list))).into())
        }
        "has" => {
            let stored = node.has(&hashes(&params)?, timeout(&params)?).await?;
            Ok(JsValue::from(list(stored.iter().map(values::hash))).into())
        }
        other => match manage::call(&node, other, &params)? {
            Some(()) => Ok(nothing()),
            None => enrolling::call(node, method, params).await,
        },
    }
}

async fn send(node: Node, params: Object) -> Result<Reply, NodeError> {
    let timeout = timeout(&params)?;
    let outgoing = Outgoing {
        content_topic: needed(params.text("contentTopic")?, "contentTopic")?,
        payload: needed(params.bytes("payload")?, "payload")?,
        ephemeral: params.flag("ephemeral")?.unwrap_or(false),
        timestamp_ms: params.number("timestamp")?.map(|ms| ms as u64),
        shard: params.integer("shard")?,
    };
    let defaults = SendOptions::default();
    let options = SendOptions {
        peers: params.integer("peers")?,
        min: params.integer("min")?.unwrap_or(defaults.min),
        confirm: params.flag("confirm")?.unwrap_or(defaults.confirm),
    };
    let report = node.light_push(outgoing, options, timeout).await?;
    let failed = report.failed.into_iter().map(|(peer, class, message)| {
        Plain::new()
            .with("peer", peer.to_string())
            .with("class", class.as_str())
            .with("message", message)
    });
    let report = Plain::new()
        .with("hash", values::hash(&report.hash))
        .with("accepted", peer_ids(&report.accepted))
        .with("failed", list(failed))
        .with("attempts", report.attempts)
        .with("ms", report.elapsed.as_secs_f64() * 1e3)
        .maybe(
            "confirmedBy",
            report.confirmed_by.map(|peer| peer.to_string()),
        );
    Ok(JsValue::from(report).into())
}

async fn query(node: Node, params: Object) -> Result<Reply, NodeError> {
    let timeout = timeout(&params)?;
    let position = params.text("cursor")?.map(|cursor| {
        let wrong = |()| NodeError::option("cursor", "is none of ours");
        cursor.parse().map_err(wrong)
    });
    let query = StoreQuery {
        content_topics: params.texts("contentTopics")?.unwrap_or_default(),
        shard: params.integer("shard")?,
        from_ns: params.number("from")?.map(nanos),
        to_ns: params.number("to")?.map(nanos),
        hashes: hashes(&params)?,
        page_size: params.integer("pageSize")?.map(|size: u32| size.into()),
        ascending: params.text("order")?.as_deref() != Some("descending"),
        position: position.transpose()?,
    };
    let page = node.query(query, timeout).await?;
    let messages = page.messages.into_iter();
    let messages = list(messages.map(values::message));
    let page = Plain::new()
        .with("messages", messages)
        .maybe("cursor", page.position.map(|position| position.to_string()));
    Ok(JsValue::from(page).into())
}

fn hashes(params: &Object) -> Result<Vec<MessageHash>, NodeError> {
    let texts = params.texts("hashes")?.unwrap_or_default();
    let hash = |text: String| {
        text.parse()
            .map_err(|_| NodeError::option("hashes", format!("{text:?} is not a message hash")))
    };
    texts.into_iter().map(hash).collect()
}

/// Ends with `timeout` after so many milliseconds, if a number is given.
async fn limited<T>(
    timeout_ms: Option<f64>,
    what: &str,
    call: impl Future<Output = Result<T, NodeError>>,
) -> Result<T, NodeError> {
    let Some(timeout_ms) = timeout_ms else {
        return call.await;
    };
    crate::node::within(millis(timeout_ms), call)
        .await
        .unwrap_or_else(|| {
            Err(NodeError::new(
                ErrorCode::Timeout,
                format!("{what}: not in time"),
            ))
        })
}

fn millis(ms: f64) -> Duration {
    // Saturates, also for what is no number.
    Duration::from_millis(ms as u64)
}

fn nanos(ms: f64) -> i64 {
    ((ms as i64).saturating_mul(1_000_000)).max(0)
}
