//! The loop: swarm events and finished tasks become the manager's inputs, its orders become swarm calls.
//!
//! Everything happens in [`Driver::poll`] (`turn`), which runs until nothing is left to do and then sleeps until the swarm, a task
//! or the manager's earliest deadline wakes it. Calls of the API change the state under the same lock and wake it. The
//! driver never calls the user: what happened goes into a channel that the shell drains (contract.md F27).

mod alarm;
mod asks;
mod candidates;
mod connections;
mod dials;
mod dns;
mod exchange;
mod filter;
mod identify;
mod life;
mod metadata;
mod openings;
mod orders;
mod outlet;
mod peer_exchange;
mod setup;
mod stream_events;
mod swarm_events;
mod turn;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use libp2p::PeerId;
use libp2p::swarm::Swarm;

use super::behaviour::Behaviour;
use super::config::{Bootstrap, NodeConfig};
use super::error::NodeError;
use super::event::{LogLevel, NodeEvent};
use super::handle::Node;
use super::light_push::Sends;
use super::muxer;
use super::paces::Paces;
use super::platform;
use super::request::Asked;
use crate::manager::{ConnId, DialId, Event, Outcome, Recorded, RequirementId};
use crate::protocols::charge::Circumstances;
use crate::protocols::pace::Pacer;
use crate::protocols::verdict::Verdict;

pub(super) use asks::Answer;
use asks::Asks;
use connections::Connections;
use dials::Dials;
use dns::Dns;
pub(crate) use exchange::within;
pub(super) use exchange::{Exchange, exchange};
use filter::Filter;
use life::Life;
pub(super) use openings::{Opened, Opening};
use openings::{Openings, Purpose};
use outlet::Outlet;
pub(super) use setup::Setup;
use turn::Turns;

/// What a task of the driver came to.
pub(super) enum Done {
    Metadata(ConnId, Exchange),
    MetadataRetry(ConnId),
    MetadataServed,
    PeerExchange(PeerId, u32, Exchange),
    Push(filter::Frame),
    Filter(Box<filter::Asking>),
    Judge(Asked, Verdict, Circumstances),
    StopDue(u32),
    DrainOver(ConnId),
    DialOver(DialId),
    IdentityDue(ConnId),
    Look(dns::Look),
    DnsAddr(dns::Resolved),
    LookAgain(u32),
}

/// Orchestrates: what each part knows is its own, and the others ask it.
pub(super) struct Driver {
    /// `None` once the node is closed: dropping the swarm closes every socket.
    swarm: Option<Swarm<Behaviour>>,
    manager: Arc<Mutex<Recorded>>,
    setup: Setup,
    life: Life,
    connections: Connections,
    dials: Dials,
    openings: Openings,
    dns: Dns,
    filter: Filter,
    sends: Sends,
    /// How fast each server may be asked.
    paces: Paces,
    asks: Asks,
    /// What goes on beside the loop and comes back to it.
    tasks: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Manager inputs that came up while its orders were carried out.
    inputs: VecDeque<Event>,
    turns: Turns,
    outlet: Outlet,
    /// The node that we are the driver of.
    me: Weak<Mutex<Self>>,
}

impl Driver {
    pub(super) fn new(
        config: NodeConfig,
    ) -> Result<(Self, mpsc::UnboundedReceiver<NodeEvent>), NodeError> {
        let local = config.keypair.public().to_peer_id();
        let trees: Vec<_> = config
            .bootstrap
            .iter()
            .filter_map(|entry| match entry {
                Bootstrap::Tree(url) => Some(url.clone()),
                _ => None,
            })
            .collect();
        let settings = config.manager(local, !trees.is_empty())?;
        let now = platform::now();
        let manager = Recorded::new(settings, config.seed, now);
        let manager = Arc::new(Mutex::new(manager));
        let transport = platform::transport(&config.keypair)
            .map_err(|error| NodeError::new(super::ErrorCode::Unsupported, error.to_string()))?;
        let swarm = Swarm::new(
            transport,
            Behaviour::new(&config.keypair, manager.clone()),
            local,
            // The streams behaviour keeps connections alive; this only ends those that it does not know.
            platform::swarm_config()
                .with_idle_connection_timeout(Duration::from_secs(60))
                .with_max_negotiating_inbound_streams(muxer::MAX_NEGOTIATING),
        );
        let setup = Setup {
            local,
            network: config.network,
            page: config.page,
            max_message_bytes: config.max_message_bytes,
        };
        let (outlet, receiver) = Outlet::new(config.log);
        let mut driver = Self {
            swarm: Some(swarm),
            manager,
            life: Life::new(config.bootstrap),
            connections: Connections::default(),
            dials: Dials::default(),
            openings: Openings::default(),
            dns: Dns::new(trees, config.resolvers, config.seed),
            filter: Filter::new(&setup),
            sends: Sends::default(),
            paces: Paces::default(),
            asks: Asks::default(),
            tasks: FuturesUnordered::new(),
            inputs: VecDeque::new(),
            turns: Turns::new(now),
            outlet,
            me: Weak::new(),
            setup,
        };
        for (transport, max) in config.limits.by_transport {
            let max = Some(max);
            driver.input(Event::SetMaxByTransport { transport, max });
        }
        Ok((driver, receiver))
    }

    pub(super) fn know(&mut self, me: Weak<Mutex<Self>>) {
        self.me = me;
    }

    /// The node that we are the driver of, for work that goes on beside us. The tasks of the loop must not use it: while
    /// they are polled, it is locked.
    pub(super) fn node(&self) -> Option<Node> {
        self.me.upgrade().map(Node::of)
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// What is remembered of messages that we send.
    pub(super) fn sends(&mut self) -> &mut Sends {
        &mut self.sends
    }

    /// The pace of one server. A server that was not asked yet has nothing to wait for.
    pub(super) fn pace(&mut self, peer: PeerId, requirement: RequirementId) -> &mut Pacer {
        self.paces.of(peer, requirement)
    }

    /// Does something beside the loop, and has its end come back.
    pub(super) fn spawn(&mut self, task: impl Future<Output = Done> + Send + 'static) {
        self.tasks.push(Box::pin(task));
        self.wake();
    }

    /// Has something come back after a while.
    pub(super) fn after(&mut self, wait: Duration, done: Done) {
        self.spawn(async move {
            platform::sleep(wait).await;
            done
        });
    }

    /// Feeds the manager at the driver's next turn.
    pub(super) fn input(&mut self, event: Event) {
        if matches!(event, Event::Online) {
            self.look_again_now();
        }
        self.inputs.push_back(event);
        self.wake();
    }

    /// Tells the manager how a request ended, and whether that counts against the peer. Requests go through
    /// [`Self::judge`]; what comes here directly was judged where it was seen.
    pub(super) fn report(
        &mut self,
        peer: PeerId,
        requirement: RequirementId,
        outcome: Outcome,
        charged: bool,
    ) {
        self.input(Event::Report {
            peer,
            requirement,
            outcome,
            charged,
        });
    }

    /// Ends when something changed that a waiting call may care for; its channel closes with the node.
    pub(super) fn changed(&mut self) -> oneshot::Receiver<()> {
        self.outlet.changed()
    }

    /// Something changed that a waiting call may care for.
    pub(super) fn notify_waiting(&mut self) {
        self.outlet.notify();
    }

    /// Whether the manager has not seen everything yet, so that its answers would be old.
    pub(super) fn has_inputs(&self) -> bool {
        !self.inputs.is_empty()
    }

    /// Who serves a requirement: first those that name the shard, each group best first.
    pub(super) fn serving(&self, requirement: RequirementId, shard: u16) -> Vec<(PeerId, ConnId)> {
        let manager = self.manager();
        let serving = manager.serving(requirement).into_iter();
        let (mut first, rest): (Vec<_>, Vec<_>) = serving.partition(|(peer, _)| {
            manager
                .peer(peer)
                .and_then(|view| view.shards)
                .is_some_and(|shards| shards.contains(&shard))
        });
        first.extend(rest);
        first
    }

    /// The names of the requirements by their places.
    pub(super) fn requirement_names(&self) -> Vec<String> {
        let manager = self.manager();
        (0..=u8::MAX)
            .map_while(|place| manager.requirement_name(RequirementId(place)))
            .map(str::to_owned)
            .collect()
    }

    /// The place of a requirement by its name.
    pub(super) fn requirement(&self, name: &str) -> Result<RequirementId, NodeError> {
        let manager = self.manager();
        let mut places = manager.requirements().into_iter().map(|view| view.id);
        let found = places.find(|place| manager.requirement_name(*place) == Some(name));
        drop(manager);
        found.ok_or_else(|| {
            let names = self.requirement_names().join(", ");
            let message = format!("{name:?} is no requirement; it should be one of {names}");
            NodeError::option("requirements", message)
        })
    }

    /// The name that the user knows a requirement by.
    pub(super) fn requirement_name(&self, requirement: RequirementId) -> String {
        let manager = self.manager();
        let name = manager.requirement_name(requirement);
        name.unwrap_or_default().to_owned()
    }

    pub(super) fn emit(&self, event: NodeEvent) {
        self.outlet.emit(event);
    }

    /// A line for the log, made only when somebody reads lines of this level.
    pub(super) fn log(
        &self,
        level: LogLevel,
        target: &'static str,
        message: std::fmt::Arguments<'_>,
    ) {
        self.outlet.log(level, target, message);
    }

    pub(super) fn manager(&self) -> MutexGuard<'_, Recorded> {
        self.manager
            .lock()
            .expect("nothing panics while it holds the manager")
    }

    pub(super) fn wake(&mut self) {
        self.turns.wake();
    }
}
