//! S19, denials: of whoever is known the gate refuses for the reason that `explain` gave before; of others, and of those
//! who knock, for one that the facts bear out.

use std::collections::BTreeSet;

use libp2p_identity::PeerId;
use lightkeeper::manager::{Event, GateQuery, Outcome, Reason};

use super::dialing::concerns_peer;
use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::Wait;
use crate::ledger_steering::Mode;
use crate::orders::let_go;
use crate::view::Input;

/// See the module.
#[derive(Default)]
pub(crate) struct Plausible {
    faulty: BTreeSet<PeerId>,
}

/// Whether a denial is what was said before. Whom nobody needs is not dialed by ourselves, and may be by others: that is
/// said before its addresses and the room are looked at. Others bring an address of their own: of whom none is known, what
/// 4.7 asks after that decides. The time brings tokens.
fn agrees(denied: Reason, said: Option<Reason>) -> bool {
    let of_addresses = matches!(
        denied,
        Reason::TransportLimit
            | Reason::DiversityLimit
            | Reason::SubnetBanned
            | Reason::LimitReached
            | Reason::OverBudget
    );
    match said {
        Some(said) if said == denied => true,
        Some(Reason::NoRoute) => of_addresses || denied == Reason::Parked,
        Some(
            Reason::NotNeeded
            | Reason::Busy
            | Reason::FailedService
            | Reason::Withheld
            | Reason::LimitReached
            | Reason::OverBudget,
        ) => of_addresses,
        _ => false,
    }
}

impl Invariant for Plausible {
    fn id(&self) -> &'static str {
        "S19"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some(Input::Event(Event::Report {
            peer,
            outcome: Outcome::Fault,
            charged: true,
            ..
        })) = scene.input
        {
            self.faulty.insert(*peer);
        }
        let Some(Input::Gate(query, Err(reason))) = scene.input else {
            return Ok(());
        };
        let ledger = scene.ledger;
        let (GateQuery::Outbound { peer } | GateQuery::Inbound { peer }) = query;
        let outbound = matches!(query, GateQuery::Outbound { .. });
        // Of whom is known, it was said before why others may not dial it.
        let explained = peer.and_then(|peer| scene.view.explained.get(&peer));
        if let (true, Some(explained)) = (outbound, explained) {
            ensure!(
                agrees(*reason, explained.not_dialed) || scene.deadline_passed(scene.now()),
                "{query:?} denied as {reason}, and before it was said: {:?}",
                explained.not_dialed
            );
            return Ok(());
        }
        let record = peer.as_ref().map(|peer| ledger.peer(peer));
        let occupied = ledger.conns.len() + ledger.dials.len();
        let said_of_peer = concerns_peer(*reason);
        ensure!(
            !said_of_peer || record.is_some(),
            "{reason} of nobody in particular"
        );
        let record = record.unwrap_or_default();
        let right = match reason {
            Reason::Stopped => !ledger.running,
            Reason::Offline => ledger.hint.says_offline,
            Reason::OurOwnId => *peer == Some(scene.config.local),
            Reason::BannedByUser => record.banned_by_user,
            Reason::BannedForFaults => record.banned_until.is_some_and(|until| ledger.now < until),
            Reason::HungUp => record.hung_up,
            Reason::AlreadyConnected => {
                let peer = peer.as_ref().expect("asked of a peer");
                let dialing = ledger.dials.values().any(|dial| dial.peer == *peer);
                dialing || !ledger.conns_of(peer).is_empty()
            }
            Reason::OtherNetwork => matches!(record.wait, Some((_, Wait::Network))),
            Reason::FailedService => matches!(record.wait, Some((_, Wait::Replaced))),
            Reason::CoolingDown => {
                let closed = record.last_closed.filter(|(_, why)| let_go(*why));
                // Longer each time, and from when the close is confirmed.
                let cool = scene.config.prune_cap_ms + scene.config.close_ms;
                let full = ledger.conns.len() + scene.view.stats.dialing as usize
                    >= usize::from(scene.view.stats.soft);
                full && closed.is_some_and(|(at, _)| ledger.now < at + cool)
            }
            Reason::BadBehaviour => self
                .faulty
                .contains(peer.as_ref().expect("asked of a peer")),
            Reason::Paused => ledger.steering.mode == Mode::Paused,
            Reason::InitialSync => matches!(ledger.steering.mode, Mode::Sync(_)),
            Reason::LimitReached => {
                // Jobs between two addresses hold their place.
                let counted = scene.view.stats.open + scene.view.stats.dialing;
                occupied.max(counted as usize) >= usize::from(scene.view.stats.hard)
            }
            Reason::OverBudget => outbound,
            _ => false,
        };
        ensure!(right, "{query:?} denied as {reason}");
        Ok(())
    }
}
