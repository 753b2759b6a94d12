//! What protocols ask for: enrollments, locks, bursts, scores; and what the application does with the answers.

use lightkeeper::manager::{Command, EnrollmentId, Event};

use crate::network::NetworkSpec;
use crate::rng::Rng;
use crate::script::Act;
use crate::world::World;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// A protocol that leaves, whether or not it is there.
    Withdraw(u8),
}

impl World {
    pub(crate) fn claim(&mut self, c: usize, claim: &Claim) {
        match claim {
            Claim::Withdraw(n) => {
                let enrollment = EnrollmentId(u64::from(*n));
                self.user(c, Event::Withdraw { enrollment });
            }
        }
    }

    /// What the manager says to a protocol.
    pub(crate) fn answer_claim(&mut self, _c: usize, _command: Command) {}

    /// Takes back what its acts broke.
    pub(crate) fn heal_claims(&mut self, c: usize) {
        for n in 0..4 {
            self.claim(c, &Claim::Withdraw(n));
        }
    }
}

/// Something of this kind happens, and is mostly taken back.
pub(crate) fn troubles(
    rng: &mut Rng,
    _network: &NetworkSpec,
    t: u64,
    _end: u64,
    acts: &mut Vec<(u64, Act)>,
) {
    let n = u8::try_from(rng.below(4)).expect("few");
    acts.push((t, Act::Claim(Claim::Withdraw(n))));
}
