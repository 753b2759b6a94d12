//! Recounts everything that is kept in two places, and asserts what must hold after every input (5.1, R4).

use crate::manager::book::peer::{Link, Peer};
use crate::manager::boundary::event::{ConnId, Priority};
use crate::manager::boundary::reason::Reason;
use crate::manager::connected::connections::Conn;
use crate::manager::tools::services::{Cover, Services};
use crate::manager::tools::slot::Ix;
use crate::manager::{Manager, Run};

impl Manager {
    /// Panics when an index disagrees with what it indexes, or when an invariant is broken. For tests.
    #[doc(hidden)]
    pub fn check(&self) {
        self.table.check(self.config.max_peers);
        self.candidates.check();
        self.ladder.check();
        self.deadlines.check();
        self.bans.check(&self.config);
        self.last_session.check();
        self.dials.check(&self.config);
        self.ring.check();
        self.check_links();
        self.check_needs();
        self.check_enrollments();
        self.check_locks();
        self.check_bursts();
        self.check_leaving();
        self.check_mode();
        self.check_relief();
        self.check_limits();
        if self.run == Run::Stopped {
            assert!(self.dials.is_empty(), "nobody is dialed while stopped (S2)");
            assert!(self.connections.open().next().is_none());
        }
    }

    fn check_links(&self) {
        for (ix, peer) in self.table.iter() {
            assert!(peer.routes().len() <= self.config.max_routes);
            let open: Vec<(ConnId, &Conn)> = self.connections.of(ix).collect();
            match peer.link() {
                Link::Connected(conn) => assert!(open.iter().any(|(id, _)| *id == conn)),
                Link::Idle | Link::Dialing => assert!(open.is_empty()),
            }
            assert_eq!(peer.link() == Link::Dialing, self.dials.of(ix).is_some());
            self.check_peer(peer);
            if peer.banned().is_some() {
                assert!(
                    self.dials.of(ix).is_none(),
                    "a banned peer is not dialed (S3)"
                );
                assert!(open.iter().all(|(_, conn)| !conn.is_open()));
            }
            if self.out_of_reach(peer).is_some() {
                assert!(self.candidates.services(ix).is_empty(), "{:?}", peer.id());
            }
        }
        self.pins.check(&self.table, self.limits.pins_ever());
    }

    /// Nothing refers to a requirement that is gone (R3).
    fn check_requirements(&self) {
        let live = self.needs.live();
        let known = |set: Services| assert_eq!(set.minus(live), Services::NONE);
        for (ix, peer) in self.table.iter() {
            known(peer.mentions());
            known(peer.verified().unwrap_or_default());
            known(peer.services().iter().map(|s| s.requirement()).collect());
            known(peer.resting());
            known(self.candidates.services(ix));
        }
        let jobs = self.dials.iter().map(|(_, job)| job.cover);
        let conns = self.connections.iter().map(|(_, conn)| conn.cover);
        for cover in jobs.chain(conns) {
            known(cover.whole.union(cover.guess));
        }
        for (_, conn) in self.connections.iter() {
            known(conn.serving.union(conn.offers.unwrap_or_default()));
        }
    }

    fn check_peer(&self, peer: &Peer) {
        assert_eq!(
            peer.banned(),
            self.bans.of(&peer.id()),
            "a ban never goes unseen"
        );
        assert_eq!(
            peer.priority() == Priority::Banned,
            peer.banned() == Some(Reason::BannedByUser)
        );
        assert!(peer.wishes_fit());
        let now = self.now.mono_ms;
        assert!((-200..=200).contains(&peer.hinted(now)), "S14");
        assert!((-1_000..=1_000).contains(&peer.score(now)), "S14");
    }

    fn check_needs(&self) {
        self.check_requirements();
        for id in self.needs.ids() {
            let mut serving: Vec<ConnId> = self
                .connections
                .iter()
                .filter(|(_, conn)| conn.serving.contains(id))
                .map(|(id, _)| id)
                .collect();
            let mut providers: Vec<ConnId> = self
                .needs
                .providers(id)
                .iter()
                .map(|provider| provider.conn)
                .collect();
            providers.sort_unstable();
            serving.sort_unstable();
            assert_eq!(serving, providers);
            let jobs = self.dials.iter().map(|(_, job)| job.cover);
            let open = self.connections.iter().map(|(_, conn)| conn.cover);
            let expected: u32 = jobs
                .chain(open)
                .flat_map(Cover::units)
                .filter(|(of, _)| *of == id)
                .map(|(_, units)| units)
                .sum();
            assert_eq!(expected, self.needs.expected(id));
        }
        for (id, conn) in self.connections.iter() {
            let primary = self.primary(conn.ix) == Some(id);
            if !conn.is_open() || !primary {
                assert_eq!(conn.serving, Services::NONE);
                assert_eq!(conn.cover, Cover::NONE);
            }
        }
    }

    fn primary(&self, ix: Ix) -> Option<ConnId> {
        match self.table.get(ix)?.link() {
            Link::Connected(conn) => Some(conn),
            Link::Idle | Link::Dialing => None,
        }
    }
}
