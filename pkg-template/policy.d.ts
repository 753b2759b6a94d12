// Written by policy.mjs from src/manager/boundary/config.rs.

/** Every number that the manager goes by, but for those of `limits`. Each is a whole number above 0; the defaults are in `DEFAULTS.policy`. */
export interface Policy {
  /** Known peers. The least useful is forgotten for a newcomer. Default: 5,000. */
  readonly maxPeers: number;
  /** Addresses kept for each peer. Default: 8. */
  readonly maxRoutes: number;
  /** Known peers that one other named and that were never reached: nobody fills the table alone. Default: 64. */
  readonly maxIntroduced: number;
  /** Known peers of one netgroup. Default: 256. */
  readonly maxPerNetgroup: number;
  /** As long as no more peers are known than this, nobody is refused for variety: there is hardly a choice. Default: 16. */
  readonly smallNetwork: number;
  /** One address' time to connect, in milliseconds: what a WebSocket over a bad mobile network needs. Default: 6,000. */
  readonly dialTimeoutMs: number;
  /** Addresses tried for a peer before its dial counts as failed. Default: 3. */
  readonly routesPerDial: number;
  /** No further address is begun after this time, in milliseconds. Default: 15,000. */
  readonly dialJobMs: number;
  /** Dials under way at once: more make Chromium delay every WebSocket handshake of the page. Default: 6. */
  readonly dialsInFlight: number;
  /** Tokens of the dial bucket: a burst of a cold start. Default: 8. */
  readonly dialTokens: number;
  /** Tokens that come back each second. Firefox waits 200 ms and more for each host after a failure. Default: 2. */
  readonly dialTokensPerS: number;
  /** Tokens that the user's own dials may overdraw. 0 switches it off. Default: 2. */
  readonly dialOverdraft: number;
  /** Peers of whom nothing is known that are tried at once: each is worth little, and not all of them are needed. Default: 3. */
  readonly unknownInFlight: number;
  /** How long after a deadline of the shell's a missing answer is given up, in milliseconds: a lost callback must not keep a slot. Default: 5,000. */
  readonly watchdogMs: number;
  /** One choice in this many ignores quality among equals, so that nobody starves. 0 switches it off. Default: 8. */
  readonly exploreOneIn: number;
  /** Netgroups that are compared for each requirement: the best of eight is within 1 % of a full scan. Default: 8. */
  readonly groupsCompared: number;
  /** Claimed but unverified requirements of one peer that count. Who claims everything must not win everything. Default: 3. */
  readonly unverifiedCounted: number;
  /** First wait for a peer that served before, in milliseconds. Default: 2,000. */
  readonly backoffGoodMs: number;
  /** First wait for a pinned peer, in milliseconds. Default: 1,000. */
  readonly backoffPinnedMs: number;
  /** First wait for a peer that never served, in milliseconds. Default: 10,000. */
  readonly backoffUnknownMs: number;
  /** Longest wait for a peer that served before, in milliseconds. Default: 600,000. */
  readonly backoffGoodCapMs: number;
  /** Longest wait for a pinned peer, in milliseconds. Default: 60,000. */
  readonly backoffPinnedCapMs: number;
  /** Longest wait for a peer that never served, in milliseconds. Default: 3,600,000. */
  readonly backoffUnknownCapMs: number;
  /** Uptime after which a connection that works clears its peer's record, in milliseconds; a shorter one flaps. Default: 60,000. */
  readonly healthyMs: number;
  /** Losses within this time of each other belong together, in milliseconds. Default: 2,000. */
  readonly massLossWindowMs: number;
  /** The peers of a mass loss are redialed after a uniform draw up to this, in milliseconds: not as a herd. Default: 3,000. */
  readonly massLossSpreadMs: number;
  /** The same for those whom no minimum needs, in milliseconds: they leave the first seconds to the others. Default: 10,000. */
  readonly massLossSpreadOtherMs: number;
  /** After an outage every waiting peer is due after a uniform draw up to this, in milliseconds. Default: 2,000. */
  readonly recoverSpreadMs: number;
  /** Waiting peers that are re-drawn after an outage: bounds the work of one input. Default: 256. */
  readonly recoverPeers: number;
  /** Failures in a row, over as many netgroups, that make us suspect our own network. Default: 3. */
  readonly suspectFailures: number;
  /** Connections that were silent for this long are asked for a sign of life when dials fail everywhere, in milliseconds. Default: 10,000. */
  readonly suspectSilenceMs: number;
  /** Failures that can be taken back when they turn out to be our own outage. Default: 32. */
  readonly chargesKept: number;
  /** Probes under suspicion come at least this far apart, in milliseconds. Default: 3,000. */
  readonly probeMinMs: number;
  /** Probes under suspicion come at most this far apart at first, in milliseconds. Default: 5,000. */
  readonly probeMaxMs: number;
  /** After this long under suspicion probes come less often, in milliseconds. Default: 120,000. */
  readonly probeEagerMs: number;
  /** From then on they come at least this far apart, in milliseconds. Default: 6,000. */
  readonly probeLaterMinMs: number;
  /** From then on they come at most this far apart, in milliseconds. Default: 10,000. */
  readonly probeLaterMaxMs: number;
  /** The longest distance of probes, while nobody sees the page or no minimum is missed, in milliseconds. Default: 30,000. */
  readonly probeCapMs: number;
  /** A dial that our own side refused is not repeated before this, in milliseconds. Default: 1,000. */
  readonly refusedWaitMs: number;
  /** A peer of another network is not dialed for this long, in milliseconds: networks seldom move. Default: 21,600,000. */
  readonly otherNetworkMs: number;
  /** A peer that we closed is not dialed for this long, in milliseconds (prune cool-down). Default: 60,000. */
  readonly pruneWaitMs: number;
  /** Two failures within this time replace a provider, in milliseconds. Default: 60,000. */
  readonly brokenWindowMs: number;
  /** First rest of a provider that broke twice, in milliseconds; doubles. Default: 60,000. */
  readonly brokenRestMs: number;
  /** Longest rest of a provider that broke, in milliseconds. Default: 600,000. */
  readonly brokenRestCapMs: number;
  /** A busy provider rests at least this long, in milliseconds. Default: 30,000. */
  readonly busyMinMs: number;
  /** A busy provider rests at most this long the first time, in milliseconds; doubles. Default: 120,000. */
  readonly busyMaxMs: number;
  /** Longest rest of a busy provider, in milliseconds. Default: 3,600,000. */
  readonly busyCapMs: number;
  /** A provider that can't rests this long, in milliseconds. Default: 300,000. */
  readonly unableMs: number;
  /** A provider that broke the protocol rests this long, in milliseconds. Default: 600,000. */
  readonly faultRestMs: number;
  /** A protocol that turned out to be absent is not expected again for this long, in milliseconds. Default: 1,800,000. */
  readonly absentMs: number;
  /** What a fault takes from a peer's behaviour: between the low tolerance of other clients (100) and their limit of a disconnect (200), so that one fault never disconnects and two within a quarter of an hour do. Default: 150. */
  readonly faultStep: number;
  /** A peer whose behaviour is this much below zero, or more, is disconnected for a while. Default: 200. */
  readonly behaviourDisconnect: number;
  /** A peer whose behaviour is this much below zero, or more, is banned. Default: 500. */
  readonly behaviourBan: number;
  /** Faults that ban, however its behaviour faded in between. Default: 3. */
  readonly faultsToBan: number;
  /** Faults further apart than this do not add up, in milliseconds. Default: 3,600,000. */
  readonly faultMemoryMs: number;
  /** First ban, in milliseconds; eight times longer with each repetition. Default: 1,800,000. */
  readonly banMs: number;
  /** Longest ban, in milliseconds. Default: 86,400,000. */
  readonly banCapMs: number;
  /** Earlier bans lengthen the next one unless this much time without any went by, in milliseconds. Default: 604,800,000. */
  readonly banMemoryMs: number;
  /** Peers in the table of bans. Default: 4,096. */
  readonly maxBans: number;
  /** Of these, banned by the user: what exceeds it is refused, with a reason. Default: 1,024. */
  readonly maxUserBans: number;
  /** Automatic bans in one subnet (/24 or /48) and within `subnetWindowMs` that refuse the whole subnet. Default: 5. */
  readonly subnetBans: number;
  /** How far apart these bans may be, in milliseconds. Default: 3,600,000. */
  readonly subnetWindowMs: number;
  /** How long new connections with a subnet are refused, in milliseconds. Default: 3,600,000. */
  readonly subnetHoldMs: number;
  /** How long an unverified connection counts as cover that is on its way, in milliseconds. Default: 5,000. */
  readonly verifyMs: number;
  /** A connection that is not verified this much later is given up, in milliseconds: it can serve nobody, and its peer is not dialed anew while it lasts. Default: 60,000. */
  readonly unverifiedMs: number;
  /** Identify must come within this, in milliseconds. Default: 10,000. */
  readonly identifyMs: number;
  /** A connection that ends within this and before it was verified was rejected by the remote, in milliseconds. Default: 2,000. */
  readonly rejectedMs: number;
  /** A second connection to the same peer is closed after this, in milliseconds: both ends may have dialed. Default: 5,000. */
  readonly duplicateGraceMs: number;
  /** An ordered close must be confirmed within this, in milliseconds. Default: 5,000. */
  readonly closeMs: number;
  /** A connection that something depends on is pinged when it was silent for this long while somebody sees the page, in milliseconds: a peer that went away without a word costs no more than this and the time to answer. Default: 5,000. */
  readonly pingIdleMs: number;
  /** The same for all others, and while nobody sees the page, in milliseconds: less than the 30 s after which the hastiest proxies cut. Default: 25,000. */
  readonly pingUnusedMs: number;
  /** The longest time to answer, in milliseconds; also while no round trip is known. Default: 3,000. */
  readonly pingTimeoutMs: number;
  /** The shortest time to answer, in milliseconds: in between it is four times the last round trip. Default: 1,000. */
  readonly pingTimeoutMinMs: number;
  /** Time to answer after sleep or a change of network, in milliseconds. Default: 5,000. */
  readonly pingResumeTimeoutMs: number;
  /** Pings in a row without answer that close a connection. After the first it serves nothing until it is heard again. Default: 2. */
  readonly pingFailures: number;
  /** A wake-up this much too late means that the machine slept, in milliseconds. Default: 30,000. */
  readonly resumeLateMs: number;
  /** The same while nobody sees the page, in milliseconds: browsers wake a hidden page once a minute. Default: 180,000. */
  readonly resumeHiddenLateMs: number;
  /** A look at the clocks this much too late means the same while somebody sees the page, in milliseconds. Default: 5,000. */
  readonly resumeLookLateMs: number;
  /** A wall clock that ran this much further than the monotonic one means the same, in milliseconds. Default: 5,000. */
  readonly resumeDriftMs: number;
  /** How often the shell compares the clocks while somebody looks at the page, in milliseconds: a clock that stood still while the machine slept makes no timer fire. 0: only when something else wakes it. 0 switches it off. Default: 1,000. */
  readonly clockLookMs: number;
  /** Head start of static and known peers before a bootstrap peer is dialed, in milliseconds. Default: 3,000. */
  readonly headStartMs: number;
  /** Dials at once in that time, until somebody serves. Default: 3. */
  readonly headStartDials: number;
  /** A bootstrap dial that takes this long gets company, in milliseconds. Default: 4,000. */
  readonly bootstrapHedgeMs: number;
  /** Without any connection for this long three bootstrap peers may be dialed at once, in milliseconds. Default: 15,000. */
  readonly coldStartMs: number;
  /** Bootstrap dials at once in that emergency. Default: 3. */
  readonly coldStartDials: number;
  /** How long other peers must do without a bootstrap peer before it is let go, in milliseconds. Default: 30,000. */
  readonly handOffAfterMs: number;
  /** It is let go at the earliest this much later, in milliseconds. Default: 30,000. */
  readonly handOffMinMs: number;
  /** It is let go at the latest this much later, in milliseconds: clients that started together leave apart. Default: 90,000. */
  readonly handOffMaxMs: number;
  /** After a failed dial to take over from it, a bootstrap peer is kept this long, in milliseconds. Default: 600,000. */
  readonly handOffRetryMs: number;
  /** Records asked for in one peer exchange request. Default: 60. */
  readonly exchangeCount: number;
  /** Distance of requests to one peer, in milliseconds: servers limit them. Default: 30,000. */
  readonly exchangeEveryMs: number;
  /** How long the next rung waits for an answer, in milliseconds. Default: 2,000. */
  readonly exchangePatienceMs: number;
  /** A request is given up after this, in milliseconds. Default: 15,000. */
  readonly exchangeTimeoutMs: number;
  /** Distance of look-ups of the trees, in milliseconds; doubles while they bring nothing. Default: 10,000. */
  readonly discoverEveryMs: number;
  /** Longest distance of look-ups, in milliseconds. Default: 300,000. */
  readonly discoverCapMs: number;
  /** A look-up whose end is never told is over after this, in milliseconds. Default: 60,000. */
  readonly discoverTimeoutMs: number;
  /** Providers above `max` are kept this long, and so long one can do the work of two before it is dialed, in milliseconds: needs come one after another, and may change back. Default: 5,000. */
  readonly surplusGraceMs: number;
  /** A connection that serves nothing is kept this long once nothing is missing, in milliseconds. Default: 30,000. */
  readonly uselessGraceMs: number;
  /** A protocol hears of changes of its grant at most this often, in milliseconds: limits may swing. Default: 5,000. */
  readonly offerEveryMs: number;
  /** The longest time of a lock, and of each of its three renewals, in milliseconds. Default: 300,000. */
  readonly lockMaxMs: number;
  /** After a lock was revoked its connection is left alone this long, in milliseconds: its holder moves its work. Default: 2,000. */
  readonly lockGraceMs: number;
  /** The longest time of a burst, in milliseconds. Default: 60,000. */
  readonly burstMaxMs: number;
  /** After a burst what it left idle is kept this long, in milliseconds. Default: 10,000. */
  readonly burstIdleMs: number;
  /** What a burst made is known to be its for this long after its end, in milliseconds. Default: 60,000. */
  readonly burstMemoryMs: number;
  /** A protocol that uses more than its share this long, while others want it, is regulated, in milliseconds. Default: 5,000. */
  readonly breachMs: number;
  /** A new connection is not closed for others for this long, in milliseconds. Default: 15,000. */
  readonly graceConnectMs: number;
  /** Nor this long after it was identified, whichever ends first, in milliseconds. Default: 5,000. */
  readonly graceIdentifyMs: number;
  /** What a connection that serves gets to end its requests before we close it, in milliseconds. Default: 3,000. */
  readonly drainMs: number;
  /** Longest wait for a peer that we closed again and again, in milliseconds; the first is `prune_wait_ms`. Default: 1,800,000. */
  readonly pruneCapMs: number;
  /** Rounds come at least this far apart, in milliseconds; what is above the hard cap, and memory, do not wait. Default: 1,000. */
  readonly roundEveryMs: number;
  /** What guards hold is tried again after this, give or take a fifth, in milliseconds. Default: 30,000. */
  readonly roundTimerMs: number;
  /** More connections than the soft target are borne this long, in milliseconds: replacements overlap. Default: 2,000. */
  readonly overSoftMs: number;
  /** How long a protocol may take to score its connections, in milliseconds. Nothing waits for it. Default: 250. */
  readonly scoresMs: number;
  /** Triggers that begin no round: bit n is the n-th of Trigger::ALL. Without `over-hard` the hard cap only keeps new connections away. 0 switches it off. Default: 0. */
  readonly triggersOff: number;
  /** Connections that no target needs are let go after this, give or take a fifth, in milliseconds: what needs them may come back. 0: they stay, and no two are replaced by one, as full nodes want it. 0 switches it off. Default: 120,000. */
  readonly leanAfterMs: number;
  /** Of these, that many are kept warm: whoever is lost is then replaced without a dial. 0 switches it off. Default: 1. */
  readonly spareConnections: number;
  /** Two connections are replaced by one, and old ones by new ones, at most this often, in milliseconds; longer after each failure. Default: 60,000. */
  readonly swapEveryMs: number;
  /** Longest wait after failures to do so, in milliseconds. Default: 3,600,000. */
  readonly swapCapMs: number;
}

export const NUMBERS: readonly (readonly [string, number, number, number])[];
