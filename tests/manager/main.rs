//! Stories about the manager, under virtual time.

mod bans;
mod closing;
mod dialing;
mod hand_off;
mod loss;
mod outage;
#[cfg(not(target_arch = "wasm32"))]
mod properties;
mod scores;
mod selection;
mod service;
mod snapshot;
mod start_up;
mod user;
mod vocabulary;
mod world;
