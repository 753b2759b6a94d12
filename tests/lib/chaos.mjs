/**
 * A network in which something goes wrong all the time, one or two nodes at once, and a page that counts what it gets.
 * Everything that is chosen follows from a seed; what comes of it also depends on the machine's timing.
 */
import { setTimeout as sleep } from "node:timers/promises";

/** Numbers from 0 to 1 that follow from a seed (splitmix32). */
export function seeded(/** @type {number} */ seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** How many nodes are disturbed at once at most. */
const AT_ONCE = 2;
/** How long a disturbance and the pause before the next one last. */
const DISTURBED_MS = { least: 4_000, most: 15_000 };
const PAUSE_MS = { least: 500, most: 5_000 };
/** How long a restarted node is away. */
const RESTART_MS = 1_000;
/** A node that was well again for longer than this must not be blamed for anything. */
export const FORGIVEN_AFTER_MS = 60_000;

const KINDS = /** @type {const} */ (["stop", "stall", "slow", "busy", "refuse", "restart"]);

/**
 * @typedef {object} Disturbance
 * @property {string} name of the node
 * @property {string} peerId
 * @property {string} kind
 * @property {number} from epoch milliseconds
 * @property {number} to infinite while it lasts
 */

export class Chaos {
  /** @type {Disturbance[]} */
  done = [];
  #random;
  #fleet;
  /** @type {import("./fleet.mjs").FleetNode[]} */
  #honest = [];
  /** Nodes that lie whenever they run. They are away but for their turns. @type {import("./fleet.mjs").FleetNode[]} */
  #liars = [];

  /**
   * @param {import("./fleet.mjs").Fleet} fleet
   * @param {number} seed
   */
  constructor(fleet, seed) {
    this.#fleet = fleet;
    this.#random = seeded(seed);
  }

  /** Before anybody connects. */
  async prepare() {
    for (const node of await this.#fleet.nodes()) (node.role.startsWith("hostile") ? this.#liars : this.#honest).push(node);
    for (const { name } of this.#liars) await this.#fleet.act(name, "stop");
  }

  /** Disturbs until a time, and leaves every node well. */
  async run(/** @type {number} */ until) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => this.#disturbInTurn(until)));
  }

  async #disturbInTurn(/** @type {number} */ until) {
    while (Date.now() < until) {
      await sleep(this.#between(PAUSE_MS));
      const disturbed = this.done.filter(({ to }) => to === Infinity).map(({ name }) => name);
      const choices = [...KINDS, ...(this.#liars.length > 0 ? ["lie"] : [])];
      const kind = choices[Math.floor(this.#random() * choices.length)];
      const candidates = (kind === "lie" ? this.#liars : this.#honest).filter(({ name }) => !disturbed.includes(name));
      const lastsMs = this.#between(DISTURBED_MS);
      const chosen = this.#random();
      if (candidates.length === 0) continue;
      const { name, peerId } = candidates[Math.floor(chosen * candidates.length)];
      const disturbance = { name, peerId, kind, from: Date.now(), to: Infinity };
      this.done.push(disturbance);
      const act = (/** @type {Parameters<import("./fleet.mjs").Fleet["act"]>[1]} */ action) => this.#fleet.act(name, action);
      if (kind === "lie") {
        await act("start");
        await sleep(lastsMs);
        await act("stop");
      } else if (kind === "stop" || kind === "restart") {
        await act("stop");
        await sleep(kind === "stop" ? lastsMs : RESTART_MS);
        await act("start");
      } else {
        await act(/** @type {"stall" | "slow" | "busy" | "refuse"} */ (kind));
        await sleep(lastsMs);
        await act("heal");
      }
      disturbance.to = Date.now();
    }
  }

  #between(/** @type {{ least: number, most: number }} */ { least, most }) {
    return least + this.#random() * (most - least);
  }

  /** Whether somebody may be blamed at a time: he lies, or was disturbed not long ago. */
  mayBeBlamed(/** @type {string} */ peerId, /** @type {number} */ at) {
    return (
      this.#liars.some((node) => node.peerId === peerId) ||
      this.done.some((each) => each.peerId === peerId && each.from <= at && at <= each.to + FORGIVEN_AFTER_MS)
    );
  }

  nameOf(/** @type {string} */ peerId) {
    return [...this.#honest, ...this.#liars].find((node) => node.peerId === peerId)?.name ?? peerId;
  }
}

/**
 * @typedef {{ text: string, at: number }} Sent `at`: when it was accepted, epoch milliseconds
 * @typedef {{ text: string, at: number, via?: string }} Received in order of arrival
 *
 * @param {Sent[]} sent
 * @param {Received[]} received
 * @returns {{ lost: string[], duplicates: string[], fromStore: number, disorderMs: number, longestGapMs: number }}
 *   `disorderMs`: the longest time by which a message was published before another that had arrived before it;
 *   `longestGapMs`: between two arrivals
 */
export function tally(sent, received) {
  const times = new Map(sent.map(({ text, at }) => [text, at]));
  const seen = new Set();
  const duplicates = [];
  let fromStore = 0;
  let disorderMs = 0;
  let longestGapMs = 0;
  let newest = 0;
  for (const [index, { text, at, via }] of received.entries()) {
    if (seen.has(text)) duplicates.push(text);
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
