//! Every word that crosses the boundary of the manager.
//!
//! What comes in (`event`), what goes out (`command`), why (`reason`), what can be read (`view`), and what is set once
//! (`config`, with the numbers in `policy`); `terms` are what all of them speak in. Owns no state. Names nothing else of the manager.

pub mod command;
pub mod config;
pub mod event;
pub(in crate::manager) mod policy;
pub mod reason;
mod terms;
pub mod view;
