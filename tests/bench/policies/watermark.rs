//! Dial everybody that is discovered until a high-water mark, and trim to a low-water mark: go-libp2p's connection
//! manager, and js-libp2p as long as it dialed by itself.
//!
//! The marks are a page's (the originals' defaults are made for servers: 160 and 192, or 300); a connection is safe for
//! its first minute; trimming looks every ten seconds and takes the youngest first, since nobody has tags here. Below
//! the low mark, whoever is known and did not fail within a minute is dialed, every five seconds.

use libp2p_identity::PeerId;
use lightkeeper::manager::ConnId;

use super::Strategy;
use super::book::Book;

const LOW: usize = 12;
const HIGH: usize = 16;
const GRACE_MS: u64 = 60_000;
const TRIM_MS: u64 = 10_000;
const REFILL_MS: u64 = 5_000;
const FAILED_MS: u64 = 60_000;
/// yamux' keep-alive.
pub(super) const PING_MS: u64 = 30_000;

#[derive(Default)]
pub(super) struct Watermark {
    trim_at: u64,
    refill_at: u64,
}

impl Watermark {
    fn trims(book: &mut Book) {
        let open: Vec<(ConnId, u64)> = book.open().map(|(conn, c)| (conn, c.opened_at)).collect();
        if open.len() <= HIGH {
            return;
        }
        let excess = open.len() - LOW;
        let old = open
            .iter()
            .rev()
            .filter(|(_, at)| book.now >= at + GRACE_MS);
        let spare: Vec<ConnId> = old.take(excess).map(|(conn, _)| *conn).collect();
        for conn in spare {
            book.close(conn);
        }
    }

    fn refills(book: &mut Book) {
        let busy = book.open().count() + book.dialing();
        let absent = book.absent().into_iter();
        let well = absent.filter(|peer| {
            let failed_at = book.known(peer).failed_at;
            failed_at.is_none_or(|at| book.now >= at + FAILED_MS)
        });
        let wanted: Vec<PeerId> = well.take(LOW.saturating_sub(busy)).collect();
        for peer in wanted {
            book.dial(peer);
        }
    }
}

impl Strategy for Watermark {
    fn step(&mut self, book: &mut Book) {
        if book.now >= self.trim_at {
            self.trim_at = book.now + TRIM_MS;
            Self::trims(book);
        }
        if book.now >= self.refill_at {
            self.refill_at = book.now + REFILL_MS;
            Self::refills(book);
        }
    }

    fn discovered(&mut self, book: &mut Book, peer: PeerId) {
        if book.may_dial() && book.open().count() < HIGH {
            book.dial(peer);
        }
    }

    fn due(&self) -> Option<u64> {
        Some(self.trim_at.min(self.refill_at))
    }
}
