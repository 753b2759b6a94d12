//! Carries out what the manager orders.

use std::time::Duration;

use super::{Driver, MAX_DIAL_FAILURES, Purpose, requirement_name};
use crate::manager::{Command, Failed, Notice};
use crate::node::event::{LogLevel, NodeEvent};
use crate::protocols::ids;

impl Driver {
    pub(super) fn carry_out(&mut self, command: Command) {
        match command {
            Command::Dial {
                dial,
                peer,
                route,
                why,
                ..
            } => {
                self.log(
                    LogLevel::Debug,
                    "dial",
                    format!("{peer} at {route} ({})", why.as_str()),
                );
                self.dial(dial, peer, route);
            }
            Command::CancelDial { dial } => {
                let Some((_, peer, _)) = self.dials.get(&dial) else {
                    return;
                };
                // The only way to abort a dial also closes what is connected, so it acts only while nothing is.
                if let Some(swarm) = &mut self.swarm
                    && !swarm.is_connected(peer)
                {
                    // An error says that there was nothing to abort.
                    let _ = swarm.disconnect_peer_id(*peer);
                }
            }
            Command::Close { conn, reason } => {
                if let Some(connection) = self.connections.get(conn) {
                    self.log(
                        LogLevel::Debug,
                        "connection",
                        format!("closing {}: {reason}", connection.peer),
                    );
                }
                self.close_connection(conn);
            }
            Command::Ping { conn, timeout_ms } => {
                let target = self
                    .connections
                    .get(conn)
                    .map(|connection| (connection.peer, connection.swarm_id));
                if let (Some((peer, connection)), Some(swarm)) = (target, &mut self.swarm) {
                    swarm.behaviour_mut().streams.ping(
                        peer,
                        connection,
                        Duration::from_millis(timeout_ms.into()),
                    );
                }
            }
            Command::Discover => {
                if self.started {
                    self.dns.start();
                }
            }
            Command::QueryPeers { conn, peer, count } => self.open_for(
                conn,
                &[ids::PEER_EXCHANGE],
                Purpose::PeerExchange(peer, count),
            ),
            Command::Drain { conn, .. } => self.close_connection(conn),
            // Nobody can enroll yet.
            Command::Offer { .. }
            | Command::Lock { .. }
            | Command::Burst { .. }
            | Command::RequestScores { .. } => {}
            Command::Notify(notice) => self.announce(notice),
        }
    }

    fn announce(&mut self, notice: Notice) {
        if let Notice::Failed {
            peer,
            failed: Failed::Dial { route, failure },
            ..
        } = &notice
        {
            if self.dial_failures.len() >= MAX_DIAL_FAILURES {
                self.dial_failures.clear();
            }
            self.dial_failures
                .insert(*peer, (route.to_string(), *failure));
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
                format!(
                    "{}: {have} of {target} ({})",
                    requirement_name(*requirement),
                    crossed.as_str()
                ),
            );
        }
        self.emit(NodeEvent::Manager(notice));
    }
}
