//! S2: who is never dialed nor let in.

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, DialWhy, Event, GateQuery, Reason};

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::Wait;
use crate::ledger_steering::Mode;
use crate::orders::parting;
use crate::view::Input;

/// See the module.
pub(crate) struct Allowed;

impl Allowed {
    /// What forbids to dial anybody, or this peer at all.
    fn forbids(peer: Option<&PeerId>, scene: &Scene<'_>) -> Verdict {
        let ledger = scene.ledger;
        ensure!(ledger.running, "while stopped");
        match ledger.steering.mode {
            Mode::Normal => {}
            Mode::Paused => return Err("while paused".to_owned()),
            // Only for itself: whom the user named, or whoever is best.
            Mode::Sync(chosen) => {
                let chosen = chosen.is_none_or(|chosen| peer == Some(&chosen));
                ensure!(chosen, "somebody else than the sync wants");
            }
        }
        let Some(peer) = peer else { return Ok(()) };
        ensure!(*peer != scene.config.local, "ourselves");
        let record = ledger.peer(peer);
        ensure!(!record.banned(ledger.now), "{peer}, banned");
        ensure!(!record.hung_up, "{peer}, hung up on");
        Ok(())
    }

    fn in_touch(peer: &PeerId, scene: &Scene<'_>) -> Verdict {
        let ledger = scene.ledger;
        ensure!(
            ledger.conns_of(peer).is_empty(),
            "{peer}, already connected"
        );
        let dialing = ledger.dials.values().any(|dial| dial.peer == *peer);
        ensure!(!dialing, "{peer}, already being dialed");
        Ok(())
    }

    fn waits(peer: &PeerId, probe: bool, scene: &Scene<'_>) -> Verdict {
        if let Some((until, wait)) = scene.ledger.peer(peer).wait
            && scene.now() < until
        {
            let probed = probe && wait == Wait::Backoff;
            ensure!(probed, "{peer}, {wait:?} until {until}");
        }
        Ok(())
    }
}

impl Invariant for Allowed {
    fn id(&self) -> &'static str {
        "S2"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        match scene.input {
            Some(Input::Gate(GateQuery::Outbound { peer }, Ok(()))) => {
                Self::forbids(peer.as_ref(), scene)?;
                ensure!(!scene.ledger.hint.believed, "while offline");
                if let Some(peer) = peer {
                    Self::in_touch(peer, scene)?;
                    // Who was forgotten to make room is a stranger: nothing is known that it waits for.
                    if scene.view.subject.is_some() {
                        Self::waits(peer, false, scene)?;
                    }
                    let parked = scene.ledger.peer(peer).is_bootstrap();
                    ensure!(!parked, "somebody else may dial {peer}, which is parked");
                }
            }
            Some(Input::Gate(GateQuery::Inbound { peer }, Ok(()))) => {
                Self::forbids(peer.as_ref(), scene)?;
            }
            // Who comes uninvited and may not is shown out in the same breath.
            Some(Input::Event(Event::Connected { conn, peer, .. })) => {
                let ledger = scene.ledger;
                let record = ledger.peer(peer);
                let mine = ledger.conns.get(conn).is_some_and(|conn| conn.admitted);
                let unwelcome = *peer == scene.config.local
                    || (ledger.steering.mode == Mode::Paused && !mine)
                    || !ledger.running
                    || record.banned(ledger.now)
                    || record.hung_up;
                let orders = scene.commands.iter().filter_map(parting);
                let shown_out = orders.into_iter().any(|(of, ..)| of == *conn);
                let leaving = ledger
                    .conns
                    .get(conn)
                    .is_some_and(|conn| conn.closing.is_some());
                ensure!(!unwelcome || shown_out || leaving, "{peer} was let in");
            }
            _ => {}
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Command::Dial { peer, why, .. } = command else {
            return Ok(());
        };
        Self::forbids(Some(peer), scene)?;
        // Does it say so truly? That is asked, and whom the user wants is dialed (4.8).
        let asks = matches!(why, DialWhy::Probe | DialWhy::Requested | DialWhy::Sync);
        ensure!(
            asks || !scene.ledger.hint.believed,
            "{peer} for {why:?} while offline"
        );
        let sync = matches!(scene.ledger.steering.mode, Mode::Sync(_));
        ensure!(
            sync == (*why == DialWhy::Sync),
            "{peer} for {why:?} while syncing: {sync}"
        );
        Self::in_touch(peer, scene)?;
        // What was due at the time of a wish came before it; the wish lifts every wait (4.8).
        let wished = matches!(scene.input, Some(Input::Event(Event::ConnectNow { peer: whom, .. })) if whom == peer);
        if wished && *why == DialWhy::Requested {
            return Ok(());
        }
        Self::waits(peer, *why == DialWhy::Probe, scene)
    }
}

/// Whether somebody else's dial is refused for a reason that concerns the peer alone.
pub(crate) fn concerns_peer(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::BannedByUser
            | Reason::BannedForFaults
            | Reason::HungUp
            | Reason::AlreadyConnected
            | Reason::BackingOff
            | Reason::OtherNetwork
            | Reason::FailedService
            | Reason::CoolingDown
            | Reason::BadBehaviour
            | Reason::Parked
            | Reason::OurOwnId
    )
}
