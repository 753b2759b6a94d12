// What the package promises any page, on a page with nothing else on it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { newPage } from "../lib/browser.mjs";
import { startFleet } from "../lib/fleet.mjs";
import { TESTING_PKG_DIR } from "../lib/paths.mjs";
import { useBrowser } from "../lib/suite.mjs";

const browser = useBrowser();
const BLANK = fileURLToPath(new URL("blank", import.meta.url));

/** @type {import("../lib/fleet.mjs").Fleet} */
let fleet;
/** @type {{ network: object, bootstrap: string[], resolvers: string[] }} what a page needs to know of the fleet */
let options;
before(async () => {
  fleet = await startFleet({ www: BLANK });
  const { enrtree, resolver, network } = await fleet.info();
  options = { network, bootstrap: [enrtree], resolvers: [resolver] };
});
after(() => fleet?.stop());

/** Counts what is pending and keeps hold of the wasm's memory, before any script of the page runs. */
const WATCH = () => {
  const timers = new Set();
  const intervals = new Set();
  const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
  globalThis.setTimeout = /** @type {any} */ ((work, ms, ...rest) => {
    const id = setTimeout(() => { timers.delete(id); typeof work === "function" && work(...rest); }, ms);
    timers.add(id);
    return id;
  });
  globalThis.clearTimeout = (id) => { timers.delete(id); clearTimeout(id); };
  globalThis.setInterval = /** @type {any} */ ((...all) => { const id = setInterval(.../** @type {[any]} */ (all)); intervals.add(id); return id; });
  globalThis.clearInterval = (id) => { intervals.delete(id); clearInterval(id); };
  const memories = /** @type {WebAssembly.Memory[]} */ ([]);
  for (const name of /** @type {const} */ (["instantiate", "instantiateStreaming"])) {
    const make = WebAssembly[name];
    WebAssembly[name] = /** @type {any} */ (async (...all) => {
      const made = await make(.../** @type {[any, any]} */ (all));
      memories.push((made.instance ?? made).exports.memory);
      return made;
    });
  }
  globalThis.watch = {
    timers: () => timers.size,
    intervals: () => intervals.size,
    wasmBytes: () => memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0),
  };
};

/** Closing is a handshake: it is seen a moment after it was asked for. */
async function socketsClosed(/** @type {import("../lib/browser.mjs").WatchedPage} */ watched) {
  for (let tries = 0; watched.openSockets().length > 0 && tries < 600; tries++) await watched.page.waitForTimeout(100);
  assert.deepEqual(watched.openSockets(), []);
}

/** A test on a blank page; its console must stay empty. */
function pageTest(/** @type {string} */ name, work, { url = () => fleet.url } = {}) {
  test(name, async () => {
    const watched = await newPage(browser());
    try {
      await watched.page.addInitScript(WATCH);
      await watched.page.goto(url());
      await work(watched.page, watched);
      assert.deepEqual(watched.unexpectedOnConsole(), []);
    } finally {
      await watched.close();
    }
  });
}

pageTest("importing does nothing", async (page, watched) => {
  const result = await page.evaluate(async () => {
    const before = Object.keys(globalThis).sort().join();
    const names = Object.keys(await import("/pkg/index.js")).sort();
    return { names, globals: Object.keys(globalThis).sort().join() === before, timers: globalThis.watch.timers(), wasm: globalThis.watch.wasmBytes() };
  });
  assert.deepEqual(result.names, ["DEFAULTS", "LightNode", "LightNodeError", "createLightNode", "createPeerManager", "init", "networks"]);
  assert.deepEqual({ globals: result.globals, timers: result.timers, wasm: result.wasm }, { globals: true, timers: 0, wasm: 0 });
  assert.deepEqual(watched.sockets, []);
  const fetched = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
  assert.deepEqual(fetched.filter((url) => url.endsWith(".wasm")), []);
});

pageTest("init takes a URL, a Response, bytes and a Module, and does its work once", async (page) => {
  for (const source of ["url", "text", "response", "bytes", "module"]) {
    await page.reload();
    const ok = await page.evaluate(async ({ source, options }) => {
      const { init, createPeerManager } = await import("/pkg/index.js");
      const address = "/pkg/lightkeeper_bg.wasm";
      const bytes = async () => (await fetch(address)).arrayBuffer();
      const given = {
        url: () => new URL(address, location.href),
        text: () => address,
        response: () => fetch(address),
        bytes,
        module: async () => WebAssembly.compile(await bytes()),
      };
      await init(await given[source]());
      await Promise.all([init(), init()]);
      const node = await createPeerManager(options);
      const made = globalThis.watch.wasmBytes() > 0 && node.peerId.length > 30;
      await node.close();
      return made;
    }, { source, options });
    assert.ok(ok, source);
  }
});

pageTest("two nodes live on one page, each with its own peers and messages, and closing one leaves the other alone", async (page) => {
  const result = await page.evaluate(async (options) => {
    const { createLightNode } = await import("/pkg/index.js");
    const [one, two] = await Promise.all([createLightNode(options), createLightNode(options)]);
    await Promise.all([one.ready({ timeoutMs: 60_000 }), two.ready({ timeoutMs: 60_000 })]);
    const ids = [one.peerId, two.peerId];
    let arrive;
    const arrived = new Promise((resolve) => (arrive = resolve));
    const topic = "/lightkeeper/1/pair/proto";
    await two.filter.subscribe([topic], (message) => arrive(new TextDecoder().decode(message.payload)));
    await one.lightPush.send({ contentTopic: topic, payload: new TextEncoder().encode("one to two") });
    const text = await arrived;
    const lost = [];
    two.addEventListener("peer:disconnect", ({ detail }) => lost.push(detail));
    await one.close();
    const report = await two.lightPush.send({ contentTopic: topic, payload: new Uint8Array([1]) });
    const state = two.health().state;
    const refused = await one.lightPush.send({ contentTopic: topic, payload: new Uint8Array([1]) }).then(() => "sent", (error) => error.code);
    await two.close();
    return { ids, text, lost: lost.filter(({ reason }) => reason !== "stopped"), accepted: report.accepted.length >= 1, state, refused };
  }, options);
  assert.notEqual(result.ids[0], result.ids[1]);
  assert.deepEqual({ ...result, ids: 0 }, { ids: 0, text: "one to two", lost: [], accepted: true, state: "met", refused: "closed" });
});

pageTest("a hundred nodes made, ready and closed leave no socket, no timer and a flat heap", async (page, watched) => {
  const cycles = (/** @type {number} */ count) =>
    page.evaluate(async ({ options, count }) => {
      const { createLightNode } = await import("/pkg/index.js");
      for (let cycle = 0; cycle < count; cycle++) {
        const node = await createLightNode(options);
        await node.ready({ timeoutMs: 60_000 });
        await node.close();
      }
    }, { options, count });
  const heap = async () => {
    await watched.cdp.send("HeapProfiler.collectGarbage");
    const { usedSize } = await watched.cdp.send("Runtime.getHeapUsage");
    return usedSize + (await page.evaluate(() => globalThis.watch.wasmBytes()));
  };
  // Caches and code that is compiled late are not growth.
  await cycles(10);
  assert.ok((await page.evaluate(() => globalThis.watch.wasmBytes())) > 0, "the wasm's memory is not seen");
  const before = await heap();
  await cycles(100);
  await page.waitForFunction(() => globalThis.watch.timers() === 0 && globalThis.watch.intervals() === 0, undefined, { polling: 100 });
  await socketsClosed(watched);
  assert.ok(watched.sockets.length >= 110 * 3, `${watched.sockets.length} sockets`);
  const growth = (await heap()) - before;
  assert.ok(growth < 8 * 1024 * 1024, `the heap grew by ${growth} bytes`);
  await fleet.deserted();
});

pageTest("a signal that is aborted while a node is made frees what was made", async (page, watched) => {
  const result = await page.evaluate(async (options) => {
    const { createLightNode } = await import("/pkg/index.js");
    const reason = new Error("unmounted");
    const controller = new AbortController();
    const making = createLightNode({ ...options, signal: controller.signal });
    controller.abort(reason);
    const first = await making.then(() => "made", (error) => error === reason);
    const node = await createLightNode(options);
    await node.ready({ timeoutMs: 60_000 });
    await node.close();
    return first;
  }, options);
  assert.equal(result, true);
  await socketsClosed(watched);
});

pageTest("everything that a node hands out is plain and can be cloned", async (page) => {
  const clean = await page.evaluate(async (options) => {
    const { createLightNode } = await import("/pkg/index.js");
    const node = await createLightNode(options);
    const details = [];
    for (const type of ["peer:discovery", "peer:connect", "peer:identify", "requirement:change", "health:change"]) node.addEventListener(type, ({ detail }) => details.push(detail));
    await node.ready({ timeoutMs: 60_000 });
    const report = await node.lightPush.send({ contentTopic: "/lightkeeper/1/plain/proto", payload: new Uint8Array([1]) });
    const things = { health: node.health(), peers: node.peers(), stats: node.stats(), report, details };
    structuredClone(things);
    await node.close();
    const bad = [];
    const walk = (value, path) => {
      if (value === null) bad.push(`${path} is null`);
      if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
      if (![Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value))) bad.push(`${path} is not plain`);
      for (const [key, each] of Object.entries(value)) {
        if (each === undefined) bad.push(`${path}.${key} is there and undefined`);
        walk(each, `${path}.${key}`);
      }
    };
    walk(things, "node");
    return bad;
  }, options);
  assert.deepEqual(clean, []);
});

const KEY = "AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2";
const PEER = "16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ";

/** Options that are wrong, the option that the error names, and what its message must speak of. */
const WRONG = [
  [{ bootstraps: [] }, "bootstraps", /bootstrap/],
  [{ storage: "memory" }, "storage", /unknown/i],
  [{ bootstrap: "enrtree://x@y" }, "bootstrap", /array/],
  [{ bootstrap: ["enrtree://nonsense"] }, "bootstrap", /enrtree/],
  [{ bootstrap: [`enrtree://${KEY.toLowerCase()}@example.org`] }, "bootstrap", /enrtree/],
  [{ bootstrap: ["/ip4/127.0.0.1/tcp/8000/ws"] }, "bootstrap", /p2p/],
  [{ bootstrap: [`/ip4/127.0.0.1/nonsense/8000/ws/p2p/${PEER}`] }, "bootstrap", /multiaddr/],
  [{ bootstrap: ["enr:-tooShort"] }, "bootstrap", /record|enr/],
  [{ bootstrap: [`enrtree://${KEY}@example.org`], resolvers: [] }, "resolvers", /resolvers/],
  [{ resolvers: ["not a URL"] }, "resolvers", /URL/],
  [{ network: { clusterId: 1 } }, "network", /numShardsInCluster|shards/],
  [{ network: { clusterId: -1, numShardsInCluster: 8 } }, "network", /clusterId/],
  [{ network: { clusterId: 1, shards: [] } }, "network", /shards/],
  [{ network: { clusterId: 1, shards: [1024] } }, "network", /1023|shard/],
  [{ network: { clusterId: 1, shards: [1, 1] } }, "network", /shards/],
  [{ require: { lightPush: { min: 3, target: 2 } } }, "require", /min/],
  [{ require: { filter: { target: 3, max: 2 } } }, "require", /max/],
  [{ require: { store: 1.5 } }, "require", /store/],
  [{ require: { relay: 1 } }, "require", /relay/],
  [{ log: "loud" }, "log", /log/],
  [{ signal: 5 }, "signal", /AbortSignal/],
];

pageTest("each wrong option is refused before anything starts, by an error that names it", async (page, watched) => {
  for (const [wrong, option, words] of WRONG) {
    const error = await page.evaluate(async ({ options, wrong }) => {
      const { createLightNode, LightNodeError } = await import("/pkg/index.js");
      return createLightNode({ ...options, ...wrong }).then(
        () => undefined,
        (error) => ({ ours: error instanceof LightNodeError && error instanceof Error, code: error.code, option: error.option, message: error.message }),
      );
    }, { options, wrong });
    const what = `${JSON.stringify(wrong)} gave ${JSON.stringify(error)}`;
    assert.ok(error, what);
    assert.ok(error.ours, what);
    assert.equal(error.code, "invalid-options", what);
    assert.ok(error.option?.startsWith(/** @type {string} */ (option)), what);
    assert.match(error.message, /** @type {RegExp} */ (words), what);
  }
  assert.deepEqual(watched.sockets, []);
});

pageTest("calls that are wrong are refused too, by name", async (page) => {
  const errors = await page.evaluate(async (options) => {
    const { createPeerManager } = await import("/pkg/index.js");
    const node = await createPeerManager({ ...options, network: { clusterId: 1, shards: [2, 3] } });
    const of = (/** @type {() => unknown} */ call) => Promise.resolve().then(call).then(() => "accepted", (error) => [error.code, error.option]);
    const payload = new Uint8Array([1]);
    const result = {
      noShard: await of(() => node.lightPush.send({ contentTopic: "/a/1/b/proto", payload })),
      otherShard: await of(() => node.lightPush.send({ contentTopic: "/a/1/b/proto", payload, shard: 4 })),
      noTopics: await of(() => node.filter.subscribe([], () => {})),
      need: await of(() => node.setRequirement("lightPush", { min: 2, target: 1 })),
      requirement: await of(() => node.setRequirement("nonsense", 1)),
      timeout: await of(() => node.ready({ timeoutMs: -1 })),
    };
    await node.close();
    return result;
  }, options);
  for (const [call, outcome] of Object.entries(errors)) assert.equal(outcome[0], "invalid-options", `${call}: ${outcome}`);
  assert.equal(errors.noShard[1], "shard");
  assert.equal(errors.otherShard[1], "shard");
});

test("a crash is one event and typed rejections, on all nodes of the page, and a new node works", async () => {
  const crashing = await startFleet({ www: BLANK, pkg: TESTING_PKG_DIR });
  const watched = await newPage(browser());
  try {
    const { enrtree, resolver, network } = await crashing.info();
    await watched.page.goto(crashing.url);
    const result = await watched.page.evaluate(async (options) => {
      const { createLightNode } = await import("/pkg/index.js");
      const { testPanic } = await import("/pkg/testing.js");
      const [one, two] = await Promise.all([createLightNode(options), createLightNode(options)]);
      await Promise.all([one.ready({ timeoutMs: 60_000 }), two.ready({ timeoutMs: 60_000 })]);
      const crashes = { one: [], two: [] };
      one.addEventListener("node:crash", ({ detail }) => crashes.one.push(detail.message));
      two.addEventListener("node:crash", ({ detail }) => crashes.two.push(detail.message));
      const outcome = (/** @type {Promise<unknown>} */ call) => call.then(() => "done", (error) => [error.constructor.name, error.code]);
      const message = { contentTopic: "/lightkeeper/1/crash/proto", payload: new Uint8Array([1]) };
      const sending = outcome(two.lightPush.send(message));
      let thrown;
      try {
        testPanic(one);
      } catch (error) {
        thrown = [error.constructor.name, error.code];
      }
      const during = await sending;
      const after = [await outcome(one.lightPush.send(message)), await outcome(two.ready()), await outcome(two.start())];
      // Whatever else would come is a task away.
      await new Promise((resolve) => setTimeout(resolve, 200));
      const again = await createLightNode(options);
      await again.ready({ timeoutMs: 60_000 });
      const { accepted } = await again.lightPush.send(message);
      await again.close();
      return { crashes, thrown, during, after, accepted: accepted.length, code: await outcome(one.close()) };
    }, { network, bootstrap: [enrtree], resolvers: [resolver] });
    assert.equal(result.crashes.one.length, 1, JSON.stringify(result));
    assert.equal(result.crashes.two.length, 1, JSON.stringify(result));
    assert.match(result.crashes.one[0], /\S/);
    if (result.thrown) assert.deepEqual(result.thrown, ["LightNodeError", "crashed"]);
    for (const each of [result.during, ...result.after]) assert.deepEqual(each, ["LightNodeError", "crashed"]);
    assert.ok(result.accepted >= 1);
    assert.equal(result.code, "done");
    // The sockets of the crashed instance do not stay open behind its back.
    await socketsClosed(watched);
  } finally {
    await watched.close();
    await crashing.stop();
  }
});
