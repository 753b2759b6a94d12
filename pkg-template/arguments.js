/**
 * Checks the arguments of the node's methods.
 *
 * @import { EnrollSpec, Network, OutgoingMessage, ReadyOptions, RequirementName, SendOptions, StoreQuery, SubscribeOptions } from "./index.js"
 */

import { MAX_U16, checkFunction, checkInteger, checkKeys, checkSignal, checkText, checkTexts, fail } from "./check.js";
import { parseUrl, resolveNeed } from "./options.js";

/** A filter request of more content topics is refused by servers. */
const MAX_FILTER_TOPICS = 100;
/** A query is split into what servers take; with more than these it would keep them busy for minutes. */
const MAX_STORE_TOPICS = 1000;
const MAX_HASHES = 1000;
/** To how many peers a message goes at once, or from how many messages come. */
const MAX_PEERS = 8;
const DEFAULT_SEND_PEERS = 2;
const MAX_PAGE = 100;
const DEFAULT_PAGE = 20;
/** `setTimeout` fires at once above this. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** Tags and names of protocols are kept for as long as the node lives. */
const MAX_NAME = 64;
const MAX_PROTOCOLS = 16;
const MAX_SCORE = 1000;
const MAX_WEIGHT = 16;
/** Longer than this is no burst. */
export const MAX_BURST_MS = 60_000;
/** With less, all connections would be replaced all the time. */
const MIN_LIFETIME_MS = 60_000;
/** How many decisions the manager remembers. */
const MAX_DECISIONS = 1024;
const DEFAULT_DECISIONS = 16;
const OUTCOMES = /** @type {const} */ (["success", "ours", "busy", "unable", "broken", "fault", "withheld", "late", "lost", "absent"]);
const CLASSES = /** @type {const} */ (["critical", "normal", "opportunistic"]);
/** Host, port and `/ws`, `/wss`, `/tls/ws` or `/tls/sni/NAME/ws`, with a path or without. */
const WEBSOCKET = /^\/(?:ip4\/((?:\d{1,3}\.){3}\d{1,3})|ip6\/([\da-fA-F:.]+)|dns[46]?\/([^/]+))(?:\/tcp\/(\d{1,5}))?\/(?:wss?|tls(?:\/sni\/[^/]+)?\/ws)(?:\/http-path\/[^/]+)?$/;
/** How long `send`, `subscribe` and each page of `query` may take. */
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * The last argument of every asynchronous method.
 *
 * @template {{ signal?: AbortSignal, timeoutMs?: number }} T
 * @param {T | undefined} given
 * @param {readonly string[]} [more] keys besides `signal` and `timeoutMs`
 * @returns {T}
 */
export function checkCall(given, more = ["timeoutMs"]) {
  const options = /** @type {T} */ (given ?? {});
  checkKeys("options", options, ["signal", ...more]);
  checkSignal(options.signal);
  if (options.timeoutMs !== undefined) checkInteger("timeoutMs", options.timeoutMs, 1, MAX_TIMEOUT_MS);
  return options;
}

/** @param {{ timeoutMs?: number }} options */
export const deadline = ({ timeoutMs = DEFAULT_TIMEOUT_MS }) => timeoutMs;

/**
 * @param {unknown} id
 * @returns {string}
 */
export function checkPeerId(id) {
  return typeof id === "string" && /^[A-Za-z0-9]{32,}$/.test(id) ? id : fail("peer", "the text of a peer id", id);
}

/**
 * @template {string} T
 * @param {string} option
 * @param {readonly T[]} all
 * @param {unknown} value
 * @returns {T}
 */
function checkOneOf(option, all, value) {
  return all.find((each) => each === value) ?? fail(option, `one of ${all.join(", ")}`, value);
}

/** @param {unknown} priority */
export const checkPriority = (priority) => checkOneOf("priority", /** @type {const} */ (["high", "medium", "low", "banned"]), priority);

/** @param {unknown} outcome */
export const checkOutcome = (outcome) => checkOneOf("outcome", OUTCOMES, outcome);

/**
 * The name of a requirement of the node's: of a service, or of a protocol that enrolled with one.
 *
 * @param {string} option
 * @param {unknown} name
 * @param {readonly RequirementName[]} all
 */
export const checkRequirement = (option, name, all) => checkOneOf(option, all, name);

/**
 * @param {string} id
 * @param {unknown} address with or without the peer's id at its end
 */
export function checkAddress(id, address) {
  const text = checkText("address", address, "a multiaddr");
  const [, route, peer] = /^(\/.+?)(?:\/p2p\/([A-Za-z0-9]+))?$/.exec(text) ?? fail("address", "a multiaddr", text);
  return peer === undefined || peer === id ? route : fail("address", "an address of that same peer", text);
}

/**
 * An address that a node may be told of: a WebSocket's. Whether this very page may open it is for the wasm to say.
 *
 * @param {string} id
 * @param {unknown} address with or without the peer's id at its end
 */
export function checkRoute(id, address) {
  const route = /** @type {string} */ (checkAddress(id, address));
  const [, ip4, ip6, name, port = "80"] = WEBSOCKET.exec(route) ?? [];
  const host = ip6 === undefined ? (ip4 ?? name) : `[${ip6}]`;
  // URLs know what an ip address and a port are.
  const good = host !== undefined && Number(port) !== 0 && parseUrl(`ws://${host}:${port}`) !== undefined;
  return good ? route : fail("address", "the multiaddr of a WebSocket, like /dns4/example.org/tcp/443/wss", address);
}

/**
 * @param {string} option
 * @param {unknown} name
 */
export function checkName(option, name) {
  return typeof name === "string" && name !== "" && name.length <= MAX_NAME ? name : fail(option, `a text of 1 to ${MAX_NAME} characters`, name);
}

/** @param {{ value: number, ttlMs?: number }} hint */
export function checkHint(hint) {
  const { value, ttlMs } = checkKeys("options", hint, ["value", "ttlMs"]);
  return { value: checkInteger("value", value, -MAX_SCORE, MAX_SCORE), ttlMs: ttlMs === undefined ? undefined : checkDuration("ttlMs", ttlMs) };
}

/**
 * @param {string} option
 * @param {unknown} ms
 * @param {number} [max]
 */
export const checkDuration = (option, ms, max = Number.MAX_SAFE_INTEGER) => checkInteger(option, ms, 1, max);

/** @param {unknown} ms */
export const checkLifetime = (ms) => checkInteger("ms", ms, MIN_LIFETIME_MS, Number.MAX_SAFE_INTEGER);

/** @param {{ decisions?: number }} [options] */
export function checkStats(options = {}) {
  const { decisions = DEFAULT_DECISIONS } = checkKeys("options", options, ["decisions"]);
  return checkInteger("decisions", decisions, 0, MAX_DECISIONS);
}

/**
 * @param {ReadyOptions | undefined} options
 * @param {readonly RequirementName[]} all
 */
export function checkReady(options, all) {
  const { level = "met", requirements, timeoutMs } = checkCall(options, ["level", "requirements", "timeoutMs"]);
  if (level !== "met" && level !== "minimal") fail("level", '"met" or "minimal"', level);
  if (requirements !== undefined && !Array.isArray(requirements)) fail("requirements", "an array of names", requirements);
  return { level, requirements: requirements?.map((name, index) => checkRequirement(`requirements[${index}]`, name, all)), timeoutMs };
}

// --- enrollments ------------------------------------------------------------------------------------------------------

/**
 * @param {string} option
 * @param {unknown} bound
 */
function checkBound(option, bound) {
  if (bound === undefined) return undefined;
  if (typeof bound === "number") return checkInteger(option, bound, 0, MAX_U16);
  // Thousandths are as fine as it gets.
  const percent = typeof bound === "string" && /^\d{1,3}(\.\d)?%$/.test(bound) && parseFloat(bound) <= 100;
  return percent ? bound : fail(option, 'a whole number of connections, or a share of them such as "25%"', bound);
}

/** @param {EnrollSpec} spec */
export function checkEnroll(spec) {
  const keys = ["name", "protocols", "class", "weight", "quota", "requirement", "score", "answerMs"];
  const { name, protocols, class: kind = "normal", weight = 1, quota = {}, requirement, score, answerMs } = checkKeys("spec", spec, keys);
  const { min, max } = checkKeys("quota", quota, ["min", "max"]);
  if (typeof min === "number" && typeof max === "number" && min > max) fail("quota.min", `at most quota.max (${max})`, min);
  if (score !== undefined) checkFunction("score", score);
  return {
    name: checkName("name", name),
    protocols: checkTexts("protocols", protocols, "protocol ids", MAX_PROTOCOLS),
    class: checkOneOf("class", CLASSES, kind),
    weight: checkInteger("weight", weight, 1, MAX_WEIGHT),
    min: checkBound("quota.min", min),
    max: checkBound("quota.max", max),
    requirement: requirement === undefined ? undefined : resolveNeed("requirement", requirement),
    scores: score !== undefined,
    answerMs: answerMs === undefined ? undefined : checkDuration("answerMs", answerMs),
  };
}

/**
 * What a scorer said of those it was asked about, as far as it makes sense: one wrong score is no reason to lose the others.
 *
 * @param {unknown} scores
 * @param {readonly { peerId: string }[]} asked
 * @returns {Record<string, number>}
 */
export function usableScores(scores, asked) {
  const given = /** @type {Record<string, unknown>} */ (scores ?? {});
  const usable = asked.filter(({ peerId }) => typeof given[peerId] === "number" && !Number.isNaN(given[peerId]));
  return Object.fromEntries(usable.map(({ peerId }) => [peerId, Math.trunc(Math.max(-MAX_SCORE, Math.min(MAX_SCORE, Number(given[peerId]))))]));
}

// --- messages ---------------------------------------------------------------------------------------------------------

/**
 * With one shard, or with autosharding, the shard may be left out.
 *
 * @param {Network} network
 * @param {unknown} shard
 * @returns {number | undefined}
 */
function checkShard(network, shard) {
  if ("numShardsInCluster" in network) return shard === undefined ? undefined : checkInteger("shard", shard, 0, network.numShardsInCluster - 1);
  if (shard === undefined && network.shards.length === 1) return undefined;
  return network.shards.includes(/** @type {number} */ (shard)) ? Number(shard) : fail("shard", `one of the network's shards (${network.shards.join(", ")})`, shard);
}

/**
 * @param {Network} network
 * @param {OutgoingMessage} message
 */
export function checkMessage(network, message) {
  const { contentTopic, payload: given, ephemeral, timestamp, shard } = checkKeys("message", message, ["contentTopic", "payload", "ephemeral", "timestamp", "shard"]);
  checkText("contentTopic", contentTopic);
  // Not `instanceof`: bytes may come from another frame of the page. Servers refuse an empty payload.
  if (Object.prototype.toString.call(given) !== "[object Uint8Array]") fail("payload", "a Uint8Array that is not empty", given);
  // A copy, of this frame's own kind: the caller may use his buffer again at once, and the wasm knows no other frames.
  const payload = new Uint8Array(given);
  if (payload.length === 0) fail("payload", "a Uint8Array that is not empty", given);
  if (timestamp !== undefined) checkInteger("timestamp", timestamp, 0, Number.MAX_SAFE_INTEGER);
  return { contentTopic, payload, ephemeral: checkFlag("ephemeral", ephemeral, false), timestamp, shard: checkShard(network, shard) };
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {boolean} otherwise
 */
function checkFlag(option, value, otherwise) {
  if (value === undefined) return otherwise;
  return typeof value === "boolean" ? value : fail(option, "true or false", value);
}

/** @param {SendOptions} options */
export function checkSend({ peers, min = 1, confirm }) {
  const most = peers === undefined ? MAX_PEERS : checkInteger("peers", peers, 1, MAX_PEERS);
  const least = checkInteger("min", min, 1, most);
  const confirmed = checkFlag("confirm", confirm, false);
  // Who took a message from us is no witness that it spread.
  return { peers: peers ?? Math.max(confirmed ? 1 : DEFAULT_SEND_PEERS, least), min: least, confirm: confirmed };
}

/**
 * @param {Network} network
 * @param {readonly string[]} contentTopics
 * @param {SubscribeOptions} [options]
 */
export function checkSubscription(network, contentTopics, { shard, peers, catchUp } = {}) {
  return {
    contentTopics: checkTexts("contentTopics", contentTopics, "content topics", MAX_FILTER_TOPICS),
    shard: checkShard(network, shard),
    // Left out: as many as the node wants for `filter`.
    peers: peers === undefined ? undefined : checkInteger("peers", peers, 1, MAX_PEERS),
    catchUp: checkFlag("catchUp", catchUp, true),
  };
}

/**
 * @param {readonly string[]} hashes
 * @returns {string[]} each as the wasm has it
 */
export function checkHashes(hashes) {
  return checkTexts("hashes", hashes, "message hashes", MAX_HASHES).map((hash, index) => {
    if (!/^(0x)?[0-9a-f]{64}$/i.test(hash)) fail(`hashes[${index}]`, "64 characters of hex", hash);
    return hash.replace(/^0x/i, "").toLowerCase();
  });
}

/**
 * @param {string} option
 * @param {number | Date | undefined} time
 * @returns {number | undefined}
 */
function checkTime(option, time) {
  const ms = time instanceof Date ? time.getTime() : time;
  if (ms !== undefined && !(typeof ms === "number" && ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) fail(option, "a Date or milliseconds since 1970", time);
  return ms && Math.trunc(ms);
}

/**
 * @param {Network} network
 * @param {StoreQuery} query
 */
export function checkQuery(network, query) {
  const keys = ["contentTopics", "from", "to", "hashes", "order", "pageSize", "limit", "shard"];
  const { contentTopics, hashes, order = "ascending", pageSize = DEFAULT_PAGE, limit, shard, ...times } = checkKeys("query", query, keys);
  const from = checkTime("from", times.from);
  const to = checkTime("to", times.to);
  if (from !== undefined && to !== undefined && from > to) fail("from", `not after to (${to})`, from);
  if (order !== "ascending" && order !== "descending") fail("order", '"ascending" or "descending"', order);
  checkInteger("pageSize", pageSize, 1, MAX_PAGE);
  if (limit !== undefined) checkInteger("limit", limit, 1, Number.MAX_SAFE_INTEGER);
  // A look-up by hash and a search are different requests; servers need not accept a mixture.
  if ((hashes === undefined) === (contentTopics === undefined)) fail("query", "{ contentTopics, … } or { hashes }, with one of the two", query);
  if (hashes !== undefined && (from !== undefined || to !== undefined)) fail("hashes", "given without from and to", hashes);
  return {
    request: {
      // Twice the same is once: what is split and merged again must not come twice.
      contentTopics: contentTopics && [...new Set(checkTexts("contentTopics", contentTopics, "content topics", MAX_STORE_TOPICS))],
      hashes: hashes && [...new Set(checkHashes(hashes))],
      from,
      to,
      order,
      // The same for every page, as cursors demand.
      pageSize: Math.min(pageSize, limit ?? pageSize),
      // A look-up by hash goes to no shard in particular.
      shard: hashes && shard === undefined ? undefined : checkShard(network, shard),
    },
    limit: limit ?? Infinity,
  };
}
