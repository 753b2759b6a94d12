//! Carries out what the manager orders.

use std::time::Duration;

use super::{Answer, Done, Driver};
use crate::manager::{Command, ConnId, Failed, NetworkState, Notice, Reason};
use crate::node::event::{LogLevel, NodeEvent};
use crate::node::platform;

impl Driver {
    pub(super) fn carry_out(&mut self, command: Command) {
        match command {
            Command::Dial {
                dial,
                peer,
                route,
                why,
                timeout_ms,
                ..
            } => {
                self.log(
                    LogLevel::Debug,
                    "dial",
                    format_args!("{peer} at {route} ({})", why.as_str()),
                );
                self.dial(dial, peer, route, timeout_ms);
            }
            Command::CancelDial { dial } => self.abort_dial(dial),
            Command::Close { conn, reason } => {
                if let Some(peer) = self.connections.peer(conn) {
                    self.log(
                        LogLevel::Debug,
                        "connection",
                        format_args!("closing {peer}: {reason}"),
                    );
                }
                self.close_connection(conn);
            }
            Command::Ping {
                conn,
                ping,
                timeout_ms,
            } => {
                if let (Some((peer, connection)), Some(swarm)) =
                    (self.connections.target(conn), &mut self.swarm)
                {
                    let timeout = Duration::from_millis(timeout_ms.into());
                    let streams = &mut swarm.behaviour_mut().streams;
                    streams.ping(peer, connection, ping, timeout);
                    self.connections.pinged(conn, platform::mono_ms());
                }
            }
            Command::Discover => {
                if self.is_started() {
                    self.dns.start();
                }
            }
            Command::QueryPeers { conn, peer, count } => self.ask_peers(conn, peer, count),
            Command::Drain {
                conn,
                reason,
                deadline_ms,
            } => self.drain(conn, reason, deadline_ms),
            Command::Offer { enrollment, offer } => {
                self.answered(enrollment.0, Answer::Offer(offer));
            }
            Command::Lock { lock, answer } => self.answered(lock.0, Answer::Lock(answer)),
            Command::Burst { burst, answer } => self.answered(burst.0, Answer::Burst(answer)),
            // The call that wished for it takes its answer (`Driver::wish`).
            Command::Wish { .. } => {}
            Command::RequestScores {
                round,
                enrollment,
                peers,
                deadline_ms,
            } => self.request_scores(round, enrollment, &peers, deadline_ms),
            Command::Notify(notice) => self.announce(notice),
        }
    }

    /// The requests that are under way on a connection may end, until the deadline; then it is closed.
    fn drain(&mut self, conn: ConnId, reason: Reason, deadline_ms: u32) {
        let target = self.connections.target(conn);
        let (Some((peer, connection)), Some(swarm)) = (target, &mut self.swarm) else {
            return;
        };
        swarm.behaviour_mut().streams.drain(peer, connection);
        self.log(
            LogLevel::Debug,
            "connection",
            format_args!("draining {peer}: {reason}"),
        );
        let deadline = Duration::from_millis(deadline_ms.into());
        self.after(deadline, Done::DrainOver(conn));
    }

    fn announce(&mut self, notice: Notice) {
        if let Notice::Failed {
            peer,
            failed: Failed::Dial { route, failure },
            ..
        } = &notice
        {
            self.dials.note_failure(*peer, route.clone(), *failure);
        }
        if let Notice::RequirementChanged {
            requirement,
            have,
            target,
            crossed,
            ..
        } = &notice
        {
            self.log(
                LogLevel::Info,
                "manager",
                format_args!(
                    "{}: {have} of {target} ({})",
                    self.requirement_name(*requirement),
                    crossed.as_str()
                ),
            );
        }
        if let Notice::NetworkChanged { state, .. } = &notice {
            self.away_or_back(*state);
        }
        self.emit(NodeEvent::Manager(notice));
    }

    fn away_or_back(&mut self, state: NetworkState) {
        let away = match state {
            NetworkState::Offline | NetworkState::Suspended => true,
            NetworkState::Online | NetworkState::Resumed => false,
        };
        if let Some(since) = self.turns.away(away) {
            self.filter.disturbed(since);
        }
    }
}
