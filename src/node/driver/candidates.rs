//! Who could be dialed: records and addresses become claims, if they are of our network and this page can dial them.

use libp2p::{Multiaddr, PeerId};

use super::Driver;
use crate::discovery::dialable::{dialable, split_peer};
use crate::discovery::enr::Enr;
use crate::manager::{Event, RequirementId, Sighting, Source};
use crate::node::config::{FILTER, LIGHT_PUSH, STORE};

impl Driver {
    /// What a record says, if it is of our cluster and this page can dial it.
    pub(super) fn sighting(&self, enr: &Enr) -> Option<Sighting> {
        if let Some(shards) = enr.relay_shards()
            && shards.cluster != self.setup.network.cluster()
        {
            return None;
        }
        let routes: Vec<_> = enr
            .multiaddrs()
            .into_iter()
            .filter(|address| dialable(address, self.setup.page))
            .map(|address| split_peer(address).0)
            .collect();
        if routes.is_empty() {
            return None;
        }
        let claims = enr.waku2().map_or_else(Vec::new, |capabilities| {
            [
                (capabilities.lightpush(), LIGHT_PUSH),
                (capabilities.filter(), FILTER),
                (capabilities.store(), STORE),
            ]
            .into_iter()
            .filter_map(|(claimed, requirement)| claimed.then_some(requirement))
            .collect()
        });
        Some(Sighting {
            peer: enr.peer_id(),
            routes,
            claims,
        })
    }

    /// Passes a record on as a claim; whether it is one that could be dialed.
    pub(super) fn discovered(&mut self, enr: &Enr, source: Source) -> bool {
        let said = self.sighting(enr);
        let known = said.is_some();
        if let Some(Sighting {
            peer,
            routes,
            claims,
        }) = said
        {
            self.inputs.push_back(Event::Discovered {
                peer,
                routes,
                claims,
                source,
                introducer: None,
            });
        }
        known
    }

    /// Passes on addresses that the user named.
    pub(super) fn found(
        &mut self,
        peer: PeerId,
        routes: Vec<Multiaddr>,
        claims: Vec<RequirementId>,
    ) {
        self.inputs.push_back(Event::Discovered {
            peer,
            routes,
            claims,
            source: Source::Static,
            introducer: None,
        });
    }
}
