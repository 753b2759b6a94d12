//! What is wanted, by whom, and how much of it each may have.
//!
//! Requirements and their providers, enrollments and their shares, locks and bursts. Owns those. Names `boundary`,
//! `tools`, `book` and `machine`.

pub(in crate::manager) mod bursts;
pub(in crate::manager) mod enrollments;
pub(in crate::manager) mod locks;
pub(in crate::manager) mod needs;
pub(in crate::manager) mod quota;
pub(in crate::manager) mod requirements;
pub(in crate::manager) mod shares;
