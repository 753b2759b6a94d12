//! What the user writes into the address book, and what others would like to: routes, hints, forgetting; claims of third
//! parties and floods of them.

use libp2p_identity::PeerId;
use lightkeeper::manager::{Event, Outcome, Priority, Source};
use multiaddr::Multiaddr;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use crate::network::{NetworkSpec, SERVICES, address, peer_id, requirements};
use crate::rng::Rng;
use crate::script::{Act, LOCAL, Tuning};
use crate::world::World;

/// Peers that nobody ever meets are named from here on: nothing answers at their addresses.
const STRANGERS: u16 = 20_000;
/// Wrong addresses of one host; more than a record holds (4.7).
const WRONG: u8 = 12;

/// An address, as seen from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    /// Its own.
    Right,
    /// Its host, at a port where nobody is.
    Wrong(u8),
    /// Another peer's.
    Of(u16),
}

/// What many strangers are used for at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flood {
    /// They are said to exist, and to serve everything.
    Sightings {
        /// Who says so.
        by: Option<u16>,
    },
    /// The user bans them.
    Bans,
    /// They break the protocol until they are banned.
    Faults,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Note {
    AddRoute(u16, Where),
    RemoveRoute(u16, Where),
    /// All that ever was one of its addresses.
    RemoveAll(u16),
    /// Everything that is known of it.
    Forget(u16),
    Hint {
        on: u16,
        tag: u8,
        value: i16,
        ttl_ms: Option<u64>,
    },
    /// Somebody says, unasked, that it serves everything and lives at so many wrong addresses.
    Rumour {
        of: u16,
        by: Option<u16>,
        wrong: u8,
    },
    /// From now on it answers peer exchange with claims of everything and so many wrong addresses for each.
    Boasts {
        who: u16,
        wrong: u8,
    },
    Flood {
        first: u16,
        count: u16,
        /// Networks (of 16 bits) that they come from.
        groups: u8,
        what: Flood,
    },
}

impl World {
    pub(crate) fn note(&mut self, c: usize, note: &Note) {
        match note {
            Note::AddRoute(of, place) => {
                let (peer, route) = (self.whom(*of), self.address_of(*of, *place));
                self.user(c, Event::AddRoute { peer, route });
            }
            Note::RemoveRoute(of, place) => {
                let (peer, route) = (self.whom(*of), self.address_of(*of, *place));
                self.user(c, Event::RemoveRoute { peer, route });
            }
            Note::RemoveAll(of) => {
                for route in self.all_addresses(*of) {
                    let peer = self.whom(*of);
                    self.user(c, Event::RemoveRoute { peer, route });
                }
            }
            Note::Forget(of) => {
                let peer = self.whom(*of);
                self.user(c, Event::Forget { peer });
            }
            Note::Hint {
                on,
                tag,
                value,
                ttl_ms,
            } => {
                let hint = Event::Hint {
                    peer: self.whom(*on),
                    tag: tag.to_string(),
                    value: *value,
                    ttl_ms: *ttl_ms,
                };
                self.user(c, hint);
            }
            Note::Rumour { of, by, wrong } => {
                let introducer = by.map(|by| self.whom(by));
                let event = self.claims_everything(*of, *wrong, introducer);
                self.user(c, event);
            }
            Note::Boasts { who, wrong } => {
                if let Some(place) = self.place(*who) {
                    self.network.boasts.insert(place, *wrong);
                }
            }
            Note::Flood {
                first,
                count,
                groups,
                what,
            } => {
                for n in 0..*count {
                    self.floods(c, stranger(*first, n), *groups, *what);
                }
            }
        }
    }

    fn group_of(&self, place: u16) -> u8 {
        let spec = self.network.spec.peers.get(usize::from(place));
        spec.map_or(250, |spec| spec.group)
    }

    fn address_of(&self, of: u16, place: Where) -> Multiaddr {
        let own = |of: u16| {
            let routes = self.network.routes.get(usize::from(of));
            let last = routes.and_then(|routes| routes.last().cloned());
            last.unwrap_or_else(|| address(250, of.into(), 443))
        };
        match place {
            Where::Right => own(of),
            Where::Wrong(n) => address(self.group_of(of), of.into(), 9_000 + u16::from(n % WRONG)),
            Where::Of(other) => own(other),
        }
    }

    fn all_addresses(&self, of: u16) -> Vec<Multiaddr> {
        let routes = self.network.routes.get(usize::from(of));
        let mut all = routes.cloned().unwrap_or_default();
        all.extend((0..WRONG).map(|n| self.address_of(of, Where::Wrong(n))));
        all.extend((0..3).map(|other| self.address_of(of, Where::Of(other))));
        all
    }

    /// A sighting that says too much.
    pub(crate) fn claims_everything(
        &self,
        of: u16,
        wrong: u8,
        introducer: Option<PeerId>,
    ) -> Event {
        let mut routes: Vec<Multiaddr> = (0..wrong)
            .map(|n| self.address_of(of, Where::Wrong(n)))
            .collect();
        if introducer.is_some() {
            routes.push(self.address_of(of, Where::Right));
        }
        Event::Discovered {
            peer: self.whom(of),
            routes,
            claims: requirements((1 << SERVICES) - 1),
            source: Source::PeerExchange,
            introducer,
        }
    }

    fn floods(&mut self, c: usize, place: u16, groups: u8, what: Flood) {
        let peer = peer_id(place.into());
        let group = u8::try_from(place % u16::from(groups.max(1))).expect("less than a byte");
        let found = |introducer| Event::Discovered {
            peer,
            routes: vec![address(100 + group % 100, place.into(), 443)],
            claims: requirements((1 << SERVICES) - 1),
            source: Source::PeerExchange,
            introducer,
        };
        match what {
            Flood::Sightings { by } => {
                let introducer = by.map(|by| self.whom(by));
                self.user(c, found(introducer));
            }
            Flood::Bans => {
                let priority = Priority::Banned;
                self.user(c, Event::SetPriority { peer, priority });
            }
            Flood::Faults => {
                self.user(c, found(None));
                let requirement = requirements(1)[0];
                let outcome = Outcome::Fault;
                for _ in 0..3 {
                    let fault = Event::Report {
                        peer,
                        requirement,
                        outcome,
                        charged: true,
                    };
                    self.user(c, fault);
                }
            }
        }
    }

    /// Takes back what its acts broke.
    pub(crate) fn heal_book(&mut self, c: usize) {
        self.network.boasts.clear();
        let mut slandered: Vec<u16> = Vec::new();
        for (_, act) in self.script.acts.clone() {
            let Act::Note(note) = act else { continue };
            match note {
                Note::AddRoute(of, Where::Wrong(_) | Where::Of(_)) | Note::Rumour { of, .. } => {
                    slandered.push(of);
                }
                Note::RemoveRoute(of, _) | Note::RemoveAll(of) => {
                    slandered.push(of);
                    self.note(c, &Note::AddRoute(of, Where::Right));
                }
                Note::Boasts { .. } => {
                    slandered.extend(0..u16::try_from(self.network.ids.len()).expect("few"));
                }
                Note::Hint { on, tag, .. } => {
                    let ttl_ms = Some(0);
                    let value = 0;
                    self.note(
                        c,
                        &Note::Hint {
                            on,
                            tag,
                            value,
                            ttl_ms,
                        },
                    );
                }
                Note::Flood { first, count, .. } => {
                    for n in 0..count {
                        self.note(c, &Note::Forget(stranger(first, n)));
                    }
                }
                Note::AddRoute(_, Where::Right) | Note::Forget(_) => {}
            }
        }
        slandered.sort_unstable();
        slandered.dedup();
        for of in slandered {
            if !self.clients[c].brain.knows(&self.whom(of)) {
                continue;
            }
            let right = self.address_of(of, Where::Right);
            let peer = self.whom(of);
            for route in self.all_addresses(of) {
                if route != right {
                    self.user(c, Event::RemoveRoute { peer, route });
                }
            }
        }
    }
}

fn stranger(first: u16, n: u16) -> u16 {
    STRANGERS + (first + n) % STRANGERS
}

/// Somebody of the network, and at times nobody of it.
fn anybody(rng: &mut Rng, network: &NetworkSpec) -> u16 {
    match rng.below(20) {
        0 => stranger(rng.place(2_000), 0),
        1 => u16::try_from(LOCAL).expect("a place"),
        _ => rng.place(network.peers.len()),
    }
}

fn somewhere(rng: &mut Rng, network: &NetworkSpec) -> Where {
    match rng.below(4) {
        0 | 1 => Where::Right,
        2 => Where::Wrong(u8::try_from(rng.below(u64::from(WRONG))).expect("few")),
        _ => Where::Of(rng.place(network.peers.len().min(3))),
    }
}

/// Something of this kind happens, and is mostly taken back.
pub(crate) fn troubles(
    rng: &mut Rng,
    network: &NetworkSpec,
    t: u64,
    end: u64,
    acts: &mut Vec<(u64, Act)>,
) {
    let place = anybody(rng, network);
    let later = (t + *rng.pick(&[1, 500, 5_000, 40_000, 400_000])).min(end - 1);
    let many = |rng: &mut Rng| u8::try_from(rng.between(1, u64::from(WRONG))).expect("few");
    let by = |rng: &mut Rng| rng.per_mille(600).then(|| rng.place(network.peers.len()));
    let mut note = |t, note| acts.push((t, Act::Note(note)));
    match rng.below(16) {
        0 | 1 => note(t, Note::AddRoute(place, somewhere(rng, network))),
        2 => {
            let at = somewhere(rng, network);
            note(t, Note::RemoveRoute(place, at));
            note(later, Note::AddRoute(place, at));
        }
        3 => {
            note(t, Note::RemoveAll(place));
            if rng.per_mille(500) {
                note(later, Note::AddRoute(place, Where::Right));
            }
        }
        4 | 5 => {
            note(t, Note::Forget(place));
            if rng.per_mille(300) {
                note(t, Note::AddRoute(place, somewhere(rng, network)));
            }
        }
        6..9 => {
            for _ in 0..rng.between(1, 20) {
                let hint = Note::Hint {
                    on: place,
                    tag: u8::try_from(rng.below(20)).expect("few"),
                    value: *rng.pick(&[i16::MIN, -1_000, -201, -7, 0, 1, 150, 1_000, i16::MAX]),
                    ttl_ms: *rng.pick(&[None, Some(0), Some(1), Some(30_000), Some(u64::MAX)]),
                };
                note(t, hint);
            }
        }
        9..12 => {
            for n in 0..rng.between(1, 6) {
                let rumour = Note::Rumour {
                    of: place,
                    by: by(rng),
                    wrong: many(rng),
                };
                note(t + n * 20_000, rumour);
            }
        }
        12 => {
            let who = rng.place(network.peers.len());
            let wrong = many(rng);
            note(t, Note::Boasts { who, wrong });
        }
        kind => {
            let what = match kind {
                13 => Flood::Sightings { by: by(rng) },
                14 => Flood::Bans,
                _ => Flood::Faults,
            };
            let flood = Note::Flood {
                first: rng.place(300),
                count: u16::try_from(rng.between(1, 120)).expect("few"),
                groups: *rng.pick(&[1, 3, 40]),
                what,
            };
            note(t, flood);
        }
    }
}

/// Tables of bans that fill, in most worlds where this happens.
pub(crate) fn tune(seed: u64, tuning: &mut Tuning) {
    let mut rng = Rng::new(seed ^ 0x7b00_4b00);
    if rng.per_mille(700) {
        tuning.max_user_bans = u16::try_from(rng.between(4, 60)).expect("few");
        let more = u16::try_from(rng.between(4, 60)).expect("few");
        tuning.max_bans = tuning.max_user_bans + more;
    }
}

/// For scripts from proptest.
pub(crate) fn strategy() -> impl Strategy<Value = Act> {
    let place = || prop_oneof![9 => 0..12_u16, 1 => STRANGERS..STRANGERS + 4];
    let at = || {
        prop_oneof![
            3 => Just(Where::Right),
            2 => (0..WRONG).prop_map(Where::Wrong),
            1 => (0..3_u16).prop_map(Where::Of),
        ]
    };
    let by = || proptest::option::of(0..12_u16);
    let hint = (
        place(),
        0..20_u8,
        any::<i16>(),
        proptest::option::of(0..100_000_u64),
    );
    let what = prop_oneof![
        by().prop_map(|by| Flood::Sightings { by }),
        Just(Flood::Bans),
        Just(Flood::Faults),
    ];
    let note = prop_oneof![
        2 => (place(), at()).prop_map(|(of, at)| Note::AddRoute(of, at)),
        2 => (place(), at()).prop_map(|(of, at)| Note::RemoveRoute(of, at)),
        1 => place().prop_map(Note::RemoveAll),
        2 => place().prop_map(Note::Forget),
        2 => hint.prop_map(|(on, tag, value, ttl_ms)| Note::Hint { on, tag, value, ttl_ms }),
        2 => (place(), by(), 1..WRONG).prop_map(|(of, by, wrong)| Note::Rumour { of, by, wrong }),
        1 => (0..12_u16, 1..WRONG).prop_map(|(who, wrong)| Note::Boasts { who, wrong }),
        1 => (0..40_u16, 1..60_u16, 1..40_u8, what).prop_map(|(first, count, groups, what)| {
            Note::Flood { first, count, groups, what }
        }),
    ];
    note.prop_map(Act::Note)
}
