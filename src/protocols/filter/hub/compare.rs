//! Which server withholds what others deliver (contract.md 4.5).
//!
//! A message that a server has not pushed within 5 seconds of the first that did is one miss for it; to be the first is one
//! success. Eight of them, more than half misses, are a suspicion. It counts only for a server that proves to be alive after
//! the message and does not bring it late: silence and slowness are told by other signs.
//!
//! A suspicion is not a proof: those who accuse may have made the messages up. So a lone accuser, and two who work together,
//! never suffice. Either three others delivered each of the messages, or a store that is none of the accusers knows them. With
//! two servers and no store nobody can tell who is right, and nothing happens.

use std::collections::VecDeque;

use super::Hub;
use super::pairs::{PairId, Standing};
use super::session::NEVER;
use super::types::Action;
use crate::protocols::message::MessageHash;

const WINDOW_MS: u64 = 5_000;
/// Samples before anything is said.
const MIN_SAMPLES: u16 = 8;
/// Old samples lose half of their weight when there are so many.
const MAX_SAMPLES: u16 = 64;
/// So many others who deliver a message cannot all have made it up.
const ATTESTED_BY: u32 = 3;
/// Between two suspicions.
const PAUSE_MS: u64 = 60_000;
/// Messages that are looked at: 5 seconds of the most that a server may send.
const MAX_WATCHED: usize = 512;
const MAX_MISSED: usize = 16;

/// A message, until it is known who pushed it.
#[derive(Debug)]
struct Watched {
    hash: MessageHash,
    at: u64,
    /// Who pushed it, and who should have; bits by slot.
    by: u64,
    expected: u64,
    first: u64,
}

/// A message that a server has not pushed in time.
#[derive(Debug, Clone, Copy)]
struct Missed {
    hash: MessageHash,
    at: u64,
    by: u64,
    /// When the server proved to be alive after it.
    proved: Option<u64>,
}

/// What speaks for and against a server.
#[derive(Debug, Default)]
pub(super) struct Record {
    successes: u16,
    misses: u16,
    /// Misses of what at least three others delivered.
    attested: u16,
    /// Misses that may still be silence.
    open: Vec<Missed>,
    /// The last misses, and who accuses.
    hashes: Vec<MessageHash>,
    accusers: u64,
}

impl Record {
    fn note(&mut self, missed: Option<&Missed>) {
        match missed {
            None => self.successes += 1,
            Some(missed) => {
                self.misses += 1;
                self.attested += u16::from(missed.by.count_ones() >= ATTESTED_BY);
                if self.hashes.len() >= MAX_MISSED {
                    self.hashes.remove(0);
                }
                self.hashes.push(missed.hash);
                self.accusers |= missed.by;
            }
        }
        if self.successes + self.misses >= MAX_SAMPLES {
            self.successes /= 2;
            self.misses /= 2;
            self.attested /= 2;
        }
    }

    fn samples(&self) -> u16 {
        self.successes + self.misses
    }
}

#[derive(Debug, Default)]
pub(super) struct Compared {
    watched: VecDeque<Watched>,
    /// No suspicion before.
    quiet_until: u64,
    /// Of whom a store is asked.
    asked: Option<(libp2p_identity::PeerId, Vec<MessageHash>)>,
}

impl Hub {
    /// A message came for the first time, from the session at `by`.
    pub(super) fn watch(&mut self, by: usize, id: PairId, hash: MessageHash) {
        let now = self.now.mono_ms;
        let Some(pair) = self.pairs.get(id) else {
            return;
        };
        let mut expected = 0;
        for at in &pair.at {
            if at.standing == Standing::Acked && at.since.saturating_add(WINDOW_MS) <= now {
                expected |= bit(at.of);
            }
        }
        let first = bit(by);
        if expected & !first == 0 {
            return;
        }
        if self.compared.watched.len() >= MAX_WATCHED {
            self.compared.watched.pop_front();
        }
        self.compared.watched.push_back(Watched {
            hash,
            at: now,
            by: first,
            expected,
            first,
        });
        self.wake(now + WINDOW_MS);
    }

    /// A message came again, from the session at `by`.
    pub(super) fn repeated(&mut self, by: usize, hash: &MessageHash) {
        self.sessions[by]
            .record
            .open
            .retain(|missed| missed.hash != *hash);
        for watched in &mut self.compared.watched {
            if watched.hash == *hash {
                watched.by |= bit(by);
            }
        }
    }

    /// The server showed some sign of life, by whatever protocol: what it does not push from here on, it withholds.
    pub fn alive(&mut self, now: super::Now, peer: &libp2p_identity::PeerId) {
        if let Some(index) = self.find(peer) {
            let session = &mut self.sessions[index];
            session.heard = now.mono_ms;
            self.dirty |= session.record.open.iter().any(|one| one.proved.is_none());
        }
    }

    /// What the session has not pushed so far says nothing about it: its connection broke, or we slept.
    pub(super) fn excuse(&mut self, index: usize) {
        self.sessions[index].record.open.clear();
        for watched in &mut self.compared.watched {
            watched.expected &= !bit(index);
        }
    }

    /// Draws the conclusions that are due.
    pub(super) fn compare(&mut self) {
        let now = self.now.mono_ms;
        while let Some(watched) = self.compared.watched.front() {
            if watched.at + WINDOW_MS > now {
                let at = watched.at + WINDOW_MS;
                self.wake(at);
                break;
            }
            let Some(watched) = self.compared.watched.pop_front() else {
                break;
            };
            for (index, session) in self.sessions.iter_mut().enumerate() {
                let bit = bit(index);
                if watched.first & bit != 0 {
                    session.record.note(None);
                }
                if watched.expected & !watched.by & bit != 0
                    && session.record.open.len() < MAX_MISSED
                {
                    session.record.open.push(Missed {
                        hash: watched.hash,
                        at: watched.at,
                        by: watched.by,
                        proved: None,
                    });
                }
            }
        }
        let mut wake = NEVER;
        for session in &mut self.sessions {
            let life = session.life.mono_ms.max(session.heard);
            let mut open = std::mem::take(&mut session.record.open);
            open.retain_mut(|missed| {
                if missed.proved.is_none() && life >= missed.at {
                    missed.proved = Some(now);
                }
                // What it has queued comes within the window after its sign of life.
                let due = missed.proved.map(|proved| proved + WINDOW_MS);
                let over = due.is_some_and(|due| due <= now);
                if over {
                    session.record.note(Some(missed));
                } else if let Some(due) = due {
                    wake = wake.min(due);
                }
                !over
            });
            session.record.open = open;
        }
        self.wake(wake);
        self.suspect(now);
    }

    fn suspect(&mut self, now: u64) {
        if now < self.compared.quiet_until {
            return;
        }
        let suspected = self.sessions.iter().position(|session| {
            let record = &session.record;
            session.conn.is_some()
                && !session.retiring
                && record.samples() >= MIN_SAMPLES
                && record.misses * 2 > record.samples()
        });
        let Some(index) = suspected else {
            return;
        };
        self.compared.quiet_until = now + PAUSE_MS;
        let session = &mut self.sessions[index];
        let record = std::mem::take(&mut session.record);
        if record.attested * 2 > record.samples() && record.attested >= MIN_SAMPLES {
            self.withheld(index);
            return;
        }
        let suspect = session.peer;
        let mut accusers = Vec::new();
        for (index, session) in self.sessions.iter().enumerate() {
            if record.accusers & bit(index) != 0 {
                accusers.push(session.peer);
            }
        }
        self.compared.asked = Some((suspect, record.hashes.clone()));
        self.act(Action::Confirm {
            suspect,
            hashes: record.hashes,
            accusers,
        });
    }

    /// Which of the messages of [`Action::Confirm`] a store has that is none of the accusers. When most of them are in there,
    /// the suspect has withheld them.
    pub fn confirmed(
        &mut self,
        now: super::Now,
        suspect: &libp2p_identity::PeerId,
        known: &[MessageHash],
    ) {
        self.now = now;
        let Some((asked, hashes)) = self.compared.asked.take() else {
            return;
        };
        let found = hashes.iter().filter(|hash| known.contains(hash)).count();
        if asked == *suspect
            && found * 2 > hashes.len()
            && found >= usize::from(MIN_SAMPLES) / 2
            && let Some(index) = self.find(suspect)
        {
            self.withheld(index);
        }
    }

    /// The session goes on until others have taken over: it may be better than none.
    fn withheld(&mut self, index: usize) {
        let session = &mut self.sessions[index];
        session.rest_long(self.now.mono_ms);
        session.retiring = true;
        let peer = session.peer;
        self.dirty = true;
        self.act(Action::Withheld { peer });
    }
}

/// The bit of a session in a set of them.
fn bit(index: usize) -> u64 {
    1 << (index % super::MAX_SESSIONS)
}
