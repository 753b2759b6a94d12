//! Streams of events from proptest: names few enough that events meet, and no sense otherwise.

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Bound, BurstId, Class, CloseCause, ConnId, DialFailure, DialId, Direction, EnrollmentId, Event,
    LockId, Metadata, Outcome, Priority, ProtocolSpec, Quota, RequirementId, Sighting, Source,
    Transport,
};
use proptest::prelude::*;

use crate::world::{id, need};

/// Names few enough that events meet.
pub(crate) const PEERS: usize = 12;
const CONNS: u64 = 24;

/// An event, and the time before it.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) wait_ms: u64,
    pub(crate) event: Event,
}

fn peer() -> impl Strategy<Value = PeerId> {
    (0..PEERS).prop_map(id)
}

fn conn() -> impl Strategy<Value = ConnId> {
    (0..CONNS).prop_map(ConnId)
}

fn dial() -> impl Strategy<Value = DialId> {
    (1..40_u64).prop_map(DialId)
}

fn requirement() -> impl Strategy<Value = RequirementId> {
    (0..6_u8).prop_map(RequirementId)
}

fn route() -> impl Strategy<Value = multiaddr::Multiaddr> {
    prop_oneof![
        (1..30_u16).prop_map(|port| format!("/ip4/127.0.0.1/tcp/{port}/ws")),
        (0..4_u8, 0..4_u8).prop_map(|(a, b)| format!("/ip4/8.{a}.0.{b}/tcp/443/wss")),
        (0..4_u8).prop_map(|a| format!("/dns4/node{a}.example.org/tcp/443/wss")),
    ]
    .prop_map(|text| text.parse().expect("an address"))
}

fn enrollment() -> impl Strategy<Value = EnrollmentId> {
    (0..6_u64).prop_map(EnrollmentId)
}

fn lock() -> impl Strategy<Value = LockId> {
    (0..12_u64).prop_map(LockId)
}

fn bound() -> impl Strategy<Value = Option<Bound>> {
    prop_oneof![
        2 => Just(None),
        2 => (0..12_u16).prop_map(|count| Some(Bound::Count(count))),
        1 => (0..1_200_u16).prop_map(|share| Some(Bound::Permille(share))),
    ]
}

fn protocol() -> impl Strategy<Value = ProtocolSpec> {
    let classes = vec![Class::Critical, Class::Normal, Class::Opportunistic];
    (
        (
            0..4_u8,
            prop::sample::select(vec!["/lightpush/3", "/filter/2", "/chat/1"]),
        ),
        (prop::sample::select(classes), 0..20_u8, bound(), bound()),
        (
            prop::option::of((0..3_u8, 0..4_u8, 0..6_u8)),
            0..20_000_u64,
            any::<bool>(),
        ),
    )
        .prop_map(
            |((name, id), (class, weight, min, max), (wants, answer_ms, scores))| ProtocolSpec {
                name: format!("p{name}"),
                protocols: vec![id.to_owned()],
                class,
                weight,
                quota: Quota { min, max },
                need: wants.map(|(min, target, max)| need(min, target, max)),
                scores,
                answer_ms,
            },
        )
}

/// What protocols that enroll say.
fn protocol_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (enrollment(), protocol())
            .prop_map(|(enrollment, spec)| Event::Enroll { enrollment, spec }),
        1 => enrollment().prop_map(|enrollment| Event::AcceptOffer { enrollment }),
        1 => enrollment().prop_map(|enrollment| Event::Withdraw { enrollment }),
        6 => (lock(), enrollment(), peer(), 0..400_000_u64)
            .prop_map(|(lock, enrollment, peer, ttl_ms)| Event::Lock { lock, enrollment, peer, ttl_ms }),
        1 => (lock(), 0..400_000_u64).prop_map(|(lock, ttl_ms)| Event::ExtendLock { lock, ttl_ms }),
        1 => lock().prop_map(|lock| Event::Unlock { lock }),
        2 => (0..8_u64, enrollment(), 0..6_u8, 0..90_000_u64)
            .prop_map(|(burst, enrollment, slots, max_ms)| Event::OpenBurst {
                burst: BurstId(burst), enrollment, slots, max_ms,
            }),
        1 => (0..8_u64).prop_map(|burst| Event::CloseBurst { burst: BurstId(burst) }),
        1 => (enrollment(), prop::collection::vec((peer(), any::<i16>()), 0..4))
            .prop_map(|(enrollment, scores)| Event::Scores { round: 1, enrollment, scores }),
    ]
}

fn transport() -> impl Strategy<Value = Transport> {
    prop::sample::select(vec![Transport::Ws, Transport::Wss])
}

fn tag() -> impl Strategy<Value = String> {
    (0..20_u8).prop_map(|n| n.to_string())
}

fn sighting() -> impl Strategy<Value = Sighting> {
    (
        peer(),
        prop::collection::vec(route(), 0..4),
        prop::collection::vec(requirement(), 0..4),
    )
        .prop_map(|(peer, routes, claims)| Sighting {
            peer,
            routes,
            claims,
        })
}

fn event() -> impl Strategy<Value = Event> {
    let failures = DialFailure::ALL.to_vec();
    let outcomes = Outcome::ALL.to_vec();
    prop_oneof![
        2 => Just(Event::Start),
        1 => Just(Event::Stop),
        2 => Just(Event::Tick),
        1 => Just(Event::Online),
        1 => Just(Event::Offline),
        8 => (
            peer(),
            prop::collection::vec(route(), 0..4),
            prop::collection::vec(requirement(), 0..4),
            prop::sample::select(vec![Source::Dns, Source::PeerExchange, Source::Static]),
            prop::option::of(peer()),
        )
            .prop_map(|(peer, routes, claims, source, introducer)| Event::Discovered {
                peer, routes, claims, source, introducer,
            }),
        1 => (0..9_u32, any::<bool>(), any::<bool>())
            .prop_map(|(found, failed, answered)| Event::DnsFinished { found, failed, answered }),
        2 => (peer(), prop::collection::vec(sighting(), 0..9))
            .prop_map(|(peer, entries)| Event::Answered { peer, entries }),
        1 => (prop::option::of(0..20_u16), prop::option::of(0..20_u16))
            .prop_map(|(soft, hard)| Event::SetLimits { soft: soft.map(|g| g.min(16)), hard }),
        1 => (transport(), prop::option::of(0..4_u16))
            .prop_map(|(transport, max)| Event::SetMaxByTransport { transport, max }),
        2 => any::<bool>().prop_map(|hidden| Event::Visibility { hidden }),
        1 => Just(Event::Freeze),
        1 => Just(Event::Unfreeze),
        1 => any::<bool>().prop_map(|constrained| Event::NetworkChanged { constrained }),
        2 => (0..100_u64).prop_map(|used| Event::Memory { used, limit: 100 }),
        1 => (requirement(), 0..4_u8, 0..6_u8, 0..8_u8)
            .prop_map(|(requirement, min, target, max)| Event::SetNeed {
                requirement, need: need(min, target, max),
            }),
        1 => (peer(), prop::sample::select(vec![
                Priority::Banned, Priority::Low, Priority::Medium, Priority::High,
            ]))
            .prop_map(|(peer, priority)| Event::SetPriority { peer, priority }),
        2 => (peer(), prop::collection::vec(route(), 0..2), any::<bool>())
            .prop_map(|(peer, routes, permanent)| Event::ConnectNow { peer, routes, permanent }),
        1 => (peer(), route()).prop_map(|(peer, route)| Event::AddRoute { peer, route }),
        1 => (peer(), route()).prop_map(|(peer, route)| Event::RemoveRoute { peer, route }),
        1 => peer().prop_map(|peer| Event::Forget { peer }),
        1 => (peer(), tag()).prop_map(|(peer, tag)| Event::Protect { peer, tag }),
        1 => (peer(), tag()).prop_map(|(peer, tag)| Event::Unprotect { peer, tag }),
        1 => (peer(), tag(), any::<i16>(), prop::option::of(0..100_000_u64))
            .prop_map(|(peer, tag, value, ttl_ms)| Event::Hint { peer, tag, value, ttl_ms }),
        1 => peer().prop_map(|peer| Event::HangUp { peer }),
        4 => (conn(), peer(), any::<bool>(), route(), prop::option::of(dial()))
            .prop_map(|(conn, peer, out, route, dial)| Event::Connected {
                conn, peer, route, dial,
                direction: if out { Direction::Outbound } else { Direction::Inbound },
            }),
        4 => (conn(), prop::collection::vec(prop::sample::select(vec![
                "/lightpush/3", "/filter/2", "/store/3", "/peer-exchange/2", "/chat/1",
            ]), 0..4))
            .prop_map(|(conn, protocols)| Event::Identified {
                conn,
                protocols: protocols.into_iter().map(str::to_owned).collect(),
                agent: String::new(),
            }),
        4 => (conn(), prop::sample::select(vec![
                Metadata::Matched { shards: vec![] },
                Metadata::OtherShards { shards: vec![1] },
                Metadata::OtherNetwork,
                Metadata::Faulty,
                Metadata::Unsupported,
                Metadata::NotYet,
            ]))
            .prop_map(|(conn, metadata)| Event::Metadata { conn, metadata }),
        3 => (conn(), prop::sample::select(vec![
                CloseCause::Ordered, CloseCause::RemoteClean, CloseCause::Broken,
                CloseCause::TimedOut, CloseCause::IdentifyFailed,
            ]))
            .prop_map(|(conn, cause)| Event::Closed { conn, cause }),
        6 => (dial(), prop::sample::select(failures))
            .prop_map(|(dial, failure)| Event::DialFailed { dial, failure, answered: None }),
        2 => (conn(), 0..4_u32, prop_oneof![Just(0), 0..500_u32, any::<u32>()])
            .prop_map(|(conn, ping, rtt_ms)| Event::Pong { conn, ping, rtt_ms }),
        2 => (conn(), 0..4_u32).prop_map(|(conn, ping)| Event::PingFailed { conn, ping }),
        2 => (conn(), prop_oneof![Just(0), 0..60_000_u32, any::<u32>()])
            .prop_map(|(conn, silent_ms)| Event::Heard { conn, silent_ms }),
        2 => conn().prop_map(|conn| Event::Doubt { conn }),
        2 => peer().prop_map(|peer| Event::GaveUp { peer }),
        6 => protocol_event(),
        4 => (peer(), requirement(), prop::sample::select(outcomes), any::<bool>())
            .prop_map(|(peer, requirement, outcome, charged)| Event::Report {
                peer, requirement, outcome, charged,
            }),
    ]
}

/// A stream of events.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![
        3 => Just(0_u64),
        4 => 0..50_u64,
        3 => 0..5_000_u64,
        1 => 0..200_000_u64,
    ];
    let step = (wait, event()).prop_map(|(wait_ms, event)| Step { wait_ms, event });
    prop::collection::vec(step, 1..120)
}
