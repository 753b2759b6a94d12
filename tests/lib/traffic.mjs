/**
 * Messages that flow while something happens: what others publish and what the page sends itself, numbered, and counted
 * when they have arrived.
 */
import { setTimeout as sleep } from "node:timers/promises";

/**
 * @typedef {{ text: string, at: number }} Sent `at`: when it was published, epoch milliseconds
 * @typedef {{ text: string, at: number, ms: number, error: string }} Send of the page; `ms`: how long it took
 * @typedef {{ text: string, hash: string, at: number, via?: string }} Received in order of arrival
 *
 * @typedef {object} Tally
 * @property {Sent[]} sent that had to arrive, in order of time
 * @property {string[]} refused why others could not publish some
 * @property {Send[]} sends of the page
 * @property {string[]} failed why some of them did not end well
 * @property {number} slowestMs of them
 * @property {string[]} lost
 * @property {string[]} duplicates
 * @property {number} fromStore
 * @property {number} disorderMs the longest time by which a message was published before another that had arrived before it
 * @property {number} longestGapMs between two arrivals
 * @property {number} stalledMs how long the page itself stood still at most: a busy machine's doing, not the node's
 * @property {number} slowestPublishMs how long the fleet took at most to take a message of somebody else
 */

/** How often a page looks whether it stands still. */
const PROBE_MS = 50;

export class Traffic {
  #page;
  #publish;
  #topic;
  #isOver = false;
  /** @type {Sent[]} */
  #others = [];
  /** @type {string[]} */
  #refused = [];
  #slowestPublishMs = 0;
  /** @type {Promise<void>} */
  #publishing = Promise.resolve();

  /**
   * @param {import("./bare.mjs").Bare} page
   * @param {string} topic
   * @param {(text: string) => Promise<unknown>} publish as somebody else of the network
   */
  constructor(page, topic, publish) {
    this.#page = page;
    this.#topic = topic;
    this.#publish = publish;
  }

  /**
   * Subscribes and begins.
   *
   * @param {{ othersEveryMs: number, ownEveryMs: number, subscribe?: object, send?: object }} options
   */
  async start({ othersEveryMs, ownEveryMs, subscribe, send }) {
    await this.#page.listen([this.#topic], subscribe);
    await this.#page.withNode((node, { topic, everyMs, probeMs, send }) => {
      globalThis.sends = [];
      globalThis.stalledMs = 0;
      let number = 0;
      globalThis.sending = setInterval(() => {
        const text = `own ${number++}`;
        const entry = { text, at: Date.now(), ms: -1, error: "" };
        globalThis.sends.push(entry);
        const began = performance.now();
        node.lightPush
          .send({ contentTopic: topic, payload: new TextEncoder().encode(text) }, send)
          .catch((/** @type {any} */ error) => { entry.error = `${error.code}: ${error.message}`; })
          .finally(() => { entry.ms = performance.now() - began; });
      }, everyMs);
      let last = performance.now();
      globalThis.probe = setInterval(() => {
        globalThis.stalledMs = Math.max(globalThis.stalledMs, performance.now() - last - probeMs);
        last = performance.now();
      }, probeMs);
    }, { topic: this.#topic, everyMs: ownEveryMs, probeMs: PROBE_MS, send });
    this.#publishing = this.#publishOn(othersEveryMs);
  }

  /** At the pace that was asked for, however long each takes. */
  async #publishOn(/** @type {number} */ everyMs) {
    const began = Date.now();
    for (let number = 0; !this.#isOver; number++) {
      const text = `other ${number}`;
      const asked = Date.now();
      // What a node would not take is not under way.
      await this.#publish(text).then(
        () => this.#others.push({ text, at: Date.now() }),
        (error) => this.#refused.push(String(error)),
      );
      this.#slowestPublishMs = Math.max(this.#slowestPublishMs, Date.now() - asked);
      await sleep(Math.max(0, began + (number + 1) * everyMs - Date.now()));
    }
  }

  /**
   * Ends it, waits until all has arrived or nothing more will, and counts.
   *
   * @param {number} settleMs how long what is under way may take
   * @returns {Promise<Tally>}
   */
  async end(settleMs) {
    this.#isOver = true;
    await this.#publishing;
    const { page } = this.#page;
    await page.evaluate(() => clearInterval(globalThis.sending));
    await this.#page.until("every send has ended", () => globalThis.sends.every((/** @type {any} */ each) => each.ms >= 0));
    const sends = /** @type {Send[]} */ (await page.evaluate(() => globalThis.sends));
    const accepted = sends.filter(({ error }) => error === "");
    const sent = [...this.#others, ...accepted].sort((a, b) => a.at - b.at);
    const end = Date.now() + settleMs;
    while (Date.now() < end && (await page.evaluate(() => globalThis.received.length)) < sent.length) await sleep(250);
    // What comes twice comes later.
    await sleep(1_000);
    const stalledMs = await page.evaluate(() => (clearInterval(globalThis.probe), globalThis.stalledMs));
    return {
      sent,
      refused: this.#refused,
      sends,
      failed: sends.filter(({ error }) => error !== "").map(({ text, error }) => `${text}: ${error}`),
      slowestMs: Math.max(0, ...sends.map(({ ms }) => ms)),
      ...tally(sent, await this.#page.received()),
      stalledMs,
      slowestPublishMs: this.#slowestPublishMs,
    };
  }
}

/**
 * @param {Sent[]} sent
 * @param {Received[]} received
 */
export function tally(sent, received) {
  const times = new Map(sent.map(({ text, at }) => [text, at]));
  const seen = new Set();
  const hashes = new Set();
  const duplicates = [];
  let fromStore = 0;
  let disorderMs = 0;
  let longestGapMs = 0;
  let newest = 0;
  for (const [index, { text, hash, at, via }] of received.entries()) {
    if (hashes.has(hash)) duplicates.push(text);
    hashes.add(hash);
    seen.add(text);
    if (via === "store") fromStore++;
    if (index > 0) longestGapMs = Math.max(longestGapMs, at - received[index - 1].at);
    const published = times.get(text);
    if (published === undefined) continue;
    disorderMs = Math.max(disorderMs, newest - published);
    newest = Math.max(newest, published);
  }
  return { lost: sent.map(({ text }) => text).filter((text) => !seen.has(text)), duplicates, fromStore, disorderMs, longestGapMs };
}

/** Numbers beside their names, one a line. */
export function table(/** @type {Record<string, unknown>} */ rows) {
  return Object.entries(rows)
    .map(([name, value]) => `${name.padEnd(24)} ${String(typeof value === "number" ? Math.round(value) : value).padStart(10)}`)
    .join("\n");
}
