//! What the end of a request means: for the request, for the peer, and for the caller.
//!
//! Each protocol's module classifies the statuses that its servers send; here are the classes themselves, and the ends
//! that give no answer.

use core::fmt;
use core::time::Duration;

macro_rules! closed_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }
        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

closed_enum! {
    /// The exact class of an end.
    ExactClass {
        /// It served.
        Ok = "ok",
        /// It published the message and does not say to how many peers.
        OkUnknownCount = "ok_unknown_count",
        /// It served and has nothing.
        Empty = "empty",
        /// It calls the request malformed.
        BadRequest = "bad_request",
        /// It needs the pubsub topic that was left out.
        NeedTopic = "need_topic",
        /// The message is over the network's limit.
        TooLarge = "too_large",
        /// The message is not valid: proof, time, content topic.
        InvalidMessage = "invalid_message",
        /// Too many requests.
        RateLimited = "rate_limited",
        /// No room for another subscriber.
        ServerFull = "server_full",
        /// The server's own quota of proofs is used up.
        ServerQuota = "server_quota",
        /// No room for more of our filter criteria there.
        TooManyCriteria = "too_many_criteria",
        /// It can't serve now.
        Unavailable = "unavailable",
        /// It knows no relay peer for the shard, or has seen these bytes lately.
        NoRelayPeers = "no_relay_peers",
        /// It does not serve the shard.
        UnsupportedShard = "unsupported_shard",
        /// It failed.
        ServerError = "server_error",
        /// No answer within the deadline.
        Timeout = "timeout",
        /// The stream or its connection ended before an answer.
        StreamReset = "stream_reset",
        /// It broke the protocol.
        ProtocolFault = "protocol_fault",
        /// It does not know our subscription.
        Resubscribe = "resubscribe",
        /// It does not know the cursor.
        CursorLost = "cursor_lost",
        /// It does not speak the protocol.
        Unsupported = "unsupported",
        /// It takes nobody more for now.
        Refused = "refused",
        /// It has too much to do for whom it concerns.
        Busy = "busy",
        /// Not for us.
        Denied = "denied",
        /// It could not reach whom it was asked for.
        TargetUnreachable = "target_unreachable",
        /// Whom it was asked for has no reservation there.
        NoReservation = "no_reservation",
        /// It calls what we sent no message of the protocol.
        OurBug = "our_bug",
        /// It does not take the namespace.
        BadNamespace = "bad_namespace",
        /// It does not take the lifetime.
        BadTtl = "bad_ttl",
        /// It does not know the cookie.
        BadCookie = "bad_cookie",
        /// It can't read the signed record.
        BadRecord = "bad_record",
    }
}

closed_enum! {
    /// The class of a failure as the manager and JavaScript see it. (The eighth of the error model, "exhausted", is no
    /// peer's answer: it is what the caller gets when nobody is left to ask.)
    FailureClass {
        /// Our request was wrong: stop, show the caller.
        Ours = "ours",
        /// Another peer now, this one later: no penalty.
        Busy = "busy",
        /// Another peer; this one is skipped for the service for some minutes.
        Unable = "unable",
        /// Another peer; a small penalty.
        Broken = "broken",
        /// Another peer; a strong penalty, a ban at the limit.
        Fault = "fault",
        /// Rebuild the state on the same peer.
        Lost = "lost",
        /// Clear the capability; another peer; no penalty.
        Absent = "absent",
    }
}

impl ExactClass {
    /// The class of the failure, or `None` for a success.
    pub const fn failure(self) -> Option<FailureClass> {
        Some(match self {
            Self::Ok | Self::OkUnknownCount | Self::Empty => return None,
            Self::BadRequest
            | Self::NeedTopic
            | Self::TooLarge
            | Self::InvalidMessage
            | Self::OurBug
            | Self::BadNamespace
            | Self::BadTtl => FailureClass::Ours,
            Self::RateLimited
            | Self::ServerFull
            | Self::ServerQuota
            | Self::TooManyCriteria
            | Self::Refused
            | Self::Busy => FailureClass::Busy,
            Self::Unavailable
            | Self::NoRelayPeers
            | Self::UnsupportedShard
            | Self::Denied
            | Self::TargetUnreachable
            | Self::NoReservation => FailureClass::Unable,
            Self::ServerError | Self::Timeout | Self::StreamReset => FailureClass::Broken,
            Self::ProtocolFault => FailureClass::Fault,
            Self::Resubscribe | Self::CursorLost | Self::BadCookie | Self::BadRecord => {
                FailureClass::Lost
            }
            Self::Unsupported => FailureClass::Absent,
        })
    }

    /// What becomes of the peer. The error model fixes it by class.
    pub const fn peer(self) -> PeerAction {
        match self.failure() {
            Some(FailureClass::Broken) => PeerAction::Score,
            Some(FailureClass::Fault) => PeerAction::Fault,
            Some(FailureClass::Absent) => PeerAction::ClearCapability,
            _ => PeerAction::Keep,
        }
    }
}

/// Where the request may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nowhere.
    None,
    /// At another peer.
    Other,
    /// At one other peer; the same answer there ends it.
    OtherOnce,
    /// At another peer, or here after this long (doubling at each repetition).
    OtherOrSameAfter(Duration),
    /// At another peer, or here from the time of the last entry instead of the cursor.
    OtherOrRestartByTime,
    /// Here, at once.
    SameNow,
    /// Here, once; then at another peer.
    SameOnceThenOther,
    /// Here, after this long (doubling at each repetition).
    SameAfter(Duration),
    /// Here, with the pubsub topic.
    SameWithTopic,
    /// Here with a smaller page, then at another peer.
    SameSmallerPage,
    /// Here with the protocol's other version, then at another peer.
    SameOtherVersion,
    /// Here with the other form of the signed record, then at another peer.
    SameOtherEnvelope,
    /// Here with the lifetime that servers give by themselves, then at another peer.
    SameDefaultTtl,
    /// Here from the beginning.
    SameWithoutCookie,
}

impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Other => f.write_str("other"),
            Self::OtherOnce => f.write_str("other_once"),
            Self::OtherOrSameAfter(wait) => write!(f, "other_or_same_after_{}s", wait.as_secs()),
            Self::OtherOrRestartByTime => f.write_str("other_or_restart_by_time"),
            Self::SameNow => f.write_str("same_now"),
            Self::SameOnceThenOther => f.write_str("same_once_then_other"),
            Self::SameAfter(wait) => write!(f, "same_after_{}s", wait.as_secs()),
            Self::SameWithTopic => f.write_str("same_with_topic"),
            Self::SameSmallerPage => f.write_str("same_smaller_page"),
            Self::SameOtherVersion => f.write_str("same_other_version"),
            Self::SameOtherEnvelope => f.write_str("same_other_envelope"),
            Self::SameDefaultTtl => f.write_str("same_default_ttl"),
            Self::SameWithoutCookie => f.write_str("same_without_cookie"),
        }
    }
}

closed_enum! {
    /// What becomes of the peer.
    PeerAction {
        /// Nothing.
        Keep = "keep",
        /// A small penalty.
        Score = "score",
        /// A strong penalty.
        Fault = "fault",
        /// It does not count as a provider any more, without a penalty.
        ClearCapability = "clear_capability",
    }
}

closed_enum! {
    /// Whether the caller hears of it.
    ShowCaller {
        /// Never.
        No = "no",
        /// Only when no peer is left to ask.
        WhenExhausted = "when_exhausted",
        /// Now.
        Yes = "yes",
    }
}

/// A class and what follows from it. Successes have one too: an empty answer is a success, and a reason to ask another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// The exact class.
    pub class: ExactClass,
    /// Where to try again.
    pub retry: Retry,
    /// Whether the caller hears of it.
    pub show_caller: ShowCaller,
    peer: PeerAction,
}

impl Ruling {
    pub(crate) const OK: Self = Self::new(ExactClass::Ok, Retry::None, ShowCaller::No);
    pub(crate) const FAULT: Self =
        Self::new(ExactClass::ProtocolFault, Retry::Other, ShowCaller::No);
    pub(crate) const SERVER_ERROR: Self = Self::new(
        ExactClass::ServerError,
        Retry::Other,
        ShowCaller::WhenExhausted,
    );

    pub(crate) const fn new(class: ExactClass, retry: Retry, show_caller: ShowCaller) -> Self {
        Self {
            class,
            retry,
            show_caller,
            peer: class.peer(),
        }
    }

    /// The same, and nothing becomes of the peer whatever the class.
    pub(crate) const fn keep(self) -> Self {
        Self {
            peer: PeerAction::Keep,
            ..self
        }
    }

    /// What becomes of the peer: what its class says, unless the protocol is more lenient.
    pub fn peer(&self) -> PeerAction {
        self.peer
    }

    /// `Ok` for a success; else the verdict, with a text for people.
    pub(crate) fn verdict(self, message: impl FnOnce() -> String) -> Result<(), Verdict> {
        match self.class.failure() {
            None => Ok(()),
            Some(failure) => Err(Verdict {
                class: self.class,
                failure,
                retry: self.retry,
                peer: self.peer,
                show_caller: self.show_caller,
                message: message(),
            }),
        }
    }
}

/// Why a request failed, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Verdict {
    /// The exact class; never a success.
    pub class: ExactClass,
    /// The class as the manager and JavaScript see it.
    pub failure: FailureClass,
    /// Where to try again.
    pub retry: Retry,
    /// What becomes of the peer.
    pub peer: PeerAction,
    /// Whether the caller hears of it.
    pub show_caller: ShowCaller,
    /// One line for people. Parts of it may be the server's words, cut and cleaned of control characters.
    pub message: String,
}

closed_enum! {
    /// The request protocols.
    Protocol {
        /// Metadata.
        Metadata = "metadata",
        /// Peer exchange.
        PeerExchange = "peer exchange",
        /// Lightpush version 3.
        LightpushV3 = "lightpush 3",
        /// Lightpush version 2.
        LightpushV2 = "lightpush 2",
        /// Filter requests.
        FilterSubscribe = "filter",
        /// Store queries.
        StoreQuery = "store",
        /// What is asked of a relay.
        CircuitHop = "circuit relay",
        /// Rendezvous.
        Rendezvous = "rendezvous",
    }
}

closed_enum! {
    /// How a request ends without an answer that can be read.
    End {
        /// No answer within the deadline.
        Timeout = "no answer in time",
        /// The peer reset the stream.
        Reset = "stream reset",
        /// The peer closed the stream without an answer, or inside it.
        ClosedWithoutAnswer = "stream closed without an answer",
        /// The connection ended.
        ConnectionLost = "connection lost",
        /// The answer is not the protocol's.
        Undecodable = "undecodable answer",
        /// The answer is over our limit.
        TooLarge = "answer over the limit",
        /// The peer does not speak the protocol.
        Unsupported = "protocol not supported",
    }
}

impl Verdict {
    /// The verdict on a request that got no readable answer.
    pub fn of_end(protocol: Protocol, end: End) -> Self {
        let class = match end {
            End::Timeout => ExactClass::Timeout,
            End::Reset | End::ClosedWithoutAnswer | End::ConnectionLost => ExactClass::StreamReset,
            End::Undecodable | End::TooLarge => ExactClass::ProtocolFault,
            End::Unsupported => ExactClass::Unsupported,
        };
        Ruling::new(class, retry_of(protocol, end), show_of(protocol, class))
            .verdict(|| format!("{protocol}: {end}"))
            .expect_err("every such end is a failure")
    }

    /// The verdict on an answer that decodes and breaks a rule of the protocol.
    pub(crate) fn fault(protocol: Protocol, what: impl fmt::Display) -> Self {
        Ruling::FAULT
            .verdict(|| format!("{protocol}: {what}"))
            .expect_err("a fault is a failure")
    }
}

fn retry_of(protocol: Protocol, end: End) -> Retry {
    match (protocol, end) {
        // Metadata is of this peer alone.
        (Protocol::Metadata, End::Unsupported | End::Undecodable | End::TooLarge) => Retry::None,
        (Protocol::Metadata, _) => Retry::SameAfter(Duration::from_secs(10)),
        // go-waku over its rate limit looks like this.
        (Protocol::PeerExchange, End::Reset | End::ClosedWithoutAnswer) => {
            Retry::OtherOrSameAfter(Duration::from_secs(60))
        }
        (Protocol::LightpushV3 | Protocol::LightpushV2, End::Unsupported) => {
            Retry::SameOtherVersion
        }
        (Protocol::FilterSubscribe, End::ClosedWithoutAnswer) => Retry::SameOnceThenOther,
        (Protocol::StoreQuery, End::Undecodable | End::TooLarge) => Retry::SameSmallerPage,
        // Servers that know one form of records alone drop a stream with the other.
        (Protocol::Rendezvous, End::Reset | End::ClosedWithoutAnswer) => Retry::SameOtherEnvelope,
        _ => Retry::Other,
    }
}

fn show_of(protocol: Protocol, class: ExactClass) -> ShowCaller {
    match (protocol, class) {
        // The message may have been published all the same: the caller must know that nobody can say.
        (Protocol::LightpushV3 | Protocol::LightpushV2, ExactClass::Timeout) => {
            ShowCaller::WhenExhausted
        }
        (
            Protocol::StoreQuery,
            ExactClass::Timeout | ExactClass::StreamReset | ExactClass::Unsupported,
        ) => ShowCaller::WhenExhausted,
        _ => ShowCaller::No,
    }
}

/// How the id in an answer relates to the request's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdEcho {
    /// The same.
    Same,
    /// `N/A`: the server did not read the request (rate limit, undecodable).
    NotAvailable,
    /// Empty, as nwaku's store has it with errors.
    Empty,
    /// Something else.
    Other,
}

impl IdEcho {
    /// Compares the ids of a request and of its answer.
    pub fn of(sent: &str, received: &str) -> Self {
        match received {
            _ if received == sent => Self::Same,
            "N/A" => Self::NotAvailable,
            "" => Self::Empty,
            _ => Self::Other,
        }
    }

    /// The rule on ids: on success they must be the same; an error may also come with `N/A` or none.
    pub(crate) fn fits(self, success: bool) -> bool {
        match self {
            Self::Same => true,
            Self::NotAvailable | Self::Empty => !success,
            Self::Other => false,
        }
    }
}

/// Longest part of a server's text that we repeat, in characters.
const MAX_TEXT: usize = 200;

/// A line for people about an answer with a status.
pub(crate) fn describe(protocol: Protocol, status: Option<u32>, text: Option<&str>) -> String {
    let mut line = match status {
        Some(status) => format!("{protocol}: status {status}"),
        None => format!("{protocol}: no status"),
    };
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        line.push_str(", ");
        line.extend(clean(text));
    }
    line
}

/// A line for people about an answer that has nothing but a text.
pub(crate) fn refused(protocol: Protocol, text: &str) -> String {
    format!("{protocol}: {}", clean(text).collect::<String>())
}

/// A server's text is a stranger's: cut, and without control characters.
fn clean(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .take(MAX_TEXT)
        .map(|c| if c.is_control() { ' ' } else { c })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_of_every_protocol_is_a_failure() {
        for &protocol in Protocol::ALL {
            for &end in End::ALL {
                let verdict = Verdict::of_end(protocol, end);
                assert_eq!(verdict.class.failure(), Some(verdict.failure));
            }
        }
    }

    #[test]
    fn a_missing_protocol_costs_the_peer_nothing_but_the_capability() {
        let verdict = Verdict::of_end(Protocol::LightpushV3, End::Unsupported);
        assert_eq!(verdict.failure, FailureClass::Absent);
        assert_eq!(verdict.peer, PeerAction::ClearCapability);
        assert_eq!(verdict.retry, Retry::SameOtherVersion);
        assert_eq!(verdict.message, "lightpush 3: protocol not supported");
    }

    #[test]
    fn an_answer_that_cannot_be_read_is_a_fault_and_silence_is_not() {
        let of = |end| Verdict::of_end(Protocol::StoreQuery, end).failure;
        assert_eq!(of(End::Undecodable), FailureClass::Fault);
        assert_eq!(of(End::TooLarge), FailureClass::Fault);
        assert_eq!(of(End::Timeout), FailureClass::Broken);
        assert_eq!(of(End::Reset), FailureClass::Broken);
        assert_eq!(of(End::ConnectionLost), FailureClass::Broken);
    }

    #[test]
    fn an_id_that_is_not_ours_passes_on_errors_only_when_it_is_no_id() {
        assert!(IdEcho::of("a", "a").fits(true));
        assert!(!IdEcho::of("a", "N/A").fits(true));
        assert!(!IdEcho::of("a", "").fits(true));
        assert!(IdEcho::of("a", "N/A").fits(false));
        assert!(IdEcho::of("a", "").fits(false));
        assert!(!IdEcho::of("a", "b").fits(false));
    }

    #[test]
    fn a_servers_text_is_cut_and_cleaned() {
        let text = format!("a\n\u{1b}[31m{}", "x".repeat(1000));
        let line = describe(Protocol::StoreQuery, Some(300), Some(&text));
        assert!(line.starts_with("store: status 300, a  [31mxxx"));
        assert!(line.chars().count() < 250);
    }
}
