//! What the manager comes to in simulated worlds: how few connections, how soon it recovers, what many clients do at
//! once, and how the strategies of others do beside it.
//!
//! `cargo bench --no-default-features --bench simulation` does all of it; `-- economy`, `loss`, `resume`, `absence`, `herd` and
//! `policies` each do one part. Every number is a line of JSON. `SIM_CLIENTS=1000` makes the herd smaller.

// The world is made for tests, which use more of it.
#![allow(dead_code, unused_imports)]

#[path = "../simulation/acts.rs"]
mod acts;
#[path = "../simulation/application.rs"]
mod application;
#[path = "../simulation/book.rs"]
mod book;
#[path = "../simulation/brain.rs"]
mod brain;
#[path = "../simulation/browser.rs"]
mod browser;
#[path = "../simulation/checks/mod.rs"]
mod checks;
#[path = "../simulation/claims.rs"]
mod claims;
#[path = "../simulation/claims_generate.rs"]
mod claims_generate;
#[path = "../simulation/client.rs"]
mod client;
#[path = "../simulation/environment.rs"]
mod environment;
#[path = "../simulation/generate.rs"]
mod generate;
#[path = "../simulation/judge.rs"]
mod judge;
#[path = "../simulation/ledger.rs"]
mod ledger;
#[path = "../simulation/ledger_bans.rs"]
mod ledger_bans;
#[path = "../simulation/ledger_book.rs"]
mod ledger_book;
#[path = "../simulation/ledger_claims.rs"]
mod ledger_claims;
#[path = "../simulation/ledger_network.rs"]
mod ledger_network;
#[path = "../simulation/ledger_records.rs"]
mod ledger_records;
#[path = "../simulation/ledger_steering.rs"]
mod ledger_steering;
#[path = "../simulation/names.rs"]
mod names;
#[path = "../simulation/network.rs"]
mod network;
#[path = "../simulation/oracles/mod.rs"]
mod oracles;
#[path = "../simulation/orders.rs"]
mod orders;
#[path = "../simulation/rng.rs"]
mod rng;
#[path = "../simulation/script.rs"]
mod script;
#[path = "../simulation/shell.rs"]
mod shell;
#[path = "../simulation/steering.rs"]
mod steering;
#[path = "../simulation/truth.rs"]
mod truth;
#[path = "../simulation/view.rs"]
mod view;
#[path = "../simulation/world.rs"]
mod world;

mod comparison;
mod economy;
mod herd;
mod policies;
mod recovery;
mod report;

const PARTS: [(&str, fn()); 6] = [
    ("economy", economy::print),
    ("loss", recovery::losses),
    ("resume", recovery::outages),
    ("absence", recovery::absences),
    ("herd", herd::herd),
    ("policies", comparison::policies),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let named = |name: &str| words.iter().any(|word| word == name);
    let all = !PARTS.iter().any(|(name, _)| named(name));
    for (name, part) in PARTS {
        if all || named(name) {
            println!("· {name}");
            part();
        }
    }
}
