/** How many items wait for a slow reader. Past that the oldest are dropped. */
export const STREAM_LIMIT = 1000;

/**
 * @template T
 * @typedef {object} StreamOptions
 * @property {AbortSignal} [signal] ends the stream: reads reject with its reason
 * @property {(stream: Stream<T>) => void} onEnd called once, when nothing is collected any more
 * @property {(lost: Loss<T>) => T | void} [gap] called with those that were dropped as the next is read; what it gives stands in their place
 */

/**
 * @template T
 * @typedef {{ count: number, first: T, last: T }} Loss what was dropped since the last read: how many, and between which
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
  /** @type {Loss<T> | undefined} */
  #lost;
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
      const last = /** @type {T} */ (this.#queue.shift());
      this.#lost = { count: (this.#lost?.count ?? 0) + 1, first: this.#lost ? this.#lost.first : last, last };
    }
    this.#queue.push(item);
  }

  /** No more items come; what waits can still be read. */
  finish() {
    this.#end();
  }

  /** What was dropped and not told yet; it is told once. */
  takeLoss() {
    const lost = this.#lost;
    this.#lost = undefined;
    return lost;
  }

  /** @returns {Promise<IteratorResult<T>>} */
  next() {
    if (this.#signal?.aborted) return Promise.reject(this.#signal.reason);
    const lost = this.#gap && this.takeLoss();
    const value = lost && this.#gap?.(lost);
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#queue.length > 0) return Promise.resolve({ done: false, value: /** @type {T} */ (this.#queue.shift()) });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** @returns {Promise<IteratorResult<T>>} */
  return() {
    this.#queue = [];
    this.#lost = undefined;
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

/** After a reading of so long, the next waits this many times as long: readings take a tenth of the time at most. */
const REST = 9;
/** And no longer than this, in milliseconds, whatever the clock says that a reading took. */
const MAX_REST_MS = 1000;

/**
 * What something is now, and again after each change; a slow reader gets the latest, not each. So does a fast one of what
 * is dear to read: five thousand peers are not listed anew for each of them.
 *
 * @template T
 * @implements {AsyncIterableIterator<T>}
 */
export class Latest {
  #changes;
  #read;
  #waiting = false;
  #over = false;
  /** When the last reading has been rested from, by `performance.now()`. */
  #rested = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {Omit<StreamOptions<void>, "onEnd"> & { onEnd(latest: Latest<T>): void }} options
   * @param {() => T | undefined} read `undefined`: there is nothing any more, and it ends
   */
  constructor({ signal, onEnd }, read) {
    this.#read = read;
    /** @type {Stream<void>} */
    this.#changes = new Stream({
      signal,
      onEnd: () => {
        clearTimeout(this.#timer);
        onEnd(this);
      },
    });
    this.changed();
  }

  changed() {
    if (this.#waiting) return;
    this.#waiting = true;
    const rest = this.#rested - performance.now();
    if (rest > 0) this.#timer = setTimeout(() => this.#changes.push(), rest);
    else this.#changes.push();
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
    const begun = performance.now();
    const value = this.#read();
    const now = performance.now();
    this.#rested = now + Math.min((now - begun) * REST, MAX_REST_MS);
    if (value === undefined) return this.return();
    return { done: false, value };
  }

  /** @returns {Promise<IteratorResult<T>>} */
  async return() {
    this.finish();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}
