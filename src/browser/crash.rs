//! A panic: tell JavaScript, leave no socket behind, trap.

use std::cell::RefCell;

use js_sys::Function;
use wasm_bindgen::JsValue;

thread_local! {
    static CALLBACK: RefCell<Option<Function>> = const { RefCell::new(None) };
}

/// Registers who is told, and the hook that tells.
pub(super) fn install(callback: Function) {
    CALLBACK.set(Some(callback));
    std::panic::set_hook(Box::new(|info| {
        // After this the memory is in no defined state: nothing here may borrow what the panic may have left borrowed.
        crate::transport::abandon_all();
        let callback = CALLBACK.with(|cell| cell.try_borrow().ok().and_then(|c| c.clone()));
        if let Some(callback) = callback {
            // Nobody is left to hear of its failure.
            let _ = callback.call1(&JsValue::NULL, &JsValue::from_str(&info.to_string()));
        }
    }));
}
