//! What the user wants of peers and connections.

use libp2p::PeerId;
use libp2p::identity::Keypair;
use lightkeeper::fleet::FleetOptions;
use lightkeeper::manager::{Config, HealthReason, PeerState, Priority, Reason, Transport};
use lightkeeper::node::{ErrorCode, LIGHT_PUSH, Limits, Needs, Node, NodeConfig, NodeError};
use lightkeeper::protocols::network::Network;

use super::world::World;
use crate::client::soon;

/// A node that knows nobody and is never run.
fn alone(change: impl FnOnce(&mut NodeConfig)) -> Result<Node, NodeError> {
    let mut config = NodeConfig {
        keypair: Keypair::generate_ed25519(),
        seed: [7; 32],
        network: Network::auto(1, 8).unwrap(),
        max_message_bytes: lightkeeper::protocols::message::MAX_SIZE,
        log: None,
        bootstrap: Vec::new(),
        resolvers: Vec::new(),
        needs: Needs::default(),
        limits: Limits::default(),
        policy: Vec::new(),
        page: lightkeeper::discovery::dialable::Page {
            secure: false,
            private_allowed: true,
        },
    };
    change(&mut config);
    Node::new(config).map(|(node, _)| node)
}

fn place(name: &str) -> usize {
    let mut names = Config::NUMBERS.iter();
    names.position(|known| *known == name).unwrap()
}

#[test]
fn limits_at_creation_hold_and_the_hard_one_follows_the_other() {
    let node = alone(|config| config.limits.connections = Some(8)).unwrap();
    assert_eq!((node.stats().soft, node.stats().hard), (8, 10));
    let node = alone(|config| {
        config.limits.connections = Some(8);
        config.limits.hard = Some(9);
    });
    assert_eq!(node.unwrap().stats().hard, 9);
}

#[test]
fn limits_out_of_order_and_numbers_out_of_range_are_refused() {
    let refused = |change: fn(&mut NodeConfig)| {
        let error = alone(change).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidOptions);
        error.option.clone().unwrap()
    };
    let hard = refused(|config| config.limits.hard = Some(1));
    assert_eq!(hard, "limits.hard");
    let none = refused(|config| config.limits.connections = Some(0));
    assert_eq!(none, "limits.connections");
    let number = refused(|config| config.policy = vec![(place("ping_failures"), 256)]);
    assert_eq!(number, format!("policy[{}]", place("ping_failures")));
}

#[tokio::test]
async fn numbers_of_the_policy_reach_the_manager() {
    // One dial at a time: what is found later can't hide it.
    let world = World::with(8, |config| {
        config.policy = vec![(place("dials_in_flight"), 1)];
        config.limits.by_transport = vec![(Transport::Ws, 12)];
    })
    .await;
    world.ready().await;
    assert_eq!(world.node.health().reason, HealthReason::AllMet);
    world.close().await;
}

#[tokio::test]
async fn stopped_connections_leave_the_node_alive_and_come_back() {
    let world = World::new().await;
    world.ready().await;
    let known = world.node.stats().known;
    soon(world.node.stop_connections()).await.unwrap();
    assert!(world.connected().is_empty());
    assert_eq!(world.node.health().reason, HealthReason::Stopped);
    assert!(world.node.stats().known >= known);
    let peer = world.node.peers()[0].peer.to_string();
    let denied = soon(world.node.dial(&peer)).await.unwrap_err();
    assert_eq!(denied.code, ErrorCode::Denied);
    assert_eq!(denied.cause, Some(Reason::Stopped.as_str()));
    world.node.start_connections().unwrap();
    world.ready().await;
    world.close().await;
}

#[tokio::test]
async fn connections_of_a_stopped_node_are_not_started_alone() {
    let world = World::new().await;
    soon(world.node.stop()).await.unwrap();
    let error = world.node.start_connections().unwrap_err();
    assert_eq!(error.code, ErrorCode::NotStarted);
    world.close().await;
}

#[tokio::test]
async fn a_route_that_is_none_is_refused() {
    let world = World::new().await;
    let (one, other) = (world.peer_of("all-1"), world.peer_of("all-2"));
    for wrong in [
        "nonsense".to_owned(),
        format!("/p2p/{one}"),
        format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{other}"),
        // No page can dial it.
        "/ip4/127.0.0.1/tcp/1".to_owned(),
    ] {
        let error = world.node.add_route(one, &wrong).unwrap_err();
        assert_eq!(error.option.as_deref(), Some("address"), "{wrong}");
    }
    let long = "x".repeat(65);
    let error = world.node.protect(one, &long).unwrap_err();
    assert_eq!(error.option.as_deref(), Some("tag"));
    let error = world.node.hint(one, "worth", 1_001, None).unwrap_err();
    assert_eq!(error.option.as_deref(), Some("value"));
    world.close().await;
}

/// What is refused is an error of that call, with the manager's reason.
fn assert_denied(result: Result<(), NodeError>, reason: Reason) {
    let error = result.unwrap_err();
    assert_eq!(error.code, ErrorCode::Denied, "{error}");
    assert_eq!(error.cause, Some(reason.as_str()), "{error}");
    assert!(error.peer.is_some(), "{error}");
}

#[tokio::test]
async fn each_wish_that_is_refused_says_why() {
    let node = alone(|_| {}).unwrap();
    let address = "/ip4/127.0.0.1/tcp/1/ws";
    let us = node.peer_id();
    for wish in [
        node.set_priority(us, Priority::Low),
        node.set_priority(us, Priority::Banned),
        node.add_route(us, address),
        node.protect(us, "mine"),
        node.hint(us, "worth", 1, None),
        node.keep(us),
    ] {
        assert_denied(wish, Reason::OurOwnId);
    }

    let banned = PeerId::random();
    node.set_priority(banned, Priority::Banned).unwrap();
    // What holds already is no error.
    node.set_priority(banned, Priority::Banned).unwrap();
    assert_denied(node.protect(banned, "mine"), Reason::BannedByUser);
    assert_denied(node.keep(banned), Reason::BannedByUser);

    let peer = PeerId::random();
    let mut tags = (0..).map(|number| node.protect(peer, &format!("tag {number}")));
    assert_denied(tags.find(Result::is_err).unwrap(), Reason::LimitReached);
    let mut hints = (0..).map(|number| node.hint(peer, &format!("hint {number}"), 1, None));
    assert_denied(hints.find(Result::is_err).unwrap(), Reason::LimitReached);
    let mut ports =
        (1..).map(|port| node.add_route(peer, &format!("/ip4/127.0.0.1/tcp/{port}/ws")));
    assert_denied(ports.find(Result::is_err).unwrap(), Reason::LimitReached);
    node.protect(peer, "tag 0").unwrap();
}

#[tokio::test]
async fn a_dial_that_is_refused_is_not_waited_for_and_holds_nobody() {
    let node = alone(|_| {}).unwrap();
    node.start().unwrap();
    let denied = |result: Result<_, NodeError>| {
        let result: Result<lightkeeper::manager::PeerView, _> = result;
        result.unwrap_err()
    };
    // Nobody runs the node: what is waited for never comes.
    let peer = PeerId::random();
    let error = denied(soon(node.dial(&peer.to_string())).await);
    assert_denied(Err(error), Reason::NoRoute);
    let address = format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{peer}");
    node.pause_connections().unwrap();
    assert_denied(Err(denied(soon(node.dial(&address)).await)), Reason::Paused);
    node.set_priority(peer, Priority::Banned).unwrap();
    assert_denied(
        Err(denied(soon(node.dial(&address)).await)),
        Reason::BannedByUser,
    );
    assert!(!node.peer(&peer).unwrap().pinned);
}

#[tokio::test]
async fn a_route_of_the_users_is_enough_to_reach_a_peer() {
    let world = World::of(unreachable(), |_, config| config.bootstrap.clear()).await;
    let peer = world.peer_of("all-1");
    let address = world.fleet.node("all-1").unwrap().address;
    world.node.add_route(peer, &address).unwrap();
    let view = soon(world.node.dial(&peer.to_string())).await.unwrap();
    assert_eq!(view.state, PeerState::Connected);
    world.close().await;
}

#[tokio::test]
async fn a_kept_peer_is_connected_although_nothing_needs_it() {
    let world = World::of(unreachable(), |fleet, config| {
        let address = fleet.node("store-1").unwrap().address;
        config.bootstrap = NodeConfig::parse_bootstrap(&[address]).unwrap();
        config.needs.store.target = 0;
    })
    .await;
    let peer = world.peer_of("store-1");
    world.node.keep(peer).unwrap();
    world.connects(peer).await;
    assert!(world.node.peer(&peer).unwrap().pinned);
    world.close().await;
}

#[tokio::test]
async fn a_forgotten_peer_is_closed_and_unknown() {
    let world = World::new().await;
    world.ready().await;
    let peer = world.node.health().requirements[usize::from(LIGHT_PUSH.0)].peers[0];
    let mark = world.mark();
    world.node.forget(peer).unwrap();
    let reason = world.disconnect_since(mark, peer).await;
    assert_eq!(reason, Reason::Forgotten);
    world.close().await;
}

#[tokio::test]
async fn tags_and_hints_show_in_the_explanation() {
    let world = World::new().await;
    world.ready().await;
    let peer = world.connected()[0];
    world.node.protect(peer, "mine").unwrap();
    world.node.hint(peer, "worth", 100, None).unwrap();
    world.node.set_priority(peer, Priority::High).unwrap();
    // A call that waits for the manager to have seen everything.
    soon(world.node.dial(&peer.to_string())).await.unwrap();
    let explained = world.node.explain(&peer).unwrap();
    assert_eq!(explained.protected_by, ["mine"]);
    assert_eq!(explained.parts.hints, 100);
    assert_eq!(explained.view.priority, Priority::High);
    assert!(explained.not_closed.is_some());
    assert!(!explained.decisions.is_empty());
    assert!(!world.node.decisions(1_000).is_empty());
    world.close().await;
}

#[tokio::test]
async fn an_initial_sync_holds_one_connection_and_ends() {
    let world = World::new().await;
    world.ready().await;
    let peer = world.node.health().requirements[usize::from(LIGHT_PUSH.0)].peers[0];
    let mark = world.mark();
    let others: Vec<_> = world
        .connected()
        .into_iter()
        .filter(|p| *p != peer)
        .collect();
    world.node.start_sync(Some(peer)).unwrap();
    for other in others {
        let reason = world.disconnect_since(mark, other).await;
        assert_eq!(reason, Reason::InitialSync);
    }
    assert_eq!(world.connected(), [peer]);
    world.node.stop_sync().unwrap();
    world.ready().await;
    world.close().await;
}

#[tokio::test]
async fn a_paused_node_replaces_nobody_until_it_resumes() {
    let world = World::new().await;
    world.ready().await;
    world.node.pause_connections().unwrap();
    let peer = world.node.health().requirements[usize::from(LIGHT_PUSH.0)].peers[0];
    let mark = world.mark();
    soon(world.node.hang_up(peer)).await.unwrap();
    let dials = world.node.stats().dials;
    world.disconnect_since(mark, peer).await;
    assert_eq!(world.node.stats().dials, dials);
    world.node.resume_connections().unwrap();
    world.ready().await;
    assert!(world.node.stats().dials > dials);
    world.close().await;
}

#[tokio::test]
async fn limits_and_lifetimes_can_change_while_it_runs() {
    let world = World::new().await;
    world.ready().await;
    world.node.set_limits(Some(6), None).unwrap();
    world
        .node
        .set_max_by_transport(Transport::Ws, Some(5))
        .unwrap();
    world.node.set_lifetime(Some(3_600_000)).unwrap();
    let peer = world.connected()[0].to_string();
    soon(world.node.dial(&peer)).await.unwrap();
    let stats = world.node.stats();
    assert_eq!((stats.soft, stats.hard), (6, 8));
    let error = world.node.set_limits(Some(6), Some(5)).unwrap_err();
    assert_eq!(error.option.as_deref(), Some("limits.hard"));
    world.close().await;
}

fn unreachable() -> FleetOptions {
    FleetOptions {
        port: 0,
        ..FleetOptions::default()
    }
}
