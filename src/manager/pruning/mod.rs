//! What to close, and in favour of whom.
//!
//! Whether a connection may go (`guards`), who goes without being pressed (`releases`) and who when there is too much
//! (`rounds`), who could do the work of more (`swaps`) and is dialed so that they may go (`relief`), and how one goes
//! (`leaving`). Owns who is on the way out, the reliefs and the rounds of regulation. Names `boundary`, `tools`, `book`, `machine`, `demand`, `dialing` and
//! `connected`.

pub(in crate::manager) mod changes;
pub(in crate::manager) mod guards;
pub(in crate::manager) mod leaving;
pub(in crate::manager) mod regulation;
pub(in crate::manager) mod releases;
pub(in crate::manager) mod relief;
pub(in crate::manager) mod rounds;
pub(in crate::manager) mod surplus;
pub(in crate::manager) mod swaps;
pub(in crate::manager) mod utility;
