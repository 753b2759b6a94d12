/**
 * The package speaks in closed lists of short names (see `types/reasons.d.ts`). Here each becomes a phrase for a person, and
 * each event a sentence. A name that is not listed is shown as it is.
 */

/** @typedef {(peerId: string) => string} NameOf */

/** What a peer can do for the page. `verb` completes "it can …"; `title` heads a requirement. */
export const SERVICES = /** @type {Record<string, { title: string, badge: string, about: string }>} */ ({
  lightPush: { title: "Send", badge: "send", about: "peers that take messages from this page" },
  filter: { title: "Receive", badge: "receive", about: "peers that deliver messages to this page" },
  store: { title: "History", badge: "history", about: "peers that keep past messages" },
  peerExchange: { title: "Introductions", badge: "introduce", about: "peers that name other peers" },
});

/** Protocol ids that stand for a service, by how they begin. */
const PROTOCOLS = [
  ["/vac/waku/lightpush/", "lightPush"],
  ["/vac/waku/filter-subscribe/", "filter"],
  ["/vac/waku/store-query/", "store"],
  ["/vac/waku/peer-exchange/", "peerExchange"],
];

/** States of a peer. @type {Record<string, string>} */
export const STATES = {
  known: "known",
  dialing: "calling",
  connected: "connected",
  closing: "closing",
  cooling: "waiting",
  banned: "banned",
  parked: "in reserve",
};

/** Where a peer was heard of. @type {Record<string, string>} */
const SOURCES = {
  dns: "the DNS tree",
  "peer-exchange": "another peer",
  static: "the options",
  foreign: "an unexpected connection",
  saved: "an earlier visit",
};

/** Why a connection ended, a dial was refused or a peer is not dialed. @type {Record<string, string>} */
export const REASONS = {
  "hung-up": "you hung up",
  stopped: "the node was stopped",
  "banned-by-user": "you banned it",
  "banned-for-faults": "it broke the protocol too often",
  "other-network": "it belongs to another network",
  "handed-off": "others do its work now",
  "not-needed": "it offers nothing that is still needed",
  "failed-service": "it stopped serving",
  withheld: "it took or withheld what others passed on",
  duplicate: "a second connection to the same peer",
  "not-admitted": "nobody asked for that connection",
  "ping-timeout": "it no longer answered",
  "identify-failed": "it did not introduce itself",
  "metadata-failed": "what it said of its network made no sense",
  "remote-closed": "it said goodbye",
  "connection-lost": "the connection broke",
  "network-lost": "this computer lost its network",
  "rejected-by-remote": "it hung up at once",
  unreachable: "nobody answers there",
  "dial-timeout": "calling took too long",
  "handshake-failed": "the handshake failed",
  "wrong-id": "somebody else answered there",
  "not-allowed": "a page may not call that address",
  "backing-off": "waiting before the next try",
  parked: "in reserve",
  busy: "it is busy",
  "over-budget": "enough calls are under way",
  offline: "the browser is offline",
  "already-connected": "already connected",
  "our-own-id": "it is this page itself",
  "no-route": "no address that a page can call",
  "limit-reached": "no room for more connections",
  "pin-limit": "no room for more peers to keep at any cost",
  "unknown-peer": "never heard of it",
  forgotten: "you dropped it",
  "over-limit": "more connections than the limit, and this one was missed least",
  idle: "nobody used it",
  "over-quota": "its protocol had more than its share",
  "memory-pressure": "memory is short",
  surplus: "fewer connections do the same work",
  "lifetime-over": "the connection was old, and another took over",
  "burst-over": "its burst is over",
  "initial-sync": "the initial sync uses one connection",
  "cooling-down": "we closed it a short time ago",
  "transport-limit": "no room for more connections of that kind",
  "diversity-limit": "enough of its network are connected",
  "subnet-banned": "several of its network were banned lately",
  paused: "no new connections are made for now",
  "bad-behaviour": "it behaved badly",
  "not-enrolled": "a protocol of that name exists, or there are too many",
  "no-share": "no share was left",
  crashed: "the node crashed",
};

/** Who ended a connection. @type {Record<string, string>} */
const CAUSES = {
  local: "we closed it",
  banned: "we closed it",
  pruned: "we closed it",
  replaced: "we closed it",
  timeout: "we gave up on it",
  network: "our network went away",
  remote: "the other side went away",
};

/** Why messages may have been missed. @type {Record<string, string>} */
const GAPS = {
  moved: "its peers were lost and another took over",
  resubscribed: "its peers had forgotten it and were told again",
  overflow: "more came in at once than this page takes",
  slept: "the page slept or was offline",
};

/** What the network of this computer does. @type {Record<string, string>} */
const NETWORKS = {
  offline: "The browser is offline",
  online: "The browser is online",
  suspended: "The page was put to sleep",
  resumed: "The page woke up, and its connections are checked",
};

/** How we know of it. @type {Record<string, string>} */
const NETWORK_CAUSES = {
  told: "it says so itself",
  silence: "nobody answers any more",
  answer: "somebody answered again",
  slept: "the clocks jumped",
};

/** How a dial or a request failed. @type {Record<string, string>} */
export const FAILURES = {
  unreachable: "nobody answers there",
  timeout: "no answer in time",
  handshake: "the handshake failed",
  "wrong-id": "somebody else answered there",
  "not-allowed": "a page may not call that address",
  cancelled: "the call was given up",
  ours: "our request was not acceptable",
  busy: "it is busy",
  unable: "it cannot do this at the moment",
  broken: "it failed or did not answer",
  fault: "it broke the protocol",
  withheld: "it took or withheld what others passed on",
  late: "it has not answered for longer than usual",
  lost: "it forgot our subscription",
  absent: "it does not offer this",
};

/** Why the health is what it is. @type {Record<string, string>} */
const HEALTH_REASONS = {
  "all-met": "every target is met.",
  "below-target": "enough to work with, and looking for more.",
  stopped: "the node is not running.",
  "no-bootstrap": "nobody was named to begin with: the page was given no bootstrap.",
  discovering: "looking up the first peers in the DNS.",
  "discovery-failed": "no resolver gave a usable list of peers.",
  connecting: "calling peers.",
  verifying: "connected, and checking what the peers offer.",
  "backing-off": "every known peer failed lately; waiting before the next try.",
  "no-candidates": "no known peer offers what is missing.",
  "wrong-network": "every peer that answered belongs to another network.",
  offline: "the browser is offline.",
  "suspect-offline": "everything fails at once: probably this computer's network.",
};

/** @type {Record<string, string>} */
const HEALTH_STATES = { met: "Ready", minimal: "Usable", unmet: "Not ready" };

/** What to do about an error. @type {Record<string, string>} */
export const ERRORS = {
  "invalid-options": "Correct the address of this page.",
  "not-started": "Start the node first.",
  closed: "Make a new node.",
  crashed: "Make a new node.",
  "no-peer": "No peer serves this at the moment: see the peers below.",
  timeout: "The peers did not answer in time; try again.",
  busy: "The peers are busy; try again in a moment.",
};

/** Groups of events that the log can be narrowed to. @type {Record<string, { title: string, types: string[] }>} */
export const EVENT_GROUPS = {
  connections: { title: "Connections", types: ["peer:connect", "peer:identify", "peer:disconnect", "peer:reconnect", "peer:replace", "peer:prune"] },
  services: { title: "Requirements and health", types: ["requirement:change", "health:change", "peer:replace", "filter:gap"] },
  discovery: { title: "Discovery", types: ["peer:discovery"] },
  trouble: { title: "Trouble", types: ["peer:fail", "peer:disconnect", "peer:ban", "filter:gap", "network:change", "node:crash"] },
};

/** Every event that a node may send. */
export const EVENT_TYPES = [...new Set(Object.values(EVENT_GROUPS).flatMap((group) => group.types))].sort();

/** @param {string} service */
export const serviceTitle = (service) => SERVICES[service]?.title ?? service;

/** @param {string} peerId the end of it, where ids differ */
export const shortId = (peerId) => `…${peerId.slice(-6)}`;

/** @param {string} text */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {number} ms a duration */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.floor(ms / 60_000)} min`;
  return `${Math.floor(ms / 3_600_000)} h`;
}

/** @param {number} at epoch milliseconds */
export const clock = (at) => new Date(at).toLocaleTimeString(undefined, { hour12: false });

/**
 * @param {{ state: string, reason: string }} health
 * @returns {{ title: string, text: string }}
 */
export function healthWords({ state, reason }) {
  const title = reason === "stopped" ? "Stopped" : (HEALTH_STATES[state] ?? state);
  return { title, text: capital(HEALTH_REASONS[reason] ?? reason) };
}

/** @param {string[]} words */
export function enumerate(words) {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}

/** @param {string[]} services */
const badges = (services) => enumerate(services.map((service) => SERVICES[service]?.badge ?? service));

/** @param {number | undefined} at epoch milliseconds */
const nextTry = (at) => (at === undefined ? "" : ` Next try at ${clock(at)}.`);

/**
 * The service that a protocol id stands for, if it is one.
 * @param {string} protocol
 */
function serviceOf(protocol) {
  return PROTOCOLS.find(([prefix]) => protocol.startsWith(prefix))?.[1];
}

/**
 * Sentences for the details of each event.
 * @type {Record<string, (detail: any, nameOf: NameOf) => string>}
 */
const SENTENCES = {
  "peer:discovery": ({ peerId, source, claims = [] }, nameOf) =>
    `Heard of ${nameOf(peerId)} from ${SOURCES[source] ?? source}` + (claims.length ? `; said to offer: ${badges(claims)}.` : "."),
  "peer:connect": ({ peerId, direction, transport }, nameOf) =>
    direction === "inbound" ? `${nameOf(peerId)} called us.` : `Connected to ${nameOf(peerId)}${transport ? ` over ${transport}` : ""}.`,
  "peer:identify": ({ peerId, protocols = [], agent }, nameOf) => {
    const offers = [...new Set(protocols.map(serviceOf).filter(Boolean))];
    return `${nameOf(peerId)} introduced itself${agent ? ` as ${agent}` : ""}${offers.length ? `; offers: ${badges(offers)}.` : "."}`;
  },
  "peer:disconnect": ({ peerId, cause, reason, uptimeMs, willReconnect }, nameOf) =>
    `${nameOf(peerId)} is gone: ${CAUSES[cause] ?? cause}${reason ? `, ${REASONS[reason] ?? reason}` : ""}` +
    `${uptimeMs === undefined ? "" : `, after ${duration(uptimeMs)}`}.${willReconnect ? " It will be called again." : ""}`,
  "peer:reconnect": ({ peerId, downMs, attempts }, nameOf) =>
    `${nameOf(peerId)} is back after ${duration(downMs)}${attempts > 1 ? ` and ${attempts} tries` : ""}.`,
  "peer:replace": ({ lost, gained, requirement, gapMs }, nameOf) =>
    `${nameOf(gained)} took over “${serviceTitle(requirement)}” from ${nameOf(lost)}${gapMs ? `, ${duration(gapMs)} later` : " without a gap"}.`,
  "peer:fail": ({ peerId, kind, protocol, charged, willRetryAt }, nameOf) =>
    `${nameOf(peerId)}: ${FAILURES[kind] ?? kind}${protocol ? ` (${serviceTitle(serviceOf(protocol) ?? protocol)})` : ""}.` +
    `${charged === false ? " Not held against it." : ""}${nextTry(willRetryAt)}`,
  "peer:ban": ({ peerId, reason }, nameOf) => `${nameOf(peerId)} is banned: ${REASONS[reason] ?? reason}.`,
  "peer:prune": ({ peerId, reason }, nameOf) => `Let go of ${nameOf(peerId)}: ${REASONS[reason] ?? reason}.`,
  "network:change": ({ state, cause }) => `${NETWORKS[state] ?? state}${cause ? `: ${NETWORK_CAUSES[cause] ?? cause}` : ""}.`,
  "requirement:change": ({ name, have, min, target }) =>
    `“${serviceTitle(name)}” has ${have} of ${target} peers: ${have >= target ? "its target" : have >= min ? "at least its minimum" : "too few"}.`,
  "health:change": ({ old, new: now, reason }) =>
    `${HEALTH_STATES[old] ?? old} → ${HEALTH_STATES[now] ?? now}: ${HEALTH_REASONS[reason] ?? reason}`,
  "filter:gap": ({ contentTopics = [], from, to, cause, filled, recovered = 0 }) =>
    `Messages of ${contentTopics.join(", ")} ${filled ? "had to be caught up on" : "may have been missed"}${to > from ? ` for ${duration(to - from)}` : ""}` +
    `${cause ? `: ${GAPS[cause] ?? cause}` : ""}.${filled || recovered ? ` The history gave ${recovered || "none"} that had not come.` : ""}`,
  "node:crash": ({ message }) => `The node crashed: ${message}`,
};

/**
 * @param {{ type: string, detail: any }} event
 * @param {NameOf} nameOf
 */
export function describe({ type, detail }, nameOf) {
  const sentence = SENTENCES[type];
  return sentence ? sentence(detail ?? {}, nameOf) : JSON.stringify(detail);
}
