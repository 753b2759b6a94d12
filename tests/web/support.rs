//! What the tests share.
#![allow(dead_code, reason = "each test program uses its part")]

use std::future::Future;

use futures::future::{Either, select};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use gloo_timers::future::TimeoutFuture;
use libp2p::core::{
    Endpoint, Transport as _,
    transport::{DialOpts, PortUse, TransportError},
};
use lightkeeper::transport::{Connection, Dial, Error, Transport, abandon_all, open_sockets};

/// The servers of `echo.rs`, as offsets of their ports.
pub(crate) const ECHO: u16 = 0;
pub(crate) const STALL: u16 = 1;
pub(crate) const CLOSE: u16 = 2;
pub(crate) const ABRUPT: u16 = 3;
pub(crate) const FLOOD: u16 = 4;
pub(crate) const SLOW: u16 = 5;
pub(crate) const DEAD: u16 = 6;

/// The port of a server.
pub(crate) fn port(offset: u16) -> u16 {
    let base: u16 = option_env!("LIGHTKEEPER_ECHO_PORT")
        .unwrap_or("8790")
        .parse()
        .expect("a port");
    base + offset
}

/// The address of a server, as text.
pub(crate) fn address(offset: u16) -> String {
    format!("/ip4/127.0.0.1/tcp/{}/ws", port(offset))
}

/// For tests that count sockets: closes those that a failed test has left open.
pub(crate) fn clean_slate() {
    abandon_all();
    assert_eq!(open_sockets(), 0);
}

/// Begins a dial as the swarm would.
pub(crate) fn begin(
    transport: &mut Transport,
    address: &str,
) -> Result<Dial, TransportError<Error>> {
    let opts = DialOpts {
        role: Endpoint::Dialer,
        port_use: PortUse::Reuse,
    };
    transport.dial(address.parse().expect("a multiaddr"), opts)
}

/// Dials and waits, but not for ever.
pub(crate) async fn dial(address: &str) -> Result<Connection, Error> {
    match begin(&mut Transport::new(), address) {
        Ok(dial) => within(dial).await,
        Err(TransportError::Other(error)) => Err(error),
        Err(TransportError::MultiaddrNotSupported(address)) => panic!("not supported: {address}"),
    }
}

/// What the future gives, or a panic if it hangs. The limit is far above what anything here needs, and far below the
/// browser's own.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    match select(std::pin::pin!(future), TimeoutFuture::new(8_000)).await {
        Either::Left((value, _)) => value,
        Either::Right(_) => panic!("still waiting after 8 s"),
    }
}

/// Lets events happen until the condition holds, or panics if it never does.
pub(crate) async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    within(async {
        while !holds().await {
            TimeoutFuture::new(5).await;
        }
    })
    .await;
}

/// Asks the echo server what it counts.
pub(crate) struct Status(Connection);

impl Status {
    pub(crate) async fn open() -> Self {
        Self(
            dial(&format!("{}/http-path/status", address(ECHO)))
                .await
                .unwrap(),
        )
    }

    /// Its own open connections, those that stall, and the endless answers that were taken whole and that were not.
    pub(crate) async fn ask(&mut self) -> [u32; 4] {
        self.0.write_all(b"?").await.unwrap();
        let mut answer = [0; 16];
        self.0.read_exact(&mut answer).await.unwrap();
        let mut counts = answer.chunks_exact(4);
        [(); 4].map(|()| {
            let count = counts.next().expect("four of them");
            u32::from_be_bytes(count.try_into().expect("four bytes"))
        })
    }
}

/// Lets some time pass.
pub(crate) async fn pause(ms: u32) {
    TimeoutFuture::new(ms).await;
}
