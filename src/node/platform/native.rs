//! Native: tokio, TCP with WebSocket, and a plain HTTP client for resolvers on this machine.

use std::future::Future;
use std::io;
use std::time::Duration;

use futures::future::BoxFuture;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::{Keypair, SigningError};
use libp2p::{PeerId, Transport};

use super::{HttpAnswer, MAX_DIAL};
use crate::node::dialing::{Bottom, dial_fault};
use crate::node::{muxer, noise};

/// Ends after `duration`.
pub(crate) fn sleep(duration: Duration) -> BoxFuture<'static, ()> {
    Box::pin(async move { tokio::time::sleep(duration).await })
}

/// Ends after others had their turn.
pub(crate) async fn breath() {
    tokio::task::yield_now().await;
}

/// Runs a future to its end, apart from the caller.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

/// The swarm's settings for this target.
pub(crate) fn swarm_config() -> libp2p::swarm::Config {
    libp2p::swarm::Config::with_tokio_executor()
}

/// WebSocket over TCP, noise and yamux. How long a dial may take is the driver's to say.
///
/// # Errors
/// When the noise keys can't be made.
pub(crate) fn transport(
    keypair: &Keypair,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, SigningError> {
    let tcp = libp2p_tcp::tokio::Transport::new(libp2p_tcp::Config::default().nodelay(true));
    let websocket = libp2p_websocket::Config::new(tcp);
    Ok(websocket
        .map_err(|error| Bottom::unreachable(&error))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(muxer::Config)
        .timeout(MAX_DIAL)
        .map_err(dial_fault)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

/// A GET request. Only `http:` is spoken: native nodes ask resolvers on this machine.
///
/// # Errors
/// Whatever the connection reports; `InvalidInput` for a URL that is not `http:`; `InvalidData` for a body over `limit`.
pub(crate) async fn fetch(
    url: String,
    accept: &'static str,
    limit: usize,
) -> io::Result<HttpAnswer> {
    let uri: hyper::Uri = url.parse().map_err(invalid)?;
    if uri.scheme_str() != Some("http") {
        return Err(invalid("only http: URLs can be fetched natively"));
    }
    let host = uri.host().ok_or_else(|| invalid("URL without a host"))?;
    let authority = format!("{host}:{}", uri.port_u16().unwrap_or(80));
    let socket = tokio::net::TcpStream::connect(&authority).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .map_err(io::Error::other)?;
    tokio::spawn(async move {
        // Its error reaches the request below.
        let _ = connection.await;
    });
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let request = hyper::Request::get(path)
        .header(hyper::header::HOST, &authority)
        .header(hyper::header::ACCEPT, accept)
        .body(Empty::<Bytes>::new())
        .map_err(invalid)?;
    let answer = sender
        .send_request(request)
        .await
        .map_err(io::Error::other)?;
    let status = answer.status().as_u16();
    let content_type = answer
        .headers()
        .get(hyper::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(super::super::media_type)
        .unwrap_or_default();
    let body = Limited::new(answer.into_body(), limit)
        .collect()
        .await
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?
        .to_bytes()
        .to_vec();
    Ok(HttpAnswer {
        status,
        content_type,
        body,
    })
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, error)
}
