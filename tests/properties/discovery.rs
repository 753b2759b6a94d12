//! Properties of the readers of records, trees and DNS messages.

use std::sync::LazyLock;

use k256::ecdsa::SigningKey;
use lightkeeper::discovery::{
    dialable::{Page, dialable},
    dns::{self, Question, TYPE_TXT, json},
    enr::{
        Capabilities, Enr, RelayShards, builder::EnrBuilder, decode_multiaddrs, encode_multiaddrs,
    },
    enrtree::{
        EnrTreeUrl, Entry, EntryHash, Root,
        builder::{Zone, build_zone},
        subdomain,
    },
    walk::{Answer, ResolverFailure, Walk, WalkConfig, WalkEvent},
    ws_url::ws_url,
};
use multiaddr::Multiaddr;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).expect("a valid scalar")
}

/// A record with every kind of field.
static RECORD: LazyLock<Enr> = LazyLock::new(|| {
    let address: Multiaddr = "/dns4/a.example.org/tcp/443/wss".parse().unwrap();
    EnrBuilder::new(70_000)
        .ip4([192, 0, 2, 1].into())
        .ip6([1; 16].into())
        .tcp(60_000)
        .udp(9)
        .multiaddrs([&address])
        .waku2(Capabilities::STORE)
        .relay_shards(&RelayShards::new(1, vec![0, 7]).unwrap())
        .sign(&key())
        .unwrap()
});

static ZONE: LazyLock<Zone> = LazyLock::new(|| {
    let record = RECORD.to_text();
    let link = EnrTreeUrl::new(*key().verifying_key(), "b.test").unwrap();
    build_zone(
        &key(),
        "a.test",
        3,
        &[record, "enr:-----".into()],
        &[link.to_string()],
    )
    .unwrap()
});

/// A few changes of a valid input: replaced, removed and inserted bytes, and cuts.
fn mutated(valid: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..6).prop_map(move |changes| {
        let mut bytes = valid.clone();
        for (place, byte, change) in changes {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            match change {
                0 => bytes[place] = byte,
                1 => {
                    bytes.remove(place);
                }
                2 => bytes.insert(place, byte),
                _ => bytes.truncate(place),
            }
        }
        bytes
    })
}

fn mutated_text(valid: String) -> impl Strategy<Value = String> {
    mutated(valid.into_bytes()).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Asks everything of a record that was read.
fn use_record(enr: &Enr) {
    let page = Page {
        secure: false,
        private_allowed: true,
    };
    for address in enr.multiaddrs() {
        dialable(&address, page);
    }
    let _ = (
        enr.waku2(),
        enr.relay_shards(),
        enr.node_id(),
        enr.content(),
    );
    let _ = (enr.keys(), enr.ip4(), enr.ip6(), enr.tcp6(), enr.udp6());
    assert_eq!(Enr::from_text(&enr.to_text()).as_ref(), Ok(enr));
}

proptest! {
    #[test]
    fn no_bytes_make_the_record_reader_panic(bytes in vec(any::<u8>(), 0..320)) {
        if let Ok(enr) = Enr::from_rlp(&bytes) {
            use_record(&enr);
        }
    }

    #[test]
    fn a_changed_record_is_refused(bytes in mutated(RECORD.as_rlp().to_vec())) {
        match Enr::from_rlp(&bytes) {
            Ok(enr) => prop_assert_eq!(&enr, &*RECORD),
            Err(error) => prop_assert!(!error.reason().is_empty()),
        }
    }

    /// Fields are not covered by the test above, since a record with changed ones has no valid signature.
    #[test]
    fn no_value_of_a_field_makes_its_reader_panic(
        name in prop::sample::select(vec![
            "ip", "ip6", "tcp", "tcp6", "udp", "udp6", "multiaddrs", "waku2", "rs", "rsv",
        ]),
        value in vec(any::<u8>(), 0..140),
    ) {
        let enr = EnrBuilder::new(1).string(name, &value).sign(&key()).unwrap();
        use_record(&enr);
    }

    #[test]
    fn no_text_makes_the_record_reader_panic(text in "(enr:)?.{0,420}") {
        let _ = Enr::from_text(&text);
    }

    #[test]
    fn a_changed_record_text_is_refused(text in mutated_text(RECORD.to_text())) {
        if let Ok(enr) = Enr::from_text(&text) {
            prop_assert_eq!(&enr, &*RECORD);
        }
    }

    #[test]
    fn shards_are_read_back(cluster: u16, shards in vec(0..1024_u16, 0..60)) {
        let shards = RelayShards::new(cluster, shards).unwrap();
        prop_assert_eq!(RelayShards::from_rs(&shards.to_rs()), Ok(shards));
    }

    #[test]
    fn no_bytes_make_the_readers_of_shards_and_addresses_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = RelayShards::from_rs(&bytes);
        let _ = RelayShards::from_rsv(&bytes);
        if let Ok(addresses) = decode_multiaddrs(&bytes) {
            prop_assert_eq!(decode_multiaddrs(&encode_multiaddrs(&addresses)), Ok(addresses));
        }
    }

    #[test]
    fn no_address_makes_the_url_writer_panic(
        text in "/(ip4/127.0.0.1|dns4/[a-z0-9.%@-]{1,12}|ip6/::1)(/tcp/[0-9]{1,5})?(/tls)?(/ws|/wss)(/http-path/[a-z%0-9A-F?]{1,9})?",
    ) {
        if let Ok(address) = text.parse::<Multiaddr>()
            && let Ok(url) = ws_url(&address)
        {
            let rest = url.url.strip_prefix(if url.secure { "wss://" } else { "ws://" });
            let (host, path) = rest.unwrap().split_once('/').unwrap();
            prop_assert!(!host.contains(['@', '?', '#', '%']), "{}", url.url);
            prop_assert!(!path.contains(['?', '#', ' ']), "{}", url.url);
        }
    }

    #[test]
    fn no_text_makes_the_tree_readers_panic(text in "(enrtree-root:v1 |enrtree-branch:|enrtree://|enr:)?.{0,120}") {
        let _ = Root::parse(&text);
        let _ = Entry::parse(&text);
        let _ = text.parse::<EnrTreeUrl>();
        if let Some(hash) = EntryHash::parse(&text) {
            hash.matches(&text);
        }
    }

    #[test]
    fn a_changed_root_does_not_verify(text in mutated_text(ZONE.records["a.test"][0].clone())) {
        let original = Root::parse(&ZONE.records["a.test"][0]).unwrap();
        if let Ok(root) = Root::parse(&text)
            && root.verify(ZONE.url.verifying_key()).is_ok()
        {
            // Only the recovery id is not covered: nothing needs it.
            prop_assert_eq!(root.signed_text(), original.signed_text());
        }
    }

    #[test]
    fn a_changed_entry_does_not_stand_under_its_hash(
        place: Index,
        change in any::<Index>().prop_flat_map(|place| {
            let texts: Vec<_> = ZONE.records.values().map(|texts| texts[0].clone()).collect();
            mutated_text(texts[place.index(texts.len())].clone())
        }),
    ) {
        let texts: Vec<_> = ZONE.records.values().map(|texts| &texts[0]).collect();
        let original = texts[place.index(texts.len())];
        let _ = Entry::parse(&change);
        prop_assert_eq!(subdomain(original).matches(&change), *original == change);
    }

    #[test]
    fn no_url_that_changed_is_another_key(text in mutated_text(ZONE.url.to_string())) {
        if let Ok(url) = text.parse::<EnrTreeUrl>() {
            prop_assert_eq!(url.to_string().parse(), Ok(url));
        }
    }

    #[test]
    fn no_bytes_make_the_dns_readers_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = dns::decode_response(&bytes);
        let _ = dns::decode_query(&bytes);
    }

    #[test]
    fn no_change_of_a_message_makes_the_dns_readers_panic(
        response in mutated(response()),
        query in mutated(dns::encode_query("a.b.test").unwrap()),
    ) {
        let _ = dns::decode_response(&response);
        if let Ok(question) = dns::decode_query(&query) {
            prop_assert_eq!(dns::decode_query(&question.encode().unwrap()), Ok(question));
        }
    }

    #[test]
    fn answers_are_read_back(texts in vec(".{0,300}", 0..6), ttl: u32, rcode in 0..16_u8) {
        let question = Question { id: 0, name: "a.test".into(), qtype: TYPE_TXT };
        let wire = dns::encode_response(&question, rcode, &texts, ttl).unwrap();
        let answer = dns::decode_response(&wire).unwrap();
        prop_assert_eq!(answer.rcode, rcode);
        prop_assert_eq!(answer.ttl_s, if texts.is_empty() { 0 } else { ttl });
        prop_assert_eq!(answer.txt, texts);
    }

    #[test]
    fn no_name_makes_the_query_writer_panic(name in ".{0,300}") {
        if let Ok(query) = dns::encode_query(&name) {
            let question = dns::decode_query(&query).unwrap();
            prop_assert_eq!(question.name.as_str(), name.strip_suffix('.').unwrap_or(&name));
        }
    }

    #[test]
    fn no_data_makes_the_json_reader_panic(data in "\"?[a\"\\\\0-9 é]{0,40}") {
        let _ = json::txt_from_data(&data);
    }

    /// Whatever the resolvers say, a run ends, within its limits, and gives out only what the tree's key vouches for.
    #[test]
    fn no_answers_make_the_walk_panic_or_run_on(
        seed: [u8; 32],
        script in vec((0..8_u8, any::<Index>(), 0..3_000_u64), 1..200),
    ) {
        let config = WalkConfig { resolvers: 2, budget: 30, ..WalkConfig::default() };
        let mut walk = Walk::new(vec![ZONE.url.clone()], config, seed);
        let texts: Vec<_> = ZONE.records.values().map(|texts| texts[0].clone()).collect();
        let mut script = script.into_iter().cycle();
        let (mut now, mut lookups) = (0, 0);
        let mut open = Vec::new();
        walk.start(now);
        'run: loop {
            while let Some(query) = walk.poll_query(now) {
                lookups += 1;
                open.push(query);
                prop_assert!(open.len() <= 10);
            }
            while let Some(event) = walk.poll_event() {
                match event {
                    WalkEvent::Candidate { enr, .. } => prop_assert_eq!(&enr, &*RECORD),
                    WalkEvent::Finished { .. } => break 'run,
                    _ => {}
                }
            }
            let (what, place, wait) = script.next().expect("cycles");
            now += wait;
            if open.is_empty() {
                now = now.max(walk.next_deadline().expect("neither ended nor waiting"));
                continue;
            }
            let query = open.swap_remove(place.index(open.len()));
            let truth = ZONE.records.get(&query.name).cloned();
            let answer = match what {
                0 => Answer::Failed(ResolverFailure::Timeout),
                1 => Answer::NoSuchName,
                2 => Answer::Txt { records: vec![texts[place.index(texts.len())].clone()], ttl_s: 0 },
                3 => Answer::Txt { records: vec![], ttl_s: 9 },
                _ => truth.map_or(Answer::NoSuchName, |records| Answer::Txt { records, ttl_s: 9 }),
            };
            walk.handle_answer(now, query.id, answer);
        }
        prop_assert!(open.is_empty());
        prop_assert!(lookups <= 30);
    }
}

fn response() -> Vec<u8> {
    let question = Question {
        id: 0,
        name: "a.test".into(),
        qtype: TYPE_TXT,
    };
    let texts = [RECORD.to_text(), "v=spf1 -all".into()];
    dns::encode_response(&question, 0, &texts, 60).unwrap()
}
