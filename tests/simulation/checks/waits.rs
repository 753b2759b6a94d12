//! S2, backoff: how long a peer is left alone after a failure, worked out by 4.8 and not by what the manager says of it.
//!
//! An attempt is at most three addresses of one peer, each dialed as the one before fails, none begun after 15 s. When all
//! of them fail, or a connection ends within a minute, the next attempt comes no sooner than half of
//! `min(cap, base · 2^(level − 1))` later. The level counts the failed attempts, or those connections, whichever are more,
//! since the last that lasted longer.
//!
//! What is charged is taken back when our own network turns out to be to blame: all since somebody was heard last. A mass
//! loss costs nobody a wait, and what ends a sleep, a suspicion or an outage ends all waits, but no level. Where the
//! contract leaves a choice, or what decides can't be seen, the shortest wait is taken.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    CloseCause, Command, Config, DialFailure, DialWhy, Event, GateQuery, Notice, Outcome, Reason,
};
use multiaddr::Multiaddr;

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::ConnRecord;
use crate::orders::parting;
use crate::view::Input;

/// Doubling ends there.
const MOST_DOUBLINGS: u32 = 10;
/// Losses so close to each other may be one, in milliseconds (4.8, mass loss).
const TOGETHER_MS: u64 = 2_000;

/// What stands against a peer.
#[derive(Debug, Clone, Copy, Default)]
struct Charged {
    /// Failed attempts.
    level: u32,
    /// Short connections.
    flaps: u32,
}

#[derive(Debug, Clone, Default)]
struct Record {
    /// What was tried in this attempt, and since when.
    tried: Vec<Multiaddr>,
    began_at: u64,
    /// Something else than the peer made it fail.
    excused: bool,
    charged: Charged,
    /// What was charged before somebody was heard last, and which time that was.
    settled: Charged,
    heard: u64,
    /// When it was lost, and what was charged for that.
    lost_at: Option<u64>,
    flap: Option<Charged>,
    waits_until: Option<u64>,
    /// It was connected, or served.
    good: bool,
}

impl Record {
    /// Something is to be charged, which may be taken back until somebody is heard.
    fn charge(&mut self, heard: u64) -> &mut Charged {
        if self.heard != heard {
            (self.heard, self.settled) = (heard, self.charged);
        }
        &mut self.charged
    }

    /// It counts no more than this, also when what is charged is taken back.
    fn lower(&mut self, level: u32) {
        self.charged.level = self.charged.level.min(level);
        self.settled.level = self.settled.level.min(level);
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Waits {
    peers: BTreeMap<PeerId, Record>,
    /// How often somebody was heard.
    heard: u64,
    /// When there was an outage or a sleep last.
    disturbed_at: Option<u64>,
    /// Connections before this input, whether it tells of one of them once more, and the one that ends with it.
    conns: usize,
    again: bool,
    ended: Option<ConnRecord>,
    /// Whose dial failed with it, as long as no other address of it is dialed, and whether that is the peer's.
    failing: Option<(PeerId, bool)>,
}

/// Whether nobody but the peer, or the network, ended a connection. What the shell closed without an order is no loss.
fn is_lost(gone: &ConnRecord, cause: CloseCause) -> bool {
    match gone.closing {
        None => cause != CloseCause::Ordered,
        Some((_, why)) => matches!(why, Reason::PingTimeout | Reason::IdentifyFailed),
    }
}

/// Whether somebody is missing around this input, whom a peer may be needed for.
fn is_missing(scene: &Scene<'_>) -> bool {
    !scene.before.targets_hold() || !scene.view.targets_hold()
}

/// `min(cap, base · 2^(level − 1))`.
fn doubled(base: u64, level: u32, cap: u64) -> u64 {
    let doublings = level.saturating_sub(1).min(MOST_DOUBLINGS);
    base.saturating_mul(1 << doublings).min(cap)
}

/// The highest level of somebody who served and is missed, after so long: that of one try after all that time.
fn level_after(config: &Config, ms: u64) -> u32 {
    let base = config.backoff_good_ms;
    let levels = (1..=MOST_DOUBLINGS).rev();
    let mut fitting = levels.filter(|level| doubled(base, *level, u64::MAX) <= ms);
    fitting.next().unwrap_or(1)
}

impl Waits {
    /// For how long a peer that served may be missed, if it may: it is tried every few seconds then (4.8). Whether
    /// anybody else could stand in for it can't be seen.
    fn missed_for(record: &Record, scene: &Scene<'_>) -> Option<u64> {
        let (config, now) = (scene.config, scene.ledger.now);
        let down_ms = now - record.lost_at.filter(|_| record.good)?;
        let visible = scene.ledger.steering.hidden_since.is_none();
        let soon = down_ms < config.probe_eager_ms && record.charged.flaps < 2;
        (soon && visible && is_missing(scene)).then_some(down_ms)
    }

    /// It failed, or was lost: when the shortest wait that 4.8 allows is over.
    fn wait(&mut self, peer: &PeerId, scene: &Scene<'_>) {
        let (config, ledger) = (scene.config, scene.ledger);
        let Some(record) = self.peers.get_mut(peer) else {
            return;
        };
        let pinned = ledger.steering.held.contains(peer) || ledger.peer(peer).requested;
        let (base, cap) = if pinned {
            (config.backoff_pinned_ms, config.backoff_pinned_cap_ms)
        } else if record.good {
            (config.backoff_good_ms, config.backoff_good_cap_ms)
        } else {
            (config.backoff_unknown_ms, config.backoff_unknown_cap_ms)
        };
        let level = record.charged.level.max(record.charged.flaps);
        let mut wait = doubled(base, level, cap).div_ceil(2);
        if let Some(down_ms) = Self::missed_for(record, scene) {
            wait = wait.min(config.probe_min_ms);
            let most = level_after(config, down_ms);
            record.lower(most);
        }
        let until = ledger.now + wait;
        record.waits_until = Some(record.waits_until.map_or(until, |at| at.max(until)));
    }

    /// An attempt failed.
    fn over(&mut self, peer: &PeerId, scene: &Scene<'_>) {
        let heard = self.heard;
        if let Some(record) = self.peers.get_mut(peer)
            && !record.tried.is_empty()
        {
            record.tried.clear();
            if !record.excused {
                record.charge(heard).level += 1;
                self.wait(peer, scene);
            }
        }
    }

    /// A connection that lasts clears what stands against its peer.
    fn lasted(&mut self, conn: &ConnRecord, scene: &Scene<'_>) {
        if scene.ledger.now - conn.opened_at >= scene.config.healthy_ms {
            let record = self.peers.entry(conn.peer).or_default();
            (record.charged, record.settled) = Default::default();
        }
    }

    fn lost(&mut self, gone: &ConnRecord, scene: &Scene<'_>) {
        let (ledger, config) = (scene.ledger, scene.config);
        let now = ledger.now;
        let heard = self.heard;
        let record = self.peers.entry(gone.peer).or_default();
        record.lost_at = Some(now);
        record.flap = None;
        let disturbed = self.disturbed_at.is_some_and(|at| at > gone.opened_at);
        if now - gone.opened_at < config.healthy_ms && !disturbed {
            let rejected = now - gone.opened_at <= config.rejected_ms && !gone.identified;
            let flap = Charged {
                level: u32::from(rejected),
                flaps: 1,
            };
            let charged = record.charge(heard);
            charged.flaps += flap.flaps;
            charged.level += flap.level;
            record.flap = Some(flap);
        }
        if record.charged.flaps < 2 && is_missing(scene) {
            // The first time one whom nobody can stand in for is redialed at once, and its level is that of no time.
            record.lower(1);
        } else if record.flap.is_some() {
            self.wait(&gone.peer, scene);
        }
    }

    /// Half or more of at least three connections, or the last of several, are gone: those come back at times of their own.
    fn mass(&mut self, scene: &Scene<'_>) {
        let ledger = scene.ledger;
        // Whose end nobody confirmed was lost all the same.
        for (peer, _) in ledger
            .peers
            .iter()
            .filter(|(_, it)| it.last_lost == Some(ledger.now))
        {
            let record = self.peers.entry(*peer).or_default();
            record.lost_at = Some(ledger.now);
            if record.charged.flaps < 2 && is_missing(scene) {
                record.lower(1);
            }
        }
        let lately = |at: Option<u64>| at.is_some_and(|at| ledger.now <= at + TOGETHER_MS);
        let peers = ledger.peers.iter();
        let lost: Vec<PeerId> = peers
            .filter(|(_, peer)| lately(peer.last_lost))
            .map(|(peer, _)| *peer)
            .collect();
        let left = ledger.open().count();
        let before = lost.len() + left;
        if lost.len() < 2 || (left > 0 && (before < 3 || lost.len() * 2 < before)) {
            return;
        }
        for peer in lost {
            if let Some(record) = self.peers.get_mut(&peer) {
                record.waits_until = None;
                if let Some(flap) = record.flap.take() {
                    let charged = &mut record.charged;
                    charged.flaps = charged.flaps.saturating_sub(flap.flaps);
                    charged.level = charged.level.saturating_sub(flap.level);
                }
            }
        }
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

    /// What an event about the machine changes for everybody.
    fn disturbs(&mut self, event: &Event, scene: &Scene<'_>) {
        let ledger = scene.ledger;
        let anew = matches!(
            event,
            Event::Online
                | Event::Offline
                | Event::Start
                | Event::Stop
                | Event::NetworkChanged { .. }
                | Event::Unfreeze
        );
        let disturbed = anew || ledger.resumed() || ledger.suspects() || ledger.hint.believed;
        if disturbed {
            self.disturbed_at = Some(ledger.now);
            for record in self.peers.values_mut() {
                record.waits_until = None;
                record.excused = true;
                if ledger.suspects() && record.heard == self.heard {
                    record.charged = record.settled;
                }
                if matches!(event, Event::NetworkChanged { .. } | Event::Online) {
                    record.charged.level = 0;
                }
            }
        }
        // Whatever failed before somebody answers was the fault of those who did.
        let answered = match event {
            Event::Connected { conn, .. } => !self.again && ledger.conns.contains_key(conn),
            Event::Pong { conn, ping, .. } => {
                let conn = ledger.conns.get(conn);
                conn.is_some_and(|conn| conn.ping == *ping)
            }
            _ => false,
        };
        self.heard += u64::from(answered);
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Connected { peer, .. } => {
                let record = self.peers.entry(*peer).or_default();
                record.tried.clear();
                record.waits_until = None;
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
    }
}

impl Invariant for Waits {
    fn id(&self) -> &'static str {
        "S2"
    }

    fn before(&mut self, scene: &Scene<'_>) -> Verdict {
        (self.ended, self.failing) = (None, None);
        let ledger = scene.ledger;
        self.conns = ledger.conns.len();
        self.again = false;
        match scene.input {
            Some(Input::Event(Event::Connected { conn, .. })) => {
                self.again = ledger.conns.contains_key(conn);
            }
            Some(Input::Event(Event::DialFailed { dial, failure, .. })) => {
                let its = matches!(
                    failure,
                    DialFailure::Unreachable | DialFailure::Timeout | DialFailure::Handshake
                );
                let dial = ledger.dials.get(dial);
                self.failing = dial.map(|dial| (dial.peer, its));
            }
            Some(Input::Event(Event::Closed { conn, .. })) => {
                let only = |record: &&ConnRecord| ledger.conns_of(&record.peer).len() == 1;
                self.ended = ledger.conns.get(conn).filter(only).cloned();
            }
            _ => {}
        }
        Ok(())
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
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
                {
                    record.excused |= !its;
                }
                self.disturbs(event, scene);
                self.event(event);
                if let (Some(gone), Event::Closed { cause, .. }) = (self.ended.take(), event) {
                    self.lasted(&gone, scene);
                    if is_lost(&gone, *cause) {
                        self.lost(&gone, scene);
                    }
                }
                // Also those whose end nobody confirmed.
                if scene.ledger.conns.len() < self.conns {
                    self.mass(scene);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let now = scene.now();
        if let Some((conn, ..)) = parting(command)
            && let Some(conn) = scene.ledger.conns.get(&conn)
        {
            self.lasted(conn, scene);
        }
        match command {
            Command::Dial {
                peer, route, why, ..
            } => {
                let (most, config) = (usize::from(scene.config.routes_per_dial), scene.config);
                let fails = self.failing.take_if(|(failing, _)| failing == peer);
                let goes_on = self.peers.get(peer).is_some_and(|record| {
                    let young = now < record.began_at + config.dial_job_ms;
                    let room = (1..most).contains(&record.tried.len());
                    fails.is_some() && young && room && !record.tried.contains(route)
                });
                if !goes_on {
                    if fails.is_some() {
                        self.over(peer, scene);
                    }
                    // What the user waits for, and what asks whether there is a network, does not wait.
                    if !matches!(why, DialWhy::Requested | DialWhy::Probe) {
                        self.allows(peer, scene)?;
                    }
                    let record = self.peers.entry(*peer).or_default();
                    record.tried.clear();
                    (record.began_at, record.excused) = (now, false);
                }
                let record = self.peers.entry(*peer).or_default();
                record.waits_until = None;
                record.tried.push(route.clone());
            }
            // Nobody needs it any more, or the shell is silent.
            Command::CancelDial { dial } => {
                if let Some(dial) = scene.ledger.dials.get(dial) {
                    self.peers.entry(dial.peer).or_default().tried.clear();
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

    /// Where no other address was dialed the attempt is over.
    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some((peer, _)) = self.failing.take() {
            self.over(&peer, scene);
        }
        Ok(())
    }
}
