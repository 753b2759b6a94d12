//! The snapshot as bytes (4.11).
//!
//! Pure. A version, the content, and the first eight bytes of its SHA-256: what does not match is discarded as a whole,
//! for half a memory is worse than none. Integers are LEB128; texts and byte strings carry their length.
//!
//! ```text
//! "LKS" version:u8 saved_at soft
//! peers:count { peer flags:u8 served_at ok:u8 tries:u8 rtt:u8 routes:count { address } services:count { name quality:i16 } }
//! bans:count { peer kind:u8 times:u8 left_ms }
//! checksum:8
//! ```

use libp2p_identity::PeerId;
use multiaddr::Multiaddr;
use sha2::{Digest, Sha256};

use crate::manager::tools::services::Services;

/// Peers in a snapshot.
pub(in crate::manager) const MAX_ENTRIES: usize = 64;
/// Addresses of one peer.
pub(in crate::manager) const MAX_ROUTES: usize = 3;
/// Bytes of a snapshot, whatever the caller allows.
const MAX_BYTES: usize = 32 * 1_024;
/// More bans than fit into [`MAX_BYTES`] can't be.
const MAX_BANS: usize = 4_096;
/// Longest name of a requirement; longer ones are not saved.
const MAX_NAME: usize = 255;

const MAGIC: &[u8] = b"LKS";
const VERSION: u8 = 1;
const CHECKSUM: usize = 8;
/// Magic, version, time, soft target, two counts of up to three bytes, checksum.
const FRAME: usize = 3 + 1 + 10 + 3 + 3 + 3 + CHECKSUM;

const PINNED: u8 = 1;
const ANCHOR: u8 = 2;

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
    /// A field has a value that no snapshot has.
    #[error("bad {0} in the snapshot")]
    Malformed(&'static str),
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
    /// The adapted soft target; 0 when it is what the user set.
    pub(in crate::manager) soft: u16,
    /// The most useful first: the last are left out when they do not fit.
    pub(in crate::manager) peers: Vec<SavedPeer>,
    /// The most important first.
    pub(in crate::manager) bans: Vec<SavedBan>,
}

impl Saved {
    /// As bytes, no more than allowed. Bans take up to three quarters of them, peers what is left, and further bans what
    /// these leave. Empty when not even an empty snapshot fits.
    pub(in crate::manager) fn encode(&self, max_bytes: usize) -> Vec<u8> {
        let Some(room) = max_bytes.min(MAX_BYTES).checked_sub(FRAME) else {
            return Vec::new();
        };
        let peers: Vec<Vec<u8>> = self
            .peers
            .iter()
            .take(MAX_ENTRIES)
            .map(write_peer)
            .collect();
        let bans: Vec<Vec<u8>> = self.bans.iter().take(MAX_BANS).map(write_ban).collect();
        let first_bans = fitting(&bans, room / 4 * 3);
        let peers = &peers[..fitting(&peers, room - bytes(&bans[..first_bans]))];
        let bans = &bans[..fitting(&bans, room - bytes(peers))];
        let mut out = Vec::with_capacity(FRAME + bytes(peers) + bytes(bans));
        out.extend(MAGIC);
        out.push(VERSION);
        put_number(&mut out, self.saved_at);
        put_number(&mut out, u64::from(self.soft));
        for list in [peers, bans] {
            put_number(&mut out, list.len() as u64);
            list.iter().for_each(|item| out.extend(item));
        }
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
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or(SnapshotError::NotASnapshot)?;
        let version = *rest.first().ok_or(SnapshotError::CutOff)?;
        if version != VERSION {
            return Err(SnapshotError::Version(version));
        }
        let end = bytes
            .len()
            .checked_sub(CHECKSUM)
            .filter(|end| *end > MAGIC.len())
            .ok_or(SnapshotError::CutOff)?;
        let (content, sum) = bytes.split_at(end);
        if checksum(content) != *sum {
            return Err(SnapshotError::Checksum);
        }
        let mut reader = Reader(&content[MAGIC.len() + 1..]);
        let saved_at = reader.number()?;
        let soft =
            u16::try_from(reader.number()?).map_err(|_| SnapshotError::Malformed("soft target"))?;
        let mut peers = Vec::new();
        for _ in 0..reader.count(MAX_ENTRIES, "number of peers")? {
            peers.push(reader.peer()?);
        }
        let mut bans = Vec::new();
        for _ in 0..reader.count(MAX_BANS, "number of bans")? {
            bans.push(reader.ban()?);
        }
        if !reader.0.is_empty() {
            return Err(SnapshotError::Malformed("length"));
        }
        Ok(Self {
            saved_at,
            soft,
            peers,
            bans,
        })
    }
}

/// How many of the first items fit.
fn fitting(items: &[Vec<u8>], mut room: usize) -> usize {
    items
        .iter()
        .take_while(|item| match room.checked_sub(item.len()) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        })
        .count()
}

fn bytes(items: &[Vec<u8>]) -> usize {
    items.iter().map(Vec::len).sum()
}

fn checksum(content: &[u8]) -> [u8; CHECKSUM] {
    let digest = Sha256::digest(content);
    let mut first = [0; CHECKSUM];
    first.copy_from_slice(&digest[..CHECKSUM]);
    first
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend(bytes);
}

fn write_peer(saved: &SavedPeer) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, &saved.peer.to_bytes());
    let pinned = if saved.pinned { PINNED } else { 0 };
    let anchor = if saved.anchor { ANCHOR } else { 0 };
    out.push(pinned | anchor);
    put_number(&mut out, saved.served_at);
    out.extend([saved.reach.0, saved.reach.1, saved.rtt]);
    let routes = &saved.routes[..saved.routes.len().min(MAX_ROUTES)];
    put_number(&mut out, routes.len() as u64);
    for route in routes {
        put_bytes(&mut out, &route.to_vec());
    }
    let services: Vec<&SavedService> = saved
        .services
        .iter()
        .filter(|service| service.name.len() <= MAX_NAME)
        .take(Services::CAPACITY)
        .collect();
    put_number(&mut out, services.len() as u64);
    for service in services {
        put_bytes(&mut out, service.name.as_bytes());
        out.extend(service.quality.to_le_bytes());
    }
    out
}

fn write_ban(saved: &SavedBan) -> Vec<u8> {
    let mut out = Vec::new();
    put_bytes(&mut out, &saved.peer.to_bytes());
    let (kind, left) = match saved.hold {
        SavedHold::User => (0, 0),
        SavedHold::Until(left) => (1, left),
        SavedHold::Over(left) => (2, left),
    };
    out.extend([kind, saved.times]);
    put_number(&mut out, left);
    out
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], SnapshotError> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(SnapshotError::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, SnapshotError> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u64, SnapshotError> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(SnapshotError::Malformed("number"))
    }

    fn count(&mut self, most: usize, what: &'static str) -> Result<usize, SnapshotError> {
        usize::try_from(self.number()?)
            .ok()
            .filter(|count| *count <= most)
            .ok_or(SnapshotError::Malformed(what))
    }

    fn bytes(&mut self) -> Result<&'a [u8], SnapshotError> {
        let length = self.count(MAX_BYTES, "length")?;
        self.take(length)
    }

    fn id(&mut self) -> Result<PeerId, SnapshotError> {
        PeerId::from_bytes(self.bytes()?).map_err(|_| SnapshotError::Malformed("peer id"))
    }

    fn peer(&mut self) -> Result<SavedPeer, SnapshotError> {
        let peer = self.id()?;
        let flags = self.byte()?;
        if flags & !(PINNED | ANCHOR) != 0 {
            return Err(SnapshotError::Malformed("flags"));
        }
        let served_at = self.number()?;
        let reach = (self.byte()?, self.byte()?);
        let rtt = self.byte()?;
        if reach.0 > reach.1 || rtt > 32 {
            return Err(SnapshotError::Malformed("measure"));
        }
        let mut routes = Vec::new();
        for _ in 0..self.count(MAX_ROUTES, "number of addresses")? {
            let route = Multiaddr::try_from(self.bytes()?.to_vec())
                .map_err(|_| SnapshotError::Malformed("address"))?;
            routes.push(route);
        }
        let mut services = Vec::new();
        for _ in 0..self.count(Services::CAPACITY, "number of services")? {
            services.push(self.service()?);
        }
        Ok(SavedPeer {
            peer,
            pinned: flags & PINNED != 0,
            anchor: flags & ANCHOR != 0,
            served_at,
            reach,
            rtt,
            routes,
            services,
        })
    }

    fn service(&mut self) -> Result<SavedService, SnapshotError> {
        let length = self.count(MAX_NAME, "name")?;
        let name = core::str::from_utf8(self.take(length)?)
            .map_err(|_| SnapshotError::Malformed("name"))?
            .to_owned();
        let quality = i16::from_le_bytes([self.byte()?, self.byte()?]);
        if !(-1_000..=1_000).contains(&quality) {
            return Err(SnapshotError::Malformed("quality"));
        }
        Ok(SavedService { name, quality })
    }

    fn ban(&mut self) -> Result<SavedBan, SnapshotError> {
        let peer = self.id()?;
        let kind = self.byte()?;
        let times = self.byte()?;
        let left = self.number()?;
        let hold = match kind {
            0 => SavedHold::User,
            1 => SavedHold::Until(left),
            2 => SavedHold::Over(left),
            _ => return Err(SnapshotError::Malformed("ban")),
        };
        Ok(SavedBan { peer, hold, times })
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests;
