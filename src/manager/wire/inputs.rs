//! What is recorded: inputs, questions at the gate, settings.

use super::{
    Decode, Encode, Reader, WireError, encode_closed, encode_enum, encode_struct, shape,
    wire_closed, wire_enum, wire_struct,
};
use crate::manager::config::{Config, RequirementSpec};
use crate::manager::event::{
    Bound, BurstId, Class, ConnId, DialId, Direction, EnrollmentId, Event, GateQuery, LockId,
    Metadata, Need, Priority, ProtocolSpec, Quota, RequirementId, Source, Transport,
};
use crate::manager::reason::{CloseCause, DialFailure, Outcome};

/// The mark of everything that a log holds.
pub(in crate::manager) const SHAPE: u32 = {
    let parts = [
        Event::SHAPE,
        GateQuery::SHAPE,
        Config::SHAPE,
        RequirementSpec::SHAPE,
        ProtocolSpec::SHAPE,
        Quota::SHAPE,
        Bound::SHAPE,
        Need::SHAPE,
        Metadata::SHAPE,
        Source::SHAPE,
        Priority::SHAPE,
        Class::SHAPE,
        Transport::SHAPE,
        Direction::SHAPE,
        CloseCause::SHAPE,
        DialFailure::SHAPE,
        Outcome::SHAPE,
    ];
    let mut sum = 0_u32;
    let mut at = 0;
    while at < parts.len() {
        sum = sum.rotate_left(5) ^ parts[at];
        at += 1;
    }
    sum
};

wire_struct! { DialId { 0 } }
wire_struct! { ConnId { 0 } }
wire_struct! { RequirementId { 0 } }
wire_struct! { EnrollmentId { 0 } }
wire_struct! { LockId { 0 } }
wire_struct! { BurstId { 0 } }
wire_struct! { Need { min, target, max } }
wire_struct! { Quota { min, max } }
wire_struct! { ProtocolSpec { name, protocols, class, weight, quota, need, scores, answer_ms } }
wire_struct! { RequirementSpec { name, protocols, need } }

wire_closed! { DialFailure, Outcome }

wire_enum! { Bound { 0 => Count(count), 1 => Permille(share) } }
wire_enum! { Class { 0 => Opportunistic, 1 => Normal, 2 => Critical } }
wire_enum! { Source { 0 => Dns, 1 => PeerExchange, 2 => Static, 3 => Foreign, 4 => Saved } }
wire_enum! { Priority { 0 => Banned, 1 => Low, 2 => Medium, 3 => High } }
wire_enum! { Direction { 0 => Outbound, 1 => Inbound } }
wire_enum! { Metadata { 0 => Matched { shards }, 1 => OtherNetwork, 2 => Unsupported, 3 => NotYet } }
wire_enum! { Transport { 0 => Ws, 1 => Wss, 2 => WebTransport, 3 => WebRtcDirect, 4 => Circuit, 5 => Other } }
wire_enum! { CloseCause { 0 => Ordered, 1 => RemoteClean, 2 => Broken, 3 => TimedOut, 4 => IdentifyFailed } }
wire_enum! { GateQuery { 0 => Outbound { peer }, 1 => Inbound { peer } } }

wire_enum! {
    Event {
        0 => Start,
        1 => Stop,
        2 => Tick,
        3 => Discovered { peer, routes, claims, source, introducer },
        4 => DnsFinished { found, failed },
        5 => PeerExchangeDone { peer, found },
        6 => SetNeed { requirement, need },
        7 => SetPriority { peer, priority },
        8 => ConnectNow { peer, routes, permanent },
        9 => HangUp { peer },
        10 => AddRoute { peer, route },
        11 => RemoveRoute { peer, route },
        12 => Forget { peer },
        13 => Protect { peer, tag },
        14 => Unprotect { peer, tag },
        15 => Hint { peer, tag, value, ttl_ms },
        16 => Enroll { enrollment, spec },
        17 => AcceptOffer { enrollment },
        18 => Withdraw { enrollment },
        19 => Lock { lock, enrollment, peer, ttl_ms },
        20 => ExtendLock { lock, ttl_ms },
        21 => Unlock { lock },
        22 => OpenBurst { burst, enrollment, slots, max_ms },
        23 => CloseBurst { burst },
        24 => Scores { round, enrollment, scores },
        25 => Pause,
        26 => Resume,
        27 => StartSync { peer },
        28 => StopSync,
        29 => SetLimits { soft, hard },
        30 => SetMaxByTransport { transport, max },
        31 => SetLifetime { ms },
        32 => Regulate,
        33 => Visibility { hidden },
        34 => Freeze,
        35 => Unfreeze,
        36 => NetworkChanged { constrained },
        37 => Memory { used, limit },
        38 => Connected { conn, peer, direction, route, dial },
        39 => Identified { conn, protocols, agent },
        40 => Metadata { conn, metadata },
        41 => Closed { conn, cause },
        42 => DialFailed { dial, failure },
        43 => Pong { conn, rtt_ms },
        44 => PingFailed { conn },
        45 => Report { peer, requirement, outcome },
        46 => Online,
        47 => Offline,
    }
}

wire_struct! {
    Config {
        local, requirements, peer_exchange_protocol, has_dns,
        soft_connections, hard_connections, max_peers, max_routes,
        dial_timeout_ms, routes_per_dial, dial_job_ms, dials_in_flight, dial_tokens, dial_tokens_per_s, dial_overdraft,
        unknown_in_flight, watchdog_ms, explore_one_in, groups_compared, unverified_counted,
        backoff_good_ms, backoff_pinned_ms, backoff_unknown_ms,
        backoff_good_cap_ms, backoff_pinned_cap_ms, backoff_unknown_cap_ms,
        healthy_ms, mass_loss_window_ms, mass_loss_spread_ms, recover_spread_ms, recover_peers,
        suspect_failures, charges_kept, probe_min_ms, probe_max_ms, probe_eager_ms, probe_cap_ms,
        refused_wait_ms, other_network_ms, prune_wait_ms,
        broken_window_ms, broken_rest_ms, broken_rest_cap_ms, busy_min_ms, busy_max_ms, busy_cap_ms,
        unable_ms, fault_rest_ms, absent_ms, faults_to_ban, fault_memory_ms, ban_ms, ban_cap_ms,
        verify_ms, identify_ms, rejected_ms, duplicate_grace_ms, close_ms,
        ping_idle_ms, ping_timeout_ms, ping_resume_timeout_ms, ping_failures, resume_late_ms, resume_drift_ms,
        head_start_ms, bootstrap_hedge_ms, cold_start_ms, cold_start_dials,
        hand_off_after_ms, hand_off_min_ms, hand_off_max_ms, hand_off_retry_ms,
        exchange_count, exchange_every_ms, exchange_patience_ms, exchange_timeout_ms,
        discover_every_ms, discover_cap_ms, discover_timeout_ms,
        surplus_grace_ms, useless_grace_ms,
        offer_every_ms, lock_max_ms, lock_grace_ms, breach_ms,
        grace_connect_ms, grace_identify_ms, drain_ms, prune_cap_ms,
        round_every_ms, round_timer_ms, over_soft_ms, spike_connects, spike_window_ms,
        failing_dials, failing_percent, failing_window_ms, scores_ms, triggers_off,
        lean_after_ms, spare_connections, swap_every_ms, swap_cap_ms, epoch_ms,
    }
}
