//! The way out: events and lines of the log for the shell, and a word to the calls that wait for a change.

use futures::channel::{mpsc, oneshot};

use crate::node::event::{LogLevel, NodeEvent};

/// See the module's documentation.
pub(super) struct Outlet {
    events: mpsc::UnboundedSender<NodeEvent>,
    /// The least that is logged; `None`: nothing.
    log: Option<LogLevel>,
    /// Calls that wait for something to change; all are woken, each looks for itself.
    waiting: Vec<oneshot::Sender<()>>,
}

impl Outlet {
    pub(super) fn new(log: Option<LogLevel>) -> (Self, mpsc::UnboundedReceiver<NodeEvent>) {
        let (events, receiver) = mpsc::unbounded();
        let outlet = Self {
            events,
            log,
            waiting: Vec::new(),
        };
        (outlet, receiver)
    }

    pub(super) fn emit(&self, event: NodeEvent) {
        // Nobody listens any more: the node is being dropped.
        let _ = self.events.unbounded_send(event);
    }

    /// A line for the log, made only when somebody reads lines of this level.
    pub(super) fn log(
        &self,
        level: LogLevel,
        target: &'static str,
        message: std::fmt::Arguments<'_>,
    ) {
        if self.log.is_some_and(|lowest| level >= lowest) {
            self.emit(NodeEvent::Log(level, target, message.to_string()));
        }
    }

    /// Ends at the next change.
    pub(super) fn changed(&mut self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        if !self.events.is_closed() {
            self.waiting.push(sender);
        }
        receiver
    }

    /// Something changed.
    pub(super) fn notify(&mut self) {
        for waiting in self.waiting.drain(..) {
            // Who gave up waiting needs no word.
            let _ = waiting.send(());
        }
    }

    /// Nothing is told any more; whoever waits hears that by a closed channel.
    pub(super) fn close(&mut self) {
        self.waiting.clear();
        self.events.close_channel();
    }
}
