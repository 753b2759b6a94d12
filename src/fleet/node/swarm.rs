//! The libp2p of a fleet node: plain WebSocket over TCP, noise, yamux, identify, and our streams.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use libp2p::{
    PeerId, Swarm, Transport,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    identify,
    identity::Keypair,
    noise,
    swarm::{self, Executor, NetworkBehaviour},
    yamux,
};
use libp2p_tcp as tcp;
use libp2p_websocket as websocket;
use tokio::task::JoinSet;

use crate::node::streams;

/// How long a new connection may take for WebSocket, noise and yamux together.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Version of the identify protocol family; informative.
const PROTOCOL_VERSION: &str = "/ipfs/0.1.0";

#[derive(NetworkBehaviour)]
#[behaviour(prelude = "libp2p::swarm::derive_prelude")]
pub(super) struct Behaviour {
    pub(super) streams: streams::Behaviour,
    pub(super) identify: identify::Behaviour,
}

/// The tasks of one instance. Stopping it ends them all, and with them every socket, at once.
#[derive(Clone, Default)]
pub(crate) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.lock();
        // Those that have ended would be kept until somebody asks.
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends all tasks, and returns when they are gone.
    pub(crate) async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.lock());
        tasks.shutdown().await;
    }

    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for Tasks {
    fn exec(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.spawn(future);
    }
}

/// Plain WebSocket over TCP, noise and yamux.
pub(crate) fn transport(key: &Keypair) -> io::Result<Boxed<(PeerId, StreamMuxerBox)>> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    Ok(websocket::Config::new(tcp)
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(key).map_err(io::Error::other)?)
        .multiplex(yamux::Config::default())
        .timeout(HANDSHAKE_TIMEOUT)
        .boxed())
}

/// A swarm that accepts `streams`, whose connections run as `tasks`.
pub(super) fn build(
    key: &Keypair,
    streams: streams::Config,
    tasks: Tasks,
) -> io::Result<Swarm<Behaviour>> {
    let agent = format!("lightkeeper-fleet/{}", env!("CARGO_PKG_VERSION"));
    let identify =
        identify::Config::new(PROTOCOL_VERSION.to_owned(), key.public()).with_agent_version(agent);
    let behaviour = Behaviour {
        streams: streams::Behaviour::new(streams),
        identify: identify::Behaviour::new(identify),
    };
    let config = swarm::Config::with_executor(tasks);
    Ok(Swarm::new(
        transport(key)?,
        behaviour,
        key.public().to_peer_id(),
        config,
    ))
}
