//! What the user writes into the address book: routes, hints, forgetting.

use lightkeeper::manager::Event;

use crate::network::NetworkSpec;
use crate::rng::Rng;
use crate::script::Act;
use crate::world::World;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    /// Everything that is known of it.
    Forget(u16),
}

impl World {
    pub(crate) fn note(&mut self, c: usize, note: &Note) {
        match note {
            Note::Forget(place) => self.about(c, *place, |peer, _| Event::Forget { peer }),
        }
    }

    /// Takes back what its acts broke.
    pub(crate) fn heal_book(&mut self, _c: usize) {}
}

/// Something of this kind happens, and is mostly taken back.
pub(crate) fn troubles(
    rng: &mut Rng,
    network: &NetworkSpec,
    t: u64,
    _end: u64,
    acts: &mut Vec<(u64, Act)>,
) {
    let place = rng.place(network.peers.len());
    acts.push((t, Act::Note(Note::Forget(place))));
}
