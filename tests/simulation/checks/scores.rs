//! S14: scores keep to their bounds, hints never ban, and what others say of a peer is no judgement of it.

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, Event, Notice, Outcome, Priority, Reason, RequirementId, ScoreParts, Source,
};

use super::{Invariant, Scene, Verdict, ensure};
use crate::view::{Input, Standing};

/// See the module.
pub(crate) struct Fair;

const BEST: i16 = 1_000;
/// All hints on a peer together (4.5).
const MOST_HINTED: i16 = 200;

fn within(part: i16, most: i16) -> bool {
    (-most..=most).contains(&part)
}

fn bounded(standing: &Standing) -> Verdict {
    let parts = &standing.parts;
    let qualities = parts.quality.iter().all(|(_, part)| within(*part, BEST));
    ensure!(
        qualities
            && within(standing.score, BEST)
            && within(parts.behaviour, BEST)
            && within(parts.hints, MOST_HINTED)
            && parts.reach <= 256,
        "out of bounds: {standing:?}"
    );
    Ok(())
}

/// Whether time alone makes the one of the other: toward nothing, and of the same sign.
fn faded(before: i16, after: i16) -> bool {
    after == 0 || (after.signum() == before.signum() && after.abs() <= before.abs())
}

fn quality(parts: &ScoreParts, requirement: RequirementId) -> i16 {
    let mut all = parts.quality.iter();
    all.find(|(id, _)| *id == requirement)
        .map_or(0, |(_, part)| *part)
}

/// Nobody judged it in between.
fn unjudged(before: &Standing, after: &Standing) -> bool {
    let all = after.parts.quality.iter();
    let mut all = all.map(|(id, part)| (quality(&before.parts, *id), *part));
    all.all(|(before, after)| faded(before, after))
        && faded(before.parts.behaviour, after.parts.behaviour)
        && before.priority == after.priority
        && (before.banned || !after.banned)
}

impl Fair {
    /// What it is before anybody met it.
    fn stranger(peer: &PeerId, scene: &Scene<'_>) -> Standing {
        let record = scene.ledger.peer(peer);
        let by_user = record.banned_by_user;
        Standing {
            score: 0,
            parts: ScoreParts::default(),
            priority: if by_user {
                Priority::Banned
            } else {
                Priority::Medium
            },
            banned: record.banned(scene.now()),
            failures: 0,
            flaps: 0,
        }
    }

    fn changes_nothing(event: &Event, scene: &Scene<'_>) -> Verdict {
        let Some(after) = &scene.view.standing else {
            return Ok(());
        };
        let (peer, third_party) = match event {
            Event::Discovered { peer, source, .. } => (
                peer,
                matches!(source, Source::PeerExchange | Source::Foreign),
            ),
            Event::Hint { peer, .. } => (peer, false),
            // What it did not do is told, and no more.
            Event::Report {
                peer,
                charged: false,
                outcome,
                ..
            } if *outcome != Outcome::Success => (peer, false),
            _ => return Ok(()),
        };
        let stranger = Self::stranger(peer, scene);
        let before = scene.view.prior.as_ref().unwrap_or(&stranger);
        // A ban may have ended with this very input.
        let fallen_due = scene.deadline_passed(scene.now());
        let pardoned = fallen_due && before.banned && !after.banned;
        ensure!(
            unjudged(before, after) || pardoned,
            "{event:?} made {before:?} into {after:?}"
        );
        ensure!(
            !third_party || after.parts.hints == before.parts.hints || fallen_due,
            "{event:?} made the user's hints {:?}, not {:?}",
            after.parts.hints,
            before.parts.hints
        );
        let known = scene.view.prior.is_some();
        let same = (before.failures, before.flaps, before.parts.reach)
            == (after.failures, after.flaps, after.parts.reach);
        ensure!(
            same || fallen_due || !known,
            "{event:?} made {before:?} into {after:?}"
        );
        Ok(())
    }
}

impl Invariant for Fair {
    fn id(&self) -> &'static str {
        "S14"
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Command::Notify(Notice::Banned { peer, reason }) = command else {
            return Ok(());
        };
        let deserved = match scene.input {
            Some(Input::Event(Event::Report {
                peer: of,
                outcome: Outcome::Fault,
                charged: true,
                ..
            })) => of == peer && *reason == Reason::BannedForFaults,
            Some(Input::Event(Event::SetPriority {
                peer: of,
                priority: Priority::Banned,
            })) => of == peer && *reason == Reason::BannedByUser,
            _ => false,
        };
        ensure!(deserved, "{peer} {reason} after {:?}", scene.input);
        Ok(())
    }

    fn after(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some(view) = &scene.view.subject {
            ensure!(within(view.score, BEST), "a score of {}", view.score);
        }
        if let Some(standing) = &scene.view.standing {
            bounded(standing)?;
        }
        match scene.input {
            Some(Input::Event(event)) => Self::changes_nothing(event, scene),
            _ => Ok(()),
        }
    }
}
