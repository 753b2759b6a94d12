//! The way of plain data to JavaScript, by `serde-wasm-bindgen`, and back, by a reader of our own.

mod take;

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;

use super::data::Failure;
use crate::node::NodeError;

pub(super) use take::{Request, take};

/// What is nothing is undefined, and what has names is an object.
const PLAIN: Serializer = Serializer::new().serialize_maps_as_objects(true);

/// A value as JavaScript has it.
pub(super) fn give<T: Serialize>(value: &T) -> JsValue {
    // Refused are only numbers and keys that none of our types has.
    value.serialize(&PLAIN).expect("plain data crosses")
}

/// An error as JavaScript has it.
pub(super) fn give_error(error: &NodeError) -> JsValue {
    give(&Failure::from(error))
}
