//! The methods that `post` knows.

use std::future::Future;
use std::time::Duration;

use serde::de::DeserializeOwned;
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

#[derive(Deserialize)]
struct Dial {
    target: String,
    #[serde(rename = "timeoutMs")]
    timeout_ms: Option<f64>,
}

#[derive(Deserialize)]
struct OnePeer {
    peer: Peer,
}

#[derive(Deserialize)]
struct SetPriority {
    peer: Peer,
    priority: String,
}

#[derive(Deserialize)]
struct SetRequirement {
    name: String,
    need: NeedOption,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    level: Option<String>,
    requirements: Option<Vec<String>>,
    timeout_ms: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Send {
    content_topic: String,
    payload: Bytes,
    ephemeral: Option<bool>,
    timestamp: Option<f64>,
    shard: Option<u16>,
    timeout_ms: f64,
}

#[derive(Serialize)]
struct SendReport {
    hash: String,
    accepted: Vec<String>,
    failed: [(); 0],
    attempts: u32,
    ms: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscribe {
    content_topics: Vec<String>,
    shard: Option<u16>,
    timeout_ms: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscribed {
    subscription: u32,
    peers: [String; 1],
    content_topics: Vec<String>,
}

#[derive(Deserialize)]
struct Unsubscribe {
    subscription: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    content_topics: Option<Vec<String>>,
    hashes: Option<Vec<String>>,
    from: Option<f64>,
    to: Option<f64>,
    order: Option<String>,
    page_size: Option<u32>,
    shard: Option<u16>,
    cursor: Option<String>,
    timeout_ms: f64,
}

#[derive(Serialize)]
struct Page {
    messages: Vec<values::Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// Carries out one method.
pub(super) async fn call(node: Node, method: String, params: JsValue) -> Result<Reply, NodeError> {
    match method.as_str() {
        "start" => node.start().map(|()| nothing()),
        "stop" => node.stop().await.map(|()| nothing()),
        "close" => {
            node.close();
            Ok(nothing())
        }
        "dial" => {
            let Dial { target, timeout_ms } = read(params)?;
            let dial = node.dial(&target);
            let view = limited(timeout_ms, "dial", dial).await?;
            Ok(to_js(&PeerInfo::from(view)).into())
        }
        "hangUp" => {
            let OnePeer { peer } = read(params)?;
            node.hang_up(peer.0).await.map(|()| nothing())
        }
        "setPriority" => {
            let SetPriority { peer, priority } = read(params)?;
            let priority = match priority.as_str() {
                "high" => Priority::High,
                "medium" => Priority::Medium,
                "low" => Priority::Low,
                "banned" => Priority::Banned,
                other => {
                    return Err(NodeError::option(
                        "priority",
                        format!("{other:?} should be high, medium, low or banned"),
                    ));
                }
            };
            node.set_priority(peer.0, priority).map(|()| nothing())
        }
        "setRequirement" => {
            let SetRequirement { name, need } = read(params)?;
            node.set_requirement(&name, need.into()).map(|()| nothing())
        }
        "ready" => {
            let ready: Ready = read(params)?;
            let level = match ready.level.as_deref() {
                Some("minimal") => ReadyLevel::Minimal,
                _ => ReadyLevel::Met,
            };
            let wait = node.ready(level, ready.requirements.as_deref());
            limited(ready.timeout_ms, "ready", wait)
                .await
                .map(|()| nothing())
        }
        "send" => {
            let send: Send = read(params)?;
            let outgoing = Outgoing {
                content_topic: send.content_topic,
                payload: send.payload.0,
                ephemeral: send.ephemeral.unwrap_or(false),
                timestamp_ms: send.timestamp.map(|ms| ms as u64),
                shard: send.shard,
            };
            let report = node.light_push(outgoing, millis(send.timeout_ms)).await?;
            Ok(to_js(&SendReport {
                hash: values::hash(&report.hash),
                accepted: report.accepted.iter().map(ToString::to_string).collect(),
                failed: [],
                attempts: report.attempts,
                ms: report.elapsed.as_secs_f64() * 1e3,
            })
            .into())
        }
        "subscribe" => {
            let request: Subscribe = read(params)?;
            let subscribed = node
                .subscribe(
                    request.content_topics.clone(),
                    request.shard,
                    millis(request.timeout_ms),
                )
                .await?;
            Ok(Reply {
                value: to_js(&Subscribed {
                    subscription: subscribed.id.0,
                    peers: [subscribed.peer.to_string()],
                    content_topics: request.content_topics,
                }),
                subscription: Some(subscribed.id),
            })
        }
        "unsubscribe" => {
            let Unsubscribe { subscription } = read(params)?;
            node.unsubscribe(SubscriptionId(subscription))
                .await
                .map(|()| nothing())
        }
        "query" => query(node, read(params)?).await,
        other => Err(NodeError::new(
            ErrorCode::Unsupported,
            format!("no such method: {other}"),
        )),
    }
}

async fn query(node: Node, query: Query) -> Result<Reply, NodeError> {
    // A cursor of ours also says who gave it: another server may not hold that message.
    let cursor = query
        .cursor
        .as_deref()
        .and_then(|cursor| cursor.split_once('@'));
    let hash = |text: &str| {
        text.parse()
            .map_err(|_| NodeError::option("hashes", format!("{text:?} is not a message hash")))
    };
    let timeout = millis(query.timeout_ms);
    let page = node
        .query(
            StoreQuery {
                content_topics: query.content_topics.unwrap_or_default(),
                shard: query.shard,
                from_ns: query.from.map(nanos),
                to_ns: query.to.map(nanos),
                hashes: query
                    .hashes
                    .unwrap_or_default()
                    .iter()
                    .map(|text| hash(text))
                    .collect::<Result<_, _>>()?,
                page_size: query.page_size.map(u64::from),
                ascending: query.order.as_deref() != Some("descending"),
                cursor: cursor.map(|(at, _)| hash(at)).transpose()?,
                peer: cursor.and_then(|(_, peer)| peer.parse().ok()),
            },
            timeout,
        )
        .await?;
    let peer = page.peer;
    Ok(to_js(&Page {
        messages: page.messages.into_iter().map(Into::into).collect(),
        cursor: page
            .cursor
            .map(|at| format!("{}@{peer}", values::hash(&at))),
    })
    .into())
}

fn read<T: DeserializeOwned>(params: JsValue) -> Result<T, NodeError> {
    serde_wasm_bindgen::from_value(params)
        .map_err(|error| NodeError::new(ErrorCode::InvalidOptions, error.to_string()))
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
                format!("{what}: not within {timeout_ms} ms"),
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
