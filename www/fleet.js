/**
 * Client of the local network's control API, which the server of this page offers (`src/fleet`). A real dapp has nothing
 * like it: it is here so that you can break things and watch the node in this page cope.
 */

/**
 * @typedef {"stop" | "start" | "stall" | "refuse" | "busy" | "limited" | "slow" | "wrong-id" | "heal"} Action
 * @typedef {"ok" | "down" | "slow" | "lie"} ResolverMode
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
 * @property {"none" | "stall" | "refuse" | "busy" | "limited" | "slow" | "wrong-id"} fault
 * @property {number} connections
 *
 * @typedef {object} Fleet
 * @property {string} enrtree
 * @property {string} resolver
 * @property {ResolverMode} [resolverMode]
 * @property {{ clusterId: number, numShardsInCluster: number }} network
 * @property {FleetNode[]} nodes
 *
 * @typedef {object} Sighting what one node of the fleet saw
 * @property {number} at epoch milliseconds
 * @property {string} node
 * @property {"connect" | "disconnect" | "request" | "answer" | "push" | "fault" | "state"} kind
 * @property {string} [peer]
 * @property {string} [protocol]
 * @property {string} [detail]
 */

/** An answer of the control API that is not a success. */
export class FleetError extends Error {
  name = "FleetError";

  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.code = `http-${status}`;
  }
}

/** @param {Uint8Array} bytes */
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

export class FleetApi {
  /** @param {string} [base] origin of the API; by default the page's own */
  constructor(base = "") {
    this.base = base;
  }

  /**
   * @param {string} path
   * @param {unknown} [body] makes it a POST
   * @returns {Promise<any>}
   */
  async #call(path, body) {
    const response = await fetch(`${this.base}/api/${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
    });
    const answer = await response.json().catch(() => undefined);
    if (!response.ok) throw new FleetError(answer?.error ?? response.statusText, response.status);
    return answer;
  }

  /** @returns {Promise<Fleet>} */
  fleet() {
    return this.#call("fleet");
  }

  /**
   * @param {string} name
   * @param {Action} action
   * @returns {Promise<FleetNode>}
   */
  act(name, action) {
    return this.#call(`nodes/${encodeURIComponent(name)}/${action}`, {});
  }

  /** @param {ResolverMode} mode */
  resolver(mode) {
    return this.#call(`resolver/${mode}`, {});
  }

  /**
   * Publishes from inside the fleet, as if another participant had sent it.
   * @param {{ contentTopic: string, payload: Uint8Array, ephemeral?: boolean }} message
   * @returns {Promise<{ hash: string }>}
   */
  publish({ contentTopic, payload, ephemeral }) {
    return this.#call("publish", { contentTopic, payloadBase64: base64(payload), ephemeral });
  }

  /**
   * What the fleet's nodes see, from now on.
   * @param {(sighting: Sighting) => void} onSighting
   * @returns {() => void} ends it
   */
  watch(onSighting) {
    const source = new EventSource(`${this.base}/api/events`);
    source.onmessage = ({ data }) => onSighting(JSON.parse(data));
    return () => source.close();
  }
}
