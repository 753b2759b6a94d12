// The demo page against service nodes that were not written here: four go-waku nodes of one relay mesh.
//
// go-waku serves lightpush v2 and filter, and no store v3: two of each of the former are required, and no store.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { LIMIT_MS, REFUSED_SOCKET } from "../lib/browser.mjs";
import { openDemo } from "../lib/demo.mjs";
import { CLUSTER, meshed, SHARD, startGoWaku } from "../lib/go-waku.mjs";
import { PKG_DIR, WWW_DIR, ZONE_BIN } from "../lib/paths.mjs";
import { start } from "../lib/process.mjs";
import { serveStatic } from "../lib/static.mjs";
import { tellMore, useBrowser } from "../lib/suite.mjs";

const browser = useBrowser();
const TOPIC = "/lightkeeper/1/interop/proto";
const NETWORK = { fleet: "0", cluster: `${CLUSTER}`, shards: `${SHARD}`, require: "lightPush:2,filter:2,store:0" };
/** go-waku answers one request a second for each client, and its records reach one another by discv5 in their own time. */
const READY_MS = 3 * LIMIT_MS;

/** @type {import("../lib/go-waku.mjs").GoWaku[]} */
let nodes = [];
/** @type {{ url: string, stop: () => Promise<void> }} */
let server;
before(async () => {
  server = await serveStatic({ folders: { "/": WWW_DIR, "/pkg/": PKG_DIR } });
  nodes = await startGoWaku(4);
});
after(async () => {
  for (const node of nodes) await node.stop();
  await server?.stop();
});

/**
 * A record tree of some of the nodes.
 *
 * @param {import("../lib/go-waku.mjs").GoWaku[]} members
 */
async function serveZone(members) {
  const zone = await start(ZONE_BIN, members.map(({ enr }) => enr), { ready: /^ready (enrtree:\S+) (http:\S+)/ });
  return { bootstrap: zone.ready[1], resolver: zone.ready[2], stop: () => zone.stop() };
}

/**
 * The page against these nodes: ready, sends, receives, loses a peer, sends and receives on.
 *
 * @param {string} name
 * @param {() => Promise<{ bootstrap: string, resolver?: string, stop?: () => Promise<void> }>} findable
 * @param {(demo: import("../lib/demo.mjs").Demo) => Promise<void>} [more]
 */
function pageTest(name, findable, more) {
  test(name, { timeout: 15 * 60_000 }, async () => {
    const { stop, ...where } = await findable();
    const demo = await openDemo(browser(), server.url, { query: { ...NETWORK, ...where }, expect: [REFUSED_SOCKET] });
    try {
      await demo.withNode((node, timeoutMs) => node.ready({ timeoutMs }), READY_MS);
      const serving = await demo.serving();
      assert.ok(serving.lightPush.length >= 2 && serving.filter.length >= 2, JSON.stringify(serving));
      for (const peer of [...serving.lightPush, ...serving.filter]) assert.ok(nodes.some(({ peerId }) => peerId === peer), peer);

      await subscribe(demo);
      await sendsAndReceives(demo, nodes, `${name}: before`);
      await more?.(demo);
      await replaces(demo, name);
      demo.assertConsole();
    } catch (error) {
      tellMore(error, `what happened in the page:\n${await demo.story()}`);
      throw error;
    } finally {
      await demo.close();
      await stop?.();
    }
  });
}

const subscribe = (demo) =>
  demo.withNode(async (node, topic) => {
    globalThis.received = [];
    globalThis.subscription = await node.filter.subscribe([topic], (/** @type {any} */ message) => globalThis.received.push(new TextDecoder().decode(message.payload)));
  }, TOPIC);

/** What the page sends is seen by relay on every node, and what a node publishes comes to the page. */
async function sendsAndReceives(demo, running, label) {
  const report = await eventually(demo, "a message is accepted", () =>
    demo.withNode((node, { topic, text }) => node.lightPush.send({ contentTopic: topic, payload: new TextEncoder().encode(text) }), { topic: TOPIC, text: `${label}: sent` }),
  );
  assert.ok(report.accepted.length >= 1);
  for (const node of running) await node.sees(TOPIC, `${label}: sent`);
  for (const [index, node] of running.entries()) {
    const text = `${label}: published by ${index}`;
    await node.publish(TOPIC, text);
    await demo.until(`${text} arrives`, (_, text) => globalThis.received.includes(text), text);
  }
}

/** A serving node is killed: its loss is told, another takes over, and messages flow on. It comes back for the next test. */
async function replaces(demo, name) {
  const [subscribed] = await demo.page.evaluate(() => globalThis.subscription.peers);
  const victim = /** @type {import("../lib/go-waku.mjs").GoWaku} */ (nodes.find(({ peerId }) => peerId === subscribed));
  const rest = nodes.filter((node) => node !== victim);
  const from = await demo.mark();
  await victim.kill();
  try {
    const { detail } = await demo.event("peer:disconnect", { peerId: victim.peerId }, { from });
    assert.equal(detail.deliberate, false);
    for (const requirement of ["lightPush", "filter"]) {
      const replaced = await demo.event("peer:replace", { lost: victim.peerId, requirement }, { from, limitMs: READY_MS });
      assert.ok(rest.some(({ peerId }) => peerId === replaced.detail.gained));
    }
    await demo.withNode((node, timeoutMs) => node.ready({ timeoutMs }), READY_MS);
    await demo.until("the subscription is active elsewhere", (_, lost) => globalThis.subscription.state === "active" && !globalThis.subscription.peers.includes(lost), victim.peerId);
    await sendsAndReceives(demo, rest, `${name}: after`);
  } finally {
    await victim.start(rest);
    await meshed(nodes);
  }
}

async function eventually(demo, what, ask) {
  const end = Date.now() + LIMIT_MS;
  for (let last; ; await new Promise((resolve) => setTimeout(resolve, 1_500))) {
    try {
      return await ask();
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`not so: ${what}: ${last}`);
  }
}

pageTest("four go-waku nodes that stand in a record tree and serve, though all are bootstrap peers", () => serveZone(nodes), async (demo) => {
  for (const { detail } of await demo.eventsOf("peer:discovery")) assert.ok(["dns", "peer-exchange"].includes(detail.source));
  assert.ok((await demo.eventsOf("peer:discovery", { source: "dns" })).length >= 1);
});

pageTest("one go-waku node in the record tree: the others are learnt by peer exchange, asked of go-waku", () => serveZone(nodes.slice(0, 1)), async (demo) => {
  assert.deepEqual((await demo.eventsOf("peer:discovery", { source: "dns" })).map(({ detail }) => detail.peerId), [nodes[0].peerId]);
  const exchanged = (await demo.eventsOf("peer:discovery", { source: "peer-exchange" })).map(({ detail }) => detail.peerId);
  for (const peer of exchanged) assert.ok(nodes.some(({ peerId }) => peerId === peer), peer);
  assert.ok(exchanged.length >= 1);
});

pageTest("four go-waku nodes as static addresses", async () => ({ bootstrap: nodes.map(({ wsAddress }) => wsAddress).join(",") }));
