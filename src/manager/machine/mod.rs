//! The machine that the page runs on, and its network.
//!
//! Whether it slept, is hidden, offline, out of memory or to blame for what failed, and how many connections that
//! leaves room for. Owns the outage, the environment, the limits and the mode. Names `boundary`, `tools` and `book`.

pub(in crate::manager) mod charges;
pub(in crate::manager) mod clock;
pub(in crate::manager) mod environment;
pub(in crate::manager) mod limits;
pub(in crate::manager) mod modes;
pub(in crate::manager) mod network;
mod odds;
pub(in crate::manager) mod outage;
