//! Errors.

use serde::Serialize;

use super::texts::Text;
use crate::node::{ErrorCode, NodeError};

/// `LightNodeError` as data; the facade makes the class of it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Failure {
    code: Text<ErrorCode>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    option: Option<String>,
    /// The last failure of each peer that was tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tried: Vec<Self>,
}

impl From<&NodeError> for Failure {
    fn from(error: &NodeError) -> Self {
        Self {
            code: Text(error.code),
            message: error.message.to_string(),
            cause: error.cause,
            peer: error.peer.as_ref().map(ToString::to_string),
            address: error.address.clone(),
            option: error.option.as_ref().map(ToString::to_string),
            tried: error.tried.iter().map(Self::from).collect(),
        }
    }
}
