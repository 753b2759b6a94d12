/**
 * What the address bar says about the node to make. Values are passed on as they are: the package checks its options and
 * its error names the one that is wrong, which this page then shows.
 */

/**
 * @typedef {import("lightkeeper").LightNodeOptions} LightNodeOptions
 * @typedef {import("./fleet.js").Fleet} Fleet
 *
 * @typedef {object} Settings
 * @property {boolean} fleet       `?fleet=0`: there is no control API
 * @property {boolean} autostart   `?autostart=0`: the node is made, and waits for the Start button
 * @property {string[]} [bootstrap] `?bootstrap=a,b`: instead of the fleet's tree
 * @property {string[]} [resolvers] `?resolver=a,b`: instead of the fleet's
 * @property {number} [clusterId]   `?cluster=1`
 * @property {number[]} [shards]    `?shards=0,1`: static shards instead of automatic ones
 * @property {LightNodeOptions["require"]} [require] `?require=lightPush:2,store:0`, or `name:min/target/max`
 */

/** Shards of a network that says nothing else. */
const DEFAULT_SHARDS = 8;

/** @param {string | null} text */
const list = (text) => text?.split(",").map((item) => item.trim()).filter(Boolean);

/** @param {string} text */
function need(text) {
  const numbers = text.split("/").map(Number);
  if (numbers.length < 3) return numbers[0];
  const [min, target, max] = numbers;
  return { min, target, max };
}

/**
 * @param {string} search `location.search`
 * @returns {Settings}
 */
export function readSettings(search) {
  const query = new URLSearchParams(search);
  const cluster = query.get("cluster");
  const requirements = list(query.get("require"))?.map((item) => {
    const colon = item.lastIndexOf(":");
    return [item.slice(0, colon), need(item.slice(colon + 1))];
  });
  return {
    fleet: query.get("fleet") !== "0",
    autostart: query.get("autostart") !== "0",
    bootstrap: list(query.get("bootstrap")),
    resolvers: list(query.get("resolver")),
    clusterId: cluster === null ? undefined : Number(cluster),
    shards: list(query.get("shards"))?.map(Number),
    require: requirements && Object.fromEntries(requirements),
  };
}

/**
 * The options of the node: the fleet's network, unless the address bar says otherwise.
 * @param {Settings} settings
 * @param {Fleet} [fleet]
 * @returns {LightNodeOptions}
 */
export function nodeOptions(settings, fleet) {
  const clusterId = settings.clusterId ?? fleet?.network.clusterId ?? 1;
  const bootstrap = settings.bootstrap ?? (fleet && [fleet.enrtree]);
  const resolvers = settings.resolvers ?? (fleet && [fleet.resolver]);
  return {
    network: settings.shards
      ? { clusterId, shards: settings.shards }
      : { clusterId, numShardsInCluster: fleet?.network.numShardsInCluster ?? DEFAULT_SHARDS },
    ...(bootstrap && { bootstrap }),
    ...(resolvers && { resolvers }),
    ...(settings.require && { require: settings.require }),
  };
}
