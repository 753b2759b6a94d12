/**
 * Checks that the closed lists of the public types are those of `src/manager/boundary/reason.rs`, that each text is explained, and
 * that the policy's numbers are those of `src/manager/boundary/config.rs`.
 * Prints what differs; the exit status is 1 when anything does.
 */

import { readFileSync } from "node:fs";
import { policyFiles } from "./policy.mjs";
import { publicUnions, rustEnums } from "./unions.mjs";

const types = publicUnions();
const rust = rustEnums(readFileSync(new URL("../src/manager/boundary/reason.rs", import.meta.url), "utf8"));

/** What a Rust list is called in the npm API, and the texts that never cross. */
const PAIRS = {
  Reason: { type: "Reason", internal: [] },
  Cause: { type: "Cause", internal: [] },
  DialFailure: { type: "DialFailure", internal: [] },
  // Success is no failure.
  Outcome: { type: "FailureClass", internal: ["success"] },
  HealthReason: { type: "HealthReason", internal: [] },
  LockDenial: { type: "LockDenial", internal: [] },
  Revocation: { type: "Revocation", internal: [] },
  Guard: { type: "Guard", internal: [] },
  Trigger: { type: "Trigger", internal: [] },
  NetworkCause: { type: "NetworkCause", internal: [] },
  NetworkState: { type: "NetworkState", internal: [] },
  LimitCause: { type: "LimitCause", internal: [] },
};

const problems = [];
for (const name of rust.keys()) {
  if (!(name in PAIRS)) problems.push(`${name} of reason.rs has no counterpart in types: name it in check-types.mjs`);
}
for (const [name, { type, internal }] of Object.entries(PAIRS)) {
  const expected = (rust.get(name) ?? []).filter((text) => !internal.includes(text));
  const found = (types.get(type) ?? []).map(({ text }) => text);
  if (expected.length === 0) problems.push(`reason.rs has no ${name}`);
  for (const text of expected) if (!found.includes(text)) problems.push(`the type ${type} lacks "${text}" of reason.rs`);
  for (const text of found) if (!expected.includes(text)) problems.push(`the type ${type} has "${text}", which ${name} of reason.rs has not`);
}
for (const [type, members] of types) {
  for (const { text, doc } of members) if (doc === "") problems.push(`${type}: "${text}" has no line that says what it means`);
}
try {
  const behind = policyFiles().filter(({ file, text }) => readFileSync(file, "utf8") !== text);
  for (const { file } of behind) problems.push(`${file.pathname.split("/").at(-1)} is not what src/manager/boundary/config.rs says: run node pkg-template/policy.mjs`);
} catch (error) {
  problems.push(/** @type {Error} */ (error).message);
}

for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? `closed lists agree: ${[...types.keys()].join(", ")}` : `${problems.length} differences`);
process.exitCode = problems.length === 0 ? 0 : 1;
