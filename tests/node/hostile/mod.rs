//! A peer that follows a script: first that it does what the script says, then what a node makes of it.

mod exchange;
mod filter;
mod left;
mod lightpush;
mod memory;
mod peer;
mod presence;
mod roles;
mod stage;
mod store;
mod streams;
