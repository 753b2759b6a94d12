//! S3: a ban takes effect at once, and nothing shortens it.

use lightkeeper::manager::PeerState;

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::Input;

/// See the module. Dials of the banned are S2's.
pub(crate) struct Final;

impl Invariant for Final {
    fn id(&self) -> &'static str {
        "S3"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let ledger = scene.ledger;
        let banned = |peer| {
            let record = ledger.peers.get(peer);
            record.is_some_and(|record| record.banned(ledger.now))
        };
        for (conn, record) in ledger.open() {
            ensure!(!banned(&record.peer), "{conn:?} of {} is open", record.peer);
        }
        for dial in ledger.dials.values() {
            ensure!(!banned(&dial.peer), "{} is being dialed", dial.peer);
        }
        if let (Some(Input::Event(_)), Some(view)) = (scene.input, &scene.view.subject)
            && banned(&view.peer)
        {
            ensure!(
                matches!(view.state, PeerState::Banned | PeerState::Closing),
                "{} is {:?} and should be banned",
                view.peer,
                view.state
            );
        }
        Ok(())
    }
}
