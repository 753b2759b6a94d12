//! Messages to bytes and back, and their frames on a stream.

use serde_json::Value;

use super::fields::{Checked, bytes, list, opt_bytes, opt_text, same, text};
use super::messages::{
    filter_request, filter_response, lightpush_v2_rpc, lightpush_v3_request, lightpush_v3_response,
    metadata_message, peer_exchange_rpc, store_request, store_response, waku_message,
};
use super::signed::{hop, rendezvous_message, stop};
use lightkeeper::protocols::circuit::{HopMessage, StopMessage};
use lightkeeper::protocols::{
    DecodeError, FrameDecoder, WakuMessage, filter, frame, ids, lightpush, metadata, peer_exchange,
    rendezvous, store, varint,
};

/// Checks one message in both directions: fields to bytes and bytes to fields.
macro_rules! both_ways {
    ($type:ty, $fields:expr, $hex:expr) => {{
        let (fields, bytes) = ($fields?, $hex);
        same("encoded", hex::encode(fields.encode()), hex::encode(bytes))?;
        same("decoded", <$type>::decode(bytes), Ok(fields))
    }};
}

pub(super) fn protobuf(vector: &Value, input: &Value, expected: &Value) -> Option<Checked> {
    let protocol = input["protocol"].as_str().unwrap_or_default();
    let message = input["message"].as_str().unwrap_or_default();
    let ours = [
        "WakuMessage",
        ids::METADATA,
        ids::PEER_EXCHANGE,
        ids::LIGHTPUSH_V3,
        ids::LIGHTPUSH_V2,
        ids::FILTER_SUBSCRIBE,
        ids::FILTER_PUSH,
        ids::STORE_QUERY,
        ids::CIRCUIT_HOP,
        ids::CIRCUIT_STOP,
        ids::RENDEZVOUS,
    ];
    if !ours.contains(&protocol) {
        return None;
    }
    let fields = &input["fields"];
    let check = || -> Checked {
        let encoded = bytes(&expected["hex"])?;
        if let Some(framed) = opt_bytes(&expected["framed_hex"])? {
            same("framed", frame::encode(&encoded), framed.clone())?;
            let mut decoder = FrameDecoder::new(encoded.len());
            decoder.push(&framed);
            same("unframed", decoder.next_frame(), Ok(Some(encoded.clone())))?;
            same("rest", decoder.finish(), Ok(()))?;
        }
        match (protocol, message) {
            ("WakuMessage", "WakuMessage") => {
                both_ways!(WakuMessage, waku_message(fields), &encoded)
            }
            (ids::METADATA, _) if vector["id"] == "pb-metadata-nim" => {
                // nwaku's form, which we read and never write.
                same(
                    "decoded",
                    metadata::Metadata::decode(&encoded),
                    Ok(metadata_message(fields)?),
                )
            }
            (ids::METADATA, _) => {
                both_ways!(metadata::Metadata, metadata_message(fields), &encoded)
            }
            (ids::PEER_EXCHANGE, "PeerExchangeRPC") => {
                both_ways!(peer_exchange::Rpc, peer_exchange_rpc(fields), &encoded)
            }
            (ids::LIGHTPUSH_V3, "LightpushRequest") => {
                both_ways!(
                    lightpush::v3::Request,
                    lightpush_v3_request(fields),
                    &encoded
                )
            }
            (ids::LIGHTPUSH_V3, "LightpushResponse") => {
                both_ways!(
                    lightpush::v3::Response,
                    lightpush_v3_response(fields),
                    &encoded
                )
            }
            (ids::LIGHTPUSH_V2, "PushRpc") => {
                both_ways!(lightpush::v2::Rpc, lightpush_v2_rpc(fields), &encoded)
            }
            (ids::CIRCUIT_HOP, "HopMessage") => both_ways!(HopMessage, hop(fields), &encoded),
            (ids::CIRCUIT_STOP, "StopMessage") => {
                both_ways!(StopMessage, stop(fields), &encoded)
            }
            (ids::RENDEZVOUS, "Message") => {
                both_ways!(rendezvous::Message, rendezvous_message(fields), &encoded)
            }
            (ids::FILTER_SUBSCRIBE, "FilterSubscribeRequest") => {
                both_ways!(filter::Request, filter_request(fields), &encoded)
            }
            (ids::FILTER_SUBSCRIBE, "FilterSubscribeResponse") => {
                both_ways!(filter::Response, filter_response(fields), &encoded)
            }
            (ids::STORE_QUERY, "StoreQueryRequest") => {
                both_ways!(store::Request, store_request(fields), &encoded)
            }
            (ids::STORE_QUERY, "StoreQueryResponse") => {
                both_ways!(store::Response, store_response(fields), &encoded)
            }
            _ => Err(format!("message {message} of {protocol} is not known here")),
        }
    };
    Some(check())
}

pub(super) fn protobuf_decode(input: &Value, expected: &Value) -> Option<Checked> {
    let message = input["message"].as_str().unwrap_or_default();
    let check = || -> Checked {
        let encoded = bytes(&input["hex"])?;
        let error = match message {
            "WakuMessage" => match (WakuMessage::decode(&encoded), opt_text(&expected["error"])) {
                (Ok(got), None) => {
                    return same("decoded", got, waku_message(&expected["fields"])?);
                }
                (got, _) => got.map(drop),
            },
            _ => {
                let got = metadata::Metadata::decode(&encoded);
                match opt_text(&expected["error"]) {
                    None => {
                        return same("decoded", got, Ok(metadata_message(&expected["fields"])?));
                    }
                    Some(_) => got.map(drop),
                }
            }
        };
        same(
            "error",
            error.map_err(|error: DecodeError| error.to_string()),
            Err(text(&expected["error"])?.to_owned()),
        )
    };
    matches!(message, "WakuMessage" | "WakuMetadata").then(check)
}

// --- framing ---

pub(super) fn stream(input: &Value, expected: &Value) -> Option<Checked> {
    if input["protocol"] != ids::FILTER_PUSH {
        return None;
    }
    let check = || -> Checked {
        let stream = bytes(&input["hex"])?;
        let expected = list(&expected["frames"], bytes)?;
        for piece in [1, 7, stream.len()] {
            let mut decoder = FrameDecoder::new(filter::push::MAX_FRAME);
            let mut frames = Vec::new();
            for piece in stream.chunks(piece) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().map_err(|error| error.to_string())? {
                    frames.push(frame);
                }
            }
            same("end", decoder.finish(), Ok(()))?;
            same("frames", &frames, &expected)?;
        }
        for frame in &expected {
            let push = filter::MessagePush::decode(frame).map_err(|error| error.to_string())?;
            same("encoded", &push.encode(), frame)?;
        }
        let joined: Vec<u8> = expected
            .iter()
            .flat_map(|message| frame::encode(message))
            .collect();
        same("joined", joined, stream)
    };
    Some(check())
}

pub(super) fn uvarint(input: &Value, expected: &Value) -> Checked {
    let number = input.as_u64().ok_or("not 64 bits")?;
    let expected = bytes(&expected["hex"])?;
    let mut encoded = Vec::new();
    varint::encode(number, &mut encoded);
    same("encoded", &encoded, &expected)?;
    same(
        "decoded",
        varint::decode(&expected),
        Ok((number, expected.len())),
    )
}

pub(super) fn uvarint_invalid(input: &Value, expected: &Value) -> Checked {
    let expected = text(&expected["error"])?;
    match varint::decode(&bytes(input)?) {
        Ok(number) => Err(format!("decoded as {number:?}")),
        // The vector may explain the reason in brackets.
        Err(error) => same(
            "reason",
            error.to_string().as_str(),
            expected.split(" (").next().unwrap_or(expected),
        ),
    }
}

/// Signed numbers go over the wire inside a message: the timestamp, whose key is 0x50.
pub(super) fn sint64(input: &Value, expected: &Value) -> Checked {
    let number = input.as_i64().ok_or("not 64 bits")?;
    let mut wire = vec![0x0a, 0x00, 0x12, 0x00, 0x50];
    wire.extend(bytes(&expected["hex"])?);
    let message = WakuMessage::new("", Vec::new(), number);
    same("encoded", &message.encode(), &wire)?;
    same("decoded", WakuMessage::decode(&wire), Ok(message))
}
