//! What an answer's status means.

use std::fmt::Debug;

use serde_json::Value;

use super::fields::{Checked, only, opt_text, opt_u32, same, text};
use libp2p_identity::PeerId;
use lightkeeper::protocols::verdict::{IdEcho, Ruling};
use lightkeeper::protocols::{
    Verdict, circuit, filter, lightpush, peer_exchange, rendezvous, store,
};

/// What a vector expects, in its order: class, retry, peer, show_caller.
pub(super) fn outcome(expected: &Value) -> Result<[String; 4], String> {
    only(expected, &["class", "retry", "peer", "show_caller"])?;
    Ok([
        text(&expected["class"])?.to_owned(),
        text(&expected["retry"])?.to_owned(),
        text(&expected["peer"])?.to_owned(),
        text(&expected["show_caller"])?.to_owned(),
    ])
}

/// Both the rule and what a caller gets from a whole answer must say it.
pub(super) fn judged<T: Debug>(
    expected: &Value,
    ruling: Ruling,
    interpreted: Result<T, Verdict>,
) -> Checked {
    let expected = outcome(expected)?;
    let got = [
        ruling.class.to_string(),
        ruling.retry.to_string(),
        ruling.peer().to_string(),
        ruling.show_caller.to_string(),
    ];
    same("ruling", &got, &expected)?;
    match (ruling.class.failure(), interpreted) {
        (None, Ok(_)) => Ok(()),
        (Some(failure), Err(verdict)) => {
            let got = [
                verdict.class.to_string(),
                verdict.retry.to_string(),
                verdict.peer.to_string(),
                verdict.show_caller.to_string(),
            ];
            same("verdict", &got, &expected)?;
            same("failure", verdict.failure, failure)
        }
        (_, interpreted) => Err(format!("interpreted as {interpreted:?}")),
    }
}

pub(super) fn error_class(input: &Value, expected: &Value) -> Option<Checked> {
    let protocol = input["protocol"].as_str().unwrap_or_default();
    let check = || -> Checked {
        let status = opt_u32(&input["status"])?;
        let desc = opt_text(&input["desc"]);
        let id = match input["request_id"].as_str() {
            Some("echo") | None => "ours",
            Some(other) => other,
        };
        let echo = IdEcho::of("ours", id);
        let desc_text = desc.as_deref();
        match protocol {
            "lightpush-v3" => {
                let count = opt_u32(&input["relay_peer_count"])?;
                let request = lightpush::v3::Request {
                    request_id: "ours".into(),
                    ..Default::default()
                };
                let response = lightpush::v3::Response {
                    request_id: id.into(),
                    status_code: status,
                    status_desc: desc.clone(),
                    relay_peer_count: count,
                };
                judged(
                    expected,
                    lightpush::v3::classify(status, desc_text, count, echo),
                    lightpush::v3::interpret(&request, &response),
                )
            }
            "lightpush-v2" => {
                let success = input["is_success"].as_bool();
                let request = lightpush::v2::Rpc {
                    request_id: "ours".into(),
                    ..Default::default()
                };
                let answer = lightpush::v2::Rpc {
                    request_id: id.into(),
                    request: None,
                    response: Some(lightpush::v2::Response {
                        is_success: success,
                        info: desc.clone(),
                    }),
                };
                judged(
                    expected,
                    lightpush::v2::classify(success, desc_text, echo),
                    lightpush::v2::interpret(&request, &answer),
                )
            }
            "filter-subscribe" => {
                let topics = || ("/waku/2/rs/1/3".to_owned(), vec!["/a/1/b/c".to_owned()]);
                let request = match text(&input["type"])? {
                    "SUBSCRIBE" => {
                        filter::Request::subscribe("ours".into(), topics().0, topics().1)
                    }
                    "UNSUBSCRIBE" => {
                        filter::Request::unsubscribe("ours".into(), topics().0, topics().1)
                    }
                    "UNSUBSCRIBE_ALL" => filter::Request::unsubscribe_all("ours".into()),
                    "SUBSCRIBER_PING" => filter::Request::ping("ours".into()),
                    other => return Err(format!("request type {other}")),
                };
                let response = filter::Response {
                    request_id: id.into(),
                    status_code: status,
                    status_desc: desc.clone(),
                };
                let kind = request.kind().ok_or("request type")?;
                judged(
                    expected,
                    filter::classify(kind, status.unwrap_or(0), desc_text, echo),
                    filter::interpret(&request, &response),
                )
            }
            "store-query-v3" => {
                let request = store::Request {
                    request_id: "ours".into(),
                    ..Default::default()
                };
                let response = store::Response {
                    request_id: id.into(),
                    status_code: status,
                    status_desc: desc.clone(),
                    ..Default::default()
                };
                judged(
                    expected,
                    store::classify(status, desc_text, false, echo),
                    store::interpret(&request, response),
                )
            }
            "peer-exchange" => {
                let records = input["records"].as_u64().ok_or("records")?;
                let records = usize::try_from(records).map_err(|error| error.to_string())?;
                let answer = peer_exchange::Rpc {
                    query: None,
                    response: Some(peer_exchange::Response {
                        peer_infos: vec![peer_exchange::PeerInfo::default(); records],
                        status_code: status,
                        status_desc: desc.clone(),
                    }),
                };
                judged(
                    expected,
                    peer_exchange::classify(status, records),
                    peer_exchange::interpret(&peer_exchange::Rpc::request(60), answer),
                )
            }
            "circuit-hop" => {
                let answer = circuit::HopMessage {
                    kind: Some(circuit::HopType::Status as i32),
                    status,
                    ..Default::default()
                };
                // What an answer to a reservation holds besides is for the tests of the module.
                judged(
                    expected,
                    circuit::classify(status),
                    circuit::connected(&answer),
                )
            }
            "rendezvous" => match text(&input["operation"])? {
                "REGISTER" => {
                    let answer = rendezvous::Message {
                        kind: Some(rendezvous::MessageType::RegisterResponse as i32),
                        register_response: Some(rendezvous::RegisterResponse {
                            status,
                            ..Default::default()
                        }),
                        ..Default::default()
                    };
                    judged(
                        expected,
                        rendezvous::classify(rendezvous::Operation::Register, status),
                        rendezvous::registered(&answer),
                    )
                }
                "DISCOVER" => {
                    let answer = rendezvous::Message {
                        kind: Some(rendezvous::MessageType::DiscoverResponse as i32),
                        discover_response: Some(rendezvous::DiscoverResponse {
                            status,
                            ..Default::default()
                        }),
                        ..Default::default()
                    };
                    judged(
                        expected,
                        rendezvous::classify(rendezvous::Operation::Discover, status),
                        rendezvous::found("here", PeerId::from_bytes(&[0, 0]).unwrap(), answer),
                    )
                }
                other => Err(format!("operation {other}")),
            },
            other => Err(format!("protocol {other}")),
        }
    };
    let ours = [
        "lightpush-v3",
        "lightpush-v2",
        "filter-subscribe",
        "store-query-v3",
        "peer-exchange",
        "circuit-hop",
        "rendezvous",
    ];
    ours.contains(&protocol).then(check)
}
