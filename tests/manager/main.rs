//! Stories about the manager, under virtual time.

mod closing;
mod dialing;
mod diversity;
mod environment;
mod hand_off;
mod limits;
mod loss;
mod outage;
#[cfg(not(target_arch = "wasm32"))]
mod properties;
mod selection;
mod service;
mod start_up;
mod user;
mod world;
