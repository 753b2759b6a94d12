/**
 * The node of this page and what belongs to it. There is one node at a time; after a crash, or after options that were
 * wrong, a new one is made here.
 *
 * Views read `snapshot()`; anything that may have changed calls `changed()`.
 */

import { createPeerManager } from "lightkeeper";
import { nodeOptions } from "./settings.js";
import { EVENT_TYPES } from "./words.js";

/**
 * @typedef {import("lightkeeper").LightNode} LightNode
 * @typedef {import("lightkeeper").PeerInfo} PeerInfo
 * @typedef {import("./fleet.js").Fleet} Fleet
 * @typedef {import("./fleet.js").FleetApi} FleetApi
 *
 * @typedef {{ type: string, detail: any, at: number, seq: number }} LoggedEvent `at` in epoch milliseconds
 *
 * @typedef {object} Snapshot
 * @property {boolean} running
 * @property {ReturnType<LightNode["health"]>} health
 * @property {PeerInfo[]} peers
 * @property {Partial<ReturnType<LightNode["stats"]>>} stats
 * @property {import("lightkeeper").Explanation} [explanation] of the peer that was picked
 */

/** Events kept for the log and for tests; the oldest go first. */
const MAX_EVENTS = 5000;

/** Decisions that are shown. */
const DECISIONS = 50;

/** @returns {Snapshot} */
const nothing = () => ({
  running: false,
  health: { state: "unmet", reason: "stopped", requirements: [], online: true },
  peers: [],
  stats: {},
});

export class Session extends EventTarget {
  /** @type {LightNode | undefined} */
  #node;
  #snapshot = nothing();
  #seq = 0;
  /** `performance.now()` of the last start. */
  #startedAt = 0;
  /** Every event of every node of this page. @type {LoggedEvent[]} */
  events = [];
  /** The node's id. @type {string | undefined} */
  peerId;
  /** From the start to the first time that every target was met. @type {number | undefined} */
  readyAfterMs;
  /** What the node said when it crashed. @type {string | undefined} */
  crash;
  /** The peer to explain. @type {string | undefined} */
  picked;
  /** The local network, as last reported. @type {Fleet | undefined} */
  fleet;

  /**
   * @param {import("./settings.js").Settings} settings
   * @param {FleetApi} [api]
   */
  constructor(settings, api) {
    super();
    this.settings = settings;
    this.api = api;
  }

  /** The node; there is none before `create` succeeded. */
  get node() {
    if (!this.#node) throw Object.assign(new Error("there is no node"), { code: "closed" });
    return this.#node;
  }

  get hasNode() {
    return this.#node !== undefined;
  }

  /** The options that the node is made with. */
  get options() {
    return nodeOptions(this.settings, this.fleet);
  }

  /**
   * Makes a node, and starts it unless the address bar says `autostart=0`.
   *
   * `createLightNode` does both at once and is what most dapps want; this page shows every event from the very first,
   * so it listens before it starts.
   */
  async create() {
    const old = this.#node;
    this.#node = undefined;
    this.peerId = undefined;
    this.crash = undefined;
    this.#snapshot = nothing();
    if (old) {
      this.dispatchEvent(new Event("replaced"));
      await old.close().catch(() => {}); // A crashed node cannot even be closed.
    }
    const node = await createPeerManager(this.options);
    this.#node = node;
    this.peerId = node.peerId;
    for (const type of EVENT_TYPES) node.addEventListener(/** @type {any} */ (type), (event) => this.#record(node, /** @type {CustomEvent} */ (event)));
    this.changed();
    if (this.settings.autostart) await this.start();
  }

  async start() {
    this.readyAfterMs = undefined;
    this.#startedAt = performance.now();
    await this.node.start();
    this.changed();
  }

  async stop() {
    await this.node.stop();
    this.changed();
  }

  /**
   * @param {LightNode} node
   * @param {CustomEvent} event
   */
  #record(node, { type, detail }) {
    if (node !== this.#node) return;
    const event = { type, detail, at: Date.now(), seq: this.#seq++ };
    this.events.push(event);
    if (this.events.length > MAX_EVENTS) this.events.shift();
    if (type === "health:change" && detail.new === "met") this.readyAfterMs ??= performance.now() - this.#startedAt;
    if (type === "node:crash") this.crash = detail.message;
    this.dispatchEvent(new CustomEvent("node-event", { detail: event }));
    this.changed();
  }

  /** Something that is shown may be different now. */
  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /**
   * The state of the node, read afresh; of a crashed one, what was last seen of it.
   * @returns {Snapshot}
   */
  snapshot() {
    const node = this.#node;
    if (!node || this.crash !== undefined) return this.#snapshot;
    try {
      const health = node.health();
      const running = health.reason !== "stopped";
      const explanation = this.picked === undefined ? undefined : node.explain(this.picked);
      this.#snapshot = { running, health, peers: node.peers(), stats: node.stats({ decisions: DECISIONS }), explanation };
    } catch (error) {
      // Closed from the console, or crashed a moment ago: `node:crash` follows.
      if (!["closed", "crashed"].includes(/** @type {any} */ (error).code)) throw error;
    }
    return this.#snapshot;
  }
}
