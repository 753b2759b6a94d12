//! All filter subscriptions of a node, without input or output of its own: sessions by server, and wishes that are assigned
//! to them (filter.md, section 5).
//!
//! A *wish* is what one subscription of the user's wants: pairs of shard and content topic, on so many servers. A *session* is
//! what is known of one server: what it was asked for and has acknowledged, when it last proved to be alive, how fast it may be
//! asked. Wishes share sessions, requests and pings.
//!
//! The shell calls [`Hub::serving`] with who serves, best first, whenever that changed; [`Hub::want`] and [`Hub::unwant`] for
//! the user; [`Hub::answered`], [`Hub::pushed`], [`Hub::stored`] with what comes. After any of these, and at
//! [`Hub::next_deadline`] after [`Hub::tick`], it takes actions from [`Hub::poll`] until there is none. What is due goes out
//! then, so that wishes of one turn of the shell share their requests. A call too many does no harm.
//!
//! Bounds: [`MAX_SESSIONS`] servers are remembered, each with 900 live pairs; 8 requests are under way at a server; 22,000
//! hashes; 256 messages and 1 MiB for a wish that is not opened; one outage is caught up at a time and one more gathered.

mod answers;
mod assign;
mod compare;
mod coverage;
mod pairs;
mod pushes;
mod requests;
mod session;
#[cfg(test)]
mod tests;
mod types;
mod wishes;

use std::collections::VecDeque;

use libp2p_identity::PeerId;

use self::compare::Compared;
use self::coverage::Outages;
use self::pairs::{Pairs, Standing};
use self::requests::Flight;
use self::session::{Budget, NEVER, Session};
pub use self::types::{
    Action, Admission, AskId, CatchUpId, Cause, Delivery, Group, Limits, Now, Push, Server, Via,
    WishId, WishState,
};
use self::wishes::Wish;
use super::seen::Seen;
use crate::protocols::network::Network;

/// Most servers that are remembered. Servers that serve count too; a light node has some twenty connections.
pub const MAX_SESSIONS: usize = 64;

/// All subscriptions of a node, and all servers that they come from.
#[derive(Debug)]
pub struct Hub {
    network: Network,
    limits: Limits,
    started: bool,
    /// The last moment that anybody told.
    now: Now,
    servers: Vec<Server>,
    /// Each keeps its place as long as anything is remembered of it.
    sessions: Vec<Session>,
    pairs: Pairs,
    wishes: Vec<Wish>,
    flights: Vec<Flight>,
    seen: Seen,
    outages: Outages,
    compared: Compared,
    actions: VecDeque<Action>,
    /// Something changed that the next turn must look at.
    dirty: bool,
    /// When to be called again; [`NEVER`] for not at all.
    next: u64,
    next_wish: u32,
    next_ask: u64,
}

impl Hub {
    /// A hub without servers and wishes. Nothing happens before [`start`](Self::start).
    pub fn new(network: Network, limits: Limits) -> Self {
        Self {
            network,
            limits,
            started: false,
            now: Now::default(),
            servers: Vec::new(),
            sessions: Vec::new(),
            pairs: Pairs::default(),
            wishes: Vec::new(),
            flights: Vec::new(),
            seen: Seen::default(),
            outages: Outages::default(),
            compared: Compared::default(),
            actions: VecDeque::new(),
            dirty: false,
            next: NEVER,
            next_wish: 0,
            next_ask: 0,
        }
    }

    /// Begins, or goes on after [`stop`](Self::stop).
    pub fn start(&mut self, now: Now) {
        self.now = now;
        self.started = true;
        self.dirty = true;
    }

    /// Ends all wishes, without a word about each. Servers are told as far as their pace allows; what was asked of them is
    /// remembered, since they may go on pushing. What [`poll`](Self::poll) gives after this is for the connections that are
    /// still open.
    pub fn stop(&mut self, now: Now) {
        self.now = now;
        for wish in std::mem::take(&mut self.wishes) {
            self.forget(&wish);
        }
        self.actions.clear();
        self.outages = Outages::default();
        self.compared = Compared::default();
        for index in 0..self.sessions.len() {
            self.give_up_all(index);
        }
        self.farewells();
        self.started = false;
        self.dirty = false;
        self.next = NEVER;
    }

    /// Who serves filter now, best first: the whole list each time. Costs nothing when it is the same.
    pub fn serving(&mut self, now: Now, servers: &[Server]) {
        self.now = now;
        let servers = &servers[..servers.len().min(MAX_SESSIONS / 2)];
        if self.servers == servers {
            return;
        }
        let mut lost = false;
        for index in 0..self.sessions.len() {
            let session = &self.sessions[index];
            if let Some(conn) = session.conn
                && !servers
                    .iter()
                    .any(|server| server.peer == session.peer && server.conn == conn)
            {
                let again = servers.iter().any(|server| server.peer == session.peer);
                lost |= self.disconnected(index, again);
            }
        }
        for (rank, server) in servers.iter().enumerate() {
            let index = self.session_of(server.peer);
            let session = &mut self.sessions[index];
            session.rank = u16::try_from(rank).unwrap_or(u16::MAX);
            session.shards.clone_from(&server.shards);
            session.rtt_ms = server.rtt_ms.unwrap_or(0);
            if session.conn.is_none() {
                session.conn = Some(server.conn);
                self.connected(index);
            }
        }
        self.servers = servers.to_vec();
        if lost {
            self.probe();
        }
        self.dirty = true;
    }

    /// What to do next, or to tell.
    pub fn poll(&mut self) -> Option<Action> {
        if self.actions.is_empty() && self.dirty {
            self.dirty = false;
            self.turn();
        }
        self.actions.pop_front()
    }

    /// When [`tick`](Self::tick) has something to do, in milliseconds of the monotonic clock.
    pub fn next_deadline(&self) -> Option<u64> {
        (self.next != NEVER).then_some(self.next)
    }

    /// Time has passed. Too early does no harm.
    pub fn tick(&mut self, now: Now) {
        self.now = now;
        if self.started && self.next <= now.mono_ms {
            self.dirty = true;
        }
    }

    /// Everything that may be due. Each step notes when it wants to be called again.
    fn turn(&mut self) {
        if !self.started {
            return;
        }
        self.next = NEVER;
        self.expire();
        self.find_late();
        self.cover();
        // A server that has no room for a request now may make another one the better choice.
        for _ in 0..3 {
            self.assign();
            if !self.send() {
                break;
            }
        }
        self.outcomes();
        self.tell_outages();
        self.compare();
    }

    fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    fn wake(&mut self, at: u64) {
        // Never at once: the turn that asks for it is at its end.
        self.next = self.next.min(at.max(self.now.mono_ms + 1));
    }

    fn find(&self, peer: &PeerId) -> Option<usize> {
        let mut sessions = self.sessions.iter();
        sessions.position(|session| session.peer == *peer && !session.is_free)
    }

    /// The session of a server, made when there is none; the one that was asked the longest time ago makes room.
    fn session_of(&mut self, peer: PeerId) -> usize {
        if let Some(index) = self.find(&peer) {
            return index;
        }
        let session = Session::new(peer, Budget::new(self.limits.max_message_bytes));
        let mut free = self.sessions.iter().position(|session| session.is_free);
        if free.is_none() && self.sessions.len() >= MAX_SESSIONS {
            // At most half of them serve.
            let mut oldest = NEVER;
            for (index, session) in self.sessions.iter().enumerate() {
                if session.conn.is_none() && session.last_request < oldest {
                    oldest = session.last_request;
                    free = Some(index);
                }
            }
        }
        match free {
            Some(index) => {
                for pair in &mut self.pairs.all {
                    pair.at.retain(|at| at.of != index);
                }
                self.sessions[index] = session;
                index
            }
            None => {
                self.sessions.push(session);
                self.sessions.len() - 1
            }
        }
    }

    /// The connection is gone, or is another one (`again`). Whether anything came by it.
    fn disconnected(&mut self, index: usize, again: bool) -> bool {
        self.flights.retain(|flight| flight.of != index);
        self.excuse(index);
        let mut ats = self.pairs.all.iter().filter_map(|pair| pair.at(index));
        let served = ats.any(|at| at.is_on());
        self.lose_all(index);
        for pair in &mut self.pairs.all {
            let Some(at) = pair.at_mut(index) else {
                continue;
            };
            at.late = false;
            at.ask = NEVER;
            // The server may still have it, and is to hear at once that we want it.
            at.standing = if again && at.is_live() {
                Standing::Want
            } else {
                Standing::Idle
            };
            if at.standing == Standing::Want {
                at.at = 0;
            }
        }
        let session = &mut self.sessions[index];
        session.conn = None;
        session.rank = u16::MAX;
        session.adding = 0;
        session.removing = false;
        session.pinging = false;
        served
    }

    /// A server is there, or there again.
    fn connected(&mut self, index: usize) {
        let now = self.now.mono_ms;
        let session = &mut self.sessions[index];
        session.misses = 0;
        session.closed_once = false;
        session.short_rest = 0;
        session.cause = Cause::Moved;
        session.ping_at = now;
        for pair in &mut self.pairs.all {
            if let Some(at) = pair.at_mut(index)
                && at.standing == Standing::Idle
                && at.stored
                && at.is_remembered(session, now)
            {
                // It goes on pushing what nobody may want any more. If anybody does, it is asked before this is due.
                at.standing = Standing::Leave;
                at.at = now;
            }
        }
    }

    /// After a loss: whoever else has been silent is to prove that it is alive, so that a gap is known early.
    fn probe(&mut self) {
        const SILENT_MS: u64 = 5_000;
        let now = self.now.mono_ms;
        for session in &mut self.sessions {
            if session.conn.is_some() && now.saturating_sub(session.life.mono_ms) >= SILENT_MS {
                session.ping_at = session.ping_at.min(now);
            }
        }
    }

    /// We were asleep or offline from `from` until now. Servers may have given up on messages meanwhile, so that what they
    /// acknowledged before says nothing about this time: they are asked anew, and the gap is told and filled.
    ///
    /// For sleeps that are shorter than the 20 seconds that servers wait for us to read, nothing happens. After one that is
    /// nearly as long as servers remember us, they are asked for everything again: a ping would be answered well by one that
    /// has forgotten us and was asked for something new since.
    pub fn disturbed(&mut self, now: Now, from: Now) {
        const HARMLESS_MS: u64 = 15_000;
        const FORGOTTEN_MS: u64 = 4 * 60 * 1_000;
        self.now = now;
        if now.mono_ms.saturating_sub(from.mono_ms) < HARMLESS_MS
            && now.wall_ms.saturating_sub(from.wall_ms) < HARMLESS_MS
        {
            return;
        }
        for index in 0..self.sessions.len() {
            let slept = now
                .wall_ms
                .saturating_sub(self.sessions[index].life.wall_ms);
            if slept >= FORGOTTEN_MS {
                self.ask_anew(index);
            } else {
                self.lose_all(index);
            }
            let session = &mut self.sessions[index];
            session.cause = Cause::Resumed;
            session.misses = 0;
            session.ping_at = session.ping_at.min(now.mono_ms);
            self.excuse(index);
        }
        // Nobody had the time to answer meanwhile.
        let slept = now.mono_ms.saturating_sub(from.mono_ms);
        for flight in &mut self.flights {
            flight.late_at += slept;
            flight.ends_at += slept;
        }
        self.outages.slept(slept);
        self.dirty = true;
    }

    /// What was remembered long enough is forgotten.
    fn expire(&mut self) {
        let now = self.now.mono_ms;
        let sessions = &self.sessions;
        for pair in &mut self.pairs.all {
            pair.at.retain(|at| {
                at.standing != Standing::Idle
                    || at.refused_until > now
                    || at.is_remembered(&sessions[at.of], now)
            });
        }
        self.pairs
            .all
            .retain(|pair| !pair.wishes.is_empty() || !pair.at.is_empty());
        for index in 0..self.sessions.len() {
            let unknown = !self.pairs.all.iter().any(|pair| pair.at(index).is_some());
            let session = &mut self.sessions[index];
            session.retiring &= now < session.long_rest;
            session.is_free = session.conn.is_none()
                && unknown
                && session.rests_until() <= now
                && session.pacer.is_idle(now);
        }
        self.count();
    }

    /// Counts what each server is asked for and may have.
    fn count(&mut self) {
        for session in &mut self.sessions {
            session.live = 0;
            session.held = 0;
        }
        for at in self.pairs.all.iter().flat_map(|pair| &pair.at) {
            let session = &mut self.sessions[at.of];
            session.live += u16::from(at.is_live());
            session.held += u16::from(at.stored || at.is_live());
        }
    }
}
