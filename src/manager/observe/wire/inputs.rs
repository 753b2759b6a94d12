//! What is recorded: inputs, questions at the gate, settings.

use libp2p_identity::PeerId;

use crate::manager::boundary::config::{Config, RequirementSpec};
use crate::manager::boundary::event::{
    Bound, BurstId, Class, ConnId, DialId, Direction, EnrollmentId, Event, GateQuery, LockId,
    Metadata, Need, Priority, ProtocolSpec, Quota, RequirementId, Sighting, Source, Transport,
};
use crate::manager::boundary::reason::{CloseCause, DialFailure, Outcome};
use crate::manager::tools::wire::{
    Decode, Encode, Reader, WireError, encode_closed, encode_enum, encode_struct, shape,
    wire_closed, wire_enum, wire_struct,
};

/// The mark of everything that a log holds.
pub(in crate::manager) const SHAPE: u32 = {
    let parts = [
        Event::SHAPE,
        GateQuery::SHAPE,
        Config::SHAPE,
        RequirementSpec::SHAPE,
        ProtocolSpec::SHAPE,
        Quota::SHAPE,
        Bound::SHAPE,
        Need::SHAPE,
        Sighting::SHAPE,
        Metadata::SHAPE,
        Source::SHAPE,
        Priority::SHAPE,
        Class::SHAPE,
        Transport::SHAPE,
        Direction::SHAPE,
        CloseCause::SHAPE,
        DialFailure::SHAPE,
        Outcome::SHAPE,
    ];
    let mut sum = 0_u32;
    let mut at = 0;
    while at < parts.len() {
        sum = sum.rotate_left(5) ^ parts[at];
        at += 1;
    }
    sum
};

wire_struct! { DialId { 0 } }
wire_struct! { ConnId { 0 } }
wire_struct! { RequirementId { 0 } }
wire_struct! { EnrollmentId { 0 } }
wire_struct! { LockId { 0 } }
wire_struct! { BurstId { 0 } }
wire_struct! { Sighting { peer, routes, claims } }
wire_struct! { Need { min, target, max } }
wire_struct! { Quota { min, max } }
wire_struct! { ProtocolSpec { name, protocols, class, weight, quota, need, scores, answer_ms } }
wire_struct! { RequirementSpec { name, protocols, need } }

wire_closed! { DialFailure, Outcome }

wire_enum! { Bound { 0 => Count(count), 1 => Permille(share) } }
wire_enum! { Class { 0 => Opportunistic, 1 => Normal, 2 => Critical } }
wire_enum! { Source { 0 => Dns, 1 => PeerExchange, 2 => Static, 3 => Foreign, 4 => Saved } }
wire_enum! { Priority { 0 => Banned, 1 => Low, 2 => Medium, 3 => High } }
wire_enum! { Direction { 0 => Outbound, 1 => Inbound } }
wire_enum! { Metadata { 0 => Matched { shards }, 1 => OtherNetwork, 2 => Unsupported, 3 => NotYet, 4 => OtherShards { shards }, 5 => Faulty } }
wire_enum! { Transport { 0 => Ws, 1 => Wss, 2 => WebTransport, 3 => WebRtcDirect, 4 => Circuit, 5 => Other } }
wire_enum! { CloseCause { 0 => Ordered, 1 => RemoteClean, 2 => Broken, 3 => TimedOut, 4 => IdentifyFailed } }
wire_enum! { GateQuery { 0 => Outbound { peer }, 1 => Inbound { peer } } }

wire_enum! {
    Event {
        0 => Start,
        1 => Stop,
        2 => Tick,
        3 => Discovered { peer, routes, claims, source, introducer },
        4 => DnsFinished { found, failed, answered },
        5 => Answered { peer, entries },
        6 => SetNeed { requirement, need },
        7 => SetPriority { peer, priority },
        8 => ConnectNow { peer, routes, permanent },
        9 => HangUp { peer },
        10 => AddRoute { peer, route },
        11 => RemoveRoute { peer, route },
        12 => Forget { peer },
        13 => Protect { peer, tag },
        14 => Unprotect { peer, tag },
        15 => Hint { peer, tag, value, ttl_ms },
        16 => Enroll { enrollment, spec },
        17 => AcceptOffer { enrollment },
        18 => Withdraw { enrollment },
        19 => Lock { lock, enrollment, peer, ttl_ms },
        20 => ExtendLock { lock, ttl_ms },
        21 => Unlock { lock },
        22 => OpenBurst { burst, enrollment, slots, max_ms },
        23 => CloseBurst { burst },
        24 => Scores { round, enrollment, scores },
        25 => Pause,
        26 => Unpause,
        27 => StartSync { peer },
        28 => StopSync,
        29 => SetLimits { soft, hard },
        30 => SetMaxByTransport { transport, max },
        31 => SetLifetime { ms },
        32 => Regulate,
        33 => Visibility { hidden },
        34 => Freeze,
        35 => Unfreeze,
        36 => NetworkChanged { constrained },
        37 => Memory { used, limit },
        38 => Connected { conn, peer, direction, route, dial },
        39 => Identified { conn, protocols, agent },
        40 => Metadata { conn, metadata },
        41 => Closed { conn, cause },
        42 => DialFailed { dial, failure, answered },
        43 => Pong { conn, ping, rtt_ms },
        44 => PingFailed { conn, ping },
        45 => Report { peer, requirement, outcome, charged },
        46 => Online,
        47 => Offline,
        48 => Heard { conn, silent_ms },
        49 => Doubt { conn },
        50 => GaveUp { peer },
        51 => Woke,
    }
}

impl Encode for Config {
    const SHAPE: u32 = shape(Self::NUMBER_NAMES);
    fn encode(&self, out: &mut Vec<u8>) {
        self.local.encode(out);
        self.requirements.encode(out);
        self.peer_exchange_protocol.encode(out);
        self.has_dns.encode(out);
        for place in 0..Self::NUMBERS.len() {
            self.number(place).unwrap_or_default().encode(out);
        }
    }
}

impl Decode for Config {
    fn decode(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let local = PeerId::decode(input)?;
        let requirements = Vec::decode(input)?;
        let exchange = String::decode(input)?;
        let has_dns = bool::decode(input)?;
        let mut config = Self::light_node(local, requirements, &exchange, has_dns);
        for place in 0..Self::NUMBERS.len() {
            if !config.put_number(place, u64::decode(input)?) {
                return Err(input.malformed());
            }
        }
        Ok(config)
    }
}
