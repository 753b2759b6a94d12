import assert from "node:assert/strict";
import { demoTest, useBrowser } from "../lib/suite.mjs";

useBrowser();

/** The part of a multiaddr that a socket's URL repeats. */
const port = (/** @type {string} */ address) => /\/tcp\/(\d+)\//.exec(address)?.[1];
const toNode = (/** @type {{ url: string }} */ socket, /** @type {{ address: string }} */ node) => new URL(socket.url).port === port(node.address);

demoTest("a page that is opened finds two lightpush, two filter and one store peer", {}, async ({ demo }) => {
  const { state, requirements } = await demo.health();
  assert.equal(state, "met");
  const have = Object.fromEntries(requirements.map((/** @type {any} */ each) => [each.name, each]));
  assert.ok(have.lightPush.have >= 2 && have.lightPush.target === 2, JSON.stringify(have.lightPush));
  assert.ok(have.filter.have >= 2 && have.filter.target === 2, JSON.stringify(have.filter));
  assert.ok(have.store.have >= 1 && have.store.target === 1, JSON.stringify(have.store));
  // The page says the same.
  await demo.page.locator('[data-testid="health"][data-state="met"]').waitFor();
  for (const name of ["lightPush", "filter", "store"]) await demo.page.locator(`[data-testid="req-${name}"][data-state="met"]`).waitFor();
});

demoTest("of two bootstrap nodes one is dialed, and all others are learnt by peer exchange", {}, async ({ fleet, demo }) => {
  const nodes = await fleet.nodes();
  const bootstrap = nodes.filter((node) => node.bootstrap);
  assert.equal(bootstrap.length, 2);
  const dialed = bootstrap.filter((node) => demo.watched.sockets.some((socket) => toNode(socket, node)));
  assert.equal(dialed.length, 1, JSON.stringify(demo.watched.sockets));
  for (const { detail } of await demo.eventsOf("peer:discovery")) {
    const node = nodes.find(({ peerId }) => peerId === detail.peerId);
    assert.equal(detail.source, node?.bootstrap ? "dns" : "peer-exchange", node?.name);
  }
});

demoTest("no peer is dialed twice, at most six sockets are opened, and each leads to a node of the network", {}, async ({ fleet, demo }) => {
  const nodes = await fleet.nodes();
  const { sockets } = demo.watched;
  assert.ok(sockets.length <= 6, JSON.stringify(sockets));
  assert.equal(new Set(sockets.map(({ url }) => url)).size, sockets.length, JSON.stringify(sockets));
  for (const socket of sockets) assert.ok(nodes.some((node) => toNode(socket, node)), socket.url);
});

demoTest("events tell the way of each peer in order: discovery, connect, identify", {}, async ({ demo }) => {
  const events = await demo.events();
  const connected = await demo.connected();
  assert.ok(connected.length >= 3);
  for (const { peerId } of connected) {
    const story = events.filter(({ detail }) => detail?.peerId === peerId).map(({ type }) => type);
    assert.deepEqual(story.filter((type) => ["peer:discovery", "peer:connect", "peer:identify"].includes(type)), ["peer:discovery", "peer:connect", "peer:identify"]);
  }
});

demoTest("nothing stands on the console, and nobody but loopback is asked", { demo: {} }, async ({ demo }) => {
  // The console is judged again at the end of every test; here, not even expected lines are there.
  assert.deepEqual(demo.watched.console, []);
  const urls = await demo.page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
  assert.deepEqual(urls.filter((url) => !["127.0.0.1", ""].includes(new URL(url).hostname)), []);
  assert.ok(urls.some((url) => url.includes("/dns-query")), "the resolver was asked");
});

demoTest("a stopped node has no connection, and started again it is ready once more", {}, async ({ fleet, demo }) => {
  await demo.page.getByRole("button", { name: "Stop the node" }).click();
  await demo.until("no peer is connected", (node) => node.peers().every((/** @type {any} */ peer) => peer.state !== "connected"));
  for (const { detail } of await demo.eventsOf("peer:disconnect")) {
    assert.deepEqual({ cause: detail.cause, reason: detail.reason, deliberate: detail.deliberate }, { cause: "local", reason: "stopped", deliberate: true });
  }
  await fleet.deserted();
  const refused = await demo.withNode((node) =>
    node.lightPush.send({ contentTopic: "/lightkeeper/1/stopped/proto", payload: new Uint8Array(1) }).then(() => "sent", (/** @type {any} */ error) => error.code),
  );
  assert.equal(refused, "not-started");
  await demo.page.getByRole("button", { name: "Start the node" }).click();
  await demo.ready();
});

demoTest("every target can be raised and lowered while the node runs", { fleet: { nodes: 12 } }, async ({ demo }) => {
  await demo.at("req-lightPush-more").click();
  await demo.until("three lightpush peers serve", (node) => {
    const row = node.health().requirements.find((/** @type {any} */ each) => each.name === "lightPush");
    return row.target === 3 && row.have >= 3;
  });
  await demo.at("req-lightPush-less").click();
  await demo.until("two are wanted again", (node) => node.health().requirements.find((/** @type {any} */ each) => each.name === "lightPush").target === 2);
  assert.equal((await demo.health()).state, "met");
});
