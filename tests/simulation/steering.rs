//! How the user and the machine steer the manager: limits, modes, lifetime, protection, pressure.

use lightkeeper::manager::Event;

use crate::network::NetworkSpec;
use crate::rng::Rng;
use crate::script::Act;
use crate::world::World;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Steer {
    Pause,
    Resume,
}

impl World {
    pub(crate) fn steer(&mut self, c: usize, steer: &Steer) {
        match steer {
            Steer::Pause => self.user(c, Event::Pause),
            Steer::Resume => self.user(c, Event::Resume),
        }
    }

    /// Takes back what its acts broke.
    pub(crate) fn heal_steering(&mut self, c: usize) {
        self.steer(c, &Steer::Resume);
    }
}

/// Something of this kind happens, and is mostly taken back.
pub(crate) fn troubles(
    rng: &mut Rng,
    _network: &NetworkSpec,
    t: u64,
    end: u64,
    acts: &mut Vec<(u64, Act)>,
) {
    let later = (t + *rng.pick(&[500, 5_000, 40_000])).min(end - 1);
    acts.push((t, Act::Steer(Steer::Pause)));
    acts.push((later, Act::Steer(Steer::Resume)));
}
