//! What every room uses and that knows nothing of peers.
//!
//! Deadlines, waits, places in tables and ordered sets, sets of requirements, the seed, the queue of commands, the log of
//! decisions, counters, marks of change, the encoding of all that leaves as bytes. Owns those; decides nothing. Names
//! `boundary` alone.

pub(in crate::manager) mod backoff;
pub(in crate::manager) mod changed;
pub(in crate::manager) mod deadlines;
pub(in crate::manager) mod decision_log;
pub(in crate::manager) mod gauges;
pub(in crate::manager) mod outbox;
pub(in crate::manager) mod seed;
pub(in crate::manager) mod services;
pub(in crate::manager) mod slot;
pub(in crate::manager) mod sort;
pub(in crate::manager) mod steps;
pub(in crate::manager) mod wire;
