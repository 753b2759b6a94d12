//! A fixed retry every five seconds, by class: js-waku (`connection_limiter.ts`, `dialer.ts`, `discovery_dialer.ts`).
//!
//! Whoever is discovered is dialed. Every five seconds the node is filled up to ten connections, bootstrap peers before
//! those of peer exchange; what is beyond ten, or beyond three bootstrap peers, is dropped. At most three dials at a
//! time, none to a peer that failed in the last minute or was connected in the last ten seconds. What a peer serves has
//! no part in it.

use std::collections::VecDeque;

use libp2p_identity::PeerId;
use lightkeeper::manager::ConnId;

use super::Strategy;
use super::book::Book;

const EVERY_MS: u64 = 5_000;
const MOST: usize = 10;
const MOST_BOOTSTRAPS: usize = 3;
const MOST_DIALS: usize = 3;
const FAILED_MS: u64 = 60_000;
const DIALED_MS: u64 = 10_000;
/// js-libp2p's connection monitor.
pub(super) const PING_MS: u64 = 10_000;

#[derive(Default)]
pub(super) struct Retry {
    queue: VecDeque<PeerId>,
    next: u64,
}

impl Retry {
    fn wants(&mut self, peer: PeerId) {
        if !self.queue.contains(&peer) {
            self.queue.push_back(peer);
        }
    }

    fn maintains(&mut self, book: &mut Book) {
        let open: Vec<(ConnId, PeerId)> = book.open().map(|(conn, c)| (conn, c.peer)).collect();
        if open.len() <= MOST {
            let absent = book.absent().into_iter();
            let wanted = absent.filter(|peer| !recent(book, peer));
            for peer in wanted.take(MOST - open.len()) {
                self.wants(peer);
            }
        }
        for (conn, _) in open.iter().skip(MOST) {
            book.close(*conn);
        }
        let bootstraps = open.iter().filter(|(_, peer)| book.is_bootstrap(peer));
        let spare: Vec<ConnId> = bootstraps
            .skip(MOST_BOOTSTRAPS)
            .map(|(conn, _)| *conn)
            .collect();
        for conn in spare {
            book.close(conn);
        }
    }
}

fn recent(book: &Book, peer: &PeerId) -> bool {
    let known = book.known(peer);
    let since = |at: Option<u64>, ms| at.is_some_and(|at| book.now < at + ms);
    since(known.failed_at, FAILED_MS) || since(known.opened_at, DIALED_MS)
}

impl Strategy for Retry {
    fn step(&mut self, book: &mut Book) {
        if book.now >= self.next {
            self.next = book.now + EVERY_MS;
            self.maintains(book);
        }
        while book.dialing() < MOST_DIALS
            && let Some(peer) = self.queue.pop_front()
        {
            if book.is_absent(&peer) && !recent(book, &peer) {
                book.dial(peer);
            }
        }
    }

    fn discovered(&mut self, _: &mut Book, peer: PeerId) {
        self.wants(peer);
    }

    fn due(&self) -> Option<u64> {
        Some(self.next)
    }
}
