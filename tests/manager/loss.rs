//! Connections that end without our doing (4.8).

use lightkeeper::manager::{
    Cause, CloseCause, DialFailure, DialWhy, Event, Health, Metadata, Notice, PeerState, Reason,
    Source,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, Told, World, need};

/// A fleet that has been met for two minutes, with the place of one of its providers.
fn settled() -> (World, crate::world::Fleet, usize) {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(180_000);
    assert_eq!(world.health(), Health::Met);
    let provider = fleet.all.into_iter().find(|place| world.connected(*place));
    (world, fleet, provider.expect("somebody serves"))
}

#[test]
fn losing_a_needed_provider_dials_another_known_peer_in_the_same_input() {
    let (mut world, _, lost) = settled();
    let mark = world.mark();
    world.stop_node(lost);
    let dials = world.dials_since(mark);
    assert_eq!(dials.len(), 1);
    assert_eq!(dials[0].0, world.now);
    assert_ne!(dials[0].1, lost);
}

#[test]
fn a_replacement_is_told_once_for_each_requirement_with_its_gap() {
    let (mut world, fleet, lost) = settled();
    let spare = fleet.all.into_iter().find(|place| !world.connected(*place));
    let spare = spare.expect("one of three is not needed");
    let mark = world.mark();
    world.stop_node(lost);
    world.run(10_000);
    let mut takeovers = world.takeovers_since(mark);
    takeovers.sort_by_key(|takeover| takeover.2);
    let by_both: Vec<_> = takeovers
        .iter()
        .filter(|takeover| takeover.2 != STORE)
        .copied()
        .collect();
    assert_eq!(
        by_both,
        [(lost, spare, LIGHT_PUSH, 30), (lost, spare, FILTER, 30)]
    );
    assert!(takeovers.len() <= 3);
    assert_eq!(world.health(), Health::Met);
    assert!(
        world
            .disconnect_of(lost)
            .is_some_and(|told| !told.will_reconnect)
    );
}

#[test]
fn a_spare_that_takes_over_is_told_after_the_loss() {
    let (mut world, _, lost) = settled();
    // Two serve store while one is wanted: the other takes over in the same input.
    let mark = world.mark();
    world.stop_node(lost);
    let told: Vec<_> = world
        .notices_since(mark)
        .into_iter()
        .filter_map(|(_, notice)| match notice {
            Notice::Disconnected { .. } => Some("disconnect"),
            Notice::Replaced { .. } => Some("replace"),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["disconnect", "replace"]);
}

#[test]
fn a_replacement_touches_no_other_connection() {
    let (mut world, fleet, lost) = settled();
    let others: Vec<usize> = fleet
        .all
        .into_iter()
        .filter(|place| *place != lost && world.connected(*place))
        .collect();
    let before: Vec<_> = others.iter().map(|place| world.view(*place).conn).collect();
    world.stop_node(lost);
    world.run(300_000);
    let after: Vec<_> = others.iter().map(|place| world.view(*place).conn).collect();
    assert_eq!(before, after);
}

#[test]
fn a_lost_peer_that_is_no_longer_needed_is_not_redialed() {
    let (mut world, _, lost) = settled();
    world.lose(lost, CloseCause::Broken);
    let mark = world.mark();
    world.run(600_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert!(!world.connected(lost));
}

#[test]
fn losing_a_surplus_connection_dials_nobody() {
    let mut world = World::offline_trees();
    for _ in 0..3 {
        let place = world.node(&ALL);
        world.named(place);
    }
    world.start();
    world.run(120_000);
    let mark = world.mark();
    world.lose(0, CloseCause::Broken);
    world.run(60_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    // What it did is done by who was there all along.
    let gaps: Vec<u64> = world
        .takeovers_since(mark)
        .iter()
        .map(|takeover| takeover.3)
        .collect();
    assert!(gaps.iter().all(|gap| *gap == 0));
}

/// The only store peer, well established, beside a provider of the rest.
fn sole_store() -> (World, usize) {
    let mut world = World::offline_trees();
    let first = world.node(&[LIGHT_PUSH, FILTER]);
    let second = world.node(&[LIGHT_PUSH, FILTER]);
    let store = world.node(&[STORE]);
    for place in [first, second, store] {
        world.named(place);
    }
    world.start();
    world.run(180_000);
    assert_eq!(world.health(), Health::Met);
    (world, store)
}

#[test]
fn a_sole_provider_lost_alone_is_redialed_at_once() {
    let (mut world, store) = sole_store();
    let mark = world.mark();
    world.lose(store, CloseCause::Broken);
    // But for a draw, so that not all of its clients come in one instant (4.8).
    world.run(250);
    let dials = world.dials_since(mark);
    assert_eq!(dials.len(), 1);
    assert_eq!((dials[0].1, dials[0].2), (store, DialWhy::Redial));
    assert_eq!(
        world.disconnect_of(store),
        Some(Told {
            cause: Cause::Remote,
            reason: Reason::ConnectionLost,
            deliberate: false,
            will_reconnect: true
        })
    );
}

#[test]
fn a_sole_provider_that_is_down_is_redialed_with_backoff_for_ever() {
    let (mut world, store) = sole_store();
    let mark = world.mark();
    world.stop_node(store);
    world.run(6 * 3_600_000);
    let at: Vec<u64> = world.dials_since(mark).iter().map(|dial| dial.0).collect();
    let gaps: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] >= 1_000 && gaps[0] <= 2_100, "{gaps:?}");
    // For two minutes it is tried every few seconds. Then good peers wait ten minutes at most, and at least half of what
    // their level says.
    let soon = at.iter().filter(|dial| **dial < at[0] + 120_000).count();
    assert!((20..=40).contains(&soon), "{at:?}");
    assert!(gaps.iter().all(|gap| *gap <= 600_100), "{gaps:?}");
    assert!((32_000..=150_000).contains(&gaps[soon]), "{gaps:?}");
    assert!(
        gaps[soon + 5..].iter().all(|gap| *gap >= 300_000),
        "{gaps:?}"
    );
    assert!(at.last().expect("many") + 600_100 > world.now);
}

#[test]
fn the_return_of_a_lost_peer_is_a_connect_and_then_a_reconnect() {
    let (mut world, store) = sole_store();
    let mark = world.mark();
    let lost_at = world.now;
    world.stop_node(store);
    world.run(20_000);
    let failed = world.dialed_since(mark).len();
    world.start_node(store);
    world.run(60_000);
    assert!(world.serves(store, STORE));
    let peer = world.nodes[store].id;
    let notices = world.notices_since(mark);
    let connected = notices
        .iter()
        .position(|(_, notice)| matches!(notice, Notice::Connected { peer: of, .. } if *of == peer))
        .expect("it is connected");
    let at = notices[connected].0;
    assert_eq!(
        notices[connected + 1].1,
        Notice::Reconnected {
            peer,
            down_ms: at - lost_at,
            attempts: u32::try_from(failed).expect("few") + 1,
        }
    );
    assert_eq!(world.takeovers_since(mark), []);
}

#[test]
fn a_sole_provider_that_flaps_is_not_redialed_at_once_for_ever() {
    let (mut world, store) = sole_store();
    let mark = world.mark();
    for _ in 0..8 {
        world.lose(store, CloseCause::Broken);
        world.run(5_000);
    }
    let immediate = world
        .dials_since(mark)
        .iter()
        .filter(|(_, place, why)| *place == store && *why == DialWhy::Redial)
        .count();
    assert!(immediate >= 2);
    // Every loss of a short connection makes the wait longer.
    let mark = world.mark();
    world.lose(store, CloseCause::Broken);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert_eq!(world.view(store).state, PeerState::Cooling);
}

#[test]
fn peers_lost_together_are_redialed_after_a_jitter_and_not_at_once() {
    let mut world = World::offline_trees();
    for _ in 0..4 {
        let place = world.node(&ALL);
        world.named(place);
    }
    for id in ALL {
        world.set_need(id, need(1, 4, 4));
    }
    world.start();
    world.run(180_000);
    assert_eq!(world.health(), Health::Met);
    let mark = world.mark();
    for place in 0..4 {
        world.nodes[place].reachable = Reachable::Yes;
    }
    let lost_at = world.now;
    for place in 0..4 {
        world.lose(place, CloseCause::Broken);
    }
    world.run(10_000);
    assert_eq!(world.health(), Health::Met);
    let after_first: Vec<u64> = world.dials_since(mark)[1..]
        .iter()
        .map(|dial| dial.0 - lost_at)
        .collect();
    assert!(after_first.iter().any(|wait| *wait > 0));
    assert!(
        after_first.iter().all(|wait| *wait <= 3_000),
        "{after_first:?}"
    );
    // The last ones are told as what they are: the network's.
    assert_eq!(
        world.disconnect_of(3).map(|told| told.cause),
        Some(Cause::Network)
    );
}

#[test]
fn a_clean_close_of_the_remote_is_deliberate() {
    let (mut world, store) = sole_store();
    world.lose(store, CloseCause::RemoteClean);
    let told = world.disconnect_of(store).expect("it was told");
    assert_eq!(
        (told.cause, told.reason, told.deliberate),
        (Cause::Remote, Reason::RemoteClosed, true)
    );
}

#[test]
fn a_peer_that_leaves_before_it_is_verified_rejected_us() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].metadata = Metadata::NotYet;
    world.named(place);
    world.start();
    world.run(500);
    let mark = world.mark();
    world.lose(place, CloseCause::Broken);
    let told = world.disconnect_of(place).expect("it was told");
    assert_eq!(
        (told.cause, told.reason, told.deliberate),
        (Cause::Remote, Reason::RejectedByRemote, false)
    );
    // Whoever rejects us is not asked again at once.
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert_eq!(
        world.view(place).last_reason,
        Some(Reason::RejectedByRemote)
    );
}

#[test]
fn a_healthy_connection_clears_the_backoff_of_its_peer() {
    let (mut world, store) = sole_store();
    world.stop_node(store);
    world.run(120_000);
    world.start_node(store);
    world.run(1_200_000);
    assert!(world.serves(store, STORE));
    let mark = world.mark();
    world.stop_node(store);
    world.run(5_000);
    // The first waits are as short as they were the first time.
    assert!(world.dialed_since(mark).len() >= 2);
}

#[test]
fn every_failed_address_is_told_and_the_last_one_says_when_it_is_tried_again() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::No(DialFailure::Handshake);
    let node = world.nodes[place].clone();
    let second = "/ip4/127.0.0.1/tcp/7777/ws".parse().expect("an address");
    world.tell(Event::Discovered {
        peer: node.id,
        routes: vec![node.address, second],
        claims: vec![],
        source: Source::Static,
        introducer: None,
    });
    world.start();
    world.run(200);
    let retries: Vec<Option<u64>> = world
        .notices_since(0)
        .into_iter()
        .filter_map(|(_, notice)| match notice {
            Notice::Failed {
                retry_at_wall_ms, ..
            } => Some(retry_at_wall_ms),
            _ => None,
        })
        .collect();
    assert_eq!(retries.len(), 2);
    assert_eq!(retries[0], None);
    assert!(retries[1].is_some());
    assert_eq!(world.view(place).last_reason, Some(Reason::HandshakeFailed));
    assert_eq!(world.view(place).next_try_at_wall_ms, retries[1]);
}

#[test]
fn lines_are_lost_from_the_target_down_and_only_once_when_somebody_takes_over_at_once() {
    use lightkeeper::manager::Crossed::{MinLost, TargetLost};
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.set_need(LIGHT_PUSH, need(1, 1, 2));
    world.set_need(FILTER, need(1, 1, 2));
    world.named(place);
    world.start();
    world.run(1_000);
    let mark = world.mark();
    world.lose(place, CloseCause::Broken);
    assert_eq!(
        world.crossings_since(mark),
        [
            (LIGHT_PUSH, TargetLost),
            (LIGHT_PUSH, MinLost),
            (FILTER, TargetLost),
            (FILTER, MinLost),
            (STORE, TargetLost)
        ]
    );
}

#[test]
fn the_only_other_provider_is_back_within_six_seconds_of_its_return() {
    for down_ms in [20_000, 75_000, 110_000] {
        let (mut world, store) = sole_store();
        world.report(store, STORE, lightkeeper::manager::Outcome::Success);
        let mark = world.mark();
        world.stop_node(store);
        world.run(down_ms);
        let dials = world.dials_since(mark).len() as u64;
        assert!(
            dials <= 20 * down_ms.div_ceil(60_000),
            "{dials} in {down_ms} ms"
        );
        world.start_node(store);
        world.run(6_000);
        assert!(world.connected(store), "after {down_ms} ms");
    }
}
