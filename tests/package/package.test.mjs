import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createServer } from "node:http";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { wrapGlue } from "../../pkg-template/glue.mjs";
import { rustEnums, typeUnions } from "../../pkg-template/unions.mjs";
import { SAMPLE, importFrom, pack, pretendPage, wasmBytes } from "./pack.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const code = (expected) => (error) => error.name === "LightNodeError" && error.code === expected;

// --- what is in it ----------------------------------------------------------------------------------------------------

test("the package exports what is built, and nothing else", async (context) => {
  const exported = await importFrom(pack(context));
  assert.deepEqual(Object.keys(exported).sort(), ["DEFAULTS", "LightNode", "LightNodeError", "createLightNode", "createPeerManager", "init", "networks"]);
});

test("package.json has the crate's version, no dependencies, and names only files that are there", (context) => {
  const out = pack(context);
  const json = JSON.parse(readFileSync(join(out, "package.json"), "utf8"));
  assert.equal(json.version, readFileSync(join(ROOT, "Cargo.toml"), "utf8").match(/^version = "(.*)"$/m)[1]);
  assert.equal(json.name, "lightkeeper");
  assert.equal(json.dependencies, undefined);
  const files = readdirSync(out);
  for (const path of [json.main, json.types, ...Object.values(json.exports).flatMap((entry) => (typeof entry === "string" ? entry : Object.values(entry)))]) {
    assert.ok(files.includes(path.slice(2)), path);
  }
  for (const file of ["LICENSE-MIT", "LICENSE-APACHE", "README.md", "glue.js"]) assert.ok(files.includes(file), file);
});

test("every module that a module imports is packed", (context) => {
  const out = pack(context);
  for (const file of readdirSync(out).filter((name) => name.endsWith(".js"))) {
    for (const [, path] of readFileSync(join(out, file), "utf8").matchAll(/^(?:import|export) .*from "\.\/(.*)";/gm)) {
      assert.ok(readdirSync(out).includes(path), `${file} imports ${path}`);
    }
  }
});

test("the README explains every reason", (context) => {
  const readme = readFileSync(join(pack(context), "README.md"), "utf8");
  assert.doesNotMatch(readme, /<!--/);
  for (const text of ["handed-off", "suspect-offline", "no-peer", "wrong-id"]) assert.ok(readme.includes(`| \`${text}\` |`), text);
});

test("the closed lists of the types are those of the crate", () => {
  const said = execFileSync(process.execPath, [join(ROOT, "pkg-template/check-types.mjs")], { encoding: "utf8" });
  assert.match(said, /closed lists agree: .*Reason.*HealthReason/);
});

test("a text is read from the Rust and from the types alike", () => {
  const rust = 'closed_enum! {\n    /// Doc.\n    Cause {\n        /// We.\n        Local = "local",\n        /// It.\n        Remote = "remote",\n    }\n}\n';
  assert.deepEqual([...rustEnums(rust)], [["Cause", ["local", "remote"]]]);
  const types = 'export type Cause =\n  /** We. */\n  | "local"\n  | "remote";\n';
  assert.deepEqual([...typeUnions(types)], [["Cause", [{ text: "local", doc: "We." }, { text: "remote", doc: "" }]]]);
});

// --- the glue ---------------------------------------------------------------------------------------------------------

test("the wrapped glue loads nothing by itself and exports only its factory", (context) => {
  const glue = readFileSync(join(pack(context), "glue.js"), "utf8");
  assert.doesNotMatch(glue, /import\.meta|fetch\(|__wbg_load|initSync/);
  assert.deepEqual(glue.match(/^export .*/gm), ["export async function instantiate(module, onTrap) {"]);
});

test("glue of an unknown shape is refused, not mangled", () => {
  const glue = readFileSync(join(SAMPLE, "lightkeeper.js"), "utf8");
  assert.throws(() => wrapGlue(glue.replace("let wasmModule, wasm;", "var wasm;"), ""), /not what glue\.mjs was written for/);
  assert.throws(() => wrapGlue(glue.replace("export function create(", "export const create = ("), ""), /not what/);
});

test("imports of the glue are kept outside the factory", () => {
  const glue = readFileSync(join(SAMPLE, "lightkeeper.js"), "utf8");
  const { source } = wrapGlue(`import * as snippet from './snippets/x.js';\n${glue}`, "");
  assert.ok(source.indexOf("import * as snippet") < source.indexOf("export async function instantiate"));
});

// --- loading ----------------------------------------------------------------------------------------------------------

test("outside a browser it can be imported, and says that it runs in a page or a worker", async (context) => {
  const { createLightNode, createPeerManager } = await importFrom(pack(context));
  for (const create of [createLightNode, createPeerManager]) {
    await assert.rejects(create(), (error) => code("unsupported")(error) && /page or a worker/.test(error.message));
    await assert.rejects(create({ storge: 1 }), code("invalid-options"));
  }
});

test("init takes bytes, a module, or a response of any type", async (context) => {
  const bytes = wasmBytes();
  for (const source of [
    bytes,
    new Uint8Array(bytes).buffer,
    await WebAssembly.compile(bytes),
    new Response(bytes, { headers: { "content-type": "application/wasm" } }),
    new Response(bytes, { headers: { "content-type": "application/octet-stream" } }),
    new Response(bytes),
  ]) {
    const { init } = await importFrom(pack(context));
    assert.equal(await init(source), undefined);
  }
});

test("init takes a place, asks for it once, and may be tried again after a failure", async (context) => {
  const asked = [];
  const server = createServer((request, response) => {
    asked.push(request.url);
    if (request.url === "/gone.wasm") return response.writeHead(404).end();
    if (request.url === "/page.wasm") return response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html>");
    response.writeHead(200, { "content-type": "application/wasm" }).end(wasmBytes());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => server.close());
  const at = (path) => `http://127.0.0.1:${server.address().port}${path}`;
  const { init } = await importFrom(pack(context));

  await assert.rejects(init(at("/gone.wasm")), (error) => code("unsupported")(error) && /gone\.wasm: HTTP status 404/.test(error.message));
  await assert.rejects(init(at("/page.wasm")), (error) => /text\/html/.test(error.message) && /init\(url\)/.test(error.message));
  await assert.rejects(init(new Uint8Array([1, 2, 3])), code("unsupported"));
  await Promise.all([init(new URL(at("/good.wasm"))), init(at("/good.wasm")), init()]);
  await init();
  assert.deepEqual(asked, ["/gone.wasm", "/page.wasm", "/good.wasm"]);
});

test("init refuses another source once a load has begun, and says which was taken", async (context) => {
  const bytes = wasmBytes();
  const { init } = await importFrom(pack(context));
  const refused = (error) => code("invalid-options")(error) && error.option === "source";
  const loading = init(bytes);
  await assert.rejects(init("https://example.org/other.wasm"), refused);
  await loading;
  await assert.rejects(init(new Uint8Array(bytes)), refused);
  await Promise.all([init(), init(bytes)]);

  const fresh = await importFrom(pack(context));
  pretendPage(context);
  await fresh.createLightNode().catch(() => {});
  await fresh.init("file:///nowhere.wasm").catch(() => {});
  await fresh.init(wasmBytes());
  await assert.rejects(fresh.init("https://example.org/other.wasm"), (error) => refused(error) && /the bytes/.test(error.message));
});

// --- a real instance --------------------------------------------------------------------------------------------------

async function page(context) {
  const sockets = pretendPage(context);
  const out = pack(context);
  const lightkeeper = await importFrom(out);
  await lightkeeper.init(wasmBytes());
  const { testPanic } = await importFrom(out, "testing.js");
  const { internals } = await importFrom(out, "node.js");
  const { load } = await importFrom(out, "loader.js");
  return { ...lightkeeper, testPanic, internals, load, sockets };
}

/** The crash of a node, told once; a second one fails the test. */
function crashOf(node) {
  return new Promise((resolve, reject) => {
    let told = 0;
    node.addEventListener("node:crash", ({ detail }) => (++told === 1 ? resolve(detail.message) : reject(new Error("told twice"))));
  });
}

test("a node of a real instance starts, answers and closes", async (context) => {
  const { createLightNode, LightNode } = await page(context);
  const node = await createLightNode({});
  assert.ok(node instanceof LightNode);
  assert.equal(node.peerId, "16Uiu2HAmSample");
  await node.ready();
  await node.close();
});

test("what the wasm throws on creation names its option", async (context) => {
  const { createLightNode } = await page(context);
  const bootstrap = ["/bad/p2p/bad"];
  await assert.rejects(createLightNode({ bootstrap }), (error) => code("invalid-options")(error) && error.option === "bootstrap[0]");
});

test("two nodes share an instance until a panic takes both, and the next node gets a fresh one", async (context) => {
  const { createLightNode, testPanic, internals } = await page(context);
  const [one, two] = await Promise.all([createLightNode(), createLightNode()]);
  assert.equal(internals(one).instance, internals(two).instance);
  const crashes = [crashOf(one), crashOf(two)];
  const ready = two.ready();
  assert.throws(() => testPanic(one), code("crashed"));
  await assert.rejects(ready, code("crashed"));
  for (const message of await Promise.all(crashes)) assert.match(message, /a deliberate panic/);
  await assert.rejects(one.ready(), code("crashed"));
  await one.close();

  const [three, four] = await Promise.all([createLightNode(), createLightNode()]);
  assert.notEqual(internals(three).instance, internals(one).instance);
  assert.equal(internals(three).instance, internals(four).instance);
  await three.ready();
});

test("a panic out of a timer is a crash, and nobody sees an uncaught error", async (context) => {
  const { createLightNode, load } = await page(context);
  const uncaught = [];
  const onUncaught = (error) => uncaught.push(error);
  process.on("uncaughtException", onUncaught);
  context.after(() => process.off("uncaughtException", onUncaught));
  const node = await createLightNode();
  const crash = crashOf(node);
  (await load()).enter("test_late_timer", 1, 1);
  assert.match(await crash, /a late timer ran/);
  assert.deepEqual(uncaught, []);
});

test("a timer that fires into a dead instance does nothing", async (context) => {
  const { createLightNode, testPanic, load } = await page(context);
  const node = await createLightNode();
  const { setTimeout: realTimeout } = globalThis;
  let fire;
  globalThis.setTimeout = (callback) => ((fire = callback), 0);
  context.after(() => (globalThis.setTimeout = realTimeout));
  (await load()).enter("test_late_timer", 1, 1);
  globalThis.setTimeout = realTimeout;
  const crash = crashOf(node);
  assert.throws(() => testPanic(node), code("crashed"));
  assert.match(await crash, /a deliberate panic/);
  assert.doesNotThrow(fire);
});

test("an exception of the browser's that unwinds the wasm is a crash too", async (context) => {
  const { createLightNode, load } = await page(context);
  const node = await createLightNode();
  const crash = crashOf(node);
  const instance = await load();
  assert.throws(() => instance.enter("test_throw"), code("crashed"));
  assert.match(await crash, /notDefinedAnywhere/);
});

test("the sockets of a dead instance are closed", async (context) => {
  const { createLightNode, testPanic, load, sockets } = await page(context);
  const node = await createLightNode();
  const instance = await load();
  instance.enter("test_socket", "ws://127.0.0.1:1/a");
  instance.enter("test_socket", "ws://127.0.0.1:1/b");
  assert.throws(() => testPanic(node), code("crashed"));
  assert.deepEqual(sockets.closed.sort(), ["ws://127.0.0.1:1/a", "ws://127.0.0.1:1/b"]);
});
