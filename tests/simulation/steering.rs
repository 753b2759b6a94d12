//! How the user and the machine steer the manager: limits, modes, lifetime, protection, pressure.

use libp2p_identity::PeerId;
use lightkeeper::manager::{Event, Priority, Transport};
use proptest::prelude::*;

use crate::environment::Weather;
use crate::network::{NetworkSpec, peer_id};
use crate::rng::Rng;
use crate::script::Act;
use crate::world::World;

/// See the module. Places beyond the network are peers that nobody ever heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Steer {
    Pause,
    Resume,
    /// With this peer, or with the best.
    StartSync(Option<u16>),
    StopSync,
    /// Under the tag of this number.
    Protect(u16, u8),
    Unprotect(u16, u8),
    /// Hold it for good.
    Keep(u16),
    Limits {
        soft: Option<u16>,
        hard: Option<u16>,
    },
    MaxByTransport(Transport, Option<u16>),
    Lifetime(Option<u64>),
    Regulate,
}

/// Every transport that the user may limit.
pub(crate) const TRANSPORTS: [Transport; 6] = [
    Transport::Ws,
    Transport::Wss,
    Transport::WebTransport,
    Transport::WebRtcDirect,
    Transport::Circuit,
    Transport::Other,
];

impl World {
    pub(crate) fn steer(&mut self, c: usize, steer: &Steer) {
        let event = match steer {
            Steer::Pause => Event::Pause,
            Steer::Resume => Event::Unpause,
            Steer::StartSync(place) => Event::StartSync {
                peer: place.map(|place| self.whom(place)),
            },
            Steer::StopSync => Event::StopSync,
            Steer::Protect(place, tag) => Event::Protect {
                peer: self.whom(*place),
                tag: format!("tag{tag}"),
            },
            Steer::Unprotect(place, tag) => Event::Unprotect {
                peer: self.whom(*place),
                tag: format!("tag{tag}"),
            },
            Steer::Keep(place) => {
                let routes = self
                    .place(*place)
                    .map(|place| self.network.routes[place].clone());
                Event::ConnectNow {
                    peer: self.whom(*place),
                    routes: routes.unwrap_or_default(),
                    permanent: true,
                }
            }
            Steer::Limits { soft, hard } => Event::SetLimits {
                soft: *soft,
                hard: *hard,
            },
            Steer::MaxByTransport(transport, max) => Event::SetMaxByTransport {
                transport: *transport,
                max: *max,
            },
            Steer::Lifetime(ms) => Event::SetLifetime { ms: *ms },
            Steer::Regulate => Event::Regulate,
        };
        self.user(c, event);
    }

    pub(crate) fn whom(&self, place: u16) -> PeerId {
        match self.place(place) {
            Some(place) => self.network.ids[place],
            None => peer_id(usize::from(place)),
        }
    }

    /// Takes back what its acts broke.
    pub(crate) fn heal_steering(&mut self, c: usize) {
        let acts = self.script.acts.clone();
        let steered = |act: &Act| matches!(act, Act::Steer(_));
        if !acts.iter().any(|(_, act)| steered(act)) {
            return;
        }
        for steer in [Steer::Resume, Steer::StopSync, Steer::Lifetime(None)] {
            self.steer(c, &steer);
        }
        for (_, act) in &acts {
            match act {
                Act::Steer(Steer::Protect(place, tag)) => {
                    self.steer(c, &Steer::Unprotect(*place, *tag));
                }
                // While the limits were others, more peers may have been held than there is room for now.
                Act::Steer(Steer::Keep(place)) | Act::ConnectNow(place) => {
                    let peer = self.whom(*place);
                    self.user(c, Event::HangUp { peer });
                    if self.clients[c].brain.knows(&peer) {
                        let priority = Priority::Medium;
                        self.user(c, Event::SetPriority { peer, priority });
                    }
                }
                Act::Steer(Steer::MaxByTransport(transport, _)) => {
                    self.steer(c, &Steer::MaxByTransport(*transport, None));
                }
                _ => {}
            }
        }
        let config = &self.clients[c].config;
        let limits = Steer::Limits {
            soft: Some(config.soft_connections),
            hard: Some(config.hard_connections),
        };
        self.steer(c, &limits);
    }
}

/// Some networks are reached by other transports than secure WebSockets.
pub(crate) fn mix(rng: &mut Rng, network: &mut NetworkSpec) {
    for peer in &mut network.peers {
        if peer.group < 50 {
            peer.group += *rng.pick(&[0, 0, 50, 100]);
        }
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
    let place = rng.place(network.peers.len());
    let later = (t + *rng.pick(&[500, 5_000, 40_000, 400_000])).min(end - 1);
    let mut act = |t: u64, steer| acts.push((t.min(end - 1), Act::Steer(steer)));
    match rng.below(24) {
        0 | 1 => {
            act(t, Steer::Pause);
            act(later, Steer::Resume);
        }
        2 | 3 => {
            let whom = rng.per_mille(500).then_some(place);
            act(t, Steer::StartSync(whom));
            act(later, Steer::StopSync);
        }
        4..7 => {
            for n in 0..rng.between(1, 3) {
                let tag = u8::try_from(n).expect("few");
                act(t, Steer::Protect(place, tag));
                if rng.per_mille(500) {
                    act(later + n, Steer::Unprotect(place, tag));
                }
            }
        }
        7..9 => {
            act(t, Steer::Keep(place));
            if rng.per_mille(500) {
                acts.push((later, Act::HangUp(place)));
            }
        }
        9..13 => {
            // Mostly fewer than there are.
            let soft = u16::try_from(rng.between(1, 6)).expect("few");
            act(
                t,
                Steer::Limits {
                    soft: Some(soft),
                    hard: None,
                },
            );
            let hard = Some(soft + u16::try_from(rng.below(4)).expect("few"));
            if rng.per_mille(400) {
                act(t, Steer::Limits { soft: None, hard });
            }
            if rng.per_mille(500) {
                let soft = Some(u16::try_from(rng.between(8, 24)).expect("few"));
                let hard = Some(u16::MAX);
                act(later, Steer::Limits { soft, hard });
            }
        }
        13 => {
            // Nonsense.
            let limit = |rng: &mut Rng| *rng.pick(&[None, Some(0), Some(1), Some(u16::MAX)]);
            let (soft, hard) = (limit(rng), limit(rng));
            act(t, Steer::Limits { soft, hard });
            act(
                later,
                Steer::Limits {
                    soft: Some(16),
                    hard: Some(20),
                },
            );
        }
        14 | 15 => {
            let transport = *rng.pick(&TRANSPORTS[..4]);
            let max = *rng.pick(&[0, 1, 2, 4, u16::MAX]);
            act(t, Steer::MaxByTransport(transport, Some(max)));
            if rng.per_mille(700) {
                act(later, Steer::MaxByTransport(transport, None));
            }
        }
        16 => {
            act(
                t,
                Steer::Lifetime(Some(*rng.pick(&[0, 60_000, 150_000, u64::MAX]))),
            );
            if rng.per_mille(400) {
                act(later, Steer::Lifetime(None));
            }
        }
        17 => act(t, Steer::Regulate),
        18 => {
            // Memory runs short, is reported now and then, and is there again.
            for n in 0..rng.between(1, 8) {
                let percent = u8::try_from(rng.between(60, 99)).expect("percent");
                let weather = Weather::Memory { percent };
                acts.push(((t + 4_000 * n).min(end - 1), Act::Weather(weather)));
            }
            let weather = Weather::Memory { percent: 20 };
            acts.push((later.max(t + 40_000).min(end - 1), Act::Weather(weather)));
        }
        19 => {
            // A page in the background, which the browser freezes.
            let sleep = Weather::Sleep {
                mono: rng.per_mille(500),
            };
            for (after, weather) in [(0, Weather::Hide), (70_000, sleep)] {
                acts.push(((t + after).min(end - 1), Act::Weather(weather)));
            }
            let shows = (later + 80_000).min(end - 1);
            acts.push((shows, Act::Weather(Weather::Wake)));
            acts.push((shows, Act::Weather(Weather::Show)));
        }
        20 | 21 => {
            // More come than anybody asked for.
            for n in 0..rng.between(2, 8) {
                let place = rng.place(network.peers.len());
                acts.push(((t + 100 * n).min(end - 1), Act::Inbound(place)));
            }
        }
        22 => {
            // Nobody ever heard of these.
            let stranger = 40_000 + place;
            act(t, Steer::Unprotect(stranger, 0));
            act(t, Steer::Protect(stranger, 0));
            act(t, Steer::Keep(stranger));
            act(later, Steer::StartSync(Some(stranger)));
            act(later + 9_000, Steer::StopSync);
        }
        _ => {
            // The same again, and in the wrong order.
            act(t, Steer::Resume);
            act(t, Steer::StopSync);
            act(t, Steer::Unprotect(place, 0));
            act(t, Steer::Pause);
            act(t, Steer::StartSync(None));
            act(t, Steer::Resume);
            act(later, Steer::Pause);
            act(later, Steer::StopSync);
            act(later + 500, Steer::Resume);
        }
    }
}

/// Acts of this kind from proptest.
pub(crate) fn strategy() -> impl Strategy<Value = Steer> {
    let place = || prop_oneof![9 => 0..12_u16, 1 => Just(40_000_u16)];
    let few = || prop::option::of(prop_oneof![9 => 0..8_u16, 1 => Just(u16::MAX)]);
    prop_oneof![
        2 => Just(Steer::Pause),
        2 => Just(Steer::Resume),
        1 => prop::option::of(place()).prop_map(Steer::StartSync),
        1 => Just(Steer::StopSync),
        3 => (place(), 0..3_u8).prop_map(|(place, tag)| Steer::Protect(place, tag)),
        1 => (place(), 0..3_u8).prop_map(|(place, tag)| Steer::Unprotect(place, tag)),
        2 => place().prop_map(Steer::Keep),
        4 => (few(), few()).prop_map(|(soft, hard)| Steer::Limits { soft, hard }),
        2 => (prop::sample::select(TRANSPORTS.to_vec()), few())
            .prop_map(|(transport, max)| Steer::MaxByTransport(transport, max)),
        1 => prop::option::of(prop::sample::select(vec![0, 60_000, 200_000, u64::MAX]))
            .prop_map(Steer::Lifetime),
        1 => Just(Steer::Regulate),
    ]
}
