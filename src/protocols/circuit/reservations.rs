//! The reservations of a node at its relays, without input or output of its own (contract 4.12).
//!
//! Who is used as a relay is the manager's to say, as with any protocol: the shell calls [`Reservations::serving`] with the
//! connections that serve, whenever that changed, and [`Reservations::answered`] with what a relay said. After any of
//! these, and at [`Reservations::next_deadline`], it takes actions from [`Reservations::poll`] until there is none.
//!
//! At a relay a node *waits*, *asks*, or *holds*; who holds asks again before three quarters of the time are over, by the
//! wall clock, and stays advertised meanwhile. An address is withdrawn only when its time is over, its connection ends, or
//! the relay refuses: one renewal that fails costs nothing yet.
//!
//! Bounds: [`MAX_RELAYS`] relays are remembered, which is more than a node has connections.

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;

use super::{Granted, Limit};
use crate::protocols::verdict::{ExactClass, FailureClass, Verdict};

/// Most relays that are remembered: for how often each was asked.
pub const MAX_RELAYS: usize = 64;
/// After a failure it is asked again so much later, in milliseconds, as long as what is held lasts, or three times.
const AGAIN_MS: [u64; 3] = [5_000, 15_000, 45_000];
/// So many requests may follow one another at one relay; then they are [`SPACING_MS`] apart. rust-libp2p's relays take 30,
/// then one in two minutes.
const BURST: u32 = 4;
const SPACING_MS: u64 = 120_000;

/// A moment, by both clocks, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// A clock that never jumps, and may stand still while the machine sleeps.
    pub mono_ms: u64,
    /// Unix time.
    pub wall_ms: u64,
}

/// Why an address is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The connection to the relay ended.
    Disconnected,
    /// Its time was over before it could be renewed.
    Expired,
    /// The relay would not renew it.
    Refused,
    /// The node needs this relay no more.
    Released,
}

/// What is to be done, or told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ask this relay for a reservation, on this connection.
    Ask {
        /// Whom.
        relay: PeerId,
        /// On which of its connections.
        conn: u64,
    },
    /// The relay did as it was asked.
    Served {
        /// Which.
        relay: PeerId,
    },
    /// It did not: for the manager to judge.
    Failed {
        /// Which.
        relay: PeerId,
        /// Why.
        verdict: Verdict,
    },
    /// An address was won, or renewed.
    Held {
        /// Where.
        relay: PeerId,
        /// As [`Held`].
        held: Held,
        /// Whether it was held before.
        renewed: bool,
    },
    /// An address is no more.
    Lost {
        /// Where it was.
        relay: PeerId,
        /// Why.
        why: Lost,
    },
}

/// What is held at a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Where we can be dialed.
    pub addresses: Vec<Multiaddr>,
    /// Until when, in milliseconds of Unix time.
    pub expires_at_ms: u64,
    /// What each connection through it may carry.
    pub limit: Option<Limit>,
}

#[derive(Debug)]
struct Relay {
    peer: PeerId,
    /// Serves, by this connection.
    conn: Option<u64>,
    /// The connection on which it is being asked.
    asking: Option<u64>,
    held: Option<Held>,
    /// When to ask next.
    due: Due,
    /// How many failures in a row.
    failures: usize,
    /// How many may follow one another still, and since when that grows again.
    left: u32,
    left_at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// At this monotonic time.
    Mono(u64),
    /// At this wall clock time: a machine that sleeps does not stop it.
    Wall(u64),
    /// Not before it serves anew.
    Never,
}

/// All reservations of a node.
#[derive(Debug, Default)]
pub struct Reservations {
    relays: Vec<Relay>,
    actions: std::collections::VecDeque<Action>,
}

impl Reservations {
    /// The connections that serve as relays now: those that are new here are asked, those that are gone are no addresses
    /// any more.
    pub fn serving(&mut self, now: Now, serving: &[(PeerId, u64)]) {
        for relay in &mut self.relays {
            let Some(conn) = relay.conn else { continue };
            let same = serving.contains(&(relay.peer, conn));
            if !same {
                let why = if serving.iter().any(|(peer, _)| *peer == relay.peer) {
                    // Another connection took over: what was reserved died with the first one.
                    Lost::Disconnected
                } else {
                    Lost::Released
                };
                relay.leave();
                if relay.held.take().is_some() {
                    self.actions.push_back(Action::Lost {
                        relay: relay.peer,
                        why,
                    });
                }
            }
        }
        for &(peer, conn) in serving {
            let relay = self.relay(now, peer);
            if relay.conn.is_none() {
                relay.conn = Some(conn);
                relay.due = Due::Mono(now.mono_ms);
                relay.failures = 0;
            }
        }
        self.forget(now);
    }

    /// A connection ended: what was reserved on it is gone.
    pub fn ended(&mut self, conn: u64) {
        for relay in &mut self.relays {
            if relay.asking == Some(conn) {
                relay.asking = None;
            }
            if relay.conn == Some(conn) {
                relay.leave();
                if relay.held.take().is_some() {
                    self.actions.push_back(Action::Lost {
                        relay: relay.peer,
                        why: Lost::Disconnected,
                    });
                }
            }
        }
    }

    /// What a relay said, or how the request ended without an answer. `draw` is a number by chance: ten thousand pages that
    /// came to one relay in one second do not renew in one second.
    pub fn answered(
        &mut self,
        now: Now,
        peer: PeerId,
        conn: u64,
        answer: Result<Granted, Verdict>,
        draw: u32,
    ) {
        let Some(relay) = self
            .relays
            .iter_mut()
            .find(|relay| relay.peer == peer && relay.asking == Some(conn))
        else {
            return;
        };
        relay.asking = None;
        if relay.conn != Some(conn) {
            return;
        }
        match answer {
            Ok(granted) => {
                let renewed = relay.grant(now, granted, draw);
                let held = relay.held.clone().expect("it was just granted");
                self.actions.push_back(Action::Served { relay: peer });
                self.actions.push_back(Action::Held {
                    relay: peer,
                    held,
                    renewed,
                });
            }
            Err(verdict) => {
                let refused = matches!(
                    verdict.failure,
                    FailureClass::Busy | FailureClass::Unable | FailureClass::Absent
                ) || verdict.class == ExactClass::OurBug;
                relay.fail(now, refused);
                if refused && relay.held.take().is_some() {
                    self.actions.push_back(Action::Lost {
                        relay: peer,
                        why: Lost::Refused,
                    });
                }
                self.actions.push_back(Action::Failed {
                    relay: peer,
                    verdict,
                });
            }
        }
    }

    /// What is to be done now.
    pub fn poll(&mut self, now: Now) -> Option<Action> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        for relay in &mut self.relays {
            let over = |held: &mut Held| held.expires_at_ms <= now.wall_ms;
            if relay.held.take_if(over).is_some() {
                // It serves still: what it did not renew in time it may give anew.
                if relay.asking.is_none() {
                    relay.due = Due::Mono(now.mono_ms);
                }
                return Some(Action::Lost {
                    relay: relay.peer,
                    why: Lost::Expired,
                });
            }
            if let Some(conn) = relay.conn
                && relay.asking.is_none()
                && relay.asks_at(now).is_some_and(|at| at <= now.mono_ms)
            {
                relay.ask(now, conn);
                return Some(Action::Ask {
                    relay: relay.peer,
                    conn,
                });
            }
        }
        None
    }

    /// When to look again, by the monotonic clock: once every action was taken. A sleep may make it later than it is due,
    /// so it is looked at after each sleep, too.
    pub fn next_deadline(&self, now: Now) -> Option<u64> {
        let relays = self.relays.iter();
        let due = relays.clone().filter(|relay| relay.conn.is_some());
        let asks = due
            .filter(|relay| relay.asking.is_none())
            .filter_map(|relay| relay.asks_at(now));
        let ends = relays.filter_map(|relay| {
            let held = relay.held.as_ref()?;
            Some(now.mono_ms + held.expires_at_ms.saturating_sub(now.wall_ms))
        });
        asks.chain(ends).min()
    }

    /// What is held, and where.
    pub fn held(&self) -> impl Iterator<Item = (PeerId, &Held)> {
        let relays = self.relays.iter();
        relays.filter_map(|relay| Some((relay.peer, relay.held.as_ref()?)))
    }

    /// Where this node can be dialed: each address once.
    pub fn addresses(&self) -> Vec<Multiaddr> {
        let mut all: Vec<Multiaddr> = Vec::new();
        for address in self.held().flat_map(|(_, held)| &held.addresses) {
            if !all.contains(address) {
                all.push(address.clone());
            }
        }
        all
    }

    /// Whether calls that a relay passes on are expected: only from one where something is held or asked for.
    pub fn expects_calls_by(&self, peer: PeerId) -> bool {
        let mut relays = self.relays.iter().filter(|relay| relay.peer == peer);
        relays.any(|relay| relay.held.is_some() || relay.asking.is_some())
    }

    fn relay(&mut self, now: Now, peer: PeerId) -> &mut Relay {
        let known = self.relays.iter().position(|relay| relay.peer == peer);
        let at = known.unwrap_or_else(|| {
            self.relays.push(Relay {
                peer,
                conn: None,
                asking: None,
                held: None,
                due: Due::Never,
                failures: 0,
                left: BURST,
                left_at: now.mono_ms,
            });
            self.relays.len() - 1
        });
        &mut self.relays[at]
    }

    /// Whoever may be asked as often as a stranger is one. Of the others the oldest go first when there are too many.
    fn forget(&mut self, now: Now) {
        self.relays
            .retain(|relay| !relay.is_idle() || relay.left_by(now.mono_ms) < BURST);
        while self.relays.len() > MAX_RELAYS {
            let Some(at) = self.relays.iter().position(Relay::is_idle) else {
                return;
            };
            self.relays.remove(at);
        }
    }
}

impl Relay {
    fn is_idle(&self) -> bool {
        self.conn.is_none() && self.held.is_none()
    }

    fn leave(&mut self) {
        self.conn = None;
        self.due = Due::Never;
    }

    /// How many requests may follow one another at that time.
    fn left_by(&self, mono_ms: u64) -> u32 {
        let back = mono_ms.saturating_sub(self.left_at) / SPACING_MS;
        BURST.min(
            self.left
                .saturating_add(u32::try_from(back).unwrap_or(BURST)),
        )
    }

    /// When it is asked, by the monotonic clock.
    fn asks_at(&self, now: Now) -> Option<u64> {
        let due = match self.due {
            Due::Never => return None,
            Due::Mono(at) => at,
            Due::Wall(at) => now.mono_ms + at.saturating_sub(now.wall_ms),
        };
        let allowed = if self.left_by(now.mono_ms) > 0 {
            now.mono_ms
        } else {
            self.left_at + SPACING_MS
        };
        Some(due.max(allowed))
    }

    fn ask(&mut self, now: Now, conn: u64) {
        let left = self.left_by(now.mono_ms);
        if left == BURST {
            self.left_at = now.mono_ms;
        } else {
            let back = u64::from(left - self.left.min(left));
            self.left_at += back * SPACING_MS;
        }
        self.left = left.saturating_sub(1);
        self.asking = Some(conn);
    }

    /// Returns whether it was held before.
    fn grant(&mut self, now: Now, granted: Granted, draw: u32) -> bool {
        let expires_at_ms = granted.expires_at_s.saturating_mul(1_000);
        let life = expires_at_ms.saturating_sub(now.wall_ms);
        // Two minutes before its end, or a quarter of its life if that is more; and up to a tenth of its life sooner.
        let spare = (life / 4).max(120_000.min(life / 2));
        let sooner = u64::from(draw) * (life / 10) / u64::from(u32::MAX);
        self.due = Due::Wall(expires_at_ms - spare - sooner);
        self.failures = 0;
        let held = Held {
            addresses: granted.addresses,
            expires_at_ms,
            limit: granted.limit,
        };
        self.held.replace(held).is_some()
    }

    fn fail(&mut self, now: Now, refused: bool) {
        let wait = AGAIN_MS.get(self.failures.min(AGAIN_MS.len() - 1));
        let again = self.held.is_some() || self.failures < AGAIN_MS.len();
        self.failures += 1;
        self.due = match wait {
            // Whoever refused is asked when the manager says that it serves again.
            _ if refused || !again => Due::Never,
            Some(wait) => Due::Mono(now.mono_ms + wait),
            None => Due::Never,
        };
    }
}

#[cfg(test)]
mod tests;
