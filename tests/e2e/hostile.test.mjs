// A page among peers that follow scripts: what it wants arrives and goes out all the same, and nobody honest is blamed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BLANK, openBare, optionsOf } from "../lib/bare.mjs";
import { LIMIT_MS, REFUSED_SOCKET } from "../lib/browser.mjs";
import { startFleet } from "../lib/fleet.mjs";
import { tellMore, useBrowser } from "../lib/suite.mjs";
import { Traffic } from "../lib/traffic.mjs";

const browser = useBrowser();
const TOPIC = "/lightkeeper/1/hostile/proto";
/** Long enough for what is told each second, or waits for a first ping. */
const TRAFFIC_MS = 8_000;
const SETTLE_MS = 20_000;

/** Each group is wrong once at most in each service: two servers at a time are what stands against one. */
const GROUPS = [
  ["silent-filter", "takes-and-drops", "false-entries", "no-ping"],
  ["empty-payload", "no-relay-peers", "wrong-cursor", "silent-ping"],
  ["never-asked", "not-published", "same-cursor", "identify-flood"],
  ["flood", "empty-pages", "bad-metadata"],
  ["stall-streams", "other-shards"],
  ["withhold", "other-cluster"],
  ["late-pushes", "limited-30"],
  ["stream-each", "limited-1s"],
  ["silent"],
  ["bad-request"],
  ["busy"],
  ["half-frames"],
  ["announces"],
  ["garbage"],
];

describe("among hostile peers", { concurrency: 3 }, () => {
  for (const scripts of GROUPS) {
    test(`a page does its work beside ${scripts.join(", ")}`, async () => {
      const fleet = await startFleet({ nodes: 6, www: BLANK, args: ["--hostile", scripts.join()] });
      let page;
      try {
        const nodes = await fleet.nodes();
        const hostile = nodes.filter(({ role }) => role.startsWith("hostile"));
        assert.equal(hostile.length, scripts.length);
        const { bootstrap, ...options } = await optionsOf(fleet);
        // Static peers are dialed before any that are learnt of.
        page = await openBare(browser(), fleet.url, { ...options, bootstrap: [...hostile.map(({ address }) => address), ...bootstrap] }, { expect: [REFUSED_SOCKET] });
        await page.ready();
        const traffic = new Traffic(page, TOPIC, (text) => fleet.publish(TOPIC, text));
        await traffic.start({ othersEveryMs: 200, ownEveryMs: 1_200 });
        await sleep(TRAFFIC_MS);
        const { sent, failed, lost, duplicates } = await traffic.end(SETTLE_MS);
        assert.deepEqual({ failed, lost, duplicates }, { failed: [], lost: [], duplicates: [] });

        const history = await page.withNode(async (node, { topic, timeoutMs }) => {
          const texts = [];
          for await (const { payload } of node.store.query({ contentTopics: [topic], pageSize: 10 }, { timeoutMs })) texts.push(new TextDecoder().decode(payload));
          return texts;
        }, { topic: TOPIC, timeoutMs: LIMIT_MS });
        assert.deepEqual(history.sort(), sent.map(({ text }) => text).sort());

        const bad = new Set(hostile.map(({ peerId }) => peerId));
        assert.deepEqual((await page.charged()).filter(({ peerId }) => !bad.has(peerId)), []);
        for (const { detail } of await page.eventsOf("peer:ban")) assert.ok(bad.has(detail.peerId), `${detail.peerId} was banned: ${detail.reason}`);
        page.assertConsole();
      } catch (error) {
        if (page) tellMore(error, `what happened in the page:\n${await page.story()}`);
        throw error;
      } finally {
        await page?.close();
        await fleet.stop();
      }
    });
  }
});
