//! A log of what the manager was told, from which a run can be repeated exactly (4.19, D1).
//!
//! The shell holds a [`Recorded`] instead of a [`Manager`]: every call that changes the manager goes through it, so
//! nothing can be left out. The log holds the seed, the settings, the time at which the manager was made and each input
//! with its time; [`Log::decode`] reads it and [`Log::replay`] runs it, natively or in wasm.
//!
//! A log is bounded by [`MAX_LOG`] bytes, of which a busy page fills some hundred each second. When it is full nothing
//! more is recorded and the log says so: its beginning repeats exactly, which no later part would do without it.
//!
//! A log tells whom the node knew, at which addresses, and what its user did. Peer ids can't be replaced by pseudonyms:
//! the order among equals is a hash of seed and id, so other ids give other decisions. The node's own key is not in it.
//!
//! ```text
//! log   = "lklog" format:u8 shape:u32le version:text seed config start:time step* end
//! time  = monotonic:u64 wall:u64
//! step  = 1 since event | 2 since query | 4 since snapshot
//! since = monotonic:i64 wall:i64      what both clocks moved, the wall's beyond the monotonic one's
//! end   = 0 (complete) | 3 (the bound was reached)
//! ```

use core::ops::Deref;

use sha2::{Digest, Sha256};

use crate::manager::Manager;
use crate::manager::book::saved::SnapshotError;
use crate::manager::book::snapshot::Restored;
use crate::manager::boundary::command::Command;
use crate::manager::boundary::config::Config;
use crate::manager::boundary::event::{Event, GateQuery, Time};
use crate::manager::boundary::reason::Reason;
use crate::manager::boundary::view::Decision;
use crate::manager::observe::wire::SHAPE;
use crate::manager::tools::wire::{Decode, Encode, Reader};

pub use crate::manager::tools::wire::WireError;

/// Longest log, in bytes.
pub const MAX_LOG: usize = 4 << 20;

const MAGIC: &[u8; 5] = b"lklog";
const FORMAT: u8 = 2;
const END: u8 = 0;
const EVENT: u8 = 1;
const QUERY: u8 = 2;
const FULL: u8 = 3;
const RESTORE: u8 = 4;

/// What both clocks moved since the step before. Exact for any two times, also when a clock went back.
fn encode_since(last: Time, now: Time, out: &mut Vec<u8>) {
    let mono = now.mono_ms.wrapping_sub(last.mono_ms);
    let wall = now.wall_ms.wrapping_sub(last.wall_ms);
    (mono as i64).encode(out);
    (wall.wrapping_sub(mono) as i64).encode(out);
}

fn decode_since(last: Time, input: &mut Reader<'_>) -> Result<Time, WireError> {
    let mono = i64::decode(input)? as u64;
    let wall = (i64::decode(input)? as u64).wrapping_add(mono);
    Ok(Time {
        mono_ms: last.mono_ms.wrapping_add(mono),
        wall_ms: last.wall_ms.wrapping_add(wall),
    })
}

/// Writes the log.
#[derive(Debug)]
struct Recorder {
    /// In pieces, so that a long log is never moved to a larger place.
    pieces: Vec<Vec<u8>>,
    written: usize,
    limit: usize,
    last: Time,
    full: bool,
}

impl Recorder {
    /// Bytes of a piece.
    const PIECE: usize = 32 << 10;

    fn new(config: &Config, seed: &[u8; 32], start: Time, limit: usize) -> Self {
        let mut head = Vec::with_capacity(1 << 10);
        head.extend_from_slice(MAGIC);
        head.push(FORMAT);
        head.extend_from_slice(&SHAPE.to_le_bytes());
        env!("CARGO_PKG_VERSION").to_owned().encode(&mut head);
        seed.encode(&mut head);
        config.encode(&mut head);
        start.mono_ms.encode(&mut head);
        start.wall_ms.encode(&mut head);
        Self {
            written: head.len(),
            pieces: vec![head],
            limit,
            last: start,
            full: false,
        }
    }

    fn step(&mut self, now: Time, kind: u8, encode: impl FnOnce(&mut Vec<u8>)) {
        if self.full {
            return;
        }
        let mut step = vec![kind];
        encode_since(self.last, now, &mut step);
        encode(&mut step);
        // The end takes a byte.
        if self.written + step.len() >= self.limit {
            self.full = true;
            return;
        }
        self.last = now;
        self.written += step.len();
        match self.pieces.last_mut() {
            Some(piece) if piece.len() + step.len() <= piece.capacity() => {
                piece.extend_from_slice(&step);
            }
            _ => {
                let mut piece = Vec::with_capacity(Self::PIECE.max(step.len()));
                piece.extend_from_slice(&step);
                self.pieces.push(piece);
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.written + 1);
        for piece in &self.pieces {
            bytes.extend_from_slice(piece);
        }
        bytes.push(if self.full { FULL } else { END });
        bytes
    }
}

/// A manager whose inputs are recorded. It is read as a [`Manager`], and changed by its own methods alone.
#[derive(Debug)]
pub struct Recorded {
    manager: Manager,
    recorder: Recorder,
}

impl Recorded {
    /// As [`Manager::new`], with an empty log.
    pub fn new(config: Config, seed: [u8; 32], now: Time) -> Self {
        Self::with_limit(config, seed, now, MAX_LOG)
    }

    /// As [`Self::new`], with a log of at most `limit` bytes, or of its head if that is longer.
    pub fn with_limit(config: Config, seed: [u8; 32], now: Time, limit: usize) -> Self {
        let recorder = Recorder::new(&config, &seed, now, limit);
        let manager = Manager::new(config, seed, now);
        Self { manager, recorder }
    }

    /// As [`Manager::handle`].
    pub fn handle(&mut self, now: Time, event: Event) {
        self.recorder.step(now, EVENT, |out| event.encode(out));
        self.manager.handle(now, event);
    }

    /// As [`Manager::gate`].
    ///
    /// # Errors
    ///
    /// The first rule that forbids it.
    pub fn gate(&mut self, now: Time, query: GateQuery) -> Result<(), Reason> {
        self.recorder.step(now, QUERY, |out| query.encode(out));
        self.manager.gate(now, query)
    }

    /// As [`Manager::restore`].
    ///
    /// # Errors
    ///
    /// The bytes are no snapshot, or a damaged one.
    pub fn restore(&mut self, now: Time, bytes: &[u8]) -> Result<Restored, SnapshotError> {
        self.recorder
            .step(now, RESTORE, |out| bytes.to_vec().encode(out));
        self.manager.restore(bytes)
    }

    /// As [`Manager::poll`].
    pub fn poll(&mut self) -> Option<Command> {
        self.manager.poll()
    }

    /// The log so far.
    pub fn log(&self) -> Vec<u8> {
        self.recorder.bytes()
    }
}

impl Deref for Recorded {
    type Target = Manager;

    fn deref(&self) -> &Manager {
        &self.manager
    }
}

/// One thing that the manager was told or asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// [`Manager::handle`].
    Event(Event),
    /// [`Manager::gate`].
    Query(GateQuery),
    /// [`Manager::restore`].
    Restore(Vec<u8>),
}

/// A log that was read.
#[derive(Debug, Clone)]
pub struct Log {
    /// The version of the package that wrote it. Another one may decide otherwise.
    pub version: String,
    /// Decides every choice between equals.
    pub seed: [u8; 32],
    /// The settings.
    pub config: Config,
    /// When the manager was made.
    pub start: Time,
    /// What came after, each with the time that the shell gave.
    pub steps: Vec<(Time, Input)>,
    /// Whether it goes on to the moment at which it was taken; otherwise it was full before.
    pub complete: bool,
}

impl Log {
    /// Reads a log.
    ///
    /// # Errors
    ///
    /// When the bytes are not exactly a log of this build's inputs and settings.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut input = Reader::new(bytes);
        if input.take(MAGIC.len()).ok() != Some(MAGIC) {
            return Err(WireError::NotALog);
        }
        if input.byte()? != FORMAT || input.take(4)? != SHAPE.to_le_bytes() {
            return Err(WireError::OtherBuild);
        }
        let mut log = Self {
            version: Decode::decode(&mut input)?,
            seed: Decode::decode(&mut input)?,
            config: Decode::decode(&mut input)?,
            start: Time {
                mono_ms: Decode::decode(&mut input)?,
                wall_ms: Decode::decode(&mut input)?,
            },
            steps: Vec::new(),
            complete: false,
        };
        let mut last = log.start;
        loop {
            let kind = input.byte()?;
            if kind == END || kind == FULL {
                log.complete = kind == END;
                return if input.is_empty() {
                    Ok(log)
                } else {
                    Err(input.malformed())
                };
            }
            last = decode_since(last, &mut input)?;
            let step = match kind {
                EVENT => Input::Event(Decode::decode(&mut input)?),
                QUERY => Input::Query(Decode::decode(&mut input)?),
                RESTORE => Input::Restore(Decode::decode(&mut input)?),
                _ => return Err(input.malformed()),
            };
            log.steps.push((last, step));
        }
    }

    /// Runs it.
    pub fn replay(&self) -> Replay<'_> {
        Replay {
            log: self,
            manager: Manager::new(self.config.clone(), self.seed, self.start),
            next: 0,
        }
    }

    /// SHA-256 over everything that the manager answers: each step's verdict of the gate and its orders, in order.
    pub fn digest(&self) -> [u8; 32] {
        const VERDICT: u8 = 1;
        const ORDER: u8 = 2;
        let mut hash = Sha256::new();
        let mut bytes = Vec::new();
        for turn in self.replay() {
            bytes.clear();
            if let Some(verdict) = turn.verdict {
                bytes.push(VERDICT);
                verdict.err().encode(&mut bytes);
            }
            for command in &turn.commands {
                bytes.push(ORDER);
                command.encode(&mut bytes);
            }
            bytes.push(END);
            hash.update(&bytes);
        }
        hash.finalize().into()
    }
}

/// A run that is being repeated.
#[derive(Debug)]
pub struct Replay<'a> {
    log: &'a Log,
    manager: Manager,
    next: usize,
}

/// One step of it.
#[derive(Debug, Clone)]
pub struct Turn<'a> {
    /// When.
    pub at: Time,
    /// What the manager was told.
    pub input: &'a Input,
    /// What the gate answered, if it was asked.
    pub verdict: Option<Result<(), Reason>>,
    /// What was decided, as far as the ring of decisions holds it.
    pub decisions: Vec<Decision>,
    /// What was ordered.
    pub commands: Vec<Command>,
}

impl<'a> Replay<'a> {
    /// The manager as it is now.
    pub fn manager(&self) -> &Manager {
        &self.manager
    }
}

impl<'a> Iterator for Replay<'a> {
    type Item = Turn<'a>;

    fn next(&mut self) -> Option<Turn<'a>> {
        let (at, input) = self.log.steps.get(self.next)?;
        self.next += 1;
        let before = self.manager.stats().decisions;
        let verdict = match input {
            Input::Event(event) => {
                self.manager.handle(*at, event.clone());
                None
            }
            Input::Query(query) => Some(self.manager.gate(*at, query.clone())),
            Input::Restore(bytes) => {
                // What was refused then is refused again.
                let _ = self.manager.restore(bytes);
                None
            }
        };
        let decided = self.manager.stats().decisions - before;
        Some(Turn {
            at: *at,
            input,
            verdict,
            decisions: self
                .manager
                .decisions(usize::try_from(decided).unwrap_or(usize::MAX)),
            commands: core::iter::from_fn(|| self.manager.poll()).collect(),
        })
    }
}
