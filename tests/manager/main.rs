//! Stories about the manager, under virtual time.

mod closing;
#[cfg(not(target_arch = "wasm32"))]
mod corpus;
mod dialing;
mod enrollment;
mod environment;
#[cfg(not(target_arch = "wasm32"))]
mod events;
mod guards;
mod hand_off;
mod lean;
mod limits;
mod locks;
mod loss;
mod modes;
mod observe;
mod outage;
#[cfg(not(target_arch = "wasm32"))]
mod properties;
#[cfg(not(target_arch = "wasm32"))]
mod record;
mod regulation;
mod selection;
mod service;
mod start_up;
mod user;
mod world;
