// Something fails all the time, and nobody notices: 20 messages a second, nodes that are stopped, stalled, slowed, made
// busy, made to refuse, to lie, and restarted, one or two at a time.
//
// CHAOS_MINUTES says for how long (2), CHAOS_SEED how (a number; another one each time, and printed).
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
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

test(`${MINUTES} minutes of chaos cost no message and blame nobody who was well`, { timeout: (MINUTES + 3) * 60_000 }, async () => {
  const fleet = await startFleet({ nodes: 16, www: BLANK, args: ["--hostile", LIARS.join()] });
  /** @type {import("../lib/bare.mjs").Bare | undefined} */
  let page;
  const chaos = new Chaos(fleet, SEED, async () => Object.values((await page?.serving()) ?? {}).flat());
  try {
    await chaos.prepare();
    page = await openBare(browser(), fleet.url, await optionsOf(fleet), { expect: [REFUSED_SOCKET] });
    await page.ready();
    await watchLosses(page);
    const traffic = new Traffic(page, TOPIC, (text) => fleet.publish(TOPIC, text));
    await traffic.start({ othersEveryMs: OTHERS_EVERY_MS, ownEveryMs: OWN_EVERY_MS });
    await chaos.run(Date.now() + MINUTES * 60_000);
    const { sent, refused, sends, failed, slowestMs, lost, duplicates, fromStore, disorderMs, longestGapMs, stalledMs } = await traffic.end(SETTLE_MS);
    const events = await page.events();
    const losses = /** @type {{ peerId: string, deliberate: boolean, index: number, needed: string[] }[]} */ (await page.page.evaluate(() => globalThis.losses));
    const unmended = losses.filter(({ deliberate, needed }) => !deliberate && needed.length > 0).filter(
      ({ peerId, index }) => !events.slice(index).some(({ type, detail }) => (type === "peer:reconnect" && detail.peerId === peerId) || (type === "peer:replace" && detail.lost === peerId)),
    );
    const framed = events.filter(({ type, detail, at }) => type === "peer:fail" && detail.charged !== false && !chaos.mayBeBlamed(detail.peerId, at));
    const gaps = events.filter(({ type }) => type === "filter:gap").map(({ detail }) => detail);

    console.log(table({
      seed: SEED,
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
      "losses of a peer": losses.length,
      "losses not mended": unmended.length,
      "blamed though well": framed.length,
    }));

    assert.ok(chaos.done.length >= MINUTES * 4, "hardly anything was disturbed");
    assert.deepEqual(refused, []);
    assert.ok(sent.length >= MINUTES * 60 * 15, "fewer messages than were wanted");
    assert.deepEqual({ lost, duplicates }, { lost: [], duplicates: [] });
    assert.ok(disorderMs <= DISORDER_MS, `out of order by ${disorderMs} ms`);
    assert.ok(failed.length <= 0.005 * sends.length, failed.join("\n"));
    // A machine that is busy stops the whole page for a while; that is not the node's.
    assert.ok(slowestMs <= SLOWEST_MS + stalledMs, `the slowest send took ${slowestMs} ms`);
    assert.deepEqual(unmended.map(({ peerId, needed }) => `${chaos.nameOf(peerId)}: ${needed}`), []);
    assert.deepEqual(framed.map(({ at, detail }) => `${at} ${chaos.nameOf(detail.peerId)} ${JSON.stringify(detail)}`), []);
    page.assertConsole();
  } catch (error) {
    tellMore(error, await story(page, chaos));
    throw error;
  } finally {
    await page?.close();
    await fleet.stop();
  }
});

/** What a failure is told with: how to have it again, and what happened last. */
async function story(/** @type {import("../lib/bare.mjs").Bare | undefined} */ page, /** @type {Chaos} */ chaos) {
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
  return [`CHAOS_SEED=${SEED} CHAOS_MINUTES=${MINUTES}`, ...(around < 0 ? [] : [...lines.slice(Math.max(0, around - 20), around + 10), "…"]), ...lines.slice(-50)].join("\n");
}
