//! S19, closes: every one has a reason that the facts bear out. Where it is for others, no guard stood before it in
//! `explain` that the input did not take away.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    CloseCause, Command, ConnId, DialFailure, Event, Guard, Metadata, Notice, Outcome, Reason,
};

use super::closing::served;
use super::transports::above_its_cap;
use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::ConnRecord;
use crate::ledger_steering::Mode;
use crate::orders::parting;
use crate::view::Input;

/// What a connection has at least to answer after sleep (4.14).
const LEAST_ANSWER_MS: u64 = 3_000;

/// Memory use up to which nothing is asked for.
const CALM_PERCENT: u64 = 70;
/// The limits that memory lowered are what they were by then: one connection more for each three windows (4.14).
const PRESSURE_MS: u64 = 16 * 3 * 10_000;
/// Memory use above which targets may break.
const HARD_PERCENT: u64 = 85;

/// Whether an event may change who serves, how many are new, what is wanted, or what of that is granted.
fn may_change_service(event: &Event) -> bool {
    !matches!(
        event,
        Event::Tick
            | Event::Discovered { .. }
            | Event::Answered { .. }
            | Event::DnsFinished { .. }
            | Event::AddRoute { .. }
            | Event::RemoveRoute { .. }
            | Event::Hint { .. }
            | Event::Protect { .. }
            | Event::Unprotect { .. }
            | Event::GaveUp { .. }
            | Event::Doubt { .. }
            | Event::Scores { .. }
            | Event::ExtendLock { .. }
            | Event::CloseBurst { .. }
            | Event::Freeze
    )
}

/// Whether an input, or a deadline that passed with it, may have taken away what kept a connection.
fn may_lift(guard: Guard, reason: Reason, peer: &PeerId, scene: &Scene<'_>) -> bool {
    let Some(Input::Event(event)) = scene.input else {
        return false;
    };
    let of_peer = scene.ledger.subject(event) == Some(*peer);
    let due = scene.deadline_passed(scene.now());
    match guard {
        Guard::Pinned | Guard::Protected => {
            let word = matches!(
                event,
                Event::Unprotect { .. }
                    | Event::GaveUp { .. }
                    | Event::HangUp { .. }
                    | Event::SetPriority { .. }
                    | Event::Forget { .. }
            );
            of_peer && word
        }
        Guard::Sync => matches!(
            event,
            Event::StopSync | Event::StartSync { .. } | Event::Start
        ),
        Guard::Locked => {
            let word = matches!(event, Event::Unlock { .. } | Event::Withdraw { .. });
            due || word
        }
        // Whose own work is over is neither new nor missed (4.13).
        Guard::Grace | Guard::LastGroup
            if matches!(
                reason,
                Reason::Idle | Reason::FailedService | Reason::HandedOff
            ) =>
        {
            true
        }
        Guard::Asked => of_peer || due,
        Guard::Grace | Guard::Minimum | Guard::Target | Guard::LastGroup => {
            due || may_change_service(event)
        }
    }
}

/// Whether a close is for others, and asks every guard.
fn asks_guards(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::NotNeeded
            | Reason::Surplus
            | Reason::Idle
            | Reason::LifetimeOver
            | Reason::HandedOff
            | Reason::FailedService
            | Reason::BurstOver
    )
}

/// See the module.
#[derive(Default)]
pub(crate) struct Plausible {
    /// The connection that ended with this input, and what the shell saw.
    ended: Option<(ConnRecord, CloseCause)>,
    ended_conn: Option<ConnId>,
    /// The connection that the input is about, as it was before: deadlines that passed come first.
    prior: Option<(ConnId, ConnRecord)>,
    /// Who had several connections before the input.
    doubled: BTreeSet<PeerId>,
    /// Who broke the protocol.
    faulty: BTreeSet<PeerId>,
    /// Who turned out to be of another network, by the last word on it.
    strangers: BTreeMap<PeerId, u64>,
}

impl Plausible {
    fn closes(&self, conn: ConnId, record: &ConnRecord, reason: Reason, scene: &Scene<'_>) -> bool {
        let (ledger, config) = (scene.ledger, scene.config);
        let peer = ledger.peer(&record.peer);
        let age = ledger.now - record.opened_at;
        let targets = scene.view.targets_hold();
        // What was too many may be asked for by what follows from the close.
        let soft = scene.least_soft();
        let ended = self.ended.as_ref();
        let just_ended = ended.is_some_and(|(gone, _)| gone.peer == record.peer);
        // A deadline may have passed while both were there.
        let doubled = self.doubled.contains(&record.peer);
        let others = just_ended || doubled || ledger.conns_of(&record.peer).len() > 1;
        match reason {
            Reason::HungUp => peer.hung_up,
            Reason::Stopped => !ledger.running,
            Reason::BannedByUser => peer.banned_by_user,
            // The news of the ban may come after the close.
            Reason::BannedForFaults => {
                let news = Notice::Banned {
                    peer: record.peer,
                    reason,
                };
                peer.banned(ledger.now) || scene.commands.contains(&Command::Notify(news))
            }
            Reason::OtherNetwork => {
                record.metadata == Some(Metadata::OtherNetwork)
                    || self.strangers.contains_key(&record.peer)
            }
            Reason::MetadataFailed => record.metadata == Some(Metadata::Faulty),
            Reason::HandedOff => peer.is_bootstrap() && targets,
            // What they may cost is for S5 and the guards to say.
            Reason::NotNeeded | Reason::Surplus | Reason::LifetimeOver => true,
            // A protocol that leaves takes its requirement along.
            Reason::Idle => {
                let mut served = served(scene, &record.peer).into_iter();
                others || !served.any(|id| scene.view.requirement(id).is_some())
            }
            // When memory is short offenders pay first, also below the limit (4.13, phase 4).
            Reason::OverQuota if ledger.steering.memory > HARD_PERCENT => true,
            Reason::OverLimit | Reason::OverQuota => ledger.open().count() >= soft,
            // Whoever was let in without its address being known, or while nobody is.
            Reason::DiversityLimit | Reason::SubnetBanned => age == 0,
            Reason::Paused => age == 0 && ledger.steering.mode == Mode::Paused,
            Reason::TransportLimit => age == 0 || above_its_cap(record, ledger),
            // In a sync one is used, and whom the user keeps stays (4.18).
            Reason::InitialSync => matches!(ledger.steering.mode, Mode::Sync(_)),
            Reason::BadBehaviour => self.faulty.contains(&record.peer),
            Reason::Forgotten => matches!(
                scene.input,
                Some(Input::Event(Event::Forget { peer })) if *peer == record.peer
            ),
            // Above 70 % the limits fall, above 85 % targets break, above 95 % minima (4.14).
            Reason::MemoryPressure => {
                let pressed = ledger.steering.pressed_at;
                ledger.steering.memory > CALM_PERCENT
                    || pressed.is_some_and(|at| ledger.now <= at + PRESSURE_MS)
            }
            // That the burst is over is for S12 to see.
            Reason::BurstOver => ledger.claims.made.contains_key(&conn),
            Reason::FailedService => !scene
                .view
                .requirements
                .iter()
                .any(|view| view.peers.contains(&record.peer)),
            Reason::Duplicate => others && age >= config.duplicate_grace_ms,
            Reason::NotAdmitted => {
                !record.admitted || scene.view.stats.known as usize >= config.max_peers
            }
            Reason::PingTimeout => {
                let in_time = |since| ledger.now < since + LEAST_ANSWER_MS;
                record.unanswered >= u32::from(config.ping_failures)
                    || record.on_trial.is_some_and(|since| !in_time(since))
            }
            Reason::IdentifyFailed => {
                let silent = !record.identified && age >= config.identify_ms;
                let unverified = config.verify_ms + config.unverified_ms;
                silent || (record.metadata.is_none() && age >= unverified)
            }
            Reason::OurOwnId => record.peer == config.local,
            Reason::LimitReached => ledger.conns.len() + ledger.dials.len() >= soft,
            _ => false,
        }
    }
}

impl Invariant for Plausible {
    fn id(&self) -> &'static str {
        "S19"
    }

    fn before(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some(Input::Event(Event::Report {
            peer,
            outcome: Outcome::Fault,
            charged: true,
            ..
        })) = scene.input
        {
            self.faulty.insert(*peer);
        }
        let (mut seen, conns) = (BTreeSet::new(), scene.ledger.conns.values());
        let mut peers = conns.map(|conn| conn.peer);
        self.doubled = peers.by_ref().filter(|peer| !seen.insert(*peer)).collect();
        self.prior = match scene.input {
            Some(Input::Event(
                Event::Identified { conn, .. }
                | Event::Metadata { conn, .. }
                | Event::Pong { conn, .. },
            )) => {
                let record = scene.ledger.conns.get(conn).cloned();
                record.map(|record| (*conn, record))
            }
            _ => None,
        };
        self.ended = match scene.input {
            Some(Input::Event(Event::Closed { conn, cause })) => {
                self.ended_conn = Some(*conn);
                let record = scene.ledger.conns.get(conn);
                record.map(|record| (record.clone(), *cause))
            }
            Some(Input::Event(Event::Metadata {
                conn,
                metadata: Metadata::OtherNetwork,
            })) => {
                if let Some(record) = scene.ledger.conns.get(conn) {
                    self.strangers.insert(record.peer, scene.now());
                }
                None
            }
            _ => None,
        };
        Ok(())
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        if let Some((conn, reason, _)) = parting(command) {
            let Some(record) = scene.ledger.conns.get(&conn) else {
                return Ok(());
            };
            let said = scene.view.explained.get(&record.peer);
            if let Some(guard) = said.and_then(|said| said.not_closed)
                && asks_guards(reason)
            {
                // A second connection is kept by nobody.
                let only = scene.ledger.conns_of(&record.peer).len() == 1;
                ensure!(
                    !only || may_lift(guard, reason, &record.peer, scene),
                    "{conn:?} of {} closed as {reason}, though it was kept as {guard:?}",
                    record.peer
                );
            }
            let prior = self.prior.as_ref().filter(|(prior, _)| *prior == conn);
            ensure!(
                self.closes(conn, record, reason, scene)
                    || prior.is_some_and(|(_, prior)| self.closes(conn, prior, reason, scene)),
                "{conn:?} of {} closed as {reason}: {record:?}",
                record.peer
            );
        }
        if let Command::Notify(Notice::Disconnected { peer, reason, .. }) = command {
            let Some((record, cause)) = &self.ended else {
                return Ok(());
            };
            if record.peer != *peer {
                return Ok(());
            }
            // A deadline may have closed it with this very input.
            let just_now = scene.commands.iter().any(|command| {
                parting(command)
                    .is_some_and(|(conn, why, _)| Some(conn) == self.ended_conn && why == *reason)
            });
            let right = just_now
                || match (record.closing, cause) {
                    (Some((_, why)), _) => *reason == why,
                    (None, CloseCause::Ordered) => *reason == Reason::Stopped,
                    (None, CloseCause::RemoteClean) => {
                        matches!(reason, Reason::RemoteClosed | Reason::RejectedByRemote)
                    }
                    (None, CloseCause::Broken) => matches!(
                        reason,
                        Reason::ConnectionLost | Reason::RejectedByRemote | Reason::NetworkLost
                    ),
                    (None, CloseCause::TimedOut) => *reason == Reason::PingTimeout,
                    (None, CloseCause::IdentifyFailed) => *reason == Reason::IdentifyFailed,
                };
            ensure!(
                right,
                "{peer} said to be gone as {reason}: {cause:?}, {record:?}"
            );
        }
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        let (Some(Input::Event(Event::DialFailed { dial, failure, .. })), Some(view)) =
            (scene.input, &scene.view.subject)
        else {
            return Ok(());
        };
        // Its watchdog may have come first.
        let given_up = Command::CancelDial { dial: *dial };
        if scene.commands.contains(&given_up) {
            return Ok(());
        }
        let wanted = match failure {
            DialFailure::Unreachable => Reason::Unreachable,
            DialFailure::Timeout => Reason::DialTimeout,
            DialFailure::Handshake => Reason::HandshakeFailed,
            DialFailure::WrongId => Reason::WrongId,
            DialFailure::NotAllowed => Reason::NotAllowed,
            DialFailure::Cancelled => return Ok(()),
        };
        ensure!(
            view.last_reason == Some(wanted),
            "{}: {failure}, and the reason is {:?}",
            view.peer,
            view.last_reason
        );
        Ok(())
    }
}
