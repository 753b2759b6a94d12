/**
 * A page with nothing on it but a node, driven as the demo is: `demo.node`, and `demo.events` with everything that it
 * said. What a page would otherwise draw takes no part in what is counted here.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { newPage } from "./browser.mjs";
import { Demo } from "./demo.mjs";
import { startFleet } from "./fleet.mjs";
import { tellMore } from "./suite.mjs";

/** What the fleet serves in the demo's place. */
export const BLANK = fileURLToPath(new URL("../e2e/blank", import.meta.url));

/** Every event that a node has. */
const EVENTS = [
  "peer:discovery", "peer:connect", "peer:identify", "peer:disconnect", "peer:reconnect", "peer:replace", "peer:fail", "peer:ban", "peer:prune",
  "requirement:change", "health:change", "network:change", "filter:gap", "node:crash",
];

/** What the fleet's nodes need to be found by. */
export async function optionsOf(/** @type {import("./fleet.mjs").Fleet} */ fleet) {
  const { enrtree, resolver, network } = await fleet.info();
  return { network, bootstrap: [enrtree], resolvers: [resolver] };
}

/** A blank page with a node. */
export class Bare extends Demo {
  /**
   * Subscribes in the page, and keeps what arrives in `globalThis.received`, the texts with what is known of each.
   *
   * @param {string[]} topics
   * @param {object} [options]
   */
  listen(topics, options) {
    return this.withNode(async (node, { topics, options }) => {
      globalThis.received = [];
      globalThis.subscription = await node.filter.subscribe(topics, (/** @type {any} */ { payload, hash, peer, via }) => {
        globalThis.received.push({ text: new TextDecoder().decode(payload), hash, peer, via, at: Date.now() });
      }, options);
    }, { topics, options });
  }

  /** @returns {Promise<{ text: string, hash: string, peer: string, via?: string, at: number }[]>} */
  received() {
    return this.page.evaluate(() => globalThis.received);
  }

  /** Until a text has arrived. */
  arrives(/** @type {string} */ text) {
    return this.until(`${JSON.stringify(text)} arrives`, (_, text) => globalThis.received.some((/** @type {any} */ message) => message.text === text), text);
  }

  /** What failed and was held against a peer. Where nothing says whether it was, it was. */
  async charged(from = 0) {
    return (await this.eventsOf("peer:fail", {}, from)).filter(({ detail }) => detail.charged !== false).map(({ detail }) => detail);
  }

  /** Nobody was blamed, left or banned, and everything is as it should be. */
  async assertNobodyBlamed(from = 0) {
    assert.deepEqual(await this.charged(from), [], "charged");
    assert.deepEqual((await this.eventsOf("peer:ban", {}, from)).map(({ detail }) => detail), []);
    // Bootstrap peers hand over to others when they have helped, and nobody thinks the less of them.
    const left = (await this.eventsOf("peer:disconnect", {}, from)).filter(({ detail }) => !["replaced", "pruned"].includes(detail.cause));
    assert.deepEqual(left.map(({ detail }) => detail), []);
    assert.equal((await this.health()).state, "met");
  }
}

/**
 * @param {import("playwright-core").Browser} browser
 * @param {string} url of a blank page
 * @param {object} options of the node
 * @param {{ expect?: RegExp[], script?: () => void }} [more] what the browser will print; what runs before any script of the page
 * @returns {Promise<Bare>}
 */
export async function openBare(browser, url, options, { expect = [], script } = {}) {
  const watched = await newPage(browser);
  watched.expectOnConsole(...expect);
  if (script) await watched.page.addInitScript(script);
  await watched.page.goto(url);
  await watched.page.evaluate(async ({ options, types }) => {
    const { createPeerManager } = await import("/pkg/index.js");
    const node = await createPeerManager(options);
    const events = /** @type {any[]} */ ([]);
    globalThis.demo = { node, events };
    for (const type of types) node.addEventListener(type, ({ detail }) => events.push({ type, detail, at: Date.now(), seq: events.length }));
    await node.start();
  }, { options, types: EVENTS });
  return new Bare(watched);
}

/**
 * A test with a fleet and a blank page on it, whose node is ready. The page's console must stay as it is expected.
 *
 * @param {() => import("playwright-core").Browser} browser
 * @param {string} name
 * @param {{ fleet?: Parameters<typeof startFleet>[0], node?: object, expect?: RegExp[] }} options
 * @param {(world: { fleet: import("./fleet.mjs").Fleet, page: Bare }) => Promise<unknown>} work
 */
export function bareTest(browser, name, options, work) {
  test(name, async () => {
    const fleet = await startFleet({ www: BLANK, ...options.fleet });
    let page;
    try {
      page = await openBare(browser(), fleet.url, { ...(await optionsOf(fleet)), ...options.node }, { expect: options.expect });
      await page.ready();
      await work({ fleet, page });
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
