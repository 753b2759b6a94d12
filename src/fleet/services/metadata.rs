//! Metadata: the cluster and the shards that the node relays (metadata.md).

use super::{Reply, Site};
use crate::{fleet::options::SHARDS, protocols::metadata::Metadata};

/// What a node says of itself, in questions and answers.
pub(in crate::fleet) fn of_node(cluster: u16) -> Metadata {
    Metadata {
        cluster_id: Some(cluster.into()),
        shards: (0..SHARDS).collect(),
    }
}

pub(super) fn answer(site: &Site, request: &[u8]) -> Reply {
    match Metadata::decode(request) {
        Ok(_) => {
            let cluster = site.network.cluster();
            Reply::new(of_node(cluster).encode(), format!("cluster {cluster}"))
        }
        Err(_) => Reply::Close {
            told: "none: undecodable",
        },
    }
}
