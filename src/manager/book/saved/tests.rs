use libp2p_identity::Keypair;
use proptest::prelude::*;

use super::*;

fn peer() -> impl Strategy<Value = PeerId> {
    any::<[u8; 32]>().prop_map(|secret| {
        let key = Keypair::ed25519_from_bytes(secret).expect("any 32 bytes are a key");
        key.public().to_peer_id()
    })
}

fn route() -> impl Strategy<Value = Multiaddr> {
    (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| {
        let [a, b, c, d] = ip;
        let text = format!("/ip4/{a}.{b}.{c}.{d}/tcp/{port}/ws");
        text.parse().expect("an address")
    })
}

fn saved_peer() -> impl Strategy<Value = SavedPeer> {
    let service =
        (".{0,40}", -1_000..=1_000_i16).prop_map(|(name, quality)| SavedService { name, quality });
    (
        (peer(), any::<bool>(), any::<bool>(), any::<u64>()),
        (0..=8_u8, 8..=16_u8, 0..=32_u8),
        prop::collection::vec(route(), 0..=MAX_ROUTES),
        prop::collection::vec(service, 0..6),
    )
        .prop_map(
            |((peer, pinned, anchor, served_at), (ok, tries, rtt), routes, services)| SavedPeer {
                peer,
                pinned,
                anchor,
                served_at,
                reach: (ok, tries),
                rtt,
                routes,
                services,
            },
        )
}

fn saved_ban() -> impl Strategy<Value = SavedBan> {
    let hold = prop_oneof![
        Just(SavedHold::User),
        any::<u64>().prop_map(SavedHold::Until),
        any::<u64>().prop_map(SavedHold::Over),
    ];
    (peer(), hold, any::<u8>()).prop_map(|(peer, hold, times)| SavedBan { peer, hold, times })
}

fn saved() -> impl Strategy<Value = Saved> {
    (
        any::<u64>(),
        prop::collection::vec(saved_peer(), 0..9),
        prop::collection::vec(saved_ban(), 0..9),
    )
        .prop_map(|(saved_at, peers, bans)| Saved {
            saved_at,
            peers,
            bans,
        })
}

// R5: bounded, read again as it was written, and no bytes panic. Names that no requirement has survive, because names
// are all that is written.
proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again_r5(saved in saved()) {
        let bytes = saved.clone().encode(usize::MAX);
        prop_assert!(bytes.len() <= MAX_LENGTH);
        prop_assert_eq!(Saved::decode(&bytes), Ok(saved));
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end_r5(saved in saved(), max in 0..4_000_usize) {
        let bytes = saved.clone().encode(max);
        prop_assert!(bytes.len() <= max);
        if max >= FRAME {
            let read = Saved::decode(&bytes).expect("it was just written");
            prop_assert!(saved.peers.starts_with(&read.peers));
            prop_assert!(saved.bans.starts_with(&read.bans));
        }
    }

    #[test]
    fn no_bytes_panic_r5(bytes in prop::collection::vec(any::<u8>(), 0..200), sign in any::<bool>()) {
        let mut bytes = [MAGIC, &[VERSION], &bytes].concat();
        if sign {
            let sum = checksum(&bytes);
            bytes.extend(sum);
        }
        prop_assert!(is_bounded(&Saved::decode(&bytes)));
        prop_assert!(is_bounded(&Saved::decode(&bytes[3..])));
    }

    #[test]
    fn one_changed_bit_discards_it_all_r5(saved in saved(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = saved.encode(usize::MAX);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Saved::decode(&bytes).is_err());
    }

    #[test]
    fn signed_nonsense_is_an_error_and_no_panic_r5(saved in saved(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let bytes = saved.encode(usize::MAX);
        let mut content = bytes[..bytes.len() - CHECKSUM].to_vec();
        let at = at.index(content.len());
        content[at] = byte;
        let sum = checksum(&content);
        content.extend(sum);
        prop_assert!(is_bounded(&Saved::decode(&content)));
    }

    #[test]
    fn signed_lists_of_any_length_are_an_error_or_within_bounds_r5(
        saved in saved(),
        long in (0..80_usize, 0..6_usize, 0..80_usize, 0..400_usize),
        values in (any::<i16>(), any::<(u8, u8)>(), any::<u8>()),
    ) {
        let (peers, routes, services, name) = long;
        let (quality, reach, rtt) = values;
        let Some(first) = saved.peers.first() else { return Ok(()) };
        let service = SavedService { name: "n".repeat(name), quality };
        let peer = SavedPeer {
            routes: vec!["/ip4/1.2.3.4".parse().expect("an address"); routes],
            services: vec![service; services],
            reach,
            rtt,
            ..first.clone()
        };
        let within = peers <= MAX_ENTRIES && (peers == 0 || routes <= MAX_ROUTES
            && services <= Services::CAPACITY
            && (services == 0 || name <= MAX_NAME && quality.abs() <= 1_000)
            && reach.0 <= reach.1 && rtt <= 32);
        let bytes = signed(&Saved { peers: vec![peer; peers], ..saved });
        let read = Saved::decode(&bytes);
        prop_assert!(is_bounded(&read));
        prop_assert_eq!(read.is_ok(), within && bytes.len() <= MAX_LENGTH);
    }
}

/// Whatever it says, as if a manager had written it.
fn signed(saved: &Saved) -> Vec<u8> {
    let mut bytes = [MAGIC, &[VERSION]].concat();
    Encode::encode(saved, &mut bytes);
    let sum = checksum(&bytes);
    bytes.extend(sum);
    bytes
}

fn is_bounded(read: &Result<Saved, SnapshotError>) -> bool {
    read.as_ref().map_or(true, |saved| {
        saved.peers.len() <= MAX_ENTRIES
            && saved.bans.len() <= MAX_BANS
            && saved.peers.iter().all(SavedPeer::is_sound)
    })
}

/// An id as long as ids get.
fn long_id(number: u16) -> PeerId {
    let mut bytes = vec![0, 42];
    bytes.extend([0; 40]);
    bytes.extend(number.to_be_bytes());
    PeerId::from_bytes(&bytes).expect("a key of 42 bytes")
}

#[test]
fn as_many_bans_as_the_user_may_make_leave_room_for_everybody_else_r5() {
    let by_user = (0..1_024).map(|number| (number, SavedHold::User));
    let automatic = (1_024..4_096).map(|number| (number, SavedHold::Until(u64::MAX)));
    let bans = by_user.chain(automatic).map(|(number, hold)| SavedBan {
        peer: long_id(number),
        hold,
        times: u8::MAX,
    });
    let service = SavedService {
        name: "/vac/waku/lightpush/3.0.0".to_owned(),
        quality: -1_000,
    };
    let route = "/dns4/a-node-of-some-fleet.example.org/tcp/443/wss";
    let peers = (0..64).map(|number| SavedPeer {
        peer: long_id(number),
        pinned: true,
        anchor: true,
        served_at: u64::MAX,
        reach: (16, 16),
        rtt: 32,
        routes: vec![route.parse().expect("an address"); 1],
        services: vec![service.clone(); 3],
    });
    let saved = Saved {
        saved_at: u64::MAX,
        peers: peers.collect(),
        bans: bans.collect(),
    };
    let bytes = saved.clone().encode(usize::MAX);
    assert!(bytes.len() <= MAX_LENGTH);
    let read = Saved::decode(&bytes).expect("it was just written");
    assert!(read.bans.len() > 1_024 + 300);
    assert!(read.peers.len() > 30, "{}", read.peers.len());
    // Where there is less room, the user's bans are the last to go.
    let little = saved.encode(FRAME + MAX_USER_BANS * USER_BAN_BYTES);
    let read = Saved::decode(&little).expect("it was just written");
    assert_eq!((read.bans.len(), read.peers.len()), (MAX_USER_BANS, 0));
}

/// What this version writes is what it has always written: other lists of names need another version.
#[test]
fn a_version_reads_what_it_wrote() {
    let saved = Saved {
        saved_at: 1_000,
        peers: vec![SavedPeer {
            peer: long_id(7),
            pinned: true,
            anchor: false,
            served_at: 999,
            reach: (3, 4),
            rtt: 6,
            routes: vec!["/ip4/1.2.3.4/tcp/443/wss".parse().expect("an address")],
            services: vec![SavedService {
                name: "store".to_owned(),
                quality: -5,
            }],
        }],
        bans: vec![SavedBan {
            peer: long_id(8),
            hold: SavedHold::Until(300),
            times: 2,
        }],
    };
    let bytes = saved.encode(usize::MAX);
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let id = |last: &str| ["2c002a", &"00".repeat(41), last].concat();
    let expected = [
        // Magic, version, time.
        "4c4b53",
        "02",
        "e807",
        // One peer.
        "01",
        &id("07"),
        "0100",
        "e707",
        "0304",
        "06",
        "01",
        "0a04010203040601bbde03",
        "01",
        "0573746f7265",
        "09",
        // One ban.
        "01",
        &id("08"),
        "01ac02",
        "02",
        "4ad8063e70190fe0",
    ];
    assert_eq!(text, expected.concat());
}

#[test]
fn other_bytes_are_told_apart() {
    let bytes = Saved::default().encode(1_000);
    assert_eq!(Saved::decode(b""), Err(SnapshotError::NotASnapshot));
    assert_eq!(Saved::decode(b"LKS"), Err(SnapshotError::CutOff));
    assert_eq!(Saved::decode(b"LKS\x07"), Err(SnapshotError::Version(7)));
    assert_eq!(Saved::decode(&bytes[..5]), Err(SnapshotError::CutOff));
    assert_eq!(
        Saved::decode(&bytes[..bytes.len() - 1]),
        Err(SnapshotError::Checksum)
    );
}
