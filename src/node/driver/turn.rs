//! One turn of the loop: everything that came in, until nothing is left to do or the page wants its turn.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;

use super::{Done, Driver};
use crate::manager::{Command, Event, Reason, Time, WishAnswer};
use crate::node::platform;

/// After so long at work the page has its turn: whatever comes in, it answers.
const SLICE_MS: u64 = 8;

impl Driver {
    /// Works until nothing is left to do. Ready once the node is closed.
    pub(in crate::node) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_closed() {
            return Poll::Ready(());
        }
        // Whether we slept is known before anything else that came meanwhile is looked at.
        let now = platform::now();
        let due = self.manager().next_deadline();
        if due.is_some_and(|due| due <= now.mono_ms) || self.manager().has_slept(now) {
            self.inputs.push_front(Event::Tick);
        }
        if let Some(pause) = &mut self.pause {
            if pause.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
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
            busy |= self.poll_filter_timer(cx);
            busy |= self.poll_timer(cx);
            if !busy {
                self.last_turn = platform::now();
                self.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if platform::mono_ms().saturating_sub(now.mono_ms) >= SLICE_MS {
                self.waker = Some(cx.waker().clone());
                let mut pause: BoxFuture<'static, ()> = Box::pin(platform::breath());
                if pause.as_mut().poll(cx).is_pending() {
                    self.pause = Some(pause);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Gives the manager its inputs and carries out its orders, until both are through.
    fn feed(&mut self, now: Time) -> bool {
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
        self.subscriptions.stale = true;
        self.end_asks();
        self.notify_waiting();
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

    /// Keeps one timer for the hub's earliest deadline.
    fn poll_filter_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.subscriptions.hub.next_deadline() else {
            self.filter_timer = None;
            return false;
        };
        if self.filter_timer.as_ref().is_none_or(|(at, _)| *at != due) {
            let wait = due.saturating_sub(platform::now().mono_ms);
            let timer = platform::sleep(Duration::from_millis(wait));
            self.filter_timer = Some((due, timer));
        }
        let fired = self
            .filter_timer
            .as_mut()
            .is_some_and(|(_, timer)| timer.as_mut().poll(cx).is_ready());
        if fired {
            self.filter_timer = None;
        }
        fired
    }

    /// Keeps exactly one timer, for the manager's earliest deadline or the next look at the clocks.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let look = self.manager().clock_look_ms().unwrap_or(u64::MAX);
        let deadline = self.manager().next_deadline();
        match (deadline, &self.timer) {
            (None, _) => self.timer = None,
            (Some(at), Some((set_for, _))) if at == *set_for => {}
            (Some(at), _) => {
                let wait = at.saturating_sub(platform::now().mono_ms).min(look);
                self.timer = Some((at, platform::sleep(Duration::from_millis(wait))));
            }
        }
        let Some((at, timer)) = &mut self.timer else {
            return false;
        };
        if timer.as_mut().poll(cx).is_pending() {
            return false;
        }
        // A timer may fire a little early, have been clamped, or be there to look at the clocks: then it is set again.
        let at = *at;
        self.timer = None;
        let now = platform::now();
        if now.mono_ms >= at || self.manager().has_slept(now) {
            self.inputs.push_back(Event::Tick);
        }
        true
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
            Done::StopDue(stop) => {
                if stop == self.stopping {
                    self.input(Event::Stop);
                }
            }
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
