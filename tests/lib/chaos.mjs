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
/** The share of disturbances that hit somebody whom the page needs just then. */
const FELT = 0.75;
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
  #seed;
  #fleet;
  #inUse;
  /** @type {import("./fleet.mjs").FleetNode[]} */
  #honest = [];
  /** Nodes that lie whenever they run. They are away but for their turns. @type {import("./fleet.mjs").FleetNode[]} */
  #liars = [];

  /**
   * @param {import("./fleet.mjs").Fleet} fleet
   * @param {number} seed
   * @param {() => Promise<string[]>} inUse the peer ids of whom the page needs at a time
   */
  constructor(fleet, seed, inUse) {
    this.#fleet = fleet;
    this.#inUse = inUse;
    this.#seed = seed;
  }

  /** Before anybody connects. */
  async prepare() {
    for (const node of await this.#fleet.nodes()) (node.role.startsWith("hostile") ? this.#liars : this.#honest).push(node);
    for (const { name } of this.#liars) await this.#fleet.act(name, "stop");
  }

  /** Disturbs until a time, and leaves every node well. */
  async run(/** @type {number} */ until) {
    // Numbers of its own for each, so that neither depends on when the other took one.
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => this.#disturbInTurn(until, seeded(this.#seed * AT_ONCE + index))));
  }

  async #disturbInTurn(/** @type {number} */ until, /** @type {() => number} */ random) {
    const between = (/** @type {{ least: number, most: number }} */ { least, most }) => least + random() * (most - least);
    const pick = (/** @type {readonly any[]} */ from) => from[Math.floor(random() * from.length)];
    while (Date.now() < until) {
      const [pauseMs, kind, lastsMs] = [between(PAUSE_MS), pick([...KINDS, ...(this.#liars.length > 0 ? ["lie"] : [])]), between(DISTURBED_MS)];
      const [isFelt, drawn] = [random() < FELT, random()];
      await sleep(pauseMs);
      const inUse = kind !== "lie" && isFelt ? await this.#inUse() : [];
      const disturbed = this.done.filter(({ to }) => to === Infinity).map(({ name }) => name);
      const idle = (kind === "lie" ? this.#liars : this.#honest).filter(({ name }) => !disturbed.includes(name));
      const needed = idle.filter(({ peerId }) => inUse.includes(peerId));
      const nodes = needed.length > 0 ? needed : idle;
      const node = nodes[Math.floor(drawn * nodes.length)];
      await this.#disturb(node, kind, lastsMs);
    }
  }

  async #disturb(/** @type {import("./fleet.mjs").FleetNode} */ { name, peerId }, /** @type {string} */ kind, /** @type {number} */ lastsMs) {
    const disturbance = { name, peerId, kind, from: Date.now(), to: Infinity };
    this.done.push(disturbance);
    const [first, ms, last] = {
      lie: /** @type {const} */ (["start", lastsMs, "stop"]),
      stop: /** @type {const} */ (["stop", lastsMs, "start"]),
      restart: /** @type {const} */ (["stop", RESTART_MS, "start"]),
    }[kind] ?? [/** @type {"stall" | "slow" | "busy" | "refuse"} */ (kind), lastsMs, /** @type {const} */ ("heal")];
    await this.#fleet.act(name, first);
    await sleep(ms);
    await this.#fleet.act(name, last);
    disturbance.to = Date.now();
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
