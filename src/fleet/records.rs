//! The nodes' records: what they say, and how peer exchange hands them out.

use libp2p::PeerId;

use super::{
    keys::Key,
    node::address_of,
    options::SHARDS,
    role::{Role, Service},
};
use crate::discovery::enr::{Capabilities, Enr, EnrError, RelayShards, builder::EnrBuilder};

/// The sequence number of all records: none ever changes.
const SEQ: u64 = 1;

/// The record of a node: its WebSocket address, the shards it relays and the services of 31/WAKU2-ENR.
///
/// There is no `tcp` field, since the port speaks WebSocket and nothing else.
pub(crate) fn record_of(
    key: &Key,
    port: u16,
    cluster: u16,
    services: &[Service],
) -> Result<Enr, EnrError> {
    let shards = RelayShards::new(cluster, (0..SHARDS).collect())
        .expect("shards of the fleet are below 1024");
    let capabilities = services.iter().fold(Capabilities::RELAY, |all, service| {
        all | match service {
            Service::LightPush => Capabilities::LIGHTPUSH,
            Service::Filter => Capabilities::FILTER,
            Service::Store => Capabilities::STORE,
            // No bit stands for it.
            Service::PeerExchange => return all,
        }
    });
    EnrBuilder::new(SEQ)
        .ip4([127, 0, 0, 1].into())
        .multiaddrs([&address_of(port)])
        .waku2(capabilities)
        .relay_shards(&shards)
        .sign(&key.signing)
}

/// The records that peer exchange hands out: those of the nodes that do not stand in the tree, running or not, since
/// real servers learn of a node's end late, too.
#[derive(Debug)]
pub(crate) struct Records(Vec<(PeerId, Vec<u8>)>);

impl Records {
    pub(crate) fn new<'a>(all: impl IntoIterator<Item = (Role, &'a Enr)>) -> Self {
        let told = all.into_iter().filter(|(role, _)| *role != Role::Bootstrap);
        Self(
            told.map(|(_, enr)| (enr.peer_id(), enr.as_rlp().to_vec()))
                .collect(),
        )
    }

    /// At most `most` records as RLP, not that of `except`. Successive turns begin with successive records, so that
    /// small samples differ.
    pub(crate) fn sample(&self, except: &PeerId, most: usize, turn: usize) -> Vec<Vec<u8>> {
        let start = turn.checked_rem(self.0.len()).unwrap_or(0);
        let (before, from) = self.0.split_at(start);
        from.iter()
            .chain(before)
            .filter(|(peer, _)| peer != except)
            .take(most)
            .map(|(_, rlp)| rlp.clone())
            .collect()
    }
}
