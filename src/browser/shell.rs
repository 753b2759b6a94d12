//! One node of the page: its loop, its mailbox and its way out.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use futures::future::{AbortHandle, abortable};
use js_sys::Function;
use litemap::LiteMap;
use serde::Serialize;
use wasm_bindgen::{JsError, JsValue};

use super::calls::{self, Reply};
use super::environment::Environment;
use super::object::{Object, needed};
use super::values::{HealthInfo, PeerInfo, StatsInfo, to_js};
use super::{events, options, values};
use crate::node::{LogLevel, Node, NodeError, NodeEvent, SubscriptionId, spawn};

/// A node and everything that JavaScript has of it.
pub(super) struct Shell {
    node: Node,
    sink: Function,
    log: Option<LogLevel>,
    /// Requests under way, by the facade's ids, so that they can be cancelled.
    requests: RefCell<LiteMap<u32, AbortHandle>>,
    /// Subscriptions whose reply went out, and what came before it for those whose did not: a message never overtakes the
    /// reply that names its subscription.
    announced: RefCell<LiteMap<SubscriptionId, ()>>,
    held: RefCell<Vec<(SubscriptionId, NodeEvent)>>,
    environment: RefCell<Option<Environment>>,
    destroyed: Cell<bool>,
}

#[derive(Serialize)]
struct ReplyMessage {
    kind: &'static str,
    id: u32,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    ok: JsValue,
}

#[derive(Serialize)]
struct ErrorMessage {
    kind: &'static str,
    id: u32,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    error: JsValue,
}

impl Shell {
    pub(super) fn new(options: JsValue, sink: Function) -> Result<Rc<Self>, NodeError> {
        let (config, log) = options::read(options)?;
        let (node, events) = Node::new(config)?;
        let online = node.clone();
        let shell = Rc::new(Self {
            node: node.clone(),
            sink,
            log,
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
        spawn(async move {
            let Ok(result) = call.await else {
                return;
            };
            self.requests.borrow_mut().remove(&id);
            self.reply(id, result);
        });
        Ok(())
    }

    pub(super) fn query(&self, what: &str, argument: Option<String>) -> Result<JsValue, JsValue> {
        Ok(match what {
            "peers" => to_js(
                &self
                    .node
                    .peers()
                    .into_iter()
                    .map(PeerInfo::from)
                    .collect::<Vec<_>>(),
            ),
            "peer" => {
                let peer = argument
                    .and_then(|text| text.parse().ok())
                    .and_then(|peer| self.node.peer(&peer));
                peer.map_or(JsValue::UNDEFINED, |view| to_js(&PeerInfo::from(view)))
            }
            "health" => to_js(&HealthInfo::from(self.node.health())),
            "stats" => to_js(&StatsInfo::from(self.node.stats())),
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
        match result {
            Ok(Reply {
                value,
                subscription,
            }) => {
                self.send(to_js(&ReplyMessage {
                    kind: "reply",
                    id,
                    ok: value,
                }));
                if let Some(subscription) = subscription {
                    self.announce(subscription);
                }
            }
            Err(error) => self.send(to_js(&ErrorMessage {
                kind: "reply",
                id,
                error: values::error(&error),
            })),
        }
    }

    /// The facade knows the subscription now: what came before its reply follows.
    fn announce(&self, subscription: SubscriptionId) {
        self.announced.borrow_mut().insert(subscription, ());
        let held = std::mem::take(&mut *self.held.borrow_mut());
        let (ready, rest): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|(id, _)| *id == subscription);
        *self.held.borrow_mut() = rest;
        for (_, event) in ready {
            self.deliver(event);
        }
    }

    fn on_event(&self, event: NodeEvent) {
        let about = match &event {
            NodeEvent::Message(id, _) | NodeEvent::Subscription { id, .. } => Some(*id),
            NodeEvent::Log(level, ..) if self.log.is_none_or(|lowest| *level < lowest) => return,
            _ => None,
        };
        if let Some(id) = about
            && !self.announced.borrow().contains_key(&id)
        {
            self.held.borrow_mut().push((id, event));
            return;
        }
        self.deliver(event);
    }

    fn deliver(&self, event: NodeEvent) {
        if let NodeEvent::Subscription {
            id,
            state: crate::node::SubscriptionState::Closed,
            ..
        } = &event
        {
            self.announced.borrow_mut().remove(id);
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

/// Carries the node's events to the sink until the node is closed.
async fn pump(shell: Rc<Shell>, mut events: UnboundedReceiver<NodeEvent>) {
    while let Some(event) = events.next().await {
        shell.on_event(event);
    }
}
