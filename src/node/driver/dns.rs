//! Runs the tree walk over DNS-over-HTTPS, and looks up `/dnsaddr`.

use std::future::Future;
use std::task::Context;
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use litemap::LiteMap;

use super::alarm::Alarm;
use super::exchange::within;
use super::{Done, Driver};
use crate::discovery::address;
use crate::discovery::dialable::{dialable, split_peer};
use crate::discovery::dns::{self, DnsAnswer, RCODE_NO_ERROR, RCODE_NXDOMAIN};
use crate::discovery::enrtree::EnrTreeUrl;
use crate::discovery::walk::{Answer, QueryId, ResolverFailure, Walk, WalkConfig, WalkEvent};
use crate::manager::{Event, Source};
use crate::node::event::LogLevel;
use crate::node::platform;

/// A DNS message is at most this long (RFC 1035 over TCP).
const MAX_ANSWER: usize = 65_535;
/// The media type of RFC 8484.
const MEDIA_TYPE: &str = "application/dns-message";
/// How long one look-up of a `/dnsaddr` may take (dns-discovery.md, section 4.3).
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// When a `/dnsaddr` whose look-up failed is looked up again, doubling from the one to the other.
const RETRY: Duration = Duration::from_secs(2);
const MAX_RETRY: Duration = Duration::from_secs(60);
/// How deep `/dnsaddr` entries may name others, and how many addresses they may give in all: real ones need two levels.
const MAX_DNSADDR_DEPTH: usize = 3;
const MAX_DNSADDR_ADDRESSES: usize = 16;

/// What a look-up of the walk came to.
pub(in crate::node) struct Look(QueryId, Answer);

/// A `/dnsaddr` that is looked up.
#[derive(Clone)]
pub(in crate::node) struct DnsAddr {
    wanted: PeerId,
    domain: String,
    /// How often it failed so far.
    failures: u32,
}

impl DnsAddr {
    pub(super) fn new(wanted: PeerId, domain: String) -> Self {
        Self {
            wanted,
            domain,
            failures: 0,
        }
    }

    /// How long to wait after the failures so far.
    fn pause(&self) -> Duration {
        let doubled = RETRY * (1 << self.failures.saturating_sub(1).min(5));
        doubled.min(MAX_RETRY)
    }
}

/// What a `/dnsaddr` came to.
pub(in crate::node) struct Resolved {
    of: DnsAddr,
    addresses: Vec<Multiaddr>,
    /// Whether a part of it could not be looked up: there may be more.
    failed: bool,
}

/// The walk and its resolvers.
pub(super) struct Dns {
    walk: Option<Walk>,
    resolvers: Vec<String>,
    /// Rings when the walk wants to be asked again.
    alarm: Alarm,
    /// Look-ups of `/dnsaddr` that failed and wait for their time, by number. No more than there are static peers.
    failed: LiteMap<u32, DnsAddr>,
    next: u32,
}

impl Dns {
    pub(super) fn new(trees: Vec<EnrTreeUrl>, resolvers: Vec<String>, seed: [u8; 32]) -> Self {
        let walk = (!trees.is_empty()).then(|| {
            let config = WalkConfig {
                resolvers: resolvers.len(),
                ..WalkConfig::default()
            };
            Walk::new(trees, config, seed)
        });
        Self {
            walk,
            resolvers,
            alarm: Alarm::default(),
            failed: LiteMap::new(),
            next: 0,
        }
    }

    pub(super) fn start(&mut self) {
        if let Some(walk) = &mut self.walk {
            walk.start(platform::now().mono_ms);
        }
    }

    pub(super) fn stop(&mut self) {
        if let Some(walk) = &mut self.walk {
            walk.stop();
        }
        self.alarm = Alarm::default();
        // A start looks all of them up.
        self.failed.clear();
    }

    /// Looks up all addresses behind a domain, through every level.
    fn resolve(&self, of: DnsAddr) -> impl Future<Output = Resolved> + Send + 'static {
        let resolvers = self.resolvers.clone();
        async move {
            let mut addresses = Vec::new();
            let mut failed = false;
            let mut level = vec![of.domain.clone()];
            for _ in 0..MAX_DNSADDR_DEPTH {
                let mut next = Vec::new();
                for domain in level {
                    let texts = lookup_any(&resolvers, &format!("_dnsaddr.{domain}")).await;
                    failed |= texts.is_none();
                    for text in texts.unwrap_or_default() {
                        let Some(Ok(address)) = text.strip_prefix("dnsaddr=").map(address::parse)
                        else {
                            continue;
                        };
                        match address.iter().next() {
                            Some(Protocol::Dnsaddr(domain)) => {
                                next.push(domain.into_owned());
                            }
                            _ if addresses.len() < MAX_DNSADDR_ADDRESSES => addresses.push(address),
                            _ => {}
                        }
                    }
                }
                next.truncate(MAX_DNSADDR_ADDRESSES);
                level = next;
            }
            Resolved {
                of,
                addresses,
                failed,
            }
        }
    }
}

/// Asks one resolver after the other until one answers: that there is no such name is an answer, that it could not or would
/// not look is none (dns-discovery.md, section 4.1).
async fn lookup_any(resolvers: &[String], name: &str) -> Option<Vec<String>> {
    for resolver in resolvers {
        if let Some(Ok(answer)) = within(LOOKUP_TIMEOUT, lookup(resolver, name)).await
            && matches!(answer.rcode, RCODE_NO_ERROR | RCODE_NXDOMAIN)
        {
            return Some(answer.txt);
        }
    }
    None
}

/// One look-up at one resolver (RFC 8484, GET, so that no preflight is made).
async fn lookup(resolver: &str, name: &str) -> Result<DnsAnswer, ResolverFailure> {
    let query = dns::encode_query(name).map_err(|_| ResolverFailure::Malformed)?;
    let joiner = if resolver.contains('?') { '&' } else { '?' };
    let url = format!("{resolver}{joiner}dns={}", dns::get_param(&query));
    let answer = platform::fetch(url, MEDIA_TYPE, MAX_ANSWER)
        .await
        .map_err(|_| ResolverFailure::Http)?;
    if answer.status != 200 || answer.content_type != MEDIA_TYPE {
        return Err(ResolverFailure::Http);
    }
    dns::decode_response(&answer.body).map_err(|_| ResolverFailure::Malformed)
}

impl Driver {
    /// Starts the look-ups that the walk wants and passes on what it found.
    pub(super) fn poll_dns(&mut self, cx: &mut Context<'_>) -> bool {
        let now = platform::now().mono_ms;
        let mut busy = false;
        while let Some(query) = self.dns.walk.as_mut().and_then(|walk| walk.poll_query(now)) {
            busy = true;
            let resolver = self.dns.resolvers[query.resolver].clone();
            let timeout = Duration::from_millis(query.timeout_ms.into());
            self.spawn(async move {
                let answer = match within(timeout, lookup(&resolver, &query.name)).await {
                    None => Answer::Failed(ResolverFailure::Timeout),
                    Some(Err(failure)) => Answer::Failed(failure),
                    Some(Ok(answer)) => match answer.rcode {
                        RCODE_NO_ERROR if answer.txt.is_empty() => Answer::NoSuchName,
                        RCODE_NO_ERROR => Answer::Txt {
                            records: answer.txt,
                            ttl_s: answer.ttl_s,
                        },
                        RCODE_NXDOMAIN => Answer::NoSuchName,
                        _ => Answer::Failed(ResolverFailure::ServFail),
                    },
                };
                Done::Look(Look(query.id, answer))
            });
        }
        while let Some(event) = self.dns.walk.as_mut().and_then(Walk::poll_event) {
            busy = true;
            self.on_walk(event);
        }
        let deadline = self.dns.walk.as_ref().and_then(Walk::next_deadline);
        busy | self.dns.alarm.poll(cx, deadline, u64::MAX)
    }

    pub(super) fn on_look(&mut self, Look(id, answer): Look) {
        if let Some(walk) = &mut self.dns.walk {
            walk.handle_answer(platform::now().mono_ms, id, answer);
        }
    }

    /// Looks up the addresses behind a `/dnsaddr`.
    pub(super) fn resolve(&mut self, of: DnsAddr) {
        let task = self.dns.resolve(of);
        self.spawn(async { Done::DnsAddr(task.await) });
    }

    pub(super) fn on_resolved(&mut self, resolved: Resolved) {
        let Resolved {
            of,
            addresses,
            failed,
        } = resolved;
        let routes: Vec<_> = addresses
            .into_iter()
            .map(split_peer)
            .filter(|(route, peer)| *peer == Some(of.wanted) && dialable(route, self.setup.page))
            .map(|(route, _)| route)
            .collect();
        if routes.is_empty() {
            let domain = &of.domain;
            let problem = if failed {
                format!("/dnsaddr/{domain} could not be looked up")
            } else {
                format!("no dialable address behind /dnsaddr/{domain}")
            };
            self.log(LogLevel::Warn, "dns", format_args!("{problem}"));
        } else {
            self.found(of.wanted, routes, Vec::new());
        }
        if failed {
            self.look_again_later(of);
        }
    }

    /// Looks a `/dnsaddr` up again after a while, for as long as the node is started.
    fn look_again_later(&mut self, mut of: DnsAddr) {
        if !self.is_started() {
            return;
        }
        of.failures += 1;
        let pause = of.pause();
        let number = self.dns.next;
        self.dns.next += 1;
        self.dns.failed.insert(number, of);
        self.after(pause, Done::LookAgain(number));
    }

    pub(super) fn look_again(&mut self, number: u32) {
        // Looked up meanwhile, or no more of interest.
        if let Some(of) = self.dns.failed.remove(&number) {
            self.resolve(of);
        }
    }

    /// There is a network again: what failed without one need not wait.
    pub(super) fn look_again_now(&mut self) {
        for (_, of) in std::mem::take(&mut self.dns.failed).into_tuple_vec() {
            self.resolve(of);
        }
    }

    fn on_walk(&mut self, event: WalkEvent) {
        match event {
            WalkEvent::Candidate { enr, .. } => {
                self.discovered(&enr, Source::Dns);
            }
            WalkEvent::Finished {
                found,
                failed,
                answered,
            } => {
                self.inputs.push_back(Event::DnsFinished {
                    found,
                    failed,
                    answered,
                });
            }
            WalkEvent::TreeFailed { url, reason, .. } => {
                self.log(LogLevel::Warn, "dns", format_args!("{url}: {reason}"));
            }
            WalkEvent::EntryDropped { name, reason, .. } => {
                self.log(LogLevel::Debug, "dns", format_args!("{name}: {reason}"));
            }
            WalkEvent::Link { url, .. } => {
                self.log(LogLevel::Debug, "dns", format_args!("link to {url}"));
            }
            WalkEvent::ResolverSuspect { resolver, .. } => {
                let resolver = &self.dns.resolvers[resolver];
                self.log(
                    LogLevel::Warn,
                    "dns",
                    format_args!("{resolver} gave a wrong answer"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_look_up_waits_twice_as_long_each_time_and_a_minute_at_most() {
        let pauses = (1..=8).map(|failures| {
            let of = DnsAddr {
                wanted: PeerId::random(),
                domain: String::new(),
                failures,
            };
            of.pause().as_secs()
        });
        assert_eq!(pauses.collect::<Vec<_>>(), [2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
