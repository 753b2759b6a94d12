// A node is made, started, stopped and closed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LightNodeError } from "../../pkg-template/errors.js";
import { LightNode } from "../../pkg-template/node.js";
import { FakeWasm, settled } from "./fake-wasm.mjs";
import { calls, code, PEER, running, watchedSignal } from "./fixture.mjs";

// --- making -----------------------------------------------------------------------------------------------------------

test("a wrong option rejects before the wasm is loaded", async () => {
  const wasm = new FakeWasm();
  await assert.rejects(wasm.node({ require: { store: -1 } }), code("invalid-options"));
  assert.equal(wasm.loading, undefined);
});

test("what the wasm throws on creation becomes a LightNodeError with its option", async () => {
  const wasm = new FakeWasm();
  wasm.surface.create = () => {
    throw { code: "invalid-options", message: "bootstrap[0]: the key is not on the curve", option: "bootstrap[0]" };
  };
  await assert.rejects(wasm.node(), (error) => code("invalid-options")(error) && error.option === "bootstrap[0]" && error.message.includes("curve"));
});

test("the wasm gets resolved options without the facade's own", async () => {
  const wasm = new FakeWasm();
  await wasm.node({ log: () => {}, signal: new AbortController().signal });
  assert.deepEqual(Object.keys(wasm.created[0]).sort(), ["allowPrivateAddresses", "bootstrap", "limits", "log", "network", "policy", "require", "resolvers"]);
  assert.doesNotThrow(() => structuredClone(wasm.created[0]));
});

test("createLightNode starts, createPeerManager does not", async () => {
  const wasm = new FakeWasm();
  await wasm.node({}, true);
  assert.deepEqual(wasm.methods(), ["start"]);
  const off = await wasm.node({}, false);
  assert.deepEqual(wasm.methods(), ["start"]);
  await assert.rejects(off.ready(), code("not-started"));
});

test("an aborted creation makes nothing", async () => {
  const wasm = new FakeWasm();
  await assert.rejects(wasm.node({ signal: AbortSignal.abort("no") }), (reason) => reason === "no");
  assert.equal(wasm.created.length, 0);
});

test("a creation aborted while it starts frees the node", async () => {
  const wasm = new FakeWasm();
  delete wasm.auto.start;
  const { signal, abort, listeners } = watchedSignal();
  const made = wasm.node({ signal });
  await wasm.posted("start");
  abort("unmounted");
  await assert.rejects(made, (reason) => reason === "unmounted");
  assert.deepEqual(wasm.destroyed, [1]);
  assert.equal(listeners(), 0);
});

test("a signal has no effect on the finished node", async () => {
  const wasm = new FakeWasm();
  const { signal, abort, listeners } = watchedSignal();
  const node = await wasm.node({ signal });
  assert.equal(listeners(), 0);
  abort();
  assert.equal(node.peerId, "peer-1");
  assert.deepEqual(wasm.destroyed, []);
});

test("nobody else makes nodes", () => {
  assert.throws(() => new LightNode(), TypeError);
});

// --- life -------------------------------------------------------------------------------------------------------------

test("a stopped node refuses requests at once, and a stop ends those under way", async () => {
  const { wasm, node } = await running();
  const ready = node.ready();
  const { id } = await wasm.posted("ready");
  const stopping = node.stop();
  await assert.rejects(ready, code("not-started"));
  assert.deepEqual(wasm.posts.find(({ method }) => method === "cancel").params, { request: id });
  await stopping;
  for (const [name, call] of Object.entries(calls(node)).filter(([name]) => !["start", "stop"].includes(name))) {
    await assert.rejects(call(), code("not-started"), name);
  }
});

test("starts and stops are carried out in turn, and the same one twice is one", async () => {
  const wasm = new FakeWasm();
  wasm.auto = {};
  const node = await wasm.node({}, false);
  const all = [node.start(), node.start(), node.stop(), node.start()];
  await settled();
  assert.deepEqual(wasm.methods(), ["start"]);
  wasm.reply(await wasm.posted("start"));
  await settled();
  assert.deepEqual(wasm.methods(), ["start", "stop"]);
  const ready = node.ready();
  await settled();
  assert.deepEqual(wasm.methods(), ["start", "stop"], "a request waits for the start before it");
  wasm.reply(await wasm.posted("stop"));
  wasm.reply(await wasm.posted("start", 2));
  await Promise.all(all);
  wasm.reply(await wasm.posted("ready"));
  await ready;
});

test("a running node that is started again is told so, which ends what connections.stop() began", async () => {
  const { wasm, node } = await running();
  wasm.auto.connectionsStop = () => undefined;
  await node.connections.stop();
  await node.start();
  assert.deepEqual(wasm.methods(), ["start", "connectionsStop", "start"]);
  delete wasm.auto.start;
  const starting = node.start();
  wasm.refuse(await wasm.posted("start", 3), { code: "unsupported", message: "no" });
  await assert.rejects(starting, code("unsupported"));
  node.ready().catch(() => {});
  await wasm.posted("ready");
});

test("a start that failed may be tried again", async () => {
  const wasm = new FakeWasm();
  wasm.auto = {};
  const node = await wasm.node({}, false);
  const first = node.start();
  wasm.refuse(await wasm.posted("start"), { code: "unsupported", message: "no" });
  await assert.rejects(first, code("unsupported"));
  await assert.rejects(node.ready(), code("not-started"));
  const second = node.start();
  wasm.reply(await wasm.posted("start", 2));
  await second;
});

test("close frees once, however often it is called, and every later call rejects", async () => {
  const { wasm, node } = await running();
  const ready = node.ready();
  await wasm.posted("ready");
  const closing = [node.close(), node.close(), node[Symbol.asyncDispose]()];
  await assert.rejects(ready, code("closed"));
  await Promise.all(closing);
  await node.close();
  assert.deepEqual(wasm.destroyed, [1]);
  assert.equal(wasm.methods().filter((method) => method === "close").length, 1);
  for (const [name, call] of Object.entries(calls(node))) await assert.rejects(call(), code("closed"), name);
  for (const call of [() => node.health(), () => node.peers(), () => node.stats(), () => node.peer(PEER), () => node.events(), () => node.setRequirement("store", 1)]) {
    assert.throws(call, code("closed"));
  }
  assert.equal(node.peerId, "peer-1");
});

test("a node that cannot close in order is freed all the same", async () => {
  const { wasm, node } = await running();
  delete wasm.auto.close;
  const closing = node.close();
  wasm.refuse(await wasm.posted("close"), { code: "protocol", message: "no" });
  await closing;
  assert.deepEqual(wasm.destroyed, [1]);
});

test("messages that come after the end are harmless", async () => {
  const { wasm, node } = await running();
  await node.close();
  wasm.event("peer:connect", {});
  wasm.reply({ handle: 1, id: 1 }, undefined);
  wasm.sink(1, { kind: "message", subscription: 1, message: {} });
  wasm.sink(1, { kind: "subscription", subscription: 1, state: "closed", peers: [] });
  await settled();
});

test("two nodes share an instance and nothing else", async () => {
  const wasm = new FakeWasm();
  const [one, two] = [await wasm.node(), await wasm.node()];
  const seen = [];
  one.addEventListener("peer:connect", () => seen.push("one"));
  two.addEventListener("peer:connect", () => seen.push("two"));
  wasm.event("peer:connect", {}, 2);
  await settled();
  assert.deepEqual(seen, ["two"]);
  await one.close();
  assert.deepEqual(wasm.destroyed, [1]);
  assert.doesNotThrow(() => two.health());
});
