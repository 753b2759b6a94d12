//! Reading an answer: its class, and the check of every entry against the query.
//!
//! A server can leave entries out at will, but not make them up: with data, the hash of each is computed anew, and each
//! must be one that the query asked for.

use core::time::Duration;

use super::{KeyValue, MAX_PAGE, Request, Response};
use crate::protocols::message::{MessageHash, WakuMessage};
use crate::protocols::verdict::{
    self, ExactClass, IdEcho, Protocol, Retry, Ruling, ShowCaller, Verdict,
};

/// One page of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The entries that hold, oldest first as the server sent them, each hash once.
    pub messages: Vec<StoredMessage>,
    /// Where the next page starts, on this server or on another that holds the entry; `None` ends the query.
    pub cursor: Option<MessageHash>,
    /// The true entry that the page reaches farthest to, also one that is not delivered: where another server goes on
    /// that does not know the cursor.
    pub edge: Option<Edge>,
    /// Set when something was left out because it was false (a wrong hash, an entry that was not asked for, a cursor
    /// that leads nowhere): what to charge the peer with, and a reason to ask another one.
    pub fault: Option<Verdict>,
}

/// A place in the order of a store: by time, then by hash (store.md, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Nanoseconds since 1970.
    pub time: i64,
    /// The message's.
    pub hash: MessageHash,
}

/// One entry of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The deterministic hash; with data, computed by us.
    pub hash: MessageHash,
    /// The message; `None` in an answer of hashes only.
    pub message: Option<WakuMessage>,
    /// The shard; there when the message is.
    pub pubsub_topic: Option<String>,
}

/// Why an entry is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Neither a hash of 32 bytes nor a message to compute it from.
    #[error("entry without a hash")]
    NoHash,
    /// A message without its shard, or the other way round.
    #[error("entry with half of its data")]
    HalfData,
    /// Data was asked for.
    #[error("entry without data")]
    NoData,
    /// The hash is not the message's.
    #[error("entry with a wrong hash")]
    WrongHash,
    /// Another topic, another time, or a hash that was not asked for.
    #[error("entry outside the query")]
    OutsideQuery,
}

/// The class of an answer. `has_messages` saves one without a status, as older servers send it.
pub fn classify(status: Option<u32>, text: Option<&str>, has_messages: bool, id: IdEcho) -> Ruling {
    let success = match status {
        Some(status) => (200..300).contains(&status),
        None => has_messages,
    };
    if !id.fits(success) {
        return Ruling::FAULT;
    }
    match status {
        _ if success => Ruling::OK,
        // nwaku's one status for every trouble of its archive; only the text tells.
        Some(300) if text.is_some_and(|text| text.to_lowercase().contains("cursor")) => {
            Ruling::new(
                ExactClass::CursorLost,
                Retry::OtherOrRestartByTime,
                ShowCaller::No,
            )
        }
        Some(429) => Ruling::new(
            ExactClass::RateLimited,
            Retry::OtherOrSameAfter(Duration::from_secs(1)),
            ShowCaller::No,
        ),
        Some(400..=499) => Ruling::new(ExactClass::BadRequest, Retry::None, ShowCaller::Yes),
        _ => Ruling::SERVER_ERROR,
    }
}

/// What an answer to `request` means. A page comes out even when a part of it is false: see [`Page::fault`].
pub fn interpret(request: &Request, response: Response) -> Result<Page, Verdict> {
    let id = IdEcho::of(&request.request_id, &response.request_id);
    let text = response.status_desc.as_deref();
    let entries = response.messages.len();
    classify(response.status_code, text, entries > 0, id)
        .verdict(|| verdict::describe(Protocol::StoreQuery, response.status_code, text))?;
    let most = request.pagination_limit().max(MAX_PAGE);
    if entries as u64 > most {
        return Err(Verdict::fault(
            Protocol::StoreQuery,
            format_args!("{entries} entries where at most {most} fit"),
        ));
    }

    let mut fault = None;
    let mut edge: Option<Edge> = None;
    let mut messages: Vec<StoredMessage> = Vec::with_capacity(entries);
    for entry in response.messages {
        match check(request, entry) {
            // A node may hold what we would not deliver: left out without blame.
            Ok(stored) => {
                if let Some(time) = stored.message.as_ref().map(WakuMessage::timestamp) {
                    let hash = stored.hash;
                    let at = Edge { time, hash };
                    edge = Some(match edge {
                        Some(edge) if request.pagination_forward => edge.max(at),
                        Some(edge) => edge.min(at),
                        None => at,
                    });
                }
                let deliverable = stored
                    .message
                    .as_ref()
                    .is_none_or(|message| message.check_incoming(usize::MAX).is_ok());
                // A page is short enough to be looked through for each.
                let known = messages.iter().any(|other| other.hash == stored.hash);
                if deliverable && !known {
                    messages.push(stored);
                }
            }
            Err(error) => {
                fault.get_or_insert_with(|| Verdict::fault(Protocol::StoreQuery, error));
            }
        }
    }

    let cursor = match response.pagination_cursor.as_deref() {
        None | Some([]) => None,
        Some(bytes) if request.pagination_cursor.as_deref() == Some(bytes) => {
            fault
                .get_or_insert_with(|| Verdict::fault(Protocol::StoreQuery, "cursor stands still"));
            None
        }
        Some(bytes) => {
            let cursor = MessageHash::try_from(bytes).ok();
            if cursor.is_none() {
                fault.get_or_insert_with(|| {
                    Verdict::fault(Protocol::StoreQuery, "cursor is not a message hash")
                });
            }
            cursor
        }
    };
    Ok(Page {
        messages,
        cursor,
        edge,
        fault,
    })
}

fn check(request: &Request, entry: KeyValue) -> Result<StoredMessage, EntryError> {
    let claimed = match entry.message_hash.as_deref() {
        None => None,
        Some(bytes) => Some(MessageHash::try_from(bytes).map_err(|_| EntryError::NoHash)?),
    };
    let hash = match (&entry.message, &entry.pubsub_topic) {
        (Some(message), Some(pubsub_topic)) => {
            let hash = message.hash(pubsub_topic);
            if claimed.is_some_and(|claimed| claimed != hash) {
                return Err(EntryError::WrongHash);
            }
            if !matches(request, message, pubsub_topic) {
                return Err(EntryError::OutsideQuery);
            }
            hash
        }
        (None, None) if request.include_data => return Err(EntryError::NoData),
        (None, None) => claimed.ok_or(EntryError::NoHash)?,
        _ => return Err(EntryError::HalfData),
    };
    let hashes = &request.message_hashes;
    if !hashes.is_empty() && !hashes.iter().any(|wanted| wanted[..] == hash.0) {
        return Err(EntryError::OutsideQuery);
    }
    Ok(StoredMessage {
        hash,
        message: entry.message,
        pubsub_topic: entry.pubsub_topic,
    })
}

/// Whether the message is one that the query's topics and times ask for. The end counts as inside, as nwaku has it.
fn matches(request: &Request, message: &WakuMessage, pubsub_topic: &str) -> bool {
    let wanted = &request.content_topics;
    request
        .pubsub_topic
        .as_deref()
        .is_none_or(|topic| topic == pubsub_topic)
        && (wanted.is_empty() || wanted.iter().any(|topic| topic == message.content_topic()))
        && request
            .time_start
            .is_none_or(|start| message.timestamp() >= start)
        && request
            .time_end
            .is_none_or(|end| message.timestamp() <= end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::verdict::FailureClass;

    const SHARD: &str = "/waku/2/rs/1/3";
    const TOPIC: &str = "/toychat/2/huilong/proto";

    fn query() -> Request {
        Request {
            request_id: "id".into(),
            include_data: true,
            pubsub_topic: Some(SHARD.into()),
            content_topics: vec![TOPIC.into()],
            time_start: Some(10),
            time_end: Some(20),
            ..Request::default()
        }
    }

    fn entry(timestamp: i64) -> KeyValue {
        KeyValue::new(SHARD.into(), WakuMessage::new(TOPIC, vec![1], timestamp))
    }

    fn answer(messages: Vec<KeyValue>) -> Response {
        Response {
            request_id: "id".into(),
            status_code: Some(200),
            messages,
            ..Response::default()
        }
    }

    /// What becomes of a page with one good entry and this one: the text of the fault.
    fn fault_of(request: &Request, bad: KeyValue) -> String {
        let page = interpret(request, answer(vec![entry(15), bad])).unwrap();
        assert_eq!(page.messages.len(), 1, "the good entry stays");
        let fault = page.fault.expect("the bad entry is charged");
        assert_eq!(fault.failure, FailureClass::Fault);
        fault.message
    }

    #[test]
    fn entries_that_hold_come_out_with_their_hashes() {
        let page = interpret(&query(), answer(vec![entry(10), entry(20)])).unwrap();
        let times: Vec<_> = page
            .messages
            .iter()
            .map(|stored| stored.message.as_ref().unwrap().timestamp())
            .collect();
        assert_eq!(times, [10, 20], "start and end are inside");
        let message = page.messages[0].message.as_ref().unwrap();
        assert_eq!(page.messages[0].hash, message.hash(SHARD));
        assert_eq!(page.cursor, None);
        assert_eq!(page.fault, None);
    }

    #[test]
    fn a_wrong_hash_is_left_out_and_charged() {
        let mut bad = entry(16);
        bad.message_hash = Some(vec![0; 32]);
        assert_eq!(fault_of(&query(), bad), "store: entry with a wrong hash");
        let mut bad = entry(16);
        bad.message_hash = Some(vec![0; 31]);
        assert_eq!(fault_of(&query(), bad), "store: entry without a hash");
    }

    #[test]
    fn an_entry_outside_the_query_is_left_out_and_charged() {
        let outside = "store: entry outside the query";
        assert_eq!(fault_of(&query(), entry(9)), outside);
        assert_eq!(fault_of(&query(), entry(21)), outside);
        let other = WakuMessage::new("/other/1/a/b", vec![1], 15);
        assert_eq!(
            fault_of(&query(), KeyValue::new(SHARD.into(), other)),
            outside
        );
        let shard = WakuMessage::new(TOPIC, vec![1], 15);
        assert_eq!(
            fault_of(&query(), KeyValue::new("/waku/2/rs/1/4".into(), shard)),
            outside
        );
    }

    #[test]
    fn a_look_up_gives_only_what_was_looked_up() {
        let wanted = entry(15);
        let request = Request {
            request_id: "id".into(),
            include_data: true,
            message_hashes: vec![wanted.message_hash.clone().unwrap()],
            ..Request::default()
        };
        assert_eq!(
            fault_of(&request, entry(16)),
            "store: entry outside the query"
        );
    }

    #[test]
    fn data_comes_whole_when_it_was_asked_for() {
        let mut half = entry(16);
        half.pubsub_topic = None;
        assert_eq!(
            fault_of(&query(), half),
            "store: entry with half of its data"
        );
        let mut none = entry(16);
        none.pubsub_topic = None;
        none.message = None;
        assert_eq!(fault_of(&query(), none), "store: entry without data");
    }

    #[test]
    fn an_answer_of_hashes_has_no_data() {
        let mut request = query();
        request.include_data = false;
        let hash = MessageHash([7; 32]);
        let page = interpret(&request, answer(vec![KeyValue::hash_only(hash)])).unwrap();
        assert_eq!(page.messages[0].hash, hash);
        assert_eq!(page.messages[0].message, None);
    }

    #[test]
    fn an_entry_that_comes_twice_is_delivered_once() {
        let page = interpret(&query(), answer(vec![entry(15), entry(15)])).unwrap();
        assert_eq!(page.messages.len(), 1);
    }

    #[test]
    fn a_message_that_we_would_not_deliver_is_left_out_without_blame() {
        let empty = WakuMessage::new(TOPIC, vec![], 15);
        let page = interpret(
            &query(),
            answer(vec![KeyValue::new(SHARD.into(), empty), entry(16)]),
        )
        .unwrap();
        assert_eq!(page.messages.len(), 1);
        assert_eq!(page.fault, None);
    }

    #[test]
    fn the_cursor_ends_where_it_leads_nowhere() {
        let with = |cursor: &[u8], messages| {
            let mut response = answer(messages);
            response.pagination_cursor = Some(cursor.to_vec());
            let mut request = query();
            request.pagination_cursor = Some(vec![9; 32]);
            interpret(&request, response).unwrap()
        };
        let page = with(&[5; 32], vec![entry(15)]);
        assert_eq!(page.cursor, Some(MessageHash([5; 32])));
        assert_eq!(page.fault, None);
        let page = with(&[5; 32], vec![]);
        // Whether an empty page that promises more is followed is for whoever counts them.
        assert_eq!(page.cursor, Some(MessageHash([5; 32])), "empty page");
        assert_eq!(page.fault, None);
        let page = with(&[9; 32], vec![entry(15)]);
        assert_eq!(page.cursor, None);
        assert!(page.fault.is_some(), "the same cursor again");
        let page = with(&[5; 31], vec![entry(15)]);
        assert_eq!(page.cursor, None);
        assert!(page.fault.is_some(), "not a hash");
        let page = with(&[], vec![entry(15)]);
        assert_eq!((page.cursor, page.fault), (None, None), "empty is absent");
    }

    #[test]
    fn the_edge_is_the_farthest_true_entry_also_of_what_is_not_delivered() {
        let empty = WakuMessage::new(TOPIC, vec![], 17);
        let entries = || {
            vec![
                entry(15),
                entry(16),
                KeyValue::new(SHARD.into(), empty.clone()),
                entry(900_000),
            ]
        };
        let mut request = query();
        request.pagination_forward = true;
        let time = |request: &Request| {
            let page = interpret(request, answer(entries())).unwrap();
            page.edge.map(|edge| edge.time)
        };
        assert_eq!(time(&request), Some(17), "the last is outside the query");
        request.pagination_forward = false;
        assert_eq!(time(&request), Some(15));
    }

    #[test]
    fn more_entries_than_a_page_holds_are_a_fault() {
        let verdict = interpret(&query(), answer((0..101).map(entry).collect())).unwrap_err();
        assert_eq!(verdict.class, ExactClass::ProtocolFault);
        let mut request = query();
        request.pagination_limit = Some(5);
        assert!(
            interpret(&request, answer((10..20).map(entry).collect())).is_ok(),
            "up to 100 pass whatever was asked for"
        );
    }

    #[test]
    fn an_answer_without_a_status_counts_when_it_has_messages() {
        let mut response = answer(vec![entry(15)]);
        response.status_code = None;
        assert_eq!(interpret(&query(), response).unwrap().messages.len(), 1);
        let mut response = answer(vec![]);
        response.status_code = None;
        let verdict = interpret(&query(), response).unwrap_err();
        assert_eq!(verdict.class, ExactClass::ServerError);
    }

    #[test]
    fn messages_under_an_error_status_do_not_count() {
        let mut response = answer(vec![entry(15)]);
        response.status_code = Some(300);
        response.request_id.clear();
        let verdict = interpret(&query(), response).unwrap_err();
        assert_eq!(verdict.class, ExactClass::ServerError);
    }

    #[test]
    fn a_success_counts_only_under_our_id() {
        let mut response = answer(vec![entry(15)]);
        response.request_id.clear();
        let verdict = interpret(&query(), response).unwrap_err();
        assert_eq!(verdict.class, ExactClass::ProtocolFault);
    }
}
