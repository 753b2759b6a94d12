//! Peer exchange: records of nodes that do not stand in the tree (peer-exchange.md).

use super::{Reply, Site, TOO_MANY_REQUESTS};
use crate::protocols::peer_exchange::{MAX_RECORDS, Rpc};

pub(super) fn answer(site: &Site, request: &[u8]) -> Reply {
    let query = Rpc::decode(request).ok().and_then(|rpc| rpc.query);
    let Some(query) = query else {
        let problem = "decode error".to_owned();
        return Reply::new(Rpc::answer(Vec::new(), 400, Some(problem)).encode(), "400");
    };
    let most = query.num_peers.min(MAX_RECORDS) as usize;
    let records = site.sample_records(most);
    let told = format!("200, {} records", records.len());
    Reply::new(Rpc::answer(records, 200, None).encode(), told)
}

pub(super) fn busy() -> Reply {
    let rpc = Rpc::answer(Vec::new(), 429, Some(TOO_MANY_REQUESTS.to_owned()));
    Reply::new(rpc.encode(), "429")
}
