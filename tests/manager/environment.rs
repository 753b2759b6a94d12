//! What the page and the machine can bear (4.14, E8).

use lightkeeper::manager::{
    CloseCause, Command, DialFailure, Event, LimitCause, NetworkState, Notice, Source, What,
};

use crate::world::{ALL, LIGHT_PUSH, Reachable, World, need};

const MINUTE: u64 = 60_000;

fn settled() -> World {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(180_000);
    world
}

/// A node with many providers that nobody reaches, and a need for all.
fn hungry() -> World {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(1, 16, 16));
    let good = world.node(&[LIGHT_PUSH]);
    world.discovered(good, Source::PeerExchange);
    world.start();
    world.run(10_000);
    world
}

fn feed(world: &mut World, reachable: Reachable) {
    for _ in 0..60 {
        let place = world.node(&[LIGHT_PUSH]);
        world.nodes[place].reachable = reachable;
        world.discovered(place, Source::PeerExchange);
    }
}

fn hide(world: &mut World) {
    world.tell(Event::Visibility { hidden: true });
}

fn show(world: &mut World) {
    world.tell(Event::Visibility { hidden: false });
}

fn memory(world: &mut World, percent: u64) {
    world.tell(Event::Memory {
        used: percent,
        limit: 100,
    });
}

fn constrained(world: &mut World, constrained: bool) {
    world.tell(Event::NetworkChanged { constrained });
}

fn soft(world: &World) -> u16 {
    world.manager.stats().soft
}

fn states(world: &World, mark: usize) -> Vec<NetworkState> {
    world
        .notices_since(mark)
        .into_iter()
        .filter_map(|(_, notice)| match notice {
            Notice::NetworkChanged { state, .. } => Some(state),
            _ => None,
        })
        .collect()
}

fn causes(world: &World) -> Vec<LimitCause> {
    let decisions = world.manager.decisions(1_000).into_iter();
    decisions
        .filter_map(|decision| match decision.what {
            What::Limits { why, .. } => Some(why),
            _ => None,
        })
        .collect()
}

fn pings(world: &World, mark: usize) -> usize {
    world.count(mark, |order| matches!(order, Command::Ping { .. }))
}

#[test]
fn a_page_hidden_for_a_minute_wants_one_connection_more_than_it_needs() {
    let mut world = settled();
    hide(&mut world);
    world.run(MINUTE - 1);
    assert_eq!(soft(&world), 16);
    world.run(1);
    // One peer with everything meets all minima; one to replace it before it breaks; and one more.
    assert_eq!(soft(&world), 3);
    assert_eq!(causes(&world), [LimitCause::Hidden]);
    show(&mut world);
    assert_eq!(soft(&world), 16);
    assert_eq!(causes(&world), [LimitCause::Hidden, LimitCause::Calm]);
}

#[test]
fn a_page_that_is_looked_at_again_within_a_minute_changes_nothing() {
    let mut world = settled();
    for _ in 0..3 {
        hide(&mut world);
        world.run(MINUTE - 1);
        show(&mut world);
    }
    world.run(MINUTE);
    assert_eq!(causes(&world), []);
}

#[test]
fn a_hidden_page_dials_one_at_a_time_and_one_in_five_seconds() {
    let mut world = hungry();
    hide(&mut world);
    world.run(2 * MINUTE);
    let mark = world.mark();
    // Nothing is met without the only provider: the need is urgent, and the pace is what it is.
    world.lose(0, CloseCause::Broken);
    world.nodes[0].reachable = Reachable::No(DialFailure::Unreachable);
    feed(&mut world, Reachable::Slowly(5_900));
    let mut most = 0;
    for _ in 0..300 {
        world.run(100);
        most = most.max(world.manager.stats().dialing);
    }
    assert_eq!(most, 1);
    world.run(MINUTE);
    // Eight tokens were there, then one in five seconds.
    assert!(world.dialed_since(mark).len() <= 8 + 18);
}

#[test]
fn a_hidden_page_pings_half_as_often_and_all_connections_together() {
    let mut world = settled();
    let mark = world.mark();
    world.run(20 * MINUTE);
    let visible = pings(&world, mark);
    hide(&mut world);
    world.run(10 * MINUTE);
    let mark = world.mark();
    world.run(20 * MINUTE);
    let hidden = pings(&world, mark);
    assert!(
        hidden > 0 && hidden * 2 <= visible + 4,
        "{hidden}, {visible}"
    );
    let mut moments: Vec<u64> = world.orders[mark..]
        .iter()
        .filter(|order| matches!(order.command, Command::Ping { .. }))
        .map(|order| order.at)
        .collect();
    moments.dedup();
    assert!(moments.iter().all(|at| at % MINUTE == 0), "{moments:?}");
}

#[test]
fn a_constrained_network_has_six_connections_and_eight_with_dials() {
    let mut world = hungry();
    constrained(&mut world, true);
    let stats = world.manager.stats();
    assert_eq!((stats.soft, stats.hard), (6, 8));
    feed(&mut world, Reachable::Yes);
    world.run(MINUTE);
    assert_eq!(world.manager.stats().open, 6);
    constrained(&mut world, false);
    world.run(MINUTE);
    assert_eq!(world.manager.stats().open, 16);
}

#[test]
fn a_constrained_network_dials_three_at_a_time_and_one_a_second() {
    let mut world = hungry();
    constrained(&mut world, true);
    let mark = world.mark();
    feed(&mut world, Reachable::Slowly(5_000));
    let mut most = 0;
    for _ in 0..100 {
        world.run(100);
        most = most.max(world.manager.stats().dialing);
    }
    assert_eq!(most, 3);
    assert!(world.dialed_since(mark).len() <= 8 + 10);
}

#[test]
fn what_the_user_wants_is_never_exceeded_by_what_the_environment_allows() {
    let mut world = settled();
    world.tell(Event::SetLimits {
        soft: Some(4),
        hard: None,
    });
    constrained(&mut world, true);
    assert_eq!(soft(&world), 4);
    constrained(&mut world, false);
    assert_eq!(soft(&world), 4);
}

#[test]
fn memory_pressure_takes_a_quarter_for_each_window_and_calm_gives_it_back_one_by_one() {
    let mut world = settled();
    memory(&mut world, 75);
    assert_eq!(soft(&world), 12);
    // More of the same within a window changes nothing.
    memory(&mut world, 76);
    assert_eq!(soft(&world), 12);
    world.run(10_000);
    assert_eq!(soft(&world), 9);
    memory(&mut world, 60);
    world.run(10_000);
    // What is told after a step counts, not what led to it (E8).
    assert_eq!(soft(&world), 9);
    world.run(20_000);
    assert_eq!(soft(&world), 10);
    world.run(240_000);
    assert_eq!(soft(&world), 16);
    assert_eq!(causes(&world).last(), Some(&LimitCause::Calm));
}

#[test]
fn no_pressure_brings_the_target_below_what_the_minima_need() {
    let mut world = settled();
    for _ in 0..60 {
        memory(&mut world, 80);
        world.run(10_000);
        // A peer with everything, and one to replace it.
        assert!(soft(&world) >= 2, "E8");
    }
    assert_eq!(soft(&world), 2);
    // Three services that one peer each serves need three.
    for id in ALL {
        world.set_need(id, need(3, 3, 4));
    }
    assert!(soft(&world) >= 4, "E8: {}", soft(&world));
}

#[test]
fn nothing_wakes_the_page_for_memory_once_there_is_nothing_left_to_do() {
    let mut world = World::offline_trees();
    world.start();
    memory(&mut world, 80);
    world.run(10 * MINUTE);
    assert_eq!(world.manager.next_deadline(), None);
    memory(&mut world, 10);
    world.run(60 * MINUTE);
    assert_eq!(soft(&world), 16);
    assert_eq!(world.manager.next_deadline(), None);
}

#[test]
fn another_network_pings_everybody_and_waits_for_nobody() {
    let mut world = hungry();
    feed(&mut world, Reachable::No(DialFailure::Unreachable));
    world.run(20 * MINUTE);
    let waiting = |world: &World| {
        let peers = world.manager.peers();
        let now = world.time().wall_ms;
        let late = peers.iter().filter_map(|peer| peer.next_try_at_wall_ms);
        late.filter(|at| *at > now + 2_000).count()
    };
    assert!(waiting(&world) > 30);
    let mark = world.mark();
    constrained(&mut world, false);
    assert_eq!(pings(&world, mark), 1);
    assert_eq!(waiting(&world), 0);
}

#[test]
fn another_network_lifts_no_ban_and_no_hang_up() {
    let mut world = settled();
    let (banned, hung_up) = (world.node(&ALL), world.node(&ALL));
    world.set_priority(banned, lightkeeper::manager::Priority::Banned);
    world.discovered(hung_up, Source::PeerExchange);
    world.hang_up(hung_up);
    let before = (world.view(banned).state, world.view(hung_up).state);
    constrained(&mut world, false);
    world.run(MINUTE);
    let after = (world.view(banned).state, world.view(hung_up).state);
    assert_eq!(before, after);
}

#[test]
fn sleep_is_told_and_its_end_pings_everybody_once() {
    let mut world = settled();
    let mark = world.mark();
    world.tell(Event::Freeze);
    world.tell(Event::Freeze);
    assert_eq!(states(&world, mark), [NetworkState::Suspended]);
    let mark = world.mark();
    world.now += 3_600_000;
    world.tell(Event::Unfreeze);
    world.tell(Event::Unfreeze);
    assert_eq!(states(&world, mark), [NetworkState::Resumed]);
    // Round trips take 5 ms here: the least that an answer may take.
    let timeouts = ping_timeouts(&world, mark);
    assert_eq!(timeouts, vec![3_000; world.manager.stats().open as usize]);
}

fn ping_timeouts(world: &World, mark: usize) -> Vec<u32> {
    let orders = world.orders[mark..].iter();
    orders
        .filter_map(|order| match order.command {
            Command::Ping { timeout_ms, .. } => Some(timeout_ms),
            _ => None,
        })
        .collect()
}

#[test]
fn who_never_answered_a_ping_has_five_seconds_after_sleep() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(1_000);
    let mark = world.mark();
    world.now += 3_600_000;
    world.tell(Event::Unfreeze);
    let timeouts = ping_timeouts(&world, mark);
    assert_eq!(timeouts, vec![5_000; world.manager.stats().open as usize]);
}

#[test]
fn one_unanswered_ping_after_sleep_ends_a_connection() {
    let mut world = settled();
    let open = world.manager.stats().open as usize;
    for node in &mut world.nodes {
        node.answers_pings = false;
        node.reachable = Reachable::Never;
    }
    world.now += 3_600_000;
    let mark = world.mark();
    world.tell(Event::Tick);
    world.run(2_999);
    assert_eq!(world.closes_since(mark), []);
    world.run(2);
    assert_eq!(world.closes_since(mark).len(), open);
}

#[test]
fn what_was_pinged_before_sleep_is_asked_again_after_it() {
    // The answer, or the want of one, comes with the very input that shows that time has passed.
    for answered in [true, false] {
        let mut world = settled();
        let mark = world.mark();
        world.tell(Event::Online);
        let asked = world.orders[mark..].iter().find_map(|order| {
            let Command::Ping { conn, ping, .. } = order.command else {
                return None;
            };
            Some((conn, ping))
        });
        let (conn, ping) = asked.expect("everybody is asked");
        for node in &mut world.nodes {
            node.answers_pings = false;
            node.reachable = Reachable::Never;
        }
        world.now += 3_600_000;
        let mark = world.mark();
        world.tell(if answered {
            let rtt_ms = 5;
            Event::Pong { conn, ping, rtt_ms }
        } else {
            Event::PingFailed { conn, ping }
        });
        assert_eq!(world.closes_since(mark), []);
        let open = world.manager.stats().open as usize;
        assert_eq!(ping_timeouts(&world, mark).len(), open);
        world.run(3_001);
        assert_eq!(world.closes_since(mark).len(), open);
    }
}

#[test]
fn offline_and_online_are_told_once_each() {
    let mut world = settled();
    let mark = world.mark();
    world.tell(Event::Online);
    world.tell(Event::Offline);
    world.tell(Event::Offline);
    world.tell(Event::Online);
    world.tell(Event::Online);
    assert_eq!(
        states(&world, mark),
        [NetworkState::Offline, NetworkState::Online]
    );
}
