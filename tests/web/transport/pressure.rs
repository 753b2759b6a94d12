//! Who writes faster than the network takes, or reads slower than it gives.

use std::io;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use lightkeeper::transport::{Fault, HIGH_WATER, MAX_MESSAGE, READ_LIMIT, Transport, open_sockets};
use wasm_bindgen_test::wasm_bindgen_test;

use super::{MOST_IN_HAND, fault, fill};
use crate::support::{FLOOD, SLOW, address, begin, clean_slate, dial, eventually, within};

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
