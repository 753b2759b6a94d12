// Something fails all the time, and nobody notices: 20 messages a second, nodes that are stopped, stalled, slowed, made
// busy, made to refuse, to lie, and restarted, one or two at a time.
//
// CHAOS_MINUTES says for how long (2), CHAOS_SEED how (a number; another one each time, and printed).
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BLANK, openBare, optionsOf } from "../lib/bare.mjs";
import { REFUSED_SOCKET } from "../lib/browser.mjs";
import { Chaos, tally } from "../lib/chaos.mjs";
import { startFleet } from "../lib/fleet.mjs";
import { useBrowser } from "../lib/suite.mjs";

const browser = useBrowser();
const TOPIC = "/lightkeeper/1/chaos/proto";
const MINUTES = Number(process.env.CHAOS_MINUTES ?? 2);
const SEED = Number(process.env.CHAOS_SEED ?? randomInt(2 ** 31));
/** 20 messages a second in all: what others publish, and what the page sends itself. */
const OTHERS_EVERY_MS = 1_000 / 16;
const OWN_EVERY_MS = 1_000 / 4;
/** What is under way when the last node is well again may take as long as finding out that two servers are silent. */
const SETTLE_MS = 20_000;
/** What a send may take, and by how much what was published later may arrive earlier. */
const SLOWEST_MS = 3_000;
const DISORDER_MS = 5_000;
const LIARS = ["withhold", "takes-and-drops", "never-asked", "false-entries"];

/** Sends in the page, numbered, and notes what came of each; and how long the page itself stood still. */
const startSending = (/** @type {import("../lib/bare.mjs").Bare} */ page) =>
  page.withNode((node, { topic, everyMs }) => {
    globalThis.sends = [];
    globalThis.stalledMs = 0;
    let number = 0;
    globalThis.sending = setInterval(() => {
      const text = `own ${number++}`;
      const entry = { text, at: Date.now(), ms: -1, error: "" };
      globalThis.sends.push(entry);
      const began = performance.now();
      node.lightPush
        .send({ contentTopic: topic, payload: new TextEncoder().encode(text) })
        .catch((/** @type {any} */ error) => { entry.error = `${error.code}: ${error.message}`; })
        .finally(() => { entry.ms = performance.now() - began; });
    }, everyMs);
    let last = performance.now();
    setInterval(() => {
      globalThis.stalledMs = Math.max(globalThis.stalledMs, performance.now() - last - 50);
      last = performance.now();
    }, 50);
    // Who serves what is gone from the node's state when the loss of it is told.
    globalThis.losses = [];
    let serving = node.health().requirements;
    setInterval(() => (serving = node.health().requirements), 100);
    node.addEventListener("peer:disconnect", (/** @type {any} */ { detail }) => {
      const needed = serving.filter((/** @type {any} */ each) => each.peers.includes(detail.peerId) && each.have <= each.target).map((/** @type {any} */ { name }) => name);
      globalThis.losses.push({ peerId: detail.peerId, deliberate: detail.deliberate, index: globalThis.demo.events.length, needed });
    });
  }, { topic: TOPIC, everyMs: OWN_EVERY_MS });

/** Publishes until a time, whatever the nodes do, at the pace that was asked for. */
async function publishUntil(/** @type {import("../lib/fleet.mjs").Fleet} */ fleet, /** @type {number} */ end) {
  const sent = [];
  const began = Date.now();
  for (let number = 0; Date.now() < end; number++) {
    const text = `other ${number}`;
    await fleet.publish(TOPIC, text);
    sent.push({ text, at: Date.now() });
    await sleep(Math.max(0, began + (number + 1) * OTHERS_EVERY_MS - Date.now()));
  }
  return sent;
}

test(`${MINUTES} minutes of chaos cost no message and blame nobody who was well`, { timeout: (MINUTES + 3) * 60_000 }, async () => {
  const fleet = await startFleet({ nodes: 16, www: BLANK, args: ["--hostile", LIARS.join()] });
  const chaos = new Chaos(fleet, SEED);
  let page;
  try {
    await chaos.prepare();
    page = await openBare(browser(), fleet.url, await optionsOf(fleet), { expect: [REFUSED_SOCKET] });
    await page.ready();
    await page.listen([TOPIC]);
    await startSending(page);

    const end = Date.now() + MINUTES * 60_000;
    const publishing = publishUntil(fleet, end + 5_000);
    await chaos.run(end);
    const others = await publishing;
    await page.page.evaluate(() => clearInterval(globalThis.sending));
    await page.until("every send has ended", () => globalThis.sends.every((/** @type {any} */ each) => each.ms >= 0));
    const sends = /** @type {{ text: string, at: number, ms: number, error: string }[]} */ (await page.page.evaluate(() => globalThis.sends));
    const accepted = sends.filter(({ error }) => error === "");
    await settled(page, others.length + accepted.length);

    const received = await page.received();
    const events = await page.events();
    const stalledMs = await page.page.evaluate(() => globalThis.stalledMs);
    const losses = /** @type {{ peerId: string, deliberate: boolean, index: number, needed: string[] }[]} */ (await page.page.evaluate(() => globalThis.losses));
    const sent = [...others, ...accepted].sort((a, b) => a.at - b.at);
    const { lost, duplicates, fromStore, disorderMs, longestGapMs } = tally(sent, received);
    const slowest = Math.max(...sends.map(({ ms }) => ms));
    const unmended = losses.filter(({ deliberate, needed }) => !deliberate && needed.length > 0).filter(
      ({ peerId, index }) => !events.slice(index).some(({ type, detail }) => (type === "peer:reconnect" && detail.peerId === peerId) || (type === "peer:replace" && detail.lost === peerId)),
    );
    const framed = events.filter(({ type, detail, at }) => type === "peer:fail" && detail.charged !== false && !chaos.mayBeBlamed(detail.peerId, at));
    const gaps = events.filter(({ type }) => type === "filter:gap").map(({ detail }) => detail);

    const rows = {
      seed: SEED,
      minutes: MINUTES,
      disturbances: chaos.done.length,
      published: sent.length,
      lost: lost.length,
      duplicates: duplicates.length,
      "caught up from a store": fromStore,
      "out of order by, ms": Math.round(disorderMs),
      "longest gap, ms": Math.round(longestGapMs),
      "gaps told": gaps.length,
      "gaps not filled": gaps.filter(({ filled }) => !filled).length,
      sends: sends.length,
      "sends that failed": sends.length - accepted.length,
      "slowest send, ms": Math.round(slowest),
      "page stood still, ms": Math.round(stalledMs),
      "losses of a peer": losses.length,
      "losses not mended": unmended.length,
      "blamed though well": framed.length,
    };
    for (const [name, value] of Object.entries(rows)) console.log(`${name.padEnd(24)} ${String(value).padStart(10)}`);

    assert.ok(chaos.done.length >= MINUTES * 4, "hardly anything was disturbed");
    assert.ok(sent.length >= MINUTES * 60 * 15, "fewer messages than were wanted");
    assert.deepEqual({ lost, duplicates }, { lost: [], duplicates: [] });
    assert.ok(disorderMs <= DISORDER_MS, `out of order by ${disorderMs} ms`);
    assert.ok(accepted.length >= 0.995 * sends.length, JSON.stringify(sends.filter(({ error }) => error !== "")));
    // A machine that is busy stops the whole page for a while; that is not the node's.
    assert.ok(slowest <= SLOWEST_MS + stalledMs, `the slowest send took ${slowest} ms`);
    assert.deepEqual(unmended.map(({ peerId, needed }) => `${chaos.nameOf(peerId)}: ${needed}`), []);
    assert.deepEqual(framed.map(({ at, detail }) => `${at} ${chaos.nameOf(detail.peerId)} ${JSON.stringify(detail)}`), []);
    page.assertConsole();
  } catch (error) {
    /** @type {any} */ (error).message += `\n\n${await story(page, chaos)}`;
    throw error;
  } finally {
    await page?.close();
    await fleet.stop();
  }
});

/** Until all has arrived, or nothing more will. */
async function settled(/** @type {import("../lib/bare.mjs").Bare} */ page, /** @type {number} */ count) {
  const end = Date.now() + SETTLE_MS;
  while (Date.now() < end && (await page.page.evaluate(() => globalThis.received.length)) < count) await sleep(250);
  // What comes twice comes later.
  await sleep(1_000);
}

/** What a failure is told with: how to have it again, and what happened last. */
async function story(/** @type {import("../lib/bare.mjs").Bare | undefined} */ page, /** @type {Chaos} */ chaos) {
  const events = (await page?.events().catch(() => [])) ?? [];
  const told = events.map(({ at, type, detail }) => ({ at, text: `${type} ${detail.peerId ? `${chaos.nameOf(detail.peerId)} ` : ""}${JSON.stringify(detail)}` }));
  const done = chaos.done.flatMap(({ name, kind, from, to }) => [
    { at: from, text: `-- ${kind} ${name}` },
    ...(to === Infinity ? [] : [{ at: to, text: `-- ${name} is well again after ${kind}` }]),
  ]);
  const lines = [...told, ...done].sort((a, b) => a.at - b.at).map(({ at, text }) => `${new Date(at).toISOString().slice(11, 23)} ${text}`);
  return [`CHAOS_SEED=${SEED} CHAOS_MINUTES=${MINUTES}`, ...lines.slice(-50)].join("\n");
}
