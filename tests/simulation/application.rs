//! The application behind the protocols that enroll: what it does with what the manager tells them.

use libp2p_identity::PeerId;
use lightkeeper::manager::{BurstAnswer, Command, EnrollmentId, Event, LockAnswer, Offer};

use crate::network::Network;
use crate::rng::Rng;
use crate::world::World;

/// Enrollments, locks and bursts from here on belong to a protocol that never says a word about what it is told.
pub(crate) const SILENT: u8 = 40;
pub(crate) const SILENT_HOLD: u8 = 200;

impl World {
    /// What the manager says to a protocol, which answers as it likes: at once, late, twice, wrongly or never. What it
    /// answers is on its way like every callback, and may be lost.
    pub(crate) fn answer_claim(&mut self, c: usize, command: Command) {
        if self.healed_at.is_some() {
            // Everybody has left.
            return;
        }
        if is_silent(&command) {
            return;
        }
        let rng = &mut self.clients[c].rng;
        let mut answers: Vec<(u64, Event)> = Vec::new();
        match command {
            Command::Offer {
                enrollment,
                offer: Offer::Counter { answer_ms, .. },
            } if answer_ms > 0 => {
                let within = rng.between(0, answer_ms.min(60_000));
                match rng.below(4) {
                    0 => answers.push((within, Event::AcceptOffer { enrollment })),
                    1 => answers.push((within, Event::Withdraw { enrollment })),
                    2 => answers.push((answer_ms + 1, Event::AcceptOffer { enrollment })),
                    _ => {}
                }
            }
            Command::Lock { lock, answer } => match answer {
                LockAnswer::Granted { ttl_ms } => {
                    let within = rng.between(0, ttl_ms);
                    match rng.below(5) {
                        0 | 1 => answers.push((within, Event::ExtendLock { lock, ttl_ms })),
                        2 => answers.push((within, Event::Unlock { lock })),
                        _ => {}
                    }
                }
                LockAnswer::Revoked { grace_ms, .. } => {
                    let within = rng.between(0, grace_ms);
                    match rng.below(3) {
                        0 => answers.push((within, Event::Unlock { lock })),
                        1 => answers.push((within, Event::ExtendLock { lock, ttl_ms: 1 })),
                        _ => {}
                    }
                }
                LockAnswer::Denied(_) | LockAnswer::Ended => {}
            },
            Command::Burst {
                burst,
                answer: BurstAnswer::Granted { .. },
            } if rng.per_mille(300) => {
                let within = rng.between(0, 70_000);
                answers.push((within, Event::CloseBurst { burst }));
            }
            Command::RequestScores {
                round,
                enrollment,
                peers,
                deadline_ms,
            } => answers = scores(rng, &self.network, round, enrollment, &peers, deadline_ms),
            _ => {}
        }
        for (ms, event) in answers {
            self.call_back(c, ms, event);
        }
    }
}

fn is_silent(command: &Command) -> bool {
    let (id, from) = match command {
        Command::Offer { enrollment, .. } | Command::RequestScores { enrollment, .. } => {
            (enrollment.0, SILENT)
        }
        Command::Lock { lock, .. } => (lock.0, SILENT_HOLD),
        Command::Burst { burst, .. } => (burst.0, SILENT_HOLD),
        _ => return false,
    };
    id >= u64::from(from)
}

/// What a scorer answers, and when: rightly, late, twice, for others than it was asked about, absurdly, too much, or
/// not at all.
fn scores(
    rng: &mut Rng,
    network: &Network,
    round: u64,
    enrollment: EnrollmentId,
    peers: &[PeerId],
    deadline_ms: u32,
) -> Vec<(u64, Event)> {
    let mut draw = |peers: &[PeerId], from: &[i16]| -> Vec<(PeerId, i16)> {
        let scores = peers.iter().map(|peer| (*peer, *rng.pick(from)));
        scores.collect()
    };
    let usual = draw(peers, &[-300, 0, 10, 200, 700, 1_000]);
    let absurd = draw(peers, &[i16::MIN, -1_001, 1_001, i16::MAX]);
    let others = draw(&network.ids, &[-1_000, 1_000]);
    let event = |scores: Vec<(PeerId, i16)>| Event::Scores {
        round,
        enrollment,
        scores,
    };
    let deadline = u64::from(deadline_ms);
    let soon = rng.between(0, deadline);
    match rng.below(8) {
        0 | 1 => vec![(soon, event(usual))],
        2 => vec![(deadline + rng.between(1, 20_000), event(usual))],
        3 => vec![(soon, event(usual)), (soon + 1, event(absurd))],
        4 => vec![(soon, event(others))],
        5 => vec![(soon, event(absurd))],
        6 => vec![(soon, event([usual, others, absurd].concat()))],
        _ => Vec::new(),
    }
}
