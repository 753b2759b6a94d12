//! The strategies of others, written here in small from what their sources say, to run in the same worlds.
//!
//! | module | is |
//! |---|---|
//! | `book` | what every one of them keeps: known peers, dials, connections, pings |
//! | `retry` | a fixed retry every five seconds, by class (js-waku) |
//! | `watermark` | dial everybody, trim between two marks (go-libp2p, older js-libp2p) |
//!
//! None of them dials while the browser says that there is no network, all of them ask for the record tree again when
//! it failed, and all close a connection whose ping is not answered: each of these is more than one of them does.

mod book;
mod retry;
mod watermark;

use libp2p_identity::PeerId;
use lightkeeper::manager::{
    Command, Config, ConnId, Event, GateQuery, Manager, Reason, RequirementId, Time,
};

use crate::brain::Brain;
use book::Book;

/// What differs between them.
trait Strategy {
    /// Something happened, or the time of [`Strategy::due`] came.
    fn step(&mut self, book: &mut Book);
    /// Somebody was heard of for the first time.
    fn discovered(&mut self, book: &mut Book, peer: PeerId);
    /// When it acts again by itself.
    fn due(&self) -> Option<u64>;
}

struct Policy<S> {
    book: Book,
    strategy: S,
}

impl<S: Strategy> Brain for Policy<S> {
    fn handle(&mut self, time: Time, event: Event) {
        for new in self.book.handle(time.mono_ms, event) {
            self.strategy.discovered(&mut self.book, new);
        }
        if self.book.may_dial() {
            self.strategy.step(&mut self.book);
        }
        self.book.ping_all();
    }

    fn poll(&mut self) -> Option<Command> {
        self.book.orders.pop_front()
    }

    fn next_deadline(&self) -> Option<u64> {
        let due = self.strategy.due().filter(|_| self.book.may_dial());
        [due, self.book.due()].into_iter().flatten().min()
    }

    fn gate(&mut self, _: Time, _: GateQuery) -> Result<(), Reason> {
        Ok(())
    }

    fn serving(&self, requirement: RequirementId) -> Vec<(PeerId, ConnId)> {
        self.book.serving(requirement)
    }

    fn knows(&self, peer: &PeerId) -> bool {
        self.book.knows(peer)
    }

    fn manager(&self) -> Option<&Manager> {
        None
    }
}

/// See [`retry`].
pub(crate) fn retry(config: Config, _: [u8; 32], now: Time) -> Box<dyn Brain> {
    Box::new(Policy {
        book: Book::new(config, now.mono_ms, retry::PING_MS),
        strategy: retry::Retry::default(),
    })
}

/// See [`watermark`].
pub(crate) fn watermark(config: Config, _: [u8; 32], now: Time) -> Box<dyn Brain> {
    Box::new(Policy {
        book: Book::new(config, now.mono_ms, watermark::PING_MS),
        strategy: watermark::Watermark::default(),
    })
}
