use libp2p_identity::Keypair;

use crate::protocols::envelope::key;
use multiaddr::Multiaddr;

use super::*;

fn record(keypair: &Keypair, seq: u64) -> Vec<u8> {
    let address: Multiaddr = "/dns4/r.example.org/tcp/443/wss/p2p-circuit"
        .parse()
        .unwrap();
    PeerRecord::seal(keypair, seq, &[address], Form::Standard).unwrap()
}

fn entry(namespace: &str, record: Vec<u8>) -> Register {
    Register {
        ns: Some(namespace.to_owned()),
        signed_peer_record: Some(record),
        ttl: Some(60),
    }
}

fn answer(registrations: Vec<Register>) -> Message {
    Message {
        discover_response: Some(DiscoverResponse {
            registrations,
            cookie: Some(vec![1]),
            status: Some(OK),
            status_text: None,
        }),
        ..Message::of(MessageType::DiscoverResponse)
    }
}

#[test]
fn what_is_not_to_be_believed_costs_no_other() {
    let good = key(1);
    let mut forged = record(&key(2), 1);
    *forged.last_mut().unwrap() ^= 1;
    let told = answer(vec![
        entry("here", forged),
        entry("elsewhere", record(&key(3), 1)),
        Register::default(),
        entry("here", record(&good, 1)),
    ]);
    let told = Message::decode(&told.encode()).unwrap();
    let found = found("here", key(101).public().to_peer_id(), told).unwrap();
    let peers: Vec<_> = found.peers.iter().map(|one| one.record.peer).collect();
    assert_eq!(peers, [good.public().to_peer_id()]);
    assert_eq!(found.peers[0].ttl, Duration::from_secs(60));
    assert_eq!(found.false_entries, 3);
}

#[test]
fn of_two_records_the_newer_holds_and_we_are_not_among_them() {
    let other = key(4);
    let us = key(5);
    let told = answer(vec![
        entry("here", record(&other, 2)),
        entry("here", record(&us, 1)),
        entry("here", record(&other, 3)),
        entry("here", record(&other, 1)),
    ]);
    let found = found("here", us.public().to_peer_id(), told).unwrap();
    let seqs: Vec<_> = found.peers.iter().map(|one| one.record.seq).collect();
    assert_eq!(seqs, [3]);
    assert_eq!(found.false_entries, 0);
}

#[test]
fn a_cookie_without_bounds_is_not_kept() {
    let with = |len| {
        let mut told = answer(vec![]);
        told.discover_response.as_mut().unwrap().cookie = Some(vec![7; len]);
        found("here", key(102).public().to_peer_id(), told)
            .unwrap()
            .cookie
            .map(|cookie| cookie.len())
    };
    assert_eq!(with(0), None);
    assert_eq!(with(MAX_COOKIE), Some(MAX_COOKIE));
    assert_eq!(with(10 * 1024), None);
}

#[test]
fn no_more_is_taken_than_was_asked_for() {
    let told = answer(vec![entry("here", vec![]); 10_000]);
    let found = found("here", key(103).public().to_peer_id(), told).unwrap();
    assert_eq!(found.false_entries, MAX_REGISTRATIONS);
}

#[test]
fn a_lifetime_is_the_granted_one() {
    let granted = |ttl| {
        let answer = Message {
            register_response: Some(RegisterResponse {
                ttl,
                ..RegisterResponse::default()
            }),
            ..Message::of(MessageType::RegisterResponse)
        };
        registered(&answer).unwrap()
    };
    assert_eq!(granted(Some(60)), Duration::from_secs(60));
    assert_eq!(granted(None), DEFAULT_TTL);
    assert_eq!(granted(Some(0)), DEFAULT_TTL);
    assert_eq!(granted(Some(u64::MAX)), MAX_TTL);
}

#[test]
fn an_answer_to_something_else_is_a_fault() {
    let verdict = registered(&answer(vec![])).unwrap_err();
    assert_eq!(verdict.class, ExactClass::ProtocolFault);
    let verdict = found(
        "here",
        key(104).public().to_peer_id(),
        Message::register("here", vec![], None),
    );
    assert_eq!(verdict.unwrap_err().class, ExactClass::ProtocolFault);
}
