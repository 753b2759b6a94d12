//! S15: nobody alone decides whom we are connected to (4.15), judged on the address that is dialed; and no operator is
//! everything that serves a requirement (4.3).
//!
//! At most two connections and dials lead to one /24, and at most a quarter of the soft target to one /16; at most half
//! were named by one other. Where fewer are known than would fill it, each has its part. The caps bind those whom third
//! parties named, and only as long as more than a handful of peers are known. They are twice as wide where a minimum is
//! missed, and that is said.

use std::collections::BTreeSet;

use libp2p_identity::PeerId;
use lightkeeper::manager::{Command, Event, HealthReason, Outcome, RequirementView, What};
use multiaddr::{Multiaddr, Protocol};

use super::{Invariant, RECOVERY_MS, Scene, Verdict, ensure};
use crate::ledger::PeerRecord;
use crate::ledger_steering::Mode;
use crate::network::SERVICES;
use crate::truth::Good;
use crate::view::Input;

/// The caps of 4.15.
pub(crate) struct Varied;

/// The least that a cap leaves.
const LEAST: usize = 2;
/// Networks, and peers that name others, that share the soft target when enough are known.
const NETWORKS: usize = 4;
const INTRODUCERS: usize = 2;

/// The /16 and the /24 of an address. Nobody here has a name, or an address of another kind.
fn place(route: &Multiaddr) -> Option<([u8; 2], [u8; 3])> {
    let ip = route.iter().find_map(|part| match part {
        Protocol::Ip4(ip) => Some(ip),
        _ => None,
    })?;
    let [a, b, c, _] = ip.octets();
    Some(([a, b], [a, b, c]))
}

/// Networks that are known for certain, those of peers that have no address elsewhere; and peers that named somebody who
/// is known. Whoever was forgotten to make room may have been the only one of its network, or of whom it named.
fn variety(scene: &Scene<'_>) -> (usize, usize) {
    let peers = scene.ledger.peers.iter();
    let known: Vec<&PeerRecord> = peers
        .filter(|(peer, record)| **peer != scene.config.local && !record.gone)
        .map(|(_, record)| record)
        .collect();
    if scene.view.stats.known as usize != known.len() {
        return (1, 1);
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
    let groups = groups.collect::<BTreeSet<_>>().len();
    let introducers: BTreeSet<_> = known.iter().filter_map(|peer| peer.introducer).collect();
    (groups.max(1), introducers.len().max(1))
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
        let conns = ledger.conns.values().map(|conn| (conn.peer, &conn.route));
        let dials = ledger.dials.values().map(|dial| (dial.peer, &dial.route));
        let introducer = |peer: &PeerId| ledger.peers.get(peer).and_then(|it| it.introducer);
        let teller = introducer(peer);
        let (mut in_group, mut in_subnet, mut of_teller) = (0, 0, 0);
        for (other, route) in conns.chain(dials) {
            let place = place(route);
            in_group += usize::from(place.is_some_and(|(there, _)| there == group));
            in_subnet += usize::from(place.is_some_and(|(_, there)| there == subnet));
            of_teller += usize::from(teller.is_some() && introducer(&other) == teller);
        }
        let (networks, introducers) = variety(scene);
        let part = |of: usize| scene.most_soft().div_ceil(of).max(LEAST);
        let (most_in_group, most_in_subnet) = (part(networks.min(NETWORKS)), part(networks));
        let most_of_teller = part(introducers.min(INTRODUCERS));
        let within = |times: usize| {
            in_group < times * most_in_group
                && in_subnet < times * most_in_subnet
                && of_teller < times * most_of_teller
        };
        if within(1) {
            return Ok(());
        }
        let said = scene
            .view
            .decisions
            .contains(&What::Relaxed { peer: *peer });
        let missed = !scene.before.minima_hold() || !scene.view.minima_hold();
        ensure!(
            said && missed && within(2),
            "{peer} is dialed at {route}, beside {in_group} of its /16 (at most {most_in_group}), {in_subnet} of its /24 \
             (at most {most_in_subnet}) and {of_teller} whom {teller:?} named, too (at most {most_of_teller}); said: \
             {said}, a minimum is missed: {missed}"
        );
        Ok(())
    }
}

/// Spread (4.3): when all is well and calm, the providers of a requirement with a target of two or more are not all of one
/// network, if somebody of another is known, does what it says, and was never said to have failed.
#[derive(Default)]
pub(crate) struct Spread {
    failed: BTreeSet<PeerId>,
}

impl Spread {
    /// The one network that all providers are of.
    fn operator(requirement: &RequirementView, scene: &Scene<'_>) -> Option<[u8; 2]> {
        let conns = requirement.peers.iter().map(|peer| {
            let conns = scene.ledger.conns_of(peer);
            let (_, conn) = conns.first()?;
            place(&conn.route).map(|(group, _)| group)
        });
        let groups: BTreeSet<_> = conns.collect::<Option<_>>()?;
        let first = groups.first().copied();
        first.filter(|_| groups.len() == 1 && requirement.peers.len() >= 2)
    }

    /// Whether somebody could serve a requirement, as far as the manager was told.
    fn is_known(&self, good: &Good, requirement: &RequirementView, scene: &Scene<'_>) -> bool {
        let known = scene.ledger.peers.get(&good.peer).is_some_and(|record| {
            let refused = record.banned(scene.now()) || record.hung_up || record.is_bootstrap();
            let said = record.claims.contains(&requirement.id);
            said && !refused && !record.gone && record.routes.contains(&good.route)
        });
        let serves = good.serves & (1 << requirement.id.0) != 0;
        known && serves && !self.failed.contains(&good.peer)
    }
}

impl Invariant for Spread {
    fn id(&self) -> &'static str {
        "S15"
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some(Input::Event(Event::Report { peer, outcome, .. })) = scene.input
            && *outcome != Outcome::Success
        {
            self.failed.insert(*peer);
        }
        Ok(())
    }

    fn end(&mut self, scene: &Scene<'_>) -> Verdict {
        let (truth, ledger, view) = (scene.truth, scene.ledger, scene.view);
        let healed = truth.healed_at.filter(|_| truth.viable);
        let calm = healed.is_some_and(|at| truth.t >= at + RECOVERY_MS);
        let sound = ledger.running && ledger.steering.mode == Mode::Normal;
        let full = view.stats.open >= u32::from(view.stats.soft);
        let nobody_lost =
            view.stats.known as usize == ledger.peers.values().filter(|peer| !peer.gone).count();
        if !calm || !sound || full || !nobody_lost || view.health.1 == HealthReason::SuspectOffline
        {
            return Ok(());
        }
        let several = |it: &&RequirementView| it.id.0 < SERVICES && it.target >= 2;
        for requirement in view.requirements.iter().filter(several) {
            let Some(operator) = Self::operator(requirement, scene) else {
                continue;
            };
            let elsewhere = |good: &&Good| {
                place(&good.route).is_some_and(|(group, _)| group != operator)
                    && self.is_known(good, requirement, scene)
            };
            if let Some(other) = truth.good.iter().find(elsewhere) {
                return Err(format!(
                    "all who serve {requirement:?} are of {operator:?}, and {} at {} is known",
                    other.peer, other.route
                ));
            }
        }
        Ok(())
    }
}
