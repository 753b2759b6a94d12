//! Decides who should be connected, and why.
//!
//! A state machine without input or output of its own, without clock and without entropy source. The same
//! configuration, seed and inputs give the same orders, natively and in wasm.
//!
//! # Contract
//!
//! - The shell calls [`Manager::handle`] with the time and one [`Event`], then drains [`Manager::poll`] until it is
//!   empty and carries the [`Command`]s out in order. `handle` is never re-entrant: what a command leads to is the next
//!   event.
//! - When [`Manager::next_deadline`] passes, the shell calls `handle` with [`Event::Tick`]. It looks at the clocks meanwhile
//!   ([`Manager::clock_look_ms`]), and before every input, and says so with [`Event::Woke`] when the machine slept
//!   ([`Manager::has_slept`]). A tick at any other time changes nothing.
//! - Time never goes back: an earlier time than the last is read as the last.
//! - Ids that are unknown, or no longer mean anything, are ignored. A connection that nobody ordered is adopted and
//!   judged. Every dial, ping and close has a watchdog, so a callback that the shell loses costs time, not a slot.
//! - `handle` and `poll` change state, and [`Manager::gate`] takes a token and a place; everything else only reads.
//!
//! # Rules
//!
//! All of them, with the numbers that comments cite ("4.14", "S18"), are in `contract.md` beside this file, and so is the
//! way in for whoever is new here. In short:
//!
//! Discovery never dials; deficits dial. A peer *serves* a requirement when it is connected, identify lists one of the
//! protocols, metadata did not forbid it, and it has not failed it since. What is on its way (dials, and connections
//! being verified) counts against deficits, so that no more peers are dialed than are needed. Whoever fails is replaced
//! before it is closed. Bootstrap peers are parked until the start-up ladder releases them, and handed off when others do
//! their work. Failures that were this machine's own fault are taken back.
//!
//! # The way through `handle`
//!
//! ```text
//! event ── orders, book::heard, dialing::attempt, connected::{opened, ended, pings, outcomes}, machine, timers
//!       └─ regulate  closes what is too much: above the limits, above a share, what bursts left
//!       └─ tidy      closes what is not needed: above max, failed, useless, handed off
//!       └─ plan      dials what is missing: pins, probes, needs, the lost, bootstraps; asks for more peers
//!       └─ announce  the lines that were crossed, once for each input, and the commands are ready
//! ```
//!
//! | room | is |
//! |---|---|
//! | `boundary` | every word that crosses: events, commands, reasons, views, the configuration |
//! | `tools` | deadlines, places and ordered sets, the seed, the queue of commands, the log of decisions; they know no peers |
//! | `book` | who is known: records, addresses, scores, bans, the user's wishes, what is saved |
//! | `machine` | the page and its network: sleep, outage, visibility, memory, limits |
//! | `demand` | what is wanted, by whom: requirements and their providers, enrollments, locks, bursts |
//! | `dialing` | whom to dial, when and at which address; whom to ask for more peers |
//! | `connected` | what is open: from the handshake to the end, and why it ended |
//! | `pruning` | what to close, and in favour of whom |
//! | `observe` | what can be read: views, explanations, the record, the check of invariants |
//! | `orders`, `timers` | what the user wants at once; what is due |
//!
//! Each room names those before it in this table (`tests/lint/rooms.mjs` holds that). Methods of [`Manager`] are called
//! across rooms; what a room keeps to itself is private to its types.
//!
//! Bounds: 5,000 peers with 8 addresses each, 20 connections and dials together, one deadline for each purpose.
//! One input costs a few searches in ordered maps; nothing walks over all peers but [`Manager::peers`] and a start.
//!
//! Scores fade without ticks (`score`): what they are now is worked out when they are read.

mod book;
mod boundary;
mod connected;
mod demand;
mod dialing;
mod machine;
mod observe;
mod pruning;
mod tools;

mod orders;
mod timers;

pub use boundary::{command, config, event, reason, view};
pub use observe::record;

use book::bans::Bans;
use book::pins::Pins;
use book::snapshot::LastSession;
use book::subnet_bans::Quarantine;
use book::table::Table;
use connected::connections::Connections;
use demand::bursts::Bursts;
use demand::enrollments::Enrollments;
use demand::locks::Locks;
use demand::needs::Needs;
use dialing::candidates::Candidates;
use dialing::dials::Dials;
use dialing::ladder::Ladder;
use dialing::pace::Pace;
use dialing::peer_exchange::Asking;
use dialing::selection::Selection;
use machine::environment::Environment;
use machine::limits::Limits;
use machine::modes::Mode;
use machine::outage::Outage;
use pruning::leaving::Leaving;
use pruning::regulation::Regulation;
use pruning::releases::Releases;
use tools::deadlines::Deadlines;
use tools::decision_log::Ring;
use tools::gauges::Gauges;
use tools::outbox::Outbox;
use tools::seed::{Domain, Seed};
use tools::services::Services;

pub use book::saved::SnapshotError;
pub use book::snapshot::Restored;
pub use boundary::command::{
    BurstAnswer, Command, Crossed, DialWhy, Failed, Grant, Health, LockAnswer, Notice, Offer, Wish,
    WishAnswer,
};
pub use boundary::config::{Config, RequirementSpec};
pub use boundary::event::{
    Bound, BurstId, Class, ConnId, DialId, Direction, EnrollmentId, Event, GateQuery, LockId,
    Metadata, Need, Priority, ProtocolSpec, Quota, RequirementId, Sighting, Source, Time,
    Transport,
};
pub use boundary::reason::{
    Cause, CloseCause, DialFailure, Guard, HealthReason, LimitCause, LockDenial, NetworkCause,
    NetworkState, Outcome, Reason, Revocation, Trigger,
};
pub use boundary::view::{
    Decision, Explanation, PeerState, PeerView, ProtocolView, RequirementView, ScoreParts, Stats,
    What,
};
pub use observe::record::{Log, Recorded, WireError};

/// Whether the node wants connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Stopped,
    Running,
}

/// The state machine. See the module's documentation for the contract.
#[derive(Debug)]
pub struct Manager {
    config: Config,
    now: Time,
    run: Run,
    seed: Seed,
    table: Table,
    candidates: Candidates,
    ladder: Ladder,
    needs: Needs,
    dials: Dials,
    pace: Pace,
    connections: Connections,
    outage: Outage,
    asking: Asking,
    deadlines: Deadlines,
    out: Outbox,
    ring: Ring,
    gauges: Gauges,
    pins: Pins,
    limits: Limits,
    mode: Mode,
    leaving: Leaving,
    selection: Selection,
    releases: Releases,
    environment: Environment,
    enrollments: Enrollments,
    locks: Locks,
    bursts: Bursts,
    bans: Bans,
    quarantine: Quarantine,
    last_session: LastSession,
    regulation: Regulation,
}

impl Manager {
    /// A stopped manager that knows nobody. The seed decides every choice between equals.
    ///
    /// Requirements beyond the 64th are ignored.
    pub fn new(config: Config, seed: [u8; 32], now: Time) -> Self {
        let needs = Needs::new(&config.requirements);
        let seed = Seed::new(seed);
        let mut manager = Self {
            now,
            run: Run::Stopped,
            table: Table::new(seed.mark(Domain::Id, &[])),
            seed,
            candidates: Candidates::new(needs.places()),
            ladder: Ladder::default(),
            dials: Dials::default(),
            pace: Pace::new(&config, now.mono_ms),
            connections: Connections::default(),
            outage: Outage::new(),
            asking: Asking::default(),
            deadlines: Deadlines::new(now.mono_ms),
            out: Outbox::default(),
            ring: Ring::default(),
            gauges: Gauges::default(),
            pins: Pins::default(),
            limits: Limits::new(&config),
            mode: Mode::default(),
            leaving: Leaving::default(),
            selection: Selection::default(),
            releases: Releases::default(),
            environment: Environment::default(),
            enrollments: Enrollments::new(needs.places()),
            needs,
            locks: Locks::default(),
            bursts: Bursts::default(),
            bans: Bans::default(),
            quarantine: Quarantine::default(),
            last_session: LastSession::default(),
            regulation: Regulation::default(),
            config,
        };
        manager.reallocate();
        manager
    }

    /// Takes an input. Never re-entrant; orders are queued for [`Self::poll`].
    pub fn handle(&mut self, now: Time, event: Event) {
        self.out.stats.events += 1;
        // Whoever tells of a freeze or of sleep tells it once; the clocks may have told before.
        let told = match event {
            Event::Woke => true,
            Event::Unfreeze => self.environment.is_frozen(),
            _ => false,
        };
        let slept = self.advance(now) || told;
        self.fire_due(slept);
        if slept {
            self.woke_up();
        }
        match event {
            Event::Start => self.on_start(),
            Event::Stop => self.on_stop(),
            // What they tell was seen to above.
            Event::Tick | Event::Woke | Event::Unfreeze => {}
            Event::Discovered {
                peer,
                routes,
                claims,
                source,
                introducer,
            } => {
                let said = Sighting {
                    peer,
                    routes,
                    claims,
                };
                self.heard_of(&said, source, introducer);
            }
            Event::DnsFinished {
                found: _,
                failed,
                answered,
            } => self.on_trees_done(failed, answered),
            Event::Answered { peer, entries } => self.on_answered(peer, entries),
            Event::SetNeed { requirement, need } => self.on_set_need(requirement, need),
            Event::SetPriority { peer, priority } => {
                let answer = self.on_set_priority(peer, priority);
                self.answer(peer, Wish::Priority, answer);
            }
            Event::ConnectNow {
                peer,
                routes,
                permanent,
            } => {
                let answer = self.on_connect_now(peer, &routes, permanent);
                self.answer(peer, Wish::Connect, answer);
            }
            Event::GaveUp { peer } => self.on_gave_up(&peer),
            Event::HangUp { peer } => self.on_hang_up(&peer),
            Event::AddRoute { peer, route } => {
                let answer = self.on_add_route(peer, &route);
                self.answer(peer, Wish::Route, answer);
            }
            Event::RemoveRoute { peer, route } => self.on_remove_route(&peer, &route),
            Event::Forget { peer } => self.on_forget(&peer),
            Event::Protect { peer, tag } => {
                let answer = self.on_protect(peer, tag);
                self.answer(peer, Wish::Protect, answer);
            }
            Event::Unprotect { peer, tag } => self.on_unprotect(&peer, &tag),
            Event::Hint {
                peer,
                tag,
                value,
                ttl_ms,
            } => {
                let answer = self.on_hint(peer, tag, value, ttl_ms);
                self.answer(peer, Wish::Hint, answer);
            }
            Event::Enroll { enrollment, spec } => self.on_enroll(enrollment, spec),
            Event::AcceptOffer { enrollment } => self.on_accept_offer(enrollment),
            Event::Withdraw { enrollment } => self.on_withdraw(enrollment),
            Event::Lock {
                lock,
                enrollment,
                peer,
                ttl_ms,
            } => self.on_lock(lock, enrollment, &peer, ttl_ms),
            Event::ExtendLock { lock, ttl_ms } => self.on_extend_lock(lock, ttl_ms),
            Event::Unlock { lock } => self.on_unlock(lock),
            Event::OpenBurst {
                burst,
                enrollment,
                slots,
                max_ms,
            } => self.on_open_burst(burst, enrollment, slots, max_ms),
            Event::CloseBurst { burst } => self.on_close_burst(burst),
            Event::Scores {
                round,
                enrollment,
                scores,
            } => self.on_scores(round, enrollment, &scores),
            Event::Pause => self.on_pause(),
            Event::Unpause => self.on_unpause(),
            Event::StartSync { peer } => self.on_start_sync(peer),
            Event::StopSync => self.on_stop_sync(),
            Event::SetLimits { soft, hard } => self.on_set_limits(soft, hard),
            Event::SetMaxByTransport { transport, max } => {
                self.limits.set_transport(transport, max);
            }
            Event::SetLifetime { ms } => self.on_set_lifetime(ms),
            Event::Regulate => self.on_regulate(),
            Event::Visibility { hidden } => self.on_visibility(hidden),
            Event::Freeze => self.on_freeze(),
            Event::NetworkChanged { constrained } => self.on_network_changed(constrained),
            Event::Memory { used, limit } => self.on_memory(used, limit),
            Event::Connected {
                conn,
                peer,
                direction,
                route,
                dial,
            } => self.on_connected(conn, peer, direction, route, dial),
            Event::Identified {
                conn,
                protocols,
                agent,
            } => self.on_identified(conn, protocols, agent),
            Event::Metadata { conn, metadata } => self.on_metadata(conn, metadata),
            Event::Closed { conn, cause } => self.on_closed(conn, cause),
            Event::DialFailed {
                dial,
                failure,
                answered,
            } => self.on_dial_failed(dial, failure, answered),
            Event::Heard { conn, silent_ms } => self.on_heard(conn, silent_ms),
            Event::Doubt { conn } => self.on_doubt(conn),
            Event::Pong { conn, ping, rtt_ms } => self.on_pong(conn, ping, rtt_ms),
            Event::PingFailed { conn, ping } => self.on_ping_failed(conn, ping),
            Event::Report {
                peer,
                requirement,
                outcome,
                charged,
            } => self.on_report(&peer, requirement, outcome, charged),
            Event::Online => self.on_online(),
            Event::Offline => self.on_offline(),
        }
        self.watch_quotas();
        self.decide();
        self.calm_down();
        self.announce();
    }

    /// Decides until no part leaves work to another and the limits that the environment sets stand: otherwise an idle
    /// call would be the one to notice (D4).
    fn decide(&mut self) {
        /// A dial, a close or another limit gives the others at most a few things to do: there are few connections.
        const ROUNDS: usize = 8;
        self.readapt();
        for _ in 0..ROUNDS {
            self.enforce_transport_caps();
            self.regulate();
            self.tidy();
            let dials = self.out.stats.dials;
            self.plan();
            // What comes first in a plan has not seen the dials of what comes after.
            let dialed = self.out.stats.dials > dials;
            let adapted = self.readapt();
            if !adapted && !dialed && !self.is_changed() {
                break;
            }
        }
    }

    /// Judges a dial or a connection that somebody else wants. An admitted dial costs a token, and occupies a place below the
    /// hard cap until it is connected or 30 s have passed.
    ///
    /// Dials that the manager ordered itself do not ask here; their peers are "already being dialed".
    ///
    /// # Errors
    ///
    /// The first rule that forbids it.
    pub fn gate(&mut self, now: Time, query: GateQuery) -> Result<(), Reason> {
        // The clock is not moved: whether the machine slept is for `handle` to find out.
        let mono = now.mono_ms.max(self.now.mono_ms);
        let (peer, verdict) = match query {
            GateQuery::Outbound { peer } => (peer, self.gate_outbound(mono, peer)),
            GateQuery::Inbound { peer } => (peer, self.gate_inbound(peer)),
        };
        if let Err(reason) = verdict {
            self.out.stats.denials += 1;
            self.ring.push(self.now, What::Denied { peer, reason });
        }
        verdict
    }

    /// The next order, first in first out.
    pub fn poll(&mut self) -> Option<Command> {
        self.out.next()
    }

    /// Tells, once for each input, which lines were crossed.
    fn announce(&mut self) {
        if !self.needs.has_news() {
            return;
        }
        for takeover in self.needs.take_takeovers() {
            self.out.stats.replacements += 1;
            self.out.tell(Notice::Replaced {
                lost: takeover.lost,
                gained: takeover.gained,
                requirement: takeover.requirement,
                gap_ms: takeover.gap_ms,
            });
        }
        for change in self.needs.changes() {
            if change.crossed == Crossed::TargetReached {
                self.gauges.met(self.now.mono_ms, change.requirement);
            }
            self.out.tell(Notice::RequirementChanged {
                requirement: change.requirement,
                have: change.have,
                min: change.need.min,
                target: change.need.target,
                crossed: change.crossed,
            });
        }
        if let Some((old, new)) = self.needs.health_change() {
            let (_, reason) = self.health();
            self.out.tell(Notice::HealthChanged { old, new, reason });
        }
    }

    /// All requirements.
    fn all(&self) -> Services {
        self.needs.live()
    }

    /// Connections and dials together: what the limits bound.
    fn occupied(&self) -> usize {
        self.connections.len() + self.dials.occupied()
    }
}
