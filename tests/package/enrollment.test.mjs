// Protocols of the page's own: enrollments, locks, bursts and scorers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LightNodeError } from "../../pkg-template/errors.js";
import { FakeWasm, settled } from "./fake-wasm.mjs";

const PEER = "16Uiu2HAmNaeL4p3WEYzC9mgXBmBWSgWjPHRvatZTXnp8Jgv3iKsb";
const OTHER = "16Uiu2HAmPLe7Mzm8TsYUubgCAW1aJoeFScxrLj8ppHFivPo97bUZ";
const SPEC = { name: "chat", protocols: ["/chat/1"] };
const code = (expected, option) => (error) => error instanceof LightNodeError && error.code === expected && (option === undefined || error.option === option);

async function running() {
  const wasm = new FakeWasm();
  const node = await wasm.node();
  let last = 0;
  wasm.auto.enroll = ({ name, requirement }) => ({ enrollment: ++last, granted: { low: 1, high: 4 }, counter: false, ...(requirement && { requirement: name }) });
  wasm.auto.lock = () => ({ lock: ++last, expiresAt: 1000 });
  wasm.auto.burstOpen = ({ slots }) => ({ burst: ++last, slots: Math.min(slots, 3) });
  return { wasm, node };
}

async function enrolled(spec = {}) {
  const { wasm, node } = await running();
  return { wasm, node, enrollment: await node.enroll({ ...SPEC, ...spec }) };
}

/** What the page would print as uncaught. */
function reports(context) {
  const reported = [];
  const before = globalThis.reportError;
  globalThis.reportError = (error) => reported.push(error.message);
  context.after(() => (globalThis.reportError = before));
  return reported;
}

test("a protocol enrolls with its wishes, resolved", async () => {
  const { wasm, node } = await running();
  const score = () => ({});
  const enrollment = await node.enroll({ ...SPEC, quota: { min: 2, max: "25.5%" }, requirement: 2, class: "critical", weight: 3, score, answerMs: 500 });
  assert.deepEqual(wasm.posts.at(-1).params, {
    name: "chat", protocols: ["/chat/1"], class: "critical", weight: 3, min: 2, max: "25.5%", requirement: { min: 1, target: 2, max: 4 }, scores: true, answerMs: 500,
  });
  assert.deepEqual([enrollment.name, enrollment.requirement, enrollment.state, enrollment.granted], ["chat", "chat", "granted", { low: 1, high: 4 }]);
});

test("the smallest enrollment asks for nothing", async () => {
  const { wasm, enrollment } = await enrolled();
  const { min, max, requirement, scores, class: kind, weight } = wasm.posts.at(-1).params;
  assert.deepEqual({ min, max, requirement, scores, kind, weight }, { min: undefined, max: undefined, requirement: undefined, scores: false, kind: "normal", weight: 1 });
  assert.equal(enrollment.requirement, undefined);
});

for (const [label, option, spec] of [
  ["without a name", "name", { name: "" }],
  ["with a key nobody knows", "protocol", { protocol: "/chat/1" }],
  ["without protocols", "protocols", { protocols: [] }],
  ["of a class nobody knows", "class", { class: "best" }],
  ["of too much weight", "weight", { weight: 17 }],
  ["for more than everything", "quota.max", { quota: { max: "101%" } }],
  ["for a share that is none", "quota.min", { quota: { min: "many" } }],
  ["for less than nothing", "quota.min", { quota: { min: -1 } }],
  ["whose minimum is above its maximum", "quota.min", { quota: { min: 3, max: 2 } }],
  ["with a requirement that contradicts itself", "requirement.min", { requirement: { min: 2, target: 1 } }],
  ["with a scorer that is none", "score", { score: 5 }],
]) {
  test(`an enrollment ${label} is refused, naming ${option}`, async () => {
    const { wasm, node } = await running();
    await assert.rejects(node.enroll({ ...SPEC, ...spec }), code("invalid-options", option));
    assert.deepEqual(wasm.methods(), ["start"]);
  });
}

test("a stopped node enrolls too, a closed one does not", async () => {
  const { node } = await running();
  await node.stop();
  const enrollment = await node.enroll(SPEC);
  await assert.rejects(enrollment.lock(PEER), code("not-started"));
  await assert.rejects(enrollment.burst(1), code("not-started"));
  await node.close();
  await assert.rejects(node.enroll(SPEC), code("closed"));
  await assert.rejects(enrollment.lock(PEER), code("closed"));
  await assert.rejects(enrollment.burst(1), code("closed"));
  assert.throws(() => enrollment.report(PEER, "success"), code("closed"));
  assert.doesNotThrow(() => enrollment.withdraw());
});

test("a refusal rejects with its reason as the cause", async () => {
  const wasm = new FakeWasm();
  const node = await wasm.node();
  const enrolling = node.enroll(SPEC);
  wasm.refuse(await wasm.posted("enroll"), { code: "denied", message: "no share", cause: "no-share" });
  await assert.rejects(enrolling, (error) => code("denied")(error) && error.cause === "no-share");
});

test("the requirement of an enrollment is one of the node's, until it is withdrawn", async () => {
  const { wasm, node, enrollment } = await enrolled({ requirement: 1 });
  node.setRequirement("chat", 3);
  assert.deepEqual(wasm.posts.at(-1).params, { name: "chat", need: { min: 1, target: 3, max: 6 } });
  node.ready({ requirements: ["chat"] }).catch(() => {});
  assert.deepEqual((await wasm.posted("ready")).params.requirements, ["chat"]);
  enrollment.withdraw();
  assert.throws(() => node.setRequirement("chat", 3), code("invalid-options", "name"));
});

// --- offers -----------------------------------------------------------------------------------------------------------

test("a changed share is an event, to onoffer and to listeners", async () => {
  const { wasm, enrollment } = await enrolled();
  const seen = [];
  enrollment.onoffer = ({ detail }) => seen.push(["onoffer", detail]);
  enrollment.addEventListener("offer", ({ detail }) => seen.push(["listener", detail]));
  wasm.sink(1, { kind: "offer", enrollment: 1, low: 2, high: 3, counter: false });
  await settled();
  assert.deepEqual(seen, [["onoffer", { low: 2, high: 3, counter: false }], ["listener", { low: 2, high: 3, counter: false }]]);
  assert.deepEqual(enrollment.granted, { low: 2, high: 3 });
  enrollment.onoffer = null;
  wasm.sink(1, { kind: "offer", enrollment: 1, low: 1, high: 1, counter: true, answerMs: 9 });
  await settled();
  assert.deepEqual(seen.slice(2), [["listener", { low: 1, high: 1, counter: true, answerMs: 9 }]]);
  assert.equal(enrollment.state, "countered");
});

test("a counter-offer is accepted once, and what is granted needs no answer", async () => {
  const { wasm, enrollment } = await enrolled();
  enrollment.accept();
  assert.ok(!wasm.methods().includes("acceptOffer"));
  wasm.sink(1, { kind: "offer", enrollment: 1, low: 1, high: 1, counter: true });
  await settled();
  enrollment.accept();
  enrollment.accept();
  assert.deepEqual(wasm.posts.filter(({ method }) => method === "acceptOffer").map(({ params }) => params), [{ enrollment: 1 }]);
  assert.equal(enrollment.state, "granted");
});

test("withdrawing ends everything of the enrollment, once, and nothing of another", async () => {
  const { wasm, node, enrollment } = await enrolled();
  const other = await node.enroll({ ...SPEC, name: "other" });
  const revoked = [];
  const lock = await enrollment.lock(PEER, { onRevoke: (revocation) => revoked.push(revocation) });
  const burst = await enrollment.burst(2);
  const kept = await other.lock(PEER);
  enrollment.withdraw();
  enrollment.withdraw();
  await burst.closed;
  assert.deepEqual([await enrollment.closed, enrollment.state, enrollment.granted, lock.state, kept.state], ["hung-up", "closed", { low: 0, high: 0 }, "ended", "held"]);
  assert.deepEqual(revoked, [], "who leaves is not told that it left");
  assert.equal(wasm.methods().filter((method) => method === "withdraw").length, 1);
  await assert.rejects(enrollment.lock(PEER), (error) => code("denied")(error) && error.cause === "not-enrolled");
  await assert.rejects(enrollment.burst(1), code("denied"));
  assert.throws(() => enrollment.report(PEER, "success"), code("denied"));
});

test("an enrollment that the manager ends says why", async () => {
  const { wasm, enrollment } = await enrolled();
  wasm.sink(1, { kind: "offer", enrollment: 1, low: 0, high: 0, counter: false, rejected: "no-share" });
  assert.equal(await enrollment.closed, "no-share");
});

test("closing the node ends enrollments, and revokes their locks", async () => {
  const { node, enrollment } = await enrolled();
  const revoked = [];
  await enrollment.lock(PEER, { onRevoke: (revocation) => revoked.push(revocation) });
  const burst = await enrollment.burst(1);
  await node.close();
  assert.equal(await enrollment.closed, "stopped");
  assert.deepEqual(revoked, [{ reason: "stop", graceMs: 0 }]);
  await burst.closed;
});

test("a crash rejects what was open, and tells the holders of locks", async () => {
  const { wasm, enrollment } = await enrolled();
  const revoked = [];
  const lock = await enrollment.lock(PEER, { onRevoke: ({ reason }) => revoked.push(reason) });
  const burst = await enrollment.burst(1);
  wasm.crash("panicked");
  await assert.rejects(enrollment.closed, code("crashed"));
  await assert.rejects(burst.closed, code("crashed"));
  assert.deepEqual(revoked, ["connection-lost"]);
  await assert.rejects(enrollment.lock(PEER), code("crashed"));
  assert.doesNotThrow(() => lock.release());
  assert.doesNotThrow(() => enrollment.withdraw());
});

// --- locks ------------------------------------------------------------------------------------------------------------

test("a lock is asked for, renewed and released once", async () => {
  const { wasm, enrollment } = await enrolled();
  const lock = await enrollment.lock(PEER, { ttlMs: 5000 });
  assert.deepEqual(wasm.posts.at(-1).params, { enrollment: 1, peer: PEER, ttlMs: 5000 });
  assert.deepEqual([lock.peer, lock.state, lock.expiresAt], [PEER, "held", 1000]);
  wasm.auto.extendLock = () => ({ expiresAt: 2000 });
  await lock.extend(7000);
  assert.deepEqual(wasm.posts.at(-1).params, { lock: 2, ttlMs: 7000 });
  assert.equal(lock.expiresAt, 2000);
  lock.release();
  lock.release();
  assert.deepEqual(wasm.posts.filter(({ method }) => method === "unlock").map(({ params }) => params), [{ lock: 2 }]);
  assert.equal(lock.state, "ended");
  await assert.rejects(lock.extend(1), code("denied"));
});

test("a lock that is denied, or not renewed, rejects with its reason as the cause", async () => {
  const { wasm, enrollment } = await enrolled();
  const lock = await enrollment.lock(PEER);
  const extending = lock.extend(1000);
  wasm.refuse(await wasm.posted("extendLock"), { code: "denied", message: "no more", cause: "renewed-too-often" });
  await assert.rejects(extending, (error) => code("denied")(error) && error.cause === "renewed-too-often");
  assert.deepEqual([lock.state, lock.expiresAt], ["held", 1000]);
  delete wasm.auto.lock;
  const locking = enrollment.lock(OTHER);
  wasm.refuse(await wasm.posted("lock", 2), { code: "denied", message: "not connected", cause: "not-connected" });
  await assert.rejects(locking, (error) => error.cause === "not-connected");
});

test("a revoked lock tells its holder once, who may let go early", async (context) => {
  const reported = reports(context);
  const { wasm, enrollment } = await enrolled();
  const revoked = [];
  const lock = await enrollment.lock(PEER, {
    onRevoke: (revocation) => {
      revoked.push(revocation);
      throw new Error("the holder's own");
    },
  });
  wasm.sink(1, { kind: "lock", lock: 2, state: "revoked", reason: "memory", graceMs: 2000 });
  wasm.sink(1, { kind: "lock", lock: 2, state: "ended" });
  await settled();
  assert.deepEqual(revoked, [{ reason: "memory", graceMs: 2000 }]);
  assert.deepEqual(reported, ["the holder's own"]);
  assert.equal(lock.state, "revoked");
  lock.release();
  assert.deepEqual(wasm.posts.at(-1).method, "unlock");
});

test("a lock whose time is over has ended, and there is nothing to release", async () => {
  const { wasm, enrollment } = await enrolled();
  const lock = await enrollment.lock(PEER);
  wasm.sink(1, { kind: "lock", lock: 2, state: "ended" });
  await settled();
  assert.equal(lock.state, "ended");
  lock.release();
  assert.ok(!wasm.methods().includes("unlock"));
});

test("what is wrong with a lock, a burst or a report is refused by name", async () => {
  const { wasm, enrollment } = await enrolled({ requirement: 1 });
  const posts = wasm.posts.length;
  await assert.rejects(enrollment.lock("me"), code("invalid-options", "peer"));
  await assert.rejects(enrollment.lock(PEER, { ttlMs: 0 }), code("invalid-options", "ttlMs"));
  await assert.rejects(enrollment.lock(PEER, { onRevoke: 1 }), code("invalid-options", "onRevoke"));
  await assert.rejects(enrollment.burst(0), code("invalid-options", "slots"));
  await assert.rejects(enrollment.burst(1, { ms: 60_001 }), code("invalid-options", "ms"));
  assert.throws(() => enrollment.report(PEER, "fine"), code("invalid-options", "outcome"));
  assert.equal(wasm.posts.length, posts);
});

// --- aborted in the middle --------------------------------------------------------------------------------------------

for (const [label, method, undo, call, ok] of [
  ["enrollment", "enroll", "withdraw", (node, _, signal) => node.enroll({ ...SPEC, name: "late" }, { signal }), { enrollment: 9, granted: { low: 0, high: 1 }, counter: false }],
  ["lock", "lock", "unlock", (_, enrollment, signal) => enrollment.lock(PEER, { signal }), { lock: 9, expiresAt: 1 }],
  ["burst", "burstOpen", "burstClose", (_, enrollment, signal) => enrollment.burst(1, { signal }), { burst: 9, slots: 1 }],
]) {
  test(`aborting the asking for a ${label} rejects with the reason, and one that was granted meanwhile is given back`, async () => {
    const { wasm, node, enrollment } = await enrolled();
    delete wasm.auto[method];
    const controller = new AbortController();
    const asked = wasm.posts.filter((post) => post.method === method).length;
    const asking = call(node, enrollment, controller.signal);
    const post = await wasm.posted(method, asked + 1);
    wasm.reply(post, ok);
    controller.abort("late");
    await assert.rejects(asking, (reason) => reason === "late");
    assert.equal(Object.values((await wasm.posted(undo)).params)[0], 9);
  });
}

// --- bursts -----------------------------------------------------------------------------------------------------------

test("a burst says how many connections it got, and is closed once", async () => {
  const { wasm, enrollment } = await enrolled();
  const burst = await enrollment.burst(5, { ms: 10_000 });
  assert.deepEqual(wasm.posts.at(-1).params, { enrollment: 1, slots: 5, ms: 10_000 });
  assert.equal(burst.slots, 3);
  burst.close();
  burst.close();
  await burst.closed;
  assert.deepEqual(wasm.posts.filter(({ method }) => method === "burstClose").map(({ params }) => params), [{ burst: 2 }]);
});

test("a burst whose time is over is closed", async () => {
  const { wasm, enrollment } = await enrolled();
  const burst = await enrollment.burst(1);
  wasm.sink(1, { kind: "burst", burst: 2, state: "granted", slots: 1 });
  wasm.sink(1, { kind: "burst", burst: 2, state: "closed" });
  await burst.closed;
  burst.close();
  assert.ok(!wasm.methods().includes("burstClose"));
});

// --- reports and scores -----------------------------------------------------------------------------------------------

test("a report needs a requirement that it can be about", async () => {
  const { wasm, enrollment } = await enrolled({ requirement: 1 });
  enrollment.report(PEER, "broken");
  assert.deepEqual(wasm.posts.at(-1).params, { enrollment: 1, peer: PEER, outcome: "broken" });
  const { enrollment: without } = await enrolled();
  assert.throws(() => without.report(PEER, "success"), code("invalid-options", "requirement"));
});

const ask = (wasm, round) => wasm.sink(1, { kind: "scores", enrollment: 1, round, peers: [{ peerId: PEER }, { peerId: OTHER }], deadlineMs: 250 });

test("a scorer is asked in a round, and of its answer what makes sense is passed on", async () => {
  const asked = [];
  const score = (peers) => {
    asked.push(peers.map(({ peerId }) => peerId));
    return { [PEER]: 5000.7, [OTHER]: NaN, stranger: 1 };
  };
  const { wasm } = await enrolled({ score });
  ask(wasm, 7);
  await settled();
  assert.deepEqual(asked, [[PEER, OTHER]]);
  assert.deepEqual(wasm.posts.at(-1).params, { enrollment: 1, round: 7, scores: { [PEER]: 1000 } });
});

test("a scorer that throws, or never answers, holds up nobody", async (context) => {
  const reported = reports(context);
  const answers = [
    () => { throw new Error("the scorer's own"); },
    () => new Promise(() => {}),
    () => Promise.reject(new Error("the scorer's own, later")),
    async () => ({ [PEER]: -3 }),
    () => undefined,
  ];
  const { wasm, node } = await enrolled({ score: () => answers.shift()() });
  const events = [];
  node.addEventListener("peer:connect", () => events.push("connect"));
  for (let round = 1; round <= 5; round++) ask(wasm, round);
  wasm.event("peer:connect", {});
  await settled();
  assert.deepEqual(events, ["connect"]);
  assert.deepEqual(reported, ["the scorer's own", "the scorer's own, later"]);
  const posted = wasm.posts.filter(({ method }) => method === "scores").map(({ params }) => [params.round, params.scores]);
  assert.deepEqual(posted.sort(), [[4, { [PEER]: -3 }], [5, {}]]);
});

test("a scorer that answers after the end is not heard, and costs nothing", async (context) => {
  const reported = reports(context);
  let answer;
  const { wasm, node } = await enrolled({ score: () => new Promise((resolve) => (answer = resolve)) });
  ask(wasm, 1);
  await settled();
  await node.close();
  answer({ [PEER]: 1 });
  await settled();
  assert.ok(!wasm.methods().includes("scores"));
  assert.deepEqual(reported, []);
});

test("what is said of enrollments, locks and bursts that are gone is harmless", async () => {
  const { wasm, node } = await running();
  for (const message of [
    { kind: "offer", enrollment: 5, low: 0, high: 0, counter: false }, { kind: "lock", lock: 5, state: "ended" },
    { kind: "burst", burst: 5, state: "closed" }, { kind: "scores", enrollment: 5, round: 1, peers: [] },
  ]) wasm.sink(1, message);
  await settled();
  await node.close();
});
