/** Reads the closed lists of texts out of the public types and out of the Rust that they must be equal to. */

import { readdirSync, readFileSync } from "node:fs";

/** The files of `types`, by name. */
export const TYPE_FILES = readdirSync(new URL("./types", import.meta.url)).sort();

/** The closed lists of the public types, by name. */
export function publicUnions() {
  const sources = TYPE_FILES.map((file) => readFileSync(new URL(`./types/${file}`, import.meta.url), "utf8"));
  return typeUnions(sources.join("\n"));
}

/**
 * `export type Name = | "text" …` with a doc comment before each text.
 *
 * @param {string} source of declarations
 * @returns {Map<string, { text: string, doc: string }[]>}
 */
export function typeUnions(source) {
  const unions = new Map();
  for (const [, name, body] of source.matchAll(/^export type (\w+) =\n((?:\s+(?:\/\*\*.*\*\/|\| "[^"]+";?)\n)+)/gm)) {
    const members = [...body.matchAll(/(?:\/\*\* (.*?) \*\/\s*)?\| "([^"]+)"/g)].map(([, doc = "", text]) => ({ text, doc }));
    unions.set(name, members);
  }
  return unions;
}

/**
 * `closed_enum! { Name { Variant = "text", … } }`
 *
 * @param {string} source of src/manager/boundary/reason.rs
 * @returns {Map<string, string[]>}
 */
export function rustEnums(source) {
  const enums = new Map();
  for (const [, name, body] of source.matchAll(/^closed_enum! \{\s*(?:\/\/\/.*\s*)*(\w+) \{([^}]*)\}/gm)) {
    enums.set(name, [...body.matchAll(/^\s*\w+ = "([^"]+)",/gm)].map(([, text]) => text));
  }
  return enums;
}
