/**
 * What can be known of options without the wasm: their shape and their ranges. Whether a key, an address or a record is
 * really one is checked by the wasm, still before anything starts.
 *
 * @import { LightNodeOptions, LogRecord, Need, Network, RequirementName, ResolvedNeed, ResolvedOptions } from "./index.js"
 */

import { LightNodeError } from "./errors.js";

/**
 * @template T
 * @param {T} value
 * @returns {T}
 */
function freeze(value) {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}

/** @type {Readonly<ResolvedOptions>} */
export const DEFAULTS = freeze({
  network: { clusterId: 1, numShardsInCluster: 8 },
  bootstrap: [],
  // Two operators, so that neither can keep a page from finding its peers.
  resolvers: ["https://cloudflare-dns.com/dns-query", "https://dns.google/dns-query"],
  require: {
    lightPush: { min: 1, target: 2, max: 4 },
    filter: { min: 1, target: 2, max: 4 },
    store: { min: 0, target: 1, max: 2 },
  },
  log: "off",
});

const CLUSTER_1 = { clusterId: 1, numShardsInCluster: 8 };

/** @type {Readonly<Record<"sandbox" | "test", { network: Network, bootstrap: string[] }>>} */
export const networks = freeze({
  sandbox: {
    network: { ...CLUSTER_1 },
    bootstrap: ["enrtree://AIRVQ5DDA4FFWLRBCHJWUWOO6X6S4ZTZ5B667LQ6AJU6PEYDLRD5O@sandbox.waku.nodes.status.im"],
  },
  test: {
    network: { ...CLUSTER_1 },
    bootstrap: ["enrtree://AOGYWMBYOUIMOENHXCHILPKY3ZRFEULMFI4DOM442QSZ73TT2A7VI@test.waku.nodes.status.im"],
  },
});

export const REQUIREMENTS = /** @type {const} */ (["lightPush", "filter", "store"]);
const LOG_LEVELS = ["off", "error", "warn", "info", "debug"];
/** What a log function gets: everything but the flood. */
const LOG_FUNCTION_LEVEL = "debug";
/** A filter request of more content topics, or a paged history query of more, is refused by servers. */
const MAX_FILTER_TOPICS = 100;
const MAX_STORE_TOPICS = 10;
/** Must fit one page. */
const MAX_HASHES = 50;
const MAX_PAGE = 100;
const DEFAULT_PAGE = 20;
/** Node records name shards in a bit field of 1,024. */
const MAX_SHARDS = 1024;
const MAX_U8 = 255;
const MAX_U16 = 65535;
/** `setTimeout` fires at once above this. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
/** How long `send`, `subscribe` and each page of `query` may take. */
const DEFAULT_TIMEOUT_MS = 10_000;

// --- saying what is wrong ---------------------------------------------------------------------------------------------

/** @param {unknown} value */
function show(value) {
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `${value}n`;
  let text = String(value);
  try {
    text = typeof value === "number" ? text : (JSON.stringify(value) ?? text);
  } catch {
    // Circular: the plain text will do.
  }
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/**
 * @param {string} option
 * @param {string} should what it should be, to follow "should be"
 * @param {unknown} value
 * @returns {never}
 */
function fail(option, should, value) {
  const not = value === undefined ? "and is missing" : `not ${show(value)}`;
  throw new LightNodeError("invalid-options", `${option} should be ${should}, ${not}`, { option });
}

/** Objects that are arguments themselves: their keys are named without them. */
const ARGUMENTS = ["options", "message", "query"];

/**
 * A plain object with no keys but those named.
 *
 * @template {object} T
 * @param {string} option
 * @param {T} value
 * @param {readonly string[]} keys
 * @returns {T}
 */
function checkKeys(option, value, keys) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail(option, `an object with ${keys.join(", ")}`, value);
  for (const key of Object.keys(value)) {
    if (keys.includes(key)) continue;
    const path = ARGUMENTS.includes(option) ? key : `${option}.${key}`;
    throw new LightNodeError("invalid-options", `unknown option ${path}: ${option} takes ${keys.join(", ")}`, { option: path });
  }
  return value;
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {number} from
 * @param {number} to
 * @returns {number}
 */
function checkInteger(option, value, from, to) {
  if (!Number.isInteger(value) || Number(value) < from || Number(value) > to) fail(option, `a whole number from ${from} to ${to}`, value);
  return Number(value);
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {string} [what]
 * @returns {string}
 */
export function checkText(option, value, what = "a text that is not empty") {
  return typeof value === "string" && value !== "" ? value : fail(option, what, value);
}

/**
 * @param {string} option
 * @param {unknown} value
 * @param {string} what
 * @param {number} max
 * @returns {string[]}
 */
function checkTexts(option, value, what, max) {
  if (!Array.isArray(value) || value.length === 0 || value.length > max) fail(option, `an array of 1 to ${max} ${what}`, value);
  return value.map((text, index) => checkText(`${option}[${index}]`, text));
}

/**
 * @param {unknown} signal
 * @returns {AbortSignal | undefined}
 */
function checkSignal(signal) {
  const is = signal !== null && typeof signal === "object" && "aborted" in signal && "addEventListener" in signal;
  return signal === undefined || is ? /** @type {AbortSignal | undefined} */ (signal) : fail("signal", "an AbortSignal", signal);
}

// --- LightNodeOptions -------------------------------------------------------------------------------------------------

/**
 * @param {Network} network
 * @returns {Network}
 */
function checkNetwork(network) {
  const { clusterId, shards, numShardsInCluster } = /** @type {Record<string, unknown>} */ (
    checkKeys("network", network, ["clusterId", "shards", "numShardsInCluster"])
  );
  const cluster = checkInteger("network.clusterId", clusterId, 0, MAX_U16);
  if ((shards === undefined) === (numShardsInCluster === undefined)) {
    fail("network", "{ clusterId, numShardsInCluster } or { clusterId, shards }, with one of the two", network);
  }
  if (shards === undefined) {
    return { clusterId: cluster, numShardsInCluster: checkInteger("network.numShardsInCluster", numShardsInCluster, 1, MAX_SHARDS) };
  }
  if (!Array.isArray(shards) || shards.length === 0) fail("network.shards", "an array of at least one shard", shards);
  shards.forEach((shard, index) => checkInteger(`network.shards[${index}]`, shard, 0, MAX_SHARDS - 1));
  if (new Set(shards).size < shards.length) fail("network.shards", "an array without doubles", shards);
  return { clusterId: cluster, shards: [...shards] };
}

const BOOTSTRAP = [
  { prefix: "enrtree:", shape: /^enrtree:\/\/[A-Z2-7]{53}@[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$/, what: 'an enrtree URL, "enrtree://" + 53 characters of upper-case base32 + "@" + a domain' },
  { prefix: "enr:", shape: /^enr:[A-Za-z0-9_-]+$/, what: 'a node record, "enr:" + base64url' },
  { prefix: "/", shape: /^\/.+\/p2p\/[A-Za-z0-9]+$/, what: 'a multiaddr that ends in "/p2p/" + the peer id' },
];

/**
 * @param {string} text
 * @param {number} index
 */
function checkBootstrap(text, index) {
  const option = `bootstrap[${index}]`;
  const kind = typeof text === "string" ? BOOTSTRAP.find(({ prefix }) => text.startsWith(prefix)) : undefined;
  if (!kind) fail(option, 'an "enrtree://" URL, a multiaddr that ends in "/p2p/…" or an "enr:" text', text);
  if (!kind.shape.test(text)) fail(option, kind.what, text);
}

/** @param {string} text */
function parseUrl(text) {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/**
 * @param {string} url
 * @param {number} index
 */
function checkResolver(url, index) {
  const protocol = typeof url === "string" && parseUrl(url)?.protocol;
  if (protocol !== "https:" && protocol !== "http:") fail(`resolvers[${index}]`, "the https:// (or http://) URL of a DNS-over-HTTPS endpoint", url);
}

/**
 * A number `n` is `{ min: Math.min(1, n), target: n, max: 2 * n }`.
 *
 * @param {string} option
 * @param {Need} need
 * @returns {ResolvedNeed}
 */
export function resolveNeed(option, need) {
  if (typeof need === "number") need = { target: checkInteger(option, need, 0, MAX_U8) };
  checkKeys(option, need, ["min", "target", "max"]);
  const target = checkInteger(`${option}.target`, need.target, 0, MAX_U8);
  const min = checkInteger(`${option}.min`, need.min ?? Math.min(1, target), 0, MAX_U8);
  const max = checkInteger(`${option}.max`, need.max ?? Math.min(2 * target, MAX_U8), 0, MAX_U8);
  if (min > target) fail(`${option}.min`, `at most the target (${target})`, min);
  if (target > max) fail(`${option}.max`, `at least the target (${target})`, max);
  return { min, target, max };
}

/**
 * @param {string} option
 * @param {unknown} name
 * @returns {RequirementName}
 */
export function checkRequirement(option, name) {
  return /** @type {readonly unknown[]} */ (REQUIREMENTS).includes(name) ? /** @type {RequirementName} */ (name) : fail(option, `one of ${REQUIREMENTS.join(", ")}`, name);
}

/**
 * Whether the page itself comes from this machine or from its neighbourhood: only such a page has business there.
 *
 * @param {string | undefined} origin
 */
export function isPrivateOrigin(origin) {
  const host = parseUrl(origin ?? "")?.hostname ?? "";
  return (
    /^(.+\.)?localhost$|\.local$/.test(host) ||
    /^(127|10|192\.168|169\.254|172\.(1[6-9]|2\d|3[01]))\.[\d.]+$/.test(host) ||
    /^\[(::1|f[cd][0-9a-f]{2}:.*|fe[89ab][0-9a-f]:.*)\]$/.test(host)
  );
}

/**
 * @param {LightNodeOptions} options
 * @returns {{ options: ResolvedOptions, onLog: ((record: LogRecord) => void) | undefined, signal: AbortSignal | undefined }}
 * @throws {LightNodeError} `invalid-options`
 */
export function resolveOptions(options = {}) {
  checkKeys("options", options, ["network", "bootstrap", "resolvers", "require", "allowPrivateAddresses", "log", "signal"]);
  const { network = DEFAULTS.network, bootstrap = DEFAULTS.bootstrap, resolvers = DEFAULTS.resolvers, require = {}, log = DEFAULTS.log } = options;
  const { allowPrivateAddresses = isPrivateOrigin(globalThis.origin) } = options;

  if (!Array.isArray(bootstrap)) fail("bootstrap", "an array of texts", bootstrap);
  bootstrap.forEach(checkBootstrap);
  if (!Array.isArray(resolvers)) fail("resolvers", "an array of URLs", resolvers);
  resolvers.forEach(checkResolver);
  if (resolvers.length === 0 && bootstrap.some((text) => text.startsWith("enrtree:"))) {
    fail("resolvers", "an array of at least one URL, since bootstrap has an enrtree URL", resolvers);
  }
  checkKeys("require", require, REQUIREMENTS);
  const needs = REQUIREMENTS.map((name) => [name, resolveNeed(`require.${name}`, require[name] ?? DEFAULTS.require[name])]);
  if (typeof allowPrivateAddresses !== "boolean") fail("allowPrivateAddresses", "true or false", allowPrivateAddresses);
  if (typeof log !== "function" && !LOG_LEVELS.includes(log)) fail("log", `a function or one of ${LOG_LEVELS.join(", ")}`, log);

  return {
    options: {
      network: checkNetwork(network),
      bootstrap: [...bootstrap],
      resolvers: [...resolvers],
      require: Object.fromEntries(needs),
      allowPrivateAddresses,
      log: typeof log === "function" ? LOG_FUNCTION_LEVEL : log,
    },
    onLog: typeof log === "function" ? log : undefined,
    signal: checkSignal(options.signal),
  };
}

// --- arguments of the node's methods ----------------------------------------------------------------------------------

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
 * @param {unknown} priority
 * @returns {import("./index.js").Priority}
 */
export function checkPriority(priority) {
  const all = /** @type {const} */ (["high", "medium", "low", "banned"]);
  return all.find((each) => each === priority) ?? fail("priority", `one of ${all.join(", ")}`, priority);
}

/**
 * @param {string} option
 * @param {unknown} value
 */
export function checkFunction(option, value) {
  if (typeof value !== "function") fail(option, "a function", value);
}

/** @param {import("./index.js").ReadyOptions} [options] */
export function checkReady(options) {
  const { level = "met", requirements, timeoutMs } = checkCall(options, ["level", "requirements", "timeoutMs"]);
  if (level !== "met" && level !== "minimal") fail("level", '"met" or "minimal"', level);
  if (requirements !== undefined && !Array.isArray(requirements)) fail("requirements", "an array of names", requirements);
  return { level, requirements: requirements?.map((name, index) => checkRequirement(`requirements[${index}]`, name)), timeoutMs };
}

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
 * @param {import("./index.js").OutgoingMessage} message
 */
export function checkMessage(network, message) {
  const { contentTopic, payload, ephemeral, timestamp, shard } = checkKeys("message", message, ["contentTopic", "payload", "ephemeral", "timestamp", "shard"]);
  checkText("contentTopic", contentTopic);
  // Not `instanceof`: bytes may come from another frame of the page. Servers refuse an empty payload.
  if (Object.prototype.toString.call(payload) !== "[object Uint8Array]" || payload.length === 0) fail("payload", "a Uint8Array that is not empty", payload);
  if (ephemeral !== undefined && typeof ephemeral !== "boolean") fail("ephemeral", "true or false", ephemeral);
  if (timestamp !== undefined) checkInteger("timestamp", timestamp, 0, Number.MAX_SAFE_INTEGER);
  return { contentTopic, payload, ephemeral, timestamp, shard: checkShard(network, shard) };
}

/**
 * @param {Network} network
 * @param {readonly string[]} contentTopics
 * @param {number | undefined} shard
 */
export function checkSubscription(network, contentTopics, shard) {
  return { contentTopics: checkTexts("contentTopics", contentTopics, "content topics", MAX_FILTER_TOPICS), shard: checkShard(network, shard) };
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
 * @param {import("./index.js").StoreQuery} query
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
  if (hashes !== undefined) {
    if (from !== undefined || to !== undefined) fail("hashes", "given without from and to", hashes);
    checkTexts("hashes", hashes, "message hashes", MAX_HASHES).forEach((hash, index) => {
      if (!/^(0x)?[0-9a-f]{64}$/i.test(hash)) fail(`hashes[${index}]`, "64 characters of hex", hash);
    });
  }
  return {
    request: {
      contentTopics: contentTopics && checkTexts("contentTopics", contentTopics, "content topics", MAX_STORE_TOPICS),
      hashes: hashes?.map((hash) => hash.replace(/^0x/i, "").toLowerCase()),
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
