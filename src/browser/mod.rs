//! What the wasm exports: a handful of functions that take and give plain data.
//!
//! `create`, `post`, `order`, `query` and `destroy` are all that a node needs, and everything that they pass could go through a
//! `MessagePort` as well. The facade in `pkg-template` is what users see; this surface is internal and may change.
//!
//! Answers and events leave through the node's `sink`, always from a microtask of their own: no call of ours runs user
//! code, so none can be entered again while it works (contract.md F27).

mod calls;
mod crash;
mod crossing;
mod data;
mod environment;
mod options;
mod orders;
mod outbox;
mod shell;
mod snapshots;

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::Function;
use litemap::LiteMap;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsError, JsValue};

use shell::Shell;

/// Nodes by handle, and the next handle.
#[derive(Default)]
struct Nodes {
    next: u32,
    open: LiteMap<u32, Rc<Shell>>,
}

thread_local! {
    static NODES: RefCell<Nodes> = RefCell::default();
}

/// Makes a stopped node and returns its handle.
///
/// # Errors
/// A plain object `{ code, message, option? }` for options that can't be right.
#[wasm_bindgen]
pub fn create(options: JsValue, sink: Function) -> Result<u32, JsValue> {
    let shell = Shell::new(options, sink).map_err(|error| crossing::give_error(&error))?;
    Ok(NODES.with_borrow_mut(|nodes| {
        let handle = nodes.next;
        nodes.next += 1;
        nodes.open.insert(handle, shell);
        handle
    }))
}

/// Hands a request to a node. Exactly one reply follows through the sink, unless it is cancelled.
///
/// # Errors
/// For a handle that is not open, or a message that is none.
#[wasm_bindgen]
pub fn post(handle: u32, message: JsValue) -> Result<(), JsValue> {
    shell(handle)?.post(&message)
}

/// Carries out at once what needs no waiting: `setPriority`, `addRoute`, `keep`, `setLimits` and their like.
///
/// # Errors
/// A plain object `{ code, message, cause?, option? }` for what is refused; for a handle that is not open, or an unknown
/// order.
#[wasm_bindgen]
pub fn order(handle: u32, method: &str, params: JsValue) -> Result<(), JsValue> {
    shell(handle)?.order(method, params)
}

/// A snapshot: `peers`, `health`, `stats`, `protocols`, `record`, `peerId`; with an argument `peer` and `explain` (an id) and
/// `decisions` (how many, as a text).
///
/// # Errors
/// For a handle that is not open, or an unknown question.
#[wasm_bindgen]
pub fn query(handle: u32, what: &str, argument: Option<String>) -> Result<JsValue, JsValue> {
    shell(handle)?.query(what, argument)
}

/// Frees a node at once. A handle that is not open is none.
#[wasm_bindgen]
pub fn destroy(handle: u32) {
    let shell = NODES.with_borrow_mut(|nodes| nodes.open.remove(&handle));
    if let Some(shell) = shell {
        shell.destroy();
    }
}

/// Registers who is told when the wasm panics, just before it traps.
#[wasm_bindgen]
pub fn on_crash(callback: Function) {
    crash::install(callback);
}

/// The version of the crate.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Panics from inside the node's loop, for the tests of what a crash does.
#[cfg(feature = "testing")]
#[wasm_bindgen]
pub fn test_panic(handle: u32) -> Result<(), JsValue> {
    let _shell = shell(handle)?;
    wasm_bindgen_futures::spawn_local(async {
        gloo_timers::future::sleep(std::time::Duration::ZERO).await;
        panic!("a panic that a test asked for");
    });
    Ok(())
}

fn shell(handle: u32) -> Result<Rc<Shell>, JsValue> {
    NODES
        .with_borrow(|nodes| nodes.open.get(&handle).cloned())
        .ok_or_else(|| JsError::new("no such node").into())
}
