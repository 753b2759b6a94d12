//! The transport in a worker, where there is no window. Runs as the tests of `main.rs` do: `--test web-worker`.

#![cfg(target_arch = "wasm32")]

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

mod support;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use lightkeeper::transport::{Error, open_sockets, page_is_secure};
use support::{DEAD, ECHO, address, dial};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn a_worker_opens_sockets_as_a_page_does() {
    let mut connection = dial(&address(ECHO)).await.unwrap();
    connection.write_all(b"from a worker").await.unwrap();
    let mut answer = [0; 13];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"from a worker");
    drop(connection);
    assert_eq!(open_sockets(), 0);
}

#[wasm_bindgen_test]
async fn a_worker_learns_of_a_dead_port() {
    assert_eq!(dial(&address(DEAD)).await.unwrap_err(), Error::Unreachable);
}

#[wasm_bindgen_test]
fn a_worker_knows_whether_its_page_is_secure() {
    assert!(!page_is_secure());
}
