/** How big the wasm is, and whose code it is. */
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/**
 * @param {Uint8Array} wasm
 * @returns {{ raw: number, gzip: number, brotli: number }} bytes, each compressed as hard as it goes
 */
export function sizes(wasm) {
  return {
    raw: wasm.length,
    gzip: gzipSync(wasm, { level: 9 }).length,
    brotli: brotliCompressSync(wasm, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: wasm.length } }).length,
  };
}

/** Reads a wasm module from its start. */
class Reader {
  constructor(/** @type {Uint8Array} */ bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  /** An unsigned LEB128 number of at most 32 bits. */
  number() {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes[this.at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  text() {
    const length = this.number();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }
}

const SECTION = { custom: 0, import: 2, code: 10, data: 11 };
const NAMES_OF_FUNCTIONS = 1;
const IMPORTED_FUNCTION = 0;

/**
 * Bytes of code by crate, and by function, largest first, from the name section of a wasm that was not stripped. A
 * generic function counts for the crate that wrote it, not for the one that uses it. `(data)` is constants and tables.
 *
 * @param {Uint8Array} wasm
 * @returns {{ crates: [string, number][], functions: [string, number][] }}
 */
export function weights(wasm) {
  const reader = new Reader(wasm, 8);
  /** @type {number[]} size of each function's code, imported ones not counted */
  const code = [];
  /** @type {Map<number, string>} */
  const names = new Map();
  let imported = 0;
  /** @type {Map<string, number>} */
  const bytes = new Map();
  while (reader.at < wasm.length) {
    const id = wasm[reader.at++];
    const end = reader.number() + reader.at;
    if (id === SECTION.import) imported = importedFunctions(reader);
    if (id === SECTION.code) {
      for (let count = reader.number(); count > 0; count--) {
        const size = reader.number();
        code.push(size);
        reader.at += size;
      }
    }
    if (id === SECTION.data) bytes.set("(data)", end - reader.at);
    if (id === SECTION.custom && reader.text() === "name") {
      while (reader.at < end) {
        const kind = wasm[reader.at++];
        const next = reader.number() + reader.at;
        if (kind === NAMES_OF_FUNCTIONS) {
          for (let count = reader.number(); count > 0; count--) {
            const index = reader.number();
            names.set(index, reader.text());
          }
        }
        reader.at = next;
      }
    }
    reader.at = end;
  }
  /** @type {[string, number][]} */
  const functions = [];
  for (const [index, size] of code.entries()) {
    const name = names.get(imported + index) ?? "(nameless)";
    const crate = crateOf(name);
    bytes.set(crate, (bytes.get(crate) ?? 0) + size);
    functions.push([name, size]);
  }
  const largestFirst = (/** @type {[string, number]} */ [, a], /** @type {[string, number]} */ [, b]) => b - a;
  return { crates: [...bytes].sort(largestFirst), functions: functions.sort(largestFirst) };
}

/** How many of the imports are functions: they come first in the numbering. */
function importedFunctions(/** @type {Reader} */ reader) {
  let functions = 0;
  for (let count = reader.number(); count > 0; count--) {
    reader.text();
    reader.text();
    const kind = reader.bytes[reader.at++];
    if (kind === IMPORTED_FUNCTION) {
      functions++;
      reader.number();
    } else {
      // Tables, memories, globals: wasm-bindgen's input imports none of them, and their encodings differ.
      throw new Error(`an import of kind ${kind}`);
    }
  }
  return functions;
}

/**
 * The crate in a function's name, whether the linker has demangled it or not.
 *
 * @param {string} name
 */
export function crateOf(name) {
  // v0 mangling: the first crate root, `C`, a disambiguator, and its name after its length.
  const v0 = name.startsWith("_R") && /C(?:s[0-9A-Za-z]*_)?(\d+)_?/.exec(name);
  if (v0) return name.slice(v0.index + v0[0].length).slice(0, Number(v0[1]));
  // Legacy mangling: the parts of the path, each after its length.
  const legacy = /^_ZN(\d+)/.exec(name);
  const part = legacy && name.slice(legacy[0].length).slice(0, Number(legacy[1]));
  const path = part ? `${unescape(part)}::` : name;
  const first = /^[<&*([\s]*(?:(?:mut|dyn|const|impl)\s+)*([A-Za-z_]\w*)(?:\[[0-9a-f]+\])?::/.exec(path);
  return first ? first[1] : "(glue and others)";
}

/** What legacy mangling cannot spell. */
function unescape(/** @type {string} */ part) {
  const spelt = { LT: "<", GT: ">", RF: "&", u20: " ", BP: "*", LP: "(", RP: ")", C: "," };
  return part.replace(/^_\$/, "$").replace(/\$(\w+)\$/g, (_, code) => spelt[code] ?? " ").replaceAll("..", "::");
}
