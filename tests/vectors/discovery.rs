//! The vectors of records, trees, DNS over HTTPS and WebSocket addresses.

mod dns;
mod record;
mod tree;

use lightkeeper::discovery::ws_url::ws_url;
use multiaddr::Multiaddr;
use serde_json::Value;

use crate::same;

/// Checks a vector; `None` when its kind is not one of these.
pub(crate) fn check(kind: &str, vector: &Value) -> Option<Result<(), String>> {
    let (input, expected) = (&vector["input"], &vector["expected"]);
    Some(match kind {
        "enr" => record::valid(input, expected),
        "enr-structure" => record::structure(input, expected),
        "enr-invalid" => record::invalid(input, expected),
        "enr-field-invalid" => record::field_invalid(input, expected),
        "enr-multiaddrs-codec" => record::multiaddrs(input, expected),
        "enr-multiaddrs-invalid" => record::multiaddrs_invalid(input, expected),
        "waku2-bitfield" => record::capabilities(input, expected),
        "relay-shards-rs" => record::shards(input, expected),
        "relay-shards-rs-invalid" => record::shards_invalid(input, expected),
        "relay-shards-rsv" => record::shards_vector(input, expected),
        "enrtree-url" => tree::url(input, expected),
        "enrtree-root" => tree::root(input, expected),
        "enrtree-entry" => tree::entry(input, expected),
        "enrtree-hash" => tree::hash(input, expected),
        "enrtree-keys" => tree::keys(input, expected),
        "enrtree-set" => tree::set(input, expected),
        "enrtree-sequence" => tree::sequence(input, expected),
        "txt-strings" => dns::strings(input, expected),
        "doh-query" => dns::query(input, expected),
        "doh-response" => dns::response(input, expected),
        "doh-json" => dns::json_body(input, expected),
        "doh-json-txt" => dns::json_data(input, expected),
        "ws-url" => websocket(input, expected),
        _ => return None,
    })
}

fn websocket(input: &Value, expected: &Value) -> Result<(), String> {
    let address: Multiaddr = text(input)?
        .parse()
        .map_err(|error: multiaddr::Error| error.to_string())?;
    match (ws_url(&address), &expected["url"]) {
        (Err(_), Value::Null) => Ok(()),
        (Ok(got), Value::String(url)) => {
            same("url", got.url.as_str(), url.as_str())?;
            same("secure", Some(got.secure), expected["secure"].as_bool())?;
            let https = expected["https_page"].as_bool();
            same("https page", Some(got.allowed_on_https_page()), https)?;
            let peer = got.peer.map(|peer| peer.to_string());
            same("peer", peer.as_deref(), expected["peer_id"].as_str())
        }
        (got, want) => Err(format!("got {got:?}, want {want}")),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("{value} is not a text"))
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("{value} is not a list"))?
        .iter()
        .map(|item| text(item).map(str::to_owned))
        .collect()
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    hex::decode(text(value)?).map_err(|error| error.to_string())
}

/// Whether a reason is the one that the vector names. A vector may add a remark in parentheses or behind a colon, and may
/// leave the choice between two.
fn same_reason(got: &str, want: &Value) -> Result<(), String> {
    let want = text(want)?;
    let name = want.split(" (").next().unwrap_or(want);
    let name = name.split(": ").next().unwrap_or(name);
    let known = name == "any error" || name.split(" or ").any(|name| name == got);
    if known {
        Ok(())
    } else {
        Err(format!("reason: got {got}, want {want}"))
    }
}
