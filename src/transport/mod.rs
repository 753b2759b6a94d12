//! The browser's WebSocket as a libp2p transport.
//!
//! Outbound only, on a page and in a worker alike. A [`Transport`] turns an address into one of the browser's sockets:
//! [`Dial`] waits for it to open, [`Connection`] moves its bytes.
//!
//! - Nothing is polled that the browser reports by an event: an open, a message, an error and a close each wake whoever
//!   waits for them. The one exception is the draining of what was sent, for which browsers have no event; a timer asks
//!   for it, and runs only while a writer waits.
//! - A flush is done when the bytes are the browser's.
//! - Memory is bounded: what was sent and not yet taken by the network by [`HIGH_WATER`], what was received and not yet
//!   read by [`READ_LIMIT`].
//! - The end of a socket is an error that says how it ended ([`Closed`], [`Fault`]), never a plain end of file.
//! - Dropping a dial or a connection closes its socket and frees its event handlers.
//!
//! How long a dial may take is for the caller to say; it drops the dial when it has waited enough.

mod connection;
mod registry;
mod socket;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use libp2p::{
    Multiaddr,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};
use send_wrapper::SendWrapper;
use wasm_bindgen::JsValue;

use self::socket::Socket;
pub use self::{
    connection::{Connection, HIGH_WATER, MAX_MESSAGE},
    registry::{abandon_all, open_sockets},
    socket::{Closed, Fault, READ_LIMIT},
};
use crate::discovery::ws_url::{WsUrl, ws_url};

/// Why a dial failed.
///
/// An address that names no WebSocket at all is not in this list: for it, [`dial`](libp2p::core::Transport::dial) answers
/// [`TransportError::MultiaddrNotSupported`], so that another transport may be tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The socket failed before it opened. Browsers tell a page no more than this: nothing listens there, the name does
    /// not resolve, the certificate is not trusted, and what answers speaks no WebSocket all look alike.
    #[error("unreachable")]
    Unreachable,
    /// A page loaded over `https:` may not open this insecure socket, or the browser forbids it for another reason of
    /// its own (a blocked port, a content security policy).
    #[error("not allowed from this page: {url}")]
    NotAllowed {
        /// What would have been opened.
        url: String,
    },
    /// The browser cannot make a socket of this address.
    #[error("unsupported address: {url}")]
    Unsupported {
        /// What the browser refused to parse.
        url: String,
    },
}

/// Dials WebSocket addresses with the browser's own sockets; see the [module](self).
#[derive(Debug, Clone, Copy, Default)]
pub struct Transport {
    page_secure: bool,
}

impl Transport {
    /// A transport for the page or worker that this runs in.
    pub fn new() -> Self {
        Self {
            page_secure: page_is_secure(),
        }
    }

    /// A transport that judges addresses as a page would that was loaded over `https:` (`true`) or not (`false`).
    pub fn for_page(secure: bool) -> Self {
        Self {
            page_secure: secure,
        }
    }
}

/// Whether the page (or the page that started this worker) was loaded over `https:`, and so may open no insecure socket
/// to another host.
pub fn page_is_secure() -> bool {
    let text = |object: &JsValue, key: &str| {
        js_sys::Reflect::get(object, &key.into())
            .ok()
            .and_then(|v| v.as_string())
    };
    let global = js_sys::global();
    // The location of a worker made from a blob is `blob:`; its origin is that of its page.
    // A sandboxed frame has no origin but keeps its location.
    text(&global, "origin").is_some_and(|origin| origin.starts_with("https:"))
        || js_sys::Reflect::get(&global, &"location".into())
            .ok()
            .and_then(|location| text(&location, "protocol"))
            .is_some_and(|protocol| protocol == "https:")
}

impl libp2p::core::Transport for Transport {
    type Output = Connection;
    type Error = Error;
    type ListenerUpgrade = std::future::Pending<Result<Connection, Error>>;
    type Dial = Dial;

    /// A page cannot listen: always [`TransportError::MultiaddrNotSupported`].
    fn listen_on(&mut self, _: ListenerId, addr: Multiaddr) -> Result<(), TransportError<Error>> {
        Err(TransportError::MultiaddrNotSupported(addr))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<Dial, TransportError<Error>> {
        // The listening role is for hole punching, where both sides dial.
        if opts.role.is_listener() {
            return Err(TransportError::MultiaddrNotSupported(addr));
        }
        let Ok(target) = ws_url(&addr) else {
            return Err(TransportError::MultiaddrNotSupported(addr));
        };
        if self.page_secure && !target.allowed_on_https_page() {
            return Err(TransportError::Other(Error::NotAllowed { url: target.url }));
        }
        Ok(Dial(SendWrapper::new(Stage::Fresh(target))))
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Error>> {
        Poll::Pending
    }
}

/// A dial under way. The socket is made when this is first polled, and closed when this is dropped.
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Dial(SendWrapper<Stage>);

#[derive(Debug)]
enum Stage {
    Fresh(WsUrl),
    Opening(Socket),
    Done,
}

impl Future for Dial {
    type Output = Result<Connection, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let stage = &mut *self.get_mut().0;
        if let Stage::Fresh(target) = stage {
            match Socket::open(&target.url) {
                Ok(socket) => *stage = Stage::Opening(socket),
                Err(error) => {
                    *stage = Stage::Done;
                    return Poll::Ready(Err(error));
                }
            }
        }
        let Stage::Opening(socket) = stage else {
            panic!("a dial was polled after it had finished");
        };
        let outcome = std::task::ready!(socket.poll_open(cx));
        let Stage::Opening(socket) = std::mem::replace(stage, Stage::Done) else {
            unreachable!("the stage was opening above");
        };
        Poll::Ready(outcome.map(|()| Connection::new(socket)))
    }
}
