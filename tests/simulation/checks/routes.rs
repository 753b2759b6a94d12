//! S18: failures never cost a peer its last good address.

use lightkeeper::manager::Event;

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::Input;

/// See the module.
pub(crate) struct Kept;

impl Invariant for Kept {
    fn id(&self) -> &'static str {
        "S18"
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let (Some(Input::Event(Event::DialFailed { .. })), Some(view)) =
            (scene.input, &scene.view.subject)
        else {
            return Ok(());
        };
        let record = scene.ledger.peer(&view.peer);
        let Some(route) = &view.route else {
            let had = !record.routes.is_empty();
            ensure!(!had, "{} has no address left", view.peer);
            return Ok(());
        };
        // What worked comes first, so the best is one of these while there is one.
        ensure!(
            view.conn.is_some() || record.verified.is_empty() || record.verified.contains(route),
            "{} lost every address that ever worked",
            view.peer
        );
        Ok(())
    }
}
