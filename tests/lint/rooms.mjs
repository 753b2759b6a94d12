/**
 * The directions between the rooms of `src/manager`, and between its files, as rules over the text of their `use`s.
 *
 * A room may name those that stand below it; that is stated once, here, and each room's `mod.rs` says the same in words.
 * Files must not go round in circles, inside a room too.
 *
 * What text can hold: the types and functions that a file names by path (`use`, or in place). A method of `Manager` is
 * called without a `use`, from whatever room, so calls between rooms are not held by this: `Manager` only orchestrates,
 * and what a room keeps to itself is private to its types, which the compiler holds.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { codeOnly } from "./purity.mjs";

/** From below: each may name those before it, and the files of its own. */
export const ORDER = ["boundary", "tools", "book", "machine", "demand", "dialing", "connected", "pruning", "observe"];

/** The files of no room may name all of them; of these, `mod.rs` may be named by all, since every method is of its type. */
export const TOP = ["mod", "orders", "timers"];

/**
 * What names upwards for now, and why. `from` and `to` are files without `.rs`.
 *
 * @type {{ from: string, to: string, why: string }[]}
 */
export const EXCEPTIONS = [];

const inRoom = (/** @type {string} */ file) => (file.includes("/") ? file.split("/")[0] : file);

/**
 * The files of the manager that a file names, each with the line. A name that `mod.rs` gives out again counts as the file
 * that it comes from.
 *
 * @param {string} file without `.rs`, below `src/manager`
 * @param {string} source
 * @param {{ files: Set<string>, given: Map<string, string> }} house
 * @returns {{ to: string, line: number }[]}
 */
export function named(file, source, { files, given }) {
  const code = withoutTests(codeOnly(source));
  /** @type {{ to: string, line: number }[]} */
  const found = [];
  const add = (/** @type {string[]} */ path, /** @type {number} */ at) => {
    const to = resolve(path, files, given);
    if (to !== undefined && to !== file) found.push({ to, line: code.slice(0, at).split("\n").length });
  };
  for (const match of code.matchAll(/\b(?:crate|lightkeeper)::manager((?:::\w+)*)(::\{)?/g)) {
    const base = match[1].split("::").filter(Boolean);
    const at = match.index ?? 0;
    if (match[2] === undefined) {
      add(base, at);
      continue;
    }
    const open = at + match[0].length - 1;
    for (const path of branches(code, open)) add([...base, ...path], at);
  }
  // Up and down again inside a room.
  for (const match of code.matchAll(/\bsuper((?:::super)*)((?:::\w+)+)(::\{)?/g)) {
    const at = match.index ?? 0;
    const ups = 1 + (match[1].match(/super/g)?.length ?? 0);
    const own = file.replace(/\/mod$/, "").split("/");
    const base = [...own.slice(0, own.length - ups), ...match[2].split("::").filter(Boolean)];
    if (own.length - ups < 0) continue;
    if (match[3] === undefined) add(base, at);
    else for (const path of branches(code, at + match[0].length - 1)) add([...base, ...path], at);
  }
  return found;
}

/** Tests at the end of a file may name anything: they stand outside. */
function withoutTests(/** @type {string} */ code) {
  return code.replace(/#\[cfg\(test\)\]\s*mod tests \{[\s\S]*$/, (all) => all.replace(/[^\n]/g, " "));
}

/** The paths inside the braces that open at `open`. */
function branches(/** @type {string} */ code, /** @type {number} */ open) {
  let depth = 0;
  let end = open;
  for (; end < code.length; end += 1) {
    if (code[end] === "{") depth += 1;
    if (code[end] === "}") depth -= 1;
    if (depth === 0) break;
  }
  return flat(code.slice(open + 1, end));
}

/** @returns {string[][]} */
function flat(/** @type {string} */ list) {
  const paths = [];
  let depth = 0;
  let part = "";
  for (const letter of `${list},`) {
    if (letter === "{") depth += 1;
    if (letter === "}") depth -= 1;
    if (letter !== "," || depth > 0) {
      part += letter;
      continue;
    }
    const text = part.trim().replace(/\s+as\s+\w+$/, "");
    part = "";
    if (text === "") continue;
    const brace = text.indexOf("{");
    const base = (brace < 0 ? text : text.slice(0, brace)).split("::").map((name) => name.trim()).filter(Boolean);
    if (brace < 0) paths.push(base);
    else for (const rest of flat(text.slice(brace + 1, text.lastIndexOf("}")))) paths.push([...base, ...rest]);
  }
  return paths;
}

/** The file of a path below `crate::manager`: the longest that there is. */
function resolve(/** @type {string[]} */ path, /** @type {Set<string>} */ files, /** @type {Map<string, string>} */ given) {
  for (let length = path.length; length > 0; length -= 1) {
    const name = path.slice(0, length).join("/");
    if (files.has(name)) return name;
    if (length === 1 && given.has(name)) return given.get(name);
    if (files.has(`${name}/mod`)) return `${name}/mod`;
  }
  return "mod";
}

/**
 * What `mod.rs` gives out again: name → file.
 *
 * @param {string} source
 * @param {Set<string>} files
 * @returns {Map<string, string>}
 */
export function givenOut(source, files) {
  /** @type {Map<string, string>} */
  const given = new Map();
  const code = codeOnly(source);
  for (const match of code.matchAll(/^(?:pub )?use (\w+)((?:::\w+)*)(::\{)?/gm)) {
    const base = [match[1], ...match[2].split("::").filter(Boolean)];
    const open = (match.index ?? 0) + match[0].length - 1;
    const paths = match[3] === undefined ? [base] : branches(code, open).map((path) => [...base, ...path]);
    for (const path of paths) {
      const to = resolve(path, files, new Map());
      if (to !== "mod") given.set(path.at(-1) ?? "", to ?? "mod");
    }
  }
  return given;
}

/**
 * Every violation in a house of files.
 *
 * @param {Map<string, string>} sources file without `.rs` → text
 * @param {{ from: string, to: string, why: string }[]} [exceptions]
 * @returns {string[]}
 */
export function violations(sources, exceptions = EXCEPTIONS) {
  const files = new Set(sources.keys());
  const house = { files, given: givenOut(sources.get("mod") ?? "", files) };
  const found = [];
  const used = new Set();
  /** @type {Map<string, Set<string>>} */
  const edges = new Map();
  for (const [file, source] of sources) {
    const room = inRoom(file);
    if (!ORDER.includes(room) && !TOP.includes(room)) found.push(`${file}: of no room`);
    for (const { to, line } of named(file, source, house)) {
      if (to === "mod" || file === "mod") continue;
      const there = inRoom(to);
      const excepted = exceptions.findIndex((e) => e.from === file && e.to === to);
      if (excepted >= 0) {
        used.add(excepted);
        continue;
      }
      if (!TOP.includes(room) && (TOP.includes(there) || ORDER.indexOf(there) > ORDER.indexOf(room))) {
        found.push(`${file}:${line}: ${room} does not know ${there} (${to})`);
      }
      // A room's mod.rs lists its files and is no step of a circle.
      if (!to.endsWith("/mod") && !file.endsWith("/mod")) edges.set(file, (edges.get(file) ?? new Set()).add(to));
    }
  }
  for (const room of ORDER) {
    const source = sources.get(`${room}/mod`);
    if (source === undefined) continue;
    const says = said(source);
    const below = ORDER.slice(0, ORDER.indexOf(room));
    if (says === undefined) found.push(`${room}/mod: does not say what it names`);
    else if (says.join() !== below.join()) found.push(`${room}/mod: says that it names ${says.join(", ")}, and may name ${below.join(", ")}`);
  }
  for (const circle of circles(edges)) found.push(`a circle: ${circle.join(" → ")}`);
  exceptions.forEach(({ from, to }, index) => {
    if (!used.has(index)) found.push(`the exception ${from} → ${to} is not needed any more`);
  });
  return found;
}

/** One circle for each set of files that lead to one another. */
function circles(/** @type {Map<string, Set<string>>} */ edges) {
  /** @type {string[][]} */
  const found = [];
  const done = new Set();
  const visit = (/** @type {string} */ file, /** @type {string[]} */ path) => {
    const at = path.indexOf(file);
    if (at >= 0) {
      found.push([...path.slice(at), file]);
      return;
    }
    if (done.has(file)) return;
    for (const next of [...(edges.get(file) ?? [])].sort()) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of [...edges.keys()].sort()) visit(file, []);
  return found;
}

/**
 * What each room's `mod.rs` says in words that it names.
 *
 * @param {string} source
 * @returns {string[] | undefined} `undefined` when it does not say
 */
export function said(source) {
  const text = source.replace(/\n\/\/! ?/g, " ");
  const sentence = text.match(/Names ([^.]*)\./);
  if (!sentence) return undefined;
  if (sentence[1] === "nothing else of the manager") return [];
  if (sentence[1] === "every room") return ORDER.slice(0, -1);
  return [...sentence[1].matchAll(/`(\w+)`/g)].map((match) => match[1]);
}

/**
 * The sources of the manager, tests aside.
 *
 * @param {string} root `src/manager`
 * @returns {Map<string, string>}
 */
export function house(root) {
  /** @type {Map<string, string>} */
  const sources = new Map();
  for (const name of readdirSync(root, { recursive: true }).map(String).sort()) {
    const file = name.split(sep).join("/");
    if (!file.endsWith(".rs") || /(^|\/)tests(\/|\.rs$)/.test(file)) continue;
    sources.set(file.replace(/\.rs$/, ""), readFileSync(join(root, name), "utf8"));
  }
  if (sources.size === 0) throw new Error(`${relative(process.cwd(), root)}: no Rust file: moved, or misspelt here`);
  return sources;
}
