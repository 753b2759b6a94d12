//! The hub in a small world: servers as they are, and as they should not be.

mod answers;
mod bounds;
mod counts;
mod edges;
mod fake;
mod forgetting;
mod gaps;
mod pace;
mod pushes;
#[cfg(not(target_arch = "wasm32"))]
mod random;
mod sharing;
mod world;

use super::CatchUpId;

const T: &str = "/app/1/t/proto";
