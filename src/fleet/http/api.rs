//! The control API.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use data_encoding::BASE64;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_stream::wrappers::BroadcastStream;

use super::Served;
use crate::fleet::{
    ControlError, PublishError,
    core::FleetInfo,
    fault::{Action, UnknownAction},
    node::NodeInfo,
    resolver::{ResolverMode, UnknownMode},
};

/// An error as an answer: a status, and `{ "error": text }`.
pub(super) struct ApiError {
    status: StatusCode,
    error: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.error }))).into_response()
    }
}

impl From<ControlError> for ApiError {
    fn from(error: ControlError) -> Self {
        let status = match &error {
            ControlError::UnknownNode(_) => StatusCode::NOT_FOUND,
            ControlError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<UnknownAction> for ApiError {
    fn from(error: UnknownAction) -> Self {
        Self::new(StatusCode::NOT_FOUND, error.to_string())
    }
}

impl From<UnknownMode> for ApiError {
    fn from(error: UnknownMode) -> Self {
        Self::new(StatusCode::NOT_FOUND, error.to_string())
    }
}

impl From<PublishError> for ApiError {
    fn from(error: PublishError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string())
    }
}

pub(super) async fn fleet(State(served): State<Served>) -> Json<FleetInfo> {
    Json(served.core.info())
}

pub(super) async fn node(
    State(served): State<Served>,
    Path(name): Path<String>,
) -> Result<Json<NodeInfo>, ApiError> {
    Ok(Json(served.core.node(&name)?))
}

pub(super) async fn act(
    State(served): State<Served>,
    Path((name, action)): Path<(String, String)>,
) -> Result<Json<NodeInfo>, ApiError> {
    let action: Action = action.parse()?;
    Ok(Json(served.core.control(&name, action).await?))
}

pub(super) async fn resolver(
    State(served): State<Served>,
    Path(mode): Path<String>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let mode: ResolverMode = mode.parse()?;
    served.core.resolver().set_mode(mode);
    Ok(Json(json!({ "resolverMode": mode })))
}

/// What `POST /api/publish` wants.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PublishRequest {
    content_topic: String,
    payload_base64: String,
    #[serde(default)]
    ephemeral: bool,
}

/// What it answers.
#[derive(Serialize)]
pub(super) struct PublishResponse {
    hash: String,
}

/// Reads its body whatever its content type says, so that a page of any loopback origin needs no preflight.
pub(super) async fn publish(
    State(served): State<Served>,
    body: Bytes,
) -> Result<Json<PublishResponse>, ApiError> {
    let bad = |problem: String| ApiError::new(StatusCode::BAD_REQUEST, problem);
    let request: PublishRequest =
        serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
    let payload = BASE64
        .decode(request.payload_base64.as_bytes())
        .map_err(|error| bad(format!("payloadBase64: {error}")))?;
    let hash = served
        .core
        .publish(&request.content_topic, payload, request.ephemeral)?;
    Ok(Json(PublishResponse { hash }))
}

pub(super) async fn events(
    State(served): State<Served>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let Served { core, mut closing } = served;
    let events = BroadcastStream::new(Arc::clone(&core).events()).map(|event| {
        Ok(match event {
            Ok(event) => Event::default()
                .data(serde_json::to_string(&event).expect("an event is text and numbers")),
            Err(lagged) => Event::default().comment(lagged.to_string()),
        })
    });
    let closed = async move {
        // An error says that the fleet is gone, which means the same.
        let _ = closing.wait_for(|closing| *closing).await;
    };
    // A first comment, so that a listener knows when it listens.
    let hello = futures::stream::once(async { Ok(Event::default().comment("listening")) });
    Sse::new(hello.chain(events).take_until(closed)).keep_alive(KeepAlive::default())
}
