/**
 * The numbers that the manager goes by, as `src/manager/config.rs` has them, for `policy.js` and `policy.d.ts`.
 *
 * `node pkg-template/policy.mjs` writes the two anew; `check-types.mjs` says when they are behind.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const CONFIG = new URL("../src/manager/config.rs", import.meta.url);

/** Set by the option `limits`, not by `policy`. */
const LIMITS = ["softConnections", "hardConnections"];
/** The largest value of each type. A `u64` of JavaScript's ends where numbers stop being exact. */
const LARGEST = { u8: 2 ** 8 - 1, u16: 2 ** 16 - 1, u32: 2 ** 32 - 1, u64: Number.MAX_SAFE_INTEGER, usize: 2 ** 32 - 1 };
const UNITS = { SECOND: 1000, MINUTE: 60_000, HOUR: 3_600_000, DAY: 86_400_000 };

/** @typedef {{ name: string, value: number, max: number, doc: string }} PolicyNumber */

/**
 * @param {string} source of config.rs
 * @returns {PolicyNumber[]} in its order
 */
export function policyNumbers(source) {
  const defaults = new Map([...source.matchAll(/^ {12}(\w+): ([^,]+),$/gm)].map(([, name, value]) => [name, value]));
  const fields = source.matchAll(/((?:^ {4}\/\/\/ .*\n)+) {4}pub (\w+): (u8|u16|u32|u64|usize),$/gm);
  return [...fields].map(([, docs, name, type]) => {
    const value = number(defaults.get(name) ?? "");
    if (value === undefined) throw new Error(`config.rs: the default of ${name} can't be read`);
    const doc = docs.replace(/^ {4}\/\/\/ /gm, "").trim().replace(/\s+/g, " ");
    return { name: name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase()), value, max: LARGEST[/** @type {keyof typeof LARGEST} */ (type)], doc };
  });
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
export const policyModule = (numbers) => `/** Written by policy.mjs from src/manager/config.rs: name, default and largest value, in the order of the crate's table. */

/** @type {readonly (readonly [string, number, number])[]} */
export const NUMBERS = [
${numbers.map(({ name, value, max }) => `  ["${name}", ${value}, ${max}],`).join("\n")}
];
`;

/** @param {PolicyNumber[]} numbers */
export const policyTypes = (numbers) => `// Written by policy.mjs from src/manager/config.rs.

/** Every number that the manager goes by, but for those of \`limits\`. Each is a whole number, not negative; the defaults are in \`DEFAULTS.policy\`. */
export interface Policy {
${numbers.filter(({ name }) => !LIMITS.includes(name)).map(({ name, value, doc }) => `  /** ${doc.replace(/\[`?([^\]`]+)`?\](\([^)]*\))?/g, "$1")} Default: ${value.toLocaleString("en")}. */\n  readonly ${name}: number;`).join("\n")}
}

export const NUMBERS: readonly (readonly [string, number, number])[];
`;

/** The files, and what should be in them. */
export function policyFiles() {
  const numbers = policyNumbers(readFileSync(CONFIG, "utf8"));
  return [
    { file: new URL("./policy.js", import.meta.url), text: policyModule(numbers) },
    { file: new URL("./policy.d.ts", import.meta.url), text: policyTypes(numbers) },
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { file, text } of policyFiles()) writeFileSync(file, text);
}
