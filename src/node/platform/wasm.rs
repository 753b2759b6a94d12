//! The browser: its timers, its `fetch` and its WebSocket.

use std::future::Future;
use std::io;
use std::time::Duration;

use futures::future::BoxFuture;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::{Keypair, SigningError};
use libp2p::{PeerId, Transport};
use send_wrapper::SendWrapper;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::{HttpAnswer, MAX_DIAL};
use crate::node::dialing::{Bottom, DialFault, dial_fault};
use crate::node::{muxer, noise};
use crate::transport;

/// The longest time that one timer is set for: `setTimeout` above 2^31 − 1 ms fires at once.
const MAX_TIMER: Duration = Duration::from_millis(1 << 30);

/// Ends after `duration`, or after 12 days if that is sooner: callers look at the clock again anyway.
pub(crate) fn sleep(duration: Duration) -> BoxFuture<'static, ()> {
    let timer = gloo_timers::future::sleep(duration.min(MAX_TIMER));
    Box::pin(SendWrapper::new(timer))
}

/// Ends after the page had its turn. By a message to ourselves: pages that are hidden wait a second for a timer, and a
/// minute after a while.
pub(crate) fn breath() -> impl Future<Output = ()> + Send {
    SendWrapper::new(async {
        let Ok(channel) = web_sys::MessageChannel::new() else {
            return sleep(Duration::ZERO).await;
        };
        let (tell, told) = futures::channel::oneshot::channel();
        let heard = Closure::once(move || {
            // Nobody waits any more once the node is closed.
            let _ = tell.send(());
        });
        let port = channel.port1();
        port.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        if channel.port2().post_message(&JsValue::NULL).is_ok() {
            let _ = told.await;
        }
        port.set_onmessage(None);
        port.close();
    })
}

/// Runs a future to its end, apart from the caller.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) {
    wasm_bindgen_futures::spawn_local(future);
}

/// The swarm's settings for this target.
pub(crate) fn swarm_config() -> libp2p::swarm::Config {
    libp2p::swarm::Config::with_wasm_executor()
}

/// The browser's WebSocket, noise and yamux. How long a dial may take is the driver's to say.
///
/// # Errors
/// When the noise keys can't be made.
pub(crate) fn transport(
    keypair: &Keypair,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, SigningError> {
    Ok(transport::Transport::new()
        .map_err(|error| match error {
            transport::Error::Unreachable => Bottom::unreachable(&error),
            _ => Bottom(DialFault::NotAllowed(error.to_string())),
        })
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(muxer::Config)
        .timeout(MAX_DIAL)
        .map_err(dial_fault)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

/// A GET request without credentials and past the browser's cache. Dropping it aborts the request.
///
/// # Errors
/// Whatever the browser reports; `InvalidData` for a body over `limit`.
pub(crate) fn fetch(
    url: String,
    accept: &'static str,
    limit: usize,
) -> impl Future<Output = io::Result<HttpAnswer>> + Send {
    SendWrapper::new(async move { get(&url, accept, limit).await.map_err(js_error) })
}

async fn get(url: &str, accept: &str, limit: usize) -> Result<HttpAnswer, JsValue> {
    let abort = Abort(web_sys::AbortController::new()?);
    let init = web_sys::RequestInit::new();
    init.set_method("GET");
    init.set_credentials(web_sys::RequestCredentials::Omit);
    init.set_cache(web_sys::RequestCache::NoStore);
    init.set_signal(Some(&abort.0.signal()));
    let request = web_sys::Request::new_with_str_and_init(url, &init)?;
    request.headers().set("Accept", accept)?;
    let answer: web_sys::Response = JsFuture::from(fetch_with_request(&request)?)
        .await?
        .dyn_into()?;
    let content_type = answer.headers().get("Content-Type")?.unwrap_or_default();
    let length = answer
        .headers()
        .get("Content-Length")?
        .and_then(|text| text.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(JsValue::from_str("answer over the limit"));
    }
    let body = match answer.body() {
        Some(stream) => read_body(&stream, limit).await?,
        None => Vec::new(),
    };
    Ok(HttpAnswer {
        status: answer.status(),
        content_type: super::super::media_type(&content_type),
        body,
    })
}

/// Reads a body piece by piece, and no further than the limit: whoever sends without end is not waited for.
async fn read_body(stream: &web_sys::ReadableStream, limit: usize) -> Result<Vec<u8>, JsValue> {
    let reader: web_sys::ReadableStreamDefaultReader = stream.get_reader().dyn_into()?;
    let mut body = Vec::new();
    loop {
        let piece = JsFuture::from(reader.read()).await?;
        let field = |name: &str| js_sys::Reflect::get(&piece, &JsValue::from_str(name));
        if field("done")?.is_truthy() {
            return Ok(body);
        }
        let bytes: js_sys::Uint8Array = field("value")?.dyn_into()?;
        if bytes.length() as usize > limit - body.len() {
            return Err(JsValue::from_str("answer over the limit"));
        }
        body.extend(bytes.to_vec());
    }
}

/// `fetch` of the page or of the worker: whichever global object there is.
fn fetch_with_request(request: &web_sys::Request) -> Result<js_sys::Promise, JsValue> {
    let global = js_sys::global();
    let fetch: js_sys::Function =
        js_sys::Reflect::get(&global, &JsValue::from_str("fetch"))?.dyn_into()?;
    fetch.call1(&global, request)?.dyn_into()
}

/// Aborts its request on drop; harmless once that is over.
struct Abort(web_sys::AbortController);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn js_error(error: JsValue) -> io::Error {
    let text = error
        .as_string()
        .or_else(|| {
            error
                .dyn_ref::<js_sys::Error>()
                .map(|error| String::from(error.message()))
        })
        .unwrap_or_else(|| "request failed".into());
    io::Error::other(text)
}
