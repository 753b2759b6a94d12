/**
 * The node as dapps see it: a mailbox in front of one node of the wasm. Requests go in as numbered messages, and each
 * number gets one reply; events, messages and log records come out of the same sink.
 *
 * @import { CallOptions, EnrollSpec, EventLog, Explanation, Health, Limits, LightNodeOptions, LogRecord, Need, NodeEvent, PeerFailure, PeerInfo,
 *   Priority, ReadyOptions, RequirementName, ResolvedOptions, Stats } from "./index.js"
 * @import { Instance } from "./instance.js"
 */

import { checkAddress, checkCall, checkHint, checkName, checkPeerId, checkPriority, checkReady, checkRequirement, checkRoute, checkStats } from "./arguments.js";
import { checkText } from "./check.js";
import { makeConnections, makeInitialSync } from "./connections.js";
import { Enrollments } from "./enrollments.js";
import { History } from "./history.js";
import { Lifecycle, orAbort } from "./lifecycle.js";
import { Mailbox } from "./mailbox.js";
import { REQUIREMENTS, forWasm, resolveLimits, resolveNeed, resolveOptions } from "./options.js";
import { Services } from "./services.js";
import { Latest, Stream } from "./streams.js";

/** Only this file makes nodes. */
const OURS = Symbol();

/** @type {(node: LightNode) => void} */
let free;
/** @type {(node: LightNode) => { instance: Instance, handle: number }} */
let inside;

/**
 * @param {() => Promise<Instance>} load
 * @param {LightNodeOptions | undefined} given
 * @param {boolean} start
 */
export async function createNode(load, given, start) {
  const { options, onLog, signal } = resolveOptions(given);
  signal?.throwIfAborted();
  const instance = await orAbort(load(), signal);
  const node = new LightNode(OURS, instance, options, onLog);
  try {
    if (start) await node.start({ signal });
    return node;
  } catch (error) {
    free(node);
    throw error;
  }
}

/**
 * For the exports of test builds.
 *
 * @param {LightNode} node
 */
export const internals = (node) => inside(node);

export class LightNode extends EventTarget {
  #mailbox;
  #life;
  #services;
  #enrollments;
  #onLog;
  /** @type {Promise<void> | undefined} */
  #closing;
  /** @type {Set<Stream<NodeEvent>>} */
  #streams = new Set();
  /** @type {Set<Stream<PeerFailure>>} */
  #failures = new Set();
  /** @type {Set<Latest<PeerInfo[]>>} */
  #watchers = new Set();
  /** Messages of the wasm that wait to be worked off. @type {any[]} */
  #inbox = [];

  static {
    free = (node) => node.#free();
    inside = (node) => node.#mailbox;
  }

  /**
   * @param {symbol} key
   * @param {Instance} instance
   * @param {ResolvedOptions} options
   * @param {((record: LogRecord) => void) | undefined} onLog
   */
  constructor(key, instance, options, onLog) {
    if (key !== OURS) throw new TypeError("make a node with createLightNode()");
    super();
    this.#onLog = onLog ?? (options.log === "off" ? undefined : logToConsole);
    const handle = instance.enter("create", forWasm(options), (/** @type {any} */ message) => {
      // The wasm is on the stack here. Listeners run after it, so that they may call the node again.
      if (this.#inbox.push(message) === 1) queueMicrotask(() => this.#inbox.splice(0).forEach((each) => this.#receive(each)));
    });
    this.#mailbox = new Mailbox(instance, handle);
    /** Our peer id on the network; another one for each node. */
    this.peerId = /** @type {string} */ (this.#mailbox.query("peerId"));
    instance.onCrash.add(this.#onCrash);

    const log = (/** @type {string} */ message) => this.#log({ level: "error", target: "lightkeeper", message });
    const life = (this.#life = new Lifecycle(this.#mailbox, log, () => this.#peersChanged()));
    const services = (this.#services = new Services(life, options.network, (gap) => queueMicrotask(() => this.#emit("filter:gap", gap))));
    const history = new History(life, options.network);
    this.#enrollments = new Enrollments(life);
    this.lightPush = Object.freeze({ send: services.send.bind(services) });
    this.filter = Object.freeze({ subscribe: services.subscribe.bind(services) });
    this.store = Object.freeze({ query: history.query.bind(history), has: history.has.bind(history) });
    this.connections = makeConnections(life);
    this.initialSync = makeInitialSync(life);
  }

  // --- life ---------------------------------------------------------------------------------------------------------

  /** @param {{ signal?: AbortSignal }} [options] */
  async start(options) {
    await this.#life.switch("running", options);
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  async stop(options) {
    await this.#life.switch("stopped", options);
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  async close(options) {
    const { signal } = checkCall(options, []);
    signal?.throwIfAborted();
    await orAbort((this.#closing ??= this.#close()), signal);
  }

  async [Symbol.asyncDispose ?? Symbol.for("Symbol.asyncDispose")]() {
    await this.close();
  }

  async #close() {
    if (this.#life.hasCrashed) return;
    this.#life.close();
    this.#services.close();
    this.#enrollments.close();
    // A failure to close in order changes nothing: it is freed all the same.
    await this.#mailbox.call("close").catch(() => {});
    this.#free();
  }

  /** Gives everything back at once. */
  #free() {
    this.#closing ??= Promise.resolve();
    this.#life.close();
    const { instance, handle } = this.#mailbox;
    instance.onCrash.delete(this.#onCrash);
    try {
      instance.enter("destroy", handle);
    } catch {
      // It crashed, which freed everything too.
    }
    this.#letGo();
  }

  /** @param {import("./errors.js").LightNodeError} crash */
  #onCrash = (crash) => {
    const wasOpen = this.#life.isOpen;
    this.#life.crash(crash);
    this.#services.fail(crash);
    this.#enrollments.fail(crash);
    // The trap may have come out of a call that is still on the stack; listeners run after it.
    queueMicrotask(() => {
      if (wasOpen) this.#emit("node:crash", { message: crash.message });
      this.#letGo();
    });
  };

  #letGo() {
    for (const reader of [...this.#streams, ...this.#failures, ...this.#watchers]) reader.finish();
  }

  // --- state --------------------------------------------------------------------------------------------------------

  /** @param {ReadyOptions} [options] */
  async ready(options) {
    await this.#life.request("ready", checkReady(options, this.#requirements()), options?.signal);
  }

  /** @returns {Health} */
  health() {
    return this.#life.query("health");
  }

  /** @returns {PeerInfo[]} */
  peers() {
    return this.#life.query("peers");
  }

  /**
   * @param {string} id
   * @returns {PeerInfo | undefined}
   */
  peer(id) {
    return this.#life.query("peer", checkPeerId(id));
  }

  /**
   * @param {string} id
   * @returns {Explanation | undefined}
   */
  explain(id) {
    return this.#life.query("explain", checkPeerId(id));
  }

  /**
   * @param {{ decisions?: number }} [options]
   * @returns {Stats}
   */
  stats(options) {
    const decisions = String(checkStats(options));
    return { ...this.#life.query("stats"), protocols: this.#life.query("protocols"), decisions: this.#life.query("decisions", decisions) };
  }

  /** @returns {EventLog} */
  record() {
    return { bytes: this.#life.query("record"), at: Date.now() };
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  events(options) {
    return this.#stream(this.#streams, options, ({ count }) => /** @type {NodeEvent} */ ({ type: "events:dropped", detail: { count }, at: Date.now() }));
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  errors(options) {
    return this.#stream(this.#failures, options);
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  watchPeers(options) {
    const { signal } = checkCall(options, []);
    this.#life.throwIfOver();
    const watchers = this.#watchers;
    /** @type {Latest<PeerInfo[]>} */
    const watcher = new Latest({ signal, onEnd: (ended) => watchers.delete(ended) }, () => this.#peersUnlessOver());
    if (!signal?.aborted) watchers.add(watcher);
    return watcher;
  }

  /** A listener may have closed the node, or it crashed, between a change and the reading of it. */
  #peersUnlessOver() {
    try {
      return this.peers();
    } catch (error) {
      if (this.#life.isOpen) throw error;
    }
  }

  /**
   * @template T
   * @param {Set<Stream<T>>} readers
   * @param {{ signal?: AbortSignal }} [options]
   * @param {(lost: { count: number }) => T} [gap]
   */
  #stream(readers, options, gap) {
    const { signal } = checkCall(options, []);
    this.#life.throwIfOver();
    /** @type {Stream<T>} */
    const stream = new Stream({ signal, onEnd: (ended) => readers.delete(ended), gap });
    if (!signal?.aborted) readers.add(stream);
    return stream;
  }

  // --- wishes -------------------------------------------------------------------------------------------------------

  /** Names of all requirements, those of enrolled protocols among them. @returns {RequirementName[]} */
  #requirements() {
    return [...REQUIREMENTS, ...this.#enrollments.requirements];
  }

  /**
   * @param {string} name
   * @param {Need} need
   */
  setRequirement(name, need) {
    this.#life.order("setRequirement", { name: checkRequirement("name", name, this.#requirements()), need: resolveNeed(name, need) });
  }

  /** @param {Limits} limits */
  setLimits(limits) {
    const { connections, hard, byTransport } = resolveLimits(limits);
    if (connections !== undefined || hard !== undefined) this.#life.order("setLimits", { connections, hard });
    if (byTransport !== undefined) this.connections.setMaxByTransport(byTransport);
  }

  /**
   * @param {EnrollSpec} spec
   * @param {{ signal?: AbortSignal }} [options]
   */
  async enroll(spec, options) {
    return this.#enrollments.enroll(spec, options);
  }

  // --- peers --------------------------------------------------------------------------------------------------------

  /**
   * @param {string} target
   * @param {CallOptions} [options]
   * @returns {Promise<PeerInfo>}
   */
  async dial(target, options) {
    const { signal, timeoutMs } = checkCall(options);
    checkText("target", target, "a peer id, a multiaddr or a node record");
    return this.#life.request("dial", { target, timeoutMs }, signal);
  }

  /**
   * @param {string} id
   * @param {{ signal?: AbortSignal }} [options]
   */
  async hangUp(id, options) {
    const { signal } = checkCall(options, []);
    await this.#life.request("hangUp", { peer: checkPeerId(id) }, signal);
  }

  /** @param {string} id */
  keep(id) {
    this.#life.order("keep", { peer: checkPeerId(id) });
  }

  /**
   * @param {string} id
   * @param {string} address
   */
  addRoute(id, address) {
    this.#life.order("addRoute", { peer: checkPeerId(id), address: checkRoute(id, address) });
  }

  /**
   * @param {string} id
   * @param {string} address
   */
  removeRoute(id, address) {
    this.#life.order("removeRoute", { peer: checkPeerId(id), address: checkAddress(id, address) });
  }

  /** @param {string} id */
  forget(id) {
    this.#life.order("forget", { peer: checkPeerId(id) });
  }

  /**
   * @param {string} id
   * @param {Priority} priority
   */
  setPriority(id, priority) {
    this.#life.order("setPriority", { peer: checkPeerId(id), priority: checkPriority(priority) });
  }

  /**
   * @param {string} id
   * @param {string} tag
   */
  protect(id, tag) {
    this.#life.order("protect", { peer: checkPeerId(id), tag: checkName("tag", tag) });
  }

  /**
   * @param {string} id
   * @param {string} tag
   */
  unprotect(id, tag) {
    this.#life.order("unprotect", { peer: checkPeerId(id), tag: checkName("tag", tag) });
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {{ value: number, ttlMs?: number }} hint
   */
  tag(id, name, hint) {
    this.#life.order("tag", { peer: checkPeerId(id), name: checkName("name", name), ...checkHint(hint) });
  }

  // --- what the wasm says -------------------------------------------------------------------------------------------

  /** @param {any} message */
  #receive(message) {
    switch (message.kind) {
      case "reply":
        // Aborted while its reply was under way: nobody would ever end what was made.
        if (!this.#mailbox.settle(message) && message.ok) this.#giveBack(message.ok);
        return;
      case "event":
        return this.#emit(message.type, message.detail);
      case "message":
        return this.#services.onMessage(message);
      case "subscription":
        return this.#services.onSubscription(message);
      case "offer":
        return this.#enrollments.onOffer(message);
      case "lock":
        return this.#enrollments.onLock(message);
      case "burst":
        return this.#enrollments.onBurst(message);
      case "scores":
        return void this.#enrollments.onScores(message);
      case "log":
        return this.#log(message);
    }
  }

  /** @param {{ subscription?: number, enrollment?: number, lock?: number, burst?: number }} made */
  #giveBack({ subscription, enrollment, lock, burst }) {
    if (!this.#life.isOpen) return;
    if (subscription !== undefined) this.#life.call("unsubscribe", { subscription }).catch(() => {});
    if (enrollment !== undefined) this.#life.giveBack("withdraw", { enrollment });
    if (lock !== undefined) this.#life.giveBack("unlock", { lock });
    if (burst !== undefined) this.#life.giveBack("burstClose", { burst });
  }

  /**
   * @param {string} type
   * @param {any} detail
   */
  #emit(type, detail) {
    const at = Date.now();
    for (const stream of this.#streams) stream.push(/** @type {NodeEvent} */ ({ type, detail, at }));
    if (type === "peer:fail") for (const stream of this.#failures) stream.push({ ...detail, at });
    if (/^(peer|requirement|network):/.test(type)) this.#peersChanged();
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #peersChanged() {
    for (const watcher of this.#watchers) watcher.changed();
  }

  /** @param {LogRecord} record */
  #log({ level, target, message }) {
    try {
      this.#onLog?.({ level, target, message });
    } catch (error) {
      reportError(error);
    }
  }
}

/** @param {LogRecord} record */
function logToConsole({ level, target, message }) {
  console[level](`[${target}] ${message}`);
}
