import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { FAILED_LOOKUP, LIMIT_MS, REFUSED_SOCKET } from "../lib/browser.mjs";
import { demoTest, useBrowser } from "../lib/suite.mjs";

useBrowser();

const TOPIC = "/lightkeeper/1/faults/proto";

/** What a call to send comes to: its report, or its error as plain data. */
const send = (demo, timeoutMs = 10_000) =>
  demo.withNode(
    (/** @type {any} */ node, { topic, timeoutMs }) =>
      node.lightPush.send({ contentTopic: topic, payload: new Uint8Array([1, 2, 3]) }, { timeoutMs }).then(
        (/** @type {any} */ report) => ({ report }),
        (/** @type {any} */ error) => ({ error: { name: error.constructor.name, code: error.code, peer: error.peer, message: error.message } }),
      ),
    { topic: TOPIC, timeoutMs },
  );

/** Until the resolver has been asked, and what it said has had time to be believed. */
async function resolverAsked(fleet) {
  const end = Date.now() + LIMIT_MS;
  while (!fleet.seen.some(({ node, kind }) => node === "resolver" && kind === "request")) {
    assert.ok(Date.now() < end, "the resolver was never asked");
    await sleep(50);
  }
  await sleep(1_000);
}

for (const mode of /** @type {const} */ (["down", "lie"])) {
  demoTest(
    `a resolver that ${mode === "down" ? "is down" : "lies"} gives no peer and no dial, and when it is well again the page gets ready by itself`,
    { ready: false, demo: { expect: [FAILED_LOOKUP] }, before: (fleet) => fleet.resolver(mode) },
    async ({ fleet, demo }) => {
      await resolverAsked(fleet);
      assert.deepEqual(await demo.eventsOf("peer:discovery"), []);
      assert.deepEqual(demo.watched.sockets, []);
      const health = await demo.health();
      assert.equal(health.state, "unmet");
      assert.notEqual(health.reason, "");
      await fleet.resolver("ok");
      await demo.withNode((node) => node.ready({ timeoutMs: 180_000 }));
    },
  );
}

demoTest("a resolver that takes three seconds for each answer is waited for", { ready: false, before: (fleet) => fleet.resolver("slow") }, async ({ demo }) => {
  await demo.withNode((node) => node.ready({ timeoutMs: 180_000 }));
});

demoTest(
  "a page whose first resolver is down asks the second",
  { ready: false, demo: { expect: [FAILED_LOOKUP], query: { autostart: "0" } } },
  async ({ fleet, demo }) => {
    const { resolver } = await fleet.info();
    const url = new URL(fleet.url);
    // The fleet's server answers 404 there, as a host that is no resolver does.
    url.searchParams.set("resolver", `${new URL("/no-resolver", resolver)},${resolver}`);
    await demo.page.goto(url.href);
    await demo.page.waitForFunction(() => { try { return globalThis.demo.node !== undefined; } catch { return false; } });
    await demo.ready();
  },
);

// Of three nodes that serve everything two fail, so at least one that fails is among the first two that are dialed.
const TWO_OF_THREE = ["all-1", "all-2"];

demoTest(
  "somebody else at a peer's address is never taken for it, and the page gets ready by others",
  { before: async (fleet) => { for (const name of TWO_OF_THREE) await fleet.act(name, "wrong-id"); } },
  async ({ fleet, demo }) => {
    const nodes = await fleet.nodes();
    const wrong = nodes.filter(({ name }) => TWO_OF_THREE.includes(name)).map(({ peerId }) => peerId);
    const { detail } = await demo.event("peer:fail", { kind: "wrong-id" });
    assert.ok(wrong.includes(detail.peerId));
    for (const { peerId } of await demo.connected()) assert.ok(!wrong.includes(peerId));
    assert.deepEqual(await demo.eventsOf("peer:ban"), []);
  },
);

demoTest(
  "peers that accept connections and never answer are passed over",
  { before: async (fleet) => { for (const name of TWO_OF_THREE) await fleet.act(name, "stall"); } },
  async ({ fleet, demo }) => {
    const stalled = (await fleet.nodes()).filter(({ name }) => TWO_OF_THREE.includes(name)).map(({ peerId }) => peerId);
    for (const [requirement, peers] of Object.entries(await demo.serving())) {
      for (const peer of peers) assert.ok(!stalled.includes(peer), `${requirement} counts a peer that never answered`);
    }
    const { report, error } = await send(demo);
    assert.ok(report, JSON.stringify(error));
  },
);

demoTest("a busy peer is told apart from a bad one: typed error, no ban, no disconnect for it, served again when it has time", {}, async ({ fleet, demo }) => {
  const { nodes } = await fleet.info();
  for (const node of nodes) if (node.services.includes("lightPush")) await fleet.act(node.name, "busy");
  const before = (await demo.connected()).map(({ peerId }) => peerId);
  const from = await demo.mark();
  const { error } = await send(demo);
  assert.equal(error?.name, "LightNodeError");
  assert.equal(error?.code, "busy", JSON.stringify(error));
  const { detail } = await demo.event("peer:fail", { kind: "busy" }, { from });
  assert.ok(nodes.some(({ peerId }) => peerId === detail.peerId));
  assert.deepEqual(await demo.eventsOf("peer:ban", {}, from), []);
  // Somebody else was dialed meanwhile, who may serve all that one of them did: then that one is let go as not needed,
  // which is economy (4.13) and no verdict on it.
  const ended = (await demo.eventsOf("peer:disconnect", {}, from)).filter(({ detail }) => before.includes(detail.peerId));
  assert.deepEqual(ended.filter(({ detail }) => detail.reason !== "not-needed"), []);
  for (const node of nodes) await fleet.act(node.name, "heal");
  await eventually(demo, "a message is accepted again", async () => (await send(demo)).report);
});

demoTest("peers that fall silent are replaced, and what could not go out by then ends as a timeout", {}, async ({ fleet, demo }) => {
  const silent = (await demo.serving()).lightPush;
  for (const peer of silent) await fleet.act((await fleet.byPeerId(peer)).name, "stall");
  const from = await demo.mark();
  const { error } = await send(demo, 2_000);
  if (error) assert.ok(["timeout", "no-peer"].includes(error.code), JSON.stringify(error));
  await eventually(demo, "another peer takes over", async () => {
    await send(demo, 2_000);
    return (await demo.eventsOf("peer:replace", { requirement: "lightPush" }, from)).some(({ detail }) => silent.includes(detail.lost));
  });
  await eventually(demo, "a message is accepted", async () => (await send(demo)).report);
  const failed = (await demo.eventsOf("peer:fail", {}, from)).map(({ detail }) => detail.peerId);
  assert.ok(silent.some((peer) => failed.includes(peer)));
});

demoTest("a message goes out by another peer when both that were asked close every request, and they are replaced", {}, async ({ fleet, demo }) => {
  const refusing = (await demo.serving()).lightPush;
  for (const peer of refusing) await fleet.act((await fleet.byPeerId(peer)).name, "refuse");
  const from = await demo.mark();
  const { report, error } = await send(demo);
  assert.ok(report, JSON.stringify(error));
  for (const peer of report.accepted) assert.ok(!refusing.includes(peer), "a peer that refuses took it");
  assert.deepEqual(report.failed.filter((/** @type {any} */ { peer }) => refusing.includes(peer)).map((/** @type {any} */ { peer }) => peer).sort(), [...refusing].sort());
  await eventually(demo, "another peer takes over", async () => {
    await send(demo);
    return (await demo.eventsOf("peer:replace", { requirement: "lightPush" }, from)).some(({ detail }) => refusing.includes(detail.lost));
  });
  await eventually(demo, "a message is accepted", async () => (await send(demo)).report);
});

demoTest("a slow peer is waited for", { before: async (fleet) => { for (const { name } of await fleet.nodes()) await fleet.act(name, "slow"); } }, async ({ demo }) => {
  const { report, error } = await send(demo, 30_000);
  assert.ok(report, JSON.stringify(error));
});

demoTest("a page that cannot reach any node says so, and is ready once they are there", { ready: false, demo: { expect: [REFUSED_SOCKET] }, before: async (fleet) => { for (const { name } of await fleet.nodes()) await fleet.act(name, "stop"); } }, async ({ fleet, demo }) => {
  const { detail } = await demo.event("peer:fail", { kind: "unreachable" });
  assert.ok((await fleet.byPeerId(detail.peerId)).bootstrap);
  for (const { name } of await fleet.nodes()) await fleet.act(name, "start");
  await demo.withNode((node) => node.ready({ timeoutMs: 180_000 }));
});

async function eventually(demo, what, ask) {
  const end = Date.now() + 2 * LIMIT_MS;
  for (;;) {
    if (await ask()) return;
    if (Date.now() > end) throw new Error(`not so: ${what}\n${await demo.story()}`);
    await sleep(250);
  }
}
