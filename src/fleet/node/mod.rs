//! A node of the fleet: a task that owns at most one running [`Instance`] and carries out what it is told.

mod instance;
mod metadata;
mod peers;
mod push;
mod swarm;

use std::{io, sync::Arc, time::Duration};

use libp2p::{Multiaddr, PeerId};
use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};

use self::instance::Instance;
pub(super) use self::{
    peers::{Peers, StreamOrder, listen},
    swarm::{Tasks, transport},
};
use super::{
    events::{EventKind, FleetEvent},
    fault::{Action, Fault, NodeState},
    hostile::{Control, Peer},
    keys::Key,
    port::PortHold,
    role::{Place, Role, Service},
    services::Site,
};

/// Orders that wait while a node is busy with another.
const ORDERS: usize = 16;

/// How often, and how long apart, a node tries to bind its port. Only needed where [`PortHold`] cannot hold it.
const BIND_TRIES: u32 = 20;
const BIND_PAUSE: Duration = Duration::from_millis(50);

/// A node as the control API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeInfo {
    /// Unique in the fleet.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Whether it stands in the record tree.
    pub bootstrap: bool,
    /// Its identity; under `wrong-id` it shows another.
    pub peer_id: String,
    /// Where it listens, with its identity.
    pub address: String,
    /// Its record.
    pub enr: String,
    /// What it serves besides metadata.
    pub services: Vec<Service>,
    /// Whether its port is open.
    pub state: NodeState,
    /// What is wrong with it.
    pub fault: Fault,
    /// Connections that it has.
    pub connections: usize,
}

/// What changes about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) state: NodeState,
    pub(crate) fault: Fault,
    pub(crate) connections: usize,
}

/// What a node is made of.
pub(crate) struct Blueprint {
    pub(crate) place: Place,
    pub(crate) key: Key,
    pub(crate) impostor: Key,
    pub(crate) port: PortHold,
    pub(crate) enr: String,
    pub(crate) services: Vec<Service>,
    pub(crate) site: Site,
    /// Of a node that follows a script.
    pub(crate) hostile: Option<Arc<Control>>,
}

/// A node: what is fixed about it, and the way to its task.
pub(crate) struct Node {
    place: Place,
    peer_id: PeerId,
    address: Multiaddr,
    enr: String,
    services: Vec<Service>,
    orders: mpsc::Sender<Order>,
    status: watch::Receiver<Status>,
}

enum Order {
    Act(Action, oneshot::Sender<io::Result<()>>),
    ShutDown,
}

impl Node {
    /// Starts the node's task. The node is stopped until it is told to start.
    pub(crate) fn spawn(blueprint: Blueprint) -> (Self, JoinHandle<()>) {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (status, watcher) = watch::channel(Status {
            state: NodeState::Stopped,
            fault: Fault::None,
            connections: 0,
        });
        let peer_id = blueprint.key.libp2p.public().to_peer_id();
        let runner = Runner {
            name: blueprint.place.name.clone(),
            key: blueprint.key,
            impostor: blueprint.impostor,
            port: blueprint.port,
            site: Arc::new(blueprint.site),
            services: blueprint.services.clone(),
            hostile: blueprint.hostile,
            status,
            instance: None,
        };
        let node = Self {
            peer_id,
            address: address_of(runner.port.port())
                .with_p2p(peer_id)
                .expect("no other peer id in it"),
            place: blueprint.place,
            enr: blueprint.enr,
            services: blueprint.services,
            orders,
            status: watcher,
        };
        (node, tokio::spawn(runner.run(inbox)))
    }

    pub(crate) fn name(&self) -> &str {
        &self.place.name
    }

    pub(crate) fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    pub(crate) fn address(&self) -> &Multiaddr {
        &self.address
    }

    pub(crate) fn info(&self) -> NodeInfo {
        let status = *self.status.borrow();
        NodeInfo {
            name: self.place.name.clone(),
            role: self.place.role,
            bootstrap: self.place.role == Role::Bootstrap,
            peer_id: self.peer_id.to_string(),
            address: self.address.to_string(),
            enr: self.enr.clone(),
            services: self.services.clone(),
            state: status.state,
            fault: status.fault,
            connections: status.connections,
        }
    }

    /// Carries out `action`; returns when it has taken effect.
    pub(crate) async fn act(&self, action: Action) -> io::Result<()> {
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the fleet is shut down");
        let (done, result) = oneshot::channel();
        self.orders
            .send(Order::Act(action, done))
            .await
            .map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }

    /// Tells the node's task to end.
    pub(crate) async fn shut_down(&self) {
        // An error says that the task is gone already.
        let _ = self.orders.send(Order::ShutDown).await;
    }
}

/// The address of a WebSocket listener on loopback.
pub(crate) fn address_of(port: u16) -> Multiaddr {
    use libp2p::multiaddr::Protocol;
    Multiaddr::empty()
        .with(Protocol::Ip4([127, 0, 0, 1].into()))
        .with(Protocol::Tcp(port))
        .with(Protocol::Ws("/".into()))
}

/// The task's side of a node.
struct Runner {
    name: String,
    key: Key,
    impostor: Key,
    port: PortHold,
    site: Arc<Site>,
    services: Vec<Service>,
    hostile: Option<Arc<Control>>,
    status: watch::Sender<Status>,
    instance: Option<Running>,
}

/// What has the port.
enum Running {
    Honest(Box<Instance>),
    Hostile(Box<Peer>),
}

impl Running {
    async fn turn(&mut self) {
        match self {
            Self::Honest(instance) => instance.turn().await,
            Self::Hostile(peer) => peer.turn().await,
        }
    }

    fn connections(&self) -> usize {
        match self {
            Self::Honest(instance) => instance.connections(),
            Self::Hostile(peer) => peer.connections(),
        }
    }

    async fn stop(self) {
        match self {
            Self::Honest(instance) => instance.stop().await,
            Self::Hostile(peer) => peer.stop().await,
        }
    }
}

impl Runner {
    async fn run(mut self, mut inbox: mpsc::Receiver<Order>) {
        loop {
            let order = match &mut self.instance {
                None => inbox.recv().await,
                Some(instance) => tokio::select! {
                    order = inbox.recv() => order,
                    () = instance.turn() => {
                        let connections = instance.connections();
                        self.status.send_if_modified(|status| {
                            std::mem::replace(&mut status.connections, connections) != connections
                        });
                        continue;
                    }
                },
            };
            match order {
                Some(Order::Act(action, done)) => {
                    let result = self.act(action).await;
                    // An error says that nobody waits for the answer any more.
                    let _ = done.send(result);
                }
                Some(Order::ShutDown) | None => break,
            }
        }
        self.stop().await;
    }

    async fn act(&mut self, action: Action) -> io::Result<()> {
        match action {
            Action::Start if self.instance.is_none() => {
                self.start().await?;
                self.tell_state(NodeState::Running);
            }
            Action::Stop if self.instance.is_some() => {
                self.stop().await;
                self.tell_state(NodeState::Stopped);
            }
            Action::Start | Action::Stop => {}
            Action::Fault(fault) => self.set_fault(fault).await?,
        }
        Ok(())
    }

    async fn set_fault(&mut self, fault: Fault) -> io::Result<()> {
        let before = self.status.borrow().fault;
        if fault == before {
            return Ok(());
        }
        self.status.send_modify(|status| status.fault = fault);
        self.site.set_fault(fault);
        let detail = Action::Fault(fault).to_string();
        self.site
            .events
            .emit(FleetEvent::new(&self.name, EventKind::Fault).detail(detail));
        // Another identity means another listener; everything else acts on the one there is.
        let identity_changes = (fault == Fault::WrongId) != (before == Fault::WrongId);
        if identity_changes && self.instance.is_some() {
            self.stop().await;
            self.start().await?;
        }
        Ok(())
    }

    async fn start(&mut self) -> io::Result<()> {
        let key = match self.status.borrow().fault {
            Fault::WrongId => self.impostor.clone(),
            _ => self.key.clone(),
        };
        let mut tries = 1;
        let instance = loop {
            let site = Arc::clone(&self.site);
            match self.open(&key, site) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < BIND_TRIES => {
                    tries += 1;
                    tokio::time::sleep(BIND_PAUSE).await;
                }
                result => break result?,
            }
        };
        self.instance = Some(instance);
        self.status
            .send_modify(|status| status.state = NodeState::Running);
        if self.relays() {
            self.site.network.node_started();
        }
        Ok(())
    }

    fn open(&self, key: &Key, site: Arc<Site>) -> io::Result<Running> {
        let (key, port) = (&key.libp2p, self.port.port());
        Ok(match &self.hostile {
            Some(control) => {
                let peer = Peer::start(key, port, Arc::clone(control), site)?;
                Running::Hostile(Box::new(peer))
            }
            None => {
                let instance = Instance::start(key, port, &self.services, site)?;
                Running::Honest(Box::new(instance))
            }
        })
    }

    /// Whether the mesh counts on the node.
    fn relays(&self) -> bool {
        self.hostile.is_none()
    }

    async fn stop(&mut self) {
        let Some(instance) = self.instance.take() else {
            return;
        };
        instance.stop().await;
        if self.relays() {
            self.site.network.node_stopped();
        }
        self.status.send_modify(|status| {
            status.state = NodeState::Stopped;
            status.connections = 0;
        });
    }

    fn tell_state(&self, state: NodeState) {
        let word = match state {
            NodeState::Running => "running",
            NodeState::Stopped => "stopped",
        };
        self.site
            .events
            .emit(FleetEvent::new(&self.name, EventKind::State).detail(word));
    }
}
