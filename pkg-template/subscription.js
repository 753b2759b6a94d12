/** @import { CallOptions, Message, Reason, Subscription } from "./index.js" */

import { checkCall } from "./arguments.js";
import { orAbort } from "./lifecycle.js";
import { Stream } from "./streams.js";
import { afterTurn } from "./turn.js";

/**
 * @typedef {{ readonly message: Message, readonly at: number }} Arrived a message, and when it came: milliseconds since 1970
 *
 * @typedef {object} Desk what a subscription asks of its node; internal
 * @property {() => Promise<void>} unsubscribe resolves when it has ended
 * @property {(from: number, to: number) => void} onLoss messages that came between the two were dropped: nobody read them
 */

/**
 * A subscription as its user sees it, and the strings that the node pulls. Made as the reply is read, which is before its
 * user gets it: until he has it, what comes is held.
 *
 * @param {{ contentTopics: string[], peers: string[] }} opened
 * @param {((message: Message) => void) | undefined} onMessage
 * @param {Desk} desk
 */
export function makeSubscription({ contentTopics, peers }, onMessage, desk) {
  /** @type {Subscription["state"]} */
  let state = "active";
  /** The user wants nothing more. */
  let hungUp = false;
  /** The wasm is being told so. @type {Promise<void> | undefined} */
  let hangingUp;
  /** What came before its user had the subscription. @type {Arrived[] | undefined} */
  let early = [];
  /** @type {Set<Stream<Arrived>>} */
  const readers = new Set();
  /** @type {(reason: Reason) => void} */
  let resolve = () => {};
  /** @type {(error: Error) => void} */
  let reject = () => {};
  /** @type {Promise<Reason>} */
  const closed = new Promise((...settle) => ([resolve, reject] = settle));
  // Whoever does not look at `closed` shall not hear of an unhandled rejection.
  closed.catch(() => {});

  /** @param {Stream<Arrived>} reader what it lost is told at the latest when it ends */
  const tellLoss = (reader) => {
    const lost = reader.takeLoss();
    if (lost) desk.onLoss(lost.first.at, lost.last.at);
  };
  const openReader = () => {
    /** @type {Stream<Arrived>} */
    const reader = new Stream({ onEnd: (ended) => readers.delete(ended), gap: ({ first, last }) => desk.onLoss(first.at, last.at) });
    readers.add(reader);
    if (state === "closed" && !early) reader.finish();
    return reader;
  };
  const endReaders = (/** @type {"finish" | "return"} */ how) => {
    for (const reader of [...readers]) {
      tellLoss(reader);
      reader[how]();
    }
  };
  /** Without a callback, messages wait from the beginning on for the first who reads. */
  let first = onMessage ? undefined : openReader();

  /** @param {Arrived} arrived */
  const hand = (arrived) => {
    if (hungUp) return;
    for (const reader of readers) reader.push(arrived);
    try {
      onMessage?.(arrived.message);
    } catch (error) {
      // The listener's own fault: shown as any uncaught error is, and no reason to lose the next message.
      reportError(error);
    }
  };
  afterTurn(() => {
    const held = early ?? [];
    early = undefined;
    held.forEach(hand);
    if (state === "closed") endReaders("finish");
  });

  const close = () => {
    state = "closed";
    peers = [];
    // What is held is still handed over, and then they end.
    if (!early) endReaders("finish");
  };
  /** @param {Reason} reason */
  const end = (reason) => {
    close();
    // Whatever ended it at last: its user did before.
    resolve(hungUp ? "hung-up" : reason);
  };

  /** @type {Subscription} */
  const subscription = Object.freeze({
    contentTopics,
    closed,
    get state() {
      return state;
    },
    get peers() {
      return peers;
    },
    /** @param {Pick<CallOptions, "signal">} [options] */
    async unsubscribe(options) {
      const { signal } = checkCall(options, []);
      signal?.throwIfAborted();
      hungUp = true;
      endReaders("return");
      if (state === "closed") return;
      hangingUp ??= desk.unsubscribe().catch((error) => {
        hangingUp = undefined;
        // The node ended meanwhile, and every subscription with it.
        if (state !== "closed") throw error;
      });
      hangingUp.catch(() => {});
      await orAbort(hangingUp, signal);
    },
    [Symbol.asyncIterator]() {
      const reader = first ?? openReader();
      first = undefined;
      return iterate(reader, tellLoss);
    },
  });

  return {
    subscription,
    /** @param {Message} message */
    deliver(message) {
      if (state === "closed") return;
      const arrived = { message, at: Date.now() };
      if (early) early.push(arrived);
      else hand(arrived);
    },
    /** @param {{ state: Subscription["state"], peers: string[] }} change */
    update(change) {
      if (state !== "closed") ({ state, peers } = change);
    },
    end,
    /** The node is closed: nothing is called back after that. */
    shut() {
      early &&= [];
      end("stopped");
    },
    /** @param {Error} error */
    fail(error) {
      close();
      reject(error);
    },
  };
}

/**
 * @param {Stream<Arrived>} reader
 * @param {(reader: Stream<Arrived>) => void} tellLoss
 * @returns {AsyncIterableIterator<Message>}
 */
function iterate(reader, tellLoss) {
  return {
    async next() {
      const { done, value } = await reader.next();
      return done ? { done, value: undefined } : { done: false, value: value.message };
    },
    async return() {
      tellLoss(reader);
      await reader.return();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
