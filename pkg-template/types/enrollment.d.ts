/** Protocols of the application that share the connections. */

import type { LightNode } from "../index.js";
import type { CallOptions, Need } from "./options.js";
import type { PeerInfo } from "./peers.js";
import type { FailureClass, LockDenial, Reason, Revocation } from "./reasons.js";

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
