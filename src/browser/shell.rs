//! One node of the page: its loop, its mailbox and its way out.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures::channel::mpsc::UnboundedReceiver;
use futures::future::{AbortHandle, abortable};
use futures::{FutureExt, StreamExt};
use js_sys::Function;
use libp2p::PeerId;
use litemap::LiteMap;
use wasm_bindgen::{JsError, JsValue};

use super::calls::{self, Reply};
use super::environment::Environment;
use super::object::{Object, Plain, list, needed};
use super::values::{Names, health_info, peer_info, stats};
use super::{decisions, events, options, values};
use crate::node::{Named, Node, NodeError, NodeEvent, spawn};

/// Events that wait for a reply. Replies follow within a turn or two; those of a call that was cancelled never do.
const MAX_HELD: usize = 256;
/// Decisions that `decisions` gives when it is not said how many.
const DECISIONS: usize = 16;

/// A node and everything that JavaScript has of it.
pub(super) struct Shell {
    node: Node,
    sink: Function,
    /// Requests under way, by the facade's ids, so that they can be cancelled.
    requests: RefCell<LiteMap<u32, AbortHandle>>,
    /// What the facade knows by name, because the reply went out, and what came before it for what it does not know: no
    /// event overtakes the reply that names what it is about.
    announced: RefCell<LiteMap<Named, ()>>,
    held: RefCell<VecDeque<(Named, NodeEvent)>>,
    environment: RefCell<Option<Environment>>,
    destroyed: Cell<bool>,
}

impl Shell {
    pub(super) fn new(options: JsValue, sink: Function) -> Result<Rc<Self>, NodeError> {
        let config = options::read(options)?;
        let (node, events) = Node::new(config)?;
        let online = node.clone();
        let shell = Rc::new(Self {
            node: node.clone(),
            sink,
            requests: RefCell::default(),
            announced: RefCell::default(),
            held: RefCell::default(),
            environment: RefCell::new(Some(Environment::listen(move |now| online.set_online(now)))),
            destroyed: Cell::new(false),
        });
        if !Environment::is_online() {
            node.set_online(false);
        }
        spawn(node.run());
        spawn(pump(shell.clone(), events));
        Ok(shell)
    }

    pub(super) fn post(self: Rc<Self>, message: JsValue) -> Result<(), JsValue> {
        let malformed = |error: NodeError| JsValue::from(JsError::new(&error.message));
        let message = Object(message);
        let id = message.integer("id").and_then(|id| needed(id, "id"));
        let id: u32 = id.map_err(malformed)?;
        let method = message
            .text("method")
            .and_then(|name| needed(name, "method"));
        let method = method.map_err(malformed)?;
        let params = message.object("params");
        if method == "cancel" {
            let request = params
                .integer("request")
                .and_then(|id| needed(id, "request"));
            let request = request.map_err(malformed)?;
            if let Some(handle) = self.requests.borrow_mut().remove(&request) {
                handle.abort();
            }
            return Ok(());
        }
        let (call, handle) = abortable(calls::call(self.node.clone(), method, params));
        self.requests.borrow_mut().insert(id, handle);
        // Begun at once, so that calls and orders take effect in the order in which they were made. Its answer leaves from
        // a microtask of its own all the same.
        let mut call = Box::pin(call);
        let begun = call.as_mut().now_or_never();
        spawn(async move {
            let result = match begun {
                Some(result) => result,
                None => call.await,
            };
            let Ok(result) = result else {
                return;
            };
            self.requests.borrow_mut().remove(&id);
            self.reply(id, result);
        });
        Ok(())
    }

    /// Carries out at once what needs no waiting.
    pub(super) fn order(&self, method: &str, params: JsValue) -> Result<(), JsValue> {
        let done = super::manage::call(&self.node, method, &Object(params));
        match done.map_err(|error| values::error(&error))? {
            Some(()) => Ok(()),
            None => Err(JsError::new(&format!("no such order: {method}")).into()),
        }
    }

    pub(super) fn query(&self, what: &str, argument: Option<String>) -> Result<JsValue, JsValue> {
        Ok(match what {
            "peers" => {
                let names = Names::of(&self.node);
                let peers = self.node.peers().into_iter();
                list(peers.map(|view| peer_info(view, &names))).into()
            }
            "peer" => {
                let names = Names::of(&self.node);
                let view = peer(argument).and_then(|peer| self.node.peer(&peer));
                view.map_or(JsValue::UNDEFINED, |view| peer_info(view, &names).into())
            }
            "explain" => {
                let names = Names::of(&self.node);
                let explained = peer(argument).and_then(|peer| self.node.explain(&peer));
                explained.map_or(JsValue::UNDEFINED, |explained| {
                    decisions::explanation(explained, &names)
                })
            }
            "decisions" => {
                let names = Names::of(&self.node);
                let limit = argument.and_then(|text| text.parse().ok());
                let taken = self.node.decisions(limit.unwrap_or(DECISIONS));
                decisions::list(taken, &names)
            }
            "protocols" => decisions::protocols(self.node.protocols(), &Names::of(&self.node)),
            "health" => health_info(self.node.health(), &Names::of(&self.node)),
            "record" => js_sys::Uint8Array::from(&*self.node.record()).into(),
            "stats" => stats(&self.node.stats()),
            "peerId" => JsValue::from_str(&self.node.peer_id().to_string()),
            other => return Err(JsError::new(&format!("no such query: {other}")).into()),
        })
    }

    /// Frees everything; nothing reaches the sink any more.
    pub(super) fn destroy(&self) {
        self.destroyed.set(true);
        for (_, handle) in std::mem::take(&mut *self.requests.borrow_mut()).into_tuple_vec() {
            handle.abort();
        }
        self.environment.borrow_mut().take();
        self.node.close();
    }

    fn reply(&self, id: u32, result: Result<Reply, NodeError>) {
        let message = Plain::new().with("kind", "reply").with("id", id);
        match result {
            Ok(Reply { value, names }) => {
                self.send(message.with("ok", value).into());
                if let Some(named) = names {
                    self.announce(named);
                }
            }
            Err(error) => self.send(message.with("error", values::error(&error)).into()),
        }
    }

    /// The facade knows the name now: what came before its reply follows.
    fn announce(&self, named: Named) {
        self.announced.borrow_mut().insert(named, ());
        let held = std::mem::take(&mut *self.held.borrow_mut());
        let (ready, rest) = held.into_iter().partition(|(about, _)| *about == named);
        *self.held.borrow_mut() = rest;
        let ready: VecDeque<_> = ready;
        for (_, event) in ready {
            self.deliver(event);
        }
    }

    fn on_event(&self, event: NodeEvent) {
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
        self.deliver(event);
    }

    fn deliver(&self, event: NodeEvent) {
        if let Some((named, true)) = event.about() {
            self.announced.borrow_mut().remove(&named);
        }
        self.send(events::to_message(&self.node, event));
    }

    fn send(&self, message: JsValue) {
        if self.destroyed.get() {
            return;
        }
        // The facade's sink never throws; if it did, there is nobody to tell.
        let _ = self.sink.call1(&JsValue::NULL, &message);
    }
}

fn peer(argument: Option<String>) -> Option<PeerId> {
    argument?.parse().ok()
}

/// Carries the node's events to the sink until the node is closed.
async fn pump(shell: Rc<Shell>, mut events: UnboundedReceiver<NodeEvent>) {
    while let Some(event) = events.next().await {
        shell.on_event(event);
    }
}
