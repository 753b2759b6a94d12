/** Phrases for what the manager decides and for what keeps it from deciding otherwise; lists as in `words.js`. */

import { FAILURES, REASONS, capital, clock, enumerate, serviceTitle } from "./words.js";

/**
 * @typedef {import("./words.js").NameOf} NameOf
 * @typedef {import("lightkeeper").Decision} Decision
 */

/** Why somebody was called. @type {Record<string, string>} */
const DIALS = {
  needed: "a peer was missing",
  requested: "you asked for it",
  bootstrap: "nobody else could be tried",
  redial: "it had been lost",
  probe: "everything failed, and somebody had to be tried",
  "hand-off": "to take over from a bootstrap peer",
  swap: "it can do the work of two",
  rotation: "to take over from an old connection",
  burst: "for a burst",
  sync: "for the initial sync",
};

/** What keeps a connection from being closed for others. @type {Record<string, string>} */
export const GUARDS = {
  pinned: "you hold this peer",
  protected: "a tag protects it",
  locked: "a protocol locked it",
  minimum: "a requirement would fall below its minimum",
  target: "a requirement would fall below its target",
  grace: "it is new",
  "last-group": "all others belong to one network",
  sync: "the initial sync uses it",
};

/** Why connections were weighed. @type {Record<string, string>} */
const TRIGGERS = {
  "over-hard": "more connections than may be",
  "over-soft": "more connections than wanted",
  "quota-breach": "a protocol has more than its share",
  pressure: "this computer is short of something",
  "burst-closed": "a burst ended",
  "deficit-at-limit": "something is missing, and there is no room",
  manual: "you changed something",
  timer: "it was time",
};

/** Why a lock ended early. @type {Record<string, string>} */
const REVOCATIONS = {
  "hard-limit": "more connections than may be",
  memory: "memory is short",
  "quota-breach": "the share of its protocol shrank",
  ban: "the peer was banned",
  stop: "the node stops",
  "mode-change": "an initial sync begins",
  "connection-lost": "the connection is gone",
  withdrawn: "its protocol left",
};

/** Why the limits changed. @type {Record<string, string>} */
const LIMITS = {
  user: "you changed them",
  memory: "memory is short",
  hidden: "nobody sees the page",
  constrained: "the network is to be spared",
  calm: "the shortage is over",
  sync: "an initial sync began or ended",
};

/** @type {Record<string, string>} */
export const CLASSES = { critical: "served first", normal: "normal", opportunistic: "gets what is left" };

/** @param {string} reason */
const because = (reason) => REASONS[reason] ?? reason;

/** @param {number} count @param {string} one */
export const counted = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;

/**
 * @param {{ requirement: string, outcome: string, charged: boolean }} failure
 */
const failureWords = ({ requirement, outcome, charged }) =>
  `“${serviceTitle(requirement)}”: ${FAILURES[outcome] ?? outcome}${charged ? "" : ", which is not held against it"}`;

/**
 * Sentences for decisions.
 * @type {{ [What in Decision["what"]]: (decision: Extract<Decision, { what: What }>, nameOf: NameOf) => string }}
 */
const SENTENCES = {
  dialed: ({ peer, why, requirement, compared }, nameOf) => {
    const what = why === "needed" && requirement ? `“${serviceTitle(requirement)}” needed a peer` : (DIALS[why] ?? why);
    return `Called ${nameOf(peer)}: ${what}${compared > 1 ? `, and it was the best of ${compared}` : ""}.`;
  },
  closed: ({ peer, reason }, nameOf) => `Closed the connection to ${nameOf(peer)}: ${because(reason)}.`,
  denied: ({ peer, reason }, nameOf) => `Refused ${peer ? nameOf(peer) : "a connection"}: ${because(reason)}.`,
  failed: ({ peer, ...failure }, nameOf) => `${nameOf(peer)} failed at ${failureWords(failure)}.`,
  banned: ({ peer, reason }, nameOf) => `Banned ${nameOf(peer)}: ${because(reason)}.`,
  regulated: ({ trigger, closed }) => `Weighed all connections, for ${TRIGGERS[trigger] ?? trigger}; ${closed === 0 ? "closed none" : `closed ${closed}`}.`,
  overcommitted: ({ heldBy }) => `More connections than wanted, and each is held: ${enumerate(heldBy.map(({ guard, count }) => `${count} since ${GUARDS[guard] ?? guard}`))}.`,
  offered: ({ protocol, grant: { low, high } }) => `“${serviceTitle(protocol)}” may use ${low === high ? counted(high, "connection") : `${low} to ${counted(high, "connection")}`}.`,
  locked: ({ peer }, nameOf) => `The connection to ${nameOf(peer)} was locked by a protocol.`,
  revoked: ({ reason }) => `A lock ended early: ${REVOCATIONS[reason] ?? reason}.`,
  "burst-opened": ({ slots }) => `A burst began, with ${counted(slots, "connection")} more.`,
  "burst-closed": () => "A burst ended.",
  limits: ({ soft, hard, why }) => `At most ${soft} connections from now on (${hard} for a moment): ${LIMITS[why] ?? why}.`,
  "bootstrap-retained": ({ peer }, nameOf) => `${nameOf(peer)} stays, though it is a bootstrap peer: nobody else serves something.`,
  relaxed: ({ peer }, nameOf) => `${nameOf(peer)} is taken, though many of its network are connected: a minimum can't be had otherwise.`,
  suspect: () => "Everything fails: this computer's network is suspected, and nothing is held against peers.",
  recovered: () => "The network works again; what failed meanwhile is forgiven.",
};

/**
 * @param {Decision} decision
 * @param {NameOf} nameOf
 */
export function decisionWords(decision, nameOf) {
  const sentence = /** @type {((decision: Decision, nameOf: NameOf) => string) | undefined} */ (SENTENCES[decision.what]);
  return sentence ? sentence(decision, nameOf) : JSON.stringify(decision);
}

/**
 * The facts of an explanation, as terms and what they are.
 *
 * @param {import("lightkeeper").Explanation} explanation
 * @returns {{ term: string, text: string }[]}
 */
export function explanationWords({ peer, notDialed, notClosed, usedBy, parts, failures, flaps, protectedBy, failed }) {
  const connected = peer.state === "connected";
  const quality = Object.entries(parts.quality).map(([name, score]) => `${serviceTitle(name)} ${score}`);
  return [
    connected
      ? { term: "May it be closed for others?", text: notClosed ? `No: ${GUARDS[notClosed] ?? notClosed}.` : "Yes: nothing would be missed." }
      : { term: "May it be called?", text: notDialed ? `No: ${because(notDialed)}.` : "Yes, when somebody is needed." },
    ...(connected ? [{ term: "Used by", text: usedBy.length > 0 ? enumerate(usedBy.map(serviceTitle)) : "nobody" }] : []),
    {
      term: `Score ${peer.score}`,
      text: capital([...quality, `behaviour ${parts.behaviour}`, `your hints ${parts.hints}`, `chance to reach it ${Math.round(parts.reach * 100)} %`].join(" · ")),
    },
    ...failed.flatMap((each) => (each.what === "failed" ? [{ term: `Failed at ${clock(each.at)}`, text: capital(failureWords(each)) }] : [])),
    ...(failures > 0 ? [{ term: "In a row", text: counted(failures, "failed call") }] : []),
    ...(flaps > 0 ? [{ term: "In a row", text: counted(flaps, "short connection") }] : []),
    ...(protectedBy.length > 0 ? [{ term: "Protected by", text: enumerate(protectedBy) }] : []),
  ];
}
