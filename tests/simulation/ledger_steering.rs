//! What the user and the machine told the manager of limits, modes, protection and pressure: the ledger's other half.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{Config, Event, Notice, Transport};

use crate::view::View;

/// Tags that one peer may have.
const MAX_TAGS: usize = 16;

/// Memory use up to which nothing is asked for.
const CALM_PERCENT: u64 = 70;

/// What the node is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    Normal,
    Paused,
    /// With this peer, or with the best that there is.
    Sync(Option<PeerId>),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Steering {
    pub(crate) mode: Mode,
    /// Whom the user holds.
    pub(crate) held: BTreeSet<PeerId>,
    /// Whom the user wants with this input, whatever deadline passed with it.
    pub(crate) wished: Option<PeerId>,
    /// Whose connections are protected, by which tags.
    pub(crate) tags: BTreeMap<PeerId, BTreeSet<String>>,
    /// The soft target that the user wants.
    pub(crate) wanted: u16,
    /// By transport, as far as the user said so.
    pub(crate) caps: BTreeMap<Transport, Option<u16>>,
    pub(crate) lifetime_ms: Option<u64>,
    /// Percent of the memory in use.
    pub(crate) memory: u64,
    /// When memory was last short.
    pub(crate) pressed_at: Option<u64>,
    pub(crate) constrained: bool,
    /// Nobody sees the page.
    pub(crate) hidden_since: Option<u64>,
    pub(crate) frozen: bool,
    local: PeerId,
}

impl Steering {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            mode: Mode::Normal,
            held: BTreeSet::new(),
            wished: None,
            tags: BTreeMap::new(),
            wanted: config.soft_connections,
            caps: BTreeMap::new(),
            lifetime_ms: None,
            memory: 0,
            pressed_at: None,
            constrained: false,
            hidden_since: None,
            frozen: false,
            local: config.local,
        }
    }

    /// Whether the user wants a peer's connection left alone.
    pub(crate) fn keeps(&self, peer: &PeerId) -> bool {
        self.held.contains(peer) || self.tags.contains_key(peer)
    }

    /// Peers that may be held or protected (4.8).
    pub(crate) fn budget(&self) -> usize {
        usize::from(self.wanted).div_ceil(2)
    }

    /// Whether one more may be.
    fn has_room_for(&self, peer: &PeerId) -> bool {
        let protected = self.tags.keys().filter(|peer| !self.held.contains(*peer));
        self.keeps(peer) || self.held.len() + protected.count() < self.budget()
    }

    fn lets_go(&mut self, peer: &PeerId) {
        self.held.remove(peer);
        self.tags.remove(peer);
    }

    /// `running` and `banned` are what they were before the event.
    pub(crate) fn told(
        &mut self,
        now: u64,
        event: &Event,
        running: bool,
        banned: bool,
        after: &View,
    ) {
        self.wished = None;
        match event {
            Event::Start | Event::Stop => self.mode = Mode::Normal,
            Event::Pause if running && self.mode == Mode::Normal => self.mode = Mode::Paused,
            Event::Unpause if self.mode == Mode::Paused => self.mode = Mode::Normal,
            Event::StartSync { peer } if running && *peer != Some(self.local) => {
                self.mode = Mode::Sync(*peer);
            }
            Event::StopSync if self.mode != Mode::Paused => self.mode = Mode::Normal,
            // A refused wish holds nobody; why it is refused is not judged here.
            Event::ConnectNow { peer, .. }
                if after.subject.as_ref().is_some_and(|view| view.pinned) =>
            {
                self.held.insert(*peer);
                self.wished = Some(*peer);
            }
            Event::HangUp { peer } => {
                self.held.remove(peer);
            }
            // A dial that nobody waits for any more leaves no trace (4.8), unless it was held by another one.
            Event::GaveUp { peer } if after.subject.as_ref().is_none_or(|view| !view.pinned) => {
                self.held.remove(peer);
            }
            Event::Forget { peer } => self.lets_go(peer),
            Event::Protect { peer, tag } => {
                // A full table has no place for a stranger.
                let known = after.subject.is_some() && *peer != self.local;
                if known && !banned && self.has_room_for(peer) {
                    let tags = self.tags.entry(*peer).or_default();
                    if tags.len() < MAX_TAGS {
                        tags.insert(tag.clone());
                    }
                }
            }
            Event::Unprotect { peer, tag } => {
                if let Some(tags) = self.tags.get_mut(peer) {
                    tags.remove(tag);
                    if tags.is_empty() {
                        self.tags.remove(peer);
                    }
                }
            }
            Event::SetLimits { soft, .. } => {
                // One to 256.
                self.wanted = soft.map_or(self.wanted, |soft| soft.clamp(1, 256));
            }
            Event::SetMaxByTransport { transport, max } => {
                self.caps.insert(*transport, *max);
            }
            Event::SetLifetime { ms } => self.lifetime_ms = ms.map(|ms| ms.max(60_000)),
            Event::Memory { used, limit } => {
                if self.memory > CALM_PERCENT {
                    self.pressed_at = Some(now);
                }
                self.memory = if *limit == 0 {
                    0
                } else {
                    (used * 100).div_ceil(*limit)
                };
                if self.memory > CALM_PERCENT {
                    self.pressed_at = Some(now);
                }
            }
            Event::NetworkChanged { constrained } => self.constrained = *constrained,
            Event::Visibility { hidden: true } => {
                self.hidden_since.get_or_insert(now);
            }
            Event::Visibility { hidden: false } => self.hidden_since = None,
            Event::Freeze => self.frozen = true,
            Event::Unfreeze => self.frozen = false,
            _ => {}
        }
    }

    /// News of a ban: one that the user orders may be refused.
    pub(crate) fn noticed(&mut self, notice: &Notice) {
        if let Notice::Banned { peer, .. } = notice {
            self.lets_go(peer);
        }
    }
}
