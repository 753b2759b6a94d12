//! Addresses of a peer, in the order in which they are tried.

use std::net::{Ipv4Addr, Ipv6Addr};

use multiaddr::{Multiaddr, Protocol};

use crate::manager::book::transport;
use crate::manager::boundary::event::Transport;
use crate::manager::tools::seed::{Domain, Seed};
use crate::manager::tools::sort::sort_short_by_key;

/// Failures in a row after which an address that once worked, or that the user named, is one like the others: a peer may
/// have moved, and a job tries only the first few.
const STALE_FAILURES: u8 = 3;

/// Who told of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::manager) enum Backing {
    /// The user.
    Named,
    /// Anybody else.
    Claimed,
}

/// One address.
#[derive(Debug, Clone)]
pub(in crate::manager) struct Route {
    /// Without `/p2p/…`.
    pub(in crate::manager) address: Multiaddr,
    /// Host and port: one dial at a time (4.7).
    pub(in crate::manager) endpoint: u64,
    /// Who shares its fate and perhaps its owner (4.15): /16, /32 or a domain.
    pub(in crate::manager) group: u64,
    /// Who most likely shares its owner: /24, /48 or a host.
    pub(in crate::manager) subnet: u64,
    pub(in crate::manager) transport: Transport,
    /// Whether it leads to where we are: no network is needed.
    pub(in crate::manager) on_this_machine: bool,
    pub(in crate::manager) backing: Backing,
    /// A connection to this peer once opened there.
    pub(in crate::manager) verified: bool,
    /// Failures in a row.
    pub(in crate::manager) failures: u8,
    /// The user waits for a dial there, and none was made yet.
    asked: bool,
    /// Smaller has its turn sooner.
    turn: u32,
}

/// Where an address leads, in marks that only this node knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Marks {
    pub(in crate::manager) endpoint: u64,
    pub(in crate::manager) group: u64,
    pub(in crate::manager) subnet: u64,
}

impl Marks {
    pub(in crate::manager) fn of(address: &Multiaddr, seed: &Seed) -> Self {
        let place = Place::of(address);
        let endpoint = seed.mark(Domain::Endpoint, &place.endpoint());
        let mark = |domain, bytes: Option<Vec<u8>>| match bytes {
            Some(bytes) => seed.mark(domain, &bytes),
            None => endpoint,
        };
        Self {
            endpoint,
            group: mark(Domain::Group, place.group()),
            subnet: mark(Domain::Subnet, place.subnet()),
        }
    }
}

impl Route {
    pub(in crate::manager) fn new(address: Multiaddr, seed: &Seed) -> Self {
        let marks = Marks::of(&address, seed);
        Self {
            transport: transport::of(&address),
            on_this_machine: Place::of(&address).is_this_machine(),
            address,
            endpoint: marks.endpoint,
            group: marks.group,
            subnet: marks.subnet,
            backing: Backing::Claimed,
            verified: false,
            failures: 0,
            asked: false,
            turn: 0,
        }
    }

    /// Smaller is tried first (4.7): where the user wants to be dialed now; what the user named, or what worked and
    /// still does; then whose turn it is, so that none waits for ever (S18); then what worked once, and what costs the
    /// page least.
    fn rank(&self) -> (bool, bool, u32, bool, Backing, u8, u64) {
        let preference = transport::preference(self.transport);
        (
            !self.asked,
            self.is_claim(),
            self.turn,
            !self.verified,
            self.backing,
            preference,
            self.endpoint,
        )
    }

    /// No more than a claim: nobody vouches for it, or it failed too often since.
    fn is_claim(&self) -> bool {
        let vouched = self.verified || self.backing == Backing::Named;
        !(vouched && self.failures < STALE_FAILURES)
    }
}

/// Where an address leads, as far as it matters for grouping.
struct Place {
    host: Host,
    port: u16,
}

enum Host {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Name(String),
    /// Nothing that we know: the whole address.
    Other(Vec<u8>),
}

impl Place {
    fn of(address: &Multiaddr) -> Self {
        let mut host = None;
        let mut port = 0;
        for protocol in address {
            match protocol {
                Protocol::Ip4(ip) if host.is_none() => host = Some(Host::V4(ip)),
                Protocol::Ip6(ip) if host.is_none() => host = Some(Host::V6(ip)),
                Protocol::Dns(name)
                | Protocol::Dns4(name)
                | Protocol::Dns6(name)
                | Protocol::Dnsaddr(name)
                    if host.is_none() =>
                {
                    host = Some(Host::Name(name.to_ascii_lowercase()));
                }
                Protocol::Tcp(number) | Protocol::Udp(number) if port == 0 => port = number,
                _ => {}
            }
        }
        Self {
            host: host.unwrap_or_else(|| Host::Other(address.to_vec())),
            port,
        }
    }

    fn endpoint(&self) -> Vec<u8> {
        let mut bytes = self.port.to_be_bytes().to_vec();
        match &self.host {
            Host::V4(ip) => bytes.extend(ip.octets()),
            Host::V6(ip) => bytes.extend(ip.octets()),
            Host::Name(name) => bytes.extend(name.as_bytes()),
            Host::Other(address) => bytes.extend(address),
        }
        bytes
    }

    fn is_this_machine(&self) -> bool {
        match &self.host {
            Host::V4(ip) => ip.is_loopback(),
            Host::V6(ip) => ip.is_loopback(),
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Other(_) => false,
        }
    }

    /// Whether it leads nowhere beyond this machine or network: then each host and port is a group of its own, and a
    /// local network behaves like a real one.
    fn is_local(&self) -> bool {
        match &self.host {
            Host::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
            Host::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
            Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Other(_) => true,
        }
    }

    /// /16, /32, or the last two labels of a name. `None`: a group of its own.
    fn group(&self) -> Option<Vec<u8>> {
        match &self.host {
            _ if self.is_local() => None,
            Host::V4(ip) => Some(ip.octets()[..2].to_vec()),
            Host::V6(ip) => Some(ip.octets()[..4].to_vec()),
            Host::Name(name) => {
                let mut labels = name.rsplit('.').filter(|label| !label.is_empty());
                let last = labels.next().unwrap_or_default();
                let second = labels.next().unwrap_or_default();
                Some([second, last].join(".").into_bytes())
            }
            Host::Other(_) => None,
        }
    }

    /// /24, /48, or a name. `None`: one of its own.
    fn subnet(&self) -> Option<Vec<u8>> {
        match &self.host {
            _ if self.is_local() => None,
            Host::V4(ip) => Some(ip.octets()[..3].to_vec()),
            Host::V6(ip) => Some(ip.octets()[..6].to_vec()),
            Host::Name(name) => Some(name.as_bytes().to_vec()),
            Host::Other(_) => None,
        }
    }
}

/// What a failure of an address changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manager) struct Tried {
    failures: u8,
    turn: u32,
}

/// The addresses of one peer: bounded, best first.
#[derive(Debug, Clone, Default)]
pub(in crate::manager) struct Routes {
    list: Vec<Route>,
}

impl Routes {
    /// Adds an address that somebody claims. A full list gives up only addresses that were never verified, the one
    /// with the most failures first, and none that never failed. Returns whether it is new.
    pub(in crate::manager) fn add(
        &mut self,
        address: &Multiaddr,
        limit: usize,
        seed: &Seed,
    ) -> bool {
        if address.is_empty() || self.list.iter().any(|route| route.address == *address) {
            return false;
        }
        if self.list.len() >= limit {
            let worst = self
                .list
                .iter()
                .enumerate()
                .filter(|(_, route)| {
                    !route.verified && route.backing == Backing::Claimed && route.failures > 0
                })
                .max_by_key(|(_, route)| route.failures)
                .map(|(place, _)| place);
            match worst {
                Some(place) => self.list.remove(place),
                None => return false,
            };
        }
        // Most peers have one address, and there are thousands of them.
        self.list.reserve_exact(1);
        self.push(address, seed);
        self.sort();
        true
    }

    /// Adds an address that the user names, at the cost of the worst that others claim. Returns whether it is kept: not
    /// when the user named as many as there is room for.
    pub(in crate::manager) fn add_named(
        &mut self,
        address: &Multiaddr,
        limit: usize,
        seed: &Seed,
    ) -> bool {
        if address.is_empty() {
            return false;
        }
        if self.find(address).is_none() {
            if self.list.len() >= limit {
                let claims = |route: &Route| route.backing == Backing::Claimed;
                match self.list.iter().rposition(claims) {
                    Some(worst) => self.list.remove(worst),
                    None => return false,
                };
            }
            self.push(address, seed);
        }
        if let Some(route) = self.find(address) {
            route.backing = Backing::Named;
        }
        self.sort();
        true
    }

    /// The user waits for a dial there: it is the next that is tried, whatever else is known.
    pub(in crate::manager) fn ask(&mut self, address: &Multiaddr, limit: usize, seed: &Seed) {
        self.add_named(address, limit, seed);
        if self.find(address).is_none() && !address.is_empty() {
            // All are named: the worst makes room.
            self.list.pop();
            self.add_named(address, limit, seed);
        }
        if let Some(route) = self.find(address) {
            route.asked = true;
        }
        self.sort();
    }

    /// The user knows that an address is wrong.
    pub(in crate::manager) fn remove(&mut self, address: &Multiaddr) {
        self.list.retain(|route| route.address != *address);
    }

    /// An address worked.
    pub(in crate::manager) fn verified(&mut self, address: &Multiaddr, limit: usize, seed: &Seed) {
        if !self.list.iter().any(|route| route.address == *address) && self.list.len() >= limit {
            // What works is worth more than the worst of what is known.
            self.list.pop();
        }
        self.add(address, limit, seed);
        if let Some(route) = self.find(address) {
            route.verified = true;
            route.failures = 0;
            route.asked = false;
            route.turn = 0;
        }
        self.sort();
    }

    /// An address failed: now all others have their turn.
    pub(in crate::manager) fn failed(&mut self, address: &Multiaddr) {
        let last = self.last_turn();
        if let Some(route) = self.find(address) {
            route.failures = route.failures.saturating_add(1);
            route.asked = false;
            route.turn = last.saturating_add(1);
        }
        self.sort();
    }

    /// How an address stands, to be put back if it fails for what is not its fault.
    pub(in crate::manager) fn tried(&self, address: &Multiaddr) -> Option<Tried> {
        let route = self.list.iter().find(|route| route.address == *address)?;
        Some(Tried {
            failures: route.failures,
            turn: route.turn,
        })
    }

    /// Its failures since were not its fault.
    pub(in crate::manager) fn put_back(&mut self, address: &Multiaddr, tried: Tried) {
        if let Some(route) = self.find(address) {
            route.failures = tried.failures;
            route.turn = tried.turn;
        }
        self.sort();
    }

    /// A dial was given up before its time. It says nothing about the address, but that was its turn.
    pub(in crate::manager) fn cut_off(&mut self, address: &Multiaddr) {
        let last = self.last_turn();
        if let Some(route) = self.find(address) {
            route.asked = false;
            if route.is_claim() {
                route.turn = last.saturating_add(1);
            }
        }
        self.sort();
    }

    /// An address leads elsewhere, or nowhere that this page may go. The last one is kept: no failure may make a
    /// peer unreachable for ever (S18).
    pub(in crate::manager) fn drop_unless_last(&mut self, address: &Multiaddr) {
        if self.list.len() > 1 {
            self.list.retain(|route| route.address != *address);
        }
    }

    /// Best first.
    pub(in crate::manager) fn iter(&self) -> impl Iterator<Item = &Route> {
        self.list.iter()
    }

    pub(in crate::manager) fn best(&self) -> Option<&Route> {
        self.list.first()
    }

    pub(in crate::manager) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(in crate::manager) fn len(&self) -> usize {
        self.list.len()
    }

    fn find(&mut self, address: &Multiaddr) -> Option<&mut Route> {
        self.list.iter_mut().find(|route| route.address == *address)
    }

    /// A new address comes after those that wait: else whoever names new ones again and again keeps the others waiting.
    fn push(&mut self, address: &Multiaddr, seed: &Seed) {
        let turn = self.last_turn();
        let mut route = Route::new(address.clone(), seed);
        route.turn = turn;
        self.list.push(route);
    }

    fn last_turn(&self) -> u32 {
        self.list.iter().map(|route| route.turn).max().unwrap_or(0)
    }

    fn sort(&mut self) {
        sort_short_by_key(&mut self.list, Route::rank);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/60.1.0.1/tcp/{port}/wss")
            .parse()
            .expect("an address")
    }

    #[test]
    fn a_dial_that_was_given_up_is_the_turn_of_an_address_that_is_only_claimed() {
        let limit = 8;
        let seed = Seed::new([1; 32]);
        let mut routes = Routes::default();
        routes.add(&address(1), limit, &seed);
        routes.add(&address(2), limit, &seed);
        let first = routes.best().expect("there are two").address.clone();
        routes.cut_off(&first);
        let second = routes.best().expect("there are two").address.clone();
        assert_ne!(second, first);
        routes.verified(&second, limit, &seed);
        routes.cut_off(&second);
        assert_eq!(routes.best().expect("there are two").address, second);
    }

    #[test]
    fn where_the_user_wants_to_be_dialed_is_tried_next_and_once() {
        let limit = 3;
        let seed = Seed::new([1; 32]);
        let mut routes = Routes::default();
        let best = |routes: &Routes| routes.best().expect("there are some").address.clone();
        routes.verified(&address(1), limit, &seed);
        for asked in [address(2), address(3), address(4), address(2)] {
            routes.ask(&asked, limit, &seed);
            assert_eq!(best(&routes), asked);
            routes.failed(&asked);
            assert_ne!(best(&routes), asked);
            assert!(routes.len() <= limit);
        }
    }

    #[test]
    fn an_address_that_worked_once_has_its_turn_however_many_dead_ones_the_user_named_s18() {
        let limit = 8;
        let seed = Seed::new([1; 32]);
        let mut routes = Routes::default();
        let good = address(1);
        routes.verified(&good, limit, &seed);
        for port in 2..6 {
            routes.add_named(&address(port), limit, &seed);
        }
        // It was away for a while.
        let mut tried = Vec::new();
        for _ in 0..40 {
            let first = routes.best().expect("there are some").address.clone();
            routes.failed(&first);
            tried.push(first);
        }
        assert!(tried[30..].contains(&good));
    }

    #[test]
    fn an_address_that_worked_once_has_its_turn_however_often_others_are_named_anew_s18() {
        let limit = 8;
        let seed = Seed::new([1; 32]);
        let mut routes = Routes::default();
        let good = address(1);
        routes.verified(&good, limit, &seed);
        // It was away for long.
        for _ in 0..40 {
            routes.failed(&good);
        }
        let mut next = 2;
        let mut waited = 0;
        for _ in 0..400 {
            while routes.add(&address(next), limit, &seed) {
                next += 1;
            }
            let tried = routes.best().expect("there are some").address.clone();
            waited = if tried == good { 0 } else { waited + 1 };
            assert!(waited <= 2 * limit, "it waits for ever");
            routes.failed(&tried);
        }
    }
}
