//! The methods whose outcome comes as a reply.

use std::future::Future;
use std::time::Duration;

use wasm_bindgen::JsValue;

use super::crossing::take;
use super::data::{
    Answer, Bound, BurstOpen, Dial, Enroll, ExtendLock, Has, Lock, Names, Order, Page, PeerInfo,
    Plan, Query, Ready, Send, SendReport, Subscribe, Unsubscribe, Whom, hash,
};
use super::orders;
use crate::manager::{self, EnrollmentId, LockId, ProtocolSpec, Quota};
use crate::node::{
    ErrorCode, Named, Node, NodeError, Outgoing, ReadyLevel, SendOptions, StoreQuery,
    SubscriptionId, Wanted,
};

/// What a call came to.
pub(super) struct Reply {
    pub(super) answer: Answer,
    /// What the reply names for the first time.
    pub(super) names: Option<Named>,
}

impl Reply {
    fn naming(answer: Answer, named: Named) -> Self {
        let names = Some(named);
        Self { answer, names }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let names = None;
        Self { answer, names }
    }
}

/// How long a call may take when the facade does not say.
const DEFAULT_TIMEOUT_MS: f64 = 10_000.0;
/// How long a counter-offer waits when the protocol does not say (contract.md 4.3).
const ANSWER_MS: u64 = 10_000;

/// Carries out one method.
pub(super) async fn call(node: Node, method: String, params: JsValue) -> Result<Reply, NodeError> {
    match method.as_str() {
        "start" => node.start()?,
        "stop" => node.stop().await?,
        "close" => node.close(),
        "hangUp" => node.hang_up(take::<Whom>(params)?.peer.id()?).await?,
        "ready" => ready(node, take(params)?).await?,
        "unsubscribe" => {
            let Unsubscribe { subscription } = take(params)?;
            node.unsubscribe(SubscriptionId(subscription)).await?;
        }
        "connectionsStop" => node.stop_connections().await?,
        "dial" => return dial(node, take(params)?).await,
        "send" => return send(node, take(params)?).await,
        "subscribe" => return subscribe(node, take(params)?).await,
        "query" => return query(node, take(params)?).await,
        "plan" => {
            let Plan {
                content_topics,
                shard,
            } = take(params)?;
            return Ok(Answer::Plan(node.query_plan(&content_topics, shard)?).into());
        }
        "has" => {
            let Has { hashes, timeout_ms } = take(params)?;
            let stored = node.has(&hashes.parse()?, timeout(timeout_ms)).await?;
            return Ok(Answer::Hashes(stored.iter().map(hash).collect()).into());
        }
        "enroll" => return enroll(node, take(params)?).await,
        "lock" => {
            let lock: Lock = take(params)?;
            let enrollment = EnrollmentId(lock.enrollment);
            let locked = node
                .lock_peer(enrollment, lock.peer.id()?, lock.ttl_ms)
                .await?;
            let named = Named::Asked(locked.id.0);
            return Ok(Reply::naming(Answer::locked(locked), named));
        }
        "extendLock" => {
            let ExtendLock { lock, ttl_ms } = take(params)?;
            let expires_at = node.extend_lock(LockId(lock), ttl_ms).await?.into();
            return Ok(Answer::Extended { expires_at }.into());
        }
        "burstOpen" => {
            let BurstOpen {
                enrollment,
                slots,
                ms,
            } = take(params)?;
            let burst = node.open_burst(EnrollmentId(enrollment), slots, ms).await?;
            let named = Named::Asked(burst.id.0);
            return Ok(Reply::naming(Answer::burst(burst), named));
        }
        other => match orders::order(&node, other, params) {
            Some(done) => done?,
            None => {
                let message = format!("no such method: {method}");
                return Err(NodeError::new(ErrorCode::Unsupported, message));
            }
        },
    }
    Ok(Answer::Done.into())
}

async fn dial(node: Node, dial: Dial) -> Result<Reply, NodeError> {
    let connecting = node.dial(&dial.target);
    let view = limited(dial.timeout_ms, "dial", connecting).await?;
    let peer = PeerInfo::new(view, &Names::of(&node));
    Ok(Answer::Peer(Box::new(peer)).into())
}

async fn ready(node: Node, ready: Ready) -> Result<(), NodeError> {
    let level = ready.level.map_or(ReadyLevel::Met, |level| level.0);
    let wait = node.ready(level, ready.requirements.as_deref());
    limited(ready.timeout_ms, "ready", wait).await
}

async fn send(node: Node, send: Send) -> Result<Reply, NodeError> {
    let outgoing = Outgoing {
        content_topic: send.content_topic,
        payload: send.payload.0,
        ephemeral: send.ephemeral.unwrap_or(false),
        timestamp_ms: send.timestamp,
        shard: send.shard,
    };
    let defaults = SendOptions::default();
    let options = SendOptions {
        peers: send.peers,
        min: send.min.unwrap_or(defaults.min),
        confirm: send.confirm.unwrap_or(defaults.confirm),
    };
    let report = node
        .light_push(outgoing, options, timeout(send.timeout_ms))
        .await?;
    Ok(Answer::Report(SendReport::from(report)).into())
}

async fn subscribe(node: Node, subscribe: Subscribe) -> Result<Reply, NodeError> {
    let wanted = Wanted {
        content_topics: subscribe.content_topics.clone(),
        shard: subscribe.shard,
        peers: subscribe.peers,
        no_catch_up: subscribe.catch_up == Some(false),
    };
    let subscribed = node
        .subscribe(wanted, timeout(subscribe.timeout_ms))
        .await?;
    let named = Named::Subscription(subscribed.id);
    let answer = Answer::subscribed(&subscribed, subscribe.content_topics);
    Ok(Reply::naming(answer, named))
}

async fn query(node: Node, query: Query) -> Result<Reply, NodeError> {
    let position = query.cursor.map(|cursor| {
        let wrong = |()| NodeError::option("cursor", "is none of ours");
        cursor.parse().map_err(wrong)
    });
    let wanted = StoreQuery {
        content_topics: query.content_topics.unwrap_or_default(),
        shard: query.shard,
        from_ns: query.from.map(nanos),
        to_ns: query.to.map(nanos),
        hashes: query.hashes.unwrap_or_default().parse()?,
        page_size: query.page_size.map(u64::from),
        ascending: query.order.is_none_or(|order| order.0 == Order::Ascending),
        position: position.transpose()?,
    };
    let page = node.query(wanted, timeout(query.timeout_ms)).await?;
    Ok(Answer::Page(Page::from(page)).into())
}

async fn enroll(node: Node, enroll: Enroll) -> Result<Reply, NodeError> {
    let requirement = enroll.requirement.map(|_| enroll.name.clone());
    let spec = ProtocolSpec {
        name: enroll.name,
        protocols: enroll.protocols,
        class: enroll.class.map(|class| class.0).unwrap_or_default(),
        weight: enroll.weight.unwrap_or(1),
        quota: Quota {
            min: bound("min", enroll.min)?,
            max: bound("max", enroll.max)?,
        },
        need: enroll.requirement.map(manager::Need::from),
        scores: enroll.scores.unwrap_or(false),
        answer_ms: enroll.answer_ms.unwrap_or(ANSWER_MS),
    };
    let enrolled = node.enroll(spec).await?;
    let named = Named::Asked(enrolled.id.0);
    Ok(Reply::naming(
        Answer::enrolled(enrolled, requirement),
        named,
    ))
}

fn bound(name: &'static str, bound: Option<Bound>) -> Result<Option<manager::Bound>, NodeError> {
    Ok(Some(match bound {
        None => return Ok(None),
        Some(Bound::Count(count)) => manager::Bound::Count(count),
        Some(Bound::Share(text)) => {
            // JavaScript's own, which reads up to the sign: Rust's parser of floating point numbers is many kilobytes.
            let percent = js_sys::parse_float(&text);
            if !text.ends_with('%') || !(0.0..=100.0).contains(&percent) {
                return Err(NodeError::option(name, "should be a share of up to 100%"));
            }
            manager::Bound::Permille((percent * 10.0 + 0.5) as u16)
        }
    }))
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

fn timeout(ms: Option<f64>) -> Duration {
    millis(ms.unwrap_or(DEFAULT_TIMEOUT_MS))
}

fn millis(ms: f64) -> Duration {
    // Saturates, also for what is no number.
    Duration::from_millis(ms as u64)
}

fn nanos(ms: u64) -> i64 {
    i64::try_from(ms)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000_000)
}
