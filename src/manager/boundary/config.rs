//! Every number that the manager goes by, with its unit and its reason (`Policy` of the npm API).

use libp2p_identity::PeerId;

use crate::manager::boundary::event::Need;

/// What is wanted of the network.
#[derive(Debug, Clone)]
pub struct RequirementSpec {
    /// The name that the user sees: `lightPush`, `filter`, `store`.
    pub name: String,
    /// Protocol ids of which a provider's identify must list at least one.
    pub protocols: Vec<String>,
    /// How many.
    pub need: Need,
}

/// How the manager behaves. Numbers like 4.14 are those of `contract.md`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our own id: never dialed.
    pub local: PeerId,
    /// What is wanted; the place in this list is the [`RequirementId`](crate::manager::RequirementId). At most 64.
    pub requirements: Vec<RequirementSpec>,
    /// The protocol id of peer exchange: who lists it can be asked for others. Empty: nobody is asked.
    pub peer_exchange_protocol: String,
    /// Whether bootstrap peers could ever come (a tree is configured), for the health's reason.
    pub has_dns: bool,

    // --- limits ---------------------------------------------------------------------------------------------------
    /// Soft target of connections (G). A page pays about 100 KB for each; sixteen leave room for several requirements.
    pub soft_connections: u16,
    /// Hard cap of connections and dials together (H): the soft target and a quarter, so that a replacement can be
    /// made before the old connection is broken.
    pub hard_connections: u16,
    /// Known peers. The least useful is forgotten for a newcomer.
    pub max_peers: usize,
    /// Addresses kept for each peer.
    pub max_routes: usize,
    /// Known peers that one other named and that were never reached (4.15): nobody fills the table alone.
    pub max_introduced: usize,
    /// Known peers of one netgroup (4.15).
    pub max_per_netgroup: usize,
    /// As long as no more peers are known than this, nobody is refused for variety: there is hardly a choice.
    pub small_network: usize,

    // --- dialing (4.7) --------------------------------------------------------------------------------------------
    /// One address' time to connect, in milliseconds: what a WebSocket over a bad mobile network needs.
    pub dial_timeout_ms: u32,
    /// Addresses tried for a peer before its dial counts as failed.
    pub routes_per_dial: u8,
    /// No further address is begun after this time, in milliseconds.
    pub dial_job_ms: u64,
    /// Dials under way at once: more make Chromium delay every WebSocket handshake of the page.
    pub dials_in_flight: usize,
    /// Tokens of the dial bucket: a burst of a cold start.
    pub dial_tokens: u32,
    /// Tokens that come back each second. Firefox waits 200 ms and more for each host after a failure.
    pub dial_tokens_per_s: u32,
    /// Tokens that the user's own dials may overdraw.
    pub dial_overdraft: u32,
    /// Peers of whom nothing is known that are tried at once (rung 1 of 4.11): each is worth little, and not all of
    /// them are needed.
    pub unknown_in_flight: usize,
    /// How long after a deadline of the shell's a missing answer is given up, in milliseconds: a lost callback must
    /// not keep a slot.
    pub watchdog_ms: u64,
    /// One choice in this many ignores quality among equals, so that nobody starves.
    pub explore_one_in: u64,
    /// Netgroups that are compared for each requirement: the best of eight is within 1 % of a full scan.
    pub groups_compared: usize,
    /// Claimed but unverified requirements of one peer that count. Who claims everything must not win everything.
    pub unverified_counted: usize,

    // --- backoff (4.8) --------------------------------------------------------------------------------------------
    /// First wait for a peer that served before, in milliseconds.
    pub backoff_good_ms: u64,
    /// First wait for a pinned peer, in milliseconds.
    pub backoff_pinned_ms: u64,
    /// First wait for a peer that never served, in milliseconds.
    pub backoff_unknown_ms: u64,
    /// Longest wait for a peer that served before, in milliseconds.
    pub backoff_good_cap_ms: u64,
    /// Longest wait for a pinned peer, in milliseconds.
    pub backoff_pinned_cap_ms: u64,
    /// Longest wait for a peer that never served, in milliseconds.
    pub backoff_unknown_cap_ms: u64,
    /// Uptime after which a connection that works clears its peer's record, in milliseconds; a shorter one flaps.
    pub healthy_ms: u64,
    /// Losses within this time of each other belong together, in milliseconds.
    pub mass_loss_window_ms: u64,
    /// The peers of a mass loss are redialed after a uniform draw up to this, in milliseconds: not as a herd.
    pub mass_loss_spread_ms: u64,
    /// The same for those whom no minimum needs, in milliseconds: they leave the first seconds to the others.
    pub mass_loss_spread_other_ms: u64,
    /// After an outage every waiting peer is due after a uniform draw up to this, in milliseconds.
    pub recover_spread_ms: u64,
    /// Waiting peers that are re-drawn after an outage: bounds the work of one input.
    pub recover_peers: usize,
    /// Failures in a row, over as many netgroups, that make us suspect our own network.
    pub suspect_failures: u32,
    /// Connections that were silent for this long are asked for a sign of life when dials fail everywhere, in
    /// milliseconds.
    pub suspect_silence_ms: u64,
    /// Failures that can be taken back when they turn out to be our own outage.
    pub charges_kept: usize,
    /// Probes under suspicion come at least this far apart, in milliseconds.
    pub probe_min_ms: u64,
    /// Probes under suspicion come at most this far apart at first, in milliseconds.
    pub probe_max_ms: u64,
    /// After this long under suspicion probes come less often, in milliseconds.
    pub probe_eager_ms: u64,
    /// From then on they come at least this far apart, in milliseconds.
    pub probe_later_min_ms: u64,
    /// From then on they come at most this far apart, in milliseconds.
    pub probe_later_max_ms: u64,
    /// The longest distance of probes, while nobody sees the page or no minimum is missed, in milliseconds.
    pub probe_cap_ms: u64,
    /// A dial that our own side refused is not repeated before this, in milliseconds.
    pub refused_wait_ms: u64,
    /// A peer of another network is not dialed for this long, in milliseconds: networks seldom move.
    pub other_network_ms: u64,
    /// A peer that we closed is not dialed for this long, in milliseconds (prune cool-down).
    pub prune_wait_ms: u64,

    // --- services (4.5, the error classes) ------------------------------------------------------------------------
    /// Two failures within this time replace a provider, in milliseconds.
    pub broken_window_ms: u64,
    /// First rest of a provider that broke twice, in milliseconds; doubles.
    pub broken_rest_ms: u64,
    /// Longest rest of a provider that broke, in milliseconds.
    pub broken_rest_cap_ms: u64,
    /// A busy provider rests at least this long, in milliseconds.
    pub busy_min_ms: u64,
    /// A busy provider rests at most this long the first time, in milliseconds; doubles.
    pub busy_max_ms: u64,
    /// Longest rest of a busy provider, in milliseconds.
    pub busy_cap_ms: u64,
    /// A provider that can't rests this long, in milliseconds.
    pub unable_ms: u64,
    /// A provider that broke the protocol rests this long, in milliseconds.
    pub fault_rest_ms: u64,
    /// A protocol that turned out to be absent is not expected again for this long, in milliseconds.
    pub absent_ms: u64,
    /// What a fault takes from a peer's behaviour (4.5): between the low tolerance of other clients (100) and their
    /// limit of a disconnect (200), so that one fault never disconnects and two within a quarter of an hour do.
    pub fault_step: u16,
    /// A peer whose behaviour is this much below zero, or more, is disconnected for a while (4.5).
    pub behaviour_disconnect: u16,
    /// A peer whose behaviour is this much below zero, or more, is banned (4.5).
    pub behaviour_ban: u16,
    /// Faults that ban, however its behaviour faded in between.
    pub faults_to_ban: u8,
    /// Faults further apart than this do not add up, in milliseconds.
    pub fault_memory_ms: u64,
    /// First ban, in milliseconds; eight times longer with each repetition.
    pub ban_ms: u64,
    /// Longest ban, in milliseconds.
    pub ban_cap_ms: u64,
    /// Earlier bans lengthen the next one unless this much time without any went by, in milliseconds (4.16).
    pub ban_memory_ms: u64,
    /// Peers in the table of bans (4.16).
    pub max_bans: usize,
    /// Of these, banned by the user: what exceeds it is refused, with a reason (4.16).
    pub max_user_bans: usize,
    /// Automatic bans in one subnet (/24 or /48) and within [`Self::subnet_window_ms`] that refuse the whole subnet (4.16).
    pub subnet_bans: usize,
    /// How far apart these bans may be, in milliseconds.
    pub subnet_window_ms: u64,
    /// How long new connections with a subnet are refused, in milliseconds.
    pub subnet_hold_ms: u64,

    // --- verification ---------------------------------------------------------------------------------------------
    /// How long an unverified connection counts as cover that is on its way, in milliseconds.
    pub verify_ms: u64,
    /// A connection that is not verified this much later is given up, in milliseconds: it can serve nobody, and its
    /// peer is not dialed anew while it lasts.
    pub unverified_ms: u64,
    /// Identify must come within this, in milliseconds.
    pub identify_ms: u64,
    /// A connection that ends within this and before it was verified was rejected by the remote, in milliseconds.
    pub rejected_ms: u64,
    /// A second connection to the same peer is closed after this, in milliseconds: both ends may have dialed.
    pub duplicate_grace_ms: u64,
    /// An ordered close must be confirmed within this, in milliseconds.
    pub close_ms: u64,

    // --- pings ----------------------------------------------------------------------------------------------------
    /// A connection that something depends on is pinged when it was silent for this long while somebody sees the page, in
    /// milliseconds: a peer that went away without a word costs no more than this and the time to answer.
    pub ping_idle_ms: u64,
    /// The same for all others, and while nobody sees the page, in milliseconds: less than the 30 s after which the
    /// hastiest proxies cut.
    pub ping_unused_ms: u64,
    /// The longest time to answer, in milliseconds; also while no round trip is known.
    pub ping_timeout_ms: u32,
    /// The shortest time to answer, in milliseconds: in between it is four times the last round trip.
    pub ping_timeout_min_ms: u32,
    /// Time to answer after sleep or a change of network, in milliseconds.
    pub ping_resume_timeout_ms: u32,
    /// Pings in a row without answer that close a connection. After the first it serves nothing until it is heard again.
    pub ping_failures: u8,
    /// A wake-up this much too late means that the machine slept, in milliseconds.
    pub resume_late_ms: u64,
    /// The same while nobody sees the page, in milliseconds: browsers wake a hidden page once a minute.
    pub resume_hidden_late_ms: u64,
    /// A look at the clocks this much too late means the same while somebody sees the page, in milliseconds.
    pub resume_look_late_ms: u64,
    /// A wall clock that ran this much further than the monotonic one means the same, in milliseconds.
    pub resume_drift_ms: u64,
    /// How often the shell compares the clocks while somebody looks at the page, in milliseconds: a clock that stood
    /// still while the machine slept makes no timer fire. 0: only when something else wakes it.
    pub clock_look_ms: u64,

    // --- start-up (4.11) ------------------------------------------------------------------------------------------
    /// Head start of static and known peers before a bootstrap peer is dialed, in milliseconds.
    pub head_start_ms: u64,
    /// Dials at once in that time, until somebody serves.
    pub head_start_dials: usize,
    /// A bootstrap dial that takes this long gets company, in milliseconds.
    pub bootstrap_hedge_ms: u64,
    /// Without any connection for this long three bootstrap peers may be dialed at once, in milliseconds.
    pub cold_start_ms: u64,
    /// Bootstrap dials at once in that emergency.
    pub cold_start_dials: usize,
    /// How long other peers must do without a bootstrap peer before it is let go, in milliseconds.
    pub hand_off_after_ms: u64,
    /// It is let go at the earliest this much later, in milliseconds.
    pub hand_off_min_ms: u64,
    /// It is let go at the latest this much later, in milliseconds: clients that started together leave apart.
    pub hand_off_max_ms: u64,
    /// After a failed dial to take over from it, a bootstrap peer is kept this long, in milliseconds.
    pub hand_off_retry_ms: u64,

    // --- asking for peers -----------------------------------------------------------------------------------------
    /// Records asked for in one peer exchange request.
    pub exchange_count: u32,
    /// Distance of requests to one peer, in milliseconds: servers limit them.
    pub exchange_every_ms: u64,
    /// How long the next rung waits for an answer, in milliseconds.
    pub exchange_patience_ms: u64,
    /// A request is given up after this, in milliseconds.
    pub exchange_timeout_ms: u64,
    /// Distance of look-ups of the trees, in milliseconds; doubles while they bring nothing.
    pub discover_every_ms: u64,
    /// Longest distance of look-ups, in milliseconds.
    pub discover_cap_ms: u64,
    /// A look-up whose end is never told is over after this, in milliseconds.
    pub discover_timeout_ms: u64,

    // --- tidying --------------------------------------------------------------------------------------------------
    /// Providers above `max` are kept this long, and so long one can do the work of two before it is dialed, in
    /// milliseconds: needs come one after another, and may change back.
    pub surplus_grace_ms: u64,
    /// A connection that serves nothing is kept this long once nothing is missing, in milliseconds.
    pub useless_grace_ms: u64,

    // --- protocols (4.3, 4.4) -------------------------------------------------------------------------------------
    /// A protocol hears of changes of its grant at most this often, in milliseconds: limits may swing.
    pub offer_every_ms: u64,
    /// The longest time of a lock, and of each of its three renewals, in milliseconds.
    pub lock_max_ms: u64,
    /// After a lock was revoked its connection is left alone this long, in milliseconds: its holder moves its work.
    pub lock_grace_ms: u64,
    /// The longest time of a burst, in milliseconds.
    pub burst_max_ms: u64,
    /// After a burst what it left idle is kept this long, in milliseconds.
    pub burst_idle_ms: u64,
    /// What a burst made is known to be its for this long after its end, in milliseconds.
    pub burst_memory_ms: u64,
    /// A protocol that uses more than its share this long, while others want it, is regulated, in milliseconds.
    pub breach_ms: u64,

    // --- regulation (4.13) ----------------------------------------------------------------------------------------
    /// A new connection is not closed for others for this long, in milliseconds.
    pub grace_connect_ms: u64,
    /// Nor this long after it was identified, whichever ends first, in milliseconds.
    pub grace_identify_ms: u64,
    /// What a connection that serves gets to end its requests before we close it, in milliseconds.
    pub drain_ms: u32,
    /// Longest wait for a peer that we closed again and again, in milliseconds; the first is `prune_wait_ms`.
    pub prune_cap_ms: u64,
    /// Rounds come at least this far apart, in milliseconds; what is above the hard cap, and memory, do not wait.
    pub round_every_ms: u64,
    /// What guards hold is tried again after this, give or take a fifth, in milliseconds.
    pub round_timer_ms: u64,
    /// More connections than the soft target are borne this long, in milliseconds: replacements overlap.
    pub over_soft_ms: u64,
    /// How long a protocol may take to score its connections, in milliseconds. Nothing waits for it.
    pub scores_ms: u32,
    /// Triggers that begin no round: bit n is the n-th of [`Trigger::ALL`](crate::manager::Trigger::ALL). Without `over-hard`
    /// the hard cap only keeps new connections away.
    pub triggers_off: u16,

    // --- economy (4.6, 4.17) --------------------------------------------------------------------------------------
    /// Connections that no target needs are let go after this, give or take a fifth, in milliseconds: what needs them
    /// may come back. 0: they stay, and no two are replaced by one, as full nodes want it.
    pub lean_after_ms: u64,
    /// Of these, that many are kept warm: whoever is lost is then replaced without a dial.
    pub spare_connections: u8,
    /// Two connections are replaced by one, and old ones by new ones, at most this often, in milliseconds; longer after
    /// each failure.
    pub swap_every_ms: u64,
    /// Longest wait after failures to do so, in milliseconds.
    pub swap_cap_ms: u64,
}

impl Config {
    /// The defaults of a light node in a browser.
    pub fn light_node(
        local: PeerId,
        requirements: Vec<RequirementSpec>,
        peer_exchange_protocol: &str,
        has_dns: bool,
    ) -> Self {
        const SECOND: u64 = 1_000;
        const MINUTE: u64 = 60 * SECOND;
        const HOUR: u64 = 60 * MINUTE;
        Self {
            local,
            requirements,
            peer_exchange_protocol: peer_exchange_protocol.to_owned(),
            has_dns,

            soft_connections: 16,
            hard_connections: 20,
            max_peers: 5_000,
            max_routes: 8,
            max_introduced: 64,
            max_per_netgroup: 256,
            small_network: 16,

            dial_timeout_ms: 6_000,
            routes_per_dial: 3,
            dial_job_ms: 15 * SECOND,
            dials_in_flight: 6,
            dial_tokens: 8,
            dial_tokens_per_s: 2,
            dial_overdraft: 2,
            unknown_in_flight: 3,
            watchdog_ms: 5 * SECOND,
            explore_one_in: 8,
            groups_compared: 8,
            unverified_counted: 3,

            backoff_good_ms: 2 * SECOND,
            backoff_pinned_ms: SECOND,
            backoff_unknown_ms: 10 * SECOND,
            backoff_good_cap_ms: 10 * MINUTE,
            backoff_pinned_cap_ms: MINUTE,
            backoff_unknown_cap_ms: HOUR,
            healthy_ms: MINUTE,
            mass_loss_window_ms: 2 * SECOND,
            mass_loss_spread_ms: 3 * SECOND,
            mass_loss_spread_other_ms: 10 * SECOND,
            recover_spread_ms: 2 * SECOND,
            recover_peers: 256,
            suspect_failures: 3,
            suspect_silence_ms: 10 * SECOND,
            charges_kept: 32,
            probe_min_ms: 3 * SECOND,
            probe_max_ms: 5 * SECOND,
            probe_eager_ms: 2 * MINUTE,
            probe_later_min_ms: 6 * SECOND,
            probe_later_max_ms: 10 * SECOND,
            probe_cap_ms: 30 * SECOND,
            refused_wait_ms: SECOND,
            other_network_ms: 6 * HOUR,
            prune_wait_ms: MINUTE,

            broken_window_ms: MINUTE,
            broken_rest_ms: MINUTE,
            broken_rest_cap_ms: 10 * MINUTE,
            busy_min_ms: 30 * SECOND,
            busy_max_ms: 2 * MINUTE,
            busy_cap_ms: HOUR,
            unable_ms: 5 * MINUTE,
            fault_rest_ms: 10 * MINUTE,
            absent_ms: 30 * MINUTE,
            fault_step: 150,
            behaviour_disconnect: 200,
            behaviour_ban: 500,
            faults_to_ban: 3,
            fault_memory_ms: HOUR,
            ban_ms: 30 * MINUTE,
            ban_cap_ms: 24 * HOUR,
            ban_memory_ms: 7 * 24 * HOUR,
            max_bans: 4_096,
            max_user_bans: 1_024,
            subnet_bans: 5,
            subnet_window_ms: HOUR,
            subnet_hold_ms: HOUR,

            verify_ms: 5 * SECOND,
            unverified_ms: MINUTE,
            identify_ms: 10 * SECOND,
            rejected_ms: 2 * SECOND,
            duplicate_grace_ms: 5 * SECOND,
            close_ms: 5 * SECOND,

            ping_idle_ms: 5 * SECOND,
            ping_unused_ms: 25 * SECOND,
            ping_timeout_ms: 3_000,
            ping_timeout_min_ms: 1_000,
            ping_resume_timeout_ms: 5_000,
            ping_failures: 2,
            resume_late_ms: 30 * SECOND,
            resume_hidden_late_ms: 180 * SECOND,
            resume_look_late_ms: 5 * SECOND,
            resume_drift_ms: 5 * SECOND,
            clock_look_ms: SECOND,

            head_start_ms: 3 * SECOND,
            head_start_dials: 3,
            bootstrap_hedge_ms: 4 * SECOND,
            cold_start_ms: 15 * SECOND,
            cold_start_dials: 3,
            hand_off_after_ms: 30 * SECOND,
            hand_off_min_ms: 30 * SECOND,
            hand_off_max_ms: 90 * SECOND,
            hand_off_retry_ms: 10 * MINUTE,

            exchange_count: 60,
            exchange_every_ms: 30 * SECOND,
            exchange_patience_ms: 2 * SECOND,
            exchange_timeout_ms: 15 * SECOND,
            discover_every_ms: 10 * SECOND,
            discover_cap_ms: 5 * MINUTE,
            discover_timeout_ms: MINUTE,

            surplus_grace_ms: 5 * SECOND,
            useless_grace_ms: 30 * SECOND,

            offer_every_ms: 5 * SECOND,
            lock_max_ms: 5 * MINUTE,
            lock_grace_ms: 2 * SECOND,
            burst_max_ms: MINUTE,
            burst_idle_ms: 10 * SECOND,
            burst_memory_ms: MINUTE,
            breach_ms: 5 * SECOND,
            grace_connect_ms: 15 * SECOND,
            grace_identify_ms: 5 * SECOND,
            drain_ms: 3_000,
            prune_cap_ms: 30 * MINUTE,
            round_every_ms: SECOND,
            round_timer_ms: 30 * SECOND,
            over_soft_ms: 2 * SECOND,
            scores_ms: 250,
            triggers_off: 0,

            lean_after_ms: 2 * MINUTE,
            spare_connections: 1,
            swap_every_ms: MINUTE,
            swap_cap_ms: HOUR,
        }
    }
}
