/** What a node is told when it is made, and with each call. */

import type { Transport } from "./peers.js";
import type { Policy } from "../policy.js";

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
export type Network = (
  | { readonly clusterId: number; readonly shards: readonly number[] }
  | { readonly clusterId: number; readonly numShardsInCluster: number }
) & {
  /** The largest message that its relays pass on, 1,024 to 16,777,216 bytes. Default: 153,600 (150 KiB). */
  readonly maxMessageBytes?: number;
};

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
  /** How long it may take. Default: 10,000 for `send`, `subscribe`, and each request of `query` and `has`. */
  readonly timeoutMs?: number;
}

export interface ReadyOptions extends CallOptions {
  /** `met` (default): every target holds. `minimal`: every minimum holds. */
  readonly level?: "met" | "minimal";
  /** Only these. Default: all. */
  readonly requirements?: readonly RequirementName[];
}
