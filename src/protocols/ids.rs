//! The protocol ids, exactly as they go over the wire. Servers match some of them by prefix; we always send the whole.

/// Cluster handshake; a node that does not serve it is disconnected by nwaku and go-waku.
pub const METADATA: &str = "/vac/waku/metadata/1.0.0";
/// Asking a server for node records.
pub const PEER_EXCHANGE: &str = "/vac/waku/peer-exchange/2.0.0-alpha1";
/// Publishing, version 3 (nwaku from 0.35.1; not go-waku).
pub const LIGHTPUSH_V3: &str = "/vac/waku/lightpush/3.0.0";
/// Publishing, version 2 (go-waku, and nwaku still).
pub const LIGHTPUSH_V2: &str = "/vac/waku/lightpush/2.0.0-beta1";
/// Live subscriptions: requests to the server.
pub const FILTER_SUBSCRIBE: &str = "/vac/waku/filter-subscribe/2.0.0-beta1";
/// Live subscriptions: streams that the server opens to us.
pub const FILTER_PUSH: &str = "/vac/waku/filter-push/2.0.0-beta1";
/// History queries, version 3 (nwaku only).
pub const STORE_QUERY: &str = "/vac/waku/store-query/3.0.0";
/// Asking a relay for a reservation, or for a connection to somebody who has one.
pub const CIRCUIT_HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";
/// Connections that a relay passes on to us: streams that it opens.
pub const CIRCUIT_STOP: &str = "/libp2p/circuit/relay/0.2.0/stop";
/// Finding one another by a name.
pub const RENDEZVOUS: &str = "/rendezvous/1.0.0";
