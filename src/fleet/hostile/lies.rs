//! Pages of a store with something false about them.

use super::script::StoreLie;
use crate::protocols::{
    WakuMessage,
    store::{KeyValue, Request, Response},
};

/// The cursor that pages of ours lead to.
const BEHIND: [u8; 32] = [0xfa; 32];

/// Entries of a false page.
const FALSE_ENTRIES: u8 = 20;

/// The frame of a page; `honest` answers a query truly.
pub(super) fn page(
    lie: StoreLie,
    frame: &[u8],
    honest: impl Fn(&[u8]) -> Response,
) -> Option<Vec<u8>> {
    let mut request = Request::decode(frame).ok()?;
    let is_first = request.pagination_cursor.is_none();
    let behind = request.pagination_cursor.as_deref() == Some(&BEHIND);
    let request_id = request.request_id.clone();
    let truth = |request: &Request| honest(&request.encode());
    let first = |messages| Response {
        request_id: request_id.clone(),
        status_code: Some(200),
        status_desc: Some("OK".to_owned()),
        messages,
        pagination_cursor: Some(BEHIND.to_vec()),
    };
    let response = match lie {
        StoreLie::FalseHashes => {
            let mut response = truth(&request);
            for entry in &mut response.messages {
                entry.message_hash = Some(vec![0xee; 32]);
            }
            response
        }
        StoreLie::OutsideQuery => {
            let mut response = truth(&request);
            response.messages.push(made_up(&request, 0, true));
            response
        }
        StoreLie::FalseFirst if is_first => {
            let entries = (0..FALSE_ENTRIES).map(|n| KeyValue {
                message_hash: Some(vec![n; 32]),
                ..made_up(&request, n, false)
            });
            first(entries.collect())
        }
        StoreLie::EmptyFirst if is_first => first(Vec::new()),
        StoreLie::FalseFirst | StoreLie::EmptyFirst => {
            if behind {
                request.pagination_cursor = None;
            }
            truth(&request)
        }
        StoreLie::SameCursor => {
            request.pagination_cursor = None;
            let mut response = truth(&request);
            response.pagination_cursor = Some(BEHIND.to_vec());
            response
        }
        StoreLie::CursorLost if !is_first => Response {
            status_code: Some(300),
            status_desc: Some("BAD_RESPONSE: archive error: cursor not found".to_owned()),
            ..Response::default()
        },
        StoreLie::CursorLost => truth(&request),
    };
    Some(response.encode())
}

/// A message that no network has, in or outside the query.
fn made_up(request: &Request, number: u8, outside: bool) -> KeyValue {
    let asked = request.content_topics.first();
    let topic = match asked {
        Some(topic) if !outside => topic.as_str(),
        _ => "/lightkeeper/1/never-asked/proto",
    };
    let message = WakuMessage::new(topic, vec![number], request.time_start.unwrap_or(1));
    KeyValue::new(request.pubsub_topic().to_owned(), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::{MessageHash, store::interpret};

    const SHARD: &str = "/waku/2/rs/1/0";
    const TOPIC: &str = "/app/1/name/proto";

    fn query() -> Request {
        Request {
            request_id: "q".into(),
            include_data: true,
            pubsub_topic: Some(SHARD.into()),
            content_topics: vec![TOPIC.into()],
            ..Request::default()
        }
    }

    /// One true message, and no cursor.
    fn truth(frame: &[u8]) -> Response {
        Response {
            request_id: Request::decode(frame).unwrap().request_id,
            status_code: Some(200),
            messages: vec![KeyValue::new(
                SHARD.into(),
                WakuMessage::new(TOPIC, vec![1], 5),
            )],
            ..Response::default()
        }
    }

    fn ask(lie: StoreLie, request: &Request) -> crate::protocols::store::Page {
        let frame = page(lie, &request.encode(), truth).unwrap();
        interpret(request, Response::decode(&frame).unwrap()).unwrap()
    }

    #[test]
    fn the_truth_is_behind_the_cursor_of_a_page_without_any() {
        for (lie, entries) in [(StoreLie::FalseFirst, 20), (StoreLie::EmptyFirst, 0)] {
            let frame = page(lie, &query().encode(), truth).unwrap();
            let first = Response::decode(&frame).unwrap();
            assert_eq!(first.messages.len(), entries, "{lie:?}");
            let cursor = MessageHash::try_from(first.pagination_cursor()).unwrap();
            let second = ask(lie, &query().next_page("r".into(), cursor));
            assert_eq!((second.messages.len(), second.fault), (1, None));
        }
        let first = ask(StoreLie::FalseFirst, &query());
        assert!(first.messages.is_empty() && first.fault.is_some());
    }

    #[test]
    fn a_false_hash_and_a_stranger_are_found_out() {
        for lie in [StoreLie::FalseHashes, StoreLie::OutsideQuery] {
            assert!(ask(lie, &query()).fault.is_some(), "{lie:?}");
        }
    }

    #[test]
    fn a_cursor_leads_nowhere_when_none_is_known() {
        let second = query().next_page("r".into(), MessageHash([3; 32]));
        let frame = page(StoreLie::CursorLost, &second.encode(), truth).unwrap();
        let response = Response::decode(&frame).unwrap();
        assert_eq!(response.status_code, Some(300));
        assert_eq!(
            ask(StoreLie::SameCursor, &query()).cursor,
            ask(StoreLie::SameCursor, &second).cursor
        );
    }
}
