//! Ordering a hostile peer about.

use std::{io, sync::Arc};

use libp2p::{Multiaddr, PeerId};
use tokio::{sync::oneshot, task::JoinHandle};

use super::{
    control::{Asked, Control, Order},
    script::{Mischief, Part, Script},
};
use crate::fleet::{
    DEFAULT_CLUSTER, Fleet, FleetError,
    events::Events,
    fault::Action,
    keys::{Key, Purpose},
    network::Network,
    node::{Blueprint, Node},
    port::PortHold,
    records::{Records, record_of},
    role::{Place, Role},
    services::Site,
};

/// A hostile peer of its own, which no fleet lists. Dropping it leaves it to the runtime; [`shutdown`](Self::shutdown)
/// ends it.
pub struct Hostile {
    node: Node,
    control: Arc<Control>,
    task: JoinHandle<()>,
}

impl Hostile {
    /// Starts a peer in a network of its own: what it is given goes nowhere.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(name: &str, script: Script) -> Result<Self, FleetError> {
        let network = Arc::new(Network::new(DEFAULT_CLUSTER));
        let records = Arc::new(Records::new([]));
        Self::with(name, script, network, records, Events::new()).await
    }

    /// Starts a peer in the fleet's network: it has its messages, and what it does is seen among the fleet's events.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn beside(fleet: &Fleet, name: &str, script: Script) -> Result<Self, FleetError> {
        let (network, records, events) = fleet.parts();
        Self::with(name, script, network, records, events).await
    }

    async fn with(
        name: &str,
        script: Script,
        network: Arc<Network>,
        records: Arc<Records>,
        events: Events,
    ) -> Result<Self, FleetError> {
        // Its name alone makes its key: a peer of this name is the same peer in every test.
        let key = |purpose| Key::derive(0, purpose, name);
        let identity = key(Purpose::Identity);
        let port = PortHold::take(0).map_err(|error| FleetError::Port { port: 0, error })?;
        let enr = record_of(&identity, port.port(), network.cluster(), &script.services)?;
        let site = Site::new(name.to_owned(), enr.peer_id(), network, records, events);
        let services = script.services.clone();
        let control = Arc::new(Control::new(script));
        let (node, task) = Node::spawn(Blueprint {
            place: Place {
                role: Role::Hostile(None),
                name: name.to_owned(),
            },
            key: identity,
            impostor: key(Purpose::Impostor),
            port,
            enr: enr.to_text(),
            services,
            site,
            hostile: Some(Arc::clone(&control)),
        });
        let started = node.act(Action::Start).await;
        started.map_err(|error| FleetError::Node {
            node: name.to_owned(),
            error,
        })?;
        Ok(Self {
            node,
            control,
            task,
        })
    }

    /// Who it is.
    pub fn peer_id(&self) -> PeerId {
        self.node.peer_id()
    }

    /// Where it listens, with its identity: an entry of a node's `bootstrap`.
    pub fn address(&self) -> Multiaddr {
        self.node.address().clone()
    }

    /// Its record.
    pub fn enr(&self) -> String {
        self.node.info().enr
    }

    /// Changes what it does from now on.
    pub fn change<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        self.control.change(change)
    }

    /// Everything that it was asked and did not forget, oldest first.
    pub fn asked(&self) -> Vec<Asked> {
        self.control.asked()
    }

    /// What it was asked of one kind.
    pub fn asked_for(&self, part: Part) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.part == part);
        asked
    }

    /// Waits until it was asked so often for one kind.
    pub async fn until_asked(&self, part: Part, times: usize) {
        let mut count = self.control.counting();
        // The sender lives as long as this handle.
        let _ = count
            .wait_for(|_| self.asked_for(part).len() >= times)
            .await;
    }

    /// Does something to a peer; returns when all of it is on its way, or cannot be because the peer is gone.
    pub async fn harass(&self, peer: PeerId, mischief: Mischief) {
        let (done, told) = oneshot::channel();
        self.control.order(Order::Do(peer, mischief, done));
        let _ = told.await;
    }

    /// Closes every connection to a peer, in order.
    pub async fn disconnect(&self, peer: PeerId) {
        let mut connected = self.control.connected();
        let was_there = connected.borrow_and_update().contains(&peer);
        self.control.order(Order::Disconnect(peer));
        // Whoever comes back at once was gone all the same: the set has changed, whatever it is by the time it is read.
        if was_there {
            let _ = connected.changed().await;
        }
    }

    /// Waits until a peer is connected.
    pub async fn until_connected(&self, peer: PeerId) {
        let mut connected = self.control.connected();
        let _ = connected.wait_for(|peers| peers.contains(&peer)).await;
    }

    /// Whether a peer is connected.
    pub fn is_connected(&self, peer: PeerId) -> bool {
        self.control.connected().borrow().contains(&peer)
    }

    /// The push streams that it holds open.
    pub fn held(&self) -> usize {
        *self.control.holding().borrow()
    }

    /// Waits until the other sides have ended all but so many of the push streams that it holds open.
    pub async fn until_held(&self, at_most: usize) {
        let mut held = self.control.holding();
        let _ = held.wait_for(|held| *held <= at_most).await;
    }

    /// Stands still, as after SIGSTOP: sockets stay open, and nothing is read, written or answered.
    pub fn freeze(&self) {
        self.control.freezer.set(true);
    }

    /// Goes on where it stood still.
    pub fn thaw(&self) {
        self.control.freezer.set(false);
    }

    /// Closes its port and drops all connections without a goodbye.
    ///
    /// # Errors
    /// Once it is shut down.
    pub async fn stop(&self) -> io::Result<()> {
        self.node.act(Action::Stop).await
    }

    /// Opens its port again.
    ///
    /// # Errors
    /// When somebody else has it.
    pub async fn resume(&self) -> io::Result<()> {
        self.node.act(Action::Start).await
    }

    /// Ends it.
    pub async fn shutdown(self) {
        self.thaw();
        self.node.shut_down().await;
        // A task that panicked is as gone as one that ended.
        let _ = self.task.await;
    }
}
