//! What can be seen of the manager: decisions, explanations, gauges (4.19).

use lightkeeper::manager::{
    Decision, DialFailure, DialWhy, Direction, Event, GateQuery, Guard, Outcome, Priority, Reason,
    Source, Transport, What,
};

use crate::world::{ALL, FILTER, LIGHT_PUSH, Reachable, STORE, World, id, need};

fn whats(world: &World) -> Vec<What> {
    let decisions = world.manager.decisions(usize::MAX);
    decisions
        .into_iter()
        .map(|decision| decision.what)
        .collect()
}

fn not_dialed(world: &World, place: usize) -> Option<Reason> {
    let peer = world.nodes[place].id;
    world.manager.explain(&peer).expect("known").not_dialed
}

#[test]
fn a_dial_is_told_with_its_why_and_with_how_many_it_was_compared() {
    let mut world = World::offline_trees();
    let places = [world.node(&ALL), world.node(&ALL), world.node(&ALL)];
    for place in places {
        world.discovered(place, Source::PeerExchange);
    }
    world.start();
    let dialed: Vec<(DialWhy, u16, u32)> = whats(&world)
        .into_iter()
        .filter_map(|what| match what {
            What::Dialed {
                why,
                compared,
                value,
                ..
            } => Some((why, compared, value)),
            _ => None,
        })
        .collect();
    assert!(matches!(dialed[0].0, DialWhy::Need(_)));
    // Each of them is a host and port of its own, so each was compared.
    assert_eq!(dialed[0].1, 3);
    assert!(dialed[0].2 > 0, "the worth is told");
}

#[test]
fn a_dial_that_the_user_asked_for_was_compared_with_nobody() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.start();
    world.connect_now(place);
    let peer = world.nodes[place].id;
    let expected = What::Dialed {
        peer,
        why: DialWhy::Requested,
        compared: 1,
        value: 0,
    };
    assert_eq!(whats(&world), [expected]);
}

#[test]
fn closes_and_bans_are_told_with_their_reasons() {
    let mut world = World::offline_trees();
    let [hung, banned] = [world.node(&ALL), world.node(&ALL)];
    world.named(hung);
    world.named(banned);
    world.start();
    world.run(1_000);
    world.hang_up(hung);
    world.set_priority(banned, Priority::Banned);
    let [hung, banned] = [hung, banned].map(|place| world.nodes[place].id);
    let told = whats(&world);
    for expected in [
        What::Closed {
            peer: hung,
            reason: Reason::HungUp,
        },
        What::Closed {
            peer: banned,
            reason: Reason::BannedByUser,
        },
        What::Banned {
            peer: banned,
            reason: Reason::BannedByUser,
        },
    ] {
        assert!(told.contains(&expected), "{expected:?} in {told:?}");
    }
}

#[test]
fn what_the_gate_refuses_is_told_and_counted() {
    let mut world = World::offline_trees();
    world.start();
    let peer = Some(id(9_999));
    let answer = world
        .manager
        .gate(world.time(), GateQuery::Inbound { peer });
    let reason = Reason::OurOwnId;
    assert_eq!(answer, Err(reason));
    assert_eq!(whats(&world), [What::Denied { peer, reason }]);
    assert_eq!(world.manager.stats().denials, 1);
}

#[test]
fn a_failure_at_a_requirement_is_told() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    world.report(place, FILTER, Outcome::Busy);
    let expected = What::Failed {
        peer: world.nodes[place].id,
        requirement: FILTER,
        outcome: Outcome::Busy,
        charged: true,
    };
    assert!(whats(&world).contains(&expected));
}

#[test]
fn a_suspicion_and_its_end_are_told_once_each() {
    let mut world = World::offline_trees();
    let places: Vec<usize> = (0..6).map(|_| world.node(&ALL)).collect();
    for place in &places {
        world.nodes[*place].reachable = Reachable::No(DialFailure::Unreachable);
        world.discovered(*place, Source::PeerExchange);
    }
    world.start();
    world.run(30_000);
    let suspects = |world: &World| whats(world).iter().filter(|w| **w == What::Suspect).count();
    let recovered = |world: &World| {
        let told = whats(world);
        told.iter().filter(|w| **w == What::Recovered).count()
    };
    assert_eq!((suspects(&world), recovered(&world)), (1, 0));
    for place in places {
        world.start_node(place);
    }
    world.run(60_000);
    assert_eq!((suspects(&world), recovered(&world)), (1, 1));
}

#[test]
fn an_explanation_names_the_first_rule_that_keeps_a_peer_from_being_dialed() {
    let mut world = World::offline_trees();
    let [free, banned, parked, nowhere] = [
        world.node(&ALL),
        world.node(&ALL),
        world.node(&ALL),
        world.node(&ALL),
    ];
    for place in [free, banned] {
        world.discovered(place, Source::PeerExchange);
    }
    world.discovered(parked, Source::Dns);
    let peer = world.nodes[nowhere].id;
    world.set_priority(nowhere, Priority::High);
    assert_eq!(not_dialed(&world, free), Some(Reason::Stopped));
    world.set_priority(banned, Priority::Banned);
    assert_eq!(not_dialed(&world, banned), Some(Reason::BannedByUser));
    world.start();
    assert_eq!(not_dialed(&world, free), Some(Reason::AlreadyConnected));
    assert_eq!(not_dialed(&world, parked), Some(Reason::Parked));
    assert_eq!(not_dialed(&world, nowhere), Some(Reason::NoRoute));
    world.tell(Event::Offline);
    assert_eq!(not_dialed(&world, parked), Some(Reason::Offline));
    assert_eq!(not_dialed(&world, banned), Some(Reason::BannedByUser));
    assert!(world.manager.explain(&peer).is_some());
    assert!(world.manager.explain(&id(77)).is_none());
}

#[test]
fn a_paused_node_is_explained_as_paused_and_an_open_connection_by_who_uses_and_guards_it() {
    let mut world = World::offline_trees();
    let [held, other] = [world.node(&ALL), world.node(&ALL)];
    world.start();
    world.connect_now(held);
    world.run(1_000);
    world.tell(Event::Pause);
    world.discovered(other, Source::PeerExchange);
    assert_eq!(not_dialed(&world, other), Some(Reason::Paused));
    let peer = world.nodes[held].id;
    let explained = world.manager.explain(&peer).expect("known");
    assert_eq!(explained.not_closed, Some(Guard::Pinned));
    assert_eq!(explained.used_by, ["lightPush", "filter", "store"]);
}

#[test]
fn a_peer_that_fills_nothing_is_explained_as_not_needed() {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(120_000);
    let idle: Vec<usize> = fleet
        .everybody()
        .into_iter()
        .filter(|place| world.view(*place).state == lightkeeper::manager::PeerState::Known)
        .collect();
    assert!(!idle.is_empty());
    for place in idle {
        assert_eq!(not_dialed(&world, place), Some(Reason::NotNeeded));
    }
}

#[test]
fn a_peer_that_waits_is_explained_with_what_it_waits_out_and_until_when() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.nodes[place].reachable = Reachable::No(DialFailure::Unreachable);
    world.named(place);
    world.start();
    world.run(10);
    let peer = world.nodes[place].id;
    let explained = world.manager.explain(&peer).expect("known");
    assert_eq!(explained.not_dialed, Some(Reason::BackingOff));
    assert_eq!(explained.failures, 1);
    assert!(explained.view.next_try_at_wall_ms.is_some());
    assert!(explained.parts.reach < 128, "it was not reached");
}

#[test]
fn an_explanation_shows_the_parts_of_the_score_and_the_last_sixteen_decisions() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    world.run(1_000);
    for _ in 0..20 {
        world.report(place, STORE, Outcome::Unable);
    }
    world.report(place, LIGHT_PUSH, Outcome::Success);
    let peer = world.nodes[place].id;
    let explained = world.manager.explain(&peer).expect("known");
    assert_eq!(explained.decisions.len(), 16);
    assert!(explained.decisions.iter().all(|decision: &Decision| {
        decision.what.peer() == Some(peer) && decision.at_wall_ms >= 1_700_000_000_000
    }));
    let quality = &explained.parts.quality;
    assert!(
        quality
            .iter()
            .any(|(id, value)| *id == LIGHT_PUSH && *value > 0)
    );
}

#[test]
fn a_ring_of_decisions_keeps_the_last_thousand_or_so() {
    let mut world = World::offline_trees();
    for _ in 0..3_000 {
        let query = GateQuery::Outbound { peer: None };
        let _ = world.manager.gate(world.time(), query);
    }
    world.manager.check();
    assert_eq!(world.manager.decisions(usize::MAX).len(), 1_024);
    assert_eq!(world.manager.decisions(3).len(), 3);
    assert_eq!(world.manager.stats().decisions, 3_000);
}

#[test]
fn gauges_tell_connections_by_direction_and_transport_tokens_and_lag() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.named(place);
    world.start();
    let stats = world.manager.stats();
    assert_eq!((stats.dialing, stats.dial_tokens), (1, 7));
    world.run(1_000);
    world.tell(Event::Tick);
    let stats = world.manager.stats();
    assert_eq!((stats.open, stats.inbound, stats.dial_tokens), (1, 0, 8));
    assert_eq!(stats.by_transport, [(Transport::Ws, 1)]);
    assert_eq!(stats.deadline_lag_ms, 0);
    let due = world.manager.next_deadline().expect("a ping");
    world.now = due + 70;
    world.tell(Event::Tick);
    assert_eq!(world.manager.stats().deadline_lag_ms, 70);
    // An hour too late is sleep, and no lag.
    world.now += 3_600_000;
    world.tell(Event::Tick);
    assert_eq!(world.manager.stats().deadline_lag_ms, 70);
    let conn = world.connects_by_itself(place);
    assert_eq!(world.manager.stats().inbound, 0, "{conn:?} is outbound");
    let view = world.view(place);
    assert_eq!(view.direction, Some(Direction::Outbound));
}

#[test]
fn the_time_to_the_first_target_is_told_for_each_requirement_and_stays() {
    let mut world = World::offline_trees();
    let [first, second] = [world.node(&ALL), world.node(&ALL)];
    world.named(first);
    world.now = 500;
    world.start();
    world.run(2_000);
    let met = |world: &World| -> Vec<Option<u64>> {
        let views = world.manager.requirements();
        views.iter().map(|view| view.first_met_after_ms).collect()
    };
    let [None, None, Some(store)] = met(&world)[..] else {
        panic!(
            "one peer is the target of the store alone: {:?}",
            met(&world)
        );
    };
    assert!(store < 1_000, "it counts from the start: {store}");
    world.named(second);
    world.run(1_000);
    let all = met(&world);
    assert!(all.iter().all(Option::is_some));
    world.set_need(STORE, need(0, 2, 2));
    world.run(1_000);
    assert_eq!(met(&world), all);
}

#[test]
fn reading_changes_nothing() {
    let run = |reads: bool| {
        let (mut world, fleet) = World::fleet();
        world.start();
        for place in fleet.everybody() {
            world.run(7_000);
            if reads {
                for node in &world.nodes {
                    world.manager.explain(&node.id);
                }
                world.manager.stats();
                world.manager.peers();
                world.manager.requirements();
                world.manager.decisions(100);
                world.manager.protocols();
                world.manager.log();
            }
            world.stop_node(place);
        }
        world.orders
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn a_peer_whose_transport_is_full_is_explained_so() {
    let mut world = World::offline_trees();
    let place = world.node(&ALL);
    world.tell(Event::SetMaxByTransport {
        transport: Transport::Ws,
        max: Some(0),
    });
    world.discovered(place, Source::PeerExchange);
    world.start();
    assert_eq!(not_dialed(&world, place), Some(Reason::TransportLimit));
}
