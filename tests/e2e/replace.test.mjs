import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { REFUSED_SOCKET } from "../lib/browser.mjs";
import { demoTest, useBrowser } from "../lib/suite.mjs";

useBrowser();

/** A node that is gone is dialed again, and the browser prints each refusal. */
const EXPECT = { demo: { expect: [REFUSED_SOCKET] } };

/** The connections of now, but that of one peer. */
async function others(demo, lost) {
  return (await demo.connected()).filter(({ peerId }) => peerId !== lost).map(({ peerId, connectedAt }) => ({ peerId, connectedAt }));
}

/** No connection of those was closed or made anew. */
async function assertUntouched(demo, before, from) {
  const gone = (await demo.eventsOf("peer:disconnect", {}, from)).map(({ detail }) => detail.peerId);
  for (const { peerId, connectedAt } of before) {
    assert.ok(!gone.includes(peerId), `${peerId} was disconnected\n${await demo.story(from)}`);
    const now = (await demo.peers()).find((peer) => peer.peerId === peerId);
    assert.equal(now.connectedAt, connectedAt, `${peerId} was connected anew`);
  }
}

/** Stops the node that is one of a requirement's peers, and checks all that has to follow. */
async function stopAndWatch(fleet, demo, requirement) {
  const lost = (await demo.serving())[requirement][0];
  const served = Object.entries(await demo.serving()).filter(([, peers]) => peers.includes(lost)).map(([name]) => name);
  const before = await others(demo, lost);
  const from = await demo.mark();
  const { name } = await fleet.act((await fleet.byPeerId(lost)).name, "stop");

  const disconnect = await demo.event("peer:disconnect", { peerId: lost }, { from });
  const { cause, reason, deliberate, uptimeMs, willReconnect } = disconnect.detail;
  assert.deepEqual({ cause, reason, deliberate }, { cause: "remote", reason: "connection-lost", deliberate: false }, name);
  assert.ok(uptimeMs >= 0);
  // Others can serve: the lost peer is not needed any more, and nobody is promised that it comes back.
  assert.equal(willReconnect, false);

  const replaced = await demo.event("peer:replace", { lost, requirement }, { from });
  assert.notEqual(replaced.detail.gained, lost);
  assert.ok(replaced.detail.gapMs >= 0);
  assert.ok(replaced.index > disconnect.index);
  await demo.until("every target is met again", (node) => node.health().state === "met");
  assert.ok((await demo.serving())[requirement].includes(replaced.detail.gained));
  for (const { detail } of await demo.eventsOf("peer:replace", {}, from)) {
    assert.equal(detail.lost, lost);
    assert.ok(served.includes(detail.requirement), `${detail.requirement} was not served by ${name}`);
  }
  await assertUntouched(demo, before, from);
  return name;
}

demoTest("each peer that serves is stopped in turn, and replaced with no other connection touched", { fleet: { nodes: 16 }, ...EXPECT }, async ({ fleet, demo }) => {
  for (const requirement of ["lightPush", "filter", "store"]) {
    // Losses within two seconds of one another look like a network that went away, and are told as such.
    await sleep(3_000);
    await stopAndWatch(fleet, demo, requirement);
  }
});

replacedByItsKind("lightPush", "lightpush");
replacedByItsKind("filter", "filter");
replacedByItsKind("store", "store");

/** Nodes of one service only: the page is told of nobody else, so one of that kind must take over. */
function replacedByItsKind(/** @type {string} */ requirement, /** @type {string} */ role) {
  demoTest(
    `a ${role} node that is stopped is replaced by another of its kind`,
    {
      fleet: { nodes: 16 },
      ready: false,
      demo: { expect: [REFUSED_SOCKET], query: { autostart: "0" } },
    },
    async ({ fleet, demo }) => {
      const single = (await fleet.nodes()).filter((node) => ["lightpush", "filter", "store"].includes(node.role));
      await openWith(fleet, demo, single.map(({ address }) => address));
      const name = await stopAndWatch(fleet, demo, requirement);
      assert.match(name, new RegExp(`^${role}-`));
    },
  );
}

/** Opens the page anew with these static peers and nothing else. */
async function openWith(fleet, demo, addresses, query = {}) {
  const url = new URL(fleet.url);
  for (const [key, value] of Object.entries({ bootstrap: addresses.join(","), ...query })) url.searchParams.set(key, value);
  await demo.page.goto(url.href);
  await demo.page.waitForFunction(() => { try { return globalThis.demo.node !== undefined; } catch { return false; } });
  await demo.ready();
}

demoTest("a bootstrap node that is stopped costs no service and no other connection", EXPECT, async ({ fleet, demo }) => {
  const names = new Map((await fleet.nodes()).map((node) => [node.peerId, node]));
  const lost = (await demo.connected()).find(({ peerId }) => names.get(peerId)?.bootstrap);
  assert.ok(lost, "the bootstrap node is still connected");
  const before = await others(demo, lost.peerId);
  const from = await demo.mark();
  await fleet.act(/** @type {any} */ (names.get(lost.peerId)).name, "stop");
  const { detail } = await demo.event("peer:disconnect", { peerId: lost.peerId }, { from });
  assert.equal(detail.deliberate, false);
  assert.equal((await demo.health()).state, "met");
  await assertUntouched(demo, before, from);
  assert.deepEqual(await demo.eventsOf("peer:replace", {}, from), []);
});

demoTest("a peer that was hung up on is a deliberate loss, is replaced, and not redialed until it is dialed", EXPECT, async ({ demo }) => {
  const lost = (await demo.serving()).lightPush[0];
  const before = await others(demo, lost);
  const { address } = await demo.withNode((node, id) => node.peer(id), lost);
  const from = await demo.mark();
  await demo.withNode((node, id) => node.hangUp(id), lost);
  const { detail } = await demo.event("peer:disconnect", { peerId: lost }, { from });
  const { cause, reason, deliberate, willReconnect } = detail;
  assert.deepEqual({ cause, reason, deliberate, willReconnect }, { cause: "local", reason: "hung-up", deliberate: true, willReconnect: false });
  await demo.event("peer:replace", { lost, requirement: "lightPush" }, { from });
  await demo.until("every target is met again", (node) => node.health().state === "met");
  await assertUntouched(demo, before, from);

  const port = /\/tcp\/(\d+)\//.exec(address)?.[1];
  const dials = () => demo.watched.sockets.filter(({ url }) => new URL(url).port === port).length;
  assert.equal(dials(), 1);
  // Longer than any redial would take; a slower machine only makes this easier to pass, never to fail.
  await sleep(5_000);
  assert.equal(dials(), 1);

  await demo.withNode((node, id) => node.dial(id), lost);
  await demo.event("peer:connect", { peerId: lost }, { from });
  assert.equal(dials(), 2);
});

demoTest("the only store peer, lost and back, is a disconnect and then a reconnect", { fleet: { nodes: 12 }, ready: false, demo: { expect: [REFUSED_SOCKET], query: { autostart: "0" } } }, async ({ fleet, demo }) => {
  const nodes = await fleet.nodes();
  const wanted = ["lightpush-1", "lightpush-2", "filter-1", "filter-2", "store-1"];
  await openWith(fleet, demo, nodes.filter(({ name }) => wanted.includes(name)).map(({ address }) => address));
  const store = /** @type {any} */ (nodes.find(({ name }) => name === "store-1"));
  const before = await others(demo, store.peerId);
  const from = await demo.mark();
  await fleet.act("store-1", "stop");
  const lost = await demo.event("peer:disconnect", { peerId: store.peerId }, { from });
  assert.equal(lost.detail.deliberate, false);
  assert.equal(lost.detail.willReconnect, true);
  await demo.event("requirement:change", { name: "store", have: 0 }, { from });
  await fleet.act("store-1", "start");
  const back = await demo.event("peer:reconnect", { peerId: store.peerId }, { from });
  const connect = await demo.event("peer:connect", { peerId: store.peerId }, { from });
  assert.ok(lost.index < connect.index && connect.index < back.index, await demo.story(from));
  assert.ok(back.detail.downMs > 0 && back.detail.attempts >= 1, JSON.stringify(back.detail));
  await demo.ready();
  await assertUntouched(demo, before, from);
  assert.deepEqual(await demo.eventsOf("peer:replace", {}, from), []);
});

demoTest("all nodes are stopped and started again, and the page is ready again by itself", EXPECT, async ({ fleet, demo }) => {
  const from = await demo.mark();
  await demo.at("fleet-stop-all").click();
  await demo.until("nobody is connected", (node) => node.peers().every((/** @type {any} */ peer) => peer.state !== "connected"));
  await demo.event("health:change", { new: "unmet" }, { from });
  for (const { detail } of await demo.eventsOf("peer:disconnect", {}, from)) assert.equal(detail.deliberate, false);
  for (const node of await fleet.nodes()) assert.equal(node.state, "stopped", node.name);
  await demo.at("fleet-start-all").click();
  await demo.withNode((node) => node.ready({ timeoutMs: 120_000 }));
  const { accepted } = await demo.withNode((node) => node.lightPush.send({ contentTopic: "/lightkeeper/1/back/proto", payload: new Uint8Array([1]) }));
  assert.ok(accepted.length >= 1);
});
