//! The methods that the manager answers: enrollments, locks and bursts.

use wasm_bindgen::JsValue;

use super::calls::{Reply, nothing, peer};
use super::manage::{enrollment, needed_id, needed_text};
use super::object::{Object, Plain, needed};
use super::options::need;
use super::values::grant;
use crate::manager::{Bound, Class, LockId, ProtocolSpec, Quota};
use crate::node::{ErrorCode, Named, Node, NodeError};

/// How long a counter-offer waits when the protocol does not say (contract.md 4.3).
const ANSWER_MS: u64 = 10_000;

/// Carries out one method.
pub(super) async fn call(node: Node, method: String, params: Object) -> Result<Reply, NodeError> {
    match method.as_str() {
        "connectionsStop" => node.stop_connections().await.map(|()| nothing()),
        "enroll" => {
            let spec = spec(&params)?;
            let requirement = spec.need.is_some().then(|| spec.name.clone());
            let enrolled = node.enroll(spec).await?;
            let value = Plain::new()
                .count("enrollment", enrolled.id.0)
                .with("granted", grant(Plain::new(), enrolled.granted))
                .with("counter", enrolled.answer_ms.is_some())
                .maybe("answerMs", enrolled.answer_ms.map(|ms| ms as f64))
                .maybe("requirement", requirement);
            Ok(Reply::naming(value, Named::Asked(enrolled.id.0)))
        }
        "lock" => {
            let ttl_ms = needed_id(&params, "ttlMs")?;
            let locked = node
                .lock_peer(enrollment(&params)?, peer(&params)?, ttl_ms)
                .await?;
            let value = Plain::new()
                .count("lock", locked.id.0)
                .count("expiresAt", locked.expires_at_wall_ms);
            Ok(Reply::naming(value, Named::Asked(locked.id.0)))
        }
        "extendLock" => {
            let lock = LockId(needed_id(&params, "lock")?);
            let expires_at = node.extend_lock(lock, needed_id(&params, "ttlMs")?).await?;
            let value = Plain::new().count("expiresAt", expires_at);
            Ok(JsValue::from(value).into())
        }
        "burstOpen" => {
            let slots = needed(params.integer("slots")?, "slots")?;
            let max_ms = needed_id(&params, "ms")?;
            let burst = node.open_burst(enrollment(&params)?, slots, max_ms).await?;
            let value = Plain::new()
                .count("burst", burst.id.0)
                .with("slots", burst.slots);
            Ok(Reply::naming(value, Named::Asked(burst.id.0)))
        }
        other => Err(NodeError::new(
            ErrorCode::Unsupported,
            format!("no such method: {other}"),
        )),
    }
}

fn spec(params: &Object) -> Result<ProtocolSpec, NodeError> {
    Ok(ProtocolSpec {
        name: needed_text(params, "name")?,
        protocols: needed(params.texts("protocols")?, "protocols")?,
        class: match params.text("class")?.as_deref() {
            Some("critical") => Class::Critical,
            Some("opportunistic") => Class::Opportunistic,
            _ => Class::Normal,
        },
        weight: params.integer("weight")?.unwrap_or(1),
        quota: Quota {
            min: bound(params, "min")?,
            max: bound(params, "max")?,
        },
        need: match params.value("requirement") {
            absent if absent.is_undefined() => None,
            wanted => Some(need(&Object(wanted))?),
        },
        scores: params.flag("scores")?.unwrap_or(false),
        answer_ms: params.whole("answerMs")?.unwrap_or(ANSWER_MS),
    })
}

/// A number of connections, or a text such as `25%`.
fn bound(params: &Object, name: &'static str) -> Result<Option<Bound>, NodeError> {
    let value = params.value(name);
    let Some(text) = value.as_string() else {
        return Ok(params.integer(name)?.map(Bound::Count));
    };
    // JavaScript's own, which reads up to the sign: Rust's parser of floating point numbers is many kilobytes.
    let percent = js_sys::parse_float(&text);
    if !text.ends_with('%') || !(0.0..=100.0).contains(&percent) {
        return Err(NodeError::option(name, "should be a share of up to 100%"));
    }
    Ok(Some(Bound::Permille((percent * 10.0 + 0.5) as u16)))
}
