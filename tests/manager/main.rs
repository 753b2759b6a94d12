//! Stories about the manager, under virtual time.

mod addresses;
mod admission;
mod asking;
mod bans;
mod bursts;
mod charges;
mod closing;
#[cfg(not(target_arch = "wasm32"))]
mod corpus;
mod dialing;
mod diversity;
mod duplicates;
mod enrollment;
mod environment;
#[cfg(not(target_arch = "wasm32"))]
mod events;
mod guards;
mod hand_off;
mod hint;
mod lean;
mod life;
mod limits;
mod locks;
mod loss;
mod modes;
mod networks;
mod observe;
mod offline;
mod outage;
mod pacing;
mod pressure;
#[cfg(not(target_arch = "wasm32"))]
mod properties;
#[cfg(not(target_arch = "wasm32"))]
mod record;
mod recovery;
mod regulation;
mod scores;
mod selection;
mod service;
mod sleep;
mod snapshot;
mod spread;
mod start_up;
#[cfg(not(target_arch = "wasm32"))]
mod streams;
mod swaps;
mod user;
mod vocabulary;
mod wishes;
mod world;
