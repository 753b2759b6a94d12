//! S15: nobody alone decides whom we are connected to (4.15), judged on the address that is dialed.
//!
//! At most two connections and dials lead to one /24, and at most a quarter of the soft target to one /16; where fewer
//! networks are known than would fill it, each has its part. The caps bind those whom third parties named, and only as
//! long as more than a handful of peers are known. They are twice as wide where a minimum is missed, and that is said.

use std::collections::BTreeSet;

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, What};
use multiaddr::{Multiaddr, Protocol};

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::PeerRecord;

/// See the module.
pub(crate) struct Varied;

/// The least that a cap leaves.
const LEAST: usize = 2;
/// Networks that share the soft target when enough are known.
const NETWORKS: usize = 4;

/// The /16 and the /24 of an address. Nobody here has a name, or an address of another kind.
fn place(route: &Multiaddr) -> Option<([u8; 2], [u8; 3])> {
    let ip = route.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(ip),
        _ => None,
    })?;
    let [a, b, c, _] = ip.octets();
    Some(([a, b], [a, b, c]))
}

/// Networks that are known for certain: those of peers that have no address elsewhere. Whoever was forgotten to make
/// room may have been the only one of its network.
fn networks(scene: &Scene<'_>) -> usize {
    let peers = scene.ledger.peers.iter();
    let known: Vec<&PeerRecord> = peers
        .filter(|(peer, record)| **peer != scene.config.local && !record.gone)
        .map(|(_, record)| record)
        .collect();
    if scene.view.stats.known as usize != known.len() {
        return 1;
    }
    let groups = known.iter().filter_map(|peer| {
        let all: BTreeSet<_> = peer
            .routes
            .iter()
            .filter_map(place)
            .map(|(group, _)| group)
            .collect();
        (all.len() == 1).then(|| all.first().copied()).flatten()
    });
    groups.collect::<BTreeSet<_>>().len().max(1)
}

/// Whether third parties alone speak for a peer.
fn is_bound(peer: &PeerId, scene: &Scene<'_>) -> bool {
    let record = scene.ledger.peer(peer);
    let user = record.named || record.requested || scene.ledger.steering.keeps(peer);
    !user && !record.in_tree
}

impl Invariant for Varied {
    fn id(&self) -> &'static str {
        "S15"
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Command::Dial { peer, route, .. } = command else {
            return Ok(());
        };
        let known = scene.view.stats.known.min(scene.before.stats.known) as usize;
        if known <= scene.config.small_network || !is_bound(peer, scene) {
            return Ok(());
        }
        let Some((group, subnet)) = place(route) else {
            return Ok(());
        };
        let ledger = scene.ledger;
        let conns = ledger.conns.values().map(|conn| &conn.route);
        let there = conns.chain(ledger.dials.values().map(|dial| &dial.route));
        let there: Vec<_> = there.filter_map(place).collect();
        let in_group = there.iter().filter(|(other, _)| *other == group).count();
        let in_subnet = there.iter().filter(|(_, other)| *other == subnet).count();
        let networks = networks(scene);
        let part = |of: usize| scene.most_soft().div_ceil(of).max(LEAST);
        let (most_in_group, most_in_subnet) = (part(networks.min(NETWORKS)), part(networks));
        if in_group < most_in_group && in_subnet < most_in_subnet {
            return Ok(());
        }
        let said = scene
            .view
            .decisions
            .contains(&What::Relaxed { peer: *peer });
        let missed = !scene.before.minima_hold() || !scene.view.minima_hold();
        let wider = in_group < 2 * most_in_group && in_subnet < 2 * most_in_subnet;
        ensure!(
            said && missed && wider,
            "{peer} is dialed at {route}, beside {in_group} of its /16 (at most {most_in_group}) and {in_subnet} of its \
             /24 (at most {most_in_subnet}); said: {said}, a minimum is missed: {missed}"
        );
        Ok(())
    }
}
