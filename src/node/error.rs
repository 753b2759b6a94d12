//! What a call of the npm API can fail with (`LightNodeError`).

use std::borrow::Cow;
use std::ops::Deref;

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

/// Why a call failed. One pointer wide, because every result carries the room for it wherever it goes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.message)]
pub struct NodeError(Box<Failure>);

/// What a [`NodeError`] says.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Failure {
    /// The kind, for programs.
    pub code: ErrorCode,
    /// The rest, for people.
    pub message: Cow<'static, str>,
    /// The manager's reason, for what it denied: the text of a [`Reason`](crate::manager::Reason), a
    /// [`LockDenial`](crate::manager::LockDenial) or a [`Revocation`](crate::manager::Revocation); how a dial failed.
    pub cause: Option<&'static str>,
    /// The last failure of each peer that was tried.
    pub tried: Vec<NodeError>,
    /// Whom it concerns.
    pub peer: Option<PeerId>,
    /// Which address it concerns.
    pub address: Option<String>,
    /// Which option it concerns, as the user spells it.
    pub option: Option<Cow<'static, str>>,
}

impl Deref for NodeError {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}

impl NodeError {
    /// An error that concerns no one in particular.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self::make(code, message.into(), None)
    }

    /// An option or argument that is not what it should be.
    pub fn option(
        option: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::make(
            ErrorCode::InvalidOptions,
            message.into(),
            Some(option.into()),
        )
    }

    fn make(
        code: ErrorCode,
        message: Cow<'static, str>,
        option: Option<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Failure {
            code,
            message,
            cause: None,
            tried: Vec::new(),
            peer: None,
            address: None,
            option,
        }))
    }

    /// The same error, about this peer.
    #[must_use]
    pub fn about(mut self, peer: PeerId) -> Self {
        self.0.peer = Some(peer);
        self
    }

    /// The same error, about this address.
    #[must_use]
    pub fn at(mut self, address: String) -> Self {
        self.0.address = Some(address);
        self
    }

    /// The same error, after these.
    #[must_use]
    pub fn tried(mut self, tried: Vec<Self>) -> Self {
        self.0.tried = tried;
        self
    }

    /// The same error, because of this.
    #[must_use]
    pub fn because(mut self, cause: &'static str) -> Self {
        self.0.cause = Some(cause);
        self
    }

    /// What the manager denied, and why.
    pub(super) fn denied(what: impl std::fmt::Display, cause: &'static str) -> Self {
        let mut denied = Self::new(ErrorCode::Denied, format!("{what}: {cause}"));
        denied.0.cause = Some(cause);
        denied
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
