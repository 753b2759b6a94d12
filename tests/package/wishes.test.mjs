// What a user may wish for peers and connections: each wish is one order to the wasm.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LightNodeError } from "../../pkg-template/errors.js";
import { FakeWasm, settled } from "./fake-wasm.mjs";

const PEER = "16Uiu2HAmNaeL4p3WEYzC9mgXBmBWSgWjPHRvatZTXnp8Jgv3iKsb";
const OTHER = "16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ";
const ROUTE = "/dns4/a.example.org/tcp/8000/wss";
const refused = (option) => (error) => error instanceof LightNodeError && error.code === "invalid-options" && error.option === option;
const code = (expected) => (error) => error instanceof LightNodeError && error.code === expected;

async function running() {
  const wasm = new FakeWasm();
  return { wasm, node: await wasm.node() };
}

/** Each wish, and the message that it is. */
const WISHES = [
  ["addRoute", (node) => node.addRoute(PEER, ROUTE), "addRoute", { peer: PEER, address: ROUTE }],
  ["addRoute with the peer's id", (node) => node.addRoute(PEER, `${ROUTE}/p2p/${PEER}`), "addRoute", { peer: PEER, address: ROUTE }],
  ["removeRoute", (node) => node.removeRoute(PEER, ROUTE), "removeRoute", { peer: PEER, address: ROUTE }],
  ["forget", (node) => node.forget(PEER), "forget", { peer: PEER }],
  ["setPriority", (node) => node.setPriority(PEER, "low"), "setPriority", { peer: PEER, priority: "low" }],
  ["protect", (node) => node.protect(PEER, "game"), "protect", { peer: PEER, tag: "game" }],
  ["unprotect", (node) => node.unprotect(PEER, "game"), "unprotect", { peer: PEER, tag: "game" }],
  ["tag", (node) => node.tag(PEER, "friend", { value: 100, ttlMs: 60_000 }), "tag", { peer: PEER, name: "friend", value: 100, ttlMs: 60_000 }],
  ["tag that stays", (node) => node.tag(PEER, "foe", { value: -1000 }), "tag", { peer: PEER, name: "foe", value: -1000, ttlMs: undefined }],
  ["keep", (node) => node.keep(PEER), "keep", { peer: PEER }],
  ["connections.start", (node) => node.connections.start(), "connectionsStart", {}],
  ["connections.pause", (node) => node.connections.pause(), "connectionsPause", {}],
  ["connections.resume", (node) => node.connections.resume(), "connectionsResume", {}],
  ["connections.setMaxByTransport", (node) => node.connections.setMaxByTransport({ ws: 2, wss: Infinity }), "setMaxByTransport", { limits: { ws: 2, wss: null } }],
  ["connections.setLifetime", (node) => node.connections.setLifetime(60_000), "setLifetime", { ms: 60_000 }],
  ["connections.setLifetime for ever", (node) => node.connections.setLifetime(Infinity), "setLifetime", { ms: undefined }],
  ["initialSync.start", (node) => node.initialSync.start(), "initialSyncStart", { peer: undefined }],
  ["initialSync.start with a peer", (node) => node.initialSync.start(PEER), "initialSyncStart", { peer: PEER }],
  ["initialSync.stop", (node) => node.initialSync.stop(), "initialSyncStop", {}],
  ["setLimits", (node) => node.setLimits({ connections: 8 }), "setLimits", { connections: 8, hard: 10 }],
  ["setLimits of a transport", (node) => node.setLimits({ byTransport: { ws: 1 } }), "setMaxByTransport", { limits: { ws: 1 } }],
];

for (const [label, wish, method, params] of WISHES) {
  test(`${label} is the order ${method}`, async () => {
    const { wasm, node } = await running();
    assert.equal(wish(node), undefined);
    assert.deepEqual(wasm.posts.at(-1), { handle: 1, method, params, ordered: true });
  });
}

test("wishes are taken by a stopped node, but connections are started by start()", async () => {
  const wasm = new FakeWasm();
  const node = await wasm.node({}, false);
  for (const [label, wish] of WISHES) {
    if (label === "connections.start") assert.throws(() => wish(node), code("not-started"));
    else assert.doesNotThrow(() => wish(node), label);
  }
});

test("connections.stop() resolves when all are closed, and an abort ends the waiting alone", async () => {
  const { wasm, node } = await running();
  const controller = new AbortController();
  let stopped = false;
  const stopping = node.connections.stop().then(() => (stopped = true));
  const waiting = node.connections.stop({ signal: controller.signal });
  const post = await wasm.posted("connectionsStop");
  controller.abort("enough");
  await assert.rejects(waiting, (reason) => reason === "enough");
  assert.equal(stopped, false);
  assert.ok(!wasm.methods().includes("cancel"));
  wasm.reply(post);
  await stopping;
});

test("connections.start() does not overtake a stop that is under way", async () => {
  const { wasm, node } = await running();
  wasm.auto.connectionsStop = () => undefined;
  const stopping = node.connections.stop();
  node.connections.start();
  assert.deepEqual(wasm.posts.slice(1).map(({ method, ordered = false }) => [method, ordered]), [["connectionsStop", false], ["connectionsStart", false]]);
  await stopping;
  await settled();
  node.connections.start();
  assert.equal(wasm.posts.at(-1).ordered, true);
});

test("a connections.stop() that nobody waits for troubles nobody", async () => {
  const { node } = await running();
  node.connections.stop();
  await node.close();
  await assert.rejects(node.connections.stop(), code("closed"));
  // An unhandled rejection would fail the run here.
  await settled();
});

test("a closed node refuses every wish", async () => {
  const { node } = await running();
  await node.close();
  for (const [label, wish] of WISHES) assert.throws(() => wish(node), code("closed"), label);
  for (const read of [() => node.explain(PEER), () => node.record(), () => node.watchPeers(), () => node.errors()]) assert.throws(read, code("closed"));
});

for (const route of ["/ip4/1.2.3.4/tcp/8000/ws", "/ip6/2001:db8::1/wss", "/dns/a/tcp/1/tls/ws", "/dns6/a.example.org/tcp/443/tls/sni/b.example.org/ws", "/dns4/a/tcp/1/wss/http-path/waku"]) {
  test(`${route} is a route`, async () => {
    const { wasm, node } = await running();
    node.addRoute(PEER, route);
    assert.deepEqual(wasm.posts.at(-1).params, { peer: PEER, address: route });
  });
}

for (const [label, option, wish] of [
  ["an address for a peer", "peer", (node) => node.addRoute(ROUTE, ROUTE)],
  ["an address that is none", "address", (node) => node.addRoute(PEER, "wss://a.example.org")],
  ["an address of no protocol", "address", (node) => node.addRoute(PEER, "/nonsense")],
  ["an address without its value", "address", (node) => node.addRoute(PEER, "/dns4/a.example.org/tcp/wss")],
  ["an address of no such ip", "address", (node) => node.addRoute(PEER, "/ip4/1.2.3.256/tcp/443/wss")],
  ["an address of no such port", "address", (node) => node.addRoute(PEER, "/ip6/2001:db8::1/tcp/65536/wss")],
  ["an address at port 0", "address", (node) => node.addRoute(PEER, "/ip4/1.2.3.4/tcp/0/ws")],
  ["an address that no page can dial", "address", (node) => node.addRoute(PEER, "/ip4/1.2.3.4/tcp/4001")],
  ["an address of somebody else", "address", (node) => node.removeRoute(PEER, `${ROUTE}/p2p/${OTHER}`)],
  ["a tag without a name", "tag", (node) => node.protect(PEER, "")],
  ["a tag as long as a story", "tag", (node) => node.unprotect(PEER, "a".repeat(65))],
  ["a hint without a value", "value", (node) => node.tag(PEER, "friend", {})],
  ["a hint above the scale", "value", (node) => node.tag(PEER, "friend", { value: 1001 })],
  ["a hint that fades at once", "ttlMs", (node) => node.tag(PEER, "friend", { value: 1, ttlMs: 0 })],
  ["a priority nobody knows", "priority", (node) => node.setPriority(PEER, "best")],
  ["a transport that is not built yet", "limits.webtransport", (node) => node.connections.setMaxByTransport({ webtransport: 1 })],
  ["a lifetime of seconds", "ms", (node) => node.connections.setLifetime(59_999)],
  ["limits of the wrong name", "limits.soft", (node) => node.setLimits({ soft: 3 })],
  ["a requirement nobody enrolled", "name", (node) => node.setRequirement("chat", 1)],
  ["more decisions than are kept", "decisions", (node) => node.stats({ decisions: 1025 })],
  ["a signal that is none", "signal", (node) => node.watchPeers({ signal: 1 })],
]) {
  test(`${label} is refused, naming ${option}, and posts nothing`, async () => {
    const { wasm, node } = await running();
    assert.throws(() => wish(node), refused(option));
    assert.deepEqual(wasm.methods(), ["start"]);
  });
}

// --- what can be read -------------------------------------------------------------------------------------------------

test("explain, stats and record are read at once", async () => {
  const { wasm, node } = await running();
  wasm.surface.query = (_, what, argument) => ({ stats: { known: 3 }, protocols: ["a"], decisions: [argument], record: new Uint8Array([7]), explain: { peer: argument } })[what];
  assert.deepEqual(node.explain(PEER), { peer: PEER });
  assert.deepEqual(node.stats(), { known: 3, protocols: ["a"], decisions: ["16"] });
  assert.deepEqual(node.stats({ decisions: 0 }).decisions, ["0"]);
  const { bytes, at } = node.record();
  assert.deepEqual([bytes, typeof at], [new Uint8Array([7]), "number"]);
});

test("errors() has each failure and nothing else, bounded, and ends with the node", async () => {
  const { wasm, node } = await running();
  const failures = node.errors();
  wasm.event("peer:connect", { peerId: PEER });
  wasm.event("peer:fail", { peerId: PEER, kind: "timeout", address: ROUTE });
  await settled();
  const { at, ...failure } = (await failures.next()).value;
  assert.deepEqual([failure, typeof at], [{ peerId: PEER, kind: "timeout", address: ROUTE }, "number"]);
  for (let count = 0; count < 1003; count++) wasm.event("peer:fail", { count });
  await settled();
  assert.equal((await failures.next()).value.count, 3);
  await node.close();
  let left = 0;
  for await (const _ of failures) left++;
  assert.equal(left, 999);
});

test("errors() rejects with the reason of its signal", async () => {
  const { node } = await running();
  const controller = new AbortController();
  const reading = node.errors({ signal: controller.signal }).next();
  controller.abort("enough");
  await assert.rejects(reading, (reason) => reason === "enough");
});

test("watchPeers() has the peers at once, and the latest of them after changes", async () => {
  const { wasm, node } = await running();
  let peers = 0;
  wasm.surface.query = () => [{ peerId: `${++peers}` }];
  const watcher = node.watchPeers();
  assert.deepEqual((await watcher.next()).value, [{ peerId: "1" }]);
  const next = watcher.next();
  wasm.event("health:change", {});
  await settled();
  assert.equal(peers, 1, "that changed no peer");
  for (const type of ["peer:connect", "peer:identify", "requirement:change"]) wasm.event(type, {});
  assert.deepEqual((await next).value, [{ peerId: "2" }], "three changes at once are one");
  wasm.event("peer:disconnect", {});
  await settled();
  assert.equal(peers, 2, "nobody reads yet");
  assert.deepEqual((await watcher.next()).value, [{ peerId: "3" }]);
  const last = watcher.next();
  await node.close();
  assert.equal((await last).done, true);
  assert.equal((await watcher.next()).done, true);
});

test("a wish that was carried out is a change to whoever watches", async () => {
  const { wasm, node } = await running();
  const watcher = node.watchPeers();
  await watcher.next();
  const next = watcher.next();
  node.tag(PEER, "friend", { value: 1 });
  assert.equal((await next).done, false);
});

test("watchPeers() ends when the node was closed in the turn of a change", async () => {
  const { wasm, node } = await running();
  delete wasm.auto.close;
  const watcher = node.watchPeers();
  await watcher.next();
  node.addEventListener("peer:connect", () => void node.close());
  const next = watcher.next();
  wasm.event("peer:connect", {});
  assert.equal((await next).done, true);
  assert.equal((await watcher.next()).done, true);
});

test("leaving the loop, a signal and a crash end watchPeers()", async () => {
  const { wasm, node } = await running();
  for await (const peers of node.watchPeers()) {
    assert.ok(peers);
    break;
  }
  const controller = new AbortController();
  const watcher = node.watchPeers({ signal: controller.signal });
  await watcher.next();
  const waiting = watcher.next();
  controller.abort("enough");
  await assert.rejects(waiting, (reason) => reason === "enough");
  const crashing = node.watchPeers();
  await crashing.next();
  const last = crashing.next();
  wasm.crash("panicked");
  assert.equal((await last).done, true);
});

test("what is dear to list is listed a tenth of the time, however often it changes", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { wasm, node } = await running();
  let listed = 0;
  let connected = 0;
  wasm.surface.query = () => {
    listed++;
    now += 20;
    return Array.from({ length: connected }, (_, n) => ({ peerId: `${n}` }));
  };
  const watcher = node.watchPeers();
  let seen;
  const reading = (async () => {
    for await (const peers of watcher) seen = peers.length;
  })();
  for (let change = 0; change < 200; change++) {
    connected++;
    wasm.event("peer:connect", {});
    await settled();
    now += 10;
    t.mock.timers.tick(10);
    await settled();
  }
  assert.ok(listed > 5, "it goes on being listed");
  assert.ok(listed * 20 <= now / 10 + 40, `${listed} times in ${now} ms`);
  now += 200;
  t.mock.timers.tick(200);
  await settled();
  assert.equal(seen, connected, "the last is the latest");
  await node.close();
  await reading;
});

test("a reader that rests ends at once with its signal and with the node", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const { wasm, node } = await running();
  wasm.surface.query = () => {
    now += 20;
    return [];
  };
  const controller = new AbortController();
  const [aborted, closed] = [node.watchPeers({ signal: controller.signal }), node.watchPeers()];
  await Promise.all([aborted.next(), closed.next()]);
  wasm.event("peer:connect", {});
  await settled();
  const ends = [aborted.next(), closed.next()];
  controller.abort("enough");
  await assert.rejects(ends[0], (reason) => reason === "enough");
  await node.close();
  assert.equal((await ends[1]).done, true);
});
