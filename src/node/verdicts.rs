//! From what a protocol says of an answer to what the manager and the caller hear.

use libp2p::PeerId;

use super::driver::Exchange;
use super::error::{ErrorCode, NodeError};
use super::streams::OpenError;
use crate::manager::Outcome;
use crate::protocols::verdict::{End, ExactClass, FailureClass, Protocol, Verdict};

/// The bytes of an answer, or the verdict on their absence.
pub(super) fn answer_of(protocol: Protocol, exchange: Exchange) -> Result<Vec<u8>, Verdict> {
    let end = match exchange {
        Exchange::Answer(bytes) => return Ok(bytes),
        Exchange::NotOpened(OpenError::Unsupported) => End::Unsupported,
        Exchange::NotOpened(OpenError::ConnectionClosed) => End::ConnectionLost,
        Exchange::NotOpened(OpenError::Timeout) | Exchange::TimedOut => End::Timeout,
        Exchange::NotOpened(OpenError::LimitReached | OpenError::Io(_)) => End::Reset,
        Exchange::Malformed => End::TooLarge,
        Exchange::Ended => End::ClosedWithoutAnswer,
        Exchange::Broken => End::Reset,
    };
    Err(Verdict::of_end(protocol, end))
}

/// What the manager hears of a failure.
pub(super) fn outcome(verdict: &Verdict) -> Outcome {
    match verdict.failure {
        FailureClass::Ours => Outcome::Ours,
        FailureClass::Busy => Outcome::Busy,
        FailureClass::Unable => Outcome::Unable,
        FailureClass::Broken => Outcome::Broken,
        FailureClass::Fault => Outcome::Fault,
        FailureClass::Lost => Outcome::Lost,
        FailureClass::Absent => Outcome::Absent,
    }
}

/// What the caller hears of it.
pub(super) fn error(verdict: &Verdict, peer: PeerId) -> NodeError {
    let code = match verdict.failure {
        FailureClass::Ours => ErrorCode::Rejected,
        // It cannot; another peer may.
        FailureClass::Unable | FailureClass::Lost | FailureClass::Absent => ErrorCode::NoPeer,
        FailureClass::Busy => ErrorCode::Busy,
        FailureClass::Broken if verdict.class == ExactClass::Timeout => ErrorCode::Timeout,
        FailureClass::Broken | FailureClass::Fault => ErrorCode::Protocol,
    };
    NodeError::new(code, verdict.message.clone())
        .about(peer)
        .because(verdict.failure.as_str())
}
