//! Every open socket of this thread, so that a crash can close them and a test can count them.
//!
//! The registry holds the browser's objects themselves and none of our state: it works while any of our state is
//! borrowed, which is how a panic may leave it.

use std::cell::{Cell, RefCell};

use litemap::LiteMap;
use web_sys::WebSocket;

thread_local! {
    static OPEN: RefCell<LiteMap<u64, WebSocket>> = const { RefCell::new(LiteMap::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// How many sockets are connecting or open and still ours: a dropped one is not counted, although the browser may need
/// a moment to say goodbye to the other side.
pub fn open_sockets() -> usize {
    OPEN.with_borrow(|open| open.len())
}

/// Closes every socket and removes its event handlers, for the panic hook: afterwards, no event of a socket enters this
/// module again. Nobody is woken, as nobody is left to be woken.
pub fn abandon_all() {
    OPEN.with(|open| {
        // Borrowed if the panic came from within this very map (out of memory): the sockets then end with the page.
        let Ok(mut open) = open.try_borrow_mut() else {
            return;
        };
        for (_, socket) in std::mem::take(&mut *open).into_tuple_vec() {
            detach(&socket);
        }
    });
}

/// Notes a new socket and gives its number.
pub(super) fn add(socket: &WebSocket) -> u64 {
    let id = NEXT.get();
    NEXT.set(id + 1);
    OPEN.with_borrow_mut(|open| open.insert(id, socket.clone()));
    id
}

/// Forgets a socket that closed or was dropped. Harmless if it was forgotten before.
pub(super) fn remove(id: u64) {
    // The entry is dropped after the borrow has ended.
    let _entry = OPEN.with_borrow_mut(|open| open.remove(&id));
}

/// Takes the event handlers off a socket and begins the closing handshake, or gives it up while it is still connecting. What
/// was sent already is still delivered. Harmless on a socket that is closed.
pub(super) fn detach(socket: &WebSocket) {
    socket.set_onopen(None);
    socket.set_onmessage(None);
    socket.set_onerror(None);
    socket.set_onclose(None);
    socket
        .close_with_code(NORMAL)
        .expect("1000 is a code that pages may send");
}

/// Close code for "the purpose of the connection has been fulfilled" (RFC 6455, section 7.4.1).
pub(super) const NORMAL: u16 = 1000;
