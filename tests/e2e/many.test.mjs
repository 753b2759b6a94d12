// Much at once: a page that has a lot to say is served, and no peer is blamed for what it was not asked in time.
import assert from "node:assert/strict";
import { bareTest } from "../lib/bare.mjs";
import { useBrowser } from "../lib/suite.mjs";

const browser = useBrowser();
const TOPIC = "/lightkeeper/1/many/proto";

/**
 * Calls that are made at once in the page: how many came to what.
 *
 * @param {import("../lib/bare.mjs").Bare} page
 * @param {(node: any, argument: any) => Promise<any>[]} calls
 * @param {unknown} argument
 * @returns {Promise<Record<string, number>>}
 */
function outcomes(page, calls, argument) {
  // `withNode` takes the function's text along; what it calls has to travel as text too.
  const run = `async (node, argument) => {
    const counts = {};
    const count = (what) => (counts[what] = (counts[what] ?? 0) + 1);
    await Promise.all((${calls})(node, argument).map((call) => call.then(() => count("ok"), (error) => count(error.code + ": " + error.message))));
    return counts;
  }`;
  return page.page.evaluate(`(${run})(globalThis.demo.node, ${JSON.stringify(argument)})`);
}

bareTest(browser, "a hundred messages at once all go out, and all arrive", {}, async ({ page }) => {
  await page.listen([TOPIC]);
  const from = await page.mark();
  const counts = await outcomes(page, (node, topic) =>
    Array.from({ length: 100 }, (_, number) => node.lightPush.send({ contentTopic: topic, payload: new TextEncoder().encode(`number ${number}`) })), TOPIC);
  assert.deepEqual(counts, { ok: 100 });
  await page.until("all have arrived", () => globalThis.received.length >= 100);
  assert.deepEqual((await page.received()).map(({ text }) => text).sort(), Array.from({ length: 100 }, (_, number) => `number ${number}`).sort());
  await page.assertNobodyBlamed(from);
});

bareTest(browser, "a hundred queries at once are all answered", {}, async ({ fleet, page }) => {
  for (const text of ["one", "two", "three"]) await fleet.publish(TOPIC, text);
  const from = await page.mark();
  const counts = await outcomes(page, (node, topic) =>
    Array.from({ length: 100 }, async () => {
      const texts = [];
      for await (const { payload } of node.store.query({ contentTopics: [topic] })) texts.push(new TextDecoder().decode(payload));
      if (texts.join() !== "one,two,three") throw Object.assign(new Error(texts.join()), { code: "wrong" });
    }), TOPIC);
  assert.deepEqual(counts, { ok: 100 });
  await page.assertNobodyBlamed(from);
});

bareTest(browser, "thirty subscriptions at once are all made, and each gets its messages", {}, async ({ fleet, page }) => {
  const from = await page.mark();
  const topics = Array.from({ length: 30 }, (_, number) => `/lightkeeper/1/many-${number}/proto`);
  const counts = await outcomes(page, (node, topics) => {
    globalThis.received = [];
    return topics.map((/** @type {string} */ topic) => node.filter.subscribe([topic], (/** @type {any} */ { contentTopic, payload }) =>
      globalThis.received.push({ topic: contentTopic, text: new TextDecoder().decode(payload) })));
  }, topics);
  assert.deepEqual(counts, { ok: 30 });
  for (const topic of topics) await fleet.publish(topic, `to ${topic}`);
  await page.until("all have arrived", () => globalThis.received.length >= 30);
  const received = /** @type {any[]} */ (await page.received());
  assert.deepEqual(received.map(({ topic, text }) => [topic, text]).sort(), topics.map((topic) => [topic, `to ${topic}`]).sort());
  assert.deepEqual((await page.eventsOf("filter:gap", {}, from)).map(({ detail }) => detail), []);
  await page.assertNobodyBlamed(from);
});

bareTest(browser, "sends, queries and subscriptions of one turn do not stand in one another's way", {}, async ({ page }) => {
  const from = await page.mark();
  const counts = await outcomes(page, (node, topic) => [
    ...Array.from({ length: 40 }, (_, number) => node.lightPush.send({ contentTopic: topic, payload: new TextEncoder().encode(`mixed ${number}`) })),
    ...Array.from({ length: 40 }, () => node.store.query({ contentTopics: [topic] }).next()),
    ...Array.from({ length: 20 }, (_, number) => node.filter.subscribe([`/lightkeeper/1/mixed-${number}/proto`], () => {})),
  ], TOPIC);
  assert.deepEqual(counts, { ok: 100 });
  await page.assertNobodyBlamed(from);
});
