//! What a failed dial or a lost connection tells the manager.

use std::error::Error;
use std::io;

use libp2p::PeerId;
use libp2p::core::transport::TransportError;
use libp2p::core::transport::timeout::TransportTimeoutError;
use libp2p::swarm::{ConnectionError, DialError};

use super::muxer::Goodbye;
use crate::manager::{CloseCause, DialFailure};

/// How the transport failed, kept through libp2p's boxing so that the driver can tell the cases apart.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum DialFault {
    /// Nobody there, or the connection broke before it was open.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The whole took too long.
    #[error("timed out")]
    Timeout,
    /// The connection opened; noise, the multiplexer or their negotiation failed.
    #[error("handshake failed: {0}")]
    Handshake(String),
    /// The page may not dial this address.
    #[cfg_attr(
        not(target_arch = "wasm32"),
        expect(dead_code, reason = "only pages have such rules")
    )]
    #[error("not allowed: {0}")]
    NotAllowed(String),
}

/// A fault at the bottom of the transport. It names the fault as its own cause, because libp2p's combinators show the
/// causes of the errors that they carry and never the errors themselves.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Bottom(#[source] pub(crate) DialFault);

impl Bottom {
    pub(crate) fn unreachable(error: &dyn Error) -> Self {
        Self(DialFault::Unreachable(error.to_string()))
    }
}

/// Sorts the error of a whole dial: what the bottom of the transport said, else a timeout, else the handshake.
pub(crate) fn dial_fault<E: Error + 'static>(error: TransportTimeoutError<E>) -> DialFault {
    match error {
        TransportTimeoutError::Timeout | TransportTimeoutError::TimerError(_) => DialFault::Timeout,
        TransportTimeoutError::Other(error) => find::<DialFault>(&error)
            .cloned()
            .unwrap_or_else(|| DialFault::Handshake(error.to_string())),
    }
}

/// What a failed dial means to the manager, and the words for the log.
pub(super) fn dial_failure(error: &DialError) -> DialFailure {
    match error {
        DialError::WrongPeerId { .. } | DialError::LocalPeerId { .. } => DialFailure::WrongId,
        // Conditions, denials and aborts come from our own side: no fault of the peer's.
        DialError::NoAddresses
        | DialError::DialPeerConditionFalse(_)
        | DialError::Aborted
        | DialError::Denied { .. } => DialFailure::Cancelled,
        DialError::Transport(attempts) => match attempts.last() {
            Some((_, TransportError::MultiaddrNotSupported(_))) => DialFailure::NotAllowed,
            Some((_, TransportError::Other(error))) => match find::<DialFault>(error) {
                Some(DialFault::Unreachable(_)) | None => DialFailure::Unreachable,
                Some(DialFault::Timeout) => DialFailure::Timeout,
                Some(DialFault::Handshake(_)) => DialFailure::Handshake,
                Some(DialFault::NotAllowed(_)) => DialFailure::NotAllowed,
            },
            None => DialFailure::Cancelled,
        },
    }
}

/// Who answered a dial instead of the one who was dialed.
pub(super) fn answered(error: &DialError) -> Option<PeerId> {
    match error {
        DialError::WrongPeerId { obtained, .. } => Some(*obtained),
        _ => None,
    }
}

/// What the end of a connection means, when neither we nor identify ended it.
pub(super) fn close_cause(error: Option<&ConnectionError>) -> CloseCause {
    match error {
        None => CloseCause::Ordered,
        Some(ConnectionError::KeepAliveTimeout) => CloseCause::TimedOut,
        Some(ConnectionError::IO(error)) => {
            if closed_cleanly(error) {
                CloseCause::RemoteClean
            } else {
                CloseCause::Broken
            }
        }
    }
}

/// Whether the other side ended the connection in order: with a goodbye of the multiplexer's, which go, Rust and
/// JavaScript send alike, or with the WebSocket's closing handshake.
fn closed_cleanly(error: &io::Error) -> bool {
    find::<Goodbye>(error).is_some() || socket_closed_cleanly(error)
}

/// Whether the handshake was made with "normal" (1000), "going away" (1001) or without a code (1005).
#[cfg(target_arch = "wasm32")]
fn socket_closed_cleanly(error: &io::Error) -> bool {
    find::<crate::transport::Closed>(error)
        .is_some_and(|closed| closed.was_clean && matches!(closed.code, 1000 | 1001 | 1005))
}

/// Natively the transport hides the close code: a plain end of file is all there is, and as good as a break.
#[cfg(not(target_arch = "wasm32"))]
fn socket_closed_cleanly(_: &io::Error) -> bool {
    false
}

/// Looks for an error of type `T` in a chain of causes, and inside the `io::Error`s in it.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(|e| e.get_ref()) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_found_inside_nested_io_errors() {
        let fault = DialFault::Timeout;
        let nested = io::Error::other(io::Error::other(fault));
        let error = DialError::Transport(vec![(
            "/ip4/127.0.0.1/tcp/1/ws".parse().unwrap(),
            TransportError::Other(nested),
        )]);
        assert_eq!(dial_failure(&error), DialFailure::Timeout);
    }

    #[test]
    fn our_own_refusals_are_nobodys_fault() {
        assert_eq!(dial_failure(&DialError::Aborted), DialFailure::Cancelled);
        assert_eq!(
            dial_failure(&DialError::NoAddresses),
            DialFailure::Cancelled
        );
    }
}
