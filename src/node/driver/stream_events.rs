//! What comes of streams, as inputs of the manager or for whoever asked for one.

use super::Driver;
use crate::manager::{ConnId, Event};
use crate::node::event::LogLevel;
use crate::node::platform;
use crate::node::streams;
use crate::protocols::ids;

impl Driver {
    pub(super) fn on_stream(&mut self, event: streams::Event) {
        match event {
            streams::Event::Opened {
                request,
                protocol,
                stream,
                ..
            } => self.on_opened(request, protocol, stream),
            streams::Event::OpenFailed { request, error, .. } => {
                self.on_open_failed(request, error);
            }
            streams::Event::Inbound {
                connection,
                protocol,
                stream,
                ..
            } => {
                if protocol.as_ref() == ids::METADATA {
                    self.serve_metadata(stream);
                } else if let Some(conn) = self.connections.named(connection) {
                    self.accept_push(conn, stream);
                }
            }
            streams::Event::InboundOverflow { peer, protocol, .. } => {
                self.log(
                    LogLevel::Warn,
                    "streams",
                    format_args!("{peer} opened too many streams of {protocol}"),
                );
                if protocol.as_ref() == ids::FILTER_PUSH {
                    self.push_overflowed(peer);
                }
            }
            streams::Event::Pong {
                connection,
                ping,
                rtt,
                ..
            } => {
                if let Some(conn) = self.connections.named(connection) {
                    let rtt_ms = u32::try_from(rtt.as_millis()).unwrap_or(u32::MAX);
                    self.inputs.push_back(Event::Pong { conn, ping, rtt_ms });
                    self.filter_server_lives(conn);
                }
            }
            streams::Event::PingFailed {
                connection, ping, ..
            } => {
                if let Some(conn) = self.connections.named(connection) {
                    // Whoever said anything since is there, if busy with something else.
                    let heard = self.heard_since_ping(conn);
                    if heard.is_some() {
                        self.filter_server_lives(conn);
                    }
                    self.inputs
                        .push_back(heard.unwrap_or(Event::PingFailed { conn, ping }));
                }
            }
            streams::Event::Heard { connection, .. } => {
                if let Some(conn) = self.connections.named(connection) {
                    let heard = self.heard_since_ping(conn);
                    self.inputs.extend(heard);
                }
            }
        }
    }

    /// The sign of life that came on a connection since its last ping went out, if one did.
    fn heard_since_ping(&self, conn: ConnId) -> Option<Event> {
        let (_, connection) = self.connections.target(conn)?;
        let streams = &self.swarm.as_ref()?.behaviour().streams;
        let silent = streams.heard(connection)?.as_millis();
        let silent_ms = u32::try_from(silent).unwrap_or(u32::MAX);
        let at = platform::mono_ms().saturating_sub(silent_ms.into());
        (at >= self.connections.pinged_at(conn)?).then_some(Event::Heard { conn, silent_ms })
    }
}
