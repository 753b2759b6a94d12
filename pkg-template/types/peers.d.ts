/** What is known of peers, connections and decisions. */

import type { Grant, ProtocolClass } from "./enrollment.js";
import type { LightNodeEventDetails } from "./events.js";
import type { LightNode } from "../index.js";
import type { RequirementName } from "./options.js";
import type { DialWhy, FailureClass, Guard, HealthReason, LimitCause, Reason, Revocation, Trigger } from "./reasons.js";

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
  /** What it failed at last, charged or not, the oldest first; at most 4, and all of them `failed`. */
  readonly failed: Decision[];
  /** The last decisions about it, the oldest first; at most 16. */
  readonly decisions: Decision[];
}

/** What a score is made of. */
export interface ScoreParts {
  /** How well it served each requirement that was tried, by its name, −1000 to 1000. */
  readonly quality: Readonly<Record<string, number>>;
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
  | { readonly what: "failed"; readonly peer: string; readonly requirement: RequirementName; readonly outcome: FailureClass; readonly charged: boolean }
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
