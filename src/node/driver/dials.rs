//! The dials under way: how long each may take is the manager's to say, and the driver's to keep.

use std::time::Duration;

use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId};
use litemap::LiteMap;

use super::{Done, Driver};
use crate::manager::DialId;
use crate::node::dialing::dial_failure;

/// A dial under way.
#[derive(Debug)]
pub(super) struct Dialing {
    /// What the swarm calls it.
    pub(super) connection: ConnectionId,
    pub(super) peer: PeerId,
    pub(super) route: Multiaddr,
    /// Its time is over: it is being aborted.
    pub(super) late: bool,
}

/// All of them, by the manager's names.
#[derive(Debug, Default)]
pub(super) struct Dials(LiteMap<DialId, Dialing>);

impl Dials {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the dial that became this connection, or failed to.
    pub(super) fn take(&mut self, connection: ConnectionId) -> Option<(DialId, Dialing)> {
        let (dial, _) = self
            .0
            .iter()
            .find(|(_, dialing)| dialing.connection == connection)?;
        let dial = *dial;
        Some((dial, self.0.remove(&dial)?))
    }
}

impl Driver {
    /// Dials one address of one peer; a refusal of the swarm's is a failed dial like any other.
    pub(super) fn dial(&mut self, dial: DialId, peer: PeerId, route: Multiaddr, timeout_ms: u32) {
        let Some(swarm) = &mut self.swarm else {
            return;
        };
        let options = DialOpts::peer_id(peer)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(vec![route.clone()])
            .build();
        let connection = options.connection_id();
        swarm.behaviour_mut().gate.expect(connection);
        let result = swarm.dial(options);
        let dialing = Dialing {
            connection,
            peer,
            route,
            late: false,
        };
        self.dials.0.insert(dial, dialing);
        if let Err(error) = result {
            return self.on_dial_failed(connection, dial_failure(&error), &error.to_string());
        }
        let timeout = Duration::from_millis(timeout_ms.into());
        self.after(timeout, Done::DialOver(dial));
    }

    /// The time of a dial is over; as a rule it has ended before.
    pub(super) fn on_dial_over(&mut self, dial: DialId) {
        if let Some(dialing) = self.dials.0.get_mut(&dial) {
            dialing.late = true;
            self.abort_dial(dial);
        }
    }

    /// Aborts a dial; its failure follows.
    pub(super) fn abort_dial(&mut self, dial: DialId) {
        // The only way to abort a dial also closes what is connected, so it acts only while nothing is.
        if let (Some(dialing), Some(swarm)) = (self.dials.0.get(&dial), &mut self.swarm)
            && !swarm.is_connected(&dialing.peer)
        {
            // An error says that there was nothing to abort.
            let _ = swarm.disconnect_peer_id(dialing.peer);
        }
    }
}
