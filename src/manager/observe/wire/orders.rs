//! What is compared: orders. They are only written, to be hashed or put side by side (D1).

use crate::manager::boundary::command::{
    BurstAnswer, Command, Crossed, DialWhy, Failed, Grant, Health, LockAnswer, Notice, Offer, Wish,
    WishAnswer,
};
use crate::manager::boundary::reason::{
    Cause, HealthReason, LockDenial, NetworkCause, NetworkState, Reason, Revocation,
};
use crate::manager::tools::wire::{Encode, encode_closed, encode_enum, encode_struct, shape};

encode_closed! { Reason, Cause, HealthReason, LockDenial, Revocation, NetworkState, NetworkCause }

encode_struct! { Grant { low, high } }

encode_enum! {
    DialWhy {
        0 => Need(requirement), 1 => Requested, 2 => Bootstrap(rung), 3 => Redial, 4 => Probe, 5 => HandOff, 6 => Swap,
        7 => Rotation, 8 => Burst(burst), 9 => Sync, 10 => Variety,
    }
}
encode_enum! {
    Offer { 0 => Granted(grant), 1 => Counter { grant, answer_ms }, 2 => Rejected(reason), 3 => Ended }
}
encode_enum! {
    LockAnswer { 0 => Granted { ttl_ms }, 1 => Denied(why), 2 => Revoked { reason, grace_ms }, 3 => Ended }
}
encode_enum! { BurstAnswer { 0 => Granted { slots }, 1 => Denied(reason), 2 => Closed } }
encode_enum! { Wish { 0 => Connect, 1 => Priority, 2 => Protect, 3 => Hint, 4 => Route } }
encode_enum! { WishAnswer { 0 => Granted, 1 => Unchanged, 2 => Refused(reason) } }
encode_enum! { Crossed { 0 => MinReached, 1 => MinLost, 2 => TargetReached, 3 => TargetLost } }
encode_enum! { Health { 0 => Unmet, 1 => Minimal, 2 => Met } }
encode_enum! { Failed { 0 => Dial { route, failure }, 1 => Request { requirement, outcome } } }

encode_enum! {
    Command {
        0 => Dial { dial, peer, route, timeout_ms, why },
        1 => CancelDial { dial },
        2 => Close { conn, reason },
        3 => Drain { conn, reason, deadline_ms },
        4 => Offer { enrollment, offer },
        5 => Lock { lock, answer },
        6 => Burst { burst, answer },
        7 => RequestScores { round, enrollment, peers, deadline_ms },
        8 => Ping { conn, ping, timeout_ms },
        9 => Discover,
        10 => QueryPeers { conn, peer, count },
        11 => Notify(notice),
        12 => Wish { peer, wish, answer },
    }
}

encode_enum! {
    Notice {
        0 => Discovered { peer, source, claims },
        1 => Connected { peer, route, direction },
        2 => Identified { peer, route, direction, protocols, agent },
        3 => Disconnected { peer, cause, reason, deliberate, uptime_ms, will_reconnect },
        4 => Reconnected { peer, down_ms, attempts },
        5 => Replaced { lost, gained, requirement, gap_ms },
        6 => Failed { peer, failed, charged, retry_at_wall_ms },
        7 => Banned { peer, reason },
        8 => RequirementChanged { requirement, have, min, target, crossed },
        9 => HealthChanged { old, new, reason },
        10 => Pruned { peer, reason },
        11 => NetworkChanged { state, cause },
    }
}
