//! Texts as multiaddrs.
//!
//! The multiaddr crate reads them too, for more protocols than a page will ever dial: with onion services comes the table
//! of Unicode's capital letters, with the rest two dozen number bases, all of them in the wasm. Here is the same spelling
//! without onion, onion3, garlic32 and garlic64, and with base64url as the only base of a certificate's hash. The tests
//! hold both readers against each other.

use std::borrow::Cow;

use data_encoding::BASE64URL_NOPAD;
use multiaddr::multihash::Multihash;
use multiaddr::{Multiaddr, Protocol};
use percent_encoding::percent_decode_str;

/// The prefix by which multibase tells base64url without padding.
const BASE64URL: char = 'u';

/// Why a text is no multiaddr.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The first letter is not a slash.
    #[error("no leading slash")]
    NoSlash,
    /// A protocol that does not exist, or that no page speaks.
    #[error("unknown protocol {0:?}")]
    Protocol(String),
    /// The protocol is known; what follows it is missing or is not of its kind.
    #[error("bad value of {0}")]
    Value(String),
}

/// Reads an address.
///
/// # Errors
/// Names the first protocol that cannot be read.
pub fn parse(text: &str) -> Result<Multiaddr, AddressError> {
    let rest = text.strip_prefix('/').ok_or(AddressError::NoSlash)?;
    let mut address = Multiaddr::empty();
    let mut parts = rest.split('/');
    while let Some(name) = parts.next() {
        let protocol = match valueless(name) {
            Some(protocol) => protocol,
            None => valued(name, parts.next())?,
        };
        address.push(protocol);
    }
    Ok(address)
}

fn valueless(name: &str) -> Option<Protocol<'static>> {
    Some(match name {
        "http" => Protocol::Http,
        "https" => Protocol::Https,
        "noise" => Protocol::Noise,
        "p2p-circuit" => Protocol::P2pCircuit,
        "p2p-stardust" => Protocol::P2pStardust,
        "p2p-webrtc-direct" => Protocol::P2pWebRtcDirect,
        "p2p-webrtc-star" => Protocol::P2pWebRtcStar,
        "p2p-websocket-star" => Protocol::P2pWebSocketStar,
        "quic" => Protocol::Quic,
        "quic-v1" => Protocol::QuicV1,
        "tls" => Protocol::Tls,
        "udt" => Protocol::Udt,
        "utp" => Protocol::Utp,
        "webrtc" => Protocol::WebRTC,
        "webrtc-direct" => Protocol::WebRTCDirect,
        "webtransport" => Protocol::WebTransport,
        "ws" => Protocol::Ws("/".into()),
        "wss" => Protocol::Wss("/".into()),
        _ => return None,
    })
}

fn valued<'a>(name: &str, value: Option<&'a str>) -> Result<Protocol<'a>, AddressError> {
    // A protocol that does not exist is unknown whether or not something follows it.
    let text = value.unwrap_or_default();
    let protocol = match name {
        "dccp" => text.parse().ok().map(Protocol::Dccp),
        "dns" => Some(Protocol::Dns(text.into())),
        "dns4" => Some(Protocol::Dns4(text.into())),
        "dns6" => Some(Protocol::Dns6(text.into())),
        "dnsaddr" => Some(Protocol::Dnsaddr(text.into())),
        "ip4" => text.parse().ok().map(Protocol::Ip4),
        "ip6" => text.parse().ok().map(Protocol::Ip6),
        "ip6zone" => Some(Protocol::Ip6zone(text.into())),
        "ipcidr" => text.parse().ok().map(Protocol::Ipcidr),
        "memory" => text.parse().ok().map(Protocol::Memory),
        "sctp" => text.parse().ok().map(Protocol::Sctp),
        "sni" => Some(Protocol::Sni(text.into())),
        "tcp" => text.parse().ok().map(Protocol::Tcp),
        "udp" => text.parse().ok().map(Protocol::Udp),
        "unix" => Some(Protocol::Unix(text.into())),
        "p2p" | "ipfs" => text.parse().ok().map(Protocol::P2p),
        "certhash" => text
            .strip_prefix(BASE64URL)
            .and_then(|hash| BASE64URL_NOPAD.decode(hash.as_bytes()).ok())
            .and_then(|hash| Multihash::from_bytes(&hash).ok())
            .map(Protocol::Certhash),
        "http-path" => unescape(text).map(Protocol::HttpPath),
        "x-parity-ws" => unescape(text).map(Protocol::Ws),
        "x-parity-wss" => unescape(text).map(Protocol::Wss),
        _ => return Err(AddressError::Protocol(name.to_owned())),
    };
    match (protocol, value) {
        (Some(protocol), Some(_)) => Ok(protocol),
        _ => Err(AddressError::Value(name.to_owned())),
    }
}

fn unescape(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use multiaddr::Multiaddr;

    use super::{AddressError, parse};

    const PEER: &str = "16Uiu2HAmDQugwDHM3YeUp86iGjrUvbdw3JPRgikC7YoGBsT2ymMg";

    #[test]
    fn texts_read_as_the_multiaddr_crate_reads_them() {
        for text in [
            "/ip4/192.0.2.1/tcp/443/tls/sni/a.example.org/ws".to_owned(),
            "/ip6/2001:db8::1/tcp/80/ws/http-path/a%2Fb%20c".to_owned(),
            "/ip6zone/eth0/ip6/fe80::1/udp/9000/quic".to_owned(),
            format!("/dns4/a.example.org/tcp/443/wss/p2p/{PEER}"),
            format!("/dns4/r.example.org/tcp/443/wss/p2p/{PEER}/p2p-circuit/p2p/{PEER}"),
            format!("/dns/a.example/tcp/80/x-parity-ws/x%2Fy/p2p/{PEER}"),
            format!("/dns6/a.example/tcp/80/x-parity-wss/x%2Fy/p2p/{PEER}"),
            "/dnsaddr/example.org".to_owned(),
            "/ip4/192.0.2.1/udp/9000/quic-v1/webtransport/certhash/uEiAsGPzpiPGQzSlVHRXrUCT5EkTV7YFrV4VZ3hpEKTd_zg".to_owned(),
            "/ip4/192.0.2.1/udp/9000/webrtc-direct".to_owned(),
            "/ip4/192.0.2.1/ipcidr/24".to_owned(),
            "/memory/7".to_owned(),
            "/ip4/192.0.2.1/sctp/1/dccp/2/udt/utp".to_owned(),
            "/unix/socket".to_owned(),
            "/dns4/a.example/https/http/noise/webrtc".to_owned(),
            "/p2p-stardust/p2p-webrtc-direct/p2p-webrtc-star/p2p-websocket-star".to_owned(),
        ] {
            let theirs: Multiaddr = text.parse().unwrap();
            assert_eq!(parse(&text).as_ref(), Ok(&theirs), "{text}");
        }
    }

    #[test]
    fn what_the_multiaddr_crate_refuses_is_refused() {
        for text in [
            "/",
            "ip4/192.0.2.1",
            "/ip4",
            "/ip4/",
            "/ip4/192.0.2.256",
            "/ip6/192.0.2.1",
            "/tcp/65536",
            "/tcp/-1",
            "/dns4",
            "/dns4/a.example/",
            "/dns4/a.example//tcp/1",
            "/p2p/nonsense",
            "/certhash/u",
            "/http-path/%FF",
            "/nonsense/1",
        ] {
            assert!(text.parse::<Multiaddr>().is_err(), "{text}");
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_error_names_the_protocol() {
        assert_eq!(parse("a"), Err(AddressError::NoSlash));
        assert_eq!(
            parse("/dns4/a.example/onion/x"),
            Err(AddressError::Protocol("onion".to_owned()))
        );
        assert_eq!(
            parse("/dns4/a.example/tcp"),
            Err(AddressError::Value("tcp".to_owned()))
        );
    }
}
