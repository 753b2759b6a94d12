//! How much a connection would be missed (4.13): U(c).
//!
//! In integers: what it is worth to each protocol, weighed, and a little for its age, its directness and its round trip.
//! Worked out only when something has to go. Owns nothing.

use multiaddr::Protocol as Part;

use crate::manager::Manager;
use crate::manager::book::peer::Role;
use crate::manager::boundary::event::{Class, ConnId, Priority};
use crate::manager::connected::connections::Conn;
use crate::manager::pruning::guards::Pressure;
use crate::manager::tools::sort::sort_short_by_key;

/// The most that a connection can be worth to a protocol.
const BEST: u32 = 1_000;
/// What a provider that is missed at once counts more than one that others stand in for.
const MISSED: u32 = 4;
/// Requests answered on a connection count this much at most.
const MOST_ACTIVE: u32 = 100;
/// A connection without a relay is worth this much more.
const DIRECT: u32 = 40;
/// The nearest peer is worth this much more than one that is [`FAR_MS`] away.
const NEAR: u32 = 40;
/// A round trip from which on nearness counts for nothing, in milliseconds.
const FAR_MS: u32 = 1_000;

/// What a connection is worth to one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Worth {
    /// How much the protocol matters.
    pub(in crate::manager) weight: u32,
    /// Without the connection its requirement would be below its target.
    pub(in crate::manager) missed: bool,
    /// 0 to 1,000.
    pub(in crate::manager) score: u32,
}

/// What a connection is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Nature {
    /// How long it has lasted.
    pub(in crate::manager) age_ms: u64,
    /// No relay is between.
    pub(in crate::manager) direct: bool,
    /// `None` while unknown.
    pub(in crate::manager) rtt_ms: Option<u32>,
}

/// U(c), from its worth to every protocol.
pub(in crate::manager) fn utility(worths: impl Iterator<Item = Worth>, nature: Nature) -> u32 {
    let (mut sum, mut weights) = (0_u32, 0_u32);
    for worth in worths {
        let need = if worth.missed { MISSED } else { 1 };
        let score = worth.score.min(BEST);
        sum = sum.saturating_add(worth.weight.saturating_mul(need * score));
        weights = weights.saturating_add(worth.weight);
    }
    let served = sum.checked_div(weights).unwrap_or(0);
    let minutes = nature.age_ms / 60_000;
    let age = 10 * minutes.saturating_add(1).ilog2().min(10);
    let direct = if nature.direct { DIRECT } else { 0 };
    let near = nature
        .rtt_ms
        .map_or(0, |rtt| NEAR - rtt.min(FAR_MS) * NEAR / FAR_MS);
    served + age + direct + near
}

impl Manager {
    /// The connections that no guard holds, as far as `among` admits them: whoever is missed least first.
    pub(in crate::manager::pruning) fn by_use(
        &self,
        pressure: Pressure,
        among: &dyn Fn(ConnId) -> bool,
    ) -> Vec<ConnId> {
        let open = self.connections.open().filter(|(id, _)| {
            !self.leaving.awaits(*id) && self.guard(*id, pressure).is_none() && among(*id)
        });
        let mut keyed: Vec<_> = open
            .filter_map(|(id, _)| Some((self.usefulness(id)?, id)))
            .collect();
        sort_short_by_key(&mut keyed, |entry| *entry);
        keyed.into_iter().map(|(_, id)| id).collect()
    }

    /// The first of these.
    pub(in crate::manager::pruning) fn least_useful(
        &self,
        pressure: Pressure,
        among: impl Fn(ConnId) -> bool,
    ) -> Option<ConnId> {
        self.by_use(pressure, &among).into_iter().next()
    }

    /// The order in which connections go: bootstrap peers, which leave anyway as soon as others do their work; then whom the
    /// user cares for least, then who is missed least, then by the seed.
    pub(in crate::manager::pruning) fn usefulness(
        &self,
        id: ConnId,
    ) -> Option<(bool, Priority, u32, u64)> {
        let conn = self.connections.get(id)?;
        let peer = self.table.get(conn.ix)?;
        let nature = Nature {
            age_ms: self.now.mono_ms.saturating_sub(conn.opened_at),
            direct: !conn.route.iter().any(|part| part == Part::P2pCircuit),
            rtt_ms: peer.rtt_ms(),
        };
        let places = self.enrollments.iter().enumerate();
        let worths =
            places
                .filter(|(_, protocol)| protocol.takes_part())
                .map(|(place, protocol)| {
                    let served = protocol
                        .requirement()
                        .filter(|id| conn.serving.contains(*id));
                    let score = if protocol.is_scorer() {
                        positive(self.enrollments.score(place, id))
                    } else {
                        served.map_or(0, |id| {
                            self.builtin_score(conn, positive(peer.quality(id, self.now.mono_ms)))
                        })
                    };
                    Worth {
                        weight: protocol.weight() * class_weight(self.class_of(place)),
                        missed: served.is_some_and(|id| !self.needs.met_without_one(id)),
                        score,
                    }
                });
        let stays = peer.role() != Role::Bootstrap;
        Some((stays, peer.priority(), utility(worths, nature), peer.salt()))
    }

    /// What a provider is worth to a protocol that has no opinion: how well it serves, and how much it was used.
    fn builtin_score(&self, conn: &Conn, quality: u32) -> u32 {
        quality + conn.successes.min(MOST_ACTIVE)
    }
}

fn positive(score: i16) -> u32 {
    u32::try_from(score).unwrap_or(0)
}

fn class_weight(class: Class) -> u32 {
    match class {
        Class::Opportunistic => 1,
        Class::Normal => 2,
        Class::Critical => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::{Nature, Worth, utility};

    const PLAIN: Nature = Nature {
        age_ms: 0,
        direct: false,
        rtt_ms: None,
    };

    fn worth(weight: u32, missed: bool, score: u32) -> Worth {
        Worth {
            weight,
            missed,
            score,
        }
    }

    fn u(worths: &[Worth], nature: Nature) -> u32 {
        utility(worths.iter().copied(), nature)
    }

    #[test]
    fn what_serves_nobody_is_worth_only_what_it_is_like() {
        assert_eq!(u(&[], PLAIN), 0);
        let rtt_ms = Some(0);
        let direct = true;
        let age_ms = u64::MAX;
        let best = Nature {
            age_ms,
            direct,
            rtt_ms,
        };
        assert_eq!(u(&[], best), 100 + 40 + 40);
    }

    #[test]
    fn a_provider_that_is_missed_counts_four_times() {
        let spare = u(&[worth(1, false, 300)], PLAIN);
        let missed = u(&[worth(1, true, 300)], PLAIN);
        assert_eq!((spare, missed), (300, 1_200));
    }

    #[test]
    fn protocols_weigh_by_their_weight() {
        let heavy = [worth(3, false, 400), worth(1, false, 0)];
        let light = [worth(1, false, 400), worth(3, false, 0)];
        assert_eq!((u(&heavy, PLAIN), u(&light, PLAIN)), (300, 100));
    }

    #[test]
    fn age_counts_by_its_logarithm_and_no_more_than_a_hundred() {
        let aged = |minutes: u64| {
            u(
                &[],
                Nature {
                    age_ms: minutes * 60_000,
                    ..PLAIN
                },
            )
        };
        assert_eq!(
            [
                aged(0),
                aged(1),
                aged(3),
                aged(7),
                aged(1 << 10),
                aged(1 << 30)
            ],
            [0, 10, 20, 30, 100, 100]
        );
    }

    #[test]
    fn a_near_peer_is_worth_more_than_a_far_one() {
        let near = |rtt: u32| {
            u(
                &[],
                Nature {
                    rtt_ms: Some(rtt),
                    ..PLAIN
                },
            )
        };
        assert_eq!(
            [near(0), near(500), near(1_000), near(u32::MAX)],
            [40, 20, 0, 0]
        );
    }

    #[test]
    fn no_input_overflows() {
        let worths = [worth(u32::MAX, true, u32::MAX); 64];
        assert!(u(&worths, PLAIN) <= 4_000);
    }
}
