//! From a record to addresses: the `multiaddrs` key and the plain ip and port keys (31/WAKU2-ENR).

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};

use super::Enr;

/// Why the value of `multiaddrs` is not usable. An entry of an unknown protocol is no such error: it is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MultiaddrsError {
    /// Fewer than the two bytes of a length are left.
    #[error("length-field-truncated")]
    LengthTruncated,
    /// An entry of no bytes.
    #[error("zero-length-entry")]
    ZeroLength,
    /// An entry that runs past the end.
    #[error("entry-truncated")]
    EntryTruncated,
}

/// Reads a list of addresses, each behind its length as two bytes, big endian.
pub fn decode_multiaddrs(mut bytes: &[u8]) -> Result<Vec<Multiaddr>, MultiaddrsError> {
    let mut addresses = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes
            .split_first_chunk::<2>()
            .ok_or(MultiaddrsError::LengthTruncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 {
            return Err(MultiaddrsError::ZeroLength);
        }
        let (entry, rest) = rest
            .split_at_checked(length)
            .ok_or(MultiaddrsError::EntryTruncated)?;
        if let Ok(address) = Multiaddr::try_from(entry.to_vec()) {
            addresses.push(address);
        }
        bytes = rest;
    }
    Ok(addresses)
}

/// Writes a list of addresses. One of more than 65,535 bytes, which no record could hold, is left out.
pub fn encode_multiaddrs<'a>(addresses: impl IntoIterator<Item = &'a Multiaddr>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for address in addresses {
        if let Ok(length) = u16::try_from(address.len()) {
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(address.as_ref());
        }
    }
    bytes
}

impl Enr {
    /// The entries of `multiaddrs` as they stand in the record; `None` when the key is absent or not usable.
    pub fn listed_multiaddrs(&self) -> Option<Vec<Multiaddr>> {
        decode_multiaddrs(self.string(b"multiaddrs")?).ok()
    }

    /// Every address of the node, each ending in `/p2p/` and its id: first the entries of `multiaddrs`, then
    /// [`tcp_multiaddrs`](Self::tcp_multiaddrs).
    ///
    /// Entries leave the node's own id out. One that ends in another peer's id is a relay's, stored without its end:
    /// `/p2p-circuit` is put back.
    pub fn multiaddrs(&self) -> Vec<Multiaddr> {
        self.listed_multiaddrs()
            .unwrap_or_default()
            .into_iter()
            .filter_map(|entry| complete(entry, self.peer_id()))
            .chain(self.tcp_multiaddrs())
            .collect()
    }

    /// The addresses of raw TCP. They never stand for a WebSocket: the port speaks plain libp2p.
    pub fn tcp_multiaddrs(&self) -> Vec<Multiaddr> {
        let v4 = self
            .ip4()
            .zip(self.tcp())
            .map(|(ip, port)| (Protocol::Ip4(ip), port));
        let v6 = self
            .ip6()
            .zip(self.tcp6().or(self.tcp()))
            .map(|(ip, port)| (Protocol::Ip6(ip), port));
        v4.into_iter()
            .chain(v6)
            .map(|(ip, port)| {
                Multiaddr::empty()
                    .with(ip)
                    .with(Protocol::Tcp(port))
                    .with(Protocol::P2p(self.peer_id()))
            })
            .collect()
    }
}

/// An entry of the record of `own` as a whole address; `None` for one that makes no sense.
fn complete(mut entry: Multiaddr, own: PeerId) -> Option<Multiaddr> {
    if entry.iter().last() == Some(Protocol::P2p(own)) {
        entry.pop();
    }
    if entry.is_empty() {
        return None;
    }
    let relayed = entry.iter().any(|part| part == Protocol::P2pCircuit);
    let names_peer = entry.iter().any(|part| matches!(part, Protocol::P2p(_)));
    if names_peer && !relayed {
        match entry.iter().last() {
            Some(Protocol::P2p(_)) => entry.push(Protocol::P2pCircuit),
            // An id in the middle that is not a relay's.
            _ => return None,
        }
    }
    Some(entry.with(Protocol::P2p(own)))
}
