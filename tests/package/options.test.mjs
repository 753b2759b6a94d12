import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { checkCall, checkMessage, checkPeerId, checkQuery, checkReady, checkSend, checkSubscription } from "../../pkg-template/arguments.js";
import { LightNodeError } from "../../pkg-template/errors.js";
import { DEFAULTS, REQUIREMENTS, forWasm, isPrivateOrigin, networks, resolveLimits, resolveNeed, resolveOptions } from "../../pkg-template/options.js";
import { NUMBERS } from "../../pkg-template/policy.js";

const KEY = "AIRVQ5DDA4FFWLRBCHJWUWOO6X6S4ZTZ5B667LQ6AJU6PEYDLRD5O";
const TREE = `enrtree://${KEY}@sandbox.waku.nodes.status.im`;
const PEER = "16Uiu2HAmNaeL4p3WEYzC9mgXBmBWSgWjPHRvatZTXnp8Jgv3iKsb";
const ADDRESS = `/dns4/a.example.org/tcp/8000/wss/p2p/${PEER}`;
const AUTO = { clusterId: 1, numShardsInCluster: 8 };
const STATIC = { clusterId: 16, shards: [32, 64] };

/** Which option is named, and a part of what it is said to be. */
function rejects(label, option, says, call) {
  test(`${label} is refused, naming ${option}`, () => {
    assert.throws(call, (error) => {
      assert.ok(error instanceof LightNodeError, String(error));
      assert.equal(error.code, "invalid-options");
      assert.equal(error.option, option);
      assert.ok(error.message.includes(option), error.message);
      assert.match(error.message, says);
      return true;
    });
  });
}

for (const [label, options, option, says] of [
  ["an option nobody knows", { storge: "memory" }, "storge", /takes network, bootstrap/],
  ["an option that is not built yet", { storage: "memory" }, "storage", /unknown option/],
  ["options that are a text", "enrtree://", "options", /an object/],
  ["options that are null", null, "options", /an object/],
  ["a network key nobody knows", { network: { ...AUTO, shard: 1 } }, "network.shard", /unknown option/],
  ["a network that is a number", { network: 1 }, "network", /an object/],
  ["a network without a cluster", { network: { shards: [0] } }, "network.clusterId", /from 0 to 65535, and is missing/],
  ["a cluster above 16 bits", { network: { clusterId: 65536, shards: [0] } }, "network.clusterId", /from 0 to 65535, not 65536/],
  ["a cluster that is no whole number", { network: { clusterId: 1.5, shards: [0] } }, "network.clusterId", /whole number/],
  ["a network of both kinds", { network: { ...AUTO, shards: [0] } }, "network", /one of the two/],
  ["a network of neither kind", { network: { clusterId: 1 } }, "network", /one of the two/],
  ["a network without shards", { network: { clusterId: 1, shards: [] } }, "network.shards", /at least one shard/],
  ["a shard outside the cluster", { network: { clusterId: 1, shards: [0, 1024] } }, "network.shards[1]", /from 0 to 1023/],
  ["a shard given twice", { network: { clusterId: 1, shards: [3, 3] } }, "network.shards", /without doubles/],
  ["a largest message below what a network is for", { network: { ...AUTO, maxMessageBytes: 1023 } }, "network.maxMessageBytes", /from 1024 to 16777216/],
  ["a largest message above what a page has room for", { network: { ...STATIC, maxMessageBytes: 16 * 1024 * 1024 + 1 } }, "network.maxMessageBytes", /from 1024/],
  ["no shards to choose from", { network: { clusterId: 1, numShardsInCluster: 0 } }, "network.numShardsInCluster", /from 1 to 1024/],
  ["a bootstrap that is one text", { bootstrap: TREE }, "bootstrap", /an array of texts/],
  ["an empty bootstrap text", { bootstrap: [""] }, "bootstrap[0]", /enrtree/],
  ["a bootstrap that is no text", { bootstrap: [TREE, 7] }, "bootstrap[1]", /enrtree/],
  ["a web address as bootstrap", { bootstrap: ["wss://a.example.org"] }, "bootstrap[0]", /enrtree/],
  ["a tree without a key", { bootstrap: ["enrtree://nodes.example.org"] }, "bootstrap[0]", /53 characters/],
  ["a tree with a short key", { bootstrap: [`enrtree://${KEY.slice(1)}@nodes.example.org`] }, "bootstrap[0]", /53 characters/],
  ["a tree with a lower-case key", { bootstrap: [`enrtree://${KEY.toLowerCase()}@nodes.example.org`] }, "bootstrap[0]", /upper-case/],
  ["a tree without a domain", { bootstrap: [`enrtree://${KEY}@`] }, "bootstrap[0]", /domain/],
  ["a tree with # for @", { bootstrap: [`enrtree://${KEY}#nodes.example.org`] }, "bootstrap[0]", /"@"/],
  ["a record that is none", { bootstrap: ["enr:-IS4Q?"] }, "bootstrap[0]", /base64url/],
  ["a multiaddr without /p2p/", { bootstrap: ["/dns4/a.example.org/tcp/8000/wss"] }, "bootstrap[0]", /ends in "\/p2p\/"/],
  ["a multiaddr that goes on after the peer", { bootstrap: [`${ADDRESS}/p2p-circuit`] }, "bootstrap[0]", /ends in "\/p2p\/"/],
  ["a resolver that is no web address", { resolvers: ["cloudflare-dns.com"] }, "resolvers[0]", /https:/],
  ["a resolver of another scheme", { resolvers: ["https://dns.example/dns-query", "tls://dns.example"] }, "resolvers[1]", /https:/],
  ["an empty resolver", { resolvers: [""] }, "resolvers[0]", /https:/],
  ["resolvers that are one text", { resolvers: "https://dns.example/dns-query" }, "resolvers", /an array/],
  ["no resolver for a tree", { resolvers: [], bootstrap: [TREE] }, "resolvers", /at least one/],
  ["a requirement nobody knows", { require: { lightpush: 2 } }, "require.lightpush", /takes lightPush, filter, store/],
  ["a requirement that is not built yet", { require: { topics: {} } }, "require.topics", /unknown option/],
  ["a minimum above the target", { require: { filter: { min: 3, target: 2 } } }, "require.filter.min", /at most the target \(2\), not 3/],
  ["a target above the maximum", { require: { filter: { target: 3, max: 2 } } }, "require.filter.max", /at least the target \(3\), not 2/],
  ["a need that is no whole number", { require: { store: 1.5 } }, "require.store", /whole number/],
  ["a negative need", { require: { store: -1 } }, "require.store", /from 0/],
  ["a need that is a text", { require: { store: "2" } }, "require.store", /an object with min, target, max/],
  ["a need without a target", { require: { store: { min: 1 } } }, "require.store.target", /missing/],
  ["a need with a key nobody knows", { require: { store: { target: 1, maximum: 2 } } }, "require.store.maximum", /takes min, target, max/],
  ["limits that are a number", { limits: 16 }, "limits", /an object with connections, hard, byTransport/],
  ["no connections at all", { limits: { connections: 0 } }, "limits.connections", /from 1/],
  ["a hard limit below the wanted number", { limits: { connections: 10, hard: 9 } }, "limits.hard", /at least limits.connections \(10\), not 9/],
  ["a hard limit below the default number", { limits: { hard: 9 } }, "limits.hard", /at least limits.connections \(16\)/],
  ["a limit of a transport that is not built yet", { limits: { byTransport: { circuit: 1 } } }, "limits.byTransport.circuit", /takes ws, wss/],
  ["a limit of a transport that is no number", { limits: { byTransport: { ws: "1" } } }, "limits.byTransport.ws", /whole number/],
  ["a policy that is a list", { policy: [1] }, "policy", /DEFAULTS.policy/],
  ["a number of the policy nobody knows", { policy: { patience: 1 } }, "policy.patience", /names of DEFAULTS.policy/],
  ["a limit among the policy", { policy: { softConnections: 1 } }, "policy.softConnections", /unknown option/],
  ["a number of the policy that is nothing", { policy: { dialTimeoutMs: 0 } }, "policy.dialTimeoutMs", /from 1/],
  ["a number of the policy that its type can't hold", { policy: { routesPerDial: 256 } }, "policy.routesPerDial", /to 255, not 256/],
  ["a log level nobody knows", { log: "verbose" }, "log", /off, error, warn/],
  ["private addresses as a text", { allowPrivateAddresses: "yes" }, "allowPrivateAddresses", /true or false/],
  ["a signal that is none", { signal: {} }, "signal", /AbortSignal/],
]) {
  rejects(label, option, says, () => resolveOptions(options));
}

test("every default holds where an option is left out or undefined", () => {
  for (const given of [undefined, {}, { network: undefined, bootstrap: undefined, require: undefined, log: undefined }]) {
    const { options, onLog, signal } = resolveOptions(given);
    assert.deepEqual(options, { ...DEFAULTS, allowPrivateAddresses: false });
    assert.equal(onLog, undefined);
    assert.equal(signal, undefined);
  }
});

test("the defaults and the public networks are accepted as options", () => {
  assert.doesNotThrow(() => resolveOptions(DEFAULTS));
  for (const network of Object.values(networks)) assert.doesNotThrow(() => resolveOptions({ ...network }));
});

test("the defaults cannot be changed at any depth", () => {
  assert.throws(() => (DEFAULTS.require.store.target = 9), TypeError);
  assert.throws(() => DEFAULTS.resolvers.push("https://dns.example"), TypeError);
  assert.throws(() => networks.sandbox.bootstrap.push(TREE), TypeError);
});

test("the options that reach the wasm are copies that nobody else holds", () => {
  const bootstrap = [TREE, ADDRESS, "enr:-IS4QAAA_a"];
  const { options } = resolveOptions({ bootstrap, network: STATIC });
  bootstrap.push("changed");
  assert.equal(options.bootstrap.length, 3);
  assert.notEqual(options.network.shards, STATIC.shards);
  assert.ok(!Object.isFrozen(resolveOptions({}).options.resolvers));
});

test("a requirement left out keeps its default", () => {
  const { require } = resolveOptions({ require: { lightPush: 1 } }).options;
  assert.deepEqual(require, { lightPush: { min: 1, target: 1, max: 2 }, filter: { min: 1, target: 2, max: 4 }, store: { min: 0, target: 1, max: 2 } });
});

test("a hard limit that is left out is the wanted number and a quarter, at least two more", () => {
  for (const [connections, hard] of [[16, 20], [10, 13], [4, 6], [1, 3], [65535, 65535]]) {
    assert.deepEqual(resolveOptions({ limits: { connections } }).options.limits, { connections, hard, byTransport: {} });
  }
  assert.deepEqual(resolveOptions({ limits: { hard: 30 } }).options.limits, { connections: 16, hard: 30, byTransport: {} });
});

test("limits that change leave alone what is not named", () => {
  assert.deepEqual(resolveLimits({ hard: 30 }), { connections: undefined, hard: 30, byTransport: undefined });
  assert.deepEqual(resolveLimits({}), { connections: undefined, hard: undefined, byTransport: undefined });
});

test("the wasm gets every number of the policy in the crate's order, the limits among them", () => {
  const { options } = resolveOptions({ limits: { connections: 5, byTransport: { ws: 3, wss: Infinity } }, policy: { dialTimeoutMs: 1234 } });
  const { policy, limits } = forWasm(options);
  assert.ok(policy instanceof Float64Array);
  assert.equal(policy.length, NUMBERS.length);
  const at = (name) => policy[NUMBERS.findIndex(([each]) => each === name)];
  assert.deepEqual([at("softConnections"), at("hardConnections"), at("dialTimeoutMs"), at("maxPeers")], [5, 7, 1234, DEFAULTS.policy.maxPeers]);
  assert.deepEqual(limits, { connections: 5, hard: 7, byTransport: { ws: 3 } });
});

test("a log function gets records from debug up", () => {
  const log = () => {};
  const { options, onLog } = resolveOptions({ log });
  assert.equal(onLog, log);
  assert.equal(options.log, "debug");
  assert.equal(resolveOptions({ log: "debug" }).options.log, "debug");
});

test("a resolver on loopback may be plain http", () => {
  assert.doesNotThrow(() => resolveOptions({ resolvers: ["http://127.0.0.1:8800/dns-query"] }));
});

for (const [need, resolved] of [
  [0, { min: 0, target: 0, max: 0 }],
  [1, { min: 1, target: 1, max: 2 }],
  [3, { min: 1, target: 3, max: 6 }],
  [200, { min: 1, target: 200, max: 255 }],
  [{ target: 3 }, { min: 1, target: 3, max: 6 }],
  [{ target: 0 }, { min: 0, target: 0, max: 0 }],
  [{ min: 3, target: 3 }, { min: 3, target: 3, max: 6 }],
  [{ min: 0, target: 2, max: 2 }, { min: 0, target: 2, max: 2 }],
]) {
  test(`the need ${JSON.stringify(need)} means ${JSON.stringify(resolved)}`, () => assert.deepEqual(resolveNeed("store", need), resolved));
}

for (const [origin, expected] of [
  ["http://localhost:8800", true], ["http://dapp.localhost", true], ["http://127.0.0.1:8800", true], ["http://[::1]:8800", true],
  ["http://10.1.2.3", true], ["http://172.16.0.1", true], ["http://172.31.0.1", true], ["http://192.168.1.7", true], ["http://169.254.1.1", true],
  ["http://nas.local", true], ["http://[fd12:3456::1]", true], ["http://[fe80::1]", true],
  ["https://example.org", false], ["https://localhost.example.org", false], ["https://10.example.org", false], ["http://172.32.0.1", false],
  ["http://11.0.0.1", false], ["http://[2001:db8::1]", false], ["https://fd.example.org", false], ["null", false], [undefined, false],
]) {
  test(`a page from ${origin} ${expected ? "may" : "may not"} dial private addresses unasked`, () => assert.equal(isPrivateOrigin(origin), expected));
}

const message = { contentTopic: "/app/1/chat/proto", payload: new Uint8Array([1]) };
const topics = ["/app/1/chat/proto"];
const hash = "ab".repeat(32);

for (const [label, option, says, call] of [
  ["a call option nobody knows", "timeout", /takes signal, timeoutMs/, () => checkCall({ timeout: 5 })],
  ["a deadline of nothing", "timeoutMs", /from 1/, () => checkCall({ timeoutMs: 0 })],
  ["a deadline that a timer takes for now", "timeoutMs", /2147483647/, () => checkCall({ timeoutMs: 2 ** 31 })],
  ["a level nobody knows", "level", /"met" or "minimal"/, () => checkReady({ level: "all" }, REQUIREMENTS)],
  ["a requirement to wait for that nobody knows", "requirements[1]", /lightPush/, () => checkReady({ requirements: ["store", "relay"] }, REQUIREMENTS)],
  ["an address for a peer id", "peer", /peer id/, () => checkPeerId(ADDRESS)],
  ["a message without a topic", "contentTopic", /not empty, and is missing/, () => checkMessage(AUTO, { payload: message.payload })],
  ["a payload that is a text", "payload", /Uint8Array/, () => checkMessage(AUTO, { ...message, payload: "hello" })],
  ["an empty payload", "payload", /not empty/, () => checkMessage(AUTO, { ...message, payload: new Uint8Array() })],
  ["a message key nobody knows", "topic", /takes contentTopic/, () => checkMessage(AUTO, { ...message, topic: "x" })],
  ["a time that is no whole number", "timestamp", /whole number/, () => checkMessage(AUTO, { ...message, timestamp: 0.5 })],
  ["a shard outside the cluster", "shard", /from 0 to 7, not 8/, () => checkMessage(AUTO, { ...message, shard: 8 })],
  ["a shard that the network has not", "shard", /32, 64/, () => checkMessage(STATIC, { ...message, shard: 33 })],
  ["no shard where the network has several", "shard", /32, 64.*missing/, () => checkMessage(STATIC, message)],
  ["a subscription to nothing", "contentTopics", /1 to 100/, () => checkSubscription(AUTO, [])],
  ["a subscription to one text", "contentTopics", /an array/, () => checkSubscription(AUTO, topics[0])],
  ["a subscription to an empty topic", "contentTopics[0]", /not empty/, () => checkSubscription(AUTO, [""])],
  ["a query for nothing", "query", /one of the two/, () => checkQuery(AUTO, {})],
  ["a query for topics and hashes", "query", /one of the two/, () => checkQuery(AUTO, { contentTopics: topics, hashes: [hash] })],
  ["more topics than can be paged through", "contentTopics", /1 to 1000/, () => checkQuery(AUTO, { contentTopics: Array(1001).fill("/a/1/b/c") })],
  ["more hashes than can be looked up", "hashes", /1 to 1000/, () => checkQuery(AUTO, { hashes: Array(1001).fill(hash) })],
  ["a message to nobody", "peers", /from 1 to 8/, () => checkSend({ peers: 0 })],
  ["a message to everybody", "peers", /from 1 to 8/, () => checkSend({ peers: 9 })],
  ["a message that more must take than get it", "min", /from 1 to 2, not 3/, () => checkSend({ peers: 2, min: 3 })],
  ["a message that nobody must take", "min", /from 1/, () => checkSend({ min: 0 })],
  ["a confirmation that is no flag", "confirm", /true or false/, () => checkSend({ confirm: "yes" })],
  ["a subscription at nobody", "peers", /from 1 to 8/, () => checkSubscription(AUTO, topics, { peers: 0 })],
  ["catching up that is no flag", "catchUp", /true or false/, () => checkSubscription(AUTO, topics, { catchUp: 1 })],
  ["a hash that is none", "hashes[0]", /64 characters/, () => checkQuery(AUTO, { hashes: ["ab"] })],
  ["hashes with a time", "hashes", /without from/, () => checkQuery(AUTO, { hashes: [hash], from: 1 })],
  ["an end before the beginning", "from", /not after to/, () => checkQuery(AUTO, { contentTopics: topics, from: 2, to: 1 })],
  ["a date that is none", "from", /a Date/, () => checkQuery(AUTO, { contentTopics: topics, from: new Date("never") })],
  ["an order nobody knows", "order", /ascending/, () => checkQuery(AUTO, { contentTopics: topics, order: "up" })],
  ["a page above what servers give", "pageSize", /from 1 to 100/, () => checkQuery(AUTO, { contentTopics: topics, pageSize: 101 })],
]) {
  rejects(label, option, says, call);
}

test("the largest message is part of the network, 150 KiB unless it says otherwise", () => {
  for (const network of [undefined, AUTO, STATIC]) assert.equal(resolveOptions({ network }).options.network.maxMessageBytes, 153_600);
  assert.equal(forWasm(resolveOptions({ network: { ...AUTO, maxMessageBytes: 1024 * 1024 } }).options).network.maxMessageBytes, 1024 * 1024);
  for (const { network } of Object.values(networks)) assert.equal(resolveOptions({ network }).options.network.maxMessageBytes, 153_600);
});

test("a message goes to two peers, or to as many as must take it", () => {
  assert.deepEqual(checkSend({}), { peers: 2, min: 1, confirm: false });
  assert.deepEqual(checkSend({ min: 4 }), { peers: 4, min: 4, confirm: false });
  assert.deepEqual(checkSend({ confirm: true }), { peers: 1, min: 1, confirm: true });
  assert.deepEqual(checkSend({ peers: 1, confirm: true }), { peers: 1, min: 1, confirm: true });
});

test("a subscription is caught up, by as many peers as the node wants, unless it says otherwise", () => {
  const { peers, catchUp } = checkSubscription(AUTO, topics);
  assert.deepEqual([peers, catchUp], [undefined, true]);
  assert.deepEqual(checkSubscription(AUTO, topics, { peers: 1, catchUp: false }), { contentTopics: topics, shard: undefined, peers: 1, catchUp: false });
});

test("bytes of another frame become bytes of this one, and are copied", () => {
  const theirs = runInNewContext("new Uint8Array([1, 2, 3])");
  assert.ok(!(theirs instanceof Uint8Array));
  const { payload } = checkMessage(AUTO, { ...message, payload: theirs });
  theirs[0] = 9;
  assert.ok(payload instanceof Uint8Array);
  assert.deepEqual([...payload], [1, 2, 3]);
  const { buffer } = checkMessage(AUTO, { ...message, payload: new Uint8Array(new ArrayBuffer(100), 10, 5) }).payload;
  assert.equal(buffer.byteLength, 5);
});

test("what is asked for twice is asked for once", () => {
  assert.deepEqual(checkQuery(AUTO, { contentTopics: ["/a/1/b/c", "/d/1/e/f", "/a/1/b/c"] }).request.contentTopics, ["/a/1/b/c", "/d/1/e/f"]);
  assert.deepEqual(checkQuery(AUTO, { hashes: [hash, `0x${hash}`] }).request.hashes, [hash]);
});

test("one static shard need not be named, and bytes of a Buffer are bytes", () => {
  assert.equal(checkMessage({ clusterId: 16, shards: [32] }, message).shard, undefined);
  assert.doesNotThrow(() => checkMessage(AUTO, { ...message, payload: Buffer.from("a") }));
});

test("dates become milliseconds, and a limit below the page size makes the page smaller", () => {
  const { request, limit } = checkQuery(AUTO, { contentTopics: topics, from: new Date(1000.9), to: 2000, limit: 5 });
  assert.deepEqual({ from: request.from, to: request.to, pageSize: request.pageSize, order: request.order, limit }, { from: 1000, to: 2000, pageSize: 5, order: "ascending", limit: 5 });
});

test("hashes may have a prefix and go to no shard in particular", () => {
  const { request } = checkQuery(STATIC, { hashes: [`0x${hash.toUpperCase()}`] });
  assert.deepEqual(request.hashes, [hash]);
  assert.equal(request.shard, undefined);
});
