//! The machine that a client runs on: its network, its clocks, its page's visibility.

use lightkeeper::manager::{Event, Time};

/// Wall clock at the beginning of every world.
pub(crate) const WALL_ZERO: u64 = 1_700_000_000_000;
/// Monotonic clocks begin somewhere.
pub(crate) const MONO_ZERO: u64 = 10_000;

/// What befalls the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// No network. `noticed`: the browser says so.
    NetworkGone {
        noticed: bool,
    },
    /// There is one again; the browser says so if it noticed.
    NetworkBack,
    /// What the browser says, whatever is so: some say for good that there is no network.
    Says {
        online: bool,
    },
    /// Another network: what was connected is gone. `constrained`: it is dear, or slow.
    NetworkChanged {
        constrained: bool,
    },
    /// Suspended. `mono`: the monotonic clock goes on.
    Sleep {
        mono: bool,
    },
    Wake,
    Hide,
    Show,
    /// Percent of the memory that the page may use.
    Memory {
        percent: u8,
    },
    /// The user, or the network, sets the clock.
    WallShift {
        ms: i64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    Awake,
    Asleep { since: u64, mono: bool },
}

/// What a page may use, in bytes. No device has so little; only the share matters.
const MEMORY: u64 = 1 << 27;

/// What the browser says, and what the manager was told of it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    online: bool,
    hidden: bool,
    frozen: bool,
    constrained: bool,
    memory: u8,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Environment {
    power: Power,
    /// Packets get through.
    pub(crate) network: bool,
    /// What the browser says.
    pub(crate) online: bool,
    constrained: bool,
    memory: u8,
    /// It says that the network is another one.
    other_network: bool,
    told: Said,
    pub(crate) hidden_since: Option<u64>,
    mono_lost: u64,
    wall_shift: i64,
}

impl Environment {
    pub(crate) fn new() -> Self {
        Self {
            power: Power::Awake,
            network: true,
            online: true,
            constrained: false,
            memory: 0,
            other_network: false,
            told: Said {
                online: true,
                hidden: false,
                frozen: false,
                constrained: false,
                memory: 0,
            },
            hidden_since: None,
            mono_lost: 0,
            wall_shift: 0,
        }
    }

    /// What the machine's clocks show.
    pub(crate) fn time(&self, t: u64) -> Time {
        Time {
            mono_ms: MONO_ZERO + t - self.mono_lost,
            wall_ms: (WALL_ZERO + t).saturating_add_signed(self.wall_shift),
        }
    }

    /// When the monotonic clock will show this, if the machine stays awake.
    pub(crate) fn when(&self, mono: u64) -> u64 {
        mono.saturating_add(self.mono_lost)
            .saturating_sub(MONO_ZERO)
    }

    pub(crate) fn awake(&self) -> bool {
        self.power == Power::Awake
    }

    /// How long it slept, if it slept until now.
    pub(crate) fn slept(&self, t: u64) -> Option<u64> {
        match self.power {
            Power::Asleep { since, .. } => Some(t - since),
            Power::Awake => None,
        }
    }

    /// What the shell tells the manager just before a change: browsers freeze hidden pages before they sleep.
    pub(crate) fn forewarns(&mut self, weather: Weather) -> Option<Event> {
        let freezes = matches!(weather, Weather::Sleep { .. })
            && self.awake()
            && self.hidden_since.is_some()
            && !self.told.frozen;
        self.told.frozen |= freezes;
        freezes.then_some(Event::Freeze)
    }

    /// Takes the change, and returns what the shell tells the manager of it. Whoever gives the manager an event for
    /// one of these adds it here, and nowhere else.
    pub(crate) fn befall(&mut self, weather: Weather, t: u64) -> Vec<Event> {
        match weather {
            Weather::NetworkGone { noticed } => {
                self.network = false;
                self.online &= !noticed;
            }
            Weather::NetworkBack => {
                self.network = true;
                self.online = true;
            }
            Weather::Says { online } => self.online = online,
            Weather::NetworkChanged { constrained } => {
                self.constrained = constrained;
                self.other_network = true;
            }
            Weather::Sleep { mono } => {
                if self.awake() {
                    self.power = Power::Asleep { since: t, mono };
                }
            }
            Weather::Wake => {
                if let Power::Asleep { since, mono: false } = self.power {
                    self.mono_lost += t - since;
                }
                self.power = Power::Awake;
            }
            Weather::Hide => {
                self.hidden_since.get_or_insert(t);
            }
            Weather::Show => self.hidden_since = None,
            Weather::Memory { percent } => self.memory = percent,
            Weather::WallShift { ms } => self.wall_shift = self.wall_shift.saturating_add(ms),
        }
        self.news()
    }

    /// The network is neither dear nor slow, and there is memory enough.
    pub(crate) fn relieved(&mut self) -> Vec<Event> {
        self.constrained = false;
        self.memory = 0;
        self.news()
    }

    /// What the browser tells, as soon as it runs.
    fn news(&mut self) -> Vec<Event> {
        if !self.awake() {
            return Vec::new();
        }
        let said = Said {
            online: self.online,
            hidden: self.hidden_since.is_some(),
            frozen: false,
            constrained: self.constrained,
            memory: self.memory,
        };
        let told = std::mem::replace(&mut self.told, said);
        let other_network = std::mem::take(&mut self.other_network);
        let mut news = Vec::new();
        if told.frozen {
            news.push(Event::Unfreeze);
        }
        if told.hidden != said.hidden {
            let hidden = said.hidden;
            news.push(Event::Visibility { hidden });
        }
        if told.online != said.online {
            news.push(if said.online {
                Event::Online
            } else {
                Event::Offline
            });
        }
        if other_network || told.constrained != said.constrained {
            let constrained = said.constrained;
            news.push(Event::NetworkChanged { constrained });
        }
        if told.memory != said.memory {
            news.push(Event::Memory {
                used: MEMORY / 100 * u64::from(said.memory),
                limit: MEMORY,
            });
        }
        news
    }
}
