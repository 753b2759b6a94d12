import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { check, citations, citedByNames, contents, proseOnly, rules, tree } from "./contract.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

test("what is cited exists, every rule names its invariants, and these are cited by tests", () => {
  assert.deepEqual(check(tree(ROOT)), []);
});

// --- what is a citation ---------------------------------------------------------------------------------------------

const short = (/** @type {string} */ text) =>
  citations(text).map(({ page, section, id }) => id ?? (section === undefined ? page : `${page} ${section}`));

test("numbers, ids and sections are found", () => {
  assert.deepEqual(short("parked until the ladder of 4.11 releases it (S4, L1)"), ["4.11", "S4", "L1"]);
  assert.deepEqual(short("(contract.md 4.7, 4.20)"), ["contract.md 4.7", "contract.md 4.20"]);
  assert.deepEqual(short("(filter.md, sections 3 and 7)"), ["filter.md 3", "filter.md 7"]);
  assert.deepEqual(short("(metadata.md, section 3; filter.md, section 2)"), ["metadata.md 3", "filter.md 2"]);
  assert.deepEqual(short("(lightpush.md, sections 4 to 8)"), ["lightpush.md 4", "lightpush.md 8"]);
  assert.deepEqual(short("none of ours (metadata.md, 5.6)."), ["metadata.md 5.6"]);
  assert.deepEqual(short("[metadata.md, 5.6](../metadata.md)"), ["metadata.md 5.6", "metadata.md"]);
  assert.deepEqual(short("F8: only this one's uptime"), ["F8"]);
});

test("other documents, versions and measures are none of ours", () => {
  assert.deepEqual(short("RFC 8484, section 4.1 and RFC 6455, section 7.4"), []);
  assert.deepEqual(short("waku-org/specs:standards/core/relay-sharding.md"), []);
  assert.deepEqual(short("version 0.4.28, 99.41 %, 4.9 KB, 127.0.0.1, v4.2.13, 4.5 s"), []);
});

test("a citation goes on in the next line of a comment, and code is no prose", () => {
  const prose = proseOnly("//! asked for (filter.md,\n//! section 5).\nlet s12 = A1.max(4.7);\nlet t = \"S2\";\n");
  assert.deepEqual(citations(prose).map(({ section, id }) => id ?? section), ["5", "S2"]);
});

test("the names of tests cite, too", () => {
  assert.deepEqual(citedByNames("fn a_sleep_is_over_in_time_l3() {}\nfn s13_fits() {}\nfn all() {}").map(({ id }) => id), ["L3", "S13"]);
});

test("a page has its sections, their numbered rules, and the ids of its tables", () => {
  const has = contents("## 5. Our rule\n\n1. one\n2. two\n\n### 4.14 The page\n\n| S1 | holds |\n");
  assert.deepEqual([...has.sections], ["5", "4.14", "5.1", "5.2"]);
  assert.deepEqual([...has.ids], ["S1"]);
});

test("a rule is an item below a heading of section 4, over all of its lines", () => {
  const found = rules("### 4.1 One\n\n- first,\n  in two lines. [S1, D4]\n- second\n\n### 5.1 Other\n\n- none\n");
  assert.deepEqual(found.map(({ number, holds }) => [number, holds]), [["4.1", ["S1", "D4"]], ["4.1", undefined]]);
});

// --- that it can fail -----------------------------------------------------------------------------------------------

const RULES = "src/manager/contract/rules.md";
const INVARIANTS = "src/manager/contract/invariants.md";

/** A small tree without a fault. */
const sound = () =>
  new Map([
    [RULES, "### 4.1 One\n\n- It holds. [S1]\n"],
    [INVARIANTS, "### 5.1 Safety\n\n| S1 | holds |\n"],
    ["src/protocols/filter.md", "## 2. Flow\n"],
    ["src/manager/a.rs", "//! 4.1 (filter.md, section 2)\nfn a() {}\n"],
    ["tests/simulation/a.rs", "// S1\n"],
  ]);

test("a sound tree has no fault", () => assert.deepEqual(check(sound()), []));

/** @type {[string, string, string, RegExp][]} */
const BROKEN = [
  ["a number that is no rule", "src/manager/a.rs", "//! 4.19\n", /a\.rs:1: the contract has no 4\.19/],
  ["an id that is no invariant", "src/manager/a.rs", "//! (S77)\n", /the contract has no S77/],
  ["an id in the name of a test", "tests/manager/b.rs", "fn it_holds_l9() {}\n", /the contract has no L9/],
  ["an id in a fault", "tests/mutants/faults/a.patch", "Fault: x\nInvariant: S5\n", /a\.patch:2: the contract has no S5/],
  ["a story in a fault", "tests/mutants/faults/a.patch", "Fault: x\nInvariant: S1\nTest: manager a::b\n", /there is no story a::b/],
  ["a page that is not there", "src/manager/a.rs", "//! (manager.md 4.1)\n", /there is no page manager\.md/],
  ["a section that is not there", "src/manager/a.rs", "//! (filter.md,\n//! section 3)\n", /filter\.md has no section 3/],
  ["a rule without an invariant", RULES, "### 4.1 One\n\n- It holds. [S1]\n- This, too.\n", /no invariant would catch the removal of: - This, too\./],
  ["a rule of an invariant that is not there", RULES, "### 4.1 One\n\n- It holds. [S1, S2]\n", /the contract has no S2/],
  ["an invariant of no rule", INVARIANTS, "### 5.1 Safety\n\n| S1 | holds |\n| S2 | too |\n", /no rule names S2/],
  ["a file of the manager's that is not there", RULES, "### 4.1 One\n\n- See `book/attic.rs`. [S1]\n", /there is no src\/manager\/book\/attic\.rs/],
  ["a function of the manager's that is not there", RULES, "### 4.1 One\n\n- See `a()` and `b()`. [S1]\n", /the manager has no b\(\)/],
  ["an invariant that no test cites", "tests/simulation/a.rs", "// nothing\n", /no test cites S1/],
];

for (const [what, path, text, said] of BROKEN) {
  test(`this is a fault: ${what}`, () => {
    const faults = check(sound().set(path, text));
    assert.ok(faults.some((fault) => said.test(fault)), faults.join("\n") || "none");
  });
}

test("what is not built needs no test", () => {
  const files = sound().set(INVARIANTS, "### 5.1 Safety\n\n| S1 | holds |\n| S16 | relays. *Not built* |\n");
  assert.deepEqual(check(files), []);
});
