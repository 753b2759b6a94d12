// What a node is asked, and what comes of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LightNodeError } from "../../pkg-template/errors.js";
import { FakeWasm, settled } from "./fake-wasm.mjs";
import { calls, code, HASH, MESSAGE, PEER, running, TOPICS, watchedSignal } from "./fixture.mjs";

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
    ["setPriority", () => node.setPriority(PEER, "banned")],
    ["tag", () => node.tag(PEER, "friend", { value: 1 })],
  ]) {
    wasm.refusals[method] = { code: "denied", message: `no ${method}`, cause: "pin-limit", peer: PEER };
    assert.throws(order, (error) => code("denied")(error) && error.cause === "pin-limit" && error.peer === PEER && error.message === `no ${method}`, method);
  }
  assert.equal(wasm.methods().at(-1), "setRequirement");
});

test("a dial that is refused rejects with the reason as its cause", async () => {
  const { wasm, node } = await running();
  const dialing = node.dial(PEER);
  wasm.refuse(await wasm.posted("dial"), { code: "denied", message: "it is not dialed", cause: "banned-by-user", peer: PEER });
  await assert.rejects(dialing, (error) => code("denied")(error) && error.cause === "banned-by-user" && error.peer === PEER);
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
