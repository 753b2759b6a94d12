//! What the script makes happen, and what the application does with its peers.

use lightkeeper::manager::{
    CloseCause, ConnId, DialFailure, DialId, Direction, Event, GateQuery, Metadata, Outcome,
    Priority, RequirementId, Source,
};

use crate::client::{What, failed};
use crate::environment::Weather;
use crate::network::{Behaviour, SERVICES};
use crate::script::Act;
use crate::truth::lives;
use crate::world::World;

/// An application gives a request up after this.
const REQUEST_PATIENCE_MS: u64 = 10_000;
/// One request in so many goes to another than the best: not a multiple of the number of requirements.
const OTHERS_ONE_IN: usize = 4;
/// Requests in a thousand that an honest peer fails.
const SLIPS: u16 = 4;
/// Requests in a thousand that a full peer refuses.
const REFUSALS: u16 = 300;
/// What sleeps longer than this has lost connections.
const SERVER_PATIENCE_MS: u64 = 30_000;

impl World {
    /// The script's next act, for the network or for every client.
    pub(crate) fn act(&mut self, act: &Act) {
        match act {
            Act::PeerDown(place) => self.set_down(*place, true),
            Act::PeerUp(place) => self.set_down(*place, false),
            Act::TreeDown => self.network.tree_up = false,
            Act::TreeUp => self.network.tree_up = true,
            Act::Heal => {
                for place in 0..self.network.ids.len() {
                    self.network.set_down(place, false);
                }
                self.network.tree_up = true;
                self.healed_at = Some(self.t);
            }
            _ => {}
        }
        for c in 0..self.clients.len() {
            self.act_on(c, act);
        }
    }

    pub(crate) fn place(&self, place: u16) -> Option<usize> {
        let place = usize::from(place);
        (place < self.network.ids.len()).then_some(place)
    }

    fn set_down(&mut self, place: u16, down: bool) {
        let Some(place) = self.place(place) else {
            return;
        };
        self.network.set_down(place, down);
        if down {
            for c in 0..self.clients.len() {
                self.lose(c, place);
            }
        }
    }

    fn lose(&mut self, c: usize, place: usize) {
        for conn in self.clients[c].links_to(place) {
            self.after(c, 0, What::Breaks(conn, CloseCause::Broken));
        }
    }

    fn act_on(&mut self, c: usize, act: &Act) {
        match act {
            Act::Start => self.user(c, Event::Start),
            Act::Stop => self.user(c, Event::Stop),
            Act::Weather(weather) => self.weather(c, *weather),
            Act::Lose(place) => {
                if let Some(place) = self.place(*place) {
                    self.lose(c, place);
                }
            }
            Act::ProviderDown(requirement) => {
                let serving = self.clients[c].brain.serving(RequirementId(*requirement));
                let place = serving
                    .first()
                    .and_then(|(peer, _)| self.network.place(peer));
                if let Some(place) = place {
                    self.network.set_down(place, true);
                    self.lose(c, place);
                }
            }
            Act::LoseAll => self.lose_all(c, 100, CloseCause::Broken),
            Act::SetPriority(place, priority) => {
                let (place, priority) = (*place, *priority);
                self.about(c, place, |peer, _| Event::SetPriority { peer, priority });
            }
            Act::ConnectNow(place) => {
                self.about(c, *place, |peer, routes| Event::ConnectNow {
                    peer,
                    routes,
                    permanent: false,
                });
            }
            Act::HangUp(place) => self.about(c, *place, |peer, _| Event::HangUp { peer }),
            Act::SetNeed(requirement, need) => {
                let requirement = RequirementId(*requirement);
                let need = *need;
                self.user(c, Event::SetNeed { requirement, need });
            }
            Act::Name(place) => {
                if let Some(place) = self.place(*place) {
                    let event = self.sighting(place, Source::Static, None);
                    self.user(c, event);
                }
            }
            Act::Inbound(place) => self.inbound(c, *place),
            Act::Foreign(place) => {
                let peer = self.place(*place).map(|place| self.network.ids[place]);
                if self.clients[c].environment.awake() {
                    self.ask(c, GateQuery::Outbound { peer });
                }
            }
            Act::Report(place, requirement, outcome)
            | Act::Excused(place, requirement, outcome) => {
                let requirement = RequirementId(*requirement);
                let outcome = *outcome;
                let charged = matches!(act, Act::Report(..));
                self.about(c, *place, |peer, _| Event::Report {
                    peer,
                    requirement,
                    outcome,
                    charged,
                });
            }
            Act::Doubt(place) => {
                let links = self.clients[c].links.iter();
                let place = self.place(*place);
                let mut its = links.filter(|(_, link)| Some(link.place) == place);
                if let Some(conn) = its.next().map(|(conn, _)| *conn) {
                    self.user(c, Event::Doubt { conn });
                }
            }
            Act::GaveUp(place) => self.about(c, *place, |peer, _| Event::GaveUp { peer }),
            Act::Tick => {
                if self.clients[c].environment.awake() {
                    self.tell(c, Event::Tick);
                }
            }
            Act::Stray(kind) => self.stray(c, *kind),
            Act::Workload { every_ms } => self.works_every(c, *every_ms),
            Act::Claim(claim) => self.claim(c, claim),
            Act::Steer(steer) => self.steer(c, steer),
            Act::Note(note) => self.note(c, note),
            Act::Heal => self.heal(c),
            Act::PeerDown(_) | Act::PeerUp(_) | Act::TreeDown | Act::TreeUp => {}
        }
    }

    /// The user says something, as soon as the machine is awake.
    pub(crate) fn user(&mut self, c: usize, event: Event) {
        self.happen(c, What::Tell(event));
    }

    pub(crate) fn about(
        &mut self,
        c: usize,
        place: u16,
        event: impl Fn(libp2p_identity::PeerId, Vec<multiaddr::Multiaddr>) -> Event,
    ) {
        if let Some(place) = self.place(place) {
            let routes = self.network.routes[place].clone();
            self.user(c, event(self.network.ids[place], routes));
        }
    }

    fn inbound(&mut self, c: usize, place: u16) {
        let Some(place) = self.place(place) else {
            return;
        };
        let peer = self.network.ids[place];
        let environment = &self.clients[c].environment;
        let reaches = environment.awake() && environment.network;
        if !reaches || !self.network.is_up(place, self.t) {
            return;
        }
        if self.ask(c, GateQuery::Inbound { peer: Some(peer) }) {
            let conn = self.link(c, place);
            let event = Event::Connected {
                conn,
                peer,
                direction: Direction::Inbound,
                route: self.network.routes[place][0].clone(),
                dial: None,
            };
            self.tell(c, event);
            let life = self.network.life(place, self.t);
            self.greets(c, conn, place, life);
        }
    }

    /// Ids that never were.
    fn stray(&mut self, c: usize, kind: u8) {
        const NEVER: u64 = 1 << 40;
        let conn = ConnId(NEVER);
        let event = match kind % 6 {
            0 => failed(DialId(NEVER), DialFailure::Unreachable),
            1 => Event::Closed {
                conn,
                cause: CloseCause::Broken,
            },
            2 => Event::Identified {
                conn,
                protocols: Vec::new(),
                agent: String::new(),
            },
            3 => Event::Metadata {
                conn,
                metadata: Metadata::OtherNetwork,
            },
            4 => Event::Pong {
                conn,
                ping: 1,
                rtt_ms: 0,
            },
            _ => Event::PingFailed { conn, ping: 1 },
        };
        self.user(c, event);
    }

    // --- weather --------------------------------------------------------------------------------------------------

    fn weather(&mut self, c: usize, weather: Weather) {
        let t = self.t;
        let slept = self.clients[c].environment.slept(t);
        if let Some(event) = self.clients[c].environment.forewarns(weather) {
            self.user(c, event);
        }
        let before = self.clients[c].environment.time(t);
        if matches!(weather, Weather::Sleep { .. } | Weather::WallShift { .. }) {
            self.looked_before(c);
        }
        let news = self.clients[c].environment.befall(weather, t);
        let stood = self.clients[c].environment.time(t).mono_ms < before.mono_ms;
        match weather {
            Weather::NetworkGone { noticed } => self.cut(c, noticed),
            Weather::NetworkChanged { .. } => self.lose_all(c, 200, CloseCause::Broken),
            Weather::Wake => {
                self.wakes(c, slept.unwrap_or(0));
                self.looks_soon(c, stood.then_some(0).or(slept).unwrap_or(0));
            }
            Weather::WallShift { .. } => self.looks_soon(c, 0),
            _ => {}
        }
        for event in news {
            self.user(c, event);
        }
        if self.clients[c].environment.awake() {
            // Timers are looked at anew: the page may have come to the front, or the clock have jumped.
            self.clients[c].armed = None;
            self.arm(c);
        }
    }

    fn look_ms(&self, c: usize) -> Option<u64> {
        let manager = self.clients[c].brain.manager();
        manager.and_then(|manager| manager.clock_look_ms())
    }

    /// The shell's last look at the clocks before something befalls the machine.
    fn looked_before(&mut self, c: usize) {
        let look = self.look_ms(c).unwrap_or(0);
        let ago = self.clients[c].rng.between(0, look).min(self.t);
        let client = &mut self.clients[c];
        if client.environment.awake() {
            client.looked = Some(client.environment.time(self.t - ago));
        }
    }

    /// The shell's next look at the clocks: its timer stood still with them, or ran on for so long.
    fn looks_soon(&mut self, c: usize, ran_ms: u64) {
        if let Some(look) = self.look_ms(c) {
            let most = if ran_ms >= look { 50 } else { look };
            let wait = self.clients[c].rng.between(0, most);
            self.after(c, wait, What::Looks);
        }
    }

    /// Without a network connections die sooner or later.
    fn cut(&mut self, c: usize, noticed: bool) {
        let conns: Vec<ConnId> = self.clients[c].links.keys().copied().collect();
        for conn in conns {
            let rng = &mut self.clients[c].rng;
            let soon = noticed && rng.per_mille(500);
            let wait = if soon {
                rng.between(0, 1_000)
            } else {
                rng.between(30_000, 90_000)
            };
            self.after(c, wait, What::BreaksIfCut(conn));
        }
    }

    fn lose_all(&mut self, c: usize, within_ms: u64, cause: CloseCause) {
        let conns: Vec<ConnId> = self.clients[c].links.keys().copied().collect();
        for conn in conns {
            let wait = self.clients[c].rng.between(0, within_ms);
            self.after(c, wait, What::Breaks(conn, cause));
        }
    }

    /// What happened meanwhile is seen now; servers have given up on who was silent for long.
    fn wakes(&mut self, c: usize, slept_ms: u64) {
        let conns: Vec<ConnId> = self.clients[c].links.keys().copied().collect();
        for what in std::mem::take(&mut self.clients[c].deferred) {
            self.happen(c, what);
        }
        if slept_ms < SERVER_PATIENCE_MS {
            return;
        }
        for conn in conns {
            match self.clients[c].rng.below(10) {
                0..5 => {
                    if let Some(link) = self.clients[c].links.get_mut(&conn) {
                        link.cut = true;
                    }
                    let wait = self.clients[c].rng.between(0, 2_000);
                    self.after(c, wait, What::Breaks(conn, CloseCause::Broken));
                }
                // Nobody says so: only a ping will tell.
                5..8 => {
                    self.unlink(c, conn);
                }
                _ => {}
            }
        }
    }

    /// Everything that acts broke is well again.
    fn heal(&mut self, c: usize) {
        self.works_every(c, 0);
        for weather in [Weather::Wake, Weather::NetworkBack, Weather::Show] {
            self.weather(c, weather);
        }
        for event in self.clients[c].environment.relieved() {
            self.user(c, event);
        }
        self.heal_claims(c);
        self.heal_steering(c);
        self.heal_book(c);
        self.user(c, Event::Start);
        let acts = self.script.acts.clone();
        for (_, act) in &acts {
            let (Act::SetPriority(place, _) | Act::HangUp(place) | Act::Report(place, _, _)) = act
            else {
                continue;
            };
            let known = self
                .place(*place)
                .is_some_and(|place| self.clients[c].brain.knows(&self.network.ids[place]));
            if known {
                let priority = Priority::Medium;
                self.about(c, *place, |peer, _| Event::SetPriority { peer, priority });
            }
        }
    }

    // --- work -----------------------------------------------------------------------------------------------------

    fn works_every(&mut self, c: usize, every_ms: u32) {
        let client = &mut self.clients[c];
        client.works_every = every_ms;
        if every_ms > 0 && !client.working {
            client.working = true;
            self.after(c, u64::from(every_ms), What::Works);
        }
    }

    /// One request for each requirement, mostly to the best who serves it; the others have their turn.
    pub(crate) fn works(&mut self, c: usize) {
        let every = self.clients[c].works_every;
        if every == 0 {
            self.clients[c].working = false;
            return;
        }
        self.after(c, u64::from(every), What::Works);
        for requirement in (0..SERVICES).map(RequirementId) {
            let serving = self.clients[c].brain.serving(requirement);
            let asked = &mut self.clients[c].asked;
            *asked += 1;
            let turn = if asked.is_multiple_of(OTHERS_ONE_IN) {
                *asked / OTHERS_ONE_IN % serving.len().max(1)
            } else {
                0
            };
            if let Some((peer, conn)) = serving.get(turn) {
                self.requests(c, *peer, *conn, requirement);
            }
        }
    }

    fn requests(
        &mut self,
        c: usize,
        peer: libp2p_identity::PeerId,
        conn: ConnId,
        requirement: RequirementId,
    ) {
        let report = |outcome| Event::Report {
            peer,
            requirement,
            outcome,
            charged: true,
        };
        let lives = lives(&self.clients[c], &self.network, conn, self.t);
        let link = self.clients[c].links.get(&conn).copied();
        let Some(link) = link.filter(|_| lives) else {
            let broken = report(Outcome::Broken);
            self.after(c, REQUEST_PATIENCE_MS, What::Tell(broken));
            return;
        };
        let spec = &self.network.spec.peers[link.place];
        let back = 2 * u64::from(spec.hop_ms);
        let rng = &mut self.clients[c].rng;
        let outcome = match spec.behaviour {
            Behaviour::Liar | Behaviour::Colluder => Outcome::Broken,
            Behaviour::Full { capacity, .. }
                if self.network.load(link.place) >= capacity && rng.per_mille(REFUSALS) =>
            {
                Outcome::Busy
            }
            _ if rng.per_mille(SLIPS) => Outcome::Broken,
            _ => Outcome::Success,
        };
        self.after(c, back, What::Answers(conn, report(outcome)));
    }

    /// An answer comes only over the connection on which it was asked for.
    pub(crate) fn answered(&mut self, c: usize, conn: ConnId, event: Event) {
        if self.clients[c].links.contains_key(&conn) {
            self.call_back(c, 0, event);
        } else if let Event::Report {
            peer, requirement, ..
        } = event
        {
            let outcome = Outcome::Broken;
            self.tell(
                c,
                Event::Report {
                    peer,
                    requirement,
                    outcome,
                    charged: true,
                },
            );
        }
    }
}
