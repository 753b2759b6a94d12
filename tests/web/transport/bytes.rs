//! Bytes that go out and come back, unchanged and without a trace.

use std::{pin::Pin, task::Poll};

use futures::{
    AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _,
    future::{join, poll_fn},
};
use lightkeeper::transport::{MAX_MESSAGE, open_sockets};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::heap::{live_bytes, live_objects};
use crate::support::{ECHO, SLOW, Status, address, clean_slate, dial, eventually, within};

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
async fn no_message_is_longer_than_the_limit() {
    let mut connection = dial(&address(SLOW)).await.unwrap();
    let taken = connection.write(&vec![7; 3 * MAX_MESSAGE]).await.unwrap();
    assert_eq!(taken, MAX_MESSAGE);
    let mut read = [0; 8];
    within(connection.read_exact(&mut read)).await.unwrap();
    assert_eq!(u64::from_be_bytes(read), MAX_MESSAGE as u64);
}
