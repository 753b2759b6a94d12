//! What peers sign: envelopes, records, vouchers; and what is said with them to relays and rendezvous servers.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;
use serde_json::Value;

use super::fields::{Checked, bytes, list, only, opt_bytes, opt_text, opt_u32, same, text};
use lightkeeper::protocols::circuit::{self, HopMessage, StopMessage, Voucher};
use lightkeeper::protocols::envelope::{Envelope, EnvelopeError, signed};
use lightkeeper::protocols::peer_record::{Form, PeerRecord, RecordError};
use lightkeeper::protocols::rendezvous;

pub(super) fn envelope(input: &Value, expected: &Value) -> Checked {
    let envelope = Envelope::decode(&bytes(&input["hex"])?).map_err(|error| error.to_string())?;
    let domain = text(&input["domain"])?;
    let signer = envelope.signer_for(domain);
    if expected["valid"] == false {
        return same("signer", signer, Err(EnvelopeError::Signature));
    }
    let signer = signer.map_err(|error| error.to_string())?;
    same(
        "payload type",
        &envelope.payload_type,
        &bytes(&expected["payload_type"])?,
    )?;
    same("payload", &envelope.payload, &bytes(&expected["payload"])?)?;
    same(
        "signed bytes",
        signed(domain, &envelope.payload_type, &envelope.payload),
        bytes(&expected["signed_bytes"])?,
    )?;
    // Of the key as libp2p writes it: field 1 is the type, field 2 the key.
    let mut key = vec![
        8,
        opt_u32(&expected["public_key_type"])?.ok_or("type")? as u8,
    ];
    let raw = bytes(&expected["public_key"])?;
    key.extend([0x12, raw.len() as u8]);
    key.extend(raw);
    same("key", signer.encode_protobuf(), key)
}

fn holds(record: &PeerRecord, expected: &Value) -> Checked {
    same(
        "peer",
        record.peer.to_string().as_str(),
        text(&expected["peer_id"])?,
    )?;
    same("seq", Some(record.seq), expected["seq"].as_u64())?;
    let addresses = list(&expected["addresses"], |one| text(one).map(str::to_owned))?;
    let got: Vec<_> = record.addresses.iter().map(ToString::to_string).collect();
    same("addresses", got, addresses)
}

pub(super) fn peer_record(input: &Value, expected: &Value) -> Checked {
    let record = PeerRecord::decode(&bytes(&input["hex"])?).map_err(|error| error.to_string())?;
    holds(&record, expected)
}

pub(super) fn signed_peer_record(input: &Value, expected: &Value) -> Checked {
    let read = PeerRecord::read(&bytes(&input["hex"])?);
    let valid = |key: &str| expected[key].as_bool();
    if valid("valid") == Some(false) {
        return same("record", read, Err(RecordError::OtherPeer));
    }
    let (record, form) = read.map_err(|error| error.to_string())?;
    holds(&record, expected)?;
    let wanted = match (valid("valid"), valid("valid_legacy")) {
        (Some(true), _) => Form::Standard,
        (_, Some(true)) => Form::Legacy,
        other => return Err(format!("which form? {other:?}")),
    };
    same("form", form, wanted)
}

pub(super) fn voucher(input: &Value, expected: &Value) -> Checked {
    let voucher = Voucher::read(&bytes(&input["hex"])?).ok_or("no voucher")?;
    let id = |key: &str| -> Result<PeerId, String> {
        text(&expected[key])?
            .parse()
            .map_err(|error: libp2p_identity::ParseError| error.to_string())
    };
    let wanted = Voucher {
        relay: id("relay")?,
        peer: id("peer")?,
        expires_at_s: expected["expiration"].as_u64().ok_or("expiration")?,
    };
    same("voucher", voucher, wanted)
}

fn address(value: &Value) -> Result<Vec<u8>, String> {
    let address: Multiaddr = text(value)?
        .parse()
        .map_err(|error: multiaddr::Error| error.to_string())?;
    Ok(address.to_vec())
}

fn peer(fields: &Value) -> Result<Option<circuit::Peer>, String> {
    if fields.is_null() {
        return Ok(None);
    }
    only(fields, &["id", "addrs"])?;
    let id: PeerId = text(&fields["id"])?
        .parse()
        .map_err(|error: libp2p_identity::ParseError| error.to_string())?;
    let id = id.to_bytes();
    Ok(Some(circuit::Peer { id }))
}

fn limit(fields: &Value) -> Result<Option<circuit::Limit>, String> {
    if fields.is_null() {
        return Ok(None);
    }
    only(fields, &["duration", "data"])?;
    Ok(Some(circuit::Limit {
        duration: opt_u32(&fields["duration"])?,
        data: fields["data"].as_u64(),
    }))
}

pub(super) fn hop(fields: &Value) -> Result<HopMessage, String> {
    only(fields, &["type", "peer", "reservation", "limit", "status"])?;
    let kind = match text(&fields["type"])? {
        "RESERVE" => circuit::HopType::Reserve,
        "CONNECT" => circuit::HopType::Connect,
        "STATUS" => circuit::HopType::Status,
        other => return Err(format!("type {other}")),
    };
    let reservation = match &fields["reservation"] {
        Value::Null => None,
        reservation => {
            only(reservation, &["expire", "addrs", "voucher"])?;
            Some(circuit::Reservation {
                expire: reservation["expire"].as_u64(),
                addrs: list(&reservation["addrs"], address)?,
                voucher: opt_bytes(&reservation["voucher"])?,
            })
        }
    };
    Ok(HopMessage {
        kind: Some(kind as i32),
        peer: peer(&fields["peer"])?,
        reservation,
        limit: limit(&fields["limit"])?,
        status: opt_u32(&fields["status"])?,
    })
}

pub(super) fn stop(fields: &Value) -> Result<StopMessage, String> {
    only(fields, &["type", "peer", "limit", "status"])?;
    let kind = match text(&fields["type"])? {
        "CONNECT" => circuit::StopType::Connect,
        "STATUS" => circuit::StopType::Status,
        other => return Err(format!("type {other}")),
    };
    Ok(StopMessage {
        kind: Some(kind as i32),
        peer: peer(&fields["peer"])?,
        limit: limit(&fields["limit"])?,
        status: opt_u32(&fields["status"])?,
    })
}

fn register(fields: &Value) -> Result<rendezvous::Register, String> {
    only(fields, &["ns", "signed_peer_record", "ttl"])?;
    Ok(rendezvous::Register {
        ns: opt_text(&fields["ns"]),
        signed_peer_record: opt_bytes(&fields["signed_peer_record"])?,
        ttl: fields["ttl"].as_u64(),
    })
}

pub(super) fn rendezvous_message(fields: &Value) -> Result<rendezvous::Message, String> {
    use rendezvous::{Discover, DiscoverResponse, Message, RegisterResponse, Unregister};
    only(
        fields,
        &[
            "type",
            "register",
            "register_response",
            "unregister",
            "discover",
            "discover_response",
        ],
    )?;
    let kind = match text(&fields["type"])? {
        "REGISTER" => rendezvous::MessageType::Register,
        "REGISTER_RESPONSE" => rendezvous::MessageType::RegisterResponse,
        "UNREGISTER" => rendezvous::MessageType::Unregister,
        "DISCOVER" => rendezvous::MessageType::Discover,
        "DISCOVER_RESPONSE" => rendezvous::MessageType::DiscoverResponse,
        other => return Err(format!("type {other}")),
    };
    let mut message = Message {
        kind: Some(kind as i32),
        ..Message::default()
    };
    let part = |key: &str| Some(&fields[key]).filter(|fields| !fields.is_null());
    if let Some(fields) = part("register") {
        message.register = Some(register(fields)?);
    }
    if let Some(fields) = part("register_response") {
        only(fields, &["status", "text", "ttl"])?;
        message.register_response = Some(RegisterResponse {
            status: opt_u32(&fields["status"])?,
            status_text: opt_text(&fields["text"]),
            ttl: fields["ttl"].as_u64(),
        });
    }
    if let Some(fields) = part("unregister") {
        only(fields, &["ns"])?;
        message.unregister = Some(Unregister {
            ns: opt_text(&fields["ns"]),
        });
    }
    if let Some(fields) = part("discover") {
        only(fields, &["ns", "limit", "cookie"])?;
        message.discover = Some(Discover {
            ns: opt_text(&fields["ns"]),
            limit: fields["limit"].as_u64(),
            cookie: opt_bytes(&fields["cookie"])?,
        });
    }
    if let Some(fields) = part("discover_response") {
        only(fields, &["registrations", "cookie", "status", "text"])?;
        message.discover_response = Some(DiscoverResponse {
            registrations: list(&fields["registrations"], register)?,
            cookie: opt_bytes(&fields["cookie"])?,
            status: opt_u32(&fields["status"])?,
            status_text: opt_text(&fields["text"]),
        });
    }
    Ok(message)
}
