//! What crosses between the node and JavaScript: plain data, and what each piece is made from.
//!
//! Every type here is a struct or an enum with serde's derive; `crossing` takes them over. What may be absent has
//! no field at all, instead of one that is null. The declarations of the package say the same by hand: a test writes
//! what serde makes of these types to `tests/package/types/data.ts`, and the type checker compares the two.
//!
//! | file | what crosses |
//! |---|---|
//! | `values`, `texts` | kinds of fields: bytes, whole numbers, texts of closed lists |
//! | `peers`, `decisions` | what is known of peers, and why |
//! | `messages` | messages, and what sending and asking came to |
//! | `events`, `answers` | everything that comes by itself, and replies |
//! | `failure` | errors |
//! | `options`, `requests` | what comes in |

mod answers;
mod decisions;
mod events;
mod failure;
mod messages;
mod options;
mod peers;
mod requests;
#[cfg(test)]
mod schema;
mod texts;
mod values;

pub(super) use answers::Answer;
pub(super) use decisions::{Decision, Explanation, ProtocolInfo};
pub(super) use events::Sent;
pub(super) use failure::Failure;
pub(super) use messages::{Page, SendReport, hash};
pub(super) use options::{ByTransport, NetworkOptions, Options};
pub(super) use peers::{HealthInfo, Names, PeerInfo, Stats};
pub(super) use requests::{
    Bound, BurstClose, BurstOpen, Cancel, Dial, Enroll, Enrolled, ExtendLock, Has, Lock, Order,
    Plan, Protect, Query, Ready, Report, Route, Scores, Send, SetLifetime, SetLimits,
    SetMaxByTransport, SetPriority, SetRequirement, Subscribe, Sync, Tag, Unlock, Unsubscribe,
    Whom,
};
