// Who is charged and what is reported, as seen by somebody who uses the package on a network where nothing is wrong.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { bareTest } from "../lib/bare.mjs";
import { REFUSED_SOCKET } from "../lib/browser.mjs";
import { startFleet } from "../lib/fleet.mjs";
import { useBrowser } from "../lib/suite.mjs";

const browser = useBrowser();
const TOPIC = "/lightkeeper/1/truth/proto";
/** Of two shards, which are subscribed to apart. */
const TWO_SHARDS = ["/lightkeeper-a/1/truth/proto", "/lightkeeper-c/1/truth/proto"];
const shardOf = (/** @type {string} */ topic) => Number(createHash("sha256").update(topic.split("/").slice(1, 3).join("")).digest().readBigUInt64BE(24) % 8n);

/**
 * A send in the page: its report, or its error as plain data.
 *
 * @param {import("../lib/bare.mjs").Bare} page
 * @param {{ text?: string, timestamp?: number, options?: object }} [message]
 */
const send = (page, { text = "a good one", timestamp, options } = {}) =>
  page.withNode(
    (node, { topic, text, timestamp, options }) =>
      node.lightPush.send({ contentTopic: topic, payload: new TextEncoder().encode(text), ...(timestamp && { timestamp }) }, options).then(
        (/** @type {any} */ report) => ({ report }),
        (/** @type {any} */ error) => ({ error: { code: error.code, message: error.message } }),
      ),
    { topic: TOPIC, text, timestamp, options },
  );

/** Waiting is most of what these tests do, so they run side by side, each with a network and a page of its own. */
describe("the truth of what is reported", { concurrency: 3 }, () => {
  bareTest(browser, "a peer that was hung up on and is dialed again after its pushes were forgotten is not to blame for them", {}, async ({ fleet, page }) => {
    await page.listen([TOPIC]);
    const [server] = await page.page.evaluate(() => globalThis.subscription.peers);
    await page.withNode((node, id) => node.hangUp(id), server);
    // Longer than what comes from a peer that was left is taken for late, and shorter than a server remembers subscribers.
    await sleep(75_000);
    const from = await page.mark();
    await page.withNode((node, id) => node.dial(id), server);
    const texts = ["one", "two", "three"];
    for (const text of texts) {
      await fleet.publish(TOPIC, text);
      await page.arrives(text);
      await sleep(500);
    }
    await page.assertNobodyBlamed(from);
    assert.ok((await page.connected()).some(({ peerId }) => peerId === server));
    assert.deepEqual((await page.received()).map(({ text }) => text), texts);
  });

  bareTest(browser, "thirty-five subscriptions, one after the other, of servers that answer thirty filter requests a minute, and then silence", {}, async ({ fleet, page }) => {
    for (const { name, services } of await fleet.nodes()) if (services.includes("filter")) await fleet.act(name, "limited");
    const from = await page.mark();
    const made = await page.withNode(async (node) => {
      globalThis.received = [];
      globalThis.many = [];
      globalThis.states = new Set();
      setInterval(() => globalThis.many.forEach((/** @type {any} */ each) => globalThis.states.add(each.state)), 20);
      const failed = [];
      for (let number = 0; number < 35; number++) {
        const topic = `/lightkeeper/1/row-${number}/proto`;
        await node.filter.subscribe([topic], (/** @type {any} */ message) => globalThis.received.push({ text: new TextDecoder().decode(message.payload) })).then(
          (/** @type {any} */ each) => globalThis.many.push(each),
          (/** @type {any} */ error) => failed.push(`${number}: ${error.code}: ${error.message}`),
        );
      }
      return { count: globalThis.many.length, failed };
    });
    assert.deepEqual(made, { count: 35, failed: [] });
    // Each has been kept alive at least once by then.
    await sleep(70_000);
    assert.deepEqual(await page.page.evaluate(() => [...globalThis.states]), ["active"]);
    assert.deepEqual((await page.eventsOf("filter:gap", {}, from)).map(({ detail }) => detail), []);
    await page.assertNobodyBlamed(from);
    for (const number of [0, 17, 34]) {
      await fleet.publish(`/lightkeeper/1/row-${number}/proto`, `for ${number}`);
      await page.arrives(`for ${number}`);
    }
    const most = fleet.mostInAMinute(/filter-subscribe/);
    assert.ok(most > 0 && most <= 30, `${most} requests in a minute`);
    const refused = fleet.seen.filter(({ kind, protocol, detail }) => kind === "answer" && /filter-subscribe/.test(protocol ?? "") && /429/.test(detail ?? ""));
    assert.deepEqual(refused.map(({ node, at }) => `${node} at ${at}`), [], "more was asked than the servers take");
  });

  bareTest(browser, "six empty messages of anybody cost nobody anything, and the good one after them arrives", {}, async ({ fleet, page }) => {
    await page.listen([TOPIC]);
    const from = await page.mark();
    for (let count = 0; count < 6; count++) await fleet.publish(TOPIC, "");
    await fleet.publish(TOPIC, "a good one");
    await page.arrives("a good one");
    // What is held against a peer is held against it at once; a disconnect would follow within moments.
    await sleep(2_000);
    assert.deepEqual((await page.received()).map(({ text }) => text), ["a good one"]);
    assert.deepEqual((await page.eventsOf("peer:fail", {}, from)).map(({ detail }) => detail), []);
    await page.assertNobodyBlamed(from);
  });

  bareTest(browser, "the same bytes sent five times are known already, and another message goes out", {}, async ({ page }) => {
    await page.listen([TOPIC]);
    const from = await page.mark();
    const timestamp = Date.now();
    const hashes = new Set();
    for (let attempt = 0; attempt < 5; attempt++) {
      const { report, error } = await send(page, { text: "again", timestamp });
      assert.ok(report, `attempt ${attempt}: ${JSON.stringify(error)}`);
      hashes.add(report.hash);
    }
    assert.equal(hashes.size, 1);
    const { report, error } = await send(page, { text: "another" });
    assert.ok(report, JSON.stringify(error));
    await page.arrives("another");
    assert.deepEqual((await page.received()).map(({ text }) => text), ["again", "another"]);
    await page.assertNobodyBlamed(from);
  });

  bareTest(browser, "a history goes on over a message that nobody may have", {}, async ({ fleet, page }) => {
    for (const text of ["first", "", "third"]) await fleet.publish(TOPIC, text);
    const from = await page.mark();
    for (const order of ["ascending", "descending"]) {
      const texts = await page.withNode(async (node, { topic, order }) => {
        const texts = [];
        for await (const { payload } of node.store.query({ contentTopics: [topic], pageSize: 1, order })) texts.push(new TextDecoder().decode(payload));
        return texts;
      }, { topic: TOPIC, order });
      assert.deepEqual(texts, order === "ascending" ? ["first", "third"] : ["third", "first"]);
    }
    await page.assertNobodyBlamed(from);
  });

  bareTest(browser, "no message is handed over before there is a handle, and unsubscribing inside the callback ends it", {}, async ({ page }) => {
    assert.notEqual(shardOf(TWO_SHARDS[0]), shardOf(TWO_SHARDS[1]));
    const result = await page.withNode(async (node, topics) => {
      let publishing = true;
      let published = 0;
      const publisher = (async () => {
        for (; publishing; published++) {
          const body = JSON.stringify({ contentTopic: topics[published % 2], payloadBase64: btoa(`number ${published}`) });
          await fetch("/api/publish", { method: "POST", body });
        }
      })();
      const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
      await pause(200);
      /** @type {any} */
      let handle;
      let early = 0;
      let calls = 0;
      /** @type {Promise<void> | undefined} */
      let leaving;
      const handed = new Promise((resolve) => {
        node.filter.subscribe(topics, () => {
          calls++;
          if (handle === undefined) early++;
          else leaving ??= handle.unsubscribe();
          if (handle !== undefined) resolve(undefined);
        }).then((/** @type {any} */ made) => (handle = made));
      });
      await handed;
      await leaving;
      const callsThen = calls;
      const reason = await handle.closed;
      await pause(500);
      publishing = false;
      await publisher;
      return { early, calls, later: calls - callsThen, reason, state: handle.state, published };
    }, TWO_SHARDS);
    assert.equal(result.early, 0, "calls before the handle");
    assert.equal(result.calls, 1, "calls in all");
    assert.equal(result.later, 0);
    assert.equal(result.reason, "hung-up");
    assert.equal(result.state, "closed");
    assert.ok(result.published > 20, `${result.published}`);
  });

  bareTest(browser, "a subscription that was unsubscribed says that it was hung up", {}, async ({ page }) => {
    for (let times = 0; times < 3; times++) {
      await page.listen([TOPIC]);
      assert.equal(await page.page.evaluate(async () => {
        await globalThis.subscription.unsubscribe();
        return globalThis.subscription.closed;
      }), "hung-up");
    }
  });

  bareTest(browser, "eight dials to wrong addresses do not keep the ninth from a good one", { expect: [REFUSED_SOCKET] }, async ({ fleet, page }) => {
    // Nobody listens where these were.
    const gone = await startFleet({ seed: 99 });
    const dead = (await gone.nodes()).map(({ address }) => address);
    await gone.stop();
    assert.equal(dead.length, 8);
    const connected = (await page.connected()).map(({ peerId }) => peerId);
    const good = (await fleet.nodes()).find(({ peerId }) => !connected.includes(peerId));
    assert.ok(good, "somebody is not connected yet");
    const outcome = await page.withNode(async (node, { dead, good }) => {
      const of = (/** @type {Promise<any>} */ call) => call.then(({ state }) => state, (/** @type {any} */ error) => error.code);
      const failed = await Promise.all(dead.map((/** @type {string} */ address) => of(node.dial(address))));
      return { failed, good: await of(node.dial(good)) };
    }, { dead, good: good.address });
    assert.deepEqual(outcome, { failed: dead.map(() => "dial-failed"), good: "connected" });
  });

  bareTest(browser, "haste of our own charges nobody", {}, async ({ page }) => {
    const from = await page.mark();
    for (const text of ["one", "two"]) {
      const { error } = await send(page, { text, options: { timeoutMs: 1 } });
      if (error) assert.ok(["timeout", "no-peer"].includes(error.code), JSON.stringify(error));
    }
    await sleep(1_000);
    const { report, error } = await send(page, { text: "three" });
    assert.ok(report, JSON.stringify(error));
    await page.assertNobodyBlamed(from);
  });

  bareTest(browser, "what goes out is what a buffer held at the call, whatever it is used for next", {}, async ({ page }) => {
    await page.listen([TOPIC]);
    const reuse = (/** @type {boolean} */ restarting) =>
      page.withNode(async (node, { topic, restarting }) => {
        // A call that is made while a start waits for a stop waits with it.
        const turning = restarting ? [node.stop(), node.start()] : [];
        const buffer = new TextEncoder().encode(restarting ? "as it was, later" : "as it was");
        const sending = node.lightPush.send({ contentTopic: topic, payload: buffer });
        buffer.fill("x".charCodeAt(0));
        await Promise.all([...turning, sending]);
      }, { topic: TOPIC, restarting });
    await reuse(false);
    await page.arrives("as it was");
    await reuse(true);
    const texts = await page.withNode(async (node, topic) => {
      const texts = [];
      for await (const { payload } of node.store.query({ contentTopics: [topic] })) texts.push(new TextDecoder().decode(payload));
      return texts;
    }, TOPIC);
    assert.deepEqual(texts, ["as it was", "as it was, later"]);
  });
});
