//! Filter (12/WAKU2-FILTER): live subscriptions. Requests to a server; the server then opens streams to us.
//!
//! Here are the requests and their answers; [`push`] is what servers send; [`hub`] decides what to ask of whom, and what of all
//! that comes is delivered.

pub mod hub;
pub mod push;
mod seen;

use core::time::Duration;

use super::codec::{Kind, wire};
use super::topic::MAX_CONTENT_TOPIC;
use super::verdict::{self, ExactClass, IdEcho, Protocol, Retry, Ruling, ShowCaller, Verdict};

pub use push::MessagePush;

/// Most bytes of an answer that we read, without the prefix.
pub const MAX_RESPONSE: usize = 64 * 1024;
/// Most bytes of a request that a server of ours reads, without the prefix.
pub const MAX_REQUEST: usize = 64 * 1024;
/// Most content topics in one request; servers refuse more.
pub const MAX_CONTENT_TOPICS: usize = 100;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum SubscribeType {
    /// Is my subscription alive? Refreshes it as well.
    Ping = 0,
    /// Add pairs of pubsub topic and content topic.
    Subscribe = 1,
    /// Remove pairs.
    Unsubscribe = 2,
    /// Remove all.
    UnsubscribeAll = 3,
}

/// A request.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Request {
    /// Unique; echoed.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// A [`SubscribeType`]; read it by the method of this name.
    #[prost(enumeration = "SubscribeType", required, tag = "2")]
    pub filter_subscribe_type: i32,
    /// The shard, for subscribe and unsubscribe; left out else.
    #[prost(string, optional, tag = "10")]
    pub pubsub_topic: Option<String>,
    /// The content topics, for subscribe and unsubscribe.
    #[prost(string, repeated, tag = "11")]
    pub content_topics: Vec<String>,
}

/// The answer to it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Response {
    /// The request's id, or `N/A` with 429.
    #[prost(string, required, tag = "1")]
    pub request_id: String,
    /// 200 to 299 for success.
    #[prost(uint32, optional, tag = "10")]
    pub status_code: Option<u32>,
    /// Text for people.
    #[prost(string, optional, tag = "11")]
    pub status_desc: Option<String>,
}

wire!(
    Request,
    &[
        (1, Kind::Bytes),
        (2, Kind::Varint),
        (10, Kind::Bytes),
        (11, Kind::Bytes),
    ]
);
wire!(
    Response,
    &[(1, Kind::Bytes), (10, Kind::Varint), (11, Kind::Bytes)]
);

impl Request {
    /// A request to add the content topics on a shard.
    pub fn subscribe(
        request_id: String,
        pubsub_topic: String,
        content_topics: Vec<String>,
    ) -> Self {
        Self {
            request_id,
            filter_subscribe_type: SubscribeType::Subscribe.into(),
            pubsub_topic: Some(pubsub_topic),
            content_topics,
        }
    }

    /// A request to remove the content topics on a shard.
    pub fn unsubscribe(
        request_id: String,
        pubsub_topic: String,
        content_topics: Vec<String>,
    ) -> Self {
        Self {
            filter_subscribe_type: SubscribeType::Unsubscribe.into(),
            ..Self::subscribe(request_id, pubsub_topic, content_topics)
        }
    }

    /// A request whether our subscription is alive.
    pub fn ping(request_id: String) -> Self {
        Self {
            request_id,
            filter_subscribe_type: SubscribeType::Ping.into(),
            pubsub_topic: None,
            content_topics: Vec::new(),
        }
    }

    /// A request to remove everything of ours.
    pub fn unsubscribe_all(request_id: String) -> Self {
        Self {
            filter_subscribe_type: SubscribeType::UnsubscribeAll.into(),
            ..Self::ping(request_id)
        }
    }

    /// What is asked for, or `None` for a number that the protocol does not know.
    pub fn kind(&self) -> Option<SubscribeType> {
        SubscribeType::try_from(self.filter_subscribe_type).ok()
    }

    /// What must hold before the request goes out.
    pub fn check(&self) -> Result<(), RequestError> {
        let topics = &self.content_topics;
        match self.kind().ok_or(RequestError::UnknownType)? {
            SubscribeType::Ping | SubscribeType::UnsubscribeAll => {
                if self.pubsub_topic.is_some() || !topics.is_empty() {
                    return Err(RequestError::NeedlessTopics);
                }
            }
            SubscribeType::Subscribe | SubscribeType::Unsubscribe => {
                if self.pubsub_topic().is_empty() {
                    return Err(RequestError::NoPubsubTopic);
                }
                if topics.is_empty() {
                    return Err(RequestError::NoContentTopics);
                }
                if topics.len() > MAX_CONTENT_TOPICS {
                    return Err(RequestError::TooManyContentTopics(topics.len()));
                }
                if topics
                    .iter()
                    .any(|topic| topic.is_empty() || topic.len() > MAX_CONTENT_TOPIC)
                {
                    return Err(RequestError::ContentTopicLength);
                }
            }
        }
        Ok(())
    }
}

/// Why a request may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not a [`SubscribeType`].
    #[error("unknown request type")]
    UnknownType,
    /// Subscribe and unsubscribe name one shard.
    #[error("pubsub topic is missing")]
    NoPubsubTopic,
    /// Subscribe and unsubscribe name topics.
    #[error("content topics are missing")]
    NoContentTopics,
    /// Split the request.
    #[error("{0} content topics are over the limit of 100")]
    TooManyContentTopics(usize),
    /// Content topics have 1 to 256 bytes.
    #[error("a content topic has 1 to 256 bytes")]
    ContentTopicLength,
    /// Ping and unsubscribe-all name nothing.
    #[error("ping and unsubscribe-all carry no topics")]
    NeedlessTopics,
}

/// The class of an answer to a request of the given type.
pub fn classify(kind: SubscribeType, status: u32, text: Option<&str>, id: IdEcho) -> Ruling {
    let success = (200..300).contains(&status);
    if !id.fits(success) {
        return Ruling::FAULT;
    }
    match status {
        200..=299 => Ruling::OK,
        400 => Ruling::new(ExactClass::BadRequest, Retry::None, ShowCaller::Yes),
        404 => match kind {
            // It lost us by a restart or a clean-up.
            SubscribeType::Ping => {
                Ruling::new(ExactClass::Resubscribe, Retry::SameNow, ShowCaller::No)
            }
            // What we want gone is gone.
            SubscribeType::Unsubscribe | SubscribeType::UnsubscribeAll => Ruling::OK,
            SubscribeType::Subscribe => FULL,
        },
        429 => Ruling::new(
            ExactClass::RateLimited,
            Retry::SameAfter(Duration::from_secs(2)),
            ShowCaller::No,
        ),
        503 if text.is_some_and(|text| text.to_lowercase().contains("criteria")) => Ruling::new(
            ExactClass::TooManyCriteria,
            Retry::Other,
            ShowCaller::WhenExhausted,
        ),
        503 => FULL,
        500..=599 => Ruling::SERVER_ERROR,
        // Statuses that no server sends count as a refusal.
        _ => FULL,
    }
}

const FULL: Ruling = Ruling::new(
    ExactClass::ServerFull,
    Retry::Other,
    ShowCaller::WhenExhausted,
);

/// What an answer to `request` means; `Ok` is done.
pub fn interpret(request: &Request, response: &Response) -> Result<(), Verdict> {
    let id = IdEcho::of(&request.request_id, &response.request_id);
    let text = response.status_desc.as_deref();
    classify(
        request.filter_subscribe_type(),
        response.status_code(),
        text,
        id,
    )
    .verdict(|| verdict::describe(Protocol::FilterSubscribe, response.status_code, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::verdict::FailureClass;

    fn subscribe(topics: usize) -> Request {
        let topics = (0..topics).map(|n| format!("/app/1/{n}/proto")).collect();
        Request::subscribe("id".into(), "/waku/2/rs/1/3".into(), topics)
    }

    fn answer(request_id: &str, status_code: u32) -> Response {
        Response {
            request_id: request_id.into(),
            status_code: Some(status_code),
            status_desc: None,
        }
    }

    #[test]
    fn a_request_that_servers_would_refuse_is_not_sent() {
        assert_eq!(subscribe(100).check(), Ok(()));
        assert_eq!(
            subscribe(101).check(),
            Err(RequestError::TooManyContentTopics(101))
        );
        assert_eq!(subscribe(0).check(), Err(RequestError::NoContentTopics));
        let mut request = subscribe(1);
        request.pubsub_topic = Some(String::new());
        assert_eq!(request.check(), Err(RequestError::NoPubsubTopic));
        let mut request = subscribe(2);
        request.content_topics[1].clear();
        assert_eq!(request.check(), Err(RequestError::ContentTopicLength));
        let mut request = subscribe(1);
        request.filter_subscribe_type = 4;
        assert_eq!(request.check(), Err(RequestError::UnknownType));
        request.filter_subscribe_type = SubscribeType::Ping.into();
        assert_eq!(request.check(), Err(RequestError::NeedlessTopics));
        assert_eq!(Request::ping("id".into()).check(), Ok(()));
        assert_eq!(Request::unsubscribe_all("id".into()).check(), Ok(()));
    }

    #[test]
    fn a_success_counts_only_under_our_id() {
        assert_eq!(interpret(&subscribe(1), &answer("id", 200)), Ok(()));
        let verdict = interpret(&subscribe(1), &answer("N/A", 200)).unwrap_err();
        assert_eq!(verdict.failure, FailureClass::Fault);
    }

    #[test]
    fn a_lost_subscription_is_no_fault_of_the_peers() {
        let ping = Request::ping("id".into());
        let verdict = interpret(&ping, &answer("id", 404)).unwrap_err();
        assert_eq!(verdict.failure, FailureClass::Lost);
        let gone = Request::unsubscribe_all("id".into());
        assert_eq!(interpret(&gone, &answer("id", 404)), Ok(()));
    }

    #[test]
    fn statuses_that_no_server_sends_are_refusals() {
        for status in [0, 100, 300, 404, 418, 700] {
            let verdict = interpret(&subscribe(1), &answer("id", status)).unwrap_err();
            assert_eq!(verdict.failure, FailureClass::Busy, "{status}");
        }
    }
}
