/// <reference lib="dom" />
/// <reference lib="esnext.disposable" />

/**
 * Loads and compiles the wasm. Memoised, and implied by {@link createLightNode}: call it to load early, or to say where
 * the wasm is. A load that failed may be tried again.
 *
 * @param source the wasm or its place; by default `lightkeeper_bg.wasm` beside this module
 * @throws LightNodeError `unsupported` when it cannot be loaded
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

// --- options ----------------------------------------------------------------------------------------------------------

export interface LightNodeOptions {
  /** Default: cluster 1 with 8 shards. */
  readonly network?: Network;
  /**
   * Any mix of `enrtree://` URLs (bootstrap peers: few are dialed, and only while needed), multiaddrs that end in `/p2p/…`
   * and `enr:` texts (peers of your own: always dialed when needed). No default: a page contacts nobody it was not told to.
   */
  readonly bootstrap?: readonly string[];
  /** DNS-over-HTTPS endpoints (RFC 8484), tried in turn; used only for `enrtree://`. Default: two public ones. */
  readonly resolvers?: readonly string[];
  /** How many peers to hold for each service. */
  readonly require?: { readonly [Name in RequirementName]?: Need };
  /** Whether to dial addresses of private networks. Default: only when the page itself is served from one, or from loopback. */
  readonly allowPrivateAddresses?: boolean;
  /** A level prints to the console; a function gets the records, from `debug` up. Default: "off". */
  readonly log?: LogLevel | ((record: LogRecord) => void);
  /** Aborts creation, and frees what was made. Without effect on the finished node. */
  readonly signal?: AbortSignal;
}

/** What options come to, with every default filled in. */
export interface ResolvedOptions {
  readonly network: Network;
  readonly bootstrap: readonly string[];
  readonly resolvers: readonly string[];
  readonly require: { readonly [Name in RequirementName]: ResolvedNeed };
  readonly allowPrivateAddresses?: boolean;
  readonly log: LogLevel;
}

/** Static sharding names the shards; autosharding counts them and finds the shard of each content topic. */
export type Network =
  | { readonly clusterId: number; readonly shards: readonly number[] }
  | { readonly clusterId: number; readonly numShardsInCluster: number };

/** A service that peers are held for. */
export type RequirementName = "lightPush" | "filter" | "store";

/** A number `n` means `{ min: Math.min(1, n), target: n, max: 2 * n }`. Default: lightPush 2, filter 2, store `{ min: 0, target: 1, max: 2 }`. */
export type Need = number | { readonly min?: number; readonly target: number; readonly max?: number };

export interface ResolvedNeed {
  /** Below this the requirement is `unmet`. */
  readonly min: number;
  /** At this many serving peers it is `met`. */
  readonly target: number;
  /** No more than these are kept. */
  readonly max: number;
}

export type LogLevel = "off" | "error" | "warn" | "info" | "debug";

export interface LogRecord {
  readonly level: Exclude<LogLevel, "off">;
  /** The part of the library that speaks. */
  readonly target: string;
  readonly message: string;
}

/** The last argument of every asynchronous method. */
export interface CallOptions {
  /** Aborts the call, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How long it may take. Default: 10,000 for `send`, `subscribe` and each page of `query`. */
  readonly timeoutMs?: number;
}

export interface ReadyOptions extends CallOptions {
  /** `met` (default): every target holds. `minimal`: every minimum holds. */
  readonly level?: "met" | "minimal";
  /** Only these. Default: all. */
  readonly requirements?: readonly RequirementName[];
}

// --- the node ---------------------------------------------------------------------------------------------------------

/** A node. Made by {@link createLightNode}; its events are listed in {@link LightNodeEventMap}. */
export class LightNode extends EventTarget {
  private constructor();

  /** Our peer id; a fresh one for each node. */
  readonly peerId: string;

  /** Begins to connect. Idempotent; starts and stops are carried out in turn. */
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
  stats(): Stats;
  /**
   * Every event of {@link LightNodeEventMap} from now on. At most 1,000 wait for the reader; past that the oldest are
   * dropped, and one `events:dropped` stands in their place. Ends when the node is closed or has crashed.
   */
  events(options?: Pick<CallOptions, "signal">): AsyncIterableIterator<NodeEvent>;

  /** Changes what a service wants, at once. */
  setRequirement(name: RequirementName, need: Need): void;
  /** `banned` closes the connection and bars the peer until another priority is set. */
  setPriority(id: string, priority: Priority): void;
  /**
   * Connects to a peer and holds it until {@link hangUp}.
   *
   * @param target a multiaddr that ends in `/p2p/…`, a node record, or the id of a known peer
   * @throws LightNodeError `dial-failed`, `denied`
   */
  dial(target: string, options?: CallOptions): Promise<PeerInfo>;
  /** Closes the connection and bars the peer until it is dialed, its priority is set, or the node restarts. */
  hangUp(id: string, options?: Pick<CallOptions, "signal">): Promise<void>;

  readonly lightPush: {
    /**
     * Publishes a message through a peer. Waits for one that serves until the deadline.
     *
     * @throws LightNodeError `no-peer` (`cause` has the last error of each peer tried), `timeout`, `rejected`
     */
    send(message: OutgoingMessage, options?: CallOptions): Promise<SendReport>;
  };
  readonly filter: {
    /**
     * Receives messages as they are published. Signal and deadline are for the subscribing alone; a subscription lasts
     * until it is unsubscribed, moving to another peer when its own is lost (`filter:gap`).
     */
    subscribe(
      contentTopics: readonly string[],
      onMessage: (message: Message) => void,
      options?: CallOptions & { readonly shard?: number },
    ): Promise<Subscription>;
  };
  readonly store: {
    /** Past messages, fetched page by page as they are read. */
    query(query: StoreQuery, options?: CallOptions): AsyncGenerator<Message, void, undefined>;
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

/** The one error class of this package. */
export class LightNodeError extends Error {
  constructor(
    code: ErrorCode,
    message: string,
    details?: { readonly cause?: unknown; readonly peer?: string; readonly address?: string; readonly option?: string },
  );
  readonly code: ErrorCode;
  /** What lies behind it. With `no-peer`: the last error of each peer tried. */
  readonly cause?: unknown;
  readonly peer?: string;
  readonly address?: string;
  /** The option or argument that is wrong. */
  readonly option?: string;
}

// --- data -------------------------------------------------------------------------------------------------------------

export interface Health {
  readonly state: HealthState;
  readonly requirements: RequirementStatus[];
  /** What the browser says of its network. */
  readonly online: boolean;
  readonly reason: HealthReason;
}

export type HealthState = "unmet" | "minimal" | "met";

export interface RequirementStatus {
  readonly name: RequirementName;
  /** Peers that serve it now. */
  readonly have: number;
  readonly min: number;
  readonly target: number;
  readonly state: HealthState;
  /** Who serves it, best first. */
  readonly peers: string[];
}

export interface PeerInfo {
  readonly peerId: string;
  /** The address of the connection, else the best one known. */
  readonly address?: string;
  readonly transport?: Transport;
  readonly direction?: Direction;
  readonly state: PeerState;
  /** What it is said, or was verified, to serve. */
  readonly services: RequirementName[];
  /** What it serves us now. */
  readonly serving: RequirementName[];
  readonly shards?: number[];
  /** What it calls itself. */
  readonly agent?: string;
  readonly source: Source;
  readonly priority: Priority;
  /** From −1000 to 1000; 0 is unknown. */
  readonly score: number;
  readonly rttMs?: number;
  readonly connectedAt?: number;
  /** The last thing that went against it. */
  readonly lastReason?: Reason;
  /** When it may be dialed again. */
  readonly nextTryAt?: number;
}

export type Transport = "ws" | "wss";
export type Direction = "outbound" | "inbound";
export type Priority = "high" | "medium" | "low" | "banned";

/** Where a peer stands. */
export type PeerState =
  /** Known, and may be dialed. */
  | "known"
  /** Being dialed. */
  | "dialing"
  /** Connected. */
  | "connected"
  /** Its connection is being closed, by us. */
  | "closing"
  /** Waiting out a failure, a busy answer or a hang-up. */
  | "cooling"
  /** Banned. */
  | "banned"
  /** A bootstrap peer that is not needed. */
  | "parked";

/** Who told of a peer first. */
export type Source =
  /** A signed record tree. */
  | "dns"
  /** Another peer. */
  | "peer-exchange"
  /** The options, or `dial`. */
  | "static"
  /** Nobody: it was connected before anybody spoke of it. */
  | "foreign";

export interface Stats {
  /** Known peers, now. */
  readonly known: number;
  /** Open connections, now. */
  readonly open: number;
  /** Dials under way, now. */
  readonly dialing: number;
  /** Since the node was made, as everything below: dials started. */
  readonly dials: number;
  readonly dialFailures: number;
  readonly connects: number;
  readonly disconnects: number;
  /** Connections that we closed. */
  readonly closes: number;
  readonly replacements: number;
}

export interface OutgoingMessage {
  readonly contentTopic: string;
  /** Not empty. */
  readonly payload: Uint8Array;
  /** Not to be kept by stores. */
  readonly ephemeral?: boolean;
  /** Milliseconds since 1970. Default: now. */
  readonly timestamp?: number;
  /** Needed only where the network names several shards. */
  readonly shard?: number;
}

export interface SendReport {
  readonly hash: string;
  /** The peers that took it. */
  readonly accepted: string[];
  readonly failed: { readonly peer: string; readonly class: FailureClass; readonly message: string }[];
  readonly attempts: number;
  readonly ms: number;
}

export interface Message {
  readonly contentTopic: string;
  readonly payload: Uint8Array;
  /** Milliseconds since 1970, as the sender set it. */
  readonly timestamp: number;
  readonly timestampNs: bigint;
  readonly hash: string;
  readonly shard: number;
  readonly ephemeral: boolean;
  readonly meta?: Uint8Array;
  /** Who gave it to us. */
  readonly peer: string;
}

/** A search by content topics and time, or a look-up of hashes. */
export type StoreQuery =
  | (StoreQueryPaging & {
      /** 1 to 10, of one shard. */
      readonly contentTopics: readonly string[];
      /** Not older than this. A number is milliseconds since 1970. */
      readonly from?: number | Date;
      /** Not newer than this. */
      readonly to?: number | Date;
      readonly hashes?: undefined;
    })
  | (StoreQueryPaging & {
      /** 1 to 50 message hashes. */
      readonly hashes: readonly string[];
      readonly contentTopics?: undefined;
      readonly from?: undefined;
      readonly to?: undefined;
    });

export interface StoreQueryPaging {
  /** `ascending` (default): oldest first. `descending`: newest first; with `limit`, the latest messages. */
  readonly order?: "ascending" | "descending";
  /** How many to fetch at a time, 1 to 100. Default: 20. */
  readonly pageSize?: number;
  /** End after so many. Default: all. */
  readonly limit?: number;
  readonly shard?: number;
}

export interface Subscription {
  readonly contentTopics: readonly string[];
  /** `moving`: its peer was lost, and another is sought. */
  readonly state: "active" | "moving" | "closed";
  /** Who delivers. */
  readonly peers: readonly string[];
  /** Why it ended: `hung-up` after `unsubscribe()`. Rejects when the node crashes. */
  readonly closed: Promise<Reason>;
  /** Idempotent. */
  unsubscribe(options?: Pick<CallOptions, "signal">): Promise<void>;
}

// --- events -----------------------------------------------------------------------------------------------------------

/** The `detail` of each event: plain data. */
export interface LightNodeEventDetails {
  /** A peer became known for the first time. `claims` is what it is said to serve. */
  "peer:discovery": { readonly peerId: string; readonly source: Source; readonly claims: RequirementName[] };
  "peer:connect": { readonly peerId: string; readonly address: string; readonly transport: Transport; readonly direction: Direction };
  "peer:identify": {
    readonly peerId: string;
    readonly address: string;
    readonly transport: Transport;
    readonly direction: Direction;
    readonly protocols: string[];
    readonly agent: string;
  };
  /** The last connection to a peer ended. `deliberate`: we ordered it, or the remote closed cleanly. */
  "peer:disconnect": {
    readonly peerId: string;
    readonly cause: Cause;
    readonly reason: Reason;
    readonly deliberate: boolean;
    readonly uptimeMs: number;
    readonly willReconnect: boolean;
  };
  /** A peer that was lost is connected again; comes after its `peer:connect`. */
  "peer:reconnect": { readonly peerId: string; readonly downMs: number; readonly attempts: number };
  /** Another peer took over a requirement. Once for each requirement. */
  "peer:replace": { readonly lost: string; readonly gained: string; readonly requirement: RequirementName; readonly gapMs: number };
  /** A dial (`address`) or a request (`protocol`) failed. */
  "peer:fail": {
    readonly peerId: string;
    readonly kind: FailKind;
    readonly address?: string;
    readonly protocol?: string;
    readonly willRetryAt?: number;
  };
  "peer:ban": { readonly peerId: string; readonly reason: Reason };
  /** A requirement crossed its minimum or its target. */
  "requirement:change": {
    readonly name: RequirementName;
    readonly have: number;
    readonly min: number;
    readonly target: number;
    readonly crossed: Crossed;
  };
  "health:change": { readonly old: HealthState; readonly new: HealthState; readonly reason: HealthReason };
  /** Messages of a subscription may have been missed between two times. */
  "filter:gap": {
    readonly contentTopics: string[];
    readonly from: number;
    readonly to: number;
    readonly cause: GapCause;
    /** Whether they were fetched from a store since. */
    readonly filled: boolean;
  };
  /** The wasm trapped. Every later call rejects with `crashed`; a new node can be made. */
  "node:crash": { readonly message: string };
}

export type LightNodeEventMap = { [Type in keyof LightNodeEventDetails]: CustomEvent<LightNodeEventDetails[Type]> };

/** What {@link LightNode.events} yields. `at`: milliseconds since 1970. */
export type NodeEvent =
  | { [Type in keyof LightNodeEventDetails]: { readonly type: Type; readonly detail: LightNodeEventDetails[Type]; readonly at: number } }[keyof LightNodeEventDetails]
  | { readonly type: "events:dropped"; readonly detail: { readonly count: number }; readonly at: number };

/** Why messages of a subscription may have been missed. */
export type GapCause =
  /** Its peer was lost, and another took over. Query the store for the time between. */
  | "moved"
  /** Its peer had forgotten it, and was told again. Query the store for the time between. */
  | "resubscribed"
  /** More came in at once than the page takes. Query the store for that time. */
  | "overflow";

/** Which line a requirement crossed. */
export type Crossed =
  /** It has its minimum again. */
  | "min-reached"
  /** It fell below its minimum. */
  | "min-lost"
  /** It has its target again. */
  | "target-reached"
  /** It fell below its target. */
  | "target-lost";

// --- closed lists -----------------------------------------------------------------------------------------------------

/** Why a call failed (`LightNodeError.code`). */
export type ErrorCode =
  /** An option or argument is wrong; `option` names it. Correct the call. */
  | "invalid-options"
  /** The node is stopped. Call `start()` first. */
  | "not-started"
  /** The node is closed. Make a new one. */
  | "closed"
  /** The wasm trapped, which is a bug of ours. Make a new node, and report the message. */
  | "crashed"
  /** No peer served until the deadline; `cause` has the last error of each one tried. Look at `health().reason`, or try later. */
  | "no-peer"
  /** The deadline ran out. Try again, or allow more time. */
  | "timeout"
  /** The node's rules forbid it: the peer is banned, a limit is reached. The message says which. */
  | "denied"
  /** The peer could not be dialed; `cause` is a `FailKind`. Check the address, or try later. */
  | "dial-failed"
  /** This environment cannot do it: no browser, no WebSocket, no wasm at the expected place. The message says what is missing. */
  | "unsupported"
  /** The peers refused the request itself. Correct it: trying again will not help. */
  | "rejected"
  /** Every peer is full or limits our rate. Try later. */
  | "busy"
  /** A peer broke the protocol. Try again: another peer is taken. */
  | "protocol"
  /** Something could not be saved or loaded. */
  | "storage";

/** Why a connection ended, a dial was refused or a peer is not dialed. */
export type Reason =
  /** You hung up. Nothing to do; `dial` lets it in again. */
  | "hung-up"
  /** The node was stopped or closed. Nothing to do. */
  | "stopped"
  /** You banned the peer. Lasts until `setPriority`. */
  | "banned-by-user"
  /** The peer broke the protocol too often. Nothing to do; if it is your server, look at its version. */
  | "banned-for-faults"
  /** The peer is of another cluster, or serves none of our shards. Check `network`, and whether `bootstrap` belongs to it. */
  | "other-network"
  /** A bootstrap peer whose work others do by now. Nothing to do: it is meant to be so. */
  | "handed-off"
  /** It serves nothing that is still needed. Nothing to do; raise `require` to hold more. */
  | "not-needed"
  /** It stopped serving, and another peer took over. Nothing to do. */
  | "failed-service"
  /** A second connection to the same peer was closed. Nothing to do. */
  | "duplicate"
  /** A connection that nobody ordered was not let in. Nothing to do. */
  | "not-admitted"
  /** The peer no longer answered pings. Nothing to do: it is redialed or replaced. */
  | "ping-timeout"
  /** The peer did not say what it is. Nothing to do; if it is your server, look at its log. */
  | "identify-failed"
  /** The peer closed the connection in order. Nothing to do. */
  | "remote-closed"
  /** The connection broke without a word. Nothing to do: it is redialed or replaced. */
  | "connection-lost"
  /** The connection broke while this machine had no network. Tell the user; it comes back by itself. */
  | "network-lost"
  /** The peer hung up just after connecting, as servers of another cluster do. Check `network`. */
  | "rejected-by-remote"
  /** Nobody answered at that address. Check it, and that your Content-Security-Policy allows it (`connect-src`). */
  | "unreachable"
  /** The dial took too long. Nothing to do: it is tried again, later each time. */
  | "dial-timeout"
  /** Something answered that does not speak libp2p over WebSocket with noise and yamux. Check the address. */
  | "handshake-failed"
  /** Another peer answered at that address. Correct the `/p2p/…` part, or drop the address. */
  | "wrong-id"
  /** The page may not dial that address: `ws` from an https page, or a private address. Use `wss`, or `allowPrivateAddresses`. */
  | "not-allowed"
  /** It waits out a failure. See `nextTryAt`; `dial` tries at once. */
  | "backing-off"
  /** A bootstrap peer that is not needed yet. Nothing to do. */
  | "parked"
  /** The peer is full or limits our rate. Nothing to do: it is asked later. */
  | "busy"
  /** Enough dials are under way. Nothing to do: it comes in its turn. */
  | "over-budget"
  /** The browser is offline. Tell the user; it goes on by itself. */
  | "offline"
  /** Already connected, or being dialed. Nothing to do. */
  | "already-connected"
  /** That is this node itself. Dial another peer. */
  | "our-own-id"
  /** No address that a page can dial is known: pages need `ws` or `wss`. Give a multiaddr. */
  | "no-route"
  /** The limit of connections is reached. Hang up others first. */
  | "limit-reached"
  /** Too many peers are held by `dial`. Hang up others first. */
  | "pin-limit"
  /** Nobody of that id is known. Dial it by multiaddr. */
  | "unknown-peer";

/** Who ended a connection (`cause` of `peer:disconnect`); `reason` says why. */
export type Cause =
  /** We did. */
  | "local"
  /** We did, for the peer is banned. */
  | "banned"
  /** We did, for the connection was not needed. */
  | "pruned"
  /** We did, for another peer took over. */
  | "replaced"
  /** Our ping or a deadline ran out. */
  | "timeout"
  /** This machine's network went away. */
  | "network"
  /** The other side did, or something in between. */
  | "remote";

/** How a dial failed. A page never learns more. */
export type DialFailure =
  /** Nobody there, or not for a page. Check the address and `connect-src`. */
  | "unreachable"
  /** Nobody answered in time. Nothing to do: it is tried again. */
  | "timeout"
  /** It connected, and the handshake failed. Check that the address is of a libp2p node over WebSocket. */
  | "handshake"
  /** Another peer answered. Correct the address. */
  | "wrong-id"
  /** The page may not dial this address. Use `wss`, or `allowPrivateAddresses`. */
  | "not-allowed"
  /** Given up by our own side. Nothing is held against the peer. */
  | "cancelled";

/** How a request to a peer failed. */
export type FailureClass =
  /** The request was wrong. Correct it. */
  | "ours"
  /** Full, or limiting our rate. Nothing to do: it is asked later. */
  | "busy"
  /** It cannot do this now. Nothing to do: others are asked for some minutes. */
  | "unable"
  /** An error, a reset or silence. Nothing to do: it is replaced when it happens again. */
  | "broken"
  /** It broke the protocol. Nothing to do: it is banned when it goes on. */
  | "fault"
  /** It forgot what we had agreed on. Nothing to do: that is set up anew. */
  | "lost"
  /** It does not speak the protocol. Nothing to do: it is not asked again. */
  | "absent";

/** What failed in `peer:fail`: a dial or a request. */
export type FailKind = DialFailure | FailureClass;

/** Why the health is what it is. */
export type HealthReason =
  /** Every target is met. Nothing to do. */
  | "all-met"
  /** All minima hold, and some target does not yet. Usable. */
  | "below-target"
  /** The node is stopped. Call `start()`. */
  | "stopped"
  /** No bootstrap was given, and no peer is known. Give `bootstrap`, or `dial`. */
  | "no-bootstrap"
  /** Bootstrap peers are being looked up. Wait. */
  | "discovering"
  /** No resolver gave a usable record tree. Check the `enrtree://` URL, `resolvers` and `connect-src`. */
  | "discovery-failed"
  /** Dials are under way. Wait. */
  | "connecting"
  /** Peers are connected, and what they serve is being verified. Wait. */
  | "verifying"
  /** Every known peer waits out a failure. Wait; if it lasts, the servers are down or blocked. */
  | "backing-off"
  /** Nobody known serves what is missing. Give more `bootstrap`, or lower `require`. */
  | "no-candidates"
  /** Every peer that answered is of another network. Check `network` and `bootstrap`. */
  | "wrong-network"
  /** The browser is offline. Tell the user. */
  | "offline"
  /** Everything fails at once: probably this machine's network. Tell the user; it goes on by itself. */
  | "suspect-offline";
