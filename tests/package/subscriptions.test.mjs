// Subscriptions: what is handed over, when, and how they end.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LightNodeError } from "../../pkg-template/errors.js";
import { STREAM_LIMIT } from "../../pkg-template/streams.js";
import { FakeWasm, settled } from "./fake-wasm.mjs";

const PEER = "16Uiu2HAmNaeL4p3WEYzC9mgXBmBWSgWjPHRvatZTXnp8Jgv3iKsb";
const TOPICS = ["/app/1/chat/proto"];
const code = (expected) => (error) => error instanceof LightNodeError && error.code === expected;

async function subscribing(...args) {
  const wasm = new FakeWasm();
  const node = await wasm.node();
  wasm.auto.unsubscribe = () => undefined;
  const gaps = [];
  node.addEventListener("filter:gap", ({ detail }) => gaps.push(detail));
  const promise = node.filter.subscribe(TOPICS, ...args);
  const post = await wasm.posted("subscribe");
  const open = () => wasm.reply(post, { subscription: 7, contentTopics: TOPICS, peers: [PEER] });
  const send = (...hashes) => hashes.forEach((hash) => wasm.message(7, { hash }));
  return { wasm, node, promise, post, open, send, gaps };
}

/** Past the turn in which what came early is handed over. */
async function subscribed(...args) {
  const made = await subscribing(...args);
  made.open();
  const subscription = await made.promise;
  await settled();
  return { ...made, subscription };
}

async function readAll(iterable, seen = []) {
  for await (const { hash } of iterable) seen.push(hash);
  return seen;
}

// --- asking -----------------------------------------------------------------------------------------------------------

test("a subscription asks for as many peers as the node wants, and to be caught up, unless it is told otherwise", async () => {
  const { wasm, node, post } = await subscribing(() => {});
  assert.deepEqual(post.params, { contentTopics: TOPICS, shard: undefined, peers: undefined, catchUp: true, timeoutMs: 10_000 });
  const options = { shard: 3, peers: 4, catchUp: false, timeoutMs: 50 };
  node.filter.subscribe(TOPICS, () => {}, options).catch(() => {});
  node.filter.subscribe(TOPICS, options).catch(() => {});
  node.filter.subscribe(TOPICS, undefined, options).catch(() => {});
  for (const count of [2, 3, 4]) assert.deepEqual((await wasm.posted("subscribe", count)).params, { contentTopics: TOPICS, ...options });
});

// --- handing over -----------------------------------------------------------------------------------------------------

test("no message is handed over before subscribe has given its handle, and none of them is lost", async () => {
  let subscription;
  const seen = [];
  const { promise, open, send } = await subscribing(({ hash }) => seen.push([hash, subscription !== undefined]));
  open();
  send("a", "b");
  // As a wrapper of the user's would, which takes some microtasks more.
  const mine = (async () => await (async () => await promise)())();
  const waiting = mine.then((made) => (subscription = made));
  await Promise.resolve();
  send("c");
  await waiting;
  send("d");
  assert.deepEqual(seen, []);
  await settled();
  assert.deepEqual(seen, ["a", "b", "c", "d"].map((hash) => [hash, true]));
  send("e");
  await settled();
  assert.deepEqual(seen.at(-1), ["e", true]);
});

test("unsubscribing in the callback is final, also among messages that wait", async () => {
  let subscription;
  const seen = [];
  const { wasm, promise, open, send } = await subscribing(({ hash }) => {
    seen.push(hash);
    subscription.unsubscribe();
  });
  open();
  send("a", "b");
  subscription = await promise;
  send("c");
  await settled();
  send("d");
  await settled();
  assert.deepEqual(seen, ["a"]);
  assert.equal(wasm.methods().filter((method) => method === "unsubscribe").length, 1);
  assert.equal(await subscription.closed, "hung-up");
});

test("nothing is handed over after unsubscribe was called, however long the wasm takes", async () => {
  const seen = [];
  const { wasm, send, subscription } = await subscribed(({ hash }) => seen.push(hash));
  delete wasm.auto.unsubscribe;
  send("a");
  await settled();
  const leaving = subscription.unsubscribe();
  send("b");
  await settled();
  wasm.reply(await wasm.posted("unsubscribe"));
  await leaving;
  assert.deepEqual(seen, ["a"]);
});

test("unsubscribing at once leaves nothing to be handed over", async () => {
  const seen = [];
  const { promise, open, send } = await subscribing(({ hash }) => seen.push(hash));
  open();
  send("a");
  await (await promise).unsubscribe();
  await settled();
  assert.deepEqual(seen, []);
});

test("a listener that throws is reported and loses no message", async (context) => {
  const reported = [];
  const before = globalThis.reportError;
  globalThis.reportError = (error) => reported.push(error);
  context.after(() => (globalThis.reportError = before));
  const seen = [];
  const { send } = await subscribed(({ hash }) => {
    seen.push(hash);
    if (hash === "a") throw new Error("the dapp's own");
  });
  send("a", "b");
  await settled();
  assert.deepEqual(seen, ["a", "b"]);
  assert.equal(reported.length, 1);
});

// --- states and ends --------------------------------------------------------------------------------------------------

test("a subscription says that it moves, and to whom", async () => {
  const { wasm, subscription } = await subscribed(() => {});
  assert.deepEqual([subscription.contentTopics, subscription.state, subscription.peers], [TOPICS, "active", [PEER]]);
  wasm.subscription(7, "moving");
  await settled();
  assert.deepEqual([subscription.state, subscription.peers], ["moving", []]);
  wasm.subscription(7, "active", ["one", "two"]);
  await settled();
  assert.deepEqual([subscription.state, subscription.peers], ["active", ["one", "two"]]);
  wasm.sink(1, { kind: "subscription", subscription: 7, state: "closed", peers: [], reason: "failed-service" });
  assert.equal(await subscription.closed, "failed-service");
  assert.deepEqual([subscription.state, subscription.peers], ["closed", []]);
});

test("after unsubscribe, closed is hung-up, though the wasm told of the end before it answered", async () => {
  const { wasm, subscription } = await subscribed(() => {});
  await subscription.unsubscribe();
  assert.equal(await subscription.closed, "hung-up");
  assert.equal(subscription.state, "closed");
  await subscription.unsubscribe();
  assert.deepEqual(wasm.posts.filter(({ method }) => method === "unsubscribe").map(({ params }) => params), [{ subscription: 7 }]);
});

test("a subscription that the wasm ends with nothing to say was stopped", async () => {
  const { wasm, subscription } = await subscribed(() => {});
  wasm.subscription(7, "closed");
  assert.equal(await subscription.closed, "stopped");
});

test("what came before an end of the wasm's own is handed over all the same", async () => {
  const seen = [];
  const { wasm, promise, open, send } = await subscribing(({ hash }) => seen.push(hash));
  open();
  send("a");
  wasm.subscription(7, "closed");
  assert.equal(await (await promise).closed, "stopped");
  await settled();
  assert.deepEqual(seen, ["a"]);
});

test("an abort ends the waiting for unsubscribe, which goes on", async () => {
  const { wasm, subscription } = await subscribed(() => {});
  delete wasm.auto.unsubscribe;
  const controller = new AbortController();
  const leaving = subscription.unsubscribe({ signal: controller.signal });
  const again = subscription.unsubscribe();
  const post = await wasm.posted("unsubscribe");
  controller.abort("enough");
  await assert.rejects(leaving, (reason) => reason === "enough");
  assert.ok(!wasm.methods().includes("cancel"));
  wasm.reply(post);
  await again;
  assert.equal(await subscription.closed, "hung-up");
  await assert.rejects(subscription.unsubscribe({ signal: AbortSignal.abort("late") }), (reason) => reason === "late");
  await assert.rejects(subscription.unsubscribe({ timeout: 5 }), code("invalid-options"));
});

test("unsubscribing in a hurry, with the node closed or crashed behind it, rejects nowhere", async () => {
  for (const end of [({ node }) => node.close(), ({ wasm }) => wasm.crash("panicked")]) {
    const made = await subscribed(() => {});
    delete made.wasm.auto.unsubscribe;
    const leaving = made.subscription.unsubscribe();
    await end(made);
    await leaving;
    assert.equal(made.subscription.state, "closed");
  }
});

test("an unsubscribe that the wasm refuses may be tried again", async () => {
  const { wasm, subscription } = await subscribed(() => {});
  // Without the end that usually comes first.
  wasm.subscription = () => {};
  delete wasm.auto.unsubscribe;
  const leaving = subscription.unsubscribe();
  wasm.refuse(await wasm.posted("unsubscribe"), { code: "protocol", message: "no" });
  await assert.rejects(leaving, code("protocol"));
  const again = subscription.unsubscribe();
  wasm.reply(await wasm.posted("unsubscribe", 2));
  await again;
  assert.equal(await subscription.closed, "hung-up");
});

test("a subscription whose reply crosses the abort is ended in the wasm", async () => {
  const wasm = new FakeWasm();
  const node = await wasm.node();
  const controller = new AbortController();
  const promise = node.filter.subscribe(TOPICS, () => {}, { signal: controller.signal });
  wasm.reply(await wasm.posted("subscribe"), { subscription: 7, contentTopics: TOPICS, peers: [] });
  controller.abort("late");
  await assert.rejects(promise, (reason) => reason === "late");
  assert.deepEqual((await wasm.posted("unsubscribe")).params, { subscription: 7 });
});

test("closing the node closes its subscriptions, and nothing is handed over after it", async () => {
  const seen = [];
  const { wasm, node, promise, open, send } = await subscribing(({ hash }) => seen.push(hash));
  open();
  const subscription = await promise;
  send("a");
  await Promise.resolve();
  await node.close();
  assert.equal(await subscription.closed, "stopped");
  await settled();
  await subscription.unsubscribe();
  assert.ok(!wasm.methods().includes("unsubscribe"));
  assert.deepEqual(seen, []);
});

// --- for await --------------------------------------------------------------------------------------------------------

test("without a callback the first iterator has every message from the beginning, until the subscription ends", async () => {
  const { wasm, promise, open, send } = await subscribing();
  open();
  send("a");
  const subscription = await promise;
  await settled();
  send("b");
  await settled();
  const reading = readAll(subscription);
  send("c");
  await settled();
  send("d");
  wasm.subscription(7, "closed");
  assert.deepEqual(await reading, ["a", "b", "c", "d"]);
  assert.deepEqual(await readAll(subscription), [], "an iterator of what has ended is at its end");
});

test("beside a callback, an iterator that is made at once misses nothing, and a later one begins when it is made", async () => {
  const seen = [];
  const { wasm, promise, open, send } = await subscribing(({ hash }) => seen.push(hash));
  open();
  send("a");
  const subscription = await promise;
  const early = subscription[Symbol.asyncIterator]();
  await settled();
  send("b");
  await settled();
  const late = subscription[Symbol.asyncIterator]();
  send("c");
  wasm.subscription(7, "closed");
  assert.deepEqual([await readAll(early), await readAll(late), seen], [["a", "b", "c"], ["c"], ["a", "b", "c"]]);
});

test("leaving a loop ends that iterator alone", async () => {
  const { wasm, subscription, send } = await subscribed();
  const other = subscription[Symbol.asyncIterator]();
  const leaving = (async () => {
    for await (const { hash } of subscription) return hash;
  })();
  send("a", "b");
  assert.equal(await leaving, "a");
  assert.equal(subscription.state, "active");
  send("c");
  await settled();
  wasm.subscription(7, "closed");
  assert.deepEqual(await readAll(other), ["a", "b", "c"]);
});

test("unsubscribing ends every iterator, and what waits is not handed over", async () => {
  const { subscription, send } = await subscribed();
  const seen = [];
  const idle = subscription[Symbol.asyncIterator]();
  const reading = (async () => {
    for await (const { hash } of subscription) {
      seen.push(hash);
      await subscription.unsubscribe();
    }
  })();
  send("a", "b", "c");
  await reading;
  assert.deepEqual(seen, ["a"]);
  assert.equal((await idle.next()).done, true);
});

test("closing the node and a crash end an iterator behind what waits for it", async () => {
  for (const end of [({ node }) => node.close(), ({ wasm }) => wasm.crash("panicked")]) {
    const made = await subscribed();
    made.send("a");
    await settled();
    await end(made);
    assert.deepEqual(await readAll(made.subscription), ["a"]);
  }
});

/** More than wait for a reader, and when the first and the last of those that are dropped came. */
async function flood(context, dropped, ...args) {
  context.mock.timers.enable({ apis: ["Date"], now: 1000 });
  const made = await subscribed(...args);
  for (let count = 0; count < STREAM_LIMIT + dropped; count++) {
    made.send(count);
    await Promise.resolve();
    await Promise.resolve();
    context.mock.timers.tick(1);
  }
  return made;
}

test("a slow reader loses the oldest, which is one gap with the times at which they came", async (context) => {
  const { subscription, gaps, send } = await flood(context, 3);
  assert.deepEqual(gaps, []);
  const reader = subscription[Symbol.asyncIterator]();
  assert.equal((await reader.next()).value.hash, 3);
  assert.deepEqual(gaps, [{ contentTopics: TOPICS, from: 1000, to: 1002, cause: "overflow", filled: false }]);
  for (let count = 4; count < STREAM_LIMIT + 3; count++) assert.equal((await reader.next()).value.hash, count);
  const next = reader.next();
  send("last");
  assert.equal((await next).value.hash, "last");
  assert.equal(gaps.length, 1);
});

for (const [label, end] of [
  ["leaves", ({ reader }) => reader.return()],
  ["is unsubscribed", ({ subscription }) => subscription.unsubscribe()],
  ["ends with the node", ({ node }) => node.close()],
  ["ends with the wasm's subscription", ({ wasm }) => wasm.subscription(7, "closed")],
  ["ends in a crash", ({ wasm }) => wasm.crash("panicked")],
]) {
  test(`what a reader lost is told when he ${label}, once`, async (context) => {
    const made = await flood(context, 1);
    const reader = made.subscription[Symbol.asyncIterator]();
    await end({ ...made, reader });
    await settled();
    assert.deepEqual(made.gaps.map(({ from, to }) => [from, to]), [[1000, 1000]]);
    await reader.return();
    await made.node.close();
    await settled();
    assert.equal(made.gaps.length, 1);
  });
}

test("a callback loses nothing in a flood, and nothing waits for readers that there are not", async (context) => {
  let seen = 0;
  const { gaps, subscription } = await flood(context, 3, () => seen++);
  await subscription.unsubscribe();
  assert.deepEqual([seen, gaps], [STREAM_LIMIT + 3, []]);
});

// --- used carelessly --------------------------------------------------------------------------------------------------

test("a hundred subscriptions at once each get their own messages", async () => {
  const wasm = new FakeWasm();
  const node = await wasm.node();
  let last = 0;
  wasm.auto.subscribe = ({ contentTopics }) => ({ subscription: ++last, contentTopics, peers: [] });
  wasm.auto.unsubscribe = () => undefined;
  const seen = [];
  const all = await Promise.all(Array.from({ length: 100 }, (_, index) => node.filter.subscribe([`/a/1/${index}/c`], ({ hash }) => seen.push([index, hash]))));
  for (let id = 1; id <= 100; id++) wasm.message(id, { hash: id - 1 });
  await settled();
  assert.deepEqual(seen, Array.from({ length: 100 }, (_, index) => [index, index]));
  await Promise.all(all.flatMap((each) => [each.unsubscribe(), each.unsubscribe()]));
  assert.deepEqual(new Set(await Promise.all(all.map(({ closed }) => closed))), new Set(["hung-up"]));
  assert.equal(wasm.methods().filter((method) => method === "unsubscribe").length, 100);
});

test("subscribing and closing the node in a callback works", async () => {
  const wasm = new FakeWasm();
  const node = await wasm.node();
  let last = 0;
  wasm.auto.subscribe = ({ contentTopics }) => ({ subscription: ++last, contentTopics, peers: [] });
  const seen = [];
  let inner;
  await node.filter.subscribe(TOPICS, ({ hash }) => {
    seen.push(hash);
    if (hash === "a") inner = node.filter.subscribe(TOPICS, ({ hash: other }) => seen.push(`inner ${other}`));
    else node.close();
  });
  wasm.message(1, { hash: "a" });
  await settled();
  await inner;
  wasm.message(2, { hash: "b" });
  await settled();
  wasm.message(1, { hash: "c" });
  wasm.message(1, { hash: "d" });
  wasm.message(2, { hash: "e" });
  await settled();
  assert.deepEqual(seen, ["a", "inner b", "c"]);
});
