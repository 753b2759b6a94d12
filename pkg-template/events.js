/** @import { NodeEvent } from "./index.js" */

/** How many events wait for a slow reader. Past that the oldest are dropped, and their number is told in their place. */
export const STREAM_LIMIT = 1000;

/**
 * A bounded queue that is read by `for await`. It collects from the moment it is made, not from the first read.
 *
 * @implements {AsyncIterableIterator<NodeEvent>}
 */
export class EventStream {
  /** @type {NodeEvent[]} */
  #queue = [];
  #dropped = 0;
  #ended = false;
  /** @type {{ resolve(result: IteratorResult<NodeEvent>): void, reject(reason: unknown): void }[]} */
  #readers = [];
  #onEnd;
  #signal;
  #onAbort = () => this.#end();

  /**
   * @param {AbortSignal | undefined} signal ends the stream: reads reject with its reason
   * @param {(stream: EventStream) => void} onEnd called once, when nothing is collected any more
   */
  constructor(signal, onEnd) {
    this.#onEnd = onEnd;
    this.#signal = signal;
    if (signal?.aborted) this.#end();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** @param {NodeEvent} event */
  push(event) {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader) return reader.resolve({ done: false, value: event });
    if (this.#queue.length === STREAM_LIMIT) {
      this.#queue.shift();
      this.#dropped++;
    }
    this.#queue.push(event);
  }

  /** No more events come; what waits can still be read. */
  finish() {
    this.#end();
  }

  /** @returns {Promise<IteratorResult<NodeEvent>>} */
  next() {
    if (this.#signal?.aborted) return Promise.reject(this.#signal.reason);
    if (this.#dropped > 0) {
      const value = /** @type {NodeEvent} */ ({ type: "events:dropped", detail: { count: this.#dropped }, at: Date.now() });
      this.#dropped = 0;
      return Promise.resolve({ done: false, value });
    }
    const event = this.#queue.shift();
    if (event) return Promise.resolve({ done: false, value: event });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** @returns {Promise<IteratorResult<NodeEvent>>} */
  return() {
    this.#queue = [];
    this.#dropped = 0;
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #end() {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    for (const { resolve, reject } of this.#readers.splice(0)) {
      if (this.#signal?.aborted) reject(this.#signal.reason);
      else resolve({ done: true, value: undefined });
    }
    this.#onEnd(this);
  }
}
