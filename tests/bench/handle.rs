//! What one `handle` of the manager costs as wasm, built as the package is. `tests/bench/run.mjs` loads it into Node,
//! whose engine is Chromium's and whose clock is finer than a page's.
#![cfg(target_arch = "wasm32")]
// It shares the world with the native benchmark, which asks more of it.
#![allow(dead_code, missing_docs)]

mod clock;
mod mix;
mod world;

use wasm_bindgen::prelude::*;

/// The mix of inputs among so many known peers: p50, p90, p99 in microseconds, and what reading the clock takes.
#[wasm_bindgen]
pub fn handle(peers: usize) -> Vec<f64> {
    let measured = mix::run(peers);
    let at = |per_mille| mix::micros(&measured.all, per_mille);
    let began = clock::nanos();
    for _ in 0..1_000 {
        std::hint::black_box(clock::nanos());
    }
    let clock = (clock::nanos() - began) as f64 / 1e6;
    vec![at(500), at(900), at(990), clock]
}
