/**
 * The way into one node of the wasm: requests go in as numbered messages, and each number gets one reply.
 *
 * @import { Instance } from "./instance.js"
 *
 * @typedef {object} CallHow
 * @property {AbortSignal} [signal] rejects the call with its reason
 * @property {boolean} [whileRunning] ends when the node stops
 * @property {(ok: any) => unknown} [onReply] runs as the reply is read, before any message that stands behind it
 *
 * @typedef {{ resolve(value: any): void, reject(error: unknown): void, release(): void, whileRunning: boolean }} Pending
 */

import { fromWasm } from "./errors.js";

export class Mailbox {
  #lastId = 0;
  /** @type {Map<number, Pending>} */
  #pending = new Map();

  /**
   * @param {Instance} instance
   * @param {number} handle of the node
   */
  constructor(instance, handle) {
    this.instance = instance;
    this.handle = handle;
  }

  /**
   * A snapshot.
   *
   * @param {string} what
   * @param {string} [argument]
   */
  query(what, argument) {
    return this.instance.enter("query", this.handle, what, argument);
  }

  /**
   * Has something done at once.
   *
   * @param {string} method
   * @param {object} params
   */
  order(method, params) {
    this.instance.enter("order", this.handle, method, params);
  }

  /**
   * Posts a request; settles with its one reply, or earlier when it is aborted.
   *
   * @param {string} method
   * @param {object} [params]
   * @param {CallHow} [how]
   * @returns {Promise<any>}
   */
  call(method, params, { signal, whileRunning = false, onReply = (ok) => ok } = {}) {
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

  /**
   * Settles the call that a reply is for.
   *
   * @param {{ id: number, ok?: any, error?: unknown }} reply
   * @returns {boolean} whether somebody still waited for it
   */
  settle({ id, ok, error }) {
    const request = this.#take(id);
    if (error) request?.reject(fromWasm(error));
    else request?.resolve(ok);
    return request !== undefined;
  }

  /**
   * @param {unknown} error
   * @param {(request: Pending) => boolean} [which]
   */
  reject(error, which = () => true) {
    for (const [id, request] of [...this.#pending]) {
      if (which(request)) this.#abandon(id, error);
    }
  }

  /** @param {{ id: number, method: string, params?: object }} message */
  #post(message) {
    this.instance.enter("post", this.handle, message);
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
}
