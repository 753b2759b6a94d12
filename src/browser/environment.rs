//! Listens to what the browser says of the network.

use js_sys::{Function, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};

/// Listeners on the page's or the worker's global object; removed on drop.
pub(super) struct Environment {
    online: Closure<dyn FnMut()>,
    offline: Closure<dyn FnMut()>,
}

impl Environment {
    /// Calls `changed` with whether there is a network, at each change.
    pub(super) fn listen(changed: impl Fn(bool) + Clone + 'static) -> Self {
        let other = changed.clone();
        let this = Self {
            online: Closure::new(move || changed(true)),
            offline: Closure::new(move || other(false)),
        };
        this.each("addEventListener");
        this
    }

    /// What the browser says now. Where it says nothing, there is a network.
    pub(super) fn is_online() -> bool {
        let global = js_sys::global();
        Reflect::get(&global, &JsValue::from_str("navigator"))
            .and_then(|navigator| Reflect::get(&navigator, &JsValue::from_str("onLine")))
            .map_or(true, |on_line| on_line.as_bool().unwrap_or(true))
    }

    fn each(&self, method: &str) {
        let global = js_sys::global();
        let Ok(method) = Reflect::get(&global, &JsValue::from_str(method)) else {
            return;
        };
        let Some(method) = method.dyn_ref::<Function>() else {
            return;
        };
        for (name, listener) in [("online", &self.online), ("offline", &self.offline)] {
            // A global object that takes no listeners just never tells us anything.
            let _ = method.call2(&global, &JsValue::from_str(name), listener.as_ref());
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.each("removeEventListener");
    }
}
