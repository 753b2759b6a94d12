//! What a call of the npm API can fail with (`LightNodeError`).

use libp2p::PeerId;

/// The closed list of codes (`ErrorCode`). The texts are part of the npm API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// An option or an argument is not what it should be.
    InvalidOptions,
    /// The node is stopped.
    NotStarted,
    /// The node is closed.
    Closed,
    /// No peer served it before the deadline.
    NoPeer,
    /// A peer was asked and did not answer in time.
    Timeout,
    /// The manager refused.
    Denied,
    /// The peer could not be reached.
    DialFailed,
    /// The peer, or this platform, can't do it.
    Unsupported,
    /// The peer refused the request.
    Rejected,
    /// The peer is full or limits our rate.
    Busy,
    /// The peer broke the protocol, or the connection broke.
    Protocol,
}

impl ErrorCode {
    /// The stable text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidOptions => "invalid-options",
            Self::NotStarted => "not-started",
            Self::Closed => "closed",
            Self::NoPeer => "no-peer",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::DialFailed => "dial-failed",
            Self::Unsupported => "unsupported",
            Self::Rejected => "rejected",
            Self::Busy => "busy",
            Self::Protocol => "protocol",
        }
    }
}

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct NodeError {
    /// The kind, for programs.
    pub code: ErrorCode,
    /// The rest, for people.
    pub message: String,
    /// The manager's reason, for what it denied: the text of a [`Reason`](crate::manager::Reason), a
    /// [`LockDenial`](crate::manager::LockDenial) or a [`Revocation`](crate::manager::Revocation).
    pub cause: Option<&'static str>,
    /// Whom it concerns. Boxed, because a result carries the room for it wherever it goes.
    pub peer: Option<Box<PeerId>>,
    /// Which address it concerns.
    pub address: Option<String>,
    /// Which option it concerns, as the user spells it.
    pub option: Option<String>,
}

impl NodeError {
    /// An error that concerns no one in particular.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            cause: None,
            peer: None,
            address: None,
            option: None,
        }
    }

    /// An option or argument that is not what it should be.
    pub fn option(option: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            option: Some(option.into()),
            ..Self::new(ErrorCode::InvalidOptions, message)
        }
    }

    /// The same error, about this peer.
    #[must_use]
    pub fn about(mut self, peer: PeerId) -> Self {
        self.peer = Some(Box::new(peer));
        self
    }

    /// What the manager denied, and why.
    pub(super) fn denied(what: impl std::fmt::Display, cause: &'static str) -> Self {
        Self {
            cause: Some(cause),
            ..Self::new(ErrorCode::Denied, format!("{what}: {cause}"))
        }
    }

    pub(super) fn closed() -> Self {
        Self::new(ErrorCode::Closed, "the node is closed")
    }

    pub(super) fn not_started() -> Self {
        Self::new(
            ErrorCode::NotStarted,
            "the node is stopped; call start() first",
        )
    }
}
