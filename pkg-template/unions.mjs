/** Reads the closed lists of texts out of `index.d.ts` and out of the Rust that they must be equal to. */

/**
 * `export type Name = | "text" …` with a doc comment before each text.
 *
 * @param {string} source of index.d.ts
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
 * @param {string} source of src/manager/reason.rs
 * @returns {Map<string, string[]>}
 */
export function rustEnums(source) {
  const enums = new Map();
  for (const [, name, body] of source.matchAll(/^closed_enum! \{\s*(?:\/\/\/.*\s*)*(\w+) \{([^}]*)\}/gm)) {
    enums.set(name, [...body.matchAll(/^\s*\w+ = "([^"]+)",/gm)].map(([, text]) => text));
  }
  return enums;
}
