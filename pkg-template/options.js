/**
 * What can be known of options without the wasm: their shape and their ranges. Whether a key, an address or a record is
 * really one is checked by the wasm, still before anything starts.
 *
 * @import { Limits, LightNodeOptions, LogRecord, Need, Network, Policy, ResolvedLimits, ResolvedNeed, ResolvedOptions, Transport } from "./index.js"
 */

import { MAX_U8, MAX_U16, checkInteger, checkKeys, checkSignal, fail } from "./check.js";
import { LightNodeError } from "./errors.js";
import { NUMBERS } from "./policy.js";

/**
 * @template T
 * @param {T} value
 * @returns {T}
 */
function freeze(value) {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(freeze);
  return value;
}

/** What `limits` sets, by the names that the crate has for it. */
const LIMITS = /** @type {ReadonlyMap<string, "connections" | "hard">} */ (new Map([["softConnections", "connections"], ["hardConnections", "hard"]]));

/**
 * @param {(name: string, value: number, min: number, max: number) => number} choose
 * @returns {Policy}
 */
function policyOf(choose) {
  const chosen = NUMBERS.filter(([name]) => !LIMITS.has(name)).map(([name, ...number]) => [name, choose(name, ...number)]);
  return Object.fromEntries(chosen);
}

/** @type {Readonly<ResolvedOptions>} */
export const DEFAULTS = freeze({
  network: { clusterId: 1, numShardsInCluster: 8, maxMessageBytes: 150 * 1024 },
  bootstrap: [],
  // Two operators, so that neither can keep a page from finding its peers.
  resolvers: ["https://cloudflare-dns.com/dns-query", "https://dns.google/dns-query"],
  require: {
    lightPush: { min: 1, target: 2, max: 4 },
    filter: { min: 1, target: 2, max: 4 },
    store: { min: 0, target: 1, max: 2 },
  },
  limits: { connections: 16, hard: 20, byTransport: {} },
  policy: policyOf((_, value) => value),
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
const TRANSPORTS = /** @type {const} */ (["ws", "wss"]);
const LOG_LEVELS = ["off", "error", "warn", "info", "debug"];
/** What a log function gets: everything but the flood. */
const LOG_FUNCTION_LEVEL = "debug";
/** Node records name shards in a bit field of 1,024. */
const MAX_SHARDS = 1024;
/** Between these lies every network's largest message; a page has no room for larger ones. */
const MIN_MESSAGE_BYTES = 1024;
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

// --- LightNodeOptions -------------------------------------------------------------------------------------------------

/**
 * @param {Network} network
 * @returns {Network}
 */
function checkNetwork(network) {
  const { shards, numShardsInCluster, ...rest } = /** @type {Record<string, unknown>} */ (
    checkKeys("network", network, ["clusterId", "shards", "numShardsInCluster", "maxMessageBytes"])
  );
  const clusterId = checkInteger("network.clusterId", rest.clusterId, 0, MAX_U16);
  const bytes = rest.maxMessageBytes ?? DEFAULTS.network.maxMessageBytes;
  const maxMessageBytes = checkInteger("network.maxMessageBytes", bytes, MIN_MESSAGE_BYTES, MAX_MESSAGE_BYTES);
  if ((shards === undefined) === (numShardsInCluster === undefined)) {
    fail("network", "{ clusterId, numShardsInCluster } or { clusterId, shards }, with one of the two", network);
  }
  if (shards === undefined) {
    return { clusterId, numShardsInCluster: checkInteger("network.numShardsInCluster", numShardsInCluster, 1, MAX_SHARDS), maxMessageBytes };
  }
  if (!Array.isArray(shards) || shards.length === 0) fail("network.shards", "an array of at least one shard", shards);
  shards.forEach((shard, index) => checkInteger(`network.shards[${index}]`, shard, 0, MAX_SHARDS - 1));
  if (new Set(shards).size < shards.length) fail("network.shards", "an array without doubles", shards);
  return { clusterId, shards: [...shards], maxMessageBytes };
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

/**
 * @param {string} text
 * @param {string} [base]
 */
export function parseUrl(text, base) {
  try {
    return new URL(text, base);
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
 * `hard` left out is `connections` and a quarter, at least two: room to make a connection before another is broken.
 *
 * @param {Limits} limits
 * @param {number} [otherwise] what `connections` is when it is left out
 */
export function resolveLimits(limits, otherwise) {
  const { connections = otherwise, hard, byTransport } = checkKeys("limits", limits, ["connections", "hard", "byTransport"]);
  if (connections !== undefined) checkInteger("limits.connections", connections, 1, MAX_U16);
  if (hard !== undefined) checkInteger("limits.hard", hard, 1, MAX_U16);
  if (connections !== undefined && hard !== undefined && hard < connections) fail("limits.hard", `at least limits.connections (${connections})`, hard);
  const withRoom = connections && Math.min(connections + Math.max(2, Math.ceil(connections / 4)), MAX_U16);
  return { connections, hard: hard ?? withRoom, byTransport: byTransport && resolveByTransport("limits.byTransport", byTransport) };
}

/**
 * @param {string} option
 * @param {{ readonly [Name in Transport]?: number }} limits
 * @returns {{ [Name in Transport]?: number }}
 */
export function resolveByTransport(option, limits) {
  checkKeys(option, limits, TRANSPORTS);
  for (const [name, limit] of Object.entries(limits)) if (limit !== Infinity) checkInteger(`${option}.${name}`, limit, 0, MAX_U16);
  return { ...limits };
}

/**
 * @param {Partial<Policy>} given
 * @returns {Policy}
 */
function resolvePolicy(given) {
  const policy = /** @type {Record<string, number>} */ (given);
  if (typeof policy !== "object" || policy === null || Array.isArray(policy)) fail("policy", "an object with names of DEFAULTS.policy", policy);
  for (const name of Object.keys(policy)) {
    if (!(name in DEFAULTS.policy)) throw new LightNodeError("invalid-options", `unknown option policy.${name}: policy takes names of DEFAULTS.policy`, { option: `policy.${name}` });
  }
  return policyOf((name, value, min, max) => checkInteger(`policy.${name}`, policy[name] ?? value, min, max));
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
  checkKeys("options", options, ["network", "bootstrap", "resolvers", "require", "limits", "policy", "allowPrivateAddresses", "log", "signal"]);
  const { network = DEFAULTS.network, bootstrap = DEFAULTS.bootstrap, resolvers = DEFAULTS.resolvers, require = {}, log = DEFAULTS.log } = options;
  const { limits = DEFAULTS.limits, policy = {} } = options;
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
  const resolved = resolveLimits(limits, DEFAULTS.limits.connections);
  if (typeof allowPrivateAddresses !== "boolean") fail("allowPrivateAddresses", "true or false", allowPrivateAddresses);
  if (typeof log !== "function" && !LOG_LEVELS.includes(log)) fail("log", `a function or one of ${LOG_LEVELS.join(", ")}`, log);

  return {
    options: {
      network: checkNetwork(network),
      bootstrap: [...bootstrap],
      resolvers: [...resolvers],
      require: Object.fromEntries(needs),
      limits: /** @type {ResolvedLimits} */ ({ ...resolved, byTransport: resolved.byTransport ?? {} }),
      policy: resolvePolicy(policy),
      allowPrivateAddresses,
      log: typeof log === "function" ? LOG_FUNCTION_LEVEL : log,
    },
    onLog: typeof log === "function" ? log : undefined,
    signal: checkSignal(options.signal),
  };
}

/**
 * Options as the wasm takes them: the policy is an array in the order of the crate's table, and what is unlimited is left out.
 *
 * @param {ResolvedOptions} options
 */
export function forWasm({ limits, policy, ...options }) {
  const numbers = new Map(Object.entries(policy));
  for (const [name, limit] of LIMITS) numbers.set(name, limits[limit]);
  const byTransport = Object.fromEntries(Object.entries(limits.byTransport).filter(([, limit]) => limit !== Infinity));
  return { ...options, limits: { ...limits, byTransport }, policy: Float64Array.from(NUMBERS, ([name, value]) => numbers.get(name) ?? value) };
}
