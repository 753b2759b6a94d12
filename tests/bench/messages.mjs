/**
 * Messages while peers fail, much at once, and peers that are hostile: measured in a page on a local network of its own.
 *
 * BENCH_MINUTES says for how long filter requests are counted (2).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { BLANK, openBare, optionsOf } from "../lib/bare.mjs";
import { REFUSED_SOCKET } from "../lib/browser.mjs";
import { startFleet } from "../lib/fleet.mjs";
import { Traffic } from "../lib/traffic.mjs";

/** What is to be reached (at most), in the unit of the report. */
export const MESSAGE_TARGETS = {
  filter_killed_gap_ms: 400,
  filter_killed_lost: 0,
  filter_silent_gap_ms: 6_500,
  filter_silent_lost: 0,
  sends_silent_failed: 0,
  sends_silent_slowest_ms: 3_000,
  sends_at_once_ms: 1_500,
  queries_at_once_ms: 1_500,
  subscribes_at_once_ms: 2_000,
  at_once_failed: 0,
  filter_requests_a_minute: 30,
  lightpush_two_rtt_ms: 12,
  publish_to_callback_ms: 6,
  flood_memory_bytes: 4 * 1024 * 1024,
  flood_stall_ms: 50,
  stalled_streams_memory_bytes: 4 * 1024 * 1024,
  stalled_streams_stall_ms: 50,
};

const TOPIC = "/lightkeeper/1/bench/proto";
const RUNS = 3;
const SILENT_MS = 12_000;
const SETTLE_MS = 20_000;
const MINUTES = Number(process.env.BENCH_MINUTES ?? 2);

/** Keeps hold of the wasm's memory, before any script of the page runs. */
const MEMORIES = () => {
  globalThis.memories = [];
  for (const name of /** @type {const} */ (["instantiate", "instantiateStreaming"])) {
    const make = WebAssembly[name];
    WebAssembly[name] = /** @type {any} */ (async (...all) => {
      const made = await make(.../** @type {[any, any]} */ (all));
      globalThis.memories.push((made.instance ?? made).exports.memory);
      return made;
    });
  }
};

/**
 * @param {import("playwright-core").Browser} browser
 * @param {(what: string, names: string[], work: () => unknown) => Promise<void>} measure
 * @param {(name: string, values: number[], unit: string) => void} record
 */
export async function measureMessages(browser, measure, record) {
  /**
   * Something in a fresh page on a fresh network, as often as asked.
   *
   * @template T
   * @param {number} runs
   * @param {{ fleet?: Parameters<typeof startFleet>[0], options?: (fleet: import("../lib/fleet.mjs").Fleet) => Promise<object> }} setting
   * @param {(fleet: import("../lib/fleet.mjs").Fleet, page: import("../lib/bare.mjs").Bare) => Promise<T>} work
   * @returns {Promise<T[]>}
   */
  async function times(runs, { fleet: network, options = optionsOf }, work) {
    const results = [];
    for (let run = 0; run < runs; run++) {
      const fleet = await startFleet({ nodes: 12, seed: 1 + run, www: BLANK, ...network });
      let page;
      try {
        page = await openBare(browser, fleet.url, await options(fleet), { expect: [REFUSED_SOCKET], script: MEMORIES });
        await page.ready();
        results.push(await work(fleet, page));
      } finally {
        await page?.close();
        await fleet.stop();
      }
    }
    return results;
  }

  /** Names of the nodes that serve something to the page, or have its subscription. */
  const named = async (/** @type {import("../lib/fleet.mjs").Fleet} */ fleet, /** @type {string[]} */ peers) => {
    const names = [];
    for (const peer of peers) names.push((await fleet.byPeerId(peer)).name);
    return names;
  };

  /** Traffic around something that happens to the servers of the page's subscription. */
  const lossOf = (/** @type {number} */ count, /** @type {"stop" | "stall"} */ action) =>
    times(RUNS, {}, async (fleet, page) => {
      const traffic = new Traffic(page, TOPIC, (text) => fleet.publish(TOPIC, text));
      await traffic.start({ othersEveryMs: 50, ownEveryMs: 1_000 });
      await sleep(3_000);
      const peers = await page.page.evaluate(() => globalThis.subscription.peers);
      if (peers.length < count) throw new Error(`${peers.length} servers have the subscription`);
      const names = await named(fleet, peers.slice(0, count));
      for (const name of names) await fleet.act(name, action);
      await sleep(SILENT_MS);
      for (const name of names) await fleet.act(name, action === "stop" ? "start" : "heal");
      await sleep(2_000);
      return traffic.end(SETTLE_MS);
    });

  await measure("one of two filter servers is killed", ["filter_killed_gap_ms", "filter_killed_lost"], async () => {
    const runs = await lossOf(1, "stop");
    record("filter_killed_gap_ms", runs.map(({ longestGapMs }) => longestGapMs), "ms");
    record("filter_killed_lost", runs.map(({ lost }) => lost.length), "messages");
  });

  await measure("both filter servers fall silent, with a store", ["filter_silent_gap_ms", "filter_silent_lost"], async () => {
    const runs = await lossOf(2, "stall");
    record("filter_silent_gap_ms", runs.map(({ longestGapMs }) => longestGapMs), "ms");
    record("filter_silent_lost", runs.map(({ lost }) => lost.length), "messages");
  });

  await measure("both lightpush servers fall silent, six sends a minute", ["sends_silent_failed", "sends_silent_slowest_ms"], async () => {
    const runs = await times(RUNS, {}, async (fleet, page) => {
      for (const name of await named(fleet, (await page.serving()).lightPush)) await fleet.act(name, "stall");
      return page.withNode(async (node, topic) => {
        const took = [];
        let failed = 0;
        for (let sent = 0; sent < 6; sent++) {
          const began = performance.now();
          await node.lightPush.send({ contentTopic: topic, payload: new TextEncoder().encode(`number ${sent}`) }).catch(() => failed++);
          took.push(performance.now() - began);
          await new Promise((resolve) => setTimeout(resolve, 10_000 - (performance.now() - began)));
        }
        return { failed, slowest: Math.max(...took) };
      }, TOPIC);
    });
    record("sends_silent_failed", runs.map(({ failed }) => failed), "of 6");
    record("sends_silent_slowest_ms", runs.map(({ slowest }) => slowest), "ms");
  });

  await measure("a hundred sends, a hundred queries, thirty subscriptions at once", ["sends_at_once_ms", "queries_at_once_ms", "subscribes_at_once_ms", "at_once_failed"], async () => {
    const runs = await times(RUNS, {}, async (fleet, page) => {
      for (const text of ["one", "two", "three"]) await fleet.publish(TOPIC, text);
      return page.withNode(async (node, topic) => {
        let failed = 0;
        const atOnce = async (/** @type {number} */ count, /** @type {(number: number) => Promise<unknown>} */ call) => {
          const began = performance.now();
          await Promise.all(Array.from({ length: count }, (_, number) => call(number).catch(() => failed++)));
          return performance.now() - began;
        };
        const sends = await atOnce(100, (number) => node.lightPush.send({ contentTopic: topic, payload: new TextEncoder().encode(`number ${number}`) }));
        const queries = await atOnce(100, () => node.store.query({ contentTopics: [topic], limit: 3 }).next());
        const subscribes = await atOnce(30, (number) => node.filter.subscribe([`/lightkeeper/1/bench-${number}/proto`], () => {}));
        return { sends, queries, subscribes, failed };
      }, TOPIC);
    });
    for (const name of /** @type {const} */ (["sends", "queries", "subscribes"])) record(`${name}_at_once_ms`, runs.map((run) => run[name]), "ms");
    record("at_once_failed", runs.map(({ failed }) => failed), "calls");
  });

  await measure(`300 topics in 40 subscriptions for ${MINUTES} minutes (one run)`, ["filter_requests_a_minute"], async () => {
    const [most] = await times(1, {}, async (fleet, page) => {
      const made = await page.withNode(async (node) => {
        const topics = Array.from({ length: 300 }, (_, number) => `/lightkeeper/1/bench-${number}/proto`);
        const groups = Array.from({ length: 40 }, (_, group) => topics.filter((_, number) => number % 40 === group));
        await Promise.all(groups.map((group) => node.filter.subscribe(group, () => {})));
        return groups.flat().length;
      });
      if (made !== 300) throw new Error(`${made} topics`);
      await sleep(MINUTES * 60_000);
      const { filter } = await page.serving();
      if (filter.length === 0) throw new Error("nobody serves filter any more");
      const most = fleet.mostInAMinute(/filter-subscribe/);
      if (most === 0) throw new Error("no filter request was seen");
      return most;
    });
    record("filter_requests_a_minute", [most], "requests");
  });

  await measure("a message through two peers, and from its publication to the callback", ["lightpush_two_rtt_ms", "publish_to_callback_ms"], async () => {
    const runs = await times(RUNS, {}, (_, page) =>
      page.withNode(async (node, topic) => {
        const median = (/** @type {number[]} */ values) => values.sort((a, b) => a - b)[values.length >> 1];
        const sends = [];
        for (let sent = 0; sent < 60; sent++) {
          const began = performance.now();
          await node.lightPush.send({ contentTopic: topic, payload: crypto.getRandomValues(new Uint8Array(128)) });
          // The first ones warm up code on both sides.
          if (sent >= 10) sends.push(performance.now() - began);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        let arrive = (/** @type {number} */ at) => void at;
        await node.filter.subscribe(["/lightkeeper/1/bench-latency/proto"], () => arrive(performance.now()));
        const arrivals = [];
        for (let published = 0; published < 60; published++) {
          const arrived = new Promise((resolve) => (arrive = resolve));
          const body = JSON.stringify({ contentTopic: "/lightkeeper/1/bench-latency/proto", payloadBase64: btoa(`number ${published}`) });
          const began = performance.now();
          await fetch("/api/publish", { method: "POST", body });
          const took = (await arrived) - began;
          if (published >= 10) arrivals.push(took);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        return { send: median(sends), arrival: median(arrivals) };
      }, TOPIC),
    );
    record("lightpush_two_rtt_ms", runs.map(({ send }) => send), "ms");
    record("publish_to_callback_ms", runs.map(({ arrival }) => arrival), "ms");
  });

  /** A page whose only filter server is hostile: by how much its memory grew, and how long it stood still. */
  const hostile = (/** @type {string} */ script) =>
    times(RUNS, {
      fleet: { nodes: 4, args: ["--hostile", script] },
      options: async (fleet) => {
        const { nodes, network } = await fleet.info();
        const bootstrap = nodes.filter(({ role }) => role === `hostile:${script}`).map(({ address }) => address);
        return { network, bootstrap, require: { lightPush: 0, filter: 1, store: 0 } };
      },
    }, async (_, page) => {
      const wasm = () => page.page.evaluate(() => globalThis.memories.reduce((/** @type {number} */ sum, /** @type {WebAssembly.Memory} */ each) => sum + each.buffer.byteLength, 0));
      const before = await wasm();
      await page.page.evaluate(() => {
        globalThis.stalledMs = 0;
        let last = performance.now();
        setInterval(() => {
          globalThis.stalledMs = Math.max(globalThis.stalledMs, performance.now() - last - 10);
          last = performance.now();
        }, 10);
      });
      await page.withNode((node, topic) => void node.filter.subscribe([topic], () => {}).catch(() => {}), TOPIC);
      await sleep(SILENT_MS);
      return { memory: (await wasm()) - before, stalled: /** @type {number} */ (await page.page.evaluate(() => globalThis.stalledMs)) };
    });

  for (const [script, name] of [["flood", "flood"], ["stall-streams", "stalled_streams"]]) {
    await measure(script === "flood" ? "a server that pushes 100,000 messages at once" : "a server that opens 64 push streams and stalls", [`${name}_memory_bytes`, `${name}_stall_ms`], async () => {
      const runs = await hostile(script);
      record(`${name}_memory_bytes`, runs.map(({ memory }) => memory), "bytes");
      record(`${name}_stall_ms`, runs.map(({ stalled }) => stalled), "ms");
    });
  }
}
