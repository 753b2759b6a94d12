use libp2p_identity::Keypair;

use crate::protocols::envelope::key;

use super::*;

struct Case {
    relay: Keypair,
    us: PeerId,
    via: Multiaddr,
}

const NOW_S: u64 = 1_700_000_000;

fn address(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

impl Case {
    fn new(via: &str) -> Self {
        let relay = key(1);
        Self {
            via: address(via),
            relay,
            us: key(101).public().to_peer_id(),
        }
    }

    fn relay(&self) -> PeerId {
        self.relay.public().to_peer_id()
    }

    fn answer(&self, reservation: Reservation) -> Result<Granted, Verdict> {
        let answer = HopMessage {
            kind: Some(HopType::Status as i32),
            reservation: Some(reservation),
            status: Some(OK),
            ..HopMessage::default()
        };
        let asking = Asking {
            relay: self.relay(),
            us: self.us,
            via: &self.via,
            now_s: NOW_S,
        };
        reserved(asking, &HopMessage::decode(&answer.encode()).unwrap())
    }

    /// The addresses that are taken of what a relay says, without our end of them.
    fn taken(&self, said: &[String]) -> Vec<String> {
        let granted = self
            .answer(Reservation {
                expire: Some(NOW_S + 3_600),
                addrs: said.iter().map(|text| address(text).to_vec()).collect(),
                voucher: None,
            })
            .unwrap();
        let end = format!("/p2p/{}/p2p-circuit/p2p/{}", self.relay(), self.us);
        let texts = granted.addresses.iter().map(ToString::to_string);
        texts
            .map(|text| {
                text.strip_suffix(&end)
                    .expect("ends in relay and us")
                    .to_owned()
            })
            .collect()
    }

    fn voucher(&self, signer: &Keypair, peer: PeerId, expiration: u64) -> Vec<u8> {
        let raw = RawVoucher {
            relay: self.relay().to_bytes(),
            peer: peer.to_bytes(),
            expiration,
        };
        let envelope = Envelope::seal(
            signer,
            Voucher::PURPOSE,
            prost::Message::encode_to_vec(&raw),
        );
        envelope.unwrap().encode()
    }
}

#[test]
fn without_addresses_the_one_that_we_reached_it_at_is_taken() {
    let case = Case::new("/ip4/127.0.0.1/tcp/4001/ws");
    assert_eq!(case.taken(&[]), ["/ip4/127.0.0.1/tcp/4001/ws"]);
}

#[test]
fn the_id_stands_once_at_the_end_however_it_was_said() {
    let case = Case::new("/dns4/r.example.org/tcp/443/wss");
    let id = case.relay();
    let said = [
        "/dns4/r.example.org/tcp/443/wss".to_owned(),
        format!("/dns4/r.example.org/tcp/443/wss/p2p/{id}"),
        format!("/dns4/s.example.org/tcp/443/wss/p2p/{id}/p2p/{id}"),
    ];
    let taken = [
        "/dns4/r.example.org/tcp/443/wss",
        "/dns4/s.example.org/tcp/443/wss",
    ];
    assert_eq!(case.taken(&said), taken);
}

#[test]
fn addresses_of_others_and_of_networks_that_we_are_not_in_are_not_taken() {
    let case = Case::new("/dns4/r.example.org/tcp/443/wss");
    let other = key(102).public().to_peer_id();
    let said = [
        format!("/dns4/victim.example.org/tcp/443/wss/p2p/{other}"),
        format!("/dns4/x.example.org/tcp/443/wss/p2p/{other}/p2p-circuit"),
        "/ip4/10.0.0.1/tcp/4001/ws".to_owned(),
        "/ip4/127.0.0.1/tcp/4001/ws".to_owned(),
        "/ip4/192.0.2.1/tcp/4001".to_owned(),
    ];
    // The last is no address for pages, so that ours goes with it.
    let taken = ["/ip4/192.0.2.1/tcp/4001", "/dns4/r.example.org/tcp/443/wss"];
    assert_eq!(case.taken(&said), taken);
}

#[test]
fn no_more_addresses_are_taken_than_there_is_room_for() {
    let case = Case::new("/dns4/r.example.org/tcp/443/wss");
    let said: Vec<_> = (0..100)
        .map(|n| format!("/ip4/192.0.2.1/tcp/{n}"))
        .collect();
    let taken = case.taken(&said);
    assert_eq!(taken.len(), MAX_ADDRESSES);
    assert_eq!(taken.last().unwrap(), "/dns4/r.example.org/tcp/443/wss");
}

#[test]
fn a_lifetime_is_believed_within_reason() {
    let case = Case::new("/ip4/127.0.0.1/tcp/4001/ws");
    let until = |expire| {
        let granted = case.answer(Reservation {
            expire: Some(expire),
            ..Reservation::default()
        });
        granted
            .map(|granted| granted.expires_at_s)
            .map_err(|verdict| verdict.class)
    };
    assert_eq!(until(NOW_S + 3_600), Ok(NOW_S + 3_600));
    assert_eq!(until(u64::MAX), Ok(NOW_S + MAX_LIFE_S));
    // A clock that is behind ours.
    assert_eq!(until(NOW_S - SKEW_S), Ok(NOW_S + SKEW_S));
    assert_eq!(until(NOW_S - SKEW_S - 1), Err(ExactClass::ProtocolFault));
    assert_eq!(until(0), Err(ExactClass::ProtocolFault));
}

#[test]
fn a_voucher_that_is_given_has_to_be_the_relays_and_ours() {
    let case = Case::new("/ip4/127.0.0.1/tcp/4001/ws");
    let with = |voucher| {
        let granted = case.answer(Reservation {
            expire: Some(NOW_S + 3_600),
            voucher: Some(voucher),
            ..Reservation::default()
        });
        granted.is_ok()
    };
    let good = case.voucher(&case.relay, case.us, NOW_S + 3_600);
    assert!(with(good));
    assert!(with(Vec::new()), "none is given");
    assert!(!with(b"nonsense".to_vec()));
    let stranger = key(2);
    assert!(!with(case.voucher(&stranger, case.us, NOW_S + 3_600)));
    assert!(!with(case.voucher(
        &case.relay,
        key(103).public().to_peer_id(),
        NOW_S + 3_600
    )));
    assert!(!with(case.voucher(
        &case.relay,
        case.us,
        NOW_S - SKEW_S - 1
    )));
}

#[test]
fn a_yes_without_a_reservation_is_none() {
    let case = Case::new("/ip4/127.0.0.1/tcp/4001/ws");
    let asking = Asking {
        relay: case.relay(),
        us: case.us,
        via: &case.via,
        now_s: NOW_S,
    };
    let yes = HopMessage {
        kind: Some(HopType::Status as i32),
        status: Some(OK),
        ..HopMessage::default()
    };
    assert_eq!(
        reserved(asking, &yes).unwrap_err().class,
        ExactClass::ProtocolFault
    );
    assert_eq!(connected(&yes), Ok(None));
    let echo = HopMessage::reserve();
    assert_eq!(
        reserved(asking, &echo).unwrap_err().class,
        ExactClass::ProtocolFault
    );
}

#[test]
fn a_limit_of_nothing_is_none() {
    let limited = |duration, data| {
        let answer = HopMessage {
            kind: Some(HopType::Status as i32),
            status: Some(OK),
            limit: Some(Limit { duration, data }),
            ..HopMessage::default()
        };
        connected(&answer).unwrap()
    };
    assert_eq!(limited(Some(0), None), None);
    assert!(limited(None, Some(1)).is_some());
}

#[test]
fn only_a_call_names_a_caller() {
    let caller = key(104).public().to_peer_id();
    let call = StopMessage {
        kind: Some(StopType::Connect as i32),
        peer: Some(Peer {
            id: caller.to_bytes(),
        }),
        ..StopMessage::default()
    };
    assert_eq!(call.caller(), Some(caller));
    let nobody = StopMessage {
        peer: Some(Peer { id: vec![1] }),
        ..call.clone()
    };
    assert_eq!(nobody.caller(), None);
    let status = StopMessage {
        kind: Some(StopType::Status as i32),
        ..call
    };
    assert_eq!(status.caller(), None);
}
