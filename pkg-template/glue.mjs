/**
 * Turns the module that `wasm-bindgen --target web` writes, whose one instance lives in module variables, into a factory,
 * so that a dead instance can be dropped and a fresh one made.
 *
 * @param {string} glue lightkeeper.js as wasm-bindgen 0.2.108 writes it
 * @param {string} tail glue-tail.js
 * @returns {{ source: string, names: string[] }} the module, and what an instance exports
 */
export function wrapGlue(glue, tail) {
  // From here on it loads and instantiates, which is ours to do.
  const [body, loading] = cut(glue, "async function __wbg_load(");
  for (const mark of ["let wasmModule, wasm;", "function __wbg_finalize_init(", "function __wbg_get_imports("]) cut(body, mark);
  cut(loading, "export { initSync, __wbg_init as default };");

  /** @type {string[]} */
  const names = [];
  /** @type {string[]} */
  const hoisted = [];
  const inner = body
    .replace(/^\/\* @ts-self-types=.*\*\/\n/, "")
    .replace(/^import .*;\n/gm, (line) => (hoisted.push(line), ""))
    .replace(/^export function (\w+)/gm, (_, name) => (names.push(name), `function ${name}`));
  if (/^export /m.test(inner) || names.length === 0) throw new Error("wasm-bindgen's output is not what glue.mjs was written for");

  // What the wasm holds of JavaScript: in a list of the glue's, or in a table when the target has reference types.
  const held = /^let heap = /m.test(inner)
    ? "const held = () => heap;"
    : "const held = () => Array.from({ length: wasm.__wbindgen_externrefs.length }, (_, index) => wasm.__wbindgen_externrefs.get(index));";

  const source = [
    "// Made by assemble.mjs from wasm-bindgen's glue.",
    ...hoisted.map((line) => line.trimEnd()),
    "",
    "/**",
    " * A fresh instance of the wasm, with everything that the glue keeps for it.",
    " *",
    " * @param {WebAssembly.Module} module",
    " * @param {(error: unknown) => void} onTrap called once, when the instance is dead",
    " */",
    "export async function instantiate(module, onTrap) {",
    inner.trim(),
    "",
    `const entries = ${JSON.stringify(names)};`,
    held,
    "",
    tail.trim(),
    "",
    `return { ${names.join(", ")} };`,
    "}",
    "",
  ].join("\n");
  return { source, names };
}

/**
 * @param {string} text
 * @param {string} mark
 * @returns {[string, string]} what stands before it, and the rest
 */
function cut(text, mark) {
  const at = text.indexOf(mark);
  if (at < 0 || text.indexOf(mark, at + 1) >= 0) throw new Error(`wasm-bindgen's output is not what glue.mjs was written for: no single "${mark}"`);
  return [text.slice(0, at), text.slice(at)];
}
