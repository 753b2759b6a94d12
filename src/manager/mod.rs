//! Decides who should be connected, and why.
//!
//! A state machine without input or output of its own: the shell tells it what happened ([`Event`]), drains what it
//! orders ([`Command`]) and comes back when a deadline passes. This is its vocabulary.

pub mod command;
pub mod config;
pub mod event;
pub mod reason;
pub mod view;

pub use command::{Command, Crossed, DialWhy, Failed, Health, Notice};
pub use config::{Config, RequirementSpec};
pub use event::{
    ConnId, DialId, Direction, Event, GateQuery, Metadata, Need, Priority, RequirementId, Source,
    Time,
};
pub use reason::{Cause, CloseCause, DialFailure, HealthReason, Outcome, Reason};
pub use view::{PeerState, PeerView, RequirementView, Stats};
