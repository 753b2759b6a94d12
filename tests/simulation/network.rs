//! The network of a script: who is in it, how each behaves, and what all clients together do to it.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::{DialFailure, RequirementId};
use multiaddr::Multiaddr;

use crate::rng::Rng;
use crate::truth::Good;

/// Requirements of every client: `lightPush`, `filter`, `store`.
pub(crate) const SERVICES: u8 = 3;
pub(crate) const PROTOCOLS: [&str; 3] = ["/lightpush/3", "/filter/2", "/store/3"];
pub(crate) const EXCHANGE: &str = "/peer-exchange/2";
/// What no client requires by itself: only protocols that enroll do.
pub(crate) const CHAT: &str = "/chat/1";

/// How a peer behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Honest,
    /// Nobody there: refused at once, or never an answer.
    Dead {
        refuses: bool,
    },
    /// Connects after so long.
    Slow {
        ms: u32,
    },
    /// Up and down in turn; connections break with every fall.
    Flapping {
        up_ms: u32,
        down_ms: u32,
    },
    /// Holds so many connections; beyond that it refuses, or accepts and closes early.
    Full {
        capacity: u32,
        refuses: bool,
    },
    /// Identifies what it claims and answers every request with an error.
    Liar,
    /// A liar that names only its own kind when asked for peers.
    Colluder,
    /// Its only known address is that of another peer.
    WrongId {
        at: u16,
    },
    /// Metadata names another cluster.
    OtherCluster,
    /// Connects and never identifies itself.
    Mute,
}

/// One peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerSpec {
    pub(crate) behaviour: Behaviour,
    /// Bit `n`: serves requirement `n`; the next bit: speaks [`CHAT`]. Liars identify these.
    pub(crate) serves: u8,
    /// Bit `n`: others say that it serves requirement `n`.
    pub(crate) claims: u8,
    /// The /16 in which it lives.
    pub(crate) group: u8,
    /// One way, once around takes twice as long.
    pub(crate) hop_ms: u16,
    /// Addresses before the right one at which nobody is.
    pub(crate) stale_routes: u8,
    /// The groups of further addresses of its, and whether it answers there.
    pub(crate) elsewhere: Vec<(u8, bool)>,
    /// Answers peer exchange, with these.
    pub(crate) knows: Option<Vec<u16>>,
    /// Named by the record tree.
    pub(crate) in_tree: bool,
    /// Connections that it accepts each second.
    pub(crate) accepts_per_s: Option<u16>,
}

impl PeerSpec {
    pub(crate) fn honest(serves: u8, group: u8) -> Self {
        Self {
            behaviour: Behaviour::Honest,
            serves,
            claims: serves,
            group,
            hop_ms: 20,
            stale_routes: 0,
            elsewhere: Vec::new(),
            knows: None,
            in_tree: false,
            accepts_per_s: None,
        }
    }

    /// In the tree, with peer exchange only.
    pub(crate) fn bootstrap(knows: Vec<u16>, group: u8) -> Self {
        Self {
            knows: Some(knows),
            in_tree: true,
            ..Self::honest(0, group)
        }
    }

    /// Whether it does what it says, sooner or later.
    pub(crate) fn is_good(&self) -> bool {
        match self.behaviour {
            Behaviour::Honest => true,
            Behaviour::Slow { ms } => ms <= 1_000,
            _ => false,
        }
    }

    pub(crate) fn serves(&self, requirement: u8) -> bool {
        self.serves & (1 << requirement) != 0
    }
}

/// Everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NetworkSpec {
    pub(crate) peers: Vec<PeerSpec>,
}

impl NetworkSpec {
    /// How many good peers serve a requirement and can be found from the tree through good peers alone.
    pub(crate) fn findable(&self, requirement: u8) -> usize {
        let mut found = vec![false; self.peers.len()];
        let mut queue: Vec<usize> = (0..self.peers.len())
            .filter(|place| self.peers[*place].in_tree && self.peers[*place].is_good())
            .collect();
        while let Some(place) = queue.pop() {
            if std::mem::replace(&mut found[place], true) {
                continue;
            }
            let knows = self.peers[place].knows.iter().flatten();
            let next = knows
                .map(|place| usize::from(*place))
                .filter(|place| self.peers.get(*place).is_some_and(PeerSpec::is_good));
            queue.extend(next);
        }
        let serving = self.peers.iter().zip(found);
        serving
            .filter(|(peer, found)| {
                // Nobody would look for it where nobody says it is.
                let said = peer.claims == 0 || peer.claims & (1 << requirement) != 0;
                *found && said && peer.serves(requirement)
            })
            .count()
    }
}

/// An id without a key: nobody signs anything here.
pub(crate) fn peer_id(place: usize) -> PeerId {
    let mut bytes = [0_u8; 34];
    // A SHA-256 multihash.
    bytes[..2].copy_from_slice(&[0x12, 0x20]);
    let mut mix = Rng::new(place as u64 + 1);
    bytes[2..].copy_from_slice(&mix.seed());
    PeerId::from_bytes(&bytes).expect("a multihash is an id")
}

/// What happens to a dial when it gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Fails {
        after_ms: u64,
        how: DialFailure,
    },
    /// Not a word.
    Silence,
    Accepts {
        place: usize,
        after_ms: u64,
        life: Life,
    },
}

/// What an accepted connection will be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Lasts,
    /// The remote closes it cleanly after so long, before it said who it is.
    ClosedEarly {
        ms: u64,
    },
    /// It breaks after so long.
    Breaks {
        ms: u64,
    },
}

#[derive(Debug, Clone)]
struct Node {
    down: bool,
    load: u32,
    /// Thousandths of a connection that may be accepted.
    tokens: u64,
    filled_at: u64,
    /// Dials that arrived, and those that were accepted.
    arrivals: Vec<u64>,
}

/// The network as it is now. Shared by all clients of a world.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) spec: NetworkSpec,
    pub(crate) ids: Vec<PeerId>,
    pub(crate) routes: Vec<Vec<Multiaddr>>,
    pub(crate) tree_up: bool,
    /// Who claims everything of everybody when asked for peers, with so many wrong addresses for each.
    pub(crate) boasts: BTreeMap<usize, u8>,
    places: BTreeMap<PeerId, usize>,
    addresses: BTreeMap<Multiaddr, usize>,
    nodes: Vec<Node>,
}

impl Network {
    pub(crate) fn new(spec: NetworkSpec) -> Self {
        let ids: Vec<PeerId> = (0..spec.peers.len()).map(peer_id).collect();
        let own: Vec<Multiaddr> = (0..spec.peers.len())
            .map(|place| address(spec.peers[place].group, place, 443))
            .collect();
        let routes = (0..spec.peers.len())
            .map(|place| {
                let peer = &spec.peers[place];
                let mut routes: Vec<Multiaddr> = (0..peer.stale_routes)
                    .map(|n| address(peer.group, place, 8_000 + u16::from(n)))
                    .collect();
                routes.extend(
                    peer.elsewhere
                        .iter()
                        .map(|(group, _)| address(*group, place, 443)),
                );
                routes.push(match peer.behaviour {
                    Behaviour::WrongId { at } => own[usize::from(at) % own.len()].clone(),
                    _ => own[place].clone(),
                });
                routes
            })
            .collect();
        let own = own.into_iter().enumerate().map(|(place, own)| (own, place));
        let peers = spec.peers.iter().enumerate();
        let further = peers.flat_map(|(place, peer)| {
            let answering = peer.elsewhere.iter().filter(|(_, answers)| *answers);
            answering.map(move |(group, _)| (address(*group, place, 443), place))
        });
        let addresses = own.chain(further).collect();
        let node = Node {
            down: false,
            load: 0,
            tokens: 1_000,
            filled_at: 0,
            arrivals: Vec::new(),
        };
        Self {
            places: ids.iter().enumerate().map(|(n, id)| (*id, n)).collect(),
            addresses,
            nodes: vec![node; spec.peers.len()],
            tree_up: true,
            boasts: BTreeMap::new(),
            ids,
            routes,
            spec,
        }
    }

    pub(crate) fn place(&self, peer: &PeerId) -> Option<usize> {
        self.places.get(peer).copied()
    }

    /// Those who do what they say, and live in one network only.
    pub(crate) fn good(&self) -> Vec<Good> {
        let all = self.spec.peers.iter().enumerate();
        let good = all.filter(|(_, spec)| spec.is_good() && spec.elsewhere.is_empty());
        good.map(|(place, spec)| Good {
            peer: self.ids[place],
            serves: spec.serves,
            route: address(spec.group, place, 443),
        })
        .collect()
    }

    pub(crate) fn set_down(&mut self, place: usize, down: bool) {
        self.nodes[place].down = down;
    }

    /// Whether it answers now.
    pub(crate) fn is_up(&self, place: usize, t: u64) -> bool {
        let alive = match self.spec.peers[place].behaviour {
            Behaviour::Dead { .. } | Behaviour::WrongId { .. } => false,
            Behaviour::Flapping { up_ms, down_ms } => phase(place, t, up_ms, down_ms).is_some(),
            _ => true,
        };
        alive && !self.nodes[place].down
    }

    /// A dial arrives.
    pub(crate) fn answer(&mut self, peer: &PeerId, route: &Multiaddr, t: u64) -> Answer {
        let Some(place) = self.addresses.get(route).copied() else {
            return Answer::Silence;
        };
        let spec = &self.spec.peers[place];
        let hop = u64::from(spec.hop_ms);
        let refused = Answer::Fails {
            after_ms: hop,
            how: DialFailure::Unreachable,
        };
        self.nodes[place].arrivals.push(t);
        if !self.is_up(place, t) {
            return match spec.behaviour {
                Behaviour::Dead { refuses: false } => Answer::Silence,
                _ => refused,
            };
        }
        if self.ids[place] != *peer {
            return Answer::Fails {
                after_ms: 4 * hop,
                how: DialFailure::WrongId,
            };
        }
        if !self.admits(place, t) {
            return refused;
        }
        let spec = &self.spec.peers[place];
        let mut after_ms = 4 * hop;
        let mut life = self.life(place, t);
        match spec.behaviour {
            Behaviour::Slow { ms } => after_ms += u64::from(ms),
            Behaviour::Full { capacity, refuses } if self.nodes[place].load >= capacity => {
                if refuses {
                    return refused;
                }
                life = Life::ClosedEarly { ms: hop };
            }
            _ => {}
        }
        Answer::Accepts {
            place,
            after_ms,
            life,
        }
    }

    /// How long a connection that it makes lasts.
    pub(crate) fn life(&self, place: usize, t: u64) -> Life {
        match self.spec.peers[place].behaviour {
            Behaviour::Flapping { up_ms, down_ms } => {
                let left = phase(place, t, up_ms, down_ms).unwrap_or(1);
                Life::Breaks { ms: left.max(1) }
            }
            _ => Life::Lasts,
        }
    }

    fn admits(&mut self, place: usize, t: u64) -> bool {
        let Some(rate) = self.spec.peers[place].accepts_per_s else {
            return true;
        };
        let node = &mut self.nodes[place];
        let gained = (t - node.filled_at) * u64::from(rate);
        node.filled_at = t;
        node.tokens = (node.tokens + gained).min(1_000 * u64::from(rate).max(1));
        let admitted = node.tokens >= 1_000;
        if admitted {
            node.tokens -= 1_000;
        }
        admitted
    }

    pub(crate) fn opened(&mut self, place: usize) {
        self.nodes[place].load += 1;
    }

    pub(crate) fn closed(&mut self, place: usize) {
        let node = &mut self.nodes[place];
        node.load = node.load.checked_sub(1).expect("closed after opened");
    }

    pub(crate) fn load(&self, place: usize) -> u32 {
        self.nodes[place].load
    }

    /// When dials arrived there.
    pub(crate) fn arrivals(&self, place: usize) -> &[u64] {
        &self.nodes[place].arrivals
    }

    /// What it answers when it is asked for peers: a part of what it knows.
    pub(crate) fn names(&self, place: usize, count: u32, rng: &mut Rng) -> Option<Vec<usize>> {
        let spec = &self.spec.peers[place];
        let known = spec.knows.as_ref()?;
        let mut known: Vec<usize> = known
            .iter()
            .map(|place| usize::from(*place))
            .filter(|other| *other < self.ids.len() && *other != place)
            .filter(|other| {
                spec.behaviour != Behaviour::Colluder
                    || self.spec.peers[*other].behaviour == Behaviour::Colluder
            })
            .collect();
        rng.shuffle(&mut known);
        known.truncate(count as usize);
        Some(known)
    }

    /// What it says that it speaks.
    pub(crate) fn protocols(&self, place: usize) -> Vec<String> {
        let spec = &self.spec.peers[place];
        let mut protocols: Vec<String> = requirements(spec.serves)
            .iter()
            .map(|id| PROTOCOLS[usize::from(id.0)].to_owned())
            .collect();
        if spec.knows.is_some() {
            protocols.push(EXCHANGE.to_owned());
        }
        if spec.serves(SERVICES) {
            protocols.push(CHAT.to_owned());
        }
        protocols
    }
}

/// The requirements of a mask.
pub(crate) fn requirements(mask: u8) -> Vec<RequirementId> {
    let ids = 0..SERVICES;
    ids.filter(|id| mask & (1 << id) != 0)
        .map(RequirementId)
        .collect()
}

/// Groups from 50 on are reached by WebSockets in the clear, those from 100 on by WebRTC. From 200 on every peer has a /24
/// of its own.
pub(crate) fn address(group: u8, place: usize, port: u16) -> Multiaddr {
    let [_, _, high, low] = u32::try_from(place).expect("few peers").to_be_bytes();
    let way = match group {
        50..100 => format!("tcp/{port}/ws"),
        100..150 => format!("udp/{port}/webrtc-direct"),
        _ => format!("tcp/{port}/wss"),
    };
    let (high, low) = if group < 200 {
        (high, low)
    } else {
        (low, high)
    };
    format!("/ip4/60.{group}.{high}.{low}/{way}")
        .parse()
        .expect("an address")
}

/// How much longer a flapping peer stays up, or `None` while it is down.
fn phase(place: usize, t: u64, up_ms: u32, down_ms: u32) -> Option<u64> {
    let (up, down) = (u64::from(up_ms), u64::from(down_ms));
    let at = (t + place as u64 * 7_919) % (up + down).max(1);
    (at < up).then(|| up - at)
}
