//! The slow and obvious bookkeeping of what a manager was told and what it ordered. Knows nothing of its insides.

use std::collections::BTreeMap;

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, Config, ConnId, DialFailure, DialId, Direction, Event, Failed, GateQuery,
    HealthReason, Need, Notice, PeerView, Priority, Reason, RequirementId, Source, Time, What,
};
use multiaddr::Multiaddr;

use crate::ledger_bans::Rules;
use crate::ledger_claims::Claims;
use crate::ledger_network::Hint;
pub(crate) use crate::ledger_records::{ConnRecord, DialRecord, PeerRecord, Wait};
use crate::ledger_steering::Steering;
use crate::orders::{let_go, parting};
use crate::view::{Input, View};

/// See the module.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) now: u64,
    pub(crate) running: bool,
    pub(crate) hint: Hint,
    pub(crate) needs: Vec<Need>,
    pub(crate) dials: BTreeMap<DialId, DialRecord>,
    pub(crate) conns: BTreeMap<ConnId, ConnRecord>,
    pub(crate) peers: BTreeMap<PeerId, PeerRecord>,
    pub(crate) steering: Steering,
    pub(crate) claims: Claims,
    /// When there were none.
    pub(crate) lonely_since: u64,
    /// The clocks of the last event.
    pub(crate) handled_at: u64,
    pub(crate) wall: u64,
    /// The machine slept before this input.
    resumed: bool,
    /// Our own network is suspected, or was until this input.
    suspects: bool,
    /// Backoffs are drawn anew in this input, also those that it brings.
    redrawn: bool,
    /// Everybody is to show a sign of life since this input: after sleep, on what may be another network, after a loss, or
    /// when somebody sees the page again (4.8).
    asks_all: bool,
    /// A minimum is missed around this input.
    missed: bool,
    /// Forgotten, and still connected.
    pub(crate) going: Vec<PeerId>,
    /// Who speaks of others in this input.
    teller: Option<PeerId>,
    /// Whom the gate let in just now.
    at_the_gate: Option<PeerId>,
    pub(crate) config: Config,
    pub(crate) rules: Rules,
}

impl Ledger {
    pub(crate) fn new(config: &Config, now: Time) -> Self {
        Self {
            now: now.mono_ms,
            running: false,
            hint: Hint::default(),
            needs: config.requirements.iter().map(|spec| spec.need).collect(),
            dials: BTreeMap::new(),
            conns: BTreeMap::new(),
            peers: BTreeMap::new(),
            steering: Steering::new(config),
            claims: Claims::new(config),
            lonely_since: now.mono_ms,
            handled_at: now.mono_ms,
            wall: now.wall_ms,
            resumed: false,
            suspects: false,
            redrawn: false,
            asks_all: false,
            missed: false,
            going: Vec::new(),
            teller: None,
            at_the_gate: None,
            config: config.clone(),
            rules: Rules::of(config),
        }
    }

    /// Whether the machine slept before this input.
    pub(crate) fn resumed(&self) -> bool {
        self.resumed
    }

    /// Whether our own network is suspected, or was until this input.
    pub(crate) fn suspects(&self) -> bool {
        self.suspects
    }

    pub(crate) fn peer(&self, peer: &PeerId) -> PeerRecord {
        self.peers.get(peer).cloned().unwrap_or_default()
    }

    /// Connections that are not ordered closed.
    pub(crate) fn open(&self) -> impl Iterator<Item = (ConnId, &ConnRecord)> {
        let open = self.conns.iter();
        open.filter(|(_, conn)| conn.closing.is_none())
            .map(|(id, conn)| (*id, conn))
    }

    pub(crate) fn conns_of(&self, peer: &PeerId) -> Vec<(ConnId, &ConnRecord)> {
        let all = self.conns.iter();
        all.filter(|(_, conn)| conn.peer == *peer)
            .map(|(id, conn)| (*id, conn))
            .collect()
    }

    fn hears_of(
        &mut self,
        peer: PeerId,
        routes: &[Multiaddr],
        claims: &[RequirementId],
        source: Source,
    ) {
        let known = self.peers.get(&peer).is_some_and(|record| !record.gone);
        let record = self.peers.entry(peer).or_default();
        if !known {
            record.introducer = self.teller;
        }
        record.gone = false;
        record.routes.extend(routes.iter().cloned());
        record.claims.extend(claims.iter().copied());
        record.in_tree |= source == Source::Dns;
        record.named |= source == Source::Static;
    }

    /// Whom an event is about.
    pub(crate) fn subject(&self, event: &Event) -> Option<PeerId> {
        match event {
            Event::Discovered { peer, .. }
            | Event::Answered { peer, .. }
            | Event::SetPriority { peer, .. }
            | Event::ConnectNow { peer, .. }
            | Event::GaveUp { peer }
            | Event::HangUp { peer }
            | Event::Protect { peer, .. }
            | Event::Unprotect { peer, .. }
            | Event::AddRoute { peer, .. }
            | Event::RemoveRoute { peer, .. }
            | Event::Forget { peer }
            | Event::Hint { peer, .. }
            | Event::Connected { peer, .. }
            | Event::Report { peer, .. } => Some(*peer),
            Event::Identified { conn, .. }
            | Event::Metadata { conn, .. }
            | Event::Closed { conn, .. }
            | Event::Pong { conn, .. }
            | Event::Heard { conn, .. }
            | Event::Doubt { conn }
            | Event::PingFailed { conn, .. } => self.conns.get(conn).map(|conn| conn.peer),
            Event::DialFailed { dial, .. } => self.dials.get(dial).map(|dial| dial.peer),
            _ => None,
        }
    }

    /// Takes an input, before the orders that it led to.
    pub(crate) fn told(&mut self, time: Time, input: &Input, before: &View, after: &View) {
        let mono = time.mono_ms.max(self.now);
        if let Input::Gate(query, verdict) = input {
            // A question moves no clock: whether the machine slept is for the next event to find out.
            self.now = mono;
            if let (GateQuery::Inbound { peer }, Ok(())) = (query, verdict) {
                self.at_the_gate = *peer;
            }
            return;
        }
        let wall = time.wall_ms.max(self.wall);
        let most = if self.steering.hidden_since.is_none() {
            self.config.resume_late_ms
        } else {
            self.config.resume_hidden_late_ms
        };
        let late = before
            .next_deadline
            .is_some_and(|due| mono.saturating_sub(due.max(self.handled_at)) >= most);
        let drift = (wall - self.wall).saturating_sub(mono - self.handled_at);
        self.now = mono;
        self.handled_at = mono;
        self.wall = wall;
        self.bans_end();
        // Who is shown out at once was never company.
        if self.open().next().is_some() {
            self.lonely_since = mono;
        }
        let thaws = *input == Input::Event(Event::Woke)
            || *input == Input::Event(Event::Unfreeze) && self.steering.frozen;
        self.resumed = late || drift > self.config.resume_drift_ms || thaws;
        if self.resumed {
            self.lonely_since = mono;
            self.steering.frozen = false;
        }
        let changed = matches!(input, Input::Event(Event::NetworkChanged { .. }));
        let mut views = [before, after].into_iter();
        let suspected = views.any(|view| {
            // Where nothing is wanted, only the decisions tell.
            let suspects = [HealthReason::SuspectOffline, HealthReason::Offline];
            suspects.contains(&view.health.1) || view.decisions.contains(&What::Suspect)
        });
        let recovered = after.recovered_at > before.recovered_at;
        self.suspects = suspected || recovered;
        self.redrawn = self.resumed || changed || self.suspects;
        if self.redrawn {
            self.void_backoffs();
        }
        self.missed = !before.minima_hold() || !after.minima_hold();
        if self.missed {
            // The cool-down of those who were not needed yields to a minimum.
            for peer in self.peers.values_mut() {
                peer.wait.take_if(|(_, kind)| *kind == Wait::Spare);
            }
        }
        // Closes that nobody confirmed are over by themselves.
        let since = mono.saturating_sub(self.config.close_ms);
        let over = |conn: &ConnRecord| conn.closing.is_some_and(|(at, _)| at <= since);
        let mut ended = false;
        while let Some((id, _)) = self.conns.iter().find(|(_, conn)| over(conn)) {
            self.ended(*id);
            ended = true;
        }
        if let Input::Event(event) = input {
            let anew = matches!(
                event,
                Event::Online
                    | Event::Offline
                    | Event::NetworkChanged { .. }
                    | Event::Unfreeze
                    | Event::Closed { .. }
                    | Event::Visibility { hidden: false }
            );
            self.asks_all = self.resumed || anew || ended;
            let record = after.subject.as_ref().map(|view| self.peer(&view.peer));
            let banned = record.is_some_and(|peer| peer.banned(mono));
            self.steering.told(mono, event, self.running, banned, after);
            let subject = after.subject.as_ref();
            self.claims.told(mono, event, &self.dials, &self.conns);
            self.teller = match event {
                Event::Discovered { introducer, .. } => *introducer,
                Event::Answered { peer, .. } => Some(*peer),
                _ => None,
            };
            self.hears_of_the_network(event);
            self.event(event, subject);
            self.book(event, subject);
            self.at_the_gate = None;
        }
    }

    fn void_backoffs(&mut self) {
        for peer in self.peers.values_mut() {
            peer.wait.take_if(|(_, kind)| *kind == Wait::Backoff);
        }
    }

    /// `subject`: the peer that it is about, as the manager knows it now. A refused wish does not hold it.
    fn event(&mut self, event: &Event, subject: Option<&PeerView>) {
        let now = self.now;
        match event {
            Event::Start if !self.running => {
                self.running = true;
                self.lonely_since = now;
                for peer in self.peers.values_mut() {
                    peer.hung_up = false;
                }
            }
            Event::Stop => self.running = false,
            Event::Online => {
                self.lonely_since = now;
                self.void_backoffs();
            }
            Event::SetNeed { requirement, need } => {
                if let Some(old) = self.needs.get_mut(usize::from(requirement.0)) {
                    *old = *need;
                }
                for peer in self.peers.values_mut() {
                    peer.wait.take_if(|(_, kind)| *kind == Wait::Spare);
                }
            }
            Event::Discovered {
                peer,
                routes,
                claims,
                source,
                ..
            } => self.hears_of(*peer, routes, claims, *source),
            Event::Answered { entries, .. } => {
                for said in entries {
                    let source = Source::PeerExchange;
                    self.hears_of(said.peer, &said.routes, &said.claims, source);
                }
            }
            Event::SetPriority { peer, priority } => {
                let record = self.named(peer);
                // The user's pardon is a pardon of everything.
                if record.banned(now) || record.hung_up {
                    record.wait = None;
                }
                if *priority == Priority::Banned {
                    self.banned_by_user(peer);
                } else {
                    record.hung_up = false;
                    self.pardoned(peer);
                }
            }
            Event::ConnectNow { peer, routes, .. } => {
                let record = self.named(peer);
                record.routes.extend(routes.iter().cloned());
                if subject.is_some_and(|view| view.pinned) {
                    record.requested = true;
                    record.hung_up = false;
                    record.wait = None;
                }
            }
            // Whom it forgot is a stranger, too.
            Event::Protect { peer, .. }
                if self.peers.get(peer).is_none_or(|record| record.gone) =>
            {
                self.named(peer);
            }
            // Somebody else may want it held.
            Event::GaveUp { peer } => {
                let held = subject.is_some_and(|view| view.pinned);
                if let Some(record) = self.peers.get_mut(peer).filter(|_| !held) {
                    record.requested = false;
                }
            }
            Event::HangUp { peer } => {
                if let Some(record) = self.peers.get_mut(peer).filter(|record| !record.gone) {
                    record.requested = false;
                    // Who was forgotten to make room is a stranger, and there is nothing to hang up.
                    if subject.is_some() && !record.banned(now) {
                        record.hung_up = true;
                        record.wait = None;
                    }
                }
            }
            Event::Connected {
                conn,
                peer,
                direction,
                route,
                dial,
            } => {
                if self.conns.contains_key(conn) {
                    return;
                }
                let ordered = dial
                    .and_then(|dial| self.dials.get(&dial))
                    .is_some_and(|dial| dial.peer == *peer);
                if ordered && let Some(dial) = dial {
                    self.dials.remove(dial);
                }
                let record = self.peers.entry(*peer).or_default();
                record.gone = false;
                if *direction == Direction::Outbound {
                    record.routes.insert(route.clone());
                    record.verified.insert(route.clone());
                }
                record.wait.take_if(|(_, kind)| *kind != Wait::Network);
                self.conns.insert(
                    *conn,
                    ConnRecord {
                        peer: *peer,
                        route: route.clone(),
                        opened_at: now,
                        admitted: ordered || self.at_the_gate == Some(*peer),
                        closing: None,
                        identified: false,
                        metadata: None,
                        unanswered: 0,
                        ping: 0,
                        pinged_at: 0,
                        on_trial: None,
                    },
                );
            }
            Event::Identified { conn, .. } => {
                if let Some(conn) = self.conns.get_mut(conn) {
                    conn.identified = true;
                }
            }
            Event::Metadata { conn, metadata } => {
                if let Some(conn) = self.conns.get_mut(conn) {
                    conn.metadata = Some(metadata.clone());
                }
            }
            Event::Pong { conn, ping, .. } => {
                if let Some(conn) = self.conns.get_mut(conn).filter(|conn| conn.ping == *ping) {
                    conn.unanswered = 0;
                    conn.on_trial = None;
                }
            }
            Event::Closed { conn, .. } => self.ended(*conn),
            Event::DialFailed { dial, failure, .. } => {
                let elsewhere = matches!(failure, DialFailure::WrongId | DialFailure::NotAllowed);
                if let Some(dial) = self.dials.remove(dial)
                    && elsewhere
                    && let Some(record) = self.peers.get_mut(&dial.peer)
                {
                    // It leads elsewhere: a proof, not a failure (4.8).
                    record.verified.remove(&dial.route);
                }
            }
            _ => {}
        }
    }

    /// A connection is gone, whether we were told or gave up waiting for that.
    fn ended(&mut self, conn: ConnId) {
        let gone = self.conns.remove(&conn);
        let dead = |why| matches!(why, Reason::PingTimeout | Reason::IdentifyFailed);
        if let Some(gone) = gone.filter(|c| c.closing.is_none_or(|(_, why)| dead(why))) {
            self.lost(&gone.peer);
        }
    }

    /// Those who were lost together come back at times of their own, whatever they waited for.
    fn lost(&mut self, peer: &PeerId) {
        const TOGETHER_MS: u64 = 3_000;
        let now = self.now;
        if let Some(record) = self.peers.get_mut(peer) {
            record.last_lost = Some(now);
        }
        for record in self.peers.values_mut() {
            if record.last_lost.is_some_and(|at| now <= at + TOGETHER_MS) {
                record.wait.take_if(|(_, kind)| *kind == Wait::Backoff);
            }
        }
    }

    /// Takes an order.
    pub(crate) fn ordered(&mut self, command: &Command) {
        let now = self.now;
        self.claims.ordered(command);
        if let Some((conn, reason, drain_ms)) = parting(command)
            && let Some(conn) = self.conns.get_mut(&conn)
        {
            conn.closing.get_or_insert((now + drain_ms, reason));
            let record = self.peers.entry(conn.peer).or_default();
            // The other of two says nothing of the peer.
            if reason != Reason::Duplicate {
                record.last_closed = Some((now, reason));
            }
        }
        match command {
            Command::Dial {
                dial,
                peer,
                route,
                timeout_ms,
                why,
            } => {
                let record = self.peers.entry(*peer).or_default();
                record.last_dial = Some(now);
                record.wait = None;
                self.dials.insert(
                    *dial,
                    DialRecord {
                        peer: *peer,
                        route: route.clone(),
                        at: now,
                        timeout_ms: *timeout_ms,
                        why: *why,
                    },
                );
            }
            Command::CancelDial { dial } => {
                self.dials.remove(dial);
            }
            Command::Ping { conn, ping, .. } => {
                if let Some(conn) = self.conns.get_mut(conn) {
                    conn.unanswered += 1;
                    conn.ping = *ping;
                    conn.pinged_at = now;
                    if self.asks_all {
                        conn.on_trial = Some(now);
                    }
                }
            }
            Command::Notify(notice) => self.notice(notice),
            _ => {}
        }
    }

    fn notice(&mut self, notice: &Notice) {
        let now = self.now;
        self.steering.noticed(notice);
        match notice {
            // It had been forgotten, and with it what it waited for.
            Notice::Discovered { peer, .. } => {
                if let Some(record) = self.peers.get_mut(peer) {
                    record.introducer = self.teller;
                    record.wait = None;
                    record.verified.clear();
                }
            }
            Notice::Failed {
                peer,
                failed: Failed::Dial { .. },
                retry_at_wall_ms: Some(at),
                ..
            } if !self.redrawn && self.steering.wished != Some(*peer) => {
                let ahead = at.saturating_sub(self.wall);
                if let Some(record) = self.peers.get_mut(peer) {
                    record.wait = Some((now + ahead, Wait::Backoff));
                }
            }
            Notice::Disconnected { peer, reason, .. } => {
                let wait = match reason {
                    Reason::OtherNetwork => (now + self.config.other_network_ms, Wait::Network),
                    Reason::FailedService => (now + self.config.prune_wait_ms, Wait::Replaced),
                    reason if let_go(*reason) && !self.missed && !self.peer(peer).requested => {
                        (now + self.config.prune_wait_ms, Wait::Spare)
                    }
                    _ => return,
                };
                // Whom the user hung up waits for the user's word.
                let waits = self.peers.get_mut(peer).filter(|record| !record.hung_up);
                if let Some(record) = waits {
                    record.wait = Some(wait);
                }
            }
            Notice::Banned {
                peer,
                reason: Reason::BannedForFaults,
            } => self.banned_for_faults(peer),
            _ => {}
        }
    }
}
