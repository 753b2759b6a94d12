// Written by `LIGHTKEEPER_BLESS=1 cargo test --lib browser::data` from src/browser/data.

export type Answer = (null | PeerInfo | SendReport | Page | string[][] | string[] | { contentTopics: string[]; peers: string[]; subscription: number } | { answerMs?: number; counter: boolean; enrollment: number; granted: Grant; requirement?: string } | { expiresAt: number; lock: number } | { expiresAt: number } | { burst: number; slots: number });

export interface BurstClose {
  burst: number;
}

export interface BurstOpen {
  enrollment: number;
  ms: number;
  slots: number;
}

export type BurstState = "granted" | "closed";

export type ByTransport = Record<string, (number | null)>;

export interface Cancel {
  request: number;
}

export type Cause = "local" | "banned" | "pruned" | "replaced" | "timeout" | "network" | "remote";

export type Class = "critical" | "normal" | "opportunistic";

export type Crossed = "min-reached" | "min-lost" | "target-reached" | "target-lost";

export type Decision = ({ compared: number; peer: string; requirement?: string; value: number; what: "dialed"; why: DialWhy } | { peer: string; reason: Reason; what: "closed" } | { peer?: string; reason: Reason; what: "denied" } | { charged: boolean; outcome: FailureClass; peer: string; requirement: string; what: "failed" } | { peer: string; reason: Reason; what: "banned" } | { closed: number; round: number; trigger: Trigger; what: "regulated" } | { heldBy: Held[]; what: "overcommitted" } | { grant: Grant; protocol: string; what: "offered" } | { lock: number; peer: string; what: "locked" } | { lock: number; reason: Revocation; what: "revoked" } | { burst: number; slots: number; what: "burst-opened" } | { burst: number; what: "burst-closed" } | { hard: number; soft: number; what: "limits"; why: LimitCause } | { peer: string; what: "bootstrap-retained" } | { peer: string; what: "relaxed" } | { what: "suspect" } | { what: "recovered" }) & { at: number };

export interface Dial {
  target: string;
  timeoutMs?: (number | null);
}

export type DialFailure = "unreachable" | "timeout" | "handshake" | "wrong-id" | "not-allowed" | "cancelled";

export type DialWhy = "needed" | "requested" | "bootstrap" | "redial" | "probe" | "hand-off" | "swap" | "rotation" | "burst" | "sync" | "variety";

export type Direction = "outbound" | "inbound";

export interface Enroll {
  answerMs?: (number | null);
  class?: (Class | null);
  max?: number | string;
  min?: number | string;
  name: string;
  protocols: string[];
  requirement?: (Need | null);
  scores?: (boolean | null);
  weight?: (number | null);
}

export interface Enrolled {
  enrollment: number;
}

export type ErrorCode = "invalid-options" | "not-started" | "closed" | "no-peer" | "timeout" | "denied" | "dial-failed" | "unsupported" | "rejected" | "busy" | "protocol";

export type Event = ({ detail: { claims: string[]; peerId: string; source: Source }; type: "peer:discovery" } | { detail: { address: string; direction: Direction; peerId: string; transport: Transport }; type: "peer:connect" } | { detail: { address: string; agent: string; direction: Direction; peerId: string; protocols: string[]; transport: Transport }; type: "peer:identify" } | { detail: { cause: Cause; deliberate: boolean; peerId: string; reason: Reason; uptimeMs: number; willReconnect: boolean }; type: "peer:disconnect" } | { detail: { attempts: number; downMs: number; peerId: string }; type: "peer:reconnect" } | { detail: { gained: string; gapMs: number; lost: string; requirement: string }; type: "peer:replace" } | { detail: { address?: string; charged: boolean; kind: FailKind; peerId: string; protocol?: string; willRetryAt?: number }; type: "peer:fail" } | { detail: { peerId: string; reason: Reason }; type: "peer:ban" } | { detail: { peerId: string; reason: Reason }; type: "peer:prune" } | { detail: { cause: NetworkCause; state: NetworkState }; type: "network:change" } | { detail: { crossed: Crossed; have: number; min: number; name: string; target: number }; type: "requirement:change" } | { detail: { new: Health; old: Health; reason: HealthReason }; type: "health:change" } | { detail: { cause: GapCause; contentTopics: string[]; filled: boolean; from: number; recovered: number; to: number }; type: "filter:gap" });

export interface Explanation {
  decisions: Decision[];
  failed: Decision[];
  failures: number;
  flaps: number;
  notClosed?: Guard;
  notDialed?: Reason;
  parts: ScoreParts;
  peer: PeerInfo;
  protectedBy: string[];
  usedBy: string[];
}

export interface ExtendLock {
  lock: number;
  ttlMs: number;
}

export type FailKind = (DialFailure | FailureClass);

export interface Failure {
  address?: string;
  cause?: string;
  code: ErrorCode;
  message: string;
  option?: string;
  peer?: string;
  tried?: Failure[];
}

export type FailureClass = "ours" | "busy" | "unable" | "broken" | "fault" | "withheld" | "late" | "lost" | "absent";

export type GapCause = "moved" | "resubscribed" | "overflow" | "slept";

export interface Grant {
  high: number;
  low: number;
}

export type Guard = "pinned" | "protected" | "locked" | "minimum" | "target" | "grace" | "last-group" | "sync" | "asked";

export interface Has {
  hashes: Hashes;
  timeoutMs?: (number | null);
}

export type Hashes = string[];

export type Health = "unmet" | "minimal" | "met";

export interface HealthInfo {
  online: boolean;
  reason: HealthReason;
  requirements: RequirementStatus[];
  state: Health;
}

export type HealthReason = "all-met" | "below-target" | "stopped" | "no-bootstrap" | "discovering" | "discovery-failed" | "connecting" | "verifying" | "backing-off" | "no-candidates" | "wrong-network" | "offline" | "suspect-offline";

export interface Held {
  count: number;
  guard: Guard;
}

export type LimitCause = "user" | "memory" | "hidden" | "constrained" | "calm" | "sync";

export interface LimitsOptions {
  byTransport?: (ByTransport | null);
  connections?: (number | null);
  hard?: (number | null);
}

export interface Lock {
  enrollment: number;
  peer: PeerText;
  ttlMs: number;
}

export type LockState = "granted" | "revoked" | "ended";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Message {
  contentTopic: string;
  ephemeral: boolean;
  hash: string;
  meta?: Uint8Array;
  payload: Uint8Array;
  peer: string;
  shard: number;
  timestamp: number;
  timestampNs: bigint;
  via: Via;
}

export interface Need {
  max: number;
  min: number;
  target: number;
}

export type NetworkCause = "told" | "silence" | "answer" | "slept";

export interface NetworkOptions {
  clusterId: number;
  maxMessageBytes?: (number | null);
  numShardsInCluster?: (number | null);
  shards?: (number[] | null);
}

export type NetworkState = "offline" | "online" | "suspended" | "resumed";

export interface Options {
  allowPrivateAddresses: boolean;
  bootstrap: string[];
  limits?: (LimitsOptions | null);
  log: string;
  network: NetworkOptions;
  policy?: (number[] | null);
  require: Require;
  resolvers: string[];
}

export type Order = "ascending" | "descending";

export type Outcome = "success" | "ours" | "busy" | "unable" | "broken" | "fault" | "withheld" | "late" | "lost" | "absent";

export interface Page {
  cursor?: string;
  messages: Message[];
}

export interface PeerInfo {
  address?: string;
  agent?: string;
  connectedAt?: number;
  direction?: Direction;
  lastReason?: Reason;
  nextTryAt?: number;
  peerId: string;
  priority: Priority;
  rttMs?: number;
  score: number;
  services: string[];
  serving: string[];
  shards?: number[];
  source: Source;
  state: PeerState;
  transport?: Transport;
}

export type PeerState = "known" | "dialing" | "connected" | "closing" | "cooling" | "banned" | "parked";

export type PeerText = string;

export interface Plan {
  contentTopics: string[];
  shard?: (number | null);
}

export type Priority = "high" | "medium" | "low" | "banned";

export interface Protect {
  peer: PeerText;
  tag: string;
}

export interface ProtocolInfo {
  class: Class;
  connections: number;
  granted?: Grant;
  locked: number;
  name: string;
  offered?: Grant;
  requirement?: string;
  share: number;
}

export interface Query {
  contentTopics?: (string[] | null);
  cursor?: (string | null);
  from?: (number | null);
  hashes?: (Hashes | null);
  order?: (Order | null);
  pageSize?: (number | null);
  shard?: (number | null);
  timeoutMs?: (number | null);
  to?: (number | null);
}

export interface Ready {
  level?: (ReadyLevel | null);
  requirements?: (string[] | null);
  timeoutMs?: (number | null);
}

export type ReadyLevel = "minimal" | "met";

export type Reason = "hung-up" | "stopped" | "banned-by-user" | "banned-for-faults" | "other-network" | "handed-off" | "not-needed" | "failed-service" | "withheld" | "duplicate" | "not-admitted" | "ping-timeout" | "identify-failed" | "metadata-failed" | "remote-closed" | "connection-lost" | "network-lost" | "rejected-by-remote" | "unreachable" | "dial-timeout" | "handshake-failed" | "wrong-id" | "not-allowed" | "backing-off" | "parked" | "busy" | "over-budget" | "offline" | "already-connected" | "our-own-id" | "no-route" | "limit-reached" | "pin-limit" | "unknown-peer" | "forgotten" | "over-limit" | "idle" | "over-quota" | "memory-pressure" | "surplus" | "lifetime-over" | "burst-over" | "initial-sync" | "cooling-down" | "transport-limit" | "diversity-limit" | "paused" | "bad-behaviour" | "subnet-banned" | "not-enrolled" | "no-share";

export interface Report {
  enrollment: number;
  outcome: Outcome;
  peer: PeerText;
}

export interface Require {
  filter: Need;
  lightPush: Need;
  store: Need;
}

export interface RequirementStatus {
  firstMetAfterMs?: number;
  have: number;
  min: number;
  name: string;
  peers: string[];
  state: Health;
  target: number;
}

export type Revocation = "hard-limit" | "memory" | "quota-breach" | "ban" | "stop" | "mode-change" | "connection-lost" | "withdrawn";

export interface Route {
  address: string;
  peer: PeerText;
}

export interface ScoreParts {
  behaviour: number;
  hints: number;
  quality: Record<string, number>;
  reach: number;
}

export interface Scores {
  enrollment: number;
  round: number;
  scores: Record<string, number>;
}

export interface Send {
  confirm?: (boolean | null);
  contentTopic: string;
  ephemeral?: (boolean | null);
  min?: (number | null);
  payload: Uint8Array;
  peers?: (number | null);
  shard?: (number | null);
  timeoutMs?: (number | null);
  timestamp?: (number | null);
}

export interface SendFailure {
  class: FailureClass;
  message: string;
  peer: string;
}

export interface SendReport {
  accepted: string[];
  attempts: number;
  confirmedBy?: string;
  failed: SendFailure[];
  hash: string;
  ms: number;
}

export type Sent = ({ error?: Failure; id: number; kind: "reply"; ok?: Answer } | Event & { kind: "event" } | { kind: "message"; message: Message; subscription: number } | { kind: "subscription"; peers: string[]; reason?: Reason; state: SubscriptionState; subscription: number } | { answerMs?: number; counter: boolean; ended?: boolean; enrollment: number; high: number; kind: "offer"; low: number; rejected?: Reason } | { graceMs?: number; kind: "lock"; lock: number; reason?: Revocation; state: LockState } | { burst: number; kind: "burst"; slots?: number; state: BurstState } | { deadlineMs: number; enrollment: number; kind: "scores"; peers: PeerInfo[]; round: number } | { kind: "log"; level: LogLevel; message: string; target: string });

export interface SetLifetime {
  ms?: (number | null);
}

export interface SetLimits {
  connections?: (number | null);
  hard?: (number | null);
}

export interface SetMaxByTransport {
  limits: ByTransport;
}

export interface SetPriority {
  peer: PeerText;
  priority: Priority;
}

export interface SetRequirement {
  name: string;
  need: Need;
}

export type Source = "dns" | "peer-exchange" | "static" | "foreign" | "saved";

export interface Stats {
  banned: number;
  byTransport: Record<string, number>;
  closes: number;
  commands: number;
  connects: number;
  deadlineLagMs: number;
  decided: number;
  denials: number;
  dialFailures: number;
  dialTokens: number;
  dialing: number;
  dials: number;
  disconnects: number;
  events: number;
  hard: number;
  inbound: number;
  known: number;
  locks: number;
  open: number;
  replacements: number;
  rounds: number;
  soft: number;
}

export interface Subscribe {
  catchUp?: (boolean | null);
  contentTopics: string[];
  peers?: (number | null);
  shard?: (number | null);
  timeoutMs?: (number | null);
}

export type SubscriptionState = "active" | "moving" | "closed";

export interface Sync {
  peer?: (PeerText | null);
}

export interface Tag {
  name: string;
  peer: PeerText;
  ttlMs?: (number | null);
  value: number;
}

export type Transport = "ws" | "wss";

export type Trigger = "over-hard" | "over-soft" | "quota-breach" | "pressure" | "burst-closed" | "deficit-at-limit" | "manual" | "timer";

export interface Unlock {
  lock: number;
}

export interface Unsubscribe {
  subscription: number;
}

export type Via = "filter" | "store";

export interface Whom {
  peer: PeerText;
}

/** All of them, so that none can be left out. */
export interface All {
  Answer: Answer;
  BurstClose: BurstClose;
  BurstOpen: BurstOpen;
  BurstState: BurstState;
  ByTransport: ByTransport;
  Cancel: Cancel;
  Cause: Cause;
  Class: Class;
  Crossed: Crossed;
  Decision: Decision;
  Dial: Dial;
  DialFailure: DialFailure;
  DialWhy: DialWhy;
  Direction: Direction;
  Enroll: Enroll;
  Enrolled: Enrolled;
  ErrorCode: ErrorCode;
  Event: Event;
  Explanation: Explanation;
  ExtendLock: ExtendLock;
  FailKind: FailKind;
  Failure: Failure;
  FailureClass: FailureClass;
  GapCause: GapCause;
  Grant: Grant;
  Guard: Guard;
  Has: Has;
  Hashes: Hashes;
  Health: Health;
  HealthInfo: HealthInfo;
  HealthReason: HealthReason;
  Held: Held;
  LimitCause: LimitCause;
  LimitsOptions: LimitsOptions;
  Lock: Lock;
  LockState: LockState;
  LogLevel: LogLevel;
  Message: Message;
  Need: Need;
  NetworkCause: NetworkCause;
  NetworkOptions: NetworkOptions;
  NetworkState: NetworkState;
  Options: Options;
  Order: Order;
  Outcome: Outcome;
  Page: Page;
  PeerInfo: PeerInfo;
  PeerState: PeerState;
  PeerText: PeerText;
  Plan: Plan;
  Priority: Priority;
  Protect: Protect;
  ProtocolInfo: ProtocolInfo;
  Query: Query;
  Ready: Ready;
  ReadyLevel: ReadyLevel;
  Reason: Reason;
  Report: Report;
  Require: Require;
  RequirementStatus: RequirementStatus;
  Revocation: Revocation;
  Route: Route;
  ScoreParts: ScoreParts;
  Scores: Scores;
  Send: Send;
  SendFailure: SendFailure;
  SendReport: SendReport;
  Sent: Sent;
  SetLifetime: SetLifetime;
  SetLimits: SetLimits;
  SetMaxByTransport: SetMaxByTransport;
  SetPriority: SetPriority;
  SetRequirement: SetRequirement;
  Source: Source;
  Stats: Stats;
  Subscribe: Subscribe;
  SubscriptionState: SubscriptionState;
  Sync: Sync;
  Tag: Tag;
  Transport: Transport;
  Trigger: Trigger;
  Unlock: Unlock;
  Unsubscribe: Unsubscribe;
  Via: Via;
  Whom: Whom;
}
