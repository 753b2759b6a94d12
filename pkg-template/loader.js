/** Fetches and compiles the wasm once, and keeps one living instance of it. Nothing happens on import. */

import { instantiate } from "./glue.js";
import { LightNodeError } from "./errors.js";
import { Instance } from "./instance.js";
import { parseUrl } from "./options.js";

/** @typedef {URL | string | Response | BufferSource | WebAssembly.Module} Source */

/** @type {{ source: Source, module: Promise<WebAssembly.Module> } | undefined} */
let compiling;
/** @type {Promise<Instance> | undefined} */
let current;

/**
 * Loads and compiles the wasm, once; later calls await the first, and may not name another source. A load that failed may
 * be tried again.
 *
 * @param {Source} [source] the wasm, or where it is; by default `lightkeeper_bg.wasm` beside this file
 * @returns {Promise<void>}
 */
export async function init(source) {
  await compileOnce(source);
}

/**
 * The living instance; a fresh one when there is none, or when the last one crashed.
 *
 * @returns {Promise<Instance>}
 */
export async function load() {
  if (typeof WebSocket === "undefined" || !("window" in globalThis || "WorkerGlobalScope" in globalThis)) {
    throw new LightNodeError("unsupported", "lightkeeper runs in a browser: call this in a page or a worker, not in Node.js or while rendering on a server");
  }
  const before = current;
  if (before && !(await before.catch(() => undefined))?.crash) return before;
  // Another caller may have replaced it while this one waited.
  if (current === before) {
    const fresh = compileOnce().then((module) => Instance.create(instantiate, module));
    current = fresh;
    fresh.catch(() => {
      if (current === fresh) current = undefined;
    });
  }
  return /** @type {Promise<Instance>} */ (current);
}

/** @param {Source} [source] by default what is loaded already */
function compileOnce(source) {
  if (compiling && source !== undefined && place(source) !== place(compiling.source)) {
    const message = `source should be given before anything is loaded, and only once: the wasm was taken from ${show(compiling.source)}`;
    throw new LightNodeError("invalid-options", message, { option: "source" });
  }
  if (!compiling) {
    const from = source ?? new URL("./lightkeeper_bg.wasm", import.meta.url);
    const begun = { source: from, module: compile(from) };
    compiling = begun;
    begun.module.catch(() => {
      if (compiling === begun) compiling = undefined;
    });
  }
  return compiling.module;
}

/**
 * What tells one source from another: of a place its full address, else the thing itself.
 *
 * @param {Source} source
 */
function place(source) {
  if (typeof source !== "string" && !(source instanceof URL)) return source;
  return parseUrl(String(source), globalThis.location?.href)?.href ?? source;
}

/** @param {Source} source */
const show = (source) => (typeof source === "string" || source instanceof URL ? String(source) : "the bytes or the response that was given");

/**
 * @param {Source} source
 * @returns {Promise<WebAssembly.Module>}
 */
async function compile(source) {
  if (source instanceof WebAssembly.Module) return source;
  let from = "the given source";
  try {
    if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return await WebAssembly.compile(source);
    if (!(source instanceof Response)) from = String(source);
    const response = source instanceof Response ? source : await fetch(source);
    from = response.url || from;
    if (!response.ok) throw new Error(`HTTP status ${response.status}`);
    // Browsers refuse to compile a stream of any other type, and not every server knows this one.
    const type = response.headers.get("content-type");
    if (type?.trim().toLowerCase() === "application/wasm") return await WebAssembly.compileStreaming(response);
    const bytes = await response.arrayBuffer();
    if (!isWasm(bytes)) throw new Error(`the answer is ${type ?? "something"} and no wasm`);
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new LightNodeError("unsupported", `could not load the wasm from ${from}: ${why}. Serve lightkeeper_bg.wasm there, or say where it is with init(url).`, { cause });
  }
}

/** @param {ArrayBuffer} bytes */
function isWasm(bytes) {
  return String.fromCharCode(...new Uint8Array(bytes, 0, Math.min(4, bytes.byteLength))) === "\0asm";
}
