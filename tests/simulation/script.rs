//! A script: everything that happens in one run, as a plain value. Same script, same run.

use std::fmt;

use lightkeeper::manager::{Config, Need, Outcome, Priority, RequirementSpec};

use crate::book::Note;
use crate::browser::Brand;
use crate::claims::Claim;
use crate::environment::Weather;
use crate::network::{EXCHANGE, NetworkSpec, PROTOCOLS, peer_id};
use crate::steering::Steer;

/// Our own id: no place in any network.
pub(crate) const LOCAL: usize = 60_000;

/// Something that the script makes happen. Peers are places in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Start,
    Stop,
    Weather(Weather),
    PeerDown(u16),
    PeerUp(u16),
    /// Its connections break; it stays up.
    Lose(u16),
    /// The best provider of a requirement goes down.
    ProviderDown(u8),
    /// All connections break at once.
    LoseAll,
    TreeDown,
    TreeUp,
    SetPriority(u16, Priority),
    ConnectNow(u16),
    HangUp(u16),
    SetNeed(u8, Need),
    /// The user names it.
    Name(u16),
    /// It connects by itself, if the gate admits it.
    Inbound(u16),
    /// Somebody else in the page wants to dial it.
    Foreign(u16),
    Report(u16, u8, Outcome),
    /// The same, of what the peer did not do, or had no time for.
    Excused(u16, u8, Outcome),
    /// A request to it takes long.
    Doubt(u16),
    /// The user's dial of it is given up.
    GaveUp(u16),
    /// A tick that nobody asked for.
    Tick,
    /// An event about a connection and a dial that never were.
    Stray(u8),
    /// How often each requirement is used; 0: not at all.
    Workload {
        every_ms: u32,
    },
    Claim(Claim),
    Steer(Steer),
    Note(Note),
    /// Everything that acts broke is well again: network, clocks, page, tree, good peers, the user's bans and hang-ups.
    Heal,
}

/// What the shell does to callbacks, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ShellFaults {
    /// Each callback is late by up to this, in milliseconds.
    pub(crate) delay_ms: u16,
    /// Whether callbacks of one connection or dial keep their order all the same.
    pub(crate) overtakes: bool,
    pub(crate) duplicate: u16,
    pub(crate) lose: u16,
}

/// What differs from the light node's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tuning {
    pub(crate) needs: [Need; 3],
    pub(crate) soft: u16,
    pub(crate) max_peers: u16,
    pub(crate) max_bans: u16,
    pub(crate) max_user_bans: u16,
    pub(crate) has_tree: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        let need = |min, target, max| Need { min, target, max };
        Self {
            needs: [need(1, 2, 4), need(1, 2, 4), need(0, 1, 2)],
            soft: 16,
            max_peers: 5_000,
            max_bans: 4_096,
            max_user_bans: 1_024,
            has_tree: true,
        }
    }
}

impl Tuning {
    pub(crate) fn config(&self) -> Config {
        let names = ["lightPush", "filter", "store"];
        let requirements = (0..3)
            .map(|i| RequirementSpec {
                name: names[i].to_owned(),
                protocols: vec![PROTOCOLS[i].to_owned()],
                need: self.needs[i],
            })
            .collect();
        let mut config = Config::light_node(peer_id(LOCAL), requirements, EXCHANGE, self.has_tree);
        config.soft_connections = self.soft;
        config.hard_connections = self.soft + (self.soft / 4).max(2);
        config.max_peers = usize::from(self.max_peers);
        config.max_bans = usize::from(self.max_bans);
        config.max_user_bans = usize::from(self.max_user_bans);
        config
    }
}

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) seed: u64,
    pub(crate) network: NetworkSpec,
    pub(crate) tuning: Tuning,
    pub(crate) faults: ShellFaults,
    pub(crate) brand: Brand,
    /// How many clients live in this world; all follow the same acts.
    pub(crate) clients: u32,
    /// When, in milliseconds from the beginning, and what.
    pub(crate) acts: Vec<(u64, Act)>,
    pub(crate) horizon_ms: u64,
}

impl Script {
    /// One client that starts at once in this network.
    pub(crate) fn new(seed: u64, network: NetworkSpec, horizon_ms: u64) -> Self {
        Self {
            seed,
            network,
            tuning: Tuning::default(),
            faults: ShellFaults::default(),
            brand: Brand::Chromium,
            clients: 1,
            acts: vec![(0, Act::Start)],
            horizon_ms,
        }
    }

    pub(crate) fn at(mut self, t: u64, act: Act) -> Self {
        self.acts.push((t, act));
        self
    }

    /// Whether protocols enroll.
    pub(crate) fn enrolls(&self) -> bool {
        self.acts
            .iter()
            .any(|(_, act)| matches!(act, Act::Claim(_)))
    }

    /// Whether a client that is left alone must get what it wants: enough good peers can be found, and nothing else
    /// that the script does is in the way.
    pub(crate) fn viable(&self) -> bool {
        let mut needs = self.tuning.needs;
        for (_, act) in &self.acts {
            if let Act::SetNeed(requirement, need) = act
                && let Some(old) = needs.get_mut(usize::from(*requirement))
            {
                *old = *need;
            }
        }
        let mins: u16 = needs.iter().map(|need| u16::from(need.min)).sum();
        let enough = (0..3).all(|requirement: u8| {
            let min = usize::from(needs[usize::from(requirement)].min);
            min == 0 || self.network.findable(requirement) >= min
        });
        let room = usize::from(self.tuning.max_peers) >= self.network.peers.len()
            && self.tuning.soft >= mins.max(8);
        enough && room && self.tuning.has_tree
    }
}

impl fmt::Debug for Script {
    /// One line for each peer and act: this is what a failing run prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Script {{ seed: {}, {:?}, {:?}, {:?}, clients: {}, horizon_ms: {},",
            self.seed, self.tuning, self.faults, self.brand, self.clients, self.horizon_ms
        )?;
        for (place, peer) in self.network.peers.iter().enumerate() {
            writeln!(f, "  p{place}: {peer:?}")?;
        }
        for (t, act) in &self.acts {
            writeln!(f, "  {t} ms: {act:?}")?;
        }
        write!(f, "}}")
    }
}
