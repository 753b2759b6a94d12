/** Uses the whole API as a dapp would. It only has to compile. */

import {
  DEFAULTS, LightNode, LightNodeError, createLightNode, createPeerManager, init, networks,
  type Burst, type Cause, type Decision, type Enrollment, type EnrollSpec, type ErrorCode, type EventLog, type Explanation, type FailKind, type Guard,
  type HealthReason, type LightNodeEventMap, type LightNodeOptions, type Limits, type Lock, type LogRecord, type Message, type Need, type Network,
  type NodeEvent, type Offer, type PeerFailure, type PeerInfo, type Policy, type Reason, type RequirementStatus, type SendOptions, type SendReport,
  type Stats, type StoreQuery, type SubscribeOptions, type Subscription,
} from "lightkeeper";

export async function quickstart(payload: Uint8Array): Promise<void> {
  const node = await createLightNode({ bootstrap: ["enrtree://…"] });
  node.addEventListener("peer:disconnect", (e) => console.log(e.detail.peerId, e.detail.cause));
  await node.ready();
  await node.lightPush.send({ contentTopic: "/app/1/chat/proto", payload });
}

export async function making(signal: AbortSignal, module: WebAssembly.Module): Promise<LightNode[]> {
  await init();
  for (const source of ["/lightkeeper_bg.wasm", new URL("https://example.org/x.wasm"), new Uint8Array(8), new ArrayBuffer(8), new Response(), module]) await init(source);
  const network: Network = { clusterId: 16, shards: [32, 64], maxMessageBytes: 1024 * 1024 };
  const need: Need = { target: 3 };
  const options: LightNodeOptions = {
    network,
    bootstrap: ["enrtree://…", "/dns4/…/p2p/…", "enr:…"],
    resolvers: [...DEFAULTS.resolvers],
    require: { lightPush: 1, filter: { min: 1, target: 2, max: 4 }, store: need },
    limits: { connections: 8, hard: 10, byTransport: { ws: 2, wss: Infinity } },
    policy: { dialTimeoutMs: 8000, pingIdleMs: DEFAULTS.policy.pingIdleMs },
    allowPrivateAddresses: false,
    log: (record: LogRecord) => console.log(record.level, record.target, record.message),
    signal,
  };
  return [await createLightNode(options), await createPeerManager(), await createLightNode({ ...networks.sandbox, log: "warn" }), await createLightNode(DEFAULTS)];
}

export async function life(node: LightNode, signal: AbortSignal): Promise<void> {
  const id: string = node.peerId;
  await node.start({ signal });
  await node.ready({ level: "minimal", requirements: ["lightPush"], signal, timeoutMs: 5000 });
  const { state, requirements, online, reason } = node.health();
  const status: RequirementStatus | undefined = requirements[0];
  const explained: HealthReason = reason;
  const up: boolean = online && state !== "unmet";
  const peers: PeerInfo[] = node.peers();
  const score: number | undefined = node.peer(id)?.score;
  const stats: Stats = node.stats();
  console.log(status?.have, explained, up, peers.length, score, stats.dials, structuredClone(peers));
  node.setRequirement("store", { min: 0, target: 1 });
  const peer: PeerInfo = await node.dial("/ip4/…/p2p/…", { signal, timeoutMs: 3000 });
  node.setPriority(peer.peerId, "banned");
  await node.hangUp(peer.peerId, { signal });
  await node.stop();
  await node.close();
  await node[Symbol.asyncDispose]();
}

export async function wishes(node: LightNode, id: string, signal: AbortSignal): Promise<void> {
  node.addRoute(id, "/dns4/…/tcp/443/wss");
  node.removeRoute(id, "/dns4/…/tcp/443/wss");
  node.protect(id, "game");
  node.unprotect(id, "game");
  node.tag(id, "friend", { value: 50, ttlMs: 60_000 });
  node.tag(id, "foe", { value: -50 });
  node.keep(id);
  node.forget(id);
  node.connections.pause();
  node.connections.resume();
  await node.connections.stop({ signal });
  node.connections.start();
  node.connections.setMaxByTransport({ ws: 0, wss: Infinity });
  node.connections.setLifetime(3_600_000);
  node.initialSync.start();
  node.initialSync.start(id);
  node.initialSync.stop();
  const limits: Limits = { connections: 10 };
  node.setLimits(limits);
  node.setRequirement("of-my-own", 2);
  for await (const failure of node.errors({ signal })) {
    const { kind, address, at }: PeerFailure = failure;
    console.log(kind, address, at);
  }
  for await (const peers of node.watchPeers({ signal })) console.log(peers.length);
}

export async function enrolling(node: LightNode, id: string, signal: AbortSignal): Promise<void> {
  const spec: EnrollSpec = {
    name: "chat",
    protocols: ["/chat/1"],
    quota: { min: 2, max: "50%" },
    requirement: { target: 3 },
    class: "critical",
    weight: 2,
    score: async (peers) => Object.fromEntries(peers.map(({ peerId, rttMs = 0 }) => [peerId, -rttMs])),
    answerMs: 1000,
  };
  const enrollment: Enrollment = await node.enroll(spec, { signal });
  enrollment.onoffer = ({ detail }) => answer(enrollment, detail);
  enrollment.addEventListener("offer", ({ detail: { low, high } }) => console.log(low, high));
  const lock: Lock = await enrollment.lock(id, { ttlMs: 1000, signal, onRevoke: ({ reason, graceMs }) => console.log(reason, graceMs) });
  await lock.extend(1000, { signal });
  console.log(lock.expiresAt, lock.state);
  lock.release();
  const burst: Burst = await enrollment.burst(4, { ms: 5000, signal });
  console.log(burst.slots);
  burst.close();
  await burst.closed;
  enrollment.report(id, "success");
  enrollment.withdraw();
  const reason: Reason = await enrollment.closed;
  console.log(reason, enrollment.name, enrollment.requirement?.length, enrollment.granted.high, enrollment.state);
}

function answer(enrollment: Enrollment, offer: Offer): void {
  if (offer.counter && offer.high < 2) enrollment.withdraw();
  else enrollment.accept();
}

export function why(node: LightNode, id: string): (string | undefined)[] {
  const explanation: Explanation | undefined = node.explain(id);
  const guard: Guard | undefined = explanation?.notClosed;
  const quality: number | undefined = explanation?.parts.quality["lightPush"];
  const { protocols, decisions, soft, hard }: Stats = node.stats({ decisions: 100 });
  const shares = protocols.map(({ name, share, granted }) => `${name} ${share} of ${granted?.high}`);
  const log: EventLog = node.record();
  const numbers: Policy = DEFAULTS.policy;
  console.log(log.bytes.length, log.at, soft, hard, quality, numbers.dialTimeoutMs);
  return [explanation?.notDialed, guard, ...shares, ...decisions.map(words)];
}

/** The union is told apart by `what`. */
function words(decision: Decision): string {
  switch (decision.what) {
    case "dialed":
      return `${decision.peer} ${decision.why} ${decision.compared}`;
    case "failed":
      return `${decision.outcome === "withheld"} ${decision.charged}`;
    case "overcommitted":
      return decision.heldBy.map(({ guard, count }) => `${count} ${guard}`).join();
    case "suspect": case "recovered":
      return decision.what;
    default:
      return `${decision.what} at ${decision.at}`;
  }
}

export async function protocols(node: LightNode, payload: Uint8Array, signal: AbortSignal): Promise<void> {
  const sendOptions: SendOptions = { peers: 3, min: 2, confirm: true, signal, timeoutMs: 1000 };
  const report: SendReport = await node.lightPush.send({ contentTopic: "/a/1/b/c", payload, ephemeral: true, timestamp: Date.now(), shard: 1 }, sendOptions);
  console.log(report.hash, report.accepted, report.failed.map(({ peer, class: kind, message }) => [peer, kind, message]), report.attempts, report.confirmedBy?.length);
  const onMessage = ({ payload, timestampNs, meta, via }: Message) => console.log(payload.length, timestampNs + 1n, meta?.length, via === "store");
  const subscribeOptions: SubscribeOptions = { shard: 1, peers: 2, catchUp: false, signal, timeoutMs: 1000 };
  const subscription: Subscription = await node.filter.subscribe(["/a/1/b/c"], onMessage, subscribeOptions);
  const ended: Promise<Reason> = subscription.closed;
  console.log(subscription.state, subscription.peers, subscription.contentTopics);
  await subscription.unsubscribe({ signal });
  console.log(await ended);
  await node.filter.subscribe(["/a/1/b/c"]);
  for await (const message of await node.filter.subscribe(["/a/1/b/c"], { catchUp: true })) onMessage(message);
  const iterator: AsyncIterableIterator<Message> = subscription[Symbol.asyncIterator]();
  console.log(await iterator.next());
  const query: StoreQuery = { contentTopics: ["/a/1/b/c"], from: new Date(), to: Date.now(), order: "descending", pageSize: 50, limit: 10, shard: 1 };
  for await (const message of node.store.query(query, { signal })) onMessage(message);
  for await (const message of node.store.query({ hashes: ["ab"] })) onMessage(message);
  const stored: Set<string> = await node.store.has([report.hash], { signal, timeoutMs: 1000 });
  console.log(stored.has(report.hash));
}

export async function events(node: LightNode, signal: AbortSignal): Promise<void> {
  const onFail = (event: LightNodeEventMap["peer:fail"]) => {
    const kind: FailKind = event.detail.kind;
    const charged: boolean = event.detail.charged;
    console.log(kind, charged, event.detail.address ?? event.detail.protocol, event.detail.willRetryAt);
  };
  node.addEventListener("peer:fail", onFail, { signal });
  node.removeEventListener("peer:fail", onFail);
  node.addEventListener("node:crash", { handleEvent: (event) => console.log(event.detail.message) }, { once: true });
  node.addEventListener("peer:connect", function ({ detail: { peerId, address, transport, direction } }) {
    console.log(this.peerId, peerId, address, transport, direction);
  });
  node.addEventListener("peer:discovery", ({ detail: { source, claims } }) => console.log(source, claims));
  node.addEventListener("peer:identify", ({ detail: { protocols, agent } }) => console.log(protocols.length, agent));
  node.addEventListener("peer:disconnect", ({ detail }) => {
    const cause: Cause = detail.cause;
    console.log(cause, detail.reason, detail.deliberate, detail.uptimeMs, detail.willReconnect);
  });
  node.addEventListener("peer:reconnect", ({ detail: { downMs, attempts } }) => console.log(downMs, attempts));
  node.addEventListener("peer:replace", ({ detail: { lost, gained, requirement, gapMs } }) => console.log(lost, gained, requirement, gapMs));
  node.addEventListener("peer:ban", ({ detail: { peerId, reason } }) => console.log(peerId, reason));
  node.addEventListener("peer:prune", ({ detail: { peerId, reason } }) => console.log(peerId, reason));
  node.addEventListener("network:change", ({ detail: { state, cause } }) => console.log(state, cause === "slept"));
  node.addEventListener("requirement:change", ({ detail: { name, have, min, target, crossed } }) => console.log(name, have, min, target, crossed));
  node.addEventListener("health:change", ({ detail }) => console.log(detail.old, detail.new, detail.reason));
  node.addEventListener("filter:gap", ({ detail: { contentTopics, from, to, cause, filled, recovered = 0 } }) => console.log(contentTopics, to - from, cause, filled, recovered));
  for await (const event of node.events({ signal })) show(event);
}

/** The union is told apart by `type`, and it is closed. */
function show(event: NodeEvent): string {
  switch (event.type) {
    case "events:dropped":
      return `${event.detail.count} lost at ${event.at}`;
    case "peer:replace":
      return event.detail.gained;
    case "node:crash":
      return event.detail.message;
    default:
      return event.type;
  }
}

export function failures(error: unknown): string {
  if (!(error instanceof LightNodeError)) throw error;
  const told: readonly (string | undefined)[] = [error.message, error.peer, error.address, error.option];
  const tried: readonly string[] = error.cause instanceof AggregateError ? error.cause.errors.map(({ peer, code }: LightNodeError) => `${peer} ${code}`) : [];
  return told.join() + tried.join() + advice(error.code);
}

/** Every code is known: a new one breaks this. */
function advice(code: ErrorCode): string {
  switch (code) {
    case "invalid-options": case "not-started": case "closed": case "unsupported": case "rejected": case "protocol": case "storage":
      return "ours";
    case "crashed":
      return "again";
    case "no-peer": case "timeout": case "denied": case "dial-failed": case "busy":
      return "later";
  }
}
