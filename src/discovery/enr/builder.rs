//! Makes and signs records: for the local network and for tests. A page publishes none.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use k256::ecdsa::{Signature, SigningKey, signature::hazmat::PrehashSigner};
use multiaddr::Multiaddr;

use super::{Capabilities, Enr, EnrError, RelayShards, content_digest, encode_multiaddrs, rlp};

/// A record in the making. Later calls of the same setter win.
#[derive(Debug, Clone, Default)]
pub struct EnrBuilder {
    seq: u64,
    /// Key to value, the value as an RLP item. Ordered, as the record must be.
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl EnrBuilder {
    /// A record without fields. `seq` grows with every change of the same node's record.
    pub fn new(seq: u64) -> Self {
        Self {
            seq,
            pairs: BTreeMap::new(),
        }
    }

    /// `ip`.
    #[must_use]
    pub fn ip4(self, ip: Ipv4Addr) -> Self {
        self.string("ip", &ip.octets())
    }

    /// `ip6`.
    #[must_use]
    pub fn ip6(self, ip: Ipv6Addr) -> Self {
        self.string("ip6", &ip.octets())
    }

    /// `tcp`: the port of raw libp2p.
    #[must_use]
    pub fn tcp(self, port: u16) -> Self {
        self.integer("tcp", port.into())
    }

    /// `tcp6`.
    #[must_use]
    pub fn tcp6(self, port: u16) -> Self {
        self.integer("tcp6", port.into())
    }

    /// `udp`: the port of discv5.
    #[must_use]
    pub fn udp(self, port: u16) -> Self {
        self.integer("udp", port.into())
    }

    /// `multiaddrs`: addresses without the node's own id.
    #[must_use]
    pub fn multiaddrs<'a>(self, addresses: impl IntoIterator<Item = &'a Multiaddr>) -> Self {
        self.string("multiaddrs", &encode_multiaddrs(addresses))
    }

    /// `waku2`, one byte also when it is 0, as nwaku writes it.
    #[must_use]
    pub fn waku2(self, capabilities: Capabilities) -> Self {
        self.string("waku2", &[capabilities.bits()])
    }

    /// `rs`.
    #[must_use]
    pub fn relay_shards(self, shards: &RelayShards) -> Self {
        self.string("rs", &shards.to_rs())
    }

    /// Any key with a byte string as its value.
    #[must_use]
    pub fn string(mut self, key: &str, value: &[u8]) -> Self {
        let mut item = Vec::new();
        rlp::put_string(&mut item, value);
        self.pairs.insert(key.into(), item);
        self
    }

    fn integer(mut self, key: &str, value: u64) -> Self {
        let mut item = Vec::new();
        rlp::put_integer(&mut item, value);
        self.pairs.insert(key.into(), item);
        self
    }

    /// Adds the identity and signs. Fails when the record would pass 300 bytes.
    ///
    /// The nonce follows RFC 6979, so equal input gives an equal record.
    pub fn sign(self, key: &SigningKey) -> Result<Enr, EnrError> {
        let public_key = key.verifying_key().to_sec1_point(true);
        let Self { seq, pairs } = self
            .string("id", b"v4")
            .string("secp256k1", public_key.as_bytes());
        let mut content = Vec::new();
        rlp::put_integer(&mut content, seq);
        for (name, value) in &pairs {
            rlp::put_string(&mut content, name);
            content.extend_from_slice(value);
        }
        let signature: Signature = key
            .sign_prehash(&content_digest(&content))
            .map_err(|_| EnrError::Signature)?;
        let mut items = Vec::with_capacity(66 + content.len());
        rlp::put_string(&mut items, &signature.to_bytes());
        items.extend_from_slice(&content);
        let mut record = Vec::with_capacity(3 + items.len());
        rlp::put_list_header(&mut record, items.len());
        record.extend_from_slice(&items);
        // Reading it back is the one place where the rules stand.
        Enr::from_rlp(&record)
    }
}

#[cfg(test)]
mod tests {
    use k256::ecdsa::SigningKey;

    use super::EnrBuilder;
    use crate::discovery::enr::{Capabilities, Enr, EnrError, RelayShards};

    fn key() -> SigningKey {
        SigningKey::from_slice(&[7; 32]).expect("a valid scalar")
    }

    #[test]
    fn every_field_that_was_written_is_read_back() {
        let address = "/ip4/127.0.0.1/tcp/8801/ws".parse().unwrap();
        let shards = RelayShards::new(1, vec![3, 1, 3]).unwrap();
        let capabilities = Capabilities::STORE | Capabilities::LIGHTPUSH;
        let enr = EnrBuilder::new(5)
            .ip4([127, 0, 0, 1].into())
            .tcp(60_000)
            .multiaddrs([&address])
            .waku2(capabilities)
            .relay_shards(&shards)
            .sign(&key())
            .unwrap();
        let read = Enr::from_text(&enr.to_text()).unwrap();
        assert_eq!(read, enr);
        assert_eq!(read.seq(), 5);
        assert_eq!(read.ip4(), Some([127, 0, 0, 1].into()));
        assert_eq!(read.tcp(), Some(60_000));
        assert_eq!(read.waku2(), Some(capabilities));
        assert_eq!(read.relay_shards().unwrap().shards, [1, 3]);
        let id = read.peer_id();
        assert_eq!(
            read.multiaddrs()[0].to_string(),
            format!("/ip4/127.0.0.1/tcp/8801/ws/p2p/{id}"),
        );
    }

    #[test]
    fn no_capability_is_one_zero_byte_and_not_an_absent_key() {
        let enr = EnrBuilder::new(1)
            .waku2(Capabilities::default())
            .sign(&key());
        assert_eq!(enr.unwrap().waku2(), Some(Capabilities::default()));
    }

    #[test]
    fn a_record_over_300_bytes_is_refused() {
        let enr = EnrBuilder::new(1).string("zz", &[0; 300]).sign(&key());
        assert_eq!(enr, Err(EnrError::TooBig));
    }

    #[test]
    fn an_address_behind_a_relay_gets_its_circuit_part_back() {
        let relay = "16Uiu2HAmDQugwDHM3YeUp86iGjrUvbdw3JPRgikC7YoGBsT2ymMg";
        let entry = format!("/dns4/relay.example.org/tcp/443/wss/p2p/{relay}");
        let enr = EnrBuilder::new(1)
            .multiaddrs([&entry.parse().unwrap()])
            .sign(&key())
            .unwrap();
        assert_eq!(
            enr.multiaddrs()[0].to_string(),
            format!("{entry}/p2p-circuit/p2p/{}", enr.peer_id()),
        );
    }
}
