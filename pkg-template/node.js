/**
 * The node as dapps see it: a mailbox in front of one node of the wasm. Requests go in as numbered messages, and each
 * number gets one reply; events, messages and log records come out of the same sink.
 *
 * @import { CallOptions, LightNodeOptions, LogRecord, Message, Need, OutgoingMessage, PeerInfo, Priority, ReadyOptions,
 *   ResolvedOptions, SendReport, StoreQuery, Subscription } from "./index.js"
 * @import { Instance } from "./instance.js"
 *
 * @typedef {{ resolve(value: any): void, reject(error: unknown): void, release(): void, whileRunning: boolean }} Pending
 */

import { LightNodeError, fromWasm } from "./errors.js";
import { EventStream } from "./events.js";
import {
  checkCall, checkFunction, checkMessage, checkPeerId, checkPriority, checkQuery, checkReady, checkRequirement, checkSubscription,
  checkText, deadline, resolveNeed, resolveOptions,
} from "./options.js";
import { makeSubscription } from "./subscription.js";

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
  #instance;
  #handle;
  #network;
  #onLog;
  /** @type {"stopped" | "running" | "closed" | "crashed"} what was last asked for, or befell it */
  #state = "stopped";
  /** The last start or stop. They are carried out in turn. @type {Promise<void>} */
  #turn = Promise.resolve();
  /** Starts and stops that are not through. */
  #turns = 0;
  /** @type {Promise<void> | undefined} */
  #closing;
  #lastId = 0;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  /** @type {Map<number, ReturnType<typeof makeSubscription>>} */
  #subscriptions = new Map();
  /** @type {Set<EventStream>} */
  #streams = new Set();
  /** Messages of the wasm that wait to be worked off. @type {any[]} */
  #inbox = [];

  static {
    free = (node) => node.#free();
    inside = (node) => ({ instance: node.#instance, handle: node.#handle });
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
    this.#instance = instance;
    this.#network = options.network;
    this.#onLog = onLog ?? (options.log === "off" ? undefined : logToConsole);
    this.#handle = instance.enter("create", options, (/** @type {any} */ message) => {
      // The wasm is on the stack here. Listeners run after it, so that they may call the node again.
      if (this.#inbox.push(message) === 1) queueMicrotask(() => this.#inbox.splice(0).forEach((each) => this.#receive(each)));
    });
    /** Our peer id on the network; another one for each node. */
    this.peerId = /** @type {string} */ (instance.enter("query", this.#handle, "peerId"));
    instance.onCrash.add(this.#onCrash);
    this.lightPush = Object.freeze({ send: this.#send.bind(this) });
    this.filter = Object.freeze({ subscribe: this.#subscribe.bind(this) });
    this.store = Object.freeze({ query: this.#query.bind(this) });
  }

  // --- life ---------------------------------------------------------------------------------------------------------

  /** @param {{ signal?: AbortSignal }} [options] */
  async start(options) {
    await this.#switch("running", "start", options);
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  async stop(options) {
    await this.#switch("stopped", "stop", options);
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

  /**
   * @param {"running" | "stopped"} wanted
   * @param {"start" | "stop"} method
   * @param {{ signal?: AbortSignal }} [options]
   */
  async #switch(wanted, method, options) {
    const { signal } = checkCall(options, []);
    this.#throwIfOver();
    signal?.throwIfAborted();
    if (this.#state !== wanted) {
      this.#state = wanted;
      if (wanted === "stopped") this.#rejectPending(notStarted(), (request) => request.whileRunning);
      this.#turn = this.#takeTurn(this.#turn, method);
      this.#turn.catch(() => {});
    }
    // Whoever asks for the same again waits for the same. What was begun goes on when the waiting is aborted.
    await orAbort(this.#turn, signal);
  }

  /**
   * @param {Promise<void>} before
   * @param {string} method
   */
  async #takeTurn(before, method) {
    const first = this.#turns++ === 0;
    try {
      if (!first) await before.catch(() => {});
      this.#throwIfOver();
      await this.#call(method);
    } catch (error) {
      // It may be tried again.
      if (this.#turns === 1 && this.#state === "running") this.#state = "stopped";
      throw error;
    } finally {
      this.#turns--;
    }
  }

  async #close() {
    if (this.#state === "crashed") return;
    this.#state = "closed";
    this.#rejectPending(closed());
    for (const id of [...this.#subscriptions.keys()]) this.#endSubscription(id, "stopped");
    // A failure to close in order changes nothing: it is freed all the same.
    await this.#call("close").catch(() => {});
    this.#free();
  }

  /** Gives everything back at once. */
  #free() {
    if (this.#state !== "crashed") this.#state = "closed";
    this.#closing ??= Promise.resolve();
    this.#rejectPending(closed());
    this.#instance.onCrash.delete(this.#onCrash);
    try {
      this.#instance.enter("destroy", this.#handle);
    } catch {
      // It crashed, which freed everything too.
    }
    this.#letGo();
  }

  /** @param {LightNodeError} crash */
  #onCrash = (crash) => {
    const wasOpen = this.#state !== "closed";
    if (wasOpen) this.#state = "crashed";
    this.#rejectPending(crash);
    for (const each of this.#subscriptions.values()) each.fail(crash);
    // The trap may have come out of a call that is still on the stack; listeners run after it.
    queueMicrotask(() => {
      if (wasOpen) this.#emit("node:crash", { message: crash.message });
      this.#letGo();
    });
  };

  #letGo() {
    this.#subscriptions.clear();
    for (const stream of [...this.#streams]) stream.finish();
  }

  // --- state --------------------------------------------------------------------------------------------------------

  /** @param {ReadyOptions} [options] */
  async ready(options) {
    await this.#request("ready", checkReady(options), options?.signal);
  }

  health() {
    return this.#snapshot("health");
  }

  /** @returns {PeerInfo[]} */
  peers() {
    return this.#snapshot("peers");
  }

  /**
   * @param {string} id
   * @returns {PeerInfo | undefined}
   */
  peer(id) {
    return this.#snapshot("peer", checkPeerId(id));
  }

  stats() {
    return this.#snapshot("stats");
  }

  /** @param {{ signal?: AbortSignal }} [options] */
  events(options) {
    const { signal } = checkCall(options, []);
    this.#throwIfOver();
    const stream = new EventStream(signal, (ended) => this.#streams.delete(ended));
    if (!signal?.aborted) this.#streams.add(stream);
    return stream;
  }

  // --- peers --------------------------------------------------------------------------------------------------------

  /**
   * @param {string} name
   * @param {Need} need
   */
  setRequirement(name, need) {
    this.#order("setRequirement", { name: checkRequirement("name", name), need: resolveNeed(name, need) });
  }

  /**
   * @param {string} id
   * @param {Priority} priority
   */
  setPriority(id, priority) {
    this.#order("setPriority", { peer: checkPeerId(id), priority: checkPriority(priority) });
  }

  /**
   * @param {string} target
   * @param {CallOptions} [options]
   * @returns {Promise<PeerInfo>}
   */
  async dial(target, options) {
    const { signal, timeoutMs } = checkCall(options);
    checkText("target", target, "a peer id, a multiaddr or a node record");
    return this.#request("dial", { target, timeoutMs }, signal);
  }

  /**
   * @param {string} id
   * @param {{ signal?: AbortSignal }} [options]
   */
  async hangUp(id, options) {
    const { signal } = checkCall(options, []);
    await this.#request("hangUp", { peer: checkPeerId(id) }, signal);
  }

  // --- protocols ----------------------------------------------------------------------------------------------------

  /**
   * @param {OutgoingMessage} message
   * @param {CallOptions} [options]
   * @returns {Promise<SendReport>}
   */
  async #send(message, options) {
    const call = checkCall(options);
    return this.#request("send", { ...checkMessage(this.#network, message), timeoutMs: deadline(call) }, call.signal);
  }

  /**
   * @param {readonly string[]} contentTopics
   * @param {(message: Message) => void} onMessage
   * @param {CallOptions & { shard?: number }} [options]
   * @returns {Promise<Subscription>}
   */
  async #subscribe(contentTopics, onMessage, options) {
    const call = checkCall(options, ["timeoutMs", "shard"]);
    const request = checkSubscription(this.#network, contentTopics, call.shard);
    checkFunction("onMessage", onMessage);
    // Registered as the reply is read: the first message may stand right behind it.
    const register = (/** @type {{ subscription: number, contentTopics: string[], peers: string[] }} */ opened) => {
      const id = opened.subscription;
      const made = makeSubscription(opened, onMessage, async (given) => {
        const { signal } = checkCall(given, []);
        await this.#call("unsubscribe", { subscription: id }, { signal });
        this.#endSubscription(id, "hung-up");
      });
      this.#subscriptions.set(id, made);
      return made.subscription;
    };
    return this.#request("subscribe", { ...request, timeoutMs: deadline(call) }, call.signal, register);
  }

  /**
   * @param {StoreQuery} query
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<Message, void, undefined>}
   */
  async *#query(query, options) {
    const call = checkCall(options);
    let { request, limit } = checkQuery(this.#network, query);
    /** @type {unknown} */
    let cursor;
    for (;;) {
      const page = /** @type {{ messages: Message[], cursor?: unknown }} */ (
        await this.#request("query", { ...request, cursor, timeoutMs: deadline(call) }, call.signal)
      );
      // Servers sort each page upwards, whichever way the pages go.
      const sign = request.order === "descending" ? -1 : 1;
      for (const message of page.messages.sort((a, b) => sign * compare(a, b))) {
        call.signal?.throwIfAborted();
        yield message;
        if (--limit === 0) return;
      }
      // A server that hands out the same cursor again, or one beside an empty page, would keep us here for ever.
      if (page.cursor === undefined || page.messages.length === 0 || String(page.cursor) === String(cursor)) return;
      cursor = page.cursor;
    }
  }

  // --- the mailbox --------------------------------------------------------------------------------------------------

  #throwIfOver() {
    if (this.#state === "closed") throw closed();
    if (this.#state === "crashed") throw this.#instance.crash;
  }

  /**
   * @param {string} what
   * @param {string} [argument]
   */
  #snapshot(what, argument) {
    this.#throwIfOver();
    return this.#instance.enter("query", this.#handle, what, argument);
  }

  /**
   * A request that only a running node can carry out.
   *
   * @param {string} method
   * @param {object} params
   * @param {AbortSignal} [signal]
   * @param {(ok: any) => unknown} [onReply]
   * @returns {Promise<any>}
   */
  async #request(method, params, signal, onReply) {
    this.#throwIfOver();
    signal?.throwIfAborted();
    if (this.#state === "stopped") throw notStarted();
    // A start that waits for a stop to end has not reached the wasm yet.
    if (this.#turns > 1) {
      await orAbort(this.#turn, signal);
      return this.#request(method, params, signal, onReply);
    }
    return this.#call(method, params, { signal, whileRunning: true, onReply });
  }

  /**
   * An order whose outcome shows in events. What the wasm has against it goes to the log: nobody waits for it.
   *
   * @param {string} method
   * @param {object} params
   */
  #order(method, params) {
    this.#throwIfOver();
    this.#call(method, params).catch((error) => {
      if (this.#state === "running" || this.#state === "stopped") this.#log({ level: "error", target: "lightkeeper", message: `${method}: ${error.message}` });
    });
  }

  /**
   * Posts a request; settles with its one reply, or earlier when it is aborted.
   *
   * @param {string} method
   * @param {object} [params]
   * @param {{ signal?: AbortSignal, whileRunning?: boolean, onReply?: (ok: any) => unknown }} [how]
   * @returns {Promise<any>}
   */
  #call(method, params, { signal, whileRunning = false, onReply = (ok) => ok } = {}) {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const id = ++this.#lastId;
      const onAbort = () => this.#abandon(id, signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      const release = () => signal?.removeEventListener("abort", onAbort);
      this.#pending.set(id, { resolve: (ok) => resolve(onReply(ok)), reject, release, whileRunning });
      try {
        this.#post({ id, method, params });
      } catch (error) {
        this.#take(id)?.reject(error);
      }
    });
  }

  /** @param {{ id: number, method: string, params?: object }} message */
  #post(message) {
    this.#instance.enter("post", this.#handle, message);
  }

  /** @param {number} id */
  #take(id) {
    const request = this.#pending.get(id);
    this.#pending.delete(id);
    request?.release();
    return request;
  }

  /**
   * @param {number} id
   * @param {unknown} reason
   */
  #abandon(id, reason) {
    this.#take(id)?.reject(reason);
    try {
      this.#post({ id: ++this.#lastId, method: "cancel", params: { request: id } });
    } catch {
      // The instance is dead, and every node of it is told so.
    }
  }

  /**
   * @param {LightNodeError} error
   * @param {(request: Pending) => boolean} [which]
   */
  #rejectPending(error, which = () => true) {
    for (const [id, request] of [...this.#pending]) {
      if (which(request)) this.#abandon(id, error);
    }
  }

  /** @param {any} message */
  #receive(message) {
    switch (message.kind) {
      case "reply": {
        const request = this.#take(message.id);
        // Aborted while its reply was under way: nobody would ever end that subscription.
        if (!request) return message.ok?.subscription === undefined || this.#order("unsubscribe", { subscription: message.ok.subscription });
        if (message.error) return request.reject(fromWasm(message.error));
        return request.resolve(message.ok);
      }
      case "event":
        return this.#emit(message.type, message.detail);
      case "message":
        return this.#subscriptions.get(message.subscription)?.deliver(message.message);
      case "subscription":
        if (message.state === "closed") return this.#endSubscription(message.subscription, message.reason ?? "stopped");
        return this.#subscriptions.get(message.subscription)?.update(message);
      case "log":
        return this.#log(message);
    }
  }

  /**
   * @param {number} id
   * @param {import("./index.js").Reason} reason
   */
  #endSubscription(id, reason) {
    this.#subscriptions.get(id)?.end(reason);
    this.#subscriptions.delete(id);
  }

  /**
   * @param {string} type
   * @param {object} detail
   */
  #emit(type, detail) {
    for (const stream of this.#streams) stream.push(/** @type {import("./index.js").NodeEvent} */ ({ type, detail, at: Date.now() }));
    this.dispatchEvent(new CustomEvent(type, { detail }));
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

const closed = () => new LightNodeError("closed", "the node is closed; make a new one with createLightNode()");
const notStarted = () => new LightNodeError("not-started", "the node is stopped; call start() first");

/** @param {LogRecord} record */
function logToConsole({ level, target, message }) {
  console[level](`[${target}] ${message}`);
}

/**
 * By time, then by hash: the order of the store.
 *
 * @param {Message} a
 * @param {Message} b
 */
function compare(a, b) {
  if (a.timestampNs !== b.timestampNs) return a.timestampNs < b.timestampNs ? -1 : 1;
  return a.hash < b.hash ? -1 : Number(a.hash > b.hash);
}

/**
 * The promise, or the signal's reason when that comes first. The signal is let go of either way.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>}
 */
function orAbort(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
