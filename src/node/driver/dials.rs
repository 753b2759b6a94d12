//! The dials under way: how long each may take is the manager's to say, and the driver's to keep.

use std::time::Duration;

use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};
use litemap::LiteMap;

use super::{Done, Driver};
use crate::manager::{DialFailure, DialId, Event, Reason};
use crate::node::dialing::{answered, dial_failure};
use crate::node::event::LogLevel;

/// A call of `dial` looks at its failure at once: more of them than this are never of use.
const MAX_FAILURES: usize = 64;

/// A dial under way.
#[derive(Debug)]
struct Dialing {
    /// What the swarm calls it.
    connection: ConnectionId,
    peer: PeerId,
    route: Multiaddr,
    /// Its time is over: it is being aborted.
    late: bool,
}

/// All of them, by the manager's names, and how the last one to each peer failed.
#[derive(Debug, Default)]
pub(super) struct Dials {
    under_way: LiteMap<DialId, Dialing>,
    /// For the calls that wait for one: at which address, and how. Bounded by [`MAX_FAILURES`].
    failed: LiteMap<PeerId, (Multiaddr, DialFailure)>,
}

impl Dials {
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// The dial became this connection, if it was one. Its name.
    pub(super) fn arrived(&mut self, connection: ConnectionId) -> Option<DialId> {
        self.take(connection).map(|(dial, _)| dial)
    }

    /// Takes the dial that became this connection, or failed to.
    fn take(&mut self, connection: ConnectionId) -> Option<(DialId, Dialing)> {
        let mut all = self.under_way.iter();
        let (dial, _) = all.find(|(_, dialing)| dialing.connection == connection)?;
        let dial = *dial;
        Some((dial, self.under_way.remove(&dial)?))
    }

    /// A dial failed for good: the manager has said so.
    pub(super) fn note_failure(&mut self, peer: PeerId, route: Multiaddr, failure: DialFailure) {
        if self.failed.len() >= MAX_FAILURES {
            self.failed.clear();
        }
        self.failed.insert(peer, (route, failure));
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
        self.dials.under_way.insert(dial, dialing);
        if let Err(error) = result {
            return self.on_dial_failed(connection, &error);
        }
        let timeout = Duration::from_millis(timeout_ms.into());
        self.after(timeout, Done::DialOver(dial));
    }

    pub(super) fn on_dial_failed(&mut self, connection: ConnectionId, error: &DialError) {
        let Some((dial, failed)) = self.dials.take(connection) else {
            return;
        };
        let Dialing {
            peer, route, late, ..
        } = failed;
        let failure = if late {
            DialFailure::Timeout
        } else {
            dial_failure(error)
        };
        self.log(
            LogLevel::Debug,
            "dial",
            format_args!("{peer} at {route}: {failure} ({error})"),
        );
        self.inputs.push_back(Event::DialFailed {
            dial,
            failure,
            answered: answered(error),
        });
    }

    /// The time of a dial is over; as a rule it has ended before.
    pub(super) fn on_dial_over(&mut self, dial: DialId) {
        if let Some(dialing) = self.dials.under_way.get_mut(&dial) {
            dialing.late = true;
            self.abort_dial(dial);
        }
    }

    /// Aborts a dial; its failure follows.
    pub(super) fn abort_dial(&mut self, dial: DialId) {
        // The only way to abort a dial also closes what is connected, so it acts only while nothing is.
        if let (Some(dialing), Some(swarm)) = (self.dials.under_way.get(&dial), &mut self.swarm)
            && !swarm.is_connected(&dialing.peer)
        {
            // An error says that there was nothing to abort.
            let _ = swarm.disconnect_peer_id(dialing.peer);
        }
    }

    /// The user dials a peer: how that fails is to be known, and not how it did before. Why it is refused, if it is.
    pub(in crate::node) fn dial_for_user(
        &mut self,
        peer: PeerId,
        routes: Vec<Multiaddr>,
    ) -> Option<Reason> {
        self.dials.failed.remove(&peer);
        self.wish(Event::ConnectNow {
            peer,
            routes,
            permanent: false,
        })
    }

    /// How the last dial to a peer failed, and at which address.
    pub(in crate::node) fn dial_failure(&self, peer: &PeerId) -> Option<&(Multiaddr, DialFailure)> {
        self.dials.failed.get(peer)
    }
}
