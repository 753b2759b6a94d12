//! Addresses that are refused before anything is dialed.

use libp2p::core::{
    Endpoint, Transport as _,
    transport::{DialOpts, ListenerId, PortUse, TransportError},
};
use lightkeeper::transport::{Error, Transport, open_sockets};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{ECHO, address, begin, clean_slate, dial};

#[wasm_bindgen_test]
fn a_secure_page_refuses_insecure_sockets_before_it_dials() {
    clean_slate();
    let mut secure = Transport::for_page(true);
    for refused in [
        "/ip4/192.0.2.1/tcp/80/ws",
        "/dns4/a.example.org/tcp/8000/ws",
        "/ip6/2001:db8::1/tcp/80/ws",
    ] {
        let Err(TransportError::Other(error)) = begin(&mut secure, refused) else {
            panic!("{refused}")
        };
        assert!(
            matches!(error, Error::NotAllowed { .. }),
            "{refused}: {error}"
        );
        assert!(begin(&mut Transport::for_page(false), refused).is_ok());
    }
    for allowed in [
        "/ip4/127.0.0.1/tcp/80/ws",
        "/dns4/a.example.org/tcp/443/wss",
        "/dns4/a.example.org/tcp/443/tls/ws",
    ] {
        assert!(begin(&mut secure, allowed).is_ok(), "{allowed}");
    }
    assert_eq!(open_sockets(), 0);
}

#[wasm_bindgen_test]
async fn a_port_that_the_browser_blocks_is_no_panic() {
    // 6667 is on every browser's list (Fetch, "bad port").
    let error = dial("/ip4/127.0.0.1/tcp/6667/ws").await.unwrap_err();
    assert!(
        matches!(error, Error::NotAllowed { .. } | Error::Unreachable),
        "{error}"
    );
}

#[wasm_bindgen_test]
fn what_is_no_websocket_address_is_left_to_other_transports() {
    let mut transport = Transport::new();
    for address in [
        "/ip4/127.0.0.1/tcp/8790",
        "/ip4/127.0.0.1/udp/1/quic-v1",
        "/p2p-circuit",
    ] {
        let Err(TransportError::MultiaddrNotSupported(same)) = begin(&mut transport, address)
        else {
            panic!("{address}")
        };
        assert_eq!(same.to_string(), address);
    }
    let here: libp2p::Multiaddr = address(ECHO).parse().unwrap();
    let listening = DialOpts {
        role: Endpoint::Listener,
        port_use: PortUse::Reuse,
    };
    assert!(matches!(
        transport.dial(here.clone(), listening),
        Err(TransportError::MultiaddrNotSupported(_))
    ));
    assert!(matches!(
        transport.listen_on(ListenerId::next(), here),
        Err(TransportError::MultiaddrNotSupported(_))
    ));
}
