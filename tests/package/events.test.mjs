// What a node tells: events and logs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { STREAM_LIMIT } from "../../pkg-template/streams.js";
import { FakeWasm, settled } from "./fake-wasm.mjs";
import { PEER, running, watchedSignal } from "./fixture.mjs";

// --- events -----------------------------------------------------------------------------------------------------------

test("events come with the wasm off the stack, in order, with plain detail", async () => {
  const { wasm, node } = await running();
  const seen = [];
  for (const type of ["peer:connect", "peer:identify"]) node.addEventListener(type, (event) => seen.push([event.type, event.detail]));
  wasm.event("peer:connect", { peerId: "a" });
  wasm.event("peer:identify", { peerId: "a" });
  assert.deepEqual(seen, []);
  await settled();
  assert.deepEqual(seen, [["peer:connect", { peerId: "a" }], ["peer:identify", { peerId: "a" }]]);
});

test("a listener may call the node, and an event of that call comes after", async () => {
  const { wasm, node } = await running();
  const seen = [];
  node.addEventListener("peer:connect", () => (node.setPriority(PEER, "banned"), wasm.event("peer:ban", {}), seen.push("connect")));
  node.addEventListener("peer:ban", () => seen.push("ban"));
  wasm.event("peer:connect", {});
  await settled();
  assert.deepEqual(seen, ["connect", "ban"]);
});

test("events() has every event from the call on, and ends when the node is closed", async () => {
  const { wasm, node } = await running();
  const stream = node.events();
  wasm.event("peer:connect", { peerId: "a" });
  wasm.event("peer:disconnect", { peerId: "a" });
  await settled();
  await node.close();
  const seen = [];
  for await (const { type, detail, at } of stream) seen.push([type, detail.peerId, typeof at]);
  assert.deepEqual(seen, [["peer:connect", "a", "number"], ["peer:disconnect", "a", "number"]]);
});

test("a slow reader of events() loses the oldest and is told how many", async () => {
  const { wasm, node } = await running();
  const stream = node.events();
  for (let count = 0; count < STREAM_LIMIT + 3; count++) wasm.event("peer:connect", { count });
  await settled();
  assert.deepEqual((await stream.next()).value.type, "events:dropped");
  assert.deepEqual((await stream.next()).value.detail, { count: 3 });
  for (let count = 4; count < STREAM_LIMIT + 3; count++) assert.equal((await stream.next()).value.detail.count, count);
  const waiting = stream.next();
  wasm.event("peer:connect", { count: "last" });
  assert.equal((await waiting).value.detail.count, "last");
});

test("aborting events() rejects the read, and leaving the loop ends the collecting", async () => {
  const { wasm, node } = await running();
  const { signal, abort, listeners } = watchedSignal();
  const stream = node.events({ signal });
  const reading = stream.next();
  abort("enough");
  await assert.rejects(reading, (reason) => reason === "enough");
  await assert.rejects(stream.next(), (reason) => reason === "enough");
  assert.equal(listeners(), 0);
  await assert.rejects(node.events({ signal }).next(), (reason) => reason === "enough");

  wasm.event("peer:connect", {});
  const other = watchedSignal();
  for await (const event of node.events({ signal: other.signal })) {
    assert.equal(event.type, "peer:connect");
    break;
  }
  assert.equal(other.listeners(), 0);
});

// --- logs -------------------------------------------------------------------------------------------------------------

test("records go to the log function, whose errors are its own", async (context) => {
  const reported = [];
  const before = globalThis.reportError;
  globalThis.reportError = (error) => reported.push(error);
  context.after(() => (globalThis.reportError = before));
  const wasm = new FakeWasm();
  const records = [];
  await wasm.node({
    log: (record) => {
      records.push(record);
      throw new Error("the dapp's own");
    },
  });
  wasm.sink(1, { kind: "log", level: "info", target: "manager", message: "dialing" });
  await settled();
  assert.deepEqual(records, [{ level: "info", target: "manager", message: "dialing" }]);
  assert.equal(reported.length, 1);
});

test("a level prints to the console, off prints nothing", async (context) => {
  const info = context.mock.method(console, "info", () => {});
  const wasm = new FakeWasm();
  await wasm.node({ log: "info" });
  await wasm.node({});
  for (const handle of [1, 2]) wasm.sink(handle, { kind: "log", level: "info", target: "manager", message: "dialing" });
  await settled();
  assert.deepEqual(info.mock.calls.map(({ arguments: args }) => args), [["[manager] dialing"]]);
});
