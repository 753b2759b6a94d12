//! A multiaddr as the URL that a browser's WebSocket takes.
//!
//! Pure, so that the transport's rules are tested natively. The converse, a URL as a multiaddr, is never needed; the
//! multiaddr crate's own would pull the tables of international domain names into the wasm.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};

/// Where a WebSocket connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsUrl {
    /// `ws://…` or `wss://…`, always with a port and a path.
    pub url: String,
    /// Encrypted by TLS, so that a page of `https:` may open it anywhere.
    pub secure: bool,
    /// The host is this machine: browsers let a page of `https:` open it unencrypted.
    pub host_is_local: bool,
    /// What kind of place the host is.
    pub scope: HostScope,
    /// The peer that the address promises.
    pub peer: Option<PeerId>,
}

impl WsUrl {
    /// Whether a page of `https:` may open it. Browsers block the others before they connect (mixed content).
    pub fn allowed_on_https_page(&self) -> bool {
        self.secure || self.host_is_local
    }
}

/// What kind of place a host is, as far as its spelling tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostScope {
    /// This machine.
    Loopback,
    /// Another machine of the same private network.
    Private,
    /// Anywhere else.
    Public,
    /// Nothing that can be connected to: unspecified, multicast, broadcast or reserved.
    Nowhere,
}

/// Why an address is no WebSocket's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WsUrlError {
    /// It does not begin with an ip address or a name that the browser can resolve.
    #[error("no host that a browser can resolve")]
    NoHost,
    /// The name is not a domain name, or reads as an ip address in disguise.
    #[error("not a domain name")]
    BadHost,
    /// Port 0.
    #[error("port 0")]
    BadPort,
    /// No `/ws`, `/wss` or `/tls/ws` where it belongs.
    #[error("not a websocket address")]
    NotWebSocket,
    /// Something follows that is neither a path nor one peer id.
    #[error("unexpected part after the websocket")]
    Trailing,
}

/// The URL of an address: host, optional `/tcp`, then `/ws`, `/wss`, `/tls/ws` or `/tls/sni/NAME/ws`, then optional
/// `/http-path` and `/p2p`.
///
/// Without `/tcp` the port is 80, or 443 when encrypted. With `/sni` the name in it is the host: a browser can present
/// no other one to the server.
pub fn ws_url(address: &Multiaddr) -> Result<WsUrl, WsUrlError> {
    let mut parts = address.iter().peekable();
    let mut host = match parts.next() {
        Some(Protocol::Ip4(ip)) => Host::Ip(ip.into()),
        Some(Protocol::Ip6(ip)) => Host::Ip(ip.into()),
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => {
            Host::name(name.into_owned())?
        }
        _ => return Err(WsUrlError::NoHost),
    };
    let port = match parts.next_if(|part| matches!(part, Protocol::Tcp(_))) {
        Some(Protocol::Tcp(0)) => return Err(WsUrlError::BadPort),
        Some(Protocol::Tcp(port)) => Some(port),
        _ => None,
    };
    let (secure, mut path) = match parts.next() {
        Some(Protocol::Ws(path)) => (false, path),
        Some(Protocol::Wss(path)) => (true, path),
        Some(Protocol::Tls) => {
            if let Some(Protocol::Sni(name)) =
                parts.next_if(|part| matches!(part, Protocol::Sni(_)))
            {
                host = Host::name(name.into_owned())?;
            }
            match parts.next() {
                Some(Protocol::Ws(path)) => (true, path),
                _ => return Err(WsUrlError::NotWebSocket),
            }
        }
        _ => return Err(WsUrlError::NotWebSocket),
    };
    if let Some(Protocol::HttpPath(more)) =
        parts.next_if(|part| matches!(part, Protocol::HttpPath(_)))
    {
        path = more;
    }
    let peer = match parts.next() {
        None => None,
        Some(Protocol::P2p(peer)) if parts.next().is_none() => Some(peer),
        Some(_) => return Err(WsUrlError::Trailing),
    };

    let (scheme, default_port) = if secure { ("wss", 443) } else { ("ws", 80) };
    let port = port.unwrap_or(default_port);
    let scope = host.scope();
    let mut url = format!("{scheme}://{host}:{port}/");
    push_path(&mut url, path.strip_prefix('/').unwrap_or(&path));
    Ok(WsUrl {
        url,
        secure,
        host_is_local: scope == HostScope::Loopback,
        scope,
        peer,
    })
}

enum Host {
    Ip(IpAddr),
    Name(String),
}

impl Host {
    fn name(name: String) -> Result<Self, WsUrlError> {
        let bare = name.strip_suffix('.').unwrap_or(&name);
        let valid = bare.len() <= 253
            && bare.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
            });
        // A URL whose host ends in a number is an IPv4 address in one of its odd spellings (WHATWG URL, "ends in a
        // number"), and would pass as a public name here.
        let last = bare.rsplit('.').next().unwrap_or_default();
        let numeric = last.bytes().all(|byte| byte.is_ascii_digit())
            || last
                .get(..2)
                .is_some_and(|start| start.eq_ignore_ascii_case("0x"));
        if valid && !numeric {
            Ok(Self::Name(name))
        } else {
            Err(WsUrlError::BadHost)
        }
    }

    fn scope(&self) -> HostScope {
        match self {
            Self::Ip(IpAddr::V4(ip)) => scope_v4(*ip),
            Self::Ip(IpAddr::V6(ip)) => scope_v6(*ip),
            Self::Name(name) => scope_name(name),
        }
    }
}

impl std::fmt::Display for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

fn scope_v4(ip: Ipv4Addr) -> HostScope {
    match ip.octets() {
        [127, ..] => HostScope::Loopback,
        [0 | 224..=255, ..] => HostScope::Nowhere,
        // Carriers' shared addresses, RFC 6598.
        [100, 64..=127, ..] => HostScope::Private,
        _ if ip.is_private() || ip.is_link_local() => HostScope::Private,
        _ => HostScope::Public,
    }
}

fn scope_v6(ip: Ipv6Addr) -> HostScope {
    if let Some(ip) = ip.to_ipv4_mapped() {
        return scope_v4(ip);
    }
    if ip.is_loopback() {
        HostScope::Loopback
    } else if ip.is_unspecified() || ip.is_multicast() {
        HostScope::Nowhere
    } else if ip.is_unique_local() || ip.is_unicast_link_local() {
        HostScope::Private
    } else {
        HostScope::Public
    }
}

/// What a name says of itself. One that resolves to a private address is told from a public one by the browser alone.
fn scope_name(name: &str) -> HostScope {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    match name.rsplit('.').next() {
        Some("localhost") => HostScope::Loopback,
        // Multicast DNS (RFC 6762), and the name reserved for private use.
        Some("local" | "internal") => HostScope::Private,
        // A name of one label is found in the local network's search domain.
        Some(last) if last.len() == name.len() => HostScope::Private,
        _ => HostScope::Public,
    }
}

/// Appends a path, escaping what may not stand in one. Escapes that are already there stay.
fn push_path(url: &mut String, path: &str) {
    let bytes = path.as_bytes();
    for (place, &byte) in bytes.iter().enumerate() {
        let escaped = byte == b'%'
            && bytes
                .get(place + 1..place + 3)
                .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let plain = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte);
        if plain || escaped {
            url.push(byte.into());
        } else {
            write!(url, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HostScope, WsUrlError, ws_url};

    fn url(address: &str) -> Result<String, WsUrlError> {
        ws_url(&address.parse().unwrap()).map(|url| url.url)
    }

    #[test]
    fn the_name_of_the_certificate_is_the_host() {
        assert_eq!(
            url("/ip4/192.0.2.7/tcp/443/tls/sni/a.example.org/ws").as_deref(),
            Ok("wss://a.example.org:443/"),
        );
    }

    #[test]
    fn a_name_that_browsers_read_as_an_ip_address_is_refused() {
        for name in ["127.1", "2130706433", "0x7f.0x1", "a.0X7F", "10.0.0.1"] {
            let address = format!("/dns4/{name}/tcp/80/ws");
            assert_eq!(url(&address), Err(WsUrlError::BadHost), "{name}");
        }
    }

    #[test]
    fn a_name_cannot_smuggle_other_parts_of_a_url() {
        for name in ["a@b.example", "a.example:81", "a?b", "a#b", "a b", ""] {
            let address = multiaddr::Multiaddr::empty()
                .with(multiaddr::Protocol::Dns4(name.into()))
                .with(multiaddr::Protocol::Ws("/".into()));
            assert_eq!(ws_url(&address), Err(WsUrlError::BadHost), "{name}");
        }
    }

    #[test]
    fn a_path_is_escaped_once() {
        assert_eq!(
            url("/dns/a.example/tcp/80/ws/http-path/x%20y%252F%3Fz").as_deref(),
            Ok("ws://a.example:80/x%20y%2F%3Fz"),
        );
    }

    #[test]
    fn a_relayed_address_is_not_a_websocket() {
        let relay = "16Uiu2HAmDQugwDHM3YeUp86iGjrUvbdw3JPRgikC7YoGBsT2ymMg";
        let address = format!("/dns4/r.example.org/tcp/443/wss/p2p/{relay}/p2p-circuit");
        assert_eq!(url(&address), Err(WsUrlError::Trailing));
    }

    #[test]
    fn hosts_are_told_apart_by_where_they_are() {
        let scope = |host: &str| {
            ws_url(&format!("/{host}/tcp/80/ws").parse().unwrap())
                .unwrap()
                .scope
        };
        assert_eq!(scope("ip4/127.9.9.9"), HostScope::Loopback);
        assert_eq!(scope("ip6/::1"), HostScope::Loopback);
        assert_eq!(scope("ip6/::ffff:127.0.0.1"), HostScope::Loopback);
        assert_eq!(scope("dns/LOCALHOST."), HostScope::Loopback);
        assert_eq!(scope("dns4/a.localhost"), HostScope::Loopback);
        assert_eq!(scope("ip4/10.0.0.1"), HostScope::Private);
        assert_eq!(scope("ip4/100.64.0.1"), HostScope::Private);
        assert_eq!(scope("ip4/169.254.1.1"), HostScope::Private);
        assert_eq!(scope("ip6/fd00::1"), HostScope::Private);
        assert_eq!(scope("dns/printer.local"), HostScope::Private);
        assert_eq!(scope("dns/router"), HostScope::Private);
        assert_eq!(scope("ip4/0.0.0.0"), HostScope::Nowhere);
        assert_eq!(scope("ip4/224.0.0.1"), HostScope::Nowhere);
        assert_eq!(scope("ip6/::"), HostScope::Nowhere);
        assert_eq!(scope("ip6/2001:db8::1"), HostScope::Public);
        assert_eq!(scope("dns4/a.example.org"), HostScope::Public);
    }
}
