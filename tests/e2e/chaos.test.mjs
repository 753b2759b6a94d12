// Something fails all the time, and nobody notices: 20 messages a second, nodes that are stopped, stalled, slowed, made
// busy, made to refuse, to lie, and restarted, one or two at a time.
//
// CHAOS_MINUTES says for how long (2), CHAOS_SEED how (a number). With neither the seeds are always the same, and what
// takes time may take long: such a run is one of many on a busy machine. Whoever names one of them wants the numbers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BLANK, openBare, optionsOf } from "../lib/bare.mjs";
import { REFUSED_SOCKET } from "../lib/browser.mjs";
import { Chaos } from "../lib/chaos.mjs";
import { startFleet } from "../lib/fleet.mjs";
import { tellMore, useBrowser } from "../lib/suite.mjs";
import { table, Traffic } from "../lib/traffic.mjs";

const browser = useBrowser();
const TOPIC = "/lightkeeper/1/chaos/proto";
const MINUTES = Number(process.env.CHAOS_MINUTES ?? 2);
const BY_NAME = process.env.CHAOS_MINUTES !== undefined || process.env.CHAOS_SEED !== undefined;
/** Those that showed something once belong here. */
const SEEDS = process.env.CHAOS_SEED === undefined ? [1] : [Number(process.env.CHAOS_SEED)];
/** 20 messages a second in all: what others publish, and what the page sends itself. */
const OTHERS_EVERY_MS = 1_000 / 16;
const OWN_EVERY_MS = 1_000 / 4;
/**
 * `settleMs`: what is under way when the last node is well again may take as long as finding out that two servers are
 * silent. `slowestMs`: what a send may take. `disorderMs`: by how much what was published later may arrive earlier.
 * `failed`: the share of sends that may. `perMinute`: messages that are published at least.
 */
const LIMITS = BY_NAME
  ? { settleMs: 20_000, slowestMs: 3_000, disorderMs: 5_000, failed: 0.005, perMinute: 60 * 15, send: {} }
  : { settleMs: 60_000, slowestMs: 30_000, disorderMs: 30_000, failed: 0.02, perMinute: 60, send: { timeoutMs: 30_000 } };
/** Where a process of the test stood still for so long, silence is the machine's, and says nothing about a node. */
const BUSY_MS = 500;
/** What a server is blamed for that is given no time to run. */
const BY_TIME = ["broken", "late", "withheld"];
const LIARS = ["withhold", "takes-and-drops", "never-asked", "false-entries"];

/** Notes which losses leave something to be mended. Who serves what is gone from the node's state when its loss is told. */
const watchLosses = (/** @type {import("../lib/bare.mjs").Bare} */ page) =>
  page.withNode((node) => {
    globalThis.losses = [];
    let serving = node.health().requirements;
    setInterval(() => (serving = node.health().requirements), 100);
    node.addEventListener("peer:disconnect", (/** @type {any} */ { detail }) => {
      const needed = serving.filter((/** @type {any} */ each) => each.peers.includes(detail.peerId) && each.have <= each.target).map((/** @type {any} */ { name }) => name);
      globalThis.losses.push({ peerId: detail.peerId, deliberate: detail.deliberate, index: globalThis.demo.events.length, needed });
    });
  });

for (const seed of SEEDS) test(`${MINUTES} minutes of chaos ${seed} cost no message and blame nobody who was well`, { timeout: (MINUTES + 5) * 60_000 }, () => run(seed));

async function run(/** @type {number} */ seed) {
  const fleet = await startFleet({ nodes: 16, www: BLANK, args: ["--hostile", LIARS.join()] });
  /** @type {import("../lib/bare.mjs").Bare | undefined} */
  let page;
  const chaos = new Chaos(fleet, seed, async () => Object.values((await page?.serving()) ?? {}).flat());
  try {
    await chaos.prepare();
    page = await openBare(browser(), fleet.url, await optionsOf(fleet), { expect: [REFUSED_SOCKET] });
    await page.ready();
    await watchLosses(page);
    const traffic = new Traffic(page, TOPIC, (text) => fleet.publish(TOPIC, text));
    await traffic.start({ othersEveryMs: OTHERS_EVERY_MS, ownEveryMs: OWN_EVERY_MS, send: LIMITS.send });
    await chaos.run(Date.now() + MINUTES * 60_000);
    const { sent, refused, sends, failed, slowestMs, lost, duplicates, fromStore, disorderMs, longestGapMs, stalledMs, slowestPublishMs } = await traffic.end(LIMITS.settleMs);
    const isBusy = !BY_NAME && Math.max(stalledMs, slowestPublishMs) > BUSY_MS;
    const events = await page.events();
    const losses = /** @type {{ peerId: string, deliberate: boolean, index: number, needed: string[] }[]} */ (await page.page.evaluate(() => globalThis.losses));
    const unmended = losses.filter(({ deliberate, needed }) => !deliberate && needed.length > 0).filter(
      ({ peerId, index }) => !events.slice(index).some(({ type, detail }) => (type === "peer:reconnect" && detail.peerId === peerId) || (type === "peer:replace" && detail.lost === peerId)),
    );
    const framed = events.filter(({ type, detail, at }) => type === "peer:fail" && detail.charged !== false && !chaos.mayBeBlamed(detail.peerId, at) && !(isBusy && BY_TIME.includes(detail.kind)));
    const gaps = events.filter(({ type }) => type === "filter:gap").map(({ detail }) => detail);

    console.log(table({
      seed,
      minutes: MINUTES,
      disturbances: chaos.done.length,
      published: sent.length,
      lost: lost.length,
      duplicates: duplicates.length,
      "caught up from a store": fromStore,
      "out of order by, ms": disorderMs,
      "longest gap, ms": longestGapMs,
      "gaps told": gaps.length,
      "gaps not filled": gaps.filter(({ filled }) => !filled).length,
      sends: sends.length,
      "sends that failed": failed.length,
      "slowest send, ms": slowestMs,
      "page stood still, ms": stalledMs,
      "fleet stood still, ms": slowestPublishMs,
      "losses of a peer": losses.length,
      "losses not mended": unmended.length,
      "blamed though well": framed.length,
    }));

    assert.ok(chaos.done.length >= MINUTES * (BY_NAME ? 4 : 2), "hardly anything was disturbed");
    assert.deepEqual(refused, []);
    assert.ok(sent.length >= MINUTES * LIMITS.perMinute, "fewer messages than were wanted");
    assert.deepEqual({ lost, duplicates }, { lost: [], duplicates: [] });
    assert.ok(disorderMs <= LIMITS.disorderMs, `out of order by ${disorderMs} ms`);
    assert.ok(failed.length <= LIMITS.failed * sends.length, failed.join("\n"));
    // A machine that is busy stops the whole page for a while; that is not the node's.
    assert.ok(slowestMs <= LIMITS.slowestMs + stalledMs, `the slowest send took ${slowestMs} ms`);
    assert.deepEqual(unmended.map(({ peerId, needed }) => `${chaos.nameOf(peerId)}: ${needed}`), []);
    assert.deepEqual(framed.map(({ at, detail }) => `${at} ${chaos.nameOf(detail.peerId)} ${JSON.stringify(detail)}`), []);
    page.assertConsole();
  } catch (error) {
    tellMore(error, await story(page, chaos, seed));
    throw error;
  } finally {
    await page?.close();
    await fleet.stop();
  }
}

/** What a failure is told with: how to have it again, and what happened last. */
async function story(/** @type {import("../lib/bare.mjs").Bare | undefined} */ page, /** @type {Chaos} */ chaos, /** @type {number} */ seed) {
  const events = (await page?.events().catch(() => [])) ?? [];
  const told = events.map(({ at, type, detail }) => ({ at, text: `${type} ${detail.peerId ? `${chaos.nameOf(detail.peerId)} ` : ""}${JSON.stringify(detail)}` }));
  const done = chaos.done.flatMap(({ name, kind, from, to }) => [
    { at: from, text: `-- ${kind} ${name}` },
    ...(to === Infinity ? [] : [{ at: to, text: `-- ${name} is well again after ${kind}` }]),
  ]);
  const sends = (await page?.page.evaluate(() => globalThis.sends ?? []).catch(() => [])) ?? [];
  const slow = sends.filter((/** @type {any} */ { ms, error }) => error !== "" || ms > 1_000).map((/** @type {any} */ { text, at, ms, error }) => ({ at, text: `-- ${text} took ${Math.round(ms)} ms from here ${error}` }));
  const lines = [...told, ...done, ...slow].sort((a, b) => a.at - b.at).map(({ at, text }) => `${new Date(at).toISOString().slice(11, 23)} ${text}`);
  // The last events alone may be long after what went wrong.
  const around = lines.findIndex((line) => line.includes(" took "));
  return [`CHAOS_SEED=${seed} CHAOS_MINUTES=${MINUTES}`, ...(around < 0 ? [] : [...lines.slice(Math.max(0, around - 20), around + 10), "…"]), ...lines.slice(-50)].join("\n");
}
