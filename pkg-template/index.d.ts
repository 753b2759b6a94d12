/// <reference lib="dom" />
/// <reference lib="esnext.disposable" />

import type { EnrollSpec, Enrollment } from "./types/enrollment.js";
import type { LightNodeEventMap, NodeEvent } from "./types/events.js";
import type { Message, OutgoingMessage, SendOptions, SendReport, StoreQuery, SubscribeOptions, Subscription } from "./types/messages.js";
import type {
  CallOptions,
  LightNodeOptions,
  Limits,
  Need,
  Network,
  ReadyOptions,
  RequirementName,
  ResolvedOptions,
} from "./types/options.js";
import type {
  EventLog,
  Explanation,
  Health,
  PeerFailure,
  PeerInfo,
  Priority,
  Stats,
  Transport,
} from "./types/peers.js";
import type { DialFailure, ErrorCode, LockDenial, Reason } from "./types/reasons.js";

export type { Policy } from "./policy.js";
export type * from "./types/enrollment.js";
export type * from "./types/events.js";
export type * from "./types/messages.js";
export type * from "./types/options.js";
export type * from "./types/peers.js";
export type * from "./types/reasons.js";

/**
 * Loads and compiles the wasm. Memoised, and implied by {@link createLightNode}: call it to load early, or, before the
 * first node, to say where the wasm is. A load that failed may be tried again.
 *
 * @param source the wasm or its place; by default `lightkeeper_bg.wasm` beside this module, or what is loaded already
 * @throws LightNodeError `unsupported` when it cannot be loaded; `invalid-options` when it was taken, or is being taken,
 *   from another source
 */
export function init(source?: URL | string | Response | BufferSource | WebAssembly.Module): Promise<void>;

/**
 * A started node. Resolves without waiting for the network: await {@link LightNode.ready} for that.
 *
 * @throws LightNodeError `invalid-options`, before anything starts, with `option` set; `unsupported` outside a browser
 */
export function createLightNode(options?: LightNodeOptions): Promise<LightNode>;

/** The same node, off until {@link LightNode.start} is called. */
export function createPeerManager(options?: LightNodeOptions): Promise<LightNode>;

/** What holds where an option is left out. */
export const DEFAULTS: Readonly<ResolvedOptions>;

/** Public networks by name, to spread into options: `createLightNode({ ...networks.sandbox })`. */
export const networks: Readonly<Record<"sandbox" | "test", { readonly network: Network; readonly bootstrap: readonly string[] }>>;

/** A node. Made by {@link createLightNode}; its events are listed in {@link LightNodeEventMap}. */
export class LightNode extends EventTarget {
  private constructor();

  /** Our peer id; a fresh one for each node. */
  readonly peerId: string;

  /** Begins to connect. Idempotent; starts and stops are carried out in turn. Also ends what {@link Connections.stop} and `pause` began. */
  start(options?: Pick<CallOptions, "signal">): Promise<void>;
  /** Closes every connection and ends discovery; what is known of peers is kept. Idempotent. */
  stop(options?: Pick<CallOptions, "signal">): Promise<void>;
  /** Frees everything: sockets, timers, memory. Idempotent. Every later call rejects with `closed`. */
  close(options?: Pick<CallOptions, "signal">): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;

  /**
   * Resolves when the requirements hold, by peers that serve. Waits as long as it takes, unless `timeoutMs` is given.
   *
   * @throws LightNodeError `timeout`, `not-started`
   */
  ready(options?: ReadyOptions): Promise<void>;
  health(): Health;
  /** Every known peer. */
  peers(): PeerInfo[];
  peer(id: string): PeerInfo | undefined;
  /**
   * The peers now, and again after each change. A slow reader gets the latest, not each; so does any reader while listing
   * them would take more than a tenth of the time, as with thousands. Ends when the node is closed or has crashed.
   */
  watchPeers(options?: Pick<CallOptions, "signal">): AsyncIterableIterator<PeerInfo[]>;
  /** Why a peer is where it is: what forbids to dial it or to close it, its score's parts, the last decisions about it. `undefined`: nobody is known by that id. */
  explain(id: string): Explanation | undefined;
  /** @param options `decisions`: how many of the last decisions to give, 0 to 1,024. Default: 16 */
  stats(options?: { readonly decisions?: number }): Stats;
  /**
   * Everything that the manager was told since the node was made (as much of it as is kept), with which its decisions can
   * be had again, natively and one by one. It names peers and addresses, and nothing of what was sent.
   */
  record(): EventLog;
  /**
   * Every event of {@link LightNodeEventMap} from now on. At most 1,000 wait for the reader; past that the oldest are
   * dropped, and one `events:dropped` stands in their place. Ends when the node is closed or has crashed.
   */
  events(options?: Pick<CallOptions, "signal">): AsyncIterableIterator<NodeEvent>;
  /** Every `peer:fail` from now on. At most 1,000 wait for the reader; past that the oldest are dropped. Ends as {@link events} does. */
  errors(options?: Pick<CallOptions, "signal">): AsyncIterableIterator<PeerFailure>;

  /** Changes what a service, or a protocol that enrolled with a requirement, wants, at once. */
  setRequirement(name: RequirementName, need: Need): void;
  /** Changes the limits of connections, at once; what is left out stays. Protocols that enrolled get new offers. */
  setLimits(limits: Limits): void;
  /** All connections together. */
  readonly connections: Connections;
  /** For catching up on a peer's history before anything else: one connection, and no other. */
  readonly initialSync: InitialSync;
  /**
   * Gives a protocol of the page's own a share of the connections, its own requirement, locks and bursts. Works on a
   * stopped node too, and lasts over stops.
   *
   * @throws LightNodeError `denied`, with the {@link Reason} as `cause`: the name is taken, there are too many, or no share is left
   */
  enroll(spec: EnrollSpec, options?: Pick<CallOptions, "signal">): Promise<Enrollment>;

  // Each of these is done when it returns, or throws a LightNodeError and has changed nothing.

  /**
   * `banned` closes the connection and bars the peer until another priority is set. The others say whom to dial first among equals.
   *
   * @throws LightNodeError `denied`, with the {@link Reason} as `cause`
   */
  setPriority(id: string, priority: Priority): void;
  /**
   * Adds an address that you know; it is kept before those that others claim. With or without `/p2p/…` at its end. Dials nobody.
   *
   * @throws LightNodeError `invalid-options`: not the multiaddr of a WebSocket, of another peer, or one that this page may
   *   not dial; `denied`, with the {@link Reason} as `cause`: you have named enough of this peer (`limit-reached`), or the peer is
   *   unknown and cannot be taken in
   */
  addRoute(id: string, address: string): void;
  /** Drops an address. An open connection stays. */
  removeRoute(id: string, address: string): void;
  /** Drops all that is known of a peer, and closes its connection. A ban stays. */
  forget(id: string): void;
  /**
   * Keeps the peer's connection, while there is one, as long as this tag stands. Dials nobody. Idempotent for each tag.
   *
   * @throws LightNodeError `denied`, with the {@link Reason} as `cause`: too many peers are held (`pin-limit`), the peer has 16
   *   tags (`limit-reached`), or is banned
   */
  protect(id: string, tag: string): void;
  /** Takes a tag of {@link protect} back. */
  unprotect(id: string, tag: string): void;
  /**
   * A hint of a peer's worth that fades. All hints of a peer together count from −200 to 200, and can never ban.
   *
   * @param name a second hint of the same name replaces the first
   * @param hint `value`: −1000 to 1000; `ttlMs`: gone after that, by default never
   * @throws LightNodeError `denied`, with the {@link Reason} as `cause`: the peer has 16 of them (`limit-reached`)
   */
  tag(id: string, name: string, hint: { readonly value: number; readonly ttlMs?: number }): void;
  /**
   * Connects now, and permanently: remembered while the node is stopped or offline, dialed again for ever. Ends with
   * {@link hangUp}, {@link forget} or a ban.
   *
   * @throws LightNodeError `denied`, with the {@link Reason} as `cause`: the node's own limit of such peers (half of the
   *   connections) is reached (`pin-limit`), or the peer may not be dialed
   */
  keep(id: string): void;
  /**
   * Connects to a peer and holds it until {@link hangUp}.
   *
   * @param target a multiaddr that ends in `/p2p/…`, a node record, or the id of a known peer. An address that is given is
   *   dialed before those known.
   * @throws LightNodeError `dial-failed`, with the {@link DialFailure} as `cause`; `denied` at once, with the {@link Reason}: the
   *   peer is banned, too many are held, or it cannot be dialed now
   */
  dial(target: string, options?: CallOptions): Promise<PeerInfo>;
  /** Closes the connection and bars the peer until it is dialed, its priority is set, or the node restarts. */
  hangUp(id: string, options?: Pick<CallOptions, "signal">): Promise<void>;

  readonly lightPush: {
    /**
     * Publishes a message through several peers at once. Waits for peers that serve, and goes on to others with the same
     * bytes, until so many took it as `min` says or the deadline is over. The payload is copied: its buffer is yours again
     * at once.
     *
     * @throws LightNodeError `no-peer` (`cause` is an `AggregateError` with the last error of each peer tried), `timeout`,
     *   `rejected`, `busy`
     */
    send(message: OutgoingMessage, options?: SendOptions): Promise<SendReport>;
  };
  readonly filter: {
    /**
     * Receives messages as they are published. Signal and deadline are for the subscribing alone; a subscription lasts
     * until it is unsubscribed, and moves to other peers when its own are lost (`filter:gap`). No message is handed over
     * before the promise has resolved and whoever awaits it was called; none is lost for that.
     *
     * @param onMessage called with each message; without it, read the subscription with `for await`
     * @throws LightNodeError `no-peer` (`cause` as for `send`), `timeout`, `rejected`, `busy`
     */
    subscribe(contentTopics: readonly string[], onMessage?: (message: Message) => void, options?: SubscribeOptions): Promise<Subscription>;
    subscribe(contentTopics: readonly string[], options: SubscribeOptions): Promise<Subscription>;
  };
  readonly store: {
    /**
     * Past messages in the asked order, each once, fetched page by page as they are read.
     *
     * @throws LightNodeError `no-peer` (`cause` as for `send`), `timeout`, `rejected`, `busy`
     */
    query(query: StoreQuery, options?: CallOptions): AsyncGenerator<Message, void, undefined>;
    /**
     * Which messages are stored: those of the hashes that a store has, written as they were given. 0 to 1,000 hashes.
     *
     * @throws LightNodeError `no-peer` (`cause` as for `send`), `timeout`, `busy`
     */
    has(hashes: readonly string[], options?: CallOptions): Promise<Set<string>>;
  };

  addEventListener<Type extends keyof LightNodeEventMap>(
    type: Type,
    listener: LightNodeListener<Type> | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof LightNodeEventMap>(
    type: Type,
    listener: LightNodeListener<Type> | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

export type LightNodeListener<Type extends keyof LightNodeEventMap> =
  | ((this: LightNode, event: LightNodeEventMap[Type]) => void)
  | { handleEvent(event: LightNodeEventMap[Type]): void };

export interface Connections {
  /**
   * Connects again after {@link stop} or {@link pause}.
   *
   * @throws LightNodeError `not-started` when the whole node is stopped
   */
  start(): void;
  /**
   * Ends every connection and dials nobody; unlike {@link LightNode.stop} the node goes on looking for peers. Resolves when
   * all are closed. A signal ends the waiting alone.
   */
  stop(options?: Pick<CallOptions, "signal">): Promise<void>;
  /** Keeps the connections and dials nobody. */
  pause(): void;
  /** Ends {@link pause}. */
  resume(): void;
  /** Changes the limit of each transport that is named, dials included; `Infinity` lifts it. */
  setMaxByTransport(limits: { readonly [Name in Transport]?: number }): void;
  /**
   * Replaces connections that are older than this, give or take a fifth, once another peer serves in their place. In milliseconds,
   * a minute (60,000) at least. `Infinity` (the default): never.
   */
  setLifetime(ms: number): void;
}

export interface InitialSync {
  /** Keeps one connection, to this peer or else to the best, and ends all others but those held by {@link LightNode.keep}, without holding it against them. */
  start(id?: string): void;
  /** Back to normal. */
  stop(): void;
}

/** The one error class of this package. */
export class LightNodeError extends Error {
  constructor(
    code: ErrorCode,
    message: string,
    details?: { readonly cause?: unknown; readonly peer?: string; readonly address?: string; readonly option?: string },
  );
  readonly code: ErrorCode;
  /**
   * What lies behind it. With `no-peer`, when any peer was tried: an `AggregateError`, whose `errors` are the last
   * {@link LightNodeError} of each, with its `peer`. With `dial-failed` the {@link DialFailure}, with `denied` the
   * {@link Reason} or {@link LockDenial}.
   */
  readonly cause?: unknown;
  readonly peer?: string;
  readonly address?: string;
  /** The option or argument that is wrong. */
  readonly option?: string;
}
