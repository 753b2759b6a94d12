/**
 * A wasm surface that a test answers by hand: `posts` is what came in, orders among it (`ordered`), and `reply`, `event` …
 * is what goes out. Handlers in `auto` answer by themselves; orders in `refusals` are refused.
 */

import { Instance } from "../../pkg-template/instance.js";
import { createNode } from "../../pkg-template/node.js";

export class FakeWasm {
  posts = [];
  created = [];
  destroyed = [];
  auto = { start: () => undefined, stop: () => undefined, close: () => undefined };
  refusals = {};
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
      // The real one says at once that it has ended, while the servers are still being told.
      if (message.method === "unsubscribe") queueMicrotask(() => this.subscription(message.params.subscription, "closed", [], handle));
      const answer = this.auto[message.method];
      if (answer) queueMicrotask(() => this.reply({ handle, ...message }, answer(message.params)));
    },
    order: (handle, method, params) => {
      if (this.refusals[method]) throw this.refusals[method];
      this.posts.push({ handle, method, params, ordered: true });
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

  /** A message of a subscription. */
  message(subscription, message, handle = 1) {
    this.sink(handle, { kind: "message", subscription, message });
  }

  subscription(subscription, state, peers = [], handle = 1) {
    this.sink(handle, { kind: "subscription", subscription, state, peers });
  }

  /** As the real one: the panic hook speaks, then the call traps. */
  crash(message) {
    if (message !== undefined) this.#panic(message);
    this.#trap(new WebAssembly.RuntimeError("unreachable"));
  }
}

/** Past every microtask that is due, and what has a turn of its own after them. */
export async function settled() {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}
