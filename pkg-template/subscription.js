/** @import { Message, Reason, Subscription } from "./index.js" */

/**
 * A subscription as its user sees it, and the strings that the node pulls.
 *
 * @param {{ contentTopics: string[], peers: string[] }} opened
 * @param {(message: Message) => void} onMessage
 * @param {(options?: { signal?: AbortSignal }) => Promise<void>} unsubscribe
 */
export function makeSubscription({ contentTopics, peers }, onMessage, unsubscribe) {
  /** @type {Subscription["state"]} */
  let state = "active";
  /** @type {(reason: Reason) => void} */
  let resolve = () => {};
  /** @type {(error: Error) => void} */
  let reject = () => {};
  /** @type {Promise<Reason>} */
  const closed = new Promise((...settle) => ([resolve, reject] = settle));
  // Whoever does not look at `closed` shall not hear of an unhandled rejection.
  closed.catch(() => {});

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
    /** @param {{ signal?: AbortSignal }} [options] */
    async unsubscribe(options) {
      options?.signal?.throwIfAborted();
      if (state !== "closed") await unsubscribe(options);
    },
  });

  return {
    subscription,
    /** @param {Message} message */
    deliver(message) {
      if (state === "closed") return;
      try {
        onMessage(message);
      } catch (error) {
        // The listener's own fault: shown as any uncaught error is, and no reason to lose the next message.
        reportError(error);
      }
    },
    /** @param {{ state: Subscription["state"], peers: string[] }} change */
    update(change) {
      if (state !== "closed") ({ state, peers } = change);
    },
    /** @param {Reason} reason */
    end(reason) {
      state = "closed";
      peers = [];
      resolve(reason);
    },
    /** @param {Error} error */
    fail(error) {
      state = "closed";
      peers = [];
      reject(error);
    },
  };
}
