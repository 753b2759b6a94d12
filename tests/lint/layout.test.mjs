import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
// What is committed or about to be; build products are ignored by git and do not count.
const FILES = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" })
  .split("\n")
  .filter(Boolean);

test("the top level holds what the layout names and nothing else", () => {
  const allowed = new Set(["Cargo.toml", "Cargo.lock", "src", "pkg-template", "www", "tests", "webdriver.json", "README.md", "LICENSE-MIT", "LICENSE-APACHE"]);
  const top = new Set(FILES.map((path) => path.split("/")[0]));
  assert.deepEqual([...top].filter((name) => !name.startsWith(".") && !allowed.has(name)), []);
  assert.deepEqual([...allowed].filter((name) => !top.has(name)), []);
});

test("no lock file names a registry's host", () => {
  for (const path of FILES.filter((name) => /(^|\/)package-lock\.json$/.test(name))) {
    const lock = JSON.parse(readFileSync(join(ROOT, path), "utf8"));
    const named = Object.entries(lock.packages ?? {}).filter(([, entry]) => "resolved" in entry && !String(entry.resolved).startsWith("file:"));
    assert.deepEqual(named.map(([name]) => name), [], path);
  }
});

test("every script that is started by name is executable", () => {
  const modes = execFileSync("git", ["ls-files", "--stage", "--", "www/serve", "tests/run", ".ci/run"], { cwd: ROOT, encoding: "utf8" });
  const lines = modes.split("\n").filter(Boolean);
  assert.equal(lines.length, 3, modes);
  for (const line of lines) assert.match(line, /^100755 /);
});
