//! Lightpush version 3.

use crate::protocols::codec::{DecodeError, Kind, wire};
use crate::protocols::lightpush::{self, Accepted, RequestError};
use crate::protocols::message::{self, WakuMessage};
use crate::protocols::verdict::{self, IdEcho, Protocol, Ruling, Verdict};

/// A request to publish.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// Unique; echoed.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// The shard. Servers of an auto-sharded network can derive it; one of a static network can't: always send it.
    #[prost(string, optional, tag = "20")]
    pub pubsub_topic: Option<String>,
    /// What to publish.
    #[prost(message, optional, tag = "21")]
    pub message: Option<WakuMessage>,
}

/// The answer to it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// The request's id, or `N/A` when the server did not read the request.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// 200 for success.
    #[prost(uint32, optional, tag = "10")]
    pub status_code: Option<u32>,
    /// Text for people.
    #[prost(string, optional, tag = "11")]
    pub status_desc: Option<String>,
    /// Peers that the server handed the message to.
    #[prost(uint32, optional, tag = "12")]
    pub relay_peer_count: Option<u32>,
}

wire!(
    Request,
    &[
        (1, Kind::Bytes),
        (20, Kind::Bytes),
        (21, Kind::Message(message::FIELDS)),
    ],
    |request| {
        request
            .message
            .as_ref()
            .ok_or(DecodeError::Missing("message"))?
            .check_wire()
    }
);
wire!(
    Response,
    &[
        (1, Kind::Bytes),
        (10, Kind::Varint),
        (11, Kind::Bytes),
        (12, Kind::Varint),
    ]
);

impl Request {
    /// A request to publish `message` on `pubsub_topic`.
    pub fn new(request_id: String, pubsub_topic: String, message: WakuMessage) -> Self {
        Self {
            request_id,
            pubsub_topic: Some(pubsub_topic),
            message: Some(message),
        }
    }

    /// What must hold before the request goes out. `limit` is the network's limit on the encoded message, in bytes.
    pub fn check(&self, limit: usize) -> Result<(), RequestError> {
        lightpush::check(self.pubsub_topic(), self.message.as_ref(), limit)
    }
}

/// The class of an answer. A missing status is an error of the server's.
///
/// 505 has four causes that can't be told apart, one of them that the server saw the same bytes in the last two
/// minutes: after a retry of the same bytes it means "unknown".
pub fn classify(
    status: Option<u32>,
    text: Option<&str>,
    relay_peers: Option<u32>,
    id: IdEcho,
) -> Ruling {
    lightpush::classify(
        status.unwrap_or(0),
        text.unwrap_or_default(),
        relay_peers,
        id,
    )
}

/// What an answer to `request` means.
pub fn interpret(request: &Request, response: &Response) -> Result<Accepted, Verdict> {
    let id = IdEcho::of(&request.request_id, &response.request_id);
    let text = response.status_desc.as_deref();
    classify(response.status_code, text, response.relay_peer_count, id)
        .verdict(|| verdict::describe(Protocol::LightpushV3, response.status_code, text))?;
    Ok(Accepted {
        relay_peers: response.relay_peer_count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::verdict::{ExactClass, FailureClass, Retry};

    fn request() -> Request {
        Request::new(
            "id".into(),
            "/waku/2/rs/1/3".into(),
            WakuMessage::new("/app/1/name/proto", vec![1], 1),
        )
    }

    fn answer(request_id: &str, status_code: u32, relay_peer_count: Option<u32>) -> Response {
        Response {
            request_id: request_id.into(),
            status_code: Some(status_code),
            status_desc: None,
            relay_peer_count,
        }
    }

    #[test]
    fn a_success_counts_only_under_our_id() {
        let accepted = interpret(&request(), &answer("id", 200, Some(2))).unwrap();
        assert_eq!(accepted.relay_peers, Some(2));
        for id in ["N/A", "", "other"] {
            let verdict = interpret(&request(), &answer(id, 200, Some(2))).unwrap_err();
            assert_eq!(verdict.failure, FailureClass::Fault, "{id:?}");
        }
    }

    #[test]
    fn an_error_under_a_strange_id_is_a_fault() {
        let verdict = interpret(&request(), &answer("other", 500, None)).unwrap_err();
        assert_eq!(verdict.class, ExactClass::ProtocolFault);
        let verdict = interpret(&request(), &answer("", 500, None)).unwrap_err();
        assert_eq!(verdict.class, ExactClass::ServerError);
    }

    #[test]
    fn a_refused_proof_of_the_servers_is_worth_another_server() {
        let ruling = classify(Some(420), Some("Server proof invalid"), None, IdEcho::Same);
        assert_eq!(ruling.class, ExactClass::InvalidMessage);
        assert_eq!(ruling.retry, Retry::OtherOnce);
    }

    #[test]
    fn an_answer_without_a_status_is_the_servers_error() {
        let ruling = classify(None, None, Some(3), IdEcho::Same);
        assert_eq!(ruling.class, ExactClass::ServerError);
    }

    #[test]
    fn a_request_that_servers_would_refuse_is_not_sent() {
        let limit = message::MAX_SIZE;
        assert_eq!(request().check(limit), Ok(()));
        let mut blank = request();
        blank.pubsub_topic = Some(" ".into());
        assert_eq!(blank.check(limit), Err(RequestError::NoPubsubTopic));
        let mut empty = request();
        empty.message = None;
        assert_eq!(empty.check(limit), Err(RequestError::NoMessage));
    }

    #[test]
    fn a_request_without_a_message_does_not_decode() {
        let mut request = request();
        request.message = None;
        assert_eq!(
            Request::decode(&request.encode()),
            Err(DecodeError::Missing("message"))
        );
        let mut message = WakuMessage::new("t", vec![], 1);
        message.payload = None;
        request.message = Some(message);
        assert_eq!(
            Request::decode(&request.encode()),
            Err(DecodeError::Missing("payload"))
        );
    }
}
