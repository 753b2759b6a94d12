//! What holds whatever happens (5.1, 5.5).

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    CloseCause, Command, ConnId, DialId, DialWhy, Event, GateQuery, HealthReason, LockAnswer,
    LockId, Manager, Outcome, PeerState, Priority, RequirementId, Source, Time,
};
use proptest::prelude::*;

use crate::streams::{Step, steps};
use crate::world::{Order, World, config, id};

/// Enough for every run; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let wanted = std::env::var("PROPTEST_CASES").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(96)
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
}

impl Witness {
    fn told(&mut self, event: &Event) {
        match event {
            Event::Start => self.running = true,
            Event::Stop => self.running = false,
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
        let is_offline = |manager: &Manager| manager.health().1 == HealthReason::Offline;
        let before = is_offline(&manager);
        manager.handle(time, event);
        manager.check();
        // What is due comes before the event: only who was taken to be offline all the while may dial nobody.
        let offline = before && is_offline(&manager);
        while let Some(command) = manager.poll() {
            witness.ordered(now, &command, &manager);
            if offline && let Command::Dial { why, .. } = command {
                assert!(
                    matches!(why, DialWhy::Probe | DialWhy::Requested | DialWhy::Sync),
                    "no dial for what needs a network while offline (S2)"
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
