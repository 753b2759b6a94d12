// The manager's vocabulary through the packed package, against a real network: each group of it once, on a blank page.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LIMIT_MS, REFUSED_SOCKET, newPage } from "../lib/browser.mjs";
import { startFleet } from "../lib/fleet.mjs";
import { REPLAY_BIN } from "../lib/paths.mjs";
import { useBrowser } from "../lib/suite.mjs";

const browser = useBrowser();
const BLANK = fileURLToPath(new URL("blank", import.meta.url));
/** A protocol that every node of the fleet speaks, and that no built-in requirement is about. */
const METADATA = "/vac/waku/metadata/1.0.0";

/** @type {import("../lib/fleet.mjs").Fleet} */
let fleet;
/** @type {{ network: object, bootstrap: string[], resolvers: string[] }} what a page needs to know of the fleet */
let options;
/** @type {import("../lib/fleet.mjs").FleetNode[]} */
let nodes;
before(async () => {
  fleet = await startFleet({ nodes: 10, www: BLANK });
  const info = await fleet.info();
  nodes = info.nodes;
  options = { network: info.network, bootstrap: [info.enrtree], resolvers: [info.resolver] };
});
after(() => fleet?.stop());

/** Nodes that serve everything and are in no tree: a page knows them only when it is told. */
const serving = () => nodes.filter(({ role }) => role === "all").map(({ name, peerId, address }) => ({ name, peerId, address }));

/** What the tests' functions find on their page. */
const TOOLS = (/** @type {number} */ limit) => {
  Object.assign(globalThis, {
    /** Until something is so, and then what it was. */
    async until(what, look, ms = limit) {
      for (const end = Date.now() + ms; ; ) {
        const seen = await look();
        if (seen) return seen;
        if (Date.now() > end) throw new Error(`not so: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    /** Everything that a node says from now on. */
    listen(node) {
      const events = [];
      (async () => {
        for await (const event of node.events()) events.push(event);
      })();
      return events;
    },
    connected: (node) => node.peers().filter(({ state }) => state === "connected").map(({ peerId }) => peerId),
    codeOf: (promise) => promise.then(() => "done", ({ code, cause, option }) => ({ code, ...(cause && { cause }), ...(option && { option }) })),
  });
};

/**
 * A test on a blank page, whose function runs there with the package, the fleet's options and its nodes. The page's
 * console must hold nothing but what Chromium prints of dials that fail, or that are given up with the node.
 *
 * @template T
 * @param {string} name
 * @param {(lightkeeper: typeof import("lightkeeper"), world: { options: any, all: any[], METADATA: string }) => Promise<T>} work
 * @param {(result: T) => void} check
 */
function pageTest(name, work, check) {
  test(name, async () => {
    const watched = await newPage(browser());
    watched.expectOnConsole(REFUSED_SOCKET);
    try {
      await watched.page.addInitScript(TOOLS, LIMIT_MS);
      await watched.page.goto(fleet.url);
      const world = JSON.stringify({ options, all: serving(), METADATA });
      check(await watched.page.evaluate(`(async () => (${work})(await import("/pkg/index.js"), ${world}))()`));
      assert.deepEqual(watched.unexpectedOnConsole(), []);
    } finally {
      await watched.close();
    }
  });
}

// --- peers ------------------------------------------------------------------------------------------------------------

pageTest("a route that is added is dialed when the peer is kept, and a peer that is forgotten is gone", async ({ createLightNode }, { options, all: [peer] }) => {
  const node = await createLightNode({ ...options, bootstrap: [], require: { lightPush: 0, filter: 0, store: 0 } });
  node.addRoute(peer.peerId, peer.address);
  const known = await until("it is known", () => node.peer(peer.peerId));
  const addresses = [known.address, known.state];
  node.keep(peer.peerId);
  await until("it is connected", () => connected(node).includes(peer.peerId));
  node.forget(peer.peerId);
  await until("nobody is known", () => node.peers().length === 0);
  await node.close();
  return { addresses, is: [peer.address, "known"] };
}, ({ addresses, is }) => assert.deepEqual(addresses, is));

pageTest("a route that is removed is not dialed any more", async ({ createLightNode }, { options, all: [peer] }) => {
  const node = await createLightNode({ ...options, bootstrap: [peer.address], require: { lightPush: 0, filter: 0, store: 0 } });
  await until("it is known", () => node.peer(peer.peerId)?.address);
  node.removeRoute(peer.peerId, peer.address);
  await until("it has no address", () => node.peer(peer.peerId)?.address === undefined);
  const why = node.explain(peer.peerId).notDialed;
  await node.close();
  return why;
}, (why) => assert.equal(why, "no-route"));

pageTest("a peer that is kept is dialed again after a stop, until it is hung up", async ({ createLightNode }, { options, all: [peer] }) => {
  const node = await createLightNode({ ...options, bootstrap: [peer.address], require: { lightPush: 0, filter: 0, store: 0 } });
  node.keep(peer.peerId);
  await until("it is connected", () => connected(node).length === 1);
  const guard = node.explain(peer.peerId).notClosed;
  await node.stop();
  await until("nobody is connected", () => connected(node).length === 0);
  await node.start();
  await until("it is connected again", () => connected(node).length === 1);
  await node.hangUp(peer.peerId);
  await until("it is hung up", () => connected(node).length === 0);
  const why = node.explain(peer.peerId).notDialed;
  await node.close();
  return { guard, why };
}, (result) => assert.deepEqual(result, { guard: "pinned", why: "hung-up" }));

pageTest("priorities, tags and protection show in the explanation", async ({ createLightNode }, { options }) => {
  const node = await createLightNode(options);
  await node.ready();
  const [peer] = connected(node);
  node.protect(peer, "game");
  node.protect(peer, "chat");
  node.tag(peer, "friend", { value: 150 });
  node.tag(peer, "rich", { value: 900 });
  node.setPriority(peer, "high");
  const { protectedBy, notClosed, parts, peer: info } = await until("the hints count", () => [node.explain(peer)].find(({ parts }) => parts.hints !== 0));
  node.unprotect(peer, "game");
  node.unprotect(peer, "chat");
  await until("nothing protects it", () => node.explain(peer).protectedBy.length === 0);
  const events = listen(node);
  node.setPriority(peer, "banned");
  const { detail } = await until("it is banned", () => events.find(({ type }) => type === "peer:disconnect"));
  const state = node.peer(peer)?.state;
  await node.close();
  return { protectedBy: protectedBy.sort(), notClosed, hints: parts.hints, priority: info.priority, cause: detail.cause, state };
}, (result) => assert.deepEqual(result, { protectedBy: ["chat", "game"], notClosed: "protected", hints: 200, priority: "high", cause: "banned", state: "banned" }));

pageTest("a wish that is refused is an error with its reason, and changes nothing", async ({ createLightNode }, { options, all: [peer, other] }) => {
  const node = await createLightNode({ ...options, bootstrap: [], require: { lightPush: 0, filter: 0, store: 0 } });
  const refused = (/** @type {() => void} */ wish) => {
    try {
      wish();
    } catch (/** @type {any} */ { code, cause, peer }) {
      return [code, cause, peer === node.peerId || peer];
    }
  };
  const ourselves = [() => node.setPriority(node.peerId, "banned"), () => node.protect(node.peerId, "me"), () => node.tag(node.peerId, "me", { value: 1 }), () => node.keep(node.peerId)].map(refused);
  node.setPriority(peer.peerId, "banned");
  const banned = [() => node.protect(peer.peerId, "mine"), () => node.keep(peer.peerId)].map(refused);
  const { code, cause } = await codeOf(node.dial(peer.address));
  let tag = 0;
  while (refused(() => node.protect(other.peerId, `tag ${tag}`)) === undefined) tag++;
  const tags = [refused(() => node.protect(other.peerId, "one more")), node.explain(other.peerId).protectedBy.length === tag];
  const state = node.peer(peer.peerId).state;
  await node.close();
  return { ourselves, banned: banned.map((each) => each?.slice(0, 2)), dial: [code, cause], tags: [tags[0]?.slice(0, 2), tags[1]], state };
}, (result) => assert.deepEqual(result, {
  ourselves: Array(4).fill(["denied", "our-own-id", true]),
  banned: Array(2).fill(["denied", "banned-by-user"]),
  dial: ["denied", "banned-by-user"],
  tags: [["denied", "limit-reached"], true],
  state: "banned",
}));

pageTest("errors() has a dial that failed, watchPeers() the peers as they are", async ({ createLightNode }, { options, all: [peer] }) => {
  const node = await createLightNode({ ...options, bootstrap: [], require: { lightPush: 0, filter: 0, store: 0 } });
  const seen = [];
  const watching = (async () => {
    for await (const peers of node.watchPeers()) seen.push(peers.map(({ state }) => state).join());
  })();
  await until("the first list is there", () => seen.length > 0);
  const failures = node.errors();
  const address = `/ip4/127.0.0.1/tcp/1/ws/p2p/${peer.peerId}`;
  const refused = await codeOf(node.dial(address));
  const { value } = await failures.next();
  await node.dial(peer.address);
  await until("that was seen", () => seen.includes("connected"));
  await node.close();
  await watching;
  return { refused: refused.code, kind: value.kind, peer: value.peerId === peer.peerId, address: value.address === address, first: seen[0], end: (await failures.next()).done };
}, (result) => assert.deepEqual(result, { refused: "dial-failed", kind: "unreachable", peer: true, address: true, first: "", end: true }));

pageTest("that the machine slept is found out also when its clock slept with it", async ({ createLightNode }, { options, all: [peer] }) => {
  // Nothing else is due for a day.
  const policy = { pingIdleMs: 86_400_000, pingUnusedMs: 86_400_000 };
  const node = await createLightNode({ ...options, bootstrap: [], policy, require: { lightPush: 0, filter: 0, store: 0 } });
  const events = listen(node);
  await node.dial(peer.address);
  await until("it is known well", () => events.find(({ type }) => type === "peer:identify"));
  // Then the grace of the new connection is over, too, and no deadline finds it out.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  const before = events.filter(({ type }) => type === "network:change").length;
  const now = Date.now;
  Date.now = () => now() + 3_600_000;
  const { detail } = await until("it is found out", () => events.filter(({ type }) => type === "network:change")[before]);
  Date.now = now;
  await node.close();
  return { before, detail };
}, (result) => assert.deepEqual(result, { before: 0, detail: { state: "resumed", cause: "slept" } }));

// --- connections ------------------------------------------------------------------------------------------------------

pageTest("connections stop and start while the node stays, and pause keeps what there is", async ({ createLightNode }, { options }) => {
  const node = await createLightNode(options);
  await node.ready();
  const id = node.peerId;
  const known = node.peers().length;
  node.connections.stop();
  await until("nobody is connected", () => connected(node).length === 0);
  const stopped = { reason: node.health().reason, same: node.peerId === id, known: node.peers().length >= known };
  node.connections.start();
  await node.ready();
  node.connections.pause();
  const before = connected(node);
  const [lost] = before;
  await node.hangUp(lost);
  await until("one is gone", () => connected(node).length < before.length);
  const dials = node.stats().dials;
  node.setRequirement("lightPush", 5);
  // Nothing tells that nothing happens; the decisions of a resumed node come within the same time.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const paused = node.stats().dials - dials;
  node.connections.resume();
  await until("somebody is dialed again", () => node.stats().dials > dials);
  await node.close();
  return { ...stopped, paused };
}, (result) => assert.deepEqual(result, { reason: "stopped", same: true, known: true, paused: 0 }));

pageTest("a limit for the transport is kept, and lifted", async ({ createLightNode }, { options }) => {
  const node = await createLightNode({ ...options, limits: { byTransport: { ws: 1 } } });
  await until("one is connected", () => connected(node).length === 1);
  const events = listen(node);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const limited = events.filter(({ type }) => type === "peer:connect").length + connected(node).length;
  node.connections.setMaxByTransport({ ws: Infinity });
  await node.ready();
  await node.close();
  return limited;
}, (limited) => assert.ok(limited <= 2, `${limited} connections under a limit of one`));

pageTest("connections that are older than their lifetime are taken over by others", async ({ createLightNode }, { options }) => {
  const node = await createLightNode({ ...options, require: { lightPush: 1, filter: 1, store: 0 } });
  await node.ready();
  const events = listen(node);
  // As short as it may be.
  node.connections.setLifetime(60_000);
  const isOld = ({ type, detail }) => type === "peer:disconnect" && detail.reason === "lifetime-over";
  const { detail } = await until("one is old", () => events.find(isOld), 240_000);
  node.connections.setLifetime(Infinity);
  const state = node.health().state;
  await node.close();
  return { deliberate: detail.deliberate, state };
}, ({ deliberate, state }) => {
  assert.equal(deliberate, true);
  assert.notEqual(state, "unmet");
});

pageTest("fewer connections are wanted: what is over the limit is let go, with a reason, and no minimum is broken", async ({ createLightNode }, { options }) => {
  const node = await createLightNode({ ...options, require: { lightPush: { min: 1, target: 4 }, filter: { min: 1, target: 4 }, store: { min: 0, target: 3 } } });
  await node.ready();
  const events = listen(node);
  const many = connected(node).length;
  node.setLimits({ connections: 2, hard: 2 });
  await until("two are left", () => connected(node).length <= 2);
  const { soft, hard, decisions } = node.stats({ decisions: 200 });
  const pruned = events.filter(({ type }) => type === "peer:prune").map(({ detail }) => detail.reason);
  const { state } = node.health();
  await node.close();
  return { many, soft, hard, pruned, state, regulated: decisions.some(({ what }) => what === "regulated"), limits: decisions.find(({ what }) => what === "limits") };
}, ({ many, soft, hard, pruned, state, regulated, limits }) => {
  assert.ok(many > 2);
  assert.deepEqual({ soft, hard, why: limits?.why, regulated }, { soft: 2, hard: 2, why: "user", regulated: true });
  assert.deepEqual([...new Set(pruned)], ["over-limit"]);
  assert.equal(state, "minimal");
});

pageTest("an initial sync has one connection, and normal life comes back after it", async ({ createLightNode }, { options }) => {
  const node = await createLightNode(options);
  await node.ready();
  const store = node.health().requirements.find(({ name }) => name === "store").peers[0];
  const events = listen(node);
  node.initialSync.start(store);
  await until("one is left", () => connected(node).join() === store);
  const reasons = [...new Set(events.filter(({ type }) => type === "peer:disconnect").map(({ detail }) => detail.reason))];
  node.initialSync.stop();
  await node.ready();
  await node.close();
  return reasons;
}, (reasons) => assert.deepEqual(reasons, ["initial-sync"]));

pageTest("numbers of the policy are taken, and one that makes no sense is refused by name", async ({ createPeerManager, DEFAULTS }, { options }) => {
  const node = await createPeerManager({ ...options, policy: { ...DEFAULTS.policy, dialTimeoutMs: 9000, exploreOneIn: 0 }, limits: { connections: 3 } });
  const { soft, hard } = node.stats();
  await node.close();
  const refused = await codeOf(createPeerManager({ ...options, policy: { routesPerDial: 0 } }));
  return { soft, hard, refused };
}, (result) => assert.deepEqual(result, { soft: 3, hard: 5, refused: { code: "invalid-options", option: "policy.routesPerDial" } }));

// --- enrollments ------------------------------------------------------------------------------------------------------

pageTest("a protocol of the page's own gets a share and peers for its requirement, and leaves without a trace", async ({ createLightNode }, { options, METADATA }) => {
  const node = await createLightNode(options);
  await node.ready();
  const enrollment = await node.enroll({ name: "chat", protocols: [METADATA], quota: { min: 1, max: "50%" }, requirement: { min: 1, target: 3 } });
  await node.ready({ requirements: ["chat"] });
  const served = node.health().requirements.find(({ name }) => name === "chat");
  const share = node.stats().protocols.find(({ name }) => name === "chat");
  enrollment.report(served.peers[0], "success");
  const quality = await until("the report counts", () => node.explain(served.peers[0]).parts.quality.chat);
  node.setRequirement("chat", 1);
  const again = await codeOf(node.enroll({ name: "chat", protocols: [METADATA] }));
  enrollment.withdraw();
  await until("it left", () => node.health().requirements.every(({ name }) => name !== "chat") && node.stats().protocols.every(({ name }) => name !== "chat"));
  const closed = await enrollment.closed;
  await node.close();
  return { have: served.have, granted: enrollment.granted, share, quality, again, closed, services: ["lightPush", "filter", "store"] };
}, ({ have, share, quality, again, closed }) => {
  assert.ok(have >= 3);
  assert.ok(share.granted.low >= 1 && share.granted.high <= 8 && share.share > 0 && share.connections >= 3, JSON.stringify(share));
  assert.ok(quality > 0);
  assert.deepEqual([again, closed], [{ code: "denied", cause: "not-enrolled" }, "hung-up"]);
});

pageTest("who asks for too much gets a counter-offer, and a changed limit is a new offer", async ({ createLightNode }, { options, METADATA }) => {
  const node = await createLightNode({ ...options, limits: { connections: 8 } });
  const greedy = await node.enroll({ name: "greedy", protocols: [METADATA], quota: { min: 100 }, answerMs: 60_000 });
  const first = { state: greedy.state, ...greedy.granted };
  greedy.accept();
  const modest = await node.enroll({ name: "modest", protocols: [METADATA], quota: { min: 1, max: 2 } });
  const second = { state: modest.state, ...modest.granted };
  const offers = [];
  greedy.onoffer = ({ detail }) => offers.push(detail);
  node.setLimits({ connections: 30 });
  // What it lost to the other may come first.
  await until("it is offered more", () => offers.some(({ high }) => high > first.high));
  await node.close();
  return { first, second, closed: await greedy.closed };
}, ({ first, second, closed }) => {
  assert.equal(first.state, "countered");
  assert.ok(first.low < 100 && first.high <= 8, JSON.stringify(first));
  assert.ok(second.high <= 2, JSON.stringify(second));
  assert.equal(closed, "stopped");
});

pageTest("a lock guards a connection until it is released or the connection is lost", async ({ createLightNode }, { options, METADATA, all }) => {
  const node = await createLightNode(options);
  await node.ready();
  const enrollment = await node.enroll({ name: "chat", protocols: [METADATA], requirement: 1 });
  const [peer] = connected(node);
  const lock = await enrollment.lock(peer, { ttlMs: 20_000 });
  const held = { state: lock.state, guard: node.explain(peer).notClosed, later: lock.expiresAt > Date.now(), locks: node.stats().locks };
  const before = lock.expiresAt;
  await lock.extend(25_000);
  const extended = lock.expiresAt > before;
  lock.release();
  await until("it is released", () => node.stats().locks === 0);
  const stranger = node.peers().find(({ state }) => state !== "connected")?.peerId ?? all[0].peerId;
  const denied = [await codeOf(enrollment.lock(stranger)), await codeOf(enrollment.lock(peer, { ttlMs: 86_400_000 }))];
  const revoked = new Promise((resolve) => enrollment.lock(peer, { onRevoke: resolve }));
  await until("it is locked", () => node.stats().locks === 1);
  node.setPriority(peer, "banned");
  const { reason } = await revoked;
  await node.close();
  return { held, extended, denied, reason };
}, ({ held, extended, denied, reason }) => {
  assert.deepEqual({ held, extended, denied }, {
    held: { state: "held", guard: "locked", later: true, locks: 1 },
    extended: true,
    denied: [{ code: "denied", cause: "not-connected" }, { code: "denied", cause: "ttl-too-long" }],
  });
  assert.equal(reason, "ban");
});

pageTest("a burst makes more connections for a while, and they go when it is over", async ({ createLightNode }, { options, METADATA }) => {
  const node = await createLightNode({ ...options, require: { lightPush: 1, filter: 1, store: 1 } });
  await node.ready();
  const enrollment = await node.enroll({ name: "chat", protocols: [METADATA], requirement: { min: 0, target: 1, max: 8 } });
  await node.ready({ requirements: ["chat"] });
  const before = connected(node).length;
  const burst = await enrollment.burst(2, { ms: 30_000 });
  await until("there are more", () => connected(node).length >= before + burst.slots);
  const events = listen(node);
  burst.close();
  await burst.closed;
  await until("they are gone", () => events.some(({ type, detail }) => type === "peer:disconnect" && detail.reason === "burst-over"));
  await node.close();
  return burst.slots;
}, (slots) => assert.ok(slots >= 1 && slots <= 2, `${slots} slots`));

pageTest("a scorer is asked when connections are weighed, and says who stays", async ({ createLightNode }, { options, METADATA }) => {
  // The newest are spared for some seconds; here nobody is.
  const policy = { graceConnectMs: 1, graceIdentifyMs: 1 };
  const node = await createLightNode({ ...options, policy, require: { lightPush: 0, filter: 0, store: 0 } });
  const asked = [];
  let favourite;
  const score = (peers) => {
    asked.push(peers.length);
    return Object.fromEntries(peers.map(({ peerId }) => [peerId, peerId === favourite ? 1000 : 0]));
  };
  const enrollment = await node.enroll({ name: "chat", protocols: [METADATA], requirement: { min: 0, target: 5, max: 8 }, score });
  await node.ready({ requirements: ["chat"] });
  [favourite] = connected(node);
  asked.length = 0;
  // More connections than there may be: who goes is weighed.
  node.setRequirement("chat", { min: 0, target: 1, max: 8 });
  node.setLimits({ connections: 2, hard: 2 });
  await until("it is asked", () => asked.length > 0);
  await until("two are left", () => connected(node).length <= 2);
  const stayed = connected(node).includes(favourite);
  enrollment.withdraw();
  await node.close();
  return { asked: asked.length, stayed };
}, ({ asked, stayed }) => {
  assert.ok(asked > 0, "the scorer was never asked");
  assert.equal(stayed, true);
});

// --- why --------------------------------------------------------------------------------------------------------------

pageTest("stats, explanations and decisions are plain, and say what was done and why", async ({ createLightNode }, { options }) => {
  const node = await createLightNode(options);
  await node.ready();
  const stats = node.stats({ decisions: 100 });
  const explained = node.peers().map(({ peerId }) => node.explain(peerId));
  structuredClone({ stats, explained });
  const bad = [];
  const walk = (value, path) => {
    if (value === null || value === undefined) bad.push(`${path} is ${value}`);
    else if (typeof value === "object" && ![Object.prototype, Array.prototype].includes(Object.getPrototypeOf(value))) bad.push(`${path} is not plain`);
    else if (typeof value === "object") for (const [key, each] of Object.entries(value)) walk(each, `${path}.${key}`);
  };
  walk({ stats, explained }, "why");
  const nobody = node.explain(node.peerId);
  await node.close();
  return { bad, stats, explained, nobody: nobody === undefined };
}, ({ bad, stats, explained, nobody }) => {
  assert.deepEqual(bad, []);
  assert.equal(nobody, true);
  assert.deepEqual(stats.protocols.map(({ name }) => name), ["lightPush", "filter", "store"]);
  assert.deepEqual({ soft: stats.soft, hard: stats.hard }, { soft: 16, hard: 20 });
  const dialed = stats.decisions.filter(({ what }) => what === "dialed");
  assert.ok(dialed.length >= 3 && dialed.every(({ why, at, peer }) => why && at > 0 && peer), JSON.stringify(stats.decisions));
  assert.deepEqual(stats.decisions.map(({ at }) => at), stats.decisions.map(({ at }) => at).sort((a, b) => a - b), "the oldest first");
  for (const { peer, notDialed, usedBy, decisions } of explained) {
    if (peer.state === "connected") assert.equal(notDialed, "already-connected");
    if (peer.serving.length > 0) assert.ok(usedBy.length > 0 && decisions.some(({ what }) => what === "dialed"), JSON.stringify(peer));
  }
});

pageTest("what record() gives is replayed natively, with the same decisions", async ({ createLightNode }, { options }) => {
  const node = await createLightNode(options);
  const early = node.record();
  await node.ready();
  await node.hangUp(connected(node)[0]);
  const { decisions } = node.stats({ decisions: 1024 });
  const late = node.record();
  await node.close();
  const grew = late.bytes.length > early.bytes.length && early.bytes.length > 0;
  return { grew, later: late.at >= early.at, decisions, base64: btoa(String.fromCharCode(...late.bytes)) };
}, ({ grew, later, decisions, base64 }) => {
  assert.deepEqual({ grew, later }, { grew: true, later: true });
  const directory = mkdtempSync(join(tmpdir(), "lightkeeper-"));
  try {
    const log = join(directory, "log.bin");
    writeFileSync(log, Buffer.from(base64, "base64"));
    const told = execFileSync(REPLAY_BIN, [log], { encoding: "utf8" });
    assert.match(told, /^log of lightkeeper /);
    const again = [...told.matchAll(/^ {4}! (dialed|closed) (\w+)/gm)].map(([, what, peer]) => `${what} ${peer}`);
    const then = decisions.filter(({ what }) => ["dialed", "closed"].includes(what)).map(({ what, peer }) => `${what} ${peer}`);
    assert.ok(then.length > 3);
    assert.deepEqual(again, then);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
