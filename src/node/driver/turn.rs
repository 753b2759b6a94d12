//! One turn of the loop: everything that came in, until nothing is left to do or the page wants its turn.

use std::task::{Context, Poll, Waker};

use futures::StreamExt;
use futures::future::BoxFuture;

use super::alarm::Alarm;
use super::{Done, Driver};
use crate::manager::{Command, Event, Reason, Time, WishAnswer};
use crate::node::platform;

/// After so long at work the page has its turn: whatever comes in, it answers.
const SLICE_MS: u64 = 8;

/// When the loop works, and when it rests.
pub(super) struct Turns {
    /// Rings when the manager has something to do, or the clocks are to be looked at.
    alarm: Alarm,
    /// A breath for the page, when there was much to do at once.
    pause: Option<BoxFuture<'static, ()>>,
    waker: Option<Waker>,
    /// When the loop last came to rest, and since when we are offline or asleep, if we are.
    rested_at: Time,
    /// When the clocks were looked at last.
    looked_at: Time,
    away_since: Option<Time>,
}

impl Turns {
    pub(super) fn new(now: Time) -> Self {
        Self {
            alarm: Alarm::default(),
            pause: None,
            waker: None,
            rested_at: now,
            looked_at: now,
            away_since: None,
        }
    }

    /// The loop is to turn again.
    pub(super) fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Nothing is waited for any more but the end.
    pub(super) fn close(&mut self) {
        self.alarm = Alarm::default();
        self.pause = None;
    }

    /// We have no network, or slept: from when the loop last rested. When it is over, since when that was.
    pub(super) fn away(&mut self, away: bool) -> Option<Time> {
        if away {
            self.away_since.get_or_insert(self.rested_at);
            return None;
        }
        Some(self.away_since.take().unwrap_or(self.rested_at))
    }

    fn rest(&mut self, cx: &Context<'_>) {
        self.waker = Some(cx.waker().clone());
    }
}

impl Driver {
    /// Works until nothing is left to do. Ready once the node is closed.
    pub(in crate::node) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_closed() {
            return Poll::Ready(());
        }
        let now = platform::now();
        let due = self.manager().next_deadline();
        if due.is_some_and(|due| due <= now.mono_ms) {
            self.inputs.push_front(Event::Tick);
        }
        if let Some(pause) = &mut self.turns.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.turns.pause = None;
        }
        loop {
            let mut busy = self.feed(platform::now());
            if let Some(swarm) = &mut self.swarm
                && let Poll::Ready(Some(event)) = swarm.poll_next_unpin(cx)
            {
                self.on_swarm_event(event);
                busy = true;
            }
            if let Poll::Ready(Some(done)) = self.tasks.poll_next_unpin(cx) {
                self.on_done(done);
                busy = true;
            }
            busy |= self.poll_dns(cx);
            busy |= self.poll_filter();
            busy |= self.filter.poll_alarm(cx);
            busy |= self.poll_alarm(cx);
            if !busy {
                self.turns.rested_at = platform::now();
                self.turns.rest(cx);
                return Poll::Pending;
            }
            if platform::mono_ms().saturating_sub(now.mono_ms) >= SLICE_MS {
                self.turns.rest(cx);
                let mut pause: BoxFuture<'static, ()> = Box::pin(platform::breath());
                if pause.as_mut().poll(cx).is_pending() {
                    self.turns.pause = Some(pause);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Whether we slept, and the manager has not been told of it yet.
    pub(in crate::node) fn just_slept(&self) -> bool {
        self.manager()
            .has_slept(self.turns.looked_at, platform::now())
    }

    /// The manager hears that we slept before it hears of anything that came meanwhile.
    fn look_at_clocks(&mut self, now: Time) {
        let looked = std::mem::replace(&mut self.turns.looked_at, now);
        if self.manager().has_slept(looked, now) {
            self.inputs.push_front(Event::Woke);
        }
    }

    /// Gives the manager its inputs and carries out its orders, until both are through.
    fn feed(&mut self, now: Time) -> bool {
        self.look_at_clocks(now);
        let mut busy = false;
        loop {
            while let Some(event) = self.inputs.pop_front() {
                self.manager().handle(now, event);
                busy = true;
            }
            let Some(command) = self.manager().poll() else {
                break;
            };
            busy = true;
            self.carry_out(command);
        }
        if busy {
            self.settle();
        }
        busy
    }

    /// The manager has seen everything, and who serves may be others by now.
    fn settle(&mut self) {
        self.filter.look_who_serves();
        self.asks.end();
        self.outlet.notify();
    }

    /// Tells the manager at once what the user wants of a peer, behind all that it has not been told yet. Why it is refused,
    /// if it is.
    pub(in crate::node) fn wish(&mut self, wish: Event) -> Option<Reason> {
        let now = platform::now();
        self.feed(now);
        self.manager().handle(now, wish);
        let mut refused = None;
        loop {
            let Some(command) = self.manager().poll() else {
                break;
            };
            match command {
                Command::Wish { answer, .. } => {
                    if let WishAnswer::Refused(reason) = answer {
                        refused = Some(reason);
                    }
                }
                command => self.carry_out(command),
            }
        }
        // Carrying out may have left more to be told.
        self.feed(now);
        self.settle();
        self.wake();
        refused
    }

    /// Whether the manager's earliest deadline has come, or it is time to look at the clocks.
    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        let (due, look) = {
            let manager = self.manager();
            (manager.next_deadline(), manager.clock_look_ms())
        };
        let rings = self.turns.alarm.poll(cx, due, look.unwrap_or(u64::MAX));
        if rings {
            let now = platform::now();
            if due.is_some_and(|due| due <= now.mono_ms) {
                self.inputs.push_back(Event::Tick);
            }
        }
        rings
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Metadata(conn, exchange) => self.on_metadata(conn, exchange),
            Done::MetadataRetry(conn) => self.ask_metadata(conn),
            Done::MetadataServed => {}
            Done::PeerExchange(peer, count, exchange) => {
                self.on_peer_exchange(peer, count, exchange)
            }
            Done::Push(frame) => self.on_push(frame),
            Done::Filter(asking) => self.on_filter_answer(*asking),
            Done::Judge(asked, verdict, how) => self.judge_late(asked, &verdict, how),
            Done::StopDue(turn) => self.on_stop_due(turn),
            // Gone by now, as a rule: then there is nothing to close.
            Done::DrainOver(conn) => self.close_connection(conn),
            Done::DialOver(dial) => self.on_dial_over(dial),
            Done::IdentityDue(conn) => self.on_identity_due(conn),
            Done::Look(look) => self.on_look(look),
            Done::DnsAddr(resolved) => self.on_resolved(resolved),
            Done::LookAgain(number) => self.look_again(number),
        }
    }
}
