//! The Waku protocols' codecs on random and damaged input.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use lightkeeper::protocols::{
    ContentTopic, FrameDecoder, FrameError, MessageHash, PubsubTopic, WakuMessage, filter, frame,
    lightpush, metadata, peer_exchange, store, varint,
};

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..80)
}

fn text() -> impl Strategy<Value = String> {
    ".{0,20}"
}

prop_compose! {
    fn message()(
        payload in bytes(),
        content_topic in text(),
        version in option::of(any::<u32>()),
        timestamp in option::of(any::<i64>()),
        meta in option::of(vec(any::<u8>(), 0..=64)),
        rate_limit_proof in option::of(bytes()),
        ephemeral in option::of(any::<bool>()),
    ) -> WakuMessage {
        WakuMessage {
            payload: Some(payload),
            content_topic: Some(content_topic),
            version,
            timestamp,
            meta,
            rate_limit_proof,
            ephemeral,
        }
    }
}

prop_compose! {
    fn metadata_message()(
        cluster_id in option::of(any::<u32>()),
        shards in proptest::collection::btree_set(any::<u16>(), 0..20),
    ) -> metadata::Metadata {
        metadata::Metadata { cluster_id, shards: shards.into_iter().collect() }
    }
}

prop_compose! {
    fn peer_exchange_rpc()(
        query in option::of(any::<u64>()),
        response in option::of((vec(bytes(), 0..5), option::of(any::<u32>()), option::of(text()))),
    ) -> peer_exchange::Rpc {
        peer_exchange::Rpc {
            query: query.map(|num_peers| peer_exchange::Query { num_peers }),
            response: response.map(|(records, status_code, status_desc)| peer_exchange::Response {
                peer_infos: records.into_iter().map(|enr| peer_exchange::PeerInfo { enr }).collect(),
                status_code,
                status_desc,
            }),
        }
    }
}

prop_compose! {
    fn lightpush_v3_request()(
        request_id in text(),
        pubsub_topic in option::of(text()),
        message in message(),
    ) -> lightpush::v3::Request {
        lightpush::v3::Request { request_id, pubsub_topic, message: Some(message) }
    }
}

prop_compose! {
    fn lightpush_v3_response()(
        request_id in text(),
        status_code in option::of(any::<u32>()),
        status_desc in option::of(text()),
        relay_peer_count in option::of(any::<u32>()),
    ) -> lightpush::v3::Response {
        lightpush::v3::Response { request_id, status_code, status_desc, relay_peer_count }
    }
}

prop_compose! {
    fn lightpush_v2_rpc()(
        request_id in text(),
        request in option::of((text(), message())),
        response in option::of((option::of(any::<bool>()), option::of(text()))),
    ) -> lightpush::v2::Rpc {
        lightpush::v2::Rpc {
            request_id,
            request: request.map(|(pubsub_topic, message)| lightpush::v2::Request {
                pubsub_topic,
                message: Some(message),
            }),
            response: response.map(|(is_success, info)| lightpush::v2::Response { is_success, info }),
        }
    }
}

prop_compose! {
    fn filter_request()(
        request_id in text(),
        filter_subscribe_type in any::<i32>(),
        pubsub_topic in option::of(text()),
        content_topics in vec(text(), 0..5),
    ) -> filter::Request {
        filter::Request { request_id, filter_subscribe_type, pubsub_topic, content_topics }
    }
}

prop_compose! {
    fn filter_response()(
        request_id in text(),
        status_code in option::of(any::<u32>()),
        status_desc in option::of(text()),
    ) -> filter::Response {
        filter::Response { request_id, status_code, status_desc }
    }
}

prop_compose! {
    fn push()(message in message(), pubsub_topic in option::of(text())) -> filter::MessagePush {
        filter::MessagePush { waku_message: Some(message), pubsub_topic }
    }
}

prop_compose! {
    fn store_request()(
        (request_id, include_data) in (text(), any::<bool>()),
        (pubsub_topic, content_topics) in (option::of(text()), vec(text(), 0..5)),
        (time_start, time_end) in (option::of(any::<i64>()), option::of(any::<i64>())),
        message_hashes in vec(bytes(), 0..5),
        pagination_cursor in option::of(bytes()),
        pagination_forward in any::<bool>(),
        pagination_limit in option::of(any::<u64>()),
    ) -> store::Request {
        store::Request {
            request_id,
            include_data,
            pubsub_topic,
            content_topics,
            time_start,
            time_end,
            message_hashes,
            pagination_cursor,
            pagination_forward,
            pagination_limit,
        }
    }
}

prop_compose! {
    fn store_response()(
        request_id in text(),
        status_code in option::of(any::<u32>()),
        status_desc in option::of(text()),
        messages in vec((option::of(bytes()), option::of(message()), option::of(text())), 0..5),
        pagination_cursor in option::of(bytes()),
    ) -> store::Response {
        store::Response {
            request_id,
            status_code,
            status_desc,
            messages: messages
                .into_iter()
                .map(|(message_hash, message, pubsub_topic)| store::KeyValue {
                    message_hash,
                    message,
                    pubsub_topic,
                })
                .collect(),
            pagination_cursor,
        }
    }
}

/// What to do to an encoded message: cut it, and overwrite some bytes.
fn damage() -> impl Strategy<Value = (prop::sample::Index, Vec<(prop::sample::Index, u8)>)> {
    (
        any::<prop::sample::Index>(),
        vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    )
}

fn damaged(
    mut bytes: Vec<u8>,
    (cut, changes): (prop::sample::Index, Vec<(prop::sample::Index, u8)>),
) -> Vec<u8> {
    for (place, byte) in changes {
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
    }
    // One half of the cases stays whole.
    let cut = cut.index(2 * bytes.len() + 1);
    bytes.truncate(cut.max(1));
    bytes
}

/// For each kind of message: what is encoded decodes to the same, and damage or noise never panics. What decodes all the
/// same can be encoded and read again.
macro_rules! codec {
    ($name:ident, $type:ty, $strategy:expr) => {
        mod $name {
            use super::*;

            proptest! {
                #[test]
                fn decodes_to_what_was_encoded(value in $strategy) {
                    prop_assert_eq!(<$type>::decode(&value.encode()), Ok(value));
                }

                #[test]
                fn survives_damage(value in $strategy, damage in damage()) {
                    if let Ok(value) = <$type>::decode(&damaged(value.encode(), damage)) {
                        prop_assert_eq!(<$type>::decode(&value.encode()), Ok(value));
                    }
                }

                #[test]
                fn survives_noise(bytes in vec(any::<u8>(), 0..200)) {
                    if let Ok(value) = <$type>::decode(&bytes) {
                        prop_assert_eq!(<$type>::decode(&value.encode()), Ok(value));
                    }
                }
            }
        }
    };
}

codec!(waku_message, WakuMessage, message());
codec!(metadata_codec, metadata::Metadata, metadata_message());
codec!(peer_exchange_codec, peer_exchange::Rpc, peer_exchange_rpc());
codec!(
    lightpush_v3_requests,
    lightpush::v3::Request,
    lightpush_v3_request()
);
codec!(
    lightpush_v3_responses,
    lightpush::v3::Response,
    lightpush_v3_response()
);
codec!(lightpush_v2_codec, lightpush::v2::Rpc, lightpush_v2_rpc());
codec!(filter_requests, filter::Request, filter_request());
codec!(filter_responses, filter::Response, filter_response());
codec!(filter_pushes, filter::MessagePush, push());
codec!(store_requests, store::Request, store_request());
codec!(store_responses, store::Response, store_response());

/// Every frame of a stream pushed in pieces, and how it ended.
fn frames(stream: &[u8], cuts: &[usize], limit: usize) -> (Vec<Vec<u8>>, Result<(), FrameError>) {
    let mut decoder = FrameDecoder::new(limit);
    let mut frames = Vec::new();
    let mut rest = stream;
    let ends = cuts.iter().copied().chain([usize::MAX]);
    for end in ends {
        let (piece, after) = rest.split_at(end.min(rest.len()));
        rest = after;
        decoder.push(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, decoder.finish())
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_the_pieces(
        messages in vec(vec(any::<u8>(), 0..300), 0..6),
        cuts in vec(0..50usize, 0..40),
    ) {
        let stream: Vec<u8> = messages.iter().flat_map(|message| frame::encode(message)).collect();
        prop_assert_eq!(frames(&stream, &cuts, 300), (messages, Ok(())));
    }

    #[test]
    fn noise_gives_the_same_frames_and_the_same_error_in_any_pieces(
        stream in vec(any::<u8>(), 0..200),
        cuts in vec(0..20usize, 0..30),
        limit in 0..300usize,
    ) {
        prop_assert_eq!(frames(&stream, &cuts, limit), frames(&stream, &[], limit));
    }

    #[test]
    fn no_frame_is_over_the_limit(stream in vec(any::<u8>(), 0..400), limit in 0..50usize) {
        let (frames, _) = frames(&stream, &[], limit);
        prop_assert!(frames.iter().all(|frame| frame.len() <= limit));
    }

    #[test]
    fn varints_decode_to_what_was_encoded(number: u64, after in vec(any::<u8>(), 0..3)) {
        let mut bytes = Vec::new();
        varint::encode(number, &mut bytes);
        let len = bytes.len();
        bytes.extend(after);
        prop_assert_eq!(varint::decode(&bytes), Ok((number, len)));
    }

    #[test]
    fn a_varint_has_one_form(bytes in vec(any::<u8>(), 0..12)) {
        if let Ok((number, used)) = varint::decode(&bytes) {
            let mut again = Vec::new();
            varint::encode(number, &mut again);
            prop_assert_eq!(&again[..], &bytes[..used]);
        }
    }

    #[test]
    fn topics_print_as_they_parse(text in "(/[0a]{0,2}){3,6}|/waku/2/rs/[0-9]{0,6}/[0-9]{0,5}|.{0,40}") {
        if let Ok(topic) = text.parse::<ContentTopic>() {
            prop_assert_eq!(topic.as_str(), text.as_str());
        }
        if let Ok(topic) = text.parse::<PubsubTopic>() {
            prop_assert_eq!(topic.to_string().parse(), Ok(topic));
        }
    }

    #[test]
    fn an_answer_of_any_kind_gets_a_page_or_a_verdict(
        request in store_request(),
        mut response in store_response(),
    ) {
        response.request_id.clone_from(&request.request_id);
        response.status_code = Some(200);
        if let Ok(page) = store::interpret(&request, response) {
            for stored in page.messages {
                if let (Some(message), Some(topic)) = (&stored.message, &stored.pubsub_topic) {
                    prop_assert_eq!(stored.hash, message.hash(topic));
                }
            }
        }
    }

    #[test]
    fn hashes_read_as_they_print(bytes: [u8; 32]) {
        prop_assert_eq!(MessageHash(bytes).to_string().parse(), Ok(MessageHash(bytes)));
    }
}
