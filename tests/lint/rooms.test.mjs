import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { house, said, violations } from "./rooms.mjs";

const MANAGER = fileURLToPath(new URL("../../src/manager", import.meta.url));

test("the rooms of the manager keep to their order, and no files go round in circles", () => {
  assert.deepEqual(violations(house(MANAGER)), []);
});

/** A small house without a fault. */
const sound = () =>
  new Map([
    ["mod", "pub use boundary::event::Event;\npub struct Manager;\n"],
    ["orders", "use crate::manager::pruning::guards::Guard;\n"],
    ["boundary/mod", "//! Words. Names nothing else of the manager.\n"],
    ["boundary/event", "pub enum Event {}\n"],
    ["tools/mod", "//! Tools. Names `boundary`.\n"],
    ["book/mod", "//! Records. Names `boundary` and\n//! `tools`.\n"],
    ["book/peer", "use crate::manager::boundary::event::Event;\nuse crate::manager::Manager;\n"],
    ["book/table", "use super::peer::Peer;\n"],
    ["pruning/guards", "use crate::manager::{Manager, book::{peer::Peer, table}};\n"],
  ]);

test("a sound house has no violation", () => assert.deepEqual(violations(sound(), []), []));

/** @type {[string, string, string, RegExp][]} */
const BROKEN = [
  ["a room that names one above it", "book/peer", "use crate::manager::pruning::guards::Guard;\n", /book\/peer:1: book does not know pruning/],
  ["the same in braces", "book/peer", "\nuse crate::manager::{\n    Manager,\n    pruning::{guards::Guard},\n};\n", /book\/peer:2: book does not know pruning/],
  ["the same in place", "book/peer", "fn a() {\n    crate::manager::pruning::guards::ask();\n}\n", /book\/peer:2: book does not know pruning/],
  ["a room that names the orders", "book/peer", "use crate::manager::orders::Order;\n", /book does not know orders/],
  ["a name that is given out again", "tools/slot", "use crate::manager::Table;\n", /tools does not know book \(book\/table\)/],
  ["a file of no room", "attic/chest", "", /attic\/chest: of no room/],
  ["a circle of two files", "book/peer", "use crate::manager::book::table::Table;\n", /a circle: book\/peer → book\/table → book\/peer/],
  ["a room that does not say what it names", "book/mod", "//! Records.\n", /book\/mod: does not say/],
  ["a room that says otherwise", "book/mod", "//! Records. Names `boundary`.\n", /book\/mod: says that it names boundary, and may name boundary, tools/],
];

for (const [what, file, source, why] of BROKEN) {
  test(`this is a violation: ${what}`, () => {
    const files = sound().set(file, source);
    if (what.includes("given out")) files.set("mod", "pub use boundary::event::Event;\npub use book::table::Table;\n");
    const found = violations(files, []);
    assert.ok(found.some((line) => why.test(line)), found.join("\n") || "none");
  });
}

test("comments, strings and tests at the end of a file may name anything", () => {
  const source = "// crate::manager::pruning::guards\nconst A: &str = \"crate::manager::pruning::guards\";\n#[cfg(test)]\nmod tests {\n    use crate::manager::pruning::guards::Guard;\n}\n";
  assert.deepEqual(violations(sound().set("book/peer", source), []), []);
});

test("an exception holds for its files alone, and goes when it is not needed", () => {
  const up = sound().set("book/peer", "use crate::manager::pruning::guards::Guard;\n").set("pruning/guards", "");
  assert.deepEqual(violations(up, [{ from: "book/peer", to: "pruning/guards", why: "" }]), []);
  assert.match(violations(sound(), [{ from: "book/peer", to: "pruning/guards", why: "" }]).join(), /is not needed any more/);
});

test("what a room says that it names is read over its lines", () => {
  assert.deepEqual(said("//! A.\n//!\n//! Names `boundary`,\n//! `tools` and `book`.\n\nmod a;"), ["boundary", "tools", "book"]);
  assert.equal(said("//! A.\n"), undefined);
});
