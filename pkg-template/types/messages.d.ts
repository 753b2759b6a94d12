/** What is sent, received and asked for. */

import type { CallOptions } from "./options.js";
import type { FailureClass, Reason } from "./reasons.js";

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
