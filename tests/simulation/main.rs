//! A simulated world for the manager: networks, browsers and shells that misbehave, under virtual time and from one
//! seed (contract.md 5.6).
//!
//! - `SIM_SEED=123 cargo test --no-default-features --test simulation -- one_seed --nocapture` tells one run's story.
//! - `SIM_SEEDS=0..5000 cargo test … --test simulation -- every_seed` runs as many as one likes.
//! - `--profile sim` makes it several times faster.
//!
//! | module | is |
//! |---|---|
//! | `script`, `generate` | what happens in a run, as a value, written by hand or from a seed |
//! | `claims`, `steering`, `book` | acts of one kind each: what they are, do, and how often they happen |
//! | `application`, `claims_generate` | the protocols' own answers; how often which claim is made |
//! | `network`, `browser`, `environment`, `truth` | the world as it is |
//! | `shell`, `acts`, `client`, `brain`, `world` | how orders are carried out, and what comes back |
//! | `ledger` and its parts, `view`, `judge`, `checks` | the slow and obvious bookkeeping, and the invariants of the contract |
//! | `oracles` | what is right, worked out slowly and apart from the code that is judged |
//! | `replay` | a record played again, exactly or with its clocks changed |
#![cfg(not(target_arch = "wasm32"))]

mod acts;
mod application;
mod book;
mod brain;
mod browser;
mod checks;
mod claims;
mod claims_generate;
mod client;
mod environment;
mod families;
mod families_book;
mod families_claims;
mod families_cost;
mod families_eclipse;
mod families_economy;
mod families_flood;
mod families_herd;
mod families_liars;
mod families_liveness;
mod families_order;
mod families_outage;
mod families_steering;
mod generate;
mod judge;
mod ledger;
mod ledger_bans;
mod ledger_book;
mod ledger_claims;
mod ledger_network;
mod ledger_records;
mod ledger_steering;
mod names;
mod network;
mod oracles;
mod orders;
mod replay;
mod rng;
mod runner;
mod script;
mod seeds;
mod shell;
mod soak;
mod steering;
mod stories;
mod strategy;
mod truth;
mod view;
mod world;
