//! Subnets with which no new connection is made, because several of their peers were banned a short time ago (4.16).
//!
//! Owns the recent automatic bans by subnet and the subnets that are refused. Loopback and private networks are never
//! refused: everybody at home would be.

use std::collections::VecDeque;

use litemap::LiteMap;
use multiaddr::{Multiaddr, Protocol};

use crate::manager::Manager;
use crate::manager::boundary::config::Config;
use crate::manager::tools::deadlines::Timer;
use crate::manager::tools::slot::Ix;

/// Bans that are remembered; more at once would be refused as subnets of their own soon.
const MAX_RECENT: usize = 256;
/// Subnets that are refused at once: the one that ends first makes room.
const MAX_REFUSED: usize = 256;

/// A /24 or a /48 of public addresses, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) struct Subnet(u64);

impl Subnet {
    /// Where an address leads; `None` for names and for networks of one's own. A relayed address names its relay, who
    /// answers for none of those behind it: whatever they did, neither it nor anybody else behind it is refused.
    pub(in crate::manager) fn of(address: &Multiaddr) -> Option<Self> {
        if address.iter().any(|part| part == Protocol::P2pCircuit) {
            return None;
        }
        address.iter().find_map(|part| match part {
            Protocol::Ip4(ip) => {
                let own = ip.is_loopback() || ip.is_private() || ip.is_link_local();
                (!own).then(|| Self(u64::from(u32::from(ip) >> 8)))
            }
            Protocol::Ip6(ip) => {
                let own = ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
                // A bit above the 48 tells it from a /24.
                (!own).then(|| Self(1 << 48 | (u128::from(ip) >> 80) as u64))
            }
            _ => None,
        })
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::manager) struct Quarantine {
    recent: VecDeque<(u64, Subnet)>,
    /// Refused until then.
    refused: LiteMap<Subnet, u64>,
}

impl Quarantine {
    /// Whether an address leads into a subnet that is refused.
    pub(in crate::manager) fn refuses(&self, address: &Multiaddr) -> bool {
        !self.refused.is_empty()
            && Subnet::of(address).is_some_and(|subnet| self.refused.get(&subnet).is_some())
    }

    /// Somebody of this subnet was banned; whether the subnet is refused from now on.
    fn banned(&mut self, config: &Config, now: u64, subnet: Subnet) -> bool {
        let oldest = now.saturating_sub(config.subnet_window_ms);
        self.recent.retain(|(at, _)| *at >= oldest);
        if self.recent.len() >= MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((now, subnet));
        let bans = self.recent.iter().filter(|(_, of)| *of == subnet).count();
        if bans < config.subnet_bans {
            return false;
        }
        if self.refused.len() >= MAX_REFUSED && self.refused.get(&subnet).is_none() {
            let first = self.refused.iter().min_by_key(|(_, at)| **at);
            if let Some(first) = first.map(|(subnet, _)| *subnet) {
                self.refused.remove(&first);
            }
        }
        let until = now.saturating_add(config.subnet_hold_ms);
        self.refused.insert(subnet, until);
        true
    }

    fn next(&self) -> Option<u64> {
        self.refused.values().min().copied()
    }
}

impl Manager {
    /// Somebody was banned who is reached there.
    pub(in crate::manager) fn banned_at(&mut self, address: &Multiaddr) {
        let now = self.now.mono_ms;
        let Some(subnet) = Subnet::of(address) else {
            return;
        };
        if !self.quarantine.banned(&self.config, now, subnet) {
            return;
        }
        self.deadlines
            .put(Timer::Quarantine, self.quarantine.next());
        let within = |address: &Multiaddr| Subnet::of(address) == Some(subnet);
        let dialing: Vec<Ix> = self
            .dials
            .iter()
            .filter(|(_, dial)| within(&dial.route.address))
            .map(|(ix, _)| ix)
            .collect();
        for ix in dialing {
            self.cancel_dial(ix);
        }
        self.replace_within(&[subnet]);
    }

    /// Peers of these subnets come among the candidates, or leave them. It takes several bans, so the walk is rare.
    fn replace_within(&mut self, subnets: &[Subnet]) {
        let within: Vec<Ix> = self
            .table
            .iter()
            .filter(|(_, peer)| {
                let mut routes = peer.routes().iter();
                routes.any(|route| {
                    Subnet::of(&route.address).is_some_and(|subnet| subnets.contains(&subnet))
                })
            })
            .map(|(ix, _)| ix)
            .collect();
        for ix in within {
            self.refresh(ix);
        }
    }

    /// Subnets whose time is over are admitted again.
    pub(in crate::manager) fn quarantine_over(&mut self) {
        let now = self.now.mono_ms;
        let refused = &mut self.quarantine.refused;
        let over: Vec<Subnet> = refused
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(subnet, _)| *subnet)
            .collect();
        for subnet in &over {
            refused.remove(subnet);
        }
        self.deadlines
            .put(Timer::Quarantine, self.quarantine.next());
        self.replace_within(&over);
    }
}

#[cfg(test)]
mod tests {
    use super::Subnet;

    fn subnet(address: &str) -> Option<Subnet> {
        Subnet::of(&address.parse().expect("an address"))
    }

    #[test]
    fn neighbours_share_a_subnet_and_homes_have_none() {
        let here = subnet("/ip4/198.51.100.7/tcp/443/wss");
        assert!(here.is_some());
        assert_eq!(here, subnet("/ip4/198.51.100.200/tcp/8000/ws"));
        assert_ne!(here, subnet("/ip4/198.51.101.7/tcp/443/wss"));
        let there = subnet("/ip6/2001:db8:1:2::1/tcp/443/wss");
        assert!(there.is_some());
        assert_eq!(there, subnet("/ip6/2001:db8:1:ffff::9/tcp/443/wss"));
        assert_ne!(there, subnet("/ip6/2001:db8:2::1/tcp/443/wss"));
        for home in [
            "/ip4/127.0.0.1/tcp/1/ws",
            "/ip4/192.168.1.2/tcp/1/ws",
            "/ip6/::1/tcp/1/ws",
            "/ip6/fd00::1/tcp/1/ws",
            "/dns4/node.example.org/tcp/443/wss",
            "/ip4/198.51.100.7/tcp/443/wss/p2p-circuit",
        ] {
            assert_eq!(subnet(home), None);
        }
    }
}
