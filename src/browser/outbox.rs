//! The way out of a node: everything for the facade goes through its sink, in an order that it can make sense of.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use js_sys::Function;
use litemap::LiteMap;
use wasm_bindgen::JsValue;

use super::crossing::give;
use super::data::Sent;
use crate::node::{Named, Node, NodeError, NodeEvent};

use super::calls::Reply;

/// Events that wait for a reply. Replies follow within a turn or two; those of a call that was cancelled never do.
const MAX_HELD: usize = 256;

/// A sink, and what may not go there yet.
pub(super) struct Outbox {
    sink: Function,
    /// What the facade knows by name, because the reply went out, and what came before it for what it does not know: no
    /// event overtakes the reply that names what it is about.
    announced: RefCell<LiteMap<Named, ()>>,
    held: RefCell<VecDeque<(Named, NodeEvent)>>,
    closed: Cell<bool>,
}

impl Outbox {
    pub(super) fn new(sink: Function) -> Self {
        Self {
            sink,
            announced: RefCell::default(),
            held: RefCell::default(),
            closed: Cell::new(false),
        }
    }

    /// Nothing reaches the sink any more.
    pub(super) fn close(&self) {
        self.closed.set(true);
    }

    /// Sends a reply, and after it what waited for what it names.
    pub(super) fn reply(&self, node: &Node, id: u32, result: Result<Reply, NodeError>) {
        let names = result.as_ref().ok().and_then(|reply| reply.names);
        self.send(&Sent::reply(id, result.map(|reply| reply.answer)));
        if let Some(named) = names {
            self.announce(node, named);
        }
    }

    /// Sends an event, or holds it back until the facade knows what it is about.
    pub(super) fn event(&self, node: &Node, event: NodeEvent) {
        if let Some((named, _)) = event.about()
            && !self.announced.borrow().contains_key(&named)
        {
            let mut held = self.held.borrow_mut();
            if held.len() >= MAX_HELD {
                held.pop_front();
            }
            held.push_back((named, event));
            return;
        }
        self.deliver(node, event);
    }

    /// The facade knows the name now: what came before its reply follows.
    fn announce(&self, node: &Node, named: Named) {
        self.announced.borrow_mut().insert(named, ());
        let held = std::mem::take(&mut *self.held.borrow_mut());
        let (ready, rest): (VecDeque<_>, _) =
            held.into_iter().partition(|(about, _)| *about == named);
        *self.held.borrow_mut() = rest;
        for (_, event) in ready {
            self.deliver(node, event);
        }
    }

    fn deliver(&self, node: &Node, event: NodeEvent) {
        if let Some((named, true)) = event.about() {
            self.announced.borrow_mut().remove(&named);
        }
        self.send(&Sent::event(node, event));
    }

    fn send(&self, message: &Sent) {
        if self.closed.get() {
            return;
        }
        // The facade's sink never throws; if it did, there is nobody to tell.
        let _ = self.sink.call1(&JsValue::NULL, &give(message));
    }
}
