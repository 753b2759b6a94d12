//! The snapshot as bytes (4.11).
//!
//! Pure. A version, the content, and the first eight bytes of its SHA-256: what does not match is discarded as a whole,
//! for half a memory is worse than none. The content is [`Saved`] in the encoding of logs. Another list of names is
//! another version.
//!
//! ```text
//! "LKS" version:u8 content checksum:8
//! ```

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;
use sha2::{Digest, Sha256};

use crate::manager::book::score::{BEST, WORST};
use crate::manager::tools::services::Services;
use crate::manager::tools::wire::{
    Decode, Encode, Reader, WireError, encode_enum, encode_struct, shape, wire_enum, wire_struct,
};

/// Peers in a snapshot.
pub(in crate::manager) const MAX_ENTRIES: usize = 64;
/// Addresses of one peer.
pub(in crate::manager) const MAX_ROUTES: usize = 3;
/// Bytes of peers and of automatic bans, whatever the caller allows.
const MAX_BYTES: usize = 32 * 1_024;
/// The bans of the user's come on top of these: nobody but the user takes one back (4.16), a restart least of all.
const MAX_USER_BANS: usize = 1_024;
/// A ban of the user's: the length, an id of up to 44 bytes, the kind, how often it was banned.
const USER_BAN_BYTES: usize = 1 + 44 + 1 + 1;
/// Bans in a snapshot.
const MAX_BANS: usize = 4_096;
/// Longest name of a requirement; longer ones are not saved.
pub(in crate::manager) const MAX_NAME: usize = 255;

const MAGIC: &[u8] = b"LKS";
const VERSION: u8 = 2;
const CHECKSUM: usize = 8;
/// Magic, version, time, two counts of up to three bytes, checksum.
const FRAME: usize = 3 + 1 + 10 + 3 + 3 + CHECKSUM;

/// The longest snapshot, in bytes.
pub(in crate::manager) const MAX_LENGTH: usize = MAX_BYTES + MAX_USER_BANS * USER_BAN_BYTES;

/// Why bytes are no snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It ends before its content does.
    #[error("the snapshot is cut off")]
    CutOff,
    /// It does not begin as a snapshot does.
    #[error("not a snapshot")]
    NotASnapshot,
    /// It is of a version that this code does not know.
    #[error("unknown snapshot version {0}")]
    Version(u8),
    /// Some of its bytes changed.
    #[error("the snapshot's checksum does not match")]
    Checksum,
    /// It is longer, or a field has a value, than any snapshot has.
    #[error("bad value in the snapshot")]
    Malformed,
}

impl From<WireError> for SnapshotError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::CutOff => Self::CutOff,
            WireError::NotALog | WireError::OtherBuild | WireError::Malformed(_) => Self::Malformed,
        }
    }
}

/// What a peer served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::manager) struct SavedService {
    /// Of the requirement: its place may be another one the next time, or none.
    pub(in crate::manager) name: String,
    /// How well, −1000 to 1000.
    pub(in crate::manager) quality: i16,
}

/// A peer that served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::manager) struct SavedPeer {
    pub(in crate::manager) peer: PeerId,
    pub(in crate::manager) pinned: bool,
    /// One of those that served longest: dialed first the next time.
    pub(in crate::manager) anchor: bool,
    /// When it last served, wall clock.
    pub(in crate::manager) served_at: u64,
    /// Dials that succeeded, among how many.
    pub(in crate::manager) reach: (u8, u8),
    /// 1 + ⌊log2⌋ of the round trip in milliseconds; 0 when it is not known.
    pub(in crate::manager) rtt: u8,
    pub(in crate::manager) routes: Vec<Multiaddr>,
    pub(in crate::manager) services: Vec<SavedService>,
}

/// What holds a peer out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) enum SavedHold {
    /// The user.
    User,
    /// Its own faults, for that much longer.
    Until(u64),
    /// Nothing; it is remembered for that much longer that it was banned.
    Over(u64),
}

/// A ban.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct SavedBan {
    pub(in crate::manager) peer: PeerId,
    pub(in crate::manager) hold: SavedHold,
    pub(in crate::manager) times: u8,
}

/// Everything that outlives the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::manager) struct Saved {
    /// Wall clock.
    pub(in crate::manager) saved_at: u64,
    /// The most useful first: the last are left out when they do not fit.
    pub(in crate::manager) peers: Vec<SavedPeer>,
    /// The most important first: those of the user's before all others.
    pub(in crate::manager) bans: Vec<SavedBan>,
}

wire_struct! { SavedService { name, quality } }
wire_struct! { SavedPeer { peer, pinned, anchor, served_at, reach, rtt, routes, services } }
wire_enum! { SavedHold { 0 => User, 1 => Until(left), 2 => Over(left) } }
wire_struct! { SavedBan { peer, hold, times } }
wire_struct! { Saved { saved_at, peers, bans } }

impl SavedPeer {
    /// Whether its values are such as a manager has.
    fn is_sound(&self) -> bool {
        let sound = |service: &SavedService| {
            service.name.len() <= MAX_NAME && (WORST..=BEST).contains(&service.quality)
        };
        self.reach.0 <= self.reach.1
            && self.rtt <= 32
            && self.routes.len() <= MAX_ROUTES
            && self.services.len() <= Services::CAPACITY
            && self.services.iter().all(sound)
    }
}

impl Saved {
    /// As bytes, no more than allowed. The user's bans come first, all of them if they fit. Of what is left other bans
    /// take up to three quarters, peers the rest, and further bans what these leave. Empty when not even an empty snapshot
    /// fits.
    pub(in crate::manager) fn encode(mut self, max_bytes: usize) -> Vec<u8> {
        let Some(room) = max_bytes.min(MAX_LENGTH).checked_sub(FRAME) else {
            return Vec::new();
        };
        self.peers.truncate(MAX_ENTRIES);
        self.bans.truncate(MAX_BANS);
        let (peers, bans) = (sizes(&self.peers), sizes(&self.bans));
        let by_user = |ban: &&SavedBan| ban.hold == SavedHold::User;
        let of_user = self.bans.iter().take_while(by_user).count();
        let of_user = fitting(&bans[..of_user.min(MAX_USER_BANS)], room);
        let (first, others) = bans.split_at(of_user);
        let room = (room - first.iter().sum::<usize>()).min(MAX_BYTES - FRAME);
        let before = fitting(others, room / 4 * 3);
        let before: usize = others[..before].iter().sum();
        let kept = fitting(&peers, room - before);
        let taken: usize = peers[..kept].iter().sum();
        self.bans.truncate(of_user + fitting(others, room - taken));
        self.peers.truncate(kept);
        let mut out = [MAGIC, &[VERSION]].concat();
        Encode::encode(&self, &mut out);
        let checksum = checksum(&out);
        out.extend(checksum);
        out
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with it. Nothing of it is to be used then.
    pub(in crate::manager) fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        if bytes.len() > MAX_LENGTH {
            return Err(SnapshotError::Malformed);
        }
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or(SnapshotError::NotASnapshot)?;
        let (version, rest) = rest.split_first().ok_or(SnapshotError::CutOff)?;
        if *version != VERSION {
            return Err(SnapshotError::Version(*version));
        }
        let (content, sum) = rest
            .split_last_chunk::<CHECKSUM>()
            .ok_or(SnapshotError::CutOff)?;
        if checksum(&bytes[..bytes.len() - CHECKSUM]) != *sum {
            return Err(SnapshotError::Checksum);
        }
        let mut input = Reader::new(content);
        let saved = <Self as Decode>::decode(&mut input)?;
        let sound = input.is_empty()
            && saved.peers.len() <= MAX_ENTRIES
            && saved.bans.len() <= MAX_BANS
            && saved.peers.iter().all(SavedPeer::is_sound);
        sound.then_some(saved).ok_or(SnapshotError::Malformed)
    }
}

/// What each takes, in bytes.
fn sizes<T: Encode>(items: &[T]) -> Vec<usize> {
    let mut bytes = Vec::new();
    let size = |item: &T| {
        bytes.clear();
        item.encode(&mut bytes);
        bytes.len()
    };
    items.iter().map(size).collect()
}

/// How many of the first fit.
fn fitting(sizes: &[usize], mut room: usize) -> usize {
    sizes
        .iter()
        .take_while(|size| match room.checked_sub(**size) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        })
        .count()
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::digest(content);
    let mut first = [0; CHECKSUM];
    first.copy_from_slice(&digest[..CHECKSUM]);
    first
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
