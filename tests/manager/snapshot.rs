//! What outlives the process (4.11).

use lightkeeper::manager::{
    CloseCause, Event, Health, Notice, Outcome, PeerState, Priority, Restored, SnapshotError,
    Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, config, id, need};

const MINUTE: u64 = 60_000;
const DAY: u64 = 24 * 60 * MINUTE;
const ENOUGH: usize = 79 * 1_024;

/// After the session of another world, with what it kept.
fn next_session(world: &World, away_ms: u64) -> (World, Restored) {
    let bytes = world.manager.snapshot(ENOUGH);
    assert!(bytes.len() <= ENOUGH);
    let wall = world.time().wall_ms + away_ms;
    let mut next = world.restarted(config(true), 2, wall);
    let restored = {
        let now = next.time();
        next.manager.restore(now, &bytes)
    }
    .expect("it is a snapshot");
    next.manager.check();
    (next, restored)
}

#[test]
fn a_restart_serves_again_without_a_bootstrap_peer() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(200_000);
    assert_eq!(world.health(), Health::Met);
    let (mut next, restored) = next_session(&world, 60_000);
    assert!(restored.peers >= 2);
    let mark = next.mark();
    next.start();
    next.run(1_000);
    assert_eq!(next.health(), Health::Met);
    let dialed = next.dialed_since(mark);
    assert!(fleet.boot.iter().all(|boot| !dialed.contains(boot)));
    assert!(dialed.iter().all(|place| world.connected(*place)));
    let told = next.manager.peers().len();
    assert!(told >= usize::try_from(restored.peers).expect("few"));
}

#[test]
fn only_who_served_is_kept_and_no_bootstrap_peer() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(1_000);
    let serving = (0..world.nodes.len()).filter(|p| world.connected(*p));
    let serving: Vec<usize> = serving.filter(|p| !fleet.boot.contains(p)).collect();
    let (next, restored) = next_session(&world, 0);
    assert_eq!(restored.peers as usize, serving.len());
    for place in serving {
        let view = next.view(place);
        assert_eq!(view.source, Source::Saved);
        assert_eq!(view.route, Some(world.nodes[place].address.clone()));
        assert_eq!(view.services, world.view(place).services);
    }
}

#[test]
fn a_restart_before_anybody_is_reached_loses_nobody() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(1_000);
    let (second, restored) = next_session(&world, MINUTE);
    let (_, again) = next_session(&second, MINUTE);
    assert_eq!(again, restored);
    // Names that no requirement has survive as well.
    let wall = second.time().wall_ms;
    let mut bare = config(true);
    bare.requirements.truncate(1);
    let mut third = second.restarted(bare, 3, wall);
    let bytes = second.manager.snapshot(ENOUGH);
    {
        let now = third.time();
        third.manager.restore(now, &bytes)
    }
    .expect("it is a snapshot");
    let (fourth, _) = next_session(&third, MINUTE);
    for place in 0..fourth.nodes.len() {
        if let Some(view) = fourth.manager.peer(&fourth.nodes[place].id) {
            assert_eq!(view.services, world.view(place).services);
        }
    }
}

#[test]
fn a_quality_halves_in_a_week_and_who_did_not_serve_for_a_month_is_gone() {
    let mut world = World::offline_trees();
    let place = world.node(&[FILTER]);
    world.discovered(place, Source::PeerExchange);
    world.start();
    world.run(1_000);
    for _ in 0..100 {
        world.report(place, FILTER, Outcome::Success);
    }
    assert_eq!(world.view(place).score, 1_000);
    let score = |away| next_session(&world, away).0.view(place).score;
    assert_eq!(score(0), 1_000);
    assert_eq!(score(7 * DAY), 500);
    assert_eq!(score(14 * DAY), 250);
    assert_eq!(next_session(&world, 30 * DAY + 1).1.peers, 0);
    // A clock that went backwards says nothing: a week is assumed.
    let bytes = world.manager.snapshot(ENOUGH);
    let mut past = world.restarted(config(true), 2, 1_000);
    {
        let now = past.time();
        past.manager.restore(now, &bytes)
    }
    .expect("it is a snapshot");
    assert_eq!(past.view(place).score, 500);
}

#[test]
fn bans_are_never_shortened_by_a_restart() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(1_000);
    let faulty = fleet.all[0];
    for _ in 0..3 {
        world.report(faulty, FILTER, Outcome::Fault);
    }
    let disliked = world.node(&ALL);
    world.set_priority(disliked, Priority::Banned);
    world.run(10 * MINUTE);
    let (mut next, restored) = next_session(&world, 5 * MINUTE);
    assert_eq!(restored.bans, 2);
    next.discovered(faulty, Source::PeerExchange);
    next.discovered(disliked, Source::PeerExchange);
    next.start();
    next.run(15 * MINUTE - 2_000);
    for place in [faulty, disliked] {
        assert_eq!(next.view(place).state, PeerState::Banned);
        assert!(!next.dialed().contains(&place));
    }
    next.run(2_000);
    assert_ne!(next.view(faulty).state, PeerState::Banned);
    assert_eq!(next.view(disliked).state, PeerState::Banned);
    assert_eq!(next.view(disliked).priority, Priority::Banned);
    // A clock that went backwards does not help either.
    let bytes = world.manager.snapshot(ENOUGH);
    let mut past = world.restarted(config(false), 2, 1_000);
    {
        let now = past.time();
        past.manager.restore(now, &bytes)
    }
    .expect("it is a snapshot");
    past.discovered(faulty, Source::PeerExchange);
    past.run(20 * MINUTE - 2_000);
    assert_eq!(past.view(faulty).state, PeerState::Banned);
    // Neither does an older snapshot in a session that knows more.
    let older = World::new().manager.snapshot(ENOUGH);
    {
        let now = past.time();
        past.manager.restore(now, &older)
    }
    .expect("it is a snapshot");
    {
        let now = past.time();
        past.manager.restore(now, &bytes)
    }
    .expect("it is a snapshot");
    assert_eq!(past.view(faulty).state, PeerState::Banned);
}

#[test]
fn every_ban_of_the_users_survives_a_restart_s3() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(1_000);
    for number in 0..1_024 {
        let (peer, priority) = (id(10_000 + number), Priority::Banned);
        world.tell(Event::SetPriority { peer, priority });
    }
    let served = world.manager.peers();
    let served = served
        .iter()
        .filter(|view| !view.serving.is_empty())
        .count();
    let (next, restored) = next_session(&world, MINUTE);
    assert_eq!(restored.bans, 1_024);
    assert_eq!(next.manager.stats().banned, 1_024);
    assert!(
        served > 1 && restored.peers > 1,
        "they leave room for others"
    );
    let (_, again) = next_session(&next, MINUTE);
    assert_eq!(again, restored);
}

#[test]
fn the_next_ban_remembers_those_of_earlier_sessions() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(1_000);
    let place = fleet.all[0];
    for _ in 0..3 {
        world.report(place, FILTER, Outcome::Fault);
    }
    world.run(31 * MINUTE);
    let (mut next, _) = next_session(&world, DAY);
    next.discovered(place, Source::PeerExchange);
    assert_ne!(next.view(place).state, PeerState::Banned);
    for _ in 0..3 {
        next.report(place, FILTER, Outcome::Fault);
    }
    next.run(3 * 60 * MINUTE);
    assert_eq!(next.view(place).state, PeerState::Banned);
}

#[test]
fn who_is_kept_by_the_user_is_dialed_after_a_restart() {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(0, 0, 0));
    }
    let place = world.node(&ALL);
    let peer = world.nodes[place].id;
    let routes = vec![world.nodes[place].address.clone()];
    world.tell(Event::ConnectNow {
        peer,
        routes,
        permanent: true,
    });
    world.start();
    world.run(1_000);
    assert!(world.connected(place));
    let (mut next, _) = next_session(&world, DAY);
    for id in ALL {
        next.set_need(id, need(0, 0, 0));
    }
    next.start();
    next.run(1_000);
    assert!(next.connected(place) && next.view(place).pinned);
}

#[test]
fn no_more_than_two_of_a_netgroup_are_kept_and_the_longest_serving_are_dialed_first() {
    let mut world = World::offline_trees();
    world.set_need(LIGHT_PUSH, need(1, 8, 8));
    let mut places = Vec::new();
    for n in 0..8 {
        let place = world.node(&[LIGHT_PUSH]);
        let (group, host) = (n / 4, n % 4);
        let text = format!("/ip4/198.{group}.0.{host}/tcp/443/wss");
        world.nodes[place].address = text.parse().expect("an address");
        places.push(place);
    }
    // One of each group serves long before the others.
    for place in [places[2], places[5]] {
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    world.run(MINUTE);
    for place in &places {
        world.discovered(*place, Source::PeerExchange);
        world.run(10_000);
    }
    assert!(places.iter().all(|place| world.connected(*place)));
    let (mut next, restored) = next_session(&world, MINUTE);
    assert_eq!(restored.peers, 4);
    next.set_need(LIGHT_PUSH, need(1, 8, 8));
    for id in [FILTER, STORE] {
        next.set_need(id, need(0, 0, 0));
    }
    for place in 0..next.nodes.len() {
        next.nodes[place].reachable = Reachable::Slowly(500);
    }
    next.start();
    let mut first = next.dialed();
    assert_eq!(first.len(), 3, "three at once until somebody serves");
    first.truncate(2);
    first.sort_unstable();
    assert_eq!(first, [places[2], places[5]]);
}

#[test]
fn a_damaged_snapshot_is_discarded_entirely() {
    let (mut world, _) = World::fleet();
    world.start();
    world.run(1_000);
    let mut bytes = world.manager.snapshot(ENOUGH);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut next = world.restarted(config(true), 2, world.time().wall_ms);
    let restored = {
        let now = next.time();
        next.manager.restore(now, &bytes)
    };
    assert_eq!(restored, Err(SnapshotError::Checksum));
    assert_eq!(next.manager.stats().known, 0);
    assert!(
        {
            let now = next.time();
            next.manager.restore(now, &[])
        }
        .is_err()
    );
}

#[test]
fn reading_a_snapshot_changes_nothing() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    world.start();
    world.run(1_000);
    let first = world.manager.snapshot(ENOUGH);
    assert_eq!(world.manager.snapshot(ENOUGH), first);
    assert!(world.manager.snapshot(100).len() <= 100);
    assert_eq!(world.manager.snapshot(10), [0_u8; 0]);
    world.lose(place, CloseCause::Broken);
    assert_ne!(world.manager.snapshot(ENOUGH), first);
    let notices = world.notices_since(0);
    assert!(
        !notices
            .iter()
            .any(|(_, notice)| matches!(notice, Notice::Banned { .. }))
    );
}
