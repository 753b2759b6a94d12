// What assembly puts at the end of the factory around wasm-bindgen's glue. `wasm` and `__wbg_get_imports` are the glue's;
// `entries` names what callers call, and `held` lists what the wasm holds of JavaScript: assembly makes both.

/** Set by the first exception that escapes from the wasm: its frames are gone without having cleaned up. */
let dead = false;
/** How many calls into the wasm are on the stack. */
let depth = 0;

function die(error) {
  if (dead) return;
  dead = true;
  // Nobody is left to read these sockets or to end these requests.
  for (const object of held()) {
    if (object instanceof WebSocket) object.close();
    else if (object instanceof AbortController) object.abort();
  }
  onTrap(error);
}

// Errors that Rust returns come as values. So whatever is thrown through here is a trap, or an error of the browser's that
// unwound frames of the wasm: both are the end of the instance. After that, calls do nothing: timers and sockets may still
// have some in store. A caller gets the error; what the event loop called ends quietly, since it is told of as a crash.
const guardExport = (name, call) => (...args) => {
  if (dead) return 0;
  depth++;
  try {
    return call(...args);
  } catch (error) {
    die(error);
    if (depth > 1 || entries.includes(name)) throw error;
    return 0;
  } finally {
    depth--;
  }
};

// An import that called back into the wasm, where it trapped, must not return into the frames below.
const guardImport = (call) => (...args) => {
  const result = call(...args);
  if (dead && depth > 0) throw new Error("the instance is dead");
  return result;
};

const mapFunctions = (object, map) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, typeof value === "function" ? map(name, value) : value]));

const imports = Object.fromEntries(
  Object.entries(__wbg_get_imports()).map(([module, functions]) => [module, mapFunctions(functions, (_, call) => guardImport(call))]),
);
const instance = await WebAssembly.instantiate(module, imports);
__wbg_finalize_init({ exports: mapFunctions(instance.exports, guardExport) }, module);
