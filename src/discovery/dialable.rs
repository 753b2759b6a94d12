//! Which addresses a page may dial.
//!
//! Addresses come from strangers, and a page stands inside its user's network: without this filter a record could point
//! it at the user's router. For now a page speaks WebSocket alone; WebRTC, WebTransport and relayed addresses come later
//! and are not dialable yet.

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};

use super::ws_url::{HostScope, ws_url};

/// What decides about an address besides the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The page was loaded over `https:`, so browsers block unencrypted WebSockets to other machines.
    pub secure: bool,
    /// The application wants addresses of this machine and of the private network: it runs on a local network itself.
    pub private_allowed: bool,
}

/// Whether a page may dial an address. A `/p2p` at its end makes no difference.
pub fn dialable(address: &Multiaddr, page: Page) -> bool {
    let Ok(url) = ws_url(address) else {
        return false;
    };
    let reachable = match url.scope {
        HostScope::Public => true,
        HostScope::Loopback | HostScope::Private => page.private_allowed,
        HostScope::Nowhere => false,
    };
    reachable && (!page.secure || url.allowed_on_https_page())
}

/// An address without the peer id at its end, and that id.
pub fn split_peer(mut address: Multiaddr) -> (Multiaddr, Option<PeerId>) {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => {
            address.pop();
            (address, Some(peer))
        }
        _ => (address, None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, dialable, split_peer};

    const PEER: &str = "16Uiu2HAmDQugwDHM3YeUp86iGjrUvbdw3JPRgikC7YoGBsT2ymMg";
    const PLAIN: Page = Page {
        secure: false,
        private_allowed: false,
    };
    const SECURE: Page = Page {
        secure: true,
        private_allowed: false,
    };

    fn check(address: &str, page: Page) -> bool {
        dialable(&address.parse().unwrap(), page)
    }

    #[test]
    fn a_secure_page_dials_secure_sockets_only() {
        assert!(check("/dns4/a.example.org/tcp/443/wss", SECURE));
        assert!(!check("/dns4/a.example.org/tcp/80/ws", SECURE));
        assert!(check("/dns4/a.example.org/tcp/80/ws", PLAIN));
    }

    #[test]
    fn addresses_inside_the_users_network_need_the_applications_word() {
        let local = Page {
            private_allowed: true,
            ..SECURE
        };
        for address in ["/ip4/127.0.0.1/tcp/8801/ws", "/dns/localhost/tcp/8801/ws"] {
            assert!(!check(address, PLAIN), "{address}");
            assert!(check(address, local), "{address}");
        }
        assert!(!check("/ip4/192.168.1.1/tcp/443/wss", SECURE));
        assert!(check("/ip4/192.168.1.1/tcp/443/wss", local));
        assert!(!check("/ip4/192.168.1.1/tcp/80/ws", local));
        assert!(!check("/ip4/0.0.0.0/tcp/443/wss", local));
    }

    #[test]
    fn what_is_not_a_websocket_is_not_dialable() {
        for address in [
            "/ip4/192.0.2.1/tcp/30303".to_owned(),
            "/ip4/192.0.2.1/udp/9000/quic-v1".to_owned(),
            format!("/dns4/r.example.org/tcp/443/wss/p2p/{PEER}/p2p-circuit/p2p/{PEER}"),
        ] {
            assert!(!check(&address, PLAIN), "{address}");
        }
    }

    #[test]
    fn the_peer_at_the_end_comes_off() {
        let bare = "/dns4/a.example.org/tcp/443/wss";
        let (address, peer) = split_peer(format!("{bare}/p2p/{PEER}").parse().unwrap());
        assert_eq!(address.to_string(), bare);
        assert_eq!(peer.map(|peer| peer.to_string()).as_deref(), Some(PEER));
        assert_eq!(split_peer(address.clone()), (address, None));
    }
}
