//! What to close, and in favour of whom.
//!
//! Whether a connection may go for others, which goes first, and when. Owns who is on the way out and the rounds of
//! regulation. Names `boundary`, `tools`, `book`, `machine`, `demand`, `dialing` and `connected`.

pub(in crate::manager) mod changes;
pub(in crate::manager) mod guards;
pub(in crate::manager) mod leaving;
pub(in crate::manager) mod regulation;
pub(in crate::manager) mod releases;
pub(in crate::manager) mod relief;
pub(in crate::manager) mod rounds;
pub(in crate::manager) mod surplus;
pub(in crate::manager) mod utility;
