/**
 * Messages that go out, and those that come in: lightpush and filter.
 *
 * @import { LightNodeEventDetails, Message, Network, OutgoingMessage, Reason, SendOptions, SendReport, SubscribeOptions, Subscription } from "./index.js"
 * @import { Lifecycle } from "./lifecycle.js"
 */

import { checkCall, checkMessage, checkSend, checkSubscription, deadline } from "./arguments.js";
import { checkFunction } from "./check.js";
import { makeSubscription } from "./subscription.js";

export class Services {
  #life;
  #network;
  #onGap;
  /** @type {Map<number, ReturnType<typeof makeSubscription>>} */
  #subscriptions = new Map();

  /**
   * @param {Lifecycle} life
   * @param {Network} network
   * @param {(gap: LightNodeEventDetails["filter:gap"]) => void} onGap messages were lost on this side of the wasm
   */
  constructor(life, network, onGap) {
    this.#life = life;
    this.#network = network;
    this.#onGap = onGap;
  }

  /**
   * @param {OutgoingMessage} message
   * @param {SendOptions} [options]
   * @returns {Promise<SendReport>}
   */
  async send(message, options) {
    const call = checkCall(options, ["timeoutMs", "peers", "min", "confirm"]);
    const request = { ...checkMessage(this.#network, message), ...checkSend(call), timeoutMs: deadline(call) };
    return this.#life.request("send", request, call.signal);
  }

  /**
   * @param {readonly string[]} contentTopics
   * @param {((message: Message) => void) | SubscribeOptions} [second] the callback, or else the options
   * @param {SubscribeOptions} [third] the options, behind a callback
   * @returns {Promise<Subscription>}
   */
  async subscribe(contentTopics, second, third) {
    const [onMessage, options] = typeof second === "object" && second !== null && third === undefined ? [undefined, second] : [second, third];
    if (onMessage !== undefined) checkFunction("onMessage", onMessage);
    const call = checkCall(options, ["timeoutMs", "shard", "peers", "catchUp"]);
    const request = checkSubscription(this.#network, contentTopics, call);
    // Registered as the reply is read: the first message may stand right behind it.
    const register = (/** @type {{ subscription: number, contentTopics: string[], peers: string[] }} */ opened) => {
      const id = opened.subscription;
      const made = makeSubscription(opened, /** @type {((message: Message) => void) | undefined} */ (onMessage), {
        unsubscribe: () => this.#unsubscribe(id),
        onLoss: (from, to) => this.#onGap({ contentTopics: [...opened.contentTopics], from, to, cause: "overflow", filled: false }),
      });
      this.#subscriptions.set(id, made);
      return made.subscription;
    };
    return this.#life.request("subscribe", { ...request, timeoutMs: deadline(call) }, call.signal, register);
  }

  /** @param {number} id */
  async #unsubscribe(id) {
    await this.#life.call("unsubscribe", { subscription: id });
    this.#end(id, "hung-up");
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
    for (const each of this.#subscriptions.values()) each.shut();
    this.#subscriptions.clear();
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
