//! What the user asks for.

use lightkeeper::manager::{
    Cause, Command, DialFailure, DialWhy, Event, Health, Notice, PeerState, Priority, Reason,
    Source,
};

use crate::world::{ALL, LIGHT_PUSH, Reachable, STORE, World, need};

fn running() -> World {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(0, 0, 4));
    }
    world.start();
    world
}

#[test]
fn a_peer_dialed_by_the_user_is_held() {
    let mut world = running();
    let place = world.node(&[]);
    world.connect_now(place);
    assert_eq!(world.dials_since(0)[0].2, DialWhy::Requested);
    assert_eq!(world.view(place).state, PeerState::Dialing);
    world.run(3_600_000);
    assert!(world.connected(place));
    assert!(world.view(place).pinned);
}

#[test]
fn a_held_peer_is_redialed_for_ever_at_least_once_a_minute() {
    let mut world = running();
    let place = world.node(&[]);
    world.connect_now(place);
    world.run(1_000);
    world.nodes[place].reachable = Reachable::Never;
    world.lose(place, lightkeeper::manager::CloseCause::Broken);
    assert!(world.disconnect_of(place).expect("told").will_reconnect);
    world.run(3_600_000);
    let at: Vec<u64> = world.dials_since(0).iter().map(|dial| dial.0).collect();
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] <= 66_000));
    world.nodes[place].reachable = Reachable::Yes;
    world.run(66_000);
    assert!(world.connected(place));
}

#[test]
fn hanging_up_is_deliberate_and_bars_the_peer_until_it_is_dialed_again() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(1_000);
    let place = fleet.all.into_iter().find(|place| world.connected(*place));
    let place = place.expect("somebody serves");
    let mark = world.mark();
    world.hang_up(place);
    world.run(300_000);
    let told = world.disconnect_of(place).expect("it was told");
    assert_eq!(
        (
            told.cause,
            told.reason,
            told.deliberate,
            told.will_reconnect
        ),
        (Cause::Local, Reason::HungUp, true, false)
    );
    assert!(!world.dialed_since(mark).contains(&place));
    assert_eq!(world.view(place).state, PeerState::Cooling);
    assert_eq!(world.view(place).last_reason, Some(Reason::HungUp));
    assert_eq!(world.health(), Health::Met);
    world.connect_now(place);
    assert_eq!(world.view(place).last_reason, None);
    world.run(1_000);
    assert!(world.connected(place));
}

#[test]
fn a_restart_or_a_priority_lifts_a_hang_up() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    world.hang_up(place);
    world.run(60_000);
    assert!(!world.connected(place));
    world.set_priority(place, Priority::Medium);
    world.run(1_000);
    assert!(world.connected(place));
    world.hang_up(place);
    world.run(1_000);
    world.tell(Event::Stop);
    world.run(1_000);
    world.start();
    world.run(1_000);
    assert!(world.connected(place));
}

#[test]
fn banning_closes_in_the_same_input_and_is_for_good() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(1_000);
    let place = fleet.all.into_iter().find(|place| world.connected(*place));
    let place = place.expect("somebody serves");
    let mark = world.mark();
    world.set_priority(place, Priority::Banned);
    assert_eq!(world.closes_since(mark), [Reason::BannedByUser]);
    assert_eq!(world.manager.serving(LIGHT_PUSH).len(), 1);
    world.run(100);
    let told = world.disconnect_of(place).expect("it was told");
    assert_eq!(
        (told.cause, told.reason, told.deliberate),
        (Cause::Banned, Reason::BannedByUser, true)
    );
    for _ in 0..10 {
        world.discovered(place, Source::Static);
        world.connect_now(place);
        world.run(3_600_000);
    }
    assert_eq!(world.view(place).last_reason, Some(Reason::BannedByUser));
    assert_eq!(world.view(place).state, PeerState::Banned);
    assert!(!world.dialed_since(mark).contains(&place));
    let banned = world.count(mark, |o| {
        matches!(o, Command::Notify(Notice::Banned { .. }))
    });
    assert_eq!(banned, 1);
    world.set_priority(place, Priority::Medium);
    assert_eq!(world.view(place).state, PeerState::Known);
}

#[test]
fn banning_cancels_a_dial_and_closes_a_connection_that_comes_nevertheless() {
    let mut world = running();
    let place = world.node(&[]);
    world.connect_now(place);
    let mark = world.mark();
    world.set_priority(place, Priority::Banned);
    assert_eq!(
        world.count(mark, |o| matches!(o, Command::CancelDial { .. })),
        1
    );
    world.connects_by_itself(place);
    assert_eq!(world.closes_since(mark), [Reason::BannedByUser]);
}

#[test]
fn no_more_peers_are_held_than_half_of_the_connections() {
    let mut world = running();
    let places: Vec<usize> = (0..9).map(|_| world.node(&[])).collect();
    for place in &places {
        world.connect_now(*place);
        world.run(1_000);
    }
    assert!(world.connected(places[7]));
    let refused = world.view(places[8]);
    assert_eq!(world.refusal(), Some(Reason::PinLimit));
    assert_eq!(refused.state, PeerState::Known);
    assert!(!refused.pinned);
    world.hang_up(places[0]);
    world.connect_now(places[8]);
    world.run(1_000);
    assert!(world.connected(places[8]));
}

#[test]
fn a_dial_that_cannot_be_made_says_why() {
    let mut world = running();
    let place = world.node(&[]);
    let peer = world.nodes[place].id;
    let routes = Vec::new();
    world.tell(Event::ConnectNow {
        peer,
        routes,
        permanent: false,
    });
    assert_eq!(world.refusal(), Some(Reason::NoRoute));
    world.tell(Event::Stop);
    world.connect_now(place);
    assert_eq!(world.refusal(), Some(Reason::Stopped));
    assert_eq!(world.dialed(), [0_usize; 0]);
}

#[test]
fn the_users_own_dials_may_overdraw_the_bucket_by_two() {
    let mut world = running();
    // Spend what the bucket has, at the endpoints of nobody.
    for i in 0..8 {
        let place = world.node(&[]);
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        world.connect_now(place);
        world.run(if i % 4 == 3 { 5 } else { 0 });
        world.hang_up(place);
    }
    assert_eq!(world.dialed().len(), 8);
    for _ in 0..4 {
        let place = world.node(&[]);
        world.connect_now(place);
    }
    assert_eq!(world.dialed().len(), 10);
    world.run(10_000);
    let times: Vec<u64> = world.dials_since(0).iter().map(|(at, ..)| *at).collect();
    assert_eq!(times.len(), 12);
    // Two tokens come in a second, and each is taken when it has come: what was overdrawn is not paid back before.
    assert_eq!([times[10] - times[9], times[11] - times[10]], [490, 500]);
}

#[test]
fn a_user_waits_out_no_backoff() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    world.named(place);
    world.start();
    world.run(1_000);
    assert_eq!(world.view(place).state, PeerState::Cooling);
    world.start_node(place);
    world.connect_now(place);
    world.run(100);
    assert!(world.connected(place));
}

#[test]
fn stopping_closes_everything_and_cancels_dials() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(1_000);
    let lost = fleet.all.into_iter().find(|place| world.connected(*place));
    world.stop_node(lost.expect("somebody serves"));
    let open = world.manager.stats().open as usize;
    assert_eq!(world.manager.stats().dialing, 1);
    let mark = world.mark();
    world.tell(Event::Stop);
    assert_eq!(world.closes_since(mark), vec![Reason::Stopped; open]);
    assert_eq!(
        world.count(mark, |o| matches!(o, Command::CancelDial { .. })),
        1
    );
    world.run(100);
    for place in fleet.everybody() {
        if let Some(told) = world
            .disconnect_of(place)
            .filter(|t| t.reason == Reason::Stopped)
        {
            assert_eq!((told.cause, told.deliberate), (Cause::Local, true));
            assert!(!told.will_reconnect);
        }
    }
    assert_eq!(world.takeovers_since(mark), []);
    // Stopping twice is stopping once.
    let mark = world.mark();
    world.tell(Event::Stop);
    assert_eq!(world.mark(), mark);
}

#[test]
fn a_connection_that_comes_while_stopped_is_closed() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.connects_by_itself(place);
    assert_eq!(world.closes_since(0), [Reason::Stopped]);
}

#[test]
fn raising_a_need_dials_for_it() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(1_000);
    let mark = world.mark();
    world.set_need(STORE, need(1, 3, 4));
    assert!(!world.dialed_since(mark).is_empty());
    world.run(1_000);
    assert!(world.have(STORE) >= 3);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_requirement_without_a_target_is_always_met() {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(0, 0, 0));
    }
    world.start();
    world.run(60_000);
    assert_eq!(world.health(), Health::Met);
    assert_eq!(
        world.mark(),
        world.count(0, |o| matches!(o, Command::Notify(_)))
    );
}

/// The user's dial of a node is given up.
fn gave_up(world: &mut World, place: usize) {
    let peer = world.nodes[place].id;
    world.tell(Event::GaveUp { peer });
}

#[test]
fn eight_dead_dials_do_not_use_up_the_pins() {
    let mut world = running();
    for _ in 0..8 {
        let place = world.node(&[]);
        world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
        world.connect_now(place);
        world.run(100);
        gave_up(&mut world, place);
        assert!(!world.view(place).pinned);
    }
    let good = world.node(&[]);
    world.connect_now(good);
    world.run(100);
    assert!(world.connected(good));
    // Nobody wants the others any more.
    let mark = world.mark();
    world.run(3_600_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
}

#[test]
fn a_dial_that_is_given_up_is_cancelled_and_whom_the_user_holds_otherwise_stays_held() {
    let mut world = running();
    let place = world.node(&[]);
    world.nodes[place].reachable = Reachable::Never;
    world.connect_now(place);
    let mark = world.mark();
    gave_up(&mut world, place);
    let cancelled = |order: &Command| matches!(order, Command::CancelDial { .. });
    assert_eq!(world.count(mark, cancelled), 1);
    assert_eq!(world.view(place).state, PeerState::Known);
    // Kept for good before: a dial of it that comes to nothing changes nothing.
    let peer = world.nodes[place].id;
    world.tell(Event::ConnectNow {
        peer,
        routes: Vec::new(),
        permanent: true,
    });
    world.connect_now(place);
    gave_up(&mut world, place);
    assert!(world.view(place).pinned);
}

#[test]
fn of_two_dials_of_one_peer_one_may_be_given_up() {
    let mut world = running();
    let place = world.node(&[]);
    world.nodes[place].reachable = Reachable::Slowly(1_000);
    world.connect_now(place);
    world.connect_now(place);
    gave_up(&mut world, place);
    world.run(2_000);
    assert!(world.connected(place) && world.view(place).pinned);
    // That one succeeded: later ones that come to nothing take nothing back.
    for _ in 0..3 {
        world.connect_now(place);
        gave_up(&mut world, place);
    }
    assert!(world.view(place).pinned);
}

#[test]
fn a_refused_dial_that_is_given_up_takes_nothing_from_one_that_succeeded() {
    let mut world = running();
    let place = world.node(&[]);
    world.connect_now(place);
    world.run(100);
    world.lose(place, lightkeeper::manager::CloseCause::Broken);
    world.tell(Event::Stop);
    for _ in 0..3 {
        world.connect_now(place);
        assert_eq!(world.refusal(), Some(Reason::Stopped));
        gave_up(&mut world, place);
    }
    assert!(world.view(place).pinned);
}
