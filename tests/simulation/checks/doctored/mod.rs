//! Each check can fail: doctored traces, each wrong in one way, and the id that must be named.

mod basics;
mod book;
mod bursts;
mod claims;
mod diversity;
mod life;
mod pacing;
mod steering;

use std::collections::BTreeSet;

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    CloseCause, Command, Config, ConnId, DialFailure, DialId, DialWhy, Direction, Event, GateQuery,
    Guard, Manager, Metadata, PeerState, PeerView, Priority, Reason, RequirementId, Source, Time,
};
use multiaddr::Multiaddr;

use crate::environment::{MONO_ZERO, WALL_ZERO};
use crate::judge::Judge;
use crate::network::peer_id;
use crate::script::{ShellFaults, Tuning};
use crate::truth::{Good, Truth};
use crate::view::{Explained, Input, View};

const FILTER: RequirementId = RequirementId(1);
const MINUTE: u64 = 60_000;

/// A trace in the making.
struct Trace {
    judge: Judge,
    config: Config,
    view: View,
    t: u64,
    healed_at: Option<u64>,
    /// What really serves, and which connections are really dead.
    serving: [usize; 3],
    dead: BTreeSet<ConnId>,
    good: Vec<Good>,
}

impl Trace {
    fn new() -> Self {
        Self::with(Tuning::default().config())
    }

    fn with(config: Config) -> Self {
        let zero = Time {
            mono_ms: MONO_ZERO,
            wall_ms: WALL_ZERO,
        };
        let manager = Manager::new(config.clone(), [0; 32], zero);
        let view = View::of(&manager, None);
        Self {
            judge: Judge::of_values(&config, view.clone()),
            config,
            view,
            t: 0,
            healed_at: None,
            serving: [0; 3],
            dead: BTreeSet::new(),
            good: Vec::new(),
        }
    }

    fn started() -> Self {
        let mut trace = Self::new();
        trace.well(Event::Start, &[]);
        trace
    }

    fn truth(&self) -> Truth {
        let needs = self.config.requirements.iter();
        let needs = needs.map(|spec| usize::from(spec.need.min));
        Truth {
            t: self.t,
            network: true,
            awake: true,
            hidden: false,
            viable: true,
            healed_at: self.healed_at,
            faults: ShellFaults::default(),
            dead: self.dead.clone(),
            serving: self.serving,
            minima: self
                .serving
                .iter()
                .zip(needs)
                .all(|(have, need)| *have >= need),
            good: self.good.clone(),
        }
    }

    /// What an input and these orders are judged to be.
    fn judged(&mut self, input: Input, commands: &[Command]) -> Option<&'static str> {
        let time = Time {
            mono_ms: MONO_ZERO + self.t,
            wall_ms: WALL_ZERO + self.t,
        };
        let truth = self.truth();
        let broken = self
            .judge
            .judge(&self.config, &truth, time, &input, commands, &self.view);
        self.judge.seen(self.view.clone());
        self.view.subject = None;
        self.view.decisions.clear();
        broken.map(|violation| violation.id)
    }

    fn told(&mut self, event: Event, commands: &[Command]) -> Option<&'static str> {
        self.judged(Input::Event(event), commands)
    }

    fn well(&mut self, event: Event, commands: &[Command]) {
        assert_eq!(self.told(event, commands), None);
    }

    /// A peer is found, dialed and connected, all as it should be.
    fn connects(&mut self, place: usize) -> ConnId {
        let n = place as u64 + 1;
        self.well(found(place, Source::PeerExchange), &[dial(place, n)]);
        let event = connected(place, n, Some(n));
        self.well(event, &[]);
        ConnId(n)
    }

    /// The user limits the connections.
    fn limits(&mut self, soft: u16, hard: u16) -> Event {
        (self.view.stats.soft, self.view.stats.hard) = (soft, hard);
        Event::SetLimits {
            soft: Some(soft),
            hard: Some(hard),
        }
    }

    fn serves(&mut self, requirement: RequirementId, places: &[usize]) {
        let view = &mut self.view.requirements[usize::from(requirement.0)];
        self.serving[usize::from(requirement.0)] = places.len();
        view.have = u8::try_from(places.len()).expect("few");
        view.peers = places.iter().map(|place| peer_id(*place)).collect();
    }

    /// Every target is met by these.
    fn met_by(&mut self, places: &[usize]) {
        for id in 0..3 {
            self.serves(RequirementId(id), places);
        }
    }

    fn at_end(&mut self) -> Option<&'static str> {
        let truth = self.truth();
        let broken = self.judge.finish(&self.config, &truth, &self.view);
        broken.map(|violation| violation.id)
    }
}

fn route(place: usize, port: u16) -> Multiaddr {
    format!("/ip4/60.1.0.{place}/tcp/{port}/wss")
        .parse()
        .expect("an address")
}

fn found(place: usize, source: Source) -> Event {
    Event::Discovered {
        peer: peer_id(place),
        routes: vec![route(place, 443)],
        claims: vec![FILTER],
        source,
        introducer: None,
    }
}

fn dial_for(place: usize, id: u64, why: DialWhy) -> Command {
    Command::Dial {
        dial: DialId(id),
        peer: peer_id(place),
        route: route(place, 443),
        timeout_ms: 6_000,
        why,
    }
}

fn dial(place: usize, id: u64) -> Command {
    dial_for(place, id, DialWhy::Need(FILTER))
}

fn connected(place: usize, conn: u64, dial: Option<u64>) -> Event {
    Event::Connected {
        conn: ConnId(conn),
        peer: peer_id(place),
        direction: Direction::Outbound,
        route: route(place, 443),
        dial: dial.map(DialId),
    }
}

fn failed(id: u64) -> Event {
    Event::DialFailed {
        dial: DialId(id),
        failure: DialFailure::Unreachable,
        answered: None,
    }
}

fn close(conn: ConnId, reason: Reason) -> Command {
    Command::Close { conn, reason }
}

fn closed(conn: ConnId) -> Event {
    Event::Closed {
        conn,
        cause: CloseCause::Ordered,
    }
}

fn peer_view(peer: PeerId, state: PeerState, route: Option<Multiaddr>) -> PeerView {
    PeerView {
        peer,
        route,
        direction: None,
        state,
        services: Vec::new(),
        serving: Vec::new(),
        shards: None,
        agent: None,
        source: Source::PeerExchange,
        priority: Priority::Medium,
        score: 0,
        rtt_ms: None,
        connected_at_wall_ms: None,
        last_reason: Some(Reason::Unreachable),
        next_try_at_wall_ms: None,
        conn: None,
        pinned: false,
    }
}
