/**
 * What a node does with its peers: lightpush, filter and store.
 *
 * @import { CallOptions, Message, Network, OutgoingMessage, Reason, SendReport, StoreQuery, Subscription } from "./index.js"
 * @import { Lifecycle } from "./lifecycle.js"
 */

import { checkCall, checkMessage, checkQuery, checkSubscription, deadline } from "./arguments.js";
import { checkFunction } from "./check.js";
import { makeSubscription } from "./subscription.js";

export class Services {
  #life;
  #network;
  /** @type {Map<number, ReturnType<typeof makeSubscription>>} */
  #subscriptions = new Map();

  /**
   * @param {Lifecycle} life
   * @param {Network} network
   */
  constructor(life, network) {
    this.#life = life;
    this.#network = network;
  }

  /**
   * @param {OutgoingMessage} message
   * @param {CallOptions} [options]
   * @returns {Promise<SendReport>}
   */
  async send(message, options) {
    const call = checkCall(options);
    return this.#life.request("send", { ...checkMessage(this.#network, message), timeoutMs: deadline(call) }, call.signal);
  }

  /**
   * @param {readonly string[]} contentTopics
   * @param {(message: Message) => void} onMessage
   * @param {CallOptions & { shard?: number }} [options]
   * @returns {Promise<Subscription>}
   */
  async subscribe(contentTopics, onMessage, options) {
    const call = checkCall(options, ["timeoutMs", "shard"]);
    const request = checkSubscription(this.#network, contentTopics, call.shard);
    checkFunction("onMessage", onMessage);
    // Registered as the reply is read: the first message may stand right behind it.
    const register = (/** @type {{ subscription: number, contentTopics: string[], peers: string[] }} */ opened) => {
      const id = opened.subscription;
      const made = makeSubscription(opened, onMessage, async (given) => {
        const { signal } = checkCall(given, []);
        await this.#life.call("unsubscribe", { subscription: id }, { signal });
        this.#end(id, "hung-up");
      });
      this.#subscriptions.set(id, made);
      return made.subscription;
    };
    return this.#life.request("subscribe", { ...request, timeoutMs: deadline(call) }, call.signal, register);
  }

  /**
   * @param {StoreQuery} query
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<Message, void, undefined>}
   */
  async *query(query, options) {
    const call = checkCall(options);
    let { request, limit } = checkQuery(this.#network, query);
    /** @type {unknown} */
    let cursor;
    for (;;) {
      const page = /** @type {{ messages: Message[], cursor?: unknown }} */ (
        await this.#life.request("query", { ...request, cursor, timeoutMs: deadline(call) }, call.signal)
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

  /** @param {{ subscription: number, message: Message }} message */
  onMessage({ subscription, message }) {
    this.#subscriptions.get(subscription)?.deliver(message);
  }

  /** @param {{ subscription: number, state: Subscription["state"], peers: string[], reason?: Reason }} change */
  onSubscription(change) {
    if (change.state === "closed") return this.#end(change.subscription, change.reason ?? "stopped");
    this.#subscriptions.get(change.subscription)?.update(change);
  }

  /** The node is closed. */
  close() {
    for (const id of [...this.#subscriptions.keys()]) this.#end(id, "stopped");
  }

  /** @param {Error} crash */
  fail(crash) {
    for (const each of this.#subscriptions.values()) each.fail(crash);
    this.#subscriptions.clear();
  }

  /**
   * @param {number} id
   * @param {Reason} reason
   */
  #end(id, reason) {
    this.#subscriptions.get(id)?.end(reason);
    this.#subscriptions.delete(id);
  }
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
