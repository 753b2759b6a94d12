//! Finding peers, holding them, losing them.

use lightkeeper::fleet::{FleetOptions, ResolverMode};
use lightkeeper::manager::{Cause, DialFailure, Failed, Notice, PeerState, Reason, Source};
use lightkeeper::node::{ErrorCode, FILTER, LIGHT_PUSH, NodeConfig, ReadyLevel, STORE};
use lightkeeper::protocols::network::Network;

use super::world::World;
use crate::client::soon;

#[tokio::test]
async fn a_record_tree_is_enough_to_reach_every_target() {
    let world = World::new().await;
    world.ready().await;
    for requirement in world.node.health().requirements {
        assert!(requirement.have >= requirement.target, "{requirement:?}");
    }
    world.close().await;
}

#[tokio::test]
async fn one_bootstrap_peer_and_two_that_serve_all_are_enough() {
    let world = World::new().await;
    world.ready().await;
    let mut names: Vec<_> = world
        .connected()
        .into_iter()
        .map(|peer| world.name_of(peer).split('-').next().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["all", "all", "boot"]);
    assert_eq!(world.node.stats().dials, 3);
    world.close().await;
}

#[tokio::test]
async fn static_peers_need_no_resolver() {
    let options = FleetOptions {
        port: 0,
        ..FleetOptions::default()
    };
    let world = World::of(options, |fleet, config| {
        let addresses: Vec<_> = fleet
            .nodes()
            .into_iter()
            .filter(|node| node.name.starts_with("all"))
            .map(|node| node.address)
            .collect();
        config.bootstrap = NodeConfig::parse_bootstrap(&addresses).unwrap();
        config.resolvers.clear();
    })
    .await;
    world.ready().await;
    assert!(
        world
            .node
            .peers()
            .iter()
            .filter(|peer| peer.state == PeerState::Connected)
            .all(|peer| peer.source == Source::Static)
    );
    world.close().await;
}

#[tokio::test]
async fn a_lost_provider_is_replaced_and_no_other_connection_is_touched() {
    let world = World::new().await;
    world.ready().await;
    let before = world.connected();
    let serving = world.node.health().requirements[usize::from(STORE.0)].peers[0];
    let mark = world.mark();
    world.control(&world.name_of(serving), "stop").await;

    let (reason, deliberate) = world
        .notice_since(mark, |notice| match notice {
            Notice::Disconnected {
                peer,
                reason,
                deliberate,
                cause,
                ..
            } if *peer == serving => {
                assert_eq!(*cause, Cause::Remote);
                Some((*reason, *deliberate))
            }
            _ => None,
        })
        .await;
    assert_eq!((reason, deliberate), (Reason::ConnectionLost, false));
    world.ready().await;
    for peer in before.iter().filter(|peer| **peer != serving) {
        assert!(world.connected().contains(peer), "{peer} was touched");
    }
    let others_lost = world.seen(|event| match event {
        lightkeeper::node::NodeEvent::Manager(Notice::Disconnected { peer, .. })
            if *peer != serving =>
        {
            Some(*peer)
        }
        _ => None,
    });
    assert_eq!(others_lost, []);
    world.close().await;
}

#[tokio::test]
async fn losing_a_peer_announces_who_took_over() {
    let world = World::new().await;
    world.ready().await;
    let lost = world.node.health().requirements[usize::from(FILTER.0)].peers[0];
    let mark = world.mark();
    world.control(&world.name_of(lost), "stop").await;
    let gained = world
        .notice_since(mark, |notice| match notice {
            Notice::Replaced {
                lost: who,
                gained,
                requirement: FILTER,
                ..
            } if *who == lost => Some(*gained),
            _ => None,
        })
        .await;
    assert!(world.connected().contains(&gained));
    world.close().await;
}

#[tokio::test]
async fn the_only_provider_comes_back_by_itself() {
    let world = World::of(
        FleetOptions {
            port: 0,
            ..FleetOptions::default()
        },
        |fleet, config| {
            let store = fleet.node("store-1").unwrap().address;
            config.bootstrap = NodeConfig::parse_bootstrap(&[store]).unwrap();
            config.resolvers.clear();
            config.needs.light_push.target = 0;
            config.needs.light_push.min = 0;
            config.needs.filter.target = 0;
            config.needs.filter.min = 0;
        },
    )
    .await;
    world.ready().await;
    let store = world.peer_of("store-1");
    let mark = world.mark();
    world.control("store-1", "stop").await;
    let will_reconnect = world
        .notice_since(mark, |notice| match notice {
            Notice::Disconnected {
                peer,
                will_reconnect,
                ..
            } if *peer == store => Some(*will_reconnect),
            _ => None,
        })
        .await;
    assert!(will_reconnect);
    world.control("store-1", "start").await;
    world
        .notice_since(mark, |notice| match notice {
            Notice::Reconnected { peer, .. } if *peer == store => Some(()),
            _ => None,
        })
        .await;
    world.ready().await;
    world.close().await;
}

#[tokio::test]
async fn hanging_up_is_deliberate_and_bars_the_peer() {
    let world = World::new().await;
    world.ready().await;
    let peer = world.node.health().requirements[usize::from(LIGHT_PUSH.0)].peers[0];
    let mark = world.mark();
    soon(world.node.hang_up(peer)).await.unwrap();
    let (cause, reason, deliberate, will_reconnect) = world
        .notice_since(mark, |notice| match notice {
            Notice::Disconnected {
                peer: who,
                cause,
                reason,
                deliberate,
                will_reconnect,
                ..
            } if *who == peer => Some((*cause, *reason, *deliberate, *will_reconnect)),
            _ => None,
        })
        .await;
    assert_eq!(
        (cause, reason, deliberate, will_reconnect),
        (Cause::Local, Reason::HungUp, true, false)
    );
    world.ready().await;
    assert!(!world.connected().contains(&peer));
    let view = soon(world.node.dial(&peer.to_string())).await.unwrap();
    assert_eq!(view.state, PeerState::Connected);
    world.close().await;
}

#[tokio::test]
async fn dialing_who_is_not_there_says_so() {
    let world = World::new().await;
    world.control("store-1", "stop").await;
    let address = world.fleet.node("store-1").unwrap().address;
    let error = soon(world.node.dial(&address)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::DialFailed);
    assert_eq!(error.peer.as_ref(), Some(&world.peer_of("store-1")));
    assert!(error.message.ends_with("unreachable"), "{error}");
    world.close().await;
}

#[tokio::test]
async fn another_peer_at_the_address_is_told() {
    let world = World::new().await;
    world.control("store-1", "wrong-id").await;
    let address = world.fleet.node("store-1").unwrap().address;
    let mark = world.mark();
    soon(world.node.dial(&address)).await.unwrap_err();
    let store = world.peer_of("store-1");
    let failure = world
        .notice_since(mark, |notice| match notice {
            Notice::Failed {
                peer,
                failed: Failed::Dial { failure, .. },
                ..
            } if *peer == store => Some(*failure),
            _ => None,
        })
        .await;
    assert_eq!(failure, DialFailure::WrongId);
    world.close().await;
}

#[tokio::test]
async fn peers_of_another_cluster_are_left() {
    // Records that name another cluster are not even dialed, so the peer is named without its record.
    let world = World::of(
        FleetOptions {
            port: 0,
            ..FleetOptions::default()
        },
        |fleet, config| {
            let address = fleet.node("all-1").unwrap().address;
            config.bootstrap = NodeConfig::parse_bootstrap(&[address]).unwrap();
            config.network = Network::auto(2, 8).unwrap();
        },
    )
    .await;
    let peer = world.peer_of("all-1");
    let reason = world
        .notice_since(0, |notice| match notice {
            Notice::Disconnected {
                peer: who, reason, ..
            } if *who == peer => Some(*reason),
            _ => None,
        })
        .await;
    // Whoever is faster: the peer asks us as well.
    assert!(
        matches!(
            reason,
            Reason::OtherNetwork | Reason::RejectedByRemote | Reason::ConnectionLost
        ),
        "{reason}"
    );
    world.close().await;
}

#[tokio::test]
async fn a_second_resolver_helps_out() {
    let world = World::with(8, |config| {
        let good = config.resolvers[0].clone();
        // Nothing listens there.
        config.resolvers = vec!["http://127.0.0.1:1/dns-query".into(), good];
    })
    .await;
    world.ready().await;
    world.close().await;
}

#[tokio::test]
async fn a_tree_that_comes_late_is_used_then() {
    let world = World::of(
        FleetOptions {
            port: 0,
            ..FleetOptions::default()
        },
        |fleet, _| fleet.set_resolver(ResolverMode::Down),
    )
    .await;
    world
        .event_since(0, |event| match event {
            lightkeeper::node::NodeEvent::Log(_, "dns", _) => Some(()),
            _ => None,
        })
        .await;
    assert!(world.connected().is_empty());
    world.fleet.set_resolver(ResolverMode::Ok);
    world.ready().await;
    world.close().await;
}

#[tokio::test]
async fn a_stopped_node_has_no_connections_and_starts_again() {
    let world = World::new().await;
    world.ready().await;
    soon(world.node.stop()).await.unwrap();
    assert!(world.connected().is_empty());
    let error = soon(world.node.ready(ReadyLevel::Met, None))
        .await
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::NotStarted);
    world.node.start().unwrap();
    world.ready().await;
    world.close().await;
}

#[tokio::test]
async fn closing_ends_every_call_that_waits() {
    let world = World::with(8, |config| config.bootstrap.clear()).await;
    let waiting = tokio::spawn({
        let node = world.node.clone();
        async move { node.ready(ReadyLevel::Met, None).await }
    });
    tokio::task::yield_now().await;
    world.node.close();
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::Closed);
    world.close().await;
}

#[tokio::test]
async fn a_network_that_goes_away_as_a_whole_is_found_again() {
    let world = World::new().await;
    world.ready().await;
    let names: Vec<_> = world.fleet.nodes().into_iter().map(|n| n.name).collect();
    let mark = world.mark();
    for name in &names {
        world.control(name, "stop").await;
    }
    world
        .notice_since(mark, |notice| match notice {
            Notice::HealthChanged {
                new: lightkeeper::manager::Health::Unmet,
                ..
            } => Some(()),
            _ => None,
        })
        .await;
    for name in &names {
        world.control(name, "start").await;
    }
    world.ready().await;
    world.close().await;
}

#[tokio::test]
async fn a_node_that_starts_while_nobody_answers_is_ready_once_somebody_does() {
    let world = World::new().await;
    soon(world.node.stop()).await.unwrap();
    let names: Vec<_> = world.fleet.nodes().into_iter().map(|n| n.name).collect();
    for name in &names {
        world.control(name, "stop").await;
    }
    let mark = world.mark();
    world.node.start().unwrap();
    world
        .notice_since(mark, |notice| match notice {
            Notice::Failed { .. } => Some(()),
            _ => None,
        })
        .await;
    for name in &names {
        world.control(name, "start").await;
    }
    world.ready().await;
    world.close().await;
}

#[tokio::test]
async fn a_banned_peer_is_not_dialed_and_the_refusal_says_why() {
    let world = World::new().await;
    let peer = world.peer_of("store-1");
    let address = world.fleet.node("store-1").unwrap().address;
    world
        .node
        .set_priority(peer, lightkeeper::manager::Priority::Banned)
        .unwrap();
    let error = soon(world.node.dial(&address)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Denied);
    assert!(error.message.ends_with("banned-by-user"), "{error}");
    world.close().await;
}

#[tokio::test]
async fn peers_that_are_dialed_beyond_the_limit_are_refused() {
    let world = World::with(24, |_| {}).await;
    let mut refused = None;
    for node in world.fleet.nodes() {
        match soon(world.node.dial(&node.address)).await {
            Ok(view) => assert!(view.pinned),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let error = refused.expect("not everybody can be held");
    assert_eq!(error.code, ErrorCode::Denied);
    assert!(error.message.ends_with("pin-limit"), "{error}");
    world.close().await;
}
