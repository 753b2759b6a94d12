//! Properties of the readers: whatever bytes come, none panics, and what was written is read back.

#![cfg(not(target_arch = "wasm32"))]

mod discovery;
mod protocols;
