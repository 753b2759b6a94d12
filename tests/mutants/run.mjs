/**
 * Seeds faults and looks whether the tests see them.
 *
 * Each `faults/*.patch` is a small change of `src/manager` that puts a mistake in which others have made, headed by
 *
 *   Fault: what is wrong, and who had it
 *   Invariant: the id that must say so
 *   Seeds: one to three seeds of the simulation that show it
 *   Test: TARGET NAME (instead of seeds, where a test of another kind is the judge)
 *
 * The patches are applied one at a time to a copy of the tree under target/mutants; the product itself has no switches.
 * A fault is killed when the run of its seeds ends red and names its invariant. The last line is
 * `killed N, survived N`; the exit status is 0 when all were killed. Stops at the first red seed of each.
 *
 *   node tests/mutants/run.mjs [NAME…]
 *
 * Of the faults that other systems had (contract.md 5.6) this manager can't have:
 *
 * - protected connections counted against the low mark (go-libp2p): there is no mark that closes by number alone. What
 *   is above a maximum goes only when every target holds without it, so a wrong count closes nobody who is needed.
 * - what concerns relay reservations (js-libp2p's refresh that drops first, rust-libp2p's timeout that kills one): none
 *   are held yet. Their like is here: a provider that goes before its successor is there, and a timeout that costs a
 *   peer the address that worked.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { OUT_DIR, ROOT } from "../lib/paths.mjs";

const FAULTS = fileURLToPath(new URL("faults", import.meta.url));
const TREE = join(OUT_DIR, "mutants", "tree");
const BUILT = join(OUT_DIR, "mutants", "target");
/** What the pure modules and their tests are built from. */
const COPIED = ["Cargo.toml", "Cargo.lock", "src", "tests"];
const SIMULATION = ["test", "--profile", "sim", "--no-default-features", "--test"];

/**
 * @typedef {{ name: string, file: string, fault: string, invariant: string, seeds: string[], test?: string[] }} Fault
 */

/** @param {string} file @returns {Fault} */
function read(file) {
  const text = readFileSync(join(FAULTS, file), "utf8");
  const head = /** @param {string} key */ (key) => text.match(new RegExp(`^${key}: (.+)$`, "m"))?.[1].trim();
  const fault = head("Fault");
  const invariant = head("Invariant");
  const seeds = head("Seeds")?.split(/[ ,]+/) ?? [];
  const test = head("Test")?.split(/ +/);
  if (!fault || !invariant || (seeds.length === 0) === !test) {
    throw new Error(`${file}: needs Fault, Invariant, and either Seeds or Test`);
  }
  return { name: basename(file, ".patch"), file: join(FAULTS, file), fault, invariant, seeds, test };
}

/** A fresh copy: what is not in it can't be broken by a fault that was taken back badly. */
function copy() {
  rmSync(TREE, { recursive: true, force: true });
  mkdirSync(TREE, { recursive: true });
  for (const part of COPIED) {
    cpSync(join(ROOT, part), join(TREE, part), {
      recursive: true,
      // Modification times stay, so that cargo builds again only what a fault changed.
      preserveTimestamps: true,
      filter: (path) => !path.includes("node_modules"),
    });
  }
}

/**
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
function cargo(args, env = {}) {
  const done = spawnSync("cargo", args, {
    cwd: TREE,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, CARGO_TARGET_DIR: BUILT, ...env },
  });
  return { green: done.status === 0, said: `${done.stdout}\n${done.stderr}` };
}

/** @param {Fault} fault @param {boolean} back */
function patch(fault, back) {
  const how = back ? ["--reverse"] : [];
  // Not as part of the repository around it: its paths count from the copy.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: OUT_DIR };
  execFileSync("git", ["apply", ...how, fault.file], { cwd: TREE, env });
}

/**
 * Which of its seeds turned red, and with the right name.
 *
 * @param {Fault} fault
 */
function hunt(fault) {
  if (fault.test) {
    const [target, ...names] = fault.test;
    const lib = target === "lib" ? ["test", "--profile", "sim", "--no-default-features", "--lib"] : [...SIMULATION, target];
    const { green, said } = cargo([...lib, "--", ...names]);
    if (/^error(\[E\d+\])?:/m.test(said) && !/^test result: FAILED/m.test(said)) return { killed: false, by: "does not build" };
    return { killed: !green, by: green ? "green" : names.join(" ") };
  }
  for (const seed of fault.seeds) {
    const range = `${seed}..${BigInt(seed) + 1n}`;
    const { green, said } = cargo([...SIMULATION, "simulation", "--", "--exact", "seeds::every_seed_keeps_the_invariants"], {
      SIM_SEEDS: range,
    });
    if (green) continue;
    const broken = said.match(/seed \d+: (\S+) broken/)?.[1];
    if (broken === undefined) return { killed: false, by: "does not build" };
    return { killed: broken === fault.invariant, by: `seed ${seed}: ${broken}` };
  }
  return { killed: false, by: `seeds ${fault.seeds.join(", ")} stayed green` };
}

const wanted = process.argv.slice(2);
const faults = readdirSync(FAULTS)
  .filter((file) => file.endsWith(".patch"))
  .sort()
  .map(read)
  .filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (faults.length === 0 || !existsSync(FAULTS)) throw new Error("no fault of that name");
copy();
let killed = 0;
console.log(`${"fault".padEnd(34)} ${"invariant".padEnd(10)} ${"killed by".padEnd(44)} what`);
for (const fault of faults) {
  const started = Date.now();
  patch(fault, false);
  const end = hunt(fault);
  patch(fault, true);
  killed += end.killed ? 1 : 0;
  const seconds = Math.round((Date.now() - started) / 1000);
  const verdict = end.killed ? end.by : `SURVIVED (${end.by})`;
  console.log(`${fault.name.padEnd(34)} ${fault.invariant.padEnd(10)} ${verdict.padEnd(44)} ${fault.fault} (${seconds} s)`);
}
console.log(`killed ${killed}, survived ${faults.length - killed}`);
process.exit(killed === faults.length ? 0 : 1);
