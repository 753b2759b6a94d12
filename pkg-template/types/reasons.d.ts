/** Closed lists: why something happened, and what to do. */

/** Why a call failed (`LightNodeError.code`). */
export type ErrorCode =
  /** An option or argument is wrong; `option` names it. Correct the call. */
  | "invalid-options"
  /** The node is stopped. Call `start()` first. */
  | "not-started"
  /** The node is closed. Make a new one. */
  | "closed"
  /** The wasm trapped, which is a bug of ours. Make a new node, and report the message. */
  | "crashed"
  /** No peer served until the deadline, or each refused what another might take; `cause` has the last error of each one tried. Look at `health().reason`, or try later. */
  | "no-peer"
  /** The deadline ran out. Try again, or allow more time. */
  | "timeout"
  /** The node's rules forbid it: the peer is banned, a limit is reached. `cause` and the message say which. */
  | "denied"
  /** The peer could not be dialed; `cause` is the `DialFailure`. Check the address, or try later. */
  | "dial-failed"
  /** This environment cannot do it: no browser, no WebSocket, no wasm at the expected place. The message says what is missing. */
  | "unsupported"
  /** The request itself is wrong, and any peer would refuse it. Correct it: trying again will not help. */
  | "rejected"
  /** Every peer is full or limits our rate. Try later. */
  | "busy"
  /** A peer broke the protocol. Try again: another peer is taken. */
  | "protocol"
  /** Something could not be saved or loaded. */
  | "storage";

/** Why a connection ended, a dial was refused or a peer is not dialed. */
export type Reason =
  /** You hung up. Nothing to do; `dial` lets it in again. */
  | "hung-up"
  /** The node was stopped or closed. Nothing to do. */
  | "stopped"
  /** You banned the peer. Lasts until `setPriority`. */
  | "banned-by-user"
  /** The peer broke the protocol too often. Nothing to do; if it is your server, look at its version. */
  | "banned-for-faults"
  /** The peer is of another cluster. Check `network`, and whether `bootstrap` belongs to it. */
  | "other-network"
  /** A bootstrap peer whose work others do by now. Nothing to do: it is meant to be so. */
  | "handed-off"
  /** It serves nothing that is still needed. Nothing to do; raise `require` to hold more. */
  | "not-needed"
  /** It stopped serving, and another peer took over. Nothing to do. */
  | "failed-service"
  /** It kept back what others delivered, or spread nothing of what it took, and another peer took over. Nothing to do. */
  | "withheld"
  /** A second connection to the same peer was closed. Nothing to do. */
  | "duplicate"
  /** A connection that nobody ordered was not let in. Nothing to do. */
  | "not-admitted"
  /** The peer no longer answered pings. Nothing to do: it is redialed or replaced. */
  | "ping-timeout"
  /** The peer did not say what it is. Nothing to do; if it is your server, look at its log. */
  | "identify-failed"
  /** What the peer said of its network could not be read. Nothing to do; if it is your server, look at its version. */
  | "metadata-failed"
  /** The peer closed the connection in order. Nothing to do. */
  | "remote-closed"
  /** The connection broke without a word. Nothing to do: it is redialed or replaced. */
  | "connection-lost"
  /** The connection broke while this machine had no network. Tell the user; it comes back by itself. */
  | "network-lost"
  /** The peer hung up just after connecting, as servers of another cluster do. Check `network`. */
  | "rejected-by-remote"
  /** Nobody answered at that address. Check it, and that your Content-Security-Policy allows it (`connect-src`). */
  | "unreachable"
  /** The dial took too long. Nothing to do: it is tried again, later each time. */
  | "dial-timeout"
  /** Something answered that does not speak libp2p over WebSocket with noise and yamux. Check the address. */
  | "handshake-failed"
  /** Another peer answered at that address. Correct the `/p2p/…` part, or drop the address. */
  | "wrong-id"
  /** The page may not dial that address: `ws` from an https page, or a private address. Use `wss`, or `allowPrivateAddresses`. */
  | "not-allowed"
  /** It waits out a failure. See `nextTryAt`; `dial` tries at once. */
  | "backing-off"
  /** A bootstrap peer that is not needed yet. Nothing to do. */
  | "parked"
  /** The peer is full or limits our rate. Nothing to do: it is asked later. */
  | "busy"
  /** Enough dials are under way. Nothing to do: it comes in its turn. */
  | "over-budget"
  /** The browser is offline. Tell the user; it goes on by itself. */
  | "offline"
  /** Already connected, or being dialed. Nothing to do. */
  | "already-connected"
  /** That is this node itself. Dial another peer. */
  | "our-own-id"
  /** No address that a page can dial is known: pages need `ws` or `wss`. Give a multiaddr. */
  | "no-route"
  /** The limit of connections is reached. Hang up others first. */
  | "limit-reached"
  /** Too many peers are held by `dial`. Hang up others first. */
  | "pin-limit"
  /** Nobody of that id is known. Dial it by multiaddr. */
  | "unknown-peer"
  /** You dropped what was known of the peer. Nothing to do. */
  | "forgotten"
  /** More connections than the limit, and this one was missed least. Nothing to do; raise `limits.connections` to hold more. */
  | "over-limit"
  /** No protocol uses it. Nothing to do. */
  | "idle"
  /** Its protocol had more connections than its share, and others needed them. Raise its quota, or `limits.connections`. */
  | "over-quota"
  /** The page is short of memory. Nothing to do; free some, if it is yours. */
  | "memory-pressure"
  /** Fewer connections do the same work. Nothing to do. */
  | "surplus"
  /** It was older than connections may become. Nothing to do: another peer took over. See `connections.setLifetime`. */
  | "lifetime-over"
  /** The burst that it was made for is over. Nothing to do. */
  | "burst-over"
  /** The initial sync uses one connection. Others return after `initialSync.stop()`. */
  | "initial-sync"
  /** We closed it a short time ago. Nothing to do; `dial` does it all the same. */
  | "cooling-down"
  /** The limit of its transport is reached. Raise it with `connections.setMaxByTransport`. */
  | "transport-limit"
  /** Enough peers of its network, or introduced by the same peer, are connected. Nothing to do: others are taken. */
  | "diversity-limit"
  /** Several peers of its subnet were banned a short time ago. Nothing to do: others are used. */
  | "subnet-banned"
  /** The node makes no new connections. Call `connections.resume()`. */
  | "paused"
  /** The peer behaved badly. Nothing to do: it is replaced. */
  | "bad-behaviour"
  /** A protocol of that name has enrolled, or too many have. Choose another name, or withdraw one. */
  | "not-enrolled"
  /** No share is left to grant. Ask for less, or raise `limits.connections`. */
  | "no-share";

/** Who ended a connection (`cause` of `peer:disconnect`); `reason` says why. */
export type Cause =
  /** We did. */
  | "local"
  /** We did, for the peer is banned. */
  | "banned"
  /** We did, for the connection was not needed. */
  | "pruned"
  /** We did, for another peer took over. */
  | "replaced"
  /** Our ping or a deadline ran out. */
  | "timeout"
  /** This machine's network went away. */
  | "network"
  /** The other side did, or something in between. */
  | "remote";

/** How a dial failed. A page never learns more. */
export type DialFailure =
  /** Nobody there, or not for a page. Check the address and `connect-src`. */
  | "unreachable"
  /** Nobody answered in time. Nothing to do: it is tried again. */
  | "timeout"
  /** It connected, and the handshake failed. Check that the address is of a libp2p node over WebSocket. */
  | "handshake"
  /** Another peer answered. Correct the address. */
  | "wrong-id"
  /** The page may not dial this address. Use `wss`, or `allowPrivateAddresses`. */
  | "not-allowed"
  /** Given up by our own side. Nothing is held against the peer. */
  | "cancelled";

/** How a request to a peer failed. */
export type FailureClass =
  /** The request was wrong. Correct it. */
  | "ours"
  /** Full, or limiting our rate. Nothing to do: it is asked later. */
  | "busy"
  /** It cannot do this now. Nothing to do: after the third time others are asked for some minutes. */
  | "unable"
  /** An error, a reset or silence. Nothing to do: it is replaced when it happens again. */
  | "broken"
  /** It broke the protocol. Nothing to do: it is banned when it goes on. */
  | "fault"
  /** It kept back what others delivered, or spread nothing of what it took. Nothing to do: it is replaced. */
  | "withheld"
  /** It has not answered for longer than usual. Nothing to do: another one does the work meanwhile. */
  | "late"
  /** It forgot what we had agreed on. Nothing to do: that is set up anew. */
  | "lost"
  /** It does not speak the protocol. Nothing to do: it is not asked again. */
  | "absent";

/** What failed in `peer:fail`: a dial or a request. */
export type FailKind = DialFailure | FailureClass;

/** Why the health is what it is. */
export type HealthReason =
  /** Every target is met. Nothing to do. */
  | "all-met"
  /** All minima hold, and some target does not yet. Usable. */
  | "below-target"
  /** The node is stopped. Call `start()`. */
  | "stopped"
  /** No bootstrap was given, and no peer is known. Give `bootstrap`, or `dial`. */
  | "no-bootstrap"
  /** Bootstrap peers are being looked up. Wait. */
  | "discovering"
  /** No resolver gave a usable record tree. Check the `enrtree://` URL, `resolvers` and `connect-src`. */
  | "discovery-failed"
  /** Dials are under way. Wait. */
  | "connecting"
  /** Peers are connected, and what they serve is being verified. Wait. */
  | "verifying"
  /** Every known peer waits out a failure. Wait; if it lasts, the servers are down or blocked. */
  | "backing-off"
  /** Nobody known serves what is missing. Give more `bootstrap`, or lower `require`. */
  | "no-candidates"
  /** Every peer that answered is of another network. Check `network` and `bootstrap`. */
  | "wrong-network"
  /** The browser is offline. Tell the user. */
  | "offline"
  /** Everything fails at once: probably this machine's network. Tell the user; it goes on by itself. */
  | "suspect-offline";

/** Why a lock was not granted or not renewed (`cause` of the `denied` error). */
export type LockDenial =
  /** The protocol locks as many connections as its share allows. Release one, or ask for a larger quota. */
  | "quota-exceeded"
  /** Three quarters of the connections are locked already. Wait until some are released. */
  | "lock-budget"
  /** The peer is not connected. Lock after `peer:connect`. */
  | "not-connected"
  /** The connection is on its way out. Use another peer. */
  | "draining"
  /** Longer than locks may last. Ask for less, and renew with `extend`. */
  | "ttl-too-long"
  /** The enrollment, or the lock, has ended. Enroll or lock again. */
  | "not-enrolled"
  /** It was renewed as often as locks may be. Release it and ask for a new one. */
  | "renewed-too-often";

/** Why a lock ended before its time. */
export type Revocation =
  /** There are more connections than may be. Finish within the grace. */
  | "hard-limit"
  /** The page is short of memory. Finish within the grace. */
  | "memory"
  /** The share of the protocol shrank. Finish within the grace. */
  | "quota-breach"
  /** The peer was banned. Nothing can be finished. */
  | "ban"
  /** The node stops. Nothing to do. */
  | "stop"
  /** An initial sync begins. Lock again after it. */
  | "mode-change"
  /** The connection is gone. Lock another peer. */
  | "connection-lost"
  /** The protocol left. Nothing to do. */
  | "withdrawn";

/** Why a connection may not be closed for others. */
export type Guard =
  /** You hold the peer: `dial`, `keep`. `hangUp` lets go. */
  | "pinned"
  /** A tag protects it. `unprotect` lets go. */
  | "protected"
  /** A protocol locked it. Ends by itself. */
  | "locked"
  /** A requirement would fall below its minimum. */
  | "minimum"
  /** A requirement would fall below its target. */
  | "target"
  /** It is new, and has not shown yet what it is worth. Ends within seconds. */
  | "grace"
  /** Without it all connections would lead to one network. */
  | "last-group"
  /** The initial sync uses it. */
  | "sync"
  /** It gave no sign of life, and is asked again. Ends within seconds. */
  | "asked";

/** What made the manager weigh connections against each other. */
export type Trigger =
  /** More connections than may be. */
  | "over-hard"
  /** More connections than wanted. */
  | "over-soft"
  /** A protocol has more than its share. */
  | "quota-breach"
  /** The machine is short of something. */
  | "pressure"
  /** A burst ended. */
  | "burst-closed"
  /** Something is missing, and there is no room for it. */
  | "deficit-at-limit"
  /** You changed something that it depends on. */
  | "manual"
  /** It was time. */
  | "timer";

/** What this machine's network does (`network:change`). */
export type NetworkState =
  /** The browser says that there is none. Tell the user; it goes on by itself. */
  | "offline"
  /** There is one. */
  | "online"
  /** The page was put to sleep. */
  | "suspended"
  /** It woke up: connections are checked, and replaced if need be. */
  | "resumed";

/** How we know of it (`cause` of `network:change`). */
export type NetworkCause =
  /** The browser said so, or you did. */
  | "told"
  /** Nobody answers any more. */
  | "silence"
  /** Somebody answered again. */
  | "answer"
  /** The clocks jumped. */
  | "slept";

/** Why the limits of connections changed. */
export type LimitCause =
  /** You changed them. */
  | "user"
  /** The page is short of memory. */
  | "memory"
  /** Nobody sees the page. */
  | "hidden"
  /** The network is to be spared. */
  | "constrained"
  /** The shortage is over. */
  | "calm"
  /** An initial sync began or ended. */
  | "sync";

/** Why somebody was dialed. */
export type DialWhy =
  /** A requirement was below its target. */
  | "needed"
  /** You asked for it, or hold the peer. */
  | "requested"
  /** A bootstrap peer, since nobody else was left to try. */
  | "bootstrap"
  /** It was lost, and was tried again. */
  | "redial"
  /** Everything failed, and somebody had to be tried. */
  | "probe"
  /** To take over from a bootstrap peer. */
  | "hand-off"
  /** It can do the work of two. */
  | "swap"
  /** To take over from a connection that is old. */
  | "rotation"
  /** So that not everything depends on one peer or one network. */
  | "variety"
  /** For a burst. */
  | "burst"
  /** For the initial sync. */
  | "sync";
