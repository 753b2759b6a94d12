//! Rounds of regulation: what goes when there is too much (4.13).

use lightkeeper::manager::{
    Bound, CloseCause, Command, Config, ConnId, EnrollmentId, Event, Guard, Health, Notice,
    Outcome, PeerState, Priority, ProtocolSpec, Quota, Reason, RequirementId, Source, Trigger,
    What,
};

use crate::enrollment::spec;
use crate::world::{ALL, FILTER, LIGHT_PUSH, STORE, World, config, need};

const CHAT: &str = "/chat/1";
const FIRST: EnrollmentId = EnrollmentId(1);

/// Few connections are wanted, and many may come.
fn few(soft: u16, hard: u16) -> Config {
    let mut config = config(false);
    config.soft_connections = soft;
    config.hard_connections = hard;
    // Rounds alone decide here.
    config.lean_after_ms = 0;
    config
}

/// The same, and new connections are not left alone.
fn at_once(soft: u16) -> Config {
    let mut config = few(soft, 20);
    config.grace_connect_ms = 0;
    config
}

/// That many foreign connections to peers that serve this, all of them surplus but two.
fn crowd(config: Config, serves: &[RequirementId], count: usize) -> World {
    let mut world = World::with(config, 1);
    world.set_need(FILTER, need(0, 0, 40));
    world.set_need(STORE, need(0, 0, 40));
    world.set_need(LIGHT_PUSH, need(1, 2, 40));
    world.start();
    for _ in 0..count {
        let place = world.node(serves);
        world.connects_by_itself(place);
    }
    world
}

fn open(world: &World) -> u32 {
    world.manager.stats().open
}

impl World {
    pub(crate) fn decided(&self) -> Vec<What> {
        let decisions = self.manager.decisions(usize::MAX).into_iter();
        decisions.map(|decision| decision.what).collect()
    }

    /// Rounds so far: what began each, and how much it closed.
    pub(crate) fn rounds(&self) -> Vec<(Trigger, u16)> {
        let decided = self.decided().into_iter();
        decided
            .filter_map(|what| match what {
                What::Regulated {
                    trigger, closed, ..
                } => Some((trigger, closed)),
                _ => None,
            })
            .collect()
    }

    fn overcommitted(&self) -> Option<Vec<(Guard, u16)>> {
        let decided = self.decided().into_iter().rev();
        decided.into_iter().find_map(|what| match what {
            What::Overcommitted { held_by } => Some(held_by),
            _ => None,
        })
    }

    /// When each connection was closed since a mark.
    pub(crate) fn close_times(&self, mark: usize) -> Vec<u64> {
        let orders = self.orders[mark..].iter();
        orders
            .filter(|order| matches!(order.command, Command::Close { .. } | Command::Drain { .. }))
            .map(|order| order.at)
            .collect()
    }
}

#[test]
fn more_than_the_soft_target_is_closed_a_quarter_at_a_time_and_a_second_apart() {
    let mut world = crowd(few(8, 20), &[LIGHT_PUSH], 14);
    world.run(1_900);
    assert_eq!(world.closes_since(0), []);
    world.run(60_000);
    assert_eq!(world.closes_since(0), [Reason::OverLimit; 6]);
    assert_eq!(
        world.close_times(0),
        [2_000, 2_000, 3_000, 3_000, 4_000, 4_000]
    );
    assert_eq!(open(&world), 8);
    assert_eq!(world.health(), Health::Met);
    // And that was all: no timer runs while there is nothing to do.
    let rounds = world.manager.stats().rounds;
    world.run(3_600_000);
    assert_eq!(world.manager.stats().rounds, rounds);
}

#[test]
fn a_moment_above_the_soft_target_closes_nobody() {
    let mut world = crowd(few(8, 20), &[LIGHT_PUSH], 9);
    world.run(1_500);
    world.lose(0, CloseCause::Broken);
    world.run(60_000);
    assert_eq!(world.closes_since(0), []);
}

#[test]
fn whoever_is_pruned_is_told_before_and_may_end_its_requests() {
    let mut world = crowd(at_once(4), &[LIGHT_PUSH], 5);
    world.run(60_000);
    let about: Vec<&Command> = world
        .orders
        .iter()
        .map(|order| &order.command)
        .filter(|command| {
            matches!(
                command,
                Command::Drain { .. }
                    | Command::Close { .. }
                    | Command::Notify(Notice::Pruned { .. } | Notice::Disconnected { .. })
            )
        })
        .collect();
    assert!(
        matches!(
            about[..],
            [
                Command::Notify(Notice::Pruned {
                    reason: Reason::OverLimit,
                    ..
                }),
                Command::Drain {
                    deadline_ms: 3_000,
                    ..
                },
                Command::Notify(Notice::Disconnected {
                    reason: Reason::OverLimit,
                    ..
                }),
            ]
        ),
        "{about:?}"
    );
}

#[test]
fn whoever_served_most_is_kept() {
    let mut world = crowd(at_once(4), &[LIGHT_PUSH], 8);
    world.run(1_000);
    for place in [0, 1, 3, 5] {
        for _ in 0..5 {
            world.report(place, LIGHT_PUSH, Outcome::Success);
        }
    }
    world.run(60_000);
    let kept: Vec<usize> = (0..8).filter(|place| world.connected(*place)).collect();
    assert_eq!(kept, [0, 1, 3, 5]);
}

#[test]
fn what_nobody_uses_goes_before_what_serves() {
    let mut world = crowd(at_once(6), &[LIGHT_PUSH], 6);
    let useless = [world.node(&[]), world.node(&[])];
    for place in useless {
        world.connects_by_itself(place);
    }
    world.run(20_000);
    assert_eq!(world.closes_since(0), [Reason::Idle, Reason::Idle]);
    assert!(useless.iter().all(|place| !world.connected(*place)));
}

#[test]
fn when_guards_leave_nothing_that_is_told_and_not_tried_all_the_time() {
    let mut world = World::with(few(2, 20), 1);
    for id in ALL {
        world.set_need(id, need(1, 1, 2));
    }
    world.start();
    for id in ALL {
        let place = world.node(&[id]);
        world.connects_by_itself(place);
    }
    world.run(60_000);
    assert_eq!(world.closes_since(0), []);
    assert_eq!(world.overcommitted(), Some(vec![(Guard::Minimum, 3)]));
    let rounds = world.manager.stats().rounds;
    world.run(600_000);
    let more = world.manager.stats().rounds - rounds;
    assert!(
        (15..=45).contains(&more),
        "about every half a minute: {more}"
    );
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_pruned_peer_is_not_dialed_for_a_minute_unless_a_minimum_is_violated() {
    let mut world = crowd(few(2, 20), &[LIGHT_PUSH], 3);
    world.run(20_000);
    let pruned = (0..3).find(|place| !world.connected(*place));
    let pruned = pruned.expect("one had to go");
    assert_eq!(world.view(pruned).state, PeerState::Cooling);
    // Below the target it waits.
    let others: Vec<usize> = (0..3).filter(|place| *place != pruned).collect();
    world.stop_node(others[0]);
    world.run(5_000);
    assert!(!world.dialed().contains(&pruned));
    // Below the minimum it does not.
    world.stop_node(others[1]);
    world.run(5_000);
    assert!(world.connected(pruned));
}

#[test]
fn each_further_prune_waits_twice_as_long() {
    let mut world = crowd(at_once(4), &[LIGHT_PUSH], 4);
    for place in 0..4 {
        world.set_priority(place, Priority::High);
    }
    world.run(70_000);
    let victim = world.node(&[LIGHT_PUSH]);
    let mut waits = Vec::new();
    for _ in 0..3 {
        world.connects_by_itself(victim);
        world.run(20_000);
        assert!(!world.connected(victim));
        let next = world.view(victim).next_try_at_wall_ms.expect("it cools");
        let told = world.notices_since(0).into_iter().rev();
        let left = told.into_iter().find_map(|(at, notice)| match notice {
            Notice::Disconnected { .. } => Some(at),
            _ => None,
        });
        let left = left.expect("it was told");
        waits.push(next - (world.time().wall_ms - (world.now - left)));
    }
    assert_eq!(waits, [60_000, 120_000, 240_000]);
}

/// As many as there may be speak a protocol of the application's, and nothing else is wanted.
fn full_of_talkers() -> World {
    let mut world = World::with(few(8, 20), 1);
    for _ in 0..8 {
        let place = world.node(&[]);
        world.nodes[place].speaks = vec![CHAT.to_owned()];
        world.named(place);
    }
    for id in ALL {
        world.set_need(id, need(0, 0, 2));
    }
    world.start();
    world
}

/// The application has all of the room, until a store is needed: it gives one of its connections, and no more.
fn makes_room_for_a_store(world: &mut World) -> usize {
    assert_eq!(open(world), 8);
    let store = world.node(&[STORE]);
    world.discovered(store, Source::PeerExchange);
    let mark = world.mark();
    world.set_need(STORE, need(1, 1, 2));
    world.run(10_000);
    assert!(world.connected(store));
    assert_eq!(world.closes_since(mark), [Reason::OverQuota]);
    store
}

#[test]
fn the_protocol_that_exceeds_its_share_pays_for_what_is_missing() {
    let mut world = full_of_talkers();
    let quota = Quota {
        min: None,
        max: Some(Bound::Count(2)),
    };
    let chat = spec("chat", Some(need(1, 8, 8)));
    world.enroll(FIRST, ProtocolSpec { quota, ..chat });
    world.run(60_000);
    // What is idle may be borrowed.
    makes_room_for_a_store(&mut world);
    assert_eq!(open(&world), 8);
    // Nobody goes round in circles.
    let mark = world.mark();
    world.run(600_000);
    assert_eq!(world.closes_since(mark), []);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
}

/// A6: nobody can call more its minimum than it was granted.
#[test]
fn a_guest_above_its_share_pays_with_what_it_calls_its_minimum() {
    let mut world = full_of_talkers();
    world.enroll(FIRST, spec("chat", Some(need(8, 8, 8))));
    world.run(60_000);
    let store = makes_room_for_a_store(&mut world);
    // Nor does it hold up a lower cap: down to what was granted it gives way.
    let limits = |hard| Event::SetLimits {
        soft: Some(hard),
        hard: Some(hard),
    };
    world.tell(limits(4));
    world.run(30_000);
    assert_eq!(open(&world), 4);
    assert!(world.connected(store));
}

#[test]
fn no_room_is_made_for_what_nobody_could_serve() {
    let mut world = crowd(few(4, 20), &[LIGHT_PUSH], 4);
    world.run(60_000);
    let mark = world.mark();
    world.set_need(STORE, need(1, 1, 2));
    world.run(60_000);
    assert_eq!(world.closes_since(mark), []);
}

#[test]
fn a_manual_round_asks_protocols_for_scores_and_closes_nothing_without_need() {
    let mut world = crowd(few(8, 20), &[LIGHT_PUSH], 3);
    let scored = ProtocolSpec {
        scores: true,
        ..spec("chat", None)
    };
    world.enroll(FIRST, scored);
    world.run(60_000);
    let mark = world.mark();
    world.tell(Event::Regulate);
    let asked = |order: &Command| matches!(order, Command::RequestScores { peers, deadline_ms: 250, .. } if peers.len() == 3);
    assert_eq!(world.count(mark, asked), 1);
    assert_eq!(world.rounds(), [(Trigger::Manual, 0)]);
    assert_eq!(world.closes_since(0), []);
}

#[test]
fn what_a_protocol_says_of_its_connections_decides_who_goes() {
    let mut world = crowd(few(4, 20), &[LIGHT_PUSH], 4);
    let scored = ProtocolSpec {
        scores: true,
        ..spec("chat", None)
    };
    world.enroll(FIRST, scored);
    world.run(60_000);
    world.tell(Event::Regulate);
    let scores = (0..4)
        .map(|place| (world.nodes[place].id, if place == 2 { 0 } else { 900 }))
        .collect();
    world.tell(Event::Scores {
        round: 1,
        enrollment: FIRST,
        scores,
    });
    let newcomer = world.node(&[LIGHT_PUSH]);
    world.nodes[newcomer].answers_pings = true;
    world.connects_by_itself(newcomer);
    world.run(3_000);
    // The newcomer is new; of the others the one that nobody praises goes.
    let gone: Vec<usize> = (0..5).filter(|place| !world.connected(*place)).collect();
    assert_eq!(gone, [2]);
}

#[test]
fn triggers_that_are_switched_off_begin_nothing() {
    let mut config = few(2, 20);
    config.triggers_off = 1 << Trigger::OverSoft as u16 | 1 << Trigger::QuotaBreach as u16;
    let mut world = crowd(config, &[LIGHT_PUSH], 4);
    world.run(600_000);
    assert_eq!(open(&world), 4);
    assert_eq!(world.rounds(), []);
}

#[test]
fn a_drain_that_is_never_confirmed_is_over_after_its_time_and_five_seconds() {
    let mut world = crowd(few(2, 20), &[LIGHT_PUSH], 3);
    world.confirms_closes = false;
    world.run(9_900);
    assert_eq!(open(&world), 3);
    world.run(200);
    assert_eq!(open(&world), 2);
}

#[test]
fn locked_connections_count_towards_the_soft_target() {
    let mut world = crowd(at_once(8), &[STORE], 8);
    let quota = Quota {
        min: Some(Bound::Count(2)),
        max: Some(Bound::Count(2)),
    };
    world.enroll(
        FIRST,
        ProtocolSpec {
            quota,
            ..spec("chat", None)
        },
    );
    for place in 0..2 {
        world.lock(place as u64, FIRST, place, 300_000);
    }
    assert_eq!(world.manager.stats().locks, 2);
    let ninth = world.node(&[STORE]);
    world.connects_by_itself(ninth);
    world.run(30_000);
    assert_eq!(open(&world), 8);
    assert!((0..2).all(|place| world.connected(place)));
}

/// R3: a word about a connection that nobody knows begins no round.
#[test]
fn a_word_about_a_connection_that_is_gone_begins_no_round() {
    let mut world = World::with(few(2, 20), 1);
    for id in ALL {
        world.set_need(id, need(1, 1, 2));
    }
    world.start();
    for id in ALL {
        let place = world.node(&[id]);
        world.connects_by_itself(place);
    }
    world.run(60_000);
    let rounds = world.rounds();
    // Guards left nothing to close: it is tried again after a while.
    let cause = CloseCause::Broken;
    world.run(1_500);
    let before = world.manager.stats().rounds;
    for conn in 900..905 {
        let conn = ConnId(conn);
        world.tell(Event::Closed { conn, cause });
        world.run(1_100);
    }
    let after = world.manager.stats().rounds;
    assert!(after - before <= 1, "{before} to {after}: {rounds:?}");
}
