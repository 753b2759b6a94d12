//! A node among hostile peers, and what can be said of how it took them.

use std::time::Duration;

use lightkeeper::fleet::hostile::{Hostile, Part, Script};
use lightkeeper::fleet::{Fleet, FleetOptions, Service};
use lightkeeper::manager::{Failed, Notice, Reason};
use lightkeeper::node::{
    GapCause, NodeConfig, NodeEvent, Received, Subscribed, SubscriptionId, SubscriptionState,
    Wanted,
};

use crate::client::soon;
use crate::driver::world::{PATIENCE, TOPIC, World};

pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) hostile: Vec<Hostile>,
}

/// Serves everything but peer exchange, so that nobody is known but those of the story.
pub(crate) fn serving() -> Script {
    Script::honest().serving(&[Service::LightPush, Service::Filter, Service::Store])
}

impl Stage {
    /// A started node that knows these peers and nobody else, connected to all of them. They have the network of a
    /// fleet in common, which publishes for them and whose one node stays unknown.
    pub(crate) async fn new(scripts: Vec<Script>) -> Self {
        Self::with(scripts, |_| {}).await
    }

    pub(crate) async fn with(scripts: Vec<Script>, change: impl FnOnce(&mut NodeConfig)) -> Self {
        let stage = Self::unconnected(scripts, change).await;
        for hostile in &stage.hostile {
            soon(hostile.until_connected(stage.world.node.peer_id())).await;
        }
        stage
    }

    /// The same without waiting for a connection.
    pub(crate) async fn unconnected(
        scripts: Vec<Script>,
        change: impl FnOnce(&mut NodeConfig),
    ) -> Self {
        let options = FleetOptions {
            port: 0,
            nodes: 1,
            ..FleetOptions::default()
        };
        let fleet = Fleet::start(options).await.unwrap();
        let mut hostile = Vec::new();
        for (number, script) in scripts.into_iter().enumerate() {
            let name = format!("hostile-{number}");
            hostile.push(Hostile::beside(&fleet, &name, script).await.unwrap());
        }
        let addresses: Vec<_> = hostile.iter().map(|h| h.address().to_string()).collect();
        let all = hostile.len() as u8;
        let world = World::in_fleet(fleet, |_, config| {
            config.bootstrap = NodeConfig::parse_bootstrap(&addresses).unwrap();
            config.resolvers.clear();
            // All of them are wanted for everything, or else they would not all be connected.
            for need in [
                &mut config.needs.light_push,
                &mut config.needs.filter,
                &mut config.needs.store,
            ] {
                (need.min, need.target, need.max) = (1, all.max(1), all.max(1));
            }
            change(config);
        });
        Self { world, hostile }
    }

    /// Subscribes to the tests' topic.
    pub(crate) async fn subscribe(&self) -> Subscribed {
        let topics = vec![TOPIC.into()];
        soon(self.world.node.subscribe(
            Wanted {
                content_topics: topics,
                ..Wanted::default()
            },
            PATIENCE,
        ))
        .await
        .unwrap()
    }

    /// Those that were asked to serve a subscription, and those that were not.
    pub(crate) fn asked(&self) -> (Vec<&Hostile>, Vec<&Hostile>) {
        self.hostile
            .iter()
            .partition(|hostile| !hostile.asked_for(Part::Subscribe).is_empty())
    }

    /// Waits until so many were asked to subscribe.
    pub(crate) async fn until_asked(&self, servers: usize) {
        soon(async {
            while self.asked().0.len() < servers {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// What peers were charged with, as far as users hear of it: failed requests, bans, and connections that we ended
    /// for what was done on them.
    pub(crate) fn charges(&self) -> Vec<String> {
        self.world.seen(|event| {
            let NodeEvent::Manager(notice) = event else {
                return None;
            };
            let charged = match notice {
                Notice::Failed {
                    failed, charged, ..
                } => *charged && matches!(failed, Failed::Request { .. }),
                Notice::Banned { .. } => true,
                Notice::Disconnected { reason, .. } => matches!(
                    reason,
                    Reason::BadBehaviour
                        | Reason::FailedService
                        | Reason::BannedForFaults
                        | Reason::PingTimeout
                        | Reason::IdentifyFailed
                        | Reason::OtherNetwork
                ),
                _ => false,
            };
            charged.then(|| format!("{notice:?}"))
        })
    }

    pub(crate) fn assert_nobody_charged(&self) {
        let charges = self.charges();
        assert!(charges.is_empty(), "{charges:#?}");
        for hostile in &self.hostile {
            assert!(hostile.is_connected(self.world.node.peer_id()));
        }
    }

    /// Publishes a message and waits until the subscription has it.
    pub(crate) async fn hear(&self, id: SubscriptionId, text: &str) -> Received {
        self.world
            .fleet
            .publish(TOPIC, text.as_bytes().to_vec(), false)
            .unwrap();
        self.heard(id, text).await
    }

    /// Waits until the subscription has a message of this text.
    pub(crate) async fn heard(&self, id: SubscriptionId, text: &str) -> Received {
        self.world
            .event_since(0, |event| match event {
                NodeEvent::Message(to, received)
                    if *to == id && received.message.payload() == text.as_bytes() =>
                {
                    Some((**received).clone())
                }
                _ => None,
            })
            .await
    }

    /// The payloads that a subscription has brought so far.
    pub(crate) fn payloads(&self, id: SubscriptionId) -> Vec<Vec<u8>> {
        self.world.seen(|event| match event {
            NodeEvent::Message(to, received) if *to == id => {
                Some(received.message.payload().to_vec())
            }
            _ => None,
        })
    }

    /// The gaps told so far: from, until, why.
    pub(crate) fn gaps(&self) -> Vec<(u64, u64, GapCause)> {
        self.world.seen(|event| match event {
            NodeEvent::Gap {
                from_ms,
                to_ms,
                cause,
                ..
            } => Some((*from_ms, *to_ms, *cause)),
            _ => None,
        })
    }

    /// Waits until a gap was told.
    pub(crate) async fn until_gap(&self) {
        self.world
            .event_since(0, |event| {
                matches!(event, NodeEvent::Gap { .. }).then_some(())
            })
            .await;
    }

    /// The states of a subscription so far.
    pub(crate) fn states(&self, id: SubscriptionId) -> Vec<SubscriptionState> {
        self.world.seen(|event| match event {
            NodeEvent::Subscription { id: of, state, .. } if *of == id => Some(*state),
            _ => None,
        })
    }

    pub(crate) async fn close(self) {
        for hostile in self.hostile {
            soon(hostile.shutdown()).await;
        }
        self.world.close().await;
    }
}
