//! How a connection ends, and who is woken by it.

use std::{cell::Cell, io, pin::Pin, rc::Rc, task::Poll};

use futures::{
    AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _,
    future::{join, poll_fn},
};
use lightkeeper::transport::{
    Closed, Connection, Error, HIGH_WATER, MAX_MESSAGE, Transport, abandon_all, open_sockets,
};
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use super::{closed, fill, read_is_pending};
use crate::support::{
    ABRUPT, CLOSE, DEAD, ECHO, STALL, Status, address, begin, clean_slate, dial, eventually, within,
};

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
