import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { check, violations } from "./purity.mjs";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));

test("the modules keep to the directions of dependencies", () => {
  assert.deepEqual(check(SRC), []);
});

// The rules themselves: each line here must be caught, and none of those after it.
const CAUGHT = {
  manager: [
    "use std::time::Instant;",
    "use std::time::{Duration, Instant};",
    "let now = SystemTime::now();",
    "let t = web_time::Instant::now();",
    "use tokio::sync::mpsc;",
    "use libp2p::swarm::ConnectionId;",
    "let mut rng = rand::thread_rng();",
    "getrandom::fill(&mut seed)?;",
    "use crate::discovery::enr::Enr;",
    "use crate::{config::Config, protocols::ids};",
    "use crate::node::Driver;",
    "#[cfg(target_arch = \"wasm32\")]",
  ],
  discovery: ["use crate::manager::PeerId;", "js_sys::Date::now()", "use web_sys::window;", "use wasm_bindgen::prelude::*;"],
  protocols: ["use super::super::manager::Event;", "std::thread::sleep(d);", "gloo_timers::callback::Timeout::new(1, f)"],
  browser: ["use crate::fleet::Fleet;"],
  fleet: ["use crate::browser::create;"],
  node: ["use crate::browser::sink;"],
};

for (const [module, lines] of Object.entries(CAUGHT)) {
  for (const line of lines) {
    test(`in ${module} this is caught: ${line}`, () => {
      assert.notDeepEqual(violations(module, `fn a() {}\n${line}\n`), []);
      assert.equal(violations(module, `fn a() {}\n${line}\n`)[0].line, 2);
    });
  }
}

const FREE = {
  manager: [
    "use std::time::Duration;",
    "use libp2p_identity::PeerId;",
    "/// Unlike `std::time::Instant`, time is an argument; see `crate::discovery`.",
    "let text = \"tokio\";",
    "use crate::manager::config::Config;",
    "use rand_core::SeedableRng;",
    "let c = '\"'; let d = '\"'; // tokio",
  ],
  node: ["use crate::manager::Manager;", "use libp2p::swarm::Swarm;", "use web_time::Instant;"],
  fleet: ["use crate::discovery::enrtree;", "use tokio::net::TcpListener;"],
};

for (const [module, lines] of Object.entries(FREE)) {
  for (const line of lines) {
    test(`in ${module} this is free: ${line}`, () => assert.deepEqual(violations(module, line), []));
  }
}
