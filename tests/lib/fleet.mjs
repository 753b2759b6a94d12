/** The local network: starts it on ports of its own and speaks its control API. */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { FLEET_BIN, PKG_DIR, WWW_DIR } from "./paths.mjs";
import { start } from "./process.mjs";

/** How long a test waits for something that must come. */
const LIMIT_MS = 60_000;

/**
 * One node, as the control API describes it.
 *
 * @typedef {object} FleetNode
 * @property {string} name
 * @property {"bootstrap" | "all" | "lightpush" | "filter" | "store" | `hostile:${string}`} role
 * @property {boolean} bootstrap
 * @property {string} peerId
 * @property {string} address
 * @property {string} enr
 * @property {string[]} services
 * @property {"running" | "stopped"} state
 * @property {string} fault
 * @property {number} connections
 */

/** @typedef {{ at: number, node: string, kind: string, peer?: string, protocol?: string, detail?: string }} FleetEvent */

export class Fleet {
  /** @type {FleetEvent[]} what the nodes saw, oldest first */
  seen = [];
  #process;
  #abort = new AbortController();

  /**
   * @param {import("./process.mjs").Running} process
   * @param {string} url with a slash at its end
   */
  constructor(process, url) {
    this.#process = process;
    this.url = url;
  }

  /** @returns {Promise<any>} */
  async #request(path, init) {
    const response = await fetch(new URL(path, this.url), init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** @returns {Promise<{ enrtree: string, resolver: string, network: { clusterId: number, numShardsInCluster: number }, nodes: FleetNode[] }>} */
  info() {
    return this.#request("api/fleet");
  }

  /** @returns {Promise<FleetNode[]>} */
  async nodes() {
    return (await this.info()).nodes;
  }

  /** @returns {Promise<FleetNode>} */
  async byPeerId(peerId) {
    const node = (await this.nodes()).find((each) => each.peerId === peerId);
    if (!node) throw new Error(`no node of the fleet has the peer id ${peerId}`);
    return node;
  }

  /** Until every node has seen its last connection end: the far side learns of a close a moment later. */
  async deserted() {
    const end = Date.now() + LIMIT_MS;
    for (;;) {
      const busy = (await this.nodes()).filter(({ connections }) => connections > 0);
      if (busy.length === 0) return;
      if (Date.now() > end) throw new Error(`still connected: ${busy.map(({ name, connections }) => `${name} ${connections}`).join(", ")}`);
      await sleep(100);
    }
  }

  /**
   * @param {string} name
   * @param {"stop" | "start" | "stall" | "refuse" | "busy" | "limited" | "slow" | "wrong-id" | "heal"} action
   * @returns {Promise<FleetNode>}
   */
  act(name, action) {
    return this.#request(`api/nodes/${encodeURIComponent(name)}/${action}`, { method: "POST" });
  }

  /**
   * The most requests of a protocol that one node was asked by one peer within any minute.
   *
   * @param {RegExp} protocol
   */
  mostInAMinute(protocol) {
    const requests = this.seen.filter((event) => event.kind === "request" && protocol.test(event.protocol ?? ""));
    const within = (/** @type {FleetEvent} */ first) =>
      requests.filter(({ node, peer, at }) => node === first.node && peer === first.peer && at >= first.at && at < first.at + 60_000).length;
    return Math.max(0, ...requests.map(within));
  }

  /** @param {"ok" | "down" | "slow" | "lie"} mode */
  async resolver(mode) {
    await this.#request(`api/resolver/${mode}`, { method: "POST" });
  }

  /**
   * Publishes from inside the network, as if another node had sent it.
   *
   * @returns {Promise<string>} the message's hash
   */
  async publish(contentTopic, text) {
    const body = JSON.stringify({ contentTopic, payloadBase64: Buffer.from(text).toString("base64") });
    const { hash } = await this.#request("api/publish", { method: "POST", headers: { "content-type": "application/json" }, body });
    return hash;
  }

  /** Follows what the nodes see until the fleet stops. Resolves when the stream is open. */
  async watch() {
    const response = await fetch(new URL("api/events", this.url), { signal: this.#abort.signal });
    if (!response.ok || !response.body) throw new Error(`api/events: ${response.status}`);
    const follow = async () => {
      let rest = "";
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) if (line.startsWith("data:")) this.seen.push(JSON.parse(line.slice(5)));
      }
    };
    // Ends with the fleet: by abort, or because it was stopped.
    follow().catch(() => {});
  }

  async stop() {
    this.#abort.abort();
    await this.#process.stop();
  }
}

/**
 * Starts a fleet on ephemeral ports. Keys, and with them who is who, depend on the seed.
 *
 * @param {{ nodes?: number, seed?: number, www?: string, pkg?: string, args?: string[] }} [options]
 * @returns {Promise<Fleet>}
 */
export async function startFleet({ nodes = 8, seed = 1, www = WWW_DIR, pkg = PKG_DIR, args = [] } = {}) {
  if (!existsSync(FLEET_BIN)) throw new Error(`${FLEET_BIN} is missing: bash tests/lib/setup.sh build_fleet`);
  const flags = ["--port", "0", "--nodes", `${nodes}`, "--seed", `${seed}`, "--www", www, "--pkg", pkg, "--until-stdin-closes"];
  const process = await start(FLEET_BIN, [...flags, ...args], { ready: /^ready (http:\/\/\S+)/ });
  const fleet = new Fleet(process, process.ready[1]);
  await fleet.watch();
  return fleet;
}
