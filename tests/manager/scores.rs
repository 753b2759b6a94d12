//! Scores fade, and nobody but the peer itself and the user moves them (4.5).

use lightkeeper::manager::{Event, Outcome, PeerState, Priority, RequirementId, Source};

use crate::world::{ALL, FILTER, LIGHT_PUSH, World, need};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn connected() -> (World, usize) {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.discovered(place, Source::PeerExchange);
    world.start();
    world.run(1_000);
    assert!(world.connected(place));
    (world, place)
}

fn hint(world: &mut World, place: usize, tag: &str, value: i16, ttl_ms: Option<u64>) {
    let peer = world.nodes[place].id;
    let tag = tag.to_owned();
    world.tell(Event::Hint {
        peer,
        tag,
        value,
        ttl_ms,
    });
}

/// Read now: what is shown is as old as the last input.
fn score(world: &mut World, place: usize) -> i16 {
    world.tell(Event::Tick);
    world.view(place).score
}

fn praise(world: &mut World, place: usize, requirement: RequirementId) {
    for _ in 0..100 {
        world.report(place, requirement, Outcome::Success);
    }
    assert_eq!(world.view(place).score, 1_000);
}

#[test]
fn quality_halves_in_half_an_hour_while_connected_and_in_a_day_otherwise() {
    let (mut world, place) = connected();
    praise(&mut world, place, FILTER);
    world.run(30 * MINUTE);
    assert_eq!(score(&mut world, place), 500);
    world.run(30 * MINUTE);
    assert_eq!(score(&mut world, place), 250);
    world.stop_node(place);
    assert_eq!(score(&mut world, place), 250);
    world.tell(Event::Stop);
    world.run(24 * HOUR);
    assert_eq!(score(&mut world, place), 125);
}

#[test]
fn reading_and_idle_calls_do_not_change_how_a_score_fades() {
    let fade = |reads: u64| {
        let (mut world, place) = connected();
        praise(&mut world, place, FILTER);
        let end = world.now + 45 * MINUTE;
        for _ in 0..reads {
            world.run(45 * MINUTE / 1_000);
            world.tell(Event::Tick);
            world.view(place);
        }
        let rest = end - world.now;
        world.run(rest);
        score(&mut world, place)
    };
    assert_eq!(fade(0), fade(900));
}

#[test]
fn hints_add_up_to_no_more_than_two_hundred_and_replace_one_another_by_name() {
    let (mut world, place) = connected();
    hint(&mut world, place, "useful", 120, None);
    assert_eq!(world.view(place).score, 120);
    hint(&mut world, place, "useful", 50, None);
    assert_eq!(world.view(place).score, 50);
    hint(&mut world, place, "friend", 1_000, None);
    assert_eq!(world.view(place).score, 200);
    hint(&mut world, place, "foe", i16::MIN, None);
    assert_eq!(world.view(place).score, -200);
}

#[test]
fn a_hint_is_gone_after_its_time() {
    let (mut world, place) = connected();
    hint(&mut world, place, "soon", 100, Some(MINUTE));
    hint(&mut world, place, "later", 20, Some(HOUR));
    world.run(MINUTE - 1);
    assert_eq!(score(&mut world, place), 120);
    world.run(1);
    assert_eq!(world.view(place).score, 20);
    world.run(HOUR);
    assert_eq!(world.view(place).score, 0);
}

#[test]
fn only_sixteen_hints_are_kept() {
    let (mut world, place) = connected();
    for n in 0..40 {
        hint(&mut world, place, &format!("hint {n}"), 1, None);
    }
    assert_eq!(world.view(place).score, 16);
}

#[test]
fn hints_never_disconnect_or_ban() {
    let (mut world, place) = connected();
    for n in 0..16 {
        hint(&mut world, place, &format!("hint {n}"), -1_000, None);
    }
    // One fault alone does not disconnect, whatever the user thinks.
    world.report(place, FILTER, Outcome::Fault);
    world.run(1_000);
    assert!(world.connected(place));
    assert_ne!(world.view(place).state, PeerState::Banned);
}

#[test]
fn a_hint_decides_between_equals() {
    let mut world = World::offline_trees();
    for id in ALL {
        world.set_need(id, need(0, 1, 1));
    }
    let mut places = Vec::new();
    for _ in 0..6 {
        let place = world.node(&ALL);
        world.discovered(place, Source::PeerExchange);
        places.push(place);
    }
    let favourite = places[4];
    hint(&mut world, favourite, "favourite", 50, None);
    world.start();
    assert_eq!(world.dialed()[0], favourite);
}

#[test]
fn what_third_parties_say_changes_no_score_priority_ban_or_verified_service() {
    let (mut world, place) = connected();
    praise(&mut world, place, LIGHT_PUSH);
    world.set_priority(place, Priority::High);
    let banned = world.node(&ALL);
    world.set_priority(banned, Priority::Banned);
    let before = world.view(place);
    for source in [Source::Dns, Source::PeerExchange, Source::Foreign] {
        for place in [place, banned] {
            let event = Event::Discovered {
                peer: world.nodes[place].id,
                routes: vec!["/ip4/203.0.113.5/tcp/443/wss".parse().expect("an address")],
                claims: ALL.to_vec(),
                source,
                introducer: Some(world.nodes[0].id),
            };
            world.tell(event);
        }
    }
    let after = world.view(place);
    assert_eq!(after.score, before.score);
    assert_eq!(after.priority, before.priority);
    assert_eq!(after.services, before.services);
    assert_eq!(after.route, before.route);
    assert_eq!(world.view(banned).state, PeerState::Banned);
}
