//! One socket of the browser: its event handlers, and what they have reported.
//!
//! A socket is connecting, then open, then ended. Events only note what happened and wake whoever waits for it; all
//! work is done by those who poll.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{BinaryType, CloseEvent, Event, MessageEvent, WebSocket};

use super::{Error, registry};

/// Bytes received and not yet read, from which on a socket is given up. Browsers give a page no way to slow a sender
/// down; whoever reads takes what has come each time it runs, so this much piles up only if it has stopped or is flooded.
pub const READ_LIMIT: usize = 16 * 1024 * 1024;

/// What an unread message counts beside its bytes, so that [`READ_LIMIT`] also bounds a flood of tiny ones.
const MESSAGE_COST: usize = 256;

/// Close code of a connection that ended without a closing handshake (RFC 6455, section 7.1.5).
const ABNORMAL: u16 = 1006;

/// How a socket was closed: by the other side, by the network, or by us. The inner error of the [`io::Error`] that every
/// read and write gives from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("closed ({code}, {})", if *.was_clean { "clean" } else { "not clean" })]
pub struct Closed {
    /// The close code (RFC 6455, section 7.4); 1005 if the other side gave none, 1006 if it sent no goodbye at all.
    pub code: u16,
    /// Whether both sides said goodbye. When we close, we do not wait for the other's and take it for given.
    pub was_clean: bool,
}

/// Why we gave a socket up. The inner error of the [`io::Error`] that every read and write gives from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// More than [`READ_LIMIT`] was received and not read.
    #[error("more than {READ_LIMIT} bytes unread")]
    ReadOverflow,
    /// A text message came; libp2p sends binary messages only (libp2p specs, websockets).
    #[error("text message")]
    TextMessage,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Closed(Closed),
    Fault(Fault),
}

impl From<End> for io::Error {
    fn from(end: End) -> Self {
        match end {
            End::Closed(closed) if closed.was_clean => {
                Self::new(io::ErrorKind::ConnectionAborted, closed)
            }
            End::Closed(closed) => Self::new(io::ErrorKind::ConnectionReset, closed),
            End::Fault(fault) => Self::new(io::ErrorKind::InvalidData, fault),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Connecting,
    Open,
    Ended(End),
}

/// Who waits for an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Waiter {
    Dialer,
    Reader,
    Writer,
}

/// What the event handlers and the one who polls share.
#[derive(Debug)]
struct Shared {
    state: State,
    /// Messages in order. They stay in the browser's memory until they are read: the module's own never shrinks again.
    unread: VecDeque<Uint8Array>,
    /// Cost of `unread`: its bytes and [`MESSAGE_COST`] each.
    unread_cost: usize,
    /// One place for each [`Waiter`].
    wakers: [Option<Waker>; 3],
}

impl Shared {
    fn wait(&mut self, waiter: Waiter, cx: &Context<'_>) {
        let place = &mut self.wakers[waiter as usize];
        if !place
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            *place = Some(cx.waker().clone());
        }
    }
}

/// A socket of the browser and its event handlers. Dropping it closes the one and frees the others.
#[derive(Debug)]
pub(super) struct Socket {
    id: u64,
    web: WebSocket,
    shared: Rc<RefCell<Shared>>,
    _handlers: Handlers,
}

/// Kept alive for as long as the browser may call them. They hold what is shared, and nothing in that holds them.
#[derive(Debug)]
struct Handlers {
    _open: Closure<dyn Fn()>,
    _message: Closure<dyn Fn(MessageEvent)>,
    _error: Closure<dyn Fn(Event)>,
    _close: Closure<dyn Fn(CloseEvent)>,
}

impl Socket {
    /// Starts to open a socket.
    pub(super) fn open(url: &str) -> Result<Self, Error> {
        let web = WebSocket::new(url).map_err(|thrown| refusal(&thrown, url))?;
        web.set_binary_type(BinaryType::Arraybuffer);
        let id = registry::add(&web);
        let shared = Rc::new(RefCell::new(Shared {
            state: State::Connecting,
            unread: VecDeque::new(),
            unread_cost: 0,
            wakers: [const { None }; 3],
        }));

        let on_open = Closure::<dyn Fn()>::new({
            let shared = shared.clone();
            move || opened(&shared)
        });
        let on_message = Closure::<dyn Fn(MessageEvent)>::new({
            let (shared, web) = (shared.clone(), web.clone());
            move |event: MessageEvent| {
                if let Err(fault) = received(&shared, &event.data()) {
                    registry::detach(&web);
                    ended(&shared, id, End::Fault(fault));
                }
            }
        });
        // An error says nothing but that the socket failed. A close with code 1006 follows, on some browsers only after
        // a while: nobody waits for it.
        let on_error = Closure::<dyn Fn(Event)>::new({
            let shared = shared.clone();
            move |_| {
                ended(
                    &shared,
                    id,
                    End::Closed(Closed {
                        code: ABNORMAL,
                        was_clean: false,
                    }),
                )
            }
        });
        let on_close = Closure::<dyn Fn(CloseEvent)>::new({
            let shared = shared.clone();
            move |event: CloseEvent| {
                ended(
                    &shared,
                    id,
                    End::Closed(Closed {
                        code: event.code(),
                        was_clean: event.was_clean(),
                    }),
                );
            }
        });
        web.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        web.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        web.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        web.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Ok(Self {
            id,
            web,
            shared,
            _handlers: Handlers {
                _open: on_open,
                _message: on_message,
                _error: on_error,
                _close: on_close,
            },
        })
    }

    /// Ready once the socket is open, or has failed before.
    pub(super) fn poll_open(&self, cx: &Context<'_>) -> Poll<Result<(), Error>> {
        match self.state() {
            State::Connecting => {
                self.wait(Waiter::Dialer, cx);
                Poll::Pending
            }
            State::Open => Poll::Ready(Ok(())),
            State::Ended(_) => Poll::Ready(Err(Error::Unreachable)),
        }
    }

    pub(super) fn state(&self) -> State {
        self.shared.borrow().state
    }

    /// The next event that concerns this waiter wakes the task of `cx`.
    pub(super) fn wait(&self, waiter: Waiter, cx: &Context<'_>) {
        self.shared.borrow_mut().wait(waiter, cx);
    }

    /// Takes the oldest unread message, which is never empty.
    pub(super) fn next_message(&self) -> Option<Uint8Array> {
        let mut shared = self.shared.borrow_mut();
        let message = shared.unread.pop_front()?;
        shared.unread_cost -= cost(&message);
        Some(message)
    }

    /// Bytes that were sent and that the network has not taken yet.
    pub(super) fn buffered(&self) -> u32 {
        self.web.buffered_amount()
    }

    /// Hands one message to the browser. False if the socket takes no more: it is about to report its end.
    pub(super) fn send(&self, message: &[u8]) -> bool {
        // A socket that is closing would take the bytes and lose them silently.
        self.web.ready_state() == WebSocket::OPEN && self.web.send_with_u8_array(message).is_ok()
    }

    /// Begins to close, which is the end for us. Harmless on a socket that has ended.
    pub(super) fn close(&self) {
        registry::detach(&self.web);
        let end = Closed {
            code: registry::NORMAL,
            was_clean: true,
        };
        ended(&self.shared, self.id, End::Closed(end));
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        registry::remove(self.id);
        registry::detach(&self.web);
    }
}

fn opened(shared: &RefCell<Shared>) {
    let waker = {
        let mut shared = shared.borrow_mut();
        shared.state = State::Open;
        shared.wakers[Waiter::Dialer as usize].take()
    };
    waker.into_iter().for_each(Waker::wake);
}

/// Keeps a message for the reader.
fn received(shared: &RefCell<Shared>, data: &JsValue) -> Result<(), Fault> {
    let buffer = data.dyn_ref::<ArrayBuffer>().ok_or(Fault::TextMessage)?;
    if buffer.byte_length() == 0 {
        return Ok(());
    }
    let message = Uint8Array::new(buffer);
    let wakers = {
        let mut shared = shared.borrow_mut();
        let cost = shared.unread_cost.saturating_add(cost(&message));
        if cost > READ_LIMIT {
            return Err(Fault::ReadOverflow);
        }
        shared.unread_cost = cost;
        shared.unread.push_back(message);
        // The writer too: where timers are slow (a hidden page), the other side's messages show when to look again.
        [Waiter::Reader, Waiter::Writer].map(|waiter| shared.wakers[waiter as usize].take())
    };
    wakers.into_iter().flatten().for_each(Waker::wake);
    Ok(())
}

/// Notes the end and wakes everyone. The first report counts.
fn ended(shared: &RefCell<Shared>, id: u64, end: End) {
    registry::remove(id);
    let wakers = {
        let mut shared = shared.borrow_mut();
        if let State::Ended(_) = shared.state {
            return;
        }
        shared.state = State::Ended(end);
        if let End::Fault(_) = end {
            // What comes after a gap is of no use to anyone.
            shared.unread.clear();
            shared.unread_cost = 0;
        }
        std::mem::take(&mut shared.wakers)
    };
    wakers.into_iter().flatten().for_each(Waker::wake);
}

fn cost(message: &Uint8Array) -> usize {
    message.length() as usize + MESSAGE_COST
}

/// Reads what the constructor threw: a `SecurityError` forbids, anything else is a `SyntaxError` of the address.
fn refusal(thrown: &JsValue, url: &str) -> Error {
    let name = js_sys::Reflect::get(thrown, &"name".into())
        .ok()
        .and_then(|name| name.as_string());
    let url = url.to_owned();
    match name.as_deref() {
        Some("SecurityError") => Error::NotAllowed { url },
        _ => Error::Unsupported { url },
    }
}
