//! A node behind the functions that the wasm exports, and its mailbox; and the fleet that it talks to.
//!
//! The fleet listens where `LIGHTKEEPER_FLEET_PORT` said when this was compiled (8780 if it is not set).

use futures::StreamExt;
use futures::channel::mpsc;
use js_sys::{Function, JSON, Object, Reflect};
use lightkeeper::browser::{create, destroy, post, query};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::support::within;

fn fleet_url(path: &str) -> String {
    let port = option_env!("LIGHTKEEPER_FLEET_PORT").unwrap_or("8780");
    format!("http://127.0.0.1:{port}{path}")
}

pub(crate) async fn fetch(path: &str, method: &str) -> JsValue {
    let init = web_sys::RequestInit::new();
    init.set_method(method);
    let window = web_sys::window().expect("a page");
    let request = web_sys::Request::new_with_str_and_init(&fleet_url(path), &init).unwrap();
    let fetch: Function = get(&window, "fetch").dyn_into().unwrap();
    let answer: js_sys::Promise = fetch.call1(&window, &request).unwrap().dyn_into().unwrap();
    let answer: web_sys::Response = within(JsFuture::from(answer))
        .await
        .expect("the fleet listens")
        .dyn_into()
        .unwrap();
    assert!(answer.ok(), "{method} {path}: {}", answer.status());
    within(JsFuture::from(answer.json().unwrap()))
        .await
        .unwrap()
}

pub(crate) fn get(object: &JsValue, key: &str) -> JsValue {
    Reflect::get(object, &key.into()).unwrap()
}

pub(crate) fn text(object: &JsValue, key: &str) -> String {
    get(object, key).as_string().unwrap_or_default()
}

pub(crate) fn set(object: &JsValue, key: &str, value: impl Into<JsValue>) {
    Reflect::set(object, &key.into(), &value.into()).unwrap();
}

pub(crate) fn json(text: &str) -> JsValue {
    JSON::parse(text).unwrap()
}

/// Options as the facade resolves them, with the fleet's tree.
pub(crate) async fn options() -> JsValue {
    let fleet = fetch("/api/fleet", "GET").await;
    let options = json(
        r#"{ "network": { "clusterId": 1, "numShardsInCluster": 8 }, "bootstrap": [], "resolvers": [],
             "require": { "lightPush": { "min": 1, "target": 2, "max": 4 }, "filter": { "min": 1, "target": 2, "max": 4 },
                          "store": { "min": 0, "target": 1, "max": 2 } },
             "allowPrivateAddresses": true, "log": "off" }"#,
    );
    set(
        &options,
        "bootstrap",
        js_sys::Array::of1(&get(&fleet, "enrtree")),
    );
    set(
        &options,
        "resolvers",
        js_sys::Array::of1(&get(&fleet, "resolver")),
    );
    options
}

/// A node and its mailbox.
pub(crate) struct Client {
    pub(crate) handle: u32,
    pub(crate) next: u32,
    inbox: mpsc::UnboundedReceiver<JsValue>,
    pub(crate) kept: Vec<JsValue>,
    _sink: Closure<dyn FnMut(JsValue)>,
}

impl Client {
    pub(crate) async fn new() -> Self {
        Self::with(options().await)
    }

    pub(crate) fn with(options: JsValue) -> Self {
        let (sender, inbox) = mpsc::unbounded();
        let sink = Closure::<dyn FnMut(JsValue)>::new(move |message| {
            let _ = sender.unbounded_send(message);
        });
        let handle = create(options, sink.as_ref().unchecked_ref::<Function>().clone()).unwrap();
        Self {
            handle,
            next: 0,
            inbox,
            kept: Vec::new(),
            _sink: sink,
        }
    }

    /// Posts a request and waits for its one reply; what else comes is kept.
    pub(crate) async fn call(&mut self, method: &str, params: JsValue) -> Result<JsValue, JsValue> {
        let id = self.next;
        self.next += 1;
        let message = Object::new();
        set(&message, "id", id);
        set(&message, "method", method);
        set(&message, "params", params);
        post(self.handle, message.into()).unwrap();
        let reply = self
            .take(|message| {
                text(message, "kind") == "reply" && get(message, "id").as_f64() == Some(id.into())
            })
            .await;
        match get(&reply, "error") {
            error if error.is_undefined() => Ok(get(&reply, "ok")),
            error => Err(error),
        }
    }

    /// The first message that fits, of those kept and those to come.
    pub(crate) async fn take(&mut self, fits: impl Fn(&JsValue) -> bool) -> JsValue {
        if let Some(at) = self.kept.iter().position(&fits) {
            return self.kept.remove(at);
        }
        within(async {
            loop {
                let message = self.inbox.next().await.expect("the node is not freed");
                if fits(&message) {
                    return message;
                }
                self.kept.push(message);
            }
        })
        .await
    }

    pub(crate) async fn event(&mut self, r#type: &str) -> JsValue {
        let event = self
            .take(|message| text(message, "kind") == "event" && text(message, "type") == r#type)
            .await;
        get(&event, "detail")
    }

    pub(crate) async fn start(&mut self) {
        self.call("start", JsValue::UNDEFINED).await.unwrap();
        self.call("ready", json("{}")).await.unwrap();
    }

    pub(crate) fn ask(&self, what: &str) -> JsValue {
        query(self.handle, what, None).unwrap()
    }

    pub(crate) fn ask_of(&self, what: &str, argument: &str) -> JsValue {
        query(self.handle, what, Some(argument.to_owned())).unwrap()
    }

    /// A node that serves a requirement now.
    pub(crate) fn provider(&self, requirement: &str) -> String {
        let requirements = get(&self.ask("health"), "requirements");
        let found = js_sys::Array::from(&requirements)
            .iter()
            .find(|status| text(status, "name") == requirement)
            .expect("the requirement is there");
        let peers = js_sys::Array::from(&get(&found, "peers"));
        peers.get(0).as_string().expect("somebody serves it")
    }

    /// Enrolls a protocol that every node of the fleet serves, and waits for its peers.
    pub(crate) async fn enroll(&mut self) -> f64 {
        let spec = json(
            r#"{ "name": "mine", "protocols": ["/vac/waku/peer-exchange/2.0.0-alpha1"], "class": "critical",
                 "min": 1, "max": "50%", "requirement": { "min": 1, "target": 1, "max": 2 }, "scores": true }"#,
        );
        let enrolled = self.call("enroll", spec).await.unwrap();
        assert_eq!(text(&enrolled, "requirement"), "mine");
        assert_eq!(get(&enrolled, "counter"), JsValue::FALSE);
        assert!(get(&get(&enrolled, "granted"), "low").as_f64() >= Some(1.0));
        let wanted = json(r#"{ "requirements": ["mine"] }"#);
        self.call("ready", wanted).await.unwrap();
        get(&enrolled, "enrollment").as_f64().unwrap()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        destroy(self.handle);
    }
}
