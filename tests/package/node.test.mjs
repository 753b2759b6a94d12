import assert from "node:assert/strict";
import { test } from "node:test";
import { LightNodeError } from "../../pkg-template/errors.js";
import { STREAM_LIMIT } from "../../pkg-template/streams.js";
import { LightNode } from "../../pkg-template/node.js";
import { FakeWasm, settled } from "./fake-wasm.mjs";

const PEER = "16Uiu2HAmNaeL4p3WEYzC9mgXBmBWSgWjPHRvatZTXnp8Jgv3iKsb";
const MESSAGE = { contentTopic: "/app/1/chat/proto", payload: new Uint8Array([1]) };
const TOPICS = ["/app/1/chat/proto"];
const HASH = "ab".repeat(32);
const code = (expected) => (error) => error instanceof LightNodeError && error.code === expected;

/** A signal, and how many listen to it: a leak shows here. */
function watchedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args) => (listeners++, addEventListener.apply(signal, args));
  signal.removeEventListener = (...args) => (listeners--, removeEventListener.apply(signal, args));
  return { signal, abort: (reason) => controller.abort(reason), listeners: () => listeners };
}

async function running() {
  const wasm = new FakeWasm();
  return { wasm, node: await wasm.node() };
}

/** Everything that asks something of a node. */
const calls = (node) => ({
  start: (o) => node.start(o),
  stop: (o) => node.stop(o),
  ready: (o) => node.ready(o),
  dial: (o) => node.dial(PEER, o),
  hangUp: (o) => node.hangUp(PEER, o),
  send: (o) => node.lightPush.send(MESSAGE, o),
  subscribe: (o) => node.filter.subscribe(TOPICS, () => {}, o),
  query: (o) => node.store.query({ contentTopics: TOPICS }, o).next(),
  has: (o) => node.store.has([HASH], o),
});

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

// --- calls ------------------------------------------------------------------------------------------------------------

test("each call gets the reply to its own number", async () => {
  const { wasm, node } = await running();
  const first = node.lightPush.send(MESSAGE);
  const second = node.lightPush.send(MESSAGE);
  const [a, b] = [await wasm.posted("send", 1), await wasm.posted("send", 2)];
  assert.notEqual(a.id, b.id);
  wasm.reply(b, { hash: "b" });
  wasm.reply(a, { hash: "a" });
  assert.deepEqual([await first, await second], [{ hash: "a" }, { hash: "b" }]);
});

test("an error reply rejects with its code, cause, peer and address", async () => {
  const { wasm, node } = await running();
  const dialing = node.dial(PEER);
  wasm.refuse(await wasm.posted("dial"), { code: "dial-failed", message: "nobody answers", cause: "unreachable", peer: PEER, address: "/ip4/1.2.3.4/tcp/80/ws" });
  await assert.rejects(dialing, (error) => {
    assert.ok(code("dial-failed")(error));
    assert.deepEqual([error.cause, error.peer, error.address, error.message], ["unreachable", PEER, "/ip4/1.2.3.4/tcp/80/ws", "nobody answers"]);
    assert.ok(!("option" in error));
    return true;
  });
});

test("no-peer has the last error of each peer that was tried", async () => {
  const { wasm, node } = await running();
  const tried = [{ code: "busy", message: "429", peer: PEER, cause: "busy" }, { code: "timeout", message: "no answer in time", peer: "other" }];
  for (const [method, call] of Object.entries({ send: () => node.lightPush.send(MESSAGE), subscribe: () => node.filter.subscribe(TOPICS), query: () => node.store.query({ contentTopics: TOPICS }).next(), has: () => node.store.has([HASH]) })) {
    const calling = call();
    wasm.refuse(await wasm.posted(method), { code: "no-peer", message: "nobody took it", tried });
    await assert.rejects(calling, ({ code: kind, cause, ...rest }) => {
      assert.equal(kind, "no-peer");
      assert.ok(!("tried" in rest));
      assert.ok(cause instanceof AggregateError && cause.errors.every((error) => error instanceof LightNodeError));
      assert.deepEqual(cause.errors.map((error) => [error.code, error.message, error.peer, error.cause]), [["busy", "429", PEER, "busy"], ["timeout", "no answer in time", "other", undefined]]);
      return true;
    });
  }
});

test("no-peer without anybody tried has no cause", async () => {
  const { wasm, node } = await running();
  const sending = node.lightPush.send(MESSAGE);
  wasm.refuse(await wasm.posted("send"), { code: "no-peer", message: "nobody serves" });
  await assert.rejects(sending, (error) => code("no-peer")(error) && !("cause" in error));
});

test("send, subscribe, query and has have ten seconds unless told otherwise, ready and dial as long as it takes", async () => {
  const { wasm, node } = await running();
  for (const [name, call] of Object.entries(calls(node)).filter(([name]) => !["start", "stop", "hangUp"].includes(name))) {
    call().catch(() => {});
    const first = await wasm.posted(name);
    assert.equal(first.params.timeoutMs, ["ready", "dial"].includes(name) ? undefined : 10_000, name);
    call({ timeoutMs: 5 }).catch(() => {});
    assert.equal((await wasm.posted(name, 2)).params.timeoutMs, 5, name);
  }
});

test("a call with an aborted signal rejects with its reason and posts nothing", async () => {
  const { wasm, node } = await running();
  const before = wasm.posts.length;
  for (const [name, call] of Object.entries({ ...calls(node), close: (o) => node.close(o) })) {
    await assert.rejects(call({ signal: AbortSignal.abort(name) }), (reason) => reason === name, name);
  }
  assert.equal(wasm.posts.length, before);
  await assert.doesNotReject(node.stop());
});

test("aborting a call rejects with the reason, cancels the request and lets go of the signal", async () => {
  const { wasm, node } = await running();
  for (const [name, call] of Object.entries(calls(node)).filter(([name]) => !["start", "stop"].includes(name))) {
    const { signal, abort, listeners } = watchedSignal();
    const calling = call({ signal });
    const { id } = await wasm.posted(name);
    abort(name);
    await assert.rejects(calling, (reason) => reason === name, name);
    assert.deepEqual(wasm.posts.at(-1).method, "cancel", name);
    assert.deepEqual(wasm.posts.at(-1).params, { request: id }, name);
    assert.equal(listeners(), 0, name);
  }
});

test("a call that is answered lets go of its signal", async () => {
  const { wasm, node } = await running();
  const { signal, listeners } = watchedSignal();
  wasm.auto.send = () => ({ hash: "a" });
  await node.lightPush.send(MESSAGE, { signal });
  assert.equal(listeners(), 0);
});

test("a wrong argument rejects and posts nothing", async () => {
  const { wasm, node } = await running();
  await assert.rejects(node.lightPush.send({ ...MESSAGE, payload: "text" }), code("invalid-options"));
  await assert.rejects(node.filter.subscribe([], () => {}), code("invalid-options"));
  for (const second of [5, null, {}]) await assert.rejects(node.filter.subscribe(TOPICS, second, {}), code("invalid-options"));
  await assert.rejects(node.filter.subscribe(TOPICS, { onMessage() {} }), code("invalid-options"));
  await assert.rejects(node.store.query({}).next(), code("invalid-options"));
  await assert.rejects(node.ready({ level: "all" }), code("invalid-options"));
  await assert.rejects(node.dial(""), code("invalid-options"));
  await assert.rejects(node.hangUp("me"), code("invalid-options"));
  assert.throws(() => node.setRequirement("relay", 1), code("invalid-options"));
  assert.throws(() => node.setRequirement("store", { min: 2, target: 1 }), code("invalid-options"));
  assert.throws(() => node.setPriority(PEER, "best"), code("invalid-options"));
  assert.deepEqual(wasm.methods(), ["start"]);
});

test("orders are carried out at once, resolved, and what the wasm has against one is thrown", async () => {
  const { wasm, node } = await running();
  node.setRequirement("store", 2);
  assert.deepEqual(wasm.posts.at(-1), { handle: 1, method: "setRequirement", params: { name: "store", need: { min: 1, target: 2, max: 4 } }, ordered: true });
  for (const [method, order] of [
    ["addRoute", () => node.addRoute(PEER, "/ip4/10.0.0.1/tcp/80/ws")],
    ["keep", () => node.keep(PEER)],
    ["protect", () => node.protect(PEER, "game")],
    ["setPriority", () => node.setPriority(PEER, "high")],
  ]) {
    wasm.refusals[method] = { code: "denied", message: `no ${method}`, cause: "pin-limit", peer: PEER };
    assert.throws(order, (error) => code("denied")(error) && error.cause === "pin-limit" && error.peer === PEER && error.message === `no ${method}`, method);
  }
  assert.equal(wasm.methods().at(-1), "setRequirement");
});

test("a crash in an order is that order's error, and is told", async () => {
  const { wasm, node } = await running();
  wasm.surface.order = () => {
    wasm.crash("panicked");
    throw new WebAssembly.RuntimeError("unreachable");
  };
  assert.throws(() => node.keep(PEER), code("crashed"));
});

test("snapshots are read at once, also from a stopped node", async () => {
  const { wasm, node } = await running();
  await node.stop();
  assert.deepEqual(node.health(), { what: "health", argument: undefined });
  assert.deepEqual(node.peers(), { what: "peers", argument: undefined });
  assert.deepEqual(node.peer(PEER), { what: "peer", argument: PEER });
  assert.deepEqual(wasm.methods(), ["start", "stop"]);
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

// --- sending ----------------------------------------------------------------------------------------------------------

test("a message goes to two peers at once and one must take it, unless it is told otherwise", async () => {
  const { wasm, node } = await running();
  wasm.auto.send = () => ({ hash: HASH });
  await node.lightPush.send(MESSAGE);
  assert.deepEqual(wasm.posts.at(-1).params, { ...MESSAGE, ephemeral: false, timestamp: undefined, shard: undefined, peers: 2, min: 1, confirm: false, timeoutMs: 10_000 });
  await node.lightPush.send({ ...MESSAGE, ephemeral: true, timestamp: 5, shard: 3 }, { peers: 4, min: 3, confirm: true, timeoutMs: 50 });
  assert.deepEqual(wasm.posts.at(-1).params, { ...MESSAGE, ephemeral: true, timestamp: 5, shard: 3, peers: 4, min: 3, confirm: true, timeoutMs: 50 });
  for (const options of [{ peers: 9 }, { peers: 2, min: 3 }, { confirm: 1 }, { peer: 2 }]) await assert.rejects(node.lightPush.send(MESSAGE, options), code("invalid-options"));
});

test("the bytes that are sent are those at the call, whatever becomes of the buffer, also while a start is pending", async () => {
  const wasm = new FakeWasm();
  const node = await wasm.node();
  delete wasm.auto.start;
  delete wasm.auto.stop;
  const stopping = node.stop();
  const starting = node.start();
  const payload = new Uint8Array([1, 2, 3]);
  const sending = node.lightPush.send({ ...MESSAGE, payload });
  payload.fill(9);
  structuredClone(payload, { transfer: [payload.buffer] });
  wasm.reply(await wasm.posted("stop"));
  wasm.reply(await wasm.posted("start", 2));
  const post = await wasm.posted("send");
  assert.deepEqual([...post.params.payload], [1, 2, 3]);
  wasm.reply(post, { hash: HASH });
  await Promise.all([stopping, starting, sending]);
});

test("a hundred sends at once, half of them aborted and the node closed behind them, settle each in its own way", async () => {
  const { wasm, node } = await running();
  const controllers = Array.from({ length: 100 }, () => new AbortController());
  const all = Promise.allSettled(controllers.map(({ signal }) => node.lightPush.send(MESSAGE, { signal })));
  const posts = [];
  for (let count = 1; count <= 100; count++) posts.push(await wasm.posted("send", count));
  for (const [index, controller] of controllers.entries()) if (index % 2 === 1) controller.abort("enough");
  for (const [index, post] of posts.entries()) if (index % 4 < 2) wasm.reply(post, { hash: index });
  await settled();
  await node.close();
  for (const [index, { value, reason }] of (await all).entries()) {
    if (index % 2 === 1) assert.equal(reason, "enough");
    else if (index % 4 === 0) assert.deepEqual(value, { hash: index });
    else assert.ok(code("closed")(reason));
  }
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

// --- crashes ----------------------------------------------------------------------------------------------------------

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
