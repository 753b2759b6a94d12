/**
 * Wishes about all connections together.
 *
 * @import { Transport } from "./index.js"
 * @import { Lifecycle } from "./lifecycle.js"
 */

import { checkLifetime, checkPeerId } from "./arguments.js";
import { resolveByTransport } from "./options.js";

/** @param {Lifecycle} life */
export function makeConnections(life) {
  return Object.freeze({
    start() {
      life.throwUnlessRunning();
      life.order("connectionsStart");
    },
    stop: () => life.order("connectionsStop"),
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
