//! What only a browser can show. Runs on a page of headless Chromium, against servers on loopback:
//!
//! ```text
//! cargo run --example echo --features fleet            # the transport's servers; leave it running
//! wasm-pack test --headless --chrome -- --test web     # with WASM_BINDGEN_TEST_TIMEOUT=120
//! ```
//!
//! Where the servers listen is read when the tests are compiled: `LIGHTKEEPER_ECHO_PORT` (8790 if it is not set).

#![cfg(target_arch = "wasm32")]

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

mod client;
mod heap;
mod support;
mod surface;
mod transport;
