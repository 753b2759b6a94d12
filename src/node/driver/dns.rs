//! Runs the tree walk over DNS-over-HTTPS, and looks up `/dnsaddr`.

use std::future::Future;
use std::task::Context;
use std::time::Duration;

use futures::future::BoxFuture;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::exchange::within;
use super::{Done, Driver};
use crate::discovery::address;
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
/// How deep `/dnsaddr` entries may name others, and how many addresses they may give in all: real ones need two levels.
const MAX_DNSADDR_DEPTH: usize = 3;
const MAX_DNSADDR_ADDRESSES: usize = 16;

/// What a look-up of the walk came to.
pub(in crate::node) struct Look(QueryId, Answer);

/// What a `/dnsaddr` came to.
pub(in crate::node) struct Resolved {
    pub(super) wanted: Option<PeerId>,
    pub(super) domain: String,
    pub(super) addresses: Vec<Multiaddr>,
}

/// The walk and its resolvers.
pub(super) struct Dns {
    walk: Option<Walk>,
    resolvers: Vec<String>,
    /// When the walk wants to be asked again, and the timer for it.
    timer: Option<(u64, BoxFuture<'static, ()>)>,
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
            timer: None,
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
        self.timer = None;
    }

    /// Looks up all addresses behind a domain, through every level.
    pub(super) fn resolve(
        &self,
        wanted: Option<PeerId>,
        domain: String,
    ) -> impl Future<Output = Resolved> + Send + 'static {
        let resolvers = self.resolvers.clone();
        async move {
            let mut addresses = Vec::new();
            let mut level = vec![domain.clone()];
            for _ in 0..MAX_DNSADDR_DEPTH {
                let mut next = Vec::new();
                for domain in level {
                    for text in lookup_any(&resolvers, &format!("_dnsaddr.{domain}")).await {
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
                wanted,
                domain,
                addresses,
            }
        }
    }
}

/// Asks one resolver after the other until one answers.
async fn lookup_any(resolvers: &[String], name: &str) -> Vec<String> {
    for resolver in resolvers {
        if let Some(Ok(answer)) = within(LOOKUP_TIMEOUT, lookup(resolver, name)).await {
            return answer.txt;
        }
    }
    Vec::new()
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
            self.tasks.push(Box::pin(async move {
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
            }));
        }
        while let Some(event) = self.dns.walk.as_mut().and_then(Walk::poll_event) {
            busy = true;
            self.on_walk(event);
        }
        busy | self.poll_dns_timer(cx)
    }

    fn poll_dns_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.dns.walk.as_ref().and_then(Walk::next_deadline);
        match (deadline, &self.dns.timer) {
            (None, _) => self.dns.timer = None,
            (Some(at), Some((set_for, _))) if at == *set_for => {}
            (Some(at), _) => {
                let wait = at.saturating_sub(platform::now().mono_ms);
                let timer = platform::sleep(Duration::from_millis(wait));
                self.dns.timer = Some((at, Box::pin(timer)));
            }
        }
        let due = match &mut self.dns.timer {
            Some((_, timer)) => timer.as_mut().poll(cx).is_ready(),
            None => false,
        };
        if due {
            self.dns.timer = None;
        }
        due
    }

    pub(super) fn on_look(&mut self, Look(id, answer): Look) {
        if let Some(walk) = &mut self.dns.walk {
            walk.handle_answer(platform::now().mono_ms, id, answer);
        }
    }

    fn on_walk(&mut self, event: WalkEvent) {
        match event {
            WalkEvent::Candidate { enr, .. } => {
                self.discovered(&enr, Source::Dns, None);
            }
            WalkEvent::Finished { found, failed } => {
                self.inputs.push_back(Event::DnsFinished { found, failed });
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
