//! S18: failures never cost a peer its last good address.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, Event};

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::Input;

/// See the module. What cannot be read can be seen: every address has its turn, the good ones too.
#[derive(Default)]
pub(crate) struct Kept {
    /// Dials in a row to addresses of a peer that never worked, although one did.
    elsewhere: BTreeMap<PeerId, usize>,
}

/// After this many rounds over all addresses that a peer may have, a good one must have had its turn.
const ROUNDS: usize = 2;

impl Invariant for Kept {
    fn id(&self) -> &'static str {
        "S18"
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Command::Dial { peer, route, .. } = command else {
            return Ok(());
        };
        let verified = scene.ledger.peer(peer).verified;
        if verified.is_empty() || verified.contains(route) {
            self.elsewhere.remove(peer);
            return Ok(());
        }
        let dials = self.elsewhere.entry(*peer).or_insert(0);
        *dials += 1;
        let most = ROUNDS * scene.config.max_routes;
        ensure!(
            *dials <= most,
            "{peer} was dialed {dials} times where it never answered, and not where it did"
        );
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let (Some(Input::Event(Event::DialFailed { .. })), Some(view)) =
            (scene.input, &scene.view.subject)
        else {
            return Ok(());
        };
        let had = !scene.ledger.peer(&view.peer).routes.is_empty();
        ensure!(
            view.route.is_some() || !had,
            "{} has no address left",
            view.peer
        );
        Ok(())
    }
}
