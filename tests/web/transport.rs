//! The browser transport against servers that behave and servers that do not.

use std::{cell::Cell, io, pin::Pin, rc::Rc, task::Poll};

use futures::{
    AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _,
    future::{Either, join, poll_fn, select},
};
use libp2p::core::{
    Endpoint, Transport as _,
    muxing::StreamMuxerExt as _,
    transport::{DialOpts, ListenerId, PortUse, TransportError},
    upgrade::OutboundConnectionUpgrade as _,
};
use lightkeeper::node::muxer::{self, Muxer};
use lightkeeper::transport::{
    Closed, Connection, Error, Fault, HIGH_WATER, MAX_MESSAGE, READ_LIMIT, Transport, abandon_all,
    open_sockets,
};
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::heap::{live_bytes, live_objects};
use crate::support::{
    ABRUPT, CLOSE, DEAD, ECHO, FLOOD, SLOW, STALL, Status, address, begin, clean_slate, dial,
    eventually, within,
};

/// What a write past the high-water mark may leave in hand.
const MOST_IN_HAND: u32 = HIGH_WATER + MAX_MESSAGE as u32;

/// The inner error of an end.
fn closed(error: &io::Error) -> Closed {
    *error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("not a close: {error:?}"))
}

fn fault(error: &io::Error) -> Fault {
    *error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .unwrap_or_else(|| panic!("not a fault: {error:?}"))
}

/// Writes until the connection takes no more at once; how much it took.
async fn fill(connection: &mut Connection) -> usize {
    let block = vec![7; MAX_MESSAGE];
    let mut taken = 0;
    poll_fn(|cx| {
        while let Poll::Ready(result) = Pin::new(&mut *connection).poll_write(cx, &block) {
            taken += result.unwrap();
        }
        Poll::Ready(())
    })
    .await;
    taken
}

async fn read_is_pending(connection: &mut Connection) -> bool {
    poll_fn(|cx| {
        Poll::Ready(
            Pin::new(&mut *connection)
                .poll_read(cx, &mut [0; 16])
                .is_pending(),
        )
    })
    .await
}

#[wasm_bindgen_test]
async fn what_is_sent_comes_back() {
    clean_slate();
    let mut connection = dial(&address(ECHO)).await.unwrap();
    assert_eq!(open_sockets(), 1);
    connection.write_all(b"hello").await.unwrap();
    connection.flush().await.unwrap();
    // Smaller reads than the message.
    let mut answer = [0; 5];
    within(connection.read_exact(&mut answer[..2]))
        .await
        .unwrap();
    within(connection.read_exact(&mut answer[2..]))
        .await
        .unwrap();
    assert_eq!(&answer, b"hello");
    within(connection.close()).await.unwrap();
    assert_eq!(open_sockets(), 0);
}

#[wasm_bindgen_test]
async fn a_flush_is_done_when_the_bytes_are_the_browsers() {
    let mut connection = dial(&address(ECHO)).await.unwrap();
    let (written, flushed) = poll_fn(|cx| {
        let written = Pin::new(&mut connection).poll_write(cx, b"now");
        let flushed = Pin::new(&mut connection).poll_flush(cx);
        Poll::Ready((written, flushed))
    })
    .await;
    assert!(matches!(written, Poll::Ready(Ok(3))), "{written:?}");
    assert!(matches!(flushed, Poll::Ready(Ok(()))), "{flushed:?}");
}

#[wasm_bindgen_test]
async fn ten_megabytes_pass_each_way_unchanged() {
    const LENGTH: usize = 10_000_000;
    /// Repeats after 251 bytes, so no block boundary hides a lost or swapped block.
    fn pattern(from: usize, length: usize) -> Vec<u8> {
        (from..from + length)
            .map(|index| (index % 251) as u8)
            .collect()
    }
    let connection = dial(&address(ECHO)).await.unwrap();
    let (mut reader, mut writer) = connection.split();
    let write = async {
        let mut at = 0;
        while at < LENGTH {
            let length = 100_000.min(LENGTH - at);
            writer.write_all(&pattern(at, length)).await.unwrap();
            at += length;
        }
        writer.flush().await.unwrap();
    };
    let read = async {
        let mut buffer = vec![0; 40_000];
        let mut at = 0;
        while at < LENGTH {
            let length = reader.read(&mut buffer).await.unwrap();
            assert!(length > 0, "an end of file after {at} bytes");
            assert!(
                buffer[..length] == pattern(at, length)[..],
                "changed after {at} bytes"
            );
            at += length;
        }
        assert_eq!(at, LENGTH);
    };
    join(write, read).await;
}

#[wasm_bindgen_test]
async fn a_thousand_cycles_leave_nothing_behind() {
    clean_slate();
    let mut status = Status::open().await;
    let mut after_warming_up = (0, 0);
    for cycle in 0..1_000 {
        if cycle == 100 {
            after_warming_up = (live_bytes(), live_objects());
        }
        let mut connection = dial(&address(ECHO)).await.unwrap();
        // All the ways to end: closed and waited for, dropped idle, dropped with something under way.
        match cycle % 3 {
            0 => within(connection.close()).await.unwrap(),
            1 => {}
            _ => connection.write_all(b"never read").await.unwrap(),
        }
        drop(connection);
        assert_eq!(open_sockets(), 1, "the status connection alone");
    }
    // Less than a byte for each cycle: room only for what is still on its way.
    let (bytes, objects) = after_warming_up;
    assert!(
        live_bytes() < bytes + 512,
        "{bytes} bytes became {}",
        live_bytes()
    );
    assert!(
        live_objects() < objects + 5,
        "{objects} objects became {}",
        live_objects()
    );
    eventually(async || status.ask().await[0] == 0).await;
    drop(status);
    assert_eq!(open_sockets(), 0);
}

#[wasm_bindgen_test]
async fn a_dead_port_is_unreachable_at_once() {
    clean_slate();
    assert_eq!(dial(&address(DEAD)).await.unwrap_err(), Error::Unreachable);
    assert_eq!(open_sockets(), 0);
}

#[wasm_bindgen_test]
async fn a_close_by_the_other_side_gives_its_code() {
    clean_slate();
    let mut connection = dial(&address(CLOSE)).await.unwrap();
    let error = within(connection.read(&mut [0; 16])).await.unwrap_err();
    assert_eq!(
        closed(&error),
        Closed {
            code: 1000,
            was_clean: true
        }
    );
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);

    let mut connection = dial(&format!("{}/http-path/4321", address(CLOSE)))
        .await
        .unwrap();
    let error = within(connection.read(&mut [0; 16])).await.unwrap_err();
    assert_eq!(
        closed(&error),
        Closed {
            code: 4321,
            was_clean: true
        }
    );
    // Every later call tells the same, and a close has nothing left to do.
    let error = connection.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(closed(&error).code, 4321);
    let error = connection.write(b"late").await.unwrap_err();
    assert_eq!(closed(&error).code, 4321);
    let error = connection.flush().await.unwrap_err();
    assert_eq!(closed(&error).code, 4321);
    connection.close().await.unwrap();
    assert_eq!(open_sockets(), 0);
}

#[wasm_bindgen_test]
async fn an_abrupt_end_wakes_the_waiting_reader_and_the_waiting_writer() {
    let mut connection = dial(&address(ABRUPT)).await.unwrap();
    assert!(read_is_pending(&mut connection).await);
    // The server reads nothing: the writer waits once the network's own buffers are full.
    let (mut reader, mut writer) = connection.split();
    let written = Rc::new(Cell::new(0));
    let write = async {
        let block = vec![7; MAX_MESSAGE];
        loop {
            match writer.write(&block).await {
                Ok(taken) => written.set(written.get() + taken),
                Err(error) => return error,
            }
        }
    };
    let read = async { reader.read(&mut [0; 16]).await.unwrap_err() };
    let end = async {
        let mut before = 0;
        // Nothing written for a while: the writer waits.
        loop {
            gloo_timers::future::TimeoutFuture::new(200).await;
            if written.get() == before {
                break;
            }
            before = written.get();
        }
        // Makes the server drop both.
        dial(&address(ABRUPT)).await.unwrap()
    };
    let ((write_error, read_error), _second) = within(join(join(write, read), end)).await;
    assert!(written.get() >= HIGH_WATER as usize);
    for error in [write_error, read_error] {
        assert_eq!(
            closed(&error),
            Closed {
                code: 1006,
                was_clean: false
            }
        );
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}

#[wasm_bindgen_test]
async fn dropping_a_dial_closes_its_socket() {
    clean_slate();
    let mut status = Status::open().await;
    let mut dial = begin(&mut Transport::new(), &address(STALL)).unwrap();
    assert_eq!(
        open_sockets(),
        1,
        "a dial opens nothing before it is polled"
    );
    assert!(futures::poll!(&mut dial).is_pending());
    assert_eq!(open_sockets(), 2);
    eventually(async || status.ask().await[1] == 1).await;
    assert!(futures::poll!(&mut dial).is_pending());

    drop(dial);
    assert_eq!(open_sockets(), 1);
    eventually(async || status.ask().await[1] == 0).await;
}

#[wasm_bindgen_test]
async fn writers_wait_above_the_high_water_mark_and_go_on_after_it() {
    const LENGTH: usize = 4 * 1024 * 1024;
    let mut connection = dial(&address(SLOW)).await.unwrap();
    // Nothing drains within one turn of the browser's loop.
    let mut written = fill(&mut connection).await;
    assert!(
        (HIGH_WATER..=MOST_IN_HAND).contains(&(written as u32)),
        "{written}"
    );
    assert!((HIGH_WATER..=MOST_IN_HAND).contains(&connection.buffered_amount()));

    let block = vec![7; MAX_MESSAGE];
    while written < LENGTH {
        written += within(connection.write(&block)).await.unwrap();
        assert!(connection.buffered_amount() <= MOST_IN_HAND);
    }
    let mut read = [0; 8];
    while u64::from_be_bytes(read) < written as u64 {
        within(connection.read_exact(&mut read)).await.unwrap();
    }
    assert_eq!(u64::from_be_bytes(read), written as u64);
}

#[wasm_bindgen_test]
async fn a_waiting_writer_goes_on_though_nothing_is_received() {
    let mut connection = dial(&format!("{}/http-path/silent", address(SLOW)))
        .await
        .unwrap();
    fill(&mut connection).await;
    // As much again as any buffer of the network may hold, so the last of it waited.
    within(connection.write_all(&vec![7; 8 * 1024 * 1024]))
        .await
        .unwrap();
}

#[wasm_bindgen_test]
async fn no_timer_runs_unless_a_writer_waits() {
    let run = |script: &str| js_sys::eval(script).unwrap();
    run(
        "globalThis.timers = 0; globalThis.realTimeout = setTimeout; \
         globalThis.setTimeout = (...all) => { timers += 1; return realTimeout(...all); }",
    );
    let mut connection = begin(&mut Transport::new(), &address(SLOW))
        .unwrap()
        .await
        .unwrap();
    connection.write_all(b"something").await.unwrap();
    connection.flush().await.unwrap();
    connection.read_exact(&mut [0; 8]).await.unwrap();
    let before = run("timers");
    fill(&mut connection).await;
    let after = run("timers");
    run("globalThis.setTimeout = realTimeout");
    assert_eq!((before.as_f64(), after.as_f64()), (Some(0.0), Some(1.0)));
}

#[wasm_bindgen_test]
async fn no_message_is_longer_than_the_limit() {
    let mut connection = dial(&address(SLOW)).await.unwrap();
    let taken = connection.write(&vec![7; 3 * MAX_MESSAGE]).await.unwrap();
    assert_eq!(taken, MAX_MESSAGE);
    let mut read = [0; 8];
    within(connection.read_exact(&mut read)).await.unwrap();
    assert_eq!(u64::from_be_bytes(read), MAX_MESSAGE as u64);
}

#[wasm_bindgen_test]
async fn a_flood_that_nobody_reads_ends_the_socket() {
    clean_slate();
    let mut connection = dial(&address(FLOOD)).await.unwrap();
    eventually(async || open_sockets() == 0).await;
    let error = connection.read(&mut [0; 16]).await.unwrap_err();
    assert_eq!(fault(&error), Fault::ReadOverflow);
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let error = connection.write(b"?").await.unwrap_err();
    assert_eq!(fault(&error), Fault::ReadOverflow);
}

#[wasm_bindgen_test]
async fn a_flood_that_is_read_goes_on() {
    clean_slate();
    let mut connection = dial(&address(FLOOD)).await.unwrap();
    let mut buffer = vec![0; MAX_MESSAGE];
    let mut read = 0;
    while read < 2 * READ_LIMIT {
        read += within(connection.read(&mut buffer)).await.unwrap();
    }
    drop(connection);
    assert_eq!(open_sockets(), 0);
}

#[wasm_bindgen_test]
async fn dropping_a_connection_while_a_reader_waits_closes_it() {
    clean_slate();
    let mut status = Status::open().await;
    let mut connection = dial(&address(ECHO)).await.unwrap();
    eventually(async || status.ask().await[0] == 1).await;
    assert!(read_is_pending(&mut connection).await);

    drop(connection);
    assert_eq!(open_sockets(), 1);
    eventually(async || status.ask().await[0] == 0).await;
}

#[wasm_bindgen_test]
async fn closing_wakes_a_waiting_reader() {
    let connection = dial(&address(ECHO)).await.unwrap();
    let (mut reader, mut writer) = connection.split();
    let read = async { reader.read(&mut [0; 16]).await.unwrap_err() };
    let (error, result) = within(join(read, writer.close())).await;
    result.unwrap();
    assert_eq!(
        closed(&error),
        Closed {
            code: 1000,
            was_clean: true
        }
    );
}

#[wasm_bindgen_test]
async fn nothing_can_be_written_after_a_close() {
    let mut connection = dial(&address(ECHO)).await.unwrap();
    connection.close().await.unwrap();
    let error = connection.write(b"late").await.unwrap_err();
    assert_eq!(closed(&error).code, 1000);
    connection.close().await.unwrap();
}

/// Whether a close is over in the turn in which it is ordered.
async fn closes_at_once(connection: &mut Connection) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *connection).poll_close(cx).is_ready())).await
}

#[wasm_bindgen_test]
async fn a_close_does_not_wait_for_a_server_that_never_answers_it() {
    clean_slate();
    let mut connection = dial(&format!("{}/http-path/mute", address(ECHO)))
        .await
        .unwrap();
    connection.write_all(b"last words").await.unwrap();
    assert!(closes_at_once(&mut connection).await);
    assert_eq!(open_sockets(), 0);
}

#[wasm_bindgen_test]
async fn a_close_does_not_wait_for_a_server_that_reads_nothing() {
    clean_slate();
    let mut connection = dial(&address(ABRUPT)).await.unwrap();
    fill(&mut connection).await;
    assert!(closes_at_once(&mut connection).await);
    assert_eq!(open_sockets(), 0);
    // The server holds one connection, and gives it up with the next.
    drop(dial(&address(ABRUPT)).await);
}

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

#[wasm_bindgen_test]
async fn abandoning_closes_every_socket_also_while_someone_waits() {
    clean_slate();
    let mut status = Status::open().await;
    let mut connection = dial(&address(ECHO)).await.unwrap();
    eventually(async || status.ask().await[0] == 1).await;
    spawn_local(async move {
        // Never woken again.
        let _ = connection.read(&mut [0; 16]).await;
    });
    let mut stalled = begin(&mut Transport::new(), &address(STALL)).unwrap();
    assert!(futures::poll!(&mut stalled).is_pending());
    assert_eq!(open_sockets(), 3);

    abandon_all();
    assert_eq!(open_sockets(), 0);
    // What is dropped afterwards does no harm.
    drop(stalled);
    drop(status);
    let mut status = Status::open().await;
    eventually(async || status.ask().await[..2] == [0, 0]).await;
}

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
