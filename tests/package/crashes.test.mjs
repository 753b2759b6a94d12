// The wasm trapped.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeWasm, settled } from "./fake-wasm.mjs";
import { calls, code, running, TOPICS } from "./fixture.mjs";

test("a crash is one event on every node of the instance, and every call rejects from then on", async () => {
  const wasm = new FakeWasm();
  const nodes = [await wasm.node(), await wasm.node()];
  const shut = await wasm.node();
  await shut.close();
  const crashes = [];
  for (const node of [...nodes, shut]) node.addEventListener("node:crash", (event) => crashes.push([node, event.detail.message]));
  const stream = nodes[0].events();
  const pending = nodes.map((node) => node.ready());
  const subscribing = nodes[0].filter.subscribe(TOPICS, () => {});
  wasm.reply(await wasm.posted("subscribe"), { subscription: 7, contentTopics: TOPICS, peers: [] });
  const subscription = await subscribing;

  wasm.crash("panicked at src/lib.rs: a deliberate panic");
  wasm.crash("again");
  for (const waiting of [...pending, subscription.closed]) await assert.rejects(waiting, code("crashed"));
  await settled();
  assert.deepEqual(crashes.map(([node]) => node), nodes);
  for (const [, message] of crashes) assert.match(message, /a deliberate panic/);
  for (const node of nodes) {
    for (const [name, call] of Object.entries(calls(node))) await assert.rejects(call(), code("crashed"), name);
    assert.throws(() => node.health(), code("crashed"));
    await node.close();
  }
  await subscription.unsubscribe();
  await assert.rejects(shut.ready(), code("closed"));
  assert.deepEqual((await stream.next()).value.type, "node:crash");
  assert.equal((await stream.next()).done, true);
  assert.deepEqual(wasm.destroyed, [3], "a dead instance is never entered again");
});

test("what was told before a crash still arrives before it", async () => {
  const { wasm, node } = await running();
  const seen = [];
  for (const type of ["peer:connect", "node:crash"]) node.addEventListener(type, () => seen.push(type));
  wasm.event("peer:connect", {});
  wasm.crash("panicked");
  await settled();
  assert.deepEqual(seen, ["peer:connect", "node:crash"]);
});

test("a crash in the middle of a call is that call's error", async () => {
  const { wasm, node } = await running();
  wasm.surface.query = () => {
    wasm.crash("panicked");
    throw new WebAssembly.RuntimeError("unreachable");
  };
  assert.throws(() => node.health(), code("crashed"));
  await settled();
  assert.throws(() => node.peers(), code("crashed"));
});

test("a crash while it is being made rejects the making", async () => {
  const wasm = new FakeWasm();
  wasm.surface.create = () => {
    wasm.crash("panicked");
    return 0;
  };
  await assert.rejects(wasm.node(), code("crashed"));
});

test("a crash while it closes lets the close resolve", async () => {
  const { wasm, node } = await running();
  delete wasm.auto.close;
  let crashes = 0;
  node.addEventListener("node:crash", () => crashes++);
  const closing = node.close();
  await wasm.posted("close");
  wasm.crash("panicked");
  await closing;
  await settled();
  assert.equal(crashes, 0);
});
