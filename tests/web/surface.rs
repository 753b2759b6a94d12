//! The functions that the wasm exports, against the fleet: what the facade builds on.

use std::cell::RefCell;
use std::rc::Rc;

use futures::future;
use js_sys::{Function, Object, Uint8Array};
use lightkeeper::browser::{create, destroy, post, query};
use lightkeeper::manager::Log;
use lightkeeper::transport::open_sockets;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::client::{Client, get, json, options, set, text};
use crate::support::{ECHO, Status, clean_slate, eventually, pause, port, within};

const TOPIC: &str = "/lightkeeper/1/web/proto";

async fn no_sockets() {
    within(async {
        while open_sockets() > 0 {
            pause(10).await;
        }
    })
    .await;
}

#[wasm_bindgen_test]
async fn a_record_tree_is_enough_to_be_ready() {
    clean_slate();
    let mut client = Client::new().await;
    client.start().await;
    let health = client.ask("health");
    assert_eq!(text(&health, "state"), "met");
    assert_eq!(text(&health, "reason"), "all-met");
    for requirement in js_sys::Array::from(&get(&health, "requirements")).iter() {
        let number = |key| get(&requirement, key).as_f64().unwrap();
        assert!(number("have") >= number("target"));
    }
    let discovered = client.event("peer:discovery").await;
    assert_eq!(text(&discovered, "source"), "dns");
    let connected = client.event("peer:connect").await;
    assert!(text(&connected, "address").ends_with(&text(&connected, "peerId")));
    assert_eq!(text(&connected, "transport"), "ws");
    drop(client);
    no_sockets().await;
}

#[wasm_bindgen_test]
async fn a_message_goes_out_and_comes_back() {
    let mut client = Client::new().await;
    client.start().await;
    let request = json(r#"{ "timeoutMs": 10000 }"#);
    set(&request, "contentTopics", js_sys::Array::of1(&TOPIC.into()));
    let subscribed = client.call("subscribe", request.clone()).await.unwrap();
    let send = json(r#"{ "timeoutMs": 10000 }"#);
    set(&send, "contentTopic", TOPIC);
    set(&send, "payload", Uint8Array::from(&b"hello"[..]));
    let report = client.call("send", send).await.unwrap();
    let hash = text(&report, "hash");
    let message = client
        .take(|message| {
            text(message, "kind") == "message" && text(&get(message, "message"), "hash") == hash
        })
        .await;
    assert_eq!(
        get(&message, "subscription").as_f64(),
        get(&subscribed, "subscription").as_f64()
    );
    let message = get(&message, "message");
    assert_eq!(
        get(&message, "payload")
            .dyn_into::<Uint8Array>()
            .unwrap()
            .to_vec(),
        b"hello"
    );
    assert!(get(&message, "timestampNs").is_bigint());
    assert!(get(&message, "timestamp").as_f64().is_some());

    let page = client.call("query", request).await.unwrap();
    let found = js_sys::Array::from(&get(&page, "messages"))
        .iter()
        .any(|message| text(&message, "hash") == hash);
    assert!(found);
}

#[wasm_bindgen_test]
async fn a_cancelled_request_gets_no_reply() {
    let mut client = Client::with({
        let options = options().await;
        set(&options, "bootstrap", js_sys::Array::new());
        options
    });
    client.call("start", JsValue::UNDEFINED).await.unwrap();
    post(
        client.handle,
        json(r#"{ "id": 7, "method": "ready", "params": {} }"#),
    )
    .unwrap();
    post(
        client.handle,
        json(r#"{ "id": 8, "method": "cancel", "params": { "request": 7 } }"#),
    )
    .unwrap();
    client.next = 9;
    client.call("stop", JsValue::UNDEFINED).await.unwrap();
    // The reply would have come before that of `stop`.
    assert!(
        !client
            .kept
            .iter()
            .any(|message| get(message, "id").as_f64() == Some(7.0))
    );
}

#[wasm_bindgen_test]
async fn options_that_cannot_be_right_are_refused_before_anything_starts() {
    clean_slate();
    for bad in [
        "enrtree://nonsense@example.org",
        "/ip4/127.0.0.1/tcp/1/ws",
        "/nonsense/p2p/16Uiu2HAmSH2XVgZqYHWucap5kuPzLnt2TsNQkoppVxB5eJGvaXwm",
        "enr:nonsense",
        "https://example.org",
    ] {
        let options = options().await;
        set(&options, "bootstrap", js_sys::Array::of1(&bad.into()));
        let error = create(options, Function::new_no_args("")).unwrap_err();
        assert_eq!(text(&error, "code"), "invalid-options", "{bad}");
        assert_eq!(text(&error, "option"), "bootstrap[0]", "{bad}");
        assert!(text(&error, "message").contains(bad), "{bad}");
    }
    assert_eq!(open_sockets(), 0);
}

#[wasm_bindgen_test]
async fn errors_are_plain_and_typed() {
    let mut client = Client::new().await;
    let error = client.call("ready", json("{}")).await.unwrap_err();
    assert_eq!(text(&error, "code"), "not-started");
    client.call("start", JsValue::UNDEFINED).await.unwrap();
    let error = client
        .call(
            "dial",
            json(r#"{ "target": "/ip4/127.0.0.1/tcp/1/ws/p2p/16Uiu2HAmSH2XVgZqYHWucap5kuPzLnt2TsNQkoppVxB5eJGvaXwm" }"#),
        )
        .await
        .unwrap_err();
    assert_eq!(text(&error, "code"), "dial-failed");
    assert_eq!(
        text(&error, "peer"),
        "16Uiu2HAmSH2XVgZqYHWucap5kuPzLnt2TsNQkoppVxB5eJGvaXwm"
    );
    let error = client.call("nonsense", json("{}")).await.unwrap_err();
    assert_eq!(text(&error, "code"), "unsupported");
}

#[wasm_bindgen_test]
async fn what_is_missing_or_of_the_wrong_kind_is_named() {
    let mut client = Client::new().await;
    for (method, params, option) in [
        ("send", r#"{ "contentTopic": "/a/1/b/proto" }"#, "payload"),
        ("send", r#"{ "payload": [1] }"#, "contentTopic"),
        (
            "subscribe",
            r#"{ "contentTopics": ["/a/1/b/proto", 5] }"#,
            "contentTopics",
        ),
        ("dial", r#"{ "target": 5 }"#, "target"),
        ("hangUp", r#"{ "peer": "nobody" }"#, "peer"),
        ("ready", r#"{ "level": "somewhat" }"#, "level"),
        ("unsubscribe", r#"{ "subscription": 1.5 }"#, "subscription"),
        ("unsubscribe", r#"{ "subscription": -1 }"#, "subscription"),
        (
            "setRequirement",
            r#"{ "name": "store", "need": { "min": 0, "target": 300, "max": 400 } }"#,
            "target",
        ),
        (
            "setMaxByTransport",
            r#"{ "limits": { "ws": "many" } }"#,
            "limits",
        ),
        (
            "enroll",
            r#"{ "name": "mine", "protocols": ["/a/1"], "min": true }"#,
            "min",
        ),
        (
            "enroll",
            r#"{ "name": "mine", "protocols": ["/a/1"], "max": "110%" }"#,
            "max",
        ),
    ] {
        let error = client.call(method, json(params)).await.unwrap_err();
        assert_eq!(text(&error, "code"), "invalid-options", "{method} {params}");
        assert_eq!(text(&error, "option"), option, "{method} {params}");
    }
    let options = options().await;
    set(&options, "resolvers", "none");
    let error = create(options, Function::new_no_args("")).unwrap_err();
    assert_eq!(text(&error, "option"), "resolvers");
    assert!(post(client.handle, json("{}")).is_err());
}

/// Fields that are there with nothing in them, by their paths.
fn empty_fields(path: &str, value: &JsValue) -> Vec<String> {
    if value.is_undefined() || value.is_null() {
        return vec![path.to_owned()];
    }
    let fields = value.dyn_ref::<Object>().map(Object::entries);
    let fields = fields
        .into_iter()
        .flat_map(|fields| fields.iter().collect::<Vec<_>>());
    fields
        .flat_map(|field| {
            let field = js_sys::Array::from(&field);
            let name = field.get(0).as_string().unwrap_or_default();
            empty_fields(&format!("{path}.{name}"), &field.get(1))
        })
        .collect()
}

#[wasm_bindgen_test]
async fn what_is_not_known_has_no_field() {
    let mut client = Client::new().await;
    client.start().await;
    let peer = client.provider("filter");
    for what in ["peers", "health", "stats", "protocols", "decisions"] {
        assert_eq!(empty_fields(what, &client.ask(what)), [""; 0]);
    }
    assert_eq!(
        empty_fields("explain", &client.ask_of("explain", &peer)),
        [""; 0]
    );
    for message in client.kept.drain(..) {
        assert_eq!(empty_fields(&text(&message, "kind"), &message), [""; 0]);
    }
}

#[wasm_bindgen_test]
async fn the_log_of_a_page_repeats_what_the_manager_did_there() {
    let mut client = Client::new().await;
    client.start().await;
    let bytes: Uint8Array = client.ask("record").dyn_into().expect("bytes");
    let stats = client.ask("stats");
    let log = Log::decode(&bytes.to_vec()).expect("a log of this build");
    assert!(log.complete);
    let mut replay = log.replay();
    let orders: usize = replay.by_ref().map(|turn| turn.commands.len()).sum();
    let repeated = replay.manager().stats();
    assert!(orders > 0);
    assert_eq!(get(&stats, "dials").as_f64(), Some(repeated.dials as f64));
    assert_eq!(get(&stats, "inbound").as_f64(), Some(0.0));
    assert!(get(&stats, "deadlineLagMs").as_f64().is_some());
    let requirements = replay.manager().requirements();
    assert!(
        requirements
            .iter()
            .all(|view| view.first_met_after_ms.is_some())
    );
}

#[wasm_bindgen_test]
async fn limits_and_numbers_are_read_from_the_options() {
    let options = options().await;
    set(
        &options,
        "limits",
        json(r#"{ "connections": 6, "hard": 7, "byTransport": { "ws": 6 } }"#),
    );
    let numbers = |first: f64| js_sys::Float64Array::from(&[first, f64::NAN, 100.0][..]);
    set(&options, "policy", numbers(f64::NAN));
    let client = Client::with(options.clone());
    let stats = client.ask("stats");
    assert_eq!(get(&stats, "soft").as_f64(), Some(6.0));
    assert_eq!(get(&stats, "hard").as_f64(), Some(7.0));
    set(&options, "policy", numbers(0.0));
    let error = create(options, Function::new_no_args("")).unwrap_err();
    assert_eq!(text(&error, "option"), "policy[0]");
}

#[wasm_bindgen_test]
async fn every_order_is_taken() {
    let mut client = Client::new().await;
    client.start().await;
    let peer = client.provider("store");
    for (method, params) in [
        ("addRoute", r#""address": "/ip4/127.0.0.1/tcp/9/ws""#),
        ("removeRoute", r#""address": "/ip4/127.0.0.1/tcp/9/ws""#),
        ("setPriority", r#""priority": "high""#),
        ("protect", r#""tag": "mine""#),
        ("unprotect", r#""tag": "mine""#),
        ("tag", r#""name": "worth", "value": -5, "ttlMs": 60000"#),
        ("keep", r#""more": true"#),
        (
            "setMaxByTransport",
            r#""limits": { "ws": 12, "wss": null }"#,
        ),
        ("setLifetime", r#""ms": 3600000"#),
        ("setLimits", r#""connections": 12"#),
        ("connectionsPause", r#""more": true"#),
        ("connectionsResume", r#""more": true"#),
        ("initialSyncStart", r#""more": true"#),
        ("initialSyncStop", r#""more": true"#),
        ("connectionsStop", r#""more": true"#),
        ("connectionsStart", r#""more": true"#),
        ("forget", r#""more": true"#),
    ] {
        let params = json(&format!(r#"{{ "peer": "{peer}", {params} }}"#));
        let answer = client.call(method, params).await;
        assert!(answer.is_ok_and(|ok| ok.is_undefined()), "{method}");
    }
    client.call("ready", json("{}")).await.unwrap();
}

#[wasm_bindgen_test]
async fn an_enrolled_protocol_has_its_share_until_it_withdraws() {
    let mut client = Client::new().await;
    client.start().await;
    let enrollment = client.enroll().await;
    let named = |status: &JsValue| text(status, "name") == "mine";
    let protocols = js_sys::Array::from(&client.ask("protocols"));
    let share = protocols.iter().find(named).expect("it is listed");
    assert_eq!(text(&share, "class"), "critical");
    assert_eq!(text(&share, "requirement"), "mine");
    assert!(get(&share, "connections").as_f64() >= Some(1.0));
    let peer = client.provider("mine");
    let params = json(&format!(
        r#"{{ "enrollment": {enrollment}, "peer": "{peer}", "outcome": "success" }}"#
    ));
    client.call("report", params).await.unwrap();
    let params = json(&format!(r#"{{ "enrollment": {enrollment} }}"#));
    client.call("withdraw", params).await.unwrap();
    let offer = client
        .take(|message| text(message, "kind") == "offer")
        .await;
    assert_eq!(get(&offer, "ended"), JsValue::TRUE);
}

#[wasm_bindgen_test]
async fn a_lock_is_granted_renewed_and_told_when_it_ends() {
    let mut client = Client::new().await;
    client.start().await;
    let enrollment = client.enroll().await;
    let peer = client.provider("mine");
    let params = json(&format!(
        r#"{{ "enrollment": {enrollment}, "peer": "{peer}", "ttlMs": 60000 }}"#
    ));
    let held = client.call("lock", params).await.unwrap();
    let lock = get(&held, "lock").as_f64().unwrap();
    let params = json(&format!(r#"{{ "lock": {lock}, "ttlMs": 120000 }}"#));
    let renewed = client.call("extendLock", params.clone()).await.unwrap();
    let until = |answer: &JsValue| get(answer, "expiresAt").as_f64().unwrap();
    assert!(until(&renewed) > until(&held));
    client.call("unlock", params.clone()).await.unwrap();
    let told = client.take(|message| text(message, "kind") == "lock").await;
    assert_eq!(text(&told, "state"), "ended");
    let error = client.call("extendLock", params).await.unwrap_err();
    assert_eq!(text(&error, "code"), "denied");
    assert_eq!(text(&error, "cause"), "not-enrolled");
}

#[wasm_bindgen_test]
async fn why_things_are_as_they_are_can_be_read() {
    let mut client = Client::new().await;
    client.start().await;
    let peer = client.provider("store");
    let explained = client.ask_of("explain", &peer);
    assert_eq!(text(&get(&explained, "peer"), "peerId"), peer);
    let decisions = js_sys::Array::from(&get(&explained, "decisions"));
    assert_eq!(text(&decisions.get(0), "what"), "dialed");
    assert_eq!(text(&decisions.get(0), "peer"), peer);
    let last = js_sys::Array::from(&client.ask_of("decisions", "1"));
    assert_eq!(last.length(), 1);
    assert!(client.ask_of("explain", "nobody").is_undefined());
    let log: Uint8Array = client.ask("record").dyn_into().unwrap();
    assert!(log.length() > 0);
}

#[wasm_bindgen_test]
async fn two_nodes_live_on_one_page() {
    let (mut one, mut two) = (Client::new().await, Client::new().await);
    future::join(one.start(), two.start()).await;
    assert_ne!(one.ask("peerId"), two.ask("peerId"));
    drop(one);
    pause(50).await;
    assert_eq!(text(&two.ask("health"), "state"), "met");
}

#[wasm_bindgen_test]
async fn a_freed_node_tells_nothing_more() {
    clean_slate();
    let calls = Rc::new(RefCell::new(0));
    let counter = calls.clone();
    let sink = Closure::<dyn FnMut(JsValue)>::new(move |_| *counter.borrow_mut() += 1);
    let handle = create(
        options().await,
        sink.as_ref().unchecked_ref::<Function>().clone(),
    )
    .unwrap();
    post(handle, json(r#"{ "id": 0, "method": "start" }"#)).unwrap();
    pause(20).await;
    destroy(handle);
    let before = *calls.borrow();
    destroy(handle);
    no_sockets().await;
    pause(100).await;
    assert_eq!(*calls.borrow(), before);
    assert!(query(handle, "health", None).is_err());
}

#[wasm_bindgen_test]
async fn a_hundred_nodes_made_and_freed_leave_no_socket() {
    clean_slate();
    for _ in 0..100 {
        Client::new().await.start().await;
    }
    no_sockets().await;
}

#[wasm_bindgen_test]
async fn a_resolver_that_answers_without_end_is_cut_off() {
    let mut status = Status::open().await;
    let [_, _, whole, cut] = status.ask().await;
    let options = options().await;
    let endless = format!("http://127.0.0.1:{}/endless", port(ECHO));
    set(&options, "resolvers", js_sys::Array::of1(&endless.into()));
    let mut client = Client::with(options);
    client.call("start", JsValue::UNDEFINED).await.unwrap();
    eventually(async || status.ask().await[3] > cut).await;
    assert_eq!(status.ask().await[2], whole);
    destroy(client.handle);
}
