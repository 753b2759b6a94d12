//! The fleet over HTTP: control API, resolver and files, for loopback alone.
//!
//! | route | what |
//! |---|---|
//! | `GET /api/fleet` | the tree, the resolver, the network and the nodes |
//! | `GET /api/nodes/NAME` | one node |
//! | `POST /api/nodes/NAME/ACTION` | an [`Action`](super::Action); answers with the node as it then is |
//! | `POST /api/resolver/MODE` | a [`ResolverMode`](super::ResolverMode) |
//! | `POST /api/publish` | a message from inside the network |
//! | `GET /api/events` | what the nodes see, as server-sent events |
//! | `GET`, `POST /dns-query` | the record tree, RFC 8484 |
//! | everything else | the mounted directories |

mod api;
mod dns;
mod files;
mod guard;

use std::{future::Future, io, sync::Arc};

use axum::{
    Router, middleware,
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::watch};

use super::{core::Core, options::Mount};

/// What handlers share.
#[derive(Clone)]
struct Served {
    core: Arc<Core>,
    /// Turns true when the fleet ends, so that event streams end too.
    closing: watch::Receiver<bool>,
}

/// Serves until `closing` turns true.
pub(crate) fn serve(
    listener: TcpListener,
    core: Arc<Core>,
    mounts: &[Mount],
    closing: watch::Receiver<bool>,
) -> impl Future<Output = io::Result<()>> + Send + 'static {
    let api = Router::new()
        .route("/api/fleet", get(api::fleet))
        .route("/api/nodes/{name}", get(api::node))
        .route("/api/nodes/{name}/{action}", post(api::act))
        .route("/api/resolver/{mode}", post(api::resolver))
        .route("/api/publish", post(api::publish))
        .route("/api/events", get(api::events))
        .route("/dns-query", get(dns::get).post(dns::post))
        .with_state(Served {
            core,
            closing: closing.clone(),
        });
    let router = files::mount(api, mounts)
        .layer(files::never_cached())
        .layer(guard::cross_origin())
        .layer(middleware::from_fn(guard::loopback_only));
    let mut closing = closing;
    async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(async move {
                // An error says that the fleet is gone, which means the same.
                let _ = closing.wait_for(|closing| *closing).await;
            })
            .await
    }
}
