//! The loop: swarm events and finished tasks become the manager's inputs, its orders become swarm calls.
//!
//! Everything happens in [`Driver::poll`] (`turn`), which runs until nothing is left to do and then sleeps until the swarm, a task
//! or the manager's earliest deadline wakes it. Calls of the API change the state under the same lock and wake it. The
//! driver never calls the user: what happened goes into a channel that the shell drains (contract.md F27).

mod asks;
mod candidates;
mod connections;
mod dials;
mod dns;
mod exchange;
mod filter;
mod identify;
mod orders;
mod push;
mod swarm_events;
mod turn;

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::Waker;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use libp2p::swarm::Swarm;
use libp2p::{PeerId, StreamProtocol};
use litemap::LiteMap;

use super::behaviour::Behaviour;
use super::config::{Bootstrap, NodeConfig};
use super::error::NodeError;
use super::event::{LogLevel, NodeEvent};
use super::handle::Node;
use super::light_push::{Echoes, Sent};
use super::muxer;
use super::paces::Paces;
use super::platform;
use super::request::Asked;
use super::streams::{OpenError, Stream, StreamRequest};
use crate::discovery::dialable::Page;
use crate::manager::{
    ConnId, DialFailure, DialId, Event, Outcome, Recorded, RequirementId, Source, Time,
};
use crate::protocols::charge::Circumstances;
use crate::protocols::network::Network;
use crate::protocols::verdict::Verdict;

pub(super) use asks::Answer;
use asks::Asks;
use connections::Connections;
use dials::Dials;
use dns::Dns;
pub(crate) use exchange::within;
pub(super) use exchange::{Exchange, exchange};
use filter::Subscriptions;

/// How long filter servers have to hear that we leave.
const FAREWELL: Duration = Duration::from_millis(250);

/// A call of `dial` looks at its failure at once: more entries than this are never of use.
const MAX_DIAL_FAILURES: usize = 64;

/// A stream that a call asked for, and what was agreed on.
pub(super) type Opened = Result<(Stream, StreamProtocol), OpenError>;

/// A stream that is being opened, for whoever waits for it.
pub(super) struct Opening {
    request: Option<StreamRequest>,
    pub(super) opened: oneshot::Receiver<Opened>,
}

/// Why a stream is being opened.
enum Purpose {
    /// To ask a new connection's metadata.
    Metadata(ConnId),
    /// To ask for other peers.
    PeerExchange(PeerId, u32),
    /// For a call of the API.
    Call(oneshot::Sender<Opened>),
}

/// What a task of the driver came to.
pub(super) enum Done {
    Metadata(ConnId, Exchange),
    MetadataRetry(ConnId),
    MetadataServed,
    PeerExchange(PeerId, u32, Exchange),
    Push(push::Frame),
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

/// See the module's documentation.
pub(super) struct Driver {
    /// `None` once the node is closed: dropping the swarm closes every socket.
    swarm: Option<Swarm<Behaviour>>,
    pub(super) manager: Arc<Mutex<Recorded>>,
    pub(super) local: PeerId,
    pub(super) network: Network,
    pub(super) page: Page,
    bootstrap: Vec<Bootstrap>,
    pub(super) started: bool,
    pub(super) connections: Connections,
    dials: Dials,
    openings: LiteMap<StreamRequest, Purpose>,
    tasks: FuturesUnordered<BoxFuture<'static, Done>>,
    dns: Dns,
    /// How the last dial to a peer failed, for the calls that wait for one. Bounded by [`MAX_DIAL_FAILURES`].
    pub(super) dial_failures: LiteMap<PeerId, (String, DialFailure)>,
    pub(super) subscriptions: Subscriptions,
    /// The hub's next deadline and a timer that fires then or before.
    filter_timer: Option<(u64, BoxFuture<'static, ()>)>,
    /// A breath for the page, when there was much to do at once.
    pause: Option<BoxFuture<'static, ()>>,
    /// When the loop last came to rest, and since when we are offline or asleep, if we are.
    last_turn: Time,
    away_since: Option<Time>,
    /// The node that we are the driver of.
    me: Weak<Mutex<Self>>,
    /// The stop that waits for servers to be told; counts up, so that a start in between makes it void.
    stopping: u32,
    pub(super) asks: Asks,
    /// How fast each server may be asked.
    pub(super) paces: Paces,
    /// What was sent lately, and what waits to be seen elsewhere.
    pub(super) sent: Sent,
    pub(super) echoes: Echoes,
    /// The least that is logged; `None`: nothing.
    log_level: Option<LogLevel>,
    /// The last timestamp that we gave to a message, in nanoseconds.
    pub(super) last_stamp: i64,
    /// The largest message of the network, encoded.
    pub(super) max_message_bytes: usize,
    /// The manager's earliest deadline and a timer that fires then or before.
    timer: Option<(u64, BoxFuture<'static, ()>)>,
    /// Manager inputs that came up while its orders were carried out.
    inputs: VecDeque<Event>,
    /// Calls that wait for something to change; all are woken, each looks for itself.
    waiting: Vec<oneshot::Sender<()>>,
    events: mpsc::UnboundedSender<NodeEvent>,
    waker: Option<Waker>,
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
        let manager = Arc::new(Mutex::new(Recorded::new(
            settings,
            config.seed,
            platform::now(),
        )));
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
        let (events, receiver) = mpsc::unbounded();
        let subscriptions = Subscriptions::new(config.network.clone(), config.max_message_bytes);
        let dns = Dns::new(trees, config.resolvers, config.seed);
        let mut driver = Self {
            swarm: Some(swarm),
            manager,
            local,
            network: config.network,
            page: config.page,
            bootstrap: config.bootstrap,
            started: false,
            connections: Connections::default(),
            dials: Dials::default(),
            openings: LiteMap::new(),
            tasks: FuturesUnordered::new(),
            dns,
            dial_failures: LiteMap::new(),
            subscriptions,
            filter_timer: None,
            pause: None,
            last_turn: platform::now(),
            away_since: None,
            me: Weak::new(),
            stopping: 0,
            asks: Asks::default(),
            paces: Paces::default(),
            sent: Sent::default(),
            echoes: Echoes::default(),
            log_level: config.log,
            last_stamp: 0,
            max_message_bytes: config.max_message_bytes,
            timer: None,
            inputs: VecDeque::new(),
            waiting: Vec::new(),
            events,
            waker: None,
        };
        for (transport, max) in config.limits.by_transport {
            let max = Some(max);
            driver.input(Event::SetMaxByTransport { transport, max });
        }
        Ok((driver, receiver))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.swarm.is_none()
    }

    pub(super) fn know(&mut self, me: Weak<Mutex<Self>>) {
        self.me = me;
    }

    /// The node that we are the driver of, for work that goes on beside us. The tasks of the loop must not use it: while
    /// they are polled, it is locked.
    pub(super) fn node(&self) -> Option<Node> {
        self.me.upgrade().map(Node::of)
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

    /// Starts, and hands the static peers to the manager the first time. Also ends a pause of the connections.
    pub(super) fn start(&mut self) {
        let known = std::mem::replace(&mut self.started, true);
        let fresh = if known {
            Vec::new()
        } else {
            self.bootstrap.clone()
        };
        for entry in fresh {
            match entry {
                Bootstrap::Tree(_) => {}
                Bootstrap::Record(enr) => {
                    if !self.discovered(&enr, Source::Static) {
                        let peer = enr.peer_id();
                        let message =
                            format!("{peer}: of another cluster, or without an address to dial");
                        self.log(LogLevel::Warn, "bootstrap", format_args!("{message}"));
                    }
                }
                Bootstrap::Address(peer, route) => self.found(peer, vec![route], Vec::new()),
                Bootstrap::DnsAddr(wanted, domain) => self.resolve(dns::DnsAddr {
                    wanted,
                    domain,
                    failures: 0,
                }),
            }
        }
        self.stopping += 1;
        self.subscriptions.hub.start(platform::now().into());
        self.subscriptions.stale = true;
        self.input(Event::Start);
    }

    /// Stops: every connection is closed and nothing is looked up any more. Filter servers are told first, and have a
    /// moment to hear it: else they push for five minutes to whoever comes back.
    pub(super) fn stop(&mut self) {
        let told = self.started;
        self.started = false;
        self.dns.stop();
        self.stop_filter();
        if !told || self.connections.is_empty() {
            return self.input(Event::Stop);
        }
        self.stopping += 1;
        let stop = self.stopping;
        self.after(FAREWELL, Done::StopDue(stop));
    }

    /// Frees everything at once. Whatever waits for an answer gets none: its channel closes.
    pub(super) fn close(&mut self) {
        self.started = false;
        self.swarm = None;
        self.tasks.clear();
        self.openings.clear();
        self.dials = Dials::default();
        self.connections = Connections::default();
        self.subscriptions = Subscriptions::new(self.network.clone(), self.max_message_bytes);
        self.filter_timer = None;
        self.asks = Asks::default();
        self.paces = Paces::default();
        self.dns.stop();
        self.timer = None;
        self.inputs.clear();
        self.waiting.clear();
        self.events.close_channel();
        self.wake();
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

    /// Opens a stream on a connection. The answer never fails to come, but the channel closes with the node.
    pub(super) fn open(&mut self, conn: ConnId, protocols: &[&'static str]) -> Opening {
        let (sender, opened) = oneshot::channel();
        let request = self.open_for(conn, protocols, Purpose::Call(sender));
        Opening { request, opened }
    }

    /// Nobody waits for a stream any more: it need not be opened.
    pub(super) fn take_back(&mut self, opening: Opening) {
        let Opening { request, .. } = opening;
        if let Some(request) = request {
            self.openings.remove(&request);
            if let Some(swarm) = &mut self.swarm {
                swarm.behaviour_mut().streams.cancel(request);
            }
        }
    }

    /// Ends when something changed that a waiting call may care for; its channel closes with the node.
    pub(super) fn changed(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if !self.is_closed() {
            self.waiting.push(sender);
        }
        receiver
    }

    /// Whether no dial is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.dials.is_empty() && self.inputs.is_empty()
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
        // Nobody listens any more: the node is being dropped.
        let _ = self.events.unbounded_send(event);
    }

    /// A line for the log, made only when somebody reads lines of this level.
    pub(super) fn log(
        &self,
        level: LogLevel,
        target: &'static str,
        message: std::fmt::Arguments<'_>,
    ) {
        if self.log_level.is_some_and(|lowest| level >= lowest) {
            self.emit(NodeEvent::Log(level, target, message.to_string()));
        }
    }

    pub(super) fn manager(&self) -> MutexGuard<'_, Recorded> {
        self.manager
            .lock()
            .expect("nothing panics while it holds the manager")
    }

    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    pub(super) fn notify_waiting(&mut self) {
        for waiting in self.waiting.drain(..) {
            // Who gave up waiting needs no word.
            let _ = waiting.send(());
        }
    }
}
