//! S8: no transport has more connections and dials than its cap, when a dial is planned and at the gate.

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, Direction, Event, GateQuery, Transport};
use multiaddr::{Multiaddr, Protocol};

use super::company::Watch;
use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::{ConnRecord, Ledger};
use crate::ledger_steering::Mode;
use crate::steering::TRANSPORTS;
use crate::view::Input;

/// See the module.
#[derive(Default)]
pub(crate) struct Capped {
    watch: Watch,
}

/// What carries a connection to an address.
pub(crate) fn transport(route: &Multiaddr) -> Transport {
    let parts: Vec<Protocol<'_>> = route.iter().collect();
    let has = |wanted: fn(&Protocol<'_>) -> bool| parts.iter().any(wanted);
    if has(|part| matches!(part, Protocol::P2pCircuit)) {
        Transport::Circuit
    } else if has(|part| matches!(part, Protocol::WebRTC | Protocol::WebRTCDirect)) {
        Transport::WebRtcDirect
    } else if has(|part| matches!(part, Protocol::WebTransport)) {
        Transport::WebTransport
    } else if has(|part| matches!(part, Protocol::Wss(_))) {
        Transport::Wss
    } else if has(|part| matches!(part, Protocol::Ws(_))) {
        let secure = has(|part| matches!(part, Protocol::Tls));
        if secure {
            Transport::Wss
        } else {
            Transport::Ws
        }
    } else {
        Transport::Other
    }
}

/// How many there may be (4.7): as many as the user says, or else eight over WebRTC and four over relays.
fn cap(transport: Transport, ledger: &Ledger) -> Option<usize> {
    let said = ledger.steering.caps.get(&transport).copied();
    let usual = match transport {
        Transport::WebRtcDirect => Some(8),
        Transport::Circuit => Some(4),
        _ => None,
    };
    said.unwrap_or(usual).map(usize::from)
}

/// Dials of a transport, and its connections; those that are on their way out too, or not.
fn count(transport_of: Transport, closing_too: bool, ledger: &Ledger) -> usize {
    let dials = ledger.dials.values().map(|dial| &dial.route);
    let conns = ledger.conns.values();
    let conns = conns.filter(|conn| closing_too || conn.closing.is_none());
    let routes = conns.map(|conn| &conn.route).chain(dials);
    routes
        .filter(|route| transport(route) == transport_of)
        .count()
}

/// Whether one more may be dialed.
fn has_room(transport: Transport, ledger: &Ledger) -> bool {
    cap(transport, ledger).is_none_or(|cap| count(transport, true, ledger) < cap)
}

/// Whether there are more connections of its transport than its cap, which was lowered.
pub(super) fn above_its_cap(record: &ConnRecord, ledger: &Ledger) -> bool {
    let transport = transport(&record.route);
    cap(transport, ledger).is_some_and(|cap| count(transport, false, ledger) > cap)
}

/// Whether a peer's connection stays although there are too many: the user or a sync keeps it, or a minimum needs it. Only
/// memory that runs out takes these (4.13, phases 6 and 7). Locks keep theirs too.
pub(super) fn stays(peer: &PeerId, scene: &Scene<'_>) -> bool {
    let steering = &scene.ledger.steering;
    let needed = scene
        .view
        .requirements
        .iter()
        .any(|view| view.peers.contains(peer) && view.min > 0 && view.have <= view.min);
    needed || steering.keeps(peer) || matches!(steering.mode, Mode::Sync(_))
}

impl Invariant for Capped {
    fn id(&self) -> &'static str {
        "S8"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        self.watch.told(scene);
        let ledger = scene.ledger;
        if let Some(Input::Gate(GateQuery::Outbound { peer: Some(peer) }, Ok(()))) = scene.input {
            let routes = ledger.peer(peer).routes;
            let known = scene.view.subject.as_ref();
            let known = known.is_some_and(|view| view.route.is_some());
            let mut transports = routes.iter().map(transport);
            ensure!(
                !known || transports.any(|transport| has_room(transport, ledger)),
                "somebody else may dial {peer}, though none of its transports has room"
            );
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        self.watch.ordered(command, scene);
        if let Command::Dial { peer, route, .. } = command {
            let transport = transport(route);
            ensure!(
                has_room(transport, scene.ledger),
                "{peer} is dialed over {transport:?}, of which there are enough"
            );
        }
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let Some(Input::Event(event)) = scene.input else {
            return Ok(());
        };
        let ledger = scene.ledger;
        for transport_of in TRANSPORTS {
            let Some(cap) = cap(transport_of, ledger) else {
                continue;
            };
            let open = count(transport_of, false, ledger);
            if open <= cap {
                continue;
            }
            let mut dials = ledger.dials.values();
            let dialed = dials.any(|dial| transport(&dial.route) == transport_of);
            ensure!(!dialed, "{open} over {transport_of:?}, and more are dialed");
            for (id, conn) in ledger.open() {
                if transport(&conn.route) != transport_of {
                    continue;
                }
                let uninvited = matches!(
                    event,
                    Event::Connected { conn, direction: Direction::Inbound, .. } if *conn == id
                );
                ensure!(
                    !uninvited && (self.watch.locked(id, ledger.now) || stays(&conn.peer, scene)),
                    "{open} over {transport_of:?}, at most {cap}, and {} stays",
                    conn.peer
                );
            }
        }
        Ok(())
    }
}
