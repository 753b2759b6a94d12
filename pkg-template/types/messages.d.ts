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

export interface SendOptions extends CallOptions {
  /**
   * To how many peers it goes at once, 1 to 8. Default: 2, or 1 with `confirm`, because who took it is no witness; `min` where
   * that is more.
   */
  readonly peers?: number;
  /** How many must take it before the call resolves, 1 to `peers`. Default: 1. */
  readonly min?: number;
  /** Resolve when somebody else has it too: it came back by a subscription, or a store knows its hash. Default: false. */
  readonly confirm?: boolean;
}

export interface SendReport {
  readonly hash: string;
  /** The peers that took it. */
  readonly accepted: string[];
  /** The peers that did not, until the call resolved, and why. */
  readonly failed: { readonly peer: string; readonly class: FailureClass; readonly message: string }[];
  /** How many times it was sent. */
  readonly attempts: number;
  readonly ms: number;
  /** With `confirm`: who else has it. */
  readonly confirmedBy?: string;
}

export interface SubscribeOptions extends CallOptions {
  /** Needed only where the network names several shards. */
  readonly shard?: number;
  /** From how many peers at the same time, 1 to 8; each message is handed over once. Default: the target of `filter`. */
  readonly peers?: number;
  /** Fetch from a store what came while nobody delivered. Default: true. */
  readonly catchUp?: boolean;
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
  /** As it was published, or from what a store keeps. A subscription has the latter after a gap. */
  readonly via: "filter" | "store";
}

/** A search by content topics and time, or a look-up of hashes. */
export type StoreQuery =
  | (StoreQueryPaging & {
      /** 1 to 1,000, of any shards. Servers are asked for few at a time, and the answers are merged. */
      readonly contentTopics: readonly string[];
      /** Not older than this. A number is milliseconds since 1970. */
      readonly from?: number | Date;
      /** Not newer than this. */
      readonly to?: number | Date;
      readonly hashes?: undefined;
    })
  | (StoreQueryPaging & {
      /** 1 to 1,000 message hashes. */
      readonly hashes: readonly string[];
      readonly contentTopics?: undefined;
      readonly from?: undefined;
      readonly to?: undefined;
    });

export interface StoreQueryPaging {
  /** `ascending` (default): oldest first. `descending`: newest first; with `limit`, the latest messages. */
  readonly order?: "ascending" | "descending";
  /** How many each request fetches, 1 to 100. Default: 20. */
  readonly pageSize?: number;
  /** End after so many. Default: all. */
  readonly limit?: number;
  readonly shard?: number;
}

/**
 * A subscription, and its messages for `for await`. Each iterator has every message from when it was made; without a
 * callback the first has them from the beginning. At most 1,000 wait for an iterator: past that the oldest are dropped,
 * which is told by one `filter:gap` (`overflow`) when it reads on or ends. Leaving a loop ends that iterator alone.
 */
export interface Subscription extends AsyncIterable<Message> {
  readonly contentTopics: readonly string[];
  /** `moving`: nobody delivers, and a peer is sought. */
  readonly state: "active" | "moving" | "closed";
  /** Who delivers. */
  readonly peers: readonly string[];
  /** Why it ended: `hung-up` after `unsubscribe()`. Rejects when the node crashes. */
  readonly closed: Promise<Reason>;
  /** Nothing is handed over from this call on, and iterators end. Idempotent. A signal ends the waiting alone. */
  unsubscribe(options?: Pick<CallOptions, "signal">): Promise<void>;
  [Symbol.asyncIterator](): AsyncIterableIterator<Message>;
}
