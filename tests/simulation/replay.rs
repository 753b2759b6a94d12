//! D1, D4, D5, D7: a record played again, exactly and with its clocks and ticks changed.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lightkeeper::manager::{
    Command, Config, Event, Failed, GateQuery, Manager, Notice, Reason, Time,
};

use crate::client::Step;
use crate::environment::{MONO_ZERO, WALL_ZERO};
use crate::judge::Violation;
use crate::rng::Rng;
use crate::view::Input;

/// What a record can be played to: a manager, or something that only looks like one.
pub(crate) trait Machine {
    fn handle(&mut self, time: Time, event: Event);
    fn gate(&mut self, time: Time, query: GateQuery) -> Result<(), Reason>;
    fn poll(&mut self) -> Option<Command>;
    fn next_deadline(&self) -> Option<u64>;
    /// Reads everything that can be read.
    fn read(&self);
}

impl Machine for Manager {
    fn handle(&mut self, time: Time, event: Event) {
        Self::handle(self, time, event);
    }

    fn gate(&mut self, time: Time, query: GateQuery) -> Result<(), Reason> {
        Self::gate(self, time, query)
    }

    fn poll(&mut self) -> Option<Command> {
        Self::poll(self)
    }

    fn next_deadline(&self) -> Option<u64> {
        Self::next_deadline(self)
    }

    fn read(&self) {
        self.peers();
        self.requirements();
        self.health();
        self.stats();
    }
}

/// How a record is played.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    /// Added to the monotonic clock.
    pub(crate) mono: u64,
    /// Added to the wall clock.
    pub(crate) wall: u64,
    /// Idle ticks and reads in between, from this seed.
    pub(crate) extra: Option<u64>,
}

/// As it was.
pub(crate) const AS_IT_WAS: Way = Way {
    mono: 0,
    wall: 0,
    extra: None,
};

impl Way {
    pub(crate) fn time(self, time: Time) -> Time {
        Time {
            mono_ms: time.mono_ms + self.mono,
            wall_ms: time.wall_ms + self.wall,
        }
    }

    /// When the record's manager was made.
    pub(crate) fn zero(self) -> Time {
        self.time(Time {
            mono_ms: MONO_ZERO,
            wall_ms: WALL_ZERO,
        })
    }
}

/// Plays a record. Returns the first step at which the orders differ.
pub(crate) fn play(machine: &mut dyn Machine, steps: &[Step], way: Way) -> Result<(), String> {
    let mut rng = way.extra.map(Rng::new);
    let mut last = way.zero();
    // Questions move no clock, but no tick comes before one that was asked.
    let mut asked_at = last.mono_ms;
    for (n, step) in steps.iter().enumerate() {
        let time = way.time(step.time);
        if let Some(rng) = &mut rng {
            let due = machine.next_deadline().unwrap_or(u64::MAX);
            let until = time.mono_ms.min(due.saturating_sub(1));
            // Clocks that differ would be a sleep.
            let even = time.wall_ms.saturating_sub(last.wall_ms) == time.mono_ms - last.mono_ms;
            let from = last.mono_ms.max(asked_at);
            if even && until > from && rng.per_mille(300) {
                let mono_ms = rng.between(from, until);
                let wall_ms = last.wall_ms + (mono_ms - last.mono_ms);
                machine.handle(Time { mono_ms, wall_ms }, Event::Tick);
                machine.read();
                if let Some(command) = machine.poll() {
                    return Err(format!("step {n}: an idle tick led to {command:?}"));
                }
            }
        }
        match &step.input {
            Input::Event(event) => {
                last = time;
                machine.handle(time, event.clone());
            }
            Input::Gate(query, verdict) => {
                asked_at = time.mono_ms;
                let again = machine.gate(time, query.clone());
                if again != *verdict {
                    return Err(format!(
                        "step {n}: {query:?} got {again:?}, not {verdict:?}"
                    ));
                }
            }
        }
        let mut expected = step.commands.iter();
        loop {
            let got = machine.poll();
            let wanted = expected.next().map(|command| shifted(command, way.wall));
            if got != wanted {
                return Err(format!("step {n}: {got:?}, not {wanted:?}"));
            }
            if got.is_none() {
                break;
            }
        }
    }
    Ok(())
}

/// An order as it would be with another wall clock.
fn shifted(command: &Command, wall: u64) -> Command {
    let mut command = command.clone();
    if let Command::Notify(Notice::Failed {
        retry_at_wall_ms: Some(at),
        failed: Failed::Dial { .. } | Failed::Request { .. },
        ..
    }) = &mut command
    {
        *at += wall;
    }
    command
}

/// Plays a record with clocks that lie. Nothing may panic; what is ordered does not matter.
pub(crate) fn distort(machine: &mut dyn Machine, steps: &[Step], seed: u64) {
    let mut rng = Rng::new(seed);
    for step in steps {
        let mut lie = |ms: u64| match rng.below(12) {
            0 => u64::MAX - rng.below(100_000),
            1 => rng.next(),
            2 => 0,
            3 => ms + 40 * 365 * 86_400_000,
            _ => ms,
        };
        let time = Time {
            mono_ms: lie(step.time.mono_ms),
            wall_ms: lie(step.time.wall_ms),
        };
        match &step.input {
            Input::Event(event) => machine.handle(time, event.clone()),
            Input::Gate(query, _) => {
                let _ = machine.gate(time, query.clone());
            }
        }
        while machine.poll().is_some() {}
        machine.read();
    }
}

/// Steps of which a distorted replay is made: enough, since most of them come after the end of time.
const DISTORTED: usize = 2_000;

/// Judges a record by one of the replays, which the seed picks.
pub(crate) fn judge(
    seed: u64,
    config: &Config,
    manager_seed: [u8; 32],
    steps: &[Step],
) -> Option<Violation> {
    let mut rng = Rng::new(seed);
    let (id, way) = match rng.below(4) {
        0 => ("D1", AS_IT_WAS),
        1 => (
            "D4",
            Way {
                extra: Some(seed),
                ..AS_IT_WAS
            },
        ),
        2 => (
            "D5",
            Way {
                mono: rng.below(1 << 50),
                wall: rng.below(1 << 40),
                extra: None,
            },
        ),
        _ => {
            let steps = &steps[..steps.len().min(DISTORTED)];
            let end = catch_unwind(AssertUnwindSafe(|| {
                let mut manager = Manager::new(config.clone(), manager_seed, AS_IT_WAS.zero());
                distort(&mut manager, steps, seed);
                manager.check();
            }));
            return end
                .is_err()
                .then(|| Violation::new("D7", 0, "lying clocks made it panic"));
        }
    };
    // A wall clock that was set back is held at what any input saw of it, ticks too.
    let set_back = steps
        .windows(2)
        .any(|pair| pair[1].time.wall_ms < pair[0].time.wall_ms);
    let way = if set_back { AS_IT_WAS } else { way };
    let mut manager = Manager::new(config.clone(), manager_seed, way.zero());
    let end = play(&mut manager, steps, way);
    end.err().map(|what| Violation::new(id, 0, what))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::generate::network;
    use crate::runner::run;
    use crate::script::Script;
    use crate::world::Options;

    /// A manager with something wrong about it.
    struct Broken<'a> {
        manager: Manager,
        wrong: Wrong<'a>,
        extra: Option<Command>,
    }

    enum Wrong<'a> {
        /// It looks at something that is not an input.
        Global(&'a Cell<u32>),
        /// A tick makes it do something.
        Tick,
        /// It looks at the absolute time.
        Absolute,
        /// It adds up without a bound.
        Overflow,
    }

    impl Machine for Broken<'_> {
        fn handle(&mut self, time: Time, event: Event) {
            match &self.wrong {
                Wrong::Global(calls) => {
                    calls.set(calls.get() + 1);
                    if calls.get() % 10 == 0 {
                        self.extra = Some(Command::Discover);
                    }
                }
                Wrong::Tick if event == Event::Tick => self.extra = Some(Command::Discover),
                Wrong::Absolute if time.mono_ms > 1 << 40 => self.extra = Some(Command::Discover),
                Wrong::Overflow => assert!(time.mono_ms.checked_add(1 << 40).is_some()),
                Wrong::Tick | Wrong::Absolute => {}
            }
            self.manager.handle(time, event);
        }

        fn gate(&mut self, time: Time, query: GateQuery) -> Result<(), Reason> {
            self.manager.gate(time, query)
        }

        fn poll(&mut self) -> Option<Command> {
            self.extra.take().or_else(|| self.manager.poll())
        }

        fn next_deadline(&self) -> Option<u64> {
            self.manager.next_deadline()
        }

        fn read(&self) {}
    }

    /// A short run, and the manager that can play it again.
    fn record() -> (Vec<Step>, Config, [u8; 32]) {
        let script = Script::new(1, network(&mut Rng::new(1), 8), 120_000);
        let options = Options {
            record: true,
            ..Options::default()
        };
        let run = run(&script, options);
        let steps = run.log.steps.expect("it was recorded");
        (steps, script.tuning.config(), run.seed)
    }

    fn plays(wrong: Option<Wrong<'_>>, way: Way) -> Result<(), String> {
        let (steps, config, seed) = record();
        let mut manager = Manager::new(config, seed, way.zero());
        match wrong {
            None => play(&mut manager, &steps, way),
            Some(wrong) => {
                let extra = None;
                play(
                    &mut Broken {
                        manager,
                        wrong,
                        extra,
                    },
                    &steps,
                    way,
                )
            }
        }
    }

    const TICKS: Way = Way {
        extra: Some(7),
        ..AS_IT_WAS
    };
    const LATER: Way = Way {
        mono: 1 << 45,
        wall: 1 << 30,
        extra: None,
    };

    #[test]
    fn the_manager_plays_its_record_in_every_way() {
        for way in [AS_IT_WAS, TICKS, LATER] {
            assert_eq!(plays(None, way), Ok(()));
        }
    }

    #[test]
    fn a_machine_that_looks_elsewhere_breaks_d1() {
        let calls = Cell::new(0);
        assert!(plays(Some(Wrong::Global(&calls)), AS_IT_WAS).is_err());
    }

    #[test]
    fn a_machine_that_acts_on_idle_ticks_breaks_d4() {
        assert!(plays(Some(Wrong::Tick), TICKS).is_err());
    }

    #[test]
    fn a_machine_that_looks_at_absolute_time_breaks_d5() {
        assert!(plays(Some(Wrong::Absolute), AS_IT_WAS).is_ok());
        assert!(plays(Some(Wrong::Absolute), LATER).is_err());
    }

    #[test]
    fn a_machine_that_overflows_breaks_d7() {
        let (steps, config, seed) = record();
        let end = catch_unwind(AssertUnwindSafe(|| {
            let manager = Manager::new(config, seed, AS_IT_WAS.zero());
            let wrong = Wrong::Overflow;
            let extra = None;
            let mut machine = Broken {
                manager,
                wrong,
                extra,
            };
            distort(&mut machine, &steps, 3);
        }));
        assert!(end.is_err());
    }
}
