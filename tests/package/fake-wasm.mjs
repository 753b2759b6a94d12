/**
 * A wasm surface that a test answers by hand: `posts` is what came in, `reply`, `event` … is what goes out. Handlers in
 * `auto` answer by themselves.
 */

import { Instance } from "../../pkg-template/instance.js";
import { createNode } from "../../pkg-template/node.js";

export class FakeWasm {
  posts = [];
  created = [];
  destroyed = [];
  auto = { start: () => undefined, stop: () => undefined, close: () => undefined };
  #sinks = [];
  #panic;
  #trap;

  surface = {
    create: (options, sink) => {
      this.created.push(options);
      return this.#sinks.push(sink);
    },
    post: (handle, message) => {
      this.posts.push({ handle, ...message });
      const answer = this.auto[message.method];
      if (answer) queueMicrotask(() => this.reply({ handle, ...message }, answer(message.params)));
    },
    query: (handle, what, argument) => (what === "peerId" ? `peer-${handle}` : { what, argument }),
    destroy: (handle) => this.destroyed.push(handle),
    on_crash: (callback) => (this.#panic = callback),
  };

  /** The facade's loader, with this for the wasm. */
  load = () =>
    (this.loading ??= Instance.create(async (module, onTrap) => {
      this.#trap = onTrap;
      return this.surface;
    }));

  node(options, start = true) {
    return createNode(this.load, options, start);
  }

  /** The last post of a method, waiting for it. */
  async posted(method, count = 1) {
    for (let turn = 0; turn < 100; turn++) {
      const found = this.posts.filter((post) => post.method === method);
      if (found.length >= count) return found[count - 1];
      await Promise.resolve();
    }
    throw new Error(`no ${method} was posted`);
  }

  methods() {
    return this.posts.map(({ method }) => method);
  }

  sink(handle, message) {
    this.#sinks[handle - 1](message);
  }

  reply({ handle, id }, ok) {
    this.sink(handle, { kind: "reply", id, ok });
  }

  refuse({ handle, id }, error) {
    this.sink(handle, { kind: "reply", id, error });
  }

  event(type, detail, handle = 1) {
    this.sink(handle, { kind: "event", type, detail });
  }

  /** As the real one: the panic hook speaks, then the call traps. */
  crash(message) {
    if (message !== undefined) this.#panic(message);
    this.#trap(new WebAssembly.RuntimeError("unreachable"));
  }
}

/** Past every microtask that is due. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));
