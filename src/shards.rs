//! Shards of a network (relay sharding), as records, topics and messages list them.

/// Largest shard number of a cluster that a node record can carry.
pub const MAX_SHARD: u16 = 1023;

/// Shards in ascending order, each once.
///
/// In quadratic time: a message lists a thousand at most, and the standard library's sort would weigh a kilobyte in the
/// wasm for them alone.
pub(crate) fn ascending(shards: impl IntoIterator<Item = u16>) -> Vec<u16> {
    let mut sorted = Vec::new();
    for shard in shards {
        if let Err(place) = sorted.binary_search(&shard) {
            sorted.insert(place, shard);
        }
    }
    sorted
}
