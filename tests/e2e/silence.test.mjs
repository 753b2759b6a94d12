// Messages arrive while servers are silent, and a page that was away gets what it missed: nothing is lost where a store is.
//
// SILENCE_SECONDS says how long each silence lasts (12).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BLANK, bareTest, openBare, optionsOf } from "../lib/bare.mjs";
import { launch, REFUSED_SOCKET } from "../lib/browser.mjs";
import { startFleet } from "../lib/fleet.mjs";
import { freeze } from "../lib/freeze.mjs";
import { useBrowser } from "../lib/suite.mjs";
import { table, Traffic } from "../lib/traffic.mjs";

const browser = useBrowser();
const TOPIC = "/lightkeeper/1/silence/proto";
const SILENT_MS = Number(process.env.SILENCE_SECONDS ?? 12) * 1_000;
const PACE = { othersEveryMs: 200, ownEveryMs: 1_200 };
/** Finding out, taking over, and asking a store. */
const SETTLE_MS = 20_000;
/** What a send may take while a server that was asked is silent. */
const SLOWEST_MS = 3_000;

/**
 * Traffic of a page, around something that happens to it.
 *
 * @param {string} name
 * @param {import("../lib/fleet.mjs").Fleet} fleet
 * @param {import("../lib/bare.mjs").Bare} page
 * @param {() => Promise<unknown>} happening
 * @param {object} [subscribe] options of its subscription
 */
async function during(name, fleet, page, happening, subscribe) {
  const traffic = new Traffic(page, TOPIC, (text) => fleet.publish(TOPIC, text));
  await traffic.start({ ...PACE, subscribe });
  await sleep(2_000);
  const from = await page.mark();
  await happening();
  await sleep(2_000);
  const result = await traffic.end(SETTLE_MS);
  const gaps = (await page.eventsOf("filter:gap", {}, from)).map(({ detail }) => detail);
  const { sent, sends, failed, slowestMs, lost, duplicates, fromStore, longestGapMs } = result;
  const rows = { published: sent.length, lost: lost.length, duplicates: duplicates.length, "caught up": fromStore, "longest gap, ms": longestGapMs };
  console.log(`${name}\n${table({ ...rows, "gaps told": gaps.length, sends: sends.length, failed: failed.length, "slowest, ms": slowestMs })}`);
  return { ...result, gaps, from };
}

/** Stalls servers of the page's subscription, and heals them. */
async function stalled(fleet, page, /** @type {number} */ count) {
  const peers = (await page.page.evaluate(() => globalThis.subscription.peers)).slice(0, count);
  assert.equal(peers.length, count, "as many servers have the subscription");
  const names = [];
  for (const peer of peers) names.push((await fleet.byPeerId(peer)).name);
  for (const name of names) await fleet.act(name, "stall");
  await sleep(SILENT_MS);
  for (const name of names) await fleet.act(name, "heal");
}

/** Nothing was lost or came twice, and what the page sent went out in time. */
function assertWhole({ lost, duplicates, failed, slowestMs, stalledMs }) {
  assert.deepEqual({ lost, duplicates, failed }, { lost: [], duplicates: [], failed: [] });
  assert.ok(slowestMs <= SLOWEST_MS + stalledMs, `the slowest send took ${slowestMs} ms`);
}

describe("silence", { concurrency: 3 }, () => {
  bareTest(browser, "a filter server that falls silent costs no message, and there is no gap, for another has them too", { fleet: { nodes: 12 } }, async ({ fleet, page }) => {
    const result = await during("one of two silent", fleet, page, () => stalled(fleet, page, 1));
    assertWhole(result);
    assert.deepEqual(result.gaps, []);
  });

  bareTest(browser, "two filter servers that fall silent at once are one gap, which a store fills", { fleet: { nodes: 12 } }, async ({ fleet, page }) => {
    const result = await during("both silent", fleet, page, () => stalled(fleet, page, 2));
    assertWhole(result);
    assert.ok(result.fromStore > 0, "something was missed");
    assert.equal(result.gaps.length, 1, JSON.stringify(result.gaps));
    const [{ from, to, filled, recovered, contentTopics }] = result.gaps;
    assert.deepEqual({ filled, recovered, contentTopics }, { filled: true, recovered: result.fromStore, contentTopics: [TOPIC] });
    assert.ok(from < to);
  });

  bareTest(browser, "where nothing may be caught up on, the gap is told, and is not filled", { fleet: { nodes: 12 } }, async ({ fleet, page }) => {
    const result = await during("both silent, not caught up", fleet, page, () => stalled(fleet, page, 2), { catchUp: false });
    assert.deepEqual(result.duplicates, []);
    assert.equal(result.fromStore, 0);
    assert.ok(result.lost.length > 0, "something was missed");
    assert.equal(result.gaps.length, 1, JSON.stringify(result.gaps));
    const [{ from, to, filled }] = result.gaps;
    assert.equal(filled, false);
    // What was lost lies in the gap that was told.
    const times = new Map(result.sent.map(({ text, at }) => [text, at]));
    for (const text of result.lost) {
      const at = /** @type {number} */ (times.get(text));
      assert.ok(from - 1_000 <= at && at <= to + 1_000, `${text} at ${at} is not within ${from} to ${to}`);
    }
  });

  bareTest(browser, "a filter server that is stopped costs no message", { fleet: { nodes: 12 }, expect: [REFUSED_SOCKET] }, async ({ fleet, page }) => {
    const result = await during("one of two stopped", fleet, page, async () => {
      const [peer] = await page.page.evaluate(() => globalThis.subscription.peers);
      await fleet.act((await fleet.byPeerId(peer)).name, "stop");
      await sleep(5_000);
    });
    assertWhole(result);
    assert.deepEqual(result.gaps, []);
  });

  bareTest(browser, "a page that was offline, and whose servers forgot it meanwhile, gets what it missed by one gap", { fleet: { nodes: 12 }, expect: [/net::ERR_/, REFUSED_SOCKET, /WebSocket/] }, async ({ fleet, page }) => {
    const { lost, duplicates, fromStore, gaps, from } = await during("offline", fleet, page, async () => {
      await page.watched.context.setOffline(true);
      // The browser holds back what was on its way, and nothing of an outage's length would be missed by that alone.
      const names = [];
      for (const { peerId } of await page.connected()) names.push((await fleet.byPeerId(peerId)).name);
      for (const name of names) await fleet.act(name, "stop");
      for (const name of names) await fleet.act(name, "start");
      await sleep(SILENT_MS);
      await page.watched.context.setOffline(false);
      await page.ready();
    });
    assert.deepEqual({ lost, duplicates }, { lost: [], duplicates: [] });
    assert.ok(fromStore > 0, "something was missed");
    assert.equal(gaps.length, 1, JSON.stringify(gaps));
    assert.deepEqual({ filled: gaps[0].filled, recovered: gaps[0].recovered }, { filled: true, recovered: fromStore });
    assert.deepEqual(await page.charged(from), []);
  });

  test("a page that was frozen gets what it missed, by one gap at most, and blames nobody", async () => {
    const own = await launch();
    const fleet = await startFleet({ nodes: 12, www: BLANK });
    try {
      const page = await openBare(own, fleet.url, await optionsOf(fleet));
      await page.ready();
      const { lost, duplicates, gaps, from, stalledMs } = await during("frozen", fleet, page, async () => {
        const thaw = await freeze(own);
        await sleep(SILENT_MS);
        thaw();
        await page.ready();
      });
      assert.ok(stalledMs > SILENT_MS / 2, `it stood still for ${stalledMs} ms only`);
      assert.deepEqual({ lost, duplicates }, { lost: [], duplicates: [] });
      assert.ok(gaps.length <= 1 && gaps.every(({ filled }) => filled), JSON.stringify(gaps));
      assert.deepEqual(await page.charged(from), []);
    } finally {
      await own.close();
      await fleet.stop();
    }
  });
});
