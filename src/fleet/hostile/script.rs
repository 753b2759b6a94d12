//! What a hostile peer does: a value, which may be changed while the peer runs.

use std::{
    collections::VecDeque,
    fmt,
    ops::{Index, IndexMut},
    sync::Arc,
    time::Duration,
};

use crate::{
    fleet::{bucket::Limit, options::SHARDS, role::Service, services::Protocol},
    protocols::{
        filter::{self, SubscribeType},
        metadata::Metadata,
    },
};

/// The kinds of requests that a script tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Metadata.
    Metadata,
    /// A filter subscription, and what cannot be read as another filter request.
    Subscribe,
    /// A filter ping.
    FilterPing,
    /// A filter unsubscription, of some topics or of all.
    Unsubscribe,
    /// Lightpush of either version.
    Lightpush,
    /// A store query.
    Store,
    /// Peer exchange.
    PeerExchange,
}

/// As many as [`Part`] has.
const PARTS: usize = 7;

impl Part {
    /// What a request is.
    pub(super) fn of(protocol: Protocol, request: &[u8]) -> Self {
        match protocol {
            Protocol::Metadata => Self::Metadata,
            Protocol::PeerExchange => Self::PeerExchange,
            Protocol::LightpushV3 | Protocol::LightpushV2 => Self::Lightpush,
            Protocol::Store => Self::Store,
            Protocol::Filter => match filter::Request::decode(request).map(|r| r.kind()) {
                Ok(Some(SubscribeType::Ping)) => Self::FilterPing,
                Ok(Some(SubscribeType::Unsubscribe | SubscribeType::UnsubscribeAll)) => {
                    Self::Unsubscribe
                }
                _ => Self::Subscribe,
            },
        }
    }
}

/// Which request id an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Id {
    /// That of the request.
    Echo,
    /// `N/A`, as of a request that was not read.
    NotAvailable,
    /// One that nobody asked with.
    Wrong,
}

/// An answer that is nothing but a status. Metadata has none: there the stream is closed instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The number; version 2 of lightpush makes 200 to 299 a success.
    pub code: u32,
    /// The text.
    pub text: String,
    /// The request id.
    pub id: Id,
    /// For lightpush 3: how many relay peers the message is said to have gone to.
    pub relay_peers: Option<u32>,
}

/// What is false about the pages of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreLie {
    /// Every entry has another hash than its message.
    FalseHashes,
    /// One entry of a topic that was not asked for stands on the page.
    OutsideQuery,
    /// The first page is 20 false entries and a cursor; behind the cursor comes the truth.
    FalseFirst,
    /// The first page is empty and has a cursor; behind the cursor comes the truth.
    EmptyFirst,
    /// The first page again and again, each time with the same cursor.
    SameCursor,
    /// No cursor is known: 300.
    CursorLost,
}

/// Makes an answer's frame of a request's frame; `None` closes the stream.
pub type Make = dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync;

/// A [`Make`] that scripts share.
#[derive(Clone)]
pub struct Maker(pub Arc<Make>);

impl fmt::Debug for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Maker")
    }
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The fleet's own service answers.
    Honest,
    /// A status and nothing else; nothing is done.
    Status(Status),
    /// The same, this much later.
    Late(Duration, Box<Self>),
    /// The stream stays open and nothing comes.
    Silence,
    /// The request is read, then the stream is reset.
    Reset,
    /// The request is read, then the stream is closed in order.
    Close,
    /// The first half of the honest answer's frame, then nothing.
    Half,
    /// A frame of this length is announced, then nothing comes.
    Announced(usize),
    /// A frame that is no protobuf.
    Garbage,
    /// This frame.
    Frame(Vec<u8>),
    /// What is made of the request.
    Made(Maker),
    /// Lightpush: 200 and this many relay peers, and the message is dropped.
    Dropped(u32),
    /// Store: a page with something false about it.
    Lie(StoreLie),
}

impl Answer {
    /// A status under the request's own id.
    pub fn status(code: u32, text: &str) -> Self {
        Self::Status(Status {
            code,
            text: text.to_owned(),
            id: Id::Echo,
            relay_peers: None,
        })
    }

    /// Too many requests, as servers say it.
    pub fn too_many() -> Self {
        Self::Status(Status {
            code: 429,
            text: "TOO_MANY_REQUESTS".to_owned(),
            id: Id::NotAvailable,
            relay_peers: None,
        })
    }

    /// Metadata of this cluster and these shards.
    pub fn metadata(cluster: u16, shards: &[u16]) -> Self {
        let metadata = Metadata {
            cluster_id: Some(cluster.into()),
            shards: shards.to_vec(),
        };
        Self::Frame(metadata.encode())
    }

    /// What `make` makes of the request.
    pub fn made(make: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::Made(Maker(Arc::new(make)))
    }
}

/// What becomes of the requests of one kind.
#[derive(Debug, Clone)]
pub struct Line {
    /// The next ones, one each.
    pub next: VecDeque<Answer>,
    /// All behind them.
    pub then: Answer,
    /// Only each n-th is answered so; the others meet silence. 1 answers all.
    pub each: u32,
    asked: u32,
}

impl Line {
    fn new(then: Answer) -> Self {
        Self {
            next: VecDeque::new(),
            then,
            each: 1,
            asked: 0,
        }
    }

    /// What becomes of the next request.
    pub(super) fn decide(&mut self) -> Answer {
        self.asked = self.asked.wrapping_add(1);
        if !self.asked.is_multiple_of(self.each.max(1)) {
            return Answer::Silence;
        }
        self.next.pop_front().unwrap_or_else(|| self.then.clone())
    }
}

/// How pings of the connection are met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ping {
    /// They are echoed.
    Echo,
    /// Their streams are accepted and nothing is echoed.
    Silence,
    /// Their streams are reset.
    Reset,
}

/// How a question for identify is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identify {
    /// With what the script announces.
    Honest,
    /// With so many made-up protocols more.
    Protocols(usize),
    /// With what the script announces, this much later.
    Late(Duration),
    /// The stream is reset.
    Reset,
    /// Nothing comes.
    Silence,
    /// Bytes that are no protobuf.
    Garbage,
}

/// What becomes of the network's messages that a subscriber wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// Each is pushed.
    All,
    /// None is.
    Nothing,
    /// Each n-th is withheld.
    WithoutEach(u32),
    /// Each is pushed this much later.
    Late(Duration),
}

/// Something done to a peer without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mischief {
    /// Pushes of messages with an empty payload.
    Empty(usize),
    /// Pushes of messages that were never asked for.
    NeverAsked(usize),
    /// A push of a message with so many bytes of payload.
    Large(usize),
    /// So many distinct small messages, all on one stream.
    Flood(usize),
    /// So many distinct small messages, a stream for each, all opened at once, as go-waku pushes.
    Singles(usize),
    /// So many push streams that announce a full frame and stay open.
    Stall(usize),
    /// A push frame that is no protobuf.
    Garbage,
    /// The first half of a push frame; the stream stays open.
    Half,
    /// This push frame.
    Frame(Vec<u8>),
    /// So many identify pushes, each with other protocols or all the same.
    Identify {
        /// How many.
        count: usize,
        /// Whether each says something else.
        changing: bool,
    },
    /// An identify push with this frame.
    IdentifyFrame(Vec<u8>),
}

/// See the module's documentation.
#[derive(Debug, Clone)]
pub struct Script {
    /// What identify and the record claim.
    pub services: Vec<Service>,
    /// Ids of protocols that are not spoken, whatever is claimed.
    pub refused: Vec<&'static str>,
    pub(super) lines: [Line; PARTS],
    /// Limits by protocol id.
    pub limits: Vec<(&'static str, Limit)>,
    /// Pings of the connection.
    pub ping: Ping,
    /// Questions for identify.
    pub identify: Identify,
    /// The network's messages.
    pub relay: Relay,
    /// Whether each push has a stream of its own, as go-waku's have.
    pub stream_each: bool,
    /// Whether pushes go on after an unsubscription.
    pub late: bool,
    /// Done once to each peer that connects.
    pub on_connect: Vec<Mischief>,
    /// Done to each peer that subscribes.
    pub on_subscribe: Vec<Mischief>,
    /// How often `on_subscribe` is done again, while the peer is connected.
    pub again: Option<Duration>,
}

impl Script {
    /// Everything is served as by the fleet's own nodes.
    pub fn honest() -> Self {
        Self {
            services: vec![
                Service::LightPush,
                Service::Filter,
                Service::Store,
                Service::PeerExchange,
            ],
            refused: Vec::new(),
            lines: std::array::from_fn(|_| Line::new(Answer::Honest)),
            limits: Vec::new(),
            ping: Ping::Echo,
            identify: Identify::Honest,
            relay: Relay::All,
            stream_each: false,
            late: false,
            on_connect: Vec::new(),
            on_subscribe: Vec::new(),
            again: None,
        }
    }

    /// Claims and speaks these services alone.
    pub fn serving(mut self, services: &[Service]) -> Self {
        self.services = services.to_vec();
        let spoken = Protocol::of_services(services);
        let silent = Protocol::ALL.iter().filter(|one| !spoken.contains(one));
        self.refused.extend(silent.map(|protocol| protocol.name()));
        self
    }

    /// Answers all requests of a kind so.
    pub fn on(mut self, part: Part, answer: Answer) -> Self {
        self[part].then = answer;
        self
    }

    /// Answers the next request of a kind so, behind those that were named before.
    pub fn next(mut self, part: Part, answer: Answer) -> Self {
        self[part].next.push_back(answer);
        self
    }

    /// Limits a protocol.
    pub fn limited(mut self, protocol: &'static str, requests: u32, period: Duration) -> Self {
        self.limits.push((protocol, Limit { requests, period }));
        self
    }

    /// Does not speak a protocol.
    pub fn without(mut self, protocol: &'static str) -> Self {
        self.refused.push(protocol);
        self
    }

    /// Does this to each peer that subscribes.
    pub fn to_subscribers(mut self, mischief: Mischief) -> Self {
        self.on_subscribe.push(mischief);
        self
    }

    /// Does this to each peer that connects.
    pub fn to_all(mut self, mischief: Mischief) -> Self {
        self.on_connect.push(mischief);
        self
    }

    /// The shards that nodes of the fleet do not have, for a server that lies about its own.
    pub fn other_shards() -> Vec<u16> {
        (SHARDS..2 * SHARDS).collect()
    }
}

impl Index<Part> for Script {
    type Output = Line;

    fn index(&self, part: Part) -> &Line {
        &self.lines[part as usize]
    }
}

impl IndexMut<Part> for Script {
    fn index_mut(&mut self, part: Part) -> &mut Line {
        &mut self.lines[part as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_answers_come_once_and_in_turn() {
        let mut script = Script::honest()
            .on(Part::Store, Answer::Close)
            .next(Part::Store, Answer::Silence)
            .next(Part::Store, Answer::Reset);
        let line = &mut script[Part::Store];
        assert!(matches!(line.decide(), Answer::Silence));
        assert!(matches!(line.decide(), Answer::Reset));
        assert!(matches!(line.decide(), Answer::Close));
        assert!(matches!(script[Part::Lightpush].decide(), Answer::Honest));
    }

    #[test]
    fn only_each_nth_is_answered() {
        let mut line = Line::new(Answer::Honest);
        line.each = 3;
        let told: Vec<bool> = (0..6)
            .map(|_| matches!(line.decide(), Answer::Honest))
            .collect();
        assert_eq!(told, [false, false, true, false, false, true]);
    }

    #[test]
    fn what_is_not_served_is_not_spoken() {
        use crate::protocols::ids;
        let script = Script::honest().serving(&[Service::Filter]);
        assert!(!script.refused.contains(&ids::FILTER_SUBSCRIBE));
        assert!(!script.refused.contains(&ids::METADATA));
        assert!(script.refused.contains(&ids::LIGHTPUSH_V2));
    }
}
