//! A peer that follows a script: what an honest server would never do, and what one in trouble does at the wrong moment.
//!
//! It listens as the fleet's nodes do and speaks identify, metadata and the services, for which it has the fleet's own.
//! A [`Script`] says for each kind of request what becomes of it, and what is done to those who connect or subscribe
//! without their asking. It may be changed while the peer runs, and the peer be ordered about ([`Hostile`]). Scripts with
//! a name ([`ScriptName`]) are roles of the fleet.
//!
//! | module | what it is |
//! |---|---|
//! | `script`, `names` | what a peer does, and the scripts that have a name |
//! | `control` | what the peer and those who order it share |
//! | `peer`, `swarm`, `freeze` | the running peer |
//! | `answers`, `lies` | what becomes of requests |
//! | `pushes`, `identify` | what is sent without being asked |

mod answers;
mod control;
mod freeze;
mod handle;
mod identify;
mod lies;
mod names;
mod peer;
mod pushes;
mod script;
mod swarm;

use std::time::Duration;

pub use self::{
    control::Asked,
    handle::Hostile,
    names::{ScriptName, UnknownScript},
    script::{
        Answer, Id, Identify, Line, Make, Maker, Mischief, Part, Ping, Relay, Script, Status,
        StoreLie,
    },
};
pub(super) use self::{control::Control, peer::Peer};

/// Protocol ids that are not Waku's.
const PING: &str = "/ipfs/ping/1.0.0";
const ID: &str = "/ipfs/id/1.0.0";
const ID_PUSH: &str = "/ipfs/id/push/1.0.0";

/// How long a stream is held at most: longer than anybody waits.
const HOLD: Duration = Duration::from_secs(10 * 60);
