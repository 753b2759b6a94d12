/**
 * The numbers that the manager goes by, for `policy.js` and `policy.d.ts`: names and order as `src/manager/boundary/policy.rs` has
 * them, types, defaults and docs as `src/manager/boundary/config.rs` has them.
 *
 * `node pkg-template/policy.mjs` writes the two anew; `check-types.mjs` says when they are behind.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Set by the option `limits`, not by `policy`. */
const LIMITS = ["softConnections", "hardConnections"];
/** The largest value of each type; the crate takes none above 2⁴², so that sums of deadlines stay far from overflowing. */
const LARGEST = { u8: 2 ** 8 - 1, u16: 2 ** 16 - 1, u32: 2 ** 32 - 1, u64: 2 ** 42, usize: 2 ** 32 - 1 };
const UNITS = { SECOND: 1000, MINUTE: 60_000, HOUR: 3_600_000, DAY: 86_400_000 };

/** @typedef {{ name: string, value: number, min: number, max: number, doc: string }} PolicyNumber */

/**
 * @param {string} config source of config.rs
 * @param {string} policy source of policy.rs
 * @returns {PolicyNumber[]} in the order of policy.rs
 */
export function policyNumbers(config, policy) {
  const defaults = new Map([...config.matchAll(/^ {12}(\w+): ([^,]+),$/gm)].map(([, name, value]) => [name, value]));
  const fields = new Map([...config.matchAll(/((?:^ {4}\/\/\/ .*\n)+) {4}pub (\w+): (u8|u16|u32|u64|usize),$/gm)].map(([, doc, name, type]) => [name, { doc, type }]));
  const order = [...(policy.match(/^numbers! \{\n([^}]*)\}/m)?.[1] ?? "").matchAll(/^ {4}(\w+),$/gm)].map(([, name]) => name);
  const mayBeZero = [...policy.matchAll(/^ {4}Field::(\w+) as usize,$/gm)].map(([, name]) => name);
  if (mayBeZero.length === 0) throw new Error("policy.rs: which numbers may be 0 can't be read");
  const missing = [...fields.keys()].filter((name) => !order.includes(name));
  if (missing.length > 0) throw new Error(`policy.rs lacks ${missing.join(", ")} of config.rs`);
  return order.map((name) => {
    const { doc, type } = fields.get(name) ?? fail(`config.rs has no number ${name}`);
    const value = number(defaults.get(name) ?? "") ?? fail(`config.rs: the default of ${name} can't be read`);
    return {
      name: camel(name),
      value,
      min: mayBeZero.includes(name) ? 0 : 1,
      max: LARGEST[/** @type {keyof typeof LARGEST} */ (type)],
      doc: forUsers(doc.replace(/^ {4}\/\/\/ /gm, "").trim().replace(/\s+/g, " ")),
    };
  });
}

/**
 * Without what only the source has: numbers of the contract, and links to other fields, which get the names of the package.
 *
 * @param {string} doc
 */
function forUsers(doc) {
  return doc
    .replace(/ \((?:[a-z0-9 ]+ of )?4\.\d+\)/g, "")
    .replace(/\[?`Self::(\w+)`\]?/g, (_, name) => `\`${camel(name)}\``);
}

/** @param {string} name */
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  throw new Error(message);
}

/**
 * A product of whole numbers and units.
 *
 * @param {string} expression
 */
function number(expression) {
  const factors = expression.split("*").map((text) => {
    const word = text.trim().replaceAll("_", "");
    return /^\d+$/.test(word) ? Number(word) : UNITS[/** @type {keyof typeof UNITS} */ (word)];
  });
  return factors.includes(/** @type {any} */ (undefined)) ? undefined : factors.reduce((product, factor) => Number(product) * Number(factor));
}

/** @param {PolicyNumber[]} numbers */
export const policyModule = (numbers) => `/** Written by policy.mjs from src/manager/boundary/config.rs: name, default, least and largest value, in the order of the crate's table. */

/** @type {readonly (readonly [string, number, number, number])[]} */
export const NUMBERS = [
${numbers.map(({ name, value, min, max }) => `  ["${name}", ${value}, ${min}, ${max}],`).join("\n")}
];
`;

/** @param {PolicyNumber[]} numbers */
export const policyTypes = (numbers) => `// Written by policy.mjs from src/manager/boundary/config.rs.

/** Every number that the manager goes by, but for those of \`limits\`. Each is a whole number above 0; the defaults are in \`DEFAULTS.policy\`. */
export interface Policy {
${numbers.filter(({ name }) => !LIMITS.includes(name)).map(({ name, value, min, doc }) => `  /** ${doc.replace(/\[`?([^\]`]+)`?\](\([^)]*\))?/g, "$1")}${min === 0 ? " 0 switches it off." : ""} Default: ${value.toLocaleString("en")}. */\n  readonly ${name}: number;`).join("\n")}
}

export const NUMBERS: readonly (readonly [string, number, number, number])[];
`;

/** The files, and what should be in them. */
export function policyFiles() {
  const read = (/** @type {string} */ name) => readFileSync(new URL(`../src/manager/boundary/${name}.rs`, import.meta.url), "utf8");
  const numbers = policyNumbers(read("config"), read("policy"));
  return [
    { file: new URL("./policy.js", import.meta.url), text: policyModule(numbers) },
    { file: new URL("./policy.d.ts", import.meta.url), text: policyTypes(numbers) },
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { file, text } of policyFiles()) writeFileSync(file, text);
}
