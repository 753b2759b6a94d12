//! The methods that `post` knows.

use std::future::Future;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;

use super::options::NeedOption;
use super::values::{self, Bytes, Peer, PeerInfo, to_js};
use crate::manager::Priority;
use crate::node::{ErrorCode, Node, NodeError, Outgoing, ReadyLevel, StoreQuery, SubscriptionId};

/// What a call came to.
pub(super) struct Reply {
    pub(super) value: JsValue,
    /// A subscription that the reply names for the first time.
    pub(super) subscription: Option<SubscriptionId>,
}

impl From<JsValue> for Reply {
    fn from(value: JsValue) -> Self {
        Self {
            value,
            subscription: None,
        }
    }
}

fn nothing() -> Reply {
    JsValue::UNDEFINED.into()
}

/// The parameters of all methods in one struct: a type for each would cost the wasm more than it is worth. The facade sends
/// what a method needs, and leaves the rest out.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Params {
    target: Option<String>,
    peer: Option<Peer>,
    priority: Option<String>,
    name: Option<String>,
    need: Option<NeedOption>,
    level: Option<String>,
    requirements: Option<Vec<String>>,
    content_topic: Option<String>,
    content_topics: Option<Vec<String>>,
    payload: Option<Bytes>,
    ephemeral: Option<bool>,
    timestamp: Option<f64>,
    shard: Option<u16>,
    subscription: Option<u32>,
    hashes: Option<Vec<String>>,
    from: Option<f64>,
    to: Option<f64>,
    order: Option<String>,
    page_size: Option<u32>,
    cursor: Option<String>,
    timeout_ms: Option<f64>,
}

/// How long a call may take when the facade does not say.
const DEFAULT_TIMEOUT_MS: f64 = 10_000.0;

impl Params {
    fn read(params: JsValue) -> Result<Self, NodeError> {
        if params.is_undefined() {
            return Ok(Self::default());
        }
        serde_wasm_bindgen::from_value(params)
            .map_err(|error| NodeError::new(ErrorCode::InvalidOptions, error.to_string()))
    }

    fn timeout(&self) -> Duration {
        millis(self.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS))
    }
}

/// A parameter that a method can't do without.
fn needed<T>(value: Option<T>, name: &'static str) -> Result<T, NodeError> {
    value.ok_or_else(|| NodeError::option(name, "is missing"))
}

#[derive(Serialize)]
struct SendReport {
    hash: String,
    accepted: Vec<String>,
    failed: [(); 0],
    attempts: u32,
    ms: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscribed {
    subscription: u32,
    peers: [String; 1],
    content_topics: Vec<String>,
}

#[derive(Serialize)]
struct Page {
    messages: Vec<values::Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Carries out one method.
pub(super) async fn call(node: Node, method: String, params: JsValue) -> Result<Reply, NodeError> {
    let params = Params::read(params)?;
    match method.as_str() {
        "start" => node.start().map(|()| nothing()),
        "stop" => node.stop().await.map(|()| nothing()),
        "close" => {
            node.close();
            Ok(nothing())
        }
        "dial" => {
            let target = needed(params.target, "target")?;
            let dial = node.dial(&target);
            let view = limited(params.timeout_ms, "dial", dial).await?;
            Ok(to_js(&PeerInfo::from(view)).into())
        }
        "hangUp" => {
            let peer = needed(params.peer, "peer")?;
            node.hang_up(peer.0).await.map(|()| nothing())
        }
        "setPriority" => {
            let peer = needed(params.peer, "peer")?;
            let priority = match params.priority.as_deref() {
                Some("high") => Priority::High,
                Some("medium") => Priority::Medium,
                Some("low") => Priority::Low,
                Some("banned") => Priority::Banned,
                _ => {
                    return Err(NodeError::option(
                        "priority",
                        "should be high, medium, low or banned",
                    ));
                }
            };
            node.set_priority(peer.0, priority).map(|()| nothing())
        }
        "setRequirement" => {
            let name = needed(params.name, "name")?;
            let need = needed(params.need, "need")?;
            node.set_requirement(&name, need.into()).map(|()| nothing())
        }
        "ready" => {
            let level = match params.level.as_deref() {
                Some("minimal") => ReadyLevel::Minimal,
                _ => ReadyLevel::Met,
            };
            let wait = node.ready(level, params.requirements.as_deref());
            limited(params.timeout_ms, "ready", wait)
                .await
                .map(|()| nothing())
        }
        "send" => send(node, params).await,
        "subscribe" => {
            let timeout = params.timeout();
            let content_topics = needed(params.content_topics, "contentTopics")?;
            let subscribed = node
                .subscribe(content_topics.clone(), params.shard, timeout)
                .await?;
            Ok(Reply {
                value: to_js(&Subscribed {
                    subscription: subscribed.id.0,
                    peers: [subscribed.peer.to_string()],
                    content_topics,
                }),
                subscription: Some(subscribed.id),
            })
        }
        "unsubscribe" => {
            let subscription = needed(params.subscription, "subscription")?;
            node.unsubscribe(SubscriptionId(subscription))
                .await
                .map(|()| nothing())
        }
        "query" => query(node, params).await,
        other => Err(NodeError::new(
            ErrorCode::Unsupported,
            format!("no such method: {other}"),
        )),
    }
}

async fn send(node: Node, params: Params) -> Result<Reply, NodeError> {
    let timeout = params.timeout();
    let outgoing = Outgoing {
        content_topic: needed(params.content_topic, "contentTopic")?,
        payload: needed(params.payload, "payload")?.0,
        ephemeral: params.ephemeral.unwrap_or(false),
        timestamp_ms: params.timestamp.map(|ms| ms as u64),
        shard: params.shard,
    };
    let report = node.light_push(outgoing, timeout).await?;
    Ok(to_js(&SendReport {
        hash: values::hash(&report.hash),
        accepted: report.accepted.iter().map(ToString::to_string).collect(),
        failed: [],
        attempts: report.attempts,
        ms: report.elapsed.as_secs_f64() * 1e3,
    })
    .into())
}

async fn query(node: Node, params: Params) -> Result<Reply, NodeError> {
    let timeout = params.timeout();
    // A cursor of ours also says who gave it: another server may not hold that message.
    let cursor = params
        .cursor
        .as_deref()
        .and_then(|cursor| cursor.split_once('@'));
    let hash = |text: &str| {
        text.parse()
            .map_err(|_| NodeError::option("hashes", format!("{text:?} is not a message hash")))
    };
    let query = StoreQuery {
        content_topics: params.content_topics.unwrap_or_default(),
        shard: params.shard,
        from_ns: params.from.map(nanos),
        to_ns: params.to.map(nanos),
        hashes: params
            .hashes
            .unwrap_or_default()
            .iter()
            .map(|text| hash(text))
            .collect::<Result<_, _>>()?,
        page_size: params.page_size.map(u64::from),
        ascending: params.order.as_deref() != Some("descending"),
        cursor: cursor.map(|(at, _)| hash(at)).transpose()?,
        peer: cursor.and_then(|(_, peer)| peer.parse().ok()),
    };
    let page = node.query(query, timeout).await?;
    let peer = page.peer;
    Ok(to_js(&Page {
        messages: page.messages.into_iter().map(Into::into).collect(),
        cursor: page
            .cursor
            .map(|at| format!("{}@{peer}", values::hash(&at))),
    })
    .into())
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
