//! What holds whatever happens (5.1, 5.5).

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Bound, BurstId, Class, CloseCause, Command, ConnId, DialFailure, DialId, Direction,
    EnrollmentId, Event, GateQuery, LockAnswer, LockId, Manager, Metadata, Outcome, PeerState,
    Priority, ProtocolSpec, Quota, RequirementId, Source, Time, Transport,
};
use proptest::prelude::*;

use crate::world::{Order, World, config, id, need};

/// Names few enough that events meet.
const PEERS: usize = 12;
const CONNS: u64 = 24;

/// Enough for every run; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(96)
}

#[derive(Debug, Clone)]
struct Step {
    wait_ms: u64,
    event: Event,
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
        1 => (0..9_u32, any::<bool>()).prop_map(|(found, failed)| Event::DnsFinished { found, failed }),
        2 => (peer(), prop::option::of(0..9_u32))
            .prop_map(|(peer, found)| Event::PeerExchangeDone { peer, found }),
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
                Metadata::OtherNetwork,
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
            .prop_map(|(dial, failure)| Event::DialFailed { dial, failure }),
        2 => (conn(), prop_oneof![Just(0), 0..500_u32, any::<u32>()]).prop_map(|(conn, rtt_ms)| Event::Pong { conn, rtt_ms }),
        2 => conn().prop_map(|conn| Event::PingFailed { conn }),
        6 => protocol_event(),
        4 => (peer(), requirement(), prop::sample::select(outcomes))
            .prop_map(|(peer, requirement, outcome)| Event::Report { peer, requirement, outcome }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let wait = prop_oneof![
        3 => Just(0_u64),
        4 => 0..50_u64,
        3 => 0..5_000_u64,
        1 => 0..200_000_u64,
    ];
    let step = (wait, event()).prop_map(|(wait_ms, event)| Step { wait_ms, event });
    prop::collection::vec(step, 1..120)
}

/// Any moment, and often one at the end of time.
fn instant() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => any::<u64>(),
        1 => (0..100_000_u64).prop_map(|ms| u64::MAX - ms),
        2 => 0..100_000_u64,
    ]
}

/// What the commands alone say, and the invariants that they must keep.
#[derive(Default)]
struct Witness {
    dials: BTreeMap<DialId, PeerId>,
    at: Vec<u64>,
    requested: u64,
    seen: BTreeSet<ConnId>,
    foreign: usize,
    /// Whose locks hold.
    locks: BTreeMap<LockId, u64>,
    running: bool,
    offline: bool,
}

impl Witness {
    fn told(&mut self, event: &Event) {
        match event {
            Event::Start => self.running = true,
            Event::Stop => self.running = false,
            Event::Offline => self.offline = true,
            Event::Online => self.offline = false,
            Event::ConnectNow { .. } => self.requested += 1,
            Event::Connected {
                conn, peer, dial, ..
            } if self.seen.insert(*conn) => {
                let ordered = dial.and_then(|dial| self.dials.get(&dial)) == Some(peer);
                self.foreign += usize::from(!ordered);
            }
            _ => {}
        }
    }

    /// A lock is granted, and ends, once (S6).
    fn locked(&mut self, lock: LockId, answer: LockAnswer) {
        match answer {
            LockAnswer::Granted { .. } => *self.locks.entry(lock).or_default() += 1,
            LockAnswer::Denied(_) => {}
            LockAnswer::Revoked { .. } | LockAnswer::Ended => {
                let held = self.locks.remove(&lock);
                assert!(held.is_some(), "a lock ends exactly once (S6)");
            }
        }
    }

    fn ordered(&mut self, now: u64, command: &Command, manager: &Manager) {
        if let Command::Lock { lock, answer } = command {
            self.locked(*lock, *answer);
        }
        let Command::Dial { dial, peer, .. } = command else {
            return;
        };
        assert!(self.running, "no dial while stopped (S2)");
        assert_ne!(*peer, id(9_999), "no dial to ourselves (S2)");
        let view = manager.peer(peer).expect("only known peers are dialed");
        assert_ne!(
            view.priority,
            Priority::Banned,
            "no dial to a banned peer (S2)"
        );
        assert!(self.dials.insert(*dial, *peer).is_none(), "ids are fresh");
        self.at.push(now);
        // S10: the bucket, in every window that ends now.
        for (i, from) in self.at.iter().enumerate() {
            let within = (self.at.len() - i) as u64;
            let most = 8 + (now - from) * 2 / 1_000 + 1 + 2 * self.requested.min(1);
            assert!(within <= most, "{within} dials in {} ms (S10)", now - from);
        }
    }
}

fn play(seed: u8, steps: &[Step], extra_ticks: bool) -> Vec<Order> {
    let start = Time {
        mono_ms: 1_000,
        wall_ms: 1_000_000,
    };
    let mut manager = Manager::new(config(true), [seed; 32], start);
    let mut witness = Witness::default();
    let mut orders = Vec::new();
    let mut now = 1_000;
    let mut tell = |now: u64, event: Event| {
        let time = Time {
            mono_ms: now,
            wall_ms: 999_000 + now,
        };
        witness.told(&event);
        manager.handle(time, event);
        manager.check();
        while let Some(command) = manager.poll() {
            witness.ordered(now, &command, &manager);
            if witness.offline {
                assert!(
                    !matches!(command, Command::Dial { .. }),
                    "no dial while offline (S2)"
                );
            }
            orders.push(Order { at: now, command });
        }
        let stats = manager.stats();
        let foreign = witness.foreign as u32;
        assert!(
            stats.open + stats.dialing <= 20 + foreign,
            "open + fly <= H (S1)"
        );
        manager.next_deadline()
    };
    for step in steps {
        let end = now + step.wait_ms;
        let mut due = tell(now, Event::Tick);
        while let Some(at) = due.filter(|at| *at <= end) {
            if extra_ticks && at > now + 1 {
                tell(now + (at - now) / 2, Event::Tick);
            }
            now = now.max(at);
            due = tell(now, Event::Tick);
        }
        if extra_ticks && end > now {
            tell(now + (end - now) / 2, Event::Tick);
        }
        now = end;
        tell(now, step.event.clone());
    }
    orders
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_of_events_keeps_the_invariants(seed in any::<u8>(), steps in steps()) {
        play(seed, &steps, false);
    }

    #[test]
    fn the_same_seed_and_events_give_the_same_orders_with_or_without_extra_ticks(
        seed in any::<u8>(),
        steps in steps(),
    ) {
        let orders = play(seed, &steps, false);
        prop_assert_eq!(&orders, &play(seed, &steps, false));
        prop_assert_eq!(&orders, &play(seed, &steps, true));
    }

    #[test]
    fn no_clock_makes_it_panic(
        seed in any::<u8>(),
        steps in steps(),
        times in prop::collection::vec((instant(), instant()), 1..120),
    ) {
        let start = Time { mono_ms: 0, wall_ms: 0 };
        let mut manager = Manager::new(config(true), [seed; 32], start);
        for (step, (mono_ms, wall_ms)) in steps.into_iter().zip(times) {
            let time = Time { mono_ms, wall_ms };
            manager.handle(time, step.event);
            let _ = manager.gate(time, GateQuery::Outbound { peer: None });
            manager.check();
            manager.peers();
            manager.requirements();
            manager.health();
        }
    }
}

/// Something that happens to a fleet.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Stop(usize),
    Start(usize),
    Lose(usize),
    Mute(usize),
    Report(usize, RequirementId, Outcome),
    HangUp(usize),
    Offline,
    Online,
    Restart,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let node = 0..8_usize;
    // Faults are left out: whoever is banned is rightly not tried again for long.
    let outcomes = vec![
        Outcome::Success,
        Outcome::Broken,
        Outcome::Busy,
        Outcome::Unable,
        Outcome::Lost,
        Outcome::Ours,
    ];
    prop_oneof![
        4 => node.clone().prop_map(Trouble::Stop),
        3 => node.clone().prop_map(Trouble::Start),
        3 => node.clone().prop_map(Trouble::Lose),
        1 => node.clone().prop_map(Trouble::Mute),
        6 => (node.clone(), 0..3_u8, prop::sample::select(outcomes))
            .prop_map(|(node, id, outcome)| Trouble::Report(node, RequirementId(id), outcome)),
        1 => node.prop_map(Trouble::HangUp),
        1 => Just(Trouble::Offline),
        1 => Just(Trouble::Online),
        1 => Just(Trouble::Restart),
    ]
}

fn befall(world: &mut World, trouble: Trouble) {
    match trouble {
        Trouble::Stop(place) => world.stop_node(place),
        Trouble::Start(place) => world.start_node(place),
        Trouble::Lose(place) => world.lose(place, CloseCause::Broken),
        Trouble::Mute(place) => world.nodes[place].answers_pings = false,
        Trouble::Report(place, requirement, outcome) => world.report(place, requirement, outcome),
        Trouble::HangUp(place) => world.hang_up(place),
        Trouble::Offline => world.tell(Event::Offline),
        Trouble::Online => world.tell(Event::Online),
        Trouble::Restart => {
            world.tell(Event::Stop);
            world.tell(Event::Start);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases() / 2,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_befell_a_fleet_once_it_is_well_the_node_is_met_again(
        seed in any::<u8>(),
        troubles in prop::collection::vec((0..60_000_u64, trouble()), 1..40),
    ) {
        let (mut world, fleet) = World::fleet_with(seed);
        world.start();
        for (wait_ms, trouble) in troubles {
            world.run(wait_ms);
            befall(&mut world, trouble);
        }
        for place in fleet.everybody() {
            world.start_node(place);
            world.nodes[place].answers_pings = true;
        }
        // A restart lifts the user's own hang-ups.
        world.tell(Event::Online);
        world.tell(Event::Stop);
        world.tell(Event::Start);
        let mark = world.mark();
        world.run(60_000);
        // The rests of those who were busy or unable last longest.
        for _ in 0..70 {
            if world.health() == lightkeeper::manager::Health::Met {
                break;
            }
            world.run(60_000);
        }
        prop_assert_eq!(world.health(), lightkeeper::manager::Health::Met);
        prop_assert!(world.dialed_since(mark).len() < 200);
        let mark = world.mark();
        world.run(600_000);
        prop_assert_eq!(world.health(), lightkeeper::manager::Health::Met);
        // Quiet again (E1): hand-offs may dial once for each bootstrap peer, and one may replace two.
        prop_assert!(world.dialed_since(mark).len() <= 3, "{:?}", world.dials_since(mark));
    }
}

#[test]
fn a_shift_of_the_monotonic_clock_changes_nothing() {
    let steps = |from: u64| {
        let time = |ms: u64| Time {
            mono_ms: from + ms,
            wall_ms: 5_000 + ms,
        };
        let mut manager = Manager::new(config(true), [3; 32], time(0));
        let mut orders = Vec::new();
        for place in 0..8 {
            manager.handle(
                time(0),
                Event::Discovered {
                    peer: id(place),
                    routes: vec![
                        format!("/ip4/127.0.0.1/tcp/{}/ws", 100 + place)
                            .parse()
                            .expect("an address"),
                    ],
                    claims: vec![RequirementId(0)],
                    source: if place < 4 {
                        Source::Dns
                    } else {
                        Source::PeerExchange
                    },
                    introducer: None,
                },
            );
        }
        manager.handle(time(0), Event::Start);
        let mut ms = 0;
        for _ in 0..200 {
            while let Some(command) = manager.poll() {
                orders.push((ms, command));
            }
            let Some(due) = manager.next_deadline() else {
                break;
            };
            ms = ms.max(due - from);
            manager.handle(time(ms), Event::Tick);
        }
        orders
    };
    assert_eq!(steps(0), steps(1_000_000_007));
}

#[test]
fn a_clock_that_goes_backwards_is_held_at_its_last_value() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(100_000);
    let mark = world.mark();
    for back in [1, 1_000, 99_999] {
        let time = Time {
            mono_ms: 100_000 - back,
            wall_ms: 1,
        };
        world.manager.handle(time, Event::Tick);
    }
    assert!(world.manager.poll().is_none());
    assert_eq!(world.mark(), mark);
}

#[test]
fn a_banned_peer_is_never_shown_as_anything_else_while_it_is_not_connected() {
    let mut world = World::offline_trees();
    let place = world.node(&[]);
    world.set_priority(place, Priority::Banned);
    world.start();
    world.run(1_000);
    assert_eq!(world.view(place).state, PeerState::Banned);
}
