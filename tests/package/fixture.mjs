/** What the stories of a node share: someone to talk to, and a node over a wasm that is told what to answer. */
import { LightNodeError } from "../../pkg-template/errors.js";
import { FakeWasm } from "./fake-wasm.mjs";

export const PEER = "16Uiu2HAmNaeL4p3WEYzC9mgXBmBWSgWjPHRvatZTXnp8Jgv3iKsb";
export const MESSAGE = { contentTopic: "/app/1/chat/proto", payload: new Uint8Array([1]) };
export const TOPICS = ["/app/1/chat/proto"];
export const HASH = "ab".repeat(32);
export const code = (expected) => (error) => error instanceof LightNodeError && error.code === expected;

/** A signal, and how many listen to it: a leak shows here. */
export function watchedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args) => (listeners++, addEventListener.apply(signal, args));
  signal.removeEventListener = (...args) => (listeners--, removeEventListener.apply(signal, args));
  return { signal, abort: (reason) => controller.abort(reason), listeners: () => listeners };
}

export async function running() {
  const wasm = new FakeWasm();
  return { wasm, node: await wasm.node() };
}

/** Everything that asks something of a node. */
export const calls = (node) => ({
  start: (o) => node.start(o),
  stop: (o) => node.stop(o),
  ready: (o) => node.ready(o),
  dial: (o) => node.dial(PEER, o),
  hangUp: (o) => node.hangUp(PEER, o),
  send: (o) => node.lightPush.send(MESSAGE, o),
  subscribe: (o) => node.filter.subscribe(TOPICS, () => {}, o),
  query: (o) => node.store.query({ contentTopics: TOPICS }, o).next(),
  has: (o) => node.store.has([HASH], o),
});
