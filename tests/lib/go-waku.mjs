/**
 * Real go-waku nodes on loopback: relay, lightpush, filter and peer exchange over WebSocket, each with its REST API.
 *
 * Flags that are not obvious: `--ip-colocation-limit 0`, because all share one address; `--filter-timeout 0s`, because
 * 0.10.1 otherwise drops, each minute, the subscribers that it has seen lately; discv5, because that is where its
 * answers to peer exchange come from.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { createSocket } from "node:dgram";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GO_WAKU_BIN } from "./paths.mjs";
import { start } from "./process.mjs";

export const CLUSTER = 42;
export const SHARD = 0;
export const PUBSUB_TOPIC = `/waku/2/rs/${CLUSTER}/${SHARD}`;
/** A mesh of freshly started nodes forms within a few heartbeats of one second. */
const MESH_LIMIT_MS = 120_000;

async function freeTcpPort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function freeUdpPort() {
  const socket = createSocket("udp4");
  await new Promise((resolve) => socket.bind(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = socket.address();
  await new Promise((resolve) => socket.close(() => resolve(undefined)));
  return port;
}

/** One go-waku node. */
export class GoWaku {
  /** @type {import("./process.mjs").Running | undefined} */
  #process;
  #folder = mkdtempSync(join(tmpdir(), "go-waku-"));

  /**
   * @param {{ tcp: number, ws: number, rest: number, udp: number }} ports
   */
  constructor(ports) {
    this.ports = ports;
    this.key = randomBytes(32).toString("hex");
    /** As the node says itself. */
    this.enr = "";
    this.peerId = "";
    /** What a browser dials. */
    this.wsAddress = "";
    /** What the other nodes dial. */
    this.tcpAddress = "";
  }

  /** @param {GoWaku[]} others that run already */
  async start(others = []) {
    const flags = {
      "--address": "127.0.0.1",
      "--tcp-port": this.ports.tcp,
      "--websocket-address": "127.0.0.1",
      "--websocket-port": this.ports.ws,
      "--nodekey": this.key,
      "--nat": "none",
      "--cluster-id": CLUSTER,
      "--pubsub-topic": PUBSUB_TOPIC,
      "--ip-colocation-limit": 0,
      "--filter-timeout": "0s",
      "--rest-address": "127.0.0.1",
      "--rest-port": this.ports.rest,
      "--discv5-udp-port": this.ports.udp,
      "--log-encoding": "nocolor",
    };
    const args = ["--websocket-support", "--relay", "--lightpush", "--filter", "--peer-exchange", "--rest", "--rest-admin", "--discv5-discovery"];
    for (const [flag, value] of Object.entries(flags)) args.push(`${flag}=${value}`);
    for (const other of others) args.push(`--staticnode=${other.tcpAddress}`, `--discv5-bootstrap-node=${other.enr}`);
    if (!existsSync(GO_WAKU_BIN)) throw new Error(`${GO_WAKU_BIN} is missing: bash tests/lib/setup.sh build_go_waku`);
    // Everything is up when its version and addresses have been printed; REST follows within moments, and is asked.
    this.#process = await start(GO_WAKU_BIN, args, { ready: /listening|enr:/i, cwd: this.#folder });
    const info = await this.#eventually("its REST API answers", () => this.rest("GET", "/debug/v1/info"));
    this.enr = info.enrUri;
    for (const address of info.listenAddresses) {
      if (address.includes("/ws/")) this.wsAddress = address;
      else if (address.includes("/tcp/")) this.tcpAddress = address;
    }
    this.peerId = this.tcpAddress.split("/p2p/")[1];
    await this.rest("POST", "/relay/v1/subscriptions", [PUBSUB_TOPIC]);
  }

  /** @returns {Promise<any>} */
  async rest(method, path, body) {
    const init = { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) };
    const response = await fetch(`http://127.0.0.1:${this.ports.rest}${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`go-waku: ${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Publishes by relay, as a node of the network does. */
  async publish(contentTopic, text) {
    const message = { payload: Buffer.from(text).toString("base64"), contentTopic, timestamp: Date.now() * 1_000_000 };
    await this.rest("POST", `/relay/v1/messages/${encodeURIComponent(PUBSUB_TOPIC)}`, message);
  }

  /** Waits until this node has seen a text on a content topic. What it saw before is taken out by asking. */
  async sees(contentTopic, text) {
    const payload = Buffer.from(text).toString("base64");
    return this.#eventually(`it has seen ${JSON.stringify(text)}`, async () => {
      const messages = (await this.rest("GET", `/relay/v1/messages/${encodeURIComponent(PUBSUB_TOPIC)}`)) ?? [];
      return messages.find((message) => message.contentTopic === contentTopic && message.payload === payload);
    });
  }

  /** @returns {Promise<any[]>} the peers that it holds */
  peers() {
    return this.rest("GET", "/admin/v1/peers");
  }

  async #eventually(what, ask) {
    const end = Date.now() + MESH_LIMIT_MS;
    for (let last; ; await sleep(200)) {
      try {
        const answer = await ask();
        if (answer) return answer;
      } catch (error) {
        last = error;
      }
      if (Date.now() > end) throw new Error(`go-waku: not so: ${what} (${last})\n${this.#process?.output()}`);
    }
  }

  /** Silent from now on, with its connections open, as a machine that hangs. */
  freeze() {
    process.kill(/** @type {import("./process.mjs").Running} */ (this.#process).pid, "SIGSTOP");
  }

  /** Goes on after `freeze`. */
  thaw() {
    process.kill(/** @type {import("./process.mjs").Running} */ (this.#process).pid, "SIGCONT");
  }

  /** At once, as a machine that loses its power: no goodbye. */
  async kill() {
    await this.#process?.stop("SIGKILL");
  }

  async stop() {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * Starts nodes of one relay mesh, and waits until a message of one reaches all the others.
 *
 * @param {number} count
 * @returns {Promise<GoWaku[]>}
 */
export async function startGoWaku(count) {
  const nodes = [];
  try {
    for (let index = 0; index < count; index++) {
      const ports = { tcp: await freeTcpPort(), ws: await freeTcpPort(), rest: await freeTcpPort(), udp: await freeUdpPort() };
      const node = new GoWaku(ports);
      nodes.push(node);
      await node.start(nodes.slice(0, -1));
    }
    await meshed(nodes);
  } catch (error) {
    for (const node of nodes) await node.stop();
    throw error;
  }
  return nodes;
}

/**
 * Waits until what the first node publishes reaches every other one. Messages of before the mesh are lost for good, so
 * each try is a message of its own.
 *
 * @param {GoWaku[]} nodes
 */
export async function meshed(nodes) {
  const [first, ...others] = nodes;
  const topic = "/lightkeeper/1/mesh/proto";
  const end = Date.now() + MESH_LIMIT_MS;
  const seen = new Set();
  for (let attempt = 0; seen.size < others.length; attempt++) {
    if (Date.now() > end) throw new Error(`go-waku: no relay mesh formed: ${seen.size} of ${others.length} got a message`);
    // Refused while the node has no peer of its topic yet.
    await first.publish(topic, `mesh ${attempt}`).catch(() => {});
    await sleep(500);
    for (const node of others) {
      const messages = (await node.rest("GET", `/relay/v1/messages/${encodeURIComponent(PUBSUB_TOPIC)}`)) ?? [];
      if (messages.length > 0) seen.add(node);
    }
  }
}
