/// <reference lib="dom" />
/// <reference lib="esnext.disposable" />

import type { Policy } from "./policy.js";

export type { Policy };

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
  readonly require?: { readonly [Name in ServiceName]?: Need };
  /** How many connections there may be. */
  readonly limits?: Limits;
  /** For power users: any of the numbers that the manager goes by. */
  readonly policy?: Partial<Policy>;
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
  readonly require: { readonly [Name in ServiceName]: ResolvedNeed };
  readonly limits: ResolvedLimits;
  readonly policy: Policy;
  readonly allowPrivateAddresses?: boolean;
  readonly log: LogLevel;
}

/** Static sharding names the shards; autosharding counts them and finds the shard of each content topic. */
export type Network =
  | { readonly clusterId: number; readonly shards: readonly number[] }
  | { readonly clusterId: number; readonly numShardsInCluster: number };

/** A service of this package that peers are held for. */
export type ServiceName = "lightPush" | "filter" | "store";

/** What peers are held for: a service, or a protocol that enrolled with a requirement, by its name. */
export type RequirementName = ServiceName | (string & {});

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

export interface Limits {
  /** So many connections are wanted at most; those over it are closed, the least useful first, a few at a time. Default: 16. */
  readonly connections?: number;
  /** So many there may be, dials among them, for as long as one takes over from another. Default: `connections` and a quarter, at least two more. */
  readonly hard?: number;
  /** So many of each transport, dials among them. `Infinity` (the default) is no limit. */
  readonly byTransport?: { readonly [Name in Transport]?: number };
}

export interface ResolvedLimits {
  readonly connections: number;
  readonly hard: number;
  readonly byTransport: { readonly [Name in Transport]?: number };
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
  /**
   * The peers now, and again after each change. A slow reader gets the latest, not each. Ends when the node is closed or
   * has crashed.
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

  /** `banned` closes the connection and bars the peer until another priority is set. The others say whom to dial first among equals. */
  setPriority(id: string, priority: Priority): void;
  /**
   * Adds an address that you know; it is kept before those that others claim. With or without `/p2p/…` at its end. Dials nobody.
   *
   * @throws LightNodeError `invalid-options`: not the multiaddr of a WebSocket, or of another peer
   */
  addRoute(id: string, address: string): void;
  /** Drops an address. An open connection stays. */
  removeRoute(id: string, address: string): void;
  /** Drops all that is known of a peer, and closes its connection. A ban stays. */
  forget(id: string): void;
  /** Keeps the peer's connection, while there is one, as long as this tag stands. Dials nobody. Idempotent for each tag. */
  protect(id: string, tag: string): void;
  /** Takes a tag of {@link protect} back. */
  unprotect(id: string, tag: string): void;
  /**
   * A hint of a peer's worth that fades. All hints of a peer together count from −200 to 200, and can never ban.
   *
   * @param name a second hint of the same name replaces the first
   * @param hint `value`: −1000 to 1000; `ttlMs`: gone after that, by default never
   */
  tag(id: string, name: string, hint: { readonly value: number; readonly ttlMs?: number }): void;
  /**
   * Connects now, and permanently: remembered while the node is stopped or offline, dialed again for ever. Ends with
   * {@link hangUp}, {@link forget} or a ban. The node's own limit of such peers (half of the connections) refuses the rest.
   */
  keep(id: string): void;
  /**
   * Connects to a peer and holds it until {@link hangUp}.
   *
   * @param target a multiaddr that ends in `/p2p/…`, a node record, or the id of a known peer. An address that is given is
   *   dialed before those known.
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

export interface Connections {
  /**
   * Connects again after {@link stop} or {@link pause}.
   *
   * @throws LightNodeError `not-started` when the whole node is stopped
   */
  start(): void;
  /** Ends every connection and dials nobody; unlike {@link LightNode.stop} the node goes on looking for peers. */
  stop(): void;
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

// --- enrollments ------------------------------------------------------------------------------------------------------

export interface EnrollSpec {
  /** Unique on this node; also the name of its requirement. 1 to 64 characters. */
  readonly name: string;
  /** Protocol ids, 1 to 16: a peer that lists one of them can serve. */
  readonly protocols: readonly string[];
  /** What it asks of all connections. Default: from nothing to everything. */
  readonly quota?: {
    /** What it can't do without. */
    readonly min?: QuotaBound;
    /** More than this is of no use to it. */
    readonly max?: QuotaBound;
  };
  /** How many serving peers to hold for it. Left out, it uses what others hold. */
  readonly requirement?: Need;
  /** Who gets how much when connections are short. Default: "normal". */
  readonly class?: ProtocolClass;
  /** Its weight inside its class, 1 to 16. Default: 1. */
  readonly weight?: number;
  /**
   * What each of these peers is worth, −1000 to 1000, by peer id; asked whenever connections are weighed against each
   * other, at most once a second. Whoever is left out keeps the last worth. Nothing waits for the answer: it counts from
   * the next time on, and one that throws changes nothing.
   */
  readonly score?: (peers: readonly PeerInfo[]) => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;
  /** How long a counter-offer waits for an answer, in milliseconds; then it counts as accepted. Default: 10,000. */
  readonly answerMs?: number;
}

/** A number of connections, or a share of all that are wanted, to a tenth of a percent. */
export type QuotaBound = number | `${number}%`;

/** How much a protocol matters when connections are short. */
export type ProtocolClass =
  /** Served first, and its minimum is cut last. */
  | "critical"
  /** The default. */
  | "normal"
  /** Gets what is left. */
  | "opportunistic";

/** A share of the connections. A connection that several protocols use counts for each in part. */
export interface Grant {
  /** Nobody takes these away for others. */
  readonly low: number;
  /** Beyond these it pays first when connections are short. */
  readonly high: number;
}

/** A changed share. */
export interface Offer extends Grant {
  /** Less than was asked for: {@link Enrollment.accept} or {@link Enrollment.withdraw}. Silence accepts it. */
  readonly counter: boolean;
  /** How long there is to answer, in milliseconds. */
  readonly answerMs?: number;
}

/** A protocol's place among others. Made by {@link LightNode.enroll}. */
export interface Enrollment extends EventTarget {
  readonly name: string;
  /** The name of its requirement in `health()`, `peers()` and `ready()`, if it has one. */
  readonly requirement: string | undefined;
  /** `countered`: a share smaller than asked for waits for an answer. */
  readonly state: "granted" | "countered" | "closed";
  /** Its share now. */
  readonly granted: Grant;
  /** Told of a changed share: another protocol came or left, or the limits changed. */
  onoffer: ((event: CustomEvent<Offer>) => void) | null;
  /** Why it ended: `hung-up` after {@link withdraw}, `stopped` with the node. Rejects when the node crashes. */
  readonly closed: Promise<Reason>;
  /** Takes a counter-offer, without waiting for the time to run out. */
  accept(): void;
  /** Leaves: its requirement, locks and bursts end. Idempotent. */
  withdraw(): void;
  /**
   * Has a peer's connection left alone for a while. Every lock is separate. It ends by itself, with the connection, by
   * {@link Lock.release}, or by a revocation.
   *
   * @throws LightNodeError `denied`, with the {@link LockDenial} as `cause`; `not-started`
   */
  lock(peer: string, options?: LockOptions): Promise<Lock>;
  /**
   * Makes more connections for a short time, to candidates of the requirement, beyond the wanted number and within the hard limit. What they
   * leave behind is closed soon after.
   *
   * @param slots how many connections, 1 to 255
   * @throws LightNodeError `denied`, with the {@link Reason} as `cause`; `not-started`
   */
  burst(slots: number, options?: BurstOptions): Promise<Burst>;
  /** Tells how a peer did at this protocol, which must have a requirement: it moves the peer's score, and who fails is replaced. */
  report(peer: string, outcome: "success" | FailureClass): void;

  addEventListener(type: "offer", listener: ((event: CustomEvent<Offer>) => void) | null, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
  removeEventListener(type: "offer", listener: ((event: CustomEvent<Offer>) => void) | null, options?: boolean | EventListenerOptions): void;
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void;
}

export interface LockOptions {
  /** Aborts the asking. Without effect on a lock that is held. */
  readonly signal?: AbortSignal;
  /** How long, in milliseconds. Default: 30,000. */
  readonly ttlMs?: number;
  /** Called once when the lock ends before its time, in time to finish or to move what is under way. */
  readonly onRevoke?: (revocation: LockRevocation) => void;
}

export interface LockRevocation {
  readonly reason: Revocation;
  /** The connection is left alone for so much longer, in milliseconds. */
  readonly graceMs: number;
}

export interface Lock {
  /** Whose connection. */
  readonly peer: string;
  /** `revoked`: the grace runs; {@link release} ends it early. */
  readonly state: "held" | "revoked" | "ended";
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
  /**
   * Renews it from now on.
   *
   * @throws LightNodeError `denied`: the lock then lasts until its time
   */
  extend(ttlMs: number, options?: Pick<CallOptions, "signal">): Promise<void>;
  /** Idempotent. */
  release(): void;
}

export interface BurstOptions {
  /** Aborts the asking. */
  readonly signal?: AbortSignal;
  /** How long at most, in milliseconds, up to 60,000 (the default). */
  readonly ms?: number;
}

export interface Burst {
  /** How many connections were granted: at most what was asked for. */
  readonly slots: number;
  /** Resolves when it is over: by {@link close}, by time, or with the enrollment. Rejects when the node crashes. */
  readonly closed: Promise<void>;
  /** Idempotent. */
  close(): void;
}

/** The one error class of this package. */
export class LightNodeError extends Error {
  constructor(
    code: ErrorCode,
    message: string,
    details?: { readonly cause?: unknown; readonly peer?: string; readonly address?: string; readonly option?: string },
  );
  readonly code: ErrorCode;
  /** What lies behind it. With `no-peer`: the last error of each peer tried; with `denied`: the reason as one of the closed lists has it. */
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
  /** From the first start to when the target was first reached, in milliseconds. Absent: it never was. */
  readonly firstMetAfterMs?: number;
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
  | "foreign"
  /** An earlier visit, in which it served. */
  | "saved";

export interface Stats {
  /** Known peers, now. */
  readonly known: number;
  /** Open connections, now. */
  readonly open: number;
  /** Dials under way, now. */
  readonly dialing: number;
  /** So many connections are wanted at most, now: `limits.connections`, or less while the machine is short of something. */
  readonly soft: number;
  /** So many there may be, now. */
  readonly hard: number;
  /** Banned peers, now. */
  readonly banned: number;
  /** Locks that hold, now. */
  readonly locks: number;
  /** Of the open connections, those that the peer opened, now. */
  readonly inbound: number;
  /** The open connections by what carries them (`ws`, `wss`), now; what carries none is left out. */
  readonly byTransport: Readonly<Record<string, number>>;
  /** Dials that the pacing admits, now; negative when your own dials overdrew it. */
  readonly dialTokens: number;
  /** The longest that a deadline was missed by, in milliseconds; sleep does not count. */
  readonly deadlineLagMs: number;
  /** Since the node was made, as everything below: dials started. */
  readonly dials: number;
  readonly dialFailures: number;
  readonly connects: number;
  readonly disconnects: number;
  /** Connections that we closed. */
  readonly closes: number;
  readonly replacements: number;
  /** Rounds in which connections were weighed against each other. */
  readonly rounds: number;
  /** Dials and connections, of nobody's order, that were refused. */
  readonly denials: number;
  /** Decisions taken; the last of them are in `decisions`. */
  readonly decided: number;
  /** Inputs that the manager handled. */
  readonly events: number;
  /** Orders that it gave. */
  readonly commands: number;
  /** Every protocol's share: the services first, then those that enrolled. */
  readonly protocols: ProtocolInfo[];
  /** The last decisions, the oldest first. */
  readonly decisions: Decision[];
}

export interface ProtocolInfo {
  readonly name: string;
  /** The name of its requirement, if it has one. */
  readonly requirement?: RequirementName;
  readonly class: ProtocolClass;
  /** Absent while it only has an offer. */
  readonly granted?: Grant;
  /** A counter-offer that waits for an answer. */
  readonly offered?: Grant;
  /** What it uses, in connections: one that several use counts for each in part. */
  readonly share: number;
  /** Connections that it uses. */
  readonly connections: number;
  /** Of these, locked by it. */
  readonly locked: number;
}

/** Why a peer stands where it stands. */
export interface Explanation {
  readonly peer: PeerInfo;
  /** The first rule that forbids to dial it now. Absent: it may be dialed. */
  readonly notDialed?: Reason;
  /** The first rule that forbids to close its connection for others. Absent: it may be closed, or there is none. */
  readonly notClosed?: Guard;
  /** Names of the protocols that use its connection. */
  readonly usedBy: string[];
  readonly parts: ScoreParts;
  /** Dials in a row that failed. */
  readonly failures: number;
  /** Connections in a row that were short. */
  readonly flaps: number;
  /** Tags of {@link LightNode.protect}. */
  readonly protectedBy: string[];
  /** The last decisions about it, the oldest first; at most 16. */
  readonly decisions: Decision[];
}

/** What a score is made of. */
export interface ScoreParts {
  /** How well it served each requirement that was tried, −1000 to 1000. */
  readonly quality: Readonly<Record<RequirementName, number>>;
  /** How well it behaved, −1000 to 0. */
  readonly behaviour: number;
  /** The sum of the hints, −200 to 200. */
  readonly hints: number;
  /** The chance to reach it, 0 to 1. */
  readonly reach: number;
}

/** Something that the manager decided. `at`: milliseconds since 1970. */
export type Decision = { readonly at: number } & (
  | {
      readonly what: "dialed";
      readonly peer: string;
      readonly why: DialWhy;
      /** For the `needed`: what for. */
      readonly requirement?: RequirementName;
      /** Candidates that were compared; 1 when there was no choice. */
      readonly compared: number;
      /** What was expected of it, in providers. */
      readonly value: number;
    }
  | { readonly what: "closed"; readonly peer: string; readonly reason: Reason }
  | { readonly what: "denied"; readonly peer?: string; readonly reason: Reason }
  | { readonly what: "failed"; readonly peer: string; readonly requirement: RequirementName; readonly outcome: FailureClass }
  | { readonly what: "banned"; readonly peer: string; readonly reason: Reason }
  | { readonly what: "regulated"; readonly round: number; readonly trigger: Trigger; readonly closed: number }
  | { readonly what: "overcommitted"; readonly heldBy: { readonly guard: Guard; readonly count: number }[] }
  | { readonly what: "offered"; readonly protocol: string; readonly grant: Grant }
  | { readonly what: "locked"; readonly peer: string; readonly lock: number }
  | { readonly what: "revoked"; readonly lock: number; readonly reason: Revocation }
  | { readonly what: "burst-opened"; readonly burst: number; readonly slots: number }
  | { readonly what: "burst-closed"; readonly burst: number }
  | { readonly what: "limits"; readonly soft: number; readonly hard: number; readonly why: LimitCause }
  | { readonly what: "bootstrap-retained"; readonly peer: string }
  | { readonly what: "relaxed"; readonly peer: string }
  | { readonly what: "suspect" }
  | { readonly what: "recovered" }
);

/** What {@link LightNode.record} gives: save `bytes` to a file, and replay it with the source of the version that wrote it. */
export interface EventLog {
  readonly bytes: Uint8Array;
  /** When it was taken, in milliseconds since 1970. */
  readonly at: number;
}

/** What {@link LightNode.errors} yields: a dial (`address`) or a request (`protocol`) that failed. `at`: milliseconds since 1970. */
export type PeerFailure = LightNodeEventDetails["peer:fail"] & { readonly at: number };

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
  /** A connection that worked is closed to stay within the limits; `peer:disconnect` follows. */
  "peer:prune": { readonly peerId: string; readonly reason: Reason };
  /** What this machine's network does. */
  "network:change": { readonly state: NetworkState };
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
  | "unknown-peer"
  /** You dropped what was known of the peer. Nothing to do. */
  | "forgotten"
  /** More connections than the limit, and this one was missed least. Nothing to do; raise `limits.connections` to hold more. */
  | "over-limit"
  /** No protocol uses it. Nothing to do. */
  | "idle"
  /** Its protocol had more connections than its share, and others needed them. Raise its quota, or `limits.connections`. */
  | "over-quota"
  /** The page is short of memory. Nothing to do; free some, if it is yours. */
  | "memory-pressure"
  /** Fewer connections do the same work. Nothing to do. */
  | "surplus"
  /** It was older than connections may become. Nothing to do: another peer took over. See `connections.setLifetime`. */
  | "lifetime-over"
  /** The burst that it was made for is over. Nothing to do. */
  | "burst-over"
  /** The initial sync uses one connection. Others return after `initialSync.stop()`. */
  | "initial-sync"
  /** We closed it a short time ago. Nothing to do; `dial` does it all the same. */
  | "cooling-down"
  /** The limit of its transport is reached. Raise it with `connections.setMaxByTransport`. */
  | "transport-limit"
  /** Enough peers of its network, or introduced by the same peer, are connected. Nothing to do: others are taken. */
  | "diversity-limit"
  /** Several peers of its subnet were banned a short time ago. Nothing to do: others are used. */
  | "subnet-banned"
  /** The node makes no new connections. Call `connections.resume()`. */
  | "paused"
  /** The peer behaved badly. Nothing to do: it is replaced. */
  | "bad-behaviour"
  /** A protocol of that name has enrolled, or too many have. Choose another name, or withdraw one. */
  | "not-enrolled"
  /** No share is left to grant. Ask for less, or raise `limits.connections`. */
  | "no-share";

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

/** Why a lock was not granted or not renewed (`cause` of the `denied` error). */
export type LockDenial =
  /** The protocol locks as many connections as its share allows. Release one, or ask for a larger quota. */
  | "quota-exceeded"
  /** Three quarters of the connections are locked already. Wait until some are released. */
  | "lock-budget"
  /** The peer is not connected. Lock after `peer:connect`. */
  | "not-connected"
  /** The connection is on its way out. Use another peer. */
  | "draining"
  /** Longer than locks may last. Ask for less, and renew with `extend`. */
  | "ttl-too-long"
  /** The enrollment, or the lock, has ended. Enroll or lock again. */
  | "not-enrolled"
  /** It was renewed as often as locks may be. Release it and ask for a new one. */
  | "renewed-too-often";

/** Why a lock ended before its time. */
export type Revocation =
  /** There are more connections than may be. Finish within the grace. */
  | "hard-limit"
  /** The page is short of memory. Finish within the grace. */
  | "memory"
  /** The share of the protocol shrank. Finish within the grace. */
  | "quota-breach"
  /** The peer was banned. Nothing can be finished. */
  | "ban"
  /** The node stops. Nothing to do. */
  | "stop"
  /** An initial sync begins. Lock again after it. */
  | "mode-change"
  /** The connection is gone. Lock another peer. */
  | "connection-lost"
  /** The protocol left. Nothing to do. */
  | "withdrawn";

/** Why a connection may not be closed for others. */
export type Guard =
  /** You hold the peer: `dial`, `keep`. `hangUp` lets go. */
  | "pinned"
  /** A tag protects it. `unprotect` lets go. */
  | "protected"
  /** A protocol locked it. Ends by itself. */
  | "locked"
  /** A requirement would fall below its minimum. */
  | "minimum"
  /** A requirement would fall below its target. */
  | "target"
  /** It is new, and has not shown yet what it is worth. Ends within seconds. */
  | "grace"
  /** Without it all connections would lead to one network. */
  | "last-group"
  /** The initial sync uses it. */
  | "sync";

/** What made the manager weigh connections against each other. */
export type Trigger =
  /** More connections than may be. */
  | "over-hard"
  /** More connections than wanted. */
  | "over-soft"
  /** Many new connections at once. */
  | "spike"
  /** Most dials fail. */
  | "dial-failures"
  /** A protocol has more than its share. */
  | "quota-breach"
  /** The machine is short of something. */
  | "pressure"
  /** A burst ended. */
  | "burst-closed"
  /** Something is missing, and there is no room for it. */
  | "deficit-at-limit"
  /** A lock ended. */
  | "lock-ended"
  /** You changed something that it depends on. */
  | "manual"
  /** It was time. */
  | "timer";

/** What this machine's network does (`network:change`). */
export type NetworkState =
  /** The browser says that there is none. Tell the user; it goes on by itself. */
  | "offline"
  /** There is one. */
  | "online"
  /** The page was put to sleep. */
  | "suspended"
  /** It woke up: connections are checked, and replaced if need be. */
  | "resumed";

/** Why the limits of connections changed. */
export type LimitCause =
  /** You changed them. */
  | "user"
  /** The page is short of memory. */
  | "memory"
  /** Nobody sees the page. */
  | "hidden"
  /** The network is to be spared. */
  | "constrained"
  /** The shortage is over. */
  | "calm"
  /** An initial sync began or ended. */
  | "sync";

/** Why somebody was dialed. */
export type DialWhy =
  /** A requirement was below its target. */
  | "needed"
  /** You asked for it, or hold the peer. */
  | "requested"
  /** A bootstrap peer, since nobody else was left to try. */
  | "bootstrap"
  /** It was lost, and was tried again. */
  | "redial"
  /** Everything failed, and somebody had to be tried. */
  | "probe"
  /** To take over from a bootstrap peer. */
  | "hand-off"
  /** It can do the work of two. */
  | "swap"
  /** To take over from a connection that is old. */
  | "rotation"
  /** For a burst. */
  | "burst"
  /** For the initial sync. */
  | "sync";
