//! One page: a manager, and everything around it that belongs to this page alone.

use std::collections::{BTreeMap, BTreeSet};

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, Config, ConnId, DialFailure, DialId, DialWhy, Event, Need, Reason, Time,
};
use multiaddr::Multiaddr;

use crate::brain::{Brain, Maker};
use crate::browser::Browser;
use crate::environment::Environment;
use crate::judge::Judge;
use crate::network::{Answer, Network};
use crate::rng::Rng;
use crate::script::Script;
use crate::truth::Service;
use crate::view::Input;

/// A dial that the shell carries out.
#[derive(Debug, Clone)]
pub(crate) struct Dialing {
    pub(crate) peer: PeerId,
    pub(crate) route: Multiaddr,
    pub(crate) endpoint: String,
    pub(crate) asked_at: u64,
    /// When the browser let it go; `None` while it holds it back.
    pub(crate) left_at: Option<u64>,
    /// Another socket to its endpoint is connecting.
    pub(crate) waits: bool,
}

/// A connection as it really is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub(crate) place: usize,
    /// The other side has given it up: nothing gets through any more.
    pub(crate) cut: bool,
}

/// Something that will happen to one client.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// The manager's timer.
    Timer,
    /// The shell compares the clocks.
    Looks,
    /// A callback of the shell, or a word of the user.
    Tell(Event),
    /// The browser lets a socket go.
    Leaves(DialId),
    /// The network answers a dial.
    Lands(DialId, Answer),
    /// The shell's own patience with a dial ends.
    GivesUp(DialId),
    /// Said on a connection, if it still is one.
    Says(ConnId, Event),
    /// The last request on a connection that is to end is over.
    Drained(ConnId),
    /// A connection ends from the other side.
    Breaks(ConnId, lightkeeper::manager::CloseCause),
    /// It ends if the network is still gone.
    BreaksIfCut(ConnId),
    /// The application uses what is served.
    Works,
    /// A request comes to its end.
    Answers(ConnId, Event),
    /// What a connection's n-th ping came to.
    Pinged(ConnId, u32, Event),
}

/// One input and the orders that followed.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) time: Time,
    pub(crate) input: Input,
    pub(crate) commands: Vec<Command>,
}

/// What a run leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Every input, when asked for.
    pub(crate) steps: Option<Vec<Step>>,
    /// When minima or targets really began or ceased to hold: (time, minima, targets).
    pub(crate) held: Vec<(u64, bool, bool)>,
    pub(crate) dials: Vec<(u64, PeerId, DialWhy)>,
    pub(crate) closes: Vec<(u64, Reason)>,
    /// What the browser added to dials that succeeded, in milliseconds.
    pub(crate) throttled: Vec<u64>,
}

/// What holds for less than this did not hold again: connections that an outage killed break after the outage.
const LASTING_MS: u64 = 10_000;

impl Log {
    /// How long after `from` the minima held (again), for good or for a while.
    pub(crate) fn minima_after(&self, from: u64) -> Option<u64> {
        let ends = self.held.iter().skip(1).map(|(t, ..)| *t);
        let mut periods = self.held.iter().zip(ends.chain([u64::MAX]));
        periods.find_map(|((began, minima, _), end)| {
            let began = (*began).max(from);
            let lasts = *minima && end.saturating_sub(began) >= LASTING_MS;
            lasts.then(|| began - from)
        })
    }
}

/// See the module.
pub(crate) struct Client {
    pub(crate) brain: Box<dyn Brain>,
    pub(crate) config: Config,
    /// What the manager was made with.
    pub(crate) seed: [u8; 32],
    pub(crate) environment: Environment,
    pub(crate) browser: Browser,
    pub(crate) rng: Rng,
    pub(crate) dials: BTreeMap<DialId, Dialing>,
    pub(crate) links: BTreeMap<ConnId, Link>,
    /// Connections that are gone, while nobody told the manager, and it did not close them.
    pub(crate) untold: BTreeSet<ConnId>,
    /// What the user wants.
    pub(crate) needs: Vec<Need>,
    /// Whether protocols enroll.
    pub(crate) guests: bool,
    /// The last ping of each connection.
    pub(crate) pings: BTreeMap<ConnId, u32>,
    pub(crate) named: u64,
    /// When within a minute the browser wakes the page while nobody sees it.
    pub(crate) phase: u64,
    /// When the timer that counts is to fire.
    pub(crate) armed: Option<u64>,
    /// What waits for the machine to wake.
    pub(crate) deferred: Vec<What>,
    /// When the shell looked at the clocks last before something befell the machine.
    pub(crate) looked: Option<Time>,
    /// When the last callback about the same thing was delivered.
    pub(crate) heard: BTreeMap<(u8, u64), u64>,
    pub(crate) works_every: u32,
    pub(crate) working: bool,
    /// Requests so far.
    pub(crate) asked: usize,
    pub(crate) judge: Option<Judge>,
    pub(crate) log: Log,
}

impl Client {
    pub(crate) fn new(script: &Script, rng: &mut Rng, make: Maker) -> Self {
        let mut rng = rng.fork(1);
        let config = script.tuning.config();
        let environment = Environment::new();
        let seed = rng.seed();
        Self {
            brain: make(config.clone(), seed, environment.time(0)),
            config,
            seed,
            environment,
            browser: Browser::new(script.brand),
            rng,
            dials: BTreeMap::new(),
            links: BTreeMap::new(),
            untold: BTreeSet::new(),
            needs: script.tuning.needs.to_vec(),
            guests: script.enrolls(),
            pings: BTreeMap::new(),
            named: 0,
            phase: Rng::new(script.seed).fork(u64::from(seed[0])).below(60_000),
            armed: None,
            deferred: Vec::new(),
            looked: None,
            heard: BTreeMap::new(),
            works_every: 0,
            working: false,
            asked: 0,
            judge: None,
            log: Log::default(),
        }
    }

    /// The connections to a place.
    pub(crate) fn links_to(&self, place: usize) -> Vec<ConnId> {
        let links = self.links.iter();
        links
            .filter(|(_, link)| link.place == place)
            .map(|(conn, _)| *conn)
            .collect()
    }

    /// Notes whether what is wanted is really there.
    pub(crate) fn look(&mut self, network: &Network, t: u64) {
        let works = self.works_every > 0;
        let now = Service::of(self, network, t, works);
        let last = self.log.held.last();
        if last.is_none_or(|(_, min, target)| (*min, *target) != (now.minima, now.targets)) {
            self.log.held.push((t, now.minima, now.targets));
        }
    }

    /// Notes what an input led to.
    pub(crate) fn note(&mut self, t: u64, time: Time, input: &Input, commands: &[Command]) {
        for command in commands {
            match command {
                Command::Dial { peer, why, .. } => self.log.dials.push((t, *peer, *why)),
                Command::Close { reason, .. } | Command::Drain { reason, .. } => {
                    self.log.closes.push((t, *reason));
                }
                _ => {}
            }
        }
        if let Some(steps) = &mut self.log.steps {
            steps.push(Step {
                time,
                input: input.clone(),
                commands: commands.to_vec(),
            });
        }
    }
}

/// A dial's end as the manager hears it.
pub(crate) fn failed(dial: DialId, failure: DialFailure) -> Event {
    Event::DialFailed {
        dial,
        failure,
        answered: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(periods: &[(u64, bool)]) -> Log {
        Log {
            held: periods.iter().map(|(t, held)| (*t, *held, *held)).collect(),
            ..Log::default()
        }
    }

    #[test]
    fn what_holds_all_the_time_holds_at_once() {
        assert_eq!(held(&[(0, false), (50, true)]).minima_after(100), Some(0));
        assert_eq!(held(&[(0, false), (50, true)]).minima_after(0), Some(50));
    }

    #[test]
    fn what_breaks_right_after_the_mark_holds_when_it_is_mended() {
        let log = held(&[(0, true), (101, false), (40_000, true)]);
        assert_eq!(log.minima_after(100), Some(39_900));
        let log = held(&[(0, true), (100, false), (200, true), (300, false)]);
        assert_eq!(log.minima_after(100), None);
    }
}
