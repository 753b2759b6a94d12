//! Stories about the manager, under virtual time.

mod closing;
mod dialing;
mod enrollment;
mod guards;
mod hand_off;
mod loss;
mod modes;
mod outage;
#[cfg(not(target_arch = "wasm32"))]
mod properties;
mod regulation;
mod selection;
mod service;
mod start_up;
mod user;
mod world;
