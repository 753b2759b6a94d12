/**
 * lightkeeper keeps a web page connected to the service peers of a peer-to-peer network. Importing it does nothing.
 *
 * @import { LightNodeOptions } from "./index.js"
 */

import { load } from "./loader.js";
import { createNode } from "./node.js";

export { LightNodeError } from "./errors.js";
export { init } from "./loader.js";
export { LightNode } from "./node.js";
export { DEFAULTS, networks } from "./options.js";

/**
 * A started node. Resolves without waiting for the network: await `ready()` for that.
 *
 * @param {LightNodeOptions} [options]
 */
export function createLightNode(options) {
  return createNode(load, options, true);
}

/**
 * The same node, off until `start()` is called.
 *
 * @param {LightNodeOptions} [options]
 */
export function createPeerManager(options) {
  return createNode(load, options, false);
}
