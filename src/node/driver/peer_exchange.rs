//! Other peers that a peer knows (peer-exchange.md).

use std::time::Duration;

use libp2p::PeerId;

use super::exchange::{Exchange, exchange};
use super::{Done, Driver, Purpose};
use crate::discovery::enr::Enr;
use crate::manager::{ConnId, Event, Sighting};
use crate::node::event::LogLevel;
use crate::node::streams::Stream;
use crate::node::verdicts::answer_of;
use crate::protocols::verdict::{End, ExactClass, Protocol, Verdict};
use crate::protocols::{ids, peer_exchange};

/// How long an answer may take (peer-exchange.md, section 4).
const TIMEOUT: Duration = Duration::from_secs(10);

impl Driver {
    pub(super) fn ask_peers(&mut self, conn: ConnId, peer: PeerId, count: u32) {
        let purpose = Purpose::PeerExchange(peer, count);
        self.open_for(conn, &[ids::PEER_EXCHANGE], purpose);
    }

    /// The stream for the question is open.
    pub(super) fn question_peers(&mut self, peer: PeerId, count: u32, stream: Stream) {
        let request = peer_exchange::Rpc::request(count.into()).encode();
        self.spawn(async move {
            let limit = peer_exchange::MAX_RESPONSE;
            let answer = exchange(stream, request, limit, TIMEOUT).await;
            Done::PeerExchange(peer, count, answer)
        });
    }

    pub(super) fn on_peer_exchange(&mut self, peer: PeerId, count: u32, answer: Exchange) {
        let request = peer_exchange::Rpc::request(count.into());
        let records = answer_of(Protocol::PeerExchange, answer).and_then(|bytes| {
            let answer = peer_exchange::Rpc::decode(&bytes)
                .map_err(|_| Verdict::of_end(Protocol::PeerExchange, End::Undecodable))?;
            peer_exchange::interpret(&request, answer)
        });
        let entries = match records {
            Ok(answer) => self.named_by(peer, &answer.enrs),
            Err(verdict) => {
                // What breaks the protocol is worth more than a line for those who look for bugs.
                let level = match verdict.class {
                    ExactClass::ProtocolFault => LogLevel::Warn,
                    _ => LogLevel::Debug,
                };
                self.log(level, "peer-exchange", format_args!("{peer}: {verdict}"));
                Vec::new()
            }
        };
        self.inputs.push_back(Event::Answered { peer, entries });
    }

    /// Whom the records of an answer name. It is worth a warning when more than half are broken: the peer stores what it
    /// cannot have verified (peer-exchange.md, section 6).
    fn named_by(&self, peer: PeerId, records: &[Vec<u8>]) -> Vec<Sighting> {
        let whole: Vec<_> = records
            .iter()
            .filter_map(|record| Enr::from_rlp(record).ok())
            .collect();
        let broken = records.len() - whole.len();
        let entries: Vec<_> = whole.iter().filter_map(|enr| self.sighting(enr)).collect();
        let level = if broken > whole.len() {
            LogLevel::Warn
        } else {
            LogLevel::Debug
        };
        self.log(
            level,
            "peer-exchange",
            format_args!(
                "{peer}: {} records, {broken} broken, {} dialable",
                records.len(),
                entries.len()
            ),
        );
        entries
    }
}
