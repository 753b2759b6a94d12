//! What differs between the browser and native: one module for each target, with the same names.
//!
//! `now`, `mono_ms`, `sleep`, `breath`, `spawn`, `fetch`, `transport` and `swarm_config`; no `cfg` stands anywhere else in the driver.

#[cfg(not(target_arch = "wasm32"))]
#[path = "native.rs"]
mod imp;
#[cfg(target_arch = "wasm32")]
#[path = "wasm.rs"]
mod imp;

pub(crate) use imp::{breath, fetch, sleep, spawn, swarm_config, transport};

use std::time::Duration;

use crate::manager::Time;

/// When a dial ends whatever the driver says: longer than any that the manager orders.
const MAX_DIAL: Duration = Duration::from_secs(60);

/// An answer of a web server.
#[derive(Debug)]
pub(crate) struct HttpAnswer {
    /// The status code.
    pub(crate) status: u16,
    /// The media type, in lower case, without parameters.
    pub(crate) content_type: String,
    /// At most the asked-for number of bytes.
    pub(crate) body: Vec<u8>,
}

/// Milliseconds since a fixed point. Any will do: times are only compared.
pub(crate) fn mono_ms() -> u64 {
    use std::sync::OnceLock;
    use web_time::Instant;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_millis() as u64
}

/// The current time, for the manager.
pub(crate) fn now() -> Time {
    use web_time::{SystemTime, UNIX_EPOCH};
    Time {
        mono_ms: mono_ms(),
        wall_ms: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis() as u64),
    }
}

/// Nanoseconds since 1970, as Waku's messages carry them.
pub(crate) fn now_ns() -> i64 {
    use web_time::{SystemTime, UNIX_EPOCH};
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
        })
}
