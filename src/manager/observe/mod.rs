//! What can be read of the manager, without changing it.
//!
//! Views, explanations, the record of inputs and its bytes, and the check of all invariants. Owns nothing. Names every
//! room.

pub(in crate::manager) mod check;
pub(in crate::manager) mod explain;
pub mod record;
pub(in crate::manager) mod views;
pub(in crate::manager) mod wire;
