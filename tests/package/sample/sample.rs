//! The exports of the real wasm, with just enough behind them to test the glue's factory and the facade on a real
//! instance. `lightkeeper.js` and `lightkeeper_bg.wasm` beside this file were made of it with wasm-bindgen 0.2.108
//! (`--target web --out-name lightkeeper`) and the release profile of the crate; they are kept because building them
//! takes longer than all tests of the package. Dependencies: wasm-bindgen, wasm-bindgen-futures, js-sys.

use js_sys::{Function, Object, Reflect};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;
thread_local! {
    static CRASH: RefCell<Option<Function>> = const { RefCell::new(None) };
    static SINKS: RefCell<Vec<Option<Function>>> = const { RefCell::new(Vec::new()) };
    static SOCKETS: RefCell<Vec<WebSocket>> = const { RefCell::new(Vec::new()) };
    static LATE: RefCell<Option<Closure<dyn FnMut()>>> = const { RefCell::new(None) };
}
#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(f: &Function, ms: i32) -> JsValue;
    type WebSocket;
    #[wasm_bindgen(constructor)]
    fn new(url: &str) -> WebSocket;
    #[wasm_bindgen(js_name = notDefinedAnywhere)]
    fn not_defined_anywhere();
}
#[wasm_bindgen]
pub fn on_crash(callback: Function) {
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        CRASH.with(|c| {
            if let Some(f) = c.borrow().as_ref() {
                let _ = f.call1(&JsValue::NULL, &text.into());
            }
        });
    }));
    CRASH.with(|c| *c.borrow_mut() = Some(callback));
}
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}
fn set(o: &Object, k: &str, v: impl Into<JsValue>) {
    let _ = Reflect::set(o, &k.into(), &v.into());
}
#[wasm_bindgen]
pub fn create(options: JsValue, sink: Function) -> Result<u32, JsValue> {
    let bad = Reflect::get(&options, &"bootstrap".into())
        .ok()
        .map(|b| js_sys::Array::from(&b))
        .is_some_and(|a| a.includes(&"/bad/p2p/bad".into(), 0));
    if bad {
        let o = Object::new();
        set(&o, "code", "invalid-options");
        set(&o, "message", "bad key");
        set(&o, "option", "bootstrap[0]");
        return Err(o.into());
    }
    Ok(SINKS.with(|s| {
        let mut s = s.borrow_mut();
        s.push(Some(sink));
        s.len() as u32
    }))
}
#[wasm_bindgen]
pub fn post(handle: u32, message: JsValue) {
    let sink = SINKS.with(|s| s.borrow()[handle as usize - 1].clone());
    let id = Reflect::get(&message, &"id".into()).unwrap_or(JsValue::UNDEFINED);
    wasm_bindgen_futures::spawn_local(async move {
        let o = Object::new();
        set(&o, "kind", "reply");
        set(&o, "id", id);
        set(&o, "ok", JsValue::UNDEFINED);
        if let Some(s) = sink {
            let _ = s.call1(&JsValue::NULL, &o);
        }
    });
}
#[wasm_bindgen]
pub fn query(_handle: u32, what: String, _arg: Option<String>) -> JsValue {
    if what == "peerId" {
        "16Uiu2HAmSample".into()
    } else {
        JsValue::UNDEFINED
    }
}
#[wasm_bindgen]
pub fn destroy(handle: u32) {
    SINKS.with(|s| s.borrow_mut()[handle as usize - 1] = None);
}
#[wasm_bindgen]
pub fn test_panic(_handle: u32) {
    panic!("a deliberate panic");
}
/// Arms a timer that calls into the wasm after `ms`.
#[wasm_bindgen]
pub fn test_late_timer(_handle: u32, ms: i32) {
    let c = Closure::new(|| panic!("a late timer ran in a dead instance"));
    set_timeout(c.as_ref().unchecked_ref(), ms);
    LATE.with(|l| *l.borrow_mut() = Some(c));
}
/// Opens a socket and keeps it.
#[wasm_bindgen]
pub fn test_socket(url: &str) {
    SOCKETS.with(|s| s.borrow_mut().push(WebSocket::new(url)));
}
/// Lets an exception of JavaScript's through the frames of the wasm.
#[wasm_bindgen]
pub fn test_throw() {
    not_defined_anywhere();
}
