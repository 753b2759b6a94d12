//! Where a peer stands among those who could be dialed: with the candidates, on the ladder, or nowhere.

use crate::manager::Manager;
use crate::manager::book::peer::{Peer, Role};
use crate::manager::boundary::reason::Reason;
use crate::manager::dialing::admission;
use crate::manager::dialing::candidates::Entry;
use crate::manager::dialing::purpose::Purpose;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::slot::Ix;

/// Between two inputs that place the next few peers anew, in milliseconds: as soon as the shell can.
const PLACED_EVERY_MS: u64 = 1;

impl Manager {
    /// Places a peer where its record says that it belongs. Only those rules of admission are asked that stand until an
    /// input about that peer, or its subnet, changes them; the others when it is dialed.
    pub(in crate::manager) fn refresh(&mut self, ix: Ix) {
        let all = self.all();
        let (mut entry, mut place, mut acquainted) = (None, None, None);
        if let Some(peer) = self.table.get(ix)
            && self.out_of_reach(peer).is_none()
            && let Some(route) = peer.routes().best()
        {
            match peer.role() {
                Role::Bootstrap => place = Some((peer.attempts().level(), peer.salt())),
                // Whom the user names may know others, also when it serves nothing.
                Role::Named if peer.serves_none_of(all) => {
                    acquainted = Some((peer.attempts().level(), peer.salt()));
                }
                Role::Ordinary | Role::Named => {
                    let services = peer.possible(all);
                    entry = (!services.is_empty()).then(|| Entry {
                        rank: peer.rank(all, self.config.unverified_counted, self.now.mono_ms),
                        group: route.group,
                        salt: peer.salt(),
                        services,
                        proven: peer.verified().unwrap_or_default().and(services),
                    });
                }
            }
        }
        self.candidates.put(ix, entry);
        self.ladder.put(ix, place);
        self.ladder.put_acquaintance(ix, acquainted);
    }

    /// Why a peer can't be dialed whatever else holds, but for parking: its own state, or every subnet where it is known
    /// is refused.
    pub(in crate::manager) fn out_of_reach(&self, peer: &Peer) -> Option<Reason> {
        admission::barred(peer, Purpose::Ladder).or_else(|| {
            let mut routes = peer.routes().iter();
            let refused = routes.all(|route| self.quarantine.refuses(&route.address));
            refused.then_some(Reason::SubnetBanned)
        })
    }
    /// Places every peer anew, a few at a time: a requirement was opened.
    pub(in crate::manager) fn place_all(&mut self) {
        self.candidates.place_anew(self.table.len());
        self.place_some();
    }

    /// Places the next few peers where they belong since then.
    pub(in crate::manager) fn place_some(&mut self) {
        let (batch, more) = self.candidates.next_to_place(&self.table);
        for ix in batch {
            self.refresh(ix);
        }
        let at = self.now.mono_ms.saturating_add(PLACED_EVERY_MS);
        self.deadlines.put(Timer::Sweep, more.then_some(at));
    }
}
