/**
 * The demo page as a test drives it: through its buttons where a user would, through `demo.node` (the package's own
 * surface) and `demo.events` (everything the node said) where only a program could tell.
 */
import assert from "node:assert/strict";
import { LIMIT_MS, newPage } from "./browser.mjs";

/** @typedef {{ type: string, detail: any, at: number, seq: number, index: number }} NodeEvent */
/** @typedef {Record<string, unknown>} Match fields that the event's detail must have, compared as JSON */

export class Demo {
  /** @param {import("./browser.mjs").WatchedPage} watched */
  constructor(watched) {
    this.watched = watched;
    this.page = watched.page;
  }

  /** @param {string} id */
  at(id) {
    return this.page.getByTestId(id);
  }

  /**
   * Runs in the page, with the page's node as first argument.
   *
   * @template T, A
   * @param {(node: any, argument: A) => T | Promise<T>} work
   * @param {A} [argument]
   * @returns {Promise<T>}
   */
  withNode(work, argument) {
    // The function's own text is what runs there, whatever it is called with.
    return this.page.evaluate(`(async (argument) => (${work})(globalThis.demo.node, argument))(${JSON.stringify(argument) ?? "undefined"})`);
  }

  /** Until every target holds, by peers that serve. */
  ready() {
    return this.withNode((node, timeoutMs) => node.ready({ timeoutMs }), LIMIT_MS);
  }

  /** @returns {Promise<any[]>} */
  peers() {
    return this.withNode((node) => node.peers());
  }

  /** @returns {Promise<any[]>} */
  async connected() {
    return (await this.peers()).filter(({ state }) => state === "connected");
  }

  /** @returns {Promise<any>} */
  health() {
    return this.withNode((node) => node.health());
  }

  /** @returns {Promise<Record<string, string[]>>} by requirement, the peers that serve it */
  async serving() {
    const { requirements } = await this.health();
    return Object.fromEntries(requirements.map((/** @type {any} */ { name, peers }) => [name, peers]));
  }

  /** @returns {Promise<NodeEvent[]>} */
  events() {
    return this.page.evaluate(() => globalThis.demo.events.map((event, index) => ({ ...event, index })));
  }

  /** How many events there are: what comes later is what a test caused. */
  mark() {
    return this.page.evaluate(() => globalThis.demo.events.length);
  }

  /**
   * Waits for an event; one that has come already counts unless `from` says otherwise.
   *
   * @param {string} type
   * @param {Match} [match]
   * @param {{ from?: number, limitMs?: number }} [options] `from` as `mark` gave it
   * @returns {Promise<NodeEvent>}
   */
  async event(type, match = {}, { from = 0, limitMs = LIMIT_MS } = {}) {
    try {
      const handle = await this.page.waitForFunction(
        ({ type, match, from }) => {
          const index = globalThis.demo.events.findIndex(
            (event, at) =>
              at >= from && event.type === type && Object.entries(match).every(([key, value]) => JSON.stringify(event.detail?.[key]) === JSON.stringify(value)),
          );
          return index >= 0 && { ...globalThis.demo.events[index], index };
        },
        { type, match, from },
        { timeout: limitMs, polling: 50 },
      );
      return /** @type {NodeEvent} */ (await handle.jsonValue());
    } catch (error) {
      throw new Error(`no ${type} ${JSON.stringify(match)} came: ${/** @type {Error} */ (error).message}\n${await this.story(from)}`);
    }
  }

  /**
   * @param {string} type
   * @param {Match} [match]
   * @param {number} [from]
   * @returns {Promise<NodeEvent[]>}
   */
  async eventsOf(type, match = {}, from = 0) {
    const same = (/** @type {NodeEvent} */ { detail }) => Object.entries(match).every(([key, value]) => JSON.stringify(detail?.[key]) === JSON.stringify(value));
    return (await this.events()).filter((event) => event.index >= from && event.type === type && same(event));
  }

  /** What happened, for a failure's message. */
  async story(from = 0) {
    const events = await this.events().catch(() => []);
    const lines = events.slice(from).map(({ type, detail }) => `${type} ${JSON.stringify(detail)}`);
    const health = await this.health().catch((error) => String(error));
    return [...lines.slice(-60), `health: ${JSON.stringify(health)}`, `console: ${JSON.stringify(this.watched.console.slice(-10))}`].join("\n");
  }

  /**
   * Waits until the node's state is as a predicate wants it.
   *
   * @template A
   * @param {string} what for the failure's message
   * @param {(node: any, argument: A) => unknown} predicate runs in the page
   * @param {A} [argument]
   */
  async until(what, predicate, argument) {
    try {
      await this.page.waitForFunction(`(${predicate})(globalThis.demo.node, ${JSON.stringify(argument) ?? "undefined"})`, undefined, { timeout: LIMIT_MS, polling: 50 });
    } catch (error) {
      throw new Error(`not so: ${what}: ${/** @type {Error} */ (error).message}\n${await this.story()}`);
    }
  }

  /** Nothing stands on the console but what the test said that the browser would print. */
  assertConsole() {
    assert.deepEqual(this.watched.unexpectedOnConsole(), []);
  }

  async close() {
    await this.watched.close();
  }
}

/**
 * Opens the demo, and waits until its node exists.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {string} url where the page is served
 * @param {{ query?: Record<string, string>, context?: import("playwright-core").BrowserContextOptions, expect?: RegExp[] }} [options]
 * @returns {Promise<Demo>}
 */
export async function openDemo(browser, url, { query = {}, context, expect = [] } = {}) {
  const watched = await newPage(browser, context);
  watched.expectOnConsole(...expect);
  const address = new URL(url);
  for (const [key, value] of Object.entries(query)) address.searchParams.set(key, value);
  await watched.page.goto(address.href);
  const demo = new Demo(watched);
  try {
    // `demo.node` throws until there is one.
    await watched.page.waitForFunction(() => { try { return globalThis.demo.node !== undefined; } catch { return false; } }, undefined, { polling: 20 });
  } catch (error) {
    throw new Error(`the page made no node: ${/** @type {Error} */ (error).message}\n${JSON.stringify(watched.console)}`);
  }
  return demo;
}
