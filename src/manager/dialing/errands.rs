//! Dials that no need asks for: those of open bursts (4.10), and the one of an initial sync (4.18).

use crate::manager::Manager;
use crate::manager::boundary::command::DialWhy;
use crate::manager::boundary::event::RequirementId;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::machine::modes::Mode;
use crate::manager::tools::deadlines::Wake;
use crate::manager::tools::services::WHOLE;

impl Manager {
    /// Dials for open bursts; called by the plan after the needs.
    pub(in crate::manager) fn dial_bursts(&mut self, wake: &mut Wake) {
        for (burst, requirement, slots) in self.bursts.wanted() {
            while self.burst_size(burst) < usize::from(slots) {
                if self.room_or_wait(Purpose::Relief, wake).is_err() {
                    return;
                }
                let wants = |id: RequirementId| if id == requirement { WHOLE } else { 0 };
                let Some(choice) = self.choose(&wants) else {
                    break;
                };
                if self
                    .dial(choice.candidate.ix, DialWhy::Burst(burst))
                    .is_err()
                {
                    break;
                }
            }
        }
    }

    /// Dials for an initial sync that has no connection.
    pub(in crate::manager) fn dial_sync(&mut self, wake: &mut Wake) {
        let Mode::Sync { peer, kept: None } = self.mode else {
            return;
        };
        if !self.dials.is_empty() {
            // Its end is an input.
            return;
        }
        let now = self.now.mono_ms;
        if let Some(at) = self.outage.probe_at().filter(|at| now < *at) {
            wake.by(at);
            return;
        }
        if self.room_or_wait(Purpose::Sync, wake).is_err() {
            return;
        }
        let whom = match peer {
            Some(peer) => self.table.find(&peer),
            None => self
                .choose(&|_| WHOLE)
                .map(|choice| choice.candidate.ix)
                .or_else(|| self.ladder.next(1).next()),
        };
        // Whoever can't be dialed is no probe.
        if let Some(ix) = whom
            && self.dial(ix, DialWhy::Sync).is_ok()
        {
            // Its end is an input.
            self.probed(whom);
        }
    }
}
