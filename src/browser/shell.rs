//! One node of the page: its loop, its mailbox and its way out.

use std::cell::RefCell;
use std::rc::Rc;

use futures::channel::mpsc::UnboundedReceiver;
use futures::future::{AbortHandle, abortable};
use futures::{FutureExt, StreamExt};
use js_sys::Function;
use litemap::LiteMap;
use wasm_bindgen::{JsError, JsValue};

use super::crossing::{Request, give_error, take};
use super::data::Cancel;
use super::environment::Environment;
use super::outbox::Outbox;
use super::{calls, options, orders, snapshots};
use crate::node::{Node, NodeError, NodeEvent, spawn};

/// A node and everything that JavaScript has of it.
pub(super) struct Shell {
    node: Node,
    outbox: Outbox,
    /// Requests under way, by the facade's ids, so that they can be cancelled.
    requests: RefCell<LiteMap<u32, AbortHandle>>,
    environment: RefCell<Option<Environment>>,
}

impl Shell {
    pub(super) fn new(options: JsValue, sink: Function) -> Result<Rc<Self>, NodeError> {
        let (node, events) = Node::new(options::read(options)?)?;
        let online = node.clone();
        let shell = Rc::new(Self {
            node: node.clone(),
            outbox: Outbox::new(sink),
            requests: RefCell::default(),
            environment: RefCell::new(Some(Environment::listen(move |now| online.set_online(now)))),
        });
        if !Environment::is_online() {
            node.set_online(false);
        }
        spawn(node.run());
        spawn(pump(shell.clone(), events));
        Ok(shell)
    }

    /// Begins a request, or cancels one.
    pub(super) fn post(self: Rc<Self>, message: &JsValue) -> Result<(), JsValue> {
        let Request { id, method, params } = Request::read(message)?;
        if method == "cancel" {
            let Cancel { request } = take(params).map_err(|error| give_error(&error))?;
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
            self.outbox.reply(&self.node, id, result);
        });
        Ok(())
    }

    /// Carries out at once what needs no waiting.
    pub(super) fn order(&self, method: &str, params: JsValue) -> Result<(), JsValue> {
        match orders::order(&self.node, method, params) {
            Some(done) => done.map_err(|error| give_error(&error)),
            None => Err(JsError::new(&format!("no such order: {method}")).into()),
        }
    }

    pub(super) fn query(&self, what: &str, argument: Option<String>) -> Result<JsValue, JsValue> {
        snapshots::answer(&self.node, what, argument)
            .ok_or_else(|| JsError::new(&format!("no such query: {what}")).into())
    }

    /// Frees everything; nothing reaches the sink any more.
    pub(super) fn destroy(&self) {
        self.outbox.close();
        for (_, handle) in std::mem::take(&mut *self.requests.borrow_mut()).into_tuple_vec() {
            handle.abort();
        }
        self.environment.borrow_mut().take();
        self.node.close();
    }
}

/// Carries the node's events to the sink until the node is closed.
async fn pump(shell: Rc<Shell>, mut events: UnboundedReceiver<NodeEvent>) {
    while let Some(event) = events.next().await {
        shell.outbox.event(&shell.node, event);
    }
}
