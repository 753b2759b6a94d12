//! A clock that is fine enough for one call of `handle`.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen::prelude::*;

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// Nanoseconds since some moment.
#[cfg(target_arch = "wasm32")]
pub(crate) fn nanos() -> u64 {
    (now() * 1e6) as u64
}

/// Nanoseconds since some moment.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn nanos() -> u64 {
    use std::sync::LazyLock;
    use std::time::Instant;

    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGAN.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
