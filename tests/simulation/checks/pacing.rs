//! S10: how fast, and how many at once (4.7).
//!
//! A page that somebody sees has two tokens a second and six dials under way, one whose network is to be spared has one
//! and three, and one that nobody has seen for a minute has one in five seconds and one dial. When of the last dials
//! less than a quarter succeeded, although a connection works, tokens come half as fast (4.14).

use std::collections::VecDeque;

use lightkeeper::manager::{Command, Config, DialFailure, DialWhy, Event, GateQuery, Metadata};

use super::{Invariant, Scene, Verdict, ensure};
use crate::ledger::Ledger;
use crate::orders::endpoint;
use crate::view::Input;

/// A bucket of its own, in millionths of a token.
#[derive(Default)]
pub(crate) struct Paced {
    /// When it was looked at last, and what was in it.
    level: Option<(u64, i64)>,
    /// What comes back each millisecond.
    rate: u64,
    /// How the last dials ended; true: with a connection.
    ended: VecDeque<bool>,
    halved: bool,
}

const TOKEN: i64 = 1_000_000;
/// Nobody looks again soon at a page that is hidden for this long.
const HIDDEN_MS: u64 = 60_000;
/// The dials of which most are to fail.
const LOOKED_AT: usize = 16;

fn is_hidden(ledger: &Ledger) -> bool {
    let since = ledger.steering.hidden_since;
    since.is_some_and(|since| ledger.now >= since + HIDDEN_MS)
}

/// Dials that may be under way at once.
fn at_once(ledger: &Ledger, config: &Config) -> usize {
    if is_hidden(ledger) {
        1
    } else if ledger.steering.constrained {
        config.dials_in_flight.div_ceil(2)
    } else {
        config.dials_in_flight
    }
}

impl Paced {
    /// What came back until now.
    fn fills(&mut self, scene: &Scene<'_>) {
        let full = i64::from(scene.config.dial_tokens) * TOKEN;
        let now = scene.now();
        let (then, level) = self.level.unwrap_or((now, full));
        let gained = (now - then).saturating_mul(self.rate);
        self.level = Some((now, level.saturating_add_unsigned(gained).min(full)));
    }

    fn take(&mut self, floor: i64, scene: &Scene<'_>) -> Verdict {
        self.fills(scene);
        let (now, level) = self.level.expect("it was just looked at");
        let level = level - TOKEN;
        self.level = Some((now, level));
        ensure!(
            level >= floor,
            "a dial too many: {level} millionths of a token, at least {floor}"
        );
        Ok(())
    }

    /// How dials end, as far as that says something of the network's other side.
    fn learns(&mut self, event: &Event, scene: &Scene<'_>) {
        let ledger = scene.ledger;
        let ended = match event {
            Event::Connected {
                dial: Some(dial), ..
            } => scene.ledger.dials.contains_key(dial).then_some(true),
            Event::DialFailed { dial, failure, .. } => {
                let ours = matches!(failure, DialFailure::Cancelled | DialFailure::NotAllowed);
                (ledger.dials.contains_key(dial) && !ours).then_some(false)
            }
            // What was before says nothing any more.
            Event::NetworkChanged { .. }
            | Event::Offline
            | Event::Online
            | Event::Unfreeze
            | Event::Start => {
                self.ended.clear();
                self.halved = false;
                None
            }
            _ => None,
        };
        if let Some(ended) = ended {
            self.ended.push_front(ended);
            self.ended.truncate(LOOKED_AT);
            let succeeded = self.ended.iter().filter(|ended| **ended).count();
            let fail = self.ended.len() == LOOKED_AT && succeeded * 4 < LOOKED_AT;
            let works = scene.ledger.open().any(|(_, conn)| {
                conn.identified && matches!(conn.metadata, Some(Metadata::Matched { .. }))
            });
            self.halved = fail && works;
        }
    }

    /// The rate from now on.
    fn sets(&mut self, scene: &Scene<'_>) {
        let full = u64::from(scene.config.dial_tokens_per_s) * 1_000;
        let rate = if is_hidden(scene.ledger) {
            full / 10
        } else if scene.ledger.steering.constrained {
            full / 2
        } else {
            full
        };
        self.rate = if self.halved { rate / 2 } else { rate };
    }
}

impl Invariant for Paced {
    fn id(&self) -> &'static str {
        "S10"
    }

    fn before(&mut self, scene: &Scene<'_>) -> Verdict {
        if let Some(Input::Event(event)) = scene.input {
            self.learns(event, scene);
        }
        Ok(())
    }

    fn told(&mut self, scene: &Scene<'_>) -> Verdict {
        match scene.input {
            Some(Input::Gate(GateQuery::Outbound { .. }, Ok(()))) => self.take(0, scene),
            Some(Input::Event(_)) => {
                self.fills(scene);
                if scene.ledger.resumed() || scene.ledger.suspects() {
                    self.ended.clear();
                    self.halved = false;
                }
                self.sets(scene);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn ordered(&mut self, command: &Command, scene: &Scene<'_>) -> Verdict {
        let Command::Dial { route, why, .. } = command else {
            return Ok(());
        };
        let ledger = scene.ledger;
        let flying = ledger.dials.len();
        let most = at_once(ledger, scene.config);
        ensure!(flying < most, "{flying} dials in flight, at most {most}");
        let place = endpoint(route);
        let busy = ledger
            .dials
            .values()
            .any(|dial| endpoint(&dial.route) == place);
        ensure!(!busy, "a second socket to {place}");
        let overdraft = i64::from(scene.config.dial_overdraft) * TOKEN;
        let floor = if *why == DialWhy::Requested {
            -overdraft
        } else {
            0
        };
        self.take(floor, scene)
    }
}
