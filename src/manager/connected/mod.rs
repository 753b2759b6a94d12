//! What is open, and what is known of it.
//!
//! Connections from the moment they are made until they end: verified, pinged, reported on, closed, and why. Owns the
//! connections. Names `boundary`, `tools`, `book`, `machine`, `demand` and `dialing`.

pub(in crate::manager) mod cause;
pub(in crate::manager) mod connections;
pub(in crate::manager) mod duplicate;
pub(in crate::manager) mod ended;
pub(in crate::manager) mod opened;
pub(in crate::manager) mod outcomes;
pub(in crate::manager) mod pings;
pub(in crate::manager) mod trial;
