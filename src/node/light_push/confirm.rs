//! Whether somebody else has a message: it comes back by filter from a server that did not take it from us, or such a
//! store knows its hash. Who takes a message without passing it on is seen by that.

use std::time::Duration;

use libp2p::PeerId;
use litemap::LiteMap;

use super::sent::Key;
use crate::manager::{ConnId, Outcome};
use crate::node::config::{LIGHT_PUSH, STORE};
use crate::node::driver::Driver;
use crate::node::handle::Node;
use crate::protocols::message::MessageHash;

/// Stores are asked after these times from when the message was taken, in milliseconds: it spreads in a second or two,
/// and a store that is asked too soon says no.
const LOOKS_MS: [u64; 5] = [250, 750, 1_500, 3_000, 4_500];
/// When nobody has it by then, another server gets it.
pub(super) const SPREADS_MS: u64 = 5_000;
/// How long a store may take to say whether it has a hash.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
/// Witnesses of one message that are kept.
const MAX_WITNESSES: usize = 8;

/// Who sent us the messages that wait to be confirmed.
#[derive(Debug, Default)]
pub(super) struct Echoes(LiteMap<MessageHash, Vec<PeerId>>);

impl Echoes {
    /// Somebody waits to see this message.
    pub(super) fn listen(&mut self, hash: MessageHash) {
        self.0.insert(hash, Vec::new());
    }

    /// Nobody does any more.
    pub(super) fn forget(&mut self, hash: &MessageHash) {
        self.0.remove(hash);
    }

    /// Somebody who has it.
    pub(super) fn witness(&self, hash: &MessageHash) -> Option<PeerId> {
        self.0.get(hash)?.first().copied()
    }

    /// Whether anybody waits for one.
    pub(super) fn wait(&self) -> bool {
        !self.0.is_empty()
    }

    /// A server pushed this message. Whether somebody waits for that.
    pub(super) fn heard(&mut self, hash: &MessageHash, from: PeerId) -> bool {
        let Some(witnesses) = self.0.get_mut(hash) else {
            return false;
        };
        if witnesses.len() < MAX_WITNESSES && !witnesses.contains(&from) {
            witnesses.push(from);
        }
        true
    }
}

/// A message that was taken and is to be seen elsewhere.
pub(super) struct Confirming {
    hash: MessageHash,
    /// When it was taken, by the last server that was asked.
    since: u64,
    looks: usize,
    /// Those who had taken it when nobody saw it for five seconds.
    suspects: Vec<PeerId>,
}

/// What to do about it.
pub(super) enum Look {
    /// This peer has it, too.
    Confirmed(PeerId),
    /// Ask these stores now.
    Stores(Vec<(PeerId, ConnId)>),
    /// Hand it to another server.
    SendAgain,
    /// Nothing before this time.
    Wait(u64),
}

impl Confirming {
    pub(super) fn new(key: Key) -> Self {
        Self {
            hash: key.0,
            since: u64::MAX,
            looks: 0,
            suspects: Vec::new(),
        }
    }

    /// Another server took it.
    pub(super) fn taken(&mut self, now: u64) {
        self.since = now;
        self.looks = 0;
    }

    pub(super) fn look(
        &mut self,
        driver: &mut Driver,
        takers: &[PeerId],
        shard: u16,
        now: u64,
    ) -> Look {
        let witnesses = driver.sends().echoes.0.get(&self.hash);
        let other = witnesses.and_then(|seen| seen.iter().find(|peer| !takers.contains(peer)));
        if let Some(other) = other {
            return Look::Confirmed(*other);
        }
        let waited = now.saturating_sub(self.since);
        if waited >= SPREADS_MS {
            self.suspects = takers.to_vec();
            self.since = u64::MAX;
            return Look::SendAgain;
        }
        if self.since == u64::MAX {
            return Look::Wait(u64::MAX);
        }
        match LOOKS_MS.get(self.looks) {
            Some(at) if waited >= *at => {
                self.looks += 1;
                let mut stores = driver.serving(STORE, shard);
                stores.retain(|(peer, _)| !takers.contains(peer));
                Look::Stores(stores)
            }
            Some(at) => Look::Wait(self.since + at),
            None => Look::Wait(self.since + SPREADS_MS),
        }
    }

    /// It is confirmed: whoever had it for five seconds before without anybody seeing it did not pass it on, because by
    /// another way it came through.
    pub(super) fn blame(&self, driver: &mut Driver) {
        for suspect in &self.suspects {
            driver.report(*suspect, LIGHT_PUSH, Outcome::Withheld, true);
        }
    }
}

/// The first of these stores that has the message.
pub(super) async fn who_has(
    node: Node,
    stores: Vec<(PeerId, ConnId)>,
    hash: MessageHash,
) -> Option<PeerId> {
    for (peer, conn) in stores {
        let known = node.presence(peer, conn, &[hash], LOOK_TIMEOUT).await;
        if known.is_ok_and(|known| known.contains(&hash)) {
            return Some(peer);
        }
    }
    None
}
