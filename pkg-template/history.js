/**
 * What stores have: queries that go through all of it, and the question which messages are there.
 *
 * @import { CallOptions, Message, Network, StoreQuery } from "./index.js"
 * @import { Lifecycle } from "./lifecycle.js"
 *
 * @typedef {ReturnType<typeof checkQuery>["request"]} Request one query, as a whole or a part of it
 */

import { checkCall, checkHashes, checkQuery, deadline } from "./arguments.js";
import { merge } from "./merge.js";

/** The answer must fit one page of a server. */
const HASHES_PER_REQUEST = 50;

export class History {
  #life;
  #network;

  /**
   * @param {Lifecycle} life
   * @param {Network} network
   */
  constructor(life, network) {
    this.#life = life;
    this.#network = network;
  }

  /**
   * @param {StoreQuery} query
   * @param {CallOptions} [options]
   * @returns {AsyncGenerator<Message, void, undefined>}
   */
  async *query(query, options) {
    const call = checkCall(options);
    const { request, limit } = checkQuery(this.#network, query);
    const parts = await this.#split(request, call.signal);
    const sign = request.order === "descending" ? -1 : 1;
    const order = (/** @type {Message} */ a, /** @type {Message} */ b) => sign * compare(a, b);
    const open = (/** @type {Request} */ part, /** @type {AbortSignal | undefined} */ signal) => this.#read(part, order, deadline(call), signal);
    let left = limit;
    for await (const message of merge(parts, open, order, call.signal)) {
      yield message;
      if (--left === 0) return;
    }
  }

  /**
   * Requests that servers take: few content topics of one shard, or few hashes.
   *
   * @param {Request} request
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Request[]>}
   */
  async #split(request, signal) {
    const { contentTopics, hashes, shard } = request;
    if (hashes) return chunks(hashes).map((some) => ({ ...request, hashes: some }));
    if (!contentTopics || contentTopics.length === 1) return [request];
    /** @type {string[][]} */
    const groups = await this.#life.request("plan", { contentTopics, shard }, signal);
    return groups.map((some) => ({ ...request, contentTopics: some }));
  }

  /**
   * The messages of one request, page after page.
   *
   * @param {Request} request
   * @param {(a: Message, b: Message) => number} order
   * @param {number} timeoutMs of each page
   * @param {AbortSignal | undefined} signal
   * @returns {AsyncGenerator<Message, void, undefined>}
   */
  async *#read(request, order, timeoutMs, signal) {
    /** Servers that hand out a cursor again would keep us here for ever. */
    const seen = new Set();
    /** @type {string | undefined} */
    let cursor;
    do {
      seen.add(cursor);
      const page = /** @type {{ messages: Message[], cursor?: string }} */ (await this.#life.request("query", { ...request, cursor, timeoutMs }, signal));
      // Servers sort each page upwards, whichever way the pages go.
      for (const message of page.messages.sort(order)) {
        signal?.throwIfAborted();
        yield message;
      }
      // A page may be empty and not the last: what was in it was dropped.
      cursor = page.cursor;
    } while (cursor !== undefined && !seen.has(cursor));
  }

  /**
   * @param {readonly string[]} hashes
   * @param {CallOptions} [options]
   * @returns {Promise<Set<string>>} those that are stored, written as they were given
   */
  async has(hashes, options) {
    const call = checkCall(options);
    const wanted = Array.isArray(hashes) && hashes.length === 0 ? [] : checkHashes(hashes);
    call.signal?.throwIfAborted();
    this.#life.throwUnlessRunning();
    const given = [...hashes];
    const found = new Set();
    for (const some of chunks([...new Set(wanted)])) {
      /** @type {string[]} */
      const stored = await this.#life.request("has", { hashes: some, timeoutMs: deadline(call) }, call.signal);
      for (const hash of stored) found.add(hash);
    }
    return new Set(given.filter((_, index) => found.has(wanted[index])));
  }
}

/**
 * @param {string[]} hashes
 * @returns {string[][]}
 */
function chunks(hashes) {
  const count = Math.ceil(hashes.length / HASHES_PER_REQUEST);
  return Array.from({ length: count }, (_, index) => hashes.slice(index * HASHES_PER_REQUEST, (index + 1) * HASHES_PER_REQUEST));
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
