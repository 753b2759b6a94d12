//! Who could be dialed: records and addresses become claims, if they are of our network and this page can dial them.

use libp2p::{Multiaddr, PeerId};
use litemap::LiteMap;

use super::{Done, Driver, dns};
use crate::discovery::dialable::{dialable, split_peer};
use crate::discovery::enr::Enr;
use crate::manager::{Event, RequirementId, Source};
use crate::node::config::{FILTER, LIGHT_PUSH, STORE};
use crate::node::event::LogLevel;

impl Driver {
    /// Passes a record on as a claim, if it is of our cluster and this page can dial it.
    pub(super) fn discovered(
        &mut self,
        enr: &Enr,
        source: Source,
        introducer: Option<PeerId>,
    ) -> bool {
        if let Some(shards) = enr.relay_shards()
            && shards.cluster != self.network.cluster()
        {
            return false;
        }
        let routes: Vec<_> = enr
            .multiaddrs()
            .into_iter()
            .filter(|address| dialable(address, self.page))
            .map(|address| split_peer(address).0)
            .collect();
        if routes.is_empty() {
            return false;
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
        self.inputs.push_back(Event::Discovered {
            peer: enr.peer_id(),
            routes,
            claims,
            source,
            introducer,
        });
        true
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

    /// Looks up the addresses behind a `/dnsaddr`.
    pub(super) fn resolve(&mut self, peer: Option<PeerId>, domain: String) {
        let task = self.dns.resolve(peer, domain);
        self.tasks
            .push(Box::pin(async { Done::DnsAddr(task.await) }));
    }

    pub(super) fn on_resolved(&mut self, resolved: dns::Resolved) {
        let mut routes: LiteMap<PeerId, Vec<Multiaddr>> = LiteMap::new();
        for address in resolved.addresses {
            if let (route, Some(peer)) = split_peer(address)
                && resolved.wanted.is_none_or(|wanted| wanted == peer)
                && dialable(&route, self.page)
            {
                match routes.get_mut(&peer) {
                    Some(routes) => routes.push(route),
                    None => drop(routes.insert(peer, vec![route])),
                }
            }
        }
        if routes.is_empty() {
            self.log(
                LogLevel::Warn,
                "dns",
                format_args!("no dialable address behind /dnsaddr/{}", resolved.domain),
            );
        }
        for (peer, routes) in routes.into_tuple_vec() {
            self.found(peer, routes, Vec::new());
        }
    }
}
