//! Who is known, and what is known of them.
//!
//! The record of each peer with its addresses, scores and history; whom the user named, holds, tags or banned; the
//! subnets that are banned with them; what outlives the process. Owns the table, the bans and the pins. Names
//! `boundary` and `tools`.

pub(in crate::manager) mod attempts;
pub(in crate::manager) mod bans;
pub(in crate::manager) mod heard;
pub(in crate::manager) mod history;
pub(in crate::manager) mod netgroups;
pub(in crate::manager) mod peer;
pub(in crate::manager) mod pins;
pub(in crate::manager) mod records;
pub(in crate::manager) mod route;
pub(in crate::manager) mod saved;
pub(in crate::manager) mod score;
pub(in crate::manager) mod service;
pub(in crate::manager) mod snapshot;
pub(in crate::manager) mod subnet_bans;
pub(in crate::manager) mod table;
pub(in crate::manager) mod transport;
pub(in crate::manager) mod wishes;
