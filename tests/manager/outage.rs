//! When our own network is to blame (4.8).

use lightkeeper::manager::{
    Cause, CloseCause, Command, DialFailure, DialWhy, Event, Health, HealthReason, NetworkState,
    Notice, Reason, Source, Time,
};

use crate::world::{ALL, Fleet, Reachable, World};

const HOUR: u64 = 3_600_000;

fn settled() -> (World, Fleet) {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(180_000);
    assert_eq!(world.health(), Health::Met);
    (world, fleet)
}

fn stop_all(world: &mut World, fleet: Fleet) {
    for place in fleet.everybody() {
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    }
    for place in fleet.everybody() {
        world.lose(place, CloseCause::Broken);
    }
}

#[test]
fn a_fleet_that_stops_as_a_whole_makes_our_network_suspect() {
    let (mut world, fleet) = settled();
    stop_all(&mut world, fleet);
    world.run(10_000);
    assert_eq!(
        world.manager.health(),
        (Health::Unmet, HealthReason::SuspectOffline)
    );
}

#[test]
fn under_suspicion_one_peer_is_probed_every_few_seconds_and_later_less_often() {
    let (mut world, fleet) = settled();
    world.tree.clear();
    stop_all(&mut world, fleet);
    world.run(10_000);
    let mark = world.mark();
    world.run(100_000);
    let dials = world.dials_since(mark);
    assert!(dials.iter().all(|dial| dial.2 == DialWhy::Probe));
    let gaps: Vec<u64> = dials.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(
        gaps.iter().all(|gap| (3_000..=5_000).contains(gap)),
        "{gaps:?}"
    );
    world.run(600_000);
    let gaps = |world: &mut World, ms| {
        let mark = world.mark();
        world.run(ms);
        let dials = world.dials_since(mark);
        let gaps: Vec<u64> = dials.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!(gaps.len() > 10, "they go on");
        gaps
    };
    let seen = gaps(&mut world, 300_000);
    assert!(
        seen.iter().all(|gap| (6_000..=10_000).contains(gap)),
        "{seen:?}"
    );
    world.tell(Event::Visibility { hidden: true });
    world.run(60_000);
    let hidden = gaps(&mut world, 900_000);
    assert!(
        hidden.iter().all(|gap| (24_000..=30_000).contains(gap)),
        "{hidden:?}"
    );
    // Whoever looks again does not wait for what was put off.
    let mark = world.mark();
    let shown = world.now;
    world.tell(Event::Visibility { hidden: false });
    world.run(10_000);
    assert!(world.dials_since(mark)[0].0 - shown <= 5_000);
}

#[test]
fn trees_that_can_be_looked_up_end_a_suspicion() {
    let (mut world, fleet) = settled();
    // The resolver is away as well.
    world.tree.clear();
    stop_all(&mut world, fleet);
    world.run(300_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    let place = fleet.all[0];
    let before = world.mark();
    world.tell(Event::DnsFinished {
        found: 1,
        failed: false,
    });
    assert_ne!(world.manager.health().1, HealthReason::SuspectOffline);
    // Whoever waits is tried within the two seconds of a recovery.
    world.start_node(place);
    world.run(3_000);
    assert!(world.dialed_since(before).contains(&place));
    assert!(world.connected(place));
    // Once is enough: when nobody answers even then, it is the others who are away.
    stop_all(&mut world, fleet);
    for _ in 0..3 {
        world.run(300_000);
        world.tell(Event::DnsFinished {
            found: 1,
            failed: false,
        });
    }
    world.run(60_000);
    let mark = world.mark();
    world.tell(Event::DnsFinished {
        found: 1,
        failed: false,
    });
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    assert_eq!(world.notices_since(mark).len(), 0);
}

#[test]
fn strangers_are_probed_one_at_a_time_between_those_who_answered_before() {
    let (mut world, fleet) = settled();
    world.tree.clear();
    let strangers: Vec<usize> = (0..20).map(|_| world.node(&ALL)).collect();
    for place in &strangers {
        world.nodes[*place].reachable = Reachable::Never;
        world.discovered(*place, Source::PeerExchange);
    }
    stop_all(&mut world, fleet);
    world.run(600_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    let mark = world.mark();
    world.run(3_600_000);
    let dialed = world.dialed_since(mark);
    let strange: Vec<bool> = dialed.iter().map(|p| strangers.contains(p)).collect();
    assert!(!strange.windows(2).any(|pair| pair == [true, true]));
    // All of them have their turn.
    let asked: std::collections::BTreeSet<&usize> =
        strangers.iter().filter(|p| dialed.contains(p)).collect();
    assert_eq!(asked.len(), strangers.len());
}

#[test]
fn probes_go_round_everybody() {
    let (mut world, fleet) = settled();
    stop_all(&mut world, fleet);
    world.run(10_000);
    let mark = world.mark();
    world.run(110_000);
    let probed: std::collections::BTreeSet<usize> = world.dialed_since(mark).into_iter().collect();
    assert_eq!(probed.len(), fleet.everybody().len());
}

#[test]
fn a_fleet_that_comes_back_is_used_again_within_seconds() {
    for down_ms in [3_000, 20_000, 100_000, 1_800_000] {
        let (mut world, fleet) = settled();
        stop_all(&mut world, fleet);
        world.run(down_ms);
        for place in fleet.everybody() {
            world.start_node(place);
        }
        let patience = if down_ms < 120_000 { 10_000 } else { 40_000 };
        world.run(patience);
        assert_eq!(world.health(), Health::Met, "after {down_ms} ms");
    }
}

#[test]
fn failures_of_an_outage_are_taken_back() {
    let (mut world, fleet) = settled();
    stop_all(&mut world, fleet);
    world.run(60_000);
    // Nobody waits for what was our own fault: only the losses themselves had a jitter.
    let waiting = fleet
        .everybody()
        .into_iter()
        .filter(|place| world.view(*place).next_try_at_wall_ms.is_some())
        .count();
    assert_eq!(waiting, 0);
    assert_eq!(
        world.view(fleet.store).last_reason,
        Some(Reason::Unreachable)
    );
}

#[test]
fn a_few_dead_candidates_are_no_outage_while_a_connection_lives() {
    let mut world = World::offline_trees();
    let good = world.node(&[crate::world::LIGHT_PUSH]);
    world.discovered(good, Source::PeerExchange);
    world.start();
    world.run(1_000);
    for _ in 0..5 {
        let dead = world.node(&ALL);
        world.nodes[dead].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(dead, Source::PeerExchange);
        world.run(1_000);
    }
    world.run(60_000);
    assert_ne!(world.manager.health().1, HealthReason::SuspectOffline);
    assert!(world.view(1).next_try_at_wall_ms.is_some());
}

#[test]
fn offline_cancels_dials_keeps_connections_and_dials_nobody() {
    let (mut world, fleet) = settled();
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    let provider = provider.expect("somebody serves");
    world.stop_node(provider);
    assert!(world.manager.stats().dialing > 0);
    let mark = world.mark();
    world.tell(Event::Offline);
    let cancelled = world.count(mark, |order| matches!(order, Command::CancelDial { .. }));
    assert!(cancelled > 0);
    let open = world.manager.stats().open;
    world.run(600_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert_eq!(world.closes_since(mark), []);
    assert_eq!(world.manager.stats().open, open);
    assert_eq!(world.manager.health().1, HealthReason::Offline);
}

#[test]
fn the_first_dial_comes_within_a_second_of_being_online_again() {
    for offline_ms in [5_000, 3_600_000, 7 * 24 * 3_600_000] {
        let (mut world, fleet) = settled();
        world.tell(Event::Offline);
        for place in fleet.everybody() {
            world.lose(place, CloseCause::Broken);
        }
        world.run(offline_ms);
        let mark = world.mark();
        let online_at = world.now;
        world.tell(Event::Online);
        world.run(30_000);
        let first = world.dials_since(mark)[0].0;
        assert!(first - online_at <= 1_000);
        assert_eq!(world.health(), Health::Met);
    }
}

#[test]
fn a_connection_that_breaks_while_offline_was_the_networks() {
    let (mut world, fleet) = settled();
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    let provider = provider.expect("somebody serves");
    world.tell(Event::Offline);
    world.lose(provider, CloseCause::Broken);
    let told = world.disconnect_of(provider).expect("it was told");
    assert_eq!(
        (told.cause, told.reason),
        (Cause::Network, Reason::NetworkLost)
    );
}

#[test]
fn online_again_every_connection_must_answer_a_ping_soon() {
    let (mut world, _) = settled();
    world.tell(Event::Offline);
    let mark = world.mark();
    world.tell(Event::Online);
    let soon = 3_000..=5_000;
    let pings = world.count(
        mark,
        |order| matches!(order, Command::Ping { timeout_ms, .. } if soon.contains(timeout_ms)),
    );
    assert_eq!(pings, world.manager.stats().open as usize);
}

#[test]
fn a_wake_up_that_comes_much_too_late_pings_everybody() {
    let (mut world, _) = settled();
    let mark = world.mark();
    let due = world.manager.next_deadline().expect("pings are due");
    world.now = due + 60_000;
    world.tell(Event::Tick);
    let pings = world.count(mark, |order| matches!(order, Command::Ping { .. }));
    assert!(pings >= world.manager.stats().open as usize);
}

#[test]
fn a_wall_clock_that_ran_ahead_tells_of_sleep() {
    let (mut world, _) = settled();
    let before = world.time();
    world.manager.handle(
        Time {
            mono_ms: before.mono_ms + 10,
            wall_ms: before.wall_ms + 3_600_000,
        },
        Event::Tick,
    );
    let mut pings = 0;
    while let Some(order) = world.manager.poll() {
        pings += usize::from(matches!(order, Command::Ping { .. }));
    }
    assert_eq!(pings, world.manager.stats().open as usize);
}

#[test]
fn the_clocks_are_looked_at_while_somebody_looks_at_the_page() {
    let (mut world, _) = settled();
    assert_eq!(world.manager.clock_look_ms(), Some(1_000));
    let now = world.time();
    let after = |mono, wall| Time {
        mono_ms: now.mono_ms + mono,
        wall_ms: now.wall_ms + wall,
    };
    // A clock that was set back tells nothing, and looks may come a little late.
    assert!(!world.manager.has_slept(now, after(6_000, 6_000)));
    assert!(!world.manager.has_slept(now, after(6_000, 0)));
    assert!(world.manager.has_slept(now, after(6_001, 6_001)));
    assert!(!world.manager.has_slept(now, after(10, 5_010)));
    assert!(world.manager.has_slept(now, after(10, 5_011)));
    // Whoever looked a moment ago did not sleep before that.
    assert!(
        !world
            .manager
            .has_slept(after(HOUR, HOUR), after(HOUR + 2_000, HOUR + 2_000))
    );
    world.tell(Event::Visibility { hidden: true });
    let now = world.time();
    let later = Time {
        mono_ms: now.mono_ms + 30_000,
        wall_ms: now.wall_ms + 30_000,
    };
    assert!(
        !world.manager.has_slept(now, later),
        "timers of hidden pages are late"
    );
    world.run(2 * 60_000);
    assert_eq!(world.manager.clock_look_ms(), None);
    world.tell(Event::Visibility { hidden: false });
    assert!(world.manager.clock_look_ms().is_some());
    world.tell(Event::Stop);
    assert_eq!(world.manager.clock_look_ms(), None);
}

#[test]
fn a_connection_that_died_in_sleep_is_replaced() {
    let (mut world, fleet) = settled();
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    let provider = provider.expect("somebody serves");
    world.nodes[provider].answers_pings = false;
    world.nodes[provider].reachable = Reachable::Never;
    world.tell(Event::Offline);
    world.tell(Event::Online);
    world.run(30_000);
    let told = world.disconnect_of(provider).expect("it was told");
    assert_eq!(
        (told.cause, told.reason, told.deliberate),
        (Cause::Timeout, Reason::PingTimeout, false)
    );
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_tree_that_names_others_by_now_is_the_way_out_of_a_suspicion() {
    let (mut world, fleet) = settled();
    let newcomer = world.bootstrap(&[]);
    world.nodes[newcomer].serves = ALL.to_vec();
    // Everybody known is gone for good: it looks as if our network were.
    let known = fleet.everybody();
    stop_all(&mut world, fleet);
    world.run(5_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    world.run(20 * 60_000);
    assert!(world.connected(newcomer));
    assert!(known.iter().all(|place| !world.connected(*place)));
}

/// The address of a node that worked, beside seven that others claim.
fn with_claimed_addresses(world: &mut World, place: usize) {
    for n in 1..=7 {
        let route = format!("/ip4/60.1.0.{n}/tcp/443/wss");
        world.tell(Event::Discovered {
            peer: world.nodes[place].id,
            routes: vec![route.parse().expect("an address")],
            claims: vec![],
            source: Source::PeerExchange,
            introducer: None,
        });
    }
}

#[test]
fn an_address_that_worked_is_still_the_first_after_an_outage_that_nobody_told_of() {
    let (mut world, fleet) = settled();
    let place = fleet.all.into_iter().find(|place| world.connected(*place));
    let place = place.expect("somebody serves");
    let worked = world.nodes[place].address.clone();
    with_claimed_addresses(&mut world, place);
    stop_all(&mut world, fleet);
    world.run(600_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    assert_eq!(world.view(place).route, Some(worked.clone()));
    // What failed before it was suspected is taken back, too: told at once, nothing of it stays.
    world.start_node(place);
    world.run(60_000);
    assert!(world.connected(place));
    let mut tried = world
        .orders
        .iter()
        .rev()
        .filter_map(|order| match &order.command {
            Command::Dial { peer, route, .. } if *peer == world.nodes[place].id => {
                Some(route.clone())
            }
            _ => None,
        });
    assert_eq!(tried.next(), Some(worked));
}

/// A few peers, all lost in an outage that nobody told of, and back again.
fn back_from_an_outage(tokens: u32) -> World {
    let mut config = crate::world::config(false);
    config.dial_tokens = tokens;
    let mut world = World::with(config, 1);
    let pushes = crate::world::LIGHT_PUSH;
    world.set_need(crate::world::FILTER, crate::world::need(0, 0, 0));
    world.set_need(crate::world::STORE, crate::world::need(0, 0, 0));
    world.set_need(pushes, crate::world::need(1, 16, 16));
    for _ in 0..16 {
        let place = world.node(&[pushes]);
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(180_000);
    assert_eq!(world.health(), Health::Met);
    for place in 0..16 {
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    }
    for place in 0..16 {
        world.lose(place, CloseCause::Broken);
    }
    world.run(180_000);
    assert_eq!(world.manager.health().1, HealthReason::SuspectOffline);
    // Whoever answers takes its time, so that nothing of what follows counts yet.
    for place in 0..16 {
        world.nodes[place].reachable = Reachable::Slowly(1_000);
    }
    world
}

/// Dials within four seconds of the first connection.
fn dials_after_the_first(world: &mut World) -> usize {
    let mut mark = world.mark();
    while world.manager.stats().open == 0 {
        mark = world.mark();
        world.run(1);
    }
    world.run(4_000);
    world.dials_since(mark).len()
}

#[test]
fn an_outage_makes_no_dial_slower_that_follows_it() {
    let mut world = back_from_an_outage(1);
    let dials = dials_after_the_first(&mut world);
    assert!(dials >= 9, "{dials} in four seconds");
}

#[test]
fn an_outage_makes_no_more_dials_than_are_needed_after_it() {
    let mut world = back_from_an_outage(8);
    world.set_need(crate::world::LIGHT_PUSH, crate::world::need(1, 3, 3));
    assert_eq!(dials_after_the_first(&mut world), 2);
}

fn pings_since(world: &World, mark: usize) -> usize {
    world.count(mark, |order| matches!(order, Command::Ping { .. }))
}

fn slept_since(world: &World, mark: usize) -> usize {
    let resumed = |notice: &Notice| matches!(notice, Notice::NetworkChanged { state, .. } if *state == NetworkState::Resumed);
    let notices = world.notices_since(mark).into_iter();
    notices.filter(|(_, notice)| resumed(notice)).count()
}

#[test]
fn a_hidden_page_whose_timers_come_once_a_minute_has_not_slept() {
    let (mut world, _) = settled();
    world.tell(Event::Visibility { hidden: true });
    world.run(600_000);
    let mark = world.mark();
    // Its timers come on minutes of the browser's own, up to a minute after their time.
    for _ in 0..30 {
        let due = world.manager.next_deadline().expect("pings are due");
        world.now = (world.now + 1).max(due) + 59_000;
        world.tell(Event::Tick);
        world.run(500);
    }
    assert_eq!(slept_since(&world, mark), 0);
    // Three minutes are more than any browser makes of one.
    let due = world.manager.next_deadline().expect("pings are due");
    world.now = due + 180_000;
    world.tell(Event::Tick);
    assert_eq!(slept_since(&world, mark), 1);
}

#[test]
fn a_short_sleep_that_only_a_late_look_shows_pings_everybody_at_once() {
    let (mut world, _) = settled();
    let looked = world.time();
    world.now += 8_000;
    assert!(world.manager.has_slept(looked, world.time()));
    let mark = world.mark();
    world.tell(Event::Woke);
    assert_eq!(slept_since(&world, mark), 1);
    assert_eq!(
        pings_since(&world, mark),
        world.manager.stats().open as usize
    );
    assert!(
        !world.manager.has_slept(looked, world.time()),
        "it is known"
    );
}

#[test]
fn more_deadlines_than_one_input_takes_are_one_sleep() {
    let (mut world, _) = settled();
    for number in 1_000..1_300 {
        let peer = crate::world::id(number);
        let route = format!("/ip4/60.{}.0.1/tcp/443/wss", number % 256);
        world.tell(Event::AddRoute {
            peer,
            route: route.parse().expect("an address"),
        });
        world.tell(Event::Hint {
            peer,
            tag: "seen".to_owned(),
            value: 1,
            ttl_ms: Some(60_000),
        });
    }
    let mark = world.mark();
    world.now += 4 * HOUR;
    for _ in 0..8 {
        world.tell(Event::Tick);
    }
    assert_eq!(slept_since(&world, mark), 1);
}

#[test]
fn who_served_is_tried_after_an_outage_however_many_others_wait() {
    let mut config = crate::world::config(false);
    config.recover_peers = 8;
    let mut world = World::with(config, 1);
    world.set_need(crate::world::STORE, crate::world::need(0, 0, 0));
    // Somebody answers all the time, so that no outage is suspected.
    world.set_need(crate::world::FILTER, crate::world::need(1, 1, 1));
    let company = world.node(&[crate::world::FILTER]);
    world.discovered(company, Source::PeerExchange);
    let pushes = [crate::world::LIGHT_PUSH];
    world.set_need(pushes[0], crate::world::need(1, 2, 2));
    // Peers of another network, and strangers who fail, are known before the one who serves.
    world.start();
    for n in 0..12 {
        let place = world.node(&pushes);
        if n < 6 {
            world.nodes[place].metadata = lightkeeper::manager::Metadata::OtherNetwork;
        } else {
            world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        }
        world.discovered(place, Source::PeerExchange);
    }
    let good = world.node(&pushes);
    world.discovered(good, Source::PeerExchange);
    world.run(60_000);
    assert!(world.connected(good));
    world.report(good, pushes[0], lightkeeper::manager::Outcome::Success);
    // It fails some times and waits for long; others of whom nothing is known fail after it and are due before it.
    world.stop_node(good);
    let waits_for = |world: &World, place: usize| {
        let at = world.view(place).next_try_at_wall_ms;
        at.map_or(0, |at| at.saturating_sub(world.time().wall_ms))
    };
    while waits_for(&world, good) < 30_000 {
        world.run(10);
    }
    let fresh: Vec<usize> = (0..5)
        .map(|_| {
            let place = world.node(&pushes);
            world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
            world.discovered(place, Source::PeerExchange);
            place
        })
        .collect();
    world.run(4_000);
    let good_waits = waits_for(&world, good);
    assert!(good_waits > 20_000);
    for place in fresh {
        let waits = waits_for(&world, place);
        assert!(waits > 0 && waits < good_waits, "{waits} of {good_waits}");
    }
    world.tell(Event::NetworkChanged { constrained: false });
    let due = world.view(good).next_try_at_wall_ms.expect("it waits");
    assert!(
        due <= world.time().wall_ms + 2_000,
        "{}",
        due - world.time().wall_ms
    );
}

/// Connections that were left alone for long, since nothing depends on them.
fn silent_connection() -> (World, Fleet, usize) {
    let (mut world, fleet) = settled();
    let quiet = world.node(&[]);
    world.connects_by_itself(quiet);
    let peer = world.nodes[quiet].id;
    world.tell(Event::Protect {
        peer,
        tag: "mine".to_owned(),
    });
    world.tell(Event::Visibility { hidden: true });
    world.run(75_000);
    (world, fleet, quiet)
}

#[test]
fn whoever_was_silent_is_asked_after_a_loss_and_when_the_page_is_shown_again() {
    for loss in [true, false] {
        let (mut world, fleet, quiet) = silent_connection();
        world.nodes[quiet].answers_pings = false;
        let mark = world.mark();
        if loss {
            let provider = fleet.all.into_iter().find(|place| world.connected(*place));
            world.lose(provider.expect("somebody serves"), CloseCause::Broken);
        } else {
            world.tell(Event::Visibility { hidden: false });
        }
        assert!(pings_since(&world, mark) >= 1, "after a loss: {loss}");
        // One strike.
        world.run(5_001);
        assert!(world.disconnect_of(quiet).is_some(), "after a loss: {loss}");
    }
}

#[test]
fn after_sleep_whoever_does_not_answer_at_once_is_replaced_before_it_is_closed() {
    let (mut world, fleet) = settled();
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    let provider = provider.expect("somebody serves");
    world.nodes[provider].answers_pings = false;
    world.now += 8_000;
    let mark = world.mark();
    world.tell(Event::Woke);
    world.run(600);
    assert!(world.connected(provider));
    assert!(!world.serves(provider, crate::world::FILTER));
    assert_eq!(world.health(), Health::Met, "others do its work");
    world.run(5_000);
    assert!(!world.connected(provider));
    assert!(world.mark() > mark);
}
