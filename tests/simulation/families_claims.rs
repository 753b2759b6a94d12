//! What protocols ask for, over many seeds: that it occurs at all, that it ends when nobody answers any more (L4), and
//! that a malicious protocol takes nothing from others (A6).

use std::collections::BTreeMap;

use lightkeeper::manager::{BurstAnswer, Command, DialWhy, LockAnswer, Offer, Reason};

use crate::orders::parting;
use crate::runner::run;
use crate::script::Script;
use crate::world::Options;

/// What an order says to a protocol, or does for one.
fn kind(command: &Command) -> Option<String> {
    let kind = match command {
        Command::Offer { offer, .. } => match offer {
            Offer::Granted(_) => "granted".to_owned(),
            Offer::Counter { answer_ms: 0, .. } => "shrunk".to_owned(),
            Offer::Counter { .. } => "countered".to_owned(),
            Offer::Rejected(reason) => format!("rejected: {reason}"),
            Offer::Ended => "left".to_owned(),
        },
        Command::Lock { answer, .. } => match answer {
            LockAnswer::Granted { .. } => "lock granted".to_owned(),
            LockAnswer::Denied(denial) => format!("lock denied: {denial}"),
            LockAnswer::Revoked { reason, grace_ms } => {
                let graced = if *grace_ms > 0 { "with" } else { "without" };
                format!("lock revoked {graced} grace: {reason}")
            }
            LockAnswer::Ended => "lock ended".to_owned(),
        },
        Command::Burst { answer, .. } => match answer {
            BurstAnswer::Granted { .. } => "burst granted".to_owned(),
            BurstAnswer::Denied(reason) => format!("burst denied: {reason}"),
            BurstAnswer::Closed => "burst closed".to_owned(),
        },
        Command::RequestScores { .. } => "scores asked for".to_owned(),
        Command::Dial {
            why: DialWhy::Burst(_),
            ..
        } => "dialed for a burst".to_owned(),
        _ => {
            let (_, reason, _) = parting(command)?;
            let for_room = matches!(
                reason,
                Reason::BurstOver | Reason::OverLimit | Reason::OverQuota | Reason::Idle
            );
            return for_room.then(|| format!("closed: {reason}"));
        }
    };
    Some(kind)
}

/// How often each came over the default seeds that play claims.
fn counts() -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for seed in (0..320).filter(|seed| matches!(seed % 8, 4 | 7)) {
        let options = Options {
            record: true,
            ..Options::default()
        };
        let run = run(&Script::from_seed(seed), options);
        let steps = run.log.steps.unwrap_or_default();
        for command in steps.iter().flat_map(|step| &step.commands) {
            if let Some(kind) = kind(command) {
                *counts.entry(kind).or_insert(0) += 1;
            }
        }
    }
    counts
}

/// A check whose subject never occurs is no check. `SIM_COUNTS=1 … -- occurs --nocapture` prints how often it does.
#[test]
fn whatever_is_judged_of_claims_occurs() {
    let counts = counts();
    if std::env::var_os("SIM_COUNTS").is_some() {
        for (kind, count) in &counts {
            println!("{count:>7} {kind}");
        }
    }
    let often = [
        "granted",
        "countered",
        "shrunk",
        "rejected: not-enrolled",
        "rejected: no-share",
        "left",
        "lock granted",
        "lock ended",
        "burst granted",
        "burst closed",
        "dialed for a burst",
        "closed: burst-over",
        "scores asked for",
    ];
    for kind in often {
        let count = counts.get(kind).copied().unwrap_or(0);
        assert!(count >= 10, "{kind}: {count} times");
    }
}
