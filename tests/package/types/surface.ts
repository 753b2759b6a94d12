/**
 * What the facade hands to the wasm and gets from it, against what serde makes of the crate's types (`data.ts`). Checked
 * by the type checker alone.
 */

import type { checkEnroll, checkHint, checkMessage, checkQuery, checkReady, checkSend, checkSubscription } from "../../../pkg-template/arguments.js";
import type { Enrollments } from "../../../pkg-template/enrollments.js";
import type { Mailbox } from "../../../pkg-template/mailbox.js";
import type { Plain } from "../../../pkg-template/errors.js";
import type { forWasm, resolveNeed } from "../../../pkg-template/options.js";
import type { Services } from "../../../pkg-template/services.js";
import type * as Crate from "./data.js";

/** Whether the crate takes what is given: of the right kinds, and nothing that it does not read. */
type Takes<Given, Taken> = [Given] extends [Taken] ? ([keyof Given] extends [keyof Taken] ? true : Exclude<keyof Given, keyof Taken>) : false;

/** The facade's own types forbid it to change what it hands over, which is nothing to the crate. */
type Mutable<T> = T extends Uint8Array ? T : T extends readonly (infer Item)[] ? Mutable<Item>[] : T extends object ? { -readonly [Name in keyof T]: Mutable<T[Name]> } : T;

/** Messages of the wasm of one kind. */
type Sent<Kind extends Crate.Sent["kind"]> = Extract<Crate.Sent, { kind: Kind }>;

/** Whether the facade takes a message as it comes: it need not read all of it. */
type Reads<Handler extends (message: any) => unknown, Kind extends Crate.Sent["kind"]> = [Sent<Kind>] extends [Parameters<Handler>[0]] ? true : false;

interface Checks {
  // Left out of `DEFAULTS` alone: it depends on the page.
  Options: Takes<Mutable<Omit<ReturnType<typeof forWasm>, "policy"> & { allowPrivateAddresses: boolean }>, Omit<Crate.Options, "policy">>;
  // An array of JavaScript's own kind of numbers, which serde reads as any other.
  policy: Takes<ReturnType<typeof forWasm>["policy"][number], NonNullable<Crate.Options["policy"]>[number]>;
  Need: Takes<ReturnType<typeof resolveNeed>, Crate.Need>;
  Ready: Takes<ReturnType<typeof checkReady>, Crate.Ready>;
  Send: Takes<ReturnType<typeof checkMessage> & ReturnType<typeof checkSend> & { timeoutMs: number }, Crate.Send>;
  Subscribe: Takes<ReturnType<typeof checkSubscription> & { timeoutMs: number }, Crate.Subscribe>;
  Query: Takes<ReturnType<typeof checkQuery>["request"] & { cursor?: string; timeoutMs: number }, Crate.Query>;
  Tag: Takes<ReturnType<typeof checkHint> & { peer: string; name: string }, Crate.Tag>;
  Enroll: Takes<ReturnType<typeof checkEnroll>, Crate.Enroll>;

  reply: Reads<Mailbox["settle"], "reply">;
  failure: [Crate.Failure] extends [Plain] ? true : false;
  message: Reads<Services["onMessage"], "message">;
  subscription: Reads<Services["onSubscription"], "subscription">;
  offer: Reads<Enrollments["onOffer"], "offer">;
  lock: Reads<Enrollments["onLock"], "lock">;
  burst: Reads<Enrollments["onBurst"], "burst">;
  scores: Reads<Enrollments["onScores"], "scores">;
}

/** An object without fields, or the error names those that differ. */
export const surface: Record<keyof { [Name in keyof Checks as Checks[Name] extends true ? never : Name]: Checks[Name] }, never> = {};
