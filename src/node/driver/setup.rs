//! What does not change as long as a node lives.

use libp2p::PeerId;

use crate::discovery::dialable::Page;
use crate::protocols::network::Network;

/// See the module's documentation.
pub(in crate::node) struct Setup {
    /// Our own id.
    pub(in crate::node) local: PeerId,
    pub(in crate::node) network: Network,
    /// What the page may dial.
    pub(in crate::node) page: Page,
    /// The largest message of the network, encoded.
    pub(in crate::node) max_message_bytes: usize,
}
