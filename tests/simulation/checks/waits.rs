//! S2, backoff: how long a peer is left alone after a failure, worked out by 4.8 and not by what the
//! manager says of it.
//!
//! A job is at most three addresses of one peer, one after another, begun within 15 s. When all of them fail, the next job
//! comes no sooner than half of `min(cap, base · 2^(level − 1))` later, where the level counts the failed jobs, or the
//! connections that lasted less than a minute, whichever are more, since the last that lasted longer. Of what the page
//! leaves open the shortest wait is taken: what ends a suspicion, a sleep, or a change of network excuses everybody.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    CloseCause, Command, DialFailure, DialWhy, Event, GateQuery, Notice, Outcome, Reason,
};
use multiaddr::Multiaddr;

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::ConnRecord;
use crate::view::Input;

/// Losses this close to each other may belong together: those come back at times of their own.
const TOGETHER_MS: u64 = 3_000;
/// Doubling ends there.
const MOST_DOUBLINGS: u32 = 10;

#[derive(Debug, Clone, Default)]
struct Record {
    /// What was tried in this job, since when, and when the last of it failed.
    tried: Vec<Multiaddr>,
    began_at: u64,
    failed_at: Option<u64>,
    /// Something else than the peer made it fail.
    excused: bool,
    /// Failed jobs, and short connections.
    level: u32,
    flaps: u32,
    /// When it was lost early, and until when it is left alone for that.
    lost_at: Option<u64>,
    /// Nothing was tried since.
    lost_just_now: bool,
    waits_until: Option<u64>,
    /// It was connected, or served.
    good: bool,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Waits {
    peers: BTreeMap<PeerId, Record>,
    last_loss: Option<(PeerId, u64)>,
    /// The connection that ends with this input.
    ending: Option<ConnRecord>,
    /// Whose dial failed with it, and whether that is the peer's.
    failing: Option<(PeerId, bool)>,
}

impl Waits {
    /// The shortest wait at a level.
    fn least(peer: &PeerId, record: &Record, scene: &Scene<'_>) -> u64 {
        let config = scene.config;
        let ledger = scene.ledger;
        let pinned = ledger.steering.held.contains(peer) || ledger.peer(peer).requested;
        let (base, cap) = if pinned {
            (config.backoff_pinned_ms, config.backoff_pinned_cap_ms)
        } else if record.good {
            (config.backoff_good_ms, config.backoff_good_cap_ms)
        } else {
            (config.backoff_unknown_ms, config.backoff_unknown_cap_ms)
        };
        // Who served and is missed is tried every few seconds, at a level that the time gone by bounds (4.8). Whether it is
        // missed is not for this check to know: of such a peer the first wait alone is held.
        let level = if record.good && !pinned {
            1
        } else {
            record.level.max(record.flaps).max(1)
        };
        let wait = base.saturating_mul(1 << (level - 1).min(MOST_DOUBLINGS));
        wait.min(cap) / 2
    }

    /// The job is over without a connection.
    fn ends(&mut self, peer: &PeerId, scene: &Scene<'_>) {
        let Some(record) = self.peers.get_mut(peer) else {
            return;
        };
        record.tried.clear();
        if let Some(at) = record.failed_at.take()
            && !record.excused
        {
            // Of the first try after a loss the page does not say whether it counts beside the loss.
            if !std::mem::take(&mut record.lost_just_now) {
                record.level += 1;
            }
            let record = record.clone();
            let wait = Self::least(peer, &record, scene);
            self.peers.entry(*peer).or_default().waits_until = Some(at + wait);
        }
    }

    fn lost(&mut self, gone: &ConnRecord, scene: &Scene<'_>) {
        let now = scene.ledger.now;
        let together = self
            .last_loss
            .is_some_and(|(peer, at)| peer != gone.peer && now <= at + TOGETHER_MS);
        self.last_loss = Some((gone.peer, now));
        if together {
            for record in self.peers.values_mut() {
                if record.lost_at.is_some_and(|at| now <= at + TOGETHER_MS) {
                    (record.waits_until, record.flaps) = (None, 0);
                }
            }
        }
        let long = now - gone.opened_at >= scene.config.healthy_ms;
        let record = self.peers.entry(gone.peer).or_default();
        record.lost_at = Some(now);
        record.lost_just_now = true;
        if long || together {
            (record.level, record.flaps) = (0, 0);
            return;
        }
        record.flaps += 1;
        // How long it is left alone for that alone is for the stories of 4.8: which of several losses is the peer's own is
        // seen only by who takes charges back.
    }

    fn allows(&self, peer: &PeerId, scene: &Scene<'_>) -> Verdict {
        let until = self.peers.get(peer).and_then(|record| record.waits_until);
        let now = scene.now();
        ensure!(
            until.is_none_or(|until| now >= until),
            "{peer} failed and is to be left alone until {until:?}: {:?}",
            self.peers.get(peer)
        );
        Ok(())
    }
}

impl Invariant for Waits {
    fn id(&self) -> &'static str {
        "S2"
    }

    fn before(&mut self, scene: &Scene<'_>) -> Verdict {
        (self.ending, self.failing) = (None, None);
        let ledger = scene.ledger;
        match scene.input {
            Some(Input::Event(Event::DialFailed { dial, failure, .. })) => {
                let its = matches!(
                    failure,
                    DialFailure::Unreachable | DialFailure::Timeout | DialFailure::Handshake
                );
                let dial = ledger.dials.get(dial);
                self.failing = dial.map(|dial| (dial.peer, its));
            }
            // What the shell closed without an order is no loss.
            Some(Input::Event(Event::Closed { conn, cause })) => {
                let record = ledger.conns.get(conn).cloned();
                let only = |record: &ConnRecord| ledger.conns_of(&record.peer).len() == 1;
                let lost =
                    |record: &ConnRecord| record.closing.is_some() || *cause != CloseCause::Ordered;
                self.ending = record.filter(|record| only(record) && lost(record));
            }
            _ => {}
        }
        Ok(())
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        let ledger = scene.ledger;
        match scene.input {
            // Who was forgotten to make room is a stranger.
            Some(Input::Gate(GateQuery::Outbound { peer: Some(peer) }, Ok(())))
                if scene.view.subject.is_some() =>
            {
                self.allows(peer, scene)?;
            }
            Some(Input::Event(event)) => {
                if let Some((peer, its)) = self.failing
                    && let Some(record) = self.peers.get_mut(&peer)
                    && !record.tried.is_empty()
                {
                    record.excused |= !its;
                    record.failed_at = Some(ledger.now);
                }
                let anew = matches!(
                    event,
                    Event::Online
                        | Event::Offline
                        | Event::Start
                        | Event::Stop
                        | Event::NetworkChanged { .. }
                        | Event::Unfreeze
                );
                if anew || ledger.resumed() || ledger.suspects() || ledger.offline {
                    for record in self.peers.values_mut() {
                        // The job that is under way goes on.
                        *record = Record {
                            tried: std::mem::take(&mut record.tried),
                            began_at: record.began_at,
                            failed_at: record.failed_at,
                            excused: true,
                            lost_at: record.lost_at,
                            good: record.good,
                            ..Record::default()
                        };
                    }
                    self.ending = None;
                }
                match event {
                    Event::Connected { peer, .. } => {
                        let record = self.peers.entry(*peer).or_default();
                        record.tried.clear();
                        (record.failed_at, record.waits_until) = (None, None);
                        record.good = true;
                    }
                    // Who serves is good, connected or not.
                    Event::Report {
                        peer,
                        outcome: Outcome::Success,
                        ..
                    } => self.peers.entry(*peer).or_default().good = true,
                    Event::Forget { peer } => {
                        self.peers.remove(peer);
                    }
                    Event::ConnectNow { peer, .. }
                    | Event::HangUp { peer }
                    | Event::SetPriority { peer, .. } => {
                        if let Some(record) = self.peers.get_mut(peer) {
                            *record = Record {
                                lost_at: record.lost_at,
                                good: record.good,
                                ..Record::default()
                            };
                        }
                    }
                    _ => {}
                }
                let gone = self.ending.take();
                if let Some(gone) = &gone
                    && ledger.now - gone.opened_at >= scene.config.healthy_ms
                {
                    let record = self.peers.entry(gone.peer).or_default();
                    (record.level, record.flaps) = (0, 0);
                }
                if let Some(gone) = gone
                    && gone.closing.is_none_or(|(_, why)| {
                        matches!(why, Reason::PingTimeout | Reason::IdentifyFailed)
                    })
                {
                    self.lost(&gone, scene);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let now = scene.now();
        match command {
            Command::Dial {
                peer, route, why, ..
            } => {
                let (most, config) = (usize::from(scene.config.routes_per_dial), scene.config);
                let goes_on = self.peers.get(peer).is_some_and(|record| {
                    let young = now < record.began_at + config.dial_job_ms;
                    let room = (1..most).contains(&record.tried.len());
                    young && room && record.failed_at.is_some() && !record.tried.contains(route)
                });
                // A long way on, it may as well be the next job: only the level is not known then.
                let may_be_next = self.peers.get(peer).is_some_and(|record| {
                    let least = Self::least(peer, record, scene);
                    record.failed_at.is_some_and(|at| now >= at + least)
                });
                if goes_on && may_be_next {
                    let record = self.peers.entry(*peer).or_default();
                    record.tried.clear();
                    (record.began_at, record.excused) = (now, false);
                }
                if !goes_on {
                    self.ends(peer, scene);
                    let record = self.peers.entry(*peer).or_default();
                    // What the user waits for, what asks whether there is a network, and the first redial of the only one
                    // that can serve do not wait.
                    let sole = *why == DialWhy::Redial && record.flaps <= 1;
                    let excused = matches!(why, DialWhy::Requested | DialWhy::Probe) || sole;
                    if !excused {
                        self.allows(peer, scene)?;
                    }
                    let record = self.peers.entry(*peer).or_default();
                    (record.began_at, record.excused) = (now, false);
                }
                let record = self.peers.entry(*peer).or_default();
                record.failed_at = None;
                record.waits_until = None;
                record.tried.push(route.clone());
            }
            // Nobody needs it any more, or the shell is silent.
            Command::CancelDial { dial } => {
                if let Some(dial) = scene.ledger.dials.get(dial) {
                    let record = self.peers.entry(dial.peer).or_default();
                    record.tried.clear();
                    record.failed_at = None;
                }
            }
            // It had been forgotten.
            Command::Notify(Notice::Discovered { peer, .. }) => {
                self.peers.remove(peer);
            }
            _ => {}
        }
        Ok(())
    }
}
