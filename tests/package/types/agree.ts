/**
 * The declarations of the package say what the crate's types say: `data.ts` is what serde makes of those. Checked by the
 * type checker alone.
 */

import type * as Package from "lightkeeper";
import type * as Crate from "./data.js";

/** Names of the fields that may be absent. */
type Optional<T> = { [Name in keyof T]-?: {} extends Pick<T, Name> ? Name : never }[keyof T];

type Alike<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

/** Whether two types have the same fields, of the same kinds, and the same of them may be absent. */
type Same<A, B> = [Alike<A, B>, Alike<keyof A, keyof B>, Alike<Optional<A>, Optional<B>>] extends [true, true, true] ? true : false;

/** The same for each member of unions that are told apart by a field. */
type SameEach<A, B, Tag extends keyof A & keyof B> = {
  [Value in (A[Tag] | B[Tag]) & string]: Same<Extract<A, { readonly [T in Tag]: Value }>, Extract<B, { readonly [T in Tag]: Value }>>;
};

/** What differs. */
type Differences<Pairs> = { [Name in keyof Pairs as Pairs[Name] extends true ? never : Name]: Pairs[Name] };

type Decisions = SameEach<Package.Decision, Crate.Decision, "what">;

type CrateEvents = { [Type in Crate.Event["type"]]: Extract<Crate.Event, { type: Type }>["detail"] };
type PackageEvents = Omit<Package.LightNodeEventDetails, "node:crash" | "filter:gap"> & {
  // The facade tells of gaps, too: those that a slow reader makes, of which no store was asked.
  "filter:gap": Required<Package.LightNodeEventDetails["filter:gap"]>;
};
type Events = { [Type in keyof CrateEvents | keyof PackageEvents]: Same<PackageEvents[Type], CrateEvents[Type]> };

type PackageStats = Omit<Package.Stats, "protocols" | "decisions">;

interface Types {
  Class: Alike<Package.ProtocolClass, Crate.Class>;
  Cause: Alike<Package.Cause, Crate.Cause>;
  Crossed: Alike<Package.Crossed, Crate.Crossed>;
  DialFailure: Alike<Package.DialFailure, Crate.DialFailure>;
  DialWhy: Alike<Package.DialWhy, Crate.DialWhy>;
  Direction: Alike<Package.Direction, Crate.Direction>;
  // The wasm does not say that it crashed, and saves nothing itself.
  ErrorCode: Alike<Exclude<Package.ErrorCode, "crashed" | "storage">, Crate.ErrorCode>;
  Explanation: Same<Package.Explanation, Crate.Explanation>;
  FailKind: Alike<Package.FailKind, Crate.FailKind>;
  FailureClass: Alike<Package.FailureClass, Crate.FailureClass>;
  GapCause: Alike<Package.GapCause, Crate.GapCause>;
  Grant: Same<Package.Grant, Crate.Grant>;
  Guard: Alike<Package.Guard, Crate.Guard>;
  Health: Alike<Package.HealthState, Crate.Health>;
  HealthInfo: Same<Package.Health, Crate.HealthInfo>;
  HealthReason: Alike<Package.HealthReason, Crate.HealthReason>;
  Held: Same<Extract<Package.Decision, { what: "overcommitted" }>["heldBy"][number], Crate.Held>;
  LimitCause: Alike<Package.LimitCause, Crate.LimitCause>;
  LogLevel: Alike<Exclude<Package.LogLevel, "off">, Crate.LogLevel>;
  Message: Same<Package.Message, Crate.Message>;
  Need: Same<Package.ResolvedNeed, Crate.Need>;
  NetworkCause: Alike<Package.NetworkCause, Crate.NetworkCause>;
  NetworkState: Alike<Package.NetworkState, Crate.NetworkState>;
  Order: Alike<NonNullable<Package.StoreQuery["order"]>, Crate.Order>;
  Outcome: Alike<Parameters<Package.Enrollment["report"]>[1], Crate.Outcome>;
  PeerInfo: Same<Package.PeerInfo, Crate.PeerInfo>;
  PeerState: Alike<Package.PeerState, Crate.PeerState>;
  Priority: Alike<Package.Priority, Crate.Priority>;
  ProtocolInfo: Same<Package.ProtocolInfo, Crate.ProtocolInfo>;
  ReadyLevel: Alike<NonNullable<Package.ReadyOptions["level"]>, Crate.ReadyLevel>;
  Reason: Alike<Package.Reason, Crate.Reason>;
  Require: Same<Package.ResolvedOptions["require"], Crate.Require>;
  RequirementStatus: Same<Package.RequirementStatus, Crate.RequirementStatus>;
  Revocation: Alike<Package.Revocation, Crate.Revocation>;
  ScoreParts: Same<Package.ScoreParts, Crate.ScoreParts>;
  SendFailure: Same<Package.SendReport["failed"][number], Crate.SendFailure>;
  SendReport: Same<Package.SendReport, Crate.SendReport>;
  Source: Alike<Package.Source, Crate.Source>;
  Stats: Same<PackageStats, Crate.Stats>;
  SubscriptionState: Alike<Package.Subscription["state"], Crate.SubscriptionState>;
  Transport: Alike<Package.Transport, Crate.Transport>;
  Trigger: Alike<Package.Trigger, Crate.Trigger>;
  Via: Alike<Package.Message["via"], Crate.Via>;
}

/** Compared above, by what tells their members apart. */
type Unions = "Decision" | "Event";

/** Between the wasm and the facade alone: `surface.ts`. */
type Inside =
  | "Answer" | "BurstState" | "Failure" | "LockState" | "Page" | "Sent"
  | "BurstClose" | "BurstOpen" | "ByTransport" | "Cancel" | "Dial" | "Enroll" | "Enrolled" | "ExtendLock" | "Has" | "Hashes"
  | "LimitsOptions" | "Lock" | "NetworkOptions" | "Options" | "PeerText" | "Plan" | "Protect" | "Query" | "Ready" | "Report"
  | "Route" | "Scores" | "Send" | "SetLifetime" | "SetLimits" | "SetMaxByTransport" | "SetPriority" | "SetRequirement"
  | "Subscribe" | "Sync" | "Tag" | "Unlock" | "Unsubscribe" | "Whom";

// Each is an object without fields, or the error names those that differ.
export const types: Record<keyof Differences<Types>, never> = {};
export const decisions: Record<keyof Differences<Decisions>, never> = {};
export const events: Record<keyof Differences<Events>, never> = {};
export const forgotten: Record<Exclude<keyof Crate.All, keyof Types | Unions | Inside>, never> = {};
export const gone: Record<Exclude<keyof Types | Unions | Inside, keyof Crate.All>, never> = {};
