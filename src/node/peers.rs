//! What the user wants of single peers.

use libp2p::PeerId;
use libp2p::multiaddr::Multiaddr;

use super::config::Bootstrap;
use super::error::{ErrorCode, NodeError};
use super::handle::Node;
use super::undo::Undo;
use crate::discovery::address;
use crate::discovery::dialable::{dialable, split_peer};
use crate::manager::{Event, PeerState, PeerView, Priority, Reason};

/// Longest name of a tag or a hint, in bytes: it is a label, not a place for data.
const MAX_TAG: usize = 64;

/// The worth of a hint: what a peer's whole score can be.
const HINT: std::ops::RangeInclusive<i16> = -1_000..=1_000;

impl Node {
    /// Dials a peer and holds it until [`Self::hang_up`]. The target is a multiaddr with `/p2p/…`, a record or the id of
    /// a known peer. A dial that fails, or that the caller gives up, leaves the peer as it was: it is not held.
    ///
    /// # Errors
    /// `invalid-options`, `not-started`, `closed`, `denied`, or `dial-failed` with the last failure.
    pub async fn dial(&self, target: &str) -> Result<PeerView, NodeError> {
        let peer = {
            let mut driver = self.open_driver()?;
            if !driver.is_started() {
                return Err(NodeError::not_started());
            }
            let (peer, routes) = match target.parse::<PeerId>() {
                Ok(peer) => (peer, Vec::new()),
                Err(_) => match Bootstrap::parse(target)
                    .map_err(|message| NodeError::option("target", message))?
                {
                    Bootstrap::Address(peer, route) => {
                        if !dialable(&route, driver.setup().page) {
                            return Err(not_dialable(target));
                        }
                        (peer, vec![route])
                    }
                    Bootstrap::Record(enr) => {
                        let routes: Vec<_> = enr
                            .multiaddrs()
                            .into_iter()
                            .filter(|address| dialable(address, driver.setup().page))
                            .map(|address| split_peer(address).0)
                            .collect();
                        if routes.is_empty() {
                            return Err(not_dialable(target));
                        }
                        (enr.peer_id(), routes)
                    }
                    Bootstrap::DnsAddr(..) | Bootstrap::Tree(_) => {
                        return Err(NodeError::option(
                            "target",
                            format!(
                                "{target:?} should name one peer: a multiaddr that ends in /p2p/…, an enr: text or a peer id"
                            ),
                        ));
                    }
                },
            };
            if let Some(reason) = driver.dial_for_user(peer, routes) {
                driver.input(Event::GaveUp { peer });
                return Err(denied(peer, "dialed", reason));
            }
            peer
        };
        let undo = Undo::new(self, move |driver| driver.input(Event::GaveUp { peer }));
        let dialed = self.until(|driver| {
            if driver.has_inputs() {
                return None;
            }
            let view = driver.manager().peer(&peer);
            // Hung up, banned or forgotten meanwhile: connected or not, it is not held as a dialed peer is.
            let Some(view) = view.clone().filter(|view| view.pinned) else {
                let reason = view.and_then(|view| view.last_reason);
                let reason = reason.unwrap_or(Reason::Forgotten);
                return Some(Err(denied(peer, "held any more", reason)));
            };
            match view.state {
                PeerState::Connected => Some(Ok(view)),
                // Another address may be tried after the one that failed.
                PeerState::Dialing => None,
                // Without a failure its turn is still to come.
                _ => driver.dial_failure(&peer).map(|(address, failure)| {
                    let message = format!("could not connect to {peer}: {failure}");
                    let error = NodeError::new(ErrorCode::DialFailed, message);
                    let error = error.about(peer).at(address.to_string());
                    Err(error.because(failure.as_str()))
                }),
            }
        });
        let view = dialed.await?;
        undo.disarm();
        Ok(view)
    }

    /// Closes the connection to a peer on purpose and bars it until [`Self::dial`], `set_priority` or a restart. Ends when
    /// the connection is closed; a peer that is not connected is only barred.
    ///
    /// # Errors
    /// `closed`.
    pub async fn hang_up(&self, peer: PeerId) -> Result<(), NodeError> {
        self.open_driver()?.input(Event::HangUp { peer });
        self.until(|driver| {
            if driver.has_inputs() {
                return None;
            }
            let state = driver.manager().peer(&peer).map(|view| view.state);
            (!matches!(
                state,
                Some(PeerState::Connected | PeerState::Closing | PeerState::Dialing)
            ))
            .then_some(Ok(()))
        })
        .await
    }

    /// Changes how much the user cares for a peer.
    ///
    /// # Errors
    /// `denied` with the manager's reason, for our own id or beyond the number of bans; `closed`.
    pub fn set_priority(&self, peer: PeerId, priority: Priority) -> Result<(), NodeError> {
        let what = match priority {
            Priority::Banned => "banned",
            _ => "given that priority",
        };
        self.wish(peer, what, Event::SetPriority { peer, priority })
    }

    /// The user knows an address of a peer: kept before those that others claim. It may end in `/p2p/…` of that peer.
    ///
    /// # Errors
    /// `invalid-options` for what is no address of that peer, or none that this page can dial; `denied` with the manager's
    /// reason when it has enough of the user's already; `closed`.
    pub fn add_route(&self, peer: PeerId, address: &str) -> Result<(), NodeError> {
        let page = self.open_driver()?.setup().page;
        let route = route_of(peer, address)?;
        if !dialable(&route, page) {
            return Err(NodeError::option("address", NOT_DIALABLE));
        }
        self.wish(peer, "given that address", Event::AddRoute { peer, route })
    }

    /// The user knows that an address of a peer is wrong. An open connection stays.
    ///
    /// # Errors
    /// `invalid-options` for what is no address of that peer; `closed`.
    pub fn remove_route(&self, peer: PeerId, address: &str) -> Result<(), NodeError> {
        let route = route_of(peer, address)?;
        self.input(Event::RemoveRoute { peer, route })
    }

    /// Drops what is known of a peer. An open connection is closed; a ban stays.
    ///
    /// # Errors
    /// `closed`.
    pub fn forget(&self, peer: PeerId) -> Result<(), NodeError> {
        self.input(Event::Forget { peer })
    }

    /// Leaves a peer's connection alone as long as this tag stands, within the pin budget. Dials nobody.
    ///
    /// # Errors
    /// `invalid-options` for a tag that is empty or longer than 64 bytes; `denied` with the manager's reason, for a peer that
    /// is banned, beyond the budget or beyond the number of tags; `closed`.
    pub fn protect(&self, peer: PeerId, tag: &str) -> Result<(), NodeError> {
        let tag = label("tag", tag)?;
        self.wish(peer, "protected", Event::Protect { peer, tag })
    }

    /// Takes one tag back.
    ///
    /// # Errors
    /// `invalid-options` for a tag that can't be one; `closed`.
    pub fn unprotect(&self, peer: PeerId, tag: &str) -> Result<(), NodeError> {
        let tag = label("tag", tag)?;
        self.input(Event::Unprotect { peer, tag })
    }

    /// Says what a peer is worth to the user, from -1000 to 1000; it fades within `ttl_ms`, or stays. A second hint of the
    /// same name replaces the first.
    ///
    /// # Errors
    /// `invalid-options` for a name that is empty or longer than 64 bytes, or a value out of range; `denied` with the
    /// manager's reason, for our own id or beyond the number of hints; `closed`.
    pub fn hint(
        &self,
        peer: PeerId,
        name: &str,
        value: i16,
        ttl_ms: Option<u64>,
    ) -> Result<(), NodeError> {
        let tag = label("name", name)?;
        if !HINT.contains(&value) {
            return Err(NodeError::option("value", "should be from -1000 to 1000"));
        }
        let hint = Event::Hint {
            peer,
            tag,
            value,
            ttl_ms,
        };
        self.wish(peer, "given that worth", hint)
    }

    /// Connects to a peer now and holds it for good, within the pin budget: also when it can't be dialed at this moment.
    ///
    /// # Errors
    /// `denied` with the manager's reason, for a peer that is banned or beyond the budget; `closed`.
    pub fn keep(&self, peer: PeerId) -> Result<(), NodeError> {
        let wish = Event::ConnectNow {
            peer,
            routes: Vec::new(),
            permanent: true,
        };
        self.wish(peer, "held", wish)
    }

    /// Tells the manager what the user wants of a peer. `what` the peer is not, when that is refused.
    fn wish(&self, peer: PeerId, what: &str, wish: Event) -> Result<(), NodeError> {
        let refused = self.open_driver()?.wish(wish);
        refused.map_or(Ok(()), |reason| Err(denied(peer, what, reason)))
    }
}

fn denied(peer: PeerId, what: &str, reason: Reason) -> NodeError {
    NodeError::denied(format!("{peer} is not {what}"), reason.as_str()).about(peer)
}

/// An address of a peer, without its id at the end.
fn route_of(peer: PeerId, text: &str) -> Result<Multiaddr, NodeError> {
    let wrong = |what| NodeError::option("address", format!("{text:?} {what}")).about(peer);
    let address = address::parse(text).map_err(|_| wrong("is not a valid multiaddr"))?;
    match split_peer(address) {
        (_, Some(other)) if other != peer => Err(wrong("is an address of another peer")),
        (route, _) if route.is_empty() => Err(wrong("should name an address before /p2p/")),
        (route, _) => Ok(route),
    }
}

fn label(option: &'static str, text: &str) -> Result<String, NodeError> {
    if text.is_empty() || text.len() > MAX_TAG {
        let message = format!("should be a text of 1 to {MAX_TAG} bytes");
        return Err(NodeError::option(option, message));
    }
    Ok(text.to_owned())
}

const NOT_DIALABLE: &str = "this page can't dial that address: it takes ws or wss, secure ones on a secure page, and private ones only with allowPrivateAddresses";

fn not_dialable(target: &str) -> NodeError {
    NodeError::new(ErrorCode::DialFailed, NOT_DIALABLE).at(target.to_owned())
}
