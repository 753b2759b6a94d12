// Messages of a go-waku mesh arrive while one of its nodes is silent or gone, and after the page stood still.
//
// SILENCE_SECONDS says for how long (20). go-waku has no store v3, so nothing here is caught up on: it has to arrive.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BLANK, openBare } from "../lib/bare.mjs";
import { launch, LIMIT_MS, REFUSED_SOCKET } from "../lib/browser.mjs";
import { freeze } from "../lib/freeze.mjs";
import { CLUSTER, SHARD, startGoWaku } from "../lib/go-waku.mjs";
import { PKG_DIR } from "../lib/paths.mjs";
import { serveStatic } from "../lib/static.mjs";
import { tellMore } from "../lib/suite.mjs";
import { table, Traffic } from "../lib/traffic.mjs";

const TOPIC = "/lightkeeper/1/silence/proto";
const SILENT_MS = Number(process.env.SILENCE_SECONDS ?? 20) * 1_000;
/** go-waku takes one lightpush request a second of each client. */
const PACE = { othersEveryMs: 200, ownEveryMs: 1_200 };
const SETTLE_MS = 10_000;
const SLOWEST_MS = 3_000;

/** @type {import("../lib/go-waku.mjs").GoWaku[]} */
let nodes = [];
/** @type {{ url: string, stop: () => Promise<void> }} */
let server;
before(async () => {
  server = await serveStatic({ folders: { "/": BLANK, "/pkg/": PKG_DIR } });
  nodes = await startGoWaku(5);
});
after(async () => {
  for (const node of nodes) await node.stop();
  await server?.stop();
});

/**
 * Traffic of a page with a browser of its own, around something that happens to it or to the server of its subscription.
 *
 * @param {string} name
 * @param {(world: { browser: import("playwright-core").Browser, page: import("../lib/bare.mjs").Bare, victim: import("../lib/go-waku.mjs").GoWaku }) => Promise<unknown>} happening
 * @param {(result: import("../lib/traffic.mjs").Tally, page: import("../lib/bare.mjs").Bare, from: number) => Promise<unknown>} check
 */
function silenceTest(name, happening, check) {
  test(name, { timeout: 10 * 60_000 }, async () => {
    const browser = await launch();
    let page;
    try {
      page = await openBare(browser, server.url, {
        network: { clusterId: CLUSTER, shards: [SHARD] },
        bootstrap: nodes.map(({ wsAddress }) => wsAddress),
        require: { lightPush: 2, filter: 2, store: 0 },
      }, { expect: [REFUSED_SOCKET] });
      await page.withNode((node, timeoutMs) => node.ready({ timeoutMs }), 3 * LIMIT_MS);
      // The last of those that the page did not choose publishes; it has no part in what happens.
      const chosen = (await page.connected()).map(({ peerId }) => peerId);
      const publisher = nodes.find(({ peerId }) => !chosen.includes(peerId));
      assert.ok(publisher, "the page is not connected to all");
      const traffic = new Traffic(page, TOPIC, (text) => publisher.publish(TOPIC, text));
      await traffic.start(PACE);
      await sleep(3_000);
      const [peer] = await page.page.evaluate(() => globalThis.subscription.peers);
      const victim = nodes.find(({ peerId }) => peerId === peer);
      assert.ok(victim);
      const from = await page.mark();
      await happening({ browser, page, victim });
      await sleep(3_000);
      const result = await traffic.end(SETTLE_MS);
      const { sent, refused, sends, failed, slowestMs, lost, duplicates, longestGapMs } = result;
      console.log(`${name}\n${table({ published: sent.length, refused: refused.length, lost: lost.length, duplicates: duplicates.length, "longest gap, ms": longestGapMs, sends: sends.length, failed: failed.length, "slowest, ms": slowestMs })}`);
      assert.ok(refused.length < sent.length / 10, refused.join("\n"));
      assert.deepEqual({ lost, duplicates }, { lost: [], duplicates: [] });
      await check(result, page, from);
      page.assertConsole();
    } catch (error) {
      if (page) tellMore(error, `what happened in the page:\n${await page.story()}`);
      throw error;
    } finally {
      await browser.close();
    }
  });
}

/**
 * Nobody was without messages, since another server has them too. Of a hundred sends three may fail, and none takes long.
 *
 * @param {import("../lib/traffic.mjs").Tally} result
 * @param {import("../lib/bare.mjs").Bare} page
 * @param {number} from
 */
async function assertUnhurt({ sends, failed, slowestMs, stalledMs }, page, from) {
  assert.deepEqual((await page.eventsOf("filter:gap", {}, from)).map(({ detail }) => detail), []);
  assert.ok(failed.length <= Math.floor(0.03 * sends.length), failed.join("\n"));
  assert.ok(slowestMs <= SLOWEST_MS + stalledMs, `the slowest send took ${slowestMs} ms`);
}

// First, while every node is well: one that stood still itself is slow to answer for a while.
silenceTest("a page that stood still gets everything that had reached its sockets, and blames nobody", async ({ browser, page }) => {
  const thaw = await freeze(browser);
  await sleep(SILENT_MS);
  thaw();
  await page.ready();
}, async (_, page, from) => {
  assert.deepEqual(await page.charged(from), []);
});

silenceTest("a go-waku node that falls silent costs no message", async ({ victim }) => {
  victim.freeze();
  await sleep(SILENT_MS).finally(() => victim.thaw());
}, assertUnhurt);

silenceTest("a go-waku node that is killed costs no message", async ({ victim }) => {
  await victim.kill();
  await sleep(5_000);
}, assertUnhurt);
