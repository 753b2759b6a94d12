/**
 * What a node can be asked for in the state that it is in. Starts and stops are carried out in turn.
 *
 * @import { CallHow, Mailbox } from "./mailbox.js"
 */

import { checkCall } from "./arguments.js";
import { LightNodeError } from "./errors.js";

export class Lifecycle {
  #mailbox;
  #log;
  #ordered;
  /** @type {"stopped" | "running" | "closed" | "crashed"} what was last asked for, or befell it */
  #state = "stopped";
  /** The last start or stop. @type {Promise<void>} */
  #turn = Promise.resolve();
  /** Starts and stops that are not through. */
  #turns = 0;

  /**
   * @param {Mailbox} mailbox
   * @param {(message: string) => void} log
   * @param {() => void} ordered called when an order was carried out
   */
  constructor(mailbox, log, ordered) {
    this.#mailbox = mailbox;
    this.#log = log;
    this.#ordered = ordered;
  }

  /** Neither closed nor crashed. */
  get isOpen() {
    return this.#state === "running" || this.#state === "stopped";
  }

  get hasCrashed() {
    return this.#state === "crashed";
  }

  throwIfOver() {
    if (this.#state === "closed") throw closed();
    if (this.#state === "crashed") throw this.#mailbox.instance.crash;
  }

  throwUnlessRunning() {
    this.throwIfOver();
    if (this.#state === "stopped") throw notStarted();
  }

  // --- states -------------------------------------------------------------------------------------------------------

  /**
   * @param {"running" | "stopped"} wanted
   * @param {{ signal?: AbortSignal }} [options]
   */
  async switch(wanted, options) {
    const { signal } = checkCall(options, []);
    this.throwIfOver();
    signal?.throwIfAborted();
    // A running node is told to start as well: that ends what `connections.stop()` and `pause()` began.
    const again = wanted === "running" && this.#state === "running" && this.#turns === 0;
    if (this.#state !== wanted || again) {
      this.#state = wanted;
      if (wanted === "stopped") this.#mailbox.reject(notStarted(), (request) => request.whileRunning);
      this.#turn = this.#takeTurn(this.#turn, wanted === "running" ? "start" : "stop", again);
      this.#turn.catch(() => {});
    }
    // Whoever asks for the same again waits for the same. What was begun goes on when the waiting is aborted.
    await orAbort(this.#turn, signal);
  }

  /**
   * @param {Promise<void>} before
   * @param {string} method
   * @param {boolean} again whether it is running already
   */
  async #takeTurn(before, method, again) {
    const first = this.#turns++ === 0;
    try {
      if (!first) await before.catch(() => {});
      this.throwIfOver();
      await this.#mailbox.call(method);
    } catch (error) {
      // It may be tried again.
      if (this.#turns === 1 && this.#state === "running" && !again) this.#state = "stopped";
      throw error;
    } finally {
      this.#turns--;
    }
  }

  close() {
    if (this.#state !== "crashed") this.#state = "closed";
    this.#mailbox.reject(closed());
  }

  /** @param {LightNodeError} crash */
  crash(crash) {
    if (this.#state !== "closed") this.#state = "crashed";
    this.#mailbox.reject(crash);
  }

  // --- asking -------------------------------------------------------------------------------------------------------

  /**
   * A snapshot.
   *
   * @param {string} what
   * @param {string} [argument]
   */
  query(what, argument) {
    this.throwIfOver();
    return this.#mailbox.query(what, argument);
  }

  /**
   * A request that a stopped node can carry out as well.
   *
   * @param {string} method
   * @param {object} [params]
   * @param {CallHow} [how]
   * @returns {Promise<any>}
   */
  async call(method, params, how) {
    this.throwIfOver();
    return this.#mailbox.call(method, params, how);
  }

  /**
   * A request that only a running node can carry out.
   *
   * @param {string} method
   * @param {object} params
   * @param {AbortSignal} [signal]
   * @param {CallHow["onReply"]} [onReply]
   * @returns {Promise<any>}
   */
  async request(method, params, signal, onReply) {
    this.throwIfOver();
    signal?.throwIfAborted();
    this.throwUnlessRunning();
    // A start that waits for a stop to end has not reached the wasm yet.
    if (this.#turns > 1) {
      await orAbort(this.#turn, signal);
      return this.request(method, params, signal, onReply);
    }
    return this.#mailbox.call(method, params, { signal, whileRunning: true, onReply });
  }

  /**
   * An order: done when this returns. What comes of it shows in events.
   *
   * @param {string} method
   * @param {object} [params]
   * @throws {LightNodeError} what the wasm has against it
   */
  order(method, params = {}) {
    this.throwIfOver();
    this.#mailbox.order(method, params);
    this.#ordered();
  }

  /**
   * An order that takes nothing and that nobody can do better: what the wasm has against it goes to the log.
   *
   * @param {string} method
   * @param {object} params
   */
  giveBack(method, params) {
    if (!this.isOpen) return;
    try {
      this.order(method, params);
    } catch (error) {
      if (this.isOpen) this.#log(`${method}: ${/** @type {Error} */ (error).message}`);
    }
  }
}

const closed = () => new LightNodeError("closed", "the node is closed; make a new one with createLightNode()");
const notStarted = () => new LightNodeError("not-started", "the node is stopped; call start() first");

/**
 * The promise, or the signal's reason when that comes first. The signal is let go of either way.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>}
 */
export function orAbort(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
