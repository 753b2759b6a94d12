//! What carries a connection to an address (4.7).
//!
//! Pure: reads the address alone.

use multiaddr::{Multiaddr, Protocol};

use crate::manager::boundary::event::Transport;

/// The transport of an address. A relayed address is one of its relay, whatever leads there.
pub(in crate::manager) fn of(address: &Multiaddr) -> Transport {
    let mut found = Transport::Other;
    let mut secure = false;
    for protocol in address {
        match protocol {
            Protocol::P2pCircuit => return Transport::Circuit,
            Protocol::Tls => secure = true,
            Protocol::Ws(_) if secure => found = Transport::Wss,
            Protocol::Ws(_) => found = Transport::Ws,
            Protocol::Wss(_) => found = Transport::Wss,
            Protocol::WebTransport => found = Transport::WebTransport,
            Protocol::WebRTCDirect | Protocol::WebRTC => found = Transport::WebRtcDirect,
            _ => {}
        }
    }
    found
}

/// Smaller is tried first among addresses that did equally well: what costs the page least (4.7).
pub(in crate::manager) fn preference(transport: Transport) -> u8 {
    match transport {
        Transport::Other | Transport::Ws | Transport::Wss => 0,
        Transport::WebTransport => 1,
        Transport::WebRtcDirect => 2,
        Transport::Circuit => 3,
    }
}

/// How many connections and dials a transport may have unless the user says otherwise (4.7): browsers keep few WebRTC
/// connections, and a relay is shared with others. `None`: as many as the hard cap allows.
pub(in crate::manager) fn default_max(transport: Transport) -> Option<u16> {
    match transport {
        Transport::WebRtcDirect => Some(8),
        Transport::Circuit => Some(4),
        Transport::Ws | Transport::Wss | Transport::WebTransport | Transport::Other => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_carries_it() {
        for (address, transport) in [
            ("/ip4/1.2.3.4/tcp/80/ws", Transport::Ws),
            ("/dns4/a.example/tcp/443/wss", Transport::Wss),
            ("/dns4/a.example/tcp/443/tls/ws", Transport::Wss),
            (
                "/dns4/a.example/tcp/443/tls/sni/b.example/ws",
                Transport::Wss,
            ),
            (
                "/ip4/1.2.3.4/udp/443/quic-v1/webtransport",
                Transport::WebTransport,
            ),
            ("/ip4/1.2.3.4/udp/9/webrtc-direct", Transport::WebRtcDirect),
            (
                "/dns4/a.example/tcp/443/wss/p2p-circuit",
                Transport::Circuit,
            ),
            ("/ip4/1.2.3.4/tcp/30303", Transport::Other),
        ] {
            assert_eq!(of(&address.parse().expect("an address")), transport);
        }
    }
}
