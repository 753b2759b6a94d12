//! What orders mean, where several say the same.

use lightkeeper::manager::{Command, ConnId, Reason};
use multiaddr::{Multiaddr, Protocol};

/// The connection that an order ends, why, and after what time.
pub(crate) fn parting(command: &Command) -> Option<(ConnId, Reason, u64)> {
    match command {
        Command::Close { conn, reason } => Some((*conn, *reason, 0)),
        Command::Drain {
            conn,
            reason,
            deadline_ms,
        } => Some((*conn, *reason, u64::from(*deadline_ms))),
        _ => None,
    }
}

/// Whether a connection that ends for this did nothing wrong: nobody but the manager wanted it.
pub(crate) fn let_go(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NotNeeded
            | Reason::HandedOff
            | Reason::OverLimit
            | Reason::Idle
            | Reason::OverQuota
            | Reason::MemoryPressure
            | Reason::Surplus
            | Reason::LifetimeOver
            | Reason::BurstOver
    )
}

/// Host and port of an address.
pub(crate) fn endpoint(route: &Multiaddr) -> String {
    let mut host = String::new();
    let mut port = 0;
    for protocol in route {
        match protocol {
            Protocol::Ip4(ip) => host = ip.to_string(),
            Protocol::Ip6(ip) => host = ip.to_string(),
            Protocol::Tcp(number) | Protocol::Udp(number) => port = number,
            _ => {}
        }
    }
    format!("{host}:{port}")
}
