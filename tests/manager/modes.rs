//! Pauses and initial syncs (4.18).

use lightkeeper::manager::{
    CloseCause, Command, DialWhy, Event, GateQuery, Health, Reason, Source,
};

use crate::world::{ALL, Fleet, LIGHT_PUSH, Reachable, World, need};

/// A fleet that is met, some minutes after its start.
fn settled() -> (World, Fleet) {
    let (mut world, fleet) = World::fleet();
    world.start();
    world.run(300_000);
    assert_eq!(world.health(), Health::Met);
    (world, fleet)
}

fn serving(world: &World) -> Vec<usize> {
    (0..world.nodes.len())
        .filter(|place| world.connected(*place))
        .collect()
}

#[test]
fn a_paused_node_keeps_its_connections_and_dials_nobody() {
    let (mut world, _) = settled();
    let before = serving(&world);
    let mark = world.mark();
    world.tell(Event::Pause);
    world.run(600_000);
    assert_eq!(serving(&world), before);
    world.stop_node(before[0]);
    world.run(600_000);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    assert_eq!(world.closes_since(mark), []);
    assert_ne!(world.health(), Health::Met);
    world.tell(Event::Unpause);
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn a_pause_cancels_dials() {
    let (mut world, fleet) = World::fleet();
    for place in fleet.everybody() {
        world.nodes[place].reachable = Reachable::Never;
    }
    world.start();
    world.run(100);
    let mark = world.mark();
    world.tell(Event::Pause);
    assert_eq!(
        world.count(mark, |order| matches!(order, Command::CancelDial { .. })),
        1
    );
    assert_eq!(world.manager.stats().dialing, 0);
}

#[test]
fn the_gate_and_the_users_dials_are_refused_while_paused() {
    let (mut world, fleet) = settled();
    world.tell(Event::Pause);
    let time = world.time();
    let outbound = GateQuery::Outbound { peer: None };
    let inbound = GateQuery::Inbound { peer: None };
    assert_eq!(world.manager.gate(time, outbound), Err(Reason::Paused));
    assert_eq!(world.manager.gate(time, inbound), Err(Reason::Paused));
    let idle = fleet.all.into_iter().find(|place| !world.connected(*place));
    let idle = idle.expect("two are enough");
    world.connect_now(idle);
    assert_eq!(world.refusal(), Some(Reason::Paused));
    // And who comes nevertheless is sent away.
    world.connects_by_itself(idle);
    assert_eq!(world.closes_since(0).last(), Some(&Reason::Paused));
}

#[test]
fn a_start_ends_a_pause() {
    let (mut world, _) = settled();
    world.tell(Event::Pause);
    let lost = serving(&world)[0];
    world.stop_node(lost);
    assert_ne!(world.health(), Health::Met);
    world.tell(Event::Start);
    world.run(1_000);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn an_initial_sync_keeps_the_connection_that_serves_most_and_drains_the_others() {
    let mut world = World::offline_trees();
    let rich = world.node(&ALL);
    let poor = [world.node(&[LIGHT_PUSH]), world.node(&ALL[..2])];
    for place in [rich, poor[0], poor[1]] {
        world.discovered(place, Source::PeerExchange);
    }
    world.set_need(LIGHT_PUSH, need(1, 3, 4));
    world.start();
    world.run(60_000);
    assert_eq!(serving(&world), [rich, poor[0], poor[1]]);
    let mark = world.mark();
    world.tell(Event::StartSync { peer: None });
    assert_eq!(
        world.closes_since(mark),
        [Reason::InitialSync, Reason::InitialSync]
    );
    let drained = |order: &Command| matches!(order, Command::Drain { .. });
    assert_eq!(world.count(mark, drained), 2);
    world.run(600_000);
    assert_eq!(serving(&world), [rich]);
    assert_eq!(world.dialed_since(mark), [0_usize; 0]);
    // Without a penalty: they are back at once.
    let mark = world.mark();
    world.tell(Event::StopSync);
    world.run(1_000);
    assert_eq!(serving(&world), [rich, poor[0], poor[1]]);
    assert_eq!(world.dialed_since(mark).len(), 2);
    assert_eq!(world.health(), Health::Met);
}

#[test]
fn an_initial_sync_dials_the_peer_that_the_user_names() {
    let (mut world, fleet) = settled();
    let chosen = fleet.store;
    assert!(!world.connected(chosen));
    let mark = world.mark();
    let peer = world.nodes[chosen].id;
    world.tell(Event::StartSync { peer: Some(peer) });
    assert_eq!(
        world.dials_since(mark),
        [(world.now, chosen, DialWhy::Sync)]
    );
    world.run(600_000);
    assert_eq!(serving(&world), [chosen]);
    assert_eq!(world.dialed_since(mark), [chosen]);
}

#[test]
fn an_initial_sync_that_loses_its_connection_makes_another() {
    let (mut world, _) = settled();
    world.tell(Event::StartSync { peer: None });
    world.run(10_000);
    let kept = serving(&world);
    assert_eq!(kept.len(), 1);
    let mark = world.mark();
    world.lose(kept[0], CloseCause::Broken);
    world.run(60_000);
    assert_eq!(serving(&world).len(), 1);
    let dials = world.dials_since(mark);
    assert!(dials.iter().all(|dial| dial.2 == DialWhy::Sync));
    assert_eq!(dials.len(), 1);
}

#[test]
fn an_initial_sync_leaves_whom_the_user_holds() {
    let (mut world, fleet) = settled();
    world.connect_now(fleet.store);
    world.run(1_000);
    let peer = Some(world.nodes[fleet.all[0]].id);
    world.tell(Event::StartSync { peer });
    world.run(60_000);
    assert_eq!(serving(&world), [fleet.all[0], fleet.store]);
}

#[test]
fn nobody_else_connects_during_an_initial_sync() {
    let (mut world, fleet) = settled();
    world.tell(Event::StartSync { peer: None });
    world.run(1_000);
    let time = world.time();
    let inbound = GateQuery::Inbound { peer: None };
    assert_eq!(world.manager.gate(time, inbound), Err(Reason::InitialSync));
    world.connects_by_itself(fleet.store);
    assert_eq!(world.closes_since(0).last(), Some(&Reason::InitialSync));
}

#[test]
fn a_stop_ends_an_initial_sync() {
    let (mut world, _) = settled();
    world.tell(Event::StartSync { peer: None });
    world.run(1_000);
    world.tell(Event::Stop);
    world.run(10_000);
    world.tell(Event::Start);
    world.run(60_000);
    assert_eq!(world.health(), Health::Met);
    assert!(serving(&world).len() > 1);
}
