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
        any::<u16>(),
        prop::collection::vec(saved_peer(), 0..9),
        prop::collection::vec(saved_ban(), 0..9),
    )
        .prop_map(|(saved_at, soft, peers, bans)| Saved {
            saved_at,
            soft,
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
        let bytes = saved.encode(usize::MAX);
        prop_assert!(bytes.len() <= MAX_BYTES);
        prop_assert_eq!(Saved::decode(&bytes), Ok(saved));
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end_r5(saved in saved(), max in 0..4_000_usize) {
        let bytes = saved.encode(max);
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
        let _ = Saved::decode(&bytes);
        let _ = Saved::decode(&bytes[3..]);
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
        let _ = Saved::decode(&content);
    }
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
