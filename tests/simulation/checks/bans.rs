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

/// A7: who is held out is exactly who should be, however many are banned: a full table cuts the automatic ban that ends
/// first short, and never one of the user's (4.16).
pub(crate) struct Counted;

impl Invariant for Counted {
    fn id(&self) -> &'static str {
        "A7"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let now = scene.now();
        // Those that are due end some at a time; what is left is due in the next millisecond.
        let more = scene.view.next_deadline.is_some_and(|due| due <= now + 1);
        if !matches!(scene.input, Some(Input::Event(_))) || more {
            return Ok(());
        }
        let (told, held) = (scene.view.stats.banned as usize, scene.ledger.held_out());
        ensure!(told == held, "{told} are held out, {held} should be");
        Ok(())
    }
}
