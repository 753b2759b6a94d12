/**
 * Wishes about all connections together.
 *
 * @import { Transport } from "./index.js"
 * @import { Lifecycle } from "./lifecycle.js"
 */

import { checkCall, checkLifetime, checkPeerId } from "./arguments.js";
import { orAbort } from "./lifecycle.js";
import { resolveByTransport } from "./options.js";

/** @param {Lifecycle} life */
export function makeConnections(life) {
  /** Stops that are not through. */
  let stopping = 0;

  /** @param {{ signal?: AbortSignal }} [options] */
  async function stop(options) {
    const { signal } = checkCall(options, []);
    signal?.throwIfAborted();
    stopping++;
    const stopped = life.call("connectionsStop").finally(() => stopping--);
    // What was begun goes on when the waiting is aborted.
    await orAbort(stopped, signal);
  }

  return Object.freeze({
    start() {
      life.throwUnlessRunning();
      // An order would overtake a stop of this same turn.
      if (stopping > 0) life.call("connectionsStart").catch(() => {});
      else life.order("connectionsStart");
    },
    /** @param {{ signal?: AbortSignal }} [options] */
    stop(options) {
      const stopped = stop(options);
      // Nobody has to wait for it.
      stopped.catch(() => {});
      return stopped;
    },
    pause: () => life.order("connectionsPause"),
    resume: () => life.order("connectionsResume"),
    /** @param {{ readonly [Name in Transport]?: number }} limits */
    setMaxByTransport(limits) {
      const all = Object.entries(resolveByTransport("limits", limits));
      // To the wasm, null is no limit.
      life.order("setMaxByTransport", { limits: Object.fromEntries(all.map(([name, limit]) => [name, limit === Infinity ? null : limit])) });
    },
    /** @param {number} ms */
    setLifetime(ms) {
      life.order("setLifetime", { ms: ms === Infinity ? undefined : checkLifetime(ms) });
    },
  });
}

/** @param {Lifecycle} life */
export function makeInitialSync(life) {
  return Object.freeze({
    /** @param {string} [id] */
    start: (id) => life.order("initialSyncStart", { peer: id === undefined ? undefined : checkPeerId(id) }),
    stop: () => life.order("initialSyncStop"),
  });
}
