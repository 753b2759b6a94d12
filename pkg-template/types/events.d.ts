/** What a node tells of itself. */

import type { LightNode } from "../index.js";
import type { RequirementName } from "./options.js";
import type { Direction, HealthState, Source, Transport } from "./peers.js";
import type { Cause, FailKind, HealthReason, NetworkCause, NetworkState, Reason } from "./reasons.js";

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
    /** Whether it counts against the peer. What we, somebody else or the network did is told and not counted. */
    readonly charged: boolean;
    readonly address?: string;
    readonly protocol?: string;
    readonly willRetryAt?: number;
  };
  "peer:ban": { readonly peerId: string; readonly reason: Reason };
  /** A connection that worked is closed to stay within the limits; `peer:disconnect` follows. */
  "peer:prune": { readonly peerId: string; readonly reason: Reason };
  /** What this machine's network does. */
  "network:change": { readonly state: NetworkState; readonly cause: NetworkCause };
  /** A requirement crossed its minimum or its target. */
  "requirement:change": {
    readonly name: RequirementName;
    readonly have: number;
    readonly min: number;
    readonly target: number;
    readonly crossed: Crossed;
  };
  "health:change": { readonly old: HealthState; readonly new: HealthState; readonly reason: HealthReason };
  /** Messages of a subscription may have been missed between two times, in milliseconds since 1970. */
  "filter:gap": {
    readonly contentTopics: string[];
    readonly from: number;
    readonly to: number;
    readonly cause: GapCause;
    /** Whether a store was asked for them, and gave all that it has. */
    readonly filled: boolean;
    /** How many of them the store gave, that had not come before. */
    readonly recovered?: number;
  };
  /** The wasm trapped. Every later call rejects with `crashed`; a new node can be made. */
  "node:crash": { readonly message: string };
}

export type LightNodeEventMap = { [Type in keyof LightNodeEventDetails]: CustomEvent<LightNodeEventDetails[Type]> };

/** What {@link LightNode.events} yields. `at`: milliseconds since 1970. */
export type NodeEvent =
  | { [Type in keyof LightNodeEventDetails]: { readonly type: Type; readonly detail: LightNodeEventDetails[Type]; readonly at: number } }[keyof LightNodeEventDetails]
  | { readonly type: "events:dropped"; readonly detail: { readonly count: number }; readonly at: number };

/** Why messages of a subscription may have been missed. Unless `filled`: query the store for that time. */
export type GapCause =
  /** Its peers were lost, and another took over. */
  | "moved"
  /** Its peers had forgotten it, and were told again. */
  | "resubscribed"
  /** More came in at once than the page takes, or than was read. */
  | "overflow"
  /** The page slept, or its network was away. */
  | "slept";

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
