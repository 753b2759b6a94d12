//! Any input, over names that are few enough for inputs to meet.

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Bound, BurstId, Class, CloseCause, ConnId, DialFailure, DialId, Direction, EnrollmentId, Event,
    GateQuery, LockId, Metadata, Need, Outcome, Priority, ProtocolSpec, Quota, RequirementId,
    Sighting, Source, Transport,
};
use multiaddr::Multiaddr;
use proptest::prelude::*;
use proptest::strategy::Union;

use crate::world::id;

macro_rules! kinds {
    ($($name:ident)+) => {
        /// The names of all inputs.
        pub(crate) const KINDS: &[&str] = &[$(stringify!($name)),+];
        /// Which of them it is. A new one does not compile until [`every`] has been told of it.
        pub(crate) fn kind(event: &Event) -> &'static str {
            match event { $(Event::$name { .. } => stringify!($name)),+ }
        }
    };
}

kinds! {
    Start Stop Tick Discovered DnsFinished Answered SetNeed SetPriority ConnectNow HangUp GaveUp Heard Doubt AddRoute RemoveRoute
    Forget Protect Unprotect Hint Enroll AcceptOffer Withdraw Lock ExtendLock Unlock OpenBurst CloseBurst Scores Pause
    Unpause StartSync StopSync SetLimits SetMaxByTransport SetLifetime Regulate Visibility Freeze Unfreeze Woke NetworkChanged
    Memory Connected Identified Metadata Closed DialFailed Pong PingFailed Report Online Offline
}

fn peer() -> impl Strategy<Value = PeerId> {
    (0..12_usize).prop_map(id)
}

fn route() -> impl Strategy<Value = Multiaddr> {
    prop_oneof![
        (1..30_u16).prop_map(|port| format!("/ip4/127.0.0.1/tcp/{port}/ws")),
        (0..4_u8, 0..4_u8).prop_map(|(a, b)| format!("/ip4/8.{a}.0.{b}/tcp/443/wss")),
        (0..4_u8).prop_map(|a| format!("/dns4/node{a}.example.org/tcp/443/wss")),
        Just(String::new()),
    ]
    .prop_map(|text| text.parse().expect("an address"))
}

fn routes() -> impl Strategy<Value = Vec<Multiaddr>> {
    prop::collection::vec(route(), 0..4)
}

fn conn() -> impl Strategy<Value = ConnId> {
    (0..24_u64).prop_map(ConnId)
}

fn dial() -> impl Strategy<Value = DialId> {
    (1..40_u64).prop_map(DialId)
}

fn sighting() -> impl Strategy<Value = Sighting> {
    (peer(), routes(), prop::collection::vec(requirement(), 0..4)).prop_map(
        |(peer, routes, claims)| Sighting {
            peer,
            routes,
            claims,
        },
    )
}

fn requirement() -> impl Strategy<Value = RequirementId> {
    (0..5_u8).prop_map(RequirementId)
}

fn enrollment() -> impl Strategy<Value = EnrollmentId> {
    (0..4_u64).prop_map(EnrollmentId)
}

fn lock() -> impl Strategy<Value = LockId> {
    (0..8_u64).prop_map(LockId)
}

fn burst() -> impl Strategy<Value = BurstId> {
    (0..4_u64).prop_map(BurstId)
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "b", "lightPush", "größer"]).prop_map(str::to_owned)
}

fn protocols() -> impl Strategy<Value = Vec<String>> {
    let known = vec![
        "/lightpush/3",
        "/filter/2",
        "/store/3",
        "/peer-exchange/2",
        "/chat/1",
    ];
    prop::collection::vec(prop::sample::select(known).prop_map(str::to_owned), 0..5)
}

fn need() -> impl Strategy<Value = Need> {
    (0..4_u8, 0..6_u8, 0..8_u8).prop_map(|(min, target, max)| Need { min, target, max })
}

/// Times in milliseconds: short ones that pass, long ones, and the end of time.
fn ms() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 0..10_000_u64, 2 => 0..100_000_000_u64, 1 => Just(u64::MAX)]
}

fn bound() -> impl Strategy<Value = Option<Bound>> {
    prop::option::of(prop_oneof![
        (0..20_u16).prop_map(Bound::Count),
        (0..1_200_u16).prop_map(Bound::Permille),
    ])
}

fn spec() -> impl Strategy<Value = ProtocolSpec> {
    let classes = vec![Class::Opportunistic, Class::Normal, Class::Critical];
    let what = (name(), protocols(), prop::sample::select(classes), 0..20_u8);
    let how = (
        bound(),
        bound(),
        prop::option::of(need()),
        any::<bool>(),
        ms(),
    );
    (what, how).prop_map(|(what, how)| {
        let (name, protocols, class, weight) = what;
        let (min, max, need, scores, answer_ms) = how;
        ProtocolSpec {
            name,
            protocols,
            class,
            weight,
            quota: Quota { min, max },
            need,
            scores,
            answer_ms,
        }
    })
}

fn transport() -> impl Strategy<Value = Transport> {
    prop::sample::select(vec![
        Transport::Ws,
        Transport::Wss,
        Transport::WebTransport,
        Transport::WebRtcDirect,
        Transport::Circuit,
        Transport::Other,
    ])
}

fn what_is_known() -> Vec<BoxedStrategy<Event>> {
    let sources = vec![
        Source::Dns,
        Source::PeerExchange,
        Source::Static,
        Source::Foreign,
        Source::Saved,
    ];
    let priorities = vec![
        Priority::Banned,
        Priority::Low,
        Priority::Medium,
        Priority::High,
    ];
    vec![
        (
            peer(),
            routes(),
            prop::collection::vec(requirement(), 0..4),
            prop::sample::select(sources),
            prop::option::of(peer()),
        )
            .prop_map(
                |(peer, routes, claims, source, introducer)| Event::Discovered {
                    peer,
                    routes,
                    claims,
                    source,
                    introducer,
                },
            )
            .boxed(),
        (any::<u32>(), any::<bool>(), any::<bool>())
            .prop_map(|(found, failed, answered)| Event::DnsFinished {
                found,
                failed,
                answered,
            })
            .boxed(),
        (peer(), prop::collection::vec(sighting(), 0..3))
            .prop_map(|(peer, entries)| Event::Answered { peer, entries })
            .boxed(),
        (peer(), prop::sample::select(priorities))
            .prop_map(|(peer, priority)| Event::SetPriority { peer, priority })
            .boxed(),
        (peer(), routes(), any::<bool>())
            .prop_map(|(peer, routes, permanent)| Event::ConnectNow {
                peer,
                routes,
                permanent,
            })
            .boxed(),
        peer().prop_map(|peer| Event::HangUp { peer }).boxed(),
        (peer(), route())
            .prop_map(|(peer, route)| Event::AddRoute { peer, route })
            .boxed(),
        (peer(), route())
            .prop_map(|(peer, route)| Event::RemoveRoute { peer, route })
            .boxed(),
        peer().prop_map(|peer| Event::Forget { peer }).boxed(),
        (peer(), name())
            .prop_map(|(peer, tag)| Event::Protect { peer, tag })
            .boxed(),
        (peer(), name())
            .prop_map(|(peer, tag)| Event::Unprotect { peer, tag })
            .boxed(),
        (peer(), name(), any::<i16>(), prop::option::of(ms()))
            .prop_map(|(peer, tag, value, ttl_ms)| Event::Hint {
                peer,
                tag,
                value,
                ttl_ms,
            })
            .boxed(),
    ]
}

fn protocols_ask() -> Vec<BoxedStrategy<Event>> {
    let outcomes = Outcome::ALL.to_vec();
    vec![
        (enrollment(), spec())
            .prop_map(|(enrollment, spec)| Event::Enroll { enrollment, spec })
            .boxed(),
        enrollment()
            .prop_map(|enrollment| Event::AcceptOffer { enrollment })
            .boxed(),
        enrollment()
            .prop_map(|enrollment| Event::Withdraw { enrollment })
            .boxed(),
        (lock(), enrollment(), peer(), ms())
            .prop_map(|(lock, enrollment, peer, ttl_ms)| Event::Lock {
                lock,
                enrollment,
                peer,
                ttl_ms,
            })
            .boxed(),
        (lock(), ms())
            .prop_map(|(lock, ttl_ms)| Event::ExtendLock { lock, ttl_ms })
            .boxed(),
        lock().prop_map(|lock| Event::Unlock { lock }).boxed(),
        (burst(), enrollment(), any::<u8>(), ms())
            .prop_map(|(burst, enrollment, slots, max_ms)| Event::OpenBurst {
                burst,
                enrollment,
                slots,
                max_ms,
            })
            .boxed(),
        burst()
            .prop_map(|burst| Event::CloseBurst { burst })
            .boxed(),
        (
            0..6_u64,
            enrollment(),
            prop::collection::vec((peer(), any::<i16>()), 0..6),
        )
            .prop_map(|(round, enrollment, scores)| Event::Scores {
                round,
                enrollment,
                scores,
            })
            .boxed(),
        (requirement(), need())
            .prop_map(|(requirement, need)| Event::SetNeed { requirement, need })
            .boxed(),
        (
            peer(),
            requirement(),
            prop::sample::select(outcomes),
            any::<bool>(),
        )
            .prop_map(|(peer, requirement, outcome, charged)| Event::Report {
                peer,
                requirement,
                outcome,
                charged,
            })
            .boxed(),
    ]
}

fn modes_and_environment() -> Vec<BoxedStrategy<Event>> {
    let limit = || prop::option::of(0..40_u16);
    let plain = [
        Event::Start,
        Event::Stop,
        Event::Tick,
        Event::Pause,
        Event::Unpause,
        Event::StopSync,
        Event::Regulate,
        Event::Freeze,
        Event::Unfreeze,
        Event::Woke,
        Event::Online,
        Event::Offline,
    ];
    let mut all: Vec<BoxedStrategy<Event>> =
        plain.into_iter().map(|event| Just(event).boxed()).collect();
    all.extend([
        prop::option::of(peer())
            .prop_map(|peer| Event::StartSync { peer })
            .boxed(),
        (limit(), limit())
            .prop_map(|(soft, hard)| Event::SetLimits { soft, hard })
            .boxed(),
        (transport(), limit())
            .prop_map(|(transport, max)| Event::SetMaxByTransport { transport, max })
            .boxed(),
        prop::option::of(ms())
            .prop_map(|ms| Event::SetLifetime { ms })
            .boxed(),
        any::<bool>()
            .prop_map(|hidden| Event::Visibility { hidden })
            .boxed(),
        any::<bool>()
            .prop_map(|constrained| Event::NetworkChanged { constrained })
            .boxed(),
        (0..110_u64, Just(100_u64))
            .prop_map(|(used, limit)| Event::Memory { used, limit })
            .boxed(),
    ]);
    all
}

fn connections() -> Vec<BoxedStrategy<Event>> {
    let causes = vec![
        CloseCause::Ordered,
        CloseCause::RemoteClean,
        CloseCause::Broken,
        CloseCause::TimedOut,
        CloseCause::IdentifyFailed,
    ];
    let metadata = prop_oneof![
        prop::collection::vec(any::<u16>(), 0..3).prop_map(|shards| Metadata::Matched { shards }),
        prop::collection::vec(any::<u16>(), 0..3)
            .prop_map(|shards| Metadata::OtherShards { shards }),
        Just(Metadata::OtherNetwork),
        Just(Metadata::Faulty),
        Just(Metadata::Unsupported),
        Just(Metadata::NotYet),
    ];
    let directions = vec![Direction::Outbound, Direction::Inbound];
    vec![
        (
            conn(),
            peer(),
            prop::sample::select(directions),
            route(),
            prop::option::of(dial()),
        )
            .prop_map(|(conn, peer, direction, route, dial)| Event::Connected {
                conn,
                peer,
                direction,
                route,
                dial,
            })
            .boxed(),
        (conn(), protocols(), name())
            .prop_map(|(conn, protocols, agent)| Event::Identified {
                conn,
                protocols,
                agent,
            })
            .boxed(),
        (conn(), metadata)
            .prop_map(|(conn, metadata)| Event::Metadata { conn, metadata })
            .boxed(),
        (conn(), prop::sample::select(causes))
            .prop_map(|(conn, cause)| Event::Closed { conn, cause })
            .boxed(),
        (dial(), prop::sample::select(DialFailure::ALL.to_vec()))
            .prop_map(|(dial, failure)| Event::DialFailed {
                dial,
                failure,
                answered: None,
            })
            .boxed(),
        (conn(), any::<u32>(), any::<u32>())
            .prop_map(|(conn, ping, rtt_ms)| Event::Pong { conn, ping, rtt_ms })
            .boxed(),
        (conn(), any::<u32>())
            .prop_map(|(conn, ping)| Event::PingFailed { conn, ping })
            .boxed(),
        (conn(), any::<u32>())
            .prop_map(|(conn, silent_ms)| Event::Heard { conn, silent_ms })
            .boxed(),
        conn().prop_map(|conn| Event::Doubt { conn }).boxed(),
        peer().prop_map(|peer| Event::GaveUp { peer }).boxed(),
    ]
}

/// One strategy for each input.
pub(crate) fn every() -> Vec<BoxedStrategy<Event>> {
    let mut all = what_is_known();
    all.extend(protocols_ask());
    all.extend(modes_and_environment());
    all.extend(connections());
    all
}

/// Any input.
pub(crate) fn event() -> impl Strategy<Value = Event> {
    Union::new(every())
}

/// Any question at the gate.
pub(crate) fn query() -> impl Strategy<Value = GateQuery> {
    (any::<bool>(), prop::option::of(peer())).prop_map(|(inbound, peer)| {
        if inbound {
            GateQuery::Inbound { peer }
        } else {
            GateQuery::Outbound { peer }
        }
    })
}
