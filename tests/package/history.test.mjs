// What stores have: queries over any number of topics and pages, and the question what is stored.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LightNodeError } from "../../pkg-template/errors.js";
import { FakeWasm, settled } from "./fake-wasm.mjs";

const TOPICS = ["/app/1/chat/proto"];
const code = (expected) => (error) => error instanceof LightNodeError && error.code === expected;
const stored = (hash, timestampNs) => ({ hash, timestampNs });
const hashOf = (index) => index.toString(16).padStart(64, "0");

async function running() {
  const wasm = new FakeWasm();
  return { wasm, node: await wasm.node() };
}

const posted = (wasm, asked) => wasm.posts.filter(({ method }) => method === asked).map(({ params }) => params);

/** The hashes that a query gives when the wasm answers with these pages, one after the other. */
async function history(pages, query, options) {
  const { wasm, node } = await running();
  const left = [...pages];
  wasm.auto.query = () => left.shift();
  const hashes = [];
  for await (const { hash } of node.store.query({ contentTopics: TOPICS, ...query }, options)) hashes.push(hash);
  return { hashes, queries: posted(wasm, "query") };
}

// --- pages ------------------------------------------------------------------------------------------------------------

test("a query reads page after page, each with the cursor of the last and the same size", async () => {
  const { hashes, queries } = await history([
    { messages: [stored("a", 1n), stored("b", 2n)], cursor: "b" },
    { messages: [stored("c", 2n)] },
  ], { pageSize: 2 });
  assert.deepEqual(hashes, ["a", "b", "c"]);
  assert.deepEqual(queries.map(({ cursor, pageSize }) => [cursor, pageSize]), [[undefined, 2], ["b", 2]]);
});

test("a descending query gives the newest first, also within a page", async () => {
  const { hashes } = await history([
    { messages: [stored("c", 3n), stored("d", 4n), stored("e", 4n)], cursor: "c" },
    { messages: [stored("a", 1n), stored("b", 2n)] },
  ], { order: "descending" });
  assert.deepEqual(hashes, ["e", "d", "c", "b", "a"]);
});

test("a limit ends a query without another page", async () => {
  const { hashes, queries } = await history([{ messages: [stored("a", 1n), stored("b", 2n)], cursor: "b" }], { limit: 2 });
  assert.deepEqual(hashes, ["a", "b"]);
  assert.equal(queries.length, 1);
});

test("a query goes on over pages of which nothing was left", async () => {
  const { hashes, queries } = await history([
    { messages: [stored("a", 1n)], cursor: "1" },
    { messages: [], cursor: "2" },
    { messages: [], cursor: "3" },
    { messages: [stored("b", 2n)] },
  ], { pageSize: 1 });
  assert.deepEqual(hashes, ["a", "b"]);
  assert.deepEqual(queries.map(({ cursor }) => cursor), [undefined, "1", "2", "3"]);
});

test("a cursor that comes again, the last or an earlier one, does not keep us for ever", async () => {
  const page = (cursor, ...messages) => ({ messages, cursor });
  assert.equal((await history([page("a", stored("a", 1n)), page("a"), page("a")])).queries.length, 2);
  assert.equal((await history([page("a"), page("b"), page("a"), page("b")])).queries.length, 3);
});

test("a query aborted between two messages rejects with the reason", async () => {
  const { wasm, node } = await running();
  wasm.auto.query = () => ({ messages: [stored("a", 1n), stored("b", 2n)] });
  const controller = new AbortController();
  const messages = node.store.query({ contentTopics: TOPICS }, { signal: controller.signal });
  assert.equal((await messages.next()).value.hash, "a");
  controller.abort("seen enough");
  await assert.rejects(messages.next(), (reason) => reason === "seen enough");
});

// --- many topics, many hashes -----------------------------------------------------------------------------------------

/** A store of which each request gives two messages a page. `contents`: hash and time by topic. */
async function library(contents) {
  const { wasm, node } = await running();
  // As the wasm does: so many of one shard together.
  wasm.auto.plan = ({ contentTopics }) => Array.from({ length: Math.ceil(contentTopics.length / 2) }, (_, index) => contentTopics.slice(2 * index, 2 * index + 2));
  wasm.auto.query = ({ contentTopics, order, cursor = "0" }) => {
    const sign = order === "descending" ? -1 : 1;
    const all = contentTopics.flatMap((topic) => contents[topic] ?? []).sort((a, b) => sign * Number(a.timestampNs - b.timestampNs));
    const at = Number(cursor);
    return { messages: all.slice(at, at + 2), ...(at + 2 < all.length && { cursor: String(at + 2) }) };
  };
  return { wasm, node };
}

const LIBRARY = {
  a: [stored("a1", 1n), stored("a4", 4n), stored("a7", 7n)],
  b: [stored("b2", 2n)],
  c: [stored("c3", 3n), stored("c8", 8n), stored("c9", 9n), stored("c10", 10n)],
  d: [],
  e: [stored("e5", 5n), stored("e6", 6n)],
};

async function read(query) {
  const { wasm, node } = await library(LIBRARY);
  const hashes = [];
  for await (const { hash } of node.store.query({ contentTopics: Object.keys(LIBRARY), shard: 1, ...query })) hashes.push(hash);
  return { hashes, queries: posted(wasm, "query"), plans: posted(wasm, "plan") };
}

test("topics of several requests come as one history, in either order", async () => {
  const up = ["a1", "b2", "c3", "a4", "e5", "e6", "a7", "c8", "c9", "c10"];
  const { hashes, queries, plans } = await read({ from: 1, to: 20 });
  assert.deepEqual(hashes, up);
  assert.deepEqual(plans, [{ contentTopics: ["a", "b", "c", "d", "e"], shard: 1 }]);
  assert.deepEqual(new Set(queries.map(({ contentTopics }) => contentTopics.join())), new Set(["a,b", "c,d", "e"]));
  for (const { from, to, shard, timeoutMs, pageSize } of queries) assert.deepEqual([from, to, shard, timeoutMs, pageSize], [1, 20, 1, 10_000, 20]);
  assert.deepEqual((await read({ order: "descending" })).hashes, [...up].reverse());
});

test("messages of the same time come in the order of their hashes, whatever request they are of", async () => {
  const { node } = await library({ a: [stored("y", 1n)], c: [stored("x", 1n)], e: [stored("z", 1n)] });
  const hashes = [];
  for await (const { hash } of node.store.query({ contentTopics: ["a", "b", "c", "d", "e"] })) hashes.push(hash);
  assert.deepEqual(hashes, ["x", "y", "z"]);
});

test("a limit holds for all requests together, and pages are fetched only as they are read", async () => {
  const { hashes, queries } = await read({ limit: 3 });
  assert.deepEqual(hashes, ["a1", "b2", "c3"]);
  assert.deepEqual(queries.map(({ pageSize }) => pageSize), [3, 3, 3, 3], "one first page each, and the second one of the first");
});

test("one topic needs no plan", async () => {
  const { wasm, node } = await library(LIBRARY);
  await node.store.query({ contentTopics: ["a"] }).next();
  assert.deepEqual(wasm.methods(), ["start", "query"]);
});

test("hashes are looked up fifty at a time, and come in order", async () => {
  const { wasm, node } = await running();
  wasm.auto.query = ({ hashes }) => ({ messages: hashes.map((hash) => stored(hash, BigInt(1000 - parseInt(hash, 16)))) });
  const wanted = Array.from({ length: 120 }, (_, index) => hashOf(index));
  const seen = [];
  for await (const { hash } of node.store.query({ hashes: wanted })) seen.push(hash);
  assert.deepEqual(seen, [...wanted].reverse());
  assert.deepEqual(posted(wasm, "query").map(({ hashes }) => hashes.length), [50, 50, 20]);
  assert.ok(!wasm.methods().includes("plan"));
});

test("no more than eight first pages are fetched at the same time", async () => {
  const { wasm, node } = await running();
  wasm.auto.plan = ({ contentTopics }) => contentTopics.map((topic) => [topic]);
  const reading = node.store.query({ contentTopics: Array.from({ length: 20 }, (_, index) => `topic ${index}`) }).next();
  await wasm.posted("query", 8);
  await settled();
  assert.equal(posted(wasm, "query").length, 8);
  wasm.auto.query = () => ({ messages: [] });
  for (const post of wasm.posts.filter(({ method }) => method === "query")) wasm.reply(post, { messages: [] });
  assert.equal((await reading).done, true);
  assert.equal(posted(wasm, "query").length, 20);
});

test("when one request fails, the query does, and the others are cancelled", async () => {
  const { wasm, node } = await running();
  wasm.auto.plan = () => [["a"], ["b"], ["c"]];
  const reading = node.store.query({ contentTopics: ["a", "b", "c"] }).next();
  const [first, second, third] = [await wasm.posted("query", 1), await wasm.posted("query", 2), await wasm.posted("query", 3)];
  wasm.refuse(second, { code: "busy", message: "no" });
  await assert.rejects(reading, code("busy"));
  assert.deepEqual(posted(wasm, "cancel"), [{ request: first.id }, { request: third.id }]);
});

test("an abort ends every request of a query, and lets go of the signal", async () => {
  const { wasm, node } = await running();
  wasm.auto.plan = () => [["a"], ["b"]];
  const controller = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = controller.signal;
  controller.signal.addEventListener = (...args) => (listeners++, addEventListener.apply(controller.signal, args));
  controller.signal.removeEventListener = (...args) => (listeners--, removeEventListener.apply(controller.signal, args));
  const reading = node.store.query({ contentTopics: ["a", "b"] }, { signal: controller.signal }).next();
  const ids = [(await wasm.posted("query", 1)).id, (await wasm.posted("query", 2)).id];
  controller.abort("enough");
  await assert.rejects(reading, (reason) => reason === "enough");
  assert.deepEqual(posted(wasm, "cancel").map(({ request }) => request), ids);
  assert.equal(listeners, 0);
});

test("leaving a loop asks for no further page", async () => {
  const { wasm, node } = await library(LIBRARY);
  for await (const { hash } of node.store.query({ contentTopics: ["a", "b", "c"] })) if (hash === "b2") break;
  await settled();
  assert.equal(posted(wasm, "query").length, 2);
});

// --- has --------------------------------------------------------------------------------------------------------------

test("has tells which hashes are stored, written as they were given", async () => {
  const { wasm, node } = await running();
  wasm.auto.has = () => [hashOf(10), hashOf(11)];
  const [a, b, c] = [`0x${hashOf(10).toUpperCase()}`, hashOf(11), hashOf(12)];
  assert.deepEqual(await node.store.has([a, b, c, b], { timeoutMs: 50 }), new Set([a, b]));
  assert.deepEqual(posted(wasm, "has"), [{ hashes: [hashOf(10), b, c], timeoutMs: 50 }]);
});

test("has asks about fifty hashes at a time", async () => {
  const { wasm, node } = await running();
  wasm.auto.has = ({ hashes }) => hashes.slice(1);
  const wanted = Array.from({ length: 101 }, (_, index) => hashOf(index));
  const found = await node.store.has(wanted);
  assert.deepEqual(wanted.filter((hash) => !found.has(hash)), [wanted[0], wanted[50], wanted[100]]);
  assert.deepEqual(posted(wasm, "has").map(({ hashes }) => hashes.length), [50, 50, 1]);
});

test("has asks nobody about nothing, and refuses what is no hash", async () => {
  const { wasm, node } = await running();
  assert.deepEqual(await node.store.has([]), new Set());
  for (const hashes of ["ab", ["ab"], Array(1001).fill(hashOf(1)), undefined]) await assert.rejects(node.store.has(hashes), code("invalid-options"));
  await assert.rejects(node.store.has([], { signal: AbortSignal.abort("no") }), (reason) => reason === "no");
  assert.deepEqual(wasm.methods(), ["start"]);
  await node.close();
  await assert.rejects(node.store.has([]), code("closed"));
});

// --- used carelessly --------------------------------------------------------------------------------------------------

test("a hundred queries and looks at once each get their own answer", async () => {
  const { wasm, node } = await running();
  wasm.auto.query = ({ contentTopics: [topic] }) => ({ messages: [stored(topic, 1n)] });
  wasm.auto.has = ({ hashes }) => hashes;
  const all = Array.from({ length: 100 }, async (_, index) => {
    const { value } = await node.store.query({ contentTopics: [`topic ${index}`] }).next();
    assert.equal(value.hash, `topic ${index}`);
    assert.deepEqual(await node.store.has([hashOf(index)]), new Set([hashOf(index)]));
  });
  await Promise.all(all);
});

test("the node closed in the middle of a query ends it with closed, behind what was fetched", async () => {
  const { node } = await library(LIBRARY);
  const seen = [];
  await assert.rejects(async () => {
    for await (const { hash } of node.store.query({ contentTopics: ["a", "b", "c"] })) {
      seen.push(hash);
      if (hash === "c3") await node.close();
    }
  }, code("closed"));
  assert.deepEqual(seen, ["a1", "b2", "c3", "a4", "a7", "c8"]);
});
