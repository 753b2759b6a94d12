//! The multiplexer over a browser's WebSocket, at its end.

use std::task::Poll;

use futures::{
    AsyncReadExt as _, AsyncWriteExt as _,
    future::{Either, poll_fn, select},
};
use libp2p::core::{muxing::StreamMuxerExt as _, upgrade::OutboundConnectionUpgrade as _};
use lightkeeper::node::muxer::{self, Muxer};
use lightkeeper::transport::{Connection, open_sockets};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{ABRUPT, ECHO, address, clean_slate, dial, within};

/// Yamux over a connection.
async fn muxed(connection: Connection) -> Muxer<Connection> {
    muxer::Config
        .upgrade_outbound(connection, "/yamux/1.0.0")
        .await
        .unwrap()
}

#[wasm_bindgen_test]
async fn the_multiplexer_too_closes_though_its_goodbye_cannot_be_written() {
    clean_slate();
    let mut muxer = muxed(dial(&address(ABRUPT)).await.unwrap()).await;
    let mut streams = Vec::new();
    // Until the network's own buffers are full, and what yamux itself holds.
    loop {
        let mut stream = poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await.unwrap();
        // More than waits in a stream, so that the connection must take some.
        let write = stream.write_all(&[7; 250 * 1024]);
        let work = poll_fn(|cx| muxer.poll_unpin(cx));
        let full = matches!(
            select(
                std::pin::pin!(write),
                select(work, gloo_timers::future::TimeoutFuture::new(500)),
            )
            .await,
            Either::Right(_)
        );
        streams.push(stream);
        if full {
            break;
        }
    }
    within(poll_fn(|cx| muxer.poll_close_unpin(cx)))
        .await
        .unwrap();
    drop(muxer);
    assert_eq!(open_sockets(), 0);
    drop(dial(&address(ABRUPT)).await);
}

#[wasm_bindgen_test]
async fn a_goodbye_and_what_came_with_it_are_heard_though_the_socket_has_closed() {
    let mut connection = dial(&format!("{}/http-path/goodbye", address(ECHO)))
        .await
        .unwrap();
    connection.write_all(b"?").await.unwrap();
    // Long enough for all of it, the close included, to come before we look.
    gloo_timers::future::TimeoutFuture::new(300).await;
    let mut muxer = muxed(connection).await;
    let mut streams = Vec::new();
    let end = within(poll_fn(|cx| {
        let polled = muxer.poll_unpin(cx);
        while let Poll::Ready(Ok(stream)) = muxer.poll_inbound_unpin(cx) {
            streams.push(stream);
        }
        polled
    }))
    .await;
    assert!(matches!(end, Err(muxer::Error::Goodbye(_))), "{end:?}");
    let mut words = String::new();
    streams[0].read_to_string(&mut words).await.unwrap();
    assert_eq!(words, "bye");
}
