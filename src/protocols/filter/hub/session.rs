//! What is known of one server: what it was asked for, what it has acknowledged, and when it last proved to be alive.

use libp2p_identity::PeerId;

use super::compare::Record;
use super::types::{Cause, Now};
use crate::protocols::pace::{Pace, Pacer};

/// Servers forget a subscription 5 minutes after our last request and clean up each minute (filter.md, section 2): until
/// then their pushes are nobody's fault.
pub(super) const MEMORY_MS: u64 = 6 * 60 * 1_000;
/// Most pairs at one server; it takes 1,000 and counts what is asked for twice twice (filter.md, section 4).
pub(super) const MAX_PAIRS: u16 = 900;
/// A server that pushes often and is then silent for this long is asked whether it lives: its process may stand still
/// while its sockets and its other protocols do not.
const QUIET_MS: u64 = 5_000;
/// It pushes often when pushes are no farther apart than this, for so many of them.
const OFTEN_MS: u64 = 1_500;
const MIN_PUSHES: u8 = 8;
/// Pings keep a subscription alive; this leaves room for 4 lost ones.
const PING_MS: u64 = 60 * 1_000;
/// How often a server is pinged that forgets us while we ping: go-waku drops active subscribers (protocols/README.md).
const MIN_PING_MS: u64 = 15 * 1_000;
/// How long a server is passed over that is full, or broke a rule.
pub(super) const LONG_REST_MS: u64 = 10 * 60 * 1_000;
/// How long one is that did not answer. It may be back on another connection at once.
pub(super) const SHORT_REST_MS: u64 = 60 * 1_000;
/// When a resting server is asked all the same because nobody else is there; doubled each time.
const RESORT_MS: u64 = 10 * 1_000;
/// Never in this run of the program.
pub(super) const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Session {
    pub(super) peer: PeerId,
    /// Nothing of it is remembered: its place is free for another.
    pub(super) is_free: bool,
    /// The connection on which it serves; `None` while it does not.
    pub(super) conn: Option<u64>,
    pub(super) shards: Option<Vec<u16>>,
    pub(super) rtt_ms: u32,
    /// Its place among those that serve: the best first.
    pub(super) rank: u16,
    pub(super) pacer: Pacer,
    /// The last request of any kind.
    pub(super) last_request: u64,
    /// When a ping is due.
    pub(super) ping_at: u64,
    ping_every: u64,
    /// Pings that failed in a row.
    pub(super) misses: u8,
    /// The last answer that said yes, or the last push.
    pub(super) life: Now,
    /// The last sign of life of any kind, monotonic.
    pub(super) heard: u64,
    /// The last push, how far pushes are apart lately, and how many came so.
    last_push: u64,
    apart_ms: u64,
    pushes: u8,
    /// When a server that pushed often is silent for so long that it is to be pinged for that.
    pub(super) quiet_at: u64,
    /// Not asked for new pairs before: it did not answer.
    pub(super) short_rest: u64,
    /// Not asked for new pairs before: it is full, or broke a rule.
    pub(super) long_rest: u64,
    /// Asked all the same from then on, when there is nobody else.
    pub(super) resort_at: u64,
    rests: u8,
    /// What it has does not count: others are to take over.
    pub(super) retiring: bool,
    /// Its pushes are refused until then.
    pub(super) blocked_until: u64,
    /// It closed a stream without an answer: once is nothing.
    pub(super) closed_once: bool,
    /// Requests that it called wrong, in a row.
    pub(super) bad_requests: u8,
    /// Most pairs that it takes, and until when that is believed.
    pub(super) cap: u16,
    pub(super) cap_until: u64,
    /// Something of what it sent was lost to our bounds since the last turn.
    pub(super) lossy: bool,
    /// What a gap is told by that ends with this session.
    pub(super) cause: Cause,
    /// Pushes that were never asked for, and since when they are counted.
    pub(super) unrequested: u8,
    pub(super) unrequested_since: u64,
    pub(super) budget: Budget,
    pub(super) record: Record,
    /// Requests under way: to add pairs, a bit for each shard modulo 64; to remove pairs; pings.
    pub(super) adding: u64,
    pub(super) removing: bool,
    pub(super) pinging: bool,
    /// Pairs that are live, and that the server may have: counted anew in each turn.
    pub(super) live: u16,
    pub(super) held: u16,
}

impl Session {
    pub(super) fn new(peer: PeerId, budget: Budget) -> Self {
        Self {
            peer,
            is_free: false,
            conn: None,
            shards: None,
            rtt_ms: 0,
            rank: u16::MAX,
            pacer: Pacer::new(Pace::FILTER),
            last_request: 0,
            ping_at: 0,
            ping_every: PING_MS,
            misses: 0,
            life: Now::default(),
            heard: 0,
            last_push: 0,
            apart_ms: 0,
            pushes: 0,
            quiet_at: NEVER,
            short_rest: 0,
            long_rest: 0,
            resort_at: 0,
            rests: 0,
            retiring: false,
            blocked_until: 0,
            closed_once: false,
            bad_requests: 0,
            cap: MAX_PAIRS,
            cap_until: 0,
            lossy: false,
            cause: Cause::Moved,
            unrequested: 0,
            unrequested_since: 0,
            budget,
            record: Record::default(),
            adding: 0,
            removing: false,
            pinging: false,
            live: 0,
            held: 0,
        }
    }

    pub(super) fn serves(&self, shard: u16) -> bool {
        self.conn.is_some()
            && self
                .shards
                .as_ref()
                .is_none_or(|shards| shards.contains(&shard))
    }

    pub(super) fn rests_until(&self) -> u64 {
        self.short_rest.max(self.long_rest)
    }

    /// Whether there is room for another pair.
    pub(super) fn has_room(&self, now: u64) -> bool {
        let most = if now < self.cap_until {
            self.cap.min(MAX_PAIRS)
        } else {
            MAX_PAIRS
        };
        self.held < most
    }

    /// Whether a request that adds pairs of this shard may go out beside those under way.
    pub(super) fn may_add(&self, shard: u16) -> bool {
        !self.removing && self.adding & shard_bit(shard) == 0
    }

    /// Whether a pair of this shard would be asked for at once.
    pub(super) fn is_ready(&self, shard: u16, now: u64) -> bool {
        self.pacer.wait(now) == 0 && self.may_add(shard)
    }

    /// It did not answer.
    pub(super) fn rest_a_little(&mut self, now: u64) {
        self.short_rest = now + SHORT_REST_MS;
        self.note_rest(now);
    }

    /// It can't serve, or is not wanted to.
    pub(super) fn rest_long(&mut self, now: u64) {
        self.long_rest = now + LONG_REST_MS;
        self.note_rest(now);
    }

    fn note_rest(&mut self, now: u64) {
        self.resort_at = now + (RESORT_MS << self.rests.min(6)).min(LONG_REST_MS);
        self.rests = self.rests.saturating_add(1);
    }

    /// It pushed something.
    pub(super) fn brought(&mut self, now: Now) {
        self.life = now;
        let since = now.mono_ms.saturating_sub(self.last_push);
        self.last_push = now.mono_ms;
        self.apart_ms = (self.apart_ms * 7 + since.min(QUIET_MS)) / 8;
        self.pushes = self.pushes.saturating_add(1);
        let often = self.pushes >= MIN_PUSHES && self.apart_ms <= OFTEN_MS;
        self.quiet_at = if often {
            now.mono_ms + QUIET_MS.max(8 * self.apart_ms)
        } else {
            NEVER
        };
    }

    /// When a ping is due, for whatever reason.
    pub(super) fn ping_due(&self) -> u64 {
        self.ping_at.min(self.quiet_at)
    }

    /// It has answered yes.
    pub(super) fn proved(&mut self, now: Now) {
        self.life = now;
        self.misses = 0;
        self.closed_once = false;
        self.ping_at = now.mono_ms + self.ping_every;
        self.pacer.ok(now.mono_ms);
    }

    /// It has taken a subscription.
    pub(super) fn took(&mut self) {
        self.rests = 0;
        self.bad_requests = 0;
    }

    /// It has forgotten us while we pinged: from now on it is pinged more often.
    pub(super) fn forgot_us(&mut self, now: u64) {
        self.cause = Cause::Resubscribed;
        self.ping_every = (self.ping_every / 2).max(MIN_PING_MS);
        self.ping_at = now + self.ping_every;
        self.misses = 0;
    }
}

/// The bit of a shard in [`Session::adding`]. Two shards that share one only wait for each other.
pub(super) fn shard_bit(shard: u16) -> u64 {
    1 << (shard % 64)
}

/// What a server may send in a minute: its messages and bytes, duplicates included. Filled up evenly, so that a minute's
/// worth may come at once: a page that was frozen for a minute finds 1,200 messages of a busy topic in its sockets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    most_bytes: u64,
    /// What is left, in bytes and messages, each times [`MINUTE_MS`] so that nothing is lost to rounding.
    bytes: u64,
    messages: u64,
    at: u64,
}

/// 100 messages a second: far above what a light node is for, far below what blocks a page.
const MOST_MESSAGES: u64 = 6_000;
/// At least 8 MiB, which is 1.1 Mbit/s without a pause, and 54 messages of the largest size on the default network.
const MOST_BYTES: u64 = 8 * 1024 * 1024;
/// Where messages are larger, as many of them.
const MOST_LARGE: u64 = 54;
const MINUTE_MS: u64 = 60_000;

impl Budget {
    pub(super) fn new(max_message_bytes: usize) -> Self {
        let most_bytes = (max_message_bytes as u64)
            .saturating_mul(MOST_LARGE)
            .clamp(MOST_BYTES, u64::MAX / MINUTE_MS);
        Self {
            most_bytes,
            bytes: most_bytes * MINUTE_MS,
            messages: MOST_MESSAGES * MINUTE_MS,
            at: 0,
        }
    }

    /// Takes a message from it; `false` when it is used up.
    pub(super) fn take(&mut self, now: u64, bytes: usize) -> bool {
        let passed = now.saturating_sub(self.at).min(MINUTE_MS);
        self.at = now;
        self.bytes = (self.bytes + passed * self.most_bytes).min(self.most_bytes * MINUTE_MS);
        self.messages = (self.messages + passed * MOST_MESSAGES).min(MOST_MESSAGES * MINUTE_MS);
        let bytes = self.bytes.checked_sub(bytes as u64 * MINUTE_MS);
        let messages = self.messages.checked_sub(MINUTE_MS);
        match (bytes, messages) {
            (Some(bytes), Some(messages)) => {
                (self.bytes, self.messages) = (bytes, messages);
                true
            }
            _ => false,
        }
    }
}
