//! Whom to dial, when, and at which address.
//!
//! What is planned, who comes first, what may be dialed at all, the pace, the dials under way, and how long to wait
//! after one that failed. Owns the candidates, the ladder of the start-up, the dials and the questions asked of peers.
//! Names `boundary`, `tools`, `book`, `machine` and `demand`.

pub(in crate::manager) mod admission;
pub(in crate::manager) mod attempt;
pub(in crate::manager) mod candidates;
pub(in crate::manager) mod dials;
pub(in crate::manager) mod diversity;
pub(in crate::manager) mod errands;
pub(in crate::manager) mod gate;
pub(in crate::manager) mod index;
pub(in crate::manager) mod ladder;
pub(in crate::manager) mod pace;
pub(in crate::manager) mod peer_exchange;
pub(in crate::manager) mod plan;
pub(in crate::manager) mod probe;
pub(in crate::manager) mod purpose;
pub(in crate::manager) mod selection;
pub(in crate::manager) mod transport_caps;
