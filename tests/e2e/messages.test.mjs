import assert from "node:assert/strict";
import { demoTest, useBrowser } from "../lib/suite.mjs";

useBrowser();

const TOPIC = "/lightkeeper/1/test/proto";

/** Subscribes in the page and keeps what arrives in `globalThis.received`. */
async function subscribe(demo, topic = TOPIC) {
  await demo.withNode(async (/** @type {any} */ node, topic) => {
    globalThis.received = [];
    globalThis.subscription = await node.filter.subscribe([topic], (/** @type {any} */ message) => {
      globalThis.received.push({ ...message, text: new TextDecoder().decode(message.payload), payload: undefined, timestampNs: String(message.timestampNs) });
    });
  }, topic);
}

const received = (demo) => demo.page.evaluate(() => globalThis.received);

async function arrived(demo, text) {
  await demo.until(`${JSON.stringify(text)} arrives`, (_, text) => globalThis.received.some((/** @type {any} */ message) => message.text === text), text);
}

async function history(demo, topic = TOPIC) {
  return demo.withNode(async (/** @type {any} */ node, topic) => {
    const texts = [];
    for await (const message of node.store.query({ contentTopics: [topic] })) texts.push({ text: new TextDecoder().decode(message.payload), hash: message.hash });
    return texts;
  }, topic);
}

demoTest("a message that is sent is received by filter and found in store", {}, async ({ demo }) => {
  await subscribe(demo);
  const before = Date.now();
  const report = await demo.withNode((node, topic) => node.lightPush.send({ contentTopic: topic, payload: new TextEncoder().encode("ahoy") }), TOPIC);
  assert.match(report.hash, /^(0x)?[0-9a-f]{64}$/);
  // Two are asked, and the first that takes it is enough.
  assert.ok(report.accepted.length >= 1 && report.attempts >= report.accepted.length, JSON.stringify(report));
  assert.deepEqual(report.failed, []);
  await arrived(demo, "ahoy");
  const [message] = await received(demo);
  assert.equal(message.hash, report.hash);
  assert.equal(message.contentTopic, TOPIC);
  assert.equal(message.ephemeral, false);
  assert.ok(Math.abs(message.timestamp - before) < 60_000, `${message.timestamp}`);
  assert.ok((await demo.serving()).filter.includes(message.peer));
  const found = await history(demo);
  assert.deepEqual(found, [{ text: "ahoy", hash: report.hash }]);
});

demoTest("the page's own buttons do the same", {}, async ({ demo }) => {
  await demo.at("subscribe").click();
  await demo.page.locator("#subscriptions > *").first().waitFor();
  await demo.at("message-text").fill("from a button");
  await demo.at("send").click();
  await demo.at("messages").getByText("from a button").first().waitFor();
  await demo.at("publish").click();
  await demo.page.waitForFunction(() => document.querySelectorAll('[data-testid="messages"] > *').length >= 2);
  await demo.at("history").click();
  await demo.at("message-note").filter({ hasText: /\S/ }).waitFor();
});

demoTest("what another participant publishes arrives too", {}, async ({ fleet, demo }) => {
  await subscribe(demo);
  const hash = await fleet.publish(TOPIC, "from elsewhere");
  await arrived(demo, "from elsewhere");
  assert.equal((await received(demo))[0].hash.replace(/^0x/, ""), hash.replace(/^0x/, ""));
});

demoTest("an ephemeral message is received and not stored", {}, async ({ demo }) => {
  await subscribe(demo);
  const send = (text, ephemeral) =>
    demo.withNode((node, { topic, text, ephemeral }) => node.lightPush.send({ contentTopic: topic, payload: new TextEncoder().encode(text), ephemeral }), { topic: TOPIC, text, ephemeral });
  await send("gone tomorrow", true);
  await send("kept", false);
  await arrived(demo, "gone tomorrow");
  await arrived(demo, "kept");
  assert.equal((await received(demo)).find(({ text }) => text === "gone tomorrow").ephemeral, true);
  assert.deepEqual((await history(demo)).map(({ text }) => text), ["kept"]);
});

demoTest("three hundred messages arrive, each once, and history gives all of them over several pages", {}, async ({ fleet, demo }) => {
  await subscribe(demo);
  const texts = Array.from({ length: 300 }, (_, index) => `message ${index}`);
  for (const text of texts) await fleet.publish(TOPIC, text);
  await demo.until("all have arrived", (_, count) => globalThis.received.length >= count, texts.length);
  assert.deepEqual((await received(demo)).map(({ text }) => text).sort(), [...texts].sort());
  assert.deepEqual((await history(demo)).map(({ text }) => text).sort(), [...texts].sort());
});

demoTest("other topics are not received, and nothing is after unsubscribing", {}, async ({ fleet, demo }) => {
  await subscribe(demo);
  await fleet.publish("/lightkeeper/1/other/proto", "not for us");
  await fleet.publish(TOPIC, "for us");
  await arrived(demo, "for us");
  await demo.page.evaluate(() => globalThis.subscription.unsubscribe());
  assert.equal(await demo.page.evaluate(() => globalThis.subscription.state), "closed");
  await fleet.publish(TOPIC, "too late");
  // A second subscription, made later than that message, shows that the first would have had it by now.
  await demo.withNode(async (node, topic) => {
    globalThis.second = [];
    await node.filter.subscribe([topic], (/** @type {any} */ message) => globalThis.second.push(new TextDecoder().decode(message.payload)));
  }, TOPIC);
  await fleet.publish(TOPIC, "for the second");
  await demo.until("the second gets its message", () => globalThis.second.includes("for the second"));
  assert.deepEqual((await received(demo)).map(({ text }) => text), ["for us"]);
});

demoTest("a subscription that loses one of its two servers misses nothing, and gets another", {}, async ({ fleet, demo }) => {
  await subscribe(demo);
  await demo.until("two servers have it", () => globalThis.subscription.peers.length === 2);
  const [first] = await demo.page.evaluate(() => globalThis.subscription.peers);
  const from = await demo.mark();
  demo.watched.expectOnConsole(/WebSocket connection to 'ws:\/\/127\.0\.0\.1:\d+\/?' failed/);
  await fleet.act((await fleet.byPeerId(first)).name, "stop");
  await fleet.publish(TOPIC, "at the move");
  await arrived(demo, "at the move");
  await demo.until("another server has it too", (_, first) => globalThis.subscription.peers.length === 2 && !globalThis.subscription.peers.includes(first), first);
  assert.equal(await demo.page.evaluate(() => globalThis.subscription.state), "active");
  await fleet.publish(TOPIC, "after the move");
  await arrived(demo, "after the move");
  assert.deepEqual(await demo.eventsOf("filter:gap", {}, from), []);
  assert.deepEqual((await received(demo)).map(({ text }) => text), ["at the move", "after the move"]);
});

demoTest("a call that is aborted rejects with the signal's reason", {}, async ({ fleet, demo }) => {
  for (const node of await fleet.nodes()) if (node.services.includes("lightPush")) await fleet.act(node.name, "stall");
  const outcome = await demo.withNode(async (node, topic) => {
    const reason = new Error("changed my mind");
    const already = await node.lightPush.send({ contentTopic: topic, payload: new Uint8Array(1) }, { signal: AbortSignal.abort(reason) }).then(() => "sent", (/** @type {any} */ error) => error === reason);
    const controller = new AbortController();
    const sending = node.lightPush.send({ contentTopic: topic, payload: new Uint8Array(1) }, { signal: controller.signal });
    controller.abort(reason);
    return [already, await sending.then(() => "sent", (/** @type {any} */ error) => error === reason)];
  }, TOPIC);
  assert.deepEqual(outcome, [true, true]);
});

demoTest("a message that no server would take is refused before it is sent", {}, async ({ demo }) => {
  const codes = await demo.withNode(async (node) => {
    const codeOf = (/** @type {Promise<unknown>} */ call) => call.then(() => "sent", (error) => [error.constructor.name, error.code]);
    return [
      await codeOf(node.lightPush.send({ contentTopic: "no slashes", payload: new Uint8Array(1) })),
      await codeOf(node.lightPush.send({ contentTopic: "/lightkeeper/1/test/proto", payload: new Uint8Array(200 * 1024) })),
      await codeOf(node.filter.subscribe([], () => {})),
    ];
  });
  for (const [name, code] of codes) {
    assert.equal(name, "LightNodeError");
    assert.ok(["invalid-options", "rejected"].includes(code), code);
  }
});
