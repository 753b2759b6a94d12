//! Every number that the manager goes by, with its unit and its reason (`Policy` of the npm API).

use libp2p_identity::PeerId;

use super::event::Need;

/// What is wanted of the network.
#[derive(Debug, Clone)]
pub struct RequirementSpec {
    /// The name that the user sees: `lightPush`, `filter`, `store`.
    pub name: String,
    /// Protocol ids of which a provider's identify must list at least one.
    pub protocols: Vec<String>,
    /// How many.
    pub need: Need,
}

/// How the manager behaves.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our own id: never dialed.
    pub local: PeerId,
    /// What is wanted; the place in this list is the [`RequirementId`](super::RequirementId). At most 64.
    pub requirements: Vec<RequirementSpec>,
    /// The protocol id of peer exchange: who lists it can be asked for others. Empty: nobody is asked.
    pub peer_exchange_protocol: String,
    /// Whether bootstrap peers could ever come (a tree is configured), for the health's reason.
    pub has_dns: bool,
}
