/** Part of test builds only: what lets a test break things that nobody can break from outside. */

import { internals } from "./node.js";

/**
 * Makes the wasm panic from inside a call.
 *
 * @param {import("./node.js").LightNode} node
 */
export function testPanic(node) {
  const { instance, handle } = internals(node);
  instance.enter("test_panic", handle);
}
