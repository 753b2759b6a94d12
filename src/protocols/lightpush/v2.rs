//! Lightpush version 2 (19/WAKU2-LIGHTPUSH): no status numbers, only success or not, and a text.

use crate::protocols::codec::{DecodeError, Field, Kind, wire};
use crate::protocols::lightpush::{self, Accepted, RequestError};
use crate::protocols::message::{self, WakuMessage};
use crate::protocols::verdict::{self, IdEcho, Protocol, Ruling, Verdict};

/// The one message of the protocol: a request or an answer.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Rpc {
    /// Unique; echoed, or `N/A` when the server did not read the request.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// In a request.
    #[prost(message, optional, tag = "2")]
    pub request: Option<Request>,
    /// In an answer.
    #[prost(message, optional, tag = "3")]
    pub response: Option<Response>,
}

/// A request to publish.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// The shard; this version always needs it.
    #[prost(string, required, tag = "1")]
    pub pubsub_topic: String,
    /// What to publish.
    #[prost(message, optional, tag = "2")]
    pub message: Option<WakuMessage>,
}

/// The answer to it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// Whether the message was published. go-waku leaves a false one out: absent is false.
    #[prost(bool, optional, tag = "1")]
    pub is_success: Option<bool>,
    /// Text, from which alone the kind of a failure can be told.
    #[prost(string, optional, tag = "2")]
    pub info: Option<String>,
}

const REQUEST: &[Field] = &[(1, Kind::Bytes), (2, Kind::Message(message::FIELDS))];
const RESPONSE: &[Field] = &[(1, Kind::Varint), (2, Kind::Bytes)];
wire!(
    Rpc,
    &[
        (1, Kind::Bytes),
        (2, Kind::Message(REQUEST)),
        (3, Kind::Message(RESPONSE)),
    ],
    |rpc| match &rpc.request {
        Some(request) => request
            .message
            .as_ref()
            .ok_or(DecodeError::Missing("message"))?
            .check_wire(),
        None => Ok(()),
    }
);

impl Rpc {
    /// A request to publish `message` on `pubsub_topic`.
    pub fn request(request_id: String, pubsub_topic: String, message: WakuMessage) -> Self {
        Self {
            request_id,
            request: Some(Request {
                pubsub_topic,
                message: Some(message),
            }),
            response: None,
        }
    }

    /// An answer in nwaku's form, with a false `is_success` written out.
    pub fn answer(request_id: String, is_success: bool, info: Option<String>) -> Self {
        Self {
            request_id,
            request: None,
            response: Some(Response {
                is_success: Some(is_success),
                info,
            }),
        }
    }

    /// What must hold before a request goes out. `limit` is the network's limit on the encoded message, in bytes.
    pub fn check(&self, limit: usize) -> Result<(), RequestError> {
        let request = self.request.as_ref().ok_or(RequestError::NoMessage)?;
        lightpush::check(&request.pubsub_topic, request.message.as_ref(), limit)
    }
}

/// Texts of nwaku and go-waku, in lower case, and the status of version 3 that they stand for. The first that the
/// answer contains decides.
const TEXTS: &[(&str, u32)] = &[
    ("too_many_requests", 429),
    ("exceeds the rate limit", 429),
    ("not_published_to_any_peer", 505),
    ("decode_rpc_failure", 400),
    ("empty_request_body_failure", 400),
    ("invalid request", 400),
    ("could not publish message", 500),
    ("could not generate rln-v2 proof", 504),
    ("could not get new message id to generate an rln proof", 504),
    ("validation", 420),
    ("size exceeded", 420),
];

/// The class of an answer.
pub fn classify(is_success: Option<bool>, info: Option<&str>, id: IdEcho) -> Ruling {
    let info = info.unwrap_or_default();
    if is_success == Some(true) {
        // This version never says to how many peers.
        return if id == IdEcho::Same {
            Ruling::OK
        } else {
            Ruling::FAULT
        };
    }
    let lower = info.to_lowercase();
    let status = TEXTS
        .iter()
        .find(|(text, _)| lower.contains(text))
        .map_or(500, |(_, status)| *status);
    // Both servers echo the id of a request that they call malformed: it says nothing here of an old server.
    let id = match id {
        IdEcho::Same if status == 400 => IdEcho::NotAvailable,
        id => id,
    };
    lightpush::classify(status, info, None, id)
}

/// What an answer to `request` means.
pub fn interpret(request: &Rpc, answer: &Rpc) -> Result<Accepted, Verdict> {
    let response = answer
        .response
        .as_ref()
        .ok_or_else(|| Verdict::fault(Protocol::LightpushV2, "answer without a response"))?;
    let id = IdEcho::of(&request.request_id, &answer.request_id);
    let info = response.info.as_deref();
    classify(response.is_success, info, id).verdict(|| match info {
        Some(info) if !info.is_empty() => verdict::refused(Protocol::LightpushV2, info),
        _ => format!("{}: refused without a reason", Protocol::LightpushV2),
    })?;
    Ok(Accepted { relay_peers: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::verdict::{ExactClass, FailureClass};

    fn request() -> Rpc {
        Rpc::request(
            "id".into(),
            "/waku/2/rs/1/3".into(),
            WakuMessage::new("/app/1/name/proto", vec![1], 1),
        )
    }

    #[test]
    fn a_success_counts_only_under_our_id() {
        let answer = |id: &str| Rpc::answer(id.into(), true, Some("OK".into()));
        assert!(interpret(&request(), &answer("id")).is_ok());
        let verdict = interpret(&request(), &answer("N/A")).unwrap_err();
        assert_eq!(verdict.failure, FailureClass::Fault);
    }

    #[test]
    fn an_answer_without_a_response_is_a_fault() {
        let verdict = interpret(&request(), &request()).unwrap_err();
        assert_eq!(verdict.failure, FailureClass::Fault);
    }

    #[test]
    fn a_message_over_the_size_is_told_from_an_invalid_one() {
        let class = |info| classify(Some(false), Some(info), IdEcho::Same).class;
        assert_eq!(
            class("Message size exceeded maximum of 153600 bytes"),
            ExactClass::TooLarge
        );
        assert_eq!(class("validation failed"), ExactClass::InvalidMessage);
    }

    #[test]
    fn a_request_is_checked_before_it_goes_out() {
        assert_eq!(request().check(message::MAX_SIZE), Ok(()));
        assert!(matches!(
            request().check(10),
            Err(RequestError::Message(
                message::MessageError::TooLarge { .. }
            ))
        ));
        let answer = Rpc::answer("id".into(), true, None);
        assert_eq!(answer.check(10), Err(RequestError::NoMessage));
    }
}
