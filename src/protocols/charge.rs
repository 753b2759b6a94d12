//! The gatekeeper: whether the end of a request counts against the peer.
//!
//! Every outcome that the manager hears passes [`charged`], which asks one thing: did the peer itself do this, and had it
//! the time? Charged is only what the peer alone controls. What we, a third party or the clock did is told, and costs
//! nobody anything.

use core::time::Duration;

use super::verdict::{ExactClass, Protocol};

/// What is known of the end of a request besides its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// It ended by us: a bound of ours, a caller that gave up, our own close; or with its connection, whose loss is
    /// charged by itself.
    pub ours: bool,
    /// The peer had the time that it may take ([`had_time`]).
    pub had_time: bool,
    /// We slept, or our own network was under suspicion, while it was under way.
    pub disturbed: bool,
    /// The same bytes were accepted elsewhere, or sent before: a server that knows them already refuses them as one that
    /// has no relay peers does (lightpush.md, section 5).
    pub known_bytes: bool,
    /// The same refusal came again and again although we had slowed down.
    pub persistent: bool,
}

/// Whether the end of a request counts against the peer.
pub fn charged(class: ExactClass, circumstances: Circumstances) -> bool {
    let Circumstances {
        ours,
        had_time,
        disturbed,
        known_bytes,
        persistent,
    } = circumstances;
    if ours {
        return false;
    }
    match class {
        // Its silence. In a sleep or an outage it may have answered, and we did not hear it.
        ExactClass::Timeout => had_time && !disturbed,
        // A stream that broke while our network did is the network's.
        ExactClass::StreamReset => !disturbed,
        ExactClass::NoRelayPeers => !known_bytes,
        // "Slower", before it means more.
        ExactClass::RateLimited
        | ExactClass::ServerFull
        | ExactClass::ServerQuota
        | ExactClass::TooManyCriteria
        | ExactClass::Refused
        | ExactClass::Busy => persistent,
        // Its own words and bytes, which no sleep of ours can have made.
        ExactClass::Unavailable
        | ExactClass::UnsupportedShard
        | ExactClass::ServerError
        | ExactClass::ProtocolFault
        | ExactClass::Unsupported => true,
        // Our request, or a state that it may lose at any time.
        ExactClass::BadRequest
        | ExactClass::NeedTopic
        | ExactClass::TooLarge
        | ExactClass::InvalidMessage
        | ExactClass::OurBug
        | ExactClass::BadNamespace
        | ExactClass::BadTtl
        | ExactClass::Resubscribe
        | ExactClass::CursorLost
        | ExactClass::BadCookie
        | ExactClass::BadRecord => false,
        // Whom it lets in is its own affair, and others are not its to give.
        ExactClass::Denied | ExactClass::TargetUnreachable | ExactClass::NoReservation => false,
        ExactClass::Ok | ExactClass::OkUnknownCount | ExactClass::Empty => false,
    }
}

/// Silence is not judged sooner than this, whatever the round trip: a server has work to do before it answers.
const SHORTEST: Duration = Duration::from_secs(5);

/// Whether a peer that was silent for `waited` had its time: the protocol's own timeout, or two known round trips and
/// five seconds.
pub fn had_time(protocol: Protocol, waited: Duration, rtt: Option<Duration>) -> bool {
    waited >= timeout(protocol)
        || rtt.is_some_and(|rtt| waited >= SHORTEST.max(rtt.saturating_mul(2)))
}

/// How long a peer may take to answer (the pages of the protocols, "Limits and timeouts").
pub fn timeout(protocol: Protocol) -> Duration {
    Duration::from_secs(match protocol {
        Protocol::Metadata => 5,
        Protocol::PeerExchange
        | Protocol::LightpushV3
        | Protocol::LightpushV2
        | Protocol::FilterSubscribe
        | Protocol::Rendezvous => 10,
        Protocol::CircuitHop => 15,
        Protocol::StoreQuery => 30,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocols::verdict::FailureClass;

    fn all() -> impl Iterator<Item = Circumstances> {
        (0_u8..32).map(|bits| Circumstances {
            ours: bits & 1 != 0,
            had_time: bits & 2 != 0,
            disturbed: bits & 4 != 0,
            known_bytes: bits & 8 != 0,
            persistent: bits & 16 != 0,
        })
    }

    fn cases() -> impl Iterator<Item = (ExactClass, Circumstances)> {
        ExactClass::ALL
            .iter()
            .flat_map(|class| all().map(|how| (*class, how)))
    }

    #[test]
    fn nothing_that_we_did_is_ever_charged() {
        for (class, how) in cases().filter(|(_, how)| how.ours) {
            assert!(!charged(class, how), "{class} {how:?}");
        }
    }

    #[test]
    fn silence_is_charged_only_after_its_time_and_while_we_were_awake() {
        for how in all() {
            let due = !how.ours && how.had_time && !how.disturbed;
            assert_eq!(charged(ExactClass::Timeout, how), due, "{how:?}");
        }
    }

    #[test]
    fn a_status_with_two_meanings_is_charged_only_for_bytes_that_nobody_knew() {
        for how in all().filter(|how| how.known_bytes) {
            assert!(!charged(ExactClass::NoRelayPeers, how), "{how:?}");
        }
    }

    #[test]
    fn busy_is_charged_only_once_slowing_down_did_not_help() {
        let busy = ExactClass::ALL
            .iter()
            .filter(|class| class.failure() == Some(FailureClass::Busy));
        for class in busy {
            for how in all() {
                assert_eq!(
                    charged(*class, how),
                    how.persistent && !how.ours,
                    "{class} {how:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_ours_or_was_merely_lost_is_never_charged() {
        for (class, how) in cases() {
            let never = matches!(
                class.failure(),
                None | Some(FailureClass::Ours | FailureClass::Lost)
            );
            assert!(!(never && charged(class, how)), "{class} {how:?}");
        }
    }

    #[test]
    fn a_breach_of_the_protocol_is_charged_whatever_the_clock_did() {
        for how in all().filter(|how| !how.ours) {
            assert!(charged(ExactClass::ProtocolFault, how), "{how:?}");
        }
    }

    #[test]
    fn one_circumstance_more_in_the_peers_favour_never_charges_it() {
        for (class, how) in cases() {
            for better in [
                Circumstances { ours: true, ..how },
                Circumstances {
                    had_time: false,
                    ..how
                },
                Circumstances {
                    disturbed: true,
                    ..how
                },
                Circumstances {
                    known_bytes: true,
                    ..how
                },
                Circumstances {
                    persistent: false,
                    ..how
                },
            ] {
                assert!(
                    charged(class, how) || !charged(class, better),
                    "{class} {how:?}"
                );
            }
        }
    }

    #[test]
    fn a_short_deadline_of_the_callers_is_no_time() {
        let ms = Duration::from_millis;
        for protocol in Protocol::ALL {
            assert!(!had_time(*protocol, ms(1), Some(ms(0))), "{protocol}");
            assert!(!had_time(*protocol, ms(4_900), None), "{protocol}");
            assert!(had_time(*protocol, ms(30_000), None), "{protocol}");
        }
        assert!(had_time(Protocol::StoreQuery, ms(5_000), Some(ms(20))));
        assert!(!had_time(Protocol::StoreQuery, ms(5_000), Some(ms(3_000))));
    }
}
