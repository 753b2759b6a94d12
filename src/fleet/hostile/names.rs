//! The scripts that have a name, so that a fleet can be started with them and a page be seen to survive them.

use std::{fmt, str::FromStr, time::Duration};

use super::script::{Answer, Mischief, Part, Ping, Relay, Script, StoreLie};
use crate::protocols::{filter, ids, store};

/// A whole second, the shortest period that servers limit by.
const SECOND: Duration = Duration::from_secs(1);

macro_rules! names {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// A script that has a name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ScriptName { $($(#[$doc])+ $variant,)+ }

        impl ScriptName {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

names! {
    /// Takes every request and answers none.
    Silent = "silent",
    /// Takes subscriptions, and neither pushes messages nor answers filter pings.
    SilentFilter = "silent-filter",
    /// Pushes messages with an empty payload each second, as a server does that relays what anybody publishes.
    EmptyPayload = "empty-payload",
    /// Pushes messages that nobody asked for.
    NeverAsked = "never-asked",
    /// Pushes 100,000 small messages at line rate.
    Flood = "flood",
    /// Opens 64 push streams that announce a full frame, and sends no more of them.
    StallStreams = "stall-streams",
    /// Takes subscriptions and withholds every message.
    Withhold = "withhold",
    /// Goes on pushing after an unsubscription.
    LatePushes = "late-pushes",
    /// Pushes each message on a stream of its own, as go-waku does.
    StreamEach = "stream-each",
    /// Accepts messages and spreads none.
    TakesAndDrops = "takes-and-drops",
    /// Accepts messages, and says that no relay peer took them.
    NoRelayPeers = "no-relay-peers",
    /// Says 505 to every message.
    NotPublished = "not-published",
    /// Answers 400 to every request.
    BadRequest = "bad-request",
    /// Answers 429 to every request.
    Busy = "busy",
    /// Sends the first half of every answer.
    HalfFrames = "half-frames",
    /// Announces the largest answers and sends none.
    Announces = "announces",
    /// Answers with what is no protobuf.
    Garbage = "garbage",
    /// Store pages begin with 20 false entries and a cursor.
    FalseEntries = "false-entries",
    /// No cursor of the store is known.
    WrongCursor = "wrong-cursor",
    /// The store gives its first page for ever.
    SameCursor = "same-cursor",
    /// The store's first page is empty and has a cursor.
    EmptyPages = "empty-pages",
    /// Pushes identify 5,000 times.
    IdentifyFlood = "identify-flood",
    /// Does not speak ping.
    NoPing = "no-ping",
    /// Takes pings and echoes none.
    SilentPing = "silent-ping",
    /// Is of our cluster and of other shards.
    OtherShards = "other-shards",
    /// Is of another cluster.
    OtherCluster = "other-cluster",
    /// Answers metadata with what is no protobuf.
    BadMetadata = "bad-metadata",
    /// 30 requests a minute for each protocol, as nwaku's filter.
    Limited30 = "limited-30",
    /// One request a second for each protocol, as go-waku.
    Limited1s = "limited-1s",
}

impl ScriptName {
    /// What it does.
    pub fn script(self) -> Script {
        let script = Script::honest();
        match self {
            Self::Silent => Self::services(script, &Answer::Silence),
            Self::SilentFilter => {
                let script = script.on(Part::FilterPing, Answer::Silence);
                Script {
                    relay: Relay::Nothing,
                    ..script
                }
            }
            Self::EmptyPayload => each_second(script, Mischief::Empty(1)),
            Self::NeverAsked => each_second(script, Mischief::NeverAsked(1)),
            Self::Flood => script.to_subscribers(Mischief::Flood(100_000)),
            Self::StallStreams => script.to_subscribers(Mischief::Stall(64)),
            Self::Withhold => Script {
                relay: Relay::Nothing,
                ..script
            },
            Self::LatePushes => Script {
                late: true,
                ..script
            },
            Self::StreamEach => Script {
                stream_each: true,
                ..script
            },
            Self::TakesAndDrops => script.on(Part::Lightpush, Answer::Dropped(5)),
            Self::NoRelayPeers => script.on(Part::Lightpush, Answer::Dropped(0)),
            Self::NotPublished => {
                script.on(Part::Lightpush, Answer::status(505, "no peers for topic"))
            }
            Self::BadRequest => Self::services(script, &Answer::status(400, "BAD_REQUEST")),
            Self::Busy => Self::services(script, &Answer::too_many()),
            Self::HalfFrames => Self::services(script, &Answer::Half),
            Self::Announces => {
                let mut script = Self::services(script, &Answer::Announced(filter::MAX_RESPONSE));
                script[Part::Store].then = Answer::Announced(store::MAX_RESPONSE);
                script
            }
            Self::Garbage => Self::services(script, &Answer::Garbage),
            Self::FalseEntries => script.on(Part::Store, Answer::Lie(StoreLie::FalseFirst)),
            Self::WrongCursor => script.on(Part::Store, Answer::Lie(StoreLie::CursorLost)),
            Self::SameCursor => script.on(Part::Store, Answer::Lie(StoreLie::SameCursor)),
            Self::EmptyPages => script.on(Part::Store, Answer::Lie(StoreLie::EmptyFirst)),
            Self::IdentifyFlood => script.to_all(Mischief::Identify {
                count: 5_000,
                changing: true,
            }),
            Self::NoPing => script.without(super::PING),
            Self::SilentPing => Script {
                ping: Ping::Silence,
                ..script
            },
            Self::OtherShards => {
                let shards = Script::other_shards();
                script.on(Part::Metadata, Answer::metadata(1, &shards))
            }
            Self::OtherCluster => script.on(Part::Metadata, Answer::metadata(2, &[0])),
            Self::BadMetadata => script.on(Part::Metadata, Answer::Garbage),
            Self::Limited30 => limited(script, 30, 60 * SECOND),
            Self::Limited1s => limited(script, 1, SECOND),
        }
    }

    /// The same answer to every request but metadata and peer exchange, which lead to this peer and to others.
    fn services(script: Script, answer: &Answer) -> Script {
        [
            Part::Subscribe,
            Part::FilterPing,
            Part::Unsubscribe,
            Part::Lightpush,
            Part::Store,
        ]
        .into_iter()
        .fold(script, |script, part| script.on(part, answer.clone()))
    }
}

fn each_second(script: Script, mischief: Mischief) -> Script {
    let mut script = script.to_subscribers(mischief);
    script.again = Some(SECOND);
    script
}

fn limited(script: Script, requests: u32, period: Duration) -> Script {
    [
        ids::FILTER_SUBSCRIBE,
        ids::LIGHTPUSH_V3,
        ids::LIGHTPUSH_V2,
        ids::STORE_QUERY,
    ]
    .into_iter()
    .fold(script, |script, protocol| {
        script.limited(protocol, requests, period)
    })
}

impl fmt::Display for ScriptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No script has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no script is named so")]
pub struct UnknownScript;

impl FromStr for ScriptName {
    type Err = UnknownScript;

    fn from_str(text: &str) -> Result<Self, UnknownScript> {
        let found = Self::ALL.iter().find(|script| script.name() == text);
        found.copied().ok_or(UnknownScript)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_is_found_by_its_name() {
        for script in ScriptName::ALL {
            assert_eq!(script.to_string().parse(), Ok(*script));
        }
        assert_eq!("polite".parse::<ScriptName>(), Err(UnknownScript));
    }
}
