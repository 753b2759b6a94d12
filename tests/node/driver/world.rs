//! A node and the fleet that it lives on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use libp2p::PeerId;
use libp2p::identity::Keypair;
use lightkeeper::discovery::dialable::Page;
use lightkeeper::fleet::{Action, Fleet, FleetOptions};
use lightkeeper::manager::{Notice, PeerState, Reason};
use lightkeeper::node::{
    Limits, LogLevel, Needs, Node, NodeConfig, NodeError, NodeEvent, Outgoing, ReadyLevel,
    Received, SendOptions, SendReport, SubscriptionId, Wanted,
};
use lightkeeper::protocols::network::Network;
use tokio::sync::Notify;

use crate::client::soon;

/// A content topic of the tests.
pub(crate) const TOPIC: &str = "/lightkeeper/1/test/proto";

/// How long a call may take. Generous: nothing here measures.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) fleet: Fleet,
    pub(crate) node: Node,
    events: Arc<(Mutex<Vec<NodeEvent>>, Notify)>,
}

impl World {
    /// A fleet of the default roles and a started node that knows its record tree.
    pub(crate) async fn new() -> Self {
        Self::with(8, |_| {}).await
    }

    pub(crate) async fn with(nodes: usize, change: impl FnOnce(&mut NodeConfig)) -> Self {
        Self::of(
            FleetOptions {
                port: 0,
                nodes,
                ..FleetOptions::default()
            },
            |_, config| change(config),
        )
        .await
    }

    pub(crate) async fn of(
        options: FleetOptions,
        change: impl FnOnce(&Fleet, &mut NodeConfig),
    ) -> Self {
        let fleet = Fleet::start(options).await.expect("a fleet on free ports");
        Self::in_fleet(fleet, change)
    }

    /// A node in a fleet that is there.
    pub(crate) fn in_fleet(fleet: Fleet, change: impl FnOnce(&Fleet, &mut NodeConfig)) -> Self {
        let info = fleet.info();
        let mut config = NodeConfig {
            keypair: Keypair::generate_ed25519(),
            seed: [7; 32],
            network: Network::auto(1, 8).unwrap(),
            max_message_bytes: lightkeeper::protocols::message::MAX_SIZE,
            bootstrap: NodeConfig::parse_bootstrap(&[info.enrtree]).unwrap(),
            resolvers: vec![info.resolver],
            needs: Needs::default(),
            limits: Limits::default(),
            policy: Vec::new(),
            page: Page {
                secure: false,
                private_allowed: true,
            },
            log: Some(LogLevel::Debug),
        };
        change(&fleet, &mut config);
        let (node, mut receiver) = Node::new(config).unwrap();
        tokio::spawn(node.run());
        let events: Arc<(Mutex<Vec<NodeEvent>>, Notify)> = Arc::default();
        let sink = events.clone();
        tokio::spawn(async move {
            while let Some(event) = receiver.next().await {
                if let NodeEvent::Log(level, target, message) = &event {
                    // Shown for a test that fails.
                    println!("{level:?} {target}: {message}");
                }
                sink.0.lock().unwrap().push(event);
                sink.1.notify_waiters();
            }
        });
        node.start().unwrap();
        Self {
            fleet,
            node,
            events,
        }
    }

    pub(crate) async fn ready(&self) {
        soon(self.node.ready(ReadyLevel::Met, None))
            .await
            .expect("the node stays started");
    }

    /// How many events there are: `event_since` looks only after them.
    pub(crate) fn mark(&self) -> usize {
        self.events.0.lock().unwrap().len()
    }

    /// The first event after `mark` for which `pick` has an answer, now or to come.
    pub(crate) async fn event_since<T>(
        &self,
        mark: usize,
        mut pick: impl FnMut(&NodeEvent) -> Option<T>,
    ) -> T {
        soon(async {
            let mut at = mark;
            loop {
                let notified = self.events.1.notified();
                tokio::pin!(notified);
                notified.as_mut().enable();
                {
                    let events = self.events.0.lock().unwrap();
                    for event in &events[at..] {
                        if let Some(found) = pick(event) {
                            return found;
                        }
                    }
                    at = events.len();
                }
                notified.await;
            }
        })
        .await
    }

    pub(crate) async fn notice_since<T>(
        &self,
        mark: usize,
        mut pick: impl FnMut(&Notice) -> Option<T>,
    ) -> T {
        self.event_since(mark, |event| match event {
            NodeEvent::Manager(notice) => pick(notice),
            _ => None,
        })
        .await
    }

    /// Why a peer was disconnected, now or to come.
    pub(crate) async fn disconnect_since(&self, mark: usize, who: PeerId) -> Reason {
        self.notice_since(mark, |notice| match notice {
            Notice::Disconnected { peer, reason, .. } if *peer == who => Some(*reason),
            _ => None,
        })
        .await
    }

    /// Waits until a peer is connected for the first time.
    pub(crate) async fn connects(&self, who: PeerId) {
        self.notice_since(0, |notice| match notice {
            Notice::Connected { peer, .. } if *peer == who => Some(()),
            _ => None,
        })
        .await;
    }

    pub(crate) async fn message_since(&self, mark: usize, id: SubscriptionId) -> Received {
        self.event_since(mark, |event| match event {
            NodeEvent::Message(to, received) if *to == id => Some((**received).clone()),
            _ => None,
        })
        .await
    }

    /// Every event so far for which `pick` has an answer.
    pub(crate) fn seen<T>(&self, pick: impl FnMut(&NodeEvent) -> Option<T>) -> Vec<T> {
        let events = self.events.0.lock().unwrap();
        events.iter().filter_map(pick).collect()
    }

    pub(crate) fn connected(&self) -> Vec<PeerId> {
        self.node
            .peers()
            .into_iter()
            .filter(|view| view.state == PeerState::Connected)
            .map(|view| view.peer)
            .collect()
    }

    pub(crate) fn name_of(&self, peer: PeerId) -> String {
        let id = peer.to_string();
        let nodes = self.fleet.nodes();
        let node = nodes.iter().find(|node| node.peer_id == id);
        node.expect("a peer of this fleet").name.clone()
    }

    pub(crate) fn peer_of(&self, name: &str) -> PeerId {
        self.fleet.node(name).unwrap().peer_id.parse().unwrap()
    }

    pub(crate) async fn control(&self, name: &str, action: &str) {
        let action: Action = action.parse().unwrap();
        soon(self.fleet.control(name, action)).await.unwrap();
    }

    /// Sends as users do who say nothing more.
    pub(crate) async fn send(&self, message: Outgoing) -> Result<SendReport, NodeError> {
        let options = SendOptions::default();
        soon(self.node.light_push(message, options, PATIENCE)).await
    }

    pub(crate) async fn close(self) {
        self.node.close();
        soon(self.fleet.shutdown()).await;
    }
}

pub(crate) fn outgoing(text: &str) -> Outgoing {
    Outgoing {
        content_topic: TOPIC.into(),
        payload: text.as_bytes().to_vec(),
        ephemeral: false,
        timestamp_ms: None,
        shard: None,
    }
}

pub(crate) fn wanted(topic: &str) -> Wanted {
    Wanted {
        content_topics: vec![topic.into()],
        ..Wanted::default()
    }
}
