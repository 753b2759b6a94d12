/** How many items wait for a slow reader. Past that the oldest are dropped. */
export const STREAM_LIMIT = 1000;

/**
 * @template T
 * @typedef {object} StreamOptions
 * @property {AbortSignal} [signal] ends the stream: reads reject with its reason
 * @property {(stream: Stream<T>) => void} onEnd called once, when nothing is collected any more
 * @property {(count: number) => T} [gap] what stands in the place of those that were dropped; nothing when absent
 */

/**
 * A bounded queue that is read by `for await`. It collects from the moment it is made, not from the first read.
 *
 * @template T
 * @implements {AsyncIterableIterator<T>}
 */
export class Stream {
  /** @type {T[]} */
  #queue = [];
  #dropped = 0;
  #ended = false;
  /** @type {{ resolve(result: IteratorResult<T>): void, reject(reason: unknown): void }[]} */
  #readers = [];
  #onEnd;
  #gap;
  #signal;
  #onAbort = () => this.#end();

  /** @param {StreamOptions<T>} options */
  constructor({ signal, onEnd, gap }) {
    this.#onEnd = onEnd;
    this.#gap = gap;
    this.#signal = signal;
    if (signal?.aborted) this.#end();
    else signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** @param {T} item */
  push(item) {
    if (this.#ended) return;
    const reader = this.#readers.shift();
    if (reader) return reader.resolve({ done: false, value: item });
    if (this.#queue.length === STREAM_LIMIT) {
      this.#queue.shift();
      this.#dropped++;
    }
    this.#queue.push(item);
  }

  /** No more items come; what waits can still be read. */
  finish() {
    this.#end();
  }

  /** @returns {Promise<IteratorResult<T>>} */
  next() {
    if (this.#signal?.aborted) return Promise.reject(this.#signal.reason);
    if (this.#dropped > 0 && this.#gap) {
      const value = this.#gap(this.#dropped);
      this.#dropped = 0;
      return Promise.resolve({ done: false, value });
    }
    if (this.#queue.length > 0) return Promise.resolve({ done: false, value: /** @type {T} */ (this.#queue.shift()) });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** @returns {Promise<IteratorResult<T>>} */
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

/**
 * What something is now, and again after each change; a slow reader gets the latest, not each.
 *
 * @template T
 * @implements {AsyncIterableIterator<T>}
 */
export class Latest {
  #changes;
  #read;
  #waiting = false;
  #over = false;

  /**
   * @param {Omit<StreamOptions<void>, "onEnd"> & { onEnd(latest: Latest<T>): void }} options
   * @param {() => T} read
   */
  constructor({ signal, onEnd }, read) {
    this.#read = read;
    /** @type {Stream<void>} */
    this.#changes = new Stream({ signal, onEnd: () => onEnd(this) });
    this.changed();
  }

  changed() {
    if (this.#waiting) return;
    this.#waiting = true;
    this.#changes.push();
  }

  /** Nothing can be read any more. */
  finish() {
    this.#over = true;
    this.#changes.return();
  }

  /** @returns {Promise<IteratorResult<T>>} */
  async next() {
    const { done } = await this.#changes.next();
    if (done || this.#over) return { done: true, value: undefined };
    this.#waiting = false;
    return { done: false, value: this.#read() };
  }

  /** @returns {Promise<IteratorResult<T>>} */
  async return() {
    await this.#changes.return();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}
